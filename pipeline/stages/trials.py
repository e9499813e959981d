"""A model's folds with other parameters: each set that is tried, and the default before them."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from pipeline.competition import ModelChoice
from pipeline.data import TrainData
from pipeline.errors import ModelError, UsageError
from pipeline.metrics import metric_of
from pipeline.progress import Note, emit, only_listening
from pipeline.splits import Fold
from pipeline.stages.folding import FoldWork, at_once
from pipeline.stages.opening import Data, Opened, unfitted
from pipeline.training import CVResult, FoldResult, cross_validate
from pipeline.tuning import Gain, Search, Trial, gain_of


class _GivenUp(Exception):  # noqa: N818 - no error, but how a trial may end
    """A trial is worth no more folds, or has no time for them."""


@dataclass(eq=False)
class Study:
    """One search: whose parameters, on which folds, until when."""

    opened: Opened
    data: Data
    train: TrainData
    choice: ModelChoice
    seed: int
    folds: list[Fold]
    deadline: float
    fold_seconds: list[float] = field(default_factory=list)  # of the folds so far

    @property
    def usual(self) -> float:
        """The seconds that a fold usually takes, as it has been of late."""
        return float(np.median(self.fold_seconds[-50:]))

    @property
    def label(self) -> str:
        """The label of what is found."""
        return f"{self.choice.label}_tuned"

    def work(self, parameters: dict[str, Any], label: str) -> FoldWork:
        """Return the folds of the model with other parameters."""
        declared = {**self.choice.parameters, **parameters}
        choice = replace(self.choice, label=label, parameters=declared)
        competition = self.opened.competition.with_model(choice)
        opened = replace(self.opened, competition=competition)
        estimator = unfitted(opened, choice, self.seed)
        return FoldWork(opened, choice, self.seed, self.train, estimator)

    def validate(
        self, fit_some: Callable[..., list[tuple[FoldResult, bool]]], work: FoldWork
    ) -> CVResult:
        """Return all folds' results, without a word of each fold."""
        with only_listening(lambda event: None):
            return cross_validate(
                fit_some,
                self.train,
                self.folds,
                metric_of(self.opened.competition),
                model=work.choice.label,
                together=at_once(work.estimator, self.train),
                labels=self.data.labels,
            )

    def gain(self, better: Trial, than: Trial) -> Gain:
        """Compare two whole trials."""
        assert better.score is not None
        assert than.score is not None
        up = metric_of(self.opened.competition).greater_is_better
        return gain_of(better.score, than.score, better.folds, than.folds, greater_is_better=up)


def fit_default(study: Study, seconds: float) -> Trial:
    """Return what is declared as the trial that others must beat.

    Raises UsageError if there is no time for it.
    """
    work = study.work({}, study.choice.label)
    started, done = time.monotonic(), 0

    def fit_some(folds: list[Fold], _: float | None) -> list[tuple[FoldResult, bool]]:
        nonlocal done
        results = work.fit(folds, max(study.deadline - time.monotonic(), 0.1))
        done += len(folds)
        spent = time.monotonic() - started
        is_late = spent + spent / done * (len(study.folds) - done) > study.deadline - started
        found_again = all(reused for _, reused in results)
        if not found_again and (is_late or any(one.stopped_by_time for one, _ in results)):
            raise UsageError(
                f"--time: {seconds:.0f} s are too few for the {len(study.folds)} folds of "
                f"{study.choice.label} as it is declared; {done} took {spent:.0f} s, so give more"
            )
        study.fold_seconds += [one.seconds for one, _ in results]
        return results

    result = study.validate(fit_some, work)
    trial = trial_of(0, {}, result)
    tell_trial(trial, study, trial.score)
    return trial


def trial_of(number: int, parameters: dict[str, Any], result: CVResult) -> Trial:
    """Return what all folds of a set of parameters came to."""
    ordered = sorted(result.folds, key=lambda one: one.fold.number)
    folds = [float(one.score) for one in ordered if np.isfinite(one.score)]
    seconds = sum(one.seconds for one in result.folds)
    return Trial(number, parameters, folds, result.score, round(seconds, 3))


def best_of(trials: list[Trial], greater_is_better: bool) -> Trial:
    """Return the best of the whole trials, of equals the first."""
    sign = -1 if greater_is_better else 1
    whole = [trial for trial in trials if trial.score is not None]
    return min(whole, key=lambda trial: sign * (trial.score or 0.0))


def try_parameters(
    study: Study,
    search: Search,
    parameters: dict[str, Any],
    number: int,
    end: float,
    best: Trial,
) -> Trial | None:
    """Return what parameters came to, None if there was no time; the best one's fits are kept."""
    work = study.work(parameters, study.label)
    scores: list[float] = []
    kept: list[tuple[list[Fold], list[FoldResult]]] = []
    spent, n_done = 0.0, 0

    def fit_some(folds: list[Fold], _: float | None) -> list[tuple[FoldResult, bool]]:
        nonlocal spent, n_done
        left = end - time.monotonic()
        if spent / max(n_done, 1) * len(folds) > left:
            raise TimeoutError
        started = time.monotonic()
        results = work.fit_anew(folds, max(left, 0.1))
        seconds = time.monotonic() - started
        if any(one.stopped_by_time for one in results):
            raise TimeoutError
        spent += seconds
        study.fold_seconds += [seconds / len(results)] * len(results)
        n_done += len(results)
        scores.extend(float(one.score) for one in results if np.isfinite(one.score))
        kept.append((folds, results))
        if n_done < len(study.folds) and scores and search.is_hopeless(scores):
            raise _GivenUp
        return [(one, False) for one in results]

    try:
        result = study.validate(fit_some, work)
    except TimeoutError:
        return None
    except ModelError as error:  # such values are none of the model's; others are
        emit(Note("trial", f"{number:>7}  failed: {error}"))
        return Trial(number, parameters, scores, None, round(spent, 3))
    except _GivenUp:
        return Trial(number, parameters, scores, None, round(spent, 3))
    trial = replace(trial_of(number, parameters, result), seconds=round(spent, 3))
    if study.gain(trial, best).gain > 0:
        for folds, results in kept:
            work.cache.save(work.key(folds), results)
    return trial


def tell_trial(trial: Trial, study: Study, best: float | None) -> None:
    """Tell what a trial came to, and the best score so far."""
    name = "default" if not trial.number else f"{trial.number}"
    n, n_folds = len(trial.folds), len(study.folds)
    came_to = f"given up after {n} of {n_folds} folds" if trial.score is None else ""
    came_to = came_to or f"{trial.score:.5f}"
    text = f"{name:>7}  {came_to:<28} {trial.seconds:6.1f} s   best {best:.5f}"
    emit(Note("trial", text, asdict(trial)))
