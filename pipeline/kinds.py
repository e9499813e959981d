"""Columns of text to typed columns: which kind a column is, and its cells as that kind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.competition import MISSING_SPELLINGS, Competition, Files
from pipeline.csvtext import CsvFile
from pipeline.dates import EXAMPLES, First, are_dates, as_text, day_or_month_first, parse_dates
from pipeline.errors import DataError
from pipeline.parquet import WORDS, ParquetFiles
from pipeline.progress import Warned, emit

Kind = Literal[
    "integer",
    "float",
    "text",
    "datetime",
    "datetime_dayfirst",
    "datetime_monthfirst",
    "empty",
    "pixel",
]
Role = Literal[
    "numeric", "target", "datetime", "categorical", "text", "time", "id", "drop", "undeclared"
]

NUMBER = (
    r"^[+-]?(([1-9]\d{0,2}(,\d{3})+|\d+)(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
    r"|^[+-]?(?i:inf|infinity)$"
)
LEADING_ZERO = r"^0[\dxX]"  # 007 names something; 0x1F is a number for Arrow, and not for us
KIND_OF_DATES: Mapping[First, Kind] = {
    "year": "datetime", "day": "datetime_dayfirst", "month": "datetime_monthfirst",
}  # fmt: skip
FIRST_OF_KIND = {kind: first for first, kind in KIND_OF_DATES.items()}
KIND_WORDS: dict[str, str] = dict.fromkeys(FIRST_OF_KIND, WORDS["datetime"])
KIND_WORDS.update(WORDS)
DECIMAL_COMMA = r"^[+-]?\d+,\d+$"
MOSTLY = 0.9  # a text column with a larger share of numbers was probably meant to be numeric
EXPECTED_NUMBER = {
    "numeric": "a number, as [columns] numeric says",
    "target": 'a number in the target of task = "regression"',
}
MEND_NUMBER = "correct it, or add it to [files] na_values if it means missing"


@dataclass(frozen=True, eq=False)
class TextColumn:
    """One column's cells (n_samples,) as they are written, with the missing ones as null."""

    name: str
    role: Role
    cells: pa.ChunkedArray
    trimmed: pa.ChunkedArray  # without spaces around
    file: CsvFile
    files: Files  # how they are declared to be written

    def kind(self) -> Kind:
        """Return what the cells are; numbers that look like codes (007) are text.

        Raises DataError if a cell is not the number that is declared, or nothing shows whether the
        day or the month of a date stands first.
        """
        if self.role == "id":
            return "text"
        if self.cells.null_count == len(self.cells):
            return "empty"
        if self.role == "text":
            return "text"
        if self.role == "datetime" or (self.role == "time" and self.numbers is None):
            return self._datetime_kind()
        if self.role in EXPECTED_NUMBER:
            return _number_kind(self._required_numbers())
        if self.numbers is None:
            self._warn_of_commas()
            self._warn_if_mostly_numbers()
            return "text"
        return "text" if self.has_leading_zeros else _number_kind(self.numbers)

    def values(self, kind: Kind) -> pd.Series:
        """Return the cells as int64, float64, str or datetime64[us], missing as NaN or NaT.

        Whole numbers are int64 only where none is missing; an empty column is all NaN.
        Raises DataError at the first cell that is not of that kind, unless the column is declared
        categorical: then it is text.
        """
        if kind == "empty":
            return pd.Series(np.full(len(self.cells), np.nan))
        if kind in FIRST_OF_KIND:
            return self._datetimes(FIRST_OF_KIND[kind])
        if kind == "text" or (self.role == "categorical" and self.numbers is None):
            return as_text(self.cells)
        numbers = self._required_numbers()
        if kind == "float":
            numbers = numbers.cast(pa.float64())
        series: pd.Series = numbers.to_pandas()
        return series

    @cached_property
    def _digits(self) -> pa.ChunkedArray:
        """The trimmed cells with the decimal sign that Arrow reads."""
        return swap_decimal(self.trimmed) if self.files.decimal == "," else self.trimmed

    @cached_property
    def has_leading_zeros(self) -> bool:
        """Whether a cell is written like 007, which names something."""
        suspects = self.trimmed.filter(pc.starts_with(self.trimmed, "0"))  # few, and regex is slow
        return _any(pc.match_substring_regex(suspects, LEADING_ZERO))

    @cached_property
    def not_numbers(self) -> pa.ChunkedArray:
        """Which cells are no number; null where a cell is missing."""
        return pc.invert(pc.match_substring_regex(self._digits, NUMBER))

    @cached_property
    def numbers(self) -> pa.ChunkedArray | None:
        """The cells as int64 or float64, or None if one of them is no number."""
        plain = _plain_numbers(self._digits)
        if plain is not None and not self.has_leading_zeros:
            return plain
        if _any(self.not_numbers):
            return None
        return _plain_numbers(pc.replace_substring_regex(self._digits, "[+,]", ""))

    def _required_numbers(self) -> pa.ChunkedArray:
        if self.numbers is None:
            expected = EXPECTED_NUMBER.get(self.role)
            if expected:
                raise self._fault(self.not_numbers, expected, MEND_NUMBER)
            mend = "correct it, or declare the column in [columns] categorical"
            raise self._fault(self.not_numbers, f"a number as in {self.files.train}", mend)
        return self.numbers

    def _datetime_kind(self) -> Kind:
        """Return the kind by which part stands first in the dates of all rows."""
        if not pc.all(are_dates(self.trimmed, "day")).as_py():
            return "datetime"
        if self.files.dayfirst is not None:
            return KIND_OF_DATES["day" if self.files.dayfirst else "month"]
        first = day_or_month_first(self.trimmed)
        if first is None:
            row, cell = self.first(self.trimmed.is_valid())
            raise DataError(
                f"{self.file.at(row, self.name)}: expected dates with the year first, or one that "
                f"shows whether {cell!r} begins with the day or the month; declare [files] "
                "dayfirst = true or false"
            )
        return KIND_OF_DATES[first]

    def _datetimes(self, first: First) -> pd.Series:
        wrong = pc.invert(are_dates(self.trimmed, first))
        if _any(wrong):
            raise self._not_a_date(wrong, first)
        dates = parse_dates(self.trimmed, first)
        impossible = (dates.isna() & as_text(self.trimmed).notna()).to_numpy()
        if impossible.any():
            raise self._not_a_date(pa.chunked_array([impossible]), first)
        return dates

    def _warn_if_mostly_numbers(self) -> None:
        share = 1 - (pc.mean(self.not_numbers).as_py() or 0.0)
        if self.role == "undeclared" and share > MOSTLY:
            warn_of_numbers(self.file, self.name, share, *self.first(self.not_numbers))

    def _warn_of_commas(self) -> None:
        if self.role == "undeclared" and self.has_only_decimal_commas:
            warn_of_commas(self.file, self.name)

    @property
    def has_only_decimal_commas(self) -> bool:
        """Whether each cell that is there is written like 1,5."""
        parts = (self.trimmed.slice(0, 100), self.trimmed)  # what fails mostly fails soon
        are = (pc.all(pc.match_substring_regex(part, DECIMAL_COMMA)).as_py() for part in parts)
        return all(said is not False for said in are)

    def first(self, mask: pa.ChunkedArray) -> tuple[int, str]:
        """Return the first row of a mask (n_samples,), and its cell."""
        row = pc.index(mask, True).as_py()
        return row, self.cells[row].as_py()

    def _not_a_date(self, wrong: pa.ChunkedArray, first: First) -> DataError:
        return self._fault(
            wrong,
            f"a date such as {EXAMPLES[first]}",
            f"correct it, or take the column out of [columns] {self.role} and make the date in "
            "features.py",
        )

    def _fault(self, wrong: pa.ChunkedArray, expected: str, mend: str) -> DataError:
        row, cell = self.first(wrong)
        return DataError(
            f"{self.file.at(row, self.name)}: expected {expected}, found {cell!r}; {mend}"
        )


def text_columns(
    cells: pd.DataFrame, file: CsvFile, competition: Competition
) -> Iterator[TextColumn]:
    """Yield a file's columns in their order, each with its role and its missing cells marked."""
    for name in map(str, cells.columns):
        yield text_column(name, pa.array(cells[name]), file, competition)


def text_column(
    name: str, written: pa.ChunkedArray, file: CsvFile, competition: Competition
) -> TextColumn:
    """Return a column, or a part of one, with its role and its missing cells marked."""
    trimmed = pc.ascii_trim_whitespace(written)
    spellings = pa.array(_missing_spellings(name, competition), trimmed.type)
    missing = pc.is_in(trimmed, value_set=spellings)
    return TextColumn(
        name,
        role_of(name, competition),
        _without(missing, written),
        _without(missing, trimmed),
        file,
        competition.files,
    )


def warn_of_numbers(file: CsvFile, name: str, share: float, row: int, cell: str) -> None:
    """Warn that one cell makes a column text of which so large a share are numbers."""
    emit(
        Warned(
            f"{file.at(row, name)}: {cell!r} makes the column text, though {share:.1%} of it are "
            f"numbers; {MEND_NUMBER}, or declare the column in [columns] categorical"
        )
    )


def warn_of_commas(file: CsvFile, name: str) -> None:
    """Warn that a column is text because its numbers have decimal commas."""
    emit(
        Warned(
            f"{file.path.name}: column {name!r} is text, though all its cells are numbers with "
            'decimal commas; declare [files] decimal = ","'
        )
    )


def kinds_by_type(
    files: ParquetFiles, competition: Competition, known: Mapping[str, Kind] | None = None
) -> dict[str, Kind]:
    """Return what each column of Parquet is read as: what its type says, and what is declared.

    known: the kinds of the training file, if these are the test file's columns.
    Raises DataError if a column cannot be what is declared, or what it is in the training file.
    """
    return {name: _kind_by_type(name, files, competition, known or {}) for name in files.families}


def _kind_by_type(
    name: str, files: ParquetFiles, competition: Competition, known: Mapping[str, Kind]
) -> Kind:
    used, family = role_of(name, competition), files.numbers_of(name)
    where = f"{files.path}: column {name!r} is {WORDS[family]} ({files.types[name]})"
    if used in ("id", "text"):
        return "text"
    if used in EXPECTED_NUMBER and family not in ("integer", "float", "empty"):
        raise DataError(f"{where}; expected {EXPECTED_NUMBER[used]}; write it as a number")
    if used == "datetime" and family in ("integer", "float"):
        raise DataError(f"{where}; expected dates, as [columns] datetime says; write it as dates")
    kind: Kind = "datetime" if used == "datetime" else family
    other: Kind = known.get(name, kind)
    if "empty" in (kind, other):
        return "float" if other == "integer" else other
    if KIND_WORDS[kind] != KIND_WORDS[other] and used != "drop":
        raise DataError(
            f"{where}, and {KIND_WORDS[other]} in {competition.files.train}; write both with one "
            "type"
        )
    return other if (kind, other) == ("integer", "float") else kind


def swap_decimal(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return cells with points for commas and commas for points: 1.234,5 becomes 1,234.5."""
    held = pc.replace_substring(cells, ".", "\0")  # no cell of a file has it
    return pc.replace_substring(pc.replace_substring(held, ",", "."), "\0", ",")


def role_of(name: str, competition: Competition) -> Role:
    """Return what decides on the column's kind; a declared type goes before a declared use."""
    columns = competition.columns
    if name in columns.target and competition.task == "regression":
        return "target"
    uses: dict[Role, tuple[str | None, ...]] = {
        "numeric": columns.numeric,
        "datetime": columns.datetime,
        "categorical": columns.categorical,
        "text": columns.text,
        "time": (columns.time,),
        "id": (columns.id,),
        "drop": columns.drop,
    }
    return next((role for role, names in uses.items() if name in names), "undeclared")


def _missing_spellings(name: str, competition: Competition) -> list[str]:
    spellings = (*MISSING_SPELLINGS, *competition.files.na_values)
    return [one for one in spellings if name not in competition.levels.get(one, ())]


def _without(missing: pa.ChunkedArray, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(missing, pa.scalar(None, cells.type), cells) if _any(missing) else cells


def _number_kind(numbers: pa.ChunkedArray) -> Kind:
    return "integer" if pa.types.is_integer(numbers.type) and not numbers.null_count else "float"


def _plain_numbers(text: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return the cells as int64, else as float64, else None; NaN is not a number here."""
    for dtype in (pa.int64(), pa.float64()):
        try:
            text.slice(0, 100).cast(dtype)  # what fails mostly fails here, and soon
            numbers = text.cast(dtype)
        except pa.ArrowInvalid:
            continue
        return None if _any(pc.is_nan(numbers)) else numbers
    return None


def _any(mask: pa.ChunkedArray) -> bool:
    return bool(pc.any(mask).as_py())
