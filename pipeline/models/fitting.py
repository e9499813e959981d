"""A network trained by Keras itself: its batches, its clock, its best epoch, its checkpoints."""

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.models.backend import load_keras
from pipeline.models.checkpoints import NOT_KEPT, Checkpoint, Kept
from pipeline.models.compact import Compact
from pipeline.models.learning import SCHEDULES, Recipe, Shown, row_losses
from pipeline.models.program import MOST_VALUES, responses
from pipeline.models.replicas import Replica, Task, epochs_that_fit
from pipeline.models.scores import SCORES, as_people_say, undone
from pipeline.progress import EpochEnded, counted, emit

# As Keras calls them, for logits.
_LOSSES = {
    "squared_error": ("MeanSquaredError", {}),
    "binary_crossentropy": ("BinaryCrossentropy", {"from_logits": True}),
    "categorical_crossentropy": ("SparseCategoricalCrossentropy", {"from_logits": True}),
}
CHANGING = ("history", "best", "best_score", "best_epoch", "is_over")  # from epoch to epoch
BATCHES_AT_ONCE = 64  # of compact rows, for which Python is asked once
HELD_OUT_ROWS = 1024  # looked at in one call


def fit_one(
    model: Any,
    task: Task,
    seed: int,
    recipe: Recipe,
    deadline: float | None,
    kept: Kept = NOT_KEPT,
) -> Replica:
    """Fit a model of logits, and return it with the best epoch's weights.

    deadline: on the clock of time.monotonic(); as many epochs are planned as end before it.
    kept: the place of this training on disk, where it is kept meanwhile, and gone on with.
    Raises ModelError if no epoch has a finite loss.
    """
    training = _Training.of(model, task, recipe, deadline, kept)
    if not training.is_over:
        _fit(training, task, seed)
    if not training.best:
        raise ModelError(
            f"the loss is not finite after {counted(training.epoch, 'epoch')}; "
            f"learning_rate: try less than {recipe.learning_rate:g}"
        )
    model.set_weights(training.best)
    return Replica(model, training.history, training.best_epoch, training.is_cut)


def _fit(training: "_Training", task: Task, seed: int) -> None:
    """Let Keras do the epochs that are left."""
    model, recipe = training.model, training.recipe
    rows = [task.x, task.y, *([] if task.weight is None else [task.weight])]
    seen = np.setdiff1d(np.arange(len(task.x)), task.holdout)
    model.fit(
        _batches(rows, seen, recipe.batch_size, seed, training.epoch),
        shuffle=False,  # the batches are shuffled already
        steps_per_epoch=training.n_steps,
        initial_epoch=training.epoch,
        epochs=recipe.epochs,
        callbacks=[_listener(training)],
        verbose=0,
    )


@dataclass(eq=False)
class _Training:
    """One network's training as it stands."""

    model: Any
    task: Task
    recipe: Recipe
    deadline: float | None
    kept: Kept
    n_steps: int
    total: Any  # the steps of all planned epochs, as the schedule sees them
    planned: int
    history: dict[str, list[float]]
    best: list[np.ndarray]
    best_score: float = np.inf
    best_epoch: int = 0
    epoch: int = 0
    is_over: bool = False
    first: int = 0  # the epoch before which the clock was begun
    began: float = 0.0

    @classmethod
    def of(
        cls, model: Any, task: Task, recipe: Recipe, deadline: float | None, kept: Kept
    ) -> "_Training":
        """Return a training that begins, or goes on where its checkpoint is."""
        import tensorflow as tf

        n_steps = -(-(len(task.x) - len(task.holdout)) // recipe.batch_size)
        total = tf.Variable(float(n_steps * recipe.epochs), trainable=False)
        # A small step on many rows costs what Adam costs; others keep Keras's own, to the bit.
        _compile(model, recipe, n_steps, total, is_fused=isinstance(task.x, Compact))
        new = cls(model, task, recipe, deadline, kept, n_steps, total, recipe.epochs, {}, [])
        found = kept.load(recipe.epochs, has_deadline=deadline is not None)
        if found is not None:
            new.go_on(found)
        new.first = new.epoch
        return new

    @property
    def is_cut(self) -> bool:
        """Whether it would have gone on if there had been more time."""
        return self.planned < self.recipe.epochs and self.epoch >= self.planned

    @property
    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.model.optimizer.variables]

    def go_on(self, checkpoint: Checkpoint) -> None:
        """Stand where a checkpoint stood."""
        for variable, value in zip(self._variables, checkpoint.values, strict=True):
            variable.assign(value)
        self.epoch = checkpoint.epoch
        for name in CHANGING:
            setattr(self, name, checkpoint.facts[name])
        if self.is_over:
            self.planned = checkpoint.planned

    def keep(self) -> None:
        """Put a checkpoint on disk."""
        values = [variable.numpy() for variable in self._variables]
        facts = {name: getattr(self, name) for name in CHANGING}
        self.kept.save(Checkpoint(self.epoch, self.planned, values, facts))

    def note(self, logs: dict[str, float]) -> None:
        """Take an epoch that has ended: it may be the best, the last, or due to be kept."""
        self.epoch += 1
        logits = self._look()
        logs = {"loss": float(logs["loss"]), **held_out_scores(self.task, self.recipe, logits)}
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        self._tell(logs)
        score = logs[f"val_{self.recipe.score}"]
        is_better = score < self.best_score
        if self.recipe.progress == "later":
            is_better |= score == self.best_score
        if is_better and np.isfinite(score) and np.isfinite(logs["loss"]):
            self.best_score, self.best_epoch = score, self.epoch
            self.best = self.model.get_weights()
        self._plan()
        patience = self.recipe.patience or self.recipe.epochs
        self.is_over = (
            self.epoch >= self.planned
            or self.epoch - self.best_epoch >= patience
            or not np.isfinite(logs["loss"])
        )
        if self.is_over or self.kept.is_due:
            self.keep()

    def _tell(self, logs: dict[str, float]) -> None:
        """Tell of an epoch, with the score that people watch, and the best of it so far."""
        told: tuple[float | None, float | None] = (None, None)
        if self.recipe.shown is not None:
            name = self.recipe.shown.score
            scores = self.history[f"val_{name}"]
            told = as_people_say(name, scores[-1]), as_people_say(name, min(scores))
        emit(EpochEnded(self.epoch, self.planned, logs["loss"], logs["val_loss"], *told))

    def _plan(self) -> None:
        """Plan no more epochs than end before the deadline; the first one's time is no measure."""
        now, done = time.monotonic(), self.epoch - self.first
        if self.deadline is not None:
            an_epoch = (now - self.began) / (done - 1) if done > 1 else 0.0
            left = self.deadline - now
            self.planned = epochs_that_fit(self.planned, self.epoch, an_epoch, left)
            self.total.assign(float(self.n_steps * self.planned))
        if done == 1:
            self.began = time.monotonic()

    def _look(self) -> np.ndarray:
        """Return logits of the held-out rows (n, n_outputs)."""
        rows = self.task.holdout
        per_row = max(math.prod(layer.output.shape[1:]) for layer in self.model.layers)
        size = min(HELD_OUT_ROWS, max(16, MOST_VALUES // per_row))
        parts = (rows[i : i + size] for i in range(0, len(rows), size))
        x = (self.task.x[part].astype("float32", copy=False) for part in parts)
        said = [self.model.predict_on_batch(part) for part in x]
        return np.concatenate(said)


def _compile(
    model: Any, recipe: Recipe, n_steps: int, total: Any, *, is_fused: bool = False
) -> None:
    keras = load_keras()
    name, settings = _LOSSES[recipe.loss]
    rate: Any = recipe.learning_rate
    if recipe.schedule != "constant":
        rate = _scheduled(recipe, total)
    model.compile(
        (_fused_adam if is_fused else keras.optimizers.Adam)(rate),
        getattr(keras.losses, name)(**settings),
        steps_per_execution=n_steps,  # one call an epoch: calls are what a small net costs
        jit_compile=False,  # XLA on the CPU: epochs of a small network take six times longer
    )
    model.optimizer.build(model.trainable_variables)


def _fused_adam(rate: Any) -> Any:
    """Return Keras's Adam whose steps are TensorFlow's own kernel: one pass over each weight."""
    import tensorflow as tf

    optimizers: Any = load_keras().optimizers

    class FusedAdam(optimizers.Adam):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            if not isinstance(gradient, tf.Tensor):  # of a few rows of an embedding
                super().update_step(gradient, variable, learning_rate)
                return
            place = self._get_variable_index(variable)
            moments = (self._momentums[place], self._velocities[place])
            done = tf.cast(self.iterations + 1, variable.dtype)
            tf.raw_ops.ResourceApplyAdam(
                var=_handle(variable), m=_handle(moments[0]), v=_handle(moments[1]),
                beta1_power=tf.pow(self.beta_1, done), beta2_power=tf.pow(self.beta_2, done),
                lr=tf.cast(learning_rate, variable.dtype), beta1=self.beta_1, beta2=self.beta_2,
                epsilon=self.epsilon, grad=gradient,
            )  # fmt: skip

    return FusedAdam(rate, name="adam")


def _handle(variable: Any) -> Any:
    """Return what TensorFlow's kernels know a variable of Keras, or its own, by."""
    return variable.handle if hasattr(variable, "handle") else variable.value.handle


def _scheduled(recipe: Recipe, total: Any) -> Any:
    """Return the learning rate at each step, of a total that a deadline may still change."""
    import tensorflow as tf

    schedules: Any = load_keras().optimizers.schedules

    class Scheduled(schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            t = tf.minimum(tf.cast(step, tf.float32) / total, 1.0)
            return recipe.learning_rate * SCHEDULES[recipe.schedule](t)

    return Scheduled()


def _batches(
    rows: list[np.ndarray], seen: np.ndarray, batch_size: int, seed: int, epoch: int
) -> Any:
    """Return endless shuffled batches of x, y and weights, in an order that only the seed decides.

    Batches are gathered from constants by shuffled positions: half the time of Dataset.shuffle.
    Pixels are bytes that may lie on disk, and are gathered from there; compact rows are gathered
    for several batches at once.
    """
    import tensorflow as tf

    plain = tf.autograph.experimental.do_not_convert  # nothing here is for AutoGraph to rewrite
    x, *others = rows
    constants = [tf.constant(part[seen]) for part in others]
    # Of pixels and of compact rows, only positions are in TensorFlow's memory.
    is_lazy = isinstance(x, Compact) or x.dtype == np.uint8
    at_once = batch_size * (BATCHES_AT_ONCE if isinstance(x, Compact) else 1)
    values = tf.constant(seen if is_lazy else x[seen])

    def shuffled(epoch: Any) -> Any:
        draw = [seed, epoch]
        order = tf.random.experimental.stateless_shuffle(tf.range(len(seen)), seed=draw)
        return tf.data.Dataset.from_tensor_slices(order).batch(at_once)

    parts = x.parts if isinstance(x, Compact) else (x,)

    def read(positions: np.ndarray) -> list[np.ndarray]:
        return [part[positions] for part in parts]

    def gather(positions: Any) -> Any:
        own = tf.gather(values, positions)
        found = [own]
        if is_lazy:
            found = tf.numpy_function(read, [own], [part.dtype for part in parts])
            found = [
                tf.ensure_shape(a, (None, b.shape[1])) for a, b in zip(found, parts, strict=True)
            ]
        return *found, *(tf.gather(part, positions) for part in constants)

    def join(*batch: Any) -> Any:
        own = [tf.cast(part, tf.float32) for part in batch[: len(parts)]]
        together = tf.concat(own, axis=1) if len(own) > 1 else own[0]
        if isinstance(x, Compact) and (np.diff(x.order) != 1).any():
            together = tf.gather(together, x.order, axis=1)
        return together, *batch[len(parts) :]

    def batches(epoch: Any) -> Any:
        gathered = shuffled(epoch).map(plain(gather))
        if at_once > batch_size:
            gathered = gathered.rebatch(batch_size)
        return gathered.map(plain(join)) if is_lazy else gathered

    epochs = tf.data.Dataset.counter(epoch)
    return epochs.flat_map(plain(batches)).prefetch(4)


def held_out_scores(task: Task, recipe: Recipe, logits: np.ndarray) -> dict[str, float]:
    """Return val_loss, and val_SCORE of what is watched or shown, of held-out rows' logits."""
    import tensorflow as tf

    y = tf.constant(task.y[task.holdout][None])  # (1, n, n_targets): one replica
    weight = np.float32(1) if task.weight is None else task.weight[task.holdout]
    said = tf.constant(logits[None])
    each, has_one = row_losses(replace(recipe, label_smoothing=0.0), y, said)
    counted = tf.cast(has_one[0] * weight, tf.float32)
    loss = tf.math.divide_no_nan(tf.reduce_sum(each[0] * counted), tf.reduce_sum(counted))
    found = {"val_loss": float(loss)}
    predicted = responses(recipe, said)
    if recipe.loss == "squared_error":
        predicted, y = (part * task.spread + task.center for part in (predicted, y))
    watched = [] if recipe.score == "loss" else [Shown(recipe.score)]
    for one in dict.fromkeys([*watched, *([recipe.shown] if recipe.shown else [])]):
        truth, said = (undone(values, one.transform) for values in (y, predicted))
        score = SCORES[one.score](truth, said, tf.ones((1, len(logits))))
        found[f"val_{one.score}"] = float(score[0])
    return found


def _listener(training: _Training) -> Any:
    """Return the callback that tells the training of each epoch, and ends it when it is over."""
    callbacks: Any = load_keras().callbacks

    class Listener(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            training.note(logs)
            self.model.stop_training = training.is_over

    return Listener()
