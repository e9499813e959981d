"""Gradient boosting that stops early on rows held out of its own training rows."""

import time
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from pipeline.competition import Task
from pipeline.errors import ModelError
from pipeline.models import check_parameters
from pipeline.models.holdout import even_share
from pipeline.progress import EpochEnded, emit

# Below it threads gain little, and lose a tenfold where they wait for a core that others use.
MANY_CELLS = 1_000_000
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
    if not 0 < validation_fraction < 1:
        raise ModelError(
            f"validation_fraction: expected a number between 0 and 1, found {validation_fraction!r}"
        )
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
        self, model: Any, X: Any, y: np.ndarray, holdout: np.ndarray, max_seconds: float | None
    ) -> Any:
        """Fit one booster on the rows that are not held out; the best round is kept.

        Raises ModelError for a parameter value that LightGBM refuses.
        """
        import lightgbm

        values = np.asarray(X, dtype=float)  # LightGBM refuses some characters in column names
        if values.size < MANY_CELLS and model.n_jobs is None:
            model.set_params(n_jobs=1)
        seen = np.setdiff1d(np.arange(len(y)), holdout)
        early = lightgbm.early_stopping(self.patience, verbose=False)
        clock = _Clock(model.get_params()["n_estimators"], max_seconds)
        try:
            model.fit(
                values[seen],
                y[seen],
                eval_X=values[holdout],
                eval_y=y[holdout],
                callbacks=[early, clock],
            )
        except lightgbm.basic.LightGBMError as error:
            raise ModelError(f"LightGBM: {' '.join(str(error).split())}") from error
        self.stopped_by_time_ |= clock.stopped
        return model


class BoostedRegressor(RegressorMixin, _Boosted):
    """LightGBM for one or several numbers; several targets are fitted one after the other."""

    def fit(
        self, X: Any, y: Any, *, holdout: np.ndarray | None = None, max_seconds: float | None = None
    ) -> "BoostedRegressor":
        """Fit on X (n_samples, n_features) and y (n_samples,) or (n_samples, n_targets)."""
        import lightgbm

        y = np.asarray(y, dtype=float)
        columns = y.reshape(len(y), -1).T
        if holdout is None:
            holdout = even_share(columns[0], self.validation_fraction, self.seed)
        each = None if max_seconds is None else max_seconds / len(columns)
        self.is_flat_, self.stopped_by_time_ = y.ndim == 1, False
        self.models_ = [
            self._fit_one(lightgbm.LGBMRegressor(**self._settings()), X, column, holdout, each)
            for column in columns
        ]
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
        """Fit on X (n_samples, n_features) and labels y (n_samples,).

        Held-out rows of a class that no other row has are trained on instead.
        Raises ModelError if there is a single class, or no row can be held out.
        """
        import lightgbm

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
        model = lightgbm.LGBMClassifier(**self._settings())
        self.model_ = self._fit_one(model, X, codes, held_out, max_seconds)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities (n_samples, n_classes), columns in the order of classes_."""
        return np.asarray(self.model_.predict_proba(np.asarray(X, dtype=float)))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable labels (n_samples,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class _Clock:
    """Tell of each round, and end the fit when its time is over, with the best round so far."""

    def __init__(self, rounds: int, max_seconds: float | None) -> None:
        self.rounds = rounds
        self.deadline = None if max_seconds is None else time.monotonic() + max_seconds
        self.best: tuple[float, int, Any] | None = None
        self.stopped = False

    def __call__(self, env: Any) -> None:
        """Take LightGBM's environment after a round."""
        from lightgbm.callback import EarlyStopException

        result = env.evaluation_result_list
        loss = result[0][2]
        emit(EpochEnded(env.iteration + 1, self.rounds, loss, loss))
        if self.best is None or loss < self.best[0]:
            self.best = loss, env.iteration, result
        if self.deadline is not None and time.monotonic() > self.deadline:
            self.stopped = env.iteration + 1 < self.rounds
            raise EarlyStopException(*self.best[1:])
