"""How far the test rows lie from the training rows: adversarial validation."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.errors import DataError

DRIFTED = 0.75  # an AUC above it: ordinary folds say little about the test rows


@dataclass(frozen=True, eq=False)
class Drift:
    """What a classifier that tells test rows from training rows has found.

    auc: 0.5 if they cannot be told apart, 1.0 if always. likeness: (n_train,) how much each
    training row looks like a test row. by_column: AUC of each column alone, the largest first.
    """

    auc: float
    likeness: np.ndarray
    by_column: pd.Series


def measure_drift(
    train: pd.DataFrame, test: pd.DataFrame, seed: int = 0, text: Collection[str] = ()
) -> Drift:
    """Compare the feature columns of train and test, out of fold.

    text: columns of prose, which are compared by their lengths.

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
    both = pd.concat([train, test], ignore_index=True)
    is_test = np.repeat([0, 1], [len(train), len(test)])
    numbers = _as_numbers(both.assign(**{n: both[n].str.len() for n in text if n in both}))
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    classifier = HistGradientBoostingClassifier(max_iter=100, random_state=seed)
    with threadpool_limits(1, "openmp"):  # beside other work, threads that wait cost 20 times more
        found = cross_val_predict(classifier, numbers, is_test, cv=folds, method="predict_proba")[
            :, 1
        ]
    alone = {name: _auc_alone(numbers[:, i], is_test) for i, name in enumerate(both.columns)}
    return Drift(
        auc=float(roc_auc_score(is_test, found)),
        likeness=found[: len(train)],
        by_column=pd.Series(alone, dtype=float).sort_values(ascending=False),
    )


def _as_numbers(frame: pd.DataFrame) -> np.ndarray:
    """Return text as codes, and what is missing as less than all that is there."""
    text = [str(name) for name in frame if not is_numeric_dtype(frame[name])]
    coded = frame.astype({name: float for name in frame if name not in text})
    if text:
        coded[text] = OrdinalEncoder().fit_transform(frame[text].astype(object).fillna("missing"))
    values = coded.to_numpy(dtype=float)
    return np.where(np.isnan(values), np.nanmin(values, axis=0, initial=0.0) - 1, values)


def _auc_alone(column: np.ndarray, is_test: np.ndarray) -> float:
    """Return how well one column's values, ranked, tell the files apart, in either direction."""
    auc = float(roc_auc_score(is_test, column))
    return max(auc, 1 - auc)
