"""Frames of numbers and text, as transformers that make columns for networks see them."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from pipeline.errors import ModelError


class FrameColumns(TransformerMixin, BaseEstimator):
    """A transformer of frames; numeric_ names the columns of numbers that fit saw."""

    numeric_: list[Hashable]

    def _frame(self, X: Any, *, reset: bool) -> pd.DataFrame:
        """Return X as a frame with the columns that fit saw."""
        frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X))
        if reset:
            self.n_features_in_ = frame.shape[1]
            self.feature_names_in_ = list(frame)
        elif list(frame) != self.feature_names_in_:
            raise ModelError(f"expected the columns {self.feature_names_in_}, found {list(frame)}")
        return frame

    def _numbers(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the columns of numbers (n_samples, n_numeric), what is missing as NaN.

        Raises ModelError if one is infinite.
        """
        numbers: np.ndarray = frame[self.numeric_].to_numpy(float, na_value=np.nan)
        infinite = np.isinf(numbers).any(axis=0)
        if infinite.any():
            name = self.numeric_[int(infinite.argmax())]
            raise ModelError(f"column {name!r} has infinite values; replace them in features.py")
        return numbers
