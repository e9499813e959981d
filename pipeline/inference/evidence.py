"""What is given to infer from: the three files' cells, and what is said beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.competition import (
    MISSING_SPELLINGS,
    Columns,
    Competition,
    Files,
    MetricName,
    Source,
    Task,
    Windows,
)
from pipeline.csvtext import CsvFile, read_cells
from pipeline.inference.roles import Roles
from pipeline.kinds import TextColumn, text_columns

NOTHING: Any = {  # a declaration that says of no column what it is; no file's column is called NUL
    "name": "-",
    "title": "-",
    "task": "multiclass",
    "metric": "accuracy",
    "columns": Columns(by_position=True, target=("\0",)),
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What is known before the files are looked at; None and empty mean nothing is.

    metric: one of ours. page_metric: the metric as the competition's page names it. windows: into
    which a series was cut already.
    """

    title: str | None = None
    source: Source = field(default_factory=Source)
    task: Task | None = None
    metric: MetricName | None = None
    page_metric: str | None = None
    target: tuple[str, ...] = ()
    id: str | None = None
    windows: Windows | None = None


@dataclass(frozen=True, eq=False)
class Tables:
    """The cells of the three files as they are written, and how they are written."""

    files: Files
    train_file: CsvFile
    test_file: CsvFile
    train: pd.DataFrame
    test: pd.DataFrame
    sample: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Cells:
    """One column's cells without spaces around, missing ones as null, and what they amount to.

    numbers: the cells as int64 or float64, or None if one of them is no number.
    """

    name: str
    text: pa.ChunkedArray
    numbers: pa.ChunkedArray | None
    is_code: bool  # numbers with leading zeros, which name something

    @property
    def present(self) -> pa.ChunkedArray:
        """The cells that are not missing."""
        return self.text.drop_null()

    @property
    def levels(self) -> list[str]:
        """The different cells, sorted."""
        return sorted(pc.unique(self.present).to_pylist())

    @property
    def n_levels(self) -> int:
        """How many different cells there are."""
        return int(pc.count_distinct(self.present).as_py())

    @property
    def n_missing(self) -> int:
        """How many cells are missing."""
        return int(self.text.null_count)

    @property
    def values(self) -> pd.Series:
        """The numbers that are not missing, as float64; empty if the cells are text."""
        if self.numbers is None:
            return pd.Series([], dtype=float)
        values: pd.Series = self.numbers.drop_null().cast(pa.float64()).to_pandas()
        return values

    @property
    def are_whole(self) -> bool:
        """Whether all cells are whole numbers, however they are written."""
        return self.numbers is not None and bool((self.values % 1 == 0).all())

    def __len__(self) -> int:
        return len(self.text)


def read_tables(roles: Roles, said: Said) -> Tables:
    """Return the three files as they are written.

    Raises DataError.
    """
    names = Files(train=roles.train.name, test=roles.test.name, sample_submission=roles.sample.name)
    train_file, train = read_cells(roles.train)
    test_file, test = read_cells(roles.test)
    return Tables(names, train_file, test_file, train, test, read_cells(roles.sample)[1])


def cells_of(
    frame: pd.DataFrame,
    file: CsvFile,
    files: Files,
    levels: dict[str, tuple[str, ...]] | None = None,
) -> dict[str, Cells]:
    """Return a file's columns as data.py would read them where only levels are declared."""
    nothing = Competition(files=files, levels=levels or {}, **NOTHING)
    return {one.name: _cells(one) for one in text_columns(frame, file, nothing)}


def trimmed(column: pd.Series) -> pa.ChunkedArray:
    """Return a column's cells without spaces around, and with null for what spells "missing"."""
    cells = pc.ascii_trim_whitespace(pa.chunked_array([pa.array(column)]).cast(pa.large_string()))
    missing = pc.is_in(cells, value_set=pa.array(MISSING_SPELLINGS, cells.type))
    return pc.if_else(missing, pa.scalar(None, cells.type), cells)


def _cells(column: TextColumn) -> Cells:
    is_code = column.numbers is not None and column.has_leading_zeros
    return Cells(column.name, column.trimmed, None if is_code else column.numbers, is_code)


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return names as a sentence lists them, the first few of many."""
    shown = ", ".join(map(repr, names[:most]))
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
