"""Networks: each is one function from inputs to logits.

A network knows neither loss, head nor optimiser, so the same one serves numbers and classes. It
calls Keras layers on the inputs; its keyword-only arguments are what a declaration may set.
"""

from typing import Any

SOFT_LIMIT = 3.0  # standard deviations


def dnn(
    inputs: Any,
    n_outputs: int,
    *,
    units: tuple[int, ...] = (256, 128),
    dropout: float = 0.1,
    activation: str = "relu",
) -> Any:
    """Stack dense layers, each followed by dropout, on softly limited inputs.

    inputs: (batch, n_features).
    Returns logits (batch, n_outputs), 0 before the first step: the mean, or equal odds.
    """
    from keras import layers

    x = soft_clip(inputs)
    for size in units:
        x = layers.Dense(size, activation, kernel_initializer="he_normal")(x)  # (batch, size)
        x = layers.Dropout(dropout)(x)
    return layers.Dense(n_outputs, kernel_initializer="zeros")(x)


def soft_clip(x: Any) -> Any:
    """Return x within -3 and 3, hardly changed near 0: an outlier then weighs like other rows."""
    from keras import ops

    return x / ops.sqrt(1 + ops.square(x / SOFT_LIMIT))
