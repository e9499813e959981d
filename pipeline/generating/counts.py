"""How frequent a row's levels are."""

import numpy as np
import pandas as pd

from pipeline.generating.columns import MadeColumns, stacked
from pipeline.generating.lesson import Lesson


class Counts(MadeColumns):
    """The share of the training rows that have the same level, of each text column.

    A training row does not count itself, so that a level of its own is as rare, 0, as one that
    only new rows have. Missing is a level.
    """

    def learn(self, lesson: Lesson) -> tuple[list[str], np.ndarray]:
        """Count the levels; see MadeColumns."""
        self.levels_ = {name: lesson.levels[name] for name in lesson.text}
        codes = {name: lesson.codes[name] for name in lesson.text}
        self.n_rows_ = len(lesson)
        self.counts_ = {
            name: np.bincount(codes[name], minlength=levels.n_codes)
            for name, levels in self.levels_.items()
        }
        others = max(len(lesson) - 1, 1)
        shares = [(self.counts_[name][codes[name]] - 1) / others for name in codes]
        return [f"share of {name}" for name in codes], stacked(shares, len(lesson))

    def make(self, X: pd.DataFrame) -> np.ndarray:
        """Return the shares of any rows; see MadeColumns."""
        shares = [
            self.counts_[name][levels.codes(X[name])] / self.n_rows_
            for name, levels in self.levels_.items()
        ]
        return stacked(shares, len(X))
