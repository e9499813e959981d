"""What a worker process does: the folds of one unit of work, and what they say of the test rows."""

import time
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from pipeline.budget import Unit
from pipeline.cache import Cache, digest, unpack
from pipeline.competition import Competition, ModelChoice, load_competition
from pipeline.data import TestData, TrainData
from pipeline.errors import DataError
from pipeline.execution import Shared
from pipeline.importance import ask_shuffled, rows_to_ask
from pipeline.progress import Event, Warned, emit, only_listening
from pipeline.runs import Run, UnfinishedRun
from pipeline.splits import Fold, all_rows
from pipeline.stages.folding import FoldWork
from pipeline.stages.opening import Declared, Opened, unfitted
from pipeline.training import (
    FoldResult,
    Lesson,
    final_models,
    folds_of,
    lesson_of,
    needs_refit,
    respond,
    respond_test,
)

MEMBERS = "members"  # the folder of a run that has the fits of its members


@dataclass(frozen=True, eq=False)
class Task:
    """What all units of one command share; it is written once and read by each worker.

    choices: the portfolio's. n_splits, scheme, rule: of the folds, as chosen at run time. of_train,
    of_test: the digests of the rows. fresh: whether finished work is not looked for.
    """

    declared: Declared
    choices: tuple[ModelChoice, ...]
    n_splits: int
    scheme: str
    rule: str
    seed: int
    train: TrainData
    test: TestData
    labels: np.ndarray | None
    of_train: str
    of_test: str
    fresh: bool = False


@dataclass(frozen=True, eq=False)
class Done:
    """What a unit came to.

    valid: of each fold, its number, the positions of the rows it predicted out of fold, and their
    predictions. test: predictions (n_test, n_columns) of the test rows, one a fit that may predict
    them. key: of the fits in the cache. lesson: what they teach a fit on all rows. histories: the
    losses by epoch of folds that have them.
    """

    valid: list[tuple[int, np.ndarray, np.ndarray]]
    test: list[np.ndarray]
    seconds: float
    key: str
    stopped_by_time: bool
    warnings: list[str]
    lesson: Lesson
    histories: dict[int, pd.DataFrame]


@dataclass(frozen=True, eq=False)
class Shuffling:
    """What is asked of a configuration's fits: what each column is worth to them.

    shared: the Task. entry: its place in the portfolio. keys: of its fits in the cache.
    """

    shared: Shared
    entry: int
    keys: list[str]
    columns: list[str]
    seconds: float


def get_ready() -> None:
    """Import what most work needs, while the files are still being read elsewhere."""
    import lightgbm  # noqa: F401
    import sklearn.ensemble  # noqa: F401


def carry_out(work: tuple[Shared, Unit, Lesson]) -> Done:
    """Fit the folds of a unit, or all rows, or find them again, and predict the test rows.

    work: the Task, the unit, and what a fit on all rows has to know.
    Raises PipelineError.
    """
    shared, unit, lesson = work
    task, opened = _load(shared)
    choice = task.choices[unit.entry]
    opened = replace(opened, competition=repeated(opened.competition, unit.repeat))
    opened = replace(opened, competition=opened.competition.with_model(choice))
    seed = task.seed + unit.repeat
    told: list[Event] = []
    with only_listening(told.append):
        estimator = unfitted(opened, choice, seed)
        fits = FoldWork(opened, choice, seed, task.train, estimator, task.fresh, task.of_train)
        if unit.is_refit:
            results, key = fits.refit(lesson, unit.max_seconds), fits.refit_key(lesson)
        else:
            every = all_folds(task.train, task.test, opened.competition)
            chosen = [every[number] for number in unit.folds]
            results = [result for result, _ in fits.fit(chosen, unit.max_seconds)]
            key = fits.key(chosen)
        is_cut = any(result.stopped_by_time for result in results)
        if is_cut:
            key = digest(key, "cut")  # kept for its run, and never taken for finished work
            fits.cache.save(key, results)
        started = time.monotonic()
        test = _answer(fits, key, results, task)
    return Done(
        valid=[(r.fold.number, r.fold.valid, r.prediction) for r in results if len(r.fold.valid)],
        test=test,
        seconds=sum(result.seconds for result in results) + time.monotonic() - started,
        key=key,
        stopped_by_time=is_cut,
        warnings=[event.text for event in told if isinstance(event, Warned)],
        lesson=lesson_of([result.estimator for result in results]),
        histories={
            result.fold.number: history
            for result in results
            if len(result.fold.valid) and (history := history_of(result.estimator)) is not None
        },
    )


def shuffle_columns(work: Shuffling) -> dict[int, np.ndarray] | None:
    """Return what the fits say of their validation rows with each column shuffled, by fold.

    As ask_shuffled returns it; None if time ran out, or a fit is not in the cache any more.
    """
    until = time.monotonic() + work.seconds
    task, opened = _load(work.shared)
    cache = opened.results
    found: dict[int, np.ndarray] = {}
    fits: list[FoldResult] = []
    for key in work.keys:
        loaded: list[FoldResult] | None = cache.load(key)
        if loaded is None or time.monotonic() > until:
            return None
        fits += [one for one in loaded if len(one.fold.valid)]
    for one in fits:
        number = one.fold.number
        rows = rows_to_ask(one.fold.valid, len(fits), task.seed, number)
        found[number] = ask_shuffled(
            lambda X, one=one: respond(one.estimator, X, task.labels),  # type: ignore[misc]
            task.train.X.iloc[rows],
            work.columns,
            task.seed,
            number,
            until,
        )
        if np.isnan(found[number]).any():
            return None
    return found


def history_of(estimator: Any) -> pd.DataFrame | None:
    """Return the losses of each epoch, for a sum of those of each part; None without epochs."""
    models = [one for one in final_models(estimator) if getattr(one, "history_", None)]
    frames = [pd.DataFrame(one.history_) for one in models]
    for part, epochs in enumerate(frames):
        epochs.insert(0, "epoch", np.arange(1, len(epochs) + 1))
        if len(frames) > 1:
            epochs.insert(0, "part", estimator.names_[part])
    return pd.concat(frames) if frames else None


def repeated(competition: Competition, repeat: int) -> Competition:
    """Return the competition with the folds of a repeat; the first are those that are declared."""
    return competition.with_validation(seed=competition.validation.seed + repeat)


def all_folds(train: TrainData, test: TestData, competition: Competition) -> list[Fold]:
    """Return the folds, and at their end all rows where these have to predict the test."""
    folds = folds_of(train, test, competition)
    return [*folds, all_rows(len(folds), len(train))] if needs_refit(competition) else folds


def keep_estimators(run: UnfinishedRun, label: str, keys: list[str], cache: Cache) -> None:
    """Keep a member's fits beside its run; what a full disk did not take is missed."""
    missing = [key for key in keys if not cache.has(key)]
    for key in keys:
        if key not in missing:
            run.keep_file(f"{MEMBERS}/{label}/{key}.joblib", cache.path(key))
    if missing:
        emit(Warned(f"{label}: its fits could not be kept, so kc predict will miss them"))


def kept_estimators(run: Run, member: dict[str, Any]) -> list[Any]:
    """Return the fitted estimators of a member that lie beside its run.

    Raises DataError if a file is missing or damaged, TrustError if somebody else wrote it.
    """
    competition = load_competition(run.path / "competition.toml")
    known = run.record["validation"]
    competition = competition.with_validation(scheme=known["scheme"], rule=known["rule"])
    names = [f"{MEMBERS}/{member['label']}/{key}.joblib" for key in member["keys"]]
    found: dict[str, Any] = {name: unpack(run.own_bytes(name)) for name in names}
    for name, results in found.items():
        if results is None:
            raise DataError(f"{run.path / name}: is damaged; train again")
    fits = [one for some in found.values() for one in predicting(some, competition)]
    if known["rule"] == "strict":  # new rows are predicted by the fit that knows most
        last = max(one.fold.number for one in fits)
        fits = [one for one in fits if one.fold.number == last]
    return [one.estimator for one in fits]


def predicting(results: list[FoldResult], competition: Competition) -> list[FoldResult]:
    """Return the fits that may predict the test rows."""
    if needs_refit(competition):
        return [result for result in results if not len(result.fold.valid)]
    return [result for result in results if result.fold.predicts_test]


def _answer(fits: FoldWork, key: str, results: list[FoldResult], task: Task) -> list[np.ndarray]:
    """Return what fits say of the test rows, found again if they were asked before."""
    key = digest(key, task.of_test)
    found: list[np.ndarray] | None = fits.cache.load(key)
    if found is None:
        asked = predicting(results, fits.opened.competition)
        found = [respond_test(one, task.test, task.labels) for one in asked]
        fits.cache.save(key, found)
    return found


@lru_cache(maxsize=1)
def _load(shared: Shared) -> tuple[Task, Opened]:
    task: Task = shared.load()
    opened = task.declared.open()
    competition = opened.competition.with_validation(
        n_splits=task.n_splits, scheme=task.scheme, rule=task.rule
    )
    return task, replace(opened, competition=competition)
