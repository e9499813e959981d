"""Where a search looks: for each model the parameters worth changing, and between what.

The networks' ranges are those of their papers and of TabArena (arXiv 2506.16791), around the
defaults that meta-tuning found; those of boosting span the same defaults.
"""

from dataclasses import dataclass
from typing import Any

from pipeline.competition import Task


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, evenly by their logarithm or by their size; whole ones in steps."""

    low: float
    high: float
    log: bool = False
    whole: bool = False
    step: int = 1


@dataclass(frozen=True)
class Options:
    """Values of any kind that TOML can spell."""

    values: tuple[Any, ...]


Space = dict[str, Range | Options]


def _log(low: float, high: float) -> Range:
    return Range(low, high, log=True)


def _whole(low: int, high: int, *, log: bool = False, step: int = 1) -> Range:
    return Range(low, high, log=log, whole=True, step=step)


YES_OR_NO = Options((True, False))
FOREST: Space = {"max_features": Range(0.1, 1.0), "min_samples_leaf": _whole(1, 20, log=True)}
TABM: Space = {
    "learning_rate": _log(1e-4, 3e-3),
    "weight_decay": _log(1e-4, 0.1),
    "blocks": _whole(2, 5),
    "units": _whole(128, 1024, step=16),
    "dropout": Range(0.0, 0.5),
    "embedding_size": _whole(8, 32, step=4),
    "n_bins": _whole(2, 128),
}
SPACES: dict[str, Space] = {
    "dnn": {
        "units": Options(([128, 64], [256, 128], [128, 64, 32], [256, 256, 128], [512, 256])),
        "dropout": Range(0.0, 0.5),
        "activation": Options(("relu", "silu", "gelu")),
        "learning_rate": _log(1e-4, 3e-3),
        "batch_size": Options((32, 64, 128, 256)),
    },
    "realmlp": {
        "units": Options(([256] * 2, [256] * 3, [256] * 4, [384] * 3, [512] * 3)),
        "dropout": Range(0.0, 0.5),
        "sigma": _log(0.03, 1.0),
        "level_size": Options((4, 8, 16)),
        "learning_rate": _log(0.02, 0.3),
        "weight_decay": _log(1e-3, 0.05),
        "label_smoothing": _log(5e-3, 0.1),
    },
    "tabm": TABM,
    "tabm_mini": TABM,
    "ridge": {"alpha": _log(1e-2, 1e4)},
    "logistic": {"C": _log(1e-3, 1e2)},
    "lasso": {"alpha": _log(1e-5, 0.3)},
    "elastic_net": {"alpha": _log(1e-5, 0.3), "l1_ratio": Range(0.05, 0.95)},
    "kernel_ridge": {
        "alpha": _log(1e-3, 10.0),
        "gamma": _log(1e-3, 0.3),
        "kernel": Options(("laplacian", "rbf")),
    },
    "svm": {"C": _log(0.1, 100.0), "epsilon": _log(0.01, 0.5)},
    "knn": {
        "n_neighbors": _whole(2, 100, log=True),
        "weights": Options(("uniform", "distance")),
        "p": Options((1, 2)),
    },
    "random_forest": FOREST,
    "extra_trees": {**FOREST, "bootstrap": YES_OR_NO},
    "trend_forest": {**FOREST, "alpha": _log(0.1, 1e3)},
    "lightgbm": {
        "learning_rate": _log(0.01, 0.15),
        "num_leaves": _whole(4, 128, log=True),
        "min_child_samples": _whole(1, 64, log=True),
        "extra_trees": YES_OR_NO,
        "subsample": Range(0.5, 1.0),
        "colsample_bytree": Range(0.4, 1.0),
        "reg_alpha": _log(1e-3, 10.0),
        "reg_lambda": _log(1e-3, 10.0),
    },
    "catboost": {
        "learning_rate": _log(0.02, 0.2),
        "depth": _whole(4, 9),
        "l2_leaf_reg": _log(0.1, 30.0),
        "random_strength": _log(0.1, 10.0),
        "rsm": Range(0.4, 1.0),
    },
    "xgboost": {
        "learning_rate": _log(0.02, 0.2),
        "max_depth": _whole(3, 10),
        "min_child_weight": _log(0.01, 30.0),
        "subsample": Range(0.5, 1.0),
        "colsample_bytree": Range(0.4, 1.0),
        "reg_alpha": _log(1e-3, 5.0),
        "reg_lambda": _log(0.01, 30.0),
    },
    "hist_gradient_boosting": {
        "learning_rate": _log(0.02, 0.2),
        "max_leaf_nodes": _whole(4, 127, log=True),
        "min_samples_leaf": _whole(2, 100, log=True),
        "l2_regularization": _log(1e-4, 10.0),
        "max_features": Range(0.3, 1.0),
    },
}
OF_NUMBERS_ONLY = {"svm": ("epsilon",)}
OF_CLASSES_ONLY = {"realmlp": ("label_smoothing",)}


def space_of(kind: str, task: Task) -> Space:
    """Return where a search over a model looks; empty if there is nothing to choose."""
    unfit = (OF_CLASSES_ONLY if task == "regression" else OF_NUMBERS_ONLY).get(kind, ())
    return {name: one for name, one in SPACES.get(kind, {}).items() if name not in unfit}
