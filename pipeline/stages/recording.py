"""How a finished training is written down: declaration, scores, predictions, estimators, log."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.competition import Competition, ModelChoice
from pipeline.decisions import Decided, Decision, standard_error
from pipeline.devices import device
from pipeline.ensemble import Mixer
from pipeline.importance import Importance
from pipeline.machine import cores
from pipeline.metrics import METRICS
from pipeline.progress import Event, Looked, Note, Warned, counted, emit, only_listening
from pipeline.raw import Manifest
from pipeline.runs import (
    FINDINGS,
    REPORT,
    Run,
    UnfinishedRun,
    git_state,
    list_runs,
    load_run,
    start_run,
    versions,
)
from pipeline.sources.kernels import SUBMISSION, working_folder
from pipeline.splits import resolve_scheme
from pipeline.stages.estimating import leaderboard_record, naive_record
from pipeline.stages.folding import code_of
from pipeline.stages.opening import Data, Opened
from pipeline.stages.reporting import save_report
from pipeline.stages.studying import (
    Together,
    attempt,
    find_importance,
    save_findings,
    seconds_for_importance,
)
from pipeline.stages.units import history_of
from pipeline.storage import save_bytes
from pipeline.submission import check_submission, make_submission, save_submission
from pipeline.terminal import line
from pipeline.training import CVResult, FoldResult, final_model, predict, trains_together

CLOCKS_DIFFER = timedelta(seconds=10)  # of machines that share a workspace


@dataclass
class Log:
    """What was told while a run was made."""

    started: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    suspects: list[str] | None = None  # what may give the answer away, once that was looked for

    @property
    def age(self) -> float:
        """Seconds since it was begun."""
        return time.monotonic() - self.started

    @property
    def text(self) -> str:
        """What is written into train.log."""
        return "\n".join(self.lines) + "\n"

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        text = line(event)
        if text:
            self.lines.append(f"{self.age:9.1f}  {text}")
        if isinstance(event, Note):
            self.notes.append(event)
        if isinstance(event, Looked):
            self.suspects = list(event.found)
        if isinstance(event, Warned):
            self.warnings.append(event.text)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run has found, however it came by it.

    label: of the model, part of the run's id. fold (n_samples,) and oof (n_samples, n_columns): of
    the training rows. answers: what is scored of oof. tests: predictions (n_test, n_columns) of the
    test rows, whose mean counts. decision: what is done to them before they are answers. facts:
    what run.json says of this kind of run. save: writes what belongs to it beside. other_folds: as
    fold, of further repeats. importance: of the columns, or why it is not known. together: how the
    members of a blend are alike. command: what repeats the run.
    """

    label: str
    fold: np.ndarray
    oof: np.ndarray
    answers: np.ndarray
    tests: list[np.ndarray]
    decision: Decision
    facts: dict[str, Any]
    save: Callable[[UnfinishedRun], None]
    other_folds: tuple[np.ndarray, ...] = ()
    importance: Importance | str = "it was not asked for"
    together: Together | None = None
    command: str = ""


def save_run(
    opened: Opened,
    choice: ModelChoice,
    data: Data,
    result: CVResult,
    seed: int,
    log: Log,
    facts: dict[str, Any] | None = None,
    *,
    command: str = "",
    deadline: float | None = None,
) -> Run:
    """Predict the test rows, and write a complete run with a checked submission.

    facts: what run.json shall say besides. command: what repeats the run. deadline: on the clock of
    time.monotonic(), until when columns may be shuffled to find out what they are worth.
    Raises what write_run raises.
    """
    left = None if deadline is None else deadline - time.monotonic()
    seconds = seconds_for_importance(log.age, left)
    outcome = Outcome(
        label=choice.label,
        fold=result.fold_of,
        oof=result.oof,
        answers=result.answers,
        tests=predict(result, data.test),
        decision=result.decision,
        facts=_training_facts(opened.competition, choice, result, seed) | (facts or {}),
        save=lambda run: _save_estimators(run, result),
        other_folds=tuple(repeat.fold_of for repeat in result.repeats[1:]),
        importance=attempt(
            "the importance of columns",
            lambda: find_importance(result, data.train, opened.competition, seed, seconds),
            "it could not be found out",
        ),
        command=command,
    )
    return write_run(opened, data, outcome, log)


def write_run(opened: Opened, data: Data, outcome: Outcome, log: Log) -> Run:
    """Write a complete run with a checked submission.

    Raises SubmissionError if the submission does not fit the sample, StorageError if the run cannot
    be written; then none becomes visible.
    """
    competition, workspace = opened.competition, opened.workspace
    mean = np.nanmean(outcome.tests, axis=0)  # by the strict rule, each has rows of its own
    answers = data.answered(outcome.decision(mean))
    submission = make_submission(competition, data.asked, answers, data.sample, data.labels)
    naive = naive_record(competition, data.train, outcome.answers, outcome.fold)
    leaderboard = leaderboard_record(competition, data, outcome.answers, outcome.fold)
    with start_run(workspace.runs, opened.name, outcome.label) as run:
        for name, content in opened.sources.items():
            if name != "sample.py":
                run.save_bytes(name, content)
        run.save_frame("oof.csv", _oof_frame(competition, data, outcome))
        run.save_frame("test.csv", _test_frame(competition, data, outcome.tests))
        outcome.save(run)
        written = run.folder / "submission.csv"
        save_submission(submission, written, data.style)
        check_submission(competition, written, data.sample, data.labels, data.style)
        text = f"submission.csv, {counted(len(submission), 'row')}, checked against the sample"
        emit(Note("write", text, {"rows": len(submission)}))
        facts = outcome.facts | {"naive": naive, "leaderboard": leaderboard, "id": run.id}
        facts |= {"command": outcome.command, "code": code_of(opened)}
        run.save_record(_record(opened, data, log) | facts)
        studied = (outcome.answers, outcome.importance, outcome.together)
        attempt(FINDINGS, lambda: save_findings(run, competition, data, *studied), None)
        run.save_text("train.log", log.text)  # the page shows it
        attempt(REPORT, lambda: save_report(run, workspace), None)
        run.save_text("train.log", log.text)
    written = workspace.runs / run.id
    hand_to_notebook(written / "submission.csv")
    return load_run(written)


def hand_to_notebook(submission: Path) -> None:
    """Leave a copy where Kaggle takes a notebook's submission, if this is one.

    Raises StorageError.
    """
    folder = working_folder()
    if folder is not None:
        save_bytes(folder / SUBMISSION, submission.read_bytes())
        emit(Note("kaggle", f"{folder / SUBMISSION} is of {submission.parent.name}"))


def _save_estimators(run: UnfinishedRun, result: CVResult) -> None:
    fits = list(dict.fromkeys([*result.folds, *result.predicting]))
    # Large forests are what takes long, and packing them uses any thread; Keras wants only one.
    many = 1 if trains_together(fits[0].estimator) else cores()
    with ThreadPoolExecutor(many) as pool:
        list(pool.map(lambda one: run.save_estimator(one.fold.number, one.estimator), fits))
    for one in fits:
        number = one.fold.number
        history = history_of(one.estimator)
        if history is not None:
            run.save_frame(f"fold-{number}/history.csv", history)


def _oof_frame(competition: Competition, data: Data, outcome: Outcome) -> pd.DataFrame:
    """Return id, fold, target and out-of-fold prediction of each training row; fold -1: none.

    Further repeats have fold_1, fold_2, ... behind them; the prediction is the mean of all.
    """
    target = pd.DataFrame(data.train.y).add_prefix("target_").reset_index(drop=True)
    names = [f"prediction_{name}" for name in column_names(competition, data.labels)]
    frame = pd.DataFrame({"id": data.train.ids.to_numpy(), "fold": outcome.fold})
    oof = pd.DataFrame(outcome.oof, columns=names)
    others = {f"fold_{number}": fold for number, fold in enumerate(outcome.other_folds, start=1)}
    return pd.concat([frame, target, oof, pd.DataFrame(others)], axis="columns")


def _test_frame(
    competition: Competition, data: Data, predictions: list[np.ndarray]
) -> pd.DataFrame:
    """Return the id of every test row and each estimator's prediction of it."""
    names = column_names(competition, data.labels)
    columns = {
        f"{name}_{number}": prediction[:, i]
        for number, prediction in enumerate(predictions)
        for i, name in enumerate(names)
    }
    return pd.DataFrame({"id": data.test.ids.to_numpy(), **columns})


def column_names(competition: Competition, labels: np.ndarray | None) -> list[str]:
    """Return the names of a prediction's columns: the targets, or the classes."""
    return list(competition.outputs) if labels is None else [str(label) for label in labels]


def _record(opened: Opened, data: Data, log: Log) -> dict[str, Any]:
    """Return what run.json says of every run whose rows were read as frames."""
    return run_record(
        opened,
        log,
        data.manifest,
        labels=data.labels,
        kinds=data.kinds,
        rows={"train": len(data.train), "test": len(data.asked)},
        features=list(data.train.X.columns),
    )


def run_record(
    opened: Opened,
    log: Log,
    manifest: Manifest,
    *,
    labels: np.ndarray | None,
    kinds: Mapping[str, Any],
    rows: Mapping[str, int],
    features: Sequence[str],
) -> dict[str, Any]:
    """Return what run.json says of every run."""
    competition = opened.competition
    return {
        "competition": opened.name,
        "title": competition.title,
        "created": _created(opened).isoformat(timespec="milliseconds"),
        "metric": competition.metric,
        "greater_is_better": METRICS[competition.metric].greater_is_better,
        "validation": validation_record(competition),
        "target": list(competition.columns.target),
        "labels": None if labels is None else labels.tolist(),
        "kinds": kinds,
        "rows": rows,
        "features": features,
        "stages": [asdict(note) for note in log.notes],
        "warnings": log.warnings,
        "suspects": log.suspects,
        "origin": manifest.origin,
        "data": {file.name: file.sha256 for file in manifest.files},
        "versions": versions(),
        "device": device(),
        "git": git_state(opened.workspace.root),
        "seconds": round(log.age, 3),
    }


def _created(opened: Opened) -> datetime:
    """Return the time, but never one before a finished run's: the latest run is the newest.

    A clock that was set back is told.
    """
    now = last = datetime.now(UTC)
    with only_listening(lambda event: None):  # kc runs tells of runs that cannot be read
        before = list_runs(opened.workspace.runs, opened.name)
    for run in before:
        with contextlib.suppress(ValueError, TypeError):
            last = max(last, datetime.fromisoformat(str(run.record["created"])))
    if last == now:
        return now
    if last - now > CLOCKS_DIFFER:
        emit(
            Warned(f"the clock says {now:%F %H:%M}, before the last run; this one is put after it")
        )
    return last + timedelta(milliseconds=1)


def _training_facts(
    competition: Competition, choice: ModelChoice, result: CVResult, seed: int
) -> dict[str, Any]:
    """Return what run.json says of a cross-validated model."""
    return {
        "model": asdict(choice),
        "seed": seed,
        "score": result.score,
        "mean": float(np.nanmean(result.fold_scores)),
        "standard_error": result.standard_error,
        "repeats": [repeat.score for repeat in result.repeats],
        "repeat_spread": result.repeat_spread,
        "decision": decision_record(result.decision, result.plain_score),
        "folds": [_fold_record(one) for one in result.folds],
        "refits": [_fold_record(one) for one in result.refits],
        "skipped_folds": result.skipped,
        "predicting_folds": [one.fold.number for one in result.predicting],
    }


def blend_record(
    label: str,
    mixer: Mixer,
    way: str,
    ways: Mapping[Any, float],
    plain: float,
    decided: Decided,
    scores: np.ndarray,
) -> dict[str, Any]:
    """Return what run.json says of every blend, whatever its members are.

    ways: the nested score of each. scores: of the folds, NaN where their rows allow none.
    """
    return {
        "model": {"label": label, "kind": label, "parameters": {"way": way}},
        "score": decided.score,
        "mean": float(np.nanmean(scores)),
        "standard_error": standard_error(scores),
        "decision": decision_record(decided.decision, decided.plain),
        "refits": [],
        "skipped_folds": 0,
        "predicting_folds": [],  # the members' estimators predict
        "blend": {
            "way": way,
            "scale": mixer.scale,
            "lower": mixer.lower,
            "upper": mixer.upper,
            "nested_score": decided.score,
            "plain_score": plain,
            "nested_score_of_each_way": ways,
        },
    }


def spread(values: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return values of the rows that a fold predicted in their places, NaN for the others."""
    whole = np.full((len(fold), values.shape[1]), np.nan)
    whole[fold >= 0] = values
    return whole


def tell_decision(metric: str, decision: Decision, score: float, plain: float | None) -> None:
    """Tell what is done to predictions before they are answers, if anything is."""
    if decision and plain is not None:
        emit(Note("decide", f"{decision}: {metric} {plain:.5f} -> {score:.5f}", asdict(decision)))


def decision_record(decision: Decision, plain_score: float | None) -> dict[str, Any] | None:
    """Return what is done to predictions before they are answers, and the score without it."""
    return {**asdict(decision), "plain_score": plain_score} if decision else None


def decision_of(record: dict[str, Any]) -> Decision:
    """Return what a run does to predictions before they are answers."""
    facts = record.get("decision")
    if not facts:
        return Decision()
    factors = facts["factors"]
    return Decision(None if factors is None else tuple(factors), facts["is_rounded"])


def validation_record(competition: Competition) -> dict[str, Any]:
    """Return how the folds were made; see folds_of for what has to agree."""
    scheme = resolve_scheme(competition.validation, competition.task)
    return {**asdict(competition.validation), "scheme": scheme}


def comparable_runs(competition: Competition, manifest: Manifest, runs: list[Run]) -> list[Run]:
    """Return the runs whose scores can be compared: same files, metric and folds, all fitted."""
    wanted = {
        "metric": competition.metric,
        "data": {file.name: file.sha256 for file in manifest.files},
        "validation": folds_of(validation_record(competition)),
        "skipped_folds": 0,
    }

    def facts(run: Run) -> dict[str, Any]:
        found = {key: run.record[key] for key in wanted}
        return {**found, "validation": folds_of(found["validation"])}

    return [run for run in runs if facts(run) == wanted]


def folds_of(validation: dict[str, Any]) -> dict[str, Any]:
    """Return what of a validation has to agree for scores and rows to be comparable.

    The folds of the first repeat do; how many followed only makes the score steadier.
    """
    return {name: value for name, value in validation.items() if name != "repeats"}


def _fold_record(one: FoldResult) -> dict[str, Any]:
    model = final_model(one.estimator)
    return {
        "number": one.fold.number,
        "score": one.score,
        "seconds": round(one.seconds, 3),
        "train_rows": len(one.fold.train),
        "valid_rows": len(one.fold.valid),
        "dropped_missing": one.dropped.missing,
        "dropped_duplicates": one.dropped.duplicates,
        "dropped_outliers": one.dropped.outliers,
        "best_epoch": getattr(model, "best_epoch_", None),
        "stopped_by_time": one.stopped_by_time,
    }
