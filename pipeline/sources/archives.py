"""Unpack archives that nobody vouches for.

An entry's name never reaches the file system: its bytes are stored under a number, so that no entry
can leave the folder, replace another one or be a link. Bytes are counted as they come out, since
the sizes that an archive declares may be lies.
"""

import gzip
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from pipeline.errors import SourceError
from pipeline.storage import storing

BLOCK = 2**20  # bytes read at once

_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error, EOFError, OSError, ValueError,
    NotImplementedError,
)  # fmt: skip
_REFUSED = "it is refused, and nothing was changed; unpack it yourself and give its folder"
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class BrokenArchiveError(SourceError):
    """An archive's bytes are not what was packed."""


@dataclass(frozen=True)
class Limits:
    """How large an archive may turn out to be before it is taken for a bomb."""

    total_bytes: int = 64 * 2**30  # unpacked, with the archives inside
    entries: int = 100_000  # files and folders, with the archives inside
    ratio: int = 200  # an archive's unpacked bytes to its own size, asked ...
    ratio_from: int = 100 * 2**20  # ... once so many bytes are unpacked
    depth: int = 3  # archives inside an archive


def archive_suffix(name: str) -> str | None:
    """Return the ending that makes it the name of an archive we can unpack."""
    return next((suffix for suffix in _ENTRIES if name.lower().endswith(suffix)), None)


class Unpacker:
    """Unpacks one archive after the other into a folder, and counts over all of them."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self.n_entries = 0
        self.n_bytes = 0

    def unpack(self, archive: Path, shown: str) -> dict[str, Path]:
        """Return the regular files of an archive: their names in it, and where their bytes are.

        archive: a file of any name; shown: its name for people, whose ending tells what it is.
        Raises SourceError if the archive is broken, hostile or too large, and StorageError.
        """
        suffix = archive_suffix(shown)
        if suffix is None:
            raise SourceError(f"{shown}: expected an archive ({', '.join(_ENTRIES)})")
        unpacked: dict[str, Path] = {}
        try:
            meter = _Meter(self, shown, archive.stat().st_size)
            for name, stream in _ENTRIES[suffix](archive, shown, meter):
                self._count_entry(shown)
                entry = _checked_name(name, shown)
                if entry in unpacked:
                    raise SourceError(f"{shown}: {entry!r} is in it twice; {_REFUSED}")
                if stream is not None:
                    unpacked[entry] = self.folder / f"{self.n_entries:06d}"
                    write_stream(stream, unpacked[entry], shown)
        except _BROKEN as error:
            raise _broken(shown, error) from error
        return unpacked

    def _count_entry(self, shown: str) -> None:
        self.n_entries += 1
        if self.n_entries > self.limits.entries:
            raise SourceError(f"{shown}: more than {self.limits.entries:,} entries; {_REFUSED}")


def write_stream(stream: IO[bytes], target: Path, shown: str) -> None:
    """Copy a stream to a file that does not exist yet.

    Raises SourceError if the stream breaks off, StorageError if the file cannot be written.
    """
    with storing(target), target.open("xb") as file:
        for block in _blocks(stream, shown):
            file.write(block)


def readable_name(name: bytes) -> str:
    """Return a file name as a person wrote it: UTF-8, else the cp949 of a Korean Windows."""
    for encoding in ("utf-8", "cp949"):
        try:
            return unicodedata.normalize("NFC", name.decode(encoding))
        except UnicodeDecodeError:
            continue
    return name.decode("cp437")  # what the zip format means, and no byte is an error in it


class _Meter:
    """Counts what one archive unpacks to, against its own size and the total."""

    def __init__(self, unpacker: Unpacker, shown: str, packed: int) -> None:
        self._unpacker = unpacker
        self._shown = shown
        self._n_bytes = 0
        limits = unpacker.limits
        self._most = max(limits.ratio_from, limits.ratio * packed)

    def count(self, n_bytes: int) -> None:
        self._n_bytes += n_bytes
        self._unpacker.n_bytes += n_bytes
        limits = self._unpacker.limits
        if self._n_bytes > self._most:
            what = f"more than {limits.ratio} times its size"
        elif self._unpacker.n_bytes > limits.total_bytes:
            what = f"more than {limits.total_bytes:,} bytes"
        else:
            return
        raise SourceError(f"{self._shown}: unpacks to {what}; {_REFUSED}")


class _Counted:
    """A stream whose bytes are counted as they are read."""

    def __init__(self, stream: IO[bytes], meter: _Meter) -> None:
        self._stream = stream
        self._meter = meter

    def read(self, size: int = BLOCK) -> bytes:
        block = self._stream.read(size)
        self._meter.count(len(block))
        return block


# A name and its bytes; a folder has no bytes.
_Entry = tuple[str, IO[bytes] | None]


def _zip_entries(archive: Path, shown: str, meter: _Meter) -> Iterator[_Entry]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            name = info.orig_filename
            if not info.flag_bits & 0x800:  # not declared to be UTF-8, so zipfile took it for cp437
                name = readable_name(name.encode("cp437"))
            _check_zip_entry(info, name, shown)
            if name.endswith("/"):
                yield name, None
            else:
                with packed.open(info) as stream:
                    yield name, _counted(stream, meter)


def _check_zip_entry(info: zipfile.ZipInfo, name: str, shown: str) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _hostile(shown, name, "is a link, a device or a file with holes")
    if info.flag_bits & 0x1:
        raise _hostile(shown, name, "is encrypted")
    if info.compress_type not in _PACKINGS:
        raise _hostile(shown, name, f"is packed by method {info.compress_type}, not by deflate")


def _tar_entries(archive: Path, shown: str, meter: _Meter) -> Iterator[_Entry]:
    with gzip.open(archive) as unzipped:
        stream = _counted(cast(IO[bytes], unzipped), meter)
        with tarfile.open(fileobj=stream, mode="r|") as packed:
            for member in packed:
                name = readable_name(member.name.encode("utf-8", "surrogateescape"))
                if member.isdir():
                    yield name, None
                elif member.isreg() and not member.issparse():  # holes would not be counted
                    yield name, packed.extractfile(member)
                else:
                    raise _hostile(shown, name, "is a link, a device or a file with holes")
        for _ in _blocks(stream, shown):  # gzip checks its sum at the very end
            pass


def _gzip_entries(archive: Path, shown: str, meter: _Meter) -> Iterator[_Entry]:
    with gzip.open(archive) as stream:
        yield PurePosixPath(shown).stem, _counted(cast(IO[bytes], stream), meter)


_ENTRIES: dict[str, Callable[[Path, str, _Meter], Iterator[_Entry]]] = {
    ".zip": _zip_entries,
    ".tar.gz": _tar_entries,
    ".tgz": _tar_entries,
    ".gz": _gzip_entries,
}


def _counted(stream: IO[bytes], meter: _Meter) -> IO[bytes]:
    return cast(IO[bytes], _Counted(stream, meter))


def _blocks(stream: IO[bytes], shown: str) -> Iterator[bytes]:
    try:
        while block := stream.read(BLOCK):
            yield block
    except _BROKEN as error:
        raise _broken(shown, error) from error


def _checked_name(name: str, shown: str) -> str:
    """Return an entry's name without "./" and double slashes."""
    path = PurePosixPath(name)
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise _hostile(shown, name, "has a control character in its name")
    if "\\" in name:
        raise _hostile(shown, name, "has a backslash in its name")
    if path.is_absolute() or re.match("[A-Za-z]:", name):
        raise _hostile(shown, name, "is an absolute path")
    if ".." in path.parts:
        raise _hostile(shown, name, "points out of the archive")
    if len(path.name.encode("utf-8")) > 255:
        raise _hostile(shown, name, "has a name of more than 255 bytes")
    return str(path)


def _hostile(shown: str, name: str, fault: str) -> SourceError:
    name = name if len(name) <= 80 else name[:77] + "..."
    return SourceError(f"{shown}: {name!r} {fault}; {_REFUSED}")


def _broken(shown: str, error: Exception) -> BrokenArchiveError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return BrokenArchiveError(
        f"{shown}: cannot be unpacked, broken or cut off: {reason}; get it again"
    )
