"""What to do for what is found in a competition's files: one line a finding, the find first."""

from collections.abc import Iterator

import pandas as pd
from pandas.api.types import is_numeric_dtype

from pipeline.competition import Competition
from pipeline.data import TestData, TrainData
from pipeline.progress import counted

SKEWED = 1.0  # of a target's skewness, from which on its logarithm is worth trying
MOSTLY_MISSING = 0.5  # of the rows
APART = 0.2  # of the rows; by so much the shares of missing cells differ between the files
MANY_LEVELS = 50  # of text, for which one column a level is too wide
NAMES_ROWS = 0.9  # of the rows have a level of their own
RARE = 0.05  # of the rows, of a class
MOST_NAMED = 4  # columns that are named in one line


def propose(
    competition: Competition, train: TrainData, test: TestData, columns: pd.DataFrame
) -> list[str]:
    """Return a line for each finding: what was found, and after a colon what to do.

    columns: as Inspection has them.
    """
    if competition.images:  # of a single pixel there is nothing to be said
        return list(_of_target(competition, train))
    return [
        *_of_target(competition, train),
        *_of_time(competition, train, test),
        *_of_missing(columns, len(train), len(test)),
        *_of_levels(competition, columns, len(train)),
    ]


def _of_target(competition: Competition, train: TrainData) -> Iterator[str]:
    if competition.task != "regression":
        yield from _of_classes(competition, train)
        return
    y, transform = pd.DataFrame(train.y), competition.target.transform
    for name in y:
        skewness = float(y[name].skew())  # type: ignore[arg-type]
        is_level = competition.windows is None  # of windows, what becomes of it is learned
        if transform == "none" and is_level and skewness > SKEWED and (y[name] >= 0).all():
            yield (
                f'{name} is skewed ({skewness:.1f}): try [target] transform = "log1p", or "sqrt"'
            )
    if transform == "none" and (y.to_numpy() >= 0).all() and competition.target.lower is None:
        yield "the target is never negative: [target] lower = 0 keeps predictions there"


def _of_classes(competition: Competition, train: TrainData) -> Iterator[str]:
    counts = pd.Series(train.y).value_counts()
    rarest, n = counts.index[-1], int(counts.iloc[-1])
    if n < competition.validation.n_splits:
        yield (
            f"class {rarest} has {counted(n, 'row')}: fewer folds (--folds {max(2, n)}) let each "
            "of them have one"
        )
    elif n / len(train) < RARE:
        means = "; accuracy says little of it" if competition.metric == "accuracy" else ""
        yield (
            f"class {rarest} is rare ({n / len(train):.1%}){means}: stratified folds keep its "
            "share, more of them (--folds 10) leave more of it to learn from"
        )


def _of_time(competition: Competition, train: TrainData, test: TestData) -> Iterator[str]:
    """Yield how the files lie in time, or which column the rows are sorted by."""
    if train.order is not None:
        yield from _of_declared_time(competition, train.order, test.order)
        return
    if competition.columns.group is not None:
        return
    for name in train.X:
        here, there = train.X[name], test.X[name]
        if not is_numeric_dtype(here) or here.nunique() <= len(here) / 4:
            continue
        if here.is_monotonic_increasing and there.is_monotonic_increasing:
            yield (
                f"the rows of both files are sorted by {name}: if it is a time, declare [columns] "
                f'time = "{name}"'
            )
            return


def _of_declared_time(
    competition: Competition, train: pd.Series, test: pd.Series | None
) -> Iterator[str]:
    if test is None or test.isna().all():
        return
    scheme, rule = competition.validation.scheme, competition.validation.rule
    is_after = bool(test.min() > train.max())
    span = f"{train.min()} to {train.max()}"
    if is_after and scheme != "time" and rule != "strict":
        yield (
            f"the test begins behind all training rows ({span}): --scheme time validates forward "
            "in time as well"
        )
    elif not is_after and scheme == "time":
        yield (
            f"test rows lie between the training rows ({span}): folds of whole groups resemble "
            "that more than folds forward in time"
        )


def _of_missing(columns: pd.DataFrame, n_train: int, n_test: int) -> Iterator[str]:
    here, there = columns["missing_train"] / n_train, columns["missing_test"] / n_test
    mostly = columns["column"][here > MOSTLY_MISSING].tolist()
    if mostly:
        yield (
            f"mostly missing: {_named(mostly)}: whether it is there may tell more than its value; "
            "else [columns] drop"
        )
    apart = columns["column"][(here - there).abs() > APART].tolist()
    if apart:
        yield (
            f"missing far more often in one file: {_named(apart)}: expect less of it, or drop it"
        )


def _of_levels(competition: Competition, columns: pd.DataFrame, n_train: int) -> Iterator[str]:
    constant = columns["column"][columns["levels"] <= 1].tolist()
    if constant:
        yield f"always the same: {_named(constant)}: teaches nothing, [columns] drop"
    is_text = columns["kind"] == "category"
    names_rows = is_text & (columns["levels"] > NAMES_ROWS * n_train)
    if names_rows.any():
        yield (
            f"nearly every row has a text of its own: {_named(columns['column'][names_rows])}: "
            "declare it in [columns] text if it is prose, else drop it"
        )
    many = is_text & (columns["levels"] > MANY_LEVELS) & ~names_rows
    asked = {family for one in competition.models.values() for family in one.features}
    if many.any() and "target_encoding" not in asked:
        yield (
            f"text of many levels: {_named(columns['column'][many])}: try [preprocessing] features "
            '= ["target_encoding"]'
        )
    unseen = columns[columns["unseen_in_test"] > 0]
    if len(unseen):
        names = [f"{row.column} ({row.unseen_in_test})" for row in unseen.itertuples()]
        yield (
            f"levels that only the test has: {_named(names)}: each model treats them as unknown; "
            "merge rare levels in features.py if there are many"
        )


def _named(names: object) -> str:
    listed = [str(name) for name in names]  # type: ignore[attr-defined]
    more = len(listed) - MOST_NAMED
    return ", ".join(listed[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
