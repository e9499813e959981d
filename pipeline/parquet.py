"""Parquet to typed frames: one file, or a folder of partitions, some thousand rows at a time."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.dates import EXAMPLES, are_dates, as_text, parse_dates
from pipeline.errors import DataError, did_you_mean

SUFFIX = ".parquet"
BLOCK = 1 << 14  # rows that are worked on at once, where columns are few
CELLS = 1 << 19  # the same of wider rows
PIECE = 1 << 20  # rows that are one piece of work, if a file's row groups can be parted so
Family = Literal["integer", "float", "text", "datetime", "empty"]
WORDS: Mapping[str, str] = {
    "integer": "a number", "float": "a number", "text": "text", "datetime": "a date",
    "empty": "nothing",
}  # fmt: skip


def holds_parquet(path: Path) -> bool:
    """Tell whether a path is that of a Parquet file, or of a folder of them."""
    return path.suffix == SUFFIX or path.is_dir()


@dataclass(frozen=True)
class ParquetRows:
    """Where rows are from, as errors name them.

    starts: the number of each file's first row among these rows, and the file.
    """

    path: Path
    starts: tuple[tuple[int, Path], ...]
    encoding: str = "Parquet"

    def where(self, row: int) -> str:
        """Return which row of which file a row, from 0, is."""
        first, path = next(one for one in reversed(self.starts) if one[0] <= row)
        return f"row {row - first + 1:,} of {path.name}"

    def at(self, row: int, column: str) -> str:
        """Return where a cell is, as errors print it."""
        first, path = next(one for one in reversed(self.starts) if one[0] <= row)
        return f"{path}, row {row - first + 1:,}, column {column!r}"


@dataclass(frozen=True)
class Piece:
    """Some row groups of one file: what one process works on at a time.

    first: the number of its first row among all rows of all files. in_file: the same in its file.
    """

    number: int
    path: Path
    groups: tuple[int, ...]
    first: int
    in_file: int
    rows: int

    def tables(self, columns: Collection[str] | None = None) -> Iterator[tuple[int, pa.Table]]:
        """Yield its rows in blocks, each with the number of its first row among all rows.

        columns: those that are read; None means all.
        Raises DataError if the file is damaged, or is no longer there.
        """
        first = self.first
        try:
            file = pq.ParquetFile(self.path)
            names = file.schema_arrow.names if columns is None else list(columns)
            rows = max(1, min(BLOCK, CELLS // max(len(names), 1)))
            for batch in file.iter_batches(rows, row_groups=list(self.groups), columns=names):
                yield first, pa.Table.from_batches([batch])
                first += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self.path, error) from None

    def rows_from(self, first: int) -> ParquetRows:
        """Return where a block's rows are from; first: the number of its first row."""
        return ParquetRows(self.path, ((self.first - self.in_file - first, self.path),))


@dataclass(frozen=True, eq=False)
class ParquetFiles:
    """A declared file: its partitions in the order of their names, and what their columns are.

    families: of each column that is read. has_missing: the columns of whole numbers of which a
    value is missing, or which do not say. bytes: of the columns, unpacked. unread: those that
    nobody needs.
    """

    path: Path
    parts: tuple[Path, ...]
    families: Mapping[str, Family]
    types: Mapping[str, str]
    has_missing: frozenset[str]
    pieces: tuple[Piece, ...]
    bytes: int
    unread: frozenset[str] = frozenset()

    @cached_property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(piece.rows for piece in self.pieces)

    @property
    def file(self) -> ParquetRows:
        """Where all rows are from."""
        firsts = {piece.path: piece.first for piece in reversed(self.pieces)}
        return ParquetRows(self.path, tuple((firsts[part], part) for part in self.parts))

    def numbers_of(self, name: str) -> Family:
        """Return what a column is read as: whole numbers of which one is missing are floats."""
        family = self.families[name]
        return "float" if family == "integer" and name in self.has_missing else family


def open_parquet(
    path: Path, dropped: Collection[str] = (), *, needs_dropped: bool = True
) -> ParquetFiles:
    """Return what a Parquet file, or a folder of them, holds; only footers are read.

    dropped: columns that no model sees. They may be of any type, and are not read where it is none
    of ours, or nothing else needs them.
    Raises DataError naming the file that is missing, damaged, empty, or unlike the first one.
    """
    parts = _parts(path)
    pieces: list[Piece] = []
    families: dict[str, Family] = {}
    types: dict[str, str] = {}
    has_missing: set[str] = set()
    unread: set[str] = set()
    size = 0
    for part in parts:
        metadata, schema = _footer(part)
        found = _families(part, schema, dropped, needs_dropped=needs_dropped)
        _check_alike(part, parts[0], found, families)
        for name, family in found.items():
            families[name] = _joined(part, parts[0], name, families.get(name, family), family)
            types.setdefault(name, str(schema.field(name).type))
        has_missing |= {name for name in found if _may_miss(metadata, schema, name)}
        unread |= {*schema.names} - {*found}
        size += sum(_bytes(metadata, group, found) for group in range(metadata.num_row_groups))
        first = pieces[-1].first + pieces[-1].rows if pieces else 0
        pieces += _pieces(part, metadata, len(pieces), first)
    return ParquetFiles(
        path, parts, families, types, frozenset(has_missing), tuple(pieces), size, frozenset(unread)
    )


def read_all(files: ParquetFiles, columns: Collection[str]) -> pa.Table:
    """Return all rows of some columns, as they are stored; raises DataError as Piece.tables does.

    Columns of one name that files store by several types have the first of them that holds all.
    """
    tables = [table for piece in files.pieces for _, table in piece.tables(columns)]
    return pa.concat_tables(tables, promote_options="permissive")


def typed(table: pa.Table, kinds: Mapping[str, Any], file: ParquetRows) -> pd.DataFrame:
    """Return rows as int64, float64, str or datetime64[us] by each column's kind.

    Missing is NaN or NaT. Text in a column of dates is parsed.
    Raises DataError at the first cell that is not of that kind.
    """
    return pd.DataFrame(
        {name: _values(table[name], kind, name, file) for name, kind in kinds.items()}, copy=False
    )


def ids_of(column: pa.ChunkedArray) -> pd.Series:
    """Return ids as comparable text: whole numbers plain, text without spaces around."""
    if pa.types.is_floating(column.type):
        whole = column.cast(pa.int64(), safe=False)
        if pc.all(pc.equal(whole.cast(column.type), column)).as_py():
            column = whole
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.utf8_trim_whitespace(column)
    return _text(column).fillna("")


def _parts(path: Path) -> tuple[Path, ...]:
    if path.is_file():
        return (path,)
    if not path.is_dir():
        near = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"{path}: no such file or folder; {did_you_mean(path.name, near)}")
    found = sorted(one for one in path.rglob(f"*{SUFFIX}") if not _is_hidden(one, path))
    if not found:
        raise DataError(f"{path}: expected partitions, files that end in {SUFFIX}; found none")
    keyed = next((one for one in found if "=" in one.relative_to(path).as_posix()), None)
    if keyed is not None:
        raise DataError(
            f"{keyed}: is in a folder whose name holds a column's value, which is not read; write "
            "the column into the files"
        )
    return tuple(found)


def _is_hidden(one: Path, root: Path) -> bool:
    return any(part.startswith((".", "_")) for part in one.relative_to(root).parts)


def _footer(part: Path) -> tuple[Any, pa.Schema]:
    try:
        file = pq.ParquetFile(part)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(part, error) from None
    if not file.metadata.num_rows:
        raise DataError(f"{part}: the partition has no rows; remove the file")
    return file.metadata, file.schema_arrow


def _damaged(part: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200].rstrip(".")
    return DataError(f"{part}: cannot be read as Parquet: {reason}; write the file again")


def _families(
    part: Path, schema: pa.Schema, dropped: Collection[str], *, needs_dropped: bool
) -> dict[str, Family]:
    """Return what each column is that is read, by its type alone."""
    found: dict[str, Family] = {}
    for name in schema.names:
        if schema.names.count(name) > 1:
            raise DataError(f"{part}: column {name!r} appears twice; write it under two names")
        family = _family(schema.field(name).type)
        if name in dropped and not (family and needs_dropped):
            continue
        if family is None:
            raise DataError(
                f"{part}: column {name!r} is {schema.field(name).type}, and not numbers, text or "
                "dates; make plain columns of it, or add it to [columns] drop"
            )
        found[name] = family
    return found


def _family(dtype: pa.DataType) -> Family | None:
    types = pa.types
    if types.is_dictionary(dtype):
        return _family(dtype.value_type)
    if types.is_null(dtype):
        return "empty"
    if types.is_integer(dtype):
        return "float" if types.is_uint64(dtype) else "integer"
    if types.is_floating(dtype) or types.is_decimal(dtype):
        return "float"
    if types.is_date(dtype) or types.is_timestamp(dtype):
        return "datetime"
    is_text = types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype)
    return "text" if is_text or types.is_boolean(dtype) else None


def _check_alike(
    part: Path, first: Path, found: Mapping[str, Family], known: Mapping[str, Family]
) -> None:
    if not known:
        return
    for names, others, fault in (
        (known, found, f"has no column {{!r}}, which {first.name} has"),
        (found, known, f"has a column {{!r}}, which {first.name} lacks"),
    ):
        different = next((name for name in names if name not in others), None)
        if different is not None:
            raise DataError(
                f"{part}: {fault.format(different)}; write all partitions with the same columns"
            )


def _joined(part: Path, first: Path, name: str, one: Family, other: Family) -> Family:
    """Return what a column is of which two partitions say what it is."""
    if one == other or other == "empty":
        return one
    if one == "empty":
        return other
    if {one, other} == {"integer", "float"}:
        return "float"
    raise DataError(
        f"{part}: column {name!r} is {WORDS[other]}, and {WORDS[one]} in partitions before it, as "
        f"{first.name}; write all partitions with the same types"
    )


def _may_miss(metadata: Any, schema: pa.Schema, name: str) -> bool:
    """Tell whether a value of a column of whole numbers is missing, or may be."""
    if not pa.types.is_integer(schema.field(name).type):
        return False
    at = schema.names.index(name)
    if metadata.schema.column(at).path != name:  # columns of nested types stand before it
        return True
    for group in range(metadata.num_row_groups):
        known = metadata.row_group(group).column(at).statistics
        if known is None or not known.has_null_count or known.null_count:
            return True
    return False


def _bytes(metadata: Any, group: int, names: Collection[str]) -> int:
    """Return how large a row group's columns are once unpacked, or 8 bytes a value if more."""
    columns = [metadata.row_group(group).column(i) for i in range(metadata.num_columns)]
    read = [one for one in columns if one.path_in_schema in names]
    return sum(max(one.total_uncompressed_size, 8 * one.num_values) for one in read)


def _pieces(part: Path, metadata: Any, number: int, first: int) -> list[Piece]:
    """Return a file's row groups in pieces of about equal rows."""
    made: list[Piece] = []
    groups: list[int] = []
    rows = before = 0
    for group in range(metadata.num_row_groups):
        groups.append(group)
        rows += metadata.row_group(group).num_rows
        if rows >= PIECE or group == metadata.num_row_groups - 1:
            made.append(
                Piece(number + len(made), part, tuple(groups), first + before, before, rows)
            )
            before, groups, rows = before + rows, [], 0
    return made


def _values(column: pa.ChunkedArray, kind: Any, name: str, file: ParquetRows) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kind == "integer":
        return column.cast(pa.int64()).to_numpy()
    if kind == "float":
        return column.cast(pa.float64()).to_numpy()
    if kind == "datetime":
        return _dates(column, name, file)
    if kind == "text":
        return _text(column)
    return np.full(len(column), np.nan)


def _dates(column: pa.ChunkedArray, name: str, file: ParquetRows) -> pd.Series:
    if _family(column.type) == "text":
        return _parsed(column.cast(pa.large_string()), name, file)
    plain = column.cast(pa.timestamp("us"), safe=False)
    dates: pd.Series = plain.to_pandas()
    return dates.astype("datetime64[us]")


def _parsed(cells: pa.ChunkedArray, name: str, file: ParquetRows) -> pd.Series:
    dates = parse_dates(pc.if_else(are_dates(cells, "year"), cells, None), "year")
    wrong = (dates.isna() & as_text(cells).notna()).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{file.at(row, name)}: expected a date such as {EXAMPLES['year']}, found "
            f"{cells[row].as_py()!r}; write the column as dates"
        )
    return dates


def _text(column: pa.ChunkedArray) -> pd.Series:
    if pa.types.is_boolean(column.type):
        column = pc.if_else(column, "True", "False")
    elif pa.types.is_temporal(column.type):
        column = pc.cast(column, pa.string())
    return as_text(column.cast(pa.large_string()))
