"""The compiled part of training many replicas: their state, and epochs as one call of a graph."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.models.learning import (
    SCHEDULES,
    Recipe,
    Shown,
    adam_apart,
    adam_together,
    beside,
    clipped,
    learning_of,
    row_losses,
)
from pipeline.models.noise import derive, shuffled
from pipeline.models.rules import Pass, apply, architecture
from pipeline.models.scores import SCORES, undone

MOST_VALUES = 2**23  # in the largest tensor while held-out rows are looked at; 32 MB


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of all tasks, padded to one length, a task's training rows before its others.

    x: (n_tasks * length, n_features). y: (n_tasks * length, n_targets). weight: of that length.
    task, n_train, n_valid, keys, center, spread: (replicas, ...).
    """

    x: Any
    y: Any
    weight: Any
    length: int
    task: np.ndarray
    n_train: np.ndarray
    n_valid: np.ndarray
    keys: np.ndarray
    center: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True, eq=False)
class Done:
    """What some epochs came to, each (n_epochs, replicas), and who still learns after them.

    shown: what the recipe says that people are told; equal to score where it says nothing.
    """

    loss: np.ndarray
    valid_loss: np.ndarray
    score: np.ndarray
    shown: np.ndarray
    learned: np.ndarray
    learns: np.ndarray


_programs: dict[tuple[Any, ...], "Program"] = {}


def program_of(
    template: Any, shapes: tuple[tuple[int, ...], ...], n_replicas: int, recipe: Recipe
) -> "Program":
    """Return the program of an architecture, compiled once a process and number of replicas.

    shapes: of the weights, in the template's order; at least as large as the template's own.
    """
    fixed = replace(recipe, epochs=1, patience=None, learning_rate=1.0)
    width = template.inputs[0].shape[-1]
    key = (architecture(template), width, shapes, n_replicas, fixed)
    if key not in _programs:
        _programs[key] = Program(template, shapes, n_replicas, fixed)
    return _programs[key]


class Program:
    """The compiled epochs of so many replicas of one architecture, and their present state.

    All state is (replicas, ...): weights, Adam's moments, the best weights yet and their score and
    epoch, the steps done, and who still learns.
    """

    def __init__(
        self,
        template: Any,
        shapes: tuple[tuple[int, ...], ...],
        n_replicas: int,
        recipe: Recipe,
    ) -> None:
        import tensorflow as tf

        self.template, self.shapes = template, shapes
        self.n_replicas, self.recipe = n_replicas, recipe
        layers = [(layer, v) for layer in _weighted(template) for v in layer.weights]
        owner = {id(variable): layer for layer, variable in layers}
        self.variables = template.weights
        self.trained = [i for i, v in enumerate(self.variables) if v.trainable]
        trained = [self.variables[i] for i in self.trained]
        learnings = [learning_of(owner[id(variable)], variable) for variable in trained]

        def made(shape: tuple[int, ...]) -> Any:
            return tf.Variable(tf.zeros((n_replicas, *shape)), trainable=False)

        self.weights, self.best = ([made(shape) for shape in shapes] for _ in range(2))
        self.firsts, self.seconds = ([made(shapes[i]) for i in self.trained] for _ in range(2))
        per_row = max(math.prod(layer.output.shape[1:]) for layer in template.layers)
        self.valid_rows = max(16, MOST_VALUES // (per_row * n_replicas))
        self.done = tf.Variable(tf.zeros(n_replicas), trainable=False)
        self.best_score = tf.Variable(tf.zeros(n_replicas), trainable=False)
        self.best_epoch = tf.Variable(tf.zeros(n_replicas, tf.int32), trainable=False)
        self.learns = tf.Variable(tf.ones(n_replicas, tf.bool), trainable=False)
        self.learnings = learnings
        self._adam_apart = tf.function(
            adam_apart(recipe, learnings), jit_compile=True, autograph=False
        )
        width, n_targets = template.inputs[0].shape[-1], self._n_targets()
        signature = [
            *(tf.TensorSpec((None, n)) for n in (width, n_targets)),
            tf.TensorSpec((None,)),
            tf.TensorSpec((), tf.int32),
            *(tf.TensorSpec((n_replicas,), tf.int32) for _ in range(3)),
            tf.TensorSpec((n_replicas,), tf.uint32),
            *(tf.TensorSpec((n_replicas, n_targets)) for _ in range(2)),
            *(tf.TensorSpec((), tf.int32) for _ in range(2)),
            tf.TensorSpec(()),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec(()),
        ]
        # Of any number of rows, so that it is traced once.
        self._epochs = tf.function(self._run_epochs, input_signature=signature, autograph=False)

    def _n_targets(self) -> int:
        """Return how many columns y has: codes of classes are one."""
        is_regression = self.recipe.loss == "squared_error"
        return int(self.template.outputs[0].shape[-1]) if is_regression else 1

    @property
    def _state(self) -> list[Any]:
        several = [*self.weights, *self.best, *self.firsts, *self.seconds]
        return [*several, self.done, self.best_score, self.best_epoch, self.learns]

    def load(self, weights: list[list[np.ndarray]]) -> None:
        """Set every replica to its first weights, before any step."""
        for number, variable in enumerate(self.weights):
            variable.assign(np.stack([own[number] for own in weights]))
            self.best[number].assign(variable)
        for variable in (*self.firsts, *self.seconds, self.done, self.best_epoch):
            variable.assign(np.zeros(variable.shape, variable.dtype.as_numpy_dtype))
        self.best_score.assign(np.full(self.n_replicas, np.inf, "float32"))
        self.learns.assign(np.ones(self.n_replicas, bool))

    def state(self) -> list[np.ndarray]:
        """Return all that changes while it trains."""
        return [variable.numpy() for variable in self._state]

    def restore(self, state: list[np.ndarray]) -> None:
        """Stand where a program of the same architecture and number of replicas stood."""
        for variable, value in zip(self._state, state, strict=True):
            variable.assign(value)

    def take(self, other: "Program", places: np.ndarray) -> None:
        """Set the replicas to those at some places of another program."""
        import tensorflow as tf

        for mine, theirs in zip(self._state, other._state, strict=True):
            mine.assign(tf.gather(theirs, places))

    def run(
        self, rows: Rows, members: np.ndarray, recipe: Recipe, epoch: int, n_epochs: int
    ) -> Done:
        """Train for some epochs; those in which nobody learns any more are left out."""
        import tensorflow as tf

        each = (rows.task, rows.n_train, rows.n_valid, rows.keys, rows.center, rows.spread)
        never = np.iinfo("int32").max
        told = self._epochs(
            rows.x,
            rows.y,
            rows.weight,
            tf.constant(rows.length),
            *(tf.constant(values[members]) for values in each),
            tf.constant(epoch),
            tf.constant(n_epochs),
            tf.constant(float(recipe.epochs)),
            tf.constant(never if recipe.patience is None else recipe.patience),
            tf.constant(float(recipe.learning_rate)),
        )
        loss, valid_loss, score, shown, learned = (values.numpy() for values in told)
        return Done(loss, valid_loss, score, shown, learned, self.learns.numpy())

    def _run_epochs(
        self, x: Any, y: Any, weight: Any, length: Any, task: Any, n_train: Any, n_valid: Any,
        keys: Any, center: Any, spread: Any, epoch: Any, n_epochs: Any, planned: Any, patience: Any,
        learning_rate: Any,
    ) -> tuple[Any, Any, Any, Any, Any]:  # fmt: skip
        """Do the epochs, and return what Done has of them, but for who learns at the end."""
        import tensorflow as tf

        table = _Table(x, y, weight, task * length, n_train, n_valid)
        batch = self.recipe.batch_size
        if self.recipe.drop_remainder:
            n_steps = tf.maximum(n_train // batch, 1)
        else:
            n_steps = -(-n_train // batch)
        total = tf.cast(n_steps, tf.float32) * planned
        clock = _Clock(total, learning_rate, tf.reduce_all(n_steps == n_steps[0]))

        def one_epoch(number: Any, *told: Any) -> tuple[Any, ...]:
            learned = self.learns.read_value()
            order = shuffled(derive(keys, epoch + number, 0), n_train, length)
            # A batch may begin at the last row, and there is at least one whole batch.
            order = tf.pad(order, [[0, 0], [0, batch]])
            loss = self._all_steps(table, order, n_steps, keys, clock)
            valid_loss, score, shown = self._look(table, center, spread)
            self._judge(score, loss, epoch + number + 1, patience)
            values = (loss / tf.cast(n_steps, tf.float32), valid_loss, score, shown, learned)
            return (number + 1, *(t.write(number, v) for t, v in zip(told, values, strict=True)))

        empty = [
            tf.TensorArray(kind, size=0, dynamic_size=True, element_shape=(self.n_replicas,))
            for kind in (*[tf.float32] * 4, tf.bool)
        ]
        _, *told = tf.while_loop(
            lambda number, *_: (number < n_epochs) & tf.reduce_any(self.learns.read_value()),
            one_epoch,
            (tf.constant(0), *empty),
        )
        loss, valid_loss, score, shown, learned = (values.stack() for values in told)
        return loss, valid_loss, score, shown, learned

    def _all_steps(
        self, table: "_Table", order: Any, n_steps: Any, keys: Any, clock: "_Clock"
    ) -> Any:
        """Take an epoch's steps, and return the sum of each replica's losses (replicas,)."""
        import tensorflow as tf

        batch = self.recipe.batch_size

        def one_step(step: Any, total: Any) -> tuple[Any, Any]:
            learns = self.learns.read_value() & (step < n_steps)
            places = tf.slice(order, [0, step * batch], [self.n_replicas, batch])
            real = (step * batch + tf.range(batch))[None] < table.n_train[:, None]
            rows = table.first[:, None] + tf.where(real, places, 0)
            loss = self._step(table, rows, tf.cast(real, tf.float32), keys, clock, learns)
            return step + 1, total + tf.where(learns, loss, 0.0)

        active = tf.where(self.learns.read_value(), n_steps, 0)
        last = tf.reduce_max(active)
        _, total = tf.while_loop(
            lambda step, _: step < last, one_step, (tf.constant(0), tf.zeros(self.n_replicas))
        )
        return total

    def _step(
        self, table: "_Table", rows: Any, real: Any, keys: Any, clock: "_Clock", learns: Any
    ) -> Any:
        """Take one step with rows (replicas, batch); return the losses before it (replicas,)."""
        import tensorflow as tf

        done = self.done.read_value()
        time = tf.minimum(done / clock.total, 1.0)
        values = [variable.read_value() for variable in self.weights]
        watched = [values[i] for i in self.trained]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            forward = Pass(
                self.n_replicas,
                {id(v): value for v, value in zip(self.variables, values, strict=True)},
                keys=keys,
                done=done,
                dropout=SCHEDULES[self.recipe.dropout_schedule](time),
                rows=real,
            )
            logits = apply(self.template, tf.gather(table.x, rows), forward)
            each, has_one = row_losses(self.recipe, tf.gather(table.y, rows), logits)
            counted = real * has_one
            sums = tf.reduce_sum(each * counted * tf.gather(table.weight, rows), -1)
            loss = tf.math.divide_no_nan(sums, tf.reduce_sum(counted, -1))  # (replicas,)
            total = tf.reduce_sum(loss)  # replicas do not meet: each gets its own gradient
        gradients = tape.gradient(total, watched, unconnected_gradients="zero")
        if self.recipe.clip_norm is not None:
            gradients = clipped(gradients, self.recipe.clip_norm)
        tf.cond(
            clock.in_step,
            lambda: self._learn_together(gradients, done[0], time[0], clock),
            lambda: self._learn_apart(gradients, done, time, learns, clock),
        )
        for number, variable in enumerate(self.variables):
            if id(variable) in forward.moved:
                moved = forward.moved[id(variable)]
                kept = tf.where(beside(learns, moved), moved, values[number])
                self.weights[number].assign(kept, read_value=False)
        self.done.assign_add(tf.where(clock.in_step | learns, 1.0, 0.0), read_value=False)
        return loss

    def _learn_together(self, gradients: list[Any], done: Any, time: Any, clock: "_Clock") -> Any:
        """Let all replicas learn; those that have stopped no longer count, whatever they learn."""
        weights = [self.weights[i] for i in self.trained]
        moments = (self.firsts, self.seconds)
        adam_together(
            self.recipe, self.learnings, weights, *moments, gradients, done, time,
            clock.learning_rate,
        )  # fmt: skip
        return done

    def _learn_apart(
        self, gradients: list[Any], done: Any, time: Any, learns: Any, clock: "_Clock"
    ) -> Any:
        """Let those learn whose epoch has this step."""
        owned = ([self.weights[i] for i in self.trained], self.firsts, self.seconds)
        values = [[variable.read_value() for variable in variables] for variables in owned]
        new = self._adam_apart(*values, gradients, done, time, learns, clock.learning_rate)
        for variables, tensors in zip(owned, new, strict=True):
            for variable, tensor in zip(variables, tensors, strict=True):
                variable.assign(tensor, read_value=False)
        return done[0]

    def _look(self, table: "_Table", center: Any, spread: Any) -> tuple[Any, Any, Any]:
        """Return the held-out rows' loss, score and what is shown of them, each (replicas,).

        All are 0 where there are none.
        """
        import tensorflow as tf

        values = [variable.read_value() for variable in self.weights]
        weights = {id(v): value for v, value in zip(self.variables, values, strict=True)}
        n = tf.reduce_max(table.n_valid)
        first = table.first + table.n_train
        n_outputs = self.template.outputs[0].shape[1:]

        def one_part(part: Any, said: Any) -> tuple[Any, Any]:
            places = part * self.valid_rows + tf.range(
                tf.minimum(self.valid_rows, n - part * self.valid_rows)
            )
            rows = first[:, None] + tf.minimum(places[None], table.n_valid[:, None] - 1)
            forward = Pass(self.n_replicas, weights)
            logits = apply(self.template, tf.gather(table.x, tf.maximum(rows, 0)), forward)
            return part + 1, said.write(part, tf.transpose(logits, _swapped(len(logits.shape))))

        said = tf.TensorArray(
            tf.float32, size=0, dynamic_size=True, infer_shape=False,
            element_shape=(None, self.n_replicas, *n_outputs),
        )  # fmt: skip
        _, said = tf.while_loop(
            lambda part, _: part * self.valid_rows < n, one_part, (tf.constant(0), said)
        )
        nothing = tf.zeros(self.n_replicas)
        return tf.cond(  # type: ignore[no-any-return]
            n > 0,
            lambda: self._scored(said.concat(), table, n, center, spread),
            lambda: (nothing, nothing, nothing),
        )

    def _scored(
        self, said: Any, table: "_Table", n: Any, center: Any, spread: Any
    ) -> tuple[Any, Any, Any]:
        """Return loss, score and what is shown of the held-out rows' logits (n, replicas, ...)."""
        import tensorflow as tf

        logits = tf.transpose(said, _swapped(1 + len(self.template.outputs[0].shape)))
        places = tf.range(n)[None]
        real = tf.cast(places < table.n_valid[:, None], tf.float32)
        first = (table.first + table.n_train)[:, None]
        rows = tf.maximum(first + tf.minimum(places, table.n_valid[:, None] - 1), 0)
        y = tf.gather(table.y, rows)
        plain = replace(self.recipe, label_smoothing=0.0)
        each, has_one = row_losses(plain, y, logits)
        counted = real * has_one * tf.gather(table.weight, rows)
        loss = tf.math.divide_no_nan(tf.reduce_sum(each * counted, -1), tf.reduce_sum(counted, -1))
        watched, told = self.recipe.score, self.recipe.shown
        if watched == "loss" and told is None:
            return loss, loss, loss
        predicted = responses(self.recipe, logits)
        if self.recipe.loss == "squared_error":
            predicted = predicted * spread[:, None] + center[:, None]
            y = y * spread[:, None] + center[:, None]
        score = loss if watched == "loss" else SCORES[watched](y, predicted, real)
        if told is None or told == Shown(watched):
            return loss, score, score
        y, predicted = (undone(values, told.transform) for values in (y, predicted))
        return loss, score, SCORES[told.score](y, predicted, real)

    def _judge(self, score: Any, loss: Any, epoch: Any, patience: Any) -> None:
        """Keep the weights of those whose epoch is their best, and end those without progress."""
        import tensorflow as tf

        learns, best = self.learns.read_value(), self.best_score.read_value()
        is_sound = tf.math.is_finite(loss) & tf.math.is_finite(score)
        is_better = score <= best if self.recipe.progress == "later" else score < best
        # Without held-out rows every score is 0, and the last epoch counts.
        is_better |= tf.equal(score, 0.0) & tf.equal(best, 0.0)
        is_better &= learns & is_sound
        for kept, variable in zip(self.best, self.weights, strict=True):
            kept.assign(tf.where(beside(is_better, kept), variable, kept), read_value=False)
        best_epoch = tf.where(is_better, epoch, self.best_epoch.read_value())
        self.best_score.assign(tf.where(is_better, score, best))
        self.best_epoch.assign(best_epoch)
        self.learns.assign(learns & is_sound & (epoch - best_epoch < patience))


@dataclass(frozen=True, eq=False)
class _Table:
    """Rows as tensors: a replica's training rows begin at first, its held-out rows follow them."""

    x: Any
    y: Any
    weight: Any
    first: Any
    n_train: Any
    n_valid: Any


@dataclass(frozen=True, eq=False)
class _Clock:
    """The steps that each replica would take in all planned epochs, and the learning rate.

    in_step: whether all replicas take the same number of steps.
    """

    total: Any
    learning_rate: Any
    in_step: Any


def responses(recipe: Recipe, logits: Any) -> Any:
    """Return numbers, or probabilities (replicas, n, n_classes), members averaged."""
    import tensorflow as tf

    if recipe.loss == "binary_crossentropy":
        one = tf.sigmoid(logits)
        said = tf.concat([1 - one, one], -1)
    elif recipe.loss == "categorical_crossentropy":
        said = tf.nn.softmax(logits)
    else:
        said = logits
    return tf.reduce_mean(said, 2) if len(said.shape) == 4 else said


def _swapped(rank: int) -> list[int]:
    """Return the axes with the first two exchanged."""
    return [1, 0, *range(2, rank)]


def _weighted(model: Any) -> list[Any]:
    """Return the layers that hold the model's weights themselves."""
    return [layer for layer in model.layers if layer.weights]
