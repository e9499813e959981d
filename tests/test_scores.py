"""Scores in the program that trains, against the metrics of the competitions."""

import numpy as np
import pytest

from pipeline.metrics import METRICS
from pipeline.models.scores import SCORES

N = 40


def test_every_metric_has_a_score() -> None:
    assert set(SCORES) == set(METRICS)


def padded(values: np.ndarray, fill: float) -> np.ndarray:
    """Return two replicas' values (2, n, n_columns), the second with nonsense behind 25 rows."""
    both = np.stack([values, values]).astype("float32")
    both[1, 25:] = fill
    return both


def check(name: str, y: np.ndarray, p: np.ndarray, labels: np.ndarray | None) -> None:
    """Compare the score of both replicas with the metric of their rows."""
    rows = np.ones((2, N), "float32")
    rows[1, 25:] = 0
    columns = y.reshape(N, -1)
    scores = SCORES[name](padded(columns, 1), padded(p, 0.5), rows).numpy()
    sign = -1 if METRICS[name].greater_is_better else 1
    for score, n in zip(scores, (N, 25), strict=True):
        assert sign * score == pytest.approx(METRICS[name](y[:n], p[:n], labels), rel=1e-4)


@pytest.mark.parametrize("name", ["rmse", "rmsle", "mae", "mape", "r2"])
@pytest.mark.parametrize("n_targets", [1, 2])
def test_a_score_of_numbers_is_the_metric_on_true_rows(name: str, n_targets: int) -> None:
    rng = np.random.default_rng(0)
    y = rng.uniform(1, 50, size=(N, n_targets))
    p = np.maximum(y + rng.normal(0, 5, size=y.shape), 0)
    check(name, y[:, 0] if n_targets == 1 else y, p, None)


@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "log_loss", "roc_auc"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_score_of_classes_is_the_metric_on_true_rows(name: str, n_classes: int) -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(n_classes, size=N)
    odds = rng.integers(1, 6, size=(N, n_classes)) + 2 * np.eye(n_classes)[y]  # many ties
    check(name, y, odds / odds.sum(axis=1, keepdims=True), np.arange(n_classes))
