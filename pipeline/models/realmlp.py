"""RealMLP-TD: a multilayer perceptron with tuned defaults (Holzmüller et al., arXiv 2407.04491)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from pipeline.competition import Task as TaskName
from pipeline.models.backend import load_keras, seeded
from pipeline.models.estimators import (
    Head,
    NetworkClassifier,
    NetworkRegressor,
    Networks,
    Rows,
    make_networks,
)
from pipeline.models.learning import Recipe
from pipeline.models.replicas import Task
from pipeline.models.robust import RobustColumns

# The most rows that a batch size is for; with more rows, the last.
BATCHES = ((1_024, 64), (8_192, 128), (30_000, 256), (100_000, 512))
LARGEST_BATCH = 1024
# Their judges take probabilities at their word, which smoothed labels would blur.
UNSMOOTHED = ("log_loss", "roc_auc")
INIT_ROWS = 2048  # of the training rows; what weights are first fitted to
BIAS_ROWS = 5  # a unit's bias begins so that it switches between so many rows


def make_realmlp(task: TaskName, seed: int, *, metric: str | None = None, **parameters: Any) -> Any:
    """Return an unfitted RealMLP.

    Raises ModelError for a parameter it does not take.
    """
    return make_networks((RealMLPRegressor, RealMLPClassifier), task, seed, metric, parameters)


class _RealMLP(Networks):
    """What the regressor and the classifier share.

    units: of each hidden layer. n_waves, embedding_size, sigma: of the periodic embeddings of
        numbers; no waves, no embeddings. level_size: of the embeddings of columns of many levels.
    dropout, label_smoothing, weight_decay: the first and the last fade with time.
    batch_size: None is 64 to 1024, by the rows. patience: None trains through all epochs; the best
        one's weights are kept in either case. learning_rate: of the highest points of its cycles.
    n_seeds: networks that are trained at once and averaged.
    clamp: whether predicted numbers stay within the range of those that were learned from.
    metric: the score that tells the best epoch, by its name in pipeline.metrics; None is rmse, or
        accuracy.
    """

    MAY_BE_NONE: ClassVar = ("batch_size", "learning_rate", "patience")
    LEARNING_RATE: ClassVar[float]
    ACTIVATION: ClassVar[str]

    def __init__(
        self,
        *,
        units: Sequence[int] = (256, 256, 256),
        n_waves: int = 16,
        embedding_size: int = 3,
        sigma: float = 0.1,
        level_size: int = 8,
        dropout: float = 0.15,
        label_smoothing: float = 0.1,
        weight_decay: float = 0.02,
        epochs: int = 256,
        batch_size: int | None = None,
        patience: int | None = None,
        learning_rate: float | None = None,
        n_seeds: int = 1,
        clamp: bool = True,
        validation_fraction: float = 0.1,
        metric: str | None = None,
        seed: int = 42,
    ) -> None:
        self.units = units
        self.n_waves = n_waves
        self.embedding_size = embedding_size
        self.sigma = sigma
        self.level_size = level_size
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.learning_rate = learning_rate
        self.n_seeds = n_seeds
        self.clamp = clamp
        self.validation_fraction = validation_fraction
        self.metric = metric
        self.seed = seed

    def _recipe(self, n_train: int) -> Recipe:
        is_regression = self.head_.loss == "squared_error"
        score = self.metric or ("rmse" if is_regression else "accuracy")
        smoothing = 0.0 if is_regression or score in UNSMOOTHED else self.label_smoothing
        return Recipe(
            loss=self.head_.loss,
            epochs=self.epochs,
            batch_size=self.batch_size or batch_size_for(n_train),
            learning_rate=self.learning_rate or self.LEARNING_RATE,
            patience=self.patience,
            progress="later",
            schedule="coslog4",
            dropout_schedule="flat_cos",
            weight_decay=self.weight_decay,
            decay_schedule="flat_cos",
            beta_2=0.95,
            epsilon=1e-8,
            label_smoothing=smoothing,
            drop_remainder=True,
            score=score,
        )

    def _class_head(self, n_classes: int) -> Head:
        return Head(n_classes, "softmax", "categorical_crossentropy")

    def _learn_columns(self, X: Any, seen: np.ndarray) -> None:
        rows = X.iloc[seen] if hasattr(X, "iloc") else np.asarray(X)[seen]
        self.columns_ = RobustColumns().fit(rows)
        self.n_features_in_ = self.columns_.n_features_in_

    def _columns(self, X: Any) -> np.ndarray:
        return self.columns_.transform(X)

    def _build(self, task: Task, seed: int) -> Any:
        keras = load_keras()
        inputs = keras.Input((task.x.shape[1],))
        with seeded(seed):
            model = keras.Model(inputs, self._network(inputs))
        seen = np.setdiff1d(np.arange(len(task.x)), task.holdout)
        fit_first_weights(model, task.x[seen], np.random.default_rng(seed))
        return model

    def _network(self, inputs: Any) -> Any:
        """Return logits (batch, n_outputs) of inputs (batch, n_columns)."""
        from pipeline.models.layers import (
            LevelEmbedding,
            NTKDense,
            PeriodicEmbedding,
            ScaleColumns,
        )

        layers, made = load_keras().layers, self.columns_
        x = inputs
        if made.n_coded_:
            shape = {"n_levels": made.n_levels_, "size": self.level_size}
            x = LevelEmbedding(made.n_numeric_, made.n_coded_, **shape)(x)
        if made.n_numeric_ and self.n_waves:
            x = PeriodicEmbedding(
                made.n_numeric_, n_waves=self.n_waves, size=self.embedding_size, sigma=self.sigma
            )(x)
        x = ScaleColumns()(x)
        for size in self.units:
            x = NTKDense(size, self.ACTIVATION)(x)
            x = layers.Dropout(self.dropout)(x)
        return NTKDense(self.head_.n_outputs)(x)


class RealMLPRegressor(_RealMLP, NetworkRegressor):
    """RealMLP-TD for one or several numbers; takes frames of numbers and text, missing or not."""

    LEARNING_RATE = 0.2
    ACTIVATION = "mish"

    def _task(self, rows: Rows) -> Task:
        task = super()._task(rows)
        seen = np.delete(np.asarray(rows.y, dtype=float), task.holdout, axis=0)
        self.target_low_, self.target_high_ = seen.min(axis=0), seen.max(axis=0)
        return task

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions of the shape that y had."""
        values = super().predict(X)
        return np.clip(values, self.target_low_, self.target_high_) if self.clamp else values


class RealMLPClassifier(_RealMLP, NetworkClassifier):
    """RealMLP-TD for labels of any kind; takes frames of numbers and text, missing or not."""

    LEARNING_RATE = 0.04
    ACTIVATION = "selu"


def batch_size_for(n_train: int) -> int:
    """Return how many rows a batch has, by the number of rows to train on."""
    return next((size for most, size in BATCHES if n_train <= most), LARGEST_BATCH)


def fit_first_weights(model: Any, x: np.ndarray, rng: np.random.Generator) -> None:
    """Scale the dense layers so that each unit's sum has unit variance, and set their biases.

    Layer by layer on training rows x (n_samples, n_columns), of which some are taken; each layer in
    the state that the layers before it leave. A bias is minus the unit's sum for a random mixture
    of five rows ("he+5").
    """
    from pipeline.models.layers import NTKDense

    if len(x) > INIT_ROWS:
        x = x[np.sort(rng.choice(len(x), INIT_ROWS, replace=False))]
    values: Any = x
    for layer in model.layers[1:]:
        if isinstance(layer, NTKDense):
            sums = np.asarray(values) @ layer.kernel.numpy() * layer.shrink.numpy()
            spread = sums.std(axis=0)
            spread = np.where(spread > 0, spread, 1.0)
            layer.kernel.assign(layer.kernel.numpy() / spread)
            picked = rng.integers(len(x), size=(BIAS_ROWS, layer.units))
            shares = rng.exponential(size=picked.shape)
            shares /= shares.sum(axis=0)
            mixed = np.take_along_axis(sums / spread, picked, axis=0)
            layer.bias.assign(-(shares * mixed).sum(axis=0))
        values = layer(values)
