"""Keras networks as scikit-learn estimators.

An estimator holds out part of the rows it is given, stops when they are no longer predicted better,
and keeps the best epoch's weights. The rows that score a fold are never among the rows it is given.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from pipeline.competition import Task
from pipeline.errors import ModelError
from pipeline.models import check_parameters, import_function, parameters_of
from pipeline.models.backend import load_keras, model_from_bytes, model_to_bytes, seeded
from pipeline.models.epochs import Schedule, fit_epochs
from pipeline.models.holdout import even_share

PREDICT_BATCH = 8192  # rows; bounds memory, and is far beyond where a call's overhead matters


def make_network(network: str, task: Task, seed: int, /, **parameters: Any) -> Any:
    """Return the unfitted estimator that trains a network for a task.

    network: "module:function" of pipeline.models.networks or of one's own.
    parameters: the estimator's own, and those of the network.
    Raises ModelError for a parameter that neither takes.
    """
    cls = KerasRegressor if task == "regression" else KerasClassifier
    own = [name for name in parameters_of(cls.__init__) if not name.startswith("network")]
    of_network = parameters_of(import_function(network))
    check_parameters(parameters, {*own, *of_network} - {"seed"})
    return cls(
        network=network,
        network_parameters={k: v for k, v in parameters.items() if k in of_network},
        seed=seed,
        **{k: v for k, v in parameters.items() if k in own},
    )


@dataclass(frozen=True)
class Head:
    """How many logits there are, what makes predictions of them, and what is minimised."""

    n_outputs: int
    activation: str
    loss: str


class _Keras(BaseEstimator):
    """What the regressor and the classifier share: parameters, the fit, and the saved state."""

    def __init__(
        self,
        *,
        network: str = "pipeline.models.networks:dnn",
        network_parameters: dict[str, Any] | None = None,
        epochs: int = 300,
        batch_size: int = 64,
        patience: int = 20,
        learning_rate: float = 4e-4,
        validation_fraction: float = 0.1,
        seed: int = 42,
    ) -> None:
        self.network = network
        self.network_parameters = network_parameters
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.seed = seed

    def _fit(
        self,
        X: Any,
        y: np.ndarray,
        holdout: np.ndarray,
        max_seconds: float | None,
        head: Head,
    ) -> None:
        """Train a new model on the rows of encoded y (n_samples, n_columns) not held out."""
        deadline = None if max_seconds is None else time.monotonic() + max_seconds
        check_consistent_length(X, y)
        x = self._matrix(X, reset=True)
        schedule = Schedule(
            epochs=self.epochs,
            batch_size=self.batch_size,
            patience=self.patience,
            learning_rate=self.learning_rate,
            seed=self.seed,
            deadline=deadline,
        )
        load_keras()  # some versions draw random numbers when they are imported
        with seeded(self.seed):
            model = self._build(x.shape[1], head)
            outcome = fit_epochs(model, x, y, holdout, head.loss, schedule)
        self.model_, self.history_ = model, outcome.history
        self.best_epoch_ = outcome.best_epoch
        self.stopped_by_time_ = outcome.stopped_by_time

    def _build(self, n_features: int, head: Head) -> Any:
        """Return the model from inputs (n_features,) to predictions (n_outputs,)."""
        keras = load_keras()
        inputs = keras.Input((n_features,))
        network = import_function(self.network)
        try:
            logits = network(inputs, head.n_outputs, **(self.network_parameters or {}))
        except (TypeError, ValueError) as error:
            raise ModelError(f"{self.network}: {' '.join(str(error).split())}") from error
        return keras.Model(inputs, keras.layers.Activation(head.activation)(logits))

    def _hold_out(self, y: np.ndarray, holdout: np.ndarray | None) -> np.ndarray:
        """Return the positions of the rows that stop the training."""
        if holdout is None:
            holdout = even_share(y[:, 0], self.validation_fraction, self.seed)
        if not 0 < len(holdout) < len(y):
            raise ModelError(
                "expected rows to train on and rows to stop the training, "
                f"found {len(y) - len(holdout)} and {len(holdout)}"
            )
        return np.asarray(holdout)

    def _matrix(self, X: Any, *, reset: bool) -> np.ndarray:
        """Return X as float32 (n_samples, n_features), checked against the fitted columns."""
        x: np.ndarray = validate_data(
            self, X, reset=reset, dtype="float32", ensure_all_finite=False
        )
        bad = ~np.isfinite(x).all(axis=0)
        if bad.any():
            raise ModelError(
                f"{bad.sum()} of {x.shape[1]} feature columns have missing or infinite values, "
                "which a network cannot take; impute them first"
            )
        return x

    def _check(self) -> None:
        """Check the parameters that the constructor only stored."""
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ModelError(f"{name}: expected a whole number of 1 or more, found {value!r}")
        for name, limit in (("learning_rate", np.inf), ("validation_fraction", 1)):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 < value < limit:
                between = "above 0" if limit == np.inf else f"between 0 and {limit}"
                raise ModelError(f"{name}: expected a number {between}, found {value!r}")

    def _respond(self, X: Any) -> np.ndarray:
        """Return what the model's head says of X: (n_samples, n_columns), float64."""
        check_is_fitted(self)
        x = self._matrix(X, reset=False)
        parts = [
            self.model_(x[start : start + PREDICT_BATCH], training=False).numpy()
            for start in range(0, len(x), PREDICT_BATCH)
        ]
        return np.concatenate(parts).astype(float)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = model_to_bytes(state["model_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "model_" in state:
            state = {**state, "model_": model_from_bytes(state["model_"])}
        super().__setstate__(state)


class KerasRegressor(RegressorMixin, _Keras):
    """A network for one or several numbers; their scale is learned and given back."""

    def fit(
        self, X: Any, y: Any, *, holdout: np.ndarray | None = None, max_seconds: float | None = None
    ) -> "KerasRegressor":
        """Fit on X (n_samples, n_features) and y (n_samples,) or (n_samples, n_targets).

        holdout: positions of the rows that stop the training; without them a share of
            validation_fraction, even over the range of y.
        max_seconds: the epoch that passes them is the last one.
        Raises ModelError for a parameter out of range, or missing values in X.
        """
        self._check()
        y = np.asarray(y, dtype=float)
        columns = y.reshape(len(y), -1)  # (n_samples, n_targets)
        held_out = self._hold_out(columns, holdout)
        seen = np.delete(columns, held_out, axis=0)
        self.is_flat_ = y.ndim == 1
        self.target_mean_ = seen.mean(axis=0)
        spread = seen.std(axis=0)
        self.target_std_ = np.where(spread > 0, spread, 1.0)
        scaled = ((columns - self.target_mean_) / self.target_std_).astype("float32")
        self._fit(X, scaled, held_out, max_seconds, Head(columns.shape[1], "linear", "mse"))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions of the shape that y had."""
        values: np.ndarray = self._respond(X) * self.target_std_ + self.target_mean_
        return values[:, 0] if self.is_flat_ else values


class KerasClassifier(ClassifierMixin, _Keras):
    """A network for labels of any kind: a sigmoid for two classes, a softmax for more."""

    def fit(
        self, X: Any, y: Any, *, holdout: np.ndarray | None = None, max_seconds: float | None = None
    ) -> "KerasClassifier":
        """Fit on X (n_samples, n_features) and labels y (n_samples,).

        holdout: positions of the rows that stop the training; without them a share of
            validation_fraction of each class.
        max_seconds: the epoch that passes them is the last one.
        Raises ModelError for a parameter out of range, missing values in X, or a single class.
        """
        self._check()
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if len(self.classes_) < 2:
            raise ModelError(
                f"y: expected at least two classes, found only {str(self.classes_[0])!r}"
            )
        codes = codes.reshape(-1, 1)
        self._fit(X, codes, self._hold_out(codes, holdout), max_seconds, self._head())
        return self

    def _head(self) -> Head:
        if len(self.classes_) == 2:
            return Head(1, "sigmoid", "binary_crossentropy")
        return Head(len(self.classes_), "softmax", "sparse_categorical_crossentropy")

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities (n_samples, n_classes), columns in the order of classes_."""
        probability = self._respond(X)
        if len(self.classes_) == 2:
            return np.hstack([1 - probability, probability])
        return probability

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable labels (n_samples,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
