"""A line, and trees on what it leaves: trees by themselves know nothing beyond their rows."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge

from pipeline.competition import Task
from pipeline.models import check_parameters
from pipeline.models.forests import ExtraRegressor


class TrendForest(RegressorMixin, BaseEstimator):
    """A ridge regression, and extremely randomised trees fitted on its residuals.

    Where new rows lie beyond the fitted ones, the line goes on and the trees add what they last
    saw. (Zhang et al., Regression-enhanced random forests, arXiv 1904.10416.)

    alpha: the ridge's penalty. The others are the trees' parameters in scikit-learn.
    """

    def __init__(
        self,
        *,
        alpha: float = 10.0,
        n_estimators: int = 300,
        max_features: float | str | None = 0.5,
        min_samples_leaf: int = 2,
        n_jobs: int | None = -1,
        random_state: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.n_estimators = n_estimators
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "TrendForest":
        """Fit on X (n_samples, n_features) and y (n_samples,) or (n_samples, n_targets)."""
        y = np.asarray(y, dtype=float)
        trees = {name: value for name, value in self.get_params().items() if name != "alpha"}
        self.trend_ = Ridge(self.alpha).fit(X, y)
        self.forest_ = ExtraRegressor(**trees).fit(X, y - self.trend_.predict(X))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions of the shape that y had."""
        return np.asarray(self.trend_.predict(X) + self.forest_.predict(X))


def make_trend_forest(task: Task, seed: int, **parameters: Any) -> TrendForest:
    """Return a ridge regression with trees on its residuals, on all cores."""
    check_parameters(parameters, TrendForest().get_params())
    return TrendForest(**{"random_state": seed} | parameters)
