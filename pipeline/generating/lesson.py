"""The training rows of one fold, as those see them who make columns from them."""

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from pipeline.competition import Task
from pipeline.generating.levels import Levels
from pipeline.generating.probe import Probe, probe
from pipeline.generating.targets import Means, as_numbers
from pipeline.preprocessing import NumericColumns, TextColumns
from pipeline.splits import deal_groups

N_FOLDS = 5  # inner ones: no row is told of its own fold's targets
FEW_LEVELS = 50  # whole numbers of so many levels may name kinds


class Lesson:
    """Training rows X (n_samples, n_features), their targets, and inner folds (n_samples,).

    y: (n_samples,) or (n_samples, n_targets), or None where nobody asks for it. groups: rows of one
    group are in one inner fold. What is computed of them is computed once.
    """

    def __init__(
        self, X: pd.DataFrame, y: Any, groups: Any = None, *, task: Task, seed: int
    ) -> None:
        self.X, self.seed, self._y, self._task = X, seed, y, task
        self.numeric, self.text = NumericColumns()(X), TextColumns()(X)
        self._groups = None if groups is None else _codes(groups)
        self.fold = _folds(len(X), self._groups, seed)

    def __len__(self) -> int:
        return len(self.X)

    @cached_property
    def _targets(self) -> tuple[np.ndarray, list[str]]:
        if self._y is None:
            raise ValueError("y: expected the targets of the rows, found None")
        return as_numbers(self._y, self._task)

    @property
    def targets(self) -> np.ndarray:
        """What is predicted, as numbers (n_samples, n_columns)."""
        return self._targets[0]

    @property
    def target_names(self) -> list[str]:
        """What the columns of targets are."""
        return self._targets[1]

    @cached_property
    def kinds(self) -> list[str]:
        """The columns that name kinds, or may: text, and whole numbers of few levels."""
        whole = [name for name in self.numeric if _is_kind(numbers(self.X, name))]
        chosen = {*self.text, *whole}
        return [str(name) for name in self.X if name in chosen]

    @cached_property
    def levels(self) -> dict[str, Levels]:
        """The levels of each kind."""
        return {name: Levels(self.X[name]) for name in self.kinds}

    @cached_property
    def codes(self) -> dict[str, np.ndarray]:
        """The code of each row's level (n_samples,), of each kind."""
        return {name: levels.codes(self.X[name]) for name, levels in self.levels.items()}

    @cached_property
    def probe(self) -> Probe:
        """What a quick model makes of the columns, with targets' means for text."""
        told = {name: self.means(name)[1] for name in self.text}
        columns = {name: numbers(self.X, name)[:, None] for name in self.numeric} | told
        return probe(columns, self.targets, self.fold, self._groups, self.seed)

    def means(self, name: str) -> tuple[Means, np.ndarray]:
        """Return the targets' means by level of a kind, and those the training rows are told."""
        codes = self.codes[name]
        found = Means(codes, self.levels[name].n_codes, self.targets)
        return found, found.across(codes, self.targets, self.fold)


def numbers(X: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column of numbers (n_samples,); what is missing or infinite is NaN."""
    values: np.ndarray = X[name].to_numpy(float, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def bounded(values: np.ndarray) -> np.ndarray:
    """Return computed numbers with NaN for those that are none, or that float32 cannot hold."""
    return np.where(np.abs(values) < np.finfo(np.float32).max, values, np.nan)


def _is_kind(values: np.ndarray) -> bool:
    known = values[~np.isnan(values)]
    if not (known % 1 == 0).all():
        return False
    return 2 <= len(np.unique(known)) <= FEW_LEVELS


def _codes(groups: Any) -> np.ndarray:
    """Return groups numbered from 0 (n_samples,)."""
    return np.asarray(pd.factorize(np.asarray(groups), use_na_sentinel=False)[0])


def _folds(n: int, groups: np.ndarray | None, seed: int) -> np.ndarray:
    """Return each row's inner fold by chance (n_samples,), whole groups where there are some."""
    if groups is not None:
        return deal_groups(groups, N_FOLDS, seed)
    shuffled = np.random.default_rng(seed).permutation(n)
    return shuffled % N_FOLDS
