"""Forests: many deep trees, each on rows or cuts drawn by chance, averaged."""

from collections.abc import Callable
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.utils import gen_even_slices

from pipeline.competition import Task
from pipeline.models import FEW_ANSWERS, check_parameters


class ForestRegressor(RandomForestRegressor):
    """A random forest that sums its trees in their order: the same bits every time."""

    def predict(self, X: Any) -> np.ndarray:
        """Return the mean of the trees' predictions."""
        return _in_order(self, super().predict, X)


class ForestClassifier(RandomForestClassifier):
    """A random forest that sums its trees in their order: the same bits every time."""

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the mean of the trees' probabilities."""
        return _in_order(self, super().predict_proba, X)


class ExtraRegressor(ExtraTreesRegressor):
    """Extremely randomised trees that are summed in their order: the same bits every time."""

    def predict(self, X: Any) -> np.ndarray:
        """Return the mean of the trees' predictions."""
        return _in_order(self, super().predict, X)


class ExtraClassifier(ExtraTreesClassifier):
    """Extremely randomised trees that are summed in their order: the same bits every time."""

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the mean of the trees' probabilities."""
        return _in_order(self, super().predict_proba, X)


def make_random_forest(task: Task, seed: int, **parameters: Any) -> Any:
    """Return a random forest on all cores; takes scikit-learn's parameters."""
    regression = task == "regression"
    forest = ForestRegressor if regression else ForestClassifier
    check_parameters(parameters, forest().get_params())
    defaults = {
        "n_estimators": 500,
        "max_features": 0.5 if regression else "sqrt",
        "min_samples_leaf": 2 if regression else 1,
        "n_jobs": -1,
        "random_state": seed,
    }
    return forest(**defaults | parameters)


def make_extra_trees(task: Task, seed: int, **parameters: Any) -> Any:
    """Return extremely randomised trees on all cores; takes scikit-learn's parameters."""
    forest = ExtraRegressor if task == "regression" else ExtraClassifier
    check_parameters(parameters, forest().get_params())
    defaults = {
        "n_estimators": 300,
        "n_jobs": -1,
        "random_state": seed,
    }
    return forest(**defaults | parameters)


def _in_order(forest: Any, answer: Callable[[Any], np.ndarray], X: Any) -> np.ndarray:
    """Return what a forest answers to rows, each thread to rows of its own.

    scikit-learn gives threads trees of their own, and adds their answers as they finish.
    """
    declared, threads = forest.n_jobs, effective_n_jobs(forest.n_jobs)
    if len(X) * len(forest.estimators_) < FEW_ANSWERS:
        threads = 1
    slices = gen_even_slices(len(X), min(threads, max(1, len(X))))
    each = [X.iloc[part] if hasattr(X, "iloc") else X[part] for part in slices]
    forest.n_jobs = 1
    try:
        return np.concatenate(
            Parallel(len(each), prefer="threads")(delayed(answer)(part) for part in each)
        )
    finally:
        forest.n_jobs = declared
