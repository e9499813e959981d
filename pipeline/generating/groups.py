"""How a row's numbers compare with those of other rows of the same kind."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.generating.columns import MadeColumns, stacked
from pipeline.generating.lesson import Lesson, bounded, numbers
from pipeline.generating.levels import Levels
from pipeline.generating.worth import worthy

MOST = 100  # columns that are tried


class Group:
    """A number's mean and ranks among the training rows of each level of a kind."""

    def __init__(self, codes: np.ndarray, n_codes: int, values: np.ndarray) -> None:
        there = ~np.isnan(values)
        codes, values = codes[there], values[there]
        with np.errstate(all="ignore"):  # what is beyond float64 then is missing
            self.center = float(values.mean()) if len(values) else 0.0
        self.counts = np.bincount(codes, minlength=n_codes)
        self.sums = np.bincount(codes, weights=values - self.center, minlength=n_codes)
        self.is_positive = bool(len(values) and values.min() > 0)
        self.known = np.unique(values)
        self.sorted = np.sort(self._places(codes, values))

    def compare(self, codes: np.ndarray, values: np.ndarray, *, own: bool) -> np.ndarray:
        """Return the mean, the distance from it, and the rank from 0 to 1 of rows (n_samples, 3).

        The distance is a ratio where all training rows' numbers are above 0. own: the rows are
        the training rows, each of which is compared with the others. NaN where there are none.
        """
        there = ~np.isnan(values)
        itself = there & own
        counts = self.counts[codes] - itself
        away = np.where(itself, values - self.center, 0)
        with np.errstate(all="ignore"):
            mean = self.center + (self.sums[codes] - away) / np.where(counts > 0, counts, np.nan)
            distance = values / mean if self.is_positive else values - mean
        return bounded(np.column_stack([mean, distance, self._ranks(codes, values, counts, own)]))

    def _places(self, codes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return whole numbers that sort rows by level, then by number: odd for known numbers."""
        left = np.searchsorted(self.known, values, side="left")
        is_known = np.searchsorted(self.known, values, side="right") > left
        places: np.ndarray = codes * (2 * len(self.known) + 2) + 2 * left + is_known
        return places

    def _ranks(
        self, codes: np.ndarray, values: np.ndarray, counts: np.ndarray, own: bool
    ) -> np.ndarray:
        places = self._places(codes, values)
        first = np.searchsorted(self.sorted, codes * (2 * len(self.known) + 2))
        below = np.searchsorted(self.sorted, places, side="left") - first
        equal = np.searchsorted(self.sorted, places, side="right") - first - below - own
        ranks = (below + equal / 2) / np.where(counts > 0, counts, np.nan)
        return np.where(np.isnan(values), np.nan, ranks)


class _Tried:
    """One number by one kind, in the training rows."""

    def __init__(self, lesson: Lesson, number: str, kind: str) -> None:
        self.values, self.codes = numbers(lesson.X, number), lesson.codes[kind]
        self.group = Group(self.codes, lesson.levels[kind].n_codes, self.values)

    def told(self, rows: np.ndarray) -> np.ndarray:
        """Return what training rows are told of the others (n, 3)."""
        return self.group.compare(self.codes[rows], self.values[rows], own=True)


@dataclass(frozen=True, eq=False)
class _Kept:
    """One number by one kind, and which of the three columns are kept."""

    number: str
    kind: str
    levels: Levels
    group: Group
    parts: list[int]


class GroupStatistics(MadeColumns):
    """The mean of a number among rows of the same kind, its ratio to it, and its rank there.

    Tried are the numbers and kinds that a quick model makes most of; kept is what tells more than
    the columns that are there.
    """

    def learn(self, lesson: Lesson) -> tuple[list[str], np.ndarray]:
        """Learn the groups that are worth it; see MadeColumns."""
        found = lesson.probe
        pairs = _pairs(lesson, found.gains)
        self.n_candidates_, self.kept_ = 3 * len(pairs), list[_Kept]()
        tried = [_Tried(lesson, *pair) for pair in pairs]
        candidates = [one.told(found.rows) for one in tried]
        worth = worthy(found, stacked(candidates, len(found.rows)), MOST)
        names, told = [], []
        for i in np.unique(worth // 3):
            parts, (number, kind) = [int(one) % 3 for one in worth if one // 3 == i], pairs[i]
            self.kept_.append(_Kept(number, kind, lesson.levels[kind], tried[i].group, parts))
            names += [_names(number, kind, tried[i].group)[part] for part in parts]
            told.append(tried[i].told(np.arange(len(lesson)))[:, parts])
        return names, stacked(told, len(lesson))

    def make(self, X: pd.DataFrame) -> np.ndarray:
        """Return the kept columns of any rows; see MadeColumns."""
        parts = [
            one.group.compare(one.levels.codes(X[one.kind]), numbers(X, one.number), own=False)[
                :, one.parts
            ]
            for one in self.kept_
        ]
        return stacked(parts, len(X))


def _pairs(lesson: Lesson, gains: dict[str, float]) -> list[tuple[str, str]]:
    """Return the numbers and kinds to try, those first of which a quick model makes most."""
    pairs = [(n, k) for n in lesson.numeric for k in lesson.kinds if n != k]
    return sorted(pairs, key=lambda pair: -gains[pair[0]] * gains[pair[1]])[: MOST // 3]


def _names(number: str, kind: str, group: Group) -> tuple[str, str, str]:
    sign = "/" if group.is_positive else "-"
    return f"mean {number} by {kind}", f"{number} {sign} mean by {kind}", f"rank {number} by {kind}"
