"""A target that is a sum: each part is learned by a regressor of its own."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted


class SumOfParts(RegressorMixin, BaseEstimator):
    """One clone of a regressor a part; the sum of what they predict, within bounds, is the answer.

    Parts that follow different rules, as the rides of members and of passers-by do, are each
    simpler than their sum.
    """

    def __init__(
        self, regressor: Any, lower: float | None = None, upper: float | None = None
    ) -> None:
        self.regressor = regressor
        self.lower = lower
        self.upper = upper

    def fit(self, X: Any, y: pd.DataFrame, **settings: Any) -> Self:
        """Fit on X (n_samples, n_features) and the parts y (n_samples, n_parts).

        settings: what each regressor's fit is given; of the seconds each gets its share, of rounds
        (n_parts, n_targets) its own.
        """
        rounds = settings.pop("model__rounds", None)
        seconds = settings.get("model__max_seconds")
        if seconds is not None:
            settings["model__max_seconds"] = seconds / y.shape[1]
        self.names_ = [str(name) for name in y]
        own: list[dict[str, Any]] = [{} for _ in y]
        if rounds is not None:
            own = [{"model__rounds": one} for one in rounds]
        self.regressors_ = [
            clone(self.regressor).fit(X, y[name], **settings, **mine)
            for name, mine in zip(y, own, strict=True)
        ]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the sums (n_samples,)."""
        check_is_fitted(self)
        total = np.sum([one.predict(X) for one in self.regressors_], axis=0)
        lower = -np.inf if self.lower is None else self.lower
        upper = np.inf if self.upper is None else self.upper
        return np.asarray(np.clip(total, lower, upper))
