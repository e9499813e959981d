"""How the cells of a competition's files are written: decimal signs, days, and what is missing."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.competition import Files
from pipeline.dates import are_dates, day_or_month_first
from pipeline.inference.evidence import Cells, Tables, cells_of, trimmed

COMMA_NUMBER = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?$"
THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+$"
POINT_NUMBER = r"^[+-]?\d+\.\d+$"
MISSING = (  # beyond those that always mean it
    "?", "-", "--", "---", ".", "..", "...", "*", "na", "Na", "N.A.", "n.a.", "NONE", "none",
    "nil", "Null", "missing", "Missing", "MISSING", "unknown", "Unknown", "UNKNOWN", "없음", "결측",
)  # fmt: skip
LEVELS = ("NONE", "none")  # a level where the column is text: the house has none
MISSING_WORDS = ("NA", "None")  # the common words for "missing" that are levels at times
MANY = 1 / 3  # of the cells: then the word may be a level
MOSTLY = 0.5  # of a column's cells are numbers, so that the others mean something is missing


def spelled(tables: Tables) -> Files:
    """Return the files with what has to be declared of how they are written."""
    files = dataclasses.replace(tables.files, decimal="," if _has_commas(tables) else ".")
    train = cells_of(tables.train, tables.train_file, files)
    test = cells_of(tables.test, tables.test_file, files)
    return dataclasses.replace(files, na_values=tuple(sorted(_missing(train, test))))


def levels(
    tables: Tables, train: Mapping[str, Cells], files: Files, target: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return the text columns in which a word that could mean "missing" is a level.

    It is one in a target, every row of which has a class, and where it means "missing" only among
    the numbers of other columns.
    """
    text = [name for name, cells in train.items() if cells.numbers is None and not cells.is_code]
    found: dict[str, tuple[str, ...]] = {}
    for word in (*(one for one in LEVELS if one in files.na_values), *MISSING_WORDS):
        asked = text if word in LEVELS else [name for name in target if name in text]
        names = tuple(name for name in asked if _share(tables.train[name], word))
        if names:
            found[word] = names
    return found


def maybe_levels(
    tables: Tables, train: Mapping[str, Cells], known: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Return the text columns in which so many cells say NA or None that it may be a level."""
    text = [name for name, cells in train.items() if cells.numbers is None and not cells.is_code]
    found = {
        word: tuple(
            name
            for name in text
            if name not in known.get(word, ()) and MANY < _share(tables.train[name], word) < 1
        )
        for word in MISSING_WORDS
    }
    return {word: names for word, names in found.items() if names}


def _share(column: pd.Series, word: str) -> float:
    """Return the share of a column's cells that are a word."""
    return float((column.str.strip() == word).mean())


def dayfirst(train: Mapping[str, Cells], test: Mapping[str, Cells]) -> tuple[bool | None, bool]:
    """Return what [files] dayfirst has to say of the dates, and whether that is only a guess.

    It is None where the training rows of every date show what stands first.
    """
    dates = [name for name, cells in train.items() if is_year_last(cells)]
    told = {name: day_or_month_first(train[name].text) for name in dates}
    if all(told.values()):
        return None, False
    known = [first for first in told.values() if first]
    known += [
        first
        for name in dates
        if name in test and is_year_last(test[name])
        if (first := day_or_month_first(test[name].text))
    ]
    if known:
        return known[0] == "day", False
    dotted = pc.any(pc.match_substring(train[dates[0]].text, ".")).as_py()
    return bool(dotted), True


def is_year_last(cells: Cells) -> bool:
    """Tell whether all cells are dates that end in the year."""
    return len(cells.present) > 0 and bool(pc.all(are_dates(cells.text, "day")).as_py())


def _has_commas(tables: Tables) -> bool:
    """Tell whether more columns have decimal commas than decimal points."""
    columns = [trimmed(frame[n]) for frame in (tables.train, tables.test) for n in frame]
    present = [column.drop_null() for column in columns if column.null_count < len(column)]
    commas = sum(_all(one, COMMA_NUMBER) and not _all_thousands(one) for one in present)
    points = sum(_any(one, POINT_NUMBER) and not _any(one, ",") for one in present)
    return commas > points


def _all_thousands(column: pa.ChunkedArray) -> bool:
    """Tell whether every comma of a column may stand before three digits, or there is none."""
    return _all(column.filter(pc.match_substring(column, ",")), THOUSANDS)


def _missing(*files: Mapping[str, Cells]) -> set[str]:
    """Return the spellings that keep columns of numbers from being numbers, or finite ones."""
    found: set[str] = set()
    for columns in files:
        for cells in columns.values():
            if cells.numbers is None and not cells.is_code:
                found |= _among_numbers(cells)
            elif cells.numbers is not None:
                found |= _infinite(cells.text)
    return found


def _among_numbers(cells: Cells) -> set[str]:
    suspects = pc.is_in(cells.text, value_set=pa.array(MISSING, cells.text.type))
    rest = cells.text.filter(pc.invert(suspects)).drop_null()
    if not pc.any(suspects).as_py() or len(rest) < MOSTLY * len(cells.present):
        return set()
    are_numbers = pd.to_numeric(rest.to_pandas().str.replace(",", ""), errors="coerce").notna()
    if not are_numbers.all():
        return set()
    return set(pc.unique(cells.text.filter(suspects)).to_pylist()) | _infinite(rest)


def _infinite(text: pa.ChunkedArray) -> set[str]:
    """Return the spellings of numbers that no model can learn from; 1e999 is one of them."""
    unique = pc.unique(text.drop_null()).to_pandas()
    numbers = pd.to_numeric(unique, errors="coerce")
    return set(unique[np.isinf(numbers)])


def _all(cells: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(cells, pattern), min_count=0).as_py())


def _any(cells: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())
