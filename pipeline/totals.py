"""Metrics as functions of sums over rows, so that a score of resampled rows is one addition.

Every metric here is exact in such sums but the area under the ROC curve, which is taken to first
order: a row's share of it is its placement among the rows of the other side (DeLong, DeLong and
Clarke-Pearson, 1988).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.competition import MetricName

Score = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Totals:
    """What each row adds (n_samples, n_sums), and the score of sums (n_draws, n_sums)."""

    rows: np.ndarray
    score: Score

    def of_all(self) -> float:
        """Return the score of all rows."""
        return float(self.score(self.rows.sum(axis=0, keepdims=True))[0])


def totals_of(
    metric: MetricName,
    y: np.ndarray,
    prediction: np.ndarray,
    labels: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> Totals:
    """Return what each row adds to the sums that make a metric.

    y: (n_samples,) or (n_samples, n_targets). prediction: (n_samples, n_targets), or probabilities
    (n_samples, n_classes), columns as in labels, which are sorted. weights: (n_samples,), 1 if left
    out.
    """
    weight = np.ones(len(y)) if weights is None else weights
    if labels is None:
        return _of_numbers(metric, np.asarray(y, dtype=float), prediction, weight)
    codes = np.searchsorted(labels, y)
    if metric == "roc_auc":
        return _of_area(codes, prediction, weight)
    if metric == "f1_macro":
        return _of_f1(codes, prediction, weight)
    if metric == "log_loss":
        share = prediction[np.arange(len(y)), codes] / prediction.sum(axis=1)
        tiny = np.finfo(float).eps
        return _mean_of(-np.log(np.clip(share, tiny, 1 - tiny))[:, None], weight)
    return _mean_of((prediction.argmax(axis=1) == codes)[:, None], weight)


def _mean_of(values: np.ndarray, weight: np.ndarray, after: Score = np.asarray) -> Totals:
    """Return the mean over columns of a function of each column's mean (n_samples, n_columns)."""
    rows = np.column_stack([weight, weight[:, None] * values])
    return Totals(rows, lambda sums: after(sums[:, 1:] / sums[:, :1]).mean(axis=1))


def _of_numbers(
    metric: MetricName, y: np.ndarray, prediction: np.ndarray, weight: np.ndarray
) -> Totals:
    truth = y.reshape(len(y), -1)
    if metric == "rmsle":
        truth, prediction = np.log1p(truth), np.log1p(prediction)
    error = np.abs(prediction - truth)
    if metric == "mae":
        return _mean_of(error, weight)
    if metric == "mape":
        return _mean_of(error / np.maximum(np.abs(truth), np.finfo(float).eps), weight)
    if metric == "r2":
        return _of_r2(truth, error, weight)
    return _mean_of(np.square(error), weight, np.sqrt)


def _of_r2(truth: np.ndarray, error: np.ndarray, weight: np.ndarray) -> Totals:
    n = truth.shape[1]
    centred = truth - truth.mean(axis=0)
    values = np.hstack([np.square(error), centred, np.square(centred)])
    rows = np.column_stack([weight, weight[:, None] * values])

    def score(sums: np.ndarray) -> np.ndarray:
        missed, first, second = np.split(sums[:, 1:] / sums[:, :1], [n, 2 * n], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):  # rows that are all alike have none
            return np.asarray((1 - missed / (second - np.square(first))).mean(axis=1))

    return Totals(rows, score)


def _of_f1(codes: np.ndarray, prediction: np.ndarray, weight: np.ndarray) -> Totals:
    one_hot = np.eye(prediction.shape[1])
    is_true, is_said = one_hot[codes], one_hot[prediction.argmax(axis=1)]
    rows = np.hstack([is_true * is_said, is_true + is_said]) * weight[:, None]

    def score(sums: np.ndarray) -> np.ndarray:
        both, either = np.split(sums, 2, axis=1)  # tp, and 2 tp + fp + fn
        f1 = np.divide(2 * both, either, out=np.zeros(both.shape), where=either > 0)
        return np.asarray(f1.sum(axis=1) / (either > 0).sum(axis=1))

    return Totals(rows, score)


def _of_area(codes: np.ndarray, prediction: np.ndarray, weight: np.ndarray) -> Totals:
    """Return each class's area from two means: of the ones' placements, and of the others'."""
    n_classes = prediction.shape[1]
    columns = (
        [1] if n_classes == 2 else [c for c in range(n_classes) if 0 < (codes == c).mean() < 1]
    )
    parts, whole = [], []
    for column in columns:
        is_one = codes == column
        placement = _placements(is_one, prediction[:, column], weight)
        parts += [weight * is_one, weight * is_one * placement]
        parts += [weight * ~is_one, weight * ~is_one * placement]
        whole.append(np.average(placement[is_one], weights=weight[is_one]))

    def score(sums: np.ndarray) -> np.ndarray:
        ones, of_ones, others, of_others = np.moveaxis(sums.reshape(len(sums), -1, 4), 2, 0)
        with np.errstate(divide="ignore", invalid="ignore"):  # rows of one side only have none
            areas = of_ones / ones + of_others / others - np.array(whole)
        return np.asarray(areas.mean(axis=1))

    return Totals(np.column_stack(parts), score)


def _placements(is_one: np.ndarray, p: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the share of the other side's rows that each row stands right of, ties as halves."""
    placement = np.empty(len(p))
    for mine, sign in ((is_one, 1), (~is_one, -1)):
        others = np.sort(sign * p[~mine])
        order = np.argsort(sign * p[~mine], kind="stable")
        below = np.concatenate([[0.0], np.cumsum(weight[~mine][order])])
        left = below[np.searchsorted(others, sign * p[mine], side="left")]
        right = below[np.searchsorted(others, sign * p[mine], side="right")]
        placement[mine] = (left + right) / 2 / below[-1]
    return placement
