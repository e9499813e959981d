"""summary: a network's layers, as they would be built for a competition's columns and target."""

import math
from dataclasses import dataclass
from typing import Any

from pipeline.cleaning import clean_rows
from pipeline.errors import ModelError, UsageError
from pipeline.features import blaming
from pipeline.models import MODELS
from pipeline.progress import counted
from pipeline.stages.opening import Opened, chosen_model, open_competition, read_data, unfitted
from pipeline.training import final_model, preparing_steps, trains_together
from pipeline.workspace import Workspace

LAYER_COLUMNS = ("layer", "settings", "output", "parameters")


@dataclass(frozen=True, eq=False)
class Network:
    """An untrained network: one row a layer, its Keras model, and how many weights it has."""

    model: Any
    layers: list[dict[str, Any]]
    parameters: int
    trained: int

    def __str__(self) -> str:
        """Return the last line of its summary."""
        fixed = self.parameters - self.trained
        text = f"{self.parameters:,} parameters"
        return text if not fixed else f"{text}; {fixed:,} of them are moved, not trained"


def summarize(workspace: Workspace, name: str, label: str | None = None) -> Network:
    """Build the network of that label for all training rows, untrained, and describe its layers.

    A fold of fewer levels of text has fewer columns.
    Raises UsageError if the model is no network, and PipelineError for what a person can mend.
    """
    opened = open_competition(workspace, name)
    choice = chosen_model(opened.competition, label)
    estimator = unfitted(opened, choice, opened.competition.validation.seed)
    if not trains_together(estimator):
        networks = [one for one, spec in MODELS.items() if spec.network]
        raise UsageError(f"{choice.label!r} is no network; expected one like {', '.join(networks)}")
    try:
        model = _untrained(opened, estimator)
    except ModelError as error:
        path = opened.folder / "competition.toml"
        raise ModelError(f"{path}: models.{choice.label}: {error}") from error
    layers = [_layer_row(layer) for layer in model.layers]
    trained = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    return Network(model, layers, model.count_params(), trained)


def _untrained(opened: Opened, estimator: Any) -> Any:
    """Return the network for the training rows as its preprocessing hands them over."""
    rows, _ = clean_rows(read_data(opened).train, opened.competition.cleaning)
    X = rows.X
    for _, step in preparing_steps(estimator):
        with blaming(opened.features):
            X = step.fit(X, rows.y).transform(X)
    return final_model(estimator).untrained(X, rows.y)


def _layer_row(layer: Any) -> dict[str, Any]:
    inner = getattr(layer, "forward_layer", None)
    kind = type(layer).__name__ + (f"({type(inner).__name__})" if inner is not None else "")
    return {
        "layer": kind,
        "settings": ", ".join(_settings((inner or layer).get_config())),
        "output": f"({', '.join(map(str, layer.output.shape[1:]))})",
        "parameters": layer.count_params(),
    }


def _settings(config: dict[str, Any]) -> list[str]:
    """Return what the study of networks calls a layer's hyperparameters, one short text each."""
    said = [
        counted(config[noun + "s"], noun) for noun in ("unit", "filter") if noun + "s" in config
    ]
    said += [_by(config[name]) for name in ("kernel_size", "pool_size") if name in config]
    if "kernel_size" in config:  # pooling always moves by its own size
        said += [] if set(config["strides"]) == {1} else [f"strides {_by(config['strides'])}"]
        said.append(config["padding"])
    said += [f"rate {config['rate']:g}"] if "rate" in config else []
    said += ["flip"] if config.get("flip") else []
    said += [f"{name} {config[name]:g}" for name in ("shift", "rotate", "zoom") if config.get(name)]
    activation = config.get("activation")
    if activation and (activation != "linear" or not said):  # alone, it is all a layer does
        said.append(str(activation))
    return said + (["return_sequences"] if config.get("return_sequences") else [])


def _by(sizes: Any) -> str:
    return " x ".join(map(str, sizes))
