"""Gradient boosting that stops early on rows held out of its own training rows.

Four libraries share two estimators: one for numbers and one for classes.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from pipeline.competition import MetricName, Task
from pipeline.errors import ModelError, did_you_mean
from pipeline.machine import cores
from pipeline.models import FEW_ANSWERS, check_parameters
from pipeline.models.holdout import even_share
from pipeline.models.libraries import LIBRARIES
from pipeline.models.rounds import MANY_CELLS, Clock, Job, as_table, best_round

OWN_PARAMETERS = ("patience", "validation_fraction")
METRIC_NAMES = get_args(MetricName)


def make_lightgbm(task: Task, seed: int, *, metric: str | None = None, **parameters: Any) -> Any:
    """Return LightGBM with early stopping; takes the names of its scikit-learn classes."""
    return _make("lightgbm", task, seed, metric, parameters)


def make_catboost(task: Task, seed: int, *, metric: str | None = None, **parameters: Any) -> Any:
    """Return CatBoost with early stopping; takes the names of its scikit-learn classes."""
    return _make("catboost", task, seed, metric, parameters)


def make_xgboost(task: Task, seed: int, *, metric: str | None = None, **parameters: Any) -> Any:
    """Return XGBoost with early stopping; takes the names of its scikit-learn classes."""
    return _make("xgboost", task, seed, metric, parameters)


def make_hist_gradient_boosting(
    task: Task, seed: int, *, metric: str | None = None, **parameters: Any
) -> Any:
    """Return scikit-learn's boosting on histograms with early stopping; takes its parameters."""
    return _make("hist_gradient_boosting", task, seed, metric, parameters)


def _make(
    library: str, task: Task, seed: int, metric: str | None, parameters: dict[str, Any]
) -> Any:
    """Return the unfitted estimator of a library.

    metric: the score that stops the fit, as pipeline.metrics names it; None stops by the loss.
    Raises ModelError if the library is not installed or does not take a parameter.
    """
    check_parameters(parameters, (*_known(library, task), *OWN_PARAMETERS, "metric"))
    if metric is not None and metric not in METRIC_NAMES:
        raise ModelError(f"metric: {metric!r}; {did_you_mean(metric, METRIC_NAMES)}")
    own = {name: parameters[name] for name in OWN_PARAMETERS if name in parameters}
    fraction = own.get("validation_fraction", 0.1)
    if not isinstance(fraction, int | float) or not 0 < fraction < 1:
        raise ModelError(
            f"validation_fraction: expected a number between 0 and 1, found {fraction!r}"
        )
    cls = BoostedRegressor if task == "regression" else BoostedClassifier
    rest = {name: value for name, value in parameters.items() if name not in own}
    return cls(library=library, parameters=rest, metric=metric, seed=seed, **own)


def _known(library: str, task: Task) -> set[str]:
    """Return the names of all parameters that a library takes from a declaration."""
    facts = LIBRARIES[library]
    try:
        module = importlib.import_module(facts.package)
    except ModuleNotFoundError as error:
        if error.name != facts.package:
            raise
        raise ModelError(
            f"{facts.package} is not installed; run: pip install {facts.package}"
        ) from None
    return {*facts.parameters(module, task == "regression")} - facts.ours


class _Boosted(BaseEstimator):
    """What the regressor and the classifier share: parameters, the holdout, the threads.

    rounds_: of each target, how many it answers with.
    """

    def __init__(
        self,
        *,
        library: str = "lightgbm",
        parameters: dict[str, Any] | None = None,
        patience: int = 200,
        validation_fraction: float = 0.1,
        metric: str | None = None,
        seed: int = 42,
    ) -> None:
        self.library = library
        self.parameters = parameters
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.metric = metric
        self.seed = seed

    def settings(self, shape: tuple[int, int], *, is_regression: bool) -> dict[str, Any]:
        """Return the library's parameters for rows of a shape: what is declared, else defaults."""
        facts = LIBRARIES[self.library]
        declared = {facts.aliases.get(k, k): v for k, v in (self.parameters or {}).items()}
        settings = facts.settings(is_regression, shape[0], self.seed) | declared
        if facts.threads and settings.get(facts.threads) is None:
            settings[facts.threads] = 1 if shape[0] * shape[1] < MANY_CELLS else cores()
        return settings

    def _fit_one(
        self,
        X: Any,
        y: np.ndarray,
        holdout: np.ndarray,
        max_seconds: float | None,
        n_classes: int = 0,
        rounds: float | None = None,
    ) -> Any:
        """Return a model fitted on the rows that are not held out; the best round is kept.

        rounds: makes so many, on all rows.
        Raises ModelError for a parameter value that the library refuses.
        """
        facts = LIBRARIES[self.library]
        rows = facts.rows(X)
        self.is_of_table_ = isinstance(rows, pa.Table)
        settings = self.settings(rows.shape, is_regression=not n_classes)
        if rounds is not None:
            settings[facts.rounds] = max(1, round(rounds))
        clock = Clock(settings[facts.rounds], max_seconds)
        seen = np.setdiff1d(np.arange(len(y)), [] if rounds is not None else holdout)
        job = Job(
            X=_at(rows, seen),
            y=y[seen],
            X_valid=None if rounds is not None else _at(rows, holdout),
            y_valid=None if rounds is not None else y[holdout],
            n_classes=n_classes,
            settings=settings,
            patience=self.patience,
            metric=self.metric,
            clock=clock,
        )
        model = facts.fit(job)
        self.stopped_by_time_ |= clock.stopped
        self.rounds_.append(best_round(model) if rounds is None else settings[facts.rounds])
        return model

    def adopt(self, grown: Any, labels: np.ndarray | None) -> "_Boosted":
        """Return this estimator with a model that was grown elsewhere, of one target.

        labels: the sorted classes, None for numbers.
        """
        self.rounds_, self.stopped_by_time_ = [grown.rounds], grown.stopped_by_time
        if labels is None:
            self.models_, self.is_flat_ = [grown], True
        else:
            self.model_, self.classes_ = grown, labels
        return self

    def _answer(self, ask: Callable[..., Any], X: Any) -> np.ndarray:
        """Return what a fitted model says of rows, which threads share: the same bits on each."""
        facts = LIBRARIES[self.library]
        rows = as_table(X) if getattr(self, "is_of_table_", False) else facts.rows(X)
        if facts.answering is None:
            return np.asarray(ask(rows))
        is_few = len(rows) * max(self.rounds_) < FEW_ANSWERS
        return np.asarray(ask(rows, **{facts.answering: 1 if is_few else cores()}))


def _at(rows: Any, positions: np.ndarray) -> Any:
    if isinstance(rows, pa.Table):
        return rows.take(pa.array(positions))
    return rows.iloc[positions] if hasattr(rows, "iloc") else rows[positions]


class BoostedRegressor(RegressorMixin, _Boosted):
    """Boosting for one or several numbers; several targets are fitted one after the other."""

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        holdout: np.ndarray | None = None,
        max_seconds: float | None = None,
        rounds: Sequence[float] | None = None,
    ) -> "BoostedRegressor":
        """Fit on X (n_samples, n_features) and y (n_samples,) or (n_samples, n_targets).

        rounds: of each target; then no row is held out.
        """
        y = np.asarray(y, dtype=float)
        columns = y.reshape(len(y), -1).T
        if holdout is None:
            holdout = even_share(columns[0], self.validation_fraction, self.seed)
        each = None if max_seconds is None else max_seconds / len(columns)
        self.is_flat_, self.stopped_by_time_ = y.ndim == 1, False
        self.rounds_: list[int] = []
        self.models_ = [
            self._fit_one(X, column, holdout, each, rounds=None if rounds is None else rounds[i])
            for i, column in enumerate(columns)
        ]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions of the shape that y had."""
        each = [self._answer(model.predict, X) for model in self.models_]
        predictions = np.column_stack(each)
        return predictions[:, 0] if self.is_flat_ else predictions


class BoostedClassifier(ClassifierMixin, _Boosted):
    """Boosting for labels of any kind."""

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        holdout: np.ndarray | None = None,
        max_seconds: float | None = None,
        rounds: Sequence[float] | None = None,
    ) -> "BoostedClassifier":
        """Fit on X (n_samples, n_features) and labels y (n_samples,).

        Held-out rows of a class that no other row has are trained on instead. rounds: a single
        number of them; then no row is held out.
        Raises ModelError if there is a single class, or no row can be held out.
        """
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if len(self.classes_) < 2:
            raise ModelError(
                f"y: expected at least two classes, found only {str(self.classes_[0])!r}"
            )
        repeated = np.flatnonzero(np.bincount(codes)[codes] > 1)
        if not len(repeated):
            raise ModelError("y: expected a class with two rows or more, found none")
        if holdout is None:
            holdout = repeated[even_share(codes[repeated], self.validation_fraction, self.seed)]
        holdout = np.asarray(holdout)
        held_out = holdout[np.isin(codes[holdout], np.delete(codes, holdout))]
        if not len(held_out):
            raise ModelError("holdout: expected a row of a class that other rows have, found none")
        self.stopped_by_time_ = False
        self.rounds_: list[int] = []
        made = None if rounds is None else rounds[0]
        self.model_ = self._fit_one(X, codes, held_out, max_seconds, len(self.classes_), made)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities (n_samples, n_classes), columns in the order of classes_."""
        return self._answer(self.model_.predict_proba, X).astype(float)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable labels (n_samples,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
