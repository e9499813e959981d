"""How networks are trained: together in one program, or one by one by Keras itself."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.models.checkpoints import Kept, Store
from pipeline.models.compact import Compact
from pipeline.models.fitting import fit_one
from pipeline.models.learning import Recipe
from pipeline.models.replicas import Replica, Task, fit_replicas, why_not
from pipeline.models.rules import architecture
from pipeline.progress import Note, emit


def train(
    build: Callable[[Task, int], Any],
    tasks: Sequence[Task],
    recipe: Recipe,
    deadline: float | None = None,
    store: Store | None = None,
) -> list[list[Replica]]:
    """Train one network a task and seed, and return them task by task.

    build: from a task and a seed to an untrained functional model from (n_features,) to logits.
    deadline: on the clock of time.monotonic(); as many epochs are planned as end before it.
    store: where trainings are kept while they last, and gone on with; None keeps nothing.
    Raises ModelError if no epoch of a network has a finite loss.
    """
    models = [[build(task, seed) for seed in task.seeds] for task in tasks]
    trained: dict[int, list[Replica]] = {}
    reasons: list[str] = []  # why networks cannot learn together; one is enough to tell
    alike = _alike(models)
    for number, members in enumerate(alike):
        some = [tasks[i] for i in members]
        nets = [models[i] for i in members]
        left = None if deadline is None else deadline - time.monotonic()
        end = None if left is None else time.monotonic() + left / (len(alike) - number)
        reason = _reason(nets[0][0], some)
        if reason is None:
            kept = Kept(store, f"together-{number}")
            trained |= zip(members, fit_replicas(nets, some, recipe, end, kept), strict=True)
        else:
            if not reasons:
                emit(Note("train", f"one network after the other: {reason}"))
            reasons.append(reason)
            places = [[Kept(store, f"{i}-{seed}") for seed in tasks[i].seeds] for i in members]
            fitted = _one_by_one(nets, places, some, recipe, end)
            trained |= zip(members, fitted, strict=True)
    return [trained[i] for i in range(len(tasks))]


def _reason(model: Any, tasks: Sequence[Task]) -> str | None:
    """Return why networks are trained one after the other, or None if they are not."""
    if any(isinstance(task.x, Compact) for task in tasks):
        return "batches of so many rows are gathered as they are needed"
    return why_not(model, {task.x.shape[1] for task in tasks})


def _alike(models: list[list[Any]]) -> list[list[int]]:
    """Return the tasks in groups whose networks differ only in how many columns they take."""
    groups: dict[str, list[int]] = {}
    for number, nets in enumerate(models):
        groups.setdefault(architecture(nets[0]), []).append(number)
    return list(groups.values())


def _one_by_one(
    models: list[list[Any]],
    places: list[list[Kept]],
    tasks: Sequence[Task],
    recipe: Recipe,
    deadline: float | None,
) -> list[list[Replica]]:
    """Train one network after the other, each in its share of the time that is left."""
    left = sum(map(len, models))
    trained: list[list[Replica]] = []
    for nets, own, task in zip(models, places, tasks, strict=True):
        trained.append([])
        for model, seed, kept in zip(nets, task.seeds, own, strict=True):
            now = time.monotonic()
            end = None if deadline is None else now + (deadline - now) / left
            trained[-1].append(fit_one(model, task, seed, recipe, end, kept))
            left -= 1
    return trained
