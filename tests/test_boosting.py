"""What stops boosting, what CatBoost reads, and what is said of a package that is not there."""

import dataclasses
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.base import clone
from test_models import N, make, toy, whole

from pipeline.competition import Columns, Competition, Files, ModelChoice, Target
from pipeline.errors import ModelError
from pipeline.features import Features
from pipeline.metrics import fitted_metric
from pipeline.models import MODELS, make_model
from pipeline.progress import EpochEnded, Event, listening
from pipeline.training import final_model, make_estimator

BOOSTING = [name for name, spec in MODELS.items() if "boosting" in spec.factory]
HELD_OUT = np.arange(0, N, 4)
each_library = pytest.mark.parametrize("name", BOOSTING)


def declared(task: str, metric: str, **target: Any) -> Competition:
    return Competition(
        name="toy",
        title="T",
        task=task,  # type: ignore[arg-type]
        metric=metric,  # type: ignore[arg-type]
        files=Files(train="a", test="b", sample_submission="c"),
        columns=Columns(id="id", target=("y",)),
        target=Target(**target),
    )


def told(model: Any, X: Any, y: Any) -> float:
    """Fit, and return what the only round told of the held-out rows."""
    heard = list[Event]()
    with listening(heard.append):
        model.fit(X, y, holdout=HELD_OUT)
    (loss,) = [event.valid_loss for event in heard if isinstance(event, EpochEnded)]
    assert loss is not None
    return loss


def noisy(task: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the toy's rows, whose answers are partly chance."""
    data, rng = toy(task), np.random.default_rng(1)
    y = np.asarray(data.y).copy()
    if task == "regression":
        return data.X, y + rng.normal(0, 80, N)
    y[rng.random(N) < 0.2] = y[0]
    return data.X, y


@each_library
@pytest.mark.parametrize(
    ("metric", "function"),
    [
        ("rmse", sk.root_mean_squared_error),
        ("mae", sk.mean_absolute_error),
        ("mape", sk.mean_absolute_percentage_error),
        (None, sk.root_mean_squared_error),
        ("rmsle", sk.root_mean_squared_error),  # what a library lacks is its own loss
    ],
)
def test_numbers_are_stopped_by_the_metric(name: str, metric: str | None, function: Any) -> None:
    X, y = noisy("regression")
    model = make(name, "regression", metric=metric, **{MODELS[name].epochs: 1})
    loss = told(model, X, y)
    expected = function(y[HELD_OUT], model.predict(X)[HELD_OUT])
    is_squared = name == "lightgbm" and metric in (None, "rmsle")  # LightGBM's own loss
    assert loss == pytest.approx(expected**2 if is_squared else expected, rel=1e-5)


@each_library
@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("metric", ["log_loss", "accuracy", "roc_auc", "f1_macro"])
def test_classes_are_stopped_by_the_metric(name: str, task: str, metric: str) -> None:
    X, y = noisy(task)
    model = make(name, task, metric=metric, **{MODELS[name].epochs: 1})
    loss = told(model, X, y)
    p, truth = model.predict_proba(X)[HELD_OUT], y[HELD_OUT]
    p = p / p.sum(axis=1, keepdims=True)  # of float32 in XGBoost
    if metric == "roc_auc" and task == "binary":
        assert abs(loss) == pytest.approx(sk.roc_auc_score(truth, p[:, 1]), rel=1e-5)
    else:  # their own loss is the nearest that all of them have
        assert loss == pytest.approx(sk.log_loss(truth, p, labels=model.classes_), rel=1e-5)


@each_library
def test_the_best_round_is_kept(name: str) -> None:
    data = toy("regression")
    noise = data.y.sample(frac=1, random_state=0).set_axis(data.y.index)
    rounds = MODELS[name].epochs or ""
    long = make(name, "regression", **{rounds: 150, "patience": 8, "learning_rate": 0.5})
    heard = list[Event]()
    with listening(heard.append):
        long.fit(data.X, noise, holdout=HELD_OUT)
    losses = [event.loss for event in heard if isinstance(event, EpochEnded)]
    best = int(np.argmin(losses)) + 1
    assert best + 8 <= len(losses) + 1 < 150
    short = make(name, "regression", **{rounds: best, "patience": 150, "learning_rate": 0.5})
    short.fit(data.X, noise, holdout=HELD_OUT)
    np.testing.assert_allclose(short.predict(data.X), long.predict(data.X))


@pytest.mark.parametrize(
    ("metric", "target", "expected"),
    [
        ("rmse", {}, "rmse"),
        ("r2", {}, "rmse"),
        ("mae", {}, "mae"),
        ("mape", {}, "mape"),
        ("rmsle", {"lower": 0, "transform": "log1p"}, "rmse"),
        ("rmsle", {"lower": 0}, "rmse"),  # log1p is what rmsle asks for, if nothing is declared
        ("rmsle", {"lower": 0, "transform": "none"}, None),
        ("mae", {"lower": 0, "transform": "log1p"}, None),
        ("rmse", {"lower": 0, "transform": "sqrt"}, None),
    ],
)
def test_the_metric_is_named_as_it_looks_on_the_fitted_scale(
    metric: str, target: dict[str, Any], expected: str | None
) -> None:
    competition = declared("regression", metric, **target)
    assert fitted_metric(competition) == expected
    choice = ModelChoice(label="lightgbm", kind="lightgbm")
    model = final_model(make_estimator(competition, choice, Features(), seed=1))
    assert model.metric == expected


def test_classes_are_fitted_on_the_metric_s_own_scale() -> None:
    assert fitted_metric(declared("binary", "roc_auc")) == "roc_auc"


def make_told(task: str, seed: int, *, metric: str | None, depth: int = 1) -> Any:
    return task, metric, depth


def test_a_factory_of_one_s_own_may_ask_for_the_metric() -> None:
    choice = ModelChoice(label="mine", kind=f"{__name__}:make_told", parameters={"depth": 2})
    assert make_model(choice, "binary", 1, "roc_auc") == ("binary", "roc_auc", 2)
    assert make_model(choice, "binary", 1) == ("binary", None, 2)
    own = dataclasses.replace(choice, parameters={"metric": "log_loss"})
    assert make_model(own, "binary", 1, "roc_auc") == ("binary", "log_loss", 1)


# CatBoost


def test_catboost_reads_text_as_its_own_categories() -> None:
    data, rng = toy("regression"), np.random.default_rng(2)
    kind = pd.Series(rng.choice(["a", "b", "c"], N), dtype="str")
    X = data.X.assign(kind=kind.mask(kind == "c"))
    model = whole("catboost", "regression").fit(X, data.y + 100 * (kind == "a"))
    assert final_model(model).models_[0].get_cat_feature_indices() == [0]  # text first
    new = X.assign(kind="never seen")
    assert np.isfinite(model.predict(new)).all()
    ordinal = dataclasses.replace(
        declared("regression", "rmse"),
        preprocessing=dataclasses.replace(
            declared("regression", "rmse").preprocessing, encoder="ordinal"
        ),
    )
    choice = ModelChoice(label="catboost", kind="catboost", parameters={"n_estimators": 3})
    coded = make_estimator(ordinal, choice, Features(), seed=1).fit(X, data.y)
    assert final_model(coded).models_[0].get_cat_feature_indices() == []


def test_catboost_takes_every_spelling_of_a_parameter() -> None:
    data = toy("regression")
    one = make("catboost", "regression", n_estimators=5, depth=3)
    other = make("catboost", "regression", iterations=5, max_depth=3)
    other.set_params(parameters={"learning_rate": 0.2, "iterations": 5, "max_depth": 3})
    predictions = [model.fit(data.X, data.y).predict(data.X) for model in (one, other)]
    np.testing.assert_array_equal(*predictions)


def test_catboost_writes_nothing_beside(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = toy("binary")
    make("catboost", "binary").fit(data.X, data.y)
    assert list(tmp_path.iterdir()) == []


# What is refused


def test_a_package_that_is_not_installed_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(ModelError) as caught:
        make("xgboost", "regression")
    assert str(caught.value) == (
        "models.xgboost: xgboost is not installed; run: pip install xgboost"
    )


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("catboost", {"depth": 99}, "CatBoost: "),
        ("catboost", {"loss_function": "Nothing"}, "CatBoost: "),
        ("xgboost", {"max_depth": -3}, "XGBoost: "),
        ("xgboost", {"objective": "nothing"}, "XGBoost: "),
        ("hist_gradient_boosting", {"learning_rate": -1.0}, "scikit-learn: "),
    ],
)
def test_a_value_that_a_library_refuses_is_a_model_error(
    name: str, parameters: dict[str, Any], message: str
) -> None:
    data = toy("regression")
    with pytest.raises(ModelError) as caught:
        make(name, "regression", **parameters).fit(data.X, data.y)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value).splitlines()) == 1


def test_a_metric_of_another_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ModelError) as caught:
        make("lightgbm", "regression", metric="RMSE")
    assert str(caught.value) == "models.lightgbm: metric: 'RMSE'; did you mean 'rmse'?"


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("hist_gradient_boosting", "early_stopping"),
        ("catboost", "use_best_model"),
        ("xgboost", "early_stopping_rounds"),
    ],
)
def test_how_it_stops_is_not_the_library_s_to_say(name: str, parameter: str) -> None:
    with pytest.raises(ModelError, match=f"unknown parameter '{parameter}'"):
        make(name, "regression", **{parameter: True})


@each_library
def test_the_median_is_what_an_absolute_error_aims_at(name: str) -> None:
    X = pd.DataFrame({"nothing": np.arange(200) // 100 % 2})
    y = np.where(np.arange(200) % 4 == 3, 1000.0, np.arange(200) / 100)  # a long tail
    model = make(name, "regression", metric="mae", patience=100).fit(X, y)
    assert model.predict(X)[0] < 10 < np.median(y) + 10 < y.mean()
    mean = make(name, "regression", metric="rmse", patience=100).fit(X, y)
    assert mean.predict(X)[0] > 100


@each_library
@pytest.mark.parametrize(
    ("task", "metric", "watched"),
    [
        ("regression", "mae", "mae"),
        ("regression", "rmse", "rmse"),
        ("binary", "roc_auc", "roc_auc"),
        ("binary", "accuracy", "log_loss"),
        ("multiclass", "log_loss", "log_loss"),
    ],
)
def test_what_is_watched_has_a_name_and_its_best(
    name: str, task: str, metric: str, watched: str
) -> None:
    data, heard = toy(task), list[Event]()
    model = make(name, task, metric=metric, **{MODELS[name].epochs or "": 3})
    with listening(heard.append):
        model.fit(data.X, data.y, holdout=HELD_OUT)
    told = [event for event in heard if isinstance(event, EpochEnded)]
    values = [event.loss for event in told]
    assert {event.watched for event in told} == {watched}
    assert told[-1].best == (max if watched == "roc_auc" else min)(values)
    assert min(values) >= 0


@each_library
@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_told_the_rounds_it_learns_from_all_rows_and_makes_as_many(name: str, task: str) -> None:
    data, rounds = toy(task), MODELS[name].epochs or ""
    model = make(name, task, **{rounds: 150, "patience": 8})
    model.fit(data.X, data.y, holdout=HELD_OUT)
    assert len(model.rounds_) == 1
    assert 1 <= model.rounds_[0] <= 150
    model.fit(data.X, data.y, rounds=[6.6])
    assert model.rounds_ == [7]
    other = np.asarray(data.y).copy()
    other[HELD_OUT] = other[HELD_OUT][::-1]
    assert (
        model.predict(data.X) != clone(model).fit(data.X, other, rounds=[7]).predict(data.X)
    ).any()
    again = make(name, task, **{rounds: 7, "patience": 8}).fit(data.X, data.y, rounds=[7])
    np.testing.assert_array_equal(again.predict(data.X), model.predict(data.X))
