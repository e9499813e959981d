"""Models that measure distances or penalise sizes: regressors on a target of mean 0, deviation 1.

Their penalties and tolerances then mean the same whatever the target's unit. Columns reach them
filled, scaled and one-hot encoded.
"""

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning

from pipeline.competition import Task
from pipeline.errors import ModelError
from pipeline.models import check_parameters


@dataclass(frozen=True)
class ByRows:
    """A penalty that falls with the root of the rows, as the noise of a correlation does."""

    at_1000: float

    def of(self, n_rows: int) -> float:
        """Return the penalty for that many rows."""
        return float(self.at_1000 * np.sqrt(1000 / n_rows))


class ScaledRegressor(RegressorMixin, BaseEstimator):
    """A regressor of scikit-learn that is fitted on the standardised target, target by target.

    regressor: its class. parameters: those of its constructor, or ByRows for one that follows from
    how many rows there are. max_rows: how many it can bear, or None if they do not matter.
    """

    def __init__(
        self,
        *,
        regressor: type,
        parameters: dict[str, Any] | None = None,
        max_rows: int | None = None,
    ) -> None:
        self.regressor = regressor
        self.parameters = parameters
        self.max_rows = max_rows

    def fit(self, X: Any, y: Any) -> "ScaledRegressor":
        """Fit on X (n_samples, n_features) and y (n_samples,) or (n_samples, n_targets).

        Raises ModelError for more rows than max_rows.
        """
        y = np.asarray(y, dtype=float)
        columns = y.reshape(len(y), -1)
        check_rows(len(columns), self.max_rows)
        values = np.asarray(X, dtype=float)
        spread = columns.std(axis=0)
        self.is_flat_ = y.ndim == 1
        self.target_mean_ = columns.mean(axis=0)
        self.target_std_ = np.where(spread > 0, spread, 1.0)
        scaled = (columns - self.target_mean_) / self.target_std_
        parameters = {
            name: value.of(len(y)) if isinstance(value, ByRows) else value
            for name, value in (self.parameters or {}).items()
        }
        with _quiet():
            self.models_ = [self.regressor(**parameters).fit(values, column) for column in scaled.T]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return predictions of the shape that y had."""
        values = np.asarray(X, dtype=float)
        scaled = np.column_stack([model.predict(values) for model in self.models_])
        predictions: np.ndarray = scaled * self.target_std_ + self.target_mean_
        return predictions[:, 0] if self.is_flat_ else predictions


class Probabilistic(ClassifierMixin, BaseEstimator):
    """A classifier of scikit-learn whose label is the most probable class, and nothing else.

    classifier: its class. parameters: those of its constructor. max_rows: how many rows it can
    bear. calibrated: its decisions become probabilities by a sigmoid, learned on decisions about
    rows that it was not fitted on.
    """

    def __init__(
        self,
        *,
        classifier: type,
        parameters: dict[str, Any] | None = None,
        max_rows: int | None = None,
        calibrated: bool = False,
        seed: int = 42,
    ) -> None:
        self.classifier = classifier
        self.parameters = parameters
        self.max_rows = max_rows
        self.calibrated = calibrated
        self.seed = seed

    def fit(self, X: Any, y: Any) -> "Probabilistic":
        """Fit on X (n_samples, n_features) and labels y (n_samples,).

        Raises ModelError for more rows than max_rows, a single class, or a class of one row where
        decisions are calibrated.
        """
        labels = np.asarray(y)
        check_rows(len(labels), self.max_rows)
        self.classes_, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        if len(self.classes_) < 2:
            raise ModelError(
                f"y: expected at least two classes, found only {str(self.classes_[0])!r}"
            )
        model = self.classifier(**(self.parameters or {}))
        if self.calibrated:
            model = self._calibrated(model, counts)
        with _quiet():
            self.model_ = model.fit(np.asarray(X, dtype=float), codes)
        return self

    def _calibrated(self, model: Any, counts: np.ndarray) -> Any:
        """Return the model with a sigmoid after it, learned by cross-validation (Platt, 1999)."""
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.model_selection import StratifiedKFold

        if counts.min() < 2:
            rare = self.classes_[counts.argmin()]
            raise ModelError(
                f"y: expected two rows of every class, which probabilities need; class "
                f"{str(rare)!r} has one"
            )
        parts = StratifiedKFold(min(5, counts.min()), shuffle=True, random_state=self.seed)
        return CalibratedClassifierCV(model, method="sigmoid", cv=parts, ensemble=False)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities (n_samples, n_classes), columns in the order of classes_."""
        return np.asarray(self.model_.predict_proba(np.asarray(X, dtype=float)))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable labels (n_samples,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Do not warn of a length scale at its bound, or of a penalty whose last digit is not found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def check_rows(n_rows: int, max_rows: int | None) -> None:
    """Check that a model can bear so many rows: its time and memory grow with their square or cube.

    Raises ModelError.
    """
    if max_rows is not None and n_rows > max_rows:
        raise ModelError(
            f"expected at most {max_rows:,} training rows, found {n_rows:,}; choose another model, "
            "or declare a larger max_rows"
        )


def make_lasso(task: Task, seed: int, **parameters: Any) -> ScaledRegressor:
    """Return a least-squares regression with an L1 penalty; takes scikit-learn's parameters.

    alpha is in units of the target's deviation; if left out, it falls with the root of the rows.
    """
    from sklearn.linear_model import Lasso

    return _regressor(Lasso, {"alpha": ByRows(0.0011), "max_iter": 10_000}, parameters)


def make_elastic_net(task: Task, seed: int, **parameters: Any) -> ScaledRegressor:
    """Return a least-squares regression with L1 and L2 penalties; takes scikit-learn's parameters.

    alpha is in units of the target's deviation; if left out, it falls with the root of the rows.
    """
    from sklearn.linear_model import ElasticNet

    defaults = {"alpha": ByRows(0.0022), "l1_ratio": 0.3, "max_iter": 10_000}
    return _regressor(ElasticNet, defaults, parameters)


def make_kernel_ridge(
    task: Task, seed: int, *, max_rows: int = 10_000, **parameters: Any
) -> ScaledRegressor:
    """Return a ridge regression with a kernel; takes scikit-learn's parameters."""
    from sklearn.kernel_ridge import KernelRidge

    defaults = {"alpha": 0.1, "kernel": "laplacian"}
    return _regressor(KernelRidge, defaults, parameters, max_rows)


def make_svm(task: Task, seed: int, *, max_rows: int = 10_000, **parameters: Any) -> Any:
    """Return a support vector machine; takes scikit-learn's parameters.

    The kernel falls with the sum of the columns' distances, so that a row that is far off in one
    column is not far from everything. Classes get probabilities by calibration, not by the
    deprecated option of SVC.
    """
    from sklearn.metrics.pairwise import laplacian_kernel
    from sklearn.svm import SVC, SVR

    if task == "regression":
        defaults = {"C": 3.0, "epsilon": 0.1, "kernel": laplacian_kernel}
        return _regressor(SVR, defaults, parameters, max_rows)
    defaults = {"C": 3.0, "kernel": laplacian_kernel}
    return _classifier(SVC, defaults, parameters, max_rows, seed, calibrated=True)


def make_knn(task: Task, seed: int, **parameters: Any) -> Any:
    """Return the k nearest neighbours, the nearer with more weight; takes scikit-learn's names."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    defaults = {"n_neighbors": 15, "weights": "distance", "p": 1}
    if task == "regression":
        return _regressor(KNeighborsRegressor, defaults, parameters)
    return _classifier(KNeighborsClassifier, defaults, parameters, None, seed)


def make_gaussian_process(
    task: Task, seed: int, *, max_rows: int | None = None, **parameters: Any
) -> Any:
    """Return a Gaussian process whose length scale and noise are learned; takes scikit-learn's.

    max_rows: 3,000 for numbers and 1,000 for classes, each of which has a process of its own.
    """
    from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RationalQuadratic, WhiteKernel

    kernel = RationalQuadratic(5.0, 1.0, (0.1, 1e3), (0.05, 1e3))
    if task == "regression":
        defaults = {"kernel": kernel + WhiteKernel(0.1, (1e-4, 10.0)), "random_state": seed}
        return _regressor(GaussianProcessRegressor, defaults, parameters, max_rows or 3000)
    defaults = {"kernel": 1.0 * kernel, "random_state": seed}
    return _classifier(GaussianProcessClassifier, defaults, parameters, max_rows or 1000, seed)


def _regressor(
    cls: Any, defaults: dict[str, Any], parameters: dict[str, Any], max_rows: int | None = None
) -> ScaledRegressor:
    check_parameters(parameters, _names(cls, max_rows))
    return ScaledRegressor(regressor=cls, parameters=defaults | parameters, max_rows=max_rows)


def _classifier(
    cls: Any,
    defaults: dict[str, Any],
    parameters: dict[str, Any],
    max_rows: int | None,
    seed: int,
    *,
    calibrated: bool = False,
) -> Probabilistic:
    check_parameters(parameters, _names(cls, max_rows))
    return Probabilistic(
        classifier=cls,
        parameters=defaults | parameters,
        max_rows=max_rows,
        calibrated=calibrated,
        seed=seed,
    )


def _names(cls: Any, max_rows: int | None) -> list[str]:
    return [*cls().get_params(), *(["max_rows"] if max_rows is not None else [])]
