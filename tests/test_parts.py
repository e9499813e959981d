"""Targets that are sums: each part is learned by itself, and nothing leaks into either."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from test_checks import refusal
from test_leakage import declared, folds_of, rows

from pipeline.competition import Columns, Competition, ModelChoice, Target, load_competition
from pipeline.data import TrainData
from pipeline.errors import DeclarationError
from pipeline.features import Features
from pipeline.models.parts import SumOfParts
from pipeline.training import final_models, fit_folds, lesson_of, make_estimator, refit

PARTS = ("few", "many")
TARGET = Target(transform="log1p", lower=0, parts=PARTS)
COLUMNS = Columns(
    id="id", target=("y",), categorical=("kind",), group="block", time="when", drop=PARTS
)
CHOICES = {
    "ridge": {},
    "lightgbm": {"n_estimators": 20, "n_jobs": 1},
    "catboost": {"n_estimators": 20, "thread_count": 1},
    "dnn": {"epochs": 3, "units": [8], "n_seeds": 2},
}


def summed() -> tuple[TrainData, Competition]:
    """Return rows whose target is the sum of two parts with different causes."""
    train = rows()
    few, many = np.exp(train.X["a"]), np.exp(2 - train.X["b"].fillna(0))
    parts = pd.DataFrame({"few": few, "many": many})
    y = parts.sum(axis="columns").rename("y")
    competition = declared("group", columns=COLUMNS, target=TARGET)
    return dataclasses.replace(train, y=y, parts=parts), competition


def fitted(train: TrainData, competition: Competition, name: str, folds: Any, **facts: Any) -> Any:
    choice = ModelChoice(label=name, kind=name, parameters=CHOICES[name], by_parts=True, **facts)
    estimator = make_estimator(competition, choice, Features(), seed=3)
    return fit_folds(estimator, train, folds, competition)


def test_each_part_has_a_regressor_and_their_sum_keeps_the_bounds() -> None:
    X = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    y = pd.DataFrame({"few": X["x"], "many": 10 - 2 * X["x"]})
    model = SumOfParts(LinearRegression(), lower=7.5, upper=9.5).fit(X, y)
    assert model.names_ == ["few", "many"]
    np.testing.assert_allclose(model.regressors_[1].predict(X), y["many"])
    np.testing.assert_allclose(model.predict(X), [9.5, 9, 8, 7.5])


def test_each_part_is_fitted_on_the_transformed_scale() -> None:
    train, competition = summed()
    fold = folds_of(train, competition)[0]
    (result,) = fitted(train, competition, "ridge", [fold])
    low, high = (one.predict(train.X) for one in result.estimator.regressors_)
    assert low.min() >= 0
    np.testing.assert_allclose(result.estimator.predict(train.X), low + high)
    whole = result.estimator.regressors_[0].regressor_
    logs = np.maximum(whole.predict(train.X), 0)  # what is below 0 is clipped
    np.testing.assert_allclose(logs, np.log1p(low), atol=1e-9)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n == "dnn" else []) for n in CHOICES]
)
def test_nonsense_in_the_validation_rows_of_the_parts_leaves_the_fold_bit_identical(
    name: str,
) -> None:
    train, competition = summed()
    fold = folds_of(train, competition)[1]
    (honest,) = fitted(train, competition, name, [fold])
    assert train.parts is not None
    X, y, parts = train.X.copy(), train.y.copy(), train.parts.copy()
    X.loc[X.index[fold.valid], ["a", "b"]] = 2.0
    y.iloc[fold.valid], parts.iloc[fold.valid] = 5e5, 2.5e5
    (tried,) = fitted(dataclasses.replace(train, X=X, y=y, parts=parts), competition, name, [fold])
    unseen_by_either = rows(seed=9).X
    expected = honest.estimator.predict(unseen_by_either)
    np.testing.assert_array_equal(tried.estimator.predict(unseen_by_either), expected)


def test_nonsense_in_a_training_row_of_one_part_changes_that_part_only() -> None:
    train, competition = summed()
    fold = folds_of(train, competition)[1]
    assert train.parts is not None
    parts = train.parts.copy()
    parts.iloc[fold.train[0], 0] = 1e6
    (honest,) = fitted(train, competition, "ridge", [fold])
    (tried,) = fitted(dataclasses.replace(train, parts=parts), competition, "ridge", [fold])
    pairs = zip(honest.estimator.regressors_, tried.estimator.regressors_, strict=True)
    same = [np.array_equal(a.predict(train.X), b.predict(train.X)) for a, b in pairs]
    assert same == [False, True]


@pytest.mark.slow
def test_networks_of_all_parts_and_folds_learn_together_what_they_learn_alone() -> None:
    train, competition = summed()
    folds = folds_of(train, competition)[:2]
    together = fitted(train, competition, "dnn", folds)
    alone = fitted(train, competition, "dnn", folds[1:])
    assert [len(one.models_) for one in final_models(together[1].estimator)] == [2, 2]
    np.testing.assert_allclose(together[1].prediction, alone[0].prediction, rtol=1e-3)


TABLE = "id,x,few,many,y\n1,5,1,2,3\n2,6,0,2,2\n3,7,{few},1,{y}\n"


@pytest.mark.parametrize(
    ("few", "y", "message"),
    [
        ("1", "3", "train.csv, line 4, column 'y': expected the sum of [target] parts, 2, found 3"),
        ("-1", "0", "train.csv, line 4, column 'few': expected 0 or more, as [target] transform"),
        ("", "1", "train.csv, column 'few': missing in 1 row, first in line 4; every training row"),
        ("one", "2", "train.csv, column 'few': expected numbers, as it is a part"),
    ],
)
def test_parts_that_do_not_sum_to_the_target_are_refused_with_their_first_row(
    tmp_path: Path, few: str, y: str, message: str
) -> None:
    text = TABLE.format(few=few, y=y)
    assert message in refusal(tmp_path, text, target_is=TARGET, drop=PARTS)


def test_a_part_that_no_column_is_gets_named(tmp_path: Path) -> None:
    target = Target(parts=("few", "man"))
    message = refusal(tmp_path, TABLE.format(few=1, y=2), target_is=target, drop=("few", "man"))
    assert "column 'man' ([target] parts)" in message


HEAD = """
title = "Toy"
task = "regression"
metric = "rmse"
[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"
[columns]
id = "id"
target = "y"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('drop = ["few"]\n[target]\nparts = ["few", "many"]', "'many' gives the target away; add"),
        ('drop = ["few"]\n[target]\nparts = ["few"]', "expected two different columns or more"),
        ("[models.ridge]\nby_parts = true", "models.ridge.by_parts: needs [target] parts"),
        ("[models.ridge]\nby_parts = 1", "by_parts: expected true or false, found 1"),
    ],
)
def test_declarations_of_parts_that_cannot_be_followed_are_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "competition.toml").write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        load_competition(tmp_path / "competition.toml")
    assert message in str(caught.value)


def test_by_parts_changes_the_fingerprint_of_a_model() -> None:
    whole = ModelChoice(label="m", kind="ridge")
    competition = declared(columns=COLUMNS, target=TARGET)
    one, other = (
        competition.with_model(dataclasses.replace(whole, by_parts=by)).fingerprint("m")
        for by in (False, True)
    )
    assert one != other


def test_a_fit_on_all_rows_makes_of_each_part_as_many_rounds_as_its_folds_have_taught() -> None:
    train, competition = summed()
    results = fitted(train, competition, "lightgbm", folds_of(train, competition))
    lesson = lesson_of([one.estimator for one in results])
    assert lesson.rounds is not None
    assert lesson.rounds.shape == (2, 1)
    mean = np.mean([[m.rounds_ for m in final_models(one.estimator)] for one in results], axis=0)
    np.testing.assert_allclose(lesson.rounds, mean)
    parameters = CHOICES["lightgbm"]
    choice = ModelChoice(label="lightgbm", kind="lightgbm", parameters=parameters, by_parts=True)
    estimator = make_estimator(competition, choice, Features(), 3)
    (whole,) = refit([estimator], train, competition, lesson)
    made = [model.rounds_[0] for model in final_models(whole.estimator)]
    assert made == [max(1, round(1.25 * rounds)) for (rounds,) in mean]
    assert len(whole.fold.valid) == 0
    assert len(whole.fold.train) == len(train)
