"""tune: search a model's parameters for some minutes, and say honestly what that has gained."""

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cache import digest
from pipeline.competition import AUTO, ModelChoice
from pipeline.errors import UsageError, did_you_mean
from pipeline.machine import one_thread_a_product
from pipeline.metrics import metric_of
from pipeline.models.spaces import SPACES, Space, space_of
from pipeline.progress import BudgetSpent, Note, Warned, counted, emit, listening
from pipeline.splits import check_folds
from pipeline.stages.folding import FoldWork, at_once
from pipeline.stages.opening import (
    Opened,
    chosen_model,
    open_competition,
    read_data,
)
from pipeline.stages.recording import Log, save_run
from pipeline.stages.training import in_order, tell_folds, validate_model
from pipeline.stages.trials import Study, best_of, fit_default, tell_trial, try_parameters
from pipeline.stages.tuned import Tuned
from pipeline.storage import check_writable
from pipeline.tomltext import model_toml
from pipeline.training import FoldResult, folds_of, needs_refit
from pipeline.tuning import Gain, Search, Trial, gain_of, load_trials, save_trial
from pipeline.workspace import Workspace

SECONDS = 300.0
FRESH = 1000  # added to the folds' seed for folds that have chosen nothing
AT_END = 3.0  # seconds that a run takes to be written
SURE = 1.2  # a fit may take so many times what is expected
MOST_RESERVED = 0.5  # of the time, at most, is for what comes after the search


@dataclass(frozen=True)
class TuneOptions:
    """The choices made at run time; None keeps what is declared.

    seconds: from began, on the clock of time.monotonic(), to the end of the command. trials: at
    most, those of earlier commands too.
    """

    label: str | None = None
    seconds: float | None = None
    seed: int | None = None
    began: float | None = None
    trials: int | None = None

    def __post_init__(self) -> None:
        """Check what the command line checks before it.

        Raises UsageError.
        """
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"seconds: expected more than 0, found {self.seconds}")


def tune(workspace: Workspace, name: str, options: TuneOptions | None = None) -> Tuned:
    """Search a model's parameters within a time, and leave a complete run of the best behind.

    Whole and given up trials are kept, and the same call continues with them. Nothing is written to
    the declaration.
    Raises UsageError for a model that has nothing to choose, or a time in which not even its
    default can be fitted; ModelError if Optuna is not installed.
    """
    options = options or TuneOptions()
    log = Log() if options.began is None else Log(options.began)
    seconds = options.seconds or SECONDS
    with listening(log), one_thread_a_product():
        opened = open_competition(workspace, name)
        label = options.label or opened.competition.default_model
        if label == AUTO:
            raise UsageError("kc tune searches one model; name it by --model")
        choice = chosen_model(opened.competition, label)
        space = space_of(choice.kind, opened.competition.task)
        if not space:
            known = [kind for kind in SPACES if space_of(kind, opened.competition.task)]
            raise UsageError(
                f"--model {choice.label}: {choice.kind} has no parameters that are searched; "
                f"{did_you_mean(choice.kind, known)}"
            )
        is_up = metric_of(opened.competition).greater_is_better
        Search(space, (), seed=0, greater_is_better=is_up)  # is Optuna here, before the work
        study = _open_study(opened, choice, options.seed, time.monotonic() - log.age + seconds)
        default = fit_default(study, seconds)
        path = workspace.tuning(name) / _file_name(study, repr(space))
        with _saying_what_is_kept(path):
            trials = _search(study, space, path, default, seconds, options.trials)
        return _conclude(study, default, trials, log)


@contextlib.contextmanager
def _saying_what_is_kept(path: Path) -> Iterator[None]:
    """Let an interruption say how many trials the next search goes on from."""
    try:
        yield
    except KeyboardInterrupt as error:
        kept = counted(len(load_trials(path)), "trial")
        raise KeyboardInterrupt(f"{kept} of {path} are kept for the next search") from error


def _open_study(opened: Opened, choice: ModelChoice, seed: int | None, deadline: float) -> Study:
    """Read the files and make the folds; a search is on the first repeat's."""
    competition = opened.competition.with_validation(repeats=1)
    opened = replace(opened, competition=competition)
    data = read_data(opened)
    train = in_order(data, competition)
    folds = folds_of(train, data.test, competition)
    check_folds(folds, len(train))
    tell_folds(competition, folds, len(train))
    for folder in (opened.workspace.runs, opened.workspace.cache(opened.name)):
        check_writable(folder)
    seed = competition.validation.seed if seed is None else seed
    return Study(opened, data, train, choice, seed, folds, deadline)


def _file_name(study: Study, space: str) -> str:
    """Return the name of what is known of a search; another declaration is another search."""
    work = study.work({}, study.choice.label)
    label = re.sub(r"[^A-Za-z0-9_]", "_", study.choice.label)
    return f"{label}-{digest(work.key(study.folds), space)[:16]}.jsonl"


def _search(
    study: Study, space: Space, path: Path, default: Trial, seconds: float, most: int | None
) -> list[Trial]:
    """Try parameters until the time for it is over, and return all trials, earlier ones too."""
    trials = load_trials(path)
    up = metric_of(study.opened.competition).greater_is_better
    search = Search(space, [default, *trials], seed=study.seed, greater_is_better=up)
    if trials:
        emit(Note("tune", f"continues with {counted(len(trials), 'trial')} of {path.name}"))
    while True:
        best = best_of([default, *trials], up)
        end = study.deadline - min(_reserve(study, default, best), MOST_RESERVED * seconds)
        expected = SURE * study.usual
        is_enough = most is not None and len(trials) >= most
        if is_enough or time.monotonic() + expected > end:
            return trials
        is_shown = f"{counted(len(trials), 'trial')} so far, best {best.score:.5f}"
        emit(BudgetSpent(time.monotonic() - study.deadline + seconds, seconds, is_shown))
        parameters = search.ask()
        number = 1 + max((trial.number for trial in trials), default=0)
        trial = try_parameters(study, search, parameters, number, end, best)
        if trial is None:
            return trials
        search.tell(trial)
        trials.append(trial)
        save_trial(path, trial)
        tell_trial(trial, study, best_of([default, *trials], up).score)


def _reserve(study: Study, default: Trial, best: Trial) -> float:
    """Return the seconds that are needed after the search: other folds, perhaps a refit, a run."""
    usual = study.usual * len(study.folds)  # the machine may have more to do than before
    each = [max(trial.seconds, usual) for trial in (default, best)]
    fits = sum(each) if _can_be_redrawn(study) else 0.0
    if not best.number:  # nothing to confirm so far; two folds must do for what comes last
        fits *= 2 / len(study.folds)
    if needs_refit(study.opened.competition):
        fits += 2 * each[1] / len(study.folds)
    return SURE * fits + AT_END


def _can_be_redrawn(study: Study) -> bool:
    """Tell whether another seed makes other folds."""
    validation = study.opened.competition.validation
    return validation.rule == "open" and validation.scheme not in ("time", "like_test")


def _conclude(study: Study, default: Trial, trials: list[Trial], log: Log) -> Tuned:
    """Score the best trial on folds that have not chosen it, and leave a run of it behind."""
    competition = study.opened.competition
    up = metric_of(competition).greater_is_better
    whole = sorted(
        (trial for trial in trials if trial.score is not None),
        key=lambda trial: (trial.score or 0.0) * (-1 if up else 1),
    )
    best = whole[0] if whole else None
    gain = None if best is None else study.gain(best, default)
    fresh, n_fresh, run, toml = None, 0, None, None
    if best is not None and gain is not None and gain.gain > 0:
        work = study.work(best.parameters, study.label)
        fresh, n_fresh = _on_fresh_folds(study, work, default, best)
        result = validate_model(work.opened, work.choice, study.data, study.seed)
        emit(
            Warned(
                f"{study.label}: its score chose it among {counted(len(whole), 'whole trial')}, "
                "and so is too good"
            )
        )
        facts = {"search": _search_facts(default, trials, gain, fresh, n_fresh)}
        seconds = study.deadline - (time.monotonic() - log.age)
        run = save_run(
            work.opened,
            work.choice,
            study.data,
            result,
            study.seed,
            log,
            facts,
            command=f"kc tune {work.opened.name} --model {study.choice.label} "
            f"--seed {study.seed} --time {seconds:.0f}s",
            deadline=study.deadline - AT_END / 2,
        )
        toml = model_toml(work.choice)
    return Tuned(
        label=study.label,
        metric=competition.metric,
        default=default,
        trials=whole,
        n_given_up=len(trials) - len(whole),
        gain=gain,
        fresh=fresh,
        n_fresh=n_fresh,
        run=run,
        toml=toml,
    )


def _search_facts(
    default: Trial, trials: list[Trial], gain: Gain, fresh: Gain | None, n_fresh: int
) -> dict[str, Any]:
    """Return what run.json says of the search that chose the parameters."""
    return {
        "trials": len(trials),
        "default": asdict(default),
        "gain": asdict(gain),
        "fresh": None if fresh is None else asdict(fresh),
        "fresh_folds": n_fresh,
    }


def _on_fresh_folds(
    study: Study, work: FoldWork, default: Trial, best: Trial
) -> tuple[Gain | None, int]:
    """Compare the best with the default on folds of another seed, as many as there is time for."""
    if not _can_be_redrawn(study):
        return None, 0
    train, competition = study.train, study.opened.competition
    other = competition.with_validation(seed=competition.validation.seed + FRESH)
    folds = folds_of(train, study.data.test, other)
    before = study.work({}, study.choice.label)
    size = max(at_once(work.estimator, train), at_once(before.estimator, train))
    pairs: list[tuple[FoldResult, FoldResult]] = []
    expected = SURE * max(default.seconds + best.seconds, 2 * study.usual * len(folds)) / len(folds)
    for first in range(0, len(folds), size):
        some = folds[first : first + size]
        left = study.deadline - AT_END - time.monotonic()
        if expected * len(some) > left:
            break
        fitted = [one.fit_anew(some, left) for one in (work, before)]
        if any(result.stopped_by_time for results in fitted for result in results):
            break
        pairs += zip(*fitted, strict=True)
    if len(pairs) < 2:
        emit(Warned("there was no time to score the best trial on folds that did not choose it"))
        return None, 0
    return _compared(study, pairs), len(pairs)


def _compared(study: Study, pairs: list[tuple[FoldResult, FoldResult]]) -> Gain:
    """Return the gain of the first of each pair over the second, on all their rows."""
    metric = metric_of(study.opened.competition)
    rows = np.concatenate([one.fold.valid for one, _ in pairs])
    y = study.train.y.iloc[rows]
    better, than = (
        metric(y, np.concatenate([pair[side].prediction for pair in pairs]), study.data.labels)
        for side in (0, 1)
    )
    folds = [[pair[side].score for pair in pairs] for side in (0, 1)]
    return gain_of(better, than, *folds, greater_is_better=metric.greater_is_better)
