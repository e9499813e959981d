"""Fitted steps from merged statistics: scikit-learn's own, fitted on a few rows.

What a step would learn of all rows it learns of rows made for it: two that say what fills a column
and whether anything is missing there, one a level. So what is fitted here is what is fitted on rows
that are together, in the same classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from pipeline.competition import Cleaning, Preprocessing
from pipeline.partitions.statistics import Known, Number
from pipeline.preprocessing import MAX_LEVELS, MISSING_LEVEL

SMALLEST = 10 * np.finfo(float).eps  # scikit-learn's: a smaller spread is none
QUARTILES = (0.25, 0.5, 0.75)
Steps = list[tuple[str, ColumnTransformer]]


def fills(known: Known, choices: Preprocessing, cleaning: Cleaning) -> dict[str, str]:
    """Return what stands for a missing value of each column that has a fill of its own kind."""
    own = {name: str(way) for name, way in cleaning.columns.items() if way != "drop"}
    return {name: own.get(name, choices.imputer or "median") for name in known.numbers} | {
        name: own.get(name, "missing") for name in known.columns if name not in known.numbers
    }


def fit_imputer(
    step: ColumnTransformer, known: Known, ways: Mapping[str, str]
) -> ColumnTransformer:
    """Return the step that fills missing values, fitted on what is known of its columns.

    ways: of each column, median, mean, most_frequent, zero or missing. The median is one of
    known.ranked.
    """
    rows = {name: _filled(name, known, ways[name]) for name in known.columns}
    return step.fit(pd.DataFrame(rows))


def _filled(name: str, known: Known, way: str) -> pd.Series:
    """Return two cells whose fill is the column's, one of them missing where one of the column is.

    A column without any value has none here either.
    """
    number = known.numbers.get(name)
    if number is None:
        levels = known.levels[name]
        fill = levels.mode if way == "most_frequent" else MISSING_LEVEL
        return pd.Series([fill, None if levels.missing else fill], dtype="str")
    fill = _fill_of(name, known, number, way) if number.n else np.nan
    return pd.Series([fill, np.nan if number.missing else fill], dtype=float)


def _fill_of(name: str, known: Known, number: Number, way: str) -> float:
    if way == "median":
        return known.ranked.get(name, {}).get(0.5, number.mean)
    if way == "most_frequent" and name in known.levels:
        return float(known.levels[name].mode)
    return number.mean


def fit_scaler(step: ColumnTransformer, known: Known, name: str) -> ColumnTransformer:
    """Return the step that scales numbers, fitted on what is known of them; name: which one."""
    rows = {column: _stretched(column, known, name) for column in known.columns}
    fitted = step.fit(pd.DataFrame(rows))
    if name == "standard" and known.numbers:
        _tell_spread(fitted.named_transformers_["numeric"], list(known.numbers.values()))
    return fitted


def _stretched(column: str, known: Known, name: str) -> pd.Series:
    """Return five cells with the column's extremes, or its quartiles at the places of theirs."""
    number = known.numbers.get(column)
    if number is None:
        return pd.Series([MISSING_LEVEL] * 5, dtype="str")
    if not number.n:
        return pd.Series([np.nan] * 5)
    if name == "robust":
        low, middle, high = (known.ranked[column][share] for share in QUARTILES)
        return pd.Series([low, low, middle, high, high])
    return pd.Series([number.least, number.most, number.least, number.most, number.least])


def _tell_spread(scaler: Any, numbers: Sequence[Number]) -> None:
    """Let a StandardScaler know mean and deviation of all rows; what does not vary keeps its size.

    What counts as no spread is scikit-learn's bound on the rounding of a variance.
    """
    n, mean = np.array([one.n for one in numbers]), np.array([one.mean for one in numbers])
    variance = np.square([one.deviation for one in numbers])
    eps = np.finfo(float).eps
    is_constant = variance <= n * eps * variance + np.square(n * mean * eps)
    scaler.mean_, scaler.var_, scaler.n_samples_seen_ = mean, variance, n
    scale = np.sqrt(variance)
    scaler.scale_ = np.where(is_constant | (scale < SMALLEST), 1.0, scale)


def fit_encoder(step: ColumnTransformer, known: Known) -> ColumnTransformer:
    """Return the step that turns text into numbers, fitted on a row a level.

    Of more than MAX_LEVELS, those that keep a column of their own stand twice.
    """
    levels = {
        name: _told_levels(one.counts) for name, one in known.levels.items()
        if name not in known.numbers
    }  # fmt: skip
    n = max((len(one) for one in levels.values()), default=1)
    rows = {
        name: _padded(levels[name], n) if name in levels else pd.Series(np.zeros(n))
        for name in known.columns
    }
    return step.fit(pd.DataFrame(rows))


def _told_levels(counts: pd.Series) -> list[str]:
    """Return all levels, the most frequent ones first and twice, if not all have a column.

    Of equally frequent ones those later in order count as more frequent, as for scikit-learn.
    """
    levels = counts.index.to_numpy(object)
    if len(levels) <= MAX_LEVELS:
        return list(levels)
    frequent = np.argsort(counts.to_numpy(), kind="stable")[: -(MAX_LEVELS - 1) - 1 : -1]
    return [*levels[frequent], *levels]


def _padded(levels: list[str], n: int) -> pd.Series:
    return pd.Series([*levels, *[levels[0]] * (n - len(levels))], dtype="str")
