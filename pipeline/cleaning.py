"""The declared policy for rows that a model shall not be trained on."""

import re
from dataclasses import dataclass
from typing import Any

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
    outliers: int = 0


def clean_rows(train: TrainData, cleaning: Cleaning) -> tuple[TrainData, DroppedRows]:
    """Return the rows that are fit to train on; validation and test rows never come here.

    Raises DataError if none is left, or a column that [cleaning] names is not there.
    """
    check_columns(train.X, cleaning)
    incomplete = incomplete_rows(train.X, cleaning)
    repeated = _repeated(train, cleaning) & ~incomplete
    outlying = _outlying(train) & ~incomplete & ~repeated
    kept = np.flatnonzero(~(incomplete | repeated | outlying))
    if not len(kept):
        raise DataError(
            f'[cleaning] drops all {len(train)} training rows; set missing = "impute", or drop the '
            "columns that are mostly missing"
        )
    dropped = DroppedRows(int(incomplete.sum()), int(repeated.sum()), int(outlying.sum()))
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


def mark_outliers(frame: pd.DataFrame, condition: str) -> pd.Series:
    """Return which training rows fulfil the condition of [cleaning] outliers (n_samples,).

    frame: the training file's typed columns, before features.py, with its target. What is missing
    fulfils no comparison but !=.
    Raises DataError if it is no condition, true of all rows, or looks at other rows than its own.
    """
    marked = fulfil(frame, condition)
    if marked.all():
        raise DataError(
            f"cleaning.outliers: {condition!r} is true of all {len(frame):,} training rows; "
            "expected a condition that few fulfil"
        )
    check_condition(frame, condition, marked)
    return marked


def check_condition(frame: pd.DataFrame, condition: str, marked: pd.Series) -> None:
    """Check that a condition marks the same rows when others are left out.

    Raises DataError.
    """
    for said in (True, False):
        alone = frame[marked == said].reset_index(drop=True)
        if len(alone) and not (fulfil(alone, condition) == said).all():
            raise DataError(
                f"cleaning.outliers: {condition!r} marks other rows when some are left out, so it "
                "learns from all rows at once; compare each row with numbers"
            )


def fulfil(frame: pd.DataFrame, condition: str) -> pd.Series:
    """Return which rows fulfil a condition in the words of pandas' query (n_samples,).

    Raises DataError if it is none.
    """
    nothing: dict[str, Any] = {}  # @name would find variables of this function
    try:
        found = frame.eval(condition, engine="python", local_dict=nothing, global_dict=nothing)
    except Exception as error:  # whatever pandas, or a value of the file, makes of the words
        raise DataError(f"cleaning.outliers: {condition!r}: {_fault(error, frame)}") from None
    if not isinstance(found, pd.Series) or not pd.api.types.is_bool_dtype(found):
        raise DataError(
            f"cleaning.outliers: {condition!r}: expected a condition that is true or false of each "
            'row, like "area > 4000 and price < 300000"'
        )
    return found


def _fault(error: Exception, frame: pd.DataFrame) -> str:
    unknown = re.match(r"name '(.+)' is not defined", str(error))
    if unknown:
        hint = did_you_mean(unknown[1], map(str, frame.columns))
        return f"the training file has no column {unknown[1]!r}; {hint}"
    return " ".join(f"pandas cannot follow it: {error}".split())


def _outlying(train: TrainData) -> np.ndarray:
    if train.outlying is None:
        return np.zeros(len(train), dtype=bool)
    return train.outlying.to_numpy(dtype=bool)


def incomplete_rows(X: pd.DataFrame, cleaning: Cleaning) -> np.ndarray:
    """Return which rows lack a value that [cleaning] says no training row may lack (n_samples,)."""
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
