"""Weights: what each way chooses, and that no row has a say in its own nested prediction."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.competition import Target
from pipeline.decisions import decide
from pipeline.ensemble import (
    BAGS,
    FEW_ROWS,
    TIE,
    WAYS,
    Candidates,
    Mixer,
    Question,
    best,
    choose_blend,
    greedy,
    non_negative,
    ridge,
    steadied,
)
from pipeline.errors import UsageError
from pipeline.metrics import METRICS

N = 120
FOLD = np.arange(N) % 4
LABELS = np.array(["low", "mid", "top"])


def numbers(
    metric: str = "rmse", n_models: int = 4, n_targets: int = 1, seed: int = 0, n: int = N
) -> Candidates:
    """Return models whose errors are partly their own, of targets above 0."""
    rng = np.random.default_rng(seed)
    y = rng.exponential(5, (n, n_targets)) + 1
    noise = rng.normal(0, np.arange(1, n_models + 1).reshape(-1, 1, 1), (n_models, n, n_targets))
    predictions = np.maximum(y + 0.4 * noise, 0)
    truth = y[:, 0] if n_targets == 1 else y
    fold = np.arange(n) % 4
    return Candidates(predictions, truth, fold, METRICS[metric], target=Target(lower=0))


def classes(metric: str = "log_loss", n_models: int = 4, n_classes: int = 3) -> Candidates:
    """Return models of which each is sure of something else."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, n_classes, N)
    logits = 2.0 * np.eye(n_classes)[codes] + rng.normal(0, 1.5, (n_models, N, n_classes))
    odds = np.exp(logits)
    labels = LABELS[:n_classes]
    predictions = odds / odds.sum(axis=2, keepdims=True)
    return Candidates(predictions, labels[codes], FOLD, METRICS[metric], labels)


def question(candidates: Candidates) -> Question:
    (only,) = candidates.questions()
    return only


CASES: dict[str, Callable[[], Candidates]] = {
    **{name: lambda name=name: numbers(name) for name in ("rmse", "rmsle", "mae", "mape", "r2")},  # type: ignore[misc]
    **{
        name: lambda name=name: classes(name)  # type: ignore[misc]
        for name in ("accuracy", "f1_macro", "log_loss", "roc_auc")
    },
    "binary": lambda: classes("roc_auc", n_classes=2),
    "two targets": lambda: numbers(n_targets=2),
}
each_case = pytest.mark.parametrize("case", CASES)


# The greedy selection


def slowly(asked: Question, rounds: int) -> np.ndarray:
    """Return what greedy returns, one blend and one score at a time."""
    scores: list[float] = []
    chosen: list[int] = []
    for _ in range(rounds):
        tried = []
        for m in range(len(asked.predictions)):
            blend = np.mean(asked.predictions[[*chosen, m]], axis=0)
            tried.append(float(asked.losses(blend[None])[0]))
        near = [m for m, loss in enumerate(tried) if loss <= min(tried) + TIE * abs(min(tried))]
        pick = next((m for m in near if m in chosen), near[0])
        chosen.append(pick)
        scores.append(tried[pick])
    kept = chosen[: int(np.argmin(scores)) + 1]
    return np.bincount(kept, minlength=len(asked.predictions)) / len(kept)


@pytest.mark.parametrize("name", [name for name in CASES if name != "two targets"])
def test_greedy_selection_equals_trying_every_model_in_every_round(name: str) -> None:
    asked = question(CASES[name]())
    np.testing.assert_allclose(greedy(asked, rounds=12), slowly(asked, 12), atol=1e-12)


def test_two_rounds_find_the_best_pair_where_the_best_model_is_in_it() -> None:
    asked = question(numbers(n_models=5))
    pairs = list(itertools.combinations_with_replacement(range(5), 2))
    losses = asked.losses(np.array([asked.predictions[list(p)].mean(axis=0) for p in pairs]))
    best = asked.losses(asked.predictions).argmin()
    with_best = [loss for pair, loss in zip(pairs, losses, strict=True) if best in pair]
    weights = greedy(asked, rounds=2)
    assert asked.losses((weights @ asked.predictions)[None])[0] == pytest.approx(min(with_best))


def test_of_equal_models_the_first_is_taken_and_stays() -> None:
    y = np.array([1.0, 2.0, 3.0, 4.0])
    one = y + np.array([0.1, -0.1, 0.1, -0.1])
    asked = Question(np.array([one + 1, one, one, one]), y, np.zeros(4, int), "rmse")
    assert greedy(asked).tolist() == [0, 1, 0, 0]


def test_models_that_err_to_both_sides_share_the_weight() -> None:
    y = np.arange(6.0)
    asked = Question(np.array([y + 1, y - 1, y + 5]), y, np.zeros(6, int), "mae")
    assert greedy(asked).tolist() == [0.5, 0.5, 0]


def test_the_first_round_that_scored_best_counts_and_later_ones_do_not() -> None:
    y = np.arange(6.0)
    asked = Question(np.array([y, y + 3, y - 3]), y, np.zeros(6, int), "rmse")
    assert greedy(asked).tolist() == [1, 0, 0]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_models=st.integers(2, 6), n=st.integers(5, 40))
def test_weights_sum_to_one_and_greedy_is_never_worse_than_the_best_model(
    seed: int, n_models: int, n: int
) -> None:
    asked = question(numbers(n_models=n_models, seed=seed, n=n))
    alone = asked.losses(asked.predictions).min()
    for name, way in WAYS.items():
        weights = way(asked)
        assert weights.shape == (n_models,)
        assert weights.sum() == pytest.approx(1)
        assert name == "ridge" or (weights >= 0).all()
        if name in ("best", "greedy", "nnls"):
            blend = asked.losses((weights @ asked.predictions)[None])[0]
            assert blend <= alone * (1 + 2 * TIE)


# The least squares


def test_non_negative_weights_are_the_least_squares_on_the_simplex() -> None:
    asked = question(numbers(n_models=3))
    grid = [
        (a, b, 1 - a - b)
        for a in np.linspace(0, 1, 101)
        for b in np.linspace(0, 1, 101)
        if a + b <= 1
    ]
    losses = asked.losses(np.array([np.array(w) @ asked.predictions for w in grid]))
    found = non_negative(asked)
    assert asked.losses((found @ asked.predictions)[None])[0] <= losses.min() + 1e-12
    np.testing.assert_allclose(found, grid[int(losses.argmin())], atol=0.02)


def test_non_negative_weights_of_classes_minimise_the_squared_error_of_one_hot_rows() -> None:
    asked = question(classes(n_models=2))
    shares = np.linspace(0, 1, 1001)
    truth = np.eye(3)[asked.y]
    first, second = asked.predictions
    errors = [np.square(truth - s * first - (1 - s) * second).sum() for s in shares]
    np.testing.assert_allclose(non_negative(asked)[0], shares[int(np.argmin(errors))], atol=2e-3)


def test_a_ridge_without_a_penalty_is_the_least_squares_of_weights_that_sum_to_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.ensemble.PENALTIES", np.array([1e-12]))
    asked = question(numbers(n_models=3))
    last = asked.predictions[-1]
    free, *_ = np.linalg.lstsq((asked.predictions[:-1] - last).T, asked.y - last)
    expected = [*free, 1 - free.sum()]
    np.testing.assert_allclose(ridge(asked), expected, atol=1e-6)


def test_a_ridge_of_twins_gives_both_the_same_weight() -> None:
    y = np.random.default_rng(0).normal(size=N)
    one = y + np.random.default_rng(1).normal(size=N)
    asked = Question(np.array([one, one, one / 2]), y, FOLD, "rmse")
    weights = ridge(asked)
    assert weights[0] == pytest.approx(weights[1])


# What mixes


def test_logarithms_are_mixed_for_rmsle() -> None:
    mixer = Mixer(np.array([[0.5], [0.5]]), scale="log1p", lower=0.0)
    found = mixer(np.array([[[0.0], [3.0]], [[8.0], [3.0]]]))
    np.testing.assert_allclose(found, [[np.sqrt(9) - 1], [3.0]])


def test_blends_stay_within_the_bounds_of_the_target() -> None:
    mixer = Mixer(np.array([[2.0], [-1.0]]), lower=0.0, upper=9.0)
    found = mixer(np.array([[[1.0], [8.0]], [[5.0], [1.0]]]))
    assert found.tolist() == [[0.0], [9.0]]


def test_each_target_has_its_own_weights() -> None:
    candidates = numbers(n_targets=2)
    exchanged = candidates.predictions.copy()
    exchanged[:, :, 1] = exchanged[::-1, :, 1]
    two = Candidates(exchanged, candidates.y, FOLD, candidates.metric)
    weights = choose_blend(two).mixer.weights
    assert weights.shape == (4, 2)
    assert weights[0, 0] > weights[-1, 0]
    assert weights[0, 1] < weights[-1, 1]


# The nested validation


@each_case
def test_the_nested_score_is_that_of_the_nested_predictions(case: str) -> None:
    candidates = CASES[case]()
    found = choose_blend(candidates)
    answers = found.decided.answers
    assert found.score == pytest.approx(candidates.score(answers))
    assert np.isfinite(found.oof).all()
    np.testing.assert_allclose(found.mixer.weights.sum(axis=0), 1)
    assert set(found.fold_ways) == {0, 1, 2, 3}
    if candidates.labels is not None:
        assert "ridge" not in found.ways  # its weights can be negative, probabilities cannot
        np.testing.assert_allclose(found.oof.sum(axis=1), 1)


@each_case
def test_nonsense_in_a_fold_s_answers_leaves_its_nested_predictions_bit_identical(
    case: str,
) -> None:
    candidates = CASES[case]()
    mine = FOLD == 2
    poisoned: Any = candidates.y.copy()
    if candidates.labels is None:
        poisoned[mine] = 1e4
    else:
        poisoned[mine] = np.roll(candidates.labels, 1)[
            np.searchsorted(candidates.labels, poisoned[mine])
        ]
    honest = choose_blend(candidates)
    tried = choose_blend(
        Candidates(
            candidates.predictions,
            poisoned,
            FOLD,
            candidates.metric,
            candidates.labels,
            candidates.target,
        )
    )
    np.testing.assert_array_equal(tried.oof[mine], honest.oof[mine])
    assert tried.fold_ways[2] == honest.fold_ways[2]
    assert tried.ways != honest.ways


def test_the_fold_s_own_rows_do_not_choose_the_way_either() -> None:
    """One model is right in fold 2 only: with these rows it is the best, without them it is not."""
    rng = np.random.default_rng(5)
    y = rng.normal(0, 1, N)
    steady = y + rng.normal(0, 1, N)
    lucky = np.where(FOLD == 2, y, y + rng.normal(0, 3, N))
    predictions = np.stack([steady, lucky])[:, :, None]
    found = choose_blend(Candidates(predictions, y, FOLD, METRICS["rmse"]))
    near = np.abs(found.oof[FOLD == 2, 0] - steady[FOLD == 2])
    assert near.mean() < 0.5  # mostly the steady one


def test_the_same_candidates_give_the_same_bits() -> None:
    for case in CASES.values():
        one, other = choose_blend(case()), choose_blend(case())
        np.testing.assert_array_equal(one.oof, other.oof)
        np.testing.assert_array_equal(one.mixer.weights, other.mixer.weights)


def test_two_folds_are_enough_and_one_is_not() -> None:
    full = numbers()
    two = Candidates(full.predictions, full.y, FOLD % 2, full.metric)
    assert set(choose_blend(two).fold_ways.values()) == {"nnls"}  # one fold cannot be nested
    message = r"^a blend needs two models and two folds or more$"
    with pytest.raises(UsageError, match=message):
        choose_blend(Candidates(full.predictions, full.y, FOLD * 0, full.metric))
    with pytest.raises(UsageError, match=message):
        choose_blend(Candidates(full.predictions[:1], full.y, FOLD, full.metric))


def test_a_blend_of_noisy_models_beats_each_of_them_by_the_honest_score() -> None:
    rng = np.random.default_rng(7)
    y = rng.normal(size=N)
    predictions = (y + rng.normal(size=(6, N)))[:, :, None]
    candidates = Candidates(predictions, y, FOLD, METRICS["rmse"])
    alone = min(candidates.score(one) for one in predictions)
    found = choose_blend(candidates)
    assert found.score < 0.7 * alone
    assert found.plain <= found.score


def test_labels_are_blended_by_least_squares_and_ways_are_judged_by_their_answers() -> None:
    candidates = classes("f1_macro", n_classes=2)
    found = choose_blend(candidates)
    assert set(found.ways) == {"best", "mean", "greedy", "nnls"}
    equal = Mixer(np.full((4, 1), 0.25))(candidates.predictions)
    decided = decide(candidates.y, equal, FOLD, candidates.metric, candidates.labels)
    assert found.ways["mean"] == decided.score


def test_weights_of_few_rows_are_the_mean_over_halves_of_them() -> None:
    asked = question(numbers(n=40))
    rng = np.random.default_rng(0)
    halves = [np.sort(rng.choice(40, 20, replace=False)) for _ in range(BAGS)]
    expected = np.mean([non_negative(asked.at(half)) for half in halves], axis=0)
    np.testing.assert_array_equal(steadied("nnls", asked), expected)
    assert steadied("best", asked).tolist() == best(asked).tolist()
    many = question(numbers(n=FEW_ROWS))
    np.testing.assert_array_equal(steadied("nnls", many), non_negative(many))


def test_halves_scatter_the_weights_of_like_models_less_than_all_rows_do() -> None:
    alone, steady = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=40)
        shared = rng.normal(size=40)
        like = np.stack([y + shared + 0.3 * rng.normal(size=40) for _ in range(5)])
        asked = Question(like, y, np.arange(40) % 4, "rmse")
        alone.append(greedy(asked))
        steady.append(steadied("greedy", asked))
    assert np.std(steady, axis=0).mean() < 0.8 * np.std(alone, axis=0).mean()


def test_another_way_is_taken_only_if_its_gain_is_over_its_standard_error() -> None:
    rng = np.random.default_rng(11)
    y = rng.normal(size=N)
    noisy = (y + rng.normal(size=(4, N)))[:, :, None]
    luck = choose_blend(Candidates(noisy, y, FOLD, METRICS["rmse"]))
    assert luck.way == "nnls" or luck.ways[luck.way] < luck.ways["nnls"]
    # The third model predicts the error of the first, so that it wants a weight below 0.
    first, second = y + rng.normal(size=N), rng.normal(size=N)
    helped = np.stack([first, second, first - y + rng.normal(0, 0.01, N)])[:, :, None]
    ridge_wins = choose_blend(Candidates(helped, y, FOLD, METRICS["rmse"]))
    assert ridge_wins.way == "ridge"
    assert ridge_wins.score < 0.9 * ridge_wins.ways["nnls"]
