"""Many scores at once are those that one call each of the metrics gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.metrics import METRICS
from pipeline.scoring import many_scores

NUMBERS = [name for name, metric in METRICS.items() if metric.response == "value"]
CLASSES = [name for name, metric in METRICS.items() if metric.response != "value"]
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("name", NUMBERS)
@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_scores_of_numbers_are_the_metric_s(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, predictions = rng.exponential(3, 7), rng.exponential(3, (4, 7))
    expected = [METRICS[name](y, one) for one in predictions]
    np.testing.assert_allclose(many_scores(name, y, predictions), expected, rtol=1e-12)


@pytest.mark.parametrize("name", CLASSES)
@settings(max_examples=40, deadline=None)
@given(seed=seeds, n_classes=st.integers(2, 4), n=st.integers(1, 12))
def test_scores_of_classes_are_the_metric_s(name: str, seed: int, n_classes: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.array(["ant", "bee", "cat", "dog"])[:n_classes]
    codes = rng.integers(0, n_classes, n)
    predictions = rng.integers(1, 5, (3, n, n_classes)) / 4.0  # ties and rows that sum to anything
    expected = [METRICS[name](labels[codes], one, labels) for one in predictions]
    found = many_scores(name, codes, predictions, n_classes)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_certainty_that_is_wrong_costs_a_finite_log_loss() -> None:
    predictions = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    found = many_scores("log_loss", np.array([0, 1]), predictions, 2)
    expected = [METRICS["log_loss"](np.array([0, 1]), one, np.array([0, 1])) for one in predictions]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)
