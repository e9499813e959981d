"""What each column is: a feature as it is, a category, a date, or nothing to learn from."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.csvtext import NAMELESS
from pipeline.dates import are_dates, parse_dates
from pipeline.inference.answers import Question
from pipeline.inference.evidence import Cells
from pipeline.inference.spelling import is_year_last

Use = Literal["drop", "categorical", "datetime", "text", "kind?"]

MANY_LEVELS = 50  # text of fewer levels is a category, however many rows there are
MOSTLY_DIFFERENT = 0.5  # text whose levels are more than this share of its cells names single rows
WORDS = 5  # text of so many words a cell, and many levels, is prose
FEW_WORDS = 3  # and so is text of so many that differs mostly, as names with their titles
FEW_KINDS = 20  # whole numbers of more levels hardly name kinds
ROWS_A_KIND = 10
DATE_NAME = re.compile(r"date|day|time|dt|일자|날짜|일시", re.I)
ID_NAME = re.compile(
    r"(^|[^a-z])(id|ids|no|num|number|key|code|index|idx|uuid|guid)([^a-z]|$)|[a-z]I[dD]$|번호$|"
    r"(^|[^a-z])(user|patient|subject|session|group|customer|player|store|shop|client)s?([^a-z]|$)",
    re.I,
)
ENTITY_NAME = re.compile(r"[a-z0-9](Id|ID|No|Num|Code|Key)$")

ID_IS_DATE = "the id; no feature, but features.py can take the hour, ... from it"


@dataclass(frozen=True)
class Finding:
    """What a column is used as, and what speaks for it."""

    name: str
    use: Use
    why: str


def find_columns(
    train: Mapping[str, Cells], test: Mapping[str, Cells], question: Question
) -> list[Finding]:
    """Return what has to be said of columns; those left out are features of the type they have."""
    known = [name for name in train if name not in (*question.target, question.id)]
    extra = [name for name in test if name not in train and name not in question.target]
    found = [_finding(train[name], test.get(name)) for name in known]
    found += [Finding(n, "drop", "not in train") for n in extra if n != question.id]
    dated = question.id is not None and question.id in train and is_dated(train[question.id])
    identity = [Finding(str(question.id), "datetime", ID_IS_DATE)] if dated else []
    return [*identity, *(one for one in found if one)]


def is_dated(cells: Cells) -> bool:
    """Tell whether all cells that are there are dates that exist."""
    if not len(cells.present):
        return False
    if is_year_last(cells):
        return True
    if not pc.all(are_dates(cells.text, "year")).as_py():
        return False
    if cells.numbers is not None and not DATE_NAME.search(cells.name):
        return False  # 20110131 may be an amount
    return bool(parse_dates(cells.present, "year").notna().all())


def is_named_like_id(name: str) -> bool:
    """Tell whether a column's name says that it tells things apart."""
    return bool(ID_NAME.search(name) or ENTITY_NAME.search(name) or name.startswith(NAMELESS))


def _finding(train: Cells, test: Cells | None) -> Finding | None:
    """Return what has to be said of one column of the training file, or None."""
    if test is None:
        return Finding(train.name, "drop", "not in test")
    why = _nothing_to_learn(train)
    if why:
        return Finding(train.name, "drop", why)
    if is_dated(train) and (is_dated(test) or not len(test.present)):
        return Finding(train.name, "datetime", _quoted(train))
    if train.numbers is None:
        return _text_finding(train, test)
    if test.numbers is None and len(test.present) and not _all_null(test):
        odd = _quoted(test)
        return Finding(train.name, "categorical", f"numbers in train, but test has {odd}")
    return _number_finding(train)


def _nothing_to_learn(cells: Cells) -> str | None:
    n_levels = cells.n_levels
    if n_levels == 0:
        return "empty in train"
    if n_levels == 1 and not cells.n_missing:
        return f"constant in train: {_quoted(cells)}"
    if n_levels == len(cells) and cells.are_whole and is_named_like_id(cells.name):
        return "another number in every row of train"
    return None


def _text_finding(train: Cells, test: Cells) -> Finding:
    n_levels, n_present = train.n_levels, len(train.present)
    if n_levels > MANY_LEVELS or n_levels == n_present:
        is_different = n_levels > max(MOSTLY_DIFFERENT * n_present, 5)
        words = _words(train.present)
        if words >= (FEW_WORDS if is_different else WORDS):
            return Finding(train.name, "text", f"{words:.0f} words a cell")
        if is_different:
            return Finding(train.name, "drop", f"{n_levels:,} levels in {n_present:,} rows")
    return Finding(train.name, "categorical", f"{n_levels:,} levels")


def _number_finding(cells: Cells) -> Finding | None:
    """Return whole numbers of few levels as a question: only a person knows if they are kinds."""
    n_levels = cells.n_levels
    few = 3 <= n_levels <= FEW_KINDS and n_levels * ROWS_A_KIND <= len(cells)
    if few and cells.are_whole:
        return Finding(cells.name, "kind?", f"{n_levels}")
    return None


def _words(present: pa.ChunkedArray) -> float:
    """Return how many words a cell has on average."""
    return float(pc.mean(pc.add(pc.count_substring_regex(present, r"\s+"), 1)).as_py())


def _all_null(cells: Cells) -> bool:
    return cells.n_missing == len(cells)


def _quoted(cells: Cells, length: int = 24) -> str:
    """Return the first cell, as comments quote it."""
    first = next(iter(cells.present.slice(0, 1).to_pylist()), "")
    return repr(first if len(first) <= length else first[: length - 3] + "...")


def names_of(found: list[Finding], use: Use) -> Iterator[str]:
    """Yield the columns of one use."""
    return (one.name for one in found if one.use == use)
