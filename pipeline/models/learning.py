"""How a network learns: loss, schedules, and the step of Adam, each for many replicas at once."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Loss = Literal["squared_error", "binary_crossentropy", "categorical_crossentropy"]
Schedule = Literal["constant", "coslog4", "flat_cos", "one_cycle"]
WARM_UP = 0.15  # of the time that one_cycle takes to reach the whole learning rate
# What Keras calls them: weights that only shift or scale are not decayed.
UNDECAYED = ("bias", "beta", "gamma")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How replicas learn; those that share one learn in one program.

    patience: epochs without progress after which a replica stops; None never does.
    progress: which of two equally good epochs is kept.
    learning_rate: Adam's, times its schedule and a layer's own factor.
    weight_decay: taken from a weight each step, times the learning rate (decoupled, as in AdamW).
    clip_norm: the largest norm of all gradients of a replica together.
    drop_remainder: whether an epoch leaves out the rows that do not fill a batch.
    score: what is watched on the held-out rows: "loss", or a name of pipeline.models.scores.
    shown: what a person is told of them besides; it decides nothing.
    """

    loss: Loss
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int | None = None
    progress: Literal["earlier", "later"] = "earlier"
    schedule: Schedule = "constant"
    dropout_schedule: Schedule = "constant"
    weight_decay: float = 0.0
    decay_schedule: Schedule = "constant"
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    clip_norm: float | None = None
    label_smoothing: float = 0.0
    drop_remainder: bool = False
    score: str = "loss"
    shown: "Shown | None" = None


@dataclass(frozen=True)
class Shown:
    """A score of pipeline.models.scores on the target's own scale, which a transform has left."""

    score: str
    transform: str = "none"


@dataclass(frozen=True)
class Learning:
    """Factors of one weight's learning rate and decay."""

    rate: float = 1.0
    decay: float = 1.0


def constant(t: Any) -> Any:
    """Return 1 at any time t in [0, 1], the share of all steps that are done."""
    import tensorflow as tf

    return tf.ones_like(t)


def flat_cos(t: Any) -> Any:
    """Return 1 up to half the time, then half a cosine down to 0 (RealMLP, arXiv 2407.04491)."""
    import tensorflow as tf

    return tf.where(t < 0.5, 1.0, 0.5 * (1 + tf.cos(2 * math.pi * (t - 0.5))))


def coslog4(t: Any) -> Any:
    """Return four cosine cycles of growing length, from 0 to 0 (RealMLP, arXiv 2407.04491)."""
    import tensorflow as tf

    return 0.5 * (1 - tf.cos(2 * math.pi * tf.math.log(1 + 15 * t) / math.log(2)))


def one_cycle(t: Any) -> Any:
    """Return a straight way up from 0 to 1, then half a cosine down to 0 (arXiv 1708.07120)."""
    import tensorflow as tf

    down = 0.5 * (1 + tf.cos(math.pi * (t - WARM_UP) / (1 - WARM_UP)))
    return tf.where(t < WARM_UP, t / WARM_UP, down)


SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "constant": constant,
    "coslog4": coslog4,
    "flat_cos": flat_cos,
    "one_cycle": one_cycle,
}


def learning_of(layer: Any, variable: Any) -> Learning:
    """Return what a layer says of one of its weights by `learning`, else Keras's usage."""
    own: dict[str, Learning] = getattr(layer, "learning", {})
    return own.get(variable.name, Learning(decay=float(variable.name not in UNDECAYED)))


def row_losses(recipe: Recipe, y: Any, logits: Any) -> tuple[Any, Any]:
    """Return each row's loss and whether it has one, both (replicas, batch).

    y: (replicas, batch, n_targets) numbers, of which missing ones do not count, or (replicas,
        batch, 1) codes of classes.
    logits: (replicas, batch, n_outputs), or (replicas, batch, members, n_outputs), whose loss is
        the mean of the members' losses.
    """
    import tensorflow as tf

    if len(logits.shape) == 4:
        y = y[:, :, None]
    known = ~tf.math.is_nan(y)
    y = tf.where(known, y, 0.0)
    each = _LOSSES[recipe.loss](y, logits, recipe.label_smoothing)  # (..., n_targets)
    weight = tf.cast(known, tf.float32)
    count = tf.reduce_sum(weight, -1)
    loss = tf.math.divide_no_nan(tf.reduce_sum(each * weight, -1), count)
    has_one = tf.cast(count > 0, tf.float32)
    if len(logits.shape) == 4:
        return tf.reduce_mean(loss, -1), has_one[:, :, 0]
    return loss, has_one


def _squared_error(y: Any, logits: Any, smoothing: float) -> Any:
    import tensorflow as tf

    return tf.square(logits - y)


def _binary_crossentropy(y: Any, logits: Any, smoothing: float) -> Any:
    import tensorflow as tf

    y = y * (1 - smoothing) + 0.5 * smoothing + tf.zeros_like(logits)
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits)


def _categorical_crossentropy(y: Any, logits: Any, smoothing: float) -> Any:
    import tensorflow as tf

    n_classes = logits.shape[-1]
    truth = tf.one_hot(tf.cast(y[..., 0], tf.int32), n_classes)
    truth = truth * (1 - smoothing) + smoothing / n_classes
    return -tf.reduce_sum(truth * tf.nn.log_softmax(logits), -1, keepdims=True)


_LOSSES: dict[str, Callable[[Any, Any, float], Any]] = {
    "squared_error": _squared_error,
    "binary_crossentropy": _binary_crossentropy,
    "categorical_crossentropy": _categorical_crossentropy,
}


def clipped(gradients: list[Any], norm: float) -> list[Any]:
    """Return gradients (replicas, ...), scaled down where a replica's norm is above the limit."""
    import tensorflow as tf

    squares = [tf.reduce_sum(tf.square(g), list(range(1, len(g.shape)))) for g in gradients]
    factor = norm / tf.maximum(tf.sqrt(tf.add_n(squares)), norm)  # (replicas,)
    return [g * beside(factor, g) for g in gradients]


def adam_together(
    recipe: Recipe,
    learnings: list[Learning],
    weights: list[Any],
    firsts: list[Any],
    seconds: list[Any],
    gradients: list[Any],
    done: Any,
    time: Any,
    learning_rate: Any,
) -> None:
    """Take a step of Adam with decoupled decay (arXiv 1711.05101) in place, alike for all replicas.

    weights, firsts and seconds are variables, the two moments among them; done, the steps before
    this one, and time, the share of all steps that is, are scalars. It is TensorFlow's own kernel,
    which passes over memory once; adam_apart does the same for replicas that differ.
    """
    import tensorflow as tf

    rate = learning_rate * SCHEDULES[recipe.schedule](time)
    decay = rate * recipe.weight_decay * SCHEDULES[recipe.decay_schedule](time)
    powers = {f"beta{i}_power": tf.pow(b, done + 1) for i, b in _betas(recipe)}
    betas = {f"beta{i}": b for i, b in _betas(recipe)}
    for w, m, v, g, own in zip(weights, firsts, seconds, gradients, learnings, strict=True):
        if recipe.weight_decay and own.decay:
            w.assign(w * (1 - decay * own.rate * own.decay), read_value=False)
        tf.raw_ops.ResourceApplyAdam(
            var=w.handle, m=m.handle, v=v.handle, lr=rate * own.rate, grad=g,
            epsilon=recipe.epsilon, **powers, **betas,
        )  # fmt: skip


def adam_apart(
    recipe: Recipe, learnings: list[Learning]
) -> Callable[[list[Any], list[Any], list[Any], list[Any], Any, Any, Any, Any], Any]:
    """Return the same step for replicas that have done different numbers of steps, to be compiled.

    It takes lists of weights, first moments, second moments and gradients, each (replicas, ...),
    and (replicas,) the steps done before, the share of all steps that is, and whether a replica
    learns; it returns the three lists anew. A replica that does not learn keeps all of its own.
    """
    import tensorflow as tf

    rate_of, decay_of = SCHEDULES[recipe.schedule], SCHEDULES[recipe.decay_schedule]
    beta_1, beta_2 = recipe.beta_1, recipe.beta_2

    def step(
        weights: list[Any], firsts: list[Any], seconds: list[Any], gradients: list[Any],
        done: Any, time: Any, learns: Any, learning_rate: Any,
    ) -> Any:  # fmt: skip
        rate = learning_rate * rate_of(time)
        decay = rate * recipe.weight_decay * decay_of(time)
        length = rate * tf.sqrt(1 - tf.pow(beta_2, done + 1)) / (1 - tf.pow(beta_1, done + 1))
        new: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for w, m, v, g, own in zip(weights, firsts, seconds, gradients, learnings, strict=True):
            moment_1 = beta_1 * m + (1 - beta_1) * g
            moment_2 = beta_2 * v + (1 - beta_2) * tf.square(g)
            direction = moment_1 / (tf.sqrt(moment_2) + recipe.epsilon)
            moved = w * (1 - beside(decay, w) * own.rate * own.decay)
            moved -= beside(length, w) * own.rate * direction
            for old, value, values in zip((w, m, v), (moved, moment_1, moment_2), new, strict=True):
                values.append(tf.where(beside(learns, w), value, old))
        return new

    return step


def _betas(recipe: Recipe) -> list[tuple[int, float]]:
    return [(1, recipe.beta_1), (2, recipe.beta_2)]


def beside(vector: Any, tensor: Any) -> Any:
    """Return a vector (replicas,) so that it broadcasts with a tensor (replicas, ...)."""
    import tensorflow as tf

    return tf.reshape(vector, (-1, *[1] * (len(tensor.shape) - 1)))
