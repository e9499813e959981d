"""Keras networks as scikit-learn estimators.

An estimator holds out part of the rows it is given, stops when they are no longer predicted better,
and keeps the best epoch's weights. The rows that score a fold are never among the rows it is given.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from pipeline.competition import Task as TaskName
from pipeline.errors import ModelError
from pipeline.models import check_parameters, import_function, parameters_of
from pipeline.models.backend import load_keras, model_from_bytes, model_to_bytes, seeded
from pipeline.models.epochs import train
from pipeline.models.holdout import even_share
from pipeline.models.learning import Loss, Recipe
from pipeline.models.replicas import Replica, Task

# What Keras calls what is minimised.
KERAS_LOSSES: dict[Loss, str] = {
    "squared_error": "mse",
    "binary_crossentropy": "binary_crossentropy",
    "categorical_crossentropy": "sparse_categorical_crossentropy",
}
PREDICT_BATCH = 8192  # rows; bounds memory, and is far beyond where a call's overhead matters


def make_network(
    network: str, task: TaskName, seed: int, /, *, metric: str | None = None, **parameters: Any
) -> Any:
    """Return the unfitted estimator that trains a network for a task.

    network: "module:function" of pipeline.models.networks or of one's own.
    metric: the score that stops the training, by its name in pipeline.metrics; else the loss.
    parameters: the estimator's own, and those of the network.
    Raises ModelError for a parameter that neither takes.
    """
    cls = KerasRegressor if task == "regression" else KerasClassifier
    own = [name for name in parameters_of(cls.__init__) if not name.startswith("network")]
    of_network = parameters_of(import_function(network))
    check_parameters(parameters, {*own, *of_network} - {"seed", "metric"})
    return cls(
        network=network,
        network_parameters={k: v for k, v in parameters.items() if k in of_network},
        metric=metric,
        seed=seed,
        **{k: v for k, v in parameters.items() if k in own},
    )


@dataclass(frozen=True)
class Head:
    """How many logits there are, what makes predictions of them, and what is minimised."""

    n_outputs: int
    activation: str
    loss: Loss


@dataclass(frozen=True, eq=False)
class Rows:
    """What one estimator is fitted on: X (n_samples, n_features), y, and who stops the training."""

    X: Any
    y: Any
    holdout: np.ndarray | None = None


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
        n_seeds: int = 1,
        validation_fraction: float = 0.1,
        metric: str | None = None,
        seed: int = 42,
    ) -> None:
        self.network = network
        self.network_parameters = network_parameters
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.learning_rate = learning_rate
        self.n_seeds = n_seeds
        self.validation_fraction = validation_fraction
        self.metric = metric
        self.seed = seed

    @staticmethod
    def fit_together(
        estimators: "Sequence[_Keras]", rows: Sequence[Rows], max_seconds: float | None = None
    ) -> None:
        """Fit estimators of equal parameters, each on its own rows, in one compiled program.

        Each learns what it would learn alone. Networks that have a layer without a rule for that
        are trained one after the other.
        Raises ModelError for a parameter out of range, or missing values in X.
        """
        deadline = None if max_seconds is None else time.monotonic() + max_seconds
        load_keras()  # some versions draw random numbers when they are imported
        tasks = [one._task(own) for one, own in zip(estimators, rows, strict=True)]
        first = estimators[0]
        recipe = first._recipe()
        trained = train(first._build, tasks, recipe, deadline)
        for one, replicas in zip(estimators, trained, strict=True):
            one._keep(replicas)

    @property
    def model_(self) -> Any:
        """The first trained Keras model."""
        return self.models_[0]

    def _recipe(self) -> Recipe:
        return Recipe(
            loss=self.head_.loss,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            patience=self.patience,
            score="loss" if self.metric is None else self.metric,
        )

    def _new_task(self, X: Any, y: np.ndarray, holdout: np.ndarray, **scale: Any) -> Task:
        """Return the rows of encoded y (n_samples, n_columns) as the networks see them."""
        check_consistent_length(X, y)
        return Task(
            x=self._matrix(X, reset=True),
            y=y.astype("float32"),
            holdout=holdout,
            seeds=tuple(range(self.seed, self.seed + self.n_seeds)),
            **scale,
        )

    def _build(self, task: Task, seed: int) -> Any:
        """Return an untrained model from inputs (n_features,) to logits."""
        keras = load_keras()
        inputs = keras.Input((task.x.shape[1],))
        network = import_function(self.network)
        with seeded(seed):
            try:
                parameters = self.network_parameters or {}
                return keras.Model(inputs, network(inputs, self.head_.n_outputs, **parameters))
            except (TypeError, ValueError) as error:
                raise ModelError(f"{self.network}: {' '.join(str(error).split())}") from error

    def _keep(self, replicas: list[Replica]) -> None:
        """Take what was trained, each network with its head."""
        self.models_ = [_with_head(replica.model, self.head_) for replica in replicas]
        self.histories_ = [replica.history for replica in replicas]
        self.history_ = self.histories_[0]
        self.best_epochs_ = [replica.best_epoch for replica in replicas]
        self.best_epoch_ = self.best_epochs_[0]
        self.stopped_by_time_ = any(replica.stopped_by_time for replica in replicas)

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
        for name in ("epochs", "batch_size", "patience", "n_seeds"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ModelError(f"{name}: expected a whole number of 1 or more, found {value!r}")
        for name, limit in (("learning_rate", np.inf), ("validation_fraction", 1)):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 < value < limit:
                between = "above 0" if limit == np.inf else f"between 0 and {limit}"
                raise ModelError(f"{name}: expected a number {between}, found {value!r}")

    def _respond(self, X: Any) -> np.ndarray:
        """Return the mean of what the models say of X: (n_samples, n_columns), float64."""
        check_is_fitted(self)
        x = self._matrix(X, reset=False)
        parts = [x[start : start + PREDICT_BATCH] for start in range(0, len(x), PREDICT_BATCH)]
        said = [
            np.concatenate([model(part, training=False).numpy() for part in parts])
            for model in self.models_
        ]
        return np.mean(said, axis=0, dtype=float)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "models_" in state:
            state["models_"] = [model_to_bytes(model) for model in state["models_"]]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "models_" in state:
            models = [model_from_bytes(content) for content in state["models_"]]
            state = {**state, "models_": models}
        super().__setstate__(state)


def _with_head(logits: Any, head: Head) -> Any:
    """Return the compiled model that ends in predictions; both share their layers."""
    keras = load_keras()
    model = keras.Model(logits.input, keras.layers.Activation(head.activation)(logits.output))
    model.compile("adam", KERAS_LOSSES[head.loss])
    model.optimizer.build(model.trainable_variables)  # or it could not be loaded again
    return model


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
        self.fit_together([self], [Rows(X, y, holdout)], max_seconds)
        return self

    def _task(self, rows: Rows) -> Task:
        self._check()
        y = np.asarray(rows.y, dtype=float)
        columns = y.reshape(len(y), -1)  # (n_samples, n_targets)
        held_out = self._hold_out(columns, rows.holdout)
        seen = np.delete(columns, held_out, axis=0)
        self.is_flat_ = y.ndim == 1
        self.head_ = Head(columns.shape[1], "linear", "squared_error")
        self.target_mean_ = seen.mean(axis=0)
        spread = seen.std(axis=0)
        self.target_std_ = np.where(spread > 0, spread, 1.0)
        scaled = (columns - self.target_mean_) / self.target_std_
        scale = {"center": self.target_mean_, "spread": self.target_std_}
        return self._new_task(rows.X, scaled, held_out, **scale)

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
        self.fit_together([self], [Rows(X, y, holdout)], max_seconds)
        return self

    def _task(self, rows: Rows) -> Task:
        self._check()
        self.classes_, codes = np.unique(np.asarray(rows.y), return_inverse=True)
        if len(self.classes_) < 2:
            raise ModelError(
                f"y: expected at least two classes, found only {str(self.classes_[0])!r}"
            )
        codes = codes.reshape(-1, 1)
        self.head_ = _class_head(len(self.classes_))
        return self._new_task(rows.X, codes, self._hold_out(codes, rows.holdout))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities (n_samples, n_classes), columns in the order of classes_."""
        probability = self._respond(X)
        if len(self.classes_) == 2:
            return np.hstack([1 - probability, probability])
        return probability

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable labels (n_samples,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def _class_head(n_classes: int) -> Head:
    if n_classes == 2:
        return Head(1, "sigmoid", "binary_crossentropy")
    return Head(n_classes, "softmax", "categorical_crossentropy")
