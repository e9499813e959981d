"""What a quick model makes of the columns that are there already, and what it leaves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_ROWS = 10_000  # that are looked at
LEAST_ROWS = 50  # of fewer, nothing is unexplained but chance
MOST_TARGETS = 5  # of several targets or classes, the first ones
CONSTANT = 1e-9  # a column whose spread is less, as a share of its largest number
QUICK: dict[str, Any] = {
    "n_estimators": 80, "learning_rate": 0.1, "num_leaves": 15, "min_child_samples": 10,
    "subsample": 0.8, "subsample_freq": 1, "colsample_bytree": 0.5, "importance_type": "gain",
    "deterministic": True, "force_row_wise": True, "n_jobs": 1, "verbose": -1,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Probe:
    """What a quick model makes of the columns that are there already.

    rows: (n,), positions of those that were looked at. known: (n, n_columns), the columns as
    numbers. targets: (n, n_targets), with variance 1; none if there are too few rows. fold: (n,).
    gains: by column, how much the model made of it. left: (n, n_targets), what it leaves of the
    targets out of fold. beside: (n,), the rows in an order in which those of one group are
    neighbours, or None where there are no groups.
    """

    rows: np.ndarray
    known: np.ndarray
    targets: np.ndarray
    fold: np.ndarray
    gains: dict[str, float]
    left: np.ndarray
    beside: np.ndarray | None
    seed: int

    def shuffled(self, rng: np.random.Generator) -> np.ndarray:
        """Return the rows in an order by chance (n,).

        Rows of one group stay together, shifted round: neighbours are alike, and what follows them
        by chance must be as alike as they are.
        """
        n = len(self.rows)
        if self.beside is None:
            return rng.permutation(n)
        shift = int(rng.integers(n // 10, n - n // 10))
        order = np.empty(n, dtype=int)
        order[self.beside] = np.roll(self.beside, shift)
        return order

    def unexplained(self, more: np.ndarray) -> np.ndarray:
        """Return what the model leaves out of fold (n, n_targets) if it sees more columns, too."""
        columns = np.column_stack([self.known, more])
        return _unexplained(columns, self.targets, self.fold, self.seed)[0]


def probe(
    columns: Mapping[str, np.ndarray],
    targets: np.ndarray,
    fold: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
) -> Probe:
    """Fit the quick model on each fold's other rows, and look at what it leaves of the fold's.

    columns: each (n_samples, its width), numbers. targets: (n_samples, n_targets). groups:
    (n_samples,), numbers.
    """
    rows = _some(len(fold), seed)
    blocks = [block[rows] for block in columns.values()]
    known = np.column_stack(blocks) if blocks else np.empty((len(rows), 0))
    n_targets = MOST_TARGETS if len(rows) >= LEAST_ROWS else 0
    standard = _standardised(targets[rows][:, :n_targets])
    left, gains = _unexplained(known, standard, fold[rows], seed)
    owner = np.repeat(np.arange(len(blocks)), [block.shape[1] for block in blocks])
    by_column = np.bincount(owner, weights=gains, minlength=len(blocks))
    named = dict(zip(columns, by_column.tolist(), strict=True))
    beside = None if groups is None else np.argsort(groups[rows], kind="stable")
    return Probe(rows, known, standard, fold[rows], named, left, beside, seed)


def quick_model(seed: int) -> Any:
    """Return a small unfitted LightGBM for one number, whose importances are gains."""
    from lightgbm import LGBMRegressor

    return LGBMRegressor(random_state=seed, **QUICK)


def _some(n_rows: int, seed: int) -> np.ndarray:
    """Return the sorted positions of the rows to look at: all, or so many by chance."""
    if n_rows <= MOST_ROWS:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, MOST_ROWS, replace=False))


def _standardised(columns: np.ndarray) -> np.ndarray:
    """Return the columns with mean 0 and variance 1, without those that are constant."""
    size = np.abs(columns).max(axis=0, initial=0)
    away = columns / np.where(size > 0, size, 1)  # squares of huge numbers are none
    away = away - away.mean(axis=0)
    spread = away.std(axis=0)
    varies = spread > CONSTANT
    standardised: np.ndarray = away[:, varies] / spread[varies]
    return standardised


def _unexplained(
    known: np.ndarray, targets: np.ndarray, fold: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the quick model leaves of targets out of fold, and its gain by column."""
    left, gains = targets.copy(), np.zeros(known.shape[1])
    for number in np.unique(fold) if known.shape[1] else []:
        out = fold == number
        if out.all():
            continue
        for i, target in enumerate(targets.T):
            model = quick_model(seed).fit(known[~out], target[~out])
            left[out, i] -= model.predict(known[out])
            gains += model.feature_importances_
    return left, gains
