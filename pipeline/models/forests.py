"""Random forests: many deep trees on resampled rows, averaged."""

from typing import Any

from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from pipeline.competition import Task
from pipeline.models import check_parameters


def make_random_forest(task: Task, seed: int, **parameters: Any) -> Any:
    """Return a random forest on all cores; takes scikit-learn's parameters."""
    regression = task == "regression"
    forest = RandomForestRegressor if regression else RandomForestClassifier
    check_parameters(parameters, forest().get_params())
    defaults = {
        "n_estimators": 500,
        "max_features": 0.5 if regression else "sqrt",
        "min_samples_leaf": 2 if regression else 1,
        "n_jobs": -1,
        "random_state": seed,
    }
    return forest(**defaults | parameters)
