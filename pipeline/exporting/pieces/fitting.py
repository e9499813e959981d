"""Models fitted fold by fold, and what they say of rows that they have not seen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline, make_pipeline

from pipeline.exporting.pieces.files import Rows
from pipeline.models.estimators import Rows as NetworkRows
from pipeline.splits import Fold


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """What one pass over the folds draws by chance: the folds, the held-out rows, the model."""

    folds: int
    held_out: int
    model: int


Lesson = Sequence[tuple[Any, Any]]  # of each part: best rounds of each target, and what is added


@dataclass(eq=False)
class Fit:
    """A model that learns one part of the target from some rows, and what it is given.

    Z: the rows as the model takes them. scaled: their answers on the scale that is fitted.
    ended: where a clock ended such a fit. rounds: how many are made of all rows. added: to
    predictions, behind the way back.
    """

    rows: Rows
    y: Any
    steps: Pipeline
    model: Any
    Z: Any
    scaled: Any
    held_out: np.ndarray | None
    ended: Any = ()
    rounds: list[int] | None = None
    added: Any = 0.0

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return predictions on the scale that is fitted."""
        return np.asarray(self.model.predict(self.steps.transform(X)), dtype=float)


def fit_each(fits: Sequence[Fit]) -> None:
    """Fit models on rows that are ready, one after the other."""
    for one in fits:
        if one.ended:
            one.model.most = one.ended
        told: dict[str, Any] = {} if one.held_out is None else {"holdout": one.held_out}
        if one.rounds is not None:
            told = {"rounds": one.rounds}
        one.model.fit(one.Z, one.scaled, **told)


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model of the solution.

    make: from a seed to the unfitted model. steps: from a seed to the steps before it.
    passes: seeds of each pass over the folds; their mean predicts. transform: the scale that the
    target is fitted on. by_parts: each part of the target is learned by itself, and summed.
    held_out: the share of a fold's training rows that stops the fit, if any does. fit: fits the
    models of so many folds together. generates: whether a step makes features that may know
    targets. ended: where a clock ended a fit that shall be repeated, by pass, fold and part.
    only: folds of each pass that were fitted, where there was no time for all. refits: how many
    fits on all rows predict the test, in place of those of the folds. taught: what these have to
    know of the folds, where a clock ended the folds' fits.
    """

    make: Callable[[int], Any]
    steps: Callable[[int], list[Any]]
    passes: Sequence[Seeds]
    transform: str = "none"
    by_parts: bool = False
    held_out: float | None = None
    fit: Callable[[Sequence[Fit]], None] = fit_each
    together: int = 1
    generates: bool = False
    ended: Mapping[tuple[int, int, int], Any] = field(default_factory=dict)
    only: Sequence[int] | None = None
    refits: int = 0
    taught: Sequence[Lesson] = ()


def forward(X: pd.DataFrame, y: Any, transform: str) -> Any:
    """Return answers to rows on the scale that is fitted."""
    ways: dict[str, Any] = {"none": np.asarray, "log1p": np.log1p, "sqrt": np.sqrt}
    return ways[transform](np.asarray(y))


def backward(
    X: pd.DataFrame,
    scaled: np.ndarray,
    transform: str,
    lower: float | None,
    upper: float | None,
    added: Any,
) -> np.ndarray:
    """Return numbers on the target's own scale, within its bounds."""
    if transform == "log1p":
        scaled = np.expm1(scaled)
    elif transform == "sqrt":
        scaled = np.square(np.maximum(scaled, 0))
    scaled = scaled + added
    return scaled if lower is upper is None else np.clip(scaled, lower, upper)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is the same for all models.

    labels: the sorted classes, or None for numbers. lower, upper: bounds of the target.
    is_mean: whether the metric's best answer is the mean, which a fit of roots has to be told.
    folds: from a seed to the folds. hold_out: from rows, a share and a seed to positions. clean:
    returns the rows that are fitted on. apart: from rows and the held-out ones to the rows that do
    not know these, and their positions there. related: from rows to groups, or None. to_scale,
    from_scale: the way of answers to the scale that is fitted, and back.
    """

    folds: Callable[[int], list[Fold]]
    hold_out: Callable[[Rows, float, int], np.ndarray]
    labels: np.ndarray | None = None
    lower: float | None = None
    upper: float | None = None
    is_mean: bool = False
    clean: Callable[[Rows], Rows] = lambda rows: rows
    apart: Callable[[Any, np.ndarray], tuple[Rows, np.ndarray]] = lambda rows, held: (rows, held)
    related: Callable[[Rows], Any] = lambda rows: None
    to_scale: Callable[..., Any] = forward
    from_scale: Callable[..., np.ndarray] = backward

    def width(self, rows: Rows) -> int:
        """Return how many columns predictions have."""
        return pd.DataFrame(rows.y).shape[1] if self.labels is None else len(self.labels)


def cross_fit(
    model: Model, problem: Problem, train: Rows, test: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions of the training rows, each by folds that lack it, and of the test rows.

    Both are means over the passes, (n_samples, n_columns); NaN where nothing predicts a row.
    """
    oofs, tests, lessons = [], [], []
    for number, seeds in enumerate(model.passes):
        oof, of_test = np.full((len(train.X), problem.width(train)), np.nan), []
        for fold, fits in fit_folds(model, problem, train, number, seeds):
            predict = partial(respond, fits, model, problem)
            lessons.append([(getattr(fit.model, "found", None), fit.added) for fit in fits])
            if len(fold.valid):
                oof[fold.valid] = predict(train.X.iloc[fold.valid])
            if fold.predicts_test:
                rows = np.arange(len(test)) if fold.test is None else fold.test
                found = np.full((len(test), oof.shape[1]), np.nan)
                found[rows] = predict(test.iloc[rows])
                of_test.append(found)
        oofs.append(oof)
        tests.append(np.nanmean(of_test, axis=0))
    if model.refits and model.together > 1:
        tests = [predict(test) for predict in refit_together(model, problem, train)]
    elif model.refits:
        tests = [refit(model, problem, train, n, lessons)(test) for n in range(model.refits)]
    return np.mean(oofs, axis=0), np.mean(tests, axis=0)


def fit_folds(
    model: Model, problem: Problem, train: Rows, number: int, seeds: Seeds
) -> Iterator[tuple[Fold, list[Fit]]]:
    """Yield each fold of a pass, and what is fitted on its training rows, one a part."""
    folds = problem.folds(seeds.folds)
    for first in range(0, len(folds), model.together):
        some = folds[first : first + model.together]
        if model.only is not None and some[0].number not in model.only:
            continue
        each = [
            fits_of(model, problem, problem.clean(train.at(fold.train)), (number, place), seeds)
            for place, fold in enumerate(some, start=first)
        ]
        model.fit([fit for fits in each for fit in fits])
        for fold, fits in zip(some, each, strict=True):
            for fit in fits:
                learn_variance(fit, model, problem, seeds)
            yield fold, fits


def refit(
    model: Model, problem: Problem, train: Rows, number: int, lessons: Sequence[Lesson]
) -> Callable[[pd.DataFrame], np.ndarray]:
    """Return what predicts new rows once it is fitted on all rows, as long as folds have taught.

    There are more rows than a fold has, which bear a quarter more rounds.
    """
    first, lessons = model.passes[0], model.taught or lessons
    seeds = replace(first, model=first.model + number)
    every = replace(model, held_out=None)
    fits = fits_of(every, problem, problem.clean(train), (-1, number), seeds)
    for part, fit in enumerate(fits):
        rounds = [lesson[part][0] for lesson in lessons]
        if all(one is not None for one in rounds):
            fit.rounds = [max(1, round(1.25 * one)) for one in np.mean(rounds, axis=0)]
        fit.added = np.mean([lesson[part][1] for lesson in lessons], axis=0)
    model.fit(fits)
    return partial(respond, fits, model, problem)


def refit_together(
    model: Model, problem: Problem, train: Rows
) -> list[Callable[[pd.DataFrame], np.ndarray]]:
    """Return what predicts new rows by networks of all rows, each stopped by other ones."""
    rows, first = problem.clean(train), model.passes[0]
    each = [
        fits_of(
            model,
            problem,
            rows,
            (-1, n),
            replace(first, model=first.model + n, held_out=first.held_out + n),
        )
        for n in range(model.refits)
    ]
    model.fit([fit for fits in each for fit in fits])
    for n, fits in enumerate(each):
        for fit in fits:
            learn_variance(fit, model, problem, replace(first, held_out=first.held_out + n))
    return [partial(respond, fits, model, problem) for fits in each]


def fits_of(
    model: Model, problem: Problem, rows: Rows, place: tuple[int, int], seeds: Seeds
) -> list[Fit]:
    """Return what is fitted on some rows, one a part of the target, all columns made ready."""
    held_out = None
    if model.held_out is not None and len(rows.X) >= 20:
        held_out = problem.hold_out(rows, model.held_out, seeds.held_out)
        rows, held_out = problem.apart(rows, held_out)
    if model.by_parts:
        assert rows.parts is not None
        answers = [rows.parts[name] for name in rows.parts]
    else:
        answers = [rows.y]
    return [
        fit_steps(model, problem, rows, y, held_out, seeds, model.ended.get((*place, part), ()))
        for part, y in enumerate(answers)
    ]


def fit_steps(
    model: Model,
    problem: Problem,
    rows: Rows,
    y: Any,
    held_out: np.ndarray | None,
    seeds: Seeds,
    ended: Any = (),
) -> Fit:
    """Fit the steps before a model."""
    steps = make_pipeline(*model.steps(seeds.model))
    told = {}
    if model.generates:
        groups = problem.related(rows)
        told = {f"{name}__groups": groups for name in steps.named_steps if "generated" in name}
    scaled = problem.to_scale(rows.X, y, model.transform) if problem.labels is None else y
    Z = steps.fit_transform(rows.X, scaled, **told)
    return Fit(rows, y, steps, model.make(seeds.model), Z, scaled, held_out, ended)


def fit_networks(fits: Sequence[Fit]) -> None:
    """Fit networks on rows that are ready, all at once, in one program."""
    rows = [NetworkRows(one.Z, one.scaled, one.held_out, None, one.ended) for one in fits]
    fits[0].model.fit_together([one.model for one in fits], rows)


def learn_variance(fit: Fit, model: Model, problem: Problem, seeds: Seeds) -> None:
    """Learn how much the square of a mean root lacks to the mean: the variance of the errors.

    They are those of held-out rows; a model that holds out none is fitted once more without some.
    """
    rows = fit.rows
    if model.transform != "sqrt" or not problem.is_mean or len(rows.X) < 20:
        return
    unseen, one = fit.held_out, fit
    if unseen is None:
        unseen = problem.hold_out(rows, 0.2, seeds.held_out)
        rest = np.setdiff1d(np.arange(len(rows.X)), unseen)
        one = fit_steps(model, problem, rows.at(rest), fit.y.iloc[rest], None, seeds)
        model.fit([one])
    roots = np.sqrt(np.asarray(fit.y, dtype=float)[unseen])
    fit.added = (roots - one.predict(rows.X.iloc[unseen])).var(axis=0)


def respond(fits: Sequence[Fit], model: Model, problem: Problem, X: pd.DataFrame) -> np.ndarray:
    """Return predictions (n_samples, n_targets), or probabilities (n_samples, n_classes)."""
    if problem.labels is not None:
        probability = np.zeros((len(X), len(problem.labels)))
        (fit,) = fits
        known = np.searchsorted(problem.labels, fit.model.classes_)
        probability[:, known] = fit.model.predict_proba(fit.steps.transform(X))
        return probability
    lower, upper = problem.lower, problem.upper
    low, high = lower, upper
    if model.by_parts:
        low, high = None if model.transform == "none" else 0.0, None
    each = [
        problem.from_scale(X, one.predict(X), model.transform, low, high, one.added) for one in fits
    ]
    total = np.clip(np.sum(each, axis=0), lower, upper) if model.by_parts else each[0]
    return np.asarray(total.reshape(len(X), -1))
