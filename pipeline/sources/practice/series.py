"""Time series in one file as the three files of a competition: the last part is held back.

The held-back part is a chain of questions: some rows that are told, then those to be forecast, then
one row more of which nothing is told, since it may say how far it lies from the one before.

    told told told ... told asked asked (nothing) told told told ...
"""

import hashlib
import itertools
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.competition import Competition, Windows
from pipeline.csvtext import NAMELESS, CsvFile, read_cells
from pipeline.dates import are_dates, day_or_month_first, parse_dates
from pipeline.errors import DataError, SourceError
from pipeline.progress import Note, emit
from pipeline.sources import Source
from pipeline.sources.archives import archive_suffix
from pipeline.sources.files import UnsortedSource, check_is_place
from pipeline.sources.practice.board import ANSWERS, answers_for
from pipeline.sources.practice.source import SHARE, as_csv
from pipeline.storage import save_text

TOLD = 20  # rows at least before those that are asked for; more where a window is longer
UP, DOWN = "▲△↑", "▼▽↓"  # how brokers mark the change from the day before
MARKED = re.compile(rf"^([{UP}{DOWN}]) *[+-]?(?=[\d.])")
GROUPED = re.compile(r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$|^\+[\d.]+$")
CLOSE, CHANGE = "종가", "전일비"  # a day's last price, and how far it lies from the day before's
PRICES = ("시가", "고가", "저가", CLOSE, CHANGE)
SHARES = ("거래량", "개인", "기관", "외인(수량)", "외국계", "프로그램")
TRAIN, SHOWN, HIDDEN, ASKED = range(4)  # what becomes of a row
SPLIT = 1.5  # times the price of the day before; no market lets one rise or fall so far in a day


@dataclass(frozen=True, eq=False)
class SeriesSource:
    """One CSV file of a person's own, whose last rows are held back.

    given: the file, a folder or an archive that holds no other, or what writes one. board: the
    folder that keeps the answers, one folder for each test file.
    """

    competition: Competition
    board: Path
    given: Path | Source

    @property
    def origin(self) -> str:
        """What was given."""
        if not isinstance(self.given, Path):
            return self.given.origin
        return f"{'folder' if self.given.is_dir() else 'file'} {self.given.name}"

    def fetch(self, folder: Path) -> None:
        """Write the three files, after the answers, which no other place has.

        Raises SourceError.
        """
        with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacked-") as scratch:
            path = self._file(Path(scratch))
            try:
                _, cells = read_series(path, self.competition)
                part = _parts(cells, self.competition)
            except DataError as error:
                raise SourceError(str(error)) from None
        files, columns = self.competition.files, self.competition.columns
        test = cells[part != TRAIN].copy()
        blank = [n for n in test if n not in (columns.id, columns.time, _windows(self).by)]
        test.loc[np.isin(part[part != TRAIN], (HIDDEN, ASKED)), blank] = ""
        answers = cells.loc[part == ASKED, [columns.id_name, *columns.target]]
        content = as_csv(test)
        place = answers_for(self.board, hashlib.sha256(content.encode()).hexdigest())
        save_text(place / ANSWERS, as_csv(answers))
        (folder / files.train).write_text(as_csv(cells[part == TRAIN]), "utf-8")
        (folder / files.test).write_text(content, "utf-8")
        sample = as_csv(answers.assign(**dict.fromkeys(columns.target, 0)))
        (folder / files.sample_submission).write_text(sample, "utf-8")

    def _file(self, scratch: Path) -> Path:
        """Return the file itself."""
        given = self.given
        if isinstance(given, Path):
            if given.is_file() and not archive_suffix(given.name):
                return given
            check_is_place(given, ("one CSV file",))
            given = UnsortedSource(given, _only_csv)
        try:
            given.fetch(scratch)
        except DataError as error:
            raise SourceError(f"{self.given}: {error}") from None
        return next(path for path in scratch.glob("*") if path.suffix.lower() == ".csv")


@dataclass(frozen=True)
class OrderedFile(CsvFile):
    """A file whose rows are read in another order than they stand in: by positions in it."""

    rows: tuple[int, ...] = ()

    def line(self, row: int) -> int:
        """Return the line, from 1, on which a row of the order, from 0, begins."""
        return super().line(self.rows[row])


def read_series(path: Path, competition: Competition) -> tuple[CsvFile, pd.DataFrame]:
    """Return a file's cells (n_rows, n_columns) as plain text, series by series, oldest first.

    Numbers lose their commas. Marks like ▲ and ▼ become signs: those of a cell, and those of a
    column without numbers, whose numbers stand in the column without a name behind it. Without
    an id column rows are counted. Daily prices are told as if shares had always been split as they
    are at the end.
    Raises DataError if it is no such file.
    """
    files, columns = competition.files, competition.columns
    file, cells = read_cells(path, encoding=files.encoding, separator=files.separator)
    cells = plain_cells(cells)
    for name in (columns.time, _windows_of(competition).by, *columns.target):
        if name is not None and name not in cells:
            raise DataError(
                f"{path}: there is no column {name!r}; found {', '.join(map(str, cells))}"
            )
    by = _windows_of(competition).by
    keys = {"series": cells[by] if by else "", "time": _times(cells[str(columns.time)], path)}
    order = pd.DataFrame(keys, index=cells.index).sort_values(["series", "time"], kind="stable")
    cells = cells.loc[order.index].reset_index(drop=True)
    if competition.source.dataset == "prices":
        cells = _unsplit(cells, path, str(columns.time))
    if columns.id_name not in cells:
        cells.insert(0, columns.id_name, np.arange(1, len(cells) + 1).astype(str))
    rows = tuple(order.index.tolist())
    return OrderedFile(path, file.encoding, file.separator, rows), cells


def plain_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """Return a file's cells without spaces around, its numbers without commas and marks."""
    cells = _joined(cells.apply(lambda column: column.astype(object).str.strip()))
    plain: pd.DataFrame = cells.apply(lambda column: column.map(_plain))
    return plain


def are_prices(columns: Iterable[str]) -> bool:
    """Tell whether columns are those of a broker's daily export."""
    return {*PRICES} <= {*columns}


def _parts(cells: pd.DataFrame, competition: Competition) -> np.ndarray:
    """Return what becomes of each row (n_rows,): it is trained on, told, not told, or asked for.

    Raises DataError if no series has rows enough to hold some back.
    """
    windows = _windows_of(competition)
    names = cells[windows.by] if windows.by else pd.Series("", index=cells.index)
    part = np.full(len(cells), TRAIN)
    for _, rows in cells.groupby(names, sort=False).indices.items():
        chain = _chain(round(SHARE * len(rows)), windows)
        part[rows[len(rows) - len(chain) :]] = chain
    if not (part == ASKED).any():
        raise DataError(
            f"{len(cells):,} rows are too few to hold {SHARE:.0%} of a series back, which are to "
            f"hold {max(TOLD, windows.timesteps)} rows that are told and {windows.horizon} that "
            "are asked for"
        )
    return part


def _chain(n_rows: int, windows: Windows) -> np.ndarray:
    """Return the parts of so many rows or fewer: as many questions as fit."""
    told = max(TOLD, windows.timesteps)
    one = np.repeat([SHOWN, ASKED, HIDDEN], [told, windows.horizon, 1])
    return np.tile(one, (n_rows + 1) // len(one))[:-1]


def _only_csv(files: Mapping[str, Path]) -> tuple[str, ...]:
    found = [shown.rpartition("/")[2] for shown in files if shown.lower().endswith(".csv")]
    if len(found) != 1:
        raise DataError(f"expected one CSV file, found {len(found)}; give the file itself")
    return (found[0],)


def _joined(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells with each column of marks alone put before the numbers behind it."""
    for mark, number in itertools.pairwise(map(str, cells)):
        marks = set(cells[mark]) - {"", "-"} if number.startswith(NAMELESS) else set()
        if marks and marks <= {*UP, *DOWN}:
            cells = cells.assign(**{mark: cells[mark].str.strip("-") + cells[number]})
            cells = cells.drop(columns=number)
    return cells


def _plain(cell: str) -> str:
    """Return a number as any program reads it, and other text as it is."""
    found = MARKED.match(cell)
    if found:
        cell = ("-" if found[1] in DOWN else "") + cell[found.end() :]
    return cell.replace(",", "").removeprefix("+") if GROUPED.match(cell) else cell


def _times(cells: pd.Series, path: Path) -> pd.Series:
    """Return the column that orders the rows as numbers or dates; raises DataError."""
    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.notna().all():
        return pd.Series(numbers, index=cells.index)
    text = pa.chunked_array([pa.array(cells, pa.large_string())])
    first = "year" if not pc.all(are_dates(text, "day")).as_py() else day_or_month_first(text)
    dates = parse_dates(text, first or "day").set_axis(cells.index)
    if dates.isna().any():
        row = int(dates.isna().to_numpy().argmax())
        raise DataError(
            f"{path}, row {row + 1}, column {cells.name!r}: expected a date such as 2011-01-31, "
            f"found {cells.iloc[row]!r}"
        )
    return dates


def _unsplit(cells: pd.DataFrame, path: Path, time: str) -> pd.DataFrame:
    """Return daily prices as if shares had always been split as they are at the end.

    A day's price less its change is the price of the day before, as it is worth now: where that is
    not the price that was written, shares were split in between.
    """
    absent = [name for name in (CLOSE, CHANGE) if name not in cells]
    if absent:
        raise DataError(
            f'{path}: there is no column {absent[0]!r}, which source.dataset = "prices" needs; '
            'declare "series"'
        )
    close, change = (pd.to_numeric(cells[name], errors="coerce") for name in (CLOSE, CHANGE))
    ratio = (close.shift() / (close - change)).fillna(1.0)
    is_split = (ratio > SPLIT) | (ratio < 1 / SPLIT)
    whole = np.where(ratio > 1, ratio.round(), 1 / (1 / ratio).round())
    parts = pd.Series(np.where(is_split, whole, 1.0), index=cells.index)
    later = parts[::-1].cumprod()[::-1].shift(-1, fill_value=1.0)  # of all days after a row's own
    for row in np.flatnonzero(is_split):
        text = f"{cells[time].iloc[row]}: {parts.iloc[row]:g} shares for 1, told as if always so"
        emit(Note("split", text, {"row": int(row), "shares": float(parts.iloc[row])}))
    if not is_split.any():
        return cells
    made = {name: _scaled(cells[name], 1 / later) for name in PRICES if name in cells}
    made |= {name: _scaled(cells[name], later) for name in SHARES if name in cells}
    return cells.assign(**made)


def _scaled(cells: pd.Series, factor: pd.Series) -> pd.Series:
    """Return cells of numbers times a factor each, as text; whole numbers stay whole."""
    numbers = pd.to_numeric(cells, errors="coerce") * factor
    text = numbers.map(lambda value: f"{value:.10g}")
    return text.where((factor != 1) & numbers.notna(), cells)


def _windows(source: SeriesSource) -> Windows:
    return _windows_of(source.competition)


def _windows_of(competition: Competition) -> Windows:
    assert competition.windows is not None
    return competition.windows
