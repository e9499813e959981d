"""The models by name: one line each, imported when first made."""

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.competition import ModelChoice, Task
from pipeline.errors import ModelError, did_you_mean

REGRESSION: tuple[Task, ...] = ("regression",)
CLASSES: tuple[Task, ...] = ("binary", "multiclass")
ANY: tuple[Task, ...] = REGRESSION + CLASSES
REST = -1  # in a shape: as many as there are left, as numpy has it
FEW_ANSWERS = 1_000_000  # of trees to rows; with fewer, threads gain nothing
COUNTS = ("epochs", "n_estimators", "patience", "batch_size")  # what they mean has no other values


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What the pipeline has to know of a model to prepare its rows and to fit it.

    factory: "module:function"; called as factory(task, seed, **parameters), it returns an unfitted
        scikit-learn estimator and raises ModelError for a parameter it does not take.
    network: "module:function" from Keras inputs to logits, handed to the factory first.
    epochs: the parameter that says how long it may train, for models that stop early; their fit
        takes holdout (row positions) and max_seconds besides X and y.
    handles_missing, handles_text: the model makes its own sense of missing values, and of columns
        of text. scale_invariant: it compares values of a column, and never computes with them.
    trains_together: its folds are one piece of work, as those of networks are.
    handles_pixels: it takes images as bytes, and scales them itself; its factory is told their size
        by `images`, as (height, width, channels).
    defaults: parameters that hold unless others are declared.
    takes_shape: it gives a row of columns its axes back by a parameter shape.
    refits: how many fits on all rows may predict the test in place of those of the folds.
    """

    factory: str
    network: str | None = None
    epochs: str | None = None
    tasks: tuple[Task, ...] = ANY
    handles_missing: bool = False
    handles_text: bool = False
    scale_invariant: bool = False
    trains_together: bool = False
    handles_pixels: bool = False
    defaults: dict[str, Any] = field(default_factory=dict)
    takes_shape: bool = False
    refits: int = 0


def estimator(factory: str, *, refits: int = 1, **facts: Any) -> ModelSpec:
    """Return the spec of a model whose factory returns an estimator."""
    return ModelSpec(factory=factory, refits=refits, **facts)


def network(function: str, *, takes_shape: bool = False, **defaults: Any) -> ModelSpec:
    """Return the spec of a function from Keras inputs to logits."""
    return ModelSpec(
        factory="pipeline.models.neural:make_network",
        network=function,
        epochs="epochs",
        trains_together=True,
        handles_pixels=True,
        takes_shape=takes_shape,
        defaults=defaults,
    )


def boosting(function: str, *, epochs: str = "n_estimators", **facts: Any) -> ModelSpec:
    """Return the spec of a function of pipeline.models.boosting."""
    return ModelSpec(
        factory=f"pipeline.models.boosting:{function}",
        epochs=epochs,
        handles_missing=True,
        scale_invariant=True,
        refits=3,
        **facts,
    )


# How networks learn that are trained one by one: as long as a schedule lasts, which is not cut off
# and is longer where rows are few. They are kept by their loss: of a few rows that are held out,
# labels say less.
IN_ONE_CYCLE: dict[str, Any] = {
    "epochs": None,
    "patience": None,
    "learning_rate": 0.003,
    "schedule": "one_cycle",
    "watch": "loss",
}

MODELS: dict[str, ModelSpec] = {
    "dnn": network("pipeline.models.networks:dnn"),
    "conv1d": network("pipeline.models.networks:conv1d", takes_shape=True, **IN_ONE_CYCLE),
    "conv2d": network("pipeline.models.networks:conv2d", takes_shape=True, **IN_ONE_CYCLE),
    "simple_rnn": network("pipeline.models.networks:simple_rnn", takes_shape=True, **IN_ONE_CYCLE),
    "lstm": network("pipeline.models.networks:lstm", takes_shape=True, **IN_ONE_CYCLE),
    "gru": network("pipeline.models.networks:gru", takes_shape=True, **IN_ONE_CYCLE),
    "realmlp": estimator(
        "pipeline.models.realmlp:make_realmlp",
        epochs="epochs",
        trains_together=True,
        refits=5,
        handles_missing=True,
        handles_text=True,
        scale_invariant=True,
    ),
    "tabm": estimator(
        "pipeline.models.tabm:make_tabm",
        epochs="epochs",
        trains_together=True,
        refits=0,
        handles_missing=True,
        handles_text=True,
        scale_invariant=True,
    ),
    "tabm_mini": estimator(
        "pipeline.models.tabm:make_tabm_mini",
        epochs="epochs",
        trains_together=True,
        refits=0,
        handles_missing=True,
        handles_text=True,
        scale_invariant=True,
    ),
    "ridge": estimator("pipeline.models.linear:make_ridge", tasks=REGRESSION),
    "logistic": estimator("pipeline.models.linear:make_logistic", tasks=CLASSES),
    "lasso": estimator("pipeline.models.scaled:make_lasso", tasks=REGRESSION),
    "elastic_net": estimator("pipeline.models.scaled:make_elastic_net", tasks=REGRESSION),
    "kernel_ridge": estimator("pipeline.models.scaled:make_kernel_ridge", tasks=REGRESSION),
    "svm": estimator("pipeline.models.scaled:make_svm"),
    "knn": estimator("pipeline.models.scaled:make_knn"),
    "gaussian_process": estimator("pipeline.models.scaled:make_gaussian_process"),
    "random_forest": estimator("pipeline.models.forests:make_random_forest", scale_invariant=True),
    "extra_trees": estimator("pipeline.models.forests:make_extra_trees", scale_invariant=True),
    "trend_forest": estimator("pipeline.models.trend:make_trend_forest", tasks=REGRESSION),
    "lightgbm": boosting("make_lightgbm"),
    "catboost": boosting("make_catboost", handles_text=True),
    "xgboost": boosting("make_xgboost"),
    "hist_gradient_boosting": boosting("make_hist_gradient_boosting", epochs="max_iter"),
}


def model_spec(choice: ModelChoice) -> ModelSpec:
    """Return the spec of a declared model: one of the table, or "module:function" of one's own.

    Raises ModelError for an unknown kind.
    """
    if choice.kind in MODELS:
        return MODELS[choice.kind]
    if ":" in choice.kind:
        return ModelSpec(factory=choice.kind)
    raise ModelError(f"no model {choice.kind!r}; {did_you_mean(choice.kind, MODELS)}")


def make_model(
    choice: ModelChoice,
    task: Task,
    seed: int,
    metric: str | None = None,
    images: tuple[int, int, int] | None = None,
) -> Any:
    """Return the unfitted estimator of a declared model.

    images: the size of the images that its rows are, which a model that handles pixels is told.
    metric: the score, on the scale that the model is fitted on, which a factory with a keyword-only
        parameter of that name is told; None where the score cannot be seen on that scale.
    Raises ModelError if the model is unknown, cannot do the task, is not installed, or does not
    take a parameter.
    """
    spec = model_spec(choice)
    if task not in spec.tasks:
        able = [name for name, other in MODELS.items() if task in other.tasks]
        raise ModelError(
            f"models.{choice.label}: cannot do task {task!r}; expected one of "
            f"{', '.join(map(repr, able))}"
        )
    factory = import_function(spec.factory)
    first = (spec.network,) if spec.network else ()
    try:
        _check_counts(choice.parameters, (*COUNTS, spec.epochs))
        told: dict[str, Any] = {"metric": metric} if "metric" in parameters_of(factory) else {}
        if images is not None and spec.handles_pixels:
            told["images"] = images
        return factory(*first, task, seed, **told | spec.defaults | choice.parameters)
    except ModelError as error:
        raise ModelError(f"models.{choice.label}: {error}") from None
    except TypeError as error:  # a parameter that a factory of one's own does not take
        raise ModelError(f"models.{choice.label}: {error}") from error


def import_function(path: str) -> Callable[..., Any]:
    """Return the function of a "module:function" path.

    Raises ModelError if it cannot be imported.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        raise ModelError(f"{path}: there is no module {error.name!r}") from None
    except AttributeError:
        raise ModelError(f"{path}: module {module!r} has no function {name!r}") from None


def check_parameters(parameters: Iterable[str], known: Iterable[str]) -> None:
    """Check that a model takes all the parameters it was given.

    Raises ModelError naming the nearest parameter it takes.
    """
    known = sorted(known)
    for name in parameters:
        if name not in known:
            raise ModelError(f"unknown parameter {name!r}; {did_you_mean(name, known)}")


def _check_counts(parameters: Mapping[str, Any], names: Iterable[str | None]) -> None:
    for name in filter(None, names):
        value = parameters.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ModelError(f"{name}: expected a whole number of 1 or more, found {value!r}")


def parameters_of(function: Callable[..., Any]) -> list[str]:
    """Return the names of a function's keyword-only parameters."""
    signature = inspect.signature(function)
    return [p.name for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]


# Estimators that are used without a declaration too, imported when first asked for.
_HOMES = {
    "KerasClassifier": "neural",
    "KerasRegressor": "neural",
    "RealMLPClassifier": "realmlp",
    "RealMLPRegressor": "realmlp",
    "TabMClassifier": "tabm",
    "TabMRegressor": "tabm",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipeline.models' has no attribute {name!r}")
    return getattr(importlib.import_module(f"pipeline.models.{_HOMES[name]}"), name)
