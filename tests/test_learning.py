"""Schedules, losses and the step of Adam, against their definitions and against Keras."""

import math
from typing import Any

import numpy as np
import pytest

from pipeline.models.backend import load_keras
from pipeline.models.learning import (
    Learning,
    Recipe,
    adam_apart,
    adam_together,
    clipped,
    coslog4,
    flat_cos,
    learning_of,
    row_losses,
)

keras = load_keras()


def recipe(**changes: Any) -> Recipe:
    plain: dict[str, Any] = {"loss": "squared_error", "epochs": 1, "batch_size": 4}
    return Recipe(**{**plain, "learning_rate": 0.1, **changes})


def tensors(*values: Any) -> list[Any]:
    import tensorflow as tf

    return [tf.constant(np.asarray(value, "float32")) for value in values]


@pytest.mark.parametrize(("t", "value"), [(0, 0), (1 / 15, 0), ((2**0.5 - 1) / 15, 1), (1, 0)])
def test_coslog4_begins_and_ends_each_cycle_at_0(t: float, value: float) -> None:
    assert coslog4(tensors(t)[0]).numpy() == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize(("t", "value"), [(0, 1), (0.49, 1), (0.75, 0.5), (1, 0)])
def test_flat_cos_is_1_up_to_half_the_time_and_ends_at_0(t: float, value: float) -> None:
    assert flat_cos(tensors(t)[0]).numpy() == pytest.approx(value, abs=1e-6)


def step_apart(chosen: Recipe, weight: np.ndarray, gradients: list[np.ndarray], **at: Any) -> Any:
    """Return the weight (replicas, n) after steps with these gradients."""
    done, learns = np.zeros(len(weight)), np.ones(len(weight), bool)
    state = [[v] for v in tensors(weight, np.zeros_like(weight), np.zeros_like(weight))]
    update = adam_apart(chosen, [at.get("learning", Learning())])
    for number, gradient in enumerate(gradients):
        time = tensors(np.full(len(weight), at.get("time", 0.0)))[0]
        state = update(
            *state, tensors(gradient), tensors(done + number)[0], time, learns,
            tensors(chosen.learning_rate)[0],
        )  # fmt: skip
    return state[0][0].numpy()


def test_three_steps_of_adam_are_those_of_keras() -> None:
    import tensorflow as tf

    rng = np.random.default_rng(0)
    weight = rng.normal(size=(2, 3)).astype("float32")
    gradients = [rng.normal(size=(2, 3)).astype("float32") for _ in range(3)]
    variable = keras.Variable(weight)
    adam = keras.optimizers.Adam(0.1)
    for gradient in gradients:
        adam.apply([tf.constant(gradient)], [variable])
    assert step_apart(recipe(), weight, gradients) == pytest.approx(variable.numpy(), abs=1e-6)


def test_replicas_in_step_and_out_of_step_take_the_same_step() -> None:
    import tensorflow as tf

    chosen = recipe(weight_decay=0.02, schedule="coslog4", beta_2=0.95)
    learning = Learning(rate=6.0, decay=0.5)
    rng = np.random.default_rng(1)
    weight, gradient = rng.normal(size=(2, 2, 3)).astype("float32")
    state = [[tf.Variable(v)] for v in (weight, np.zeros_like(weight), np.zeros_like(weight))]
    scalars = tensors(0.0, 0.3, 0.1)
    adam_together(chosen, [learning], *state, tensors(gradient), *scalars)
    apart = step_apart(chosen, weight, [gradient], learning=learning, time=0.3)
    assert state[0][0].numpy() == pytest.approx(apart, abs=1e-6)


def test_decay_is_the_learning_rate_s_share_of_the_weight() -> None:
    chosen = recipe(weight_decay=0.5)
    decayed = step_apart(chosen, np.ones((1, 1), "float32"), [np.zeros((1, 1), "float32")])
    assert decayed[0, 0] == pytest.approx(1 - 0.1 * 0.5)


def test_a_replica_that_does_not_learn_keeps_its_weights_and_moments() -> None:
    weight = np.ones((2, 1), "float32")
    state = [tensors(v) for v in (weight, np.zeros_like(weight), np.zeros_like(weight))]
    zeros, rate = tensors(np.zeros(2), 0.1)
    new = adam_apart(recipe(), [Learning()])(
        *state, tensors(weight), zeros, zeros, np.array([True, False]), rate
    )
    assert [values[0].numpy()[1, 0] for values in new] == [1, 0, 0]
    assert new[0][0].numpy()[0, 0] == pytest.approx(0.9, abs=1e-5)


def test_long_gradients_are_shortened_replica_by_replica() -> None:
    first, second = tensors([[3.0, 0], [0.3, 0]], [[4.0], [0.4]])
    short = clipped([first, second], 1.0)
    assert short[0].numpy()[0] == pytest.approx([0.6, 0])
    assert short[1].numpy()[0] == pytest.approx([0.8])
    assert short[0].numpy()[1] == pytest.approx([0.3, 0])


def test_biases_and_what_norms_learn_are_not_decayed_unless_a_layer_says_so() -> None:
    dense, norm = keras.layers.Dense(2), keras.layers.BatchNormalization()
    for layer in (dense, norm):
        layer.build((None, 3))
    decays = {v.name: learning_of(dense, v).decay for v in dense.weights}
    assert decays == {"kernel": 1.0, "bias": 0.0}
    assert learning_of(norm, norm.gamma).decay == learning_of(norm, norm.beta).decay == 0.0
    dense.learning = {"bias": Learning(rate=0.1, decay=2.0)}
    assert learning_of(dense, dense.bias) == Learning(0.1, 2.0)


def test_a_missing_target_teaches_nothing_and_the_others_of_its_row_do() -> None:
    y, logits = tensors([[[1.0, np.nan], [np.nan, np.nan]]], [[[3.0, 9.0], [5.0, 5.0]]])
    loss, has_one = row_losses(recipe(), y, logits)
    assert loss.numpy().tolist() == [[4.0, 0.0]]
    assert has_one.numpy().tolist() == [[1.0, 0.0]]


def test_the_loss_of_members_is_the_mean_of_their_losses() -> None:
    y, logits = tensors([[[0.0]]], [[[[1.0], [-1.0]]]])  # their mean would be right
    assert row_losses(recipe(), y, logits)[0].numpy().tolist() == [[1.0]]


def test_cross_entropies_are_those_of_the_definition_smoothed_or_not() -> None:
    y, two, three = tensors([[[1.0]]], [[[2.0]]], [[[1.0, 2.0, 0.0]]])
    plain = row_losses(recipe(loss="binary_crossentropy"), y, two)[0].numpy()[0, 0]
    assert plain == pytest.approx(math.log(1 + math.exp(-2)))
    smooth = recipe(loss="categorical_crossentropy", label_smoothing=0.3)
    odds = np.exp([1.0, 2.0, 0.0]) / np.exp([1.0, 2.0, 0.0]).sum()
    expected = -(np.array([0.1, 0.8, 0.1]) * np.log(odds)).sum()
    assert row_losses(smooth, y, three)[0].numpy()[0, 0] == pytest.approx(expected, abs=1e-6)
