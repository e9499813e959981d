"""Where predictions miss: the mean error in bins of each column's values."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

N_BINS = 8
FEW_VALUES = 24  # the hours of a day: each is a bin of its own
MISSING = "missing"


@dataclass(frozen=True)
class Bin:
    """Rows whose values of a column are alike: how many, their mean error, its standard error."""

    name: str
    n: int
    mean: float
    error: float


def errors_in_bins(column: pd.Series, errors: np.ndarray) -> list[Bin]:
    """Return the mean error in each bin of a column, in the order of its values.

    errors: (n_samples,), NaN for rows that were not predicted. Numbers are cut into bins of about
    equally many rows; of text the most frequent levels are told apart; missing values come last.
    """
    names, order = _bins(column)
    bins = []
    for name in order:
        here = np.array([one == name for one in names])  # numpy drops what ends in a NUL
        mine = errors[here & np.isfinite(errors)]
        if len(mine):
            spread = float(mine.std(ddof=1) / np.sqrt(len(mine))) if len(mine) > 1 else float("nan")
            bins.append(Bin(name, len(mine), float(mine.mean()), spread))
    return bins


def _bins(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return the name of each row's bin (n_samples,), and the names in order."""
    if is_numeric_dtype(column):
        names, order = _of_numbers(column.astype(float))
    else:
        names, order = _of_levels(column.astype(object))
    missing = column.isna().to_numpy()
    names[missing] = MISSING
    return names, [*order, *([MISSING] if missing.any() and MISSING not in order else [])]


def _of_numbers(values: pd.Series) -> tuple[np.ndarray, list[str]]:
    known = _rounded(values.dropna().to_numpy())
    distinct = np.unique(known)
    if len(distinct) <= FEW_VALUES:
        order = _named(distinct)
        filled = values.fillna(distinct[0] if len(distinct) else 0.0)
        at = np.searchsorted(distinct, _rounded(filled.to_numpy()))
        if not len(distinct):
            return np.full(len(values), MISSING, dtype=object), []
        return np.array(order, dtype=object)[at], order
    edges = np.unique(_rounded(np.quantile(known, np.linspace(0, 1, N_BINS + 1))))
    at = np.clip(np.searchsorted(edges, values.fillna(edges[0]), side="right") - 1, 0, None)
    at = np.minimum(at, len(edges) - 2)
    written = _named(edges)
    order = [f"{low} – {high}" for low, high in itertools.pairwise(written)]
    return np.array(order, dtype=object)[at], order


def _rounded(values: np.ndarray) -> np.ndarray:
    """Return values to six significant digits of the largest; the rest tells nobody anything."""
    largest = float(np.abs(values).max(initial=0.0))
    if not 0 < largest < np.inf:
        return values
    return np.asarray(np.round(values, 5 - int(np.floor(np.log10(largest)))) + 0.0)


def _named(values: Sequence[float] | np.ndarray) -> list[str]:
    """Return numbers as short as they can be told apart."""
    for digits in range(3, 18):
        written = [f"{value:.{digits}g}" for value in values]
        if len(set(written)) == len(written):
            break
    return [_plain(one) for one in written]


def _plain(written: str) -> str:
    """Return a number without a power of ten, where that is not too long."""
    value = float(written)
    return f"{value:.0f}" if "e+" in written and abs(value) < 1e9 else written


def _of_levels(values: pd.Series) -> tuple[np.ndarray, list[str]]:
    texts = [
        MISSING if is_gap else str(value)
        for value, is_gap in zip(values, values.isna(), strict=True)
    ]
    counts = Counter(text for text, is_gap in zip(texts, values.isna(), strict=True) if not is_gap)
    ranked = sorted(counts, key=lambda text: (-counts[text], text))
    most = len(ranked) if len(ranked) <= FEW_VALUES else N_BINS
    order = sorted(ranked[:most], key=_natural)
    others = f"{len(ranked) - most} others" if len(ranked) > most else MISSING
    shown = set(order)
    names = np.array([text if text in shown else others for text in texts], dtype=object)
    return names, [*order, *([others] if len(ranked) > most else [])]


def _natural(name: str) -> tuple[int, float, str]:
    """Return by what levels are ordered: numbers by their size, then words."""
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name
