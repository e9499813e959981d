"""Finished work, found again by the content of everything that it was made from."""

import hashlib
import io
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import joblib
import numpy as np
import pandas as pd

from pipeline.errors import StorageError
from pipeline.packages import VERSIONED, package_versions
from pipeline.progress import Warned, emit
from pipeline.storage import save_bytes
from pipeline.trust import Seal, trusts_all

DIGEST_BYTES = 32


_full: set[Path] = set()  # the folders of which this process has said that nothing is kept


class Signer(Protocol):
    """What signs as a Seal does."""

    def sign(self, purpose: str, content: bytes) -> bytes:
        """Return the signature of a content for a purpose."""

    def is_own(self, purpose: str, content: bytes, signature: bytes) -> bool:
        """Tell whether the signature is one's own."""


class Results(Protocol):
    """What keeps results by the digests of their inputs: here, or where all machines see them."""

    def load(self, key: str) -> Any | None:
        """Return the result of that key, or None."""

    def has(self, key: str) -> bool:
        """Tell whether there is a result of that key."""

    def save(self, key: str, result: Any) -> None:
        """Keep a result."""

    def clear(self, start: str) -> None:
        """Forget the results whose keys begin so."""


class Elsewhere(Results, Protocol):
    """Where workers on other machines keep their results: signed, as a cache's files are."""

    def body(self, name: str) -> bytes | None:
        """Return the pickle of that name if a worker of this workspace wrote it whole, or None."""


@dataclass(frozen=True)
class Cache:
    """A folder of finished results, each under the digest of its inputs; safe to delete.

    A file is the SHA-256 of its body, the workspace's signature of that and of the key, and the
    body, which is a pickle: it is loaded only if this workspace wrote it. What is not here and was
    finished elsewhere is brought here when it is asked for.
    """

    folder: Path
    seal: Seal
    elsewhere: Elsewhere | None = None

    def load(self, key: str) -> Any | None:
        """Return the result of that key, or None.

        A file that is damaged, or that another workspace wrote, counts as absent, and is named.
        """
        body = self._body(key)
        body = self._brought(key) if body is None else body
        return None if body is None else joblib.load(io.BytesIO(body))

    def has(self, key: str) -> bool:
        """Tell whether the file of that key is here, if need be after it was brought here."""
        return self.path(key).is_file() or (
            self._brought(key) is not None and self.path(key).is_file()
        )

    def clear(self, start: str) -> None:
        """Forget the results whose keys begin so."""
        for path in self.folder.glob(f"{start}*.joblib"):
            path.unlink(missing_ok=True)

    def _body(self, key: str) -> bytes | None:
        path = self.path(key)
        if not path.is_file():
            return None
        return unsealed(path.read_bytes(), key, None if trusts_all() else self.seal, path)

    def _brought(self, key: str) -> bytes | None:
        """Return what was finished elsewhere under that key, and keep it here."""
        body = None if self.elsewhere is None else self.elsewhere.body(key)
        if body is not None:
            self._keep(key, body)
        return body

    def save(self, key: str, result: Any) -> None:
        """Keep a result; a process killed in between leaves none.

        What cannot be kept is only made again one day: the first time, a warning says so.
        """
        buffer = io.BytesIO()
        joblib.dump(result, buffer)
        self._keep(key, buffer.getvalue())

    def _keep(self, key: str, body: bytes) -> None:
        try:
            save_bytes(self.path(key), sealed(body, key, self.seal))
        except StorageError as error:
            if self.folder not in _full:
                told = str(error).replace(str(self.path(key)), str(self.folder), 1)
                emit(Warned(f"{told}; the run goes on, but its fits are not kept"))
            _full.add(self.folder)

    def path(self, key: str) -> Path:
        """Return the file of that key; it is replaced as a whole, never changed."""
        return self.folder / f"{key}.joblib"


def sealed(body: bytes, key: str, signer: Signer) -> bytes:
    """Return a result's file: checksum, signature of that and of the key, and the body."""
    checksum = hashlib.sha256(body).digest()
    return checksum + signer.sign(_purpose(key), checksum) + body


def unsealed(content: bytes, key: str, signer: Signer | None, path: object) -> bytes | None:
    """Return the body of a result's file, or None after a warning if it is not to be loaded.

    signer: whose it has to be, or None for anybody's. path: of the file, for the warning.
    """
    checksum, signature, body = _parts(content)
    if hashlib.sha256(body).digest() != checksum:
        emit(Warned(f"{path}: damaged, so this part is made again"))
        return None
    if signer is not None and not signer.is_own(_purpose(key), checksum, signature):
        emit(Warned(f"{path}: not written by this workspace, so this part is made again"))
        return None
    return body


def unpack(content: bytes) -> Any | None:
    """Return the result that a cache's file holds, or None if it is damaged.

    Loading runs code that the bytes name: whoever asks has to know who wrote them.
    """
    checksum, _, body = _parts(content)
    return joblib.load(io.BytesIO(body)) if hashlib.sha256(body).digest() == checksum else None


def _parts(content: bytes) -> tuple[bytes, bytes, bytes]:
    """Return checksum, signature and body of a cache's file."""
    return (
        content[:DIGEST_BYTES],
        content[DIGEST_BYTES : 2 * DIGEST_BYTES],
        content[2 * DIGEST_BYTES :],
    )


def _purpose(key: str) -> str:
    return f"cache {key}"


def digest(*parts: str | bytes) -> str:
    """Return one SHA-256 for several parts; where one part ends is part of it."""
    total = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        total.update(len(content).to_bytes(8, "big"))
        total.update(content)
    return total.hexdigest()


def array_digest(array: np.ndarray) -> str:
    """Return the digest of an array's shape, type and values."""
    array = np.ascontiguousarray(array)
    return digest(str(array.shape), str(array.dtype), array.tobytes())


def frame_digest(frame: pd.DataFrame | pd.Series) -> str:
    """Return the digest of a frame's column names, types and cells; its index does not count."""
    frame = frame.to_frame() if isinstance(frame, pd.Series) else frame
    names = repr([(name, str(dtype)) for name, dtype in frame.dtypes.items()])
    return digest(names, array_digest(pd.util.hash_pandas_object(frame, index=False).to_numpy()))


def code_digest(paths: Iterable[Path]) -> str:
    """Return the digest of source files, and of the versions of Python and what computes.

    A changed line anywhere is new work: no function can tell which of its helpers matter.
    """
    sources = [part for path in sorted(paths) for part in (path.name, path.read_bytes())]
    versions = (f"{name} {number}" for name, number in package_versions(VERSIONED).items())
    return digest(*sources, platform.python_version(), *versions)


def folder_size(folder: Path) -> tuple[int, int]:
    """Return the number of files in a folder and their bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files)
