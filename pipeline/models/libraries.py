"""The packages of gradient boosting: how each is named, what its defaults are, what fits it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

from pipeline.models import rounds
from pipeline.models.rounds import Job, as_numbers, as_numbers_or_table, with_text

SMALL = 3000  # rows; below it smaller trees win


@dataclass(frozen=True, kw_only=True)
class Library:
    """How one package of gradient boosting is named, set up and fitted.

    parameters: from its imported module and is_regression to the names that may be declared.
    rounds, threads: its words for the number of rounds and of threads. answering: for that of
        threads where a fitted model is asked; None if it takes none there.
    settings: from (is_regression, n_rows, seed) to its parameters where none are declared.
    rows: from a frame to what the library reads.
    aliases: other spellings that may be declared. ours: what early stopping decides.
    """

    package: str
    parameters: Callable[[Any, bool], Collection[str]]
    rounds: str
    threads: str | None
    settings: Callable[[bool, int, int], dict[str, Any]]
    fit: Callable[[Job], Any]
    answering: str | None = None
    rows: Callable[[Any], Any] = as_numbers
    aliases: Mapping[str, str] = field(default_factory=dict)
    ours: frozenset[str] = frozenset()


def _lightgbm_settings(is_regression: bool, n_rows: int, seed: int) -> dict[str, Any]:
    """Return small trees with cuts by chance for numbers of few rows, and otherwise ordinary ones.

    The small ones are a configuration of AutoGluon's portfolio.
    """
    few = {
        "n_estimators": 5000,
        "learning_rate": 0.024,
        "num_leaves": 7,
        "min_child_samples": 1,
        "extra_trees": True,
        "subsample": 0.96,
        "reg_alpha": 0.35,
        "reg_lambda": 2.0,
    }
    many = {
        "n_estimators": 2000,
        "learning_rate": 0.05,
        "num_leaves": 31,
        "min_child_samples": 10,
        "subsample": 0.8,
        "colsample_bytree": 0.8,
    }
    return (few if is_regression and n_rows < SMALL else many) | {
        "subsample_freq": 1,
        "random_state": seed,
        "verbose": -1,
        "deterministic": True,
        "force_row_wise": True,
        "n_jobs": None,
    }


def _catboost_settings(is_regression: bool, n_rows: int, seed: int) -> dict[str, Any]:
    return {
        "n_estimators": 2000,
        "learning_rate": 0.05,
        "depth": 6,
        "one_hot_max_size": 20,
        "max_ctr_complexity": 1,
        "random_seed": seed,
        "logging_level": "Silent",
        "allow_writing_files": False,
        "thread_count": None,
    }


def _xgboost_settings(is_regression: bool, n_rows: int, seed: int) -> dict[str, Any]:
    return {
        "n_estimators": 2000,
        "learning_rate": 0.05,
        "max_depth": 6,
        "subsample": 0.7,
        "colsample_bytree": 0.8,
        "tree_method": "hist",
        "random_state": seed,
        "n_jobs": None,
    }


def _hist_settings(is_regression: bool, n_rows: int, seed: int) -> dict[str, Any]:
    return {"max_iter": 2000, "learning_rate": 0.05, "random_state": seed}


# LightGBM's own names that its scikit-learn classes pass on without listing them.
LIGHTGBM_PASSED_ON = (
    "bagging_fraction", "bagging_freq", "cat_l2", "cat_smooth", "device_type", "extra_trees",
    "feature_fraction",
    "feature_fraction_bynode", "lambda_l1", "lambda_l2", "linear_lambda", "linear_tree", "max_bin",
    "max_cat_threshold", "max_cat_to_onehot", "min_data_in_bin", "min_data_in_leaf",
    "min_sum_hessian_in_leaf", "monotone_constraints", "path_smooth",
)  # fmt: skip
CATBOOST_ALIASES = {
    "iterations": "n_estimators", "num_boost_round": "n_estimators", "num_trees": "n_estimators",
    "max_depth": "depth", "eta": "learning_rate", "reg_lambda": "l2_leaf_reg",
    "random_state": "random_seed", "colsample_bylevel": "rsm", "max_bin": "border_count",
    "min_child_samples": "min_data_in_leaf", "num_leaves": "max_leaves",
    "objective": "loss_function",
}  # fmt: skip
SCIKIT_LEARN_STOPS = frozenset(
    {"early_stopping", "n_iter_no_change", "scoring", "tol", "validation_fraction", "warm_start"}
)


def _lightgbm_parameters(module: Any, is_regression: bool) -> Collection[str]:
    return (*module.LGBMRegressor().get_params(), *LIGHTGBM_PASSED_ON)


def _catboost_parameters(module: Any, is_regression: bool) -> Collection[str]:
    cls = module.CatBoostRegressor if is_regression else module.CatBoostClassifier
    return signature(cls).parameters


def _xgboost_parameters(module: Any, is_regression: bool) -> Collection[str]:
    return (module.XGBRegressor if is_regression else module.XGBClassifier)().get_params()  # type: ignore[no-any-return]


def _hist_parameters(module: Any, is_regression: bool) -> Collection[str]:
    kind = "Regressor" if is_regression else "Classifier"
    return getattr(module, f"HistGradientBoosting{kind}")().get_params()  # type: ignore[no-any-return]


LIBRARIES = {
    "lightgbm": Library(
        package="lightgbm",
        parameters=_lightgbm_parameters,
        rounds="n_estimators",
        threads="n_jobs",
        answering="num_threads",
        settings=_lightgbm_settings,
        fit=rounds.fit_lightgbm,
        rows=as_numbers_or_table,
    ),
    "catboost": Library(
        package="catboost",
        parameters=_catboost_parameters,
        rounds="n_estimators",
        threads="thread_count",
        answering="thread_count",
        settings=_catboost_settings,
        fit=rounds.fit_catboost,
        rows=with_text,
        aliases=CATBOOST_ALIASES,
        ours=frozenset({"early_stopping_rounds", "use_best_model", "cat_features"}),
    ),
    "xgboost": Library(
        package="xgboost",
        parameters=_xgboost_parameters,
        rounds="n_estimators",
        threads="n_jobs",
        settings=_xgboost_settings,
        fit=rounds.fit_xgboost,
        ours=frozenset({"early_stopping_rounds", "callbacks", "enable_categorical"}),
    ),
    "hist_gradient_boosting": Library(
        package="sklearn.ensemble",
        parameters=_hist_parameters,
        rounds="max_iter",
        threads=None,
        settings=_hist_settings,
        fit=rounds.fit_hist,
        ours=SCIKIT_LEARN_STOPS,
    ),
}
