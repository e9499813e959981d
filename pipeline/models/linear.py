"""Linear models: fast, steady baselines on scaled and one-hot encoded columns."""

from typing import Any

from sklearn.linear_model import LogisticRegression, Ridge

from pipeline.competition import Task
from pipeline.models import check_parameters


def make_ridge(task: Task, seed: int, **parameters: Any) -> Ridge:
    """Return a least-squares regression with an L2 penalty; takes scikit-learn's parameters."""
    check_parameters(parameters, Ridge().get_params())
    return Ridge(**{"alpha": 10.0, "random_state": seed} | parameters)


def make_logistic(task: Task, seed: int, **parameters: Any) -> LogisticRegression:
    """Return a logistic regression with an L2 penalty; takes scikit-learn's parameters."""
    check_parameters(parameters, LogisticRegression().get_params())
    return LogisticRegression(**{"max_iter": 2000, "random_state": seed} | parameters)
