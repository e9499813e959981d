"""Piecewise-linear embeddings of numeric columns (Gorishniy et al., arXiv 2203.05556, version B).

A column's bins end at quantiles of its training rows. A value fills the bins below it, its own in
part, and none above it:

    edges   0     1     3     6
    x = 2   |  1  |  ½  |  0  |

What lies outside all bins goes on in a straight line in the first or the last one.
"""

from typing import Any, ClassVar

import numpy as np

from pipeline.models.backend import load_keras
from pipeline.models.layers import PACKAGE, ReplicaLayer
from pipeline.models.learning import Learning

keras: Any = load_keras()


def bin_edges(x: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the edges of each column's bins (n_columns, n_bins + 1), float32.

    x: (n_samples, n_columns), finite, of at least two values a column. Quantiles that are equal are
    one edge; a column of fewer bins has its last edge repeated, which makes bins without width.
    """
    wanted = np.linspace(0, 1, min(n_bins, len(x) - 1) + 1)
    edges = np.empty((x.shape[1], n_bins + 1), "float32")
    for column, own in zip(np.quantile(x, wanted, axis=0).T.astype("float32"), edges, strict=True):
        distinct = np.unique(column)
        own[:] = np.pad(distinct, (0, len(own) - len(distinct)), mode="edge")
    return edges


def encode(x: Any, edges: Any) -> Any:
    """Return how far each value fills each bin of its column.

    x: any shape. edges: broadcasts with x's shape and n_bins + 1.
    Returns x's shape and n_bins; 0 for bins without width.
    """
    ops = keras.ops
    left, width = edges[..., :-1], edges[..., 1:] - edges[..., :-1]
    real = width > 0
    filled = ops.where(real, (x[..., None] - left) / ops.where(real, width, 1.0), 0.0)
    is_first = np.arange(edges.shape[-1] - 1) == 0
    is_last = real & (edges[..., 1:] >= edges[..., -1:])
    low = ops.where(is_first, -np.inf, 0.0)
    high = ops.where(is_last, np.inf, 1.0)
    return ops.where(real, ops.minimum(ops.maximum(filled, low), high), 0.0)


@keras.saving.register_keras_serializable(PACKAGE)
class PiecewiseLinearEmbedding(ReplicaLayer):
    """Turn the first columns into vectors, and leave the others as they are behind them.

    Input (batch, n_numeric + n_others), output (batch, n_numeric * size + n_others).
    A column's vector is x * slope + offset + bins @ kernel. The kernel is 0 at first, so that the
    vector begins as a line and learns where it bends. The edges of the bins are set, not learned;
    a column whose edges are all the same is constant, and its vector 0.
    """

    learning: ClassVar = {"slope": Learning(decay=0.0), "offset": Learning(decay=0.0)}

    def __init__(self, n_numeric: int, *, size: int, n_bins: int, **options: Any) -> None:
        super().__init__(**options)
        self.n_numeric, self.size, self.n_bins = n_numeric, size, n_bins

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        uniform = uniform_within(self.size)
        for name in ("slope", "offset"):
            self.add_weight(name=name, shape=(self.n_numeric, self.size), initializer=uniform())
        shape = (self.n_numeric, self.n_bins, self.size)
        self.add_weight(name="kernel", shape=shape, initializer="zeros")
        self.edges = self.add_weight(
            name="edges",
            shape=(self.n_numeric, self.n_bins + 1),
            initializer="zeros",
            trainable=False,
        )

    def replicated(self, x: Any, *weights: Any) -> Any:
        """x: (replicas, batch, n_columns) to (replicas, batch, n_numeric * size + ...)."""
        ops = keras.ops
        slope, offset, kernel, edges = weights
        numeric, others = x[..., : self.n_numeric], x[..., self.n_numeric :]
        by_column = ops.transpose(numeric, (0, 2, 1))  # (replicas, n_numeric, batch)
        bins = encode(by_column, edges[:, :, None])  # (replicas, n_numeric, batch, n_bins)
        lines = by_column[..., None] * slope[:, :, None] + offset[:, :, None]
        varies = ops.cast(edges[..., -1:] > edges[..., :1], "float32")[..., None]
        vectors = ops.transpose((lines + ops.matmul(bins, kernel)) * varies, (0, 2, 1, 3))
        flat = ops.reshape(vectors, (ops.shape(x)[0], -1, self.n_numeric * self.size))
        return ops.concatenate([flat, others], -1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return (*input_shape[:-1], input_shape[-1] + self.n_numeric * (self.size - 1))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        names = ("n_numeric", "size", "n_bins")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def uniform_within(width: int) -> Any:
    """Return a maker of initialisers that draw from ±1/√width, each its own numbers."""

    def make() -> Any:
        return keras.initializers.RandomUniform(-(width**-0.5), width**-0.5)

    return make
