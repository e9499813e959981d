"""What the target is like among rows of the same two levels."""

import itertools

import numpy as np
import pandas as pd

from pipeline.generating.columns import MadeColumns, stacked
from pipeline.generating.lesson import Lesson
from pipeline.generating.levels import CrossedLevels, Levels
from pipeline.generating.probe import Probe
from pipeline.generating.targets import Means
from pipeline.generating.worth import worthy

MOST = 500  # columns that are tried
MOST_KEPT = 50


class Crosses(MadeColumns):
    """The target's smoothed mean by the levels of two kinds together, cross-fitted.

    Tried are the kinds that a quick model makes most of; kept is what tells more than the columns
    that are there, among them each kind's own means.
    """

    def learn(self, lesson: Lesson) -> tuple[list[str], np.ndarray]:
        """Learn the crosses that are worth it; see MadeColumns."""
        found = lesson.probe
        pairs = _pairs(lesson, found.gains)
        tried = [_told(lesson, one, other, found) for one, other in pairs]
        n_targets = lesson.targets.shape[1]
        self.n_candidates_ = len(pairs) * n_targets
        worth = worthy(found, stacked(tried, len(found.rows)), MOST_KEPT)
        self.kept_ = []
        names, told = [], []
        for i in np.unique(worth // n_targets):
            parts = [int(one) % n_targets for one in worth if one // n_targets == i]
            one, other = pairs[i]
            crossed, codes = _cross(lesson, one, other)
            means = Means(codes, crossed.n_codes, lesson.targets)
            both: tuple[Levels, Levels] = lesson.levels[one], lesson.levels[other]
            self.kept_.append((one, other, both, crossed, means, parts))
            names += [f"{lesson.target_names[part]} by {one} x {other}" for part in parts]
            told.append(means.across(codes, lesson.targets, lesson.fold)[:, parts])
        return names, stacked(told, len(lesson))

    def make(self, X: pd.DataFrame) -> np.ndarray:
        """Return the kept means of any rows; see MadeColumns."""
        made = []
        for one, other, levels, crossed, means, parts in self.kept_:
            codes = crossed.codes(levels[0].codes(X[one]), levels[1].codes(X[other]))
            made.append(means.of(codes)[:, parts])
        return stacked(made, len(X))


def _pairs(lesson: Lesson, gains: dict[str, float]) -> list[tuple[str, str]]:
    """Return the pairs of kinds to try, those first of which a quick model makes most."""
    pairs = itertools.combinations(lesson.kinds, 2)
    ranked = sorted(pairs, key=lambda pair: -gains[pair[0]] * gains[pair[1]])
    return ranked[: MOST // lesson.targets.shape[1]]


def _cross(lesson: Lesson, one: str, other: str) -> tuple[CrossedLevels, np.ndarray]:
    pair = lesson.codes[one], lesson.codes[other]
    crossed = CrossedLevels(*pair, lesson.levels[other].n_codes)
    return crossed, crossed.codes(*pair)


def _told(lesson: Lesson, one: str, other: str, found: Probe) -> np.ndarray:
    """Return a cross's means of the rows to look at (n, n_targets), learned from these alone."""
    rows, targets = found.rows, lesson.targets[found.rows]
    pair = lesson.codes[one][rows], lesson.codes[other][rows]
    crossed = CrossedLevels(*pair, lesson.levels[other].n_codes)
    codes = crossed.codes(*pair)
    return Means(codes, crossed.n_codes, targets).across(codes, targets, lesson.fold[rows])
