"""Files that a person has downloaded: a folder, or an archive of one."""

import contextlib
import filecmp
import os
import stat
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipeline.errors import DataError, SourceError, did_you_mean
from pipeline.progress import Warned, emit
from pipeline.sources import Source
from pipeline.sources.archives import (
    Limits,
    Unpacker,
    archive_suffix,
    readable_name,
    write_stream,
)


def open_source(path: Path, wanted: tuple[str, ...]) -> Source:
    """Return the source that a person's path stands for.

    wanted: the names of the files that the competition declares.
    Raises SourceError if the path is neither a folder nor an archive.
    """
    check_is_place(path, wanted)
    return FilesSource(path, wanted)


def check_is_place(path: Path, wanted: tuple[str, ...]) -> None:
    """Check that a path is a folder or an archive.

    Raises SourceError.
    """
    if path.is_dir() or (path.is_file() and archive_suffix(path.name)):
        return
    expected = f"expected a .zip, .tar.gz or folder that holds {', '.join(wanted)}"
    if path.is_file():
        raise SourceError(f"{path}: {expected}, found a single file; give its folder or the zip")
    raise SourceError(f"{path}: {expected}, found nothing there; check the path")


@dataclass(frozen=True)
class FilesSource:
    """The wanted files of a folder or an archive, at any depth, and the files beside them.

    A wanted file is known by its name without regard to case, and may be packed again
    (train.csv.zip or train.zip). Hidden files, __MACOSX and links out of the folder do not count.
    """

    path: Path
    wanted: tuple[str, ...]
    limits: Limits = field(default_factory=Limits)

    @property
    def origin(self) -> str:
        """The kind and the name of what was given."""
        return _origin(self.path)

    def fetch(self, folder: Path) -> None:
        """Write the files into an empty folder, all at its top and by their declared names.

        Raises SourceError if a wanted file is missing or ambiguous, or an archive is broken,
        hostile or too large; StorageError, or the OSError of a write, if the folder is full.
        """
        with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacked-") as scratch:
            with _reading(self.path):
                files = self._search(Unpacker(Path(scratch), self.limits))
            _keep(files, self.wanted, folder, Path(scratch), self.path)

    def _search(self, unpacker: Unpacker) -> "list[_File]":
        """Return all files, opening archives inside only while a wanted file is missing."""
        files = _outermost(self.path, self.wanted, unpacker)
        for _ in range(self.limits.depth):
            for archive in _worth_opening(files, _missing(files, self.wanted)):
                files.remove(archive)
                files += _unpack(archive, unpacker)
        missing = _missing(files, self.wanted)
        if _worth_opening(files, missing):
            raise SourceError(
                f"{_shown(self.path)}: archives lie more than {self.limits.depth} deep in it; "
                "unpack it yourself and give its folder"
            )
        if missing:
            raise SourceError(_not_found(_shown(self.path), missing, files))
        return _by_depth(files)


@dataclass(frozen=True)
class UnsortedSource:
    """A folder or an archive in which nobody has said yet which files are wanted.

    find: from the files by the names they are shown under to the names of those that are wanted;
    it raises DataError if they are not among them, and is asked again once archives are opened.
    """

    path: Path
    find: Callable[[Mapping[str, Path]], tuple[str, ...]]
    limits: Limits = field(default_factory=Limits)

    @property
    def origin(self) -> str:
        """The kind and the name of what was given."""
        return _origin(self.path)

    def fetch(self, folder: Path) -> None:
        """Write the wanted files, and those beside them, into an empty folder.

        Raises what find raises if they are nowhere, and otherwise as FilesSource does.
        """
        with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacked-") as scratch:
            with _reading(self.path):
                files, wanted = self._search(Unpacker(Path(scratch), self.limits))
            _keep(files, wanted, folder, Path(scratch), self.path)

    def _search(self, unpacker: Unpacker) -> "tuple[list[_File], tuple[str, ...]]":
        """Return all files and the wanted names, opening archives inside only as long as needed."""
        files = _outermost(self.path, (), unpacker)
        for depth in range(self.limits.depth + 1):
            archives = [file for file in files if archive_suffix(file.name)]
            try:
                return _by_depth(files), self.find({file.shown: file.path for file in files})
            except DataError:
                if not archives or depth == self.limits.depth:
                    raise
            for archive in archives:
                files.remove(archive)
                files += _unpack(archive, unpacker)
        raise AssertionError("the last round returns or raises")


@dataclass(frozen=True)
class _File:
    """A file that was found."""

    shown: str  # for people, as bike.zip/data/train.csv.zip/train.csv
    path: Path  # where its bytes are
    around: tuple[str, ...] = ()  # the folders of the archives it was packed in

    @property
    def name(self) -> str:
        return self.shown.rpartition("/")[2]

    @property
    def homes(self) -> tuple[str, ...]:
        return (self.shown.rpartition("/")[0], *self.around)


def _origin(path: Path) -> str:
    if path.is_dir():
        return f"folder {_shown(path.resolve())}"
    kind = (archive_suffix(path.name) or "archive").removeprefix(".")
    return f"{kind} {_shown(path.name)}"


def _outermost(path: Path, wanted: tuple[str, ...], unpacker: Unpacker) -> list[_File]:
    """Return the files of a folder, or of an archive."""
    if path.is_dir():
        return list(_files_in(path, wanted, unpacker.limits.entries))
    return _unpack(_File(_shown(path), path), unpacker)


def _by_depth(files: list[_File]) -> list[_File]:
    return sorted(files, key=lambda file: (file.shown.count("/"), file.shown))


def _keep(
    files: list[_File], wanted: tuple[str, ...], folder: Path, scratch: Path, given: Path
) -> None:
    """Put the wanted files, and those beside them, at the top of a folder."""
    with _reading(given):
        chosen = _choose(files, wanted)
    _warn_of_the_rest(files, chosen, _shown(given))
    for name, file in chosen.items():
        if file.path.is_relative_to(scratch):
            file.path.rename(folder / name)
        else:
            _copy(file, folder / name)


def _key(name: str) -> str:
    """Return what two spellings of one name share: case and composed letters aside."""
    return unicodedata.normalize("NFC", name).casefold()


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts) or not path.name


def _files_in(root: Path, wanted: tuple[str, ...], most: int) -> Iterator[_File]:
    """Yield the regular files of a folder, at any depth."""
    keys = {_key(name) for name in wanted}
    for number, path in enumerate(_paths_in(root), start=1):
        if number > most:
            raise SourceError(f"{root}: holds more than {most:,} files; give a folder below it")
        leaves = _leaves(path, root)
        if leaves and _key(path.name) in keys:
            raise SourceError(
                f"{path}: is a link out of {root}, which is not followed; "
                "give the folder that holds the file itself"
            )
        if not leaves and stat.S_ISREG(path.stat().st_mode):
            yield _File(_shown(path), path)


def _paths_in(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root, onerror=_raise):
        folders[:] = [name for name in folders if not _is_hidden(PurePosixPath(name))]
        yield from (Path(folder, name) for name in names if not _is_hidden(PurePosixPath(name)))


def _leaves(path: Path, root: Path) -> bool:
    """Tell whether a path is a link that leads out of the folder, or nowhere."""
    return path.is_symlink() and not (
        path.exists() and path.resolve().is_relative_to(root.resolve())
    )


def _raise(error: OSError) -> None:
    raise error


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise SourceError(f"{where}: cannot be read: {error.strerror}; check it") from error


def _shown(path: Path | str) -> str:
    return readable_name(os.fsencode(path))


def _unpack(archive: _File, unpacker: Unpacker) -> list[_File]:
    return [
        _File(f"{archive.shown}/{name}", path, archive.homes)
        for name, path in unpacker.unpack(archive.path, archive.shown).items()
        if not _is_hidden(PurePosixPath(name))
    ]


def _missing(files: list[_File], wanted: tuple[str, ...]) -> list[str]:
    found = {_key(file.name) for file in files}
    return [name for name in wanted if _key(name) not in found]


def _worth_opening(files: list[_File], missing: list[str]) -> list[_File]:
    """Return the archives that are named after a missing file, or else the only one there is."""
    if not missing:
        return []
    names = {_key(name) for name in missing} | {_key(PurePosixPath(name).stem) for name in missing}
    archives = [file for file in files if archive_suffix(file.name)]
    named = [file for file in archives if _key(_without_suffix(file.name)) in names]
    return named or (archives if len(archives) == 1 else [])


def _without_suffix(name: str) -> str:
    return name[: len(name) - len(archive_suffix(name) or "")]


def _choose(files: list[_File], wanted: tuple[str, ...]) -> dict[str, _File]:
    """Return what to keep by its name: the wanted files, and those that lie beside them."""
    chosen = {}
    for name in wanted:
        first, *others = [file for file in files if _key(file.name) == _key(name)]
        for other in others:
            if not filecmp.cmp(first.path, other.path, shallow=False):
                raise SourceError(
                    f"{first.shown} and {other.shown}: both are {name}, and they differ; "
                    "remove the one that is not meant"
                )
        chosen[name] = first
    taken = {_key(name) for name in chosen}
    homes = {home for file in chosen.values() for home in file.homes}
    for file in files:
        if file.homes[0] in homes and _key(file.name) not in taken:
            taken.add(_key(file.name))
            chosen[file.name] = file
    return chosen


def _warn_of_the_rest(files: list[_File], chosen: dict[str, _File], shown: str) -> None:
    kept = set(chosen.values())
    rest = [file.shown for file in files if file not in kept]
    if rest:
        emit(Warned(f"{shown}: left out {len(rest)} of {len(files)} files, such as {rest[0]}"))


def _copy(file: _File, target: Path) -> None:
    with _reading(file.path), file.path.open("rb") as stream:
        write_stream(stream, target, file.shown)


def _not_found(shown: str, missing: list[str], files: list[_File]) -> str:
    names = sorted({file.name for file in files})
    listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    hints = {did_you_mean(name, names) for name in missing}
    near = sorted(hint for hint in hints if hint.startswith("did you mean"))
    hint = " ".join(near) or "is this the right competition?"
    return (
        f"{shown}: {', '.join(missing)} not found; found {listed or 'no files'}; {hint} "
        "Names are declared under [files] in competition.toml"
    )
