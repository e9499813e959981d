"""The scores of many predictions of the same rows at once: what pipeline.metrics says of each.

Choosing weights asks for thousands of scores, which one call each would make slow.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata

from pipeline.competition import MetricName


def many_scores(
    metric: MetricName, y: np.ndarray, predictions: np.ndarray, n_classes: int = 0
) -> np.ndarray:
    """Return the score of each prediction (n_predictions,).

    y: (n_samples,), numbers, or the codes 0, 1, ... of n_classes sorted labels.
    predictions: (n_predictions, n_samples) for numbers, (n_predictions, n_samples, n_classes) for
    the classes' probabilities.
    """
    if metric in OF_NUMBERS:
        return OF_NUMBERS[metric](y, predictions)
    if metric == "log_loss":
        return _log_loss(y, predictions)
    if metric == "roc_auc":
        return _roc_auc(y, predictions)
    return label_scores(metric, y, predictions.argmax(axis=2), n_classes)


def label_scores(
    metric: MetricName, y: np.ndarray, codes: np.ndarray, n_classes: int
) -> np.ndarray:
    """Return accuracy or f1_macro of each row of label codes (n_predictions, n_samples)."""
    if metric == "accuracy":
        return np.asarray((codes == y).mean(axis=1))
    of_class = np.arange(n_classes)[:, None, None]
    is_true, is_said = y == of_class, codes == of_class  # (n_classes, 1 or n_predictions, n)
    both = (is_true & is_said).sum(axis=2)
    either = is_true.sum(axis=2) + is_said.sum(axis=2)  # 2 tp + fp + fn
    f1 = np.divide(2.0 * both, either, out=np.zeros(both.shape), where=either > 0)
    return np.asarray(f1.sum(axis=0) / (either > 0).sum(axis=0))  # (n_predictions,)


def _rmse(y: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.square(predictions - y).mean(axis=1)))


def _rmsle(y: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    return _rmse(np.log1p(y), np.log1p(predictions))


def _mae(y: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(predictions - y).mean(axis=1))


def _mape(y: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    size = np.maximum(np.abs(y), np.finfo(float).eps)
    return np.asarray((np.abs(predictions - y) / size).mean(axis=1))


def _r2(y: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    return np.asarray(1 - np.square(predictions - y).mean(axis=1) / np.var(y))


OF_NUMBERS: dict[MetricName, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "rmse": _rmse,
    "rmsle": _rmsle,
    "mae": _mae,
    "mape": _mape,
    "r2": _r2,
}


def _log_loss(y: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    of_truth = np.take_along_axis(predictions, y[None, :, None], axis=2)[:, :, 0]
    tiny = np.finfo(float).eps
    share = np.clip(of_truth / predictions.sum(axis=2), tiny, 1 - tiny)
    return np.asarray(-np.log(share).mean(axis=1))


def _roc_auc(y: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    n_classes = predictions.shape[2]
    ones = [1] if n_classes == 2 else [c for c in range(n_classes) if 0 < (y == c).sum() < len(y)]
    areas = [_area(y == one, predictions[:, :, one]) for one in ones]
    return np.asarray(np.mean(areas, axis=0)) if areas else np.full(len(predictions), np.nan)


def _area(is_one: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return the area under the curve from the mean rank of the ones (Mann and Whitney, 1947)."""
    n_ones = int(is_one.sum())
    pairs = n_ones * (len(is_one) - n_ones)
    if not pairs:
        return np.full(len(p), np.nan)
    ranks = rankdata(p, axis=1)[:, is_one].sum(axis=1)
    return np.asarray((ranks - n_ones * (n_ones + 1) / 2) / pairs)
