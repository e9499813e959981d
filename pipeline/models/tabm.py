"""TabM and TabM-mini: many networks in one (Gorishniy et al., arXiv 2410.24210)."""

from typing import Any, ClassVar

import numpy as np

from pipeline.competition import Task as TaskName
from pipeline.errors import ModelError
from pipeline.models.backend import load_keras, seeded
from pipeline.models.columns import NormalColumns
from pipeline.models.estimators import (
    Head,
    NetworkClassifier,
    NetworkRegressor,
    Networks,
    make_networks,
)
from pipeline.models.learning import Recipe
from pipeline.models.replicas import Task

# Fewer rows than these have batches of that size; with more rows, the last.
BATCHES = ((2_800, 32), (4_500, 64), (6_400, 128), (32_000, 256), (108_000, 512))
LARGEST_BATCH = 1024


def make_tabm(task: TaskName, seed: int, *, metric: str | None = None, **parameters: Any) -> Any:
    """Return an unfitted TabM.

    Raises ModelError for a parameter it does not take.
    """
    return make_networks((TabMRegressor, TabMClassifier), task, seed, metric, parameters)


def make_tabm_mini(
    task: TaskName, seed: int, *, metric: str | None = None, **parameters: Any
) -> Any:
    """Return an unfitted TabM-mini, which takes all of TabM's parameters but `mini`.

    Raises ModelError for a parameter it does not take.
    """
    classes = (TabMRegressor, TabMClassifier)
    return make_networks(classes, task, seed, metric, parameters, mini=True)


class _TabM(Networks):
    """What the regressor and the classifier share.

    mini: members own only the scales of their inputs and their heads, and share all else.
    members: networks that share their large matrices; their mean predicts.
    blocks: hidden layers of so many units; None is 2, or 3 without embeddings.
    embedding_size, n_bins: of the piecewise-linear embeddings of numbers; size 0 leaves them out.
    batch_size: None is 32 to 1024, by the rows. clip_norm: the largest norm of all gradients.
    n_seeds: TabMs that are trained at once and averaged.
    metric: the score of the members' mean that stops the training, by its name in
        pipeline.metrics; None is rmse, or accuracy.
    """

    MAY_BE_NONE: ClassVar = ("batch_size",)
    learning_rate: float

    def __init__(
        self,
        *,
        mini: bool = False,
        members: int = 32,
        units: int = 512,
        blocks: int | None = None,
        dropout: float = 0.1,
        embedding_size: int = 16,
        n_bins: int = 48,
        epochs: int = 500,
        batch_size: int | None = None,
        patience: int = 16,
        learning_rate: float = 2e-3,
        weight_decay: float = 3e-4,
        clip_norm: float | None = None,
        n_seeds: int = 1,
        validation_fraction: float = 0.1,
        metric: str | None = None,
        seed: int = 42,
    ) -> None:
        self.mini = mini
        self.members = members
        self.units = units
        self.blocks = blocks
        self.dropout = dropout
        self.embedding_size = embedding_size
        self.n_bins = n_bins
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.n_seeds = n_seeds
        self.validation_fraction = validation_fraction
        self.metric = metric
        self.seed = seed

    def _check(self) -> None:
        super()._check()
        counts = {"members": 1, "units": 1, "n_bins": 1, "embedding_size": 0}
        for name, least in (counts | ({} if self.blocks is None else {"blocks": 1})).items():
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ModelError(
                    f"{name}: expected a whole number of {least} or more, found {value!r}"
                )
        if not 0 <= self.dropout < 1:
            raise ModelError(
                f"dropout: expected a number from 0 to below 1, found {self.dropout!r}"
            )

    def _recipe(self, n_train: int) -> Recipe:
        default = "rmse" if self.head_.loss == "squared_error" else "accuracy"
        return Recipe(
            loss=self.head_.loss,
            epochs=self.epochs,
            batch_size=self.batch_size or batch_size_for(n_train),
            learning_rate=self.learning_rate,
            patience=self.patience,
            weight_decay=self.weight_decay,
            epsilon=1e-8,
            clip_norm=self.clip_norm,
            score=self.metric or default,
        )

    def _class_head(self, n_classes: int) -> Head:
        return Head(n_classes, "softmax", "categorical_crossentropy")

    def _learn_columns(self, X: Any, seen: np.ndarray) -> None:
        rows = X.iloc[seen] if hasattr(X, "iloc") else np.asarray(X)[seen]
        self.columns_ = NormalColumns(seed=self.seed).fit(rows)
        self.n_features_in_ = self.columns_.n_features_in_

    def _columns(self, X: Any) -> np.ndarray:
        return self.columns_.transform(X)

    def _build(self, task: Task, seed: int) -> Any:
        keras = load_keras()
        inputs = keras.Input((task.x.shape[1],))
        numbers = np.delete(task.x, task.holdout, axis=0)[:, : self.columns_.n_numeric_]
        with seeded(seed):
            return keras.Model(inputs, self._network(inputs, numbers))

    def _network(self, inputs: Any, numbers: np.ndarray) -> Any:
        """Return logits (batch, members, n_outputs) of inputs (batch, n_columns).

        numbers: (n_samples, n_numeric), the rows that bins are made of.
        """
        from pipeline.models.embeddings import PiecewiseLinearEmbedding, bin_edges
        from pipeline.models.members import MemberDense, MemberHeads, MemberScales

        layers = load_keras().layers
        size = self.embedding_size if numbers.shape[1] else 0
        x = inputs
        if size:
            embedding = PiecewiseLinearEmbedding(numbers.shape[1], size=size, n_bins=self.n_bins)
            x = embedding(x)
            embedding.edges.assign(bin_edges(numbers, self.n_bins))
        columns = [*[size or 1] * numbers.shape[1], *self.columns_.widths_]
        first: dict[str, Any] = {"columns": columns, "signs": not size}
        x = MemberScales(self.members, **first)(x) if self.mini else x
        for number in range(self.blocks or (2 if size else 3)):
            if self.mini:
                x = layers.Dense(self.units, **_uniform(x.shape[-1]))(x)
            else:
                x = MemberDense(self.members, self.units, **(first if number == 0 else {}))(x)
            x = layers.Activation("relu")(x)
            x = layers.Dropout(self.dropout)(x)
        return MemberHeads(self.members, self.head_.n_outputs)(x)


class TabMRegressor(_TabM, NetworkRegressor):
    """TabM for one or several numbers; takes frames of numbers and text, missing or not."""


class TabMClassifier(_TabM, NetworkClassifier):
    """TabM for labels of any kind; takes frames of numbers and text, missing or not."""


def batch_size_for(n_train: int) -> int:
    """Return how many rows a batch has, by the number of rows to train on."""
    return next((size for more, size in BATCHES if n_train < more), LARGEST_BATCH)


def _uniform(width: int) -> dict[str, Any]:
    """Return a dense layer's initialisers for inputs of a width, as PyTorch's layers have them."""
    from pipeline.models.embeddings import uniform_within

    make = uniform_within(width)
    return {"kernel_initializer": make(), "bias_initializer": make()}
