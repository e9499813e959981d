"""Gradient boosting that stops early on rows held out of its own training rows."""

import time
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder

from pipeline.competition import Task
from pipeline.errors import ModelError
from pipeline.models import check_parameters
from pipeline.progress import EpochEnded, emit

OWN_PARAMETERS = ("patience", "validation_fraction")
# LightGBM's own names that its scikit-learn classes pass on without listing them.
PASSED_ON = (
    "bagging_fraction", "bagging_freq", "cat_l2", "cat_smooth", "extra_trees", "feature_fraction",
    "feature_fraction_bynode", "lambda_l1", "lambda_l2", "linear_lambda", "linear_tree", "max_bin",
    "max_cat_threshold", "max_cat_to_onehot", "min_data_in_bin", "min_data_in_leaf",
    "min_sum_hessian_in_leaf", "monotone_constraints", "path_smooth",
)  # fmt: skip


def make_lightgbm(
    task: Task,
    seed: int,
    *,
    patience: int = 100,
    validation_fraction: float = 0.1,
    **parameters: Any,
) -> Any:
    """Return LightGBM with early stopping; takes the names of its scikit-learn classes."""
    import lightgbm

    known = lightgbm.LGBMRegressor().get_params()
    check_parameters(parameters, (*known, *PASSED_ON, *OWN_PARAMETERS))
    cls = BoostedRegressor if task == "regression" else BoostedClassifier
    return cls(
        parameters=parameters,
        patience=patience,
        validation_fraction=validation_fraction,
        seed=seed,
    )


class _Boosted(BaseEstimator):
    """What the regressor and the classifier share: parameters, the holdout, the callbacks."""

    DEFAULTS: ClassVar[dict[str, Any]] = {
        "n_estimators": 2000,
        "learning_rate": 0.05,
        "num_leaves": 31,
        "min_child_samples": 10,
        "subsample": 0.8,
        "subsample_freq": 1,
        "colsample_bytree": 0.8,
    }

    def __init__(
        self,
        *,
        parameters: dict[str, Any] | None = None,
        patience: int = 100,
        validation_fraction: float = 0.1,
        seed: int = 42,
    ) -> None:
        self.parameters = parameters
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.seed = seed

    def _settings(self) -> dict[str, Any]:
        fixed = {"random_state": self.seed, "verbose": -1, "deterministic": True, "n_jobs": None}
        return {**self.DEFAULTS, "force_row_wise": True, **fixed, **(self.parameters or {})}

    def _fit_one(
        self,
        model: Any,
        X: Any,
        y: np.ndarray,
        holdout: np.ndarray,
        deadline: float | None,
    ) -> Any:
        """Fit one booster on the rows that are not held out; the best round is kept."""
        import lightgbm

        values = np.asarray(X, dtype=float)  # LightGBM refuses some characters in column names
        seen = np.setdiff1d(np.arange(len(y)), holdout)
        rounds = model.get_params()["n_estimators"]
        early = lightgbm.early_stopping(self.patience, verbose=False)
        callbacks = [early, _tell(rounds), _stop_at(deadline)]
        return model.fit(
            values[seen],
            y[seen],
            eval_X=values[holdout],
            eval_y=y[holdout],
            callbacks=callbacks,
        )

    def _holdout(self, n_samples: int, holdout: np.ndarray | None, classes: Any) -> np.ndarray:
        if holdout is not None:
            return np.asarray(holdout)
        if not 0 < self.validation_fraction < 1:
            raise ModelError(
                "validation_fraction: expected a number between 0 and 1, "
                f"found {self.validation_fraction!r}"
            )
        _, held_out = train_test_split(
            np.arange(n_samples),
            test_size=self.validation_fraction,
            random_state=self.seed,
            stratify=classes,
        )
        return np.sort(held_out)


class BoostedRegressor(RegressorMixin, _Boosted):
    """LightGBM for one or several numbers; several targets are fitted one after the other."""

    def fit(
        self, X: Any, y: Any, *, holdout: np.ndarray | None = None, max_seconds: float | None = None
    ) -> "BoostedRegressor":
        """Fit on X (n_samples, n_features) and y (n_samples,) or (n_samples, n_targets)."""
        import lightgbm

        y = np.asarray(y, dtype=float)
        columns = y.reshape(len(y), -1).T
        held_out = self._holdout(len(y), holdout, None)
        deadline = None if max_seconds is None else time.monotonic() + max_seconds
        self.models_ = [
            self._fit_one(lightgbm.LGBMRegressor(**self._settings()), X, column, held_out, deadline)
            for column in columns
        ]
        self.is_flat_ = y.ndim == 1
        self.stopped_by_time_ = deadline is not None and time.monotonic() > deadline
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions of the shape that y had."""
        values = np.asarray(X, dtype=float)
        predictions = np.column_stack([model.predict(values) for model in self.models_])
        return predictions[:, 0] if self.is_flat_ else predictions


class BoostedClassifier(ClassifierMixin, _Boosted):
    """LightGBM for labels of any kind."""

    def fit(
        self, X: Any, y: Any, *, holdout: np.ndarray | None = None, max_seconds: float | None = None
    ) -> "BoostedClassifier":
        """Fit on X (n_samples, n_features) and labels y (n_samples,)."""
        import lightgbm

        self.encoder_ = LabelEncoder().fit(np.asarray(y))
        self.classes_ = self.encoder_.classes_
        codes = self.encoder_.transform(np.asarray(y))
        held_out = self._holdout(len(codes), holdout, codes)
        deadline = None if max_seconds is None else time.monotonic() + max_seconds
        model = lightgbm.LGBMClassifier(**self._settings())
        self.model_ = self._fit_one(model, X, codes, held_out, deadline)
        self.stopped_by_time_ = deadline is not None and time.monotonic() > deadline
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities (n_samples, n_classes), columns in the order of classes_."""
        return np.asarray(self.model_.predict_proba(np.asarray(X, dtype=float)))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable labels (n_samples,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def _tell(rounds: int) -> Callable[[Any], None]:
    def callback(env: Any) -> None:
        loss = env.evaluation_result_list[0][2]
        emit(EpochEnded(env.iteration + 1, rounds, loss, loss))

    return callback


def _stop_at(deadline: float | None) -> Callable[[Any], None]:
    """Return a callback that ends the fit at the deadline, with the best round so far."""
    import lightgbm

    rounds: list[tuple[float, int, Any]] = []

    def callback(env: Any) -> None:
        result = env.evaluation_result_list
        rounds.append((result[0][2], env.iteration, result))
        if deadline is not None and time.monotonic() > deadline:
            _, best_round, best_result = min(rounds)
            raise lightgbm.callback.EarlyStopException(best_round, best_result)

    return callback
