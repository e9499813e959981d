"""The scores of competitions: a table from name to metric."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from sklearn import metrics as sk

from pipeline.competition import Competition, MetricName, Transform

Response = Literal["value", "label", "probability"]


@dataclass(frozen=True)
class Metric:
    """A score, the direction in which it improves, and what it compares the truth with.

    response: "value" for numbers, "probability" for the classes' probabilities, "label" for the
        most probable class.
    """

    name: MetricName
    function: Callable[..., float]
    greater_is_better: bool
    response: Response

    def __call__(self, y_true: Any, y_pred: Any, labels: np.ndarray | None = None) -> float:
        """Return the score of predictions.

        y_true: (n_samples,) or (n_samples, n_targets). y_pred: of the same shape for numbers; for
        classes their probabilities (n_samples, n_classes), columns as in labels, which are sorted.
        """
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        if self.response == "value":
            return float(self.function(y_true, y_pred))
        assert labels is not None
        if self.response == "label":
            return float(self.function(y_true, labels[y_pred.argmax(axis=1)]))
        return float(self.function(y_true, y_pred, labels))


def fitted_metric(competition: Competition) -> MetricName | None:
    """Return the metric that ranks models on the scale they are fitted on as the declared one does.

    So the root mean squared error is the one of log1p after log1p, and ranks like r2. None if the
    target's transform leaves no such metric.
    """
    if competition.task != "regression":
        return competition.metric
    windows = competition.windows
    if windows is not None and windows.target != "level":
        near: dict[MetricName, MetricName] = {"mae": "mae", "mape": "mae"}
        return near.get(competition.metric, "rmse")  # changes near 0 have no ratio to each other
    seen: dict[tuple[Transform | None, MetricName], MetricName] = {
        ("none", "rmse"): "rmse",
        ("none", "r2"): "rmse",
        ("none", "mae"): "mae",
        ("none", "mape"): "mape",
        ("log1p", "rmsle"): "rmse",
    }
    return seen.get((competition.target.transform, competition.metric))


def metric_of(competition: Competition) -> Metric:
    """Return the declared metric for what models answer.

    The following rows that one window forecasts count as rows of their own, as those of a
    submission do, and not as targets whose scores are averaged.
    """
    metric = METRICS[competition.metric]
    if competition.windows is None or competition.windows.horizon == 1:
        return metric
    n_targets = len(competition.columns.target)
    return replace(metric, function=partial(_of_rows, metric.function, n_targets))


def _of_rows(
    function: Callable[..., float], n_targets: int, y_true: np.ndarray, y_pred: np.ndarray
) -> float:
    return function(y_true.reshape(-1, n_targets), y_pred.reshape(-1, n_targets))


def rmsle(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Return the root mean squared error of log1p; predictions and truth are 0 or more."""
    return float(sk.root_mean_squared_log_error(y_true, y_pred))


def f1_macro(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Return the unweighted mean of the classes' F1 scores; a class never predicted scores 0."""
    return float(sk.f1_score(y_true, y_pred, average="macro", zero_division=0))


def log_loss(y_true: np.ndarray, y_pred: np.ndarray, labels: np.ndarray) -> float:
    """Return the cross-entropy in nats; rows are normalised, as the services do."""
    rows = y_pred / y_pred.sum(axis=1, keepdims=True)
    return float(sk.log_loss(y_true, rows, labels=labels))


def roc_auc(y_true: np.ndarray, y_pred: np.ndarray, labels: np.ndarray) -> float:
    """Return the area under the ROC curve; with over two classes, one against the rest, macro.

    A class that no row has, or all have, has no curve and is left out; NaN if none is left.
    """
    columns = [1] if len(labels) == 2 else range(len(labels))
    sides = [(y_true == labels[i], y_pred[:, i]) for i in columns]
    areas = [sk.roc_auc_score(is_one, p) for is_one, p in sides if 0 < is_one.sum() < len(is_one)]
    return float(np.mean(areas)) if areas else float("nan")


def _metric(name: MetricName, function: Any, direction: str, response: Response) -> Metric:
    return Metric(name, function, direction == "higher", response)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _metric("rmse", sk.root_mean_squared_error, "lower", "value"),
        _metric("rmsle", rmsle, "lower", "value"),
        _metric("mae", sk.mean_absolute_error, "lower", "value"),
        _metric("mape", sk.mean_absolute_percentage_error, "lower", "value"),
        _metric("r2", sk.r2_score, "higher", "value"),
        _metric("accuracy", sk.accuracy_score, "higher", "label"),
        _metric("f1_macro", f1_macro, "higher", "label"),
        _metric("log_loss", log_loss, "lower", "probability"),
        _metric("roc_auc", roc_auc, "higher", "probability"),
    )
}
