"""The check that a competition's features are row-wise: no row's depend on other rows."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from pipeline.errors import DeclarationError
from pipeline.features import Features, apply_features

ROWS_TO_CHECK = 20_000  # what looks at other rows shows in these


def check_rowwise(features: Features, frame: pd.DataFrame) -> None:
    """Check that the features of some rows are some of the features of all rows.

    Raises DeclarationError naming a column that looked at other rows.
    """
    if features.add_features is None or len(frame) < 2:
        return
    frame = frame.head(ROWS_TO_CHECK)
    whole = apply_features(features, frame)
    for rows in _parts(frame):
        part = _features_of_some(features, frame.iloc[rows].reset_index(drop=True))
        same = whole.iloc[rows].reset_index(drop=True)
        other = [c for c in whole if c not in part or not _same(same[c], part[c])]
        if other:
            raise DeclarationError(
                f"{features.path}: add_features: column {other[0]!r} changes when other rows are "
                "left out, so it learns from all rows at once; compute it from its own row, or "
                "return a transformer from make_transformer()"
            )


def _features_of_some(features: Features, rows: pd.DataFrame) -> pd.DataFrame:
    try:
        return apply_features(features, rows)
    except DeclarationError as error:
        raise DeclarationError(f"{error}; only when other rows are left out") from error


def _parts(frame: pd.DataFrame) -> Iterator[np.ndarray]:
    """Yield positions of rows that must not need the others.

    The even and the odd rows: no two neighbours are together, and only one part has the largest.
    The first third: of evenly spaced values, the even, the odd and all rows have one mean.
    For each column, the rows where it is missing: there, no fill can be learned.
    """
    yield np.arange(0, len(frame), 2)
    yield np.arange(1, len(frame), 2)
    yield np.arange(max(1, len(frame) // 3))
    gaps = np.unique(frame.isna().to_numpy(), axis=1).T  # columns often lack the same rows
    yield from (np.flatnonzero(missing) for missing in gaps if 0 < missing.sum() < len(frame))


def _same(one: pd.Series, other: pd.Series) -> bool:
    """Tell whether two columns agree, missing values included; sums may differ in the last bits.

    What is missing throughout agrees whatever its type, which pandas could only guess.
    """
    if one.isna().all() and other.isna().all():
        return True
    if one.dtype != other.dtype and not (_is_number(one) and _is_number(other)):
        return False
    if _is_number(one):
        a, b = one.to_numpy(dtype=float), other.to_numpy(dtype=float)
        return bool(np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True))
    return one.equals(other)


def _is_number(series: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(series)
