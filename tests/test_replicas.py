"""Networks trained together: each learns what it would learn alone."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.errors import ModelError
from pipeline.models import program, replicas
from pipeline.models.backend import load_keras, seeded
from pipeline.models.epochs import train
from pipeline.models.learning import Recipe
from pipeline.models.networks import dnn
from pipeline.models.replicas import Replica, Task
from pipeline.progress import EpochEnded, Event, Note, listening

pytestmark = pytest.mark.slow
keras = load_keras()
RECIPE = Recipe(loss="squared_error", epochs=12, batch_size=16, learning_rate=0.01, patience=4)

HASTY = replace(RECIPE, learning_rate=0.05, epochs=20, patience=2)


def build(task: Task, seed: int) -> Any:
    """Return a network with dropout and a moving average, so that chance and state are tried."""
    with seeded(seed):
        inputs = keras.Input((task.x.shape[1],))
        x = keras.layers.BatchNormalization()(inputs)
        n_outputs = int(task.y.max()) + 1 if task.y.dtype.kind == "i" else task.y.shape[1]
        return keras.Model(inputs, dnn(x, n_outputs, units=(8, 4), dropout=0.2))


def task(n: int, seeds: Sequence[int], *, n_columns: int = 4, **changes: Any) -> Task:
    """Return n rows whose first column tells the target, and every fifth of them held out."""
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, n_columns)).astype("float32")
    y = (x[:, :1] + 0.3 * rng.normal(size=(n, 1))).astype("float32")
    return replace(Task(x=x, y=y, holdout=np.arange(0, n, 5), seeds=tuple(seeds)), **changes)


def said(replica: Replica, x: np.ndarray) -> np.ndarray:
    return np.asarray(replica.model(x, training=False))


def check_same(one: Replica, other: Replica, x: np.ndarray) -> None:
    assert one.best_epoch == other.best_epoch
    assert one.history.keys() == other.history.keys()
    for name, losses in one.history.items():
        assert other.history[name] == pytest.approx(losses, abs=1e-4)
    assert said(one, x) == pytest.approx(said(other, x), abs=1e-4)


def test_replicas_together_are_the_replicas_alone() -> None:
    """Folds of other lengths, columns and numbers of seeds, each stopped at its own time."""
    tasks = [task(61, [1, 2]), task(80, [3]), task(97, [4, 5], n_columns=6)]
    together = train(build, tasks, HASTY)
    assert [len(own) for own in together] == [2, 1, 2]
    for own, found in zip(tasks, together, strict=True):
        for seed, replica in zip(own.seeds, found, strict=True):
            ((alone,),) = train(build, [replace(own, seeds=(seed,))], HASTY)
            check_same(replica, alone, own.x)
    lengths = {len(r.history["loss"]) for found in together for r in found}
    assert len(lengths) > 1, "all stopped together, so nothing was tried"


def test_a_smaller_program_for_those_who_still_learn_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tasks = [task(61, range(5)), task(80, [7])]
    whole = train(build, tasks, HASTY)
    monkeypatch.setattr(replicas, "COMPACT_STEPS", 1)
    monkeypatch.setattr(replicas, "CALL_SECONDS", 0.0)  # an epoch a call, however fast they are
    sizes = set()
    run = program.Program.run
    monkeypatch.setattr(
        program.Program, "run", lambda self, *a: (sizes.add(self.n_replicas), run(self, *a))[1]
    )
    shrunk = train(build, tasks, HASTY)
    assert min(sizes) < max(sizes) == 6
    for own, a, b in zip(tasks, whole, shrunk, strict=True):
        for one, other in zip(a, b, strict=True):
            check_same(one, other, own.x)


def test_the_model_is_an_ordinary_one_and_says_what_the_program_said() -> None:
    ((replica,),) = train(build, [task(61, [1])], RECIPE)
    own = task(61, [1])
    held_out = said(replica, own.x[own.holdout])
    loss = np.mean(np.square(held_out - own.y[own.holdout]))
    assert loss == pytest.approx(min(replica.history["val_loss"]), abs=1e-5)
    assert replica.history["val_loss"].index(min(replica.history["val_loss"])) + 1 == (
        replica.best_epoch
    )
    assert type(replica.model).__module__.startswith("keras.")


def test_a_second_call_of_the_same_shape_compiles_nothing() -> None:
    def traces() -> int:
        return sum(p._epochs.experimental_get_tracing_count() for p in program._programs.values())

    train(build, [task(61, [1, 2])], RECIPE)
    before = len(program._programs), traces()
    train(build, [task(83, [5]), task(70, [6])], replace(RECIPE, learning_rate=0.02, epochs=3))
    assert (len(program._programs), traces()) == before


def test_rows_held_out_and_rows_of_no_weight_teach_nothing() -> None:
    own = task(61, [1])
    weight = np.ones(61, "float32")
    weight[1:20] = 0
    poisoned = own.y.copy()
    poisoned[1:20] = 1e6
    poisoned[own.holdout] = -1e6
    once = replace(RECIPE, epochs=2, patience=None)
    ((clean,),) = train(build, [replace(own, weight=weight)], once)
    ((other,),) = train(build, [replace(own, weight=weight, y=poisoned)], once)
    assert clean.history["loss"] == other.history["loss"]
    assert clean.history["val_loss"] != other.history["val_loss"]


def test_missing_targets_teach_nothing_and_the_others_of_their_row_do() -> None:
    own = task(61, [1])
    both = np.column_stack([own.y[:, 0], np.full(61, np.nan)]).astype("float32")
    ((alone,),) = train(build, [own], RECIPE)
    ((beside,),) = train(build, [replace(own, y=both)], RECIPE)
    assert np.isfinite(beside.history["loss"]).all()
    assert beside.history["loss"][-1] == pytest.approx(alone.history["loss"][-1], abs=0.3)
    assert np.corrcoef(said(beside, own.x)[:, 0], own.y[:, 0])[0, 1] > 0.5


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("score", ["roc_auc", "accuracy", "log_loss"])
def test_classes_are_learned_and_stopped_by_a_declared_score(n_classes: int, score: str) -> None:
    own = task(90, [1])
    codes = np.digitize(own.y, [0] if n_classes == 2 else [-0.5, 0.5]).astype("float32")
    loss = "binary_crossentropy" if n_classes == 2 else "categorical_crossentropy"

    def classifier(task: Task, seed: int) -> Any:
        with seeded(seed):
            inputs = keras.Input((task.x.shape[1],))
            return keras.Model(inputs, dnn(inputs, 1 if n_classes == 2 else 3, units=(8,)))

    recipe = replace(RECIPE, loss=loss, score=score, epochs=20)
    ((replica,),) = train(classifier, [replace(own, y=codes)], recipe)
    watched = replica.history[f"val_{score}"]
    assert replica.best_epoch == int(np.argmin(watched)) + 1
    assert min(watched) < watched[0] or replica.best_epoch == 1
    if score != "log_loss":
        assert -1 <= min(watched) < -0.5


def test_numbers_are_scored_on_their_own_scale() -> None:
    own = task(61, [1], center=np.array([100.0]), spread=np.array([10.0]))
    ((replica,),) = train(build, [own], replace(RECIPE, score="rmse"))
    rmse, loss = replica.history["val_rmse"], replica.history["val_loss"]
    assert rmse == pytest.approx(10 * np.sqrt(loss), rel=1e-4)


def test_without_held_out_rows_the_last_epoch_is_kept() -> None:
    own = task(61, [1, 2], holdout=np.arange(0))
    (found,) = train(build, [own], replace(RECIPE, patience=None, epochs=5))
    assert [replica.best_epoch for replica in found] == [5, 5]
    assert "val_loss" not in found[0].history


def test_epochs_leave_out_what_fills_no_batch_if_that_is_wanted() -> None:
    steps = replace(RECIPE, epochs=1, drop_remainder=True, batch_size=40)
    few = task(50, [1], holdout=np.arange(0))  # one step either way
    ((dropped,),) = train(build, [few], steps)
    ((padded,),) = train(build, [few], replace(steps, drop_remainder=False))
    assert dropped.history["loss"] != padded.history["loss"]
    fewer = task(30, [1], holdout=np.arange(0))  # not one whole batch: it is padded
    ((replica,),) = train(build, [fewer], steps)
    assert np.isfinite(replica.history["loss"]).all()


def test_time_that_is_over_ends_all_of_them_with_their_best_epochs() -> None:
    ((one, other),) = train(build, [task(61, [1, 2])], RECIPE, deadline=time.monotonic())
    assert len(one.history["loss"]) == len(other.history["loss"]) == 1
    assert one.stopped_by_time
    assert other.stopped_by_time


def test_each_epoch_is_told_once_with_the_mean_of_those_who_learned() -> None:
    heard: list[Event] = []
    with listening(heard.append):
        (found,) = train(build, [task(61, [1, 2])], replace(RECIPE, epochs=3, patience=None))
    losses = np.mean([replica.history["loss"] for replica in found], axis=0)
    assert [event.epoch for event in heard if isinstance(event, EpochEnded)] == [1, 2, 3]
    told = [event.loss for event in heard if isinstance(event, EpochEnded)]
    assert told == pytest.approx(losses, rel=1e-6)


def test_one_that_explodes_is_an_error_that_says_what_to_try() -> None:
    message = r"^the loss is not finite after 1 epoch; learning_rate: try less than 1e\+30$"
    with pytest.raises(ModelError, match=message):
        train(build, [task(61, [1, 2])], replace(RECIPE, learning_rate=1e30))


def convolution(task: Task, seed: int) -> Any:
    """Return a network whose layers have no rule for replicas."""
    with seeded(seed):
        inputs = keras.Input((task.x.shape[1],))
        x = keras.layers.Reshape((-1, 1))(inputs)
        x = keras.layers.Conv1D(4, 2, activation="relu")(x)
        return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))


def test_networks_that_cannot_learn_together_learn_one_by_one_and_it_is_said() -> None:
    heard: list[Event] = []
    recipe = replace(RECIPE, epochs=4)
    with listening(heard.append):
        first, second = train(convolution, [task(61, [1]), task(61, [2])], recipe)
    (note,) = [event for event in heard if isinstance(event, Note)]
    assert note.text.startswith("one network after the other: layer 'conv1d")
    for (replica,) in (first, second):
        assert np.corrcoef(said(replica, task(61, [1]).x)[:, 0], task(61, [1]).y[:, 0])[0, 1] > 0.3


def test_rows_of_no_weight_teach_nothing_where_networks_learn_one_by_one() -> None:
    own = task(61, [1])
    weight = np.ones(61, "float32")
    weight[1:20] = 0
    poisoned = np.where(weight[:, None] > 0, own.y, 1e6).astype("float32")
    once = replace(RECIPE, epochs=1, patience=None)
    said_of = [
        said(train(convolution, [replace(own, y=y, weight=weight)], once)[0][0], own.x)
        for y in (own.y, poisoned)
    ]
    assert np.array_equal(*said_of)


def test_networks_of_other_architectures_learn_in_groups() -> None:
    def either(task: Task, seed: int) -> Any:
        with seeded(seed):
            inputs = keras.Input((task.x.shape[1],))
            return keras.Model(inputs, dnn(inputs, 1, units=(4,) * (task.x.shape[1] - 3)))

    found = train(either, [task(61, [1]), task(61, [2], n_columns=5), task(61, [3])], RECIPE)
    counts = [len(replica.model.weights) for (replica,) in found]
    assert counts == [4, 6, 4]
