"""Which fold each row is in, by a hash of its id: no row has to know of any other."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = 2**64 - 1


@dataclass(frozen=True, eq=False)
class Dealt:
    """What chance, that is the hash, has made of rows (n_samples,).

    keys: as they were given. fold: that validates on them. is_held: they stop fits early.
    is_binned: they say where a column is cut into bins. is_kept: their predictions are kept with
    the run.
    """

    keys: np.ndarray
    fold: np.ndarray
    is_held: np.ndarray
    is_binned: np.ndarray
    is_kept: np.ndarray


@dataclass(frozen=True)
class Dealing:
    """How rows are dealt out: into folds, and with which shares they are chosen for what."""

    n_splits: int
    seed: int
    held: float
    binned: float
    kept: float

    def deal(self, keys: np.ndarray) -> Dealt:
        """Return what becomes of rows; equal keys (n_samples,) of uint64 share everything."""
        mixed = _mixed(keys, self.seed)
        return Dealt(
            keys=keys,
            fold=(mixed % np.uint64(self.n_splits)).astype(np.intp),
            is_held=_share(mixed, 1) < self.held,
            is_binned=_share(mixed, 2) < self.binned,
            is_kept=_share(mixed, 3) < self.kept,
        )


def keys_of(values: pd.Series) -> np.ndarray:
    """Return a number (n_samples,) of uint64 for each id or group; equal ones have equal numbers.

    Whole numbers are their own; all else is hashed as text, the same on every machine.
    """
    if pd.api.types.is_integer_dtype(values):
        return values.to_numpy().astype(np.uint64)
    text = values.astype("str").fillna("").to_numpy(object)
    return pd.util.hash_array(text, categorize=False)


def _share(mixed: np.ndarray, use: int) -> np.ndarray:
    """Return numbers from 0 to 1, for each use others."""
    return np.asarray((_mixed(mixed, use) >> np.uint64(11)) * 2.0**-53)


def _mixed(keys: np.ndarray, seed: int) -> np.ndarray:
    """Return keys with all bits mixed: the finaliser of SplitMix64 (Steele and others, 2014)."""
    z = keys + np.uint64((seed + 1) * _GOLDEN & _WORD)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))
