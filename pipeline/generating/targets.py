"""Targets as numbers, and their smoothed means by level."""

from typing import Any

import numpy as np

from pipeline.competition import Task

SMOOTHING = 10  # so many rows of the overall mean are added to each level
MOST_CLASSES = 20  # the rarer classes have no columns of their own


def as_numbers(y: Any, task: Task) -> tuple[np.ndarray, list[str]]:
    """Return what is to be averaged (n_samples, n_columns), and what each column is.

    Numbers as they are; of two classes, whether a row is of the last; of more, of each class, the
    most frequent first.
    """
    values = np.asarray(y)
    if task == "regression":
        numbers = values.astype(float).reshape(len(values), -1)
        n = numbers.shape[1]
        return numbers, ["target"] if n == 1 else [f"target {i}" for i in range(1, n + 1)]
    labels, counts = np.unique(values, return_counts=True)
    ordered = labels[np.argsort(-counts, kind="stable")][:MOST_CLASSES]
    kept = labels[1:] if len(labels) == 2 else ordered
    return (values[:, None] == kept).astype(float), [str(label) for label in kept]


class Means:
    """The means of targets by code, drawn to the overall mean: (n * mean + a * overall) / (n + a).

    codes: (n_samples,), below n_codes. targets: (n_samples, n_columns).
    """

    def __init__(self, codes: np.ndarray, n_codes: int, targets: np.ndarray) -> None:
        self.overall = targets.mean(axis=0)
        self.counts = np.bincount(codes, minlength=n_codes)
        self.sums = _sums(codes, n_codes, targets - self.overall)  # of the distances from it

    def of(self, codes: np.ndarray) -> np.ndarray:
        """Return the means (n_samples, n_columns) that new rows get; the overall one if unseen."""
        return self._smoothed(self.sums[codes], self.counts[codes])

    def across(self, codes: np.ndarray, targets: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Return the means (n_samples, n_columns) of the same training rows, without their folds.

        fold: (n_samples,), numbers from 0; the targets of a row's own fold do not count. What a
        level is drawn to is the overall mean for all of them: it is the same for each row, and
        so tells none of them its own target.
        """
        n_folds = int(fold.max(initial=0)) + 1
        both, n_both = codes * n_folds + fold, len(self.counts) * n_folds
        sums = self.sums[codes] - _sums(both, n_both, targets - self.overall)[both]
        counts = self.counts[codes] - np.bincount(both, minlength=n_both)[both]
        return self._smoothed(np.where(counts[:, None] > 0, sums, 0), counts)

    def _smoothed(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        smoothed: np.ndarray = self.overall + sums / (counts[:, None] + SMOOTHING)
        return smoothed


def _sums(codes: np.ndarray, n_codes: int, values: np.ndarray) -> np.ndarray:
    columns = [np.bincount(codes, weights=column, minlength=n_codes) for column in values.T]
    return np.column_stack(columns)
