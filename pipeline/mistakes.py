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
    codes, order = _bins(column)
    is_known, bins = np.isfinite(errors), []
    for code, name in enumerate(order):
        mine = errors[(codes == code) & is_known]
        if len(mine):
            spread = float(mine.std(ddof=1) / np.sqrt(len(mine))) if len(mine) > 1 else float("nan")
            bins.append(Bin(name, len(mine), float(mine.mean()), spread))
    return bins


def _bins(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return the place of each row's bin (n_samples,) among the names, and these in order."""
    if is_numeric_dtype(column):
        codes, order = _of_numbers(column.astype(float))
    else:
        codes, order = _of_levels(column)
    missing = column.isna().to_numpy()
    if missing.any() and MISSING not in order:
        order = [*order, MISSING]
    return np.where(missing, order.index(MISSING) if missing.any() else -1, codes), order


def _of_numbers(values: pd.Series) -> tuple[np.ndarray, list[str]]:
    known = _rounded(values.dropna().to_numpy())
    distinct = np.unique(known)
    if not len(distinct):
        return np.zeros(len(values), dtype=int), []
    if len(distinct) <= FEW_VALUES:
        at = np.searchsorted(distinct, _rounded(values.fillna(distinct[0]).to_numpy()))
        return at, _named(distinct)
    edges = np.unique(_rounded(np.quantile(known, np.linspace(0, 1, N_BINS + 1))))
    at = np.clip(np.searchsorted(edges, values.fillna(edges[0]), side="right") - 1, 0, None)
    written = _named(edges)
    order = [f"{low} – {high}" for low, high in itertools.pairwise(written)]
    return np.minimum(at, len(edges) - 2), order


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
    codes, levels = pd.factorize(values)
    texts = [str(level) for level in levels]
    counts: Counter[str] = Counter()
    for text, n in zip(texts, np.bincount(codes[codes >= 0], minlength=len(texts)), strict=True):
        counts[text] += int(n)
    ranked = sorted(counts, key=lambda text: (-counts[text], text))
    most = len(ranked) if len(ranked) <= FEW_VALUES else N_BINS
    order = sorted(ranked[:most], key=_natural)
    place = {text: number for number, text in enumerate(order)}
    places = np.array([place.get(text, len(order)) for text in texts], dtype=int)
    others = [f"{len(ranked) - most} others"] if len(ranked) > most else []
    return places[codes] if len(places) else codes, [*order, *others]


def _natural(name: str) -> tuple[int, float, str]:
    """Return by what levels are ordered: numbers by their size, then words."""
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name
