"""predict: new rows through a finished run's own estimators, or those of its members."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.checks import check_new
from pipeline.competition import SERIES, Competition, load_competition
from pipeline.data import read_test, split_test, type_test
from pipeline.ensemble import Mixer
from pipeline.errors import UsageError
from pipeline.features import (
    apply_features,
    import_file,
    load_features,
    spread_dates,
)
from pipeline.forecasts import Forecasts, window_new
from pipeline.machine import one_thread_a_product
from pipeline.progress import Note, counted, emit
from pipeline.runs import Run, find_run
from pipeline.sources.practice import read_series
from pipeline.stages.recording import column_names, decision_of
from pipeline.stages.units import kept_estimators
from pipeline.training import respond
from pipeline.workspace import Workspace


def predict(workspace: Workspace, name: str, path: Path, run_id: str | None = None) -> pd.DataFrame:
    """Return the id and the prediction of every row of a file that is written like the test file.

    Of time series, rows without a target are predicted or, if all have one, those that follow. The
    run's own copies of the declaration and of features.py are used, so that what was trained
    is what predicts. Raises DataError if the file lacks a column, UsageError if there is no run,
    TrustError if somebody else wrote the run and nobody has agreed to it.
    """
    run = find_run(workspace.runs, name, run_id)
    competition = load_competition(run.path / "competition.toml", name)
    with one_thread_a_product():  # as the test rows were predicted
        if run.record.get("members"):
            said = _blend(workspace, name, run, path)
        else:
            said = _ask(name, run, run.estimators, path)
    return _answers(competition, run, said)


@dataclass(frozen=True, eq=False)
class _Said:
    """What estimators say: of rows by their ids, or of windows that answer for rows.

    ids: (n_asked,). prediction: (n_samples, n_columns). forecasts: None where samples are rows.
    """

    ids: pd.Series
    prediction: np.ndarray
    forecasts: Forecasts | None = None


def _ask(name: str, run: Run, load: Callable[[], list[Any]], path: Path) -> _Said:
    """Return the mean of what a run's estimators say.

    load: returns the estimators, once their own classes are found.
    """
    for own in sorted(run.path.glob("*.py")):
        run.own_bytes(own.name)
        import_file(own)  # where the saved estimators' own classes are found
    competition = load_competition(run.path / "competition.toml", name)
    if competition.windows is not None:
        return _forecast(run, load, path, competition)
    features = load_features(run.path)
    table = read_test(path, competition, run.record["kinds"])
    read = [name for name in run.record["features"] if name in run.record["kinds"]]
    check_new(table.frame, table.file, read)  # before features.py has to do without one
    frame = spread_dates(apply_features(features, table.frame), competition.columns)
    check_new(frame, table.file, run.record["features"])
    X = split_test(frame, table.ids, competition.columns, run.record["features"]).X
    each = [respond(estimator, X, _labels(run)) for estimator in load()]
    emit(Note("predict", f"{counted(len(X), 'row')} with {counted(len(each), 'estimator')}"))
    return _Said(table.ids, np.mean(each, axis=0))


def _forecast(
    run: Run, load: Callable[[], list[Any]], path: Path, competition: Competition
) -> _Said:
    """Return what a run's estimators say of the rows that follow the windows of a file."""
    kinds, features = run.record["kinds"], load_features(run.path)
    if competition.source.dataset in SERIES:
        table = type_test(*read_series(path, competition), competition, kinds)
    else:
        table = read_test(path, competition, kinds)
    known = run.record["features"]
    test, forecasts = window_new(features, kinds, table, competition, known)
    check_new(test.X, table.file, known)
    X = test.X[known]
    each = [respond(estimator, X, None) for estimator in load()]
    text = f"{counted(len(X), 'window')} with {counted(len(each), 'estimator')}"
    emit(Note("predict", text))
    return _Said(forecasts.ids, np.mean(each, axis=0), forecasts)


def _blend(workspace: Workspace, name: str, run: Run, path: Path) -> _Said:
    """Return the blend of those members that weigh anything."""
    members = [one for one in run.record["members"] if any(one["weights"])]
    asked = [_ask(name, *_member(workspace, name, run, one), path) for one in members]
    facts = run.record["blend"]
    weights = np.array([one["weights"] for one in members])
    mixer = Mixer(weights, facts["scale"], facts["lower"], facts["upper"])
    return replace(asked[0], prediction=mixer(np.array([said.prediction for said in asked])))


def _member(
    workspace: Workspace, name: str, run: Run, member: dict[str, Any]
) -> tuple[Run, Callable[[], list[Any]]]:
    """Return the run that has a member's estimators, and what loads them."""
    if member["run"] is None:
        return run, lambda: kept_estimators(run, member)
    try:
        found = find_run(workspace.runs, name, member["run"])
    except UsageError:
        raise UsageError(
            f"run {run.id} blends run {member['run']}, which is not in {workspace.runs} any more; "
            "put it back, or blend again"
        ) from None
    return found, found.estimators


def _labels(run: Run) -> np.ndarray | None:
    labels = run.record["labels"]
    return None if labels is None else np.array(labels)


def _answers(competition: Competition, run: Run, said: _Said) -> pd.DataFrame:
    """Return the id, for classes the label, and the columns of the prediction."""
    labels, decided = _labels(run), decision_of(run.record)(said.prediction)
    if said.forecasts is not None:
        answers = pd.DataFrame(said.forecasts(decided), columns=list(competition.columns.target))
    else:
        names = column_names(competition, labels)
        answers = pd.DataFrame(decided if labels is None else said.prediction, columns=names)
    if labels is not None:
        answers.insert(0, competition.columns.target[0], labels[decided.argmax(axis=1)])
    answers.insert(0, competition.columns.id_name, said.ids.to_numpy())
    return answers
