"""A search over a model's parameters: what to try next, what is hopeless, what was found."""

import contextlib
import json
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.models.spaces import Options, Range, Space
from pipeline.progress import Warned, emit
from pipeline.storage import storing

N_DRAWN = 8  # trials by chance before the search learns from them
N_COMPARED = 4  # trials before one may be hopeless
DIGITS = 4  # of a number that is tried, so that a declaration can hold it


@dataclass(frozen=True)
class Trial:
    """What one set of parameters came to.

    number: from 1; 0 is the default. folds: the scores of the folds that were fitted. score: over
    all rows, or None if it was given up before the last fold. seconds: of its fits.
    """

    number: int
    parameters: dict[str, Any]
    folds: list[float]
    score: float | None
    seconds: float


def load_trials(path: Path) -> list[Trial]:
    """Return the trials of a search so far; a damaged line counts as none, and is named."""
    trials = []
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        try:
            trials.append(Trial(**json.loads(line)))
        except (ValueError, TypeError, RecursionError):
            emit(Warned(f"{path}, line {number}: damaged, so this trial does not count"))
    return trials


def save_trial(path: Path, trial: Trial) -> None:
    """Add a trial to a search; a process killed in between leaves a line that does not count.

    Raises StorageError.
    """
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.is_file() else b""
        before = b"\n" if content and not content.endswith(b"\n") else b""
        with path.open("ab") as file:
            file.write(before + json.dumps(asdict(trial)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


class Search:
    """What to try next, by the tree-structured Parzen estimator of Optuna.

    A trial is hopeless if the mean of its first folds is worse than the median of the other trials'
    at the same fold (Golovin et al., Google Vizier, 2017).
    """

    def __init__(
        self, space: Space, trials: Sequence[Trial], *, seed: int, greater_is_better: bool
    ) -> None:
        """Begin with what earlier trials have found.

        Raises ModelError if Optuna is not installed.
        """
        self.optuna = _load_optuna()
        self.space = space
        self.sign = -1 if greater_is_better else 1
        self.distributions = {name: self._distribution(one) for name, one in space.items()}
        with self._quiet():
            self.study = self.optuna.create_study(
                sampler=self.optuna.samplers.TPESampler(
                    n_startup_trials=N_DRAWN, seed=seed + len(trials)
                ),
                pruner=self.optuna.pruners.MedianPruner(N_COMPARED, n_warmup_steps=1),
            )
        for trial in trials:
            self._add(trial)

    def ask(self) -> dict[str, Any]:
        """Return parameters that are worth a try."""
        with self._quiet():
            self.asked = self.study.ask(self.distributions)
        return {name: self._value(name, value) for name, value in self.asked.params.items()}

    def is_hopeless(self, folds: Sequence[float]) -> bool:
        """Tell whether what was asked last is worth no more folds, by the scores of its first."""
        with self._quiet():
            self.asked.report(self.sign * float(np.mean(folds)), len(folds) - 1)
            return bool(self.asked.should_prune())

    def tell(self, trial: Trial) -> None:
        """Let the search learn what came of what was asked last."""
        pruned = self.optuna.trial.TrialState.PRUNED
        with self._quiet():
            if trial.score is None:
                self.study.tell(self.asked, state=pruned)
            else:
                self.study.tell(self.asked, self.sign * trial.score)

    def _add(self, trial: Trial) -> None:
        """Add a trial of an earlier command; the default has no parameters to learn from."""
        means = np.cumsum(trial.folds) / np.arange(1, len(trial.folds) + 1)
        state = self.optuna.trial.TrialState
        known = {name: self._code(name, trial.parameters[name]) for name in trial.parameters}
        found = self.optuna.trial.create_trial(
            state=state.PRUNED if trial.score is None else state.COMPLETE,
            value=None if trial.score is None else self.sign * trial.score,
            params=known,
            distributions={name: self.distributions[name] for name in known},
            intermediate_values={i: self.sign * float(mean) for i, mean in enumerate(means)},
        )
        with self._quiet():
            self.study.add_trial(found)

    def _distribution(self, one: Range | Options) -> Any:
        kinds = self.optuna.distributions
        if isinstance(one, Options):
            return kinds.CategoricalDistribution(range(len(one.values)))
        if one.whole:
            return kinds.IntDistribution(int(one.low), int(one.high), log=one.log, step=one.step)
        return kinds.FloatDistribution(one.low, one.high, log=one.log)

    def _value(self, name: str, value: Any) -> Any:
        one = self.space[name]
        if isinstance(one, Options):
            return one.values[value]
        return value if one.whole else min(max(_rounded(value), one.low), one.high)

    def _code(self, name: str, value: Any) -> Any:
        one = self.space[name]
        return one.values.index(value) if isinstance(one, Options) else value

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        """Neither log every trial nor warn of what is experimental in Optuna."""
        self.optuna.logging.set_verbosity(self.optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self.optuna.exceptions.ExperimentalWarning)
            yield


def _load_optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise ModelError('optuna is not installed; run: pip install "kc[tune]"') from None
    return optuna


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


@dataclass(frozen=True)
class Gain:
    """By how much one model is better than another: the difference of their scores.

    error: the standard error of the mean difference in the folds that both predicted, or None for a
    single one. better, than: the two scores.
    """

    better: float
    than: float
    gain: float
    error: float | None

    @property
    def is_clear(self) -> bool:
        """Whether the gain is over its standard error."""
        return self.gain > 0 and (self.error is None or self.gain > self.error)


def gain_of(
    better: float,
    than: float,
    better_folds: Sequence[float],
    than_folds: Sequence[float],
    *,
    greater_is_better: bool,
) -> Gain:
    """Compare two scores of the same rows, and those of the same folds one by one."""
    sign = 1 if greater_is_better else -1
    each = sign * (np.array(better_folds) - np.array(than_folds))
    each = each[np.isfinite(each)]
    error = float(each.std(ddof=1) / math.sqrt(len(each))) if len(each) > 1 else None
    return Gain(better, than, sign * (better - than), error)
