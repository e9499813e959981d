"""train: cross-validate one model, and leave a complete run with a checked submission behind."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import get_args

import pandas as pd

from pipeline.budget import REFIT
from pipeline.cleaning import clean_rows
from pipeline.competition import AUTO, Competition, ModelChoice, Rule, Scheme
from pipeline.data import TestData, TrainData
from pipeline.drift import direction_of_test, measure_drift
from pipeline.errors import UsageError, did_you_mean
from pipeline.execution import Executor
from pipeline.machine import cores, one_thread_a_product
from pipeline.metrics import metric_of
from pipeline.models import model_spec
from pipeline.progress import (
    Event,
    FoldEnded,
    Note,
    Warned,
    counted,
    emit,
    kept_folds,
    listening,
)
from pipeline.runs import Run
from pipeline.splits import Fold, check_folds, resolve_scheme
from pipeline.stages.automatic import begin_workers, train_all
from pipeline.stages.estimating import warn_of_leaks
from pipeline.stages.fetching import is_sample
from pipeline.stages.folding import FoldWork
from pipeline.stages.opening import (
    Data,
    Opened,
    chosen_model,
    open_competition,
    read_data,
    unfitted,
)
from pipeline.stages.piecewise import begin_crew, train_pieces
from pipeline.stages.placing import Where
from pipeline.stages.preparing import row_note
from pipeline.stages.recording import Log, save_run, tell_decision
from pipeline.stages.spreading import Crew, begin_fitters
from pipeline.stages.studying import MOST_SECONDS
from pipeline.stages.units import get_ready, repeated
from pipeline.storage import check_writable
from pipeline.training import (
    CVResult,
    folds_of,
    is_refitted,
    lesson_of,
    merge_repeats,
    needs_refit,
    put_together,
    units_of,
)
from pipeline.workspace import Workspace

SCHEMES, RULES = get_args(Scheme), get_args(Rule)
OTHER_ROWS = 0.9  # an adversarial AUC from which on folds by chance mislead
FOR_IMPORTANCE = 0.05  # of --time, at most, for what columns are worth to one model
ENOUGH_ROWS = 200  # with fewer, runs on the way to the test are too short to say anything
FOR_PIECES = "lightgbm"  # the model of rows that memory does not hold, if nobody names one
SECONDS, SAMPLE_SECONDS = 300.0, 60.0  # for all models, if nobody says how long


@dataclass(frozen=True)
class TrainOptions:
    """The choices made at run time; None keeps what is declared.

    label: of a model, of several with commas between, or "auto" for all that the time bears.
    seed: of the model; the folds keep theirs, so that scores stay comparable.
    seconds: for all folds of a model together; for several models, from the moment began to the
        end, on the clock of time.monotonic().
    repeats: sets of folds of one model; several models are repeated as the time allows.
    fresh: train anew what an earlier command has finished or begun.
    workers: processes that fit at once, at most, and share the cores; None: one a core.
    where: units of work are carried out.
    """

    label: str | None = None
    seed: int | None = None
    n_splits: int | None = None
    scheme: str | None = None
    epochs: int | None = None
    patience: int | None = None
    seconds: float | None = None
    began: float | None = None
    rule: str | None = None
    repeats: int | None = None
    fresh: bool = False
    workers: int | None = None
    where: Where = field(default_factory=Where)

    def __post_init__(self) -> None:
        """Check what the command line checks before it.

        Raises UsageError.
        """
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"seconds: expected more than 0, found {self.seconds}")
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"workers: expected 1 or more, found {self.workers}")

    @property
    def names_epochs(self) -> str | None:
        """The option that only a model that is trained in epochs has, or None."""
        given = {"epochs": self.epochs, "patience": self.patience}
        return next((name for name, value in given.items() if value is not None), None)


def train(workspace: Workspace, name: str, options: TrainOptions | None = None) -> Run:
    """Cross-validate a model, or all that a time budget bears, and leave a complete run behind.

    Finished folds are kept, so the same call after an interruption continues with them.
    Raises PipelineError for what a person can mend.
    """
    options = options or TrainOptions()
    log = Log() if options.began is None else Log(options.began)
    with listening(log), one_thread_a_product():
        opened = open_competition(workspace, name)
        label = options.label or opened.competition.default_model
        if opened.competition.files.are_pieces:
            return _train_pieces(opened, label, options, log)
        if label == AUTO or "," in label:
            return _train_several(opened, label, options, log)
        with _executor(opened, options.where) as executor:
            return _train_one(opened, options, log, executor)


def _train_one(opened: Opened, options: TrainOptions, log: Log, executor: Executor | None) -> Run:
    """Train one model; executor: what fits it, or None for this machine."""
    name = opened.name
    opened, choice = _with_options(opened, options)
    opened = opened if executor is None else replace(opened, elsewhere=executor.elsewhere)
    data = read_data(opened)
    warn_of_leaks(opened.competition, data)
    seed = opened.competition.validation.seed if options.seed is None else options.seed
    limit = options.seconds
    until = None if limit is None else time.monotonic() + limit
    if limit is not None:
        limit -= min(MOST_SECONDS, FOR_IMPORTANCE * limit)
    fresh, workers = options.fresh, options.workers
    result = validate_model(
        opened, choice, data, seed, limit, fresh=fresh, workers=workers, executor=executor
    )
    _tell_training(opened.competition, choice, result)
    command = command_of(name, replace(options, label=choice.label, seed=seed))
    return save_run(opened, choice, data, result, seed, log, command=command, deadline=until)


def _executor(opened: Opened, where: Where) -> contextlib.AbstractContextManager[Executor | None]:
    """Begin what fits one model elsewhere, or nothing: on this machine that is chosen later."""
    if where.is_here:
        return contextlib.nullcontext()
    return where.begin_cluster(opened.workspace, get_ready)


def _train_pieces(opened: Opened, label: str, options: TrainOptions, log: Log) -> Run:
    """Train one model on rows that are read a piece at a time; LightGBM if none is named."""
    if "," in label:
        raise UsageError("--model: rows that are read a piece at a time are learned by one model")
    label = FOR_PIECES if label == AUTO else label
    opened, choice = _with_options(opened, replace(options, label=label))
    seed = opened.competition.validation.seed if options.seed is None else options.seed
    command = command_of(opened.name, replace(options, label=label, seed=seed))
    with begin_crew(opened, options.where) as crew:
        return train_pieces(
            opened,
            choice,
            crew,
            seed,
            log,
            seconds=options.seconds,
            fresh=options.fresh,
            command=command,
        )


def _train_several(opened: Opened, label: str, options: TrainOptions, log: Log) -> Run:
    """Train what the time bears, by default five minutes, of a sample one.

    Raises UsageError for a choice that only a single model can follow.
    """
    if options.names_epochs:
        raise UsageError(f"--{options.names_epochs}: name the one model that it is for by --model")
    if options.repeats is not None:
        raise UsageError("--repeats: name the one model that it is for by --model")
    labels = [] if label == AUTO else [one.strip() for one in label.split(",") if one.strip()]
    chosen = [chosen_model(opened.competition, one) for one in dict.fromkeys(labels)]
    opened = _with_folds(opened, options)
    number = options.workers or cores()
    with begin_workers(opened.workspace, options.where, number) as workers:
        opened = replace(opened, elsewhere=workers.elsewhere)
        data = read_data(opened)
        opened = _like_the_test(opened, data)
        data = replace(data, train=in_order(data, opened.competition))
        seed = opened.competition.validation.seed if options.seed is None else options.seed
        usual = SAMPLE_SECONDS if is_sample(data.manifest.origin) else SECONDS
        seconds = options.seconds or usual
        command = command_of(opened.name, replace(options, label=label, seconds=seconds, seed=seed))
        return train_all(
            opened,
            data,
            workers,
            log,
            chosen=chosen,
            seconds=seconds,
            seed=seed,
            fresh=options.fresh,
            command=command,
        )


def command_of(name: str, options: TrainOptions) -> str:
    """Return the command that trains with these options."""
    seconds = None if options.seconds is None else f"{options.seconds:g}s"
    given = {
        "model": None if options.label == AUTO else options.label,
        "seed": options.seed,
        "folds": options.n_splits,
        "scheme": options.scheme,
        "rule": options.rule,
        "repeats": options.repeats,
        "epochs": options.epochs,
        "patience": options.patience,
        "time": seconds,
    }
    told = [f"--{key} {value}" for key, value in given.items() if value is not None]
    return " ".join([f"kc train {name}", *told])


def _with_options(opened: Opened, options: TrainOptions) -> tuple[Opened, ModelChoice]:
    """Return the competition and the model with the choices made at run time.

    Raises UsageError for a choice that cannot be followed.
    """
    opened = _with_folds(opened, options)
    choice = _limited(chosen_model(opened.competition, options.label), options)
    return replace(opened, competition=opened.competition.with_model(choice)), choice


def _with_folds(opened: Opened, options: TrainOptions) -> Opened:
    if options.scheme is not None and options.scheme not in SCHEMES:
        raise UsageError(f"--scheme: {options.scheme!r}; {did_you_mean(options.scheme, SCHEMES)}")
    if options.rule is not None and options.rule not in RULES:
        raise UsageError(f"--rule: {options.rule!r}; {did_you_mean(options.rule, RULES)}")
    changed = opened.competition.with_validation(
        n_splits=options.n_splits,
        scheme=options.scheme,
        rule=options.rule,
        repeats=options.repeats,
    )
    return replace(opened, competition=changed)


def _limited(choice: ModelChoice, options: TrainOptions) -> ModelChoice:
    """Return the choice with --epochs and --patience among its parameters."""
    wanted = {"epochs": options.epochs, "patience": options.patience}
    given = {name: value for name, value in wanted.items() if value is not None}
    epochs = model_spec(choice).epochs
    if not given:
        return choice
    if epochs is None:
        raise UsageError(f"--{options.names_epochs}: {choice.label} is not trained in epochs")
    names = {"epochs": epochs, "patience": "patience"}
    parameters = {names[name]: value for name, value in given.items()}
    return replace(choice, parameters={**choice.parameters, **parameters})


def validate_model(
    opened: Opened,
    choice: ModelChoice,
    data: Data,
    seed: int,
    seconds: float | None = None,
    *,
    fresh: bool = False,
    workers: int | None = None,
    executor: Executor | None = None,
) -> CVResult:
    """Fit a model's folds, or find them again, in as many sets of folds as are declared.

    seconds: for all of them together. fresh: finished folds are not looked for. workers: that fit
    at once, at most; None: as many as there are cores. executor: what does all of it instead.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    competition = opened.competition
    train = in_order(data, competition)
    estimator = unfitted(opened, choice, seed)
    sets = _sets_of_folds(train, data.test, competition)
    emit(row_note(*clean_rows(train, competition.cleaning)))
    tell_folds(competition, sets[0], len(train))
    for folder in (opened.workspace.runs, opened.workspace.cache(opened.name)):
        check_writable(folder)
    work = FoldWork(opened, choice, seed, train, estimator, fresh)
    metric, is_refit = metric_of(competition), needs_refit(competition)
    units = [units_of(folds, len(train), refit=is_refit) for folds in sets]
    by_number = {one.number: one for some in units for one in some}

    def fit_set(some: list[Fold], until: float | None) -> CVResult:
        results, n_folds = crew.fit(some, until), len(some) - is_refit
        return put_together(results, train, n_folds, metric, data.labels, refit=is_refit)

    with (
        _saying_what_is_kept(),
        Crew(work, by_number, metric.name, begin_fitters, workers or cores(), executor) as crew,
    ):
        results = _fit_sets(fit_set, units, deadline, competition.validation.seed)
        found = merge_repeats(results, train, metric)
        return _refitted(found, crew, deadline)


def _refitted(
    result: CVResult,
    crew: Crew,
    deadline: float | None,
) -> CVResult:
    """Return the result with fits on all rows, where these are wanted and there is time for all."""
    work, n_samples = crew.work, len(crew.work.train)
    few = is_refitted(work.opened.competition, n_samples)
    wanted = model_spec(work.choice).refits if few else 0
    usual = max(one.seconds for one in result.folds)
    left = math.inf if deadline is None else deadline - time.monotonic()
    if not wanted or result.skipped or left < wanted * usual * REFIT:
        return result
    lesson = lesson_of([one.estimator for one in result.folds])
    refits = crew.refit(lesson, range(work.seed, work.seed + wanted))
    numbered = [
        replace(one, fold=replace(one.fold, number=number))
        for number, one in enumerate(refits, start=len(result.folds))
    ]
    text = f"{counted(wanted, 'fit')} on all {n_samples:,} rows predict the test"
    emit(Note("refit", text, {"refits": wanted, "rows": n_samples}))
    return replace(result, refits=tuple(numbered))


@contextlib.contextmanager
def _saying_what_is_kept() -> Iterator[None]:
    """Let an interruption say how many folds the next command finds again."""
    ended: list[Event] = []
    with listening(ended.append):
        try:
            yield
        except KeyboardInterrupt as error:
            n_done = sum(isinstance(event, FoldEnded) for event in ended)
            raise KeyboardInterrupt(kept_folds(n_done)) from error


def _fit_sets(
    fit_set: Callable[[list[Fold], float | None], CVResult],
    sets: list[list[Fold]],
    deadline: float | None,
    seed: int,
) -> list[CVResult]:
    """Return the result of each set of folds for all of which there is time, and of the first."""
    results: list[CVResult] = []
    for number, folds in enumerate(sets):
        now = time.monotonic()
        if deadline is not None and now >= deadline and results:
            break
        if number:
            text = f"repeat {number + 1} of {len(sets)}, seed {seed + number}"
            emit(Note("folds", text, {"seed": seed + number}))
        until = None if deadline is None else now + (deadline - now) / (len(sets) - number)
        one = fit_set(folds, until)
        if one.skipped and results:
            break
        results.append(one)
    if len(results) < len(sets):
        missing = f"{len(sets) - len(results)} of {len(sets)} repeats are not made"
        emit(Warned(f"time ran out: {missing}; the score is of the others"))
    return [one for one in results if not one.skipped] or results


def _sets_of_folds(train: TrainData, test: TestData, competition: Competition) -> list[list[Fold]]:
    """Return the folds of each repeat, all of them numbered on, those of the first from 0."""
    sets = []
    for number in range(competition.validation.repeats):
        made = folds_of(train, test, repeated(competition, number))
        check_folds(made, len(train))
        first = number * len(made)
        sets.append([replace(fold, number=first + fold.number) for fold in made])
    return sets


def in_order(data: Data, competition: Competition) -> TrainData:
    """Return the training rows; where folds go by it, with their likeness to the test as order."""
    if competition.validation.scheme != "like_test":
        return data.train
    drift = data.drift or measure_drift(data.train.X, data.test.X)
    text = f"adversarial AUC {drift.auc:.3f}; folds are runs of rows on the way to the test"
    emit(Note("drift", text, {"auc": drift.auc, "by_column": drift.by_column.head(10).to_dict()}))
    order = direction_of_test(data.train.X, data.test.X)
    return replace(data.train, order=pd.Series(order, index=data.train.X.index, name="likeness"))


def _like_the_test(opened: Opened, data: Data) -> Opened:
    """Return the competition with folds that mimic a test of other rows than the training rows.

    Only where the declaration leaves the scheme open. What is good on rows by chance may know
    nothing beyond them: on ddarung's cooler 70 %, folds by chance choose a blend that errs by 66.9
    on the warmer 30 %, folds along the way to these one that errs by 52.8.
    """
    validation, drift = opened.competition.validation, data.drift
    if validation.scheme != "auto" or validation.repeats > 1 or drift is None:
        return opened
    if not drift.is_clear or drift.auc < OTHER_ROWS or len(data.train) < ENOUGH_ROWS:
        return opened
    changed = opened.competition.with_validation(scheme="like_test")
    return replace(opened, competition=changed)


def tell_folds(competition: Competition, folds: list[Fold], n_samples: int) -> None:
    """Tell how the training rows are divided."""
    scheme = resolve_scheme(competition.validation, competition.task)
    sizes = [len(fold.valid) for fold in folds if len(fold.valid)]
    each = f"{min(sizes):,}" if min(sizes) == max(sizes) else f"{min(sizes):,}-{max(sizes):,}"
    text = f"{len(sizes)} folds, {_how(competition, scheme)}, {each} validation rows each"
    covered = sum(sizes)
    if covered < n_samples:
        text += f"; {n_samples - covered:,} rows are only ever trained on"
    rule = competition.validation.rule
    emit(Note("folds", text, {"scheme": scheme, "rule": rule, "sizes": sizes}))


def _how(competition: Competition, scheme: str) -> str:
    """Return how the folds are made, and where rows have a time by which rule."""
    if competition.validation.rule == "strict":
        return "strict rule (fitted on earlier rows only)"
    return f"{scheme}, open rule" if competition.columns.time and scheme != "time" else scheme


def _tell_training(competition: Competition, choice: ModelChoice, result: CVResult) -> None:
    spread = result.standard_error
    error = "" if spread is None else f" +- {spread:.5f}"
    text = f"{choice.label}: {competition.metric} {result.score:.5f}{error} out of fold"
    if result.repeats:
        n, apart = len(result.repeats), result.repeat_spread
        text += f", mean of {n} repeats whose deviation is {apart:.5f}"
    tell_decision(competition.metric, result.decision, result.score, result.plain_score)
    if result.skipped:
        missing = f"{result.skipped} of {result.skipped + len(result.folds)} folds are not fitted"
        emit(Warned(f"time ran out: {missing}; the score is of the others"))
    if any(one.stopped_by_time for one in result.folds):
        emit(Warned("time ran out while folds were still improving; give more by --time"))
    if any(one.stopped_by_time for one in result.refits):
        emit(Warned("time ran out while the model that predicts the test was still improving"))
    emit(Note("train", text, {"score": result.score, "standard_error": spread}))
