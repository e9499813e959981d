"""Layers on many replicas at once, against the same layers one by one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.models.backend import load_keras, seeded
from pipeline.models.layers import LevelEmbedding, NTKDense, PeriodicEmbedding, ScaleColumns
from pipeline.models.networks import dnn
from pipeline.models.noise import replica_keys
from pipeline.models.rules import Pass, apply, architecture, fault, is_wider_harmless

pytestmark = pytest.mark.slow
keras = load_keras()
L = keras.layers

LAYERS: dict[str, Callable[[Any], Any]] = {
    "dense": lambda x: L.Dense(3, "gelu")(x),
    "dense without bias": lambda x: L.Dense(3, use_bias=False)(x),
    "dense on steps": lambda x: L.Dense(3)(L.Reshape((2, 3))(x)),
    "batch normalization": lambda x: L.BatchNormalization()(x),
    "bare batch normalization": lambda x: L.BatchNormalization(center=False, scale=False)(x),
    "layer normalization": lambda x: L.LayerNormalization()(x),
    "embedding": lambda x: L.Embedding(9, 2)(keras.ops.abs(x)),
    "dropout": lambda x: L.Dropout(0.5)(x),
    "plain": lambda x: L.Flatten()(L.MaxPooling1D(2)(L.Reshape((3, 2))(x))),
    "branches": lambda x: L.Concatenate()([L.Dense(2)(x), L.Add()([x, x * 2])]),
    "dnn": lambda x: dnn(x, 2, units=(4, 3)),
    "periodic": lambda x: PeriodicEmbedding(4, n_waves=5, size=2)(x),
    "levels": lambda x: LevelEmbedding(1, 2, n_levels=9, size=3)(keras.ops.abs(x)),
    "scale": lambda x: ScaleColumns()(x),
    "ntk": lambda x: NTKDense(3, "mish")(x),
    "ntk without activation": lambda x: NTKDense(3)(x),
}


def models(layer: Callable[[Any], Any], n: int = 3) -> list[Any]:
    """Return networks of one layer, with weights that are nowhere 0 or alike."""
    made = []
    for seed in range(n):
        with seeded(seed):
            inputs = keras.Input((6,))
            model = keras.Model(inputs, layer(inputs))
        rng = np.random.default_rng(seed)
        model.set_weights([rng.uniform(0.1, 1, size=w.shape) for w in model.get_weights()])
        made.append(model)
    return made


def stacked(nets: list[Any], **more: Any) -> Pass:
    import tensorflow as tf

    together = zip(*(net.get_weights() for net in nets), strict=True)
    weights = [tf.constant(np.stack(values), tf.float32) for values in together]
    by_id = {id(v): w for v, w in zip(nets[0].weights, weights, strict=True)}
    return Pass(len(nets), by_id, **more)


def rows(n: int = 5) -> np.ndarray:
    return np.random.default_rng(9).integers(-8, 8, size=(3, n, 6)).astype("float32")


@pytest.mark.parametrize("name", LAYERS)
def test_replicas_say_what_their_networks_say(name: str) -> None:
    nets, x = models(LAYERS[name]), rows()
    assert fault(nets[0]) is None
    said = apply(nets[0], x, stacked(nets)).numpy()
    for own, net, part in zip(said, nets, x, strict=True):
        assert own == pytest.approx(net(part, training=False).numpy(), abs=1e-5)


def training(n_replicas: int, seeds: list[int], **more: Any) -> dict[str, Any]:
    import tensorflow as tf

    keys = tf.constant(replica_keys(seeds))
    return {"keys": keys, "done": tf.zeros(n_replicas), "dropout": tf.ones(n_replicas), **more}


def test_batch_normalization_learns_from_the_true_rows_of_its_own_replica() -> None:
    import tensorflow as tf

    nets, x = models(LAYERS["batch normalization"]), rows()
    real = np.ones((3, 5), "float32")
    real[2, 3:] = 0
    x[2, 3:] = 1e6
    forward = stacked(nets, **training(3, [0, 1, 2], rows=tf.constant(real)))
    said = apply(nets[0], x, forward).numpy()
    for place, (net, n) in enumerate(zip(nets, (5, 5, 3), strict=True)):
        assert said[place, :n] == pytest.approx(net(x[place, :n], training=True).numpy(), abs=1e-4)
        layer, template = net.layers[-1], nets[0].layers[-1]
        for own, of in ((layer.moving_mean, "mean"), (layer.moving_variance, "variance")):
            moved = forward.moved[id(getattr(template, f"moving_{of}"))].numpy()[place]
            assert moved == pytest.approx(own.numpy(), rel=1e-4)


def test_dropout_drops_its_share_and_keeps_the_mean_each_replica_its_own() -> None:
    import tensorflow as tf

    inputs = keras.Input((400,))
    net = keras.Model(inputs, L.Dropout(0.25)(inputs))
    ones = np.ones((2, 50, 400), "float32")
    forward = stacked([net, net], **training(2, [1, 2]))
    said = apply(net, ones, forward).numpy()
    assert np.unique(said) == pytest.approx([0, 1 / 0.75])
    assert (said == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert ((said[0] == 0) == (said[1] == 0)).mean() < 0.7
    alone = apply(net, ones[1:], stacked([net], **training(1, [2]))).numpy()
    assert np.array_equal(alone[0], said[1])
    half = training(2, [1, 2], dropout=tf.constant([0.5, 0.0]))
    faded = apply(net, ones, stacked([net, net], **half)).numpy()
    assert (faded[0] == 0).mean() == pytest.approx(0.125, abs=0.01)
    assert (faded[1] == 1).all()


def test_what_is_dropped_has_no_gradient_and_what_is_kept_its_scale() -> None:
    import tensorflow as tf

    inputs = keras.Input((50,))
    net = keras.Model(inputs, L.Dropout(0.5)(inputs))
    x = tf.ones((1, 8, 50))
    with tf.GradientTape() as tape:
        tape.watch(x)
        said = apply(net, x, stacked([net], **training(1, [1])))
    assert np.array_equal(tape.gradient(said, x).numpy(), said.numpy())


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (lambda x: L.LSTM(2)(L.Reshape((6, 1))(x)), "LSTM"),
        (lambda x: L.Conv1D(2, 3)(L.Reshape((6, 1))(x)), "Conv1D"),
        (lambda x: L.GaussianNoise(0.1)(x), "GaussianNoise"),
    ],
)
def test_a_layer_without_a_rule_is_named(layer: Callable[[Any], Any], name: str) -> None:
    reason = fault(models(layer, 1)[0])
    assert reason is not None
    assert reason.endswith(f"{name} has no rule for replicas")


def test_columns_of_zeros_are_harmless_where_each_column_has_weights_of_its_own() -> None:
    harmless = {name: is_wider_harmless(models(LAYERS[name], 1)[0]) for name in LAYERS}
    assert {name for name, is_harmless in harmless.items() if not is_harmless} == {
        "dense on steps", "layer normalization", "embedding", "plain", "branches",
    }  # fmt: skip


def test_the_architecture_is_the_layers_and_their_connections_not_names_or_columns() -> None:
    def net(n_columns: int, units: int = 4, *, skips: bool = False) -> str:
        inputs = keras.Input((n_columns,))
        first = L.Dense(units)(inputs)
        second = L.Dense(units)(first)
        return architecture(keras.Model(inputs, L.Add()([second, first if skips else second])))

    assert net(4) == net(6)
    assert net(4) != net(4, skips=True)
    assert net(4) != net(4, units=5)
