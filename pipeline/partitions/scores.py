"""A fold's score from sums over blocks of its validation rows, which are never together."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pipeline.competition import METRICS_OF_TASK, MetricName
from pipeline.partitions.statistics import Moments
from pipeline.totals import Score, totals_of

BINS = 1 << 16  # of log odds, for the area under the curve
ODDS = 24.0  # the log odds beyond which probabilities are taken for each other


@dataclass(frozen=True, eq=False)
class Tally:
    """What rows add to a metric.

    sums: of whatever adds up to it. truth: of the answers, for r2. placed: of each class, how many
    of its rows, and of others, have such log odds (n_classes, 2, BINS), for roc_auc.
    """

    metric: MetricName
    rows: int
    sums: np.ndarray
    truth: Moments | None = None
    placed: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        metric: MetricName,
        y: np.ndarray,
        prediction: np.ndarray,
        labels: np.ndarray | None,
    ) -> Self:
        """Return that of some rows; arguments as of pipeline.totals.totals_of."""
        if metric == "roc_auc":
            assert labels is not None
            placed = _placed(np.searchsorted(labels, y), prediction)
            return cls(metric, len(y), np.zeros(1), placed=placed)
        if metric == "r2":
            squared = np.square(prediction[:, 0] - y).sum(keepdims=True)
            return cls(metric, len(y), squared, truth=Moments.of(y.reshape(-1, 1).astype(float)))
        return cls(metric, len(y), totals_of(metric, y, prediction, labels).rows.sum(axis=0))

    def merged(self, other: Self) -> Self:
        """Return that of both."""
        truth = self.truth
        if truth is not None and other.truth is not None:
            truth = truth.merged(other.truth)
        placed = self.placed
        if placed is not None and other.placed is not None:
            placed = placed + other.placed
        rows, sums = self.rows + other.rows, self.sums + other.sums
        return type(self)(self.metric, rows, sums, truth, placed)

    def score(self) -> float:
        """Return the score of all rows; NaN where it is not defined."""
        if self.placed is not None:
            return float(np.mean([area for area, _ in _areas(self.placed)] or [np.nan]))
        if self.truth is not None:
            spread = float(self.truth.squared[0])
            return 1 - float(self.sums[0]) / spread if spread else float("nan")
        return float(_score_of(self.metric)(self.sums[None])[0])

    def uncertainty(self) -> float:
        """Return by how much the score may be wrong, because probabilities are put into bins."""
        if self.placed is None:
            return 0.0
        return float(np.mean([bound for _, bound in _areas(self.placed)] or [0.0]))


def _score_of(metric: MetricName) -> Score:
    """Return the score of sums, which is the same function whatever rows they are of."""
    zero = np.zeros(1)
    if metric in METRICS_OF_TASK["binary"]:
        return totals_of(metric, zero, np.full((1, 2), 0.5), np.array([0, 1])).score
    return totals_of(metric, zero, zero[:, None]).score


def _placed(codes: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return how many rows of each class, and of others, stand in which bin of its log odds."""
    classes = [1] if prediction.shape[1] == 2 else range(prediction.shape[1])
    found = []
    for one in classes:
        with np.errstate(divide="ignore"):
            odds = np.log(prediction[:, one]) - np.log1p(-prediction[:, one])
        place = (np.clip(odds, -ODDS, ODDS) + ODDS) / (2 * ODDS) * (BINS - 1)
        at, is_one = place.round().astype(np.intp), codes == one
        found.append([np.bincount(at[side], minlength=BINS) for side in (is_one, ~is_one)])
    return np.array(found)


def _areas(placed: np.ndarray) -> list[tuple[float, float]]:
    """Return the area of each class that some rows have and some have not, and its bound.

    Rows in one bin count as halves, so the area is wrong by at most half of such pairs.
    """
    areas = []
    for ones, others in placed.astype(float):
        pairs = ones.sum() * others.sum()
        if pairs:
            below = np.cumsum(others) - others
            halves = (ones * others).sum() / 2
            areas.append(((ones @ below + halves) / pairs, halves / pairs))
    return areas
