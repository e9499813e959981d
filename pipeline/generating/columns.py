"""What makers of columns have in common: a transformer of frames that returns what it made."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from pipeline.competition import Task
from pipeline.generating.lesson import Lesson


class MadeColumns(TransformerMixin, BaseEstimator):
    """A transformer from frames to the columns made of them.

    Training rows are told of *other* training rows, new rows of all of them: so what fit_transform
    returns is not always what transform makes of the same rows. A maker has two methods: learn,
    from a lesson to the names and values (n_samples, n_made) of its training rows, and make, from
    any rows to values.

    names_: what the made columns are called. n_candidates_: how many were tried, or None if each
    is made.
    """

    n_candidates_: int | None = None

    def __init__(self, *, task: Task = "regression", seed: int = 42) -> None:
        self.task = task
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: Any = None, groups: Any = None) -> "MadeColumns":
        """Learn from the training rows."""
        self.fit_transform(X, y, groups)
        return self

    def fit_transform(self, X: pd.DataFrame, y: Any = None, groups: Any = None) -> pd.DataFrame:
        """Learn from the training rows, and return what is made of them.

        groups: (n_samples,), of which rows of one are never told of each other's targets.
        """
        names, values = self.learn(Lesson(X, y, groups, task=self.task, seed=self.seed))
        self.names_ = unique_names(names, X)
        return self._frame(X, values)

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return what is made of any rows."""
        check_is_fitted(self, "names_")
        return self._frame(X, self.make(X))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the made columns."""
        return np.array(self.names_, dtype=object)

    def learn(self, lesson: Lesson) -> tuple[list[str], np.ndarray]:
        """Learn from a lesson, and return what the made columns are called and hold."""
        raise NotImplementedError

    def make(self, X: pd.DataFrame) -> np.ndarray:
        """Return the made columns of any rows (n_samples, n_made)."""
        raise NotImplementedError

    def _frame(self, X: pd.DataFrame, values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, columns=self.names_, index=X.index)


def unique_names(wanted: Iterable[str], taken: Iterable[Any]) -> list[str]:
    """Return the names, those that are taken or come twice with a number behind."""
    used, names = set(taken), []
    for name in wanted:
        free, number = name, 2
        while free in used:
            free, number = f"{name} ({number})", number + 1
        used.add(free)
        names.append(free)
    return names


def stacked(columns: list[np.ndarray], n_rows: int) -> np.ndarray:
    """Return columns, or blocks of them, side by side; also where there are none."""
    return np.column_stack(columns) if columns else np.empty((n_rows, 0))
