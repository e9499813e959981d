"""Many rows for a network in little memory: numbers in single precision, and 0 and 1 as bytes."""

from typing import Any

import numpy as np
import pandas as pd

MANY_ROWS = 2**17  # from which on rows are kept so, and gathered batch by batch


class Compact:
    """Rows of numbers (n_samples, n_columns) that become single precision as they are looked at.

    Columns of bytes stay bytes. Both parts share the memory of the frame that they come from, if it
    has them row by row in one piece, as scalers and encoders make them.
    """

    dtype = np.dtype("float32")
    ndim = 2

    def __init__(self, frame: pd.DataFrame) -> None:
        is_byte = np.array([dtype == np.uint8 for dtype in frame.dtypes], dtype=bool)
        self.places = np.flatnonzero(is_byte), np.flatnonzero(~is_byte)
        self.parts = tuple(
            np.ascontiguousarray(frame.iloc[:, _stretch(where)].to_numpy(dtype))
            for where, dtype in zip(self.places, ("uint8", "float32"), strict=True)
        )
        self.shape = frame.shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return rows as they are told to a network (n, n_columns), float32."""
        chosen = [part[rows] for part in self.parts]
        found = np.empty((len(chosen[0]), self.shape[1]), "float32")
        for where, part in zip(self.places, chosen, strict=True):
            found[:, _stretch(where)] = part
        return found

    @property
    def order(self) -> np.ndarray:
        """Where each column (n_columns,) is among the bytes and then the numbers."""
        return np.argsort(np.concatenate(self.places), kind="stable")

    def unusable(self) -> np.ndarray:
        """Tell which columns (n_columns,) have missing or infinite values."""
        found = np.zeros(self.shape[1], dtype=bool)
        found[self.places[1]] = [not np.isfinite(one).all() for one in self.parts[1].T]
        return found


def _stretch(where: np.ndarray) -> Any:
    """Return positions as a slice where they are neighbours, which is filled sooner."""
    if len(where) and where[-1] - where[0] + 1 == len(where):
        return slice(int(where[0]), int(where[-1]) + 1)
    return where


def is_many(X: Any) -> bool:
    """Tell whether X is a frame of so many rows that they are kept compact."""
    return isinstance(X, pd.DataFrame) and len(X) > MANY_ROWS
