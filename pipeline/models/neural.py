"""A Keras network of one's own, or one of pipeline.models.networks, as a scikit-learn estimator."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import validate_data

from pipeline.competition import Task as TaskName
from pipeline.errors import ModelError, did_you_mean
from pipeline.models import check_parameters, import_function, parameters_of
from pipeline.models.backend import load_keras, seeded
from pipeline.models.compact import Compact, is_many
from pipeline.models.estimators import NetworkClassifier, NetworkRegressor, Networks
from pipeline.models.learning import SCHEDULES, Recipe, Schedule
from pipeline.models.replicas import Task

EPOCHS = 30  # where nobody says how many
LEAST_STEPS = 600  # that these make at least: few rows are seen more often
# What is done by chance to images that are learned from: what hardly ever changes what they show.
AUGMENT = {"shift": 0.1, "rotate": 10, "zoom": 0.1}
ROWS_AT_ONCE = 4096  # of images that are counted


def make_network(
    network: str,
    task: TaskName,
    seed: int,
    /,
    *,
    metric: str | None = None,
    images: tuple[int, int, int] | None = None,
    **parameters: Any,
) -> Any:
    """Return the unfitted estimator that trains a network for a task.

    network: "module:function" of pipeline.models.networks or of one's own.
    metric: the score that stops the training, by its name in pipeline.metrics; else the loss.
    images: (height, width, channels) of the images that rows are, their pixels as bytes. A network
        that takes a shape is given it (one of sequences a row of pixels a step), and one that can
        augment does so, unless it is declared how.
    parameters: the estimator's own, and those of the network.
    Raises ModelError for a parameter that neither takes.
    """
    cls = KerasRegressor if task == "regression" else KerasClassifier
    own = [name for name in parameters_of(cls.__init__) if not name.startswith("network")]
    of_network = parameters_of(import_function(network))
    check_parameters(parameters, {*own, *of_network} - {"seed", "metric", "channels"})
    if images is not None:
        parameters = _for_images(images, of_network) | parameters
    return cls(
        network=network,
        network_parameters={k: v for k, v in parameters.items() if k in of_network},
        metric=metric,
        seed=seed,
        **{k: v for k, v in parameters.items() if k in own},
    )


def _for_images(images: tuple[int, int, int], of_network: Sequence[str]) -> dict[str, Any]:
    """Return what a network of such images is usually given, of what it takes."""
    height, width, channels = images
    usual: dict[str, Any] = {"shape": [height, width * channels]}
    if "augment" in of_network:
        usual = {"shape": list(images), "augment": dict(AUGMENT)}
    known = {name: value for name, value in usual.items() if name in of_network}
    return {**known, "channels": channels}


class _Keras(Networks):
    """What the regressor and the classifier share: a network, and how it learns.

    epochs: None is 30, or as many as make 600 steps of few rows. patience: None never stops early.
    """

    MAY_BE_NONE = ("epochs", "patience")
    epochs: int | None
    batch_size: int
    learning_rate: float

    def __init__(
        self,
        *,
        network: str = "pipeline.models.networks:dnn",
        network_parameters: dict[str, Any] | None = None,
        epochs: int | None = 300,
        batch_size: int = 64,
        patience: int | None = 20,
        learning_rate: float = 4e-4,
        schedule: Schedule = "constant",
        watch: Literal["metric", "loss"] = "metric",
        n_seeds: int = 1,
        validation_fraction: float = 0.1,
        metric: str | None = None,
        seed: int = 42,
        channels: int | None = None,
    ) -> None:
        self.network = network
        self.network_parameters = network_parameters
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.watch = watch
        self.n_seeds = n_seeds
        self.validation_fraction = validation_fraction
        self.metric = metric
        self.seed = seed
        self.channels = channels

    def _check(self) -> None:
        super()._check()
        if self.schedule not in SCHEDULES:
            hint = did_you_mean(str(self.schedule), SCHEDULES)
            raise ModelError(f"schedule: {self.schedule!r}; {hint}")
        if self.watch not in ("metric", "loss"):
            raise ModelError(f"watch: expected 'metric' or 'loss', found {self.watch!r}")

    def _recipe(self, n_train: int) -> Recipe:
        n_steps = -(-n_train // self.batch_size)
        return Recipe(
            loss=self.head_.loss,
            epochs=self.epochs or max(EPOCHS, -(-LEAST_STEPS // n_steps)),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            patience=self.patience or 0,
            progress="earlier" if self.schedule == "constant" else "later",
            score="loss" if self.metric is None or self.watch == "loss" else self.metric,
        )

    def _build(self, task: Task, seed: int) -> Any:
        keras = load_keras()
        inputs = keras.Input((task.x.shape[1],))
        network = import_function(self.network)
        with seeded(seed):
            try:
                parameters = self.network_parameters or {}
                seen = inputs if self.channels is None else self._standardised(inputs)
                return keras.Model(inputs, network(seen, self.head_.n_outputs, **parameters))
            except (TypeError, ValueError) as error:
                raise ModelError(f"{self.network}: {' '.join(str(error).split())}") from error

    def _standardised(self, pixels: Any) -> Any:
        """Return pixels (batch, n_pixels) with a mean of 0 and a deviation of 1 in each channel."""
        layers = load_keras().layers
        split = layers.Reshape((-1, self.channels))(pixels)
        scale = 1 / np.where(self.pixel_std_ > 0, self.pixel_std_, 1.0)
        offset = -self.pixel_mean_ * scale
        return layers.Reshape((pixels.shape[1],))(
            layers.Rescaling(scale.tolist(), offset.tolist())(split)
        )

    def _learn_columns(self, X: Any, seen: np.ndarray) -> None:
        if self.channels is None:
            self._matrix(X, reset=True)
        else:
            pixels = self._pixels(X, reset=True)
            self.pixel_mean_, self.pixel_std_ = _by_channel(pixels, seen, self.channels)

    def _columns(self, X: Any) -> np.ndarray:
        return self._matrix(X, reset=False) if self.channels is None else self._pixels(X)

    def _pixels(self, X: Any, *, reset: bool = False) -> np.ndarray:
        """Return X as bytes (n_samples, n_pixels), which may lie on disk; nothing is copied."""
        pixels: np.ndarray = X.to_numpy() if hasattr(X, "to_numpy") else np.asarray(X)
        if pixels.dtype != np.uint8 or pixels.ndim != 2:
            raise ModelError(
                f"expected pixels as bytes (n_samples, n_pixels), found {pixels.dtype} of "
                f"{' x '.join(map(str, pixels.shape))}"
            )
        if reset:
            self.n_features_in_ = pixels.shape[1]
        elif pixels.shape[1] != self.n_features_in_:
            raise ModelError(
                f"expected images of {self.n_features_in_:,} pixels, found {pixels.shape[1]:,}"
            )
        return pixels

    def _matrix(self, X: Any, *, reset: bool) -> Any:
        """Return X as float32 (n_samples, n_features), checked against the fitted columns."""
        few = X.head(1) if is_many(X) else X
        x = validate_data(self, few, reset=reset, dtype="float32", ensure_all_finite=False)
        if few is not X:
            x = Compact(X)
        bad = x.unusable() if few is not X else ~np.isfinite(x).all(axis=0)
        if bad.any():
            raise ModelError(
                f"{bad.sum()} of {x.shape[1]} feature columns have missing or infinite values, "
                "which a network cannot take; impute them first"
            )
        return x


def _by_channel(
    pixels: np.ndarray, rows: np.ndarray, channels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the deviation (channels,) of the pixels of some rows, read in parts."""
    count, total, squares = 0, np.zeros(channels), np.zeros(channels)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = pixels[rows[start : start + ROWS_AT_ONCE]].reshape(-1, channels)
        values, counts = np.arange(256.0), [np.bincount(one, minlength=256) for one in part.T]
        count += len(part)
        total += np.array([values @ one for one in counts])
        squares += np.array([np.square(values) @ one for one in counts])
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - np.square(mean), 0))


class KerasRegressor(_Keras, NetworkRegressor):
    """A network for one or several numbers; their scale is learned and given back."""


class KerasClassifier(_Keras, NetworkClassifier):
    """A network for labels of any kind: a sigmoid for two classes, a softmax for more."""
