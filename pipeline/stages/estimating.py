"""What a run says of the leaderboard: an interval, and whether the test rows are unlike others."""

from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.competition import Competition, OwnMetric
from pipeline.estimate import Estimate, estimate
from pipeline.inspection import find_warnings, is_unlike
from pipeline.metrics import METRICS
from pipeline.progress import Note, Warned, emit
from pipeline.splits import resolve_scheme
from pipeline.stages.opening import Data


def warn_of_leaks(competition: Competition, data: Data) -> None:
    """Warn of drift, of rows that stand twice, and of what may give the answer away."""
    for text in find_warnings(competition, data.train, data.test, data.drift):
        emit(Warned(text))


def leaderboard_record(
    competition: Competition, data: Data, answers: np.ndarray, fold: np.ndarray
) -> dict[str, Any]:
    """Return what the score of the test rows will be like, and tell it.

    answers: (n_samples, n_columns), out of fold, as they are scored. fold: (n_samples,), -1 for
    rows without an answer.
    """
    plain, weighted = _estimates(competition, data, answers, fold)
    differs = is_unlike(competition, data.drift)
    record = {
        **asdict(plain),
        "adversarial_auc": None if data.drift is None else data.drift.auc,
        "test_differs": differs,
        "weighted": None if weighted is None else asdict(weighted),
    }
    emit(Note("estimate", leaderboard_line(record), record))
    return record


def leaderboard_line(record: dict[str, Any]) -> str:
    """Return a run's estimate of its leaderboard score, in one line."""
    text = f"leaderboard {_shown(record)}"
    if not record["test_differs"]:
        return text
    text += f"; the test rows look different (AUC {record['adversarial_auc']:.2f}): expect worse"
    if record["weighted"] is None:
        return text
    return f"{text}, {_shown(record['weighted'])} by rows like them"


def _shown(record: dict[str, Any]) -> str:
    return str(Estimate(**{name: record[name] for name in Estimate.__dataclass_fields__}))


def _estimates(
    competition: Competition, data: Data, answers: np.ndarray, fold: np.ndarray
) -> tuple[Estimate, Estimate | None]:
    """Return the plain estimate and, where test rows differ and can be weighted for, that one."""
    train, metric, n_test = data.train, METRICS[competition.metric], len(data.test)
    scheme = resolve_scheme(competition.validation, competition.task)
    scheme = "time" if competition.validation.rule == "strict" else scheme
    groups = {"group": train.groups, "time": train.order}.get(scheme)
    plain = estimate(train.y, answers, fold, groups, metric, data.labels, n_test)
    drift = data.drift
    if drift is None or not is_unlike(competition, drift):
        return plain, None
    weights = None if isinstance(competition.metric, OwnMetric) else drift.weights()
    if weights is None:  # or no function of one's own that could take them
        return plain, None
    known = np.where(np.isfinite(weights), fold, -1)
    weighted = estimate(
        train.y, answers, known, groups, metric, data.labels, n_test, weights=weights
    )
    return plain, weighted
