"""What a run's report is drawn from besides its scores: columns, importance, errors, members."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from pipeline.competition import Competition
from pipeline.data import TrainData
from pipeline.ensemble import Candidates, error_correlation, greedy_paths
from pipeline.importance import (
    Importance,
    ask_shuffled,
    importance_of,
    order_of_asking,
    rows_to_ask,
)
from pipeline.inspection import column_facts
from pipeline.metrics import metric_of
from pipeline.mistakes import errors_in_bins
from pipeline.progress import Warned, counted, emit
from pipeline.runs import FINDINGS, Run, UnfinishedRun
from pipeline.stages.opening import Data
from pipeline.strength import goal_of
from pipeline.training import CVResult, respond

MOST_SECONDS = 10.0  # for shuffling columns
LEAST_SECONDS = 0.5  # with less, it is not begun
SHARE = 0.2  # of the seconds that training took; two seconds are always there
SHOWN = 6  # columns whose errors are told bin by bin
RANKED = 2000  # rows by which the columns are ordered
T = TypeVar("T")
U = TypeVar("U")


def attempt(what: str, make: Callable[[], T], otherwise: U) -> T | U:
    """Return what is made, or something else with a warning: no run is lost to its report.

    what: it is, for the warning. So whatever goes wrong is told, and none of it ends the command.
    """
    try:
        return make()
    except Exception as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"
        emit(Warned(f"{what} could not be made, and the run goes without it: {told}"))
        return otherwise


@dataclass(frozen=True, eq=False)
class Together:
    """How a blend's members are alike, and what the greedy selection makes of them.

    correlation: of errors (n_members, n_members). paths: one a target.
    """

    labels: tuple[str, ...]
    correlation: np.ndarray
    paths: list[dict[str, Any]]


def compare_members(
    candidates: Candidates, labels: Sequence[str], competition: Competition
) -> Together:
    """Return how alike the errors of a blend's members are, and the greedy way through them."""
    paths = [
        {**asdict(one), "added": [labels[number] for number in one.added]}
        for one in greedy_paths(candidates, competition.outputs)
    ]
    return Together(tuple(labels), error_correlation(candidates), paths)


def seconds_for_importance(trained: float, left: float | None) -> float:
    """Return how long columns may be shuffled after so many seconds of training.

    left: until a deadline, or None.
    """
    usual = min(MOST_SECONDS, max(2.0, SHARE * trained))
    return usual if left is None else min(usual, left)


def find_importance(
    result: CVResult, train: TrainData, competition: Competition, seed: int, seconds: float
) -> Importance | str:
    """Return what each column is worth to the fitted folds, or why that is not known."""
    if seconds < LEAST_SECONDS:
        return "the time was over; more --time leaves some for it"
    until = time.monotonic() + seconds
    every = (result.repeats[0] if result.repeats else result).folds
    folds = [one for one in every if len(one.fold.valid)]
    columns = columns_to_ask(train, competition)
    asked: dict[int, np.ndarray] = {}
    truth: dict[int, np.ndarray] = {}
    for position, one in enumerate(folds):
        rows = rows_to_ask(one.fold.valid, len(folds), seed, one.fold.number)
        share = time.monotonic() + (until - time.monotonic()) / (len(folds) - position)
        asked[one.fold.number] = ask_shuffled(
            _asking(one.estimator, result.labels),
            train.X.iloc[rows],
            columns,
            seed,
            one.fold.number,
            share,
        )
        truth[one.fold.number] = np.asarray(train.y.iloc[rows])
    metric = metric_of(competition)
    return importance_of(asked, truth, columns, metric, result.labels)


def _asking(estimator: Any, labels: np.ndarray | None) -> Callable[[pd.DataFrame], np.ndarray]:
    return lambda X: respond(estimator, X, labels)


def columns_to_ask(train: TrainData, competition: Competition) -> list[str]:
    """Return the features in the order in which they are shuffled."""
    rows = np.sort(np.random.default_rng(0).permutation(len(train))[:RANKED])
    return order_of_asking(train.X.iloc[rows], goal_of(train.y, competition)[rows])


def save_findings(
    run: UnfinishedRun,
    competition: Competition,
    data: Data,
    answers: np.ndarray,
    importance: Importance | str,
    together: Together | None,
) -> None:
    """Write what the report needs and only the files that were read can tell.

    answers: (n_samples, n_columns), out of fold, NaN where there is none.
    """
    shown = _columns_to_show(importance, data.train, competition)
    errors = _errors(competition, data, answers)
    record = {
        "columns": _column_records(competition, data),
        "importance": _importance_record(importance),
        "errors": {
            "unit": errors[1],
            "columns": [
                {
                    "column": name,
                    "bins": [asdict(one) for one in errors_in_bins(data.train.X[name], errors[0])],
                }
                for name in shown
            ],
        },
        "together": None
        if together is None
        else {
            "labels": together.labels,
            "correlation": together.correlation,
            "paths": together.paths,
        },
    }
    run.save_json(FINDINGS, record)


def _column_records(competition: Competition, data: Data) -> list[Mapping[Any, Any]]:
    table = column_facts(data.train.X, data.test.X, data.drift, competition.columns.text)
    return list(table.to_dict("records"))


def _importance_record(importance: Importance | str) -> dict[str, Any]:
    if isinstance(importance, str):
        return {"columns": [], "n_rows": 0, "n_columns": 0, "note": importance}
    return {
        "columns": importance.table.to_dict("records"),
        "n_rows": importance.n_rows,
        "n_columns": importance.n_columns,
        "note": importance.note,
    }


def _columns_to_show(
    importance: Importance | str, train: TrainData, competition: Competition
) -> list[str]:
    """Return the columns that matter most, as far as that is known."""
    if isinstance(importance, Importance) and len(importance.table):
        return list(importance.table["column"][:SHOWN])
    return columns_to_ask(train, competition)[:SHOWN]


def _errors(competition: Competition, data: Data, answers: np.ndarray) -> tuple[np.ndarray, str]:
    """Return each row's error (n_samples,), and what it is, in a word."""
    y = np.asarray(data.train.y)
    if data.labels is not None:
        said = data.labels[np.nan_to_num(answers, nan=-1.0).argmax(axis=1)]
        wrong = (said != y).astype(float)
        return np.where(np.isnan(answers[:, 0]), np.nan, wrong), "wrong"
    truth, said = y.reshape(len(y), -1)[:, 0].astype(float), answers[:, 0]
    if competition.metric == "rmsle":
        return np.log1p(said) - np.log1p(truth), "log1p"
    return said - truth, "value"


def importance_of_members(members: Sequence[Run], weights: np.ndarray) -> Importance | str:
    """Return what columns are worth to runs that are blended: the mean of their own, by weight.

    weights: (n_members, n_targets), as a blend has them.
    """
    shares = np.abs(weights).mean(axis=1)
    mine = [(run, share) for run, share in zip(members, shares, strict=True) if share > 0]
    found = [(run.findings().get("importance") or {}, share) for run, share in mine]
    if not all(one.get("columns") for one, _ in found):
        return "it is not known of every member; see the members' own reports"
    tables = [pd.DataFrame(one["columns"]).set_index("column").astype(float) for one, _ in found]
    known = [name for name in tables[0].index if all(name in table.index for table in tables)]
    parts = np.array([share for _, share in found]) / sum(share for _, share in found)
    mean = sum(part * table.loc[known] for part, table in zip(parts, tables, strict=True))
    squares = [
        np.square(part * t.loc[known, "error"]) for part, t in zip(parts, tables, strict=True)
    ]
    table = pd.DataFrame(mean).assign(error=np.sqrt(np.sum(squares, axis=0))).reset_index()
    return Importance(
        table.sort_values("importance", ascending=False, kind="stable", ignore_index=True),
        n_rows=min(one["n_rows"] for one, _ in found),
        n_columns=max(one["n_columns"] for one, _ in found),
        note="it is the mean of the members' own, by their weights",
    )


def note_of_members(names: Sequence[str], share: float) -> str:
    """Return which of a blend's members were asked, where it is not all of them."""
    if share > 0.999:
        return ""
    return f"of {counted(len(names), 'member')} that have {share:.0%} of the weight"
