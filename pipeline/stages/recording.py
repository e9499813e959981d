"""How a finished training is written down: declaration, scores, predictions, estimators, log."""

import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from pipeline.competition import Competition, ModelChoice
from pipeline.metrics import METRICS
from pipeline.progress import Event, Note, Warned, counted, emit
from pipeline.runs import Run, UnfinishedRun, git_state, load_run, start_run, versions
from pipeline.splits import resolve_scheme
from pipeline.stages.opening import Data, Opened
from pipeline.submission import check_submission, make_submission, save_submission
from pipeline.terminal import line
from pipeline.training import CVResult, FoldResult, final_model, predict


@dataclass
class Log:
    """What was told while a run was made."""

    started: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        text = line(event)
        if text:
            self.lines.append(f"{time.monotonic() - self.started:9.1f}  {text}")
        if isinstance(event, Note):
            self.notes.append(event)
        if isinstance(event, Warned):
            self.warnings.append(event.text)


def save_run(
    opened: Opened, choice: ModelChoice, data: Data, result: CVResult, seed: int, log: Log
) -> Run:
    """Predict the test rows, and write a complete run with a checked submission.

    Raises SubmissionError if the submission does not fit the sample, StorageError if the run cannot
    be written; then none becomes visible.
    """
    competition, workspace = opened.competition, opened.workspace
    predictions = predict(result, data.test)
    submission = make_submission(
        competition, data.test.ids, np.mean(predictions, axis=0), data.sample, data.labels
    )
    with start_run(workspace.runs, opened.name, choice.label) as run:
        for name, content in opened.sources.items():
            if name != "sample.py":
                run.save_bytes(name, content)
        run.save_frame("oof.csv", _oof_frame(competition, data, result))
        run.save_frame("test.csv", _test_frame(competition, data, predictions))
        _save_estimators(run, result)
        written = run.folder / "submission.csv"
        save_submission(submission, written, data.style)
        check_submission(competition, written, data.sample, data.labels, data.style)
        text = f"submission.csv, {counted(len(submission), 'row')}, checked against the sample"
        emit(Note("write", text, {"rows": len(submission)}))
        run.save_record(_record(opened, choice, data, result, seed, log) | {"id": run.id})
        run.save_text("train.log", "\n".join(log.lines) + "\n")
    return load_run(workspace.runs / run.id)


def _save_estimators(run: UnfinishedRun, result: CVResult) -> None:
    for one in dict.fromkeys([*result.folds, *result.predicting]):
        number = one.fold.number
        run.save_estimator(number, one.estimator)
        history = getattr(final_model(one.estimator), "history_", None)
        if history is not None:
            epochs = pd.DataFrame(history)
            epochs.insert(0, "epoch", np.arange(1, len(epochs) + 1))
            run.save_frame(f"fold-{number}/history.csv", epochs)


def _oof_frame(competition: Competition, data: Data, result: CVResult) -> pd.DataFrame:
    """Return id, fold, target and out-of-fold prediction of each training row; fold -1: none."""
    fold = np.full(len(data.train), -1)
    for one in result.folds:
        fold[one.fold.valid] = one.fold.number
    target = pd.DataFrame(data.train.y).add_prefix("target_").reset_index(drop=True)
    names = [f"prediction_{name}" for name in column_names(competition, data.labels)]
    frame = pd.DataFrame({"id": data.train.ids.to_numpy(), "fold": fold})
    oof = pd.DataFrame(result.oof, columns=names)
    return pd.concat([frame, target, oof], axis="columns")


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
    return list(competition.columns.target) if labels is None else [str(label) for label in labels]


def _record(
    opened: Opened, choice: ModelChoice, data: Data, result: CVResult, seed: int, log: Log
) -> dict[str, Any]:
    """Return what run.json says."""
    competition = opened.competition
    return {
        "competition": opened.name,
        "title": competition.title,
        "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "model": asdict(choice),
        "seed": seed,
        "metric": competition.metric,
        "greater_is_better": METRICS[competition.metric].greater_is_better,
        "score": result.score,
        "mean": float(np.nanmean(result.fold_scores)),
        "standard_error": result.standard_error,
        "folds": [_fold_record(one) for one in result.folds],
        "refit": _fold_record(result.refit) if result.refit else None,
        "skipped_folds": result.skipped,
        "predicting_folds": [one.fold.number for one in result.predicting],
        "validation": validation_record(competition),
        "target": list(competition.columns.target),
        "labels": None if data.labels is None else data.labels.tolist(),
        "kinds": data.kinds,
        "rows": {"train": len(data.train), "test": len(data.test)},
        "features": list(data.train.X.columns),
        "stages": [asdict(note) for note in log.notes],
        "warnings": log.warnings,
        "origin": data.manifest.origin,
        "data": {file.name: file.sha256 for file in data.manifest.files},
        "versions": versions(),
        "git": git_state(opened.workspace.root),
        "seconds": round(time.monotonic() - log.started, 3),
    }


def validation_record(competition: Competition) -> dict[str, Any]:
    """Return how the folds were made; runs that agree in it have scores that can be compared."""
    scheme = resolve_scheme(competition.validation, competition.task)
    return {**asdict(competition.validation), "scheme": scheme}


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
        "best_epoch": getattr(model, "best_epoch_", None),
        "stopped_by_time": one.stopped_by_time,
    }
