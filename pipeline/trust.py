"""What this workspace wrote itself, and what of others a person has agreed to run.

    .kc/key             32 random bytes that only the owner may read
    .kc/made            when the key's file was last changed, in nanoseconds
    .kc/accepted.json   what a person has agreed to, signed with the key

Saved estimators and Python files run code when they are loaded. So they are signed with the key
when they are written (HMAC-SHA256), and what has no signature of it is not loaded. The key never
leaves .kc/, but somebody else's whole workspace brings a key along. It is told by its time: no
archive and no copy can set when a file was last changed, so a key whose time is not that of
.kc/made was not made in this place, and counts only after a person has agreed.
"""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import StorageError, TrustError
from pipeline.storage import complete_folder, save_text

FOLDER = ".kc"
KEY, MADE, ACCEPTED = "key", "made", "accepted.json"
SWITCH = "KC_TRUST"  # 1: run what others wrote, without asking
KEY_BYTES = 32


def trusts_all() -> bool:
    """Tell whether a person lets this command and its processes run what others wrote."""
    return os.environ.get(SWITCH, "").lower() in ("1", "true", "yes", "on")


@dataclass(frozen=True)
class Foreign:
    """Code of somebody else that would run: what it belongs to, and the files that hold it.

    root: of the workspace. kind: "competition", "run" or "workspace". digest: of all that would
    run. lines: what a declaration, rather than a file of its own, would run.
    """

    root: Path
    kind: str
    name: str
    files: tuple[Path, ...] = ()
    digest: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class GivenKey:
    """A key that was handed over: it signs as a Seal does, and is written nowhere."""

    key: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """What tells this key from others, and not what it is."""
        return _signature(self.key, "name", b"").hex()[:16]

    def sign(self, purpose: str, content: bytes) -> bytes:
        """Return the 32 bytes that only this key can make of a content and its purpose."""
        return _signature(self.key, purpose, content)

    def is_own(self, purpose: str, content: bytes, signature: bytes) -> bool:
        """Tell whether the content was signed with this key for the purpose."""
        return hmac.compare_digest(self.sign(purpose, content), signature)


@dataclass(frozen=True)
class Seal:
    """The signature of one workspace; looking makes no key, signing does."""

    folder: Path

    @classmethod
    def of(cls, root: Path) -> "Seal":
        """Return the seal of the workspace in a folder."""
        return cls(root / FOLDER)

    def sign(self, purpose: str, content: bytes) -> bytes:
        """Return the 32 bytes that only this workspace can make of a content and its purpose.

        Raises StorageError if there is no key and none can be written, TrustError if the key was
        made elsewhere.
        """
        return _signature(self._key() or self._make_key(), purpose, content)

    def is_own(self, purpose: str, content: bytes, signature: bytes) -> bool:
        """Tell whether this workspace signed the content for the purpose.

        Raises TrustError if the key was made elsewhere.
        """
        key = self._key()
        return key is not None and hmac.compare_digest(_signature(key, purpose, content), signature)

    def lend(self, purpose: str) -> GivenKey:
        """Return a key for one purpose, always the same: who has it does not have this one.

        Raises as sign does.
        """
        return GivenKey(self.sign(f"key for {purpose}", b""))

    def accepts(self, foreign: Foreign) -> bool:
        """Tell whether a person has agreed to code, byte for byte, or writes it without end.

        Raises TrustError if the key was made elsewhere.
        """
        known = self._accepted()
        is_mine = foreign.kind == "competition" and foreign.name in known["mine"]
        return is_mine or known[foreign.kind].get(foreign.name) == foreign.digest

    def accept(self, foreign: Foreign, *, mine: bool = False) -> None:
        """Remember that a person agrees to code as it is; mine: and to all later changes.

        Raises StorageError.
        """
        if foreign.kind == "workspace":
            self._settle_key()
            return
        known = self._accepted()
        if mine:
            known["mine"] = sorted({*known["mine"], foreign.name})
        else:
            known[foreign.kind][foreign.name] = foreign.digest
        text = json.dumps(known, sort_keys=True, ensure_ascii=False)
        signature = self.sign(ACCEPTED, text.encode()).hex()
        save_text(self.folder / ACCEPTED, f"{text}\n{signature}\n")

    def _accepted(self) -> dict[str, Any]:
        """Return what was agreed to; a record that somebody else wrote says nothing."""
        nothing: dict[str, Any] = {"mine": [], "competition": {}, "run": {}}
        with contextlib.suppress(OSError, ValueError):
            text, signature = (self.folder / ACCEPTED).read_text(encoding="utf-8").splitlines()
            if self.is_own(ACCEPTED, text.encode(), bytes.fromhex(signature)):
                known: dict[str, Any] = json.loads(text)
                return nothing | known
        return nothing

    def _key(self) -> bytes | None:
        """Return the key, or None if there is none yet.

        Raises TrustError if it was made elsewhere.
        """
        path = self.folder / KEY
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(
                f"{path}: cannot be read: {error.strerror}; see who owns it"
            ) from None
        if not trusts_all() and not (len(key) == KEY_BYTES and self._was_made_here()):
            raise TrustError(
                f"{self.folder.parent}: this workspace was copied, restored, or is somebody "
                "else's, and what it holds may run code; if all of it is yours, run kc trust; "
                f"else remove {self.folder}",
                Foreign(self.folder.parent, "workspace", str(self.folder.parent)),
            )
        return key

    def _was_made_here(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / MADE).read_text()) == _changed(self.folder / KEY)
        return False

    def _make_key(self) -> bytes:
        """Return the key after making it; of two processes that do so at once, one's is taken."""
        if self.folder.is_dir() and not (self.folder / KEY).exists():
            shutil.rmtree(self.folder, ignore_errors=True)  # without its key, the rest says nothing
        try:
            with complete_folder(self.folder) as folder:
                _write_privately(folder / KEY, secrets.token_bytes(KEY_BYTES))
                (folder / MADE).write_text(str(_changed(folder / KEY)))
                (folder / ".gitignore").write_text("*\n")
        except StorageError:
            if not (self.folder / KEY).is_file():
                raise
        return (self.folder / KEY).read_bytes()

    def _settle_key(self) -> None:
        """Take the key that is here for one that was made here."""
        if (self.folder / KEY).is_file():
            save_text(self.folder / MADE, str(_changed(self.folder / KEY)))


def files_digest(files: Mapping[str, bytes]) -> str:
    """Return one SHA-256 of files by name."""
    each = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return hashlib.sha256(json.dumps(each, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def trusting() -> Iterator[None]:
    """Let the enclosed block, and the processes it starts, run what others wrote."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = "1"
    try:
        yield
    finally:
        os.environ.pop(SWITCH)
        if before is not None:
            os.environ[SWITCH] = before


def _signature(key: bytes, purpose: str, content: bytes) -> bytes:
    return hmac.digest(key, purpose.encode() + b"\0" + content, "sha256")


def _write_privately(path: Path, content: bytes) -> None:
    path.touch(mode=0o600, exist_ok=False)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # a network disk may set the time only now


def _changed(path: Path) -> int:
    return path.stat().st_ctime_ns
