"""Writing that is whole or absent: temporary beside the target, flushed, then renamed."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import StorageError

UNFINISHED = ".unfinished-"


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write into a StorageError that names the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f"{path}: cannot be written: {reason}; free some space or choose another --workspace"
        ) from error


def save_bytes(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old bytes or the new ones, never a part.

    Raises StorageError, and leaves what was there before.
    """
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{UNFINISHED}{uuid.uuid4().hex[:8]}-{path.name}")
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def save_text(path: Path, text: str) -> None:
    """Write UTF-8 text with the guarantee of save_bytes."""
    save_bytes(path, text.encode("utf-8"))


@contextlib.contextmanager
def complete_folder(path: Path) -> Iterator[Path]:
    """Yield a hidden folder to fill; it takes the given name only if the block ends well.

    Raises StorageError if it cannot be written; then, as after any error, nothing is left behind.
    """
    staging = path.with_name(f"{UNFINISHED}{os.getpid()}-{path.name}")
    with storing(path):
        sweep_unfinished(path.parent)
        staging.mkdir(parents=True)
        try:
            yield staging
            for file in sorted(staging.rglob("*")):
                _sync(file)
            _sync_folder(staging)
            staging.rename(path)
            _sync_folder(path.parent)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise


def sweep_unfinished(folder: Path) -> None:
    """Remove the hidden folders that processes no longer alive have left."""
    for left in folder.glob(f"{UNFINISHED}*"):
        owner = left.name.removeprefix(UNFINISHED).split("-")[0]
        if left.is_dir() and owner.isdigit() and not _is_alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it exists, and belongs to somebody else
        return True
    return True


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
