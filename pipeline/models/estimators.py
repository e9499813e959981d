"""Networks as scikit-learn estimators: what all kinds of them share.

An estimator holds out part of the rows it is given, stops when they are no longer predicted better,
and keeps the best epoch's weights. The rows that score a fold are never among the rows it is given.
"""

import abc
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from pipeline.competition import Task as TaskName
from pipeline.errors import ModelError
from pipeline.models import check_parameters, parameters_of
from pipeline.models.backend import load_keras, model_from_bytes, model_to_bytes
from pipeline.models.checkpoints import Store
from pipeline.models.epochs import train
from pipeline.models.holdout import even_share
from pipeline.models.learning import Loss, Recipe, Shown
from pipeline.models.replicas import Replica, Task

# What Keras calls what is minimised.
KERAS_LOSSES: dict[Loss, str] = {
    "squared_error": "mse",
    "binary_crossentropy": "binary_crossentropy",
    "categorical_crossentropy": "sparse_categorical_crossentropy",
}
PREDICT_ROWS = 8192  # at once; far beyond where a call's overhead matters
PREDICT_VALUES = 2**23  # in the largest tensor of a call; 32 MB, of which a call has a dozen


@dataclass(frozen=True)
class Head:
    """How many logits there are, what makes predictions of them, and what is minimised."""

    n_outputs: int
    activation: str
    loss: Loss


@dataclass(frozen=True, eq=False)
class Rows:
    """What one estimator is fitted on: X (n_samples, n_features), y, and who stops the training.

    holdout: positions of the rows that stop it; without them a share of validation_fraction, even
    over the classes or the range of y. plan: of a fit that a clock ended, to be repeated.
    """

    X: Any
    y: Any
    holdout: np.ndarray | None = None
    weight: np.ndarray | None = None  # (n_samples,); how much each row counts
    plan: tuple[tuple[int, int], ...] = ()


class Networks(BaseEstimator, abc.ABC):
    """One or several trained networks whose mean predicts.

    A kind of network says how it is built, how it learns and which columns it takes; all parameters
    are its constructor's, which only stores them.
    """

    MAY_BE_NONE: ClassVar[tuple[str, ...]] = ()
    batch_size: int | None
    patience: int | None
    learning_rate: float | None
    n_seeds: int
    validation_fraction: float
    metric: str | None
    seed: int

    @abc.abstractmethod
    def _recipe(self, n_train: int) -> Recipe:
        """Return how networks learn from so many rows."""

    @abc.abstractmethod
    def _build(self, task: Task, seed: int) -> Any:
        """Return an untrained model from the task's columns to logits."""

    @abc.abstractmethod
    def _learn_columns(self, X: Any, seen: np.ndarray) -> None:
        """Learn from the rows at these positions how columns are made ready."""

    @abc.abstractmethod
    def _columns(self, X: Any) -> np.ndarray:
        """Return X as the networks take it (n_samples, n_columns), float32."""

    def _class_head(self, n_classes: int) -> Head:
        if n_classes == 2:
            return Head(1, "sigmoid", "binary_crossentropy")
        return Head(n_classes, "softmax", "categorical_crossentropy")

    @staticmethod
    def fit_together(
        estimators: "Sequence[Networks]",
        rows: Sequence[Rows],
        max_seconds: float | None = None,
        shown: Shown | None = None,
        store: Store | None = None,
    ) -> None:
        """Fit estimators of equal parameters, each on its own rows, in one compiled program.

        Each learns what it would learn alone. Networks that have a layer without a rule for that
        are trained one after the other.
        max_seconds: for all of them; as many epochs are planned as end before.
        shown: what is told of the held-out rows after each epoch.
        store: where trainings are kept while they last, and gone on with.
        Raises ModelError for a parameter out of range, or columns that a network cannot take.
        """
        deadline = None if max_seconds is None else time.monotonic() + max_seconds
        load_keras()  # some versions draw random numbers when they are imported
        tasks = [one._task(own) for one, own in zip(estimators, rows, strict=True)]
        n_train = max(len(task.x) - len(task.holdout) for task in tasks)
        build = {id(task): one._build for one, task in zip(estimators, tasks, strict=True)}
        trained = train(
            lambda task, seed: build[id(task)](task, seed),
            tasks,
            replace(estimators[0]._recipe(n_train), shown=shown),
            deadline,
            store,
        )
        for one, replicas in zip(estimators, trained, strict=True):
            one._keep(replicas)

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        holdout: np.ndarray | None = None,
        max_seconds: float | None = None,
        later: "list[tuple[Networks, Rows]] | None" = None,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Fit on X (n_samples, n_features) and y (n_samples,), or (n_samples, n_targets) numbers.

        holdout: positions of the rows that stop the training; without them a share of
            validation_fraction, even over the classes or the range of y.
        max_seconds: the epochs that pass them are the last ones.
        later: where to put this estimator and its rows, for fit_together; None fits it now.
        sample_weight: (n_samples,), how much each row counts; None is 1.
        Raises ModelError for a parameter out of range, columns that the networks cannot take, or a
        single class.
        """
        rows = Rows(X, y, holdout, sample_weight)
        if later is None:
            self.fit_together([self], [rows], max_seconds)
        else:
            later.append((self, rows))
        return self

    def untrained(self, X: Any, y: Any) -> Any:
        """Return the Keras model that fit would train on these rows, as it is before."""
        load_keras()
        return _with_head(self._build(self._task(Rows(X, y)), self.seed), self.head_)

    @property
    def model_(self) -> Any:
        """The first trained Keras model."""
        return self.models_[0]

    @abc.abstractmethod
    def _task(self, rows: Rows) -> Task:
        """Return the rows as the networks see them, and remember what undoes it."""

    def _new_task(self, rows: Rows, y: np.ndarray, holdout: np.ndarray, **scale: Any) -> Task:
        check_consistent_length(rows.X, y, rows.weight)
        self._learn_columns(rows.X, np.setdiff1d(np.arange(len(y)), holdout))
        return Task(
            x=self._columns(rows.X),
            y=y.astype("float32"),
            holdout=holdout,
            seeds=tuple(range(self.seed, self.seed + self.n_seeds)),
            weight=None if rows.weight is None else np.asarray(rows.weight, "float32"),
            plan=rows.plan,
            **scale,
        )

    def _keep(self, replicas: list[Replica]) -> None:
        """Take what was trained, each network with its head."""
        self.models_ = [_with_head(replica.model, self.head_) for replica in replicas]
        self.histories_ = [replica.history for replica in replicas]
        self.history_ = self.histories_[0]
        self.best_epochs_ = [replica.best_epoch for replica in replicas]
        self.best_epoch_ = self.best_epochs_[0]
        self.stopped_by_time_ = any(replica.stopped_by_time for replica in replicas)
        self.plan_ = replicas[0].plan

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

    def _check(self) -> None:
        """Check the parameters that the constructor only stored."""
        for name in ("epochs", "batch_size", "patience", "n_seeds"):
            value = getattr(self, name)
            if value is None and name in self.MAY_BE_NONE:
                continue
            if not isinstance(value, int) or value < 1:
                raise ModelError(f"{name}: expected a whole number of 1 or more, found {value!r}")
        for name, limit in (("learning_rate", np.inf), ("validation_fraction", 1)):
            value = getattr(self, name)
            if value is None and name in self.MAY_BE_NONE:
                continue
            if not isinstance(value, int | float) or not 0 < value < limit:
                between = "above 0" if limit == np.inf else f"between 0 and {limit}"
                raise ModelError(f"{name}: expected a number {between}, found {value!r}")

    def _respond(self, X: Any) -> np.ndarray:
        """Return the mean of what the models say of X: (n_samples, n_columns), float64."""
        check_is_fitted(self)
        x = self._columns(X)
        per_row = max(math.prod(layer.output.shape[1:]) for layer in self.model_.layers)
        size = min(PREDICT_ROWS, max(16, PREDICT_VALUES // per_row))
        parts = [x[start : start + size] for start in range(0, len(x), size)]
        said = [np.concatenate([_said(model, part) for part in parts]) for model in self.models_]
        mean: np.ndarray = np.mean(said, axis=0, dtype=float)
        return mean

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


def _said(model: Any, rows: np.ndarray) -> np.ndarray:
    return np.asarray(model(rows.astype("float32", copy=False), training=False))


def make_networks(
    classes: "tuple[type[Networks], type[Networks]]",
    task: TaskName,
    seed: int,
    metric: str | None,
    parameters: Mapping[str, Any],
    **fixed: Any,
) -> Any:
    """Return the unfitted regressor or classifier of a kind of networks.

    fixed: parameters that the kind sets itself. Raises ModelError for one that it does not take.
    """
    cls = classes[0] if task == "regression" else classes[1]
    check_parameters(parameters, {*parameters_of(cls.__init__)} - {"seed", "metric", *fixed})
    return cls(metric=metric, seed=seed, **fixed, **parameters)


def _with_head(logits: Any, head: Head) -> Any:
    """Return the compiled model that ends in predictions; both share their layers.

    Of logits (batch, members, n_outputs) the members' predictions are averaged.
    """
    keras = load_keras()
    output = keras.layers.Activation(head.activation)(logits.output)
    if len(output.shape) == 3:
        output = keras.layers.GlobalAveragePooling1D()(output)
    model = keras.Model(logits.input, output)
    model.compile("adam", KERAS_LOSSES[head.loss])
    return model


class NetworkRegressor(RegressorMixin, Networks):
    """Networks for one or several numbers; their scale is learned and given back."""

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
        return self._new_task(rows, scaled, held_out, **scale)

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions of the shape that y had."""
        values: np.ndarray = self._respond(X) * self.target_std_ + self.target_mean_
        return values[:, 0] if self.is_flat_ else values


class NetworkClassifier(ClassifierMixin, Networks):
    """Networks for labels of any kind."""

    def _task(self, rows: Rows) -> Task:
        self._check()
        self.classes_, codes = np.unique(np.asarray(rows.y), return_inverse=True)
        if len(self.classes_) < 2:
            raise ModelError(
                f"y: expected at least two classes, found only {str(self.classes_[0])!r}"
            )
        codes = codes.reshape(-1, 1)
        self.head_ = self._class_head(len(self.classes_))
        return self._new_task(rows, codes, self._hold_out(codes, rows.holdout))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities (n_samples, n_classes), columns in the order of classes_."""
        probability = self._respond(X)
        if self.head_.n_outputs == 1:
            return np.hstack([1 - probability, probability])
        return probability

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable labels (n_samples,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
