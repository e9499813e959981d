"""How the training rows are divided: by time or by groups where the test rows show it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow.compute as pc

from pipeline.competition import Scheme, Validation
from pipeline.dates import First, are_dates, day_or_month_first, parse_dates
from pipeline.errors import DataError
from pipeline.inference.answers import Question
from pipeline.inference.columns import Finding, is_named_like_id, names_of
from pipeline.inference.evidence import Cells
from pipeline.inference.spelling import is_year_last
from pipeline.progress import counted
from pipeline.splits import make_folds

N_SPLITS = 5
MIN_GROUPS = 10
ROWS_A_GROUP = 2  # on average, at least; else nothing is shared


@dataclass(frozen=True)
class Division:
    """The folds, with why; the roles they need; what else they could be, in words."""

    scheme: Scheme
    n_splits: int
    why: str = ""
    time: str | None = None
    group: str | None = None
    candidates: tuple[str, ...] = ()


def find_division(
    train: Mapping[str, Cells],
    test: Mapping[str, Cells],
    question: Question,
    found: list[Finding],
    classes: Mapping[str, int],
    dayfirst: bool | None,
) -> Division:
    """Return the folds that are like the step from the training rows to the test rows."""
    dates = [name for name in names_of(found, "datetime") if not train[name].n_missing]
    spans = {n: _spans(train[n], test[n], dayfirst) for n in dates if n in test}
    later = next((n for n, span in spans.items() if span and span.is_forecast), None)
    if later is not None:
        return Division("time", N_SPLITS, f"test begins {spans[later]}", time=later)
    for name, why in _groups(train, test, question, found):
        return Division("group", N_SPLITS, why, group=name)
    candidates = tuple(
        f'time = "{name}": test begins {span}, among the training rows'
        for name, span in spans.items()
        if span
    )
    return _by_chance(len(next(iter(train.values()))), classes, candidates)


@dataclass(frozen=True)
class _Spans:
    """When the training rows end and the test rows begin."""

    known: pd.Series
    test_start: pd.Timestamp

    @property
    def is_forecast(self) -> bool:
        """Whether all test rows come after all training rows, which can be cut in time as well."""
        if self.test_start <= self.known.max():
            return False
        try:
            make_folds(self.known, None, self.known, Validation(scheme="time"), "regression")
        except DataError:
            return False
        return True

    def __str__(self) -> str:
        return f"{self.test_start:%Y-%m-%d}, train ends {self.known.max():%Y-%m-%d}"


def first_of(train: Cells, dayfirst: bool | None) -> First:
    """Return the part that stands first in a training column's dates."""
    if not is_year_last(train):
        return "year"
    told = day_or_month_first(train.text) if dayfirst is None else None
    return told or ("day" if dayfirst else "month")


def _spans(train: Cells, test: Cells, dayfirst: bool | None) -> _Spans | None:
    first = first_of(train, dayfirst)
    if not pc.all(are_dates(test.text, first)).as_py():
        return None
    known, asked = (parse_dates(one.present, first).dropna() for one in (train, test))
    if not len(known) or not len(asked):
        return None
    return _Spans(known, asked.min())


def _groups(
    train: Mapping[str, Cells],
    test: Mapping[str, Cells],
    question: Question,
    found: list[Finding],
) -> Iterable[tuple[str, str]]:
    """Yield columns whose values several training rows share and no test row has."""
    if question.id is not None and question.id in train and _is_shared(train[question.id]):
        n_groups = counted(train[question.id].n_levels, "id")
        yield question.id, f"{len(train[question.id]):,} rows of train share {n_groups}"
    taken = {*question.target, question.id, *names_of(found, "drop"), *names_of(found, "datetime")}
    for name, cells in train.items():
        if name in taken or name not in test or not _is_shared(cells):
            continue
        if cells.numbers is not None and not is_named_like_id(name):
            continue
        known = set(cells.levels)
        if test[name].n_levels > 1 and not known & set(test[name].levels):
            yield name, f"none of test's {test[name].n_levels:,} is among train's {len(known):,}"


def _is_shared(cells: Cells) -> bool:
    n_levels = cells.n_levels
    return not cells.n_missing and MIN_GROUPS <= n_levels <= len(cells) / ROWS_A_GROUP


def _by_chance(n_rows: int, classes: Mapping[str, int], candidates: tuple[str, ...]) -> Division:
    """Return folds by chance, as many as the rarest class and the rows allow."""
    rarest = min(classes, key=lambda level: classes[level], default=None)
    if rarest is None or classes[rarest] >= N_SPLITS:
        n_splits = max(2, min(N_SPLITS, n_rows // 2))
        return Division("auto", n_splits, candidates=candidates)
    if classes[rarest] >= 2:
        why = f"class {rarest!r} has {counted(classes[rarest], 'row')}"
        return Division("stratified", classes[rarest], why, candidates=candidates)
    n_splits = max(2, min(N_SPLITS, n_rows // 2))
    return Division("kfold", n_splits, f"class {rarest!r} has 1 row", candidates=candidates)
