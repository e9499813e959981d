"""A Keras network of one's own, or one of pipeline.models.networks, as a scikit-learn estimator."""

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from pipeline.competition import Task as TaskName
from pipeline.errors import ModelError
from pipeline.models import check_parameters, import_function, parameters_of
from pipeline.models.backend import load_keras, seeded
from pipeline.models.estimators import NetworkClassifier, NetworkRegressor, Networks
from pipeline.models.learning import Recipe
from pipeline.models.replicas import Task


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


class _Keras(Networks):
    """What the regressor and the classifier share: a network, and how it learns."""

    batch_size: int
    learning_rate: float

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

    def _recipe(self, n_train: int) -> Recipe:
        return Recipe(
            loss=self.head_.loss,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            patience=self.patience,
            score="loss" if self.metric is None else self.metric,
        )

    def _build(self, task: Task, seed: int) -> Any:
        keras = load_keras()
        inputs = keras.Input((task.x.shape[1],))
        network = import_function(self.network)
        with seeded(seed):
            try:
                parameters = self.network_parameters or {}
                return keras.Model(inputs, network(inputs, self.head_.n_outputs, **parameters))
            except (TypeError, ValueError) as error:
                raise ModelError(f"{self.network}: {' '.join(str(error).split())}") from error

    def _learn_columns(self, X: Any, seen: np.ndarray) -> None:
        self._matrix(X, reset=True)

    def _columns(self, X: Any) -> np.ndarray:
        return self._matrix(X, reset=False)

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


class KerasRegressor(_Keras, NetworkRegressor):
    """A network for one or several numbers; their scale is learned and given back."""


class KerasClassifier(_Keras, NetworkClassifier):
    """A network for labels of any kind: a sigmoid for two classes, a softmax for more."""
