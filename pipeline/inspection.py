"""What a competitor looks at first: shapes, missing values, target, drift, duplicates, leaks."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from pipeline.competition import Competition
from pipeline.data import TestData, TrainData
from pipeline.drift import Drift, measure_drift
from pipeline.leaks import column_strengths, explained_by_hidden, find_suspects
from pipeline.proposals import propose

N_BINS = 12
QUANTILES = {"1%": 0.01, "25%": 0.25, "median": 0.5, "75%": 0.75, "99%": 0.99}
BY_CHANCE = ("auto", "kfold", "stratified")  # schemes that take test rows to be like any other


@dataclass(frozen=True, eq=False)
class Inspection:
    """The facts of a competition's files, and what is odd about them.

    columns: one row a feature: kind, levels, missing_train, missing_test, unseen_in_test,
        drift_auc, strength (how well it explains the target by itself, from 0 to 1; None with few
        rows). drift: None of windows, whose test is later and never like what was before. target:
        of numbers their quantiles, skewness and histogram, else the classes' shares.
    repeated: rows whose features stand in an earlier row (train), or in a training row (test).
    order: of declared times, the first and last of each file. hint: what the training file alone
        has that explains the target. proposals: what to do for what was found, a line each.
    """

    n_train: int
    n_test: int
    columns: pd.DataFrame
    target: dict[str, Any]
    drift: Drift | None
    warnings: list[str]
    hint: str | None = None
    proposals: list[str] = field(default_factory=list)
    order: dict[str, list[str]] | None = None
    repeated: dict[str, int] = field(default_factory=dict)


def inspect_data(
    competition: Competition, train: TrainData, test: TestData, hidden: pd.DataFrame | None = None
) -> Inspection:
    """Compare the declaration with what is in the files.

    hidden: (n_samples, n_columns), the columns that only the training file has.
    """
    drift = None if competition.windows else measure_drift(train.X, test.X)
    columns = column_facts(train.X, test.X, drift, competition.columns.text)
    strengths = column_strengths(competition, train)
    known = [strengths.get(name) for name in columns["column"]]
    columns["strength"] = [None if one is None else round(max(0.0, one), 3) for one in known]
    return Inspection(
        n_train=len(train),
        n_test=len(test),
        columns=columns,
        target=_target(competition, train),
        drift=drift,
        warnings=find_warnings(competition, train, test, drift, strengths),
        hint=None if hidden is None else explained_by_hidden(hidden, train, competition),
        proposals=propose(competition, train, test, columns),
        order=_order(train, test),
        repeated=_repeated(train.X, test.X),
    )


def find_warnings(
    competition: Competition,
    train: TrainData,
    test: TestData,
    drift: Drift | None,
    strengths: dict[str, float] | None = None,
) -> list[str]:
    """Return what a person should know before believing a score, one line each.

    drift: how far the test rows lie from the training rows, or None if that is not known.
    strengths: how well each column explains the target, if that is known already.
    """
    if competition.windows is not None:  # all that a window holds is known before its answers
        return []
    suspects = find_suspects(competition, train, test, strengths)
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
    found = {
        name: sorted(set(test[name].dropna().unique()) - set(train[name].dropna().unique()))
        for name in text
    }
    return {str(name): levels for name, levels in found.items() if levels}


def column_facts(
    train: pd.DataFrame, test: pd.DataFrame, drift: Drift | None, prose: Collection[str]
) -> pd.DataFrame:
    """Return one row a feature: kind, levels, missing values, unseen levels, drift.

    drift: how far the test rows lie from the training rows, or None where that is not known.
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
            "drift_auc": None if drift is None else round(float(drift.by_column[name]), 3),
        }
        for name in map(str, train)
    ]
    return pd.DataFrame(rows)


def _order(train: TrainData, test: TestData) -> dict[str, list[str]] | None:
    """Return the first and last time of each file, where times are declared."""
    times = {"train": train.order, "test": test.order}
    known = {name: one.dropna() for name, one in times.items() if one is not None}
    return {
        name: [_moment(one.min()), _moment(one.max())] for name, one in known.items() if len(one)
    } or None


def _moment(value: object) -> str:
    """Return a time as text, a day without its hour."""
    return str(value).removesuffix(" 00:00:00")


def _repeated(train: pd.DataFrame, test: pd.DataFrame) -> dict[str, int]:
    """Return how many rows have the features of an earlier training row."""
    mine, theirs = (pd.util.hash_pandas_object(one, index=False) for one in (train, test))
    return {"train": int(mine.duplicated().sum()), "test": int(theirs.isin(mine).sum())}


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
            **{key: float(y[name].quantile(share)) for key, share in QUANTILES.items()},
            "mean": float(y[name].mean()),
            "max": float(y[name].max()),
            "skewness": float(np.asarray(y[name].skew())),
            "histogram": _histogram(y[name].to_numpy(dtype=float)),
        }
        for name in y
    }


def _histogram(values: np.ndarray) -> dict[str, list[float]]:
    """Return the edges of bins, and how many values lie in each."""
    whole = bool((values == np.round(values)).all())
    low, high = values.min(), values.max()
    step = np.ceil((high - low + 1) / N_BINS) if whole else None
    bins = N_BINS if step is None else np.arange(low, high + step + 1, step)
    counts, edges = np.histogram(values, bins)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _drift_warnings(competition: Competition, drift: Drift | None) -> list[str]:
    if drift is None or not is_unlike(competition, drift):
        return []
    worst = ", ".join(f"{name} {auc:.2f}" for name, auc in drift.by_column.head(3).items())
    return [
        f"test rows differ from training rows (adversarial AUC {drift.auc:.2f}; by column {worst})"
        ", so folds by chance are optimistic; compare with --scheme like_test"
    ]
