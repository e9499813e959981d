"""Piecewise-linear embeddings of numeric columns (Gorishniy et al., arXiv 2203.05556, version B).

A column's bins end at quantiles of its training rows. A value fills the bins below it, its own in
part, and none above it:

    edges   0     1     3     6
    x = 2   |  1  |  ½  |  0  |

What lies outside all bins goes on in a straight line in the first or the last one.
"""

from typing import Any

import numpy as np

from pipeline.models.backend import load_keras
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

    x: (..., n_columns). edges: broadcasts with (..., n_columns, n_bins + 1).
    Returns (..., n_columns, n_bins), 0 for bins without width.
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


@keras.saving.register_keras_serializable("kc")
class PiecewiseLinearEmbedding(keras.layers.Layer):
    """Turn the first columns into vectors, and leave the others as they are behind them.

    Input (batch, n_numeric + n_others), output (batch, n_numeric * dimension + n_others).
    A column's vector is x * slope + offset + bins @ kernel. The kernel is 0 at first, so that the
    vector begins as a line and learns where it bends.
    """

    takes_wider_inputs = True

    learning = {  # noqa: RUF012
        "slope": Learning(decay=0.0),
        "offset": Learning(decay=0.0),
    }

    def __init__(self, n_numeric: int, *, dimension: int, n_bins: int, **options: Any) -> None:
        super().__init__(**options)
        self.n_numeric, self.dimension, self.n_bins = n_numeric, dimension, n_bins

    def build(self, input_shape: Any) -> None:
        """Make the weights; the edges are set by set_edges."""
        uniform = uniform_within(self.dimension)
        vectors = (self.n_numeric, self.dimension)
        shape = (self.n_numeric, self.n_bins + 1)
        self.slope = self.add_weight(name="slope", shape=vectors, initializer=uniform())
        self.offset = self.add_weight(name="offset", shape=vectors, initializer=uniform())
        self.kernel = self.add_weight(
            name="kernel", shape=(self.n_numeric, self.n_bins, self.dimension), initializer="zeros"
        )
        self.edges = self.add_weight(
            name="edges", shape=shape, initializer="zeros", trainable=False
        )

    def call(self, inputs: Any) -> Any:
        """Return vectors and other columns."""
        return alone(self, inputs)

    def replicated(self, x: Any, slope: Any, offset: Any, kernel: Any, edges: Any) -> Any:
        """x: (replicas, batch, n_columns) to (replicas, batch, n_numeric * dimension + ...)."""
        ops = keras.ops
        numeric, others = x[..., : self.n_numeric], x[..., self.n_numeric :]
        bins = encode(numeric, edges[:, None])  # (replicas, batch, n_numeric, n_bins)
        vectors = numeric[..., None] * slope[:, None] + offset[:, None]
        vectors = vectors + ops.einsum("rbfn,rfnd->rbfd", bins, kernel)
        width = self.n_numeric * self.dimension
        return ops.concatenate([ops.reshape(vectors, (*_front(x), width)), others], -1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return (*input_shape[:-1], input_shape[-1] + self.n_numeric * (self.dimension - 1))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        own = {"n_numeric": self.n_numeric, "dimension": self.dimension, "n_bins": self.n_bins}
        return {**super().get_config(), **own}


def alone(layer: Any, inputs: Any) -> Any:
    """Return what a layer's rule for replicas makes of one replica's inputs (batch, ...)."""
    weights = (keras.ops.expand_dims(variable, 0) for variable in layer.weights)
    return layer.replicated(keras.ops.expand_dims(inputs, 0), *weights)[0]


def uniform_within(n: int) -> Any:
    """Return a maker of initialisers that draw from ±1/√n, each anew."""

    def make() -> Any:
        return keras.initializers.RandomUniform(-(n**-0.5), n**-0.5)

    return make


def _front(x: Any) -> tuple[Any, ...]:
    """Return the axes before the last, of which one may be unknown."""
    return tuple(-1 if length is None else length for length in x.shape[:-1])
