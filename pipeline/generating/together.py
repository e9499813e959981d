"""The families of generated features, and the step that adds those which a model asks for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from pipeline.competition import Task
from pipeline.errors import ModelError, did_you_mean
from pipeline.generating.columns import MadeColumns, unique_names
from pipeline.generating.counts import Counts
from pipeline.generating.crosses import Crosses
from pipeline.generating.dates import Cycles
from pipeline.generating.groups import GroupStatistics
from pipeline.generating.lesson import Lesson
from pipeline.generating.pairs import ArithmeticPairs
from pipeline.generating.target_encoding import TargetEncoding

FAMILIES: Mapping[str, type[MadeColumns]] = {
    "target_encoding": TargetEncoding,
    "counts": Counts,
    "groups": GroupStatistics,
    "crosses": Crosses,
    "dates": Cycles,
    "pairs": ArithmeticPairs,
}


class GeneratedFeatures(TransformerMixin, BaseEstimator):
    """Add the columns that families make of a frame; each makes them of the frame's own columns.

    families: names of FAMILIES. task: what y is. makers_: the fitted maker of each family. made_:
    by family, the columns it added.
    """

    def __init__(
        self, *, families: Sequence[str] = (), task: Task = "regression", seed: int = 42
    ) -> None:
        self.families = families
        self.task = task
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: Any = None, groups: Any = None) -> "GeneratedFeatures":
        """Learn from the training rows; see MadeColumns."""
        self.fit_transform(X, y, groups)
        return self

    def fit_transform(self, X: pd.DataFrame, y: Any = None, groups: Any = None) -> pd.DataFrame:
        """Learn from the training rows, and return them with their columns; see MadeColumns.

        Raises ModelError for a family that is not known.
        """
        check_families(self.families, "features")
        lesson = Lesson(X, y, groups, task=self.task, seed=self.seed)
        makers = {name: FAMILIES[name](task=self.task, seed=self.seed) for name in self.families}
        learned = {name: maker.learn(lesson) for name, maker in makers.items()}
        free = iter(unique_names([n for names, _ in learned.values() for n in names], X))
        for name, (names, _) in learned.items():
            makers[name].names_ = [next(free) for _ in names]
        self.feature_names_in_ = np.array(list(X), dtype=object)
        self.makers_ = makers
        self.made_ = {name: list(maker.names_) for name, maker in makers.items()}
        return self._added(X, [values for _, values in learned.values()])

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return any rows with their columns."""
        check_is_fitted(self, "makers_")
        return self._added(X, [maker.make(X) for maker in self.makers_.values()])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of all columns, those of the frame first."""
        made = [name for names in self.made_.values() for name in names]
        return np.array([*self.feature_names_in_, *made], dtype=object)

    def changes(self) -> list[dict[str, Any]]:
        """Return the added columns, each with its family."""
        return [
            {"column": name, "family": family}
            for family, names in self.made_.items()
            for name in names
        ]

    def line(self) -> str:
        """Return in one line how many columns each family added, and of how many it tried."""
        return ", ".join(_counted(family, maker) for family, maker in self.makers_.items())

    def _added(self, X: pd.DataFrame, values: list[np.ndarray]) -> pd.DataFrame:
        parts = zip(self.made_.values(), values, strict=True)
        made = [pd.DataFrame(block, columns=names, index=X.index) for names, block in parts]
        return pd.concat([X, *made], axis="columns")


def _counted(family: str, maker: MadeColumns) -> str:
    tried = "" if maker.n_candidates_ is None else f" of {maker.n_candidates_:,}"
    return f"{family} {len(maker.names_):,}{tried}"


def check_families(families: Iterable[str], where: str) -> None:
    """Raise ModelError, which says where, for a family that is not known."""
    for family in families:
        if family not in FAMILIES:
            raise ModelError(f"{where}: {family!r}; {did_you_mean(family, FAMILIES)}")
