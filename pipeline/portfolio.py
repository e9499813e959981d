"""Which configurations are worth training on rows never seen before, the best worth first.

The order is that of bench/portfolio.py: what gains most a second in a blend, over many data sets.
"""

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from pipeline.budget import Entry
from pipeline.competition import Competition, ModelChoice, Transform
from pipeline.models import ModelSpec, model_spec

MANY_LEVELS = 20
SKEWED = 0.75  # a skewness from which on a root or a logarithm is worth trying
FEW_ROWS = 1_280  # that make 600 steps of 64 rows in 30 epochs
OPTIONAL = ("xgboost",)  # kinds whose package is an extra


@dataclass(frozen=True)
class Size:
    """How large the data are: rows that a fold trains on, columns, and numbers to predict.

    has_many_levels: whether a column of text has many levels that repeat. is_skewed: whether the
    target has no values below 0 and a long tail of large ones. is_refitted: whether fits on all
    rows predict the test. steps: of the sequence that a row is to a recurrent network.
    """

    rows: int
    columns: int
    outputs: int
    folds: int
    has_many_levels: bool = False
    is_skewed: bool = False
    is_refitted: bool = False
    steps: int = 1

    @property
    def seen(self) -> int:
        """Rows that a network trained by itself sees in a 30th of its time: few come more often."""
        return max(self.rows, FEW_ROWS)

    @property
    def cells(self) -> int:
        """Cells that a fold trains on, once an output."""
        return self.rows * self.columns * self.outputs


@dataclass(frozen=True)
class Cost:
    """The seconds of one fold on one core, as they were on two cores of 2026.

    most_rows: beyond them the model does not pay, or is refused.
    """

    seconds: Callable[[Size], float]
    most_rows: int = 10**9


COSTS: Mapping[str, Cost] = {
    "lightgbm": Cost(lambda s: 0.2 + 2e-6 * s.cells),
    "catboost": Cost(lambda s: 1.5 + (4e-6 if s.outputs < 3 else 5e-5) * s.cells),
    "xgboost": Cost(lambda s: 0.2 + 4e-6 * s.cells),
    "hist_gradient_boosting": Cost(lambda s: 0.6 + 8e-6 * s.cells),
    "random_forest": Cost(lambda s: 0.4 + 2.3e-5 * s.rows * s.columns, 50_000),
    "extra_trees": Cost(lambda s: 0.4 + 3.4e-5 * s.rows * s.columns, 50_000),
    "trend_forest": Cost(lambda s: 0.5 + 3.4e-5 * s.rows * s.columns, 50_000),
    "ridge": Cost(lambda s: 0.1 + 4e-7 * s.cells),
    "logistic": Cost(lambda s: 0.2 + 4e-6 * s.cells),
    "lasso": Cost(lambda s: 0.1 + 2e-6 * s.cells),
    "elastic_net": Cost(lambda s: 0.1 + 1e-6 * s.cells),
    "kernel_ridge": Cost(lambda s: 0.1 + 1.8e-7 * s.rows**2, 10_000),
    "svm": Cost(lambda s: 0.1 + 1e-7 * s.rows**2 * s.outputs, 10_000),
    "knn": Cost(lambda s: 0.1 + 5e-10 * s.rows**2 * s.columns, 30_000),
    "gaussian_process": Cost(lambda s: 0.1 + 2.5e-6 * s.rows**2 * s.outputs, 1_500),
    # 30 epochs; beyond some hundred columns they are large images, or colours.
    "conv1d": Cost(lambda s: 3.0 + 1.5e-3 * s.seen),
    "conv2d": Cost(
        lambda s: 3.0 + s.seen * (1.8e-3 + min(2e-5 * s.columns, 1.25e-2 + 3.6e-6 * s.columns))
    ),
    "simple_rnn": Cost(lambda s: 3.0 + s.seen * (5e-4 + 4e-5 * s.steps)),
    "lstm": Cost(lambda s: 3.0 + s.seen * (5e-4 + 1.3e-4 * s.steps)),
    "gru": Cost(lambda s: 3.0 + s.seen * (5e-4 + 2e-4 * s.steps)),
    "dnn": Cost(lambda s: 1.5 + 1.2e-3 * s.rows),
    "realmlp": Cost(lambda s: 1.5 + 2.0e-3 * s.rows, 60_000),
    "tabm": Cost(lambda s: 2.0 + 2.5e-2 * s.rows, 30_000),
    "tabm_mini": Cost(lambda s: 2.0 + 2.0e-2 * s.rows, 30_000),
}
# What of these weighs little beside others gives little hope for its like.
FAMILIES: Mapping[str, str] = {
    kind: family
    for family, kinds in {
        "boosting": ("lightgbm", "catboost", "xgboost", "hist_gradient_boosting"),
        "forest": ("random_forest", "extra_trees", "trend_forest"),
        "linear": ("ridge", "logistic", "lasso", "elastic_net"),
        "kernel": ("kernel_ridge", "svm", "gaussian_process"),
        "network": ("dnn", "realmlp", "tabm", "tabm_mini"),
    }.items()
    for kind in kinds
}
GENERATING = Cost(lambda s: 1.0 + 6e-6 * s.cells)
UNKNOWN = Cost(lambda s: 1.0 + 1e-5 * s.cells)  # a model of one's own

SMALL_TREES: dict[str, Any] = {
    "num_leaves": 7,
    "learning_rate": 0.024,
    "n_estimators": 5000,
    "min_child_samples": 1,
    "extra_trees": True,
    "reg_alpha": 0.35,
    "reg_lambda": 2.0,
}
PLAIN_TREES: dict[str, Any] = {
    "extra_trees": False,
    "reg_alpha": 0.0,
    "reg_lambda": 0.0,
    "learning_rate": 0.05,
}
LARGE_TREES = PLAIN_TREES | {"num_leaves": 100, "min_child_samples": 3, "subsample": 0.7}
CHANCE_TREES = PLAIN_TREES | {"num_leaves": 31, "min_child_samples": 10, "extra_trees": True}


ENCODINGS = ("target_encoding", "crosses", "pairs")


def _choice(
    label: str, kind: str | None = None, features: tuple[str, ...] = (), **parameters: Any
) -> ModelChoice:
    return ModelChoice(label=label, kind=kind or label, parameters=parameters, features=features)


# The first gives an answer soon; the others stand in the order of their gain a second.
NUMBERS = (
    _choice("lightgbm"),
    _choice("kernel_ridge"),
    _choice("svm"),
    _choice("elastic_net"),
    _choice("lightgbm_plain", "lightgbm", **PLAIN_TREES, num_leaves=15, min_child_samples=5),
    _choice("trend_forest"),
    _choice("xgboost_shallow", "xgboost", max_depth=3),
    _choice("catboost_shallow", "catboost", depth=4),
    _choice("svm_strict", "svm", C=10.0),
    _choice("catboost"),
    _choice("realmlp"),
    _choice("dnn", n_seeds=4),
    _choice("extra_trees", max_features=0.5, min_samples_leaf=2),
    _choice("ridge"),
    _choice("gaussian_process"),
    _choice("lightgbm_chance", "lightgbm", **CHANCE_TREES),
    _choice("xgboost"),
    _choice("lightgbm_small", "lightgbm", **SMALL_TREES),
    _choice("lightgbm_large", "lightgbm", **LARGE_TREES),
    _choice("hist_gradient_boosting"),
    _choice("random_forest"),
    _choice("lasso"),
    _choice("knn", n_neighbors=5),
    _choice("tabm_mini"),
)
CLASSES = (
    _choice("lightgbm"),
    _choice("logistic"),
    _choice("realmlp"),
    _choice("xgboost_shallow", "xgboost", max_depth=3),
    _choice("extra_trees"),
    _choice("svm"),
    _choice("catboost_shallow", "catboost", depth=4),
    _choice("lightgbm_small", "lightgbm", **SMALL_TREES),
    _choice("xgboost"),
    _choice("catboost"),
    _choice("dnn", n_seeds=4),
    _choice("extra_trees_leaves", "extra_trees", max_features=0.5, min_samples_leaf=2),
    _choice("svm_strict", "svm", C=10.0),
    _choice("gaussian_process"),
    _choice("random_forest"),
    _choice("lightgbm_chance", "lightgbm", **CHANCE_TREES),
    _choice("lightgbm_large", "lightgbm", **LARGE_TREES),
    _choice("hist_gradient_boosting"),
    _choice("knn"),
    _choice("tabm_mini"),
)


# Of images a network of convolutions is worth most by far, and soon gives an answer too.
IMAGES = (
    _choice("conv2d"),
    _choice("svm"),
    _choice("extra_trees"),
    _choice("knn"),
    _choice("lightgbm"),
)
ENCODED = (  # where the levels of a column say much, and there are too many for trees to sort out
    _choice("lightgbm_encoded", "lightgbm", features=ENCODINGS),
    _choice("catboost_encoded", "catboost", features=ENCODINGS),
)


def make_portfolio(
    competition: Competition, size: Size, chosen: Sequence[ModelChoice] = ()
) -> list[Entry]:
    """Return what may be trained, in the order of its expected worth a second.

    chosen: the models that somebody named, in their order; none leaves the choice to the portfolio.
    What the competition declares replaces what has its label here, and stands after the first of
    the portfolio, which is quick: there shall soon be an answer. Of images it stands at the end.
    """
    if chosen:
        return list(_entries(chosen, competition, size))
    common = competition.preprocessing.features
    kinds = NUMBERS if competition.task == "regression" else CLASSES
    usual = [
        replace(choice, features=choice.features or common)
        for choice in (kinds if competition.images is None else IMAGES)
    ]
    labels = [choice.label for choice in usual]
    declared = [one for label, one in competition.models.items() if label not in labels]
    first, *rest = [competition.models.get(choice.label, choice) for choice in usual]
    if competition.images is not None:
        return list(_entries([first, *rest, *declared], competition, size))
    encoded = ENCODED if size.has_many_levels else ()
    scaled = _scaled(competition) if size.is_skewed else ()
    fitting = [one for one in (*encoded, *scaled) if one.label not in competition.models]
    wanted = [first, *declared, *fitting, *rest]
    return list(_entries(wanted, competition, size))


def _refits(spec: ModelSpec) -> int:
    """Return in how many pieces of work the fits on all rows come; networks' are one."""
    return min(spec.refits, 1) if spec.trains_together else spec.refits


def _family(choice: ModelChoice) -> str:
    """Return what a choice is like; on columns or a scale of its own, it is like nothing else."""
    is_plain = not choice.features and choice.transform is None
    return FAMILIES.get(choice.kind, "") if is_plain else ""


def _scaled(competition: Competition) -> Iterator[ModelChoice]:
    """Yield models of another scale of the target, where its errors grow with it.

    The relative error of a logarithm is everywhere alike, as the mean absolute percentage error
    has it; roots of counts scatter alike.
    """
    other: Transform = "log1p" if competition.metric in ("mape", "mae") else "sqrt"
    target = competition.target
    if target.lower is None or target.lower < 0 or target.transform not in (None, "none"):
        return
    for kind in ("lightgbm", "catboost"):
        yield ModelChoice(label=f"{kind}_{other}", kind=kind, transform=other)


def is_skewed(y: Any) -> bool:
    """Tell whether numbers (n_samples,) are not negative and have a long tail of large ones."""
    values = np.asarray(y, dtype=float)
    if values.ndim > 1 or values.min() < 0 or values.std() == 0:
        return False
    return bool(np.mean(((values - values.mean()) / values.std()) ** 3) > SKEWED)


def has_many_levels(X: pd.DataFrame, prose: Sequence[str] = ()) -> bool:
    """Tell whether a column of text has at least twenty levels, which stand in three rows each.

    prose: columns of text that have no levels.
    """
    text = [name for name in X if not is_numeric_dtype(X[name]) and name not in prose]
    counts = [X[name].nunique() for name in text]
    return any(MANY_LEVELS <= n <= len(X) / 3 for n in counts)


def _entries(
    choices: Sequence[ModelChoice], competition: Competition, size: Size
) -> Iterator[Entry]:
    """Yield the choices that can do the task with so many rows, each with its cost."""
    for choice in choices:
        spec, cost = model_spec(choice), COSTS.get(choice.kind, UNKNOWN)
        if competition.task not in spec.tasks or size.rows > cost.most_rows:
            continue
        if choice.kind in OPTIONAL and importlib.util.find_spec(choice.kind) is None:
            continue
        own = replace(size, steps=_steps(choice, competition, size))
        making = GENERATING.seconds(size) if choice.features else 0.0
        seconds = (cost.seconds(own) + making) * size.folds
        yield Entry(
            choice,
            seconds,
            together=spec.trains_together,
            can_stop=spec.epochs is not None,
            refits=_refits(spec) if size.is_refitted else 0,
            family=_family(choice),
        )


def _steps(choice: ModelChoice, competition: Competition, size: Size) -> int:
    """Return how many steps a row of columns is to a recurrent network."""
    shape = choice.parameters.get("shape")
    first = shape[0] if isinstance(shape, list | tuple) and shape else shape
    if isinstance(first, int) and first > 0:
        return first
    if competition.windows is not None:
        return competition.windows.timesteps
    return size.columns if competition.images is None else competition.images.height
