"""From predictions to answers: which label probabilities mean, and whether counts are whole.

What is chosen is chosen out of fold: for each fold on the rows of the others. It is kept only where
the folds prove that it helps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.competition import OwnMetric
from pipeline.metrics import Metric
from pipeline.scoring import label_scores

GRID = 2.0 ** (np.arange(-20, 21) / 4)  # factors of a class, from 1/32 to 32
COARSE = GRID[::4]  # where each score is a call of a competitor's own function
PASSES = 3  # over the classes
PROOF = 2.0  # standard errors of the folds' mean gain


@dataclass(frozen=True)
class Decision:
    """What is done to predictions before they are answers.

    factors: what each class's probability is multiplied by before the largest one names the label;
    for two classes this is a threshold. is_rounded: numbers are rounded to whole ones.
    """

    factors: tuple[float, ...] | None = None
    is_rounded: bool = False

    def __call__(self, prediction: np.ndarray) -> np.ndarray:
        """Return predictions (n_samples, n_columns) whose value, or largest column, answers."""
        if self.is_rounded:
            return np.asarray(np.rint(prediction))
        if self.factors is None:
            return prediction
        weighted = prediction * np.array(self.factors)
        return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))

    def __str__(self) -> str:
        if self.factors is None:
            return "answers are rounded" if self.is_rounded else "answers are what is predicted"
        shown = ", ".join(f"{factor:.3g}" for factor in self.factors)
        return f"the label is the largest of the probabilities times {shown}"

    def __bool__(self) -> bool:
        return self != NOTHING


NOTHING = Decision()  # what is predicted is the answer


@dataclass(frozen=True, eq=False)
class Decided:
    """A decision, the answers it makes of out-of-fold predictions, and what they are worth.

    answers: (n_samples, n_columns); for each fold by what the other folds' rows say. score: theirs;
    plain: the score without a decision. Without one both are the same.
    """

    decision: Decision
    answers: np.ndarray
    score: float
    plain: float


def decide(
    y: Any,
    prediction: np.ndarray,
    fold: np.ndarray,
    metric: Metric,
    labels: np.ndarray | None = None,
    elsewhere: Callable[[int], np.ndarray] | None = None,
) -> Decided:
    """Choose what makes answers of out-of-fold predictions, or nothing if it does not help.

    y: (n_samples,) or (n_samples, n_targets). prediction: (n_samples, n_columns).
    fold: (n_samples,), the number of the fold that predicted each row, -1 for none.
    elsewhere: from a fold to predictions (n_samples, n_columns) that were made without its rows; if
        left out, prediction.
    Accuracy and f1_macro get factors of the classes, a competitor's own metric of labels gets one
    for two classes, whole targets are tried rounded.
    """
    y = np.asarray(y)
    covered = fold >= 0
    plain = metric(y[covered], prediction[covered], labels)
    answers = answers_by_others(y, prediction, fold, metric, labels, elsewhere)
    choose = _choice(y, metric, labels)
    if (
        answers is None
        or choose is None
        or not is_better(y, prediction, answers, fold, metric, labels, n_errors=PROOF)
    ):
        return Decided(NOTHING, prediction, plain, plain)
    score = metric(y[covered], answers[covered], labels)
    return Decided(choose(prediction, covered), answers, score, plain)


def answers_by_others(
    y: np.ndarray,
    prediction: np.ndarray,
    fold: np.ndarray,
    metric: Metric,
    labels: np.ndarray | None = None,
    elsewhere: Callable[[int], np.ndarray] | None = None,
) -> np.ndarray | None:
    """Return the answers (n_samples, n_columns) of each fold's rows by what the others' say.

    None where there is nothing to choose, or nobody to choose it. Arguments as for decide.
    """
    choose = _choice(y, metric, labels)
    numbers = np.unique(fold[fold >= 0])
    if choose is None or len(numbers) < 2:
        return None
    answers = prediction.copy()
    for number in numbers:
        others, mine = (fold >= 0) & (fold != number), fold == number
        seen = prediction if elsewhere is None else elsewhere(int(number))
        answers[mine] = choose(seen, others)(prediction[mine])
    return answers


def _choice(
    y: np.ndarray, metric: Metric, labels: np.ndarray | None
) -> Callable[[np.ndarray, np.ndarray], Decision] | None:
    """Return what chooses a decision from predictions at some rows, or None for probabilities."""
    if labels is None:
        return _choose_rounding(y)
    is_many = isinstance(metric.name, OwnMetric) and len(labels) > 2  # too many scores to ask for
    if metric.response != "label" or is_many:
        return None
    return _choose_factors(y, metric, labels)


def fold_scores(
    y: np.ndarray,
    prediction: np.ndarray,
    fold: np.ndarray,
    metric: Metric,
    labels: np.ndarray | None = None,
) -> np.ndarray:
    """Return the score of each fold's own rows (n_folds,), in the order of their numbers."""
    numbers = np.unique(fold[fold >= 0])
    each = [metric(y[fold == n], prediction[fold == n], labels) for n in numbers]
    return np.array(each)


def standard_error(scores: np.ndarray) -> float | None:
    """Return the standard error of the folds' mean score, of those that have one; None for one."""
    finite = scores[np.isfinite(scores)]
    return float(finite.std(ddof=1) / np.sqrt(len(finite))) if len(finite) > 1 else None


def _choose_rounding(y: np.ndarray) -> Callable[[np.ndarray, np.ndarray], Decision]:
    """Return the choice of rounding, for targets that are whole in every training row."""
    is_whole = bool((y == np.rint(y)).all())
    return lambda prediction, rows: Decision(is_rounded=is_whole)


def _choose_factors(
    y: np.ndarray, metric: Metric, labels: np.ndarray
) -> Callable[[np.ndarray, np.ndarray], Decision]:
    codes = np.searchsorted(labels, y)

    def choose(prediction: np.ndarray, rows: np.ndarray) -> Decision:
        return Decision(factors=tuple(best_factors(metric, codes[rows], prediction[rows], labels)))

    return choose


def best_factors(
    metric: Metric, codes: np.ndarray, probability: np.ndarray, labels: np.ndarray | None = None
) -> np.ndarray:
    """Return the factor of each class (n_classes,) that scores best, class by class on a grid.

    codes: (n_samples,) of the true labels; labels: what they stand for, which only a competitor's
    own metric asks for. Of equal scores the factor nearest to 1 wins, so that
    nothing is changed for nothing.
    """
    n_classes = probability.shape[1]
    factors = np.ones(n_classes)
    grid = COARSE if isinstance(metric.name, OwnMetric) else GRID
    order = np.argsort(np.abs(np.log(grid)), kind="stable")
    moving = range(1, n_classes) if n_classes == 2 else range(n_classes)
    for _ in range(PASSES):
        before = factors.copy()
        for c in moving:
            said = _labels_by_factor(probability * factors, probability[:, c], c, grid)
            scores = _gains(metric, codes, said, n_classes, labels)
            factors[c] = grid[order[scores[order].argmax()]]
        if (factors == before).all():
            break
    return factors


def _gains(
    metric: Metric,
    codes: np.ndarray,
    said: np.ndarray,
    n_classes: int,
    labels: np.ndarray | None,
) -> np.ndarray:
    """Return the score of each row of label codes (n_predictions,), the greater the better."""
    if not isinstance(metric.name, OwnMetric):
        return label_scores(metric.name, codes, said, n_classes)
    assert labels is not None
    scores = np.array([metric.function(labels[codes], labels[one]) for one in said])
    return scores if metric.greater_is_better else -scores


def _labels_by_factor(
    weighted: np.ndarray, p: np.ndarray, c: int, grid: np.ndarray = GRID
) -> np.ndarray:
    """Return the label codes (n_factors, n_samples) as class c takes each factor of the grid."""
    others = weighted.copy()
    others[:, c] = -np.inf
    rival, height = others.argmax(axis=1), others.max(axis=1)
    mine = grid[:, None] * p
    wins = (mine > height) | ((mine == height) & (c < rival))  # as argmax breaks ties
    return np.where(wins, c, rival)


def is_better(
    y: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    fold: np.ndarray,
    metric: Metric,
    labels: np.ndarray | None = None,
    *,
    n_errors: float,
) -> bool:
    """Tell whether a score gains, and the folds' mean gain is over so many of its standard errors.

    before, after: predictions (n_samples, n_columns) of the same rows.
    """
    sign = 1 if metric.greater_is_better else -1
    gain = sign * (
        fold_scores(y, after, fold, metric, labels) - fold_scores(y, before, fold, metric, labels)
    )
    gain = gain[np.isfinite(gain)]
    if len(gain) < 2:
        return False
    covered = fold >= 0
    whole = sign * (
        metric(y[covered], after[covered], labels) - metric(y[covered], before[covered], labels)
    )
    return bool(whole > 0 and gain.mean() > n_errors * gain.std(ddof=1) / np.sqrt(len(gain)))
