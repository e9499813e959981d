"""The declared policy for rows that a model shall not be trained on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.competition import Cleaning
from pipeline.data import TrainData
from pipeline.errors import DataError, did_you_mean


@dataclass(frozen=True)
class DroppedRows:
    """How many training rows cleaning left out, and why."""

    missing: int
    duplicates: int


def clean_rows(train: TrainData, cleaning: Cleaning) -> tuple[TrainData, DroppedRows]:
    """Return the rows that are fit to train on; validation and test rows never come here.

    Raises DataError if none is left, or a column that [cleaning] names is not there.
    """
    check_columns(train.X, cleaning)
    incomplete = _incomplete(train.X, cleaning)
    repeated = _repeated(train, cleaning) & ~incomplete
    kept = np.flatnonzero(~(incomplete | repeated))
    if not len(kept):
        raise DataError(
            f'[cleaning] drops all {len(train)} training rows; set missing = "impute", or drop the '
            "columns that are mostly missing"
        )
    dropped = DroppedRows(int(incomplete.sum()), int(repeated.sum()))
    return (train if len(kept) == len(train) else train.subset(kept)), dropped


def check_columns(X: pd.DataFrame, cleaning: Cleaning) -> None:
    """Check that the columns of [cleaning.columns] are features, and their fill suits their type.

    Raises DataError.
    """
    for name, way in cleaning.columns.items():
        if name not in X:
            hint = did_you_mean(name, map(str, X.columns))
            raise DataError(f"cleaning.columns.{name}: no such feature column; {hint}")
        if way in ("median", "mean", "zero") and not pd.api.types.is_numeric_dtype(X[name]):
            raise DataError(f'cleaning.columns.{name}: "{way}" needs a numeric column; it is text')
        if way == "missing" and pd.api.types.is_numeric_dtype(X[name]):
            raise DataError(
                f'cleaning.columns.{name}: "missing" names a level, and the column is numeric; '
                "declare it in [columns] categorical"
            )


def _incomplete(X: pd.DataFrame, cleaning: Cleaning) -> np.ndarray:
    named = [name for name, way in cleaning.columns.items() if way == "drop"]
    if cleaning.missing == "drop":
        named = [str(name) for name in X if cleaning.columns.get(str(name), "drop") == "drop"]
    return X[named].isna().any(axis="columns").to_numpy()


def _repeated(train: TrainData, cleaning: Cleaning) -> np.ndarray:
    """Mark rows whose features and target all stand in an earlier row."""
    if cleaning.duplicates == "keep":
        return np.zeros(len(train), dtype=bool)
    target = pd.DataFrame(train.y).add_prefix("target ")
    return pd.concat([train.X, target], axis="columns").duplicated().to_numpy()
