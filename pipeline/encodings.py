"""A text file's bytes to UTF-8, from whichever encoding it was saved in."""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import DataError, did_you_mean

_NOT_CSV = {
    re.compile(rb"PK\x03\x04"): "a zip archive or an Excel file; unpack it, or save it as CSV",
    re.compile(rb"\x1f\x8b"): "a gzip file; unpack it",
    re.compile(rb"\s*<(!doctype html|html)", re.I): "a web page; the download may need a login",
}
_NEWLINE = re.compile(rb"\r\n|\r|\n")
_PIECE = 1 << 24  # bytes that are validated at once
_HEAD = 1 << 20  # bytes that are looked at first; a header and a row fit in


def read_utf8(path: Path, declared: str | None) -> tuple[bytes, str]:
    """Return a file's text as UTF-8 without a byte order mark, and its encoding on disk.

    declared: the encoding, or None to detect UTF-8, UTF-16 with a mark, or cp949.
    Raises DataError if the file is missing, empty, no text, or in another encoding.
    """
    raw = _bytes(path)
    candidates = (declared,) if declared else _candidates(raw)
    failures = []
    for encoding in candidates:
        try:
            data = _transcoded(raw, encoding)
        except UnicodeDecodeError as error:
            failures.append(f"{encoding} ({_where(raw, error)})")
        except LookupError:
            raise DataError(
                f"{path}: [files] encoding {encoding!r} is not known to Python"
            ) from None
        else:
            _refuse_nul(data, path)
            return data, encoding
    raise DataError(
        f"{path}: the text is not {' and not '.join(failures)}; "
        "declare its encoding in [files] encoding, or save it as UTF-8"
    )


@dataclass(frozen=True)
class Survey:
    """What a look at all of a text file's bytes has found, some at a time.

    encoding: as read_utf8 returns it. start: how many bytes of a mark come first. head: the first
    bytes behind it. has_quotes: whether there is any double quote.
    """

    encoding: str
    start: int
    head: bytes
    has_quotes: bool


def survey_utf8(path: Path, declared: str | None) -> Survey | None:
    """Return what a UTF-8 file is like, without ever holding it whole.

    None for whatever read_utf8 has to transcode, or refuses.
    """
    try:
        if declared and codecs.lookup(declared).name not in ("utf-8", "utf-8-sig"):
            return None
        with path.open("rb") as file:
            return _survey(file, declared or "utf-8")
    except (OSError, LookupError, UnicodeDecodeError):
        return None


def _survey(file: BinaryIO, encoding: str) -> Survey | None:
    head = file.read(_HEAD)
    is_other = any(beginning.match(head) for beginning in _NOT_CSV)
    if not head or is_other or _candidates(head)[0] != "utf-8":
        return None
    start = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    decoder, has_quotes, piece = codecs.getincrementaldecoder("utf-8")(), False, head
    while piece:
        if b"\0" in piece:
            return None
        has_quotes = has_quotes or b'"' in piece
        if not piece.isascii() or decoder.getstate()[0]:
            decoder.decode(piece)
        piece = file.read(_PIECE)
    decoder.decode(b"", final=True)
    return Survey(encoding, start, head[start:], has_quotes)


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {_nearest(path)}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if not data:
        raise DataError(f"{path}: the file is empty (0 bytes); expected a header and rows")
    for beginning, kind in _NOT_CSV.items():
        if beginning.match(data):
            raise DataError(f"{path}: expected CSV, found {kind}")
    return data


def _nearest(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist either"
    return did_you_mean(path.name, [one.name for one in folder.iterdir() if one.is_file()])


def _candidates(raw: bytes) -> tuple[str, ...]:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16",)
    return ("utf-8", "cp949")


def _transcoded(raw: bytes, encoding: str) -> bytes:
    if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
        return raw.decode(encoding).removeprefix("\ufeff").encode()
    if not raw.isascii():
        _validate_utf8(raw)
    return raw.removeprefix(codecs.BOM_UTF8)


def _validate_utf8(raw: bytes) -> None:
    """Decode in pieces, so that a large file is not held twice; a fault is located at once."""
    pieces = (raw[start : start + _PIECE] for start in range(0, len(raw), _PIECE))
    try:
        for _ in codecs.iterdecode(pieces, "utf-8"):
            pass
    except UnicodeDecodeError:
        raw.decode("utf-8")


def _where(raw: bytes, error: UnicodeDecodeError) -> str:
    line = len(_NEWLINE.findall(raw, 0, error.start)) + 1
    return f"byte 0x{raw[error.start]:02x} at offset {error.start}, line {line}"


def _refuse_nul(data: bytes, path: Path) -> None:
    offset = data.find(b"\0")
    if offset >= 0:
        raise DataError(
            f"{path}: expected text, found a NUL byte at offset {offset}; the file is binary or "
            "damaged, or UTF-16 without a mark (then declare it in [files] encoding)"
        )
