"""Files of many rows, typed block by block: their text is never in memory at once.

What a block's cells say of their column is evidence, and the evidence of blocks merges to that of
the whole file, so that a column is of the kind that read_cells and TextColumn would make it. Cells
are typed as their own block suggests; the few columns that a later block shows to be something else
are read once more. What is wrong with a file is left to a look at all of it, which says where.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.competition import Competition, Files
from pipeline.csvtext import CsvFile, IrregularError, read_blocks
from pipeline.dates import are_dates, as_text, date_parts
from pipeline.errors import DataError
from pipeline.kinds import (
    EXPECTED_NUMBER,
    KIND_OF_DATES,
    MOSTLY,
    Kind,
    Role,
    TextColumn,
    role_of,
    text_column,
    warn_of_commas,
    warn_of_numbers,
)
from pipeline.machine import cores

MANY_BYTES = 2**25  # of a file, from which on it is read in blocks
BLOCK = 2**23  # bytes of a block
ROOM = 1 << 16  # rows that a column has room for at first
NUMBERS = ("integer", "float")


@dataclass(frozen=True)
class Evidence:
    """What the cells of a column, or of a part of it, say of its kind; parts merge by +.

    n: how many cells there are. n_missing: of these. is_number, is_whole: whether all others are
    numbers, and whole numbers that 64 bits hold. has_leading_zeros: as in 007. n_not_numbers: how
    many are none, and the first of them with its row. is_year_last: whether all are dates that end
    in the year. most: the largest first and second part of these. has_only_commas: whether all are
    numbers with decimal commas.
    """

    n: int
    n_missing: int
    is_number: bool = True
    is_whole: bool = True
    has_leading_zeros: bool = False
    n_not_numbers: int = 0
    first_not_number: tuple[int, str] | None = None
    is_year_last: bool = True
    most: tuple[int, int] = (0, 0)
    has_only_commas: bool = True

    def __add__(self, below: "Evidence") -> "Evidence":
        """Return the evidence of this part and the one that follows it."""
        first = self.first_not_number
        if first is None and below.first_not_number is not None:
            row, cell = below.first_not_number
            first = self.n + row, cell
        return Evidence(
            self.n + below.n,
            self.n_missing + below.n_missing,
            self.is_number and below.is_number,
            self.is_whole and below.is_whole,
            self.has_leading_zeros or below.has_leading_zeros,
            self.n_not_numbers + below.n_not_numbers,
            first,
            self.is_year_last and below.is_year_last,
            (max(self.most[0], below.most[0]), max(self.most[1], below.most[1])),
            self.has_only_commas and below.has_only_commas,
        )

    def kind(self, role: Role, files: Files) -> Kind | None:
        """Return what TextColumn.kind says of the whole column; None where it says what is wrong.

        role: of the column. files: how its cells are declared to be written.
        """
        if role == "id":
            return "text"
        if self.n_missing == self.n:
            return "empty"
        if role == "text":
            return "text"
        if role == "datetime" or (role == "time" and not self.is_number):
            return self._kind_of_dates(files)
        if role in EXPECTED_NUMBER:
            return self._kind_of_numbers() if self.is_number else None
        is_code = not self.is_number or self.has_leading_zeros
        return "text" if is_code else self._kind_of_numbers()

    def _kind_of_numbers(self) -> Kind:
        return "integer" if self.is_whole and not self.n_missing else "float"

    def _kind_of_dates(self, files: Files) -> Kind | None:
        if not self.is_year_last:
            return "datetime"
        if files.dayfirst is not None:
            return KIND_OF_DATES["day" if files.dayfirst else "month"]
        if self.most[0] > 12:
            return KIND_OF_DATES["day"]
        return KIND_OF_DATES["month"] if self.most[1] > 12 else None


def evidence_of(column: TextColumn) -> Evidence:
    """Return what a column, or a part of one, says of its kind, as far as its role asks for it."""
    n, n_missing, role = len(column.cells), column.cells.null_count, column.role
    if role in ("id", "text"):
        return Evidence(n, n_missing)
    is_year_last, most = True, (0, 0)
    if role in ("datetime", "time"):
        is_year_last = pc.all(are_dates(column.trimmed, "day")).as_py() is not False
        most = date_parts(column.trimmed) if is_year_last else most
    if role == "datetime":
        return Evidence(n, n_missing, is_year_last=is_year_last, most=most)
    numbers, first, n_wrong = column.numbers, None, 0
    if numbers is None:
        n_wrong = pc.sum(column.not_numbers).as_py() or 0
        first = column.first(column.not_numbers) if n_wrong else None
    return Evidence(
        n,
        n_missing,
        numbers is not None,
        numbers is not None and pa.types.is_integer(numbers.type),
        column.has_leading_zeros,
        n_wrong,
        first,
        is_year_last,
        most,
        role == "undeclared" and column.has_only_decimal_commas,
    )


class _Growing:
    """Numbers or dates that come block by block into one array; room ahead costs no memory yet."""

    def __init__(self, dtype: Any) -> None:
        self.array, self.n = np.empty(ROOM, dtype), 0

    def add(self, values: np.ndarray) -> None:
        """Take the next values; whole numbers become floats once one of them is none."""
        if values.dtype != self.array.dtype and self.array.dtype == np.int64:
            self.array = self.array.astype(float)
        end = self.n + len(values)
        if end > len(self.array):
            self.array.resize(max(end, 2 * len(self.array)), refcheck=False)
        self.array[self.n : end] = values
        self.n = end

    def whole(self) -> np.ndarray:
        """Return all values, and give back the room behind them."""
        self.array.resize(self.n, refcheck=False)
        return self.array


@dataclass(eq=False)
class _Column:
    """A column while it is read: the evidence so far, and its blocks, each typed as a kind.

    n_gaps: how many missing cells come before anything else. is_mixed: whether the blocks do not
    make one column, as numbers before text; then their values are not kept.
    """

    name: str
    role: Role
    evidence: Evidence | None = None
    kinds: set[Kind] = field(default_factory=set)
    n_gaps: int = 0
    texts: list[pa.Array] = field(default_factory=list)
    numbers: _Growing | None = None
    is_mixed: bool = False

    def add_gaps(self, n: int) -> None:
        """Take a block of which no cell is there."""
        if self.numbers is not None:
            is_date = self.numbers.array.dtype.kind == "M"
            self.numbers.add(np.full(n, np.datetime64("NaT", "us") if is_date else np.nan))
        elif self.texts:
            self.texts.append(pa.nulls(n, pa.large_string()))
        else:
            self.n_gaps += n

    def add_text(self, cells: pa.ChunkedArray) -> None:
        """Take a block of text."""
        if self.n_gaps:
            self.texts.append(pa.nulls(self.n_gaps, pa.large_string()))
        self.texts += cells.chunks
        self.n_gaps = 0

    def add_values(self, values: np.ndarray) -> None:
        """Take a block of numbers or dates."""
        if self.numbers is None:
            self.numbers = _Growing(values.dtype)
        gaps, self.n_gaps = self.n_gaps, 0
        if gaps:
            self.add_gaps(gaps)
        self.numbers.add(values)

    def give_up(self) -> None:
        """Keep no values: another look at the column is needed."""
        self.is_mixed, self.texts, self.numbers = True, [], None

    def whole(self) -> pd.Series:
        """Return the blocks as one column, and keep none of them."""
        texts, numbers = self.texts, self.numbers
        self.texts, self.numbers = [], None
        if texts:  # in one piece, in which a row is found sooner than in many
            return as_text(pa.chunked_array([pa.concat_arrays(texts)]))
        values = np.full(self.n_gaps, np.nan) if numbers is None else numbers.whole()
        return pd.Series(values, copy=False)


@dataclass(frozen=True, eq=False)
class Typed:
    """A file that was typed block by block: its columns, their kinds, and what ids are written."""

    file: CsvFile
    columns: dict[str, pd.Series]
    kinds: dict[str, Kind]
    written: dict[str, pd.Series]  # the id column's cells as they are


def is_large(path: Path) -> bool:
    """Tell whether a file is one of so many bytes that it is read in blocks."""
    try:
        return path.stat().st_size >= MANY_BYTES
    except OSError:
        return False


def type_train_file(path: Path, competition: Competition, *, block: int = BLOCK) -> Typed:
    """Return the training file's columns, of the kinds that all of their cells show.

    Raises IrregularError where only a look at the whole file tells what is wrong with it.
    """
    file, names, rows = _open(path, competition, block)
    columns = [_Column(name, role_of(name, competition)) for name in names]
    written = _gather(rows, columns, file, competition)
    kinds: dict[str, Kind] = {}
    for one in columns:
        kind = None if one.evidence is None else one.evidence.kind(one.role, competition.files)
        if kind is None:
            raise IrregularError
        kinds[one.name] = kind
    _read_again(path, columns, kinds, competition, block)
    for one in columns:
        if kinds[one.name] == "text":
            _warn_of_text(one, file)
    return _typed(file, columns, kinds, written)


def type_test_file(
    path: Path, competition: Competition, known: Mapping[str, Kind], *, block: int = BLOCK
) -> Typed:
    """Return the test file's columns, of the kinds that the training file's have.

    known: those; a column that it does not have is text. Targets are left out, but of time series.
    Raises IrregularError where only a look at the whole file tells what is wrong with it.
    """
    file, names, rows = _open(path, competition, block)
    if competition.windows is None:
        names = [name for name in names if name not in competition.columns.target]
    columns = [_Column(name, role_of(name, competition)) for name in names]
    kinds: dict[str, Kind] = {name: known.get(name, "text") for name in names}
    written = _gather(rows, columns, file, competition, kinds)
    _read_again(path, columns, kinds, competition, block)
    return _typed(file, columns, kinds, written)


def _open(
    path: Path, competition: Competition, block: int
) -> tuple[CsvFile, list[str], Iterator[pa.RecordBatch]]:
    files = competition.files
    return read_blocks(path, encoding=files.encoding, separator=files.separator, block=block)


def _gather(
    rows: Iterable[pa.RecordBatch],
    columns: Sequence[_Column],
    file: CsvFile,
    competition: Competition,
    kinds: Mapping[str, Kind] | None = None,
) -> dict[str, list[pa.Array]]:
    """Type each block's cells into the columns, and return the ids as they are written.

    kinds: of the columns, None to find out.
    """
    identity = competition.columns.id
    written: dict[str, list[pa.Array]] = {}

    def take(one: _Column, cells: pa.Array) -> None:
        column = text_column(one.name, pa.chunked_array([cells]), file, competition)
        if kinds is None:
            _learn(one, column)
        else:
            _follow(one, column, kinds[one.name])

    pa.set_memory_pool(pa.system_memory_pool())  # others keep half as much again for later
    with ThreadPoolExecutor(cores()) as pool:
        for batch in rows:
            if identity in batch.schema.names:
                written.setdefault(str(identity), []).append(batch.column(identity))
            list(pool.map(take, columns, [batch.column(one.name) for one in columns]))
            pa.default_memory_pool().release_unused()  # or what blocks held is never given back
    return written


def _learn(one: _Column, column: TextColumn) -> None:
    """Take a block of the training file: its evidence, and its values as it suggests."""
    own = evidence_of(column)
    one.evidence = own if one.evidence is None else one.evidence + own
    together = one.evidence.kind(one.role, column.files)
    kind = own.kind(one.role, column.files) if together in NUMBERS else together
    _keep(one, column, kind)


def _follow(one: _Column, column: TextColumn, kind: Kind) -> None:
    """Take a block of the test file, whose kind is known."""
    if column.cells.null_count == len(column.cells) and kind != "text":
        kind = "empty"
    elif kind in NUMBERS and column.numbers is not None:
        is_whole = kind == "integer" and pa.types.is_integer(column.numbers.type)
        kind = "integer" if is_whole and not column.cells.null_count else "float"
    elif kind in NUMBERS and column.role == "categorical":
        kind = "text"
    _keep(one, column, kind)


def _keep(one: _Column, column: TextColumn, kind: Kind | None) -> None:
    """Keep a block's values as a kind, if they and those before them make one column."""
    n = len(column.cells)
    one.kinds.add(kind or "empty")
    if one.is_mixed:
        return
    if kind is None or (one.texts and kind not in ("text", "empty")):
        one.give_up()
    elif kind == "empty":
        one.add_gaps(n)
    elif kind == "text":
        one.give_up() if one.numbers is not None else one.add_text(column.cells)
    else:
        try:
            one.add_values(column.values(kind).to_numpy())
        except DataError:
            one.give_up()


def _read_again(
    path: Path,
    columns: Sequence[_Column],
    kinds: dict[str, Kind],
    competition: Competition,
    block: int,
) -> None:
    """Read the columns once more of which a block was typed as something else.

    What is a category is text where a cell is no number, whatever the training file says.
    """
    wanted = {one.name: _wanted(one, kinds[one.name]) for one in columns}
    again = [_Column(one.name, one.role) for one in columns if not _fits(one, wanted[one.name])]
    if not again:
        return
    files = competition.files
    names = [one.name for one in again]
    file, _, rows = read_blocks(
        path, names, encoding=files.encoding, separator=files.separator, block=block
    )
    places = {one.name: one for one in columns}
    for batch in rows:
        for one in again:
            cells = pa.chunked_array([batch.column(one.name)])
            _follow(one, text_column(one.name, cells, file, competition), wanted[one.name])
    for one in again:
        if not _fits(one, wanted[one.name]):
            raise IrregularError
        found = places[one.name]
        found.n_gaps, found.texts, found.numbers = one.n_gaps, one.texts, one.numbers


def _wanted(one: _Column, kind: Kind) -> Kind:
    """Return what a column is made of: a category that is no number everywhere is text."""
    is_text = one.role == "categorical" and kind in NUMBERS and "text" in one.kinds
    return "text" if is_text else kind


def _fits(one: _Column, kind: Kind) -> bool:
    """Tell whether all blocks are typed so that they make one column of a kind."""
    good = {"empty", *NUMBERS} if kind in NUMBERS else {"empty", kind}
    return not one.is_mixed and one.kinds <= good


def _warn_of_text(one: _Column, file: CsvFile) -> None:
    """Warn, as TextColumn does, of text that looks as if it was meant to be numbers."""
    found = one.evidence
    if found is None or one.role != "undeclared" or found.is_number:
        return
    if found.has_only_commas:
        warn_of_commas(file, one.name)
    share = 1 - found.n_not_numbers / (found.n - found.n_missing)
    if share > MOSTLY and found.first_not_number is not None:
        warn_of_numbers(file, one.name, share, *found.first_not_number)


def _typed(
    file: CsvFile,
    columns: Sequence[_Column],
    kinds: dict[str, Kind],
    written: dict[str, list[pa.Array]],
) -> Typed:
    ids = {
        name: as_text(pa.chunked_array([pa.concat_arrays(parts)]))
        for name, parts in written.items()
    }
    return Typed(file, {one.name: one.whole() for one in columns}, kinds, ids)
