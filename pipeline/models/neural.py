"""Keras networks as scikit-learn estimators.

An estimator holds out part of the rows it is given, stops when they are no longer predicted better,
and keeps the best epoch's weights. The rows that score a fold are never among the rows it is given.
"""

import time
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from pipeline.competition import Task
from pipeline.errors import ModelError
from pipeline.models import check_parameters, import_function, parameters_of
from pipeline.models.backend import load_keras, model_from_bytes, model_to_bytes, seeded
from pipeline.progress import EpochEnded, emit

PREDICT_BATCH = 8192  # rows; bounds memory, and is far beyond where a call's overhead matters
SMALLEST = {"epochs": 1, "batch_size": 1, "patience": 1}


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


class _Keras(BaseEstimator):
    """What the regressor and the classifier share: parameters, the fit, and the saved state."""

    def __init__(
        self,
        *,
        network: str = "pipeline.models.networks:dnn",
        network_parameters: dict[str, Any] | None = None,
        epochs: int = 300,
        batch_size: int = 128,
        patience: int = 30,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        validation_fraction: float = 0.1,
        seed: int = 42,
    ) -> None:
        self.network = network
        self.network_parameters = network_parameters
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.seed = seed

    def _fit(
        self,
        X: Any,
        y: np.ndarray,
        seen: np.ndarray,
        holdout: np.ndarray,
        deadline: float | None,
        **head: Any,
    ) -> None:
        """Train a new model on the seen rows of encoded targets y (n_samples, n_columns)."""
        x = self._matrix(X, reset=True)
        keras = load_keras()
        with seeded(self.seed):
            model = self._build(x.shape[1], n_steps=-(-len(seen) // self.batch_size), **head)
            early = keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=self.patience, restore_best_weights=True
            )
            clock = _clock(self.epochs, deadline)
            history = model.fit(
                _batches(x[seen], y[seen], self.batch_size, self.seed),
                shuffle=False,  # the batches are shuffled already
                steps_per_epoch=model.steps_per_execution,
                epochs=self.epochs,
                validation_data=(x[holdout], y[holdout]),
                validation_batch_size=len(holdout),
                callbacks=[early, clock],
                verbose=0,
            )
        if not np.isfinite(early.best):
            raise ModelError(
                f"the loss is not finite after {len(history.epoch)} epochs; "
                f"learning_rate: try less than {self.learning_rate:g}"
            )
        self.model_, self.history_ = model, history.history
        self.best_epoch_ = early.best_epoch + 1
        self.stopped_by_time_ = clock.stopped

    def _build(
        self, n_features: int, *, n_steps: int, n_outputs: int, activation: str, loss: str
    ) -> Any:
        """Return the compiled model; one execution of its graph is one epoch of n_steps."""
        keras = load_keras()
        function = import_function(self.network)
        inputs = keras.Input((n_features,))
        logits = function(inputs, n_outputs, **(self.network_parameters or {}))
        model = keras.Model(inputs, keras.layers.Activation(activation)(logits))
        optimizer = keras.optimizers.AdamW(self.learning_rate, weight_decay=self.weight_decay)
        # XLA on the CPU makes an epoch of a small network about six times slower.
        model.compile(optimizer, loss, steps_per_execution=n_steps, jit_compile=False)
        return model

    def _split(self, y: np.ndarray, holdout: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions to train on and those that stop the training."""
        if holdout is None:
            holdout = _even_share(y, self.validation_fraction, self.seed)
        seen = np.setdiff1d(np.arange(len(y)), holdout)
        if not len(seen) or not len(holdout):
            raise ModelError(
                "expected rows to train on and rows to stop the training, "
                f"found {len(seen)} and {len(holdout)}"
            )
        return seen, np.asarray(holdout)

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
        for name, smallest in SMALLEST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or value < smallest:
                raise ModelError(
                    f"{name}: expected a whole number of {smallest} or more, found {value!r}"
                )
        if not 0 < self.validation_fraction < 1:
            raise ModelError(
                "validation_fraction: expected a number between 0 and 1, "
                f"found {self.validation_fraction!r}"
            )
        if not self.learning_rate > 0:
            raise ModelError(
                f"learning_rate: expected a number above 0, found {self.learning_rate!r}"
            )

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
        deadline = _deadline(max_seconds)
        self._check()
        y = np.asarray(y, dtype=float)
        columns = y.reshape(len(y), -1)  # (n_samples, n_targets)
        seen, held_out = self._split(columns, holdout)
        self.is_flat_ = y.ndim == 1
        self.target_mean_ = columns[seen].mean(axis=0)
        spread = columns[seen].std(axis=0)
        self.target_std_ = np.where(spread > 0, spread, 1.0)
        scaled = ((columns - self.target_mean_) / self.target_std_).astype("float32")
        head = {"n_outputs": columns.shape[1], "activation": "linear", "loss": "mse"}
        self._fit(X, scaled, seen, held_out, deadline, **head)
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
        deadline = _deadline(max_seconds)
        self._check()
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        if len(self.classes_) < 2:
            raise ModelError(
                f"y: expected at least two classes, found only {str(self.classes_[0])!r}"
            )
        codes = codes.reshape(-1, 1)
        self._fit(X, codes, *self._split(codes, holdout), deadline, **self._head())
        return self

    def _head(self) -> dict[str, Any]:
        if len(self.classes_) == 2:
            return {"n_outputs": 1, "activation": "sigmoid", "loss": "binary_crossentropy"}
        loss = "sparse_categorical_crossentropy"
        return {"n_outputs": len(self.classes_), "activation": "softmax", "loss": loss}

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities (n_samples, n_classes), columns in the order of classes_."""
        probability = self._respond(X)
        if len(self.classes_) == 2:
            return np.hstack([1 - probability, probability])
        return probability

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable labels (n_samples,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def _batches(x: np.ndarray, y: np.ndarray, batch_size: int, seed: int) -> Any:
    """Return endless shuffled batches (x, y), in an order that only the seed decides.

    Batches are gathered from constants by shuffled positions: half the time of Dataset.shuffle.
    """
    import tensorflow as tf

    plain = tf.autograph.experimental.do_not_convert  # nothing here is for AutoGraph to rewrite
    rows_x, rows_y, n_rows = tf.constant(x), tf.constant(y), len(x)

    def shuffled(epoch: Any) -> Any:
        order = tf.random.experimental.stateless_shuffle(tf.range(n_rows), seed=[seed, epoch])
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    def gather(positions: Any) -> Any:
        return tf.gather(rows_x, positions), tf.gather(rows_y, positions)

    return tf.data.Dataset.counter().flat_map(plain(shuffled)).map(plain(gather)).prefetch(4)


def _deadline(max_seconds: float | None) -> float | None:
    return None if max_seconds is None else time.monotonic() + max_seconds


def _clock(epochs: int, deadline: float | None) -> Any:
    """Return the callback that tells of each epoch, and ends the fit when its time is over."""
    callbacks: Any = load_keras().callbacks

    class Clock(callbacks.Callback):
        stopped = False

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            emit(EpochEnded(epoch + 1, epochs, logs["loss"], logs["val_loss"]))
            if deadline is not None and time.monotonic() >= deadline:
                self.stopped = not self.model.stop_training and epoch + 1 < epochs
                self.model.stop_training = True

    return Clock()


def _even_share(y: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return sorted random positions of a share of the rows, even over the sorted targets.

    So classes keep their shares, and numbers their distribution.
    """
    order = np.argsort(y[:, 0], kind="stable")
    n_held_out = max(1, round(fraction * len(y)))
    rng = np.random.default_rng(seed)
    return np.sort([rng.choice(stretch) for stretch in np.array_split(order, n_held_out)])
