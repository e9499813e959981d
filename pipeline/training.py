"""Cross-validation: a fresh clone per fold, fitted on that fold's training rows only."""

import contextlib
import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

from pipeline.cleaning import DroppedRows, clean_rows
from pipeline.competition import Competition, MetricName, ModelChoice, OwnMetric, Target
from pipeline.data import TestData, TrainData
from pipeline.decisions import (
    NOTHING,
    Decision,
    answers_by_others,
    decide,
    fold_scores,
    standard_error,
)
from pipeline.errors import DataError, DeclarationError, ModelError
from pipeline.features import Features
from pipeline.generating import GeneratedFeatures, TextFeatures, check_families
from pipeline.machine import give_back_memory
from pipeline.metrics import Metric, fitted_metric, metric_of
from pipeline.models import REST, make_model, model_spec
from pipeline.models.checkpoints import Store
from pipeline.models.learning import Shown
from pipeline.models.parts import SumOfParts
from pipeline.pixels import take_images
from pipeline.preprocessing import make_pixel_scaler, make_preprocessor
from pipeline.progress import FoldEnded, FoldStarted, counted, emit
from pipeline.splits import (
    Fold,
    all_rows,
    make_folds,
    make_holdout,
    make_strict_folds,
    related_rows,
)
from pipeline.targets import (
    LastValueRegressor,
    RootRegressor,
    bound_target,
    transform_of,
    transformed,
)

MIN_ROWS_TO_HOLD_OUT = 20
FRACTION_FOR_VARIANCE = 0.2
FEW_ROWS = 5_000  # below it, what folds leave out is missed
FEW_GROUPED_ROWS = 50_000  # the same, where folds leave out all that is like a row
MORE_ROUNDS = 1.25  # a fit on all rows bears, by those of a fold's rows without its held-out ones
ROWS_AT_ONCE = 2**15  # that are predicted; whole batches of networks
GENERATE = "generate"  # the step that generates features


@dataclass(frozen=True, eq=False)
class FoldResult:
    """One fold's fitted estimator and its predictions of the rows it has not seen.

    prediction: (n_valid, n_targets) values or (n_valid, n_classes) probabilities.
    """

    fold: Fold
    estimator: Any
    prediction: np.ndarray
    score: float
    seconds: float
    dropped: DroppedRows
    stopped_by_time: bool = False


FitSome = Callable[[list[Fold], float | None], list[tuple[FoldResult, bool]]]


@dataclass(frozen=True, eq=False)
class Lesson:
    """What the fits of folds teach one on all rows, which holds none out to learn it from.

    rounds: (n_parts, n_targets) of boosting, None for other models. variances: (n_parts, n_targets)
    of the errors of roots, None on other scales.
    """

    rounds: np.ndarray | None = None
    variances: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class CVResult:
    """All folds, and the out-of-fold predictions put back in the order of the training rows.

    oof: (n_samples, n_targets) or (n_samples, n_classes), NaN where no fold predicted a row.
    labels: the sorted classes, or None for regression.
    refits: the fits on all rows that predict the test rows; none where the folds' fits do.
    skipped: how many folds there was no time for.
    decision: what is done to predictions before they are answers. score, and those of the folds,
        are of the answers, each fold's as the rows of the others have decided; plain_score and oof
        are without it.
    answers: as oof, with the decision of each fold's others.
    repeats: the results of the same rows in other folds, this one's mean; empty if there is one.
    """

    folds: tuple[FoldResult, ...]
    oof: np.ndarray
    answers: np.ndarray
    score: float
    labels: np.ndarray | None = None
    refits: tuple[FoldResult, ...] = ()
    skipped: int = 0
    decision: Decision = NOTHING
    plain_score: float | None = None
    repeats: tuple["CVResult", ...] = ()

    @property
    def fold_of(self) -> np.ndarray:
        """The number of the fold that predicted each row (n_samples,), -1 for none.

        Of several repeats, the first one's.
        """
        if self.repeats:
            return self.repeats[0].fold_of
        numbers = np.full(len(self.oof), -1)
        for one in self.folds:
            numbers[one.fold.valid] = one.fold.number
        return numbers

    @property
    def predicting(self) -> tuple[FoldResult, ...]:
        """The fits whose mean predicts rows of the test file."""
        fits = self.refits or self.folds
        return tuple(one for one in fits if one.fold.predicts_test)

    @property
    def fold_scores(self) -> np.ndarray:
        """The score of each fold on its own rows (n_folds,), NaN where its rows allow none."""
        return np.array([result.score for result in self.folds])

    @property
    def standard_error(self) -> float | None:
        """The standard error of the folds' mean score; None for a single fold.

        Repeats predict the same rows, so they share what is due to the rows: only what is due to
        how rows were dealt out, which is how far the repeats lie apart, shrinks with their number.
        """
        if self.repeats:
            errors = [repeat.standard_error or 0.0 for repeat in self.repeats]
            spread, n = self.repeat_spread or 0.0, len(self.repeats)
            squared = float(np.mean(np.square(errors))) - spread**2 * (1 - 1 / n)
            return float(np.sqrt(max(squared, spread**2 / n)))
        return standard_error(self.fold_scores)

    @property
    def repeat_spread(self) -> float | None:
        """The standard deviation of the repeats' scores; None without repeats."""
        scores = [repeat.score for repeat in self.repeats]
        return float(np.std(scores, ddof=1)) if scores else None


def make_estimator(
    competition: Competition, choice: ModelChoice, features: Features, seed: int
) -> Any:
    """Return the unfitted whole, from the own transformer to the target's transform.

    Between them prose as numbers, generated features, fills, scales, codes and the model.
    Raises ModelError for a model or parameter that is not known.
    """
    spec, competition = model_spec(choice), competition.seen_by(choice)
    windows, target = competition.windows, competition.target
    if windows is not None and spec.takes_shape:
        shape = {"shape": [windows.timesteps, REST]}
        choice = replace(choice, parameters=shape | choice.parameters)
    own = [("features", _own_transformer(features))] if features.make_transformer else []
    made = _generating_steps(competition, choice, seed)
    steps = make_preprocessor(
        competition.preprocessing,
        competition.cleaning,
        handles_missing=spec.handles_missing,
        scale_invariant=spec.scale_invariant,
        handles_text=spec.handles_text,
    )
    images = competition.images
    if images is not None:  # bytes, of which none is missing
        steps = [] if spec.handles_pixels or spec.scale_invariant else [make_pixel_scaler()]
    size = None if images is None else (images.height, images.width, images.channels)
    model = make_model(choice, competition.task, seed, fitted_metric(competition), size)
    whole = Pipeline([*own, *made, *steps, ("model", model)])
    if competition.task != "regression":
        return whole
    if windows is not None and windows.target != "level":
        names = competition.columns.target
        return LastValueRegressor(whole, windows, names, target.lower, target.upper)
    make = sum_of_parts if choice.by_parts else bound_target
    return make(whole, target, competition.metric)


def _generating_steps(
    competition: Competition, choice: ModelChoice, seed: int
) -> list[tuple[str, Any]]:
    """Return the unfitted steps that make numbers of prose, and the features a model asks for."""
    prose, families = competition.columns.text, choice.features
    steps: list[tuple[str, Any]] = []
    if prose:
        steps.append(("text", TextFeatures(columns=prose, seed=seed)))
    if families:
        check_families(families, f"models.{choice.label}.features")
        generate = GeneratedFeatures(families=families, task=competition.task, seed=seed)
        steps.append((GENERATE, generate))
    return steps


def _own_transformer(features: Features) -> Any:
    assert features.make_transformer is not None
    made = features.make_transformer()
    if not hasattr(made, "fit") or not hasattr(made, "transform"):
        raise DeclarationError(
            f"{features.path}: make_transformer: expected a transformer with fit and transform, "
            f"found {type(made).__name__}"
        )
    return made


def sum_of_parts(regressor: Any, target: Target, metric: MetricName | OwnMetric) -> SumOfParts:
    """Return what fits the regressor once a part, each on the transformed scale, and adds them up.

    What is transformed is never below 0, so no part is; the sum keeps the target's bounds.
    """
    part = replace(target, lower=None if target.transform == "none" else 0, upper=None)
    return SumOfParts(bound_target(regressor, part, metric), target.lower, target.upper)


def trains_together(estimator: Any) -> bool:
    """Tell whether the fits of several folds are one piece of work, as they are for networks."""
    return hasattr(final_model(estimator), "fit_together")


def folds_of(train: TrainData, test: TestData, competition: Competition) -> list[Fold]:
    """Return the folds that the declared scheme and rule ask for; see make_folds.

    Of the test rows, only the strict rule looks at anything, and that is their time.
    """
    validation = competition.validation
    if validation.rule == "strict":
        return make_strict_folds(train.order, test.order, validation)
    return make_folds(train.y, train.groups, train.order, validation, competition.task, train.until)


def needs_refit(competition: Competition) -> bool:
    """Tell whether the folds see too few rows to predict the test rows themselves."""
    validation = competition.validation
    return validation.rule == "open" and validation.scheme == "time"


def is_refitted(competition: Competition, n_samples: int) -> bool:
    """Tell whether fits on all rows predict the test better than those of the folds.

    Of few rows, those that a fold leaves out are missed: with 1,094 of ddarung, three fits on all
    instead of five folds took LightGBM from 34.5 to 32.9 on hidden rows; of 7,500 generated ones
    nothing was gained. Whole groups are missed of more rows, too: 8,976 of bike took LightGBM from
    0.2708 to 0.2662. Where folds go forward in time, needs_refit tells.
    """
    validation = competition.validation
    if validation.rule == "strict" or validation.scheme == "time":
        return False
    grouped = validation.scheme in ("group", "like_test")
    return n_samples < (FEW_GROUPED_ROWS if grouped else FEW_ROWS)


def lesson_of(estimators: Sequence[Any]) -> Lesson:
    """Return what fits teach, each as much as the others."""
    rounds = [
        [getattr(model, "rounds_", None) for model in final_models(one)] for one in estimators
    ]
    variances = [
        [getattr(regressor, "variance_", None) for regressor in _regressors(one)]
        for one in estimators
    ]
    return Lesson(_mean_of(rounds), _mean_of(variances))


def joined_lesson(lessons: Sequence[Lesson]) -> Lesson:
    """Return the mean of what several pieces of work teach, each as much as the others."""
    return Lesson(
        _mean_of([one.rounds for one in lessons]), _mean_of([one.variances for one in lessons])
    )


def _mean_of(each: Sequence[Any]) -> np.ndarray | None:
    if any(one is None or any(part is None for part in one) for one in each):
        return None
    return np.asarray(np.mean(np.array(each, dtype=float), axis=0))


def refit(
    estimators: Sequence[BaseEstimator],
    train: TrainData,
    competition: Competition,
    lesson: Lesson,
    max_seconds: float | None = None,
) -> list[FoldResult]:
    """Fit fresh clones on all rows, as long as the fits of folds have taught.

    Networks are not told how long: each is stopped by other rows, which it holds out.
    max_seconds: for all networks together; other fits end by themselves.
    Raises ModelError for a parameter value that the model refuses.
    """
    started, numbers = time.monotonic(), range(len(estimators))
    seen, dropped = clean_rows(train, competition.cleaning)
    clones = [clone(one) for one in estimators]
    if trains_together(clones[0]):
        first = competition.validation.seed
        others = [competition.with_validation(seed=first + number) for number in numbers]
        fitted = _fit_together(clones, [seen for _ in numbers], others, max_seconds)
    else:
        fitted = [fit(one, seen, competition, lesson=lesson) for one in clones]
    fold, seconds = all_rows(0, len(train)), (time.monotonic() - started) / len(clones)
    return [_scored(one, train, fold, competition, dropped, seconds) for one in fitted]


def fit_folds(
    estimator: BaseEstimator,
    train: TrainData,
    folds: Sequence[Fold],
    competition: Competition,
    max_seconds: float | None = None,
    store: Store | None = None,
) -> list[FoldResult]:
    """Fit a fresh clone a fold on its training rows, and score each on its validation rows.

    max_seconds: for all of them together. store: where networks are kept while they are trained.
    Raises ModelError if a model predicts what is not a number.
    """
    started = time.monotonic()
    fitted: list[Any] = []
    give_back_memory(len(train))
    if trains_together(estimator):
        parts = [clean_rows(train.subset(fold.train), competition.cleaning) for fold in folds]
        seen, every = [one for one, _ in parts], [dropped for _, dropped in parts]
        del parts
        clones = [clone(estimator) for _ in folds]
        fitted = _fit_together(clones, seen, [competition for _ in folds], max_seconds, store)
        del seen
        give_back_memory(len(train))
    else:  # one fold's rows in memory at a time
        share = None if max_seconds is None else max_seconds / len(folds)
        every = []
        for fold in folds:
            own, dropped = clean_rows(train.subset(fold.train), competition.cleaning)
            fitted.append(fit(clone(estimator), own, competition, share))
            every.append(dropped)
            del own
            give_back_memory(len(train))
    seconds = (time.monotonic() - started) / len(folds)
    return [
        _scored(one, train, fold, competition, dropped, seconds)
        for one, fold, dropped in zip(fitted, folds, every, strict=True)
    ]


def _scored(
    fitted: Any,
    train: TrainData,
    fold: Fold,
    competition: Competition,
    dropped: DroppedRows,
    seconds: float,
) -> FoldResult:
    """Return a fitted estimator with its predictions of the fold's validation rows."""
    metric, labels = metric_of(competition), class_labels(train, competition)
    prediction = _respond_rows(fitted, train.X, fold.valid, labels)
    if not np.isfinite(prediction).all():
        raise ModelError(
            f"fold {fold.number + 1}: the fitted model predicts values that are not finite; try a "
            "smaller learning_rate, or look for extreme values with kc inspect"
        )
    return FoldResult(
        fold=fold,
        estimator=fitted,
        prediction=prediction,
        score=metric(train.y.iloc[fold.valid], prediction, labels)
        if len(fold.valid)
        else float("nan"),
        seconds=seconds,
        dropped=dropped,
        stopped_by_time=any(
            bool(getattr(model, "stopped_by_time_", False)) for model in final_models(fitted)
        ),
    )


def _fit_together(
    estimators: list[Any],
    parts: list[TrainData],
    competitions: list[Competition],
    max_seconds: float | None = None,
    store: Store | None = None,
) -> list[Any]:
    """Return the estimators, fitted each on its own rows, their models all at once.

    Each prepares its rows by itself; its model, the last step, puts off its own fit.
    competitions: they say which of its rows each holds out.
    """
    later: list[Any] = []
    fitted = [
        fit(one, seen, competition, later=later)
        for one, seen, competition in zip(estimators, parts, competitions, strict=True)
    ]
    models, rows = zip(*later, strict=True)
    with _naming(models[0]):
        shown = _shown(estimators[0], competitions[0])
        type(models[0]).fit_together(models, rows, max_seconds, shown, store)
    return [
        _learn_variance(one, seen, competition)
        for one, seen, competition in zip(fitted, parts, competitions, strict=True)
    ]


def scale_of(estimator: Any) -> str:
    """Return what an estimator fits the target as, "" for itself."""
    if isinstance(estimator, SumOfParts):
        return "a part"
    if isinstance(estimator, LastValueRegressor):  # an error of changes is one of levels
        return "ratios" if estimator.windows.target == "ratio" else ""
    if not hasattr(estimator, "inverse_func"):  # of classes
        return ""
    transform = transform_of(estimator)
    return {"none": "", "sqrt": "roots"}.get(transform, transform)


def _shown(estimator: Any, competition: Competition) -> Shown | None:
    """Return what networks tell of their epochs, or None.

    Parts have no score of the whole, ratios and their own changes none of levels, and a function of
    one's own cannot be compiled.
    """
    if isinstance(estimator, SumOfParts) or isinstance(competition.metric, OwnMetric):
        return None
    if isinstance(estimator, LastValueRegressor):  # an error of changes is one of levels
        is_same = estimator.windows.target == "change" and competition.metric in ("rmse", "mae")
        return Shown(competition.metric) if is_same else None
    if competition.task != "regression":
        return Shown(competition.metric)
    transform = transform_of(estimator)
    if (transform, competition.metric) == ("log1p", "rmsle"):  # the same number, and watched
        return Shown("rmse")
    return Shown(competition.metric, transform)


def fit(
    estimator: Any,
    seen: TrainData,
    competition: Competition,
    max_seconds: float | None = None,
    later: list[Any] | None = None,
    lesson: Lesson | None = None,
) -> Any:
    """Return the estimator, fitted on exactly the rows it is given.

    A model whose fit takes a holdout gets some of these rows as one, chosen as the folds are.
    later: where the model puts itself and its rows, to be fitted with others; None fits it now.
    lesson: takes the place of what held-out rows would say.
    Raises ModelError for a parameter value that the model refuses, DataError for a single row.
    """
    if len(seen) < 2:
        raise DataError(
            f"a fold leaves {counted(len(seen), 'row')} to train on; expected 2 or more, so bring "
            "more training rows, or make more folds"
        )
    settings: dict[str, Any] = {} if later is None else {"model__later": later}
    if lesson is not None and lesson.rounds is not None:
        rounds = (MORE_ROUNDS * lesson.rounds).tolist()
        settings["model__rounds"] = rounds if isinstance(estimator, SumOfParts) else rounds[0]
    elif _stops_early(estimator) and len(seen) >= MIN_ROWS_TO_HOLD_OUT:
        seen, holdout = _told_before(seen, _holdout(estimator, seen, competition))
        settings |= {"model__holdout": holdout, "model__max_seconds": max_seconds}
    settings |= _related(estimator, seen, competition)
    with _naming(final_model(estimator)):
        fitted = estimator.fit(seen.X, _answers(estimator, seen), **settings)
        if lesson is not None:
            return _told_variance(fitted, lesson)
        return fitted if later is not None else _learn_variance(fitted, seen, competition)


def _told_before(seen: TrainData, holdout: np.ndarray) -> tuple[TrainData, np.ndarray]:
    """Return the rows without those whose answers became known only among the held-out ones.

    holdout: positions of the latter, where windows overlap; returned as positions of what is left.
    """
    if seen.until is None or seen.order is None:
        return seen, holdout
    is_kept = np.array(seen.until <= seen.order.iloc[holdout].min())
    is_kept[holdout] = True
    if is_kept.sum() == len(holdout):
        raise DataError(
            f"{len(seen)} training windows are too few to stop a fit early by some whose answers "
            "the others do not tell; declare a smaller [windows] horizon or fewer n_splits"
        )
    kept = np.flatnonzero(is_kept)
    return seen.subset(kept), np.searchsorted(kept, holdout)


def _learn_variance(fitted: Any, seen: TrainData, competition: Competition) -> Any:
    """Return the estimator with the variance of its errors, if it is one that asks for it.

    They are those of the rows that its early stopping held out; a model that holds out none is
    fitted once more without a fifth of its rows, on which it is then wrong.
    """
    if isinstance(fitted, SumOfParts) and seen.parts is not None:
        for name, one in zip(fitted.names_, fitted.regressors_, strict=True):
            _learn_variance(one, replace(seen, y=seen.parts[name]), competition)
    if not isinstance(fitted, RootRegressor) or len(seen) < MIN_ROWS_TO_HOLD_OUT:
        return fitted
    if _stops_early(fitted):
        unseen = seen.subset(_holdout(fitted, seen, competition))
        return fitted.learn_variance(unseen.X, unseen.y)
    held_out = _held_out(seen, competition, FRACTION_FOR_VARIANCE)
    rest, unseen = np.setdiff1d(np.arange(len(seen)), held_out), seen.subset(held_out)
    known = seen.subset(rest)
    other = clone(fitted).fit(known.X, known.y, **_related(fitted, known, competition))
    fitted.variance_ = other.learn_variance(unseen.X, unseen.y).variance_
    return fitted


def _told_variance(fitted: Any, lesson: Lesson) -> Any:
    """Return the estimator with the variance of the errors that other fits made."""
    if lesson.variances is not None:
        for regressor, variance in zip(_regressors(fitted), lesson.variances, strict=True):
            regressor.variance_ = variance
    return fitted


def _answers(estimator: Any, seen: TrainData) -> pd.Series | pd.DataFrame | None:
    return seen.parts if isinstance(estimator, SumOfParts) else seen.y


@contextlib.contextmanager
def _naming(model: Any) -> Iterator[None]:
    """Turn scikit-learn's word for parameters and rows that do not fit into a ModelError."""
    try:
        yield
    except ValueError as error:
        raise ModelError(f"{type(model).__name__}: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def class_labels(train: TrainData, competition: Competition) -> np.ndarray | None:
    """Return the sorted labels of all training rows, or None for regression."""
    return None if competition.task == "regression" else np.unique(np.asarray(train.y))


def respond(estimator: Any, X: pd.DataFrame, labels: np.ndarray | None) -> np.ndarray:
    """Return predictions (n_samples, n_targets), or probabilities (n_samples, n_classes).

    labels: all sorted classes; one that the estimator's rows lacked gets probability 0.
    """
    if len(X) > ROWS_AT_ONCE:
        return _respond_rows(estimator, X, np.arange(len(X)), labels)
    if not len(X):
        return np.empty((0, 1 if labels is None else len(labels)))
    if labels is None:
        return np.asarray(estimator.predict(X), dtype=float).reshape(len(X), -1)
    probability = np.zeros((len(X), len(labels)))
    probability[:, np.searchsorted(labels, estimator.classes_)] = estimator.predict_proba(X)
    return probability


def _respond_rows(
    estimator: Any, X: pd.DataFrame, rows: np.ndarray, labels: np.ndarray | None
) -> np.ndarray:
    """Return what respond does for the rows at these positions, of many some at a time."""
    starts = range(0, max(len(rows), 1), ROWS_AT_ONCE)
    parts = (take_images(X, rows[start : start + ROWS_AT_ONCE]) for start in starts)
    found = np.concatenate([respond(estimator, part, labels) for part in parts])
    give_back_memory(len(rows))
    return found


def cross_validate(
    fit_some: FitSome,
    train: TrainData,
    folds: list[Fold],
    metric: Metric,
    *,
    model: str,
    together: int = 1,
    labels: np.ndarray | None = None,
    refit: bool = False,
    deadline: float | None = None,
) -> CVResult:
    """Fit every fold for which there is time, and put the out-of-fold predictions together.

    fit_some, together, deadline: as in fit_in_turn. refit: fit all rows once more, to predict test
    rows.
    """
    units = units_of(folds, len(train), refit=refit)
    results = fit_in_turn(fit_some, units, model, metric.name, together, deadline)
    return put_together(results, train, len(folds), metric, labels, refit=refit)


def units_of(folds: list[Fold], n_samples: int, *, refit: bool) -> list[Fold]:
    """Return what is fitted of a set of folds: each of them, and perhaps all rows at the end."""
    return [*folds, all_rows(len(folds), n_samples)] if refit else folds


def fit_in_turn(
    fit_some: FitSome,
    units: list[Fold],
    model: str,
    metric: str,
    together: int = 1,
    deadline: float | None = None,
    scale: str = "",
    among: range | None = None,
) -> list[FoldResult]:
    """Fit every fold for which there is time, one after the other.

    fit_some: from folds and the seconds they may take to their results, and whether these were
        found again.
    together: how many folds are fitted at once. scale: what the target is fitted as.
    deadline: on the clock of time.monotonic(); the first fold and the refit are always fitted.
    among: which of the units are fitted, all if left out.
    """
    among = range(len(units)) if among is None else among
    results: list[FoldResult] = []
    for first in among[::together]:
        some = units[first : min(first + together, among.stop)]
        left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
        if left == 0 and first and all(can_be_left_out(fold) for fold in some):
            continue
        emit(FoldStarted(model, first + 1, len(units), len(some), metric, scale=scale))
        share = None if left is None else left * len(some) / (len(units) - first)
        for position, (result, reused) in enumerate(fit_some(some, share), start=first + 1):
            results.append(result)
            tell_fold(result, position, len(units), reused=reused)
    return results


def tell_fold(result: FoldResult, number: int, n_folds: int, *, reused: bool) -> None:
    """Tell that a fold is fitted; number: from 1, of the folds of its set."""
    score = result.score if len(result.fold.valid) else None
    emit(FoldEnded(number, n_folds, score, result.seconds, reused))


def put_together(
    results: list[FoldResult],
    train: TrainData,
    n_folds: int,
    metric: Metric,
    labels: np.ndarray | None,
    *,
    refit: bool,
) -> CVResult:
    """Return what folds predicted as the predictions of all rows, and its score.

    refit: the last result is of all rows. n_folds: how many there were to fit.
    """
    whole = (results[-1],) if refit else ()
    results = results[:-1] if refit else results
    oof = _out_of_fold(results, len(train))
    covered = np.concatenate([result.fold.valid for result in results])
    score = metric(train.y.iloc[covered], oof[covered], labels)
    if not np.isfinite(score):
        raise DataError(
            f"{metric.name} of the out-of-fold rows is not defined: the folds hold too few classes "
            "or values; declare another [validation] scheme or metric"
        )
    found = CVResult(tuple(results), oof, oof, score, labels, whole, n_folds - len(results))
    return _with_decision(found, train, metric)


def can_be_left_out(fold: Fold) -> bool:
    """Tell whether others predict the test rows where there is no time for this fold."""
    return len(fold.valid) > 0 and (fold.test is None or not len(fold.test))


def _with_decision(result: CVResult, train: TrainData, metric: Metric) -> CVResult:
    """Return the result with what is done to its predictions, if the folds prove that it helps."""
    y, fold = np.asarray(train.y), result.fold_of
    found = decide(y, result.oof, fold, metric, result.labels)
    if not found.decision:
        return result
    return _answered(result, y, found.answers, found.decision, metric)


def _answered(
    result: CVResult, y: np.ndarray, answers: np.ndarray, decision: Decision, metric: Metric
) -> CVResult:
    """Return the result with other answers, scored."""
    fold, labels = result.fold_of, result.labels
    scores = fold_scores(y, answers, fold, metric, labels)
    ordered = sorted(result.folds, key=lambda one: one.fold.number)
    by_number = dict(zip(np.unique(fold[fold >= 0]).tolist(), scores, strict=True))
    folds = [replace(one, score=by_number.get(one.fold.number, one.score)) for one in ordered]
    covered = fold >= 0
    return replace(
        result,
        folds=tuple(folds),
        answers=answers,
        score=metric(y[covered], answers[covered], labels),
        decision=decision,
        plain_score=metric(y[covered], result.oof[covered], labels) if decision else None,
    )


def merge_repeats(results: Sequence[CVResult], train: TrainData, metric: Metric) -> CVResult:
    """Return one result of the same rows in several sets of folds, all of them fitted.

    A row's prediction is the mean of its predictions, and the score the mean of the scores. What is
    done to predictions is decided on their mean, and all are scored by it. Every fit predicts.
    """
    if len(results) == 1:
        return results[0]
    y, first = np.asarray(train.y), results[0]
    oof = np.mean([result.oof for result in results], axis=0)
    found = decide(y, oof, first.fold_of, metric, first.labels)
    repeats = []
    for one in results:
        answers = one.oof
        if found.decision:
            chosen = answers_by_others(y, one.oof, one.fold_of, metric, one.labels)
            answers = answers if chosen is None else chosen
        repeats.append(_answered(one, y, answers, found.decision, metric))
    plain = [one.plain_score for one in repeats if one.plain_score is not None]
    return replace(
        first,
        folds=tuple(fold for one in repeats for fold in one.folds),
        oof=oof,
        answers=found.answers,
        score=float(np.mean([one.score for one in repeats])),
        decision=found.decision,
        plain_score=float(np.mean(plain)) if plain else None,
        repeats=tuple(repeats),
    )


def predict(result: CVResult, test: TestData) -> list[np.ndarray]:
    """Return each predicting estimator's predictions of the test rows (n_samples, n_columns).

    Rows that an estimator does not predict, as the strict rule has it, are NaN.
    """
    return [respond_test(one, test, result.labels) for one in result.predicting]


def respond_test(one: FoldResult, test: TestData, labels: np.ndarray | None) -> np.ndarray:
    """Return what a fit says of the test rows that it may predict, and NaN of the others."""
    rows = one.fold.test
    if rows is None:
        return respond(one.estimator, test.X, labels)
    own = respond(one.estimator, test.X.iloc[rows], labels)
    prediction = np.full((len(test), own.shape[1]), np.nan)
    prediction[rows] = own
    return prediction


def fit_step(
    stage: str, estimator: Any, X: pd.DataFrame, seen: TrainData, competition: Competition
) -> tuple[Any, pd.DataFrame]:
    """Fit a step before the model as a whole fits it; of several parts, as it is for the first.

    X: the rows of seen as the steps before have left them. competition: as the model sees it.
    Returns the fitted step, and what the next one gets.
    """
    y = _answers(estimator, seen)
    if isinstance(estimator, SumOfParts):
        assert isinstance(y, pd.DataFrame)
        y = y.iloc[:, 0]
    if competition.task == "regression":
        y = transformed(y, competition.target)
    step = dict(preparing_steps(estimator))[stage]
    if not hasattr(step, "fit_transform"):
        return step, step.fit(X, y).transform(X)
    settings = _related(estimator, seen, competition) if stage == GENERATE else {}
    told = {name.removeprefix(f"{GENERATE}__"): value for name, value in settings.items()}
    return step, step.fit_transform(X, y, **told)


def _related(estimator: Any, seen: TrainData, competition: Competition) -> dict[str, Any]:
    """Return what the step that generates features is told in fit, if there is one."""
    if GENERATE not in dict(preparing_steps(estimator)):
        return {}
    groups = related_rows(seen.groups, seen.order, competition.validation, competition.task)
    return {f"{GENERATE}__groups": groups}


def final_model(estimator: Any) -> Any:
    """Return the model at the end of a whole, fitted or not; of several parts that of the first."""
    return final_models(estimator)[0]


def final_models(estimator: Any) -> list[Any]:
    """Return the models at the ends of a whole: one a part if it is fitted by parts, else one."""
    return [one.named_steps["model"] for one in _pipelines(estimator)]


def preparing_steps(estimator: Any) -> list[tuple[str, Any]]:
    """Return the named steps before the model of a whole, fitted or not."""
    return _pipelines(estimator)[0].steps[:-1]  # type: ignore[no-any-return]


def _regressors(fitted: Any) -> list[Any]:
    """Return what restores the target's scale: one a part if it is fitted by parts, else one."""
    return fitted.regressors_ if isinstance(fitted, SumOfParts) else [fitted]


def _pipelines(estimator: Any) -> list[Pipeline]:
    if isinstance(estimator, SumOfParts):
        wholes = getattr(estimator, "regressors_", [estimator.regressor])
        return [one for whole in wholes for one in _pipelines(whole)]
    return [getattr(estimator, "regressor_", getattr(estimator, "regressor", estimator))]


def _stops_early(estimator: Any) -> bool:
    return "holdout" in inspect.signature(final_model(estimator).fit).parameters


def validation_share(estimator: Any) -> float | None:
    """Return the share of the training rows that stops a whole's fit early; None if none does."""
    return _validation_fraction(final_model(estimator)) if _stops_early(estimator) else None


def _validation_fraction(model: Any) -> float:
    fraction = getattr(model, "validation_fraction", 0.1)
    if not isinstance(fraction, int | float) or not 0 < fraction < 1:
        raise ModelError(
            f"validation_fraction: expected a number between 0 and 1, found {fraction!r}"
        )
    return fraction


def _holdout(estimator: Any, seen: TrainData, competition: Competition) -> np.ndarray:
    return _held_out(seen, competition, _validation_fraction(final_model(estimator)))


def _held_out(seen: TrainData, competition: Competition, fraction: float) -> np.ndarray:
    return make_holdout(
        seen.y,
        seen.groups,
        seen.order,
        validation=competition.validation,
        task=competition.task,
        fraction=fraction,
    )


def _out_of_fold(results: list[FoldResult], n_samples: int) -> np.ndarray:
    oof = np.full((n_samples, results[0].prediction.shape[1]), np.nan)
    for result in results:
        oof[result.fold.valid] = result.prediction
    return oof
