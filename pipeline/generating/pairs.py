"""Sums, differences, products and ratios of two numbers."""

import itertools
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from pipeline.generating.columns import MadeColumns, stacked
from pipeline.generating.lesson import Lesson, bounded, numbers
from pipeline.generating.worth import worthy

MOST_NUMBERS = 32  # whose pairs, by four operations, are 1,984 candidates
MOST_KEPT = 30
OPERATIONS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}


class ArithmeticPairs(MadeColumns):
    """Two numbers, added, subtracted, multiplied or divided.

    Tried are the numbers that a quick model makes most of; kept is what tells more than the columns
    that are there, and orders rows unlike any of them.
    """

    def learn(self, lesson: Lesson) -> tuple[list[str], np.ndarray]:
        """Choose the pairs that are worth it; see MadeColumns."""
        found = lesson.probe
        ranked = sorted(lesson.numeric, key=lambda name: -found.gains[name])[:MOST_NUMBERS]
        columns = {name: numbers(lesson.X, name) for name in ranked}
        tried = [
            (sign, *_denominator_last(one, other, columns))
            for one, other in itertools.combinations(ranked, 2)
            for sign in OPERATIONS
        ]
        some = {name: column[found.rows] for name, column in columns.items()}
        candidates = [_compute(sign, some[one], some[other]) for sign, one, other in tried]
        worth = worthy(found, stacked(candidates, len(found.rows)), MOST_KEPT)
        self.n_candidates_, self.kept_ = len(tried), [tried[i] for i in worth]
        return [f"{one} {sign} {other}" for sign, one, other in self.kept_], self.make(lesson.X)

    def make(self, X: pd.DataFrame) -> np.ndarray:
        """Return the kept pairs of any rows; see MadeColumns."""
        made = [_compute(sign, numbers(X, one), numbers(X, two)) for sign, one, two in self.kept_]
        return stacked(made, len(X))


def _compute(sign: str, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return bounded(OPERATIONS[sign](one, other))


def _denominator_last(one: str, other: str, columns: dict[str, np.ndarray]) -> tuple[str, str]:
    """Return two numbers, the one with fewer zeros last, where it may divide."""
    zeros = [np.count_nonzero(columns[name] == 0) for name in (one, other)]
    return (one, other) if zeros[1] <= zeros[0] else (other, one)
