"""predict: new rows through a finished run's own estimators, or those of its members."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.checks import check_new
from pipeline.competition import Competition, load_competition
from pipeline.data import read_test, split_test
from pipeline.ensemble import Mixer
from pipeline.errors import UsageError
from pipeline.features import apply_features, import_file, load_features, spread_dates
from pipeline.progress import Note, counted, emit
from pipeline.runs import Run, find_run
from pipeline.stages.recording import column_names, decision_of
from pipeline.stages.units import kept_estimators
from pipeline.training import respond
from pipeline.workspace import Workspace


def predict(workspace: Workspace, name: str, path: Path, run_id: str | None = None) -> pd.DataFrame:
    """Return the id and the prediction of every row of a file that is written like the test file.

    The run's own copies of the declaration and of features.py are used, so that what was trained
    is what predicts. Raises DataError if the file lacks a column, UsageError if there is no run,
    TrustError if somebody else wrote the run and nobody has agreed to it.
    """
    run = find_run(workspace.runs, name, run_id)
    competition = load_competition(run.path / "competition.toml", name)
    if run.record.get("members"):
        ids, prediction = _blend(workspace, name, run, path)
    else:
        ids, prediction = _ask(name, run, run.estimators, path)
    return _answers(competition, run, ids, prediction)


def _ask(
    name: str, run: Run, load: Callable[[], list[Any]], path: Path
) -> tuple[pd.Series, np.ndarray]:
    """Return the ids, and the mean of what a run's estimators say (n_samples, n_columns).

    load: returns the estimators, once their own classes are found.
    """
    for own in sorted(run.path.glob("*.py")):
        run.own_bytes(own.name)
        import_file(own)  # where the saved estimators' own classes are found
    competition = load_competition(run.path / "competition.toml", name)
    features = load_features(run.path)
    table = read_test(path, competition, run.record["kinds"])
    read = [name for name in run.record["features"] if name in run.record["kinds"]]
    check_new(table.frame, table.file, read)  # before features.py has to do without one
    frame = spread_dates(apply_features(features, table.frame), competition.columns)
    check_new(frame, table.file, run.record["features"])
    X = split_test(frame, table.ids, competition.columns, run.record["features"]).X
    each = [respond(estimator, X, _labels(run)) for estimator in load()]
    emit(Note("predict", f"{counted(len(X), 'row')} with {counted(len(each), 'estimator')}"))
    return table.ids, np.mean(each, axis=0)


def _blend(workspace: Workspace, name: str, run: Run, path: Path) -> tuple[pd.Series, np.ndarray]:
    """Return the ids, and the blend of those members that weigh anything."""
    members = [one for one in run.record["members"] if any(one["weights"])]
    asked = [_ask(name, *_member(workspace, name, run, one), path) for one in members]
    facts = run.record["blend"]
    weights = np.array([one["weights"] for one in members])
    mixer = Mixer(weights, facts["scale"], facts["lower"], facts["upper"])
    return asked[0][0], mixer(np.array([prediction for _, prediction in asked]))


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


def _answers(
    competition: Competition, run: Run, ids: pd.Series, prediction: np.ndarray
) -> pd.DataFrame:
    """Return the id, for classes the label, and the columns of the prediction."""
    labels, decided = _labels(run), decision_of(run.record)(prediction)
    names = column_names(competition, labels)
    answers = pd.DataFrame(decided if labels is None else prediction, columns=names)
    if labels is not None:
        answers.insert(0, competition.columns.target[0], labels[decided.argmax(axis=1)])
    answers.insert(0, competition.columns.id_name, ids.to_numpy())
    return answers
