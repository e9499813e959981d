"""The scale that a number is fitted on, and the way back to its own."""

import functools
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.utils.validation import check_is_fitted

from pipeline.competition import MetricName, Target, Transform, Windows

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


class LastValueRegressor(RegressorMixin, BaseEstimator):
    """A regressor of windows that learns what the targets become of their last known values.

    What follows is told as the change from the last value, or as the ratio to it less 1, and so is
    the target's own past: a level that the training rows never reached is nothing new then, which
    matters most to trees, and 0 is the naive forecast.

    windows: declared; its target is "change" or "ratio". targets: the names of the columns.
    lower, upper: bounds of the answers.
    """

    def __init__(
        self,
        regressor: Any,
        windows: Windows,
        targets: tuple[str, ...],
        lower: float | None = None,
        upper: float | None = None,
    ) -> None:
        self.regressor = regressor
        self.windows = windows
        self.targets = targets
        self.lower = lower
        self.upper = upper

    def fit(self, X: pd.DataFrame, y: Any, **settings: Any) -> Self:
        """Fit on windows X (n_samples, n_features) and y (n_samples,) or (n_samples, n_outputs)."""
        shape = np.shape(y)
        found = self._told(np.asarray(y, dtype=float).reshape(len(X), -1), self._last(X))
        self.regressor_ = clone(self.regressor)
        self.regressor_.fit(self._relative(X), found.reshape(shape), **settings)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return the levels, of the shape that y had."""
        check_is_fitted(self)
        found = np.asarray(self.regressor_.predict(self._relative(X)), dtype=float)
        told, last = found.reshape(len(X), -1), self._last(X)
        levels = told + last if self.windows.target == "change" else (told + 1) * last
        lower = -np.inf if self.lower is None else self.lower
        upper = np.inf if self.upper is None else self.upper
        return np.asarray(np.clip(levels, lower, upper).reshape(found.shape))

    def _last(self, X: pd.DataFrame) -> np.ndarray:
        """Return the last known value of each output (n_samples, n_outputs)."""
        names = [self.windows.past(name, 0) for name in self.targets]
        return np.asarray(np.tile(X[names].to_numpy(float), self.windows.horizon))

    def _told(self, levels: np.ndarray, last: np.ndarray) -> np.ndarray:
        return np.asarray(levels - last if self.windows.target == "change" else levels / last - 1)

    def _relative(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the windows with the targets' past told as the answers are."""
        back = range(self.windows.timesteps)
        told = {
            past: self._told(X[past].to_numpy(float), X[self.windows.past(name, 0)].to_numpy(float))
            for name in self.targets
            for past in (self.windows.past(name, n) for n in back)
        }
        return X.assign(**told)


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
