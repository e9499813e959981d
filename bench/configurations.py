"""The model configurations of the portfolio study: each model's defaults, and variants of them."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.models import MODELS

NETWORKS = ("dnn", "realmlp", "tabm", "tabm_mini")
MOST_GAUSSIAN = 2000  # training rows times classes that a Gaussian process bears in such a study


@dataclass(frozen=True)
class Configuration:
    """A model and its parameters; classes: those for classes where they differ from numbers'."""

    name: str
    kind: str
    parameters: dict[str, Any] = field(default_factory=dict)
    classes: dict[str, Any] | None = None
    tasks: tuple[str, ...] = ("regression", "binary", "multiclass")

    def of(self, task: str) -> dict[str, Any]:
        """Return the parameters for a task."""
        own = self.classes if task != "regression" else None
        return self.parameters if own is None else own

    def can(self, task: str, n_rows: int, n_classes: int) -> bool:
        """Tell whether it is for a task, and for that many rows."""
        if task not in self.tasks or task not in MODELS[self.kind].tasks:
            return False
        heavy = self.kind == "gaussian_process"
        return not heavy or n_rows * max(n_classes, 1) <= MOST_GAUSSIAN


CLASSES = ("binary", "multiclass")
NUMBERS = ("regression",)
DEFAULTS = tuple(Configuration(kind, kind) for kind in MODELS)
SMALL_TREES = {
    "n_estimators": 5000, "learning_rate": 0.024, "num_leaves": 7, "min_child_samples": 1,
    "extra_trees": True, "subsample": 0.96, "reg_alpha": 0.35, "reg_lambda": 2.0,
    "colsample_bytree": 0.99,
}  # fmt: skip
VARIANTS = (
    Configuration("lightgbm_small", "lightgbm", SMALL_TREES),  # of AutoGluon's portfolio
    Configuration(  # the tuned defaults of Holzmüller et al., arXiv 2407.04491; also below
        "lightgbm_large",
        "lightgbm",
        {
            "learning_rate": 0.05,
            "num_leaves": 100,
            "min_child_samples": 3,
            "subsample": 0.7,
            "min_child_weight": 1e-7,
            "colsample_bytree": 1.0,
            "extra_trees": False,
            "reg_alpha": 0.0,
            "reg_lambda": 0.0,
        },
        {
            "learning_rate": 0.04,
            "num_leaves": 50,
            "min_child_samples": 40,
            "subsample": 0.75,
            "min_child_weight": 1e-7,
            "colsample_bytree": 1.0,
        },
    ),
    Configuration(
        "lightgbm_extra",
        "lightgbm",
        {
            "learning_rate": 0.05,
            "num_leaves": 31,
            "min_child_samples": 10,
            "extra_trees": True,
            "subsample": 0.8,
            "colsample_bytree": 0.8,
            "reg_alpha": 0.0,
            "reg_lambda": 0.0,
        },
    ),
    Configuration("catboost_4", "catboost", {"depth": 4}),
    Configuration("catboost_8", "catboost", {"depth": 8}),
    Configuration(
        "catboost_tuned",
        "catboost",
        {"depth": 9, "learning_rate": 0.09, "random_strength": 0.0, "one_hot_max_size": 20},
        {
            "depth": 7,
            "learning_rate": 0.08,
            "l2_leaf_reg": 1e-5,
            "bootstrap_type": "Bernoulli",
            "subsample": 0.9,
            "random_strength": 0.8,
            "one_hot_max_size": 15,
        },
    ),
    Configuration(
        "xgboost_tuned",
        "xgboost",
        {
            "max_depth": 9,
            "min_child_weight": 2,
            "subsample": 0.7,
            "reg_lambda": 0.0,
            "colsample_bytree": 1.0,
        },
        {
            "max_depth": 6,
            "learning_rate": 0.08,
            "min_child_weight": 5e-6,
            "subsample": 0.65,
            "colsample_bylevel": 0.9,
            "colsample_bytree": 1.0,
            "reg_lambda": 0.0,
        },
    ),
    Configuration("xgboost_3", "xgboost", {"max_depth": 3}),
    Configuration(
        "hist_15", "hist_gradient_boosting", {"max_leaf_nodes": 15, "l2_regularization": 1.0}
    ),
    Configuration("extra_trees_leaf", "extra_trees", {"min_samples_leaf": 3}),
    Configuration("extra_trees_half", "extra_trees", {"max_features": 0.5, "min_samples_leaf": 2}),
    Configuration(
        "random_forest_leaf",
        "random_forest",
        {"max_features": 0.8, "min_samples_leaf": 5},
        {"max_features": 0.3, "min_samples_leaf": 3},
    ),
    Configuration(
        "random_forest_entropy",
        "random_forest",
        {"criterion": "entropy", "min_samples_leaf": 2},
        tasks=CLASSES,
    ),
    Configuration("svm_1", "svm", {"C": 1.0}),
    Configuration("svm_10", "svm", {"C": 10.0}),
    Configuration("svm_rbf", "svm", {"kernel": "rbf", "C": 3.0}),
    Configuration("kernel_ridge_1", "kernel_ridge", {"alpha": 1.0}, tasks=NUMBERS),
    Configuration("knn_5", "knn", {"n_neighbors": 5}),
    Configuration("knn_40", "knn", {"n_neighbors": 40}),
    Configuration("ridge_100", "ridge", {"alpha": 100.0}, tasks=NUMBERS),
    Configuration("logistic_weak", "logistic", {"C": 0.05}, tasks=CLASSES),
    # RealMLP-TD-S: its authors' simple variant, at half the cost.
    Configuration("realmlp_simple", "realmlp", {"n_waves": 0, "dropout": 0.0, "weight_decay": 0.0}),
    Configuration("tabm_mini_wide", "tabm_mini", {"units": 864, "blocks": 3}),
)
CONFIGURATIONS = {one.name: one for one in (*DEFAULTS, *VARIANTS)}
