"""train without a model: all that a time budget bears, blended, and a run at any moment."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.budget import WORTH_REPEATING, Entry, Pass, Schedule, Unit
from pipeline.cache import frame_digest
from pipeline.cleaning import clean_rows
from pipeline.competition import ModelChoice
from pipeline.decisions import Decided, decide, fold_scores, standard_error
from pipeline.ensemble import Blend, Candidates, Mixer, choose_blend
from pipeline.errors import ModelError, PipelineError, WorkerError
from pipeline.execution import Ended, Executor, Shared, Workers, has_networks
from pipeline.importance import Importance
from pipeline.ledger import load_ledger
from pipeline.metrics import metric_of
from pipeline.portfolio import Size, has_many_levels, is_skewed, make_portfolio
from pipeline.progress import (
    BudgetSpent,
    Note,
    Warned,
    Working,
    counted,
    emit,
    kept_folds,
    only_listening,
)
from pipeline.runs import Run, UnfinishedRun
from pipeline.splits import check_folds
from pipeline.stages.asking import Asked, ask_blend
from pipeline.stages.estimating import warn_of_leaks
from pipeline.stages.folding import data_digest
from pipeline.stages.opening import Data, Declared, Opened
from pipeline.stages.placing import Where
from pipeline.stages.preparing import row_note
from pipeline.stages.recording import (
    Log,
    Outcome,
    blend_record,
    spread,
    tell_decision,
    write_run,
)
from pipeline.stages.spreading import threads_of
from pipeline.stages.studying import (
    MOST_SECONDS,
    attempt,
    compare_members,
)
from pipeline.stages.units import (
    MEMBERS,
    Done,
    Task,
    all_folds,
    carry_out,
    get_ready,
    keep_estimators,
)
from pipeline.storage import check_writable, scratch_folder
from pipeline.training import Lesson, is_refitted, joined_lesson
from pipeline.workspace import Workspace

LABEL = "auto"
TICK = 0.5  # seconds between two looks at the clock
BETWEEN = 0.08  # of the budget passes at least between two runs that are kept on the way
MARGIN = 1.0  # seconds that the end of a command takes besides what was measured
ASKING = 0.04  # of the budget is for what columns are worth, if that is enough to ask anything
LEAST_ASKING = 1.0  # seconds
INTERRUPTED = "the work was interrupted before it"
ON_THE_WAY = "this run was kept on the way, and it is found out at the end"


@dataclass(frozen=True, eq=False)
class Member:
    """A configuration with all its passes, their predictions averaged.

    oof, test: (n_samples, n_columns) and (n_test, n_columns). keys: of the fits in the cache that
    predict the test. first_keys: of its first pass, whatever they predict. histories: of its first
    pass. passes: what moves the seeds of each, from 0. refits: how many fits are on all rows.
    """

    number: int
    entry: Entry
    oof: np.ndarray
    test: np.ndarray
    seconds: float
    keys: list[str]
    first_keys: list[str]
    histories: dict[int, pd.DataFrame]
    passes: list[int]
    refits: int
    is_cut: bool

    @property
    def repeats(self) -> int:
        """How many passes there are."""
        return len(self.passes)


@dataclass(frozen=True, eq=False)
class Mixed:
    """Members, what each weighs, and what their blend says; score is honest, plain is not."""

    members: list[Member]
    mixer: Mixer
    way: str
    fold: np.ndarray
    oof: np.ndarray
    test: np.ndarray
    decided: Decided
    plain: float
    candidates: Candidates
    ways: dict[str, float] = field(default_factory=dict)


@dataclass(eq=False)
class Effort:
    """One command's work as it stands: what is known, what is planned, what is kept."""

    opened: Opened
    data: Data
    task: Task
    schedule: Schedule
    fold: np.ndarray  # (n_samples,), the number of the fold that predicts each row, or -1
    seconds: float
    began: float
    log: Log
    ending: float  # seconds that a blend and its run take
    asking: float  # seconds that are kept for what columns are worth
    command: str
    kept: Run | None = None
    kept_at: float = 0.0
    n_whole: int = 0  # passes
    n_kept: int = 0  # of them, in the run that is kept
    n_weighed: int = 0  # of them, when weights were last chosen
    mixed: tuple[tuple[int, bool, bool], Mixed] | None = None  # the last blend, and of what
    interrupted: bool = False
    told: set[str] = field(default_factory=set)  # warnings of workers

    @property
    def deadline(self) -> float:
        """When the command shall be over."""
        return self.began + self.seconds


def train_all(
    opened: Opened,
    data: Data,
    workers: Executor,
    log: Log,
    *,
    chosen: Sequence[ModelChoice],
    seconds: float,
    seed: int,
    command: str = "",
    fresh: bool = False,
) -> Run:
    """Train what the budget bears, and leave one run of the best blend behind.

    workers: begun while the files were read. chosen: the models that were named, or none for all.
    seconds: from the command's begin to its end. command: what repeats it. fresh: finished work is
    not looked for.
    Raises the first model's PipelineError if no model could be fitted.
    """
    began = time.monotonic() - log.age
    competition = opened.competition
    for folder in (opened.workspace.runs, opened.workspace.cache(opened.name)):
        check_writable(folder)
    folds = all_folds(data.train, data.test, competition)
    check_folds([fold for fold in folds if len(fold.valid)], len(data.train))
    emit(row_note(*clean_rows(data.train, competition.cleaning)))
    n_outputs = len(competition.outputs) if data.labels is None else len(data.labels)
    most = max(len(fold.train) for fold in folds)
    many = has_many_levels(data.train.X, competition.columns.text)
    skewed = data.labels is None and is_skewed(data.train.y)
    refitted = is_refitted(competition, len(data.train))
    size = Size(most, data.train.X.shape[1], n_outputs, len(folds), many, skewed, refitted)
    entries = make_portfolio(competition, size, chosen)
    task = Task(
        declared=Declared.of(opened),
        choices=tuple(entry.choice for entry in entries),
        n_splits=competition.validation.n_splits,
        scheme=competition.validation.scheme,
        rule=competition.validation.rule,
        seed=seed,
        train=data.train,
        test=data.test,
        labels=data.labels,
        of_train=data_digest(data.train),
        of_test=frame_digest(data.test.X),
        fresh=fresh,
    )
    ending = max(2.0, log.age / 2)  # as long as files were read, as long they are written
    asking = min(MOST_SECONDS, ASKING * seconds)
    asking = asking if asking >= LEAST_ASKING else 0.0
    stop_at = began + seconds - MARGIN - ending - asking
    schedule = Schedule(entries, len(folds), len(workers), stop_at, time.monotonic)
    fold = np.full(len(data.train), -1)
    for one in folds:
        fold[one.valid] = one.number
    effort = Effort(
        opened, data, task, schedule, fold, seconds, began, log, ending, asking, command
    )
    with scratch_folder(opened.workspace.cache(opened.name)) as scratch:
        shared = workers.share(task, scratch)
        mixed: Mixed | None = None
        importance: Importance | str = INTERRUPTED
        try:
            _work(effort, workers, shared)
            mixed = _mix(effort) if effort.n_whole else None
            if mixed is not None:
                blend = mixed
                importance = attempt(
                    "the importance of columns",
                    lambda: _ask(effort, blend, workers, shared),
                    "it could not be found out",
                )
        except KeyboardInterrupt:
            effort.interrupted = True
        except WorkerError as error:  # nobody is left who could go on
            if not effort.n_whole:
                raise
            emit(Warned(str(error)))
        workers.stop()
    return _finish(effort, mixed, importance)


def _work(effort: Effort, workers: Executor, shared: Shared) -> None:
    """Keep the workers busy until the time is over or nothing is left to do."""
    schedule = effort.schedule
    _hand_out(schedule, workers, shared)
    warn_of_leaks(effort.opened.competition, effort.data)  # the workers are busy meanwhile
    while True:
        _hand_out(schedule, workers, shared)
        if workers.is_idle:
            if effort.n_weighed == effort.n_whole or schedule.left < effort.ending:
                return
            _prefer(effort, _mix(effort))  # the last weights may ask for fits on all rows
            continue
        for ended in workers.wait(min(TICK, max(schedule.left, 0.0))):
            _take(effort, ended)
        _settle(effort)
        spent = time.monotonic() - effort.began
        emit(BudgetSpent(spent, effort.seconds, _state(effort), _working(effort, workers)))
        if schedule.left <= 0 and (effort.n_whole or schedule.left < -effort.seconds):
            return
        if schedule.left <= 0 and not workers:
            raise WorkerError(f"no worker came within {effort.seconds:.0f} s; start some")
        _keep_so_far(effort)


def _hand_out(schedule: Schedule, workers: Executor, shared: Shared) -> None:
    """Give each worker that has nothing to do what is worth most, if anything fits."""
    schedule.n_workers = max(1, len(workers))
    for worker in workers.free:
        unit = schedule.next(with_networks=has_networks(worker.number))
        if unit is not None:
            worker.do(carry_out, (shared, unit, _lesson(schedule, unit)))


def _lesson(schedule: Schedule, unit: Unit) -> Lesson:
    """Return what a fit on all rows has to know: what the first pass over the folds has taught."""
    if not unit.is_refit:
        return Lesson()
    done: list[Done] = list(schedule.passes[unit.entry, 0].results.values())  # type: ignore[arg-type]
    return joined_lesson([one.lesson for one in done])


def _take(effort: Effort, ended: Ended) -> None:
    """Note what a unit came to."""
    unit: Unit = ended.work[1]
    label = effort.schedule.entries[unit.entry].choice.label
    if ended.error is not None:
        effort.schedule.give_up(unit, str(ended.error))
        emit(Warned(f"{label}{_missed(unit, effort.schedule.n_folds)}: {ended.error}"))
        return
    done: Done = ended.result
    for text in done.warnings:
        if text not in effort.told:  # each worker has the same to say of a full disk
            emit(Warned(f"{label}: {text}"))
        effort.told.add(text)
    if done.stopped_by_time and effort.opened.elsewhere is not None:
        effort.opened.cache.clear(done.key)  # what is here of that name is an earlier command's
    delay = max(0.0, ended.seconds - done.seconds)
    if effort.schedule.take(unit, done.seconds, done, delay):
        effort.n_whole += 1
        if not unit.repeat and not unit.is_refit:
            _tell_member(effort, unit.entry)


def _missed(unit: Unit, n_folds: int) -> str:
    """Return what a blend lacks without a unit."""
    if unit.is_refit:
        return f" is predicted by its folds' fits, without that on {_what(unit, n_folds)}"
    return f" goes on without {_what(unit, n_folds)}" if unit.repeat else " is left out"


def _tell_member(effort: Effort, number: int) -> None:
    member = _member(effort, number, effort.schedule.whole()[number])
    rows = ~np.isnan(member.oof[:, 0])
    competition = effort.opened.competition
    metric = metric_of(competition)
    score = metric(np.asarray(effort.data.train.y)[rows], member.oof[rows], effort.data.labels)
    label = member.entry.choice.label
    cut = ", cut short" if member.is_cut else ""
    facts = {"label": label, "score": score, "seconds": member.seconds}
    emit(Note("model", f"{label:<24} {score:.5f}  {member.seconds:6.1f} s{cut}", facts))


def _state(effort: Effort) -> str:
    """Return how many models there are, and what their best blend so far scores."""
    models = counted(len(effort.schedule.whole()), "model")
    if effort.kept is None:
        return f"{models} so far"
    best = f"{effort.opened.competition.metric} {effort.kept.record['score']:.5f}"
    return f"{models} so far, their blend {best}"


def _working(effort: Effort, workers: Executor) -> tuple[Working, ...]:
    """Return what each worker does now."""
    now = time.monotonic()
    return tuple(
        Working(
            one.number,
            effort.schedule.entries[one.work[1].entry].choice.label,
            _what(one.work[1], effort.schedule.n_folds),
            now - one.started,
            one.name,
        )
        for one in workers.each
        if one.work is not None
    )


def _what(unit: Unit, n_folds: int) -> str:
    """Return which folds a unit is, and which set of them, or which fit on all rows."""
    if unit.is_refit:
        return f"all rows, fit {unit.repeat + 1}"
    folds = f"fold {unit.folds[0] + 1} of {n_folds}"
    if len(unit.folds) > 1:
        folds = counted(len(unit.folds), "fold")
    return f"{folds}, set {unit.repeat + 1}" if unit.repeat else folds


def _member(effort: Effort, number: int, passes: Sequence[Pass]) -> Member:
    """Return a configuration's passes as one: the mean of their predictions."""
    oofs, tests, keys, is_cut = [], [], [], False
    firsts: list[Done] = [passes[0].results[unit] for unit in sorted(passes[0].results)]  # type: ignore[misc]
    histories = {number: rows for done in firsts for number, rows in done.histories.items()}
    for one in passes:
        results: list[Done] = [one.results[unit] for unit in sorted(one.results)]  # type: ignore[misc]
        n_columns = results[0].valid[0][2].shape[1] if results[0].valid else 0
        oof = np.full((len(effort.data.train), n_columns), np.nan)
        for done in results:
            for _, rows, prediction in done.valid:
                oof[rows] = prediction
        oofs.append(oof)
        tests.append(np.nanmean([test for done in results for test in done.test], axis=0))
        keys += [done.key for done in results if done.test]
        is_cut |= any(done.stopped_by_time for done in results)
    seconds = sum(sum(one.seconds) for one in passes)
    entry = effort.schedule.entries[number]
    oof, test = np.mean(oofs, axis=0), np.mean(tests, axis=0)
    return Member(
        number,
        entry,
        oof,
        test,
        seconds,
        keys,
        [done.key for done in firsts],
        histories,
        [one.repeat for one in passes],
        0,
        is_cut,
    )


def _refitted(effort: Effort, member: Member, weight: float) -> Member:
    """Return the member as its fits on all rows predict, if it weighs enough and all are there.

    What weighs less may or may not have had the time for them, so that they never count.
    """
    done: list[Done] = effort.schedule.refitted(member.number)  # type: ignore[assignment]
    if not done or weight <= WORTH_REPEATING:
        return member
    test = np.nanmean([test for one in done for test in one.test], axis=0)
    seconds = member.seconds + sum(one.seconds for one in done)
    keys = [one.key for one in done]
    return replace(member, test=test, seconds=seconds, keys=keys, refits=len(done))


def _mix(effort: Effort, *, firsts_only: bool = False) -> Mixed:
    """Return the blend of all that is whole, made anew only if that has changed."""
    state = effort.n_whole, firsts_only, effort.schedule.is_settled
    if effort.mixed is None or effort.mixed[0] != state:
        effort.mixed = state, _mixed(effort, firsts_only=firsts_only)
    return effort.mixed[1]


def _mixed(effort: Effort, *, firsts_only: bool) -> Mixed:
    competition, data = effort.opened.competition, effort.data
    whole = effort.schedule.whole(firsts_only=firsts_only)
    members = [_member(effort, number, passes) for number, passes in whole.items()]
    fold, covered = effort.fold, effort.fold >= 0
    candidates = Candidates(
        predictions=np.array([member.oof[covered] for member in members]),
        y=np.asarray(data.train.y)[covered],
        fold=fold[covered],
        metric=metric_of(competition),
        labels=data.labels,
        target=competition.target,
    )
    if len(members) == 1:
        return _alone(_refitted(effort, members[0], 1.0), candidates, fold)
    found: Blend = choose_blend(candidates)
    weights = np.abs(found.mixer.weights).mean(axis=1)
    members = [
        _refitted(effort, member, weight) for member, weight in zip(members, weights, strict=True)
    ]
    oof = spread(found.oof, fold)
    test = found.mixer(np.array([member.test for member in members]))
    return Mixed(
        members, found.mixer, found.way, fold, oof, test, found.decided, found.plain, candidates,
        {str(way): score for way, score in found.ways.items()},
    )  # fmt: skip


def _alone(member: Member, candidates: Candidates, fold: np.ndarray) -> Mixed:
    """Return the only member as a blend of one."""
    prediction = candidates.predictions[0]
    decided = decide(
        candidates.y, prediction, candidates.fold, candidates.metric, candidates.labels
    )
    mixer = candidates.mixer(np.ones((1, 1)))
    return Mixed(
        [member], mixer, "best", fold, member.oof, member.test, decided, decided.score, candidates
    )


def _keep_so_far(effort: Effort) -> None:
    """Leave a complete run of what there is, now and then, for whatever may happen."""
    now = time.monotonic()
    is_time = effort.kept is None or now - effort.kept_at > BETWEEN * effort.seconds
    if effort.n_whole == effort.n_kept or not is_time or effort.schedule.left < effort.ending:
        return
    with only_listening(lambda event: None):
        kept = _keep(effort, _mix(effort), ON_THE_WAY, is_last=False)
    emit(Note("kept", f"{kept.id}, {kept.record['score']:.5f}", {"run": kept.id}))
    effort.kept_at = time.monotonic()
    effort.ending = 1.25 * (effort.kept_at - now)
    effort.schedule.stop_at = effort.deadline - MARGIN - effort.ending - effort.asking


def _keep(effort: Effort, mixed: Mixed, importance: Importance | str, *, is_last: bool) -> Run:
    """Write a run of all that is whole, and remove the one before it."""
    before, effort.n_kept = effort.kept, effort.n_whole
    _prefer(effort, mixed)
    if is_last:
        _tell(effort, mixed)
    effort.kept = write_run(
        effort.opened, effort.data, _outcome(effort, mixed, importance, is_last), effort.log
    )
    if before is not None:
        _remove(effort, before)
    return effort.kept


def _settle(effort: Effort) -> None:
    """Choose what is fitted on all rows and repeated, once every configuration had its first pass.

    Late in the budget, also whenever there is something new to choose from.
    """
    schedule = effort.schedule
    if schedule.is_settled or not effort.n_whole:
        return
    is_new = effort.n_whole > effort.n_weighed
    if schedule.is_first_over or (schedule.is_late and is_new and schedule.left > effort.ending):
        _prefer(effort, _mix(effort, firsts_only=schedule.is_first_over))


def _prefer(effort: Effort, mixed: Mixed) -> None:
    effort.n_weighed = effort.n_whole
    weights = zip(mixed.members, np.abs(mixed.mixer.weights).mean(axis=1), strict=True)
    effort.schedule.prefer({one.number: float(weight) for one, weight in weights})


def _remove(effort: Effort, run: Run) -> None:
    """Remove a run that a better one has replaced, unless it was handed in meanwhile."""
    handed_in = load_ledger(effort.opened.workspace.ledger(effort.opened.name))
    if all(entry.run != run.id for entry in handed_in):
        shutil.rmtree(run.path, ignore_errors=True)


def _outcome(effort: Effort, mixed: Mixed, importance: Importance | str, is_last: bool) -> Outcome:
    labels = [member.entry.choice.label for member in mixed.members]
    together = None
    if len(labels) > 1:
        competition = effort.opened.competition
        together = attempt(
            "the comparison of models",
            lambda: compare_members(mixed.candidates, labels, competition),
            None,
        )

    def save(run: UnfinishedRun) -> None:
        cache = effort.opened.cache
        for member, weights in zip(mixed.members, mixed.mixer.weights, strict=True):
            label = member.entry.choice.label
            if np.any(weights):
                keep_estimators(run, label, member.keys, cache)
            if member.histories:
                parts = [rows.assign(fold=n) for n, rows in sorted(member.histories.items())]
                run.save_frame(f"{MEMBERS}/{label}/history.csv", pd.concat(parts))

    return Outcome(
        label=LABEL,
        fold=mixed.fold,
        oof=mixed.oof,
        answers=spread(mixed.decided.answers, mixed.fold),
        tests=[mixed.test],
        decision=mixed.decided.decision,
        facts=_facts(effort, mixed, is_last),
        save=save,
        importance=importance,
        together=together,
        command=effort.command,
    )


def _facts(effort: Effort, mixed: Mixed, is_last: bool) -> dict[str, Any]:
    """Return what run.json says of a run of many models."""
    data, competition = effort.data, effort.opened.competition
    covered, metric = mixed.fold >= 0, metric_of(competition)
    y = np.asarray(data.train.y)
    answers = mixed.decided.answers
    scores = fold_scores(y[covered], answers, mixed.fold[covered], metric, data.labels)
    left_out = effort.schedule.left_out()
    record = blend_record(
        LABEL, mixed.mixer, mixed.way, mixed.ways, mixed.plain, mixed.decided, scores
    )
    return record | {
        "seed": effort.task.seed,
        "folds": [{"number": number, "score": score} for number, score in enumerate(scores)],
        "members": [
            {
                "run": None,
                **asdict(member.entry.choice),
                "score": metric(y[covered], member.oof[covered], data.labels),
                "standard_error": standard_error(
                    fold_scores(
                        y[covered], member.oof[covered], mixed.fold[covered], metric, data.labels
                    )
                ),
                "weights": weights,
                "seconds": round(member.seconds, 3),
                "expected_seconds": round(member.entry.seconds, 3),
                "repeats": member.repeats,
                "passes": member.passes,
                "refits": member.refits,
                "cut_short": member.is_cut,
                "keys": member.keys,
            }
            for member, weights in zip(mixed.members, mixed.mixer.weights.tolist(), strict=True)
        ],
        "budget": {
            "seconds": effort.seconds,
            "is_finished": is_last,
            "interrupted": effort.interrupted,
            "left_out": {
                effort.schedule.entries[number].choice.label: why
                for number, why in left_out.items()
            },
        },
    }


def _ask(effort: Effort, mixed: Mixed, workers: Executor, shared: Shared) -> Importance | str:
    """Return what columns are worth to the blend, in the time that is kept for it."""
    until = min(time.monotonic() + MOST_SECONDS, effort.deadline - MARGIN - effort.ending)
    members = [
        Asked(one.entry.choice.label, one.number, one.first_keys, one.entry.together)
        for one in mixed.members
    ]
    return ask_blend(
        members,
        mixed.mixer,
        mixed.fold,
        effort.opened.competition,
        effort.data,
        effort.task.seed,
        workers,
        shared,
        until,
    )


def _finish(effort: Effort, mixed: Mixed | None, importance: Importance | str) -> Run:
    """Leave the last and best run, and say what was left out.

    Raises KeyboardInterrupt if that came before any model was whole.
    """
    if not effort.n_whole and effort.interrupted:
        n_done = sum(len(one.results) for one in effort.schedule.passes.values())
        raise KeyboardInterrupt(kept_folds(n_done))
    if not effort.n_whole:
        raise _why_nothing(effort)
    run = _keep(effort, mixed or _mix(effort), importance, is_last=True)
    if effort.interrupted:
        emit(
            Warned(
                "interrupted; the run is of what was finished until then, and the same command "
                "goes on from there"
            )
        )
    return run


def _why_nothing(effort: Effort) -> PipelineError:
    for (number, _), one in effort.schedule.passes.items():
        if one.given_up:
            label = f"models.{effort.schedule.entries[number].choice.label}"
            why = one.given_up
            return ModelError(why if label in why else f"{label}: {why}")
    return ModelError(
        f"no model was fitted within {effort.seconds:.0f} s; give more by --time, or name a quick "
        "one by --model"
    )


def _tell(effort: Effort, mixed: Mixed) -> None:
    """Tell what each member weighs, what was left out, and what the blend is worth."""
    metric = effort.opened.competition.metric
    for number, why in effort.schedule.left_out().items():
        label = effort.schedule.entries[number].choice.label
        emit(Note("left out", f"{label}: {why}", {"label": label, "why": why}))
    for member, weights in zip(mixed.members, mixed.mixer.weights, strict=True):
        if np.any(weights):
            shown = " ".join(f"{weight:6.3f}" for weight in weights)
            sets = f"{counted(member.repeats, 'set')} of folds"
            whole = f", {counted(member.refits, 'fit')} on all rows" if member.refits else ""
            emit(Note("weight", f"{shown}  {member.entry.choice.label:<24} {sets}{whole}"))
    emit(
        Note(
            "blend",
            f"{mixed.way} of {counted(len(mixed.members), 'model')}: {metric} "
            f"{mixed.decided.score:.5f} nested, {mixed.plain:.5f} on the rows that chose it",
            {"score": mixed.decided.score, "plain_score": mixed.plain, "way": mixed.way},
        )
    )
    decided = mixed.decided
    tell_decision(metric, decided.decision, decided.score, decided.plain)


def begin_workers(workspace: Workspace, where: Where, number: int) -> Executor:
    """Begin what carries out units, which makes itself ready while the files are read.

    That are so many worker processes, or the workers of a cluster. Raises PipelineError.
    """
    if where.is_here:
        return Workers(number, get_ready, threads=threads_of(number))
    return where.begin_cluster(workspace, get_ready)
