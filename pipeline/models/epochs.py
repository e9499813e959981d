"""The epochs of one fit: shuffled batches, early stopping, and the clock."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.models.backend import load_keras
from pipeline.progress import EpochEnded, emit


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast a model learns; deadline is on the clock of time.monotonic()."""

    epochs: int
    batch_size: int
    patience: int
    learning_rate: float
    seed: int
    deadline: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What happened: losses epoch by epoch, the epoch (from 1) whose weights the model has."""

    history: dict[str, list[float]]
    best_epoch: int
    stopped_by_time: bool


def fit_epochs(
    model: Any, x: np.ndarray, y: np.ndarray, holdout: np.ndarray, loss: str, schedule: Schedule
) -> Outcome:
    """Compile and fit a Keras model in place, and leave it with the best epoch's weights.

    x (n_samples, n_features), y (n_samples, n_columns); holdout: positions of the rows that stop
    the training.
    Raises ModelError if no epoch has a finite loss.
    """
    keras = load_keras()
    seen = np.setdiff1d(np.arange(len(x)), holdout)
    n_steps = -(-len(seen) // schedule.batch_size)
    model.compile(
        keras.optimizers.Adam(schedule.learning_rate),
        loss,
        steps_per_execution=n_steps,  # one call an epoch: calls are what a small net costs
        jit_compile=False,  # XLA on the CPU: epochs of a small network take six times longer
    )
    early = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=schedule.patience, restore_best_weights=True
    )
    clock = _clock(schedule)
    history = model.fit(
        _batches(x[seen], y[seen], schedule),
        shuffle=False,  # the batches are shuffled already
        steps_per_epoch=n_steps,
        epochs=schedule.epochs,
        validation_data=(x[holdout], y[holdout]),
        validation_batch_size=len(holdout),
        callbacks=[early, clock],
        verbose=0,
    )
    if not np.isfinite(early.best):
        raise ModelError(
            f"the loss is not finite after {len(history.epoch)} epochs; "
            f"learning_rate: try less than {schedule.learning_rate:g}"
        )
    return Outcome(history.history, early.best_epoch + 1, clock.stopped)


def _batches(x: np.ndarray, y: np.ndarray, schedule: Schedule) -> Any:
    """Return endless shuffled batches (x, y), in an order that only the seed decides.

    Batches are gathered from constants by shuffled positions: half the time of Dataset.shuffle.
    """
    import tensorflow as tf

    plain = tf.autograph.experimental.do_not_convert  # nothing here is for AutoGraph to rewrite
    rows_x, rows_y = tf.constant(x), tf.constant(y)

    def shuffled(epoch: Any) -> Any:
        seed = [schedule.seed, epoch]
        order = tf.random.experimental.stateless_shuffle(tf.range(len(x)), seed=seed)
        return tf.data.Dataset.from_tensor_slices(order).batch(schedule.batch_size)

    def gather(positions: Any) -> Any:
        return tf.gather(rows_x, positions), tf.gather(rows_y, positions)

    return tf.data.Dataset.counter().flat_map(plain(shuffled)).map(plain(gather)).prefetch(4)


def _clock(schedule: Schedule) -> Any:
    """Return the callback that tells of each epoch, and ends the fit when its time is over."""
    callbacks: Any = load_keras().callbacks

    class Clock(callbacks.Callback):
        stopped = False

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            emit(EpochEnded(epoch + 1, schedule.epochs, logs["loss"], logs["val_loss"]))
            late = schedule.deadline is not None and time.monotonic() >= schedule.deadline
            if late and not self.model.stop_training and epoch + 1 < schedule.epochs:
                self.stopped = self.model.stop_training = True

    return Clock()
