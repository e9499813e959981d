"""What a competitor looks at first: shapes, missing values, target, drift, duplicates, leaks."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.metrics import r2_score, roc_auc_score

from pipeline.competition import Competition
from pipeline.data import TestData, TrainData
from pipeline.drift import DRIFTED, Drift, measure_drift

N_BINS = 20
BY_CHANCE = ("auto", "kfold", "stratified")  # schemes that take test rows to be like any other
TOO_GOOD = 0.98  # a single column that explains the target this well is suspected to be a leak


@dataclass(frozen=True, eq=False)
class Inspection:
    """The facts of a competition's files, and what is odd about them.

    columns: one row a feature: kind, levels, missing_train, missing_test, unseen_in_test,
        drift_auc.
    """

    n_train: int
    n_test: int
    columns: pd.DataFrame
    target: dict[str, Any]
    drift: Drift
    warnings: list[str]


def inspect_data(competition: Competition, train: TrainData, test: TestData) -> Inspection:
    """Compare the declaration with what is in the files."""
    drift = measure_drift(train.X, test.X, text=competition.columns.text)
    return Inspection(
        n_train=len(train),
        n_test=len(test),
        columns=_columns(train.X, test.X, drift, competition.columns.text),
        target=_target(competition, train),
        drift=drift,
        warnings=[
            *_drift_warnings(competition, drift),
            *_duplicate_warnings(train, test),
            *_leak_warnings(competition, train),
        ],
    )


def unseen_levels(
    train: pd.DataFrame, test: pd.DataFrame, prose: Collection[str] = ()
) -> dict[str, list[str]]:
    """Return, for each text column but those of prose, the levels that only test has."""
    text = [name for name in train if not is_numeric_dtype(train[name]) and name not in prose]
    found = {name: sorted(set(test[name].dropna()) - set(train[name].dropna())) for name in text}
    return {str(name): levels for name, levels in found.items() if levels}


def _columns(
    train: pd.DataFrame, test: pd.DataFrame, drift: Drift, prose: Collection[str]
) -> pd.DataFrame:
    unseen = unseen_levels(train, test, prose)
    rows = [
        {
            "column": name,
            "kind": _kind(train[name], prose),
            "levels": train[name].nunique(),
            "missing_train": int(train[name].isna().sum()),
            "missing_test": int(test[name].isna().sum()),
            "unseen_in_test": len(unseen.get(name, [])),
            "drift_auc": round(float(drift.by_column[name]), 3),
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


def _drift_warnings(competition: Competition, drift: Drift) -> list[str]:
    if drift.auc <= DRIFTED or competition.validation.scheme not in BY_CHANCE:
        return []
    worst = ", ".join(f"{name} {auc:.2f}" for name, auc in drift.by_column.head(3).items())
    return [
        f"test rows differ from training rows (adversarial AUC {drift.auc:.2f}; by column {worst})"
        ", so folds by chance are optimistic; compare with --scheme like_test"
    ]


def _duplicate_warnings(train: TrainData, test: TestData) -> list[str]:
    hashes = pd.util.hash_pandas_object(train.X, index=False)
    inside = int(hashes.duplicated().sum())
    across = int(pd.util.hash_pandas_object(test.X, index=False).isin(hashes).sum())
    found = []
    if inside:
        found.append(f"{inside} training rows repeat the features of an earlier one")
    if across:
        found.append(f"{across} test rows have the features of a training row")
    return found


def _leak_warnings(competition: Competition, train: TrainData) -> list[str]:
    """Name columns, and the order of the rows, that alone nearly give the target away."""
    if isinstance(train.y, pd.DataFrame):
        return []
    columns = {name: train.X[name] for name in train.X if is_numeric_dtype(train.X[name])}
    position = pd.Series(np.arange(len(train), dtype=float), index=train.X.index)
    suspects = {**columns, "the order of the rows": position}
    return [
        f"{name} alone explains the target almost wholly ({strength:.3f}); is it known beforehand?"
        for name, values in suspects.items()
        if (strength := _strength(competition, values, train.y)) > TOO_GOOD
    ]


def _strength(competition: Competition, values: pd.Series, y: pd.Series) -> float:
    """Return how well one column alone explains the target: R2 of its bins' means, or AUC."""
    if len(values) < 50:
        return 0.0
    x = values.astype(float).fillna(values.min() - 1)  # that it is missing may tell as well
    if competition.task == "binary":
        auc = float(roc_auc_score(y == np.unique(y)[-1], x))
        return max(auc, 1 - auc)
    if competition.task == "multiclass":
        y = pd.Series(pd.factorize(y, sort=True)[0], index=y.index)
    bins = (
        x if x.nunique() <= N_BINS else pd.qcut(x.rank(), N_BINS, labels=False, duplicates="drop")
    )
    return float(r2_score(y, y.groupby(bins.to_numpy()).transform("mean")))
