"""Folds put together, target transforms, and what happens to predictions that are no numbers."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from test_leakage import MODELS, declared, fit_one_by_one, folds_of, rows

from pipeline.competition import Target
from pipeline.errors import ModelError
from pipeline.features import Features
from pipeline.progress import FoldEnded, FoldStarted, listening
from pipeline.targets import RootRegressor, bound_target, restore
from pipeline.training import (
    Lesson,
    fit_folds,
    is_refitted,
    lesson_of,
    make_estimator,
    refit,
    respond,
)


@pytest.mark.parametrize(
    ("target", "fitted", "restored"),
    [
        (Target(), [-1.0, 2.0], [-1.0, 2.0]),
        (Target(lower=0, upper=1.5), [-1.0, 1.0, 2.0], [0.0, 1.0, 1.5]),
        (Target(transform="log1p", lower=0), [-1.0, 0.0, np.log(3)], [0.0, 0.0, 2.0]),
        (Target(transform="sqrt", lower=0), [-2.0, 3.0], [0.0, 9.0]),
    ],
)
def test_predictions_come_back_to_the_target_s_scale_within_its_bounds(target, fitted, restored):
    np.testing.assert_allclose(restore(np.array(fitted), target), restored, atol=1e-12)


def test_a_transformed_target_is_fitted_on_its_transformed_scale():
    train = rows()
    y = pd.Series(np.expm1(train.X["a"]), index=train.y.index, name="y")
    curved = dataclasses.replace(train, y=y + 1)
    plain = fit_one_by_one(curved, declared(target=Target(lower=0)), "ridge")
    logged = fit_one_by_one(curved, declared(target=Target(transform="log1p", lower=0)), "ridge")
    assert logged.score < plain.score


class Constant(RegressorMixin, BaseEstimator):
    """Predict one number a target, whatever the rows."""

    def __init__(self, answer=4.0):
        self.answer = answer

    def fit(self, X, y):
        self.width_ = 1 if np.ndim(y) == 1 else y.shape[1]
        return self

    def predict(self, X):
        rows = np.full((len(X), self.width_), self.answer)
        return rows[:, 0] if self.width_ == 1 else rows


def test_a_fit_of_roots_adds_the_variance_of_its_errors():
    """Roots 3, 5, 7 about a root of 4 err by -1, 1, 3: their variance is 8/3."""
    X, y = pd.DataFrame({"a": [0.0, 1.0, 2.0]}), pd.Series([9.0, 25.0, 49.0])
    target = Target(transform="sqrt", lower=0)
    fitted = bound_target(Constant(), target, "rmse").fit(X, y)
    assert fitted.predict(X).tolist() == [16.0, 16.0, 16.0]  # not yet learned
    assert fitted.learn_variance(X, y).predict(X) == pytest.approx([16 + 8 / 3] * 3)
    two = pd.DataFrame({"p": y, "q": [16.0, 16.0, 16.0]})
    both = bound_target(Constant(), target, "rmse").fit(X, two).learn_variance(X, two)
    assert both.predict(X)[0] == pytest.approx([16 + 8 / 3, 16])
    capped = Target(transform="sqrt", lower=0, upper=17)
    assert bound_target(Constant(), capped, "r2").fit(X, y).learn_variance(X, y).predict(X)[0] == 17


@pytest.mark.parametrize(
    ("transform", "metric"),
    [("sqrt", "mae"), ("sqrt", "rmsle"), ("log1p", "rmse"), ("none", "rmse")],
)
def test_nothing_is_added_where_the_mean_is_not_asked_for_or_not_met(transform, metric):
    made = bound_target(Constant(), Target(transform=transform, lower=0), metric)
    assert not isinstance(made, RootRegressor)


@pytest.mark.parametrize("label", ["ridge", "lightgbm"])
def test_the_variance_of_roots_is_learned_from_the_fold_s_own_rows(label):
    train = rows()
    noisy = dataclasses.replace(train, y=(train.y - train.y.min()) ** 2)
    choice = dataclasses.replace(MODELS[label], transform="sqrt")
    competition = declared(target=Target(lower=0)).with_model(choice)
    fold = folds_of(train, competition)[0]
    estimator = make_estimator(competition, choice, Features(), 0)
    (one,) = fit_folds(estimator, noisy, [fold], competition)
    spoilt = noisy.y.copy()
    spoilt.iloc[fold.valid] = 1e6
    poisoned = dataclasses.replace(noisy, y=spoilt)
    (other,) = fit_folds(estimator, poisoned, [fold], competition)
    assert one.estimator.variance_ > 0
    assert one.estimator.variance_ == other.estimator.variance_
    np.testing.assert_array_equal(one.prediction, other.prediction)


@pytest.mark.slow
def test_networks_that_learn_together_each_have_a_variance_of_their_own():
    train = rows()
    noisy = dataclasses.replace(train, y=(train.y - train.y.min()) ** 2)
    choice = dataclasses.replace(MODELS["dnn"], transform="sqrt")
    competition = declared(target=Target(lower=0)).with_model(choice)
    folds = folds_of(train, competition)[:2]
    estimator = make_estimator(competition, choice, Features(), 0)
    fitted = fit_folds(estimator, noisy, folds, competition)
    first, second = (one.estimator.variance_[0] for one in fitted)
    assert 0 < first != second > 0


@pytest.mark.parametrize("label", ["ridge", "lightgbm"])
def test_a_fit_on_all_rows_is_told_the_variance_of_roots_by_the_folds(label):
    train = rows()
    train = dataclasses.replace(train, y=train.y.abs() + 1)
    competition = declared("kfold", target=Target(transform="sqrt", lower=0))
    estimator = make_estimator(competition, MODELS[label], Features(), seed=3)
    results = fit_folds(estimator, train, folds_of(train, competition), competition)
    lesson = lesson_of([one.estimator for one in results])
    whole = refit([estimator], train, competition, lesson)[0].estimator
    np.testing.assert_allclose(
        whole.variance_, np.mean([one.estimator.variance_ for one in results], axis=0)
    )
    assert (lesson.rounds is None) == (label == "ridge")


def test_networks_on_all_rows_are_each_stopped_by_other_rows():
    train, competition = rows(), declared("kfold")
    estimator = make_estimator(competition, MODELS["dnn"], Features(), seed=3)
    one, other = refit([estimator, estimator], train, competition, Lesson())
    assert len(one.fold.train) == len(other.fold.train) == len(train)
    said = [respond(fit.estimator, train.X, None) for fit in (one, other)]
    assert (said[0] != said[1]).any()


@pytest.mark.parametrize(
    ("n", "changes", "expected"),
    [
        (4_999, {}, True),
        (5_000, {}, False),  # of many rows, those that a fold leaves out are not missed
        (100, {"scheme": "time"}, False),
        (100, {"rule": "strict"}, False),
    ],
)
def test_all_rows_are_fitted_where_they_are_few_and_in_no_order(n, changes, expected):
    competition = declared("kfold").with_validation(**changes)
    assert is_refitted(competition, n) is expected


def test_the_standard_error_is_that_of_the_folds_mean():
    result = fit_one_by_one(rows(), declared(), "ridge")
    scores = result.fold_scores
    assert len(scores) == 4
    assert result.standard_error == pytest.approx(scores.std(ddof=1) / 2)


def test_every_fold_is_told_when_it_starts_and_ends():
    events: list = []
    with listening(events.append):
        fit_one_by_one(rows(), declared(), "ridge")
    kinds = [(type(event), event.number) for event in events]
    assert kinds == [(kind, n) for n in (1, 2, 3, 4) for kind in (FoldStarted, FoldEnded)]
    assert all(event.n_folds == 4 for event in events)


def test_predictions_that_are_not_finite_are_refused():
    train, competition = rows(), declared(target=Target(transform="log1p", lower=0))
    huge = dataclasses.replace(train, y=pd.Series(1e300, index=train.y.index, name="y"))
    X = train.X.assign(a=train.X["a"] * 1e4)
    y = huge.y.where(train.X["a"] > 0, 0.0)
    fold = folds_of(train, competition)[0]
    far = X.copy()
    far.iloc[fold.valid, X.columns.get_loc("a")] = 1e9
    estimator = make_estimator(competition, MODELS["ridge"], Features(), seed=3)
    with np.errstate(over="ignore"), pytest.raises(ModelError, match=r"^fold 1: .*not finite"):
        fit_folds(estimator, dataclasses.replace(train, X=far, y=y), [fold], competition)


def test_a_class_that_a_fold_has_not_seen_gets_probability_zero():
    train = rows()
    labels = np.array(["x", "y", "z"])
    seen = np.flatnonzero((train.X["kind"] != "y").to_numpy())
    competition = declared(task="multiclass", metric="log_loss")
    logistic = dataclasses.replace(MODELS["ridge"], label="logistic", kind="logistic")
    estimator = make_estimator(competition, logistic, Features(), seed=3)
    estimator.fit(train.X.iloc[seen], train.X["kind"].iloc[seen].to_numpy(dtype=object))
    probability = respond(estimator, train.X, labels)
    assert (probability[:, 1] == 0).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1)
