"""How layers act on many replicas at once.

Between layers a tensor has the shape (replicas * batch, ...), so what has neither weights nor
chance (activations, reshapes, arithmetic, pooling) is simply called. A layer with weights
(replicas, ...) has a rule here, or brings one along as its method `replicated`.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import ModelError
from pipeline.models.backend import load_keras
from pipeline.models.learning import beside
from pipeline.models.noise import bits, derive


@dataclass(frozen=True, eq=False)
class Pass:
    """One forward pass of all replicas.

    weights: by id of the template's variable, the tensor (replicas, ...).
    keys: (replicas,) uint32, or None where nothing is learned, so that nothing is dropped.
    done: (replicas,), the steps done before this one: chance differs from step to step.
    dropout: (replicas,), the share of each layer's rate that is in force.
    rows: (replicas, batch), 0 where a batch is padded, or None.
    moved: by id of a variable, its next value where a layer moves it itself (moving averages).
    """

    n_replicas: int
    weights: Mapping[int, Any]
    keys: Any = None
    done: Any = None
    dropout: Any = None
    rows: Any = None
    moved: dict[int, Any] = field(default_factory=dict)
    _drawn: list[None] = field(default_factory=list)

    @property
    def training(self) -> bool:
        """Whether weights are learned from this pass."""
        return self.keys is not None

    def of(self, layer: Any) -> list[Any]:
        """Return a layer's weights, each (replicas, ...)."""
        return [self.weights[id(variable)] for variable in layer.weights]

    def next_draw(self) -> int:
        """Return a number that no other layer of this pass has."""
        self._drawn.append(None)
        return len(self._drawn)


def apply(model: Any, x: Any, forward: Pass) -> Any:
    """Return what a functional Keras model says of x (replicas, batch, n_features).

    The model lends its layers and how they are connected; the weights are the replicas'.
    """
    import tensorflow as tf

    outputs = model._run_through_graph(
        [_folded(x)], operation_fn=lambda operation: _acting(operation, forward)
    )
    (output,) = outputs if isinstance(outputs, list | tuple) else (outputs,)
    return tf.reshape(output, (forward.n_replicas, -1, *output.shape[1:]))


def architecture(model: Any) -> str:
    """Return what a model is made of and how, but for names and for how many columns it takes."""
    layers = model.get_config()["layers"]
    numbers = {layer["name"]: number for number, layer in enumerate(layers)}
    widths = {op.name: {*WIDTHS, *getattr(op, "widths", ())} for op in model.operations}

    def plain(value: Any, left_out: set[str]) -> Any:
        if isinstance(value, dict):
            return {k: plain(v, left_out) for k, v in value.items() if k not in left_out}
        if isinstance(value, list | tuple):
            return [plain(one, left_out) for one in value]
        return numbers.get(value, value) if isinstance(value, str) else value

    return json.dumps([plain(layer, widths[layer["name"]]) for layer in layers], default=str)


def fault(model: Any) -> str | None:
    """Return why a model cannot act on many replicas at once, or None if it can."""
    for operation in model.operations:
        name = type(operation).__name__
        if _rule(operation) is None and not _is_plain(operation):
            return f"layer {operation.name!r}: {name} has no rule for replicas"
    return None


def is_wider_harmless(model: Any) -> bool:
    """Tell whether columns of zeros behind the others leave what the model says unchanged.

    So it is where each column meets weights of its own before it meets other columns.
    """
    keras = load_keras()
    layers = (keras.layers.InputLayer, keras.layers.Dense, keras.layers.Dropout)
    harmless = (*layers, keras.layers.BatchNormalization, keras.layers.Activation)
    return all(
        isinstance(operation, harmless)
        or getattr(operation, "takes_wider_inputs", False)
        or not isinstance(operation, keras.Layer)
        for operation in model.operations
    )


def _acting(operation: Any, forward: Pass) -> Callable[..., Any]:
    """Return the operation as a function of tensors (replicas * batch, ...)."""
    rule = _rule(operation)
    if rule is None:
        return operation  # type: ignore[no-any-return]

    def act(x: Any, **_: Any) -> Any:  # Keras passes on training and mask, which the rules know
        return _folded(rule(operation, _unfolded(x, forward.n_replicas), forward))

    return act


def _rule(operation: Any) -> Callable[[Any, Any, Pass], Any] | None:
    if hasattr(operation, "replicated"):
        return _own
    return RULES.get(type(operation).__name__) if _is_of_keras(operation) else None


def _is_plain(operation: Any) -> bool:
    """Tell whether an operation is the same for all rows: no weights, no chance, no other rows."""
    keras = load_keras()
    if not isinstance(operation, keras.Layer):
        return True  # arithmetic on tensors
    has_chance = any("seed" in type(v).__name__.lower() for v in vars(operation).values())
    return not operation.variables and not has_chance and _is_of_keras(operation)


def _is_of_keras(operation: Any) -> bool:
    return type(operation).__module__.startswith("keras.")


def _folded(x: Any) -> Any:
    import tensorflow as tf

    return tf.reshape(x, (-1, *x.shape[2:]))


def _unfolded(x: Any, n_replicas: int) -> Any:
    import tensorflow as tf

    return tf.reshape(x, (n_replicas, -1, *x.shape[1:]))


def _own(layer: Any, x: Any, forward: Pass) -> Any:
    return layer.replicated(x, *forward.of(layer))


def _dense(layer: Any, x: Any, forward: Pass) -> Any:
    """x: (replicas, batch, ..., n_in) to (replicas, batch, ..., units)."""
    import tensorflow as tf

    kernel, *bias = forward.of(layer)
    rows = tf.reshape(x, (forward.n_replicas, -1, x.shape[-1]))
    if layer.units == 1:  # for one unit a product of matrices costs more than it computes
        y = tf.reduce_sum(rows * tf.reshape(kernel, (forward.n_replicas, 1, -1)), -1, keepdims=True)
    else:
        y = tf.matmul(rows, kernel)
    if bias and y.shape[1] is not None and math.prod(y.shape) >= WORTH_A_KERNEL:
        y = _kernels().shifted(layer.activation)(y, bias[0])
    else:
        y = layer.activation(y + bias[0][:, None] if bias else y)
    return tf.reshape(y, (forward.n_replicas, -1, *x.shape[2:-1], layer.units))


def _dropout(layer: Any, x: Any, forward: Pass) -> Any:
    """Drop values by chance, each replica its own, and scale the others up to keep the mean."""
    import tensorflow as tf

    if not forward.training or not layer.rate:
        return x
    if layer.noise_shape is not None:
        raise ModelError(f"layer {layer.name!r}: noise_shape has no rule for replicas")
    counters = (forward.done, tf.constant(forward.next_draw()))
    return _kernels().dropped(x, forward.keys, *counters, layer.rate * forward.dropout)


def _batch_normalization(layer: Any, x: Any, forward: Pass) -> Any:
    """Normalise over a replica's batch, its padded rows left out, or by the moving averages."""
    import tensorflow as tf

    if layer.axis not in (-1, len(x.shape) - 2):
        raise ModelError(f"layer {layer.name!r}: axis {layer.axis} has no rule for replicas")
    weights = dict(zip((v.name for v in layer.weights), forward.of(layer), strict=True))
    shape = (forward.n_replicas, *[1] * (len(x.shape) - 2), x.shape[-1])
    if forward.training:
        mean, variance = _moments(x, forward.rows, shape)
        for name, batch in (("moving_mean", mean), ("moving_variance", variance)):
            variable = getattr(layer, name)
            old = weights[name]
            new = old * layer.momentum + tf.reshape(batch, old.shape) * (1 - layer.momentum)
            forward.moved[id(variable)] = new
    else:
        mean, variance = (tf.reshape(weights[f"moving_{of}"], shape) for of in ("mean", "variance"))
    y = (x - mean) * tf.math.rsqrt(variance + layer.epsilon)
    y = y * tf.reshape(weights["gamma"], shape) if layer.scale else y
    return y + tf.reshape(weights["beta"], shape) if layer.center else y


def _moments(x: Any, rows: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return mean and variance over all axes but the replicas' and the last, of the true rows."""
    import tensorflow as tf

    axes = list(range(1, len(x.shape) - 1))
    rows = tf.ones(x.shape[:2]) if rows is None else rows
    weight = tf.reshape(rows, (*rows.shape, *[1] * (len(x.shape) - 2))) * tf.ones_like(x[..., :1])
    count = tf.reduce_sum(weight, axes, keepdims=True)
    mean = tf.reduce_sum(x * weight, axes, keepdims=True) / count
    variance = tf.reduce_sum(tf.square(x - mean) * weight, axes, keepdims=True) / count
    return tf.reshape(mean, shape), tf.reshape(variance, shape)


def _layer_normalization(layer: Any, x: Any, forward: Pass) -> Any:
    import tensorflow as tf

    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    if axes not in ([-1], [len(x.shape) - 2]):
        raise ModelError(f"layer {layer.name!r}: axis {layer.axis} has no rule for replicas")
    shape = (forward.n_replicas, *[1] * (len(x.shape) - 2), x.shape[-1])
    weights = dict(zip((v.name for v in layer.weights), forward.of(layer), strict=True))
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    y = (x - mean) * tf.math.rsqrt(variance + layer.epsilon)
    y = y * tf.reshape(weights["gamma"], shape) if "gamma" in weights else y
    return y + tf.reshape(weights["beta"], shape) if "beta" in weights else y


def _embedding(layer: Any, x: Any, forward: Pass) -> Any:
    """x: codes (replicas, batch, ...) to vectors (replicas, batch, ..., output_dim)."""
    import tensorflow as tf

    (table,) = forward.of(layer)
    codes = tf.cast(x, tf.int32)
    return tf.gather(table, codes, batch_dims=1)


WORTH_A_KERNEL = 2**18  # values; a call of a kernel costs about what it saves on so many
# What a configuration says that does not count: names, and the number of columns.
WIDTHS = ("name", "shape", "batch_shape", "build_config")
RULES: dict[str, Callable[[Any, Any, Pass], Any]] = {
    "BatchNormalization": _batch_normalization,
    "Dense": _dense,
    "Dropout": _dropout,
    "Embedding": _embedding,
    "LayerNormalization": _layer_normalization,
}


class _Kernels:
    """Element-wise work fused by XLA: on a CPU each op of its own would pass over memory again."""

    def __init__(self) -> None:
        import tensorflow as tf

        self._masked = tf.function(_masked, jit_compile=True, autograph=False)
        self._shifted: dict[Any, Any] = {}

    def shifted(self, activation: Any) -> Any:
        """Return activation(y + bias) of y (replicas, rows, units) and bias (replicas, units)."""
        import tensorflow as tf

        if activation not in self._shifted:

            def kernel(y: Any, bias: Any) -> Any:
                return activation(y + bias[:, None])

            self._shifted[activation] = tf.function(kernel, jit_compile=True, autograph=False)
        return self._shifted[activation]

    def dropped(self, x: Any, keys: Any, done: Any, draw: Any, rates: Any) -> Any:
        """Return x with a share of rates (replicas,) of its values at 0 and the others scaled up.

        The gradient draws the same mask again, which is cheaper than to remember it.
        """
        import tensorflow as tf

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def drop(x: Any) -> tuple[Any, Any]:
            return self._masked(x, keys, done, draw, rates), lambda gradient: self._masked(
                gradient, keys, done, draw, rates
            )

        return drop(x)


def _masked(x: Any, keys: Any, done: Any, draw: Any, rates: Any) -> Any:
    import tensorflow as tf

    size = math.prod(x.shape[1:])
    # The upper 24 bits are a float32 exactly: a uniform number below 1 in steps of 2^-24.
    drawn = tf.bitwise.right_shift(bits(derive(keys, done, draw), size), tf.constant(8, tf.uint32))
    uniform = tf.reshape(tf.cast(drawn, tf.float32) * 2.0**-24, x.shape)
    rates = beside(rates, x)
    return tf.where(uniform < rates, 0.0, x / (1 - rates))


_made: list[_Kernels] = []


def _kernels() -> _Kernels:
    """Return the kernels, compiled once a process and shape."""
    if not _made:
        _made.append(_Kernels())
    return _made[0]
