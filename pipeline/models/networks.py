"""Networks: each is one function from inputs to logits.

A network knows neither loss, head nor optimiser, so the same one serves numbers and classes. It
calls Keras layers on the inputs; its keyword-only arguments are what a declaration may set. Inputs
are always rows of columns; networks of sequences and images give them their shape themselves.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.errors import ModelError
from pipeline.models import REST

SOFT_LIMIT = 3.0  # standard deviations
Sizes = int | Sequence[int]  # one size may stand for a list of one
Padding = Literal["same", "valid"]


@dataclass(frozen=True)
class _Style:
    """What a layer with weights is followed by; normalised values are activated afterwards."""

    activation: str
    dropout: float
    batch_normalization: bool

    @property
    def inside(self) -> str | None:
        """The activation of the layer itself."""
        return None if self.batch_normalization else self.activation

    def activated(self, x: Any) -> Any:
        """Return x normalised and activated, if its layer has not activated it."""
        from keras import layers

        if not self.batch_normalization:
            return x
        return layers.Activation(self.activation)(layers.BatchNormalization()(x))

    def dropped(self, x: Any) -> Any:
        """Return x with a share of its values left out."""
        from keras import layers

        return layers.Dropout(self.dropout)(x)


@dataclass(frozen=True)
class _Kernel:
    """How convolutions and the pooling behind them move."""

    size: Sizes
    strides: Sizes
    padding: str
    pool_size: Sizes


def dnn(
    inputs: Any,
    n_outputs: int,
    *,
    units: Sizes = (256, 128),
    dropout: float = 0.1,
    batch_normalization: bool = False,
    activation: str = "relu",
) -> Any:
    """Stack dense layers, each followed by dropout, on softly limited inputs.

    inputs: (batch, n_features).
    Returns logits (batch, n_outputs), 0 before the first step: the mean, or equal odds.
    """
    style = _Style(activation, dropout, batch_normalization)
    return _logits(_dense(soft_clip(inputs), _sizes("units", units), style), n_outputs)


def conv1d(
    inputs: Any,
    n_outputs: int,
    *,
    shape: Sizes | None = None,
    filters: Sizes = (32, 64),
    kernel_size: int = 3,
    strides: int = 1,
    padding: Padding = "same",
    pool_size: int = 2,
    dense: Sizes = (64,),
    dropout: float = 0.1,
    batch_normalization: bool = False,
    activation: str = "relu",
) -> Any:
    """Stack convolutions along a sequence, each followed by max pooling, then dense layers.

    inputs: (batch, n_features), read as sequences of that shape: (steps, channels), or as one
        channel, in the order of the columns.
    pool_size: 1 pools nothing; an axis that is shorter is left as it is.
    Returns logits (batch, n_outputs), 0 before the first step.
    Raises ModelError for a shape that is not that of the columns, or a kernel that does not fit.
    """
    style = _Style(activation, dropout, batch_normalization)
    kernel = _Kernel(kernel_size, strides, padding, pool_size)
    x = _convolutions(_shaped(inputs, shape, n_axes=2), filters, kernel, style)
    return _logits(_dense(x, _sizes("dense", dense), style), n_outputs)


def conv2d(
    inputs: Any,
    n_outputs: int,
    *,
    shape: Sizes | None = None,
    filters: Sizes = (32, 64, 128),
    kernel_size: Sizes = 3,
    strides: Sizes = 1,
    padding: Padding = "same",
    pool_size: Sizes = 2,
    dense: Sizes = (128,),
    dropout: float = 0.2,
    batch_normalization: bool = True,
    activation: str = "relu",
    augment: dict[str, Any] | None = None,
) -> Any:
    """Stack convolutions over an image, each followed by max pooling, then dense layers.

    inputs: (batch, n_features), read as images of that shape: (height, width) or (height, width,
        channels), row by row and channels last; without it as one column of grey cells.
    kernel_size, strides, pool_size: one number for both axes, or one for each. A pool_size of 1
        pools nothing; an axis that is shorter is left as it is.
    augment: flip, shift, rotate, zoom; what is done by chance to the images that it learns from.
    Returns logits (batch, n_outputs), 0 before the first step.
    Raises ModelError for a shape that is not that of the columns, or a kernel that does not fit.
    """
    style = _Style(activation, dropout, batch_normalization)
    kernel = _Kernel(kernel_size, strides, padding, pool_size)
    x = _shaped(inputs, shape, n_axes=3)
    if augment:
        from pipeline.models.augmentation import augmented

        x = augmented(x, augment)
    x = _convolutions(x, filters, kernel, style)
    return _logits(_dense(x, _sizes("dense", dense), style), n_outputs)


def simple_rnn(
    inputs: Any,
    n_outputs: int,
    *,
    shape: Sizes | None = None,
    units: Sizes = (32, 32),
    bidirectional: bool = False,
    dense: Sizes = (32,),
    dropout: float = 0.1,
    batch_normalization: bool = False,
    activation: str = "relu",
) -> Any:
    """Stack simple recurrent layers along a sequence, then dense layers.

    inputs: (batch, n_features), read as sequences of that shape: (steps, channels), or as one
        channel, in the order of the columns.
    units: of the recurrent layers; all but the last hand on their whole sequence.
    bidirectional: whether each layer reads the sequence from both ends.
    activation: of the dense layers; recurrent ones keep Keras's.
    Returns logits (batch, n_outputs), 0 before the first step.
    Raises ModelError for a shape that is not that of the columns.
    """
    style = _Style(activation, dropout, batch_normalization)
    x = _recurrent(_shaped(inputs, shape, n_axes=2), "SimpleRNN", units, bidirectional, style)
    return _logits(_dense(x, _sizes("dense", dense), style), n_outputs)


def lstm(
    inputs: Any,
    n_outputs: int,
    *,
    shape: Sizes | None = None,
    units: Sizes = (32, 32),
    bidirectional: bool = False,
    dense: Sizes = (32,),
    dropout: float = 0.1,
    batch_normalization: bool = False,
    activation: str = "relu",
) -> Any:
    """Do what simple_rnn does with LSTM layers: four times the weights, a longer memory."""
    style = _Style(activation, dropout, batch_normalization)
    x = _recurrent(_shaped(inputs, shape, n_axes=2), "LSTM", units, bidirectional, style)
    return _logits(_dense(x, _sizes("dense", dense), style), n_outputs)


def gru(
    inputs: Any,
    n_outputs: int,
    *,
    shape: Sizes | None = None,
    units: Sizes = (32, 32),
    bidirectional: bool = False,
    dense: Sizes = (32,),
    dropout: float = 0.1,
    batch_normalization: bool = False,
    activation: str = "relu",
) -> Any:
    """Do what simple_rnn does with GRU layers: three times the weights, and gates that forget."""
    style = _Style(activation, dropout, batch_normalization)
    x = _recurrent(_shaped(inputs, shape, n_axes=2), "GRU", units, bidirectional, style)
    return _logits(_dense(x, _sizes("dense", dense), style), n_outputs)


def soft_clip(x: Any) -> Any:
    """Return x within -3 and 3, hardly changed near 0: an outlier then weighs like other rows."""
    from keras import ops

    return x / ops.sqrt(1 + ops.square(x / SOFT_LIMIT))


def _shaped(inputs: Any, shape: Sizes | None, n_axes: int) -> Any:
    """Return softly limited inputs (batch, n_features) as (batch, *shape), channels last.

    A shape of fewer than n_axes axes gets axes of 1 behind them; none is one column of cells.
    """
    from keras import layers

    n_features = inputs.shape[-1]
    sizes = (n_features,) if shape is None else _filled(shape, n_features)
    if not 0 < len(sizes) <= n_axes:
        raise ModelError(f"shape: expected at most {n_axes} numbers, found {len(sizes)}")
    if math.prod(sizes) != n_features:
        product = " x ".join(map(str, sizes))
        raise ModelError(
            f"shape: {product} is {math.prod(sizes):,}, but the model is given {n_features:,} "
            "columns; expected numbers whose product they are"
        )
    return layers.Reshape((*sizes, *[1] * (n_axes - len(sizes))))(soft_clip(inputs))


def _filled(shape: Sizes, n_features: int) -> tuple[int, ...]:
    """Return a shape with what is left of the columns in the place of a REST.

    Raises ModelError if the other numbers do not divide the columns.
    """
    given = list(shape) if isinstance(shape, list | tuple) else [shape]
    if REST not in given:
        return _sizes("shape", given)
    at = given.index(REST)
    others = math.prod(_sizes("shape", given[:at] + given[at + 1 :]))
    if n_features % others:
        raise ModelError(
            f"shape: {others} does not divide the {n_features:,} columns that the model is given; "
            "expected numbers whose product they are"
        )
    return _sizes("shape", [*given[:at], n_features // others, *given[at + 1 :]])


def _convolutions(x: Any, filters: Sizes, kernel: _Kernel, style: _Style) -> Any:
    """Return x (batch, *axes, channels) after convolutions with pooling, as (batch, n)."""
    from keras import layers

    n_axes = len(x.shape) - 2
    convolution = layers.Conv1D if n_axes == 1 else layers.Conv2D
    size, strides = (
        _axes(name, value, n_axes)
        for name, value in (("kernel_size", kernel.size), ("strides", kernel.strides))
    )
    if kernel.padding not in ("same", "valid"):
        raise ModelError(f"padding: expected 'same' or 'valid', found {kernel.padding!r}")
    for number, n_filters in enumerate(_sizes("filters", filters), start=1):
        _check_kernel(size, x.shape[1:-1], kernel.padding, number)
        x = convolution(
            n_filters, size, strides, kernel.padding,
            activation=style.inside, kernel_initializer="he_normal",
        )(x)  # fmt: skip
        x = style.dropped(_pooled(style.activated(x), kernel.pool_size))
    return layers.Flatten()(x)


def _pooled(x: Any, pool_size: Sizes) -> Any:
    """Return x (batch, *axes, channels) after max pooling, along axes that are long enough."""
    from keras import layers

    sizes = x.shape[1:-1]
    pooling = layers.MaxPooling1D if len(sizes) == 1 else layers.MaxPooling2D
    pool = _axes("pool_size", pool_size, len(sizes))
    fitting = tuple(p if size >= p else 1 for p, size in zip(pool, sizes, strict=True))
    return pooling(fitting)(x) if max(fitting) > 1 else x


def _check_kernel(
    kernel: tuple[int, ...], sizes: tuple[int, ...], padding: str, number: int
) -> None:
    """Check that a kernel fits where nothing is padded; raises ModelError."""
    if padding == "valid" and any(k > n for k, n in zip(kernel, sizes, strict=True)):
        found, given = (" x ".join(map(str, of)) for of in (kernel, sizes))
        raise ModelError(
            f"kernel_size: {found} is larger than the {given} that convolution {number} is given; "
            'expected a smaller one, fewer filters, or padding = "same"'
        )


def _recurrent(x: Any, kind: str, units: Sizes, bidirectional: bool, style: _Style) -> Any:
    """Return what the last of the recurrent layers says at the end of x: (batch, steps, n)."""
    from keras import layers

    sizes = _sizes("units", units)
    if not sizes:
        raise ModelError("units: expected at least one recurrent layer, found none")
    for number, size in enumerate(sizes, start=1):
        layer = getattr(layers, kind)(size, return_sequences=number < len(sizes))
        x = (layers.Bidirectional(layer) if bidirectional else layer)(x)
        x = layers.BatchNormalization()(x) if style.batch_normalization else x
        x = style.dropped(x)
    return x


def _dense(x: Any, units: tuple[int, ...], style: _Style) -> Any:
    """Return x (batch, n) after dense layers."""
    from keras import layers

    for size in units:
        x = layers.Dense(size, style.inside, kernel_initializer="he_normal")(x)  # (batch, size)
        x = style.dropped(style.activated(x))
    return x


def _logits(x: Any, n_outputs: int) -> Any:
    from keras import layers

    return layers.Dense(n_outputs, kernel_initializer="zeros")(x)


def _sizes(name: str, value: Any) -> tuple[int, ...]:
    """Return a number or a list of them as a tuple; raises ModelError if one is not above 0."""
    sizes = tuple(value) if isinstance(value, list | tuple) else (value,)
    for size in sizes:
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ModelError(f"{name}: expected whole numbers of 1 or more, found {size!r}")
    return sizes


def _axes(name: str, value: Any, n_axes: int) -> tuple[int, ...]:
    """Return one number for each axis; raises ModelError if there are as many neither as 1."""
    sizes = _sizes(name, value)
    if len(sizes) not in (1, n_axes):
        expected = "one number" if n_axes == 1 else f"one number or {n_axes}"
        raise ModelError(f"{name}: expected {expected}, found {len(sizes)}")
    return sizes * (n_axes // len(sizes))
