"""The levels of a column, and of two columns together, as codes."""

from typing import Any

import numpy as np
import pandas as pd


class Levels:
    """The levels that the training rows have, numbered from 0; missing is the next number.

    n_codes: how many codes there are; the last is that of levels which no training row has.
    """

    def __init__(self, column: pd.Series) -> None:
        self.index = pd.Index(pd.factorize(_plain(column))[1])
        self.n_codes = len(self.index) + 2

    def __len__(self) -> int:
        return len(self.index)

    def codes(self, column: pd.Series) -> np.ndarray:
        """Return the codes (n_samples,) of any rows."""
        values = _plain(column)
        found: np.ndarray = self.index.get_indexer(pd.Index(values))
        found = np.where(found < 0, self.n_codes - 1, found)
        return np.where(values.isna(), self.n_codes - 2, found)


class CrossedLevels:
    """The pairs of levels of two columns that the training rows have, numbered from 0."""

    def __init__(self, one: np.ndarray, other: np.ndarray, n_other: int) -> None:
        self.n_other = n_other
        self.known = np.unique(one * n_other + other)
        self.n_codes = len(self.known) + 1

    def codes(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return the codes (n_samples,) of any rows, from the codes of both columns."""
        pairs = one * self.n_other + other
        found = np.minimum(np.searchsorted(self.known, pairs), len(self.known) - 1)
        return np.where(self.known[found] == pairs, found, self.n_codes - 1)


def _plain(column: pd.Series) -> Any:
    """Return a column as text, as numbers, or else as objects, which any others compare with."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return column.astype(float)
    return column if isinstance(column.dtype, pd.StringDtype) else column.astype(object)
