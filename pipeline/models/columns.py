"""Tabular columns as TabM takes them: numbers that are normal, and columns of 0 and 1."""

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer
from sklearn.utils.validation import check_is_fitted

from pipeline.errors import ModelError
from pipeline.models.frames import FrameColumns

NOISE = 1e-5  # of a standard deviation; it tells equal values apart while quantiles are fitted
LEAST_RANGE = 1e-6  # numbers that differ by less are constant
MAX_LEVELS = 100  # the rarer levels of a column share one 0/1 column
ROWS_PER_QUANTILE = 30
QUANTILES = (10, 1000)  # at least, at most


class NormalColumns(FrameColumns):
    """Map numbers to the normal distribution by their ranks, and text to 0/1 columns.

    Columns come out as numbers, then 0/1 columns of what is missing, then those of levels. A
    missing number is the mean of the others; where some fitting row lacks it, a column says so. A
    number that is constant in the fitting rows is 0, and constant text is left out. Missing text is
    a level of its own; levels that no fitting row has are zeros.

    n_numeric_: how many of the columns made, the first ones, are numbers.
    widths_: how many columns each of the other features has, in their order.
    """

    def __init__(self, *, seed: int = 42) -> None:
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> "NormalColumns":
        """Learn quantiles, means and levels of X (n_samples, n_features), a frame or an array.

        Raises ModelError if a number is infinite, or every feature is constant.
        """
        frame = self._frame(X, reset=True)
        self.numeric_ = [name for name in frame if is_numeric_dtype(frame[name])]
        text = [name for name in frame if name not in self.numeric_]
        self.text_ = [name for name in text if frame[name].nunique(dropna=False) > 1]
        self._fit_numbers(self._numbers(frame))
        self.levels_ = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MAX_LEVELS, sparse_output=False
        )
        widths = _widths(self.levels_.fit(self._text(frame))) if self.text_ else []
        self.n_numeric_ = len(self.numeric_)
        self.widths_ = [1] * int(self.lacks_.sum()) + widths
        if not self.varies_.any() and not self.widths_:
            raise ModelError("every feature is constant in the rows to train on")
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the columns (n_samples, n_numeric_ + sum of widths_), float32."""
        check_is_fitted(self)
        frame = self._frame(X, reset=False)
        numbers = self._numbers(frame)
        missing = np.isnan(numbers)
        normal = np.where(missing, self.means_, self._normal(numbers))
        levels = [self.levels_.transform(self._text(frame))] if self.text_ else []
        parts = [np.where(self.varies_, normal, 0), missing[:, self.lacks_], *levels]
        return np.concatenate(parts, axis=1, dtype="float32")

    def _fit_numbers(self, numbers: np.ndarray) -> None:
        """Learn the quantiles of numbers (n_samples, n_numeric), and what they make of them."""
        n, (least, most) = len(numbers), QUANTILES
        self.quantiles_ = QuantileTransformer(
            n_quantiles=min(n, max(least, min(n // ROWS_PER_QUANTILE, most))),
            output_distribution="normal",
            subsample=None,
            random_state=self.seed,
        )
        known = ~np.isnan(numbers)
        self.lacks_ = known.any(axis=0) & ~known.all(axis=0)
        count = np.maximum(known.sum(axis=0), 1)
        self.center_ = np.where(known, numbers, 0).sum(axis=0) / count
        away = np.where(known, numbers - self.center_, 0)
        spread = np.sqrt(np.square(away).sum(axis=0) / count)
        self.spread_ = np.where(spread > 0, spread, 1.0)
        if numbers.size:
            noise = NOISE * np.random.default_rng(self.seed).standard_normal(numbers.shape)
            scaled = np.where(known.any(axis=0), self._scaled(numbers), 0)
            self.quantiles_.fit(scaled + noise)
        normal = self._normal(numbers)
        self.means_ = np.where(known, normal, 0).sum(axis=0) / count
        high, low = np.where(known, normal, -np.inf), np.where(known, normal, np.inf)
        reach = high.max(axis=0) - low.min(axis=0)
        self.varies_ = (spread > 0) & (reach > LEAST_RANGE)

    def _normal(self, numbers: np.ndarray) -> np.ndarray:
        if not numbers.size:
            return numbers
        normal: np.ndarray = self.quantiles_.transform(self._scaled(numbers))
        return normal

    def _scaled(self, numbers: np.ndarray) -> np.ndarray:
        """Return numbers of one size: scikit-learn takes what differs by 1e-7 for the same."""
        scaled: np.ndarray = (numbers - self.center_) / self.spread_
        return scaled

    def _text(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the text columns, None where it is missing."""
        text = frame[self.text_].astype(object)
        return text.where(text.notna(), None)


def _widths(encoder: OneHotEncoder) -> list[int]:
    """Return how many columns each encoded feature has."""
    both = zip(encoder.categories_, encoder.infrequent_categories_, strict=True)
    counts = [(len(levels), 0 if rare is None else len(rare)) for levels, rare in both]
    return [n - n_rare + bool(n_rare) for n, n_rare in counts]
