"""A competition's files as they were brought: data/NAME/raw and data/NAME/manifest.json.

    data/bike/raw/train.csv ...     read-only, never edited
    data/bike/manifest.json         origin, time, and each file's sha256 and bytes

New files take the place of old ones in steps that each are one rename:

1. A hidden folder is filled with raw/ and manifest.json, and flushed to the disk.
2. It is renamed to .incoming/. From here on the new files are what counts.
3. raw/ is renamed to .replaced/, .incoming/raw/ to raw/, .incoming/manifest.json to manifest.json.
4. .incoming/ and .replaced/ are removed.

A process that is killed before step 2 has changed nothing. After one that is killed later, the next
call finds .incoming/ and takes the steps that are left; none of them does harm a second time. At
any moment raw/ is whole or, between two renames, absent.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import DataError, StorageError
from pipeline.sources import Source
from pipeline.storage import complete_folder, file_sha256, save_text, storing

RAW = "raw"
MANIFEST = "manifest.json"
INCOMING = ".incoming"
REPLACED = ".replaced"


@dataclass(frozen=True)
class RawFile:
    """One file's name, digest and size."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """Where the files came from and when, and what they are."""

    origin: str
    time: str  # UTC, as 2026-11-23T09:30:48Z
    files: tuple[RawFile, ...]


def bring(source: Source, folder: Path) -> tuple[Manifest, bool]:
    """Fetch a competition's files, and return their manifest and whether anything changed.

    folder: data/NAME. Files equal to those that are there already are left alone.
    Raises SourceError, StorageError, or DataError if a file of the person's own is in the way;
    then what was there is there still.
    """
    with _alone_in(folder):
        _settle(folder)
        old = _read_manifest(folder)
        with complete_folder(folder / INCOMING) as staging:
            (staging / RAW).mkdir()
            source.fetch(staging / RAW)
            new = Manifest(source.origin, _now(), _seal(staging / RAW))
            unchanged = old and old.files == new.files and not any(_faults(folder, old))
            if not unchanged:
                _check_nothing_is_lost(folder / RAW, old, new)
            save_text(staging / MANIFEST, json.dumps(asdict(new), indent=2, ensure_ascii=False))
        if unchanged:
            (folder / INCOMING).rename(folder / REPLACED)  # half a removed .incoming/ would count
        _settle(folder)
    return (old, False) if old and unchanged else (new, True)


def load_manifest(folder: Path) -> Manifest | None:
    """Return what was brought to data/NAME, or None if nothing was.

    Raises DataError if the manifest is damaged.
    """
    if (folder / INCOMING).exists():
        with _alone_in(folder):
            _settle(folder)
    return _read_manifest(folder)


def verify(folder: Path) -> Manifest:
    """Return the manifest of data/NAME after reading every file's bytes again.

    Raises DataError if there are no files, or one is missing or not as it was brought.
    """
    manifest = load_manifest(folder)
    if manifest is None:
        raise DataError(_nothing_yet(folder))
    for fault in _faults(folder, manifest):
        raise DataError(f"{fault}; run kc fetch {folder.name} again")
    return manifest


def is_as_brought(folder: Path) -> bool:
    """Tell whether data/NAME has all files as they were brought, after reading their bytes."""
    manifest = load_manifest(folder)
    return manifest is not None and not any(_faults(folder, manifest))


def _nothing_yet(folder: Path) -> str:
    raw, name = folder / RAW, folder.name
    if raw.is_dir() and any(raw.iterdir()):
        return f"{raw}: files without a manifest; run kc fetch {name} --from {raw}"
    return (
        f"{raw}: no files yet; run kc fetch {name}, or kc fetch {name} --from ZIP_OR_DIR, "
        f"or kc fetch {name} --sample"
    )


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time change a folder; the lock ends with the process, however it ends.

    A folder that is empty afterwards is removed. Raises StorageError.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder):
            try:
                yield
            finally:
                if not any(folder.iterdir()):
                    folder.rmdir()


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    if os.name != "posix":  # no lock is had on a folder: two fetches at once are not caught
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(f"{folder}: another kc fetch is at work; wait for its end") from None
        yield
    finally:
        os.close(descriptor)


def _settle(folder: Path) -> None:
    """Take the steps that are left between .incoming/ and raw/, if there are any."""
    raw, incoming, replaced = (folder / name for name in (RAW, INCOMING, REPLACED))
    if (incoming / RAW).is_dir():
        if os.path.lexists(raw):
            _remove(replaced)
            raw.rename(replaced)
        (incoming / RAW).rename(raw)
    if (incoming / MANIFEST).is_file():
        (incoming / MANIFEST).replace(folder / MANIFEST)
    if incoming.is_dir():
        incoming.rmdir()
    _remove(replaced)


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _seal(raw: Path) -> tuple[RawFile, ...]:
    """Make the files read-only, and return their facts in the order of their names."""
    files = []
    for path in sorted(path for path in raw.rglob("*") if path.is_file()):
        path.chmod(0o444)
        name = path.relative_to(raw).as_posix()
        files.append(RawFile(name, file_sha256(path), path.stat().st_size))
    return tuple(files)


def _check_nothing_is_lost(raw: Path, old: Manifest | None, new: Manifest) -> None:
    """Raise DataError if raw/ holds a file that neither manifest knows."""
    brought = {file.name for file in old.files} if old else set()
    coming = {file.name: file for file in new.files}
    for path in sorted(path for path in raw.rglob("*") if path.is_file()):
        name = path.relative_to(raw).as_posix()
        if name in brought or path.name.startswith("."):
            continue
        if name not in coming or _fault(path, coming[name]):
            raise DataError(f"{path}: was not brought by kc fetch; move it elsewhere, then fetch")


def _faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with the files on disk, one sentence each."""
    for file in manifest.files:
        path = folder / RAW / file.name
        fault = _fault(path, file)
        if fault:
            yield f"{path}: {fault}"


def _fault(path: Path, file: RawFile) -> str | None:
    try:
        size = path.stat().st_size
        if size != file.bytes:
            return f"expected {file.bytes:,} bytes, found {size:,}"
        return (
            None
            if file_sha256(path) == file.sha256
            else "its bytes are not those that were fetched"
        )
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_manifest(folder: Path) -> Manifest | None:
    path = folder / MANIFEST
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        files = (RawFile(str(f["name"]), str(f["sha256"]), int(f["bytes"])) for f in table["files"])
        return Manifest(str(table["origin"]), str(table["time"]), tuple(files))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path}: expected a manifest of kc fetch, found something else ({error}); "
            f"move it and {folder / RAW} elsewhere, then fetch again"
        ) from error
