"""Networks: each is one function from inputs to logits.

A network knows neither loss, head nor optimiser, so the same one serves numbers and classes. It
calls Keras layers on the inputs; its keyword-only arguments are what a declaration may set.
"""

from typing import Any


def dnn(
    inputs: Any,
    n_outputs: int,
    *,
    units: tuple[int, ...] = (256, 128),
    dropout: float = 0.1,
    activation: str = "relu",
) -> Any:
    """Stack dense layers, each followed by dropout.

    inputs: (batch, n_features).
    Returns logits (batch, n_outputs).
    """
    from keras import layers

    x = inputs
    for size in units:
        x = layers.Dense(size, activation=activation)(x)  # (batch, size)
        x = layers.Dropout(dropout)(x)
    return layers.Dense(n_outputs)(x)
