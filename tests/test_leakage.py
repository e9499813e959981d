"""Proof that nothing learns from rows it is scored on, or from rows of the test file."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.competition import (
    Cleaning,
    Columns,
    Competition,
    Files,
    ModelChoice,
    Target,
    Validation,
)
from pipeline.data import TrainData, split_train
from pipeline.errors import DeclarationError
from pipeline.features import Features
from pipeline.metrics import METRICS
from pipeline.rowwise import check_rowwise
from pipeline.splits import make_folds, make_holdout
from pipeline.training import cross_validate, fit_folds, make_estimator

MODELS = {
    "ridge": ModelChoice(label="ridge", kind="ridge"),
    "random_forest": ModelChoice(
        label="random_forest", kind="random_forest", parameters={"n_estimators": 5, "n_jobs": 1}
    ),
    "lightgbm": ModelChoice(
        label="lightgbm", kind="lightgbm", parameters={"n_estimators": 20, "n_jobs": 1}
    ),
    "catboost": ModelChoice(
        label="catboost", kind="catboost", parameters={"n_estimators": 20, "thread_count": 1}
    ),
    "hist_gradient_boosting": ModelChoice(
        label="hist_gradient_boosting", kind="hist_gradient_boosting", parameters={"max_iter": 20}
    ),
    "kernel_ridge": ModelChoice(label="kernel_ridge", kind="kernel_ridge"),
    "dnn": ModelChoice(label="dnn", kind="dnn", parameters={"epochs": 3, "units": [8]}),
}
SLOW = {"dnn"}
EACH_MODEL = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in MODELS
]


def declared(scheme: str = "kfold", **changes) -> Competition:
    columns = Columns(id="id", target=("y",), categorical=("kind",), group="block", time="when")
    return dataclasses.replace(
        Competition(
            name="toy",
            title="Toy",
            task="regression",
            metric="rmse",
            files=Files(train="train.csv", test="test.csv", sample_submission="sample.csv"),
            columns=columns,
            target=Target(),
            validation=Validation(scheme=scheme, n_splits=4, seed=1),
        ),
        **changes,
    )


def rows(n: int = 120, seed: int = 0) -> TrainData:
    """Return rows with numbers, a text column, missing values, groups and times."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": np.arange(n).astype(str),
            "a": rng.normal(size=n),
            "b": rng.normal(size=n),
            "kind": rng.choice(["x", "y", "z"], n),
            "block": np.repeat(np.arange(n // 10), 10),
            "when": rng.permutation(n),
        }
    )
    frame["y"] = 3 * frame["a"] + (frame["kind"] == "x") + rng.normal(scale=0.1, size=n)
    frame.loc[::7, "b"] = np.nan
    columns = declared().columns
    return split_train(frame, frame["id"], columns)


def folds_of(train: TrainData, competition: Competition):
    return make_folds(train.y, train.groups, train.order, competition.validation, competition.task)


def fit_one_by_one(train: TrainData, competition: Competition, name: str):
    estimator = make_estimator(competition, MODELS[name], Features(), seed=3)
    return cross_validate(
        lambda some, seconds: [
            (one, False) for one in fit_folds(estimator, train, some, competition, seconds)
        ],
        train,
        folds_of(train, competition),
        METRICS[competition.metric],
        model=name,
    )


def poisoned(train: TrainData, positions: np.ndarray) -> TrainData:
    """Return the rows with nonsense at some positions, in features, answers and levels."""
    X, y = train.X.copy(), train.y.copy()
    numeric = X.select_dtypes("number").columns
    X[numeric] = X[numeric].astype(float)
    X.iloc[positions, [X.columns.get_loc(name) for name in numeric]] = 1e6
    X.iloc[positions, X.columns.get_loc("kind")] = "poison"
    y.iloc[positions] = -1e6
    return dataclasses.replace(train, X=X, y=y)


@pytest.mark.parametrize("scheme", ["kfold", "group", "time"])
@pytest.mark.parametrize("name", EACH_MODEL)
def test_nonsense_in_the_validation_rows_leaves_the_fitted_fold_bit_identical(name, scheme):
    competition = declared(scheme)
    train = rows()
    fold = folds_of(train, competition)[1]
    estimator = make_estimator(competition, MODELS[name], Features(), seed=3)
    (honest,) = fit_folds(estimator, train, [fold], competition)
    unseen_by_either = rows(seed=9).X
    never_used = np.setdiff1d(np.arange(len(train)), fold.train)
    (tried,) = fit_folds(estimator, poisoned(train, never_used), [fold], competition)
    expected = honest.estimator.predict(unseen_by_either)
    np.testing.assert_array_equal(tried.estimator.predict(unseen_by_either), expected)
    assert tried.score > 1e5 > honest.score  # the poison is there, and only the score sees it


@pytest.mark.slow
def test_nonsense_that_other_folds_learn_leaves_a_fold_of_the_same_program_bit_identical():
    competition, train = declared(), rows()
    folds = folds_of(train, competition)
    estimator = make_estimator(competition, MODELS["dnn"], Features(), seed=3)
    nonsense = poisoned(train, folds[1].valid)
    # The level "poison" would widen the program: sums over more columns may round otherwise.
    nonsense = dataclasses.replace(nonsense, X=nonsense.X.assign(kind=train.X["kind"]))
    honest, tried = (fit_folds(estimator, own, folds, competition) for own in (train, nonsense))
    unseen_by_either = rows(seed=9).X
    same = [
        np.array_equal(a.estimator.predict(unseen_by_either), b.estimator.predict(unseen_by_either))
        for a, b in zip(honest, tried, strict=True)
    ]
    assert same == [number == 1 for number in range(len(folds))]


def test_nonsense_in_a_training_row_changes_the_fitted_fold():
    competition, train = declared(), rows()
    fold = folds_of(train, competition)[1]
    estimator = make_estimator(competition, MODELS["ridge"], Features(), seed=3)
    (honest,) = fit_folds(estimator, train, [fold], competition)
    (tried,) = fit_folds(estimator, poisoned(train, fold.train[:1]), [fold], competition)
    assert not np.array_equal(tried.estimator.predict(train.X), honest.estimator.predict(train.X))


@pytest.mark.parametrize("scheme", ["kfold", "group"])
def test_every_row_is_predicted_out_of_fold_exactly_once(scheme):
    train, competition = rows(), declared(scheme)
    result = fit_one_by_one(train, competition, "ridge")
    predicted = np.concatenate([one.fold.valid for one in result.folds])
    assert sorted(predicted) == list(range(len(train)))
    assert np.isfinite(result.oof).all()
    for one in result.folds:
        np.testing.assert_array_equal(result.oof[one.fold.valid], one.prediction)


def test_folds_forward_in_time_predict_the_later_half_at_most_once_and_never_train_on_the_future():
    train, competition = rows(), declared("time")
    result = fit_one_by_one(train, competition, "ridge")
    assert np.isnan(result.oof).all(axis=1).sum() == len(train) // 2
    for one in result.folds:
        assert train.order.iloc[one.fold.train].max() < train.order.iloc[one.fold.valid].min()


@pytest.mark.parametrize("name", EACH_MODEL)
def test_shuffled_answers_are_predicted_no_better_than_by_their_mean(name):
    train = rows(400)
    shuffled = np.random.default_rng(5).permutation(train.y.to_numpy())
    y = pd.Series(shuffled, index=train.y.index, name="y")
    noise = dataclasses.replace(train, y=y)
    result = fit_one_by_one(noise, declared(), name)
    assert result.score > 0.95 * y.std()


def test_the_answers_themselves_are_learned():
    train = rows(400)
    assert fit_one_by_one(train, declared(), "ridge").score < 0.1 * train.y.std()


def test_early_stopping_rows_come_from_the_fold_s_training_rows_in_whole_groups():
    train, competition = rows(), declared("group")
    fold = folds_of(train, competition)[0]
    seen = train.subset(fold.train)
    holdout = make_holdout(
        seen.y, seen.groups, seen.order,
        validation=competition.validation, task="regression", fraction=0.1,
    )  # fmt: skip
    held_out = set(seen.groups.iloc[holdout])
    fitted = set(seen.groups.drop(seen.groups.index[holdout]))
    assert held_out
    assert not held_out & fitted
    assert not held_out & set(train.groups.iloc[fold.valid])


def test_early_stopping_rows_are_the_tail_where_folds_run_forward():
    train, competition = rows(), declared("time")
    holdout = make_holdout(
        train.y, train.groups, train.order,
        validation=competition.validation, task="regression", fraction=0.1,
    )  # fmt: skip
    rest = np.setdiff1d(np.arange(len(train)), holdout)
    assert len(holdout) == 12
    assert train.order.iloc[rest].max() < train.order.iloc[holdout].min()


def test_rows_with_missing_values_are_dropped_from_training_only():
    train = rows()
    competition = declared(cleaning=Cleaning(missing="drop"))
    result = fit_one_by_one(train, competition, "ridge")
    assert np.isfinite(result.oof).all()
    missing = train.X["b"].isna().to_numpy()
    for one in result.folds:
        assert one.dropped.missing == missing[one.fold.train].sum()


def test_outliers_are_validated_and_never_trained_on():
    train = rows()
    marked = pd.Series(np.arange(len(train)) % 10 == 3, index=train.X.index)
    spoilt = train.y.where(~marked, train.y + 1e6)
    competition = declared()
    without = dataclasses.replace(train, outlying=marked)
    result = fit_one_by_one(without, competition, "ridge")
    wild = fit_one_by_one(dataclasses.replace(without, y=spoilt), competition, "ridge")
    np.testing.assert_array_equal(result.oof, wild.oof)  # nobody has seen their targets
    assert np.isfinite(result.oof[marked]).all()
    assert wild.score > 1e5 > result.score  # and the score has
    for one in result.folds:
        assert one.dropped.outliers == marked[one.fold.train].sum()


@pytest.mark.parametrize(
    "learned",
    [
        lambda x: x - x.mean(),
        lambda x: x.rank(),
        lambda x: x.shift(1).fillna(0.0),
        lambda x: (x - x.min()) / (x.max() - x.min()),
        lambda x: pd.Series(np.arange(len(x), dtype=float), index=x.index),
    ],
    ids=["mean", "rank", "neighbour", "range", "position"],
)
def test_a_feature_that_looks_at_other_rows_is_caught_by_name(learned):
    features = Features(add_features=lambda frame: frame.assign(sly=learned(frame["a"])))
    with pytest.raises(DeclarationError, match=r"add_features: column 'sly' changes when other"):
        check_rowwise(features, rows().X)


def test_a_feature_of_its_own_row_passes():
    features = Features(add_features=lambda frame: frame.assign(twice=frame["a"] * 2))
    check_rowwise(features, rows().X)
