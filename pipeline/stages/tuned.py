"""What a search for parameters has found, and what a person should believe of it."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from pipeline.metrics import METRICS
from pipeline.progress import counted
from pipeline.runs import Run
from pipeline.tuning import Gain, Trial, gain_of

SHOWN = 5  # of the best trials


@dataclass(frozen=True)
class Tuned:
    """What a search has found.

    trials: whole ones, the best first, without the default. gain: of the best on the folds that
    chose it, and fresh on n_fresh folds that did not, None where there was no time or no other
    folds. run, toml: of the best, None if none is better than the default.
    """

    label: str
    metric: str
    default: Trial
    trials: list[Trial]
    n_given_up: int
    gain: Gain | None
    fresh: Gain | None
    n_fresh: int
    run: Run | None
    toml: str | None


def tuned_rows(tuned: Tuned) -> list[dict[str, Any]]:
    """Return a table of the default and the best trials, each with its gain over the default."""
    rows = [{"trial": "default", "score": tuned.default.score, "gain": None, "+-": None}]
    rows[0]["parameters"] = "as declared"
    for trial in tuned.trials[:SHOWN]:
        assert trial.score is not None
        gain = _gain(tuned, trial)
        chosen = " ".join(f"{name}={value}" for name, value in trial.parameters.items())
        rows.append(
            {
                "trial": trial.number,
                "score": trial.score,
                "gain": gain.gain,
                "+-": gain.error,
                "parameters": chosen,
            }
        )
    return rows


def _gain(tuned: Tuned, trial: Trial) -> Gain:
    assert trial.score is not None
    assert tuned.default.score is not None
    up = METRICS[tuned.metric].greater_is_better
    folds = (trial.folds, tuned.default.folds)
    return gain_of(trial.score, tuned.default.score, *folds, greater_is_better=up)


def tuned_lines(tuned: Tuned) -> list[str]:
    """Return what a person should believe of a search."""
    n = len(tuned.trials) + tuned.n_given_up
    if not n:
        return ["there was no time for a single trial; give more by --time"]
    tried = f"{counted(n, 'trial')}, {tuned.n_given_up} given up"
    if tuned.gain is None or tuned.gain.gain <= 0:
        return [f"{tried}: none beats the default, so there is no new run"]
    lines = [f"{tried}; the best gains {_shown(tuned.gain)} on the folds that chose it"]
    if tuned.fresh is not None:
        scores = f"{tuned.fresh.better:.5f} against {tuned.fresh.than:.5f} of the default"
        where = f"on {counted(tuned.n_fresh, 'fold')} of another seed, which chose nothing"
        lines.append(f"{where}: {scores}, a gain of {_shown(tuned.fresh)}")
    judged = tuned.fresh or tuned.gain
    if not judged.is_clear:
        lines.append("that is not more than its standard error: nothing beats the default for sure")
    return lines


def _shown(gain: Gain) -> str:
    return f"{gain.gain:.5f}" + ("" if gain.error is None else f" +- {gain.error:.5f}")


def tuned_record(tuned: Tuned) -> dict[str, Any]:
    """Return a search for scripts."""
    record = asdict(replace(tuned, run=None))
    return {**record, "run": None if tuned.run is None else tuned.run.id}
