"""How networks are trained: together in one program, or one by one by Keras itself."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.models.backend import load_keras
from pipeline.models.learning import Recipe, Shown, row_losses
from pipeline.models.program import responses
from pipeline.models.replicas import Replica, Task, fit_replicas, why_not
from pipeline.models.rules import architecture
from pipeline.models.scores import SCORES, as_people_say, undone
from pipeline.progress import EpochEnded, Note, counted, emit

# As Keras calls them, for logits.
_LOSSES = {
    "squared_error": ("MeanSquaredError", {}),
    "binary_crossentropy": ("BinaryCrossentropy", {"from_logits": True}),
    "categorical_crossentropy": ("SparseCategoricalCrossentropy", {"from_logits": True}),
}
HELD_OUT_ROWS = 1024  # looked at in one call


def train(
    build: Callable[[Task, int], Any],
    tasks: Sequence[Task],
    recipe: Recipe,
    deadline: float | None = None,
) -> list[list[Replica]]:
    """Train one network a task and seed, and return them task by task.

    build: from a task and a seed to an untrained functional model from (n_features,) to logits.
    deadline: on the clock of time.monotonic(); the epoch that passes it is the last one.
    Raises ModelError if no epoch of a network has a finite loss.
    """
    models = [[build(task, seed) for seed in task.seeds] for task in tasks]
    trained: dict[int, list[Replica]] = {}
    alike = _alike(models)
    for number, members in enumerate(alike):
        some = [tasks[i] for i in members]
        nets = [models[i] for i in members]
        left = None if deadline is None else deadline - time.monotonic()
        end = None if left is None else time.monotonic() + left / (len(alike) - number)
        reason = why_not(nets[0][0], {task.x.shape[1] for task in some})
        if reason is None:
            trained |= zip(members, fit_replicas(nets, some, recipe, end), strict=True)
        else:
            emit(Note("train", f"one network after the other: {reason}"))
            trained |= zip(members, _one_by_one(nets, some, recipe, end), strict=True)
    return [trained[i] for i in range(len(tasks))]


def _alike(models: list[list[Any]]) -> list[list[int]]:
    """Return the tasks in groups whose networks differ only in how many columns they take."""
    groups: dict[str, list[int]] = {}
    for number, nets in enumerate(models):
        groups.setdefault(architecture(nets[0]), []).append(number)
    return list(groups.values())


def _one_by_one(
    models: list[list[Any]], tasks: Sequence[Task], recipe: Recipe, deadline: float | None
) -> list[list[Replica]]:
    return [
        [
            _fit_one(model, task, seed, recipe, deadline)
            for model, seed in zip(nets, task.seeds, strict=True)
        ]
        for nets, task in zip(models, tasks, strict=True)
    ]


def _fit_one(model: Any, task: Task, seed: int, recipe: Recipe, deadline: float | None) -> Replica:
    """Compile and fit a model of logits, and return it with the best epoch's weights."""
    keras = load_keras()
    rows = [task.x, task.y, *([] if task.weight is None else [task.weight])]
    seen = np.setdiff1d(np.arange(len(task.x)), task.holdout)
    n_steps = -(-len(seen) // recipe.batch_size)
    name, settings = _LOSSES[recipe.loss]
    model.compile(
        keras.optimizers.Adam(recipe.learning_rate),
        getattr(keras.losses, name)(**settings),
        steps_per_execution=n_steps,  # one call an epoch: calls are what a small net costs
        jit_compile=False,  # XLA on the CPU: epochs of a small network take six times longer
    )
    early = keras.callbacks.EarlyStopping(
        monitor=f"val_{recipe.score}",
        mode="min",
        patience=recipe.epochs if recipe.patience is None else recipe.patience,
        restore_best_weights=True,
    )
    clock = _clock(recipe, deadline)
    history = model.fit(
        _batches([part[seen] for part in rows], recipe.batch_size, seed),
        shuffle=False,  # the batches are shuffled already
        steps_per_epoch=n_steps,
        epochs=task.plan[-1][1] if task.plan else recipe.epochs,
        callbacks=[_look(task, recipe), early, clock],
        verbose=0,
    )
    if not np.isfinite(early.best):
        raise ModelError(
            f"the loss is not finite after {counted(len(history.epoch), 'epoch')}; "
            f"learning_rate: try less than {recipe.learning_rate:g}"
        )
    n_epochs = len(history.epoch)
    plan = ((n_epochs, n_epochs),) if clock.stopped else task.plan
    return Replica(model, history.history, early.best_epoch + 1, clock.stopped, plan)


def _batches(rows: list[np.ndarray], batch_size: int, seed: int) -> Any:
    """Return endless shuffled batches of x, y and weights, in an order that only the seed decides.

    Batches are gathered from constants by shuffled positions: half the time of Dataset.shuffle.
    """
    import tensorflow as tf

    plain = tf.autograph.experimental.do_not_convert  # nothing here is for AutoGraph to rewrite
    constants = [tf.constant(part) for part in rows]

    def shuffled(epoch: Any) -> Any:
        draw = [seed, epoch]
        order = tf.random.experimental.stateless_shuffle(tf.range(len(rows[0])), seed=draw)
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    def gather(positions: Any) -> Any:
        return tuple(tf.gather(part, positions) for part in constants)

    return tf.data.Dataset.counter().flat_map(plain(shuffled)).map(plain(gather)).prefetch(4)


def _look(task: Task, recipe: Recipe) -> Any:
    """Return the callback that adds the held-out rows' loss and score to each epoch's logs."""
    callbacks: Any = load_keras().callbacks
    x = task.x[task.holdout]
    parts = [x[start : start + HELD_OUT_ROWS] for start in range(0, len(x), HELD_OUT_ROWS)]

    class Look(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logits = np.concatenate([self.model.predict_on_batch(part) for part in parts])
            logs |= held_out_scores(task, recipe, logits)

    return Look()


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


def _clock(recipe: Recipe, deadline: float | None) -> Any:
    """Return the callback that tells of each epoch, and ends the fit when its time is over."""
    callbacks: Any = load_keras().callbacks

    class Clock(callbacks.Callback):
        stopped = False
        best = np.inf

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            told: tuple[float | None, float | None] = (None, None)
            if recipe.shown is not None:
                name = recipe.shown.score
                score = logs[f"val_{name}"]
                self.best = min(self.best, score)
                told = as_people_say(name, score), as_people_say(name, self.best)
            emit(EpochEnded(epoch + 1, recipe.epochs, logs["loss"], logs["val_loss"], *told))
            late = deadline is not None and time.monotonic() >= deadline
            if late and not self.model.stop_training and epoch + 1 < recipe.epochs:
                self.stopped = self.model.stop_training = True

    return Clock()
