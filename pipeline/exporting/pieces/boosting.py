"""Gradient boosting by four libraries, stopped early by held-out rows."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from pipeline.models.holdout import even_share
from pipeline.models.rounds import best_round


class Boosting:
    """Gradient boosting that is stopped by rows held out of its training rows.

    model: an unfitted one of a library; few: another for fewer than 3,000 rows. stop: fits it, and
    keeps its best round. most: for each target, the round at which the clock ended a fit that shall
    be repeated. found: once it is fitted, of each target, the best round.
    """

    def __init__(
        self,
        model: Any,
        stop: Callable[..., Any],
        *,
        patience: int,
        share: float,
        seed: int,
        few: Any = None,
    ) -> None:
        self.model, self.few, self.stop, self.patience = model, few, stop, patience
        self.share, self.seed = share, seed
        self.most: Sequence[int] = ()

    def fit(
        self,
        X: Any,
        y: Any,
        holdout: np.ndarray | None = None,
        rounds: Sequence[int] | None = None,
    ) -> "Boosting":
        """Fit on the rows that are not held out; or on all of them, so many rounds a target."""
        y = np.asarray(y)
        if hasattr(self.model, "predict_proba"):
            self.classes_, y = np.unique(y, return_inverse=True)
            shared = np.flatnonzero(np.bincount(y)[y] > 1)
            if holdout is None:
                holdout = shared[even_share(y[shared], self.share, self.seed)]
            holdout = holdout[np.isin(y[holdout], np.delete(y, holdout))]
        columns = y.reshape(len(y), -1).T
        if holdout is None:
            holdout = even_share(columns[0], self.share, self.seed)
        seen = np.setdiff1d(np.arange(len(y)), holdout)
        self.is_flat, self.models, most = y.ndim == 1, [], rounds or self.most
        for number, column in enumerate(columns):
            is_few = self.few is not None and len(y) < 3000
            model = deepcopy(self.few if is_few else self.model)
            if most:
                name = "max_iter" if hasattr(model, "max_iter") else "n_estimators"
                model.set_params(**{name: most[number]})
            if rounds:
                self.models.append(self.stop(model, X, column, None, None, self.patience))
                continue
            parts = X.iloc[seen], column[seen], X.iloc[holdout], column[holdout]
            self.models.append(self.stop(model, *parts, self.patience))
        self.found = list(rounds or [one.rounds for one in self.models])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return numbers of the shape that y had."""
        each = np.column_stack([model.predict(X) for model in self.models])
        return each[:, 0] if self.is_flat else each

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes (n_samples, n_classes)."""
        return np.asarray(self.models[0].predict_proba(X), dtype=float)


class OnArrays:
    """A fitted model that is shown frames as arrays of floats, as it was when it was fitted."""

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def rounds(self) -> int:
        """How many rounds it answers with."""
        return best_round(self.model)

    def predict(self, X: Any) -> np.ndarray:
        """Return what the model predicts."""
        return np.asarray(self.model.predict(np.asarray(X, dtype=float)))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the model's probabilities."""
        return np.asarray(self.model.predict_proba(np.asarray(X, dtype=float)))


def stop_lightgbm(
    model: Any, X: Any, y: np.ndarray, X_valid: Any, y_valid: Any, patience: int
) -> OnArrays:
    """Fit LightGBM until the held-out rows are no longer predicted better."""
    import lightgbm

    if X_valid is None:
        return OnArrays(model.fit(np.asarray(X, dtype=float), y))
    X, X_valid = (np.asarray(part, dtype=float) for part in (X, X_valid))
    early = lightgbm.early_stopping(patience, verbose=False)
    return OnArrays(model.fit(X, y, eval_X=X_valid, eval_y=y_valid, callbacks=[early]))


def stop_xgboost(
    model: Any, X: Any, y: np.ndarray, X_valid: Any, y_valid: Any, patience: int
) -> OnArrays:
    """Fit XGBoost until the held-out rows are no longer predicted better."""
    if X_valid is None:
        return OnArrays(model.fit(np.asarray(X, dtype=float), y, verbose=False))
    X, X_valid = (np.asarray(part, dtype=float) for part in (X, X_valid))
    model.set_params(early_stopping_rounds=patience)
    return OnArrays(model.fit(X, y, eval_set=[(X_valid, y_valid)], verbose=False))


class WithText(OnArrays):
    """A fitted CatBoost that is shown frames as it was when it was fitted."""

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return what the model predicts."""
        return np.asarray(self.model.predict(plain(X)))

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return the model's probabilities."""
        return np.asarray(self.model.predict_proba(plain(X)))


def plain(X: pd.DataFrame) -> pd.DataFrame:
    """Return numbers as floats and text as objects, the columns named by their positions."""
    columns = [X[n].astype(float if is_numeric_dtype(X[n]) else object) for n in X]
    return pd.DataFrame({i: column.to_numpy() for i, column in enumerate(columns)})


def stop_catboost(
    model: Any, X: Any, y: np.ndarray, X_valid: Any, y_valid: Any, patience: int
) -> WithText:
    """Fit CatBoost until the held-out rows are no longer predicted better; text is categories."""
    X = plain(X)
    levels = [i for i in X if not is_numeric_dtype(X[i])]
    if X_valid is None:
        return WithText(model.fit(X, y, cat_features=levels))
    model.fit(
        X,
        y,
        cat_features=levels,
        eval_set=(plain(X_valid), y_valid),
        early_stopping_rounds=patience,
        use_best_model=True,
    )
    return WithText(model)


class Staged(OnArrays):
    """A histogram gradient boosting that answers as it did after its best round."""

    best = 0

    @property
    def rounds(self) -> int:
        """How many rounds it answers with."""
        return self.best

    def predict(self, X: Any) -> np.ndarray:
        """Return the values of the best round."""
        return self._after(self.model.staged_predict, X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the best round."""
        return self._after(self.model.staged_predict_proba, X)

    def _after(self, stages: Callable[..., Any], X: Any) -> np.ndarray:
        rounds = stages(np.asarray(X, dtype=float))
        return np.asarray(next(islice(rounds, self.best - 1, None)))


def stop_hist(
    loss: Callable[[np.ndarray, np.ndarray], float], at_once: int = 25
) -> Callable[..., Staged]:
    """Return what fits scikit-learn's boosting until the held-out rows' loss no longer falls.

    It is grown in steps of some rounds, since scikit-learn does not go back to the best one.
    """

    def stop(
        model: Any, X: Any, y: np.ndarray, X_valid: Any, y_valid: Any, patience: int
    ) -> Staged:
        if X_valid is None:
            staged = Staged(model.fit(np.asarray(X, dtype=float), y))
            staged.best = model.max_iter
            return staged
        X, X_valid = (np.asarray(part, dtype=float) for part in (X, X_valid))
        staged, least, rounds = Staged(model), np.inf, model.max_iter
        stages = getattr(model, "staged_predict_proba", model.staged_predict)
        for first in range(0, rounds, at_once):
            model.set_params(max_iter=min(first + at_once, rounds)).fit(X, y)
            for number, answer in islice(enumerate(stages(X_valid), 1), first, None):
                found = loss(y_valid, answer)
                if found < least:
                    staged.best, least = number, found
                if number - staged.best >= patience:
                    return staged
        return staged

    return stop


def log_loss_of_codes(y: np.ndarray, probability: np.ndarray) -> float:
    """Return the cross-entropy of classes that are numbered from 0."""
    from sklearn.metrics import log_loss

    return float(log_loss(y, probability, labels=np.arange(probability.shape[1])))


def minus_area(y: np.ndarray, probability: np.ndarray) -> float:
    """Return minus the area under the curve of two classes, or the loss where rows have but one."""
    from sklearn.metrics import roc_auc_score

    if len(np.unique(y)) < 2:
        return log_loss_of_codes(y, probability)
    return -float(roc_auc_score(y, probability[:, 1]))
