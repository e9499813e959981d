"""What a competitor looks at first: shapes, missing values, target, drift, duplicates, leaks."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from pipeline.competition import Competition
from pipeline.data import TestData, TrainData
from pipeline.drift import Drift, measure_drift
from pipeline.leaks import explained_by_hidden, find_suspects

BY_CHANCE = ("auto", "kfold", "stratified")  # schemes that take test rows to be like any other


@dataclass(frozen=True, eq=False)
class Inspection:
    """The facts of a competition's files, and what is odd about them.

    columns: one row a feature: kind, levels, missing_train, missing_test, unseen_in_test,
        drift_auc. hint: what the training file alone has that explains the target.
    """

    n_train: int
    n_test: int
    columns: pd.DataFrame
    target: dict[str, Any]
    drift: Drift
    warnings: list[str]
    hint: str | None = None


def inspect_data(
    competition: Competition, train: TrainData, test: TestData, hidden: pd.DataFrame | None = None
) -> Inspection:
    """Compare the declaration with what is in the files.

    hidden: (n_samples, n_columns), the columns that only the training file has.
    """
    drift = measure_drift(train.X, test.X)
    return Inspection(
        n_train=len(train),
        n_test=len(test),
        columns=column_facts(train.X, test.X, drift, competition.columns.text),
        target=_target(competition, train),
        drift=drift,
        warnings=find_warnings(competition, train, test, drift),
        hint=None if hidden is None else explained_by_hidden(hidden, train, competition),
    )


def find_warnings(
    competition: Competition, train: TrainData, test: TestData, drift: Drift | None
) -> list[str]:
    """Return what a person should know before believing a score, one line each.

    drift: how far the test rows lie from the training rows, or None if that is not known.
    """
    suspects = find_suspects(competition, train, test)
    return [*_drift_warnings(competition, drift), *(one.text for one in suspects)]


def is_unlike(competition: Competition, drift: Drift | None) -> bool:
    """Tell whether the test rows differ from the training rows, and the folds take no notice."""
    validation = competition.validation
    is_by_chance = validation.scheme in BY_CHANCE and validation.rule == "open"
    return drift is not None and drift.is_clear and is_by_chance


def unseen_levels(
    train: pd.DataFrame, test: pd.DataFrame, prose: Collection[str] = ()
) -> dict[str, list[str]]:
    """Return, for each text column but those of prose, the levels that only test has."""
    text = [name for name in train if not is_numeric_dtype(train[name]) and name not in prose]
    found = {name: sorted(set(test[name].dropna()) - set(train[name].dropna())) for name in text}
    return {str(name): levels for name, levels in found.items() if levels}


def column_facts(
    train: pd.DataFrame, test: pd.DataFrame, drift: Drift | None, prose: Collection[str]
) -> pd.DataFrame:
    """Return one row a feature: kind, levels, missing values, unseen levels, drift.

    drift: how far the test rows lie from the training rows; NaN stands where it is not known.
    """
    unseen = unseen_levels(train, test, prose)
    rows = [
        {
            "column": name,
            "kind": _kind(train[name], prose),
            "levels": train[name].nunique(),
            "missing_train": int(train[name].isna().sum()),
            "missing_test": int(test[name].isna().sum()),
            "unseen_in_test": len(unseen.get(name, [])),
            "drift_auc": float("nan") if drift is None else round(float(drift.by_column[name]), 3),
        }
        for name in map(str, train)
    ]
    return pd.DataFrame(rows)


def _kind(column: pd.Series, prose: Collection[str]) -> str:
    if is_numeric_dtype(column):
        return "number"
    return "text" if column.name in prose else "category"


def _target(competition: Competition, train: TrainData) -> dict[str, Any]:
    if competition.task != "regression":
        shares = pd.Series(train.y).value_counts(normalize=True).round(4)
        return {str(label): float(share) for label, share in shares.items()}
    y = pd.DataFrame(train.y)
    return {
        str(name): {
            "min": float(y[name].min()),
            "median": float(y[name].median()),
            "mean": float(y[name].mean()),
            "max": float(y[name].max()),
            "skewness": float(np.asarray(y[name].skew())),
        }
        for name in y
    }


def _drift_warnings(competition: Competition, drift: Drift | None) -> list[str]:
    if drift is None or not is_unlike(competition, drift):
        return []
    worst = ", ".join(f"{name} {auc:.2f}" for name, auc in drift.by_column.head(3).items())
    return [
        f"test rows differ from training rows (adversarial AUC {drift.auc:.2f}; by column {worst})"
        ", so folds by chance are optimistic; compare with --scheme like_test"
    ]
