"""Labels and whole counts: chosen on other folds' rows, and kept only where the folds prove it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decisions import GRID, NOTHING, Decision, best_factors, decide, fold_scores
from pipeline.metrics import METRICS

LABELS = np.array(["no", "yes"])
FOLD = np.arange(400) % 4


def rare(seed: int = 0, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Return labels of which few are "yes", and honest probabilities, most of them below 0.5."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 6, n)
    return LABELS[(rng.random(n) < p).astype(int)], np.column_stack([1 - p, p])


def test_a_factor_moves_the_threshold_and_rows_still_sum_to_one() -> None:
    decision = Decision(factors=(1.0, 4.0))
    found = decision(np.array([[0.85, 0.15], [0.75, 0.25], [0.5, 0.5]]))
    assert found.argmax(axis=1).tolist() == [0, 1, 1]  # 0.2 is as likely as 0.8 now
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_nothing_is_done_to_predictions_where_nothing_is_decided() -> None:
    prediction = np.array([[0.2, 0.8]])
    assert NOTHING(prediction) is prediction
    assert not NOTHING
    assert bool(Decision(is_rounded=True))
    assert Decision(is_rounded=True)(np.array([[1.4], [2.6]])).tolist() == [[1.0], [3.0]]


@pytest.mark.parametrize("name", ["accuracy", "f1_macro"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_best_factor_of_two_classes_is_the_best_of_the_grid(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.random(20)
    probability, codes = np.column_stack([1 - p, p]), (rng.random(20) < p).astype(int)
    metric = METRICS[name]

    def score(factor: float) -> float:
        return metric(LABELS[codes], Decision((1.0, factor))(probability), LABELS)

    found = best_factors(metric, codes, probability)
    assert found[0] == 1.0
    assert score(found[1]) == pytest.approx(max(score(factor) for factor in GRID))
    if score(1.0) == pytest.approx(score(found[1])):
        assert found[1] == 1.0


def test_factors_of_several_classes_never_score_less_than_none() -> None:
    rng = np.random.default_rng(3)
    probability = rng.dirichlet([3, 1, 1], 200)
    codes = np.array([rng.choice(3, p=row) for row in probability])
    found = best_factors(METRICS["f1_macro"], codes, probability)
    labels = np.arange(3)
    plain = METRICS["f1_macro"](codes, probability, labels)
    assert METRICS["f1_macro"](codes, probability * found, labels) > plain


def test_a_threshold_is_kept_where_it_helps_and_scored_by_folds_that_did_not_choose_it() -> None:
    y, probability = rare()
    metric = METRICS["f1_macro"]
    found = decide(y, probability, FOLD, metric, LABELS)
    assert found.decision.factors is not None
    assert found.decision.factors[1] > 1  # below one half already means "yes"
    assert found.plain == metric(y, probability, LABELS)
    assert found.score == metric(y, found.answers, LABELS) > found.plain
    for number in range(4):
        others = number != FOLD
        codes = np.searchsorted(LABELS, y)
        factors = best_factors(metric, codes[others], probability[others])
        mine = number == FOLD
        np.testing.assert_array_equal(
            found.answers[mine], Decision(tuple(factors))(probability[mine])
        )


def test_no_row_has_a_say_in_its_own_label() -> None:
    y, probability = rare()
    honest = decide(y, probability, FOLD, METRICS["f1_macro"], LABELS)
    mine = FOLD == 1
    poisoned = y.copy()
    wrong = np.flatnonzero(mine)[:12]
    poisoned[wrong] = "yes"
    tried = decide(poisoned, probability, FOLD, METRICS["f1_macro"], LABELS)
    np.testing.assert_array_equal(tried.answers[mine], honest.answers[mine])
    assert (tried.answers[~mine] != honest.answers[~mine]).any()


def test_a_threshold_that_is_not_proved_to_help_is_not_kept() -> None:
    kept = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        p = rng.random(400)
        y = LABELS[(rng.random(400) < p).astype(int)]  # one half is the best there is
        found = decide(y, np.column_stack([1 - p, p]), FOLD, METRICS["accuracy"], LABELS)
        kept += bool(found.decision)
        assert found.decision or found.score == found.plain
    assert kept <= 3  # chance alone passes two standard errors now and then


def test_metrics_of_probabilities_need_no_label() -> None:
    y, probability = rare()
    for name in ("log_loss", "roc_auc"):
        found = decide(y, probability, FOLD, METRICS[name], LABELS)
        assert (found.decision, found.answers is probability) == (NOTHING, True)


def test_counts_are_rounded_where_it_helps_in_every_fold() -> None:
    rng = np.random.default_rng(2)
    counts = rng.poisson(3, 400).astype(float)
    near = (counts + rng.uniform(-0.4, 0.4, 400)).reshape(-1, 1)
    found = decide(counts, near, FOLD, METRICS["mae"])
    assert found.decision == Decision(is_rounded=True)
    assert found.score == 0 < found.plain
    far = (counts + rng.normal(0, 3, 400)).reshape(-1, 1)
    assert decide(counts, far, FOLD, METRICS["rmse"]).decision == NOTHING
    halves = counts + 0.5
    assert decide(halves, near, FOLD, METRICS["mae"]).decision == NOTHING


def test_rows_that_no_fold_predicted_decide_nothing() -> None:
    y, probability = rare()
    fold = np.where(np.arange(400) < 100, -1, FOLD)
    hollow = np.where(fold[:, None] < 0, np.nan, probability)
    found = decide(y, hollow, fold, METRICS["f1_macro"], LABELS)
    alone = decide(y[100:], probability[100:], fold[100:], METRICS["f1_macro"], LABELS)
    assert found.decision == alone.decision
    assert found.score == alone.score


def test_a_single_fold_proves_nothing() -> None:
    y, probability = rare()
    found = decide(y, probability, np.zeros(400, int), METRICS["f1_macro"], LABELS)
    assert found.decision == NOTHING


def test_each_fold_is_scored_on_its_own_rows() -> None:
    y = np.array([1.0, 2.0, 3.0, 4.0])
    prediction = np.array([[1.0], [3.0], [3.0], [9.0]])
    found = fold_scores(y, prediction, np.array([0, 0, 2, -1]), METRICS["mae"])
    assert found.tolist() == [0.5, 0.0]
