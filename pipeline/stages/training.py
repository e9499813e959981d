"""train: cross-validate one model, and leave a complete run with a checked submission behind."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.cache import Cache, array_digest, code_digest, digest, frame_digest
from pipeline.competition import Competition, ModelChoice
from pipeline.data import TrainData
from pipeline.description import describe
from pipeline.drift import measure_drift
from pipeline.errors import UsageError, did_you_mean
from pipeline.inspection import unseen_levels
from pipeline.metrics import METRICS
from pipeline.models import model_spec
from pipeline.progress import Event, Note, Warned, emit, listening
from pipeline.runs import Run, UnfinishedRun, find_run, git_state, start_run, versions
from pipeline.splits import Fold, check_folds, make_folds, resolve_scheme
from pipeline.stages.opening import Data, Opened, open_competition, read_data
from pipeline.submission import check_submission, make_submission
from pipeline.terminal import line
from pipeline.training import (
    CVResult,
    FoldResult,
    cross_validate,
    final_model,
    fit_fold,
    make_estimator,
    predict,
)
from pipeline.workspace import Workspace

SCHEMES = ("kfold", "stratified", "group", "time", "like_test")


@dataclass(frozen=True)
class TrainOptions:
    """The choices made at run time; None keeps what is declared.

    seed: of the model; the folds keep theirs, so that scores stay comparable. seconds: for all
    folds together.
    """

    label: str | None = None
    seed: int | None = None
    n_splits: int | None = None
    scheme: str | None = None
    epochs: int | None = None
    patience: int | None = None
    seconds: float | None = None


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


def train(workspace: Workspace, name: str, options: TrainOptions | None = None) -> Run:
    """Cross-validate one declared model, and leave a complete run behind.

    Finished folds are kept, so the same call after an interruption continues with them.
    Raises PipelineError for what a person can mend.
    """
    options = options or TrainOptions()
    log = Log()
    with listening(log):
        opened, choice = _with_options(open_competition(workspace, name), options)
        data = read_data(opened)
        seed = opened.competition.validation.seed if options.seed is None else options.seed
        result = _cross_validate(opened, choice, data, seed, options.seconds)
        _tell_training(opened.competition, choice, result)
        return _save_run(opened, choice, data, result, seed, log)


def _with_options(opened: Opened, options: TrainOptions) -> tuple[Opened, ModelChoice]:
    """Return the competition and the model with the choices made at run time.

    Raises UsageError for a choice that cannot be followed.
    """
    if options.scheme is not None and options.scheme not in SCHEMES:
        raise UsageError(f"--scheme: {options.scheme!r}; {did_you_mean(options.scheme, SCHEMES)}")
    declared = opened.competition
    choice = _limited(declared.model(options.label), options)
    changed = declared.with_validation(n_splits=options.n_splits, scheme=options.scheme)
    return replace(opened, competition=changed.with_model(choice)), choice


def _limited(choice: ModelChoice, options: TrainOptions) -> ModelChoice:
    """Return the choice with --epochs and --patience among its parameters."""
    wanted = {"epochs": options.epochs, "patience": options.patience}
    given = {name: value for name, value in wanted.items() if value is not None}
    name_of_epochs = model_spec(choice).epochs
    if given and name_of_epochs is None:
        raise UsageError(f"--{next(iter(given))}: {choice.label} is not trained in epochs")
    names = {"epochs": name_of_epochs, "patience": "patience"}
    parameters = {names[name]: value for name, value in given.items()}
    return replace(choice, parameters={**choice.parameters, **parameters})


def _cross_validate(
    opened: Opened, choice: ModelChoice, data: Data, seed: int, seconds: float | None
) -> CVResult:
    deadline = None if seconds is None else time.monotonic() + seconds
    competition = opened.competition
    validation = competition.validation
    train = _ordered(data) if validation.scheme == "like_test" else data.train
    estimator = make_estimator(competition, choice, opened.features, seed)
    folds = make_folds(train.y, train.groups, train.order, validation, competition.task)
    check_folds(folds, len(train))
    _tell_folds(competition, folds, len(train))
    return cross_validate(
        _resumable(opened, choice, seed, estimator, train),
        train,
        folds,
        METRICS[competition.metric],
        model=choice.label,
        labels=data.labels,
        refit=validation.scheme in ("time", "like_test"),
        deadline=deadline,
    )


def _resumable(
    opened: Opened, choice: ModelChoice, seed: int, estimator: Any, train: TrainData
) -> Callable[[Fold, float | None], tuple[FoldResult, bool]]:
    """Return a fit that finds finished folds again, by the content of all that they depend on."""
    competition = opened.competition
    cache = Cache(opened.workspace.cache(opened.name))
    basis = digest(
        competition.fingerprint(choice.label), str(seed), _data_digest(train), _code(opened)
    )

    def fit_one(fold: Fold, max_seconds: float | None) -> tuple[FoldResult, bool]:
        key = digest(basis, array_digest(fold.train), array_digest(fold.valid))
        found = cache.load(key)
        if found is not None:
            return found, True
        result = fit_fold(estimator, train, fold, competition, max_seconds)
        if not result.stopped_by_time:
            cache.save(key, result)
        if fold.number == 0:
            _tell_steps(result.estimator, train)
        return result, False

    return fit_one


def _ordered(data: Data) -> TrainData:
    """Return the training rows with their likeness to the test rows as the order of the folds."""
    drift = measure_drift(data.train.X, data.test.X)
    text = f"adversarial AUC {drift.auc:.3f}; folds take the half that looks most like the test"
    emit(Note("drift", text, {"auc": drift.auc, "by_column": drift.by_column.head(10).to_dict()}))
    return replace(data.train, order=pd.Series(drift.likeness, index=data.train.X.index))


def _data_digest(train: TrainData) -> str:
    parts = (train.X, train.y, train.groups, train.order)
    return digest(*("" if part is None else frame_digest(part) for part in parts))


def _code(opened: Opened) -> str:
    """Return the digest of the package's sources and of the competition's own code."""
    package = Path(__file__).parents[1]
    return code_digest([*package.rglob("*.py"), *opened.folder.glob("*.py")])


def _tell_folds(competition: Competition, folds: list[Fold], n_samples: int) -> None:
    scheme = resolve_scheme(competition.validation, competition.task)
    sizes = [len(fold.valid) for fold in folds]
    text = f"{len(folds)} folds, {scheme}, {min(sizes):,}-{max(sizes):,} validation rows each"
    covered = sum(sizes)
    if covered < n_samples:
        text += f"; {n_samples - covered:,} rows are only ever trained on"
    emit(Note("folds", text, {"scheme": scheme, "sizes": sizes}))


def _tell_steps(estimator: Any, train: TrainData) -> None:
    """Tell what the first fold's fitted steps do to its columns."""
    whole = getattr(estimator, "regressor_", estimator)
    X = train.X
    for stage in ("features", "impute", "scale", "encode"):
        step = whole.named_steps.get(stage)
        if step is None:
            continue
        if stage != "features":
            emit(describe(stage, step, X)[1])
        X = step.transform(X)


def _tell_training(competition: Competition, choice: ModelChoice, result: CVResult) -> None:
    spread = result.standard_error
    error = "" if spread is None else f" +- {spread:.5f}"
    text = f"{choice.label}: {competition.metric} {result.score:.5f}{error} out of fold"
    if result.skipped:
        emit(Warned(f"time ran out before {result.skipped} of the folds; the score is of the others"))
    if any(one.stopped_by_time for one in result.folds):
        emit(Warned("time ran out while folds were still improving; give more by --time"))
    emit(Note("train", text, {"score": result.score, "standard_error": spread}))


def _save_run(
    opened: Opened, choice: ModelChoice, data: Data, result: CVResult, seed: int, log: Log
) -> Run:
    competition, workspace = opened.competition, opened.workspace
    predictions = predict(result, data.test)
    submission = make_submission(
        competition, data.test.ids, np.mean(predictions, axis=0), data.sample, data.labels
    )
    with start_run(workspace.runs, opened.name, choice.label) as run:
        _save_declaration(run, opened.folder)
        run.save_frame("oof.csv", _oof_frame(competition, data, result))
        run.save_frame("test.csv", _test_frame(competition, data, predictions))
        _save_estimators(run, result)
        run.save_frame("submission.csv", submission)
        written = run.folder / "submission.csv"
        check_submission(competition, written, data.sample, data.labels)
        text = f"submission.csv, {len(submission):,} rows, checked against the sample"
        emit(Note("write", text, {"rows": len(submission)}))
        run.save_record(_record(opened, choice, data, result, seed, log) | {"id": run.id})
        run.save_text("train.log", "\n".join(log.lines) + "\n")
    return find_run(workspace.runs, opened.name, run.id)


def _save_declaration(run: UnfinishedRun, folder: Path) -> None:
    for name in ("competition.toml", "features.py"):
        if (folder / name).is_file():
            run.save_bytes(name, (folder / name).read_bytes())


def _save_estimators(run: UnfinishedRun, result: CVResult) -> None:
    for one in _all_fits(result):
        number = one.fold.number
        run.save_estimator(number, one.estimator)
        history = getattr(final_model(one.estimator), "history_", None)
        if history is not None:
            epochs = pd.DataFrame(history)
            epochs.insert(0, "epoch", np.arange(1, len(epochs) + 1))
            run.save_frame(f"fold-{number}/history.csv", epochs)


def _all_fits(result: CVResult) -> list[FoldResult]:
    return [*result.folds, *([result.refit] if result.refit else [])]


def _oof_frame(competition: Competition, data: Data, result: CVResult) -> pd.DataFrame:
    """Return id, fold, target and out-of-fold prediction of every training row; fold -1 has none."""
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
        "mean": float(result.fold_scores.mean()),
        "standard_error": result.standard_error,
        "folds": [_fold_record(one) for one in result.folds],
        "skipped_folds": result.skipped,
        "predicting_folds": [
            one.fold.number for one in ([result.refit] if result.refit else result.folds)
        ],
        "validation": asdict(competition.validation)
        | {"scheme": resolve_scheme(competition.validation, competition.task)},
        "target": list(competition.columns.target),
        "labels": None if data.labels is None else data.labels.tolist(),
        "kinds": data.kinds,
        "rows": {"train": len(data.train), "test": len(data.test)},
        "features": list(data.train.X.columns),
        "stages": [asdict(note) for note in log.notes],
        "warnings": log.warnings,
        "data": {file.name: file.sha256 for file in data.manifest.files},
        "versions": versions(),
        "git": git_state(opened.workspace.root),
        "seconds": round(time.monotonic() - log.started, 3),
    }


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
