"""Writing that is whole or absent: temporary beside the target, flushed, then renamed.

What is being written has a hidden name that tells whose it is: .unfinished-PLACE-PID-.... A number
of a process means something only where it was given, so what processes no longer alive have left is
removed by others of the same place (machine, boot and container); elsewhere once a month is over.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import StorageError

UNFINISHED = ".unfinished-"
LEFT_FOR_GOOD = 30 * 86_400  # seconds after which what another place has left is nobody's
NO_SPACE = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)

_in_work: set[str] = set()  # the hidden names that this process is writing under now


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write into a StorageError that names the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        advice = "free some space or choose" if error.errno in NO_SPACE else "choose"
        raise StorageError(
            f"{path}: cannot be written: {reason}; {advice} another --workspace"
        ) from error


def save_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old bytes or the new ones, never a part.

    Raises StorageError, and leaves what was there before.
    """
    save_written(path, lambda file: file.write(content))


def save_written(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let a function write a file, which need not be in memory, with the guarantee of save_bytes.

    Raises StorageError, and leaves what was there before.
    """
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _staged(path) as temporary:
            with temporary.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        _sync_folder(path.parent)


def save_text(path: Path, text: str) -> None:
    """Write UTF-8 text with the guarantee of save_bytes."""
    save_bytes(path, text.encode("utf-8"))


def check_writable(folder: Path) -> None:
    """Check that a folder takes files, before work is done that would be lost.

    Raises StorageError.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _staged(folder / "probe") as probe:
            probe.touch()
            probe.unlink()


@contextlib.contextmanager
def complete_folder(path: Path) -> Iterator[Path]:
    """Yield a hidden folder to fill; it takes the given name only if the block ends well.

    Raises StorageError if it cannot be written; then, as after any error, nothing is left behind.
    """
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _staged(path) as staging:
            staging.mkdir()
            yield staging
            for file in sorted(staging.rglob("*")):
                _sync_folder(file) if file.is_dir() else _sync(file)
            _sync_folder(staging)
            staging.rename(path)
        _sync_folder(path.parent)


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Yield an empty hidden folder in another one; it is gone after the block, however that ends.

    Raises StorageError if it cannot be made.
    """
    with storing(parent):
        is_new = not parent.exists()
        parent.mkdir(parents=True, exist_ok=True)
    with _staged(parent / "scratch") as staging:
        try:
            with storing(staging):
                staging.mkdir()
            yield staging
        finally:
            _remove(staging)
            if is_new and not any(parent.iterdir()):
                parent.rmdir()


def sweep_unfinished(folder: Path) -> None:
    """Remove what processes no longer alive have left under hidden names."""
    for left in folder.glob(f"{UNFINISHED}*"):
        place, _, rest = left.name.removeprefix(UNFINISHED).partition("-")
        owner = rest.partition("-")[0]
        if left.name in _in_work:
            continue
        if place != _place():
            is_left = _age(left) > LEFT_FOR_GOOD
        else:
            is_left = owner.isdecimal() and not _is_another_alive(int(owner))
        if is_left:
            _remove(left)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time do the enclosed block; the lock ends with the process.

    Where a folder cannot be locked (Windows, some network disks), nobody is kept out.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def file_sha256(path: Path) -> str:
    """Return the digest of a file's bytes, in hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _place() -> str:
    """Return a name of where numbers of processes mean the same: machine, boot and container."""
    facts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        facts.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115  # it names no path
    return "x" + hashlib.sha256("\n".join(facts).encode()).hexdigest()[:8]


def _age(path: Path) -> float:
    """Return seconds since a path was last changed; none if it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


@contextlib.contextmanager
def _staged(path: Path) -> Iterator[Path]:
    """Yield an unused hidden name beside the path; what has it when an error comes is removed."""
    sweep_unfinished(path.parent)
    owner = f"{_place()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    staging = path.with_name(f"{UNFINISHED}{owner}-{path.name}")
    _in_work.add(staging.name)
    try:
        yield staging
    except BaseException:
        _remove(staging)
        raise
    finally:
        _in_work.discard(staging.name)


def _is_another_alive(pid: int) -> bool:
    """Tell whether a process other than this one has the number; it may be an earlier one's."""
    if os.name != "posix":  # Windows takes the signal 0 for Ctrl-C, so nobody is asked there
        return True
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it exists, and belongs to somebody else
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _sync(path: Path) -> None:
    if path.is_file():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # Windows cannot open a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
