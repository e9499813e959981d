"""CSV as it is in the wild, to cells of text: encodings, separators, newlines and quotes."""

import codecs
import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from pipeline.encodings import read_utf8, survey_utf8
from pipeline.errors import DataError

NAMELESS = "Unnamed: "  # as pandas calls them, which the services read files with
SEPARATORS = (",", ";", "\t", "|")
_HEAD = 1 << 16  # bytes that decide on the separator
_BLOCK = 1 << 24  # bytes that are parsed at once: the fastest of 1, 16 and all MiB
_TEXT = pa.large_string()
_OPEN_QUOTE = "a quote that opens in this row is never closed; close or remove it"
_END = "\0end"  # no cell of a file: NUL bytes are refused
_NEWLINE = re.compile(rb"\r\n|\r|\n")
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


@dataclass(frozen=True)
class CsvFile:
    """A file that was read, and how it is written."""

    path: Path
    encoding: str
    separator: str

    def line(self, row: int) -> int:
        """Return the line, from 1, on which a row, from 0, begins; reads the file again."""
        data, _ = read_utf8(self.path, self.encoding)
        return next(itertools.islice(_records(data, self.separator), row + 1, None))[0]

    def where(self, row: int) -> str:
        """Return on which line a row, from 0, begins, as errors print it."""
        return f"line {self.line(row)}"

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line on which each row begins, from the header on, and its cells."""
        data, _ = read_utf8(self.path, self.encoding)
        return _records(data, self.separator)

    def at(self, row: int, column: str) -> str:
        """Return where a cell is, as errors print it."""
        return f"{self.path}, line {self.line(row)}, column {column!r}"


@dataclass(frozen=True)
class CsvStyle:
    """How the bytes of a CSV file are made, so that another file can be written like it.

    mark: the byte order mark at its start, or nothing. header: its header as it stands, quotes and
    all, or None for the plain names.
    """

    encoding: str = "utf-8"
    mark: bytes = b""
    separator: str = ","
    header: str | None = None
    newline: str = "\n"

    def content(self, frame: pd.DataFrame) -> bytes:
        """Return a frame as a file of this style, with shortest exact numbers.

        Raises UnicodeEncodeError if the encoding lacks a character.
        """
        header = "" if self.header is None else self.header + self.newline
        rows = self._text(frame, has_names=self.header is None)
        return self.mark + (header + rows).encode(self.encoding)

    def more(self, frame: pd.DataFrame) -> bytes:
        """Return a frame as rows that follow those of content. Raises UnicodeEncodeError."""
        return self._text(frame, has_names=False).encode(self.encoding)

    def _text(self, frame: pd.DataFrame, *, has_names: bool) -> str:
        return frame.to_csv(
            index=False, header=has_names, sep=self.separator, lineterminator=self.newline
        )


def csv_parts(frame: pd.DataFrame, rows: int = 1 << 16) -> Iterator[bytes]:
    """Yield the bytes that frame.to_csv(index=False) writes, some rows at a time.

    Ordinary numbers and plain text are written by Arrow, in a tenth of the time.
    """
    yield frame.head(0).to_csv(index=False, lineterminator="\n").encode()
    for start in range(0, len(frame), rows):
        part = frame.iloc[start : start + rows]
        columns = [_written(part.iloc[:, i]) for i in range(part.shape[1])]
        known = [column for column in columns if column is not None]
        if len(known) < len(columns) or len(columns) < 2:
            text = part.to_csv(index=False, header=False, lineterminator="\n")
            yield text.encode()
            continue
        *firsts, last = known
        ended = pc.binary_join_element_wise(last, pa.scalar("\n", _TEXT), pa.scalar("", _TEXT))
        lines = pc.binary_join_element_wise(*firsts, ended, pa.scalar(",", _TEXT))
        yield lines.buffers()[2].to_pybytes() if len(lines) else b""


def _written(column: pd.Series) -> pa.Array | None:
    """Return a column's cells as a CSV file has them; None for what only pandas knows to write."""
    if column.dtype.kind == "i":
        return pa.array(column.to_numpy()).cast(_TEXT)
    if column.dtype == np.float64:
        return _written_numbers(column.to_numpy())
    if not isinstance(column.dtype, pd.StringDtype):
        return None
    text = pa.array(column, _TEXT)
    text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    if pc.any(pc.match_substring_regex(text, r'[,"\r\n]')).as_py():
        return None
    return pc.fill_null(text, "")


def _written_numbers(values: np.ndarray) -> pa.Array:
    """Return numbers as Python writes them; Arrow writes those with a point and no exponent so."""
    size = np.abs(values)
    with np.errstate(invalid="ignore"):
        is_plain = (size >= 1e-4) & (size < 1e9) & (values != np.trunc(values))
    text = pa.array(values).cast(_TEXT)
    if is_plain.all():
        return text
    others = ["" if np.isnan(one) else repr(one) for one in values[~is_plain].tolist()]
    return pc.replace_with_mask(text, pa.array(~is_plain), pa.array(others, _TEXT))


def read_style(
    path: Path, *, encoding: str | None = None, separator: str | None = None
) -> CsvStyle:
    """Return how a CSV file is written; raises DataError as read_cells does."""
    file, _ = read_cells(path, encoding=encoding, separator=separator)
    data, _ = read_utf8(path, file.encoding)
    (first, _), (second, _) = itertools.islice(_records(data, file.separator), 2)
    ends = [0, *(end.end() for end in itertools.islice(_NEWLINE.finditer(data), second - 1))]
    header = data[ends[first - 1] : ends[second - 1]]
    text = header.rstrip(b"\r\n")
    newline = _NEWLINE.match(header, len(text))
    assert newline is not None  # a row follows the header
    mark, encoding = _mark(path, codecs.lookup(file.encoding).name)
    return CsvStyle(encoding, mark, file.separator, text.decode(), newline[0].decode())


def _mark(path: Path, codec: str) -> tuple[bytes, str]:
    """Return a file's byte order mark, and the encoding of what follows it."""
    with path.open("rb") as file:
        start = file.read(max(map(len, _MARKS)))
    for mark, encoding in _MARKS.items():
        if start.startswith(mark) and codec.split("-")[:2] == encoding.split("-")[:2]:
            return mark, encoding
    return b"", codec.removesuffix("-sig")


def read_text(
    path: Path, *, encoding: str | None = None, separator: str | None = None
) -> pd.DataFrame:
    """Return the cells of a CSV file exactly as they are written; see read_cells."""
    return read_cells(path, encoding=encoding, separator=separator)[1]


def read_cells(
    path: Path, *, encoding: str | None = None, separator: str | None = None
) -> tuple[CsvFile, pd.DataFrame]:
    """Return how a CSV file is written, and its cells exactly as they are written.

    The frame has one `str` column for each of the header's names, in their order, and no missing
    values; the first column without a name is called "Unnamed: 0", the next "Unnamed: 1", wherever
    they stand, so that train and test agree on them.
    encoding, separator: None means that they are detected.
    Raises DataError if the file is missing, is not CSV, has no rows, or rows of unequal length.
    """
    data, encoding = read_utf8(path, encoding)
    separator = _checked(separator, path) or _detect_separator(data)
    file = CsvFile(path, encoding, separator)
    names = _header(data, file)
    return file, _cells(data, file, names)


def read_typed(
    path: Path,
    dtype_of: Callable[[str], pa.DataType | None],
    *,
    encoding: str | None = None,
    separator: str | None = None,
) -> tuple[CsvFile, list[str], Iterator[pa.RecordBatch]]:
    """Return how a CSV file is written, its columns, and its rows, some thousands at a time.

    For files of so many numbers that their cells as text would fill the memory.
    dtype_of: from a column's name to what its cells are read as; None leaves them as written.
    Raises DataError as read_cells does; the rows raise pa.ArrowInvalid at the first cell that is
    not of its type, or of another number of fields.
    """
    data, encoding = read_utf8(path, encoding)
    separator = _checked(separator, path) or _detect_separator(data)
    file = CsvFile(path, encoding, separator)
    names = _header(data, file)
    types = {f"f{i}": dtype_of(name) or _TEXT for i, name in enumerate(names)}
    first = next(itertools.islice(_records(data, separator), 1, 2))[0]  # its line

    def rows() -> Iterator[pa.RecordBatch]:
        reader = pa.csv.open_csv(
            pa.BufferReader(data),
            pa.csv.ReadOptions(
                column_names=list(types), skip_rows=first - 1, block_size=_BLOCK, use_threads=False
            ),
            pa.csv.ParseOptions(delimiter=separator, newlines_in_values=b'"' in data),
            pa.csv.ConvertOptions(column_types=types, check_utf8=False, null_values=[""]),
        )
        yield from reader

    return file, names, rows()


class IrregularError(Exception):
    """A file that is not read in blocks: the whole of it has to be looked at, or refused."""


def read_blocks(
    path: Path,
    columns: Collection[str] | None = None,
    *,
    encoding: str | None = None,
    separator: str | None = None,
    block: int = _BLOCK,
) -> tuple[CsvFile, list[str], Iterator[pa.RecordBatch]]:
    """Return how a CSV file is written, its columns, and its cells as written, block by block.

    For files of so many rows that their text would fill the memory: what read_cells returns at once
    comes in parts of about so many bytes. columns: the ones whose cells are wanted, None for all.
    Raises IrregularError, at once or between blocks, for what only read_cells can read, or refuse.
    """
    found = survey_utf8(path, encoding)
    if found is None:
        raise IrregularError
    separator = _checked(separator, path) or _detect_separator(found.head)
    file = CsvFile(path, found.encoding, separator)
    head = found.head[: found.head.rfind(b"\n") + 1]
    try:
        names = _header(head, file)
    except DataError:
        raise IrregularError from None
    wanted = [i for i, name in enumerate(names) if columns is None or name in columns]
    if not wanted:
        raise IrregularError
    end = ("\n" + separator.join(['""'] * len(names))).encode() if found.has_quotes else b""

    def rows() -> Iterator[pa.RecordBatch]:
        with path.open("rb") as bytes_:
            bytes_.seek(found.start)
            try:
                reader = pa.csv.open_csv(
                    pa.PythonFile(_Followed(bytes_, end), "r"),
                    pa.csv.ReadOptions(autogenerate_column_names=True, block_size=block),
                    pa.csv.ParseOptions(delimiter=separator, newlines_in_values=found.has_quotes),
                    pa.csv.ConvertOptions(
                        column_types={f"f{i}": _TEXT for i in range(len(names))},
                        include_columns=[f"f{i}" for i in wanted],
                        check_utf8=False,
                    ),
                )
                batches = _without_ends(reader, found.has_quotes)
                yield from (
                    pa.RecordBatch.from_arrays(one.columns, [names[i] for i in wanted])
                    for one in batches
                )
            except pa.ArrowInvalid:
                raise IrregularError from None

    return file, [names[i] for i in wanted], rows()


def _without_ends(reader: Iterable[pa.RecordBatch], has_end: bool) -> Iterator[pa.RecordBatch]:
    """Yield blocks without the header and, where there is one, the row of empty cells at the end.

    Raises IrregularError if it does not come back: a quote is still open there.
    """
    held, n_above = None, 1
    for batch in reader:
        below, n_above = batch.slice(n_above), n_above if not len(batch) else 0
        if not len(below):
            continue
        if held is not None:
            yield held
        held = below
    if held is None:
        raise IrregularError
    if has_end and any(held.slice(len(held) - 1).to_pylist()[0].values()):
        raise IrregularError
    last = held.slice(0, len(held) - has_end)
    if len(last):
        yield last


class _Followed:
    """A file that is read to its end, and then some bytes."""

    def __init__(self, file: BinaryIO, end: bytes) -> None:
        self.file, self.end = file, end
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        found = self.file.read(size)
        if not found:
            found, self.end = self.end, b""
        return found

    def close(self) -> None:
        """Leave the file open: whoever opened it closes it."""
        self.closed = True


def _checked(separator: str | None, path: Path) -> str | None:
    if separator is None or (len(separator.encode()) == 1 and separator not in '"\r\n\0'):
        return separator
    raise DataError(f"{path}: [files] separator: expected one ASCII character, found {separator!r}")


def _detect_separator(data: bytes) -> str:
    """Return the separator that cuts the first rows most evenly, then into the most fields."""
    head = data[:_HEAD]
    if len(data) > _HEAD:
        head = head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head
    return max(SEPARATORS, key=lambda separator: _evenness(head, separator))


def _evenness(head: bytes, separator: str) -> tuple[float, int]:
    rows = [cells for _, cells in itertools.islice(_records(head, separator), 20)]
    n_fields = len(rows[0]) if rows else 0
    if n_fields < 2:
        return 0.0, n_fields
    return sum(len(cells) == n_fields for cells in rows) / len(rows), n_fields


def _header(data: bytes, file: CsvFile) -> list[str]:
    first = list(itertools.islice(_records(data, file.separator), 2))
    if not first:
        raise DataError(f"{file.path}: the file has only blank lines; expected a header and rows")
    if any(_END in cell for cell in first[0][1]):
        raise DataError(f"{file.path}, line {first[0][0]}: {_OPEN_QUOTE}")
    if len(first) == 1:
        raise DataError(f"{file.path}: expected rows below the header, found none")
    line, cells = first[0]
    free = (name for i in itertools.count() if (name := f"{NAMELESS}{i}") not in cells)
    names = [name if name.strip() else next(free) for name in cells]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        places = " and ".join(str(i) for i, name in enumerate(names, 1) if name == twice)
        raise DataError(
            f"{file.path}, line {line}: column {twice!r} appears twice (as columns {places}); "
            "rename one in the file"
        )
    return names


def _cells(data: bytes, file: CsvFile, names: list[str]) -> pd.DataFrame:
    try:
        table = _parse(data, file, names)
    except pa.ArrowInvalid as error:
        _refuse_uneven(data, file, len(names))
        raise DataError(
            f"{file.path}: cannot be read as CSV: {' '.join(str(error).split())}"
        ) from None
    dtype = pd.StringDtype("pyarrow", na_value=np.nan)
    cells: pd.DataFrame = table.to_pandas(types_mapper={_TEXT: dtype}.get)
    return cells


def _parse(data: bytes, file: CsvFile, names: list[str]) -> pa.Table:
    """Return the rows below the header.

    A quote that is still open at the end would swallow the last rows unseen, so a row of empty
    cells is put behind them, and must come back.
    """
    has_quotes = b'"' in data
    end = "\n" + file.separator.join(['""'] * len(names))
    table = pa.csv.read_csv(
        pa.BufferReader(data + end.encode() if has_quotes else data),
        pa.csv.ReadOptions(autogenerate_column_names=True, block_size=_BLOCK),
        pa.csv.ParseOptions(delimiter=file.separator, newlines_in_values=has_quotes),
        pa.csv.ConvertOptions(
            column_types={f"f{i}": _TEXT for i in range(len(names))}, check_utf8=False
        ),
    )
    if has_quotes and any(table.slice(len(table) - 1).to_pylist()[0].values()):
        _refuse_uneven(data, file, len(names))
    return table.slice(1, len(table) - 1 - has_quotes).rename_columns(names)


def _refuse_uneven(data: bytes, file: CsvFile, n_fields: int) -> None:
    """Raise DataError at the first row that has not n_fields, or whose quote stays open."""
    for line, cells in _records(data, file.separator):
        where = f"{file.path}, line {line}"
        if _END in cells[-1]:
            raise DataError(f"{where}: {_OPEN_QUOTE}")
        if len(cells) != n_fields:
            raise DataError(
                f"{where}: expected {n_fields} fields as in the header, found {len(cells)}; "
                f"quote cells that contain {file.separator!r}, or declare another separator in "
                "[files]"
            )


def _records(data: bytes, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each record begins, and its cells; blank lines are no records.

    A cell that ends in _END belongs to a quote that was still open at the end of the file.
    """
    stream = io.TextIOWrapper(io.BytesIO(data), "utf-8", errors="ignore", newline="")
    reader = csv.reader(itertools.chain(stream, ["\n", _END]), delimiter=separator)
    limit = csv.field_size_limit(len(data) + len(_END) + 1)
    try:
        line = 1
        for cells in reader:
            if cells and cells != [_END]:
                yield line, cells
            line = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)
