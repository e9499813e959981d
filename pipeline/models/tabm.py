"""TabM and TabM-mini: many networks in one (Gorishniy et al., arXiv 2410.24210)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.models.backend import load_keras


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How large the networks are; mini members own only the scales of the inputs and their heads.

    blocks: None is 2 where numbers are embedded, else 3.
    """

    mini: bool = False
    members: int = 32
    units: int = 512
    blocks: int | None = None
    dropout: float = 0.1
    embedding: int = 16
    bins: int = 48


def tabm(inputs: Any, n_outputs: int, shape: Shape, n_numeric: int, widths: Sequence[int]) -> Any:
    """Return logits (batch, members, n_outputs) of inputs (batch, n_columns).

    n_numeric: how many columns, the first ones, are numbers. widths: how many columns each of the
    other features has. Without a dimension of the embedding, numbers are taken as they are.
    """
    from pipeline.models.embeddings import PiecewiseLinearEmbedding, uniform_within
    from pipeline.models.members import MemberDense, MemberHeads, MemberScales

    layers = load_keras().layers
    embedded = bool(shape.embedding and n_numeric)
    x = inputs
    if embedded:
        x = PiecewiseLinearEmbedding(n_numeric, dimension=shape.embedding, n_bins=shape.bins)(x)
    first: dict[str, Any] = {
        "widths": [*[shape.embedding if embedded else 1] * n_numeric, *widths],
        "signs": not embedded,
    }
    x = MemberScales(shape.members, **first)(x) if shape.mini else x
    for number in range(shape.blocks or (2 if embedded else 3)):
        if shape.mini:
            uniform = uniform_within(x.shape[-1])
            x = layers.Dense(shape.units, kernel_initializer=uniform(), bias_initializer=uniform())(
                x
            )
        else:
            x = MemberDense(shape.members, shape.units, **(first if number == 0 else {}))(x)
        x = layers.Activation("relu")(x)
        x = layers.Dropout(shape.dropout)(x)
    return MemberHeads(shape.members, n_outputs)(x)
