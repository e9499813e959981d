"""From the predictions of models to a submission."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd


def mix(
    predictions: Mapping[str, np.ndarray],
    weights: Mapping[str, Sequence[float]],
    *,
    as_logarithms: bool = False,
    lower: float | None = None,
    upper: float | None = None,
) -> np.ndarray:
    """Return the weighted mean of predictions (n_samples, n_columns), or that of logarithms."""
    each: np.ndarray = np.array([predictions[name] for name in weights])
    values = np.log1p(each) if as_logarithms else each
    shares = np.broadcast_to(np.array(list(weights.values())), values[:, 0].shape)
    mixed = np.einsum("mc,mnc->nc", shares, values)
    mixed = np.expm1(mixed) if as_logarithms else mixed
    return np.asarray(mixed if lower is upper is None else np.clip(mixed, lower, upper))


def save(
    frame: pd.DataFrame,
    path: Path,
    *,
    header: str,
    encoding: str = "utf-8",
    mark: bytes = b"",
    separator: str = ",",
    newline: str = "\n",
) -> None:
    """Write a frame as the sample submission is written, to the byte."""
    rows = frame.to_csv(index=False, header=False, sep=separator, lineterminator=newline)
    path.write_bytes(mark + (header + newline + rows).encode(encoding))
