"""What a run says of the leaderboard: an interval, and whether the test rows are unlike others."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.competition import Competition, OwnMetric
from pipeline.data import TrainData
from pipeline.decisions import fold_scores
from pipeline.estimate import Estimate, estimate
from pipeline.forecasts import naive_forecast
from pipeline.inspection import find_warnings, is_unlike
from pipeline.machine import give_back_memory
from pipeline.metrics import METRICS, metric_of
from pipeline.progress import Looked, Note, Warned, counted, emit
from pipeline.splits import resolve_scheme
from pipeline.stages.opening import Data


def warn_of_leaks(competition: Competition, data: Data) -> None:
    """Warn of drift, of rows that stand twice, and of what may give the answer away."""
    found = find_warnings(competition, data.train, data.test, data.drift)
    give_back_memory(len(data.train))
    for text in found:
        emit(Warned(text))
    emit(Looked(tuple(found)))


def naive_record(
    competition: Competition, train: TrainData, answers: np.ndarray, fold: np.ndarray
) -> dict[str, Any] | None:
    """Return what the naive forecast scores on the rows that the model was scored on, and tell it.

    It says the last known value again. None where rows are no windows. Arguments as for
    leaderboard_record.
    """
    naive = naive_forecast(train)
    if naive is None:
        return None
    y, metric, covered = np.asarray(train.y, dtype=float), metric_of(competition), fold >= 0
    sign = 1 if metric.greater_is_better else -1
    scores = [fold_scores(y, one, fold, metric) for one in (answers, naive)]
    gains = sign * (scores[0] - scores[1])
    gains = gains[np.isfinite(gains)]
    model, score = (metric(y[covered], one[covered]) for one in (answers, naive))
    gain = sign * (model - score)
    record = {
        "metric": competition.metric,
        "score": score,
        "gain": gain,
        "standard_error": _error_of_mean(gains),
        "windows": int(covered.sum()),
    }
    emit(Note("naive", naive_line(record), record))
    if gain <= 0:
        emit(Warned("the model forecasts no better than the last known value said again"))
    return record


def naive_line(record: dict[str, Any]) -> str:
    """Return how a model compares with the naive forecast, in one line."""
    gain, error = record["gain"], record["standard_error"]
    spread = "" if error is None else f" +- {error:.5g}"
    said = f"the model gains {gain:.5g}" if gain > 0 else f"the model loses {-gain:.5g}"
    is_luck = gain > 0 and error is not None and gain < error
    text = f"{record['metric']} {record['score']:.5f} (the last value again); {said}{spread}"
    return text + (", perhaps by chance" if is_luck else "")


def _error_of_mean(values: np.ndarray) -> float | None:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


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


def sampled_record(
    competition: Competition,
    score: float,
    y: np.ndarray,
    prediction: np.ndarray,
    fold: np.ndarray,
    groups: np.ndarray | None,
    labels: np.ndarray | None,
    n_test: int,
) -> dict[str, Any]:
    """Return what the score of the test rows will be like, by a sample of predictions, and tell it.

    score: of all rows. The interval is a little too wide: a sample varies more than they do.
    """
    found = estimate(y, prediction, fold, groups, METRICS[competition.metric], labels, n_test)
    lower, upper = min(found.lower, score), max(found.upper, score)
    record = {
        **asdict(replace(found, score=score, lower=lower, upper=upper)),
        "adversarial_auc": None,
        "test_differs": False,
        "weighted": None,
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
    train, metric, n_test = data.train, METRICS[competition.metric], len(data.asked)
    if competition.windows is not None:
        return _of_forecasts(competition, train, answers, fold, n_test), None
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


def _of_forecasts(
    competition: Competition, train: TrainData, answers: np.ndarray, fold: np.ndarray, n_test: int
) -> Estimate:
    """Return the estimate where each window answers for the rows that follow it.

    Windows that end near each other err together, since they share what follows: as many as the
    horizon has rows are drawn as a whole, over all series, and stand for one window of the test.
    """
    windows, n_targets = competition.windows, len(competition.columns.target)
    assert windows is not None
    assert train.order is not None
    horizon = windows.horizon
    blocks = np.repeat(pd.factorize(train.order, sort=True)[0] // horizon, horizon)
    y, said = (np.asarray(each, dtype=float).reshape(-1, n_targets) for each in (train.y, answers))
    fold, metric = np.repeat(fold, horizon), METRICS[competition.metric]
    found = estimate(y, said, fold, blocks, metric, None, n_test * horizon)
    n_blocks = len(np.unique(blocks[fold >= 0]))
    how = f"bootstrap of {counted(n_blocks, 'block')} of windows to {counted(n_test, 'row')}"
    return replace(found, how=f"{how}, and how folds vary")
