"""What a score out of fold says of the leaderboard: an interval, not a number alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.sparse import csr_matrix

from pipeline.competition import OwnMetric
from pipeline.metrics import Metric
from pipeline.progress import counted
from pipeline.totals import totals_of

LEVEL = 0.9
DRAWS = 1000
OWN_DRAWS = 300  # where each is a call of a competitor's own function
BLOCKS = 2000  # enough of them to draw from, however many rows there are
HIGHEST = {"r2": 1.0, "accuracy": 1.0, "f1_macro": 1.0, "roc_auc": 1.0}
LOWEST = {"r2": -math.inf}  # of the others 0


@dataclass(frozen=True)
class Estimate:
    """The score out of fold, and between what the test rows' score will lie.

    level: the share of such intervals that hold the test rows' score, where the test rows are like
    the training rows. how: what was done to find them, in a few words.
    """

    score: float
    lower: float
    upper: float
    level: float
    how: str

    def __str__(self) -> str:
        width = self.upper - self.lower
        digits = 5 if not width > 0 else min(max(1 - math.floor(math.log10(width)), 0), 12)
        low, high = f"{self.lower:.{digits}f}", f"{self.upper:.{digits}f}"
        return f"{self.score:.{digits + 1}f} ({low} to {high}, {100 * self.level:.0f} %)"


def estimate(
    y: Any,
    prediction: np.ndarray,
    fold: np.ndarray,
    groups: Any,
    metric: Metric,
    labels: np.ndarray | None,
    n_test: int,
    *,
    weights: np.ndarray | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Estimate the score of n_test rows from predictions of rows that were not learned from.

    y: (n_samples,) or (n_samples, n_targets). prediction: (n_samples, n_targets), or probabilities
    (n_samples, n_classes), columns as in labels. fold: (n_samples,), the number of the fold that
    predicted each row, -1 for none. groups: (n_samples,), what is drawn as a whole, or None for
    rows. weights: (n_samples,), how much each row counts.

    Three things differ between the two scores, and their spreads add up: which rows are the test,
    which rows are predicted out of fold (both by bootstrap), and which rows were learned from. The
    last is by how much more the folds' scores vary than their rows explain, shrunk to the mean of
    folds that share most of their training rows (Nadeau and Bengio, 2003). No choice by this score
    is accounted for: predictions that were chosen must come from nested validation.
    """
    if isinstance(metric.name, OwnMetric):
        return _of_own(y, prediction, fold, groups, metric, labels, n_test, level, seed)
    covered = np.asarray(fold) >= 0
    mass = None if weights is None else weights[covered] / weights[covered].mean()
    totals = totals_of(metric.name, np.asarray(y)[covered], prediction[covered], labels, mass)
    units = _units(None if groups is None else np.asarray(groups)[covered], len(totals.rows))
    n_units = int(units.max()) + 1
    n_drawn = max(1, round(n_test * n_units / len(units)))  # groups of the usual size
    sums = np.column_stack([np.bincount(units, column) for column in totals.rows.T])
    rng = np.random.default_rng(seed)
    centre = totals.of_all()
    test = _deviations(sums, n_drawn, totals.score, centre, rng)
    here = _deviations(sums, n_units, totals.score, centre, rng)
    learned, n_folds = _spread_of_learning(totals.rows, fold[covered], totals.score, here)
    if metric.greater_is_better:
        draws = test - here
    else:  # an error that missed the largest ones is too small by a factor
        draws = centre * ((1 + test / centre) / (1 + here / centre) - 1) if centre else test - here
    draws = draws + learned * rng.standard_normal(DRAWS)
    few = stats.t.ppf((1 + level) / 2, n_units - 1) / stats.norm.ppf((1 + level) / 2)
    low, high = centre + few * np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    least, most = LOWEST.get(metric.name, 0.0), HIGHEST.get(metric.name, math.inf)
    score = metric(np.asarray(y)[covered], prediction[covered], labels) if mass is None else centre
    return Estimate(
        score=score,
        lower=float(np.clip(min(low, score), least, most)),
        upper=float(np.clip(max(high, score), least, most)),
        level=level,
        how=_told(n_units, groups, n_test, n_folds),
    )


def _of_own(
    y: Any,
    prediction: np.ndarray,
    fold: np.ndarray,
    groups: Any,
    metric: Metric,
    labels: np.ndarray | None,
    n_test: int,
    level: float,
    seed: int,
) -> Estimate:
    """Estimate as estimate() does, for a metric of which only its function is known.

    Rows are drawn themselves, because no sums of them make the score.
    """
    covered = np.flatnonzero(np.asarray(fold) >= 0)
    truth = np.asarray(y)
    units = _units(None if groups is None else np.asarray(groups)[covered], len(covered))
    rows = np.split(covered[np.argsort(units, kind="stable")], np.cumsum(np.bincount(units))[:-1])
    rng = np.random.default_rng(seed)

    def score(at: np.ndarray) -> float:
        return metric(truth[at], prediction[at], labels)

    def deviations(n_drawn: int) -> np.ndarray:
        taken = min(n_drawn, len(rows))
        picked = rng.integers(len(rows), size=(OWN_DRAWS, taken))
        scores = [score(np.concatenate([rows[unit] for unit in draw])) for draw in picked]
        return (np.array(scores) - centre) * math.sqrt(taken / n_drawn)

    centre = score(covered)
    here = deviations(len(rows))
    test = deviations(max(1, round(n_test * len(rows) / len(covered))))
    numbers = np.asarray(fold)[covered]
    each = np.array([score(covered[numbers == number]) for number in np.unique(numbers)])
    learned = _spread_beyond(each, here)
    draws = test - here + learned * rng.standard_normal(OWN_DRAWS)
    few = stats.t.ppf((1 + level) / 2, len(rows) - 1) / stats.norm.ppf((1 + level) / 2)
    low, high = centre + few * np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(
        score=centre,
        lower=float(min(low, centre)),
        upper=float(max(high, centre)),
        level=level,
        how=_told(len(rows), groups, n_test, len(each)),
    )


def _told(n_units: int, groups: Any, n_test: int, n_folds: int) -> str:
    return (
        f"bootstrap of {counted(n_units, 'row' if groups is None else 'group')} to "
        f"{counted(n_test, 'test row')}, and how {counted(n_folds, 'fold')} vary"
    )


def _units(groups: np.ndarray | None, n_samples: int) -> np.ndarray:
    """Return the number of the unit that each row is drawn with."""
    return np.arange(n_samples) if groups is None else np.unique(groups, return_inverse=True)[1]


def _deviations(
    sums: np.ndarray,
    n_drawn: int,
    score: Callable[[np.ndarray], np.ndarray],
    centre: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return how scores of n_drawn units, drawn with replacement, differ from that of all.

    Of many units, blocks made by chance are drawn: their sums have the same variance. Of a test
    that is far larger than what is here, fewer are drawn and the deviations shrunk.
    """
    n_units = len(sums)
    size = max(1, min(n_drawn, n_units) // BLOCKS)
    n_blocks = n_units // size
    block = rng.permutation(n_units) % n_blocks
    blocks = np.column_stack([np.bincount(block, column, n_blocks) for column in sums.T])
    wanted = max(1, round(n_drawn / size))
    taken = min(wanted, 2 * BLOCKS)
    picked = rng.integers(n_blocks, size=DRAWS * taken)
    ends = np.arange(0, DRAWS * taken + 1, taken)
    counts = csr_matrix((np.ones(len(picked)), picked, ends), shape=(DRAWS, n_blocks))
    shrunk = math.sqrt(taken / wanted) * math.sqrt(n_blocks / max(n_blocks - 1, 1))
    return np.asarray((score(counts @ blocks) - centre) * shrunk)


def _spread_of_learning(
    rows: np.ndarray, fold: np.ndarray, score: Callable[[np.ndarray], np.ndarray], here: np.ndarray
) -> tuple[float, int]:
    """Return the deviation of a score by what was learned from, and the number of folds.

    here: deviations of the score of all rows; that of a fold's rows varies n_folds times as much.
    """
    numbers = np.unique(fold)
    each = score(np.array([rows[fold == number].sum(axis=0) for number in numbers]))
    return _spread_beyond(each, here), len(numbers)


def _spread_beyond(each: np.ndarray, here: np.ndarray) -> float:
    """Return the deviation of a score by what was learned from, of the folds' scores."""
    finite, n_folds = each[np.isfinite(each)], len(each)
    if len(finite) < 2:
        return 0.0
    excess = finite.var(ddof=1) - n_folds * np.nanvar(here)
    return math.sqrt(max(excess, 0.0) * (1 / n_folds + 1 / (n_folds - 1)))
