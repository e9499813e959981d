"""The score of a submission against answers that were held back: what a service does."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.competition import Competition
from pipeline.csvtext import read_text
from pipeline.data import sample_ids
from pipeline.errors import SourceError
from pipeline.labels import classes_of_columns
from pipeline.metrics import METRICS
from pipeline.submission import answer_columns


def grade(competition: Competition, submission: Path, answers: Path) -> tuple[float, int]:
    """Return a submission's score, and of how many rows it is.

    submission: a checked file. answers: its ids, and what is true of them by the targets' names.
    Raises SourceError, as a service that refuses, if the ids are not those of the answers.
    """
    said, truth = read_text(submission), read_text(answers)
    true_ids, ids = (sample_ids(frame, competition.columns) for frame in (truth, said))
    if sorted(ids) != sorted(true_ids):
        raise SourceError(
            f"{submission}: its ids are not those of the held-back rows; train again on the files "
            "that are here"
        )
    y = truth.set_axis(true_ids).loc[ids, list(competition.columns.target)]
    answered = said[answer_columns(competition, said)]
    metric = METRICS[competition.metric]
    if metric.response == "value":
        return metric(y.to_numpy(float), answered.to_numpy(float)), len(y)
    labels = y.iloc[:, 0].to_numpy(str)
    if metric.response == "label":
        return float(metric.function(labels, answered.iloc[:, 0].to_numpy(str))), len(y)
    return _of_chances(competition, labels, answered), len(y)


def _of_chances(competition: Competition, labels: np.ndarray, answered: pd.DataFrame) -> float:
    """Return the score of probabilities: one column of the positive class, or one for each."""
    metric, classes = METRICS[competition.metric], np.unique(labels)
    chances = answered.to_numpy(float)
    if chances.shape[1] == 1:
        positive = competition.target.positive or classes[-1]
        both = np.hstack([1 - chances, chances])
        return metric((labels == positive).astype(int), both, np.array([0, 1]))
    numbers = classes_of_columns(list(map(str, answered)), classes.tolist())
    pairs = zip(numbers, answered, strict=True)
    names = np.array([column if n is None else classes[n] for n, column in pairs])
    order = np.argsort(names)  # a class that no held-back row has is known by its column alone
    return metric(labels, chances[:, order], names[order])
