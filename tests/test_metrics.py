"""Scores against numbers worked out by hand."""

from typing import get_args

import numpy as np
import pytest

from pipeline.competition import METRICS_OF_TASK, MetricName
from pipeline.metrics import METRICS

TRUE = np.array([1.0, 2.0, 3.0])
PREDICTED = np.array([1.0, 4.0, 0.0])  # off by 0, 2 and 3
LABELS = np.array(["ant", "bee"])
PROBABILITY = np.array([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.9, 0.1]])
NAMES = np.array(["ant", "bee", "ant", "bee"])


def test_the_table_has_each_declarable_metric_once() -> None:
    assert set(METRICS) == set(get_args(MetricName))
    assert set(METRICS) == {name for names in METRICS_OF_TASK.values() for name in names}


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("rmse", np.sqrt(13 / 3)),
        ("mae", 5 / 3),
        ("mape", (0 + 1 + 1) / 3),
        ("r2", 1 - 13 / 2),
        ("rmsle", np.sqrt((np.log(5 / 3) ** 2 + np.log(4) ** 2) / 3)),
    ],
)
def test_a_number_s_score_is_as_worked_out_by_hand(name: str, score: float) -> None:
    assert METRICS[name](TRUE, PREDICTED) == pytest.approx(score)
    assert METRICS[name](TRUE, PREDICTED.reshape(-1, 1)) == pytest.approx(score)


def test_several_targets_are_averaged_column_by_column() -> None:
    both = np.column_stack([TRUE, TRUE])
    off = np.column_stack([TRUE, TRUE + 3])
    assert METRICS["rmse"](both, off) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("accuracy", 0.5),  # ant bee bee ant
        ("f1_macro", 0.5),
        ("log_loss", -np.log([0.8, 0.6, 0.3, 0.1]).mean()),
        ("roc_auc", 1 / 4),  # of four pairs only bee 0.6 > ant 0.2 is right
    ],
)
def test_a_class_s_score_is_as_worked_out_by_hand(name: str, score: float) -> None:
    assert METRICS[name](NAMES, PROBABILITY, LABELS) == pytest.approx(score)


def test_a_class_that_is_never_predicted_scores_no_f1() -> None:
    always_ant = np.tile([0.9, 0.1], (4, 1))
    assert METRICS["f1_macro"](NAMES, always_ant, LABELS) == pytest.approx((2 / 3 + 0) / 2)


def test_rows_are_normalised_for_the_log_loss() -> None:
    once = METRICS["log_loss"](NAMES, PROBABILITY, LABELS)
    assert METRICS["log_loss"](NAMES, 7 * PROBABILITY, LABELS) == pytest.approx(once)


THREE = np.array([1, 2, 3])
THIRDS = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.4, 0.5, 0.1], [0.5, 0.3, 0.2]])


def test_three_classes_are_one_against_the_rest_for_the_area() -> None:
    y = np.array([1, 2, 3, 1])
    # class 1: both of 0.7, 0.5 above 0.2, 0.4; class 2: 0.5 above 0.2, 0.3, ties with 0.5;
    # class 3: 0.1 below 0.3 and 0.2, ties with 0.1
    assert METRICS["roc_auc"](y, THIRDS, THREE) == pytest.approx((1 + 2.5 / 3 + 0.5 / 3) / 3)
    assert METRICS["log_loss"](y, THIRDS, THREE) == pytest.approx(
        -np.log([0.7, 0.5, 0.1, 0.5]).mean()
    )


def test_a_class_that_a_fold_lacks_does_not_stop_the_score() -> None:
    y = np.array([1, 2, 2, 1])
    # class 1: 0.7, 0.5 above 0.2, 0.4; class 2: 0.5, 0.5 above 0.2, 0.3; class 3 has no curve
    assert METRICS["roc_auc"](y, THIRDS, THREE) == 1.0
    assert METRICS["log_loss"](y, THIRDS, THREE) == pytest.approx(
        -np.log([0.7, 0.5, 0.5, 0.5]).mean()
    )
    assert METRICS["accuracy"](y, THIRDS, THREE) == 1.0


def test_a_fold_of_one_class_has_no_area() -> None:
    one = np.array(["ant"] * 4)
    assert np.isnan(METRICS["roc_auc"](one, PROBABILITY, LABELS))
    assert METRICS["log_loss"](one, PROBABILITY, LABELS) == pytest.approx(
        -np.log(PROBABILITY[:, 0]).mean()
    )


@pytest.mark.parametrize(
    ("name", "higher"),
    [
        ("rmse", False),
        ("rmsle", False),
        ("mae", False),
        ("mape", False),
        ("log_loss", False),
        ("r2", True),
        ("accuracy", True),
        ("f1_macro", True),
        ("roc_auc", True),
    ],
)
def test_the_direction_says_which_score_is_better(name: str, higher: bool) -> None:
    metric = METRICS[name]
    assert metric.greater_is_better == higher
