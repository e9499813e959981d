"""How far the test rows lie from the training rows: adversarial validation."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.errors import DataError

DRIFTED = 0.75  # an AUC above it: ordinary folds say little about the test rows
PROOF = 4.0  # standard errors of an AUC that means nothing
QUICK_ROWS = 2500  # of either file, where a glance must do
QUICK_FOLDS = 2
QUICK: dict[str, Any] = {"max_iter": 25, "learning_rate": 0.2, "max_leaf_nodes": 8, "max_bins": 63}
MOST_WEIGHT = 5.0  # of a training row; what a classifier is very sure of, it is too sure of
LEAST_MASS, LEAST_ROWS, LEAST_SHARE = 0.5, 50, 0.05


@dataclass(frozen=True, eq=False)
class Drift:
    """What a classifier that tells test rows from training rows has found.

    auc: 0.5 if they cannot be told apart, 1.0 if always. likeness: (n_train,) how much each
    training row looks like a test row, NaN for rows that were not looked at. by_column: AUC of each
    column alone, the largest first. n_train, n_test: how many rows were compared.
    """

    auc: float
    likeness: np.ndarray
    by_column: pd.Series
    n_train: int
    n_test: int

    @property
    def is_clear(self) -> bool:
        """Whether the files differ, by more than so few rows do by chance (Hanley, McNeil 1982)."""
        error = np.sqrt((self.n_train + self.n_test + 1) / (12 * self.n_train * self.n_test))
        return bool(self.auc > max(DRIFTED, 0.5 + PROOF * error))

    def weights(self) -> np.ndarray | None:
        """Return how often each training row (n_train,) stands for test rows, NaN as in likeness.

        None where the training rows cannot stand for the test rows: hardly any of them looks like
        one, so that no weights make up for the others (the weights' mean, 1 if the files overlap,
        is far below it), or all the weight lies on a few.
        """
        odds = self.likeness / np.maximum(1 - self.likeness, 1e-12)
        weights = np.minimum(odds * self.n_train / self.n_test, MOST_WEIGHT)
        known = weights[np.isfinite(weights)]
        rows = known.sum() ** 2 / max(np.square(known).sum(), 1e-300)
        if known.mean() < LEAST_MASS or rows < max(LEAST_ROWS, LEAST_SHARE * len(known)):
            return None
        return np.asarray(weights)


def measure_drift(train: pd.DataFrame, test: pd.DataFrame, seed: int = 0) -> Drift:
    """Compare the feature columns of train and test, out of fold.

    This is the one place where something is fitted on test rows. It only describes them, and may
    choose which training rows to validate on; no model that predicts them ever sees the result.
    Raises DataError if there are fewer than two rows of either.
    """
    n_splits = min(5, len(train), len(test))
    if n_splits < 2:
        raise DataError(
            f"{len(train)} training and {len(test)} test rows cannot be compared; "
            "expected two of each"
        )
    return _compare(train, test, n_splits, {"max_iter": 100}, seed)


def glance_at_drift(train: pd.DataFrame, test: pd.DataFrame, seed: int = 0) -> Drift | None:
    """Compare some thousand rows of each file; None where there are too few to say anything.

    For every training run: bounded in time whatever the files' size. Otherwise as measure_drift.
    """
    if min(len(train), len(test)) < 2 * QUICK_FOLDS:
        return None
    rng = np.random.default_rng(seed)
    mine, theirs = (np.sort(rng.permutation(len(one))[:QUICK_ROWS]) for one in (train, test))
    found = _compare(train.iloc[mine], test.iloc[theirs], QUICK_FOLDS, QUICK, seed)
    likeness = np.full(len(train), np.nan)
    likeness[mine] = found.likeness
    return replace(found, likeness=likeness)


def _compare(
    train: pd.DataFrame, test: pd.DataFrame, n_splits: int, settings: dict[str, Any], seed: int
) -> Drift:
    both = pd.concat([train, test], ignore_index=True)
    is_test = np.repeat([0, 1], [len(train), len(test)])
    numbers = _as_numbers(both)
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    classifier = HistGradientBoostingClassifier(**settings, random_state=seed)
    with threadpool_limits(1, "openmp"):  # beside other work, threads that wait cost 20 times more
        found = cross_val_predict(classifier, numbers, is_test, cv=folds, method="predict_proba")[
            :, 1
        ]
    alone = pd.Series(_auc_alone(numbers, is_test), index=both.columns)
    return Drift(
        auc=float(roc_auc_score(is_test, found)),
        likeness=found[: len(train)],
        by_column=alone.sort_values(ascending=False),
        n_train=len(train),
        n_test=len(test),
    )


def _as_numbers(frame: pd.DataFrame) -> np.ndarray:
    """Return text as codes, and what is missing as less than all that is there."""
    text = [str(name) for name in frame if not is_numeric_dtype(frame[name])]
    coded = frame.astype({name: float for name in frame if name not in text})
    if text:
        coded[text] = OrdinalEncoder().fit_transform(frame[text].astype(object).fillna("missing"))
    values = coded.to_numpy(dtype=float)
    return np.where(np.isnan(values), np.nanmin(values, axis=0, initial=0.0) - 1, values)


def _auc_alone(numbers: np.ndarray, is_test: np.ndarray) -> np.ndarray:
    """Return how well each column's values, ranked, tell the files apart, in either direction."""
    n_test = int(is_test.sum())
    ranks = rankdata(numbers, axis=0)[is_test == 1].sum(axis=0)
    auc = (ranks - n_test * (n_test + 1) / 2) / (n_test * (len(is_test) - n_test))
    return np.asarray(np.maximum(auc, 1 - auc))
