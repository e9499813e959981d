"""Writing that is whole or absent: temporary beside the target, flushed, then renamed."""

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import StorageError

UNFINISHED = ".unfinished-"
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
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _staged(path) as temporary:
            with temporary.open("xb") as file:
                file.write(content)
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
        owner = left.name.removeprefix(UNFINISHED).split("-")[0]
        if owner.isdecimal() and left.name not in _in_work and not _is_another_alive(int(owner)):
            _remove(left)


@contextlib.contextmanager
def _staged(path: Path) -> Iterator[Path]:
    """Yield an unused hidden name beside the path; what has it when an error comes is removed."""
    sweep_unfinished(path.parent)
    staging = path.with_name(f"{UNFINISHED}{os.getpid()}-{uuid.uuid4().hex[:8]}-{path.name}")
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
