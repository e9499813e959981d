"""Scores of held-out rows for many replicas at once, in the program that trains them.

Each takes y (replicas, n, n_targets) or codes (replicas, n, 1), predictions on the target's own
scale or probabilities (replicas, n, n_outputs), and weights (replicas, n), 0 for padded rows. All
are returned so that less is better; a score of pipeline.metrics that grows is turned around.
"""

from collections.abc import Callable
from typing import Any

MOST_LOG = 80.0  # of which float32 has the exponential


def undone(values: Any, transform: str) -> Any:
    """Return values of a transformed target on its own scale; a root below 0 means 0."""
    import tensorflow as tf

    if transform == "log1p":
        return tf.math.expm1(tf.minimum(values, MOST_LOG))
    return tf.square(tf.maximum(values, 0)) if transform == "sqrt" else values


def _mean(values: Any, rows: Any) -> Any:
    """Return the mean over rows and targets (replicas,)."""
    import tensorflow as tf

    per_row = tf.reduce_mean(values, -1)
    return tf.reduce_sum(per_row * rows, -1) / tf.reduce_sum(rows, -1)


def rmse(y: Any, p: Any, rows: Any) -> Any:
    """Return the root of the mean squared error, its mean over targets."""
    import tensorflow as tf

    count = tf.reduce_sum(rows, -1)[:, None]
    errors = (p - y) * rows[..., None]
    unit = tf.reduce_max(tf.abs(errors), 1)  # squares of large errors are beyond 32 bits
    squares = tf.square(tf.math.divide_no_nan(errors, unit[:, None]))
    return tf.reduce_mean(unit * tf.sqrt(tf.reduce_sum(squares, 1) / count), -1)


def rmsle(y: Any, p: Any, rows: Any) -> Any:
    """Return the root of the mean squared error of log1p; predictions below 0 count as 0."""
    import tensorflow as tf

    return rmse(tf.math.log1p(y), tf.math.log1p(tf.maximum(p, 0)), rows)


def mae(y: Any, p: Any, rows: Any) -> Any:
    """Return the mean absolute error."""
    import tensorflow as tf

    return _mean(tf.abs(p - y), rows)


def mape(y: Any, p: Any, rows: Any) -> Any:
    """Return the mean absolute error in shares of the truth."""
    import tensorflow as tf

    smallest = 2.220446049250313e-16  # as scikit-learn has it
    return _mean(tf.abs(p - y) / tf.maximum(tf.abs(y), smallest), rows)


def r2(y: Any, p: Any, rows: Any) -> Any:
    """Return minus the explained share of the variance, its mean over targets."""
    import tensorflow as tf

    weight = rows[..., None]
    mean = tf.reduce_sum(y * weight, 1, keepdims=True) / tf.reduce_sum(weight, 1, keepdims=True)
    residual = tf.reduce_sum(tf.square(p - y) * weight, 1)
    total = tf.reduce_sum(tf.square(y - mean) * weight, 1)
    return tf.reduce_mean(tf.math.divide_no_nan(residual, total), -1) - 1


def accuracy(y: Any, p: Any, rows: Any) -> Any:
    """Return minus the share of rows whose most probable class is theirs."""
    import tensorflow as tf

    right = tf.cast(tf.argmax(p, -1, tf.int32) == tf.cast(y[..., 0], tf.int32), tf.float32)
    return -tf.reduce_sum(right * rows, -1) / tf.reduce_sum(rows, -1)


def f1_macro(y: Any, p: Any, rows: Any) -> Any:
    """Return minus the mean of the classes' F1 scores, over classes that are true or predicted."""
    import tensorflow as tf

    n_classes = p.shape[-1]
    truth = tf.one_hot(tf.cast(y[..., 0], tf.int32), n_classes) * rows[..., None]
    said = tf.one_hot(tf.argmax(p, -1, tf.int32), n_classes) * rows[..., None]
    both, either = tf.reduce_sum(truth * said, 1), tf.reduce_sum(truth + said, 1)
    present = tf.reduce_sum(tf.cast(either > 0, tf.float32), -1)
    return -tf.reduce_sum(tf.math.divide_no_nan(2 * both, either), -1) / present


def log_loss(y: Any, p: Any, rows: Any) -> Any:
    """Return the cross-entropy in nats."""
    import tensorflow as tf

    own = tf.gather(p, tf.cast(y[..., 0], tf.int32), batch_dims=2)
    return _mean(-tf.math.log(tf.maximum(own, 1e-7))[..., None], rows)


def roc_auc(y: Any, p: Any, rows: Any) -> Any:
    """Return minus the area under the ROC curve; with more classes, the mean of one against others.

    A class that no row has, or all have, has no curve and is left out.
    """
    import tensorflow as tf

    codes = tf.cast(y[..., 0], tf.int32)
    classes = [1] if p.shape[-1] == 2 else range(p.shape[-1])
    areas, curves = [], []
    for one in classes:
        is_one = tf.cast(codes == one, tf.float32) * rows
        area, has_curve = _area(is_one, rows - is_one, p[..., one])
        areas.append(area * has_curve)
        curves.append(has_curve)
    return -tf.math.divide_no_nan(tf.add_n(areas), tf.add_n(curves))


def _area(positive: Any, negative: Any, score: Any) -> tuple[Any, Any]:
    """Return the share of pairs in the right order, ties as half, and whether there are pairs.

    positive, negative: (replicas, n), 1 for rows of either side. score: (replicas, n).
    """
    import tensorflow as tf

    rank = tf.argsort(score, stable=True)
    ordered = tf.gather(score, rank, batch_dims=1)
    before = tf.cumsum(tf.gather(negative, rank, batch_dims=1), axis=1, exclusive=False)
    before = tf.pad(before, [[0, 0], [1, 0]])  # (replicas, n + 1): negatives among the first i
    low = tf.searchsorted(ordered, score, side="left")
    high = tf.searchsorted(ordered, score, side="right")
    below = tf.gather(before, low, batch_dims=1) + tf.gather(before, high, batch_dims=1)
    n_positive, n_negative = tf.reduce_sum(positive, 1), tf.reduce_sum(negative, 1)
    pairs = n_positive * n_negative
    area = tf.math.divide_no_nan(tf.reduce_sum(positive * below, 1) / 2, pairs)
    return area, tf.cast(pairs > 0, tf.float32)


GROWING = ("r2", "accuracy", "f1_macro", "roc_auc")  # turned around here


def as_people_say(name: str, score: float) -> float:
    """Return a score as pipeline.metrics has it."""
    return -score if name in GROWING else score


SCORES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "rmse": rmse,
    "rmsle": rmsle,
    "mae": mae,
    "mape": mape,
    "r2": r2,
    "accuracy": accuracy,
    "f1_macro": f1_macro,
    "log_loss": log_loss,
    "roc_auc": roc_auc,
}
