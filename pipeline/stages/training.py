"""train: cross-validate one model, and leave a complete run with a checked submission behind."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from pipeline.cache import Cache, array_digest, code_digest, digest, frame_digest
from pipeline.cleaning import clean_rows
from pipeline.competition import Competition, ModelChoice, Scheme
from pipeline.data import TrainData
from pipeline.description import tell
from pipeline.drift import measure_drift
from pipeline.errors import ModelError, UsageError, did_you_mean
from pipeline.features import blaming
from pipeline.metrics import METRICS
from pipeline.models import model_spec
from pipeline.progress import Note, Warned, emit, listening
from pipeline.runs import Run
from pipeline.splits import Fold, check_folds, make_folds, resolve_scheme
from pipeline.stages.opening import (
    Data,
    Opened,
    chosen_model,
    open_competition,
    read_data,
    unfitted,
)
from pipeline.stages.preparing import row_note
from pipeline.stages.recording import Log, save_run, tell_decision
from pipeline.storage import check_writable
from pipeline.training import (
    CVResult,
    FoldResult,
    cross_validate,
    fit_folds,
    preparing_steps,
    trains_together,
)
from pipeline.workspace import Workspace

SCHEMES = get_args(Scheme)
MOST_CELLS = 50_000_000  # of the folds that are fitted at once; as float32, 200 MB


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

    def __post_init__(self) -> None:
        """Check what the command line checks before it.

        Raises UsageError.
        """
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"seconds: expected more than 0, found {self.seconds}")


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
        return save_run(opened, choice, data, result, seed, log)


def _with_options(opened: Opened, options: TrainOptions) -> tuple[Opened, ModelChoice]:
    """Return the competition and the model with the choices made at run time.

    Raises UsageError for a choice that cannot be followed.
    """
    if options.scheme is not None and options.scheme not in SCHEMES:
        raise UsageError(f"--scheme: {options.scheme!r}; {did_you_mean(options.scheme, SCHEMES)}")
    declared = opened.competition
    choice = _limited(chosen_model(declared, options.label), options)
    changed = declared.with_validation(n_splits=options.n_splits, scheme=options.scheme)
    return replace(opened, competition=changed.with_model(choice)), choice


def _limited(choice: ModelChoice, options: TrainOptions) -> ModelChoice:
    """Return the choice with --epochs and --patience among its parameters."""
    wanted = {"epochs": options.epochs, "patience": options.patience}
    given = {name: value for name, value in wanted.items() if value is not None}
    epochs = model_spec(choice).epochs
    if not given:
        return choice
    if epochs is None:
        raise UsageError(f"--{next(iter(given))}: {choice.label} is not trained in epochs")
    names = {"epochs": epochs, "patience": "patience"}
    parameters = {names[name]: value for name, value in given.items()}
    return replace(choice, parameters={**choice.parameters, **parameters})


def _cross_validate(
    opened: Opened, choice: ModelChoice, data: Data, seed: int, seconds: float | None
) -> CVResult:
    deadline = None if seconds is None else time.monotonic() + seconds
    competition = opened.competition
    validation = competition.validation
    is_ordered = validation.scheme == "like_test"
    train = _ordered(data, competition) if is_ordered else data.train
    estimator = unfitted(opened, choice, seed)
    folds = make_folds(train.y, train.groups, train.order, validation, competition.task)
    check_folds(folds, len(train))
    emit(row_note(*clean_rows(train, competition.cleaning)))
    _tell_folds(competition, folds, len(train))
    for folder in (opened.workspace.runs, opened.workspace.cache(opened.name)):
        check_writable(folder)
    return cross_validate(
        _resumable(opened, choice, seed, estimator, train),
        train,
        folds,
        METRICS[competition.metric],
        model=choice.label,
        together=_at_once(estimator, train),
        labels=data.labels,
        refit=validation.scheme in ("time", "like_test"),
        deadline=deadline,
    )


def _resumable(
    opened: Opened, choice: ModelChoice, seed: int, estimator: Any, train: TrainData
) -> Callable[[list[Fold], float | None], list[tuple[FoldResult, bool]]]:
    """Return a fit that finds finished folds again, by the content of all that they depend on.

    Folds that are fitted at once are kept at once: one alone might differ in its last bit.
    """
    competition = opened.competition
    cache = Cache(opened.workspace.cache(opened.name))
    basis = digest(
        competition.fingerprint(choice.label), str(seed), _data_digest(train), _code(opened)
    )

    def fit_some(folds: list[Fold], max_seconds: float | None) -> list[tuple[FoldResult, bool]]:
        rows = [array_digest(part) for fold in folds for part in (fold.train, fold.valid)]
        key = digest(basis, *rows)
        found = cache.load(key)
        results = found or _fit(opened, choice, estimator, train, folds, max_seconds)
        if found is None and not any(result.stopped_by_time for result in results):
            cache.save(key, results)
        if folds[0].number == 0:
            _tell_steps(results[0].estimator, train)
        return [(result, found is not None) for result in results]

    return fit_some


def _fit(
    opened: Opened,
    choice: ModelChoice,
    estimator: Any,
    train: TrainData,
    folds: list[Fold],
    max_seconds: float | None,
) -> list[FoldResult]:
    """Fit folds; what the model or features.py has to say names the declaration."""
    try:
        with blaming(opened.features):
            return fit_folds(estimator, train, folds, opened.competition, max_seconds)
    except ModelError as error:
        path = opened.folder / "competition.toml"
        raise ModelError(f"{path}: models.{choice.label}: {error}") from error


def _at_once(estimator: Any, train: TrainData) -> int:
    """Return how many folds are fitted at once: as many as memory bears, or one."""
    if not trains_together(estimator):
        return 1
    return max(1, MOST_CELLS // max(1, train.X.size))


def _ordered(data: Data, competition: Competition) -> TrainData:
    """Return the training rows with their likeness to the test rows as the order of the folds."""
    drift = measure_drift(data.train.X, data.test.X, text=competition.columns.text)
    text = f"adversarial AUC {drift.auc:.3f}; folds take the half that looks most like the test"
    emit(Note("drift", text, {"auc": drift.auc, "by_column": drift.by_column.head(10).to_dict()}))
    return replace(data.train, order=pd.Series(drift.likeness, index=data.train.X.index))


def _data_digest(train: TrainData) -> str:
    parts = (train.X, train.y, train.groups, train.order)
    return digest(*("" if part is None else frame_digest(part) for part in parts))


def _code(opened: Opened) -> str:
    """Return the digest of the package's sources and of the competition's own code."""
    own = [content for name, content in sorted(opened.sources.items()) if name.endswith(".py")]
    return digest(code_digest(Path(__file__).parents[1].rglob("*.py")), *own)


def _tell_folds(competition: Competition, folds: list[Fold], n_samples: int) -> None:
    scheme = resolve_scheme(competition.validation, competition.task)
    sizes = [len(fold.valid) for fold in folds]
    each = f"{min(sizes):,}" if min(sizes) == max(sizes) else f"{min(sizes):,}-{max(sizes):,}"
    text = f"{len(folds)} folds, {scheme}, {each} validation rows each"
    covered = sum(sizes)
    if covered < n_samples:
        text += f"; {n_samples - covered:,} rows are only ever trained on"
    emit(Note("folds", text, {"scheme": scheme, "sizes": sizes}))


def _tell_steps(estimator: Any, train: TrainData) -> None:
    """Tell what the first fold's fitted steps do to its columns."""
    X = train.X
    for stage, step in preparing_steps(estimator):
        if stage != "features":
            emit(tell(stage, step, X)[1])
        X = step.transform(X)


def _tell_training(competition: Competition, choice: ModelChoice, result: CVResult) -> None:
    spread = result.standard_error
    error = "" if spread is None else f" +- {spread:.5f}"
    text = f"{choice.label}: {competition.metric} {result.score:.5f}{error} out of fold"
    tell_decision(competition.metric, result.decision, result.score, result.plain_score)
    if result.skipped:
        missing = f"{result.skipped} of {result.skipped + len(result.folds)} folds are not fitted"
        emit(Warned(f"time ran out: {missing}; the score is of the others"))
    if any(one.stopped_by_time for one in result.folds):
        emit(Warned("time ran out while folds were still improving; give more by --time"))
    if result.refit and result.refit.stopped_by_time:
        emit(Warned("time ran out while the model that predicts the test was still improving"))
    emit(Note("train", text, {"score": result.score, "standard_error": spread}))
