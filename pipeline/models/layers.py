"""Layers of RealMLP (Holzmüller et al., arXiv 2407.04491), as Keras layers that replicas can share.

A layer says once, in `replicated`, what it does with a leading axis of replicas; called as Keras
calls it, it is one replica. What depends on how many columns a fold has is a weight, so that folds
of different columns can learn in one program.
"""

import math
from typing import Any, ClassVar

from pipeline.models.backend import load_keras
from pipeline.models.learning import Learning

keras: Any = load_keras()
PACKAGE = "kc"  # what saved models know the layers by


class ReplicaLayer(keras.layers.Layer):
    """A layer whose `replicated` takes x (replicas, batch, ...) and its weights in their order."""

    takes_wider_inputs = True
    widths: ClassVar[tuple[str, ...]] = ()  # arguments that only say how large the weights are

    def call(self, inputs: Any) -> Any:
        """Return what one replica makes of inputs (batch, ...)."""
        weights = (keras.ops.expand_dims(variable, 0) for variable in self.weights)
        return self.replicated(keras.ops.expand_dims(inputs, 0), *weights)[0]

    def replicated(self, x: Any, *weights: Any) -> Any:
        """Return what replicas make of x (replicas, batch, ...) with weights (replicas, ...)."""
        raise TypeError(f"{type(self).__name__} says nothing of replicas")


@keras.saving.register_keras_serializable(PACKAGE)
class PeriodicEmbedding(ReplicaLayer):
    """Put vectors of cosines beside the first columns ("PBLD"), and leave the others alone.

    Input (batch, n_numeric + n_others), output (batch, n_numeric * (size + 1) + n_others): for each
    numeric column cos(2π x frequency + phase) @ kernel + bias, then the columns themselves.
    """

    learning: ClassVar = {
        name: Learning(rate=0.1, decay=0.1) for name in ("frequency", "phase", "kernel", "bias")
    }

    def __init__(
        self,
        n_numeric: int,
        *,
        n_waves: int = 16,
        size: int = 3,
        sigma: float = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.n_numeric, self.n_waves, self.size, self.sigma = n_numeric, n_waves, size, sigma

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        draw = keras.initializers
        limit = self.n_waves**-0.5
        shapes = {
            "frequency": ((self.n_waves,), draw.RandomNormal(0, self.sigma)),
            "phase": ((self.n_waves,), draw.RandomUniform(-math.pi, math.pi)),
            "kernel": ((self.n_waves, self.size), draw.RandomUniform(-limit, limit)),
            "bias": ((self.size,), draw.RandomUniform(-limit, limit)),
        }
        for name, (shape, initializer) in shapes.items():
            self.add_weight(name=name, shape=(self.n_numeric, *shape), initializer=initializer)

    def replicated(self, x: Any, *weights: Any) -> Any:
        """x: (replicas, batch, n_columns) to (replicas, batch, n_numeric * (size + 1) + ...)."""
        import tensorflow as tf

        frequency, phase, kernel, bias = weights
        numeric = x[..., : self.n_numeric]
        by_column = tf.transpose(numeric, (0, 2, 1))[..., None]  # (replicas, n_numeric, batch, 1)
        waves = tf.cos(2 * math.pi * by_column * frequency[:, :, None] + phase[:, :, None])
        vectors = tf.transpose(tf.matmul(waves, kernel) + bias[:, :, None], (0, 2, 1, 3))
        flat = tf.reshape(vectors, (tf.shape(x)[0], -1, self.n_numeric * self.size))
        return tf.concat([flat, x], -1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return (*input_shape[:-1], input_shape[-1] + self.n_numeric * self.size)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        names = ("n_numeric", "n_waves", "size", "sigma")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(PACKAGE)
class LevelEmbedding(ReplicaLayer):
    """Turn columns of codes into vectors, one table a column, and leave the others around them.

    Input (batch, n_columns): the codes are the n_coded columns from `first` on; code 0 is missing
    or unknown. Output (batch, n_columns + n_coded * (size - 1)).
    """

    widths = ("n_levels",)

    def __init__(
        self, first: int, n_coded: int, *, n_levels: int, size: int = 8, **options: Any
    ) -> None:
        super().__init__(**options)
        self.first, self.n_coded, self.n_levels, self.size = first, n_coded, n_levels, size

    def build(self, input_shape: Any) -> None:
        """Make the tables."""
        self.add_weight(
            name="table",
            shape=(self.n_coded, self.n_levels, self.size),
            initializer=keras.initializers.RandomNormal(0, 1),
        )

    def replicated(self, x: Any, *weights: Any) -> Any:
        """x: (replicas, batch, n_columns) to (replicas, batch, n_columns + ...)."""
        import tensorflow as tf

        (table,) = weights  # (replicas, n_coded, n_levels, size)
        before, codes, behind = tf.split(
            x, (self.first, self.n_coded, x.shape[-1] - self.first - self.n_coded), axis=-1
        )
        by_column = tf.transpose(tf.cast(codes, tf.int32), (0, 2, 1))
        vectors = tf.transpose(tf.gather(table, by_column, batch_dims=2), (0, 2, 1, 3))
        flat = tf.reshape(vectors, (tf.shape(x)[0], -1, self.n_coded * self.size))
        return tf.concat([before, flat, behind], -1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return (*input_shape[:-1], input_shape[-1] + self.n_coded * (self.size - 1))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        names = ("first", "n_coded", "n_levels", "size")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(PACKAGE)
class ScaleColumns(ReplicaLayer):
    """Multiply each column by a trained factor, which learns six times as fast as other weights."""

    learning: ClassVar = {"scale": Learning(rate=6.0, decay=6.0)}

    def build(self, input_shape: Any) -> None:
        """Make the factors, 1 before the first step."""
        self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")

    def replicated(self, x: Any, *weights: Any) -> Any:
        """x: (replicas, batch, n_columns), of the same shape afterwards."""
        (scale,) = weights
        return x * scale[:, None]


@keras.saving.register_keras_serializable(PACKAGE)
class NTKDense(ReplicaLayer):
    """A dense layer in the neural tangent parametrisation: x @ kernel / √n_in + bias, activated.

    The kernel is of size 1 whatever the width, so that one learning rate fits all layers.
    activation: "mish", "selu" or None. It is parametric: z + slope * (f(z) - z), a slope a unit.
    """

    learning: ClassVar = {
        "bias": Learning(rate=0.1, decay=0.0),
        "slope": Learning(rate=0.1, decay=0.1),
    }

    def __init__(self, units: int, activation: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.activation = units, activation

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        n_in = input_shape[-1]
        normal = keras.initializers.RandomNormal(0, 1)
        self.kernel = self.add_weight(name="kernel", shape=(n_in, self.units), initializer=normal)
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        if self.activation:
            self.add_weight(name="slope", shape=(self.units,), initializer="ones")
        shrink = keras.initializers.Constant(n_in**-0.5)
        self.shrink = self.add_weight(name="shrink", shape=(), initializer=shrink, trainable=False)

    def replicated(self, x: Any, *weights: Any) -> Any:
        """x: (replicas, batch, n_in) to (replicas, batch, units)."""
        import tensorflow as tf

        kernel, bias, *slope, shrink = weights
        product = tf.matmul(x, kernel)
        if not slope:
            return product * shrink[:, None, None] + bias[:, None]
        return _activated(self.activation)(product, shrink, bias, slope[0])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "units": self.units, "activation": self.activation}


_activations: dict[str, Any] = {}


def _activated(name: str | None) -> Any:
    """Return the compiled activation of products (replicas, batch, units): one pass over memory."""
    import tensorflow as tf

    assert name is not None
    if name not in _activations:
        function = getattr(keras.activations, name)

        def kernel(product: Any, shrink: Any, bias: Any, slope: Any) -> Any:
            z = product * shrink[:, None, None] + bias[:, None]
            return z + slope[:, None] * (function(z) - z)

        _activations[name] = tf.function(kernel, jit_compile=True, autograph=False)
    return _activations[name]
