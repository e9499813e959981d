"""Medians and quartiles of rows that are never together, exactly: found digit by digit.

Floats in the order of their values are whole numbers of 64 bits. A pass counts the next digit of
those numbers that begin as a wanted one does; after six passes every digit of it is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

SHIFTS = (55, 44, 33, 22, 11, 0)  # where digits begin: the first has 9 bits, the others 11
DIGITS = 1 << 11
_SIGN = np.uint64(1 << 63)


@dataclass(frozen=True, eq=False)
class Wanted:
    """The number at one rank, from 0, of one column: what is known of its digits so far.

    rank: among the numbers that begin with the prefix.
    """

    column: int
    rank: int
    prefix: int = 0


@dataclass(frozen=True, eq=False)
class Counts:
    """How many numbers of a column begin with a prefix, by their next digit."""

    each: Mapping[tuple[int, int], np.ndarray]

    @classmethod
    def of(cls, values: np.ndarray, wanted: Sequence[Wanted], step: int) -> Self:
        """Return those of rows (n_samples, n_columns) in pass number step, from 0."""
        each = {}
        for column, prefix in {(one.column, one.prefix) for one in wanted}:
            bits = ordered_bits(values[:, column])
            if step:
                bits = bits[bits >> np.uint64(SHIFTS[step - 1]) == prefix]
            digit = (bits >> np.uint64(SHIFTS[step])) & np.uint64(DIGITS - 1)
            each[column, prefix] = np.bincount(digit.astype(np.intp), minlength=DIGITS)
        return cls(each)

    def merged(self, other: Self) -> Self:
        """Return those of both."""
        return type(self)({key: one + other.each[key] for key, one in self.each.items()})

    def narrowed(self, wanted: Sequence[Wanted], step: int) -> list[Wanted]:
        """Return what is wanted with one digit more."""
        found = []
        for one in wanted:
            total = np.cumsum(self.each[one.column, one.prefix])
            digit = int(np.searchsorted(total, one.rank, side="right"))
            before = int(total[digit - 1]) if digit else 0
            shift = SHIFTS[step - 1] - SHIFTS[step] if step else 0
            found.append(Wanted(one.column, one.rank - before, one.prefix << shift | digit))
        return found


def ranks_at(share: float, n: int) -> tuple[int, int, float]:
    """Return the ranks, from 0, between which a share of n numbers lies, and how far along."""
    place = share * (n - 1)
    low = int(place)
    return low, min(low + 1, n - 1), place - low


def value_between(low: float, high: float, along: float) -> float:
    """Return the value between two neighbours in rank, rounded as NumPy rounds quantiles."""
    if along == 0.5:
        return (low + high) / 2
    return high - (high - low) * (1 - along) if along > 0.5 else low + (high - low) * along


def value_of(found: Wanted) -> float:
    """Return the number of which all digits are known."""
    bits = np.array([found.prefix], np.uint64)
    return float(np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float64)[0])


def ordered_bits(values: np.ndarray) -> np.ndarray:
    """Return numbers as uint64 in the same order, without the missing ones."""
    bits = np.ascontiguousarray(values[~np.isnan(values)] + 0.0).view(np.uint64)
    return np.asarray(np.where(bits & _SIGN, ~bits, bits | _SIGN))
