"""What a submission is worth on the hidden labels."""

import numpy as np
import pandas as pd
from contests import Contest

from pipeline.metrics import METRICS


class JudgingError(Exception):
    """A submission that does not answer what was asked."""


def score(contest: Contest, submission: pd.DataFrame) -> float:
    """Return the metric of a submission, its rows found by id.

    Raises JudgingError where rows or columns are not those of the sample.
    """
    wanted = [contest.id, *contest.asked]
    if list(submission) != wanted:
        raise JudgingError(f"{contest.name}: expected columns {wanted}, found {list(submission)}")
    answers = submission.assign(**{contest.id: submission[contest.id].astype(str)})
    answers = answers.set_index(contest.id)
    ids = contest.test[contest.id].astype(str)
    if sorted(answers.index) != sorted(ids):
        raise JudgingError(f"{contest.name}: the submission's ids are not those of the test rows")
    return score_values(contest, answers.loc[ids, contest.asked])


def score_values(contest: Contest, answers: pd.DataFrame) -> float:
    """Return the metric of answers in the order of the test rows."""
    metric = METRICS[contest.metric]
    if contest.answer == "value":
        numbers = answers[contest.target].astype(float).to_numpy()
        return metric(contest.truth.astype(float), numbers)
    truth = contest.truth.astype(str).to_numpy()
    if contest.answer == "label":
        return float(metric.function(truth, answers[contest.target].astype(str).to_numpy()))
    p = answers.astype(float).to_numpy()
    both = np.column_stack([1 - p[:, 0], p[:, 0]]) if p.shape[1] == 1 else p
    return metric(truth, both, np.array(contest.labels))


def error(metric: str, found: float) -> float:
    """Return a score as an error: 0 is perfect, and less is better."""
    return 1 - found if METRICS[metric].greater_is_better else found  # type: ignore[index]


def constant(contest: Contest) -> pd.DataFrame:
    """Return the best answer of one who knows the training targets and nothing of a row.

    The mean on the metric's scale, the most frequent label, or the classes' shares.
    """
    y = contest.train[contest.target]
    if contest.answer == "value":
        numbers = y.astype(float)
        is_ratio = contest.metric == "rmsle"
        fill = [np.expm1(np.log1p(numbers).mean()) if is_ratio else numbers.mean()]
    elif contest.answer == "label":
        fill = [y.mode()[0]]
    else:
        shares = y.astype(str).value_counts(normalize=True)
        fill = list(shares[contest.labels])[-len(contest.asked) :]
    return pd.DataFrame([fill] * len(contest.test), columns=contest.asked)
