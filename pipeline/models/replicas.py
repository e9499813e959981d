"""Many networks in one program: the folds and seeds of one architecture, trained at once.

A small network on a small table spends its time between steps, not in them. Here the replicas are
a leading axis of every weight; an epoch of all of them, shuffle, batches, steps and the look at the
held-out rows, is one call of a compiled graph. Replicas never meet: each has its rows, its order,
its chance, its best epoch and its end, and learns what it would learn alone.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.models.checkpoints import NOT_KEPT, Checkpoint, Kept
from pipeline.models.learning import Recipe, Shown
from pipeline.models.noise import replica_keys
from pipeline.models.program import Done, Program, Rows, program_of
from pipeline.models.rules import fault, is_wider_harmless
from pipeline.models.scores import as_people_say
from pipeline.progress import EpochEnded, counted, emit

CALL_SECONDS = 0.25  # a call does as many epochs as take about this long
SURE = 0.95  # of the time that is left is planned with
CHANGING = (
    "best",
    "best_epoch",
    "best_shown",
    "epochs",
    "learns",
    "plan",
)  # of a crew, as it is trained
COMPACT_STEPS = 2000  # below them a smaller program costs more to compile than it saves


@dataclass(frozen=True, eq=False)
class Task:
    """The rows of one fold, and the seeds of the networks that learn from them.

    x: (n, n_features) float32. y: (n, n_targets) float32, or codes of classes (n, 1).
    holdout: positions of the rows that say when to stop; without any, the last epoch is kept.
    weight: (n,) or None; how much each row counts.
    center, spread: (n_targets,), what gives numbers their own scale back, for scores on it.
    plan: of an earlier fit that the clock ended, which this one shall repeat; see Replica.
    """

    x: np.ndarray
    y: np.ndarray
    holdout: np.ndarray
    seeds: tuple[int, ...]
    weight: np.ndarray | None = None
    center: np.ndarray | float = 0.0
    spread: np.ndarray | float = 1.0
    plan: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, eq=False)
class Replica:
    """A trained network: a Keras model with the best epoch's weights, and how it got there.

    history: losses epoch by epoch. best_epoch: from 1. stopped_by_time: whether it would have gone
    on. plan: where a clock left time for fewer epochs, from which epoch on how many were planned.
    """

    model: Any
    history: dict[str, list[float]]
    best_epoch: int
    stopped_by_time: bool
    plan: tuple[tuple[int, int], ...] = ()


def fit_replicas(
    models: Sequence[Sequence[Any]],
    tasks: Sequence[Task],
    recipe: Recipe,
    deadline: float | None = None,
    kept: Kept = NOT_KEPT,
) -> list[list[Replica]]:
    """Train the networks of all tasks at once, and return them task by task.

    models: for each task one network a seed, a functional Keras model from (n_features,) to logits,
        its weights as they shall be before the first step. All are of one architecture.
    deadline: on the clock of time.monotonic(); as many epochs are planned as end before it.
    kept: the place of this training on disk, where it is kept meanwhile, and gone on with.
    Raises ModelError if a network has a layer without a rule, or none of its epochs a finite loss.
    """
    models = [model for nets in models for model in nets]
    program, crew = _start(models, tasks, recipe)
    histories = _train(program, crew, recipe, deadline, kept, tasks[0].plan)
    trained = [
        _finished(model, crew.best[number], histories[number], crew, number, recipe)
        for number, model in enumerate(models)
    ]
    ends = np.cumsum([len(task.seeds) for task in tasks])
    return [trained[end - len(task.seeds) : end] for task, end in zip(tasks, ends, strict=True)]


def why_not(model: Any, widths: set[int]) -> str | None:
    """Return why networks like a model cannot be trained together, or None if they can.

    widths: their numbers of features.
    """
    if len(widths) > 1 and not is_wider_harmless(model):
        return f"its layers mix {min(widths)} to {max(widths)} columns, which differ by fold"
    return fault(model)


@dataclass(eq=False)
class _Crew:
    """All replicas of a fit, in their order, as they stand."""

    rows: Rows
    best: list[list[np.ndarray]]
    best_epoch: np.ndarray
    epochs: np.ndarray
    learns: np.ndarray
    best_shown: np.ndarray
    plan: list[tuple[int, int]]


def _start(models: list[Any], tasks: Sequence[Task], recipe: Recipe) -> tuple[Program, _Crew]:
    """Return a program for so many replicas with their first weights in it."""
    widths = {task.x.shape[1] for task in tasks}
    template = max(models, key=lambda model: model.inputs[0].shape[-1])
    reason = why_not(template, widths)
    if reason:
        raise ModelError(f"{reason}; train these networks one by one")
    weights = [model.get_weights() for model in models]
    shapes = tuple(
        tuple(np.max([value.shape for value in values], axis=0).astype(int).tolist())
        for values in zip(*weights, strict=True)
    )
    program = program_of(template, shapes, len(models), recipe)
    firsts = [[_padded(v, shape) for v, shape in zip(own, shapes, strict=True)] for own in weights]
    program.load(firsts)
    rows = _laid_out(tasks, max(widths))
    n = len(models)
    untrained = np.zeros(n, int), np.zeros(n, int), np.ones(n, bool), np.full(n, np.inf)
    return program, _Crew(rows, firsts, *untrained, plan=[])


def _train(
    program: Program,
    crew: _Crew,
    recipe: Recipe,
    deadline: float | None,
    kept: Kept,
    plan: Sequence[tuple[int, int]] = (),
) -> list[dict[str, list[float]]]:
    """Train until every replica has stopped, and return their losses epoch by epoch.

    Where a deadline leaves time for fewer epochs, fewer are planned once their time is known, so
    that a schedule comes to its end: the learning rate of a schedule that is cut off is too high.
    plan: the changes of such a fit, which are made again at the same epochs.
    """
    members = np.arange(len(crew.best))  # which replica stands where in the program
    told: list[dict[str, list[float]]] = [{} for _ in members]
    epoch, together, first, compiled = 0, 1, 0, 0.0
    found = kept.load(recipe.epochs, has_deadline=deadline is not None)
    if found is not None:
        program, members, told, epoch = _taken_up(found, program, crew, recipe)
    while epoch < recipe.epochs and crew.learns.any():
        started = time.monotonic()
        changes = [at - epoch for at, _ in plan if at > epoch]
        some = min(together, recipe.epochs - epoch, *changes)
        done = program.run(crew.rows, members, recipe, epoch, some)
        _note(crew, told, members, done, epoch, recipe)
        epoch += len(done.loss)
        seconds = (time.monotonic() - started) / len(done.loss)
        together = max(1, min(2 * together, int(CALL_SECONDS / seconds)))
        if deadline is not None:
            now = time.monotonic()
            an_epoch = (now - compiled) / (epoch - first) if first else 0.0
            planned = epochs_that_fit(recipe.epochs, epoch, an_epoch, deadline - now)
        else:
            planned = dict(plan).get(epoch, recipe.epochs)
        if planned != recipe.epochs:
            crew.plan.append((epoch, planned))
            recipe = replace(recipe, epochs=planned)
        if not first:  # that call compiled, so its time says nothing of the others
            first, compiled = epoch, time.monotonic()
        program, members = _compacted(program, crew, members, recipe, epoch)
        if kept.is_due:
            kept.save(_put_down(program, crew, members, told, epoch, recipe))
    _keep_best(program, crew, members)
    return told


def _put_down(
    program: Program,
    crew: _Crew,
    members: np.ndarray,
    told: list[dict[str, list[float]]],
    epoch: int,
    recipe: Recipe,
) -> Checkpoint:
    """Return all that changes while replicas learn."""
    facts = {name: getattr(crew, name) for name in CHANGING}
    facts |= {"members": members, "told": told}
    return Checkpoint(epoch, recipe.epochs, program.state(), facts)


def _taken_up(
    checkpoint: Checkpoint, program: Program, crew: _Crew, recipe: Recipe
) -> tuple[Program, np.ndarray, list[dict[str, list[float]]], int]:
    """Return the program, its members, their histories and the epoch, as they were put down."""
    facts = checkpoint.facts
    for name in CHANGING:
        setattr(crew, name, facts[name])
    members = facts["members"]
    program = program_of(program.template, program.shapes, len(members), recipe)
    program.restore(checkpoint.values)
    return program, members, facts["told"], checkpoint.epoch


def epochs_that_fit(planned: int, epoch: int, an_epoch: float, left: float) -> int:
    """Return how many of the planned epochs end in the seconds that are left.

    epoch: how many are done. an_epoch: the seconds that one takes, 0 if not known yet.
    """
    if left <= 0:
        return epoch
    return min(planned, epoch + int(SURE * left / an_epoch)) if an_epoch else planned


def _note(
    crew: _Crew,
    told: list[dict[str, list[float]]],
    members: np.ndarray,
    done: Done,
    epoch: int,
    recipe: Recipe,
) -> None:
    """Add epochs to the histories of those who learned in them, and tell of each."""
    names = {"loss": done.loss, "val_loss": done.valid_loss}
    if recipe.score != "loss":
        names[f"val_{recipe.score}"] = done.score
    if recipe.shown is not None and recipe.shown != Shown(recipe.score):
        names[f"val_{recipe.shown.score}"] = done.shown
    has_valid = bool(crew.rows.n_valid.any())
    for row, learned in enumerate(done.learned):
        for place in np.flatnonzero(learned):
            for name, values in names.items():
                if has_valid or name == "loss":
                    told[members[place]].setdefault(name, []).append(float(values[row, place]))
        valid = float(done.valid_loss[row, learned].mean()) if has_valid else None
        loss = float(done.loss[row, learned].mean())
        scores = _scores(crew, members[learned], done.shown[row, learned], recipe, has_valid)
        emit(EpochEnded(epoch + row + 1, recipe.epochs, loss, valid, *scores))
    crew.learns[members] = done.learns
    crew.epochs[members] += done.learned.sum(axis=0)


def _scores(
    crew: _Crew, members: np.ndarray, shown: np.ndarray, recipe: Recipe, has_valid: bool
) -> tuple[float | None, float | None]:
    """Return the mean score of those who learn, and that of every network's best so far."""
    if recipe.shown is None or not has_valid:
        return None, None
    crew.best_shown[members] = np.fmin(crew.best_shown[members], shown)
    name, best = recipe.shown.score, crew.best_shown.mean()
    return as_people_say(name, float(shown.mean())), as_people_say(name, float(best))


def _compacted(
    program: Program, crew: _Crew, members: np.ndarray, recipe: Recipe, epoch: int
) -> tuple[Program, np.ndarray]:
    """Return a program of half the size once at most half of the replicas still learn.

    When it is worth a compilation is counted in steps, not seconds: the same every time.
    """
    half = -(-len(members) // 2)
    steps = epoch * -(-int(crew.rows.n_train.max()) // recipe.batch_size)
    learning = crew.learns[members]
    if learning.sum() > half or half == len(members) or steps < COMPACT_STEPS:
        return program, members
    if not learning.any():
        return program, members
    stays = np.sort(np.argsort(~learning, kind="stable")[:half])
    _keep_best(program, crew, members)
    smaller = program_of(program.template, program.shapes, half, recipe)
    smaller.take(program, stays)
    return smaller, members[stays]


def _keep_best(program: Program, crew: _Crew, members: np.ndarray) -> None:
    """Take the best weights and epochs out of the program."""
    best = [variable.numpy() for variable in program.best]
    for place, member in enumerate(members):
        crew.best[member] = [values[place] for values in best]
    crew.best_epoch[members] = program.best_epoch.numpy()


def _finished(
    model: Any,
    best: list[np.ndarray],
    history: dict[str, list[float]],
    crew: _Crew,
    number: int,
    recipe: Recipe,
) -> Replica:
    """Return a replica's model with its best weights copied in.

    Raises ModelError if no epoch had a finite loss.
    """
    best_epoch = int(crew.best_epoch[number])
    if not best_epoch:
        raise ModelError(
            f"the loss is not finite after {counted(len(history['loss']), 'epoch')}; "
            f"learning_rate: try less than {recipe.learning_rate:g}"
        )
    shapes = [tuple(variable.shape) for variable in model.weights]
    model.set_weights([w[tuple(map(slice, shape))] for w, shape in zip(best, shapes, strict=True)])
    is_cut = bool(crew.plan) and bool(crew.learns[number])
    return Replica(model, history, best_epoch, is_cut, tuple(crew.plan))


def _padded(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a weight of that shape, with zeros for the columns that its network does not have."""
    behind = [(0, n - m) for n, m in zip(shape, value.shape, strict=True)]
    return np.pad(value, behind) if behind else np.asarray(value)


def _laid_out(tasks: Sequence[Task], width: int) -> Rows:
    """Return the tasks' rows as the program wants them."""
    import tensorflow as tf

    length = max(len(task.x) for task in tasks)
    n_targets = tasks[0].y.shape[1]
    x = np.zeros((len(tasks), length, width), "float32")
    y = np.zeros((len(tasks), length, n_targets), "float32")
    weight = np.zeros((len(tasks), length), "float32")
    for number, task in enumerate(tasks):
        seen = np.setdiff1d(np.arange(len(task.x)), task.holdout)
        order = np.concatenate([seen, np.asarray(task.holdout, int)])
        x[number, : len(order), : task.x.shape[1]] = task.x[order]
        y[number, : len(order)] = task.y[order]
        weight[number, : len(order)] = 1 if task.weight is None else task.weight[order]
    of = np.repeat(np.arange(len(tasks)), [len(task.seeds) for task in tasks])
    n_valid = np.array([len(task.holdout) for task in tasks])
    n_rows = np.array([len(task.x) for task in tasks])
    seeds = [seed for task in tasks for seed in task.seeds]
    center, spread = (
        np.array([np.broadcast_to(value, n_targets) for value in values], "float32")
        for values in ([t.center for t in tasks], [t.spread for t in tasks])
    )
    return Rows(
        x=tf.constant(x.reshape(-1, width)),
        y=tf.constant(y.reshape(-1, n_targets)),
        weight=tf.constant(weight.ravel()),
        length=length,
        task=of.astype("int32"),
        n_train=(n_rows - n_valid)[of].astype("int32"),
        n_valid=n_valid[of].astype("int32"),
        keys=replica_keys(seeds),
        center=center[of],
        spread=spread[of],
    )
