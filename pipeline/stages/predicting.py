"""predict: new rows through a finished run's own estimators."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.checks import check_new
from pipeline.competition import load_competition
from pipeline.data import read_test, split_test
from pipeline.features import apply_features, import_file, load_features, spread_dates
from pipeline.progress import Note, counted, emit
from pipeline.runs import find_run
from pipeline.stages.recording import column_names
from pipeline.training import respond
from pipeline.workspace import Workspace


def predict(workspace: Workspace, name: str, path: Path, run_id: str | None = None) -> pd.DataFrame:
    """Return the id and the prediction of every row of a file that is written like the test file.

    The run's own copies of the declaration and of features.py are used, so that what was trained
    is what predicts. Raises DataError if the file lacks a column, UsageError if there is no run.
    """
    run = find_run(workspace.runs, name, run_id)
    for own in sorted(run.path.glob("*.py")):
        import_file(own)  # where the saved estimators' own classes are found
    competition = load_competition(run.path / "competition.toml", name)
    features = load_features(run.path)
    table = read_test(path, competition, run.record["kinds"])
    frame = spread_dates(apply_features(features, table.frame), competition.columns)
    check_new(frame, table.file, run.record["features"])
    X = split_test(frame, table.ids, competition.columns, run.record["features"]).X
    labels = run.record["labels"]
    labels = None if labels is None else np.array(labels)
    each = [respond(estimator, X, labels) for estimator in run.estimators()]
    emit(
        Note(
            "predict",
            f"{counted(len(X), 'row')} with {counted(len(each), 'estimator')} of {run.id}",
        )
    )
    answers = pd.DataFrame(np.mean(each, axis=0), columns=column_names(competition, labels))
    if labels is not None:
        answers.insert(0, competition.columns.target[0], labels[answers.to_numpy().argmax(axis=1)])
    answers.insert(0, competition.columns.id_name, table.ids.to_numpy())
    return answers
