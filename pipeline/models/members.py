"""Layers of many networks in one: the members of TabM (Gorishniy et al., arXiv 2410.24210).

Members share the large matrices and own what is small. A tensor of theirs has the shape
(batch, n_members, width). What tells them apart at first are the scales of the inputs, one number a
member and feature, and their heads:

    inputs   x1  x2 | x3        of a feature of two columns and one of one
    member   r1  r1 | r2
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from pipeline.models.backend import load_keras
from pipeline.models.embeddings import uniform_within
from pipeline.models.layers import PACKAGE, ReplicaLayer

keras: Any = load_keras()


class _Members(ReplicaLayer):
    """What the layers share: how many members there are, and what tells them apart.

    columns: how many each feature has, or None where members differ already.
    signs: whether a member's scale of a feature is -1 or 1, instead of normal.
    """

    widths: ClassVar = ("columns",)

    def __init__(
        self,
        n_members: int,
        *,
        columns: Sequence[int] | None = None,
        signs: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.n_members, self.signs = n_members, signs
        self.columns = None if columns is None else [int(n) for n in columns]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        own = {"n_members": self.n_members, "columns": self.columns, "signs": self.signs}
        return {**super().get_config(), **own}

    def _scales(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Return the first scales (n_members, n_columns), the same for columns of one feature."""
        if self.columns is None:
            return keras.ops.ones(shape, dtype)
        if sum(self.columns) != shape[-1]:
            raise ValueError(f"columns: expected {shape[-1]} in all, found {self.columns}")
        drawn = keras.initializers.RandomNormal(0, 1)((shape[0], len(self.columns)), dtype)
        drawn = keras.ops.where(drawn < 0, -1.0, 1.0) if self.signs else drawn
        return keras.ops.repeat(drawn, np.array(self.columns), axis=1)


@keras.saving.register_keras_serializable(PACKAGE)
class MemberScales(_Members):
    """Give each member its own look at the inputs: (batch, width) to (batch, n_members, width)."""

    def build(self, input_shape: Any) -> None:
        """Make the scales."""
        shape = (self.n_members, input_shape[-1])
        self.add_weight(name="scale", shape=shape, initializer=self._scales)

    def replicated(self, x: Any, *weights: Any) -> Any:
        """x: (replicas, batch, width) to (replicas, batch, n_members, width)."""
        (scale,) = weights
        return x[:, :, None] * scale[:, None]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return (input_shape[0], self.n_members, input_shape[-1])


@keras.saving.register_keras_serializable(PACKAGE)
class MemberDense(_Members):
    """A dense layer with a shared kernel: ((x * scale_in) @ kernel) * scale_out + bias.

    Input (batch, width), alike for all members, or (batch, n_members, width); output
    (batch, n_members, units). The biases of members begin alike.
    """

    def __init__(self, n_members: int, units: int, **options: Any) -> None:
        super().__init__(n_members, **options)
        self.units = units

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        width = int(input_shape[-1])
        uniform = uniform_within(width)
        inputs, outputs = (self.n_members, width), (self.n_members, self.units)

        def alike(shape: Any, dtype: Any = None) -> Any:
            return keras.ops.broadcast_to(uniform()((shape[-1],), dtype), shape)

        self.add_weight(name="kernel", shape=(width, self.units), initializer=uniform())
        self.add_weight(name="scale_in", shape=inputs, initializer=self._scales)
        self.add_weight(name="scale_out", shape=outputs, initializer="ones")
        self.add_weight(name="bias", shape=outputs, initializer=alike)

    def replicated(self, x: Any, *weights: Any) -> Any:
        """x: (replicas, batch, [n_members,] width) to (replicas, batch, n_members, units)."""
        ops = keras.ops
        kernel, scale_in, scale_out, bias = weights
        x = x[:, :, None] if len(x.shape) == 3 else x
        x = x * scale_in[:, None]
        n_replicas = ops.shape(x)[0]
        rows = ops.reshape(x, (n_replicas, -1, x.shape[-1]))  # of all members, one after another
        y = ops.reshape(ops.matmul(rows, kernel), (n_replicas, -1, self.n_members, self.units))
        return y * scale_out[:, None] + bias[:, None]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return (input_shape[0], self.n_members, self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(PACKAGE)
class MemberHeads(_Members):
    """A dense layer of each member's own: (batch, n_members, width) to (..., n_outputs)."""

    def __init__(self, n_members: int, n_outputs: int, **options: Any) -> None:
        super().__init__(n_members, **options)
        self.n_outputs = n_outputs

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        width = int(input_shape[-1])
        uniform = uniform_within(width)
        shape = (self.n_members, width, self.n_outputs)
        self.add_weight(name="kernel", shape=shape, initializer=uniform())
        self.add_weight(name="bias", shape=(shape[0], shape[2]), initializer=uniform())

    def replicated(self, x: Any, *weights: Any) -> Any:
        """x: (replicas, batch, n_members, width) to (replicas, batch, n_members, n_outputs)."""
        kernel, bias = weights
        return keras.ops.einsum("rbmw,rmwo->rbmo", x, kernel) + bias[:, None]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return (*input_shape[:-1], self.n_outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "n_outputs": self.n_outputs}
