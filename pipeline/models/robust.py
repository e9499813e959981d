"""Tabular columns as RealMLP takes them: numbers scaled and clipped, levels as 0/1 or codes."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.utils.validation import check_is_fitted

from pipeline.models.frames import FrameColumns

SMALLEST = float(np.finfo(np.float32).tiny)  # a spread below it is none for 32 bits
SOFT_LIMIT = 3.0
ONE_HOT_LEVELS = 8  # with more, a level is an embedded code


class RobustColumns(FrameColumns):
    """Scale numbers by their quartiles, fill them by their means, and code text.

    Columns come out as numbers, then codes of columns with many levels, then 0/1 columns. Of two
    levels one column of -1 and 1 is made. A number that is missing in some fitting row has a 0/1
    column that says so. Missing and unknown levels are zeros, and code 0. Numbers and 0/1 columns
    are centred at the median, divided by the interquartile range (half the range where that is 0;
    constant columns become 0) and softly clipped to within -3 and 3 (arXiv 2407.04491).

    n_numeric_, n_coded_: how many of the columns made are numbers, and how many after them codes.
    n_levels_: how many codes there are at most, 0 among them.
    """

    def fit(self, X: Any, y: Any = None) -> "RobustColumns":
        """Learn from X (n_samples, n_features), a frame of numbers and text, or an array.

        Raises ModelError for infinite numbers.
        """
        frame = self._frame(X, reset=True)
        self.numeric_ = [name for name in frame if is_numeric_dtype(frame[name])]
        self.levels_ = {
            name: np.unique(frame[name].dropna().astype(str).to_numpy(object))
            for name in frame
            if name not in self.numeric_
        }
        self.coded_ = [n for n, levels in self.levels_.items() if len(levels) > ONE_HOT_LEVELS]
        numbers = self._numbers(frame)
        known = ~np.isnan(numbers)
        self.lacks_ = ~known.all(axis=0)
        count = np.maximum(known.sum(axis=0), 1)
        self.means_ = np.where(known, numbers, 0).sum(axis=0) / count
        plain = self._plain(frame)
        self.center_, self.factor_ = _robust(plain)
        self.n_numeric_, self.n_coded_ = len(self.numeric_), len(self.coded_)
        self.n_levels_ = 1 + max((len(self.levels_[name]) for name in self.coded_), default=0)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the columns (n_samples, n_made), float32."""
        check_is_fitted(self)
        frame = self._frame(X, reset=False)
        scaled = (self._plain(frame) - self.center_) * self.factor_
        clipped = scaled / np.sqrt(1 + np.square(scaled / SOFT_LIMIT))
        codes = [self._codes(frame, name) for name in self.coded_]
        parts = [clipped[:, : self.n_numeric_], *codes, clipped[:, self.n_numeric_ :]]
        return np.column_stack(parts).astype("float32")

    def _plain(self, frame: pd.DataFrame) -> np.ndarray:
        """Return numbers, filled, then 0/1 columns."""
        numbers = self._numbers(frame)
        missing = np.isnan(numbers)
        few = [self._indicators(frame, name) for name in self.levels_ if name not in self.coded_]
        parts = [np.where(missing, self.means_, numbers), missing[:, self.lacks_], *few]
        return np.column_stack([np.asarray(part, dtype=float) for part in parts])

    def _codes(self, frame: pd.DataFrame, name: Hashable) -> np.ndarray:
        """Return codes from 1 of a column's known levels, else 0 (n_samples,)."""
        levels = self.levels_[name]
        text = frame[name].astype(object)
        known = pd.Index(levels).get_indexer(text.where(text.isna(), text.astype(str)))
        codes: np.ndarray = np.asarray(known) + 1
        return codes

    def _indicators(self, frame: pd.DataFrame, name: Hashable) -> np.ndarray:
        """Return a 0/1 column a level, or one of 1 and -1 for two."""
        levels, codes = self.levels_[name], self._codes(frame, name)
        each: np.ndarray = (codes[:, None] == np.arange(1, len(levels) + 1)).astype(float)
        return each[:, :1] - each[:, 1:] if len(levels) == 2 else each


def _robust(plain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each column's median, and what it is multiplied by."""
    low, center, high = np.quantile(plain, (0.25, 0.5, 0.75), axis=0)
    reach = plain.max(axis=0) - plain.min(axis=0)
    spread = np.where(high > low, high - low, reach / 2)
    varies = spread > SMALLEST
    return center, np.where(varies, 1 / np.where(varies, spread, 1), 0.0)
