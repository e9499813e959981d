"""What the target is like among rows of the same level."""

import numpy as np
import pandas as pd

from pipeline.generating.columns import MadeColumns, stacked
from pipeline.generating.lesson import Lesson
from pipeline.generating.levels import Levels
from pipeline.generating.targets import Means

MIN_LEVELS = 3  # of two levels, a code says as much


class TargetEncoding(MadeColumns):
    """The target's smoothed mean by level of each text column, cross-fitted.

    A training row's mean is that of the other inner folds' rows (Micci-Barreca, 2001, for the
    smoothing), a new row's that of all training rows. Missing is a level; unseen levels get the
    overall mean. Of several classes each has its share, of several targets each its mean.
    """

    def learn(self, lesson: Lesson) -> tuple[list[str], np.ndarray]:
        """Learn the means by level; see MadeColumns."""
        self.means_: dict[str, tuple[Levels, Means]] = {}
        names, told = [], []
        for name in lesson.text:
            levels = lesson.levels[name]
            if MIN_LEVELS <= len(np.unique(lesson.codes[name])) < len(lesson):
                means, values = lesson.means(name)
                self.means_[name] = levels, means
                names += [f"{what} by {name}" for what in lesson.target_names]
                told.append(values)
        return names, stacked(told, len(lesson))

    def make(self, X: pd.DataFrame) -> np.ndarray:
        """Return the means of any rows; see MadeColumns."""
        parts = [means.of(levels.codes(X[name])) for name, (levels, means) in self.means_.items()]
        return stacked(parts, len(X))
