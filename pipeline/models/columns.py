"""Tabular columns as TabM takes them: numbers that are normal, and columns of 0 and 1."""

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer
from sklearn.utils.validation import check_is_fitted

from pipeline.errors import ModelError

NOISE = 1e-5  # of a standard deviation; it tells equal values apart while quantiles are fitted
LEAST_RANGE = 1e-6  # columns that differ by less are constant
MAX_LEVELS = 100  # the rarer levels of a column share one 0/1 column
ROWS_PER_QUANTILE = 30
QUANTILES = (10, 1000)  # at least, at most


class NormalColumns(TransformerMixin, BaseEstimator):
    """Map numbers to the normal distribution by their ranks, and text to 0/1 columns.

    A missing number becomes the mean, beside a 0/1 column that says so where fitting rows lack some.
    Missing text is a level of its own; levels that no fitting row has are zeros. Columns that are
    constant in the fitting rows are left out.

    n_numeric_: how many of the columns made, the first ones, are numbers.
    widths_: how many columns each of the other features has, in their order.
    """

    def __init__(self, *, seed: int = 42) -> None:
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> "NormalColumns":
        """Learn quantiles, means and levels of X (n_samples, n_features), a frame or an array.

        Raises ModelError if a number is infinite, or no column is left.
        """
        X = self._frame(X, reset=True)
        self.numeric_ = [name for name in X if is_numeric_dtype(X[name]) and X[name].notna().any()]
        text = [name for name in X if not is_numeric_dtype(X[name])]
        self._fit_numbers(self._numbers(X))
        self.text_ = [name for name in text if X[name].nunique(dropna=False) > 1]
        self.levels_ = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MAX_LEVELS, sparse_output=False,
            dtype="float32",
        )  # fmt: skip
        widths: list[int] = []
        if self.text_:
            widths = _widths(self.levels_.fit(self._text(X)))
        self.n_numeric_ = int(self.varies_.sum())
        self.widths_ = [1] * int(self.lacks_.sum()) + widths
        if not self.n_numeric_ and not self.widths_:
            raise ModelError("every feature is constant in the rows to train on")
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the columns (n_samples, n_numeric_ + sum of widths_), float32."""
        check_is_fitted(self)
        X = self._frame(X, reset=False)
        numbers = self._numbers(X)
        missing = np.isnan(numbers)
        normal = self._normal(numbers)
        parts = [
            np.where(missing, self.means_, normal)[:, self.varies_],
            missing[:, self.lacks_],
        ]
        if self.text_:
            parts.append(self.levels_.transform(self._text(X)))
        return np.concatenate(parts, axis=1, dtype="float32")

    def _fit_numbers(self, numbers: np.ndarray) -> None:
        """Learn the quantiles (n_samples, n_numbers), the means of what they make, and who varies."""
        n = len(numbers)
        least, most = QUANTILES
        self.quantiles_ = QuantileTransformer(
            n_quantiles=min(n, max(least, min(n // ROWS_PER_QUANTILE, most))),
            output_distribution="normal",
            subsample=None,
            random_state=self.seed,
        )
        self.lacks_ = np.isnan(numbers).any(axis=0)
        if not numbers.shape[1]:
            self.means_, self.varies_ = np.zeros(0), np.zeros(0, bool)
            return
        spread = np.nanstd(numbers, axis=0)
        self.center_, self.spread_ = np.nanmean(numbers, axis=0), np.where(spread > 0, spread, 1.0)
        noise = np.random.default_rng(self.seed).standard_normal(numbers.shape)
        self.quantiles_.fit(self._scaled(numbers) + NOISE * noise)
        normal = self._normal(numbers)
        self.means_ = np.nanmean(normal, axis=0)
        self.varies_ = np.nanmax(normal, axis=0) - np.nanmin(normal, axis=0) > LEAST_RANGE

    def _normal(self, numbers: np.ndarray) -> np.ndarray:
        if not numbers.shape[1]:
            return numbers
        normal: np.ndarray = self.quantiles_.transform(self._scaled(numbers))
        return normal

    def _scaled(self, numbers: np.ndarray) -> np.ndarray:
        """Return numbers of one size: scikit-learn takes what differs by 1e-7 for the same."""
        scaled: np.ndarray = (numbers - self.center_) / self.spread_
        return scaled

    def _numbers(self, X: pd.DataFrame) -> np.ndarray:
        numbers = X[self.numeric_].to_numpy(float, na_value=np.nan)
        infinite = np.isinf(numbers).any(axis=0)
        if infinite.any():
            name = self.numeric_[int(infinite.argmax())]
            raise ModelError(f"column {name!r} has infinite values; replace them in features.py")
        return numbers

    def _text(self, X: pd.DataFrame) -> pd.DataFrame:
        return X[self.text_].astype(object).where(X[self.text_].notna(), None)

    def _frame(self, X: Any, *, reset: bool) -> pd.DataFrame:
        """Return X as a frame with the columns that fit saw."""
        frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X))
        if reset:
            self.n_features_in_ = frame.shape[1]
            self.feature_names_in_ = list(frame)
        elif list(frame) != self.feature_names_in_:
            raise ModelError(f"expected the columns {self.feature_names_in_}, found {list(frame)}")
        return frame


def _widths(encoder: OneHotEncoder) -> list[int]:
    """Return how many columns each encoded feature has."""
    both = zip(encoder.categories_, encoder.infrequent_categories_, strict=True)
    rare = [(len(levels), 0 if few is None else len(few)) for levels, few in both]
    return [n - n_rare + bool(n_rare) for n, n_rare in rare]
