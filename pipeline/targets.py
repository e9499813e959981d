"""The scale that a number is fitted on, and the way back to its own."""

import functools
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor

from pipeline.competition import MetricName, Target, Transform

SQUARED: tuple[MetricName, ...] = ("rmse", "r2")  # metrics whose best answer is the mean

_FORWARD: dict[Transform | None, Any] = {
    None: np.asarray,
    "none": np.asarray,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
}


class RootRegressor(TransformedTargetRegressor):
    """A regressor of the square root that answers with the target's mean.

    The square of a mean root is too small: the mean of a square is the square of the mean plus the
    variance. That is Duan's smearing estimate (1983) for this transform. The variance is that of
    the errors on rows that were not fitted on, taken for the same everywhere.

    variance_: (n_targets,), once learn_variance has been called.
    """

    def learn_variance(self, X: pd.DataFrame, y: Any) -> "RootRegressor":
        """Learn the variance of the roots' errors from rows that the regressor has not seen.

        X: (n_samples, n_features). y: (n_samples,) or (n_samples, n_targets).
        """
        roots = np.sqrt(np.asarray(y, dtype=float).reshape(len(X), -1))
        found = np.asarray(self.regressor_.predict(X), dtype=float).reshape(roots.shape)
        self.variance_ = (roots - found).var(axis=0)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return the means, of the shape that y had."""
        root = np.asarray(self.regressor_.predict(X), dtype=float)
        variance = getattr(self, "variance_", np.zeros(1))
        added = variance if root.ndim > 1 else variance[0]
        return np.asarray(self.inverse_func(root, added=added))


def transformed(y: Any, target: Target) -> Any:
    """Return the answers of rows on the scale that is fitted."""
    return _FORWARD[target.transform](y)


def transform_of(regressor: TransformedTargetRegressor) -> Transform:
    """Return the transform of a regressor that bound_target has made."""
    target: Target = regressor.inverse_func.keywords["target"]
    return target.transform or "none"


def bound_target(regressor: Any, target: Target, metric: MetricName) -> Any:
    """Return a regressor fitted on the transformed target, whose predictions keep the bounds.

    metric: where its best answer is the mean, a fit of roots answers with the mean. A fit of
    logarithms keeps to its median: the errors of counts are not of one size on that scale, so that
    the smearing estimate overshoots (ddarung, five folds: five of six models lost by it, and five
    of six gained by that of roots).
    """
    mean_of_roots = target.transform == "sqrt" and metric in SQUARED
    return (RootRegressor if mean_of_roots else TransformedTargetRegressor)(
        regressor=regressor,
        func=_FORWARD[target.transform],
        inverse_func=functools.partial(restore, target=target),
        check_inverse=False,
    )


def restore(transformed: np.ndarray, target: Target, added: float | np.ndarray = 0.0) -> np.ndarray:
    """Return values on the target's own scale, clipped to its bounds.

    added: what is added to them before, a number or one for each target. A predicted root below 0
    means 0, not its square.
    """
    if target.transform == "log1p":
        values = np.expm1(transformed)
    elif target.transform == "sqrt":
        values = np.square(np.maximum(transformed, 0))
    else:
        values = np.asarray(transformed)
    lower = -np.inf if target.lower is None else target.lower
    upper = np.inf if target.upper is None else target.upper
    return np.asarray(np.clip(values + added, lower, upper))
