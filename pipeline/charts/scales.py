"""From values to pixels, and which values an axis names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.charts.numbers import round_ticks, short, tick_labels

Kind = Literal["linear", "log1p", "whole"]
HUGE = 1e100


@dataclass(frozen=True)
class Scale:
    """A straight way from values between low and high to pixels between start and end.

    kind: "log1p" spaces the logarithms of 1 + value evenly, for counts and prices; "whole" names
    whole numbers alone.
    """

    low: float
    high: float
    start: float
    end: float
    kind: Kind = "linear"

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high, here = (self._on(one) for one in (self.low, self.high, value))
        return self.start + (here - low) / (high - low) * (self.end - self.start)

    def _on(self, value: float) -> float:
        return math.log1p(value) if self.kind == "log1p" else value

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Return the round values on it and how they are written."""
        if self.kind == "log1p":
            return [(tick, short(tick)) for tick in self._powers(most)]
        found = round_ticks(self.low, self.high, most)
        if self.kind == "whole":
            found = sorted({round(one) for one in found if self.low <= round(one) <= self.high})
        return list(zip(found, tick_labels(found), strict=True))

    def _powers(self, most: int) -> list[float]:
        """Return round values that are about evenly spaced by their logarithms."""
        top = math.floor(math.log10(max(self.high, 1.0)))
        for digits in ((1, 2, 5), (1, 3), (1,)):
            values = [digit * 10.0**power for power in range(top + 1) for digit in digits]
            inside = [one for one in (0.0, *values) if self.low <= one <= self.high]
            if 2 <= len(inside) <= most:
                return inside
        if len(inside) < 2:
            return round_ticks(self.low, self.high, most)
        return inside[:: math.ceil(len(inside) / most)]

    def facts(self) -> str:
        """Return what a script needs to find a pixel's value."""
        return f"{self.low:.6g} {self.high:.6g} {self.start:.1f} {self.end:.1f} {self.kind}"


def drawable(values: float | Sequence[float] | np.ndarray) -> np.ndarray:
    """Return which values a chart can show: finite, and not so large that sums overflow."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(np.asarray(values, dtype=float)) < HUGE)


def extent(*values: Sequence[float] | np.ndarray, room: float = 0.03) -> tuple[float, float]:
    """Return the least and the greatest value that can be drawn, with some room between.

    room: as a share of their distance. They are never the same.
    """
    every = np.concatenate([np.asarray(one, dtype=float).ravel() for one in values])
    every = every[drawable(every)]
    if not len(every):
        return 0.0, 1.0
    low, high = float(every.min()), float(every.max())
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        wide = abs(low) * 0.1 or 1.0
        return low - wide, high + wide
    return low - room * (high - low), high + room * (high - low)
