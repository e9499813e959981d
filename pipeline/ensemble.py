"""Blends of models: how much each weighs, chosen on out-of-fold predictions and judged on others.

Several ways lead to weights. Which way is taken, and what the blend is worth, is found by nested
validation: the rows of a fold are predicted with weights, and by a way, that only the rows of the
other folds have chosen. Nothing is fitted here but weights.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.optimize import nnls
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.competition import MetricName, Target
from pipeline.decisions import Decided, decide, is_better
from pipeline.errors import UsageError
from pipeline.metrics import METRICS, Metric
from pipeline.scoring import many_scores

ROUNDS = 40  # of the greedy selection
TINY = float(np.finfo(float).eps)
MOST_ROWS = 20_000  # that weights are chosen on: a few weights need no more
MOST_RANKED = 5_000  # where every score sorts all rows
TIE = 1e-6  # of the score: closer ones are equal
FEW_ROWS = 2_000  # fewer make weights a matter of chance, so that a mean of several is taken
BAGS = 20  # random halves of few rows
PENALTIES = 10.0 ** np.arange(-4, 4)  # of the ridge, in units of the mean square of a deviation

Way = Literal["best", "mean", "greedy", "nnls", "ridge"]
Scale = Literal["none", "log1p"]


@dataclass(frozen=True, eq=False)
class Mixer:
    """Weights, and how they make one prediction of several.

    weights: (n_models, n_targets), or (n_models, 1) for classes; each column sums to 1.
    scale: on which predictions are mixed: after log1p where that makes the metric a squared error.
    lower, upper: what the target can be, or None.
    """

    weights: np.ndarray
    scale: Scale = "none"
    lower: float | None = None
    upper: float | None = None

    def __call__(self, predictions: np.ndarray) -> np.ndarray:
        """Return the blend (n_samples, n_columns) of (n_models, n_samples, n_columns)."""
        values = np.log1p(predictions) if self.scale == "log1p" else predictions
        mixed = np.einsum("mc,mnc->nc", np.broadcast_to(self.weights, values[:, 0].shape), values)
        mixed = np.expm1(mixed) if self.scale == "log1p" else mixed
        if self.lower is None and self.upper is None:
            return np.asarray(mixed)
        return np.asarray(np.clip(mixed, self.lower, self.upper))


@dataclass(frozen=True, eq=False)
class Candidates:
    """What several models say, out of fold, of the same rows.

    predictions: (n_models, n_samples, n_columns), columns as for a metric: the targets, or the
    classes' probabilities. y: (n_samples,) or (n_samples, n_targets). fold: (n_samples,), the
    number of the fold that predicted each row. labels: the sorted classes, or None for numbers.
    """

    predictions: np.ndarray
    y: np.ndarray
    fold: np.ndarray
    metric: Metric
    labels: np.ndarray | None = None
    target: Target = field(default_factory=Target)

    @property
    def scale(self) -> Scale:
        """The scale on which the models are mixed."""
        return "log1p" if self.metric.name == "rmsle" else "none"

    def mixer(self, weights: np.ndarray) -> Mixer:
        """Return what mixes the models by weights (n_models, n_targets) or (n_models, 1)."""
        return Mixer(weights, self.scale, self.target.lower, self.target.upper)

    def score(self, prediction: np.ndarray, rows: np.ndarray | slice = slice(None)) -> float:
        """Return the metric of a prediction (n_samples, n_columns) at some rows."""
        return self.metric(self.y[rows], prediction[rows], self.labels)

    def questions(self) -> list["Question"]:
        """Return what weights are chosen for: each target, or the classes together."""
        if self.labels is not None:
            codes = np.searchsorted(self.labels, self.y)
            name = self.metric.name
            return [Question(self.predictions, codes, self.fold, name, len(self.labels))]
        to_scale = np.log1p if self.scale == "log1p" else np.asarray
        truth = to_scale(self.y.reshape(len(self.y), -1).astype(float))
        values = to_scale(self.predictions)
        name = "rmse" if self.scale == "log1p" else self.metric.name
        return [
            Question(values[:, :, i], truth[:, i], self.fold, name) for i in range(truth.shape[1])
        ]


@dataclass(frozen=True, eq=False)
class Question:
    """One target, or the classes: predictions (n_models, n_samples) or (..., n_classes), and y."""

    predictions: np.ndarray
    y: np.ndarray
    fold: np.ndarray
    metric: MetricName
    n_classes: int = 0

    def losses(self, predictions: np.ndarray) -> np.ndarray:
        """Return the metric of several predictions (n_predictions,), the less the better."""
        scores = many_scores(self.metric, self.y, predictions, self.n_classes)
        losses = -scores if METRICS[self.metric].greater_is_better else scores
        return np.asarray(np.where(np.isnan(losses), np.inf, losses))  # too few classes for a score

    def at(self, rows: np.ndarray) -> "Question":
        """Return the question of some rows only."""
        return replace(
            self, predictions=self.predictions[:, rows], y=self.y[rows], fold=self.fold[rows]
        )

    def errors(self) -> np.ndarray:
        """Return what each prediction lacks to the truth (n_models, n_samples or more)."""
        truth = np.eye(self.n_classes)[self.y] if self.n_classes else self.y
        errors: np.ndarray = truth - self.predictions
        return errors.reshape(len(errors), -1)


# The ways to weights: from a question to (n_models,), which sum to 1.


def best(question: Question) -> np.ndarray:
    """Return all weight on the model that scores best; of equals the first."""
    weights = np.zeros(len(question.predictions))
    weights[question.losses(question.predictions).argmin()] = 1
    return weights


def mean(question: Question) -> np.ndarray:
    """Return equal weights."""
    n_models = len(question.predictions)
    return np.full(n_models, 1 / n_models)


def greedy(question: Question, rounds: int = ROUNDS) -> np.ndarray:
    """Return weights by adding, round by round, the model that makes the mean score best.

    A model may be added again. Of equal scores a model that is in already wins, then the first.
    What counts is the first round that scored best. (Caruana et al., Ensemble selection from
    libraries of models, 2004.)
    """
    added = greedy_path(question, rounds)
    return np.bincount(added, minlength=len(question.predictions)) / len(added)


def greedy_path(question: Question, rounds: int = ROUNDS) -> list[int]:
    """Return which models the greedy selection adds, in order, up to the first best round."""
    losses_of_next = _greedy_losses(question)
    counts, added, scores = np.zeros(len(question.predictions)), [], []
    for n in range(1, rounds + 1):
        losses = losses_of_next(counts, n)
        chosen = _first_of_equals(losses, counts > 0)
        counts[chosen] += 1
        added.append(chosen)
        scores.append(losses[chosen])
    return added[: int(np.argmin(scores)) + 1]


def _greedy_losses(question: Question) -> Callable[[np.ndarray, int], np.ndarray]:
    """Return the function that tells the loss (n_models,) of the mean with each model added.

    It takes how often each model is in already, and of how many the new mean is. Squared errors are
    sums of products of errors, which are counted once; the log loss asks only for the truth's
    probability.
    """
    predictions = question.predictions
    if question.metric in ("rmse", "r2"):
        errors = question.errors()
        products = errors @ errors.T / errors.shape[1]
        squares = np.diag(products)

        def of_squares(counts: np.ndarray, n: int) -> np.ndarray:
            mixed = products @ counts
            mean_square = (counts @ mixed + 2 * mixed + squares) / n**2
            return np.asarray(np.sqrt(np.maximum(mean_square, 0.0)))

        return of_squares
    if question.metric == "log_loss":
        truth = question.y[None, :, None]
        likely = np.take_along_axis(predictions, truth, axis=2)[:, :, 0] / predictions.sum(axis=2)

        def of_likelihood(counts: np.ndarray, n: int) -> np.ndarray:
            share = np.clip((counts @ likely + likely) / n, TINY, 1 - TINY)
            return np.asarray(-np.log(share).mean(axis=1))

        return of_likelihood
    return lambda counts, n: question.losses(
        (np.tensordot(counts, predictions, axes=1) + predictions) / n
    )


def _first_of_equals(losses: np.ndarray, is_used: np.ndarray) -> int:
    is_least = losses <= losses.min() + TIE * abs(losses.min())
    used = np.flatnonzero(is_least & is_used)
    return int(used[0] if len(used) else np.flatnonzero(is_least)[0])


def non_negative(question: Question) -> np.ndarray:
    """Return the weights, none below 0, of the least squared error; for classes, of one-hot rows.

    The sum of 1 is asked for by one more row. Its weight moves the length of the solution and not
    its direction, so that dividing by the sum is exact.
    """
    errors = question.errors()
    root = np.linalg.qr(errors.T, mode="r")  # the squares are the same, the rows fewer
    size = np.sqrt(np.square(root).sum() / len(errors)) or 1.0
    weights, _ = nnls(
        np.vstack([root, np.full(len(errors), size)]), np.r_[np.zeros(len(root)), size]
    )
    return np.asarray(weights / weights.sum())


def ridge(question: Question) -> np.ndarray:
    """Return the weights of the least squared error that a penalty draws to equal ones.

    What is fitted is each model's deviation from the models' mean, so that weights sum to 1; they
    may be negative. The penalty is chosen fold by fold on the others' rows.
    """
    deviations = question.predictions - question.predictions.mean(axis=0)  # (n_models, n_samples)
    rest = question.y - question.predictions.mean(axis=0)
    folds = [question.fold == number for number in np.unique(question.fold)]
    grams = np.array([deviations[:, f] @ deviations[:, f].T for f in folds])
    sides = np.array([deviations[:, f] @ rest[f] for f in folds])
    unit = np.trace(grams.sum(axis=0)) / len(deviations) or 1.0
    penalties = unit * PENALTIES

    def solve(gram: np.ndarray, side: np.ndarray, penalty: float) -> np.ndarray:
        return np.linalg.solve(gram + penalty * np.eye(len(gram)), side)

    def missed(penalty: float) -> float:
        """Return the squared error of the folds' rows, less a constant."""
        total = 0.0
        for i, (gram, side) in enumerate(zip(grams, sides, strict=True)):
            others = np.arange(len(folds)) != i
            extra = solve(grams[others].sum(axis=0), sides[others].sum(axis=0), penalty)
            total += extra @ gram @ extra - 2 * extra @ side
        return total

    penalty = penalties[-1] if len(folds) < 2 else min(penalties[::-1], key=missed)
    extra = solve(grams.sum(axis=0), sides.sum(axis=0), penalty)
    weights = mean(question) + extra - extra.mean()  # the mean is 0 but for rounding
    return np.asarray(weights)


WAYS: Mapping[Way, Callable[[Question], np.ndarray]] = {
    "best": best,
    "mean": mean,
    "greedy": greedy,
    "nnls": non_negative,
    "ridge": ridge,
}


def steadied(way: Way, question: Question) -> np.ndarray:
    """Return the weights (n_models,) of a way; of few rows, the mean over random halves of them.

    Which of several like models gets the weight is chance where rows are few. (Bagged ensemble
    selection: Caruana et al., 2004, who draw models and not rows.) Greedy weights for labels and
    ranks are left as they are: their scores take long, and gained nothing by it.
    """
    n_rows = len(question.y)
    is_slow = way == "greedy" and question.metric in ("accuracy", "f1_macro", "roc_auc")
    if way in ("best", "mean") or is_slow or not 4 <= n_rows < FEW_ROWS:
        return WAYS[way](question)
    rng = np.random.default_rng(0)
    halves = [np.sort(rng.choice(n_rows, n_rows // 2, replace=False)) for _ in range(BAGS)]
    return np.asarray(np.mean([WAYS[way](question.at(half)) for half in halves], axis=0))


@dataclass(frozen=True, eq=False)
class Blend:
    """The chosen mixture, and what it is worth.

    way, mixer: what predicts new rows, chosen on all rows.
    oof: (n_samples, n_columns); each fold's rows by a way and weights that the others have chosen.
    score: that of oof, the honest one. plain: that of the mixer on the rows it was chosen on.
    ways: the nested score of each way by itself. fold_ways: the way that each fold's others chose.
    decided: what is done to probabilities or counts before they are answers.
    """

    way: Way
    mixer: Mixer
    oof: np.ndarray
    score: float
    plain: float
    ways: dict[Way, float]
    fold_ways: dict[int, Way]
    decided: Decided


def _possible_ways(candidates: Candidates) -> list[Way]:
    """Return the ways that fit: probabilities cannot be negative."""
    return [way for way in WAYS if way != "ridge" or candidates.labels is None]


def _usual_way(candidates: Candidates) -> Way:
    """Return the way that is taken unless another is better: least squares, where they fit.

    The squared error of one-hot rows tells more of few rows than labels or ranks do. Absolute
    errors and the log loss have another minimum.
    """
    return "greedy" if candidates.metric.name in ("mae", "mape", "log_loss") else "nnls"


class _Nested:
    """Weights and verdicts for every set of folds that is left out, each made once."""

    def __init__(self, candidates: Candidates) -> None:
        self.candidates = candidates
        self.questions = candidates.questions()
        self.folds = [int(number) for number in np.unique(candidates.fold)]
        self.ways = _possible_ways(candidates)
        self.weights = lru_cache(maxsize=None)(self._weights)
        self.judged = lru_cache(maxsize=None)(self._judged)

    def _weights(self, way: Way, without: frozenset[int]) -> np.ndarray:
        """Return the weights (n_models, n_targets or 1) that rows of the other folds choose."""
        rows = np.flatnonzero(~np.isin(self.candidates.fold, list(without)))
        most = MOST_RANKED if self.candidates.metric.name == "roc_auc" else MOST_ROWS
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
        return np.column_stack([steadied(way, question.at(rows)) for question in self.questions])

    def predict(self, way: Way, without: frozenset[int], rows: np.ndarray) -> np.ndarray:
        """Return the blend of some rows."""
        mixer = self.candidates.mixer(self.weights(way, without))
        return mixer(self.candidates.predictions[:, rows])

    def oof(self, way: Way, without: frozenset[int]) -> np.ndarray:
        """Return the blend of each fold's rows by weights of the others; NaN in folds left out."""
        whole = np.full(self.candidates.predictions.shape[1:], np.nan)
        for number in self.folds:
            if number not in without:
                mine = self.candidates.fold == number
                whole[mine] = self.predict(way, without | {number}, mine)
        return whole

    def scores(self) -> dict[Way, float]:
        """Return the nested score of each way by itself."""
        return {way: self.judged(way, frozenset()).score for way in self.ways}

    def _judged(self, way: Way, without: frozenset[int]) -> Decided:
        """Return the answers that a way's nested predictions lead to, in the folds not left out."""
        given, oof = self.candidates, self.oof(way, without)
        rows = ~np.isin(given.fold, list(without))
        return decide(given.y[rows], oof[rows], given.fold[rows], given.metric, given.labels)

    def way(self, without: frozenset[int] = frozenset()) -> Way:
        """Return the way of the best nested score on the folds that are not left out.

        Another than the usual one is taken only if its gain is over its standard error: the scores
        of the ways are so near to each other that the best of them is mostly luck.
        """
        given = self.candidates
        usual = _usual_way(given)
        if len(self.folds) - len(without) < 2:
            return usual  # a single fold has no other fold to choose its weights
        rows = ~np.isin(given.fold, list(without))
        before = self.judged(usual, without)
        better = {usual: before.score}
        for way in self.ways:
            after = self.judged(way, without)
            if is_better(
                given.y[rows],
                before.answers,
                after.answers,
                given.fold[rows],
                given.metric,
                given.labels,
                n_errors=1.0,
            ):
                better[way] = after.score
        return (max if given.metric.greater_is_better else min)(better, key=lambda way: better[way])


def choose_blend(candidates: Candidates) -> Blend:
    """Return the blend of the best nested score, and its own score without looking.

    Raises UsageError for fewer than two models or folds.
    """
    with threadpool_limits(1):  # small products: threads that wait for a busy core cost twentyfold
        return _chosen(candidates)


def _chosen(candidates: Candidates) -> Blend:
    if len(candidates.predictions) < 2 or len(np.unique(candidates.fold)) < 2:
        raise UsageError("a blend needs two models and two folds or more")
    nested = _Nested(candidates)
    way, everything = nested.way(), np.full(len(candidates.y), True)
    fold_ways = {number: nested.way(frozenset({number})) for number in nested.folds}
    oof = np.empty(candidates.predictions.shape[1:])
    for number, chosen in fold_ways.items():
        mine = candidates.fold == number
        oof[mine] = nested.predict(chosen, frozenset({number}), mine)

    def elsewhere(number: int) -> np.ndarray:
        """Return the blend of all rows by what the rows of the other folds have chosen."""
        return nested.predict(fold_ways[number], frozenset({number}), everything)

    decided = decide(
        candidates.y, oof, candidates.fold, candidates.metric, candidates.labels, elsewhere
    )
    mixer = candidates.mixer(nested.weights(way, frozenset()))
    return Blend(
        way=way,
        mixer=mixer,
        oof=oof,
        score=decided.score,
        plain=candidates.score(decided.decision(mixer(candidates.predictions))),
        ways=nested.scores(),
        fold_ways=fold_ways,
        decided=decided,
    )


@dataclass(frozen=True)
class Path:
    """What the greedy selection adds, in order, and what the mean scores after each addition.

    target: what it is chosen for, None for the classes together. metric: of scores, which are those
    of the rows that choose, and so optimistic.
    """

    target: str | None
    metric: str
    added: tuple[int, ...]
    scores: tuple[float, ...]


def greedy_paths(candidates: Candidates, targets: Sequence[str]) -> list[Path]:
    """Return the way of the greedy selection on all rows, for each target or for the classes."""
    paths = []
    for number, question in enumerate(candidates.questions()):
        if len(question.y) > MOST_ROWS:
            rows = np.random.default_rng(0).choice(len(question.y), MOST_ROWS, replace=False)
            question = question.at(np.sort(rows))
        added = greedy_path(question)
        sums = np.cumsum(question.predictions[added], axis=0)
        sizes = np.arange(1, len(added) + 1).reshape(-1, *[1] * (sums.ndim - 1))
        losses = question.losses(sums / sizes)
        sign = -1 if METRICS[question.metric].greater_is_better else 1
        name = None if candidates.labels is not None else targets[number]
        on_scale = candidates.scale == "log1p"  # where errors of logarithms are what is declared
        metric = candidates.metric.name if on_scale else question.metric
        paths.append(Path(name, metric, tuple(added), tuple((sign * losses).tolist())))
    return paths


def error_correlation(candidates: Candidates) -> np.ndarray:
    """Return how alike the models' out-of-fold errors are (n_models, n_models), from -1 to 1.

    Predictions of one truth are all alike; what a blend gains from is errors that are not.
    """
    questions = candidates.questions()
    errors = np.hstack([question.errors() for question in questions])
    with np.errstate(invalid="ignore", divide="ignore"):  # a model without an error has no answer
        return np.atleast_2d(np.corrcoef(errors))
