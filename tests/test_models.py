"""One contract for every model of the table, in every task that it can do."""

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from pipeline.competition import Columns, Competition, Files, ModelChoice, Task
from pipeline.errors import ModelError
from pipeline.features import Features
from pipeline.models import MODELS, check_parameters, make_model, model_spec, parameters_of
from pipeline.models.backend import load_keras
from pipeline.progress import EpochEnded, Event, listening
from pipeline.training import final_model, make_estimator

TASKS: tuple[Task, ...] = ("regression", "binary", "multiclass")
N = 120
FORESTS = ("random_forest", "extra_trees", "trend_forest")


MEMBERS = {"members": 4, "units": 32, "n_bins": 8, "epochs": 60, "learning_rate": 0.01}
ONE_BY_ONE = {"epochs": 40, "batch_size": 16, "learning_rate": 0.02, "dropout": 0.0}
NETWORKS: dict[str, dict[str, Any]] = {
    "dnn": {"epochs": 40, "batch_size": 16, "learning_rate": 0.02},
    "conv1d": {**ONE_BY_ONE, "filters": [8], "dense": [16]},
    "conv2d": {**ONE_BY_ONE, "filters": [8], "dense": [16]},
    "simple_rnn": {**ONE_BY_ONE, "units": [12], "dense": [16]},
    "lstm": {**ONE_BY_ONE, "units": [12], "dense": [16]},
    "gru": {**ONE_BY_ONE, "units": [12], "dense": [16]},
    "realmlp": {"epochs": 40, "batch_size": 16, "units": (32, 32)},
    "tabm": MEMBERS,
    "tabm_mini": MEMBERS,
}


TRAINED_BY_KERAS = ("conv1d", "conv2d", "simple_rnn", "lstm", "gru")


def quick(name: str) -> dict[str, Any]:
    """Return parameters with which a model is fitted soon."""
    spec = MODELS[name]
    if name in NETWORKS:
        return NETWORKS[name]
    if spec.epochs:
        return {spec.epochs: 60, "learning_rate": 0.2}
    if name == "gaussian_process":
        return {"optimizer": None}
    return {"n_estimators": 30, "n_jobs": 1} if name in FORESTS else {}


def cases(*, refit: bool, only: Callable[[str], bool] = lambda _: True) -> list[Any]:
    """Return each model with each task it can do; networks are slow, so two if each is fitted."""
    found = []
    for name, spec in filter(lambda item: only(item[0]), MODELS.items()):
        marks = [pytest.mark.slow] if name in NETWORKS else []
        tasks: list[str] = [task for task in TASKS if task in spec.tasks]
        if "regression" in spec.tasks:
            tasks.append("two targets")
        if refit and name in NETWORKS:
            tasks = ["two targets", "multiclass"]
        if name in TRAINED_BY_KERAS:  # a second a fit; what differs by task is all networks'
            tasks = ["multiclass"] if refit else ["two targets", "multiclass"]
        found += [pytest.param(name, task, marks=marks, id=f"{name}-{task}") for task in tasks]
    return found


@dataclass(frozen=True)
class Toy:
    X: pd.DataFrame
    y: Any
    task: Task


def toy(task: str, n: int = N, seed: int = 0) -> Toy:
    """Four columns; two of them decide the target, far from zero for numbers."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=["a", "기온 (°C)", "<c>", "d[0]"])
    signal = 2 * X["a"] - X["<c>"]
    if task == "regression":
        return Toy(X, (1000 + 50 * signal).rename("y"), "regression")
    if task == "two targets":
        both = pd.DataFrame({"y": 1000 + 50 * signal, "z": -signal})
        return Toy(X, both, "regression")
    cuts = [0] if task == "binary" else [-1, 1]
    names = np.array(["low", "mid", "top"])[np.digitize(signal, cuts)]
    return Toy(X, pd.Series(names, name="y", dtype="str"), task)  # type: ignore[arg-type]


def make(name: str, task: str, **parameters: Any) -> Any:
    choice = ModelChoice(label=name, kind=name, parameters=quick(name) | parameters)
    return make_model(choice, "regression" if task == "two targets" else task, seed=7)  # type: ignore[arg-type]


@functools.cache
def fitted(name: str, task: str) -> Any:
    """Return a model fitted on the toy; no test may change it."""
    data = toy(task)
    return make(name, task).fit(data.X, data.y)


def answer(model: Any, X: Any) -> np.ndarray:
    response = getattr(model, "predict_proba", model.predict)
    return np.asarray(response(X))


every = pytest.mark.parametrize(("name", "task"), cases(refit=False))
refitted = pytest.mark.parametrize(("name", "task"), cases(refit=True))
stopping = pytest.mark.parametrize(
    ("name", "task"), cases(refit=True, only=lambda name: MODELS[name].epochs is not None)
)


@every
def test_predictions_have_the_shape_of_the_target(name: str, task: str) -> None:
    data, model = toy(task), fitted(name, task)
    prediction = model.predict(data.X.head(9))
    assert prediction.shape == ((9, 2) if task == "two targets" else (9,))
    if data.task != "regression":
        labels = sorted(set(data.y))
        assert list(model.classes_) == labels
        probability = model.predict_proba(data.X.head(9))
        assert probability.shape == (9, len(labels))
        assert np.allclose(probability.sum(axis=1), 1)
        best = model.classes_[probability.argmax(axis=1)]
        assert best.tolist() == prediction.tolist()


@every
def test_a_single_row_is_predicted_as_among_others(name: str, task: str) -> None:
    X, model = toy(task).X, fitted(name, task)
    assert np.allclose(answer(model, X.iloc[[5]]), answer(model, X)[[5]], rtol=1e-5)


@every
def test_it_beats_the_mean_or_the_commonest_class_on_new_rows(name: str, task: str) -> None:
    data, model = toy(task, seed=1), fitted(name, task)
    if data.task == "regression":
        truth = np.asarray(data.y).reshape(N, -1)
        error = np.abs(np.asarray(model.predict(data.X)).reshape(N, -1) - truth).mean(axis=0)
        alone = np.abs(truth - truth.mean(axis=0)).mean(axis=0)
        assert (error < 0.6 * alone).all()
    else:
        right = (model.predict(data.X) == np.asarray(data.y)).mean()
        assert right > data.y.value_counts(normalize=True).max() + 0.15


@every
def test_a_clone_keeps_every_parameter_and_nothing_learned(name: str, task: str) -> None:
    model = make(name, task, **({"patience": 3} if MODELS[name].epochs else {}))
    assert clone(model).get_params() == model.get_params()
    assert type(clone(model)) is type(model)
    assert not [key for key in vars(clone(fitted(name, task))) if key.endswith("_")]


@refitted
def test_the_same_seed_gives_the_same_prediction_bit_by_bit(name: str, task: str) -> None:
    data = toy(task)
    again = make(name, task).fit(data.X, data.y)
    assert np.array_equal(answer(again, data.X), answer(fitted(name, task), data.X))


@every
def test_a_saved_model_predicts_the_same(name: str, task: str) -> None:
    X, buffer = toy(task).X, io.BytesIO()
    joblib.dump(fitted(name, task), buffer)
    again = joblib.load(io.BytesIO(buffer.getvalue()))
    assert np.array_equal(answer(again, X), answer(fitted(name, task), X))


@pytest.mark.parametrize(("name", "task"), cases(refit=False, only=lambda name: name in NETWORKS))
def test_a_network_in_a_keras_file_answers_the_same(name: str, task: str, tmp_path: Path) -> None:
    rows = np.random.default_rng(2).normal(size=(6, 64)).astype("float32")
    for number, model in enumerate(fitted(name, task).models_):
        model.save(tmp_path / f"{number}.keras")
        again = load_keras().models.load_model(tmp_path / f"{number}.keras")
        inputs = rows[:, : model.input_shape[1]]
        assert np.array_equal(again(inputs), model(inputs))


@refitted
def test_fitting_and_predicting_leave_the_rows_alone(name: str, task: str) -> None:
    data = toy(task)
    X, y = data.X.copy(deep=True), data.y.copy(deep=True)
    quickest = {MODELS[name].epochs: 2} if MODELS[name].epochs else {}
    answer(make(name, task, **quickest).fit(data.X, data.y), data.X)
    pd.testing.assert_frame_equal(data.X, X)
    assert data.y.equals(y)


def whole(name: str, task: str) -> Any:
    """Return the unfitted estimator with its preprocessing, as training makes it."""
    competition = Competition(
        name="toy",
        title="T",
        task="regression" if task == "two targets" else task,  # type: ignore[arg-type]
        metric="rmse" if task in ("regression", "two targets") else "log_loss",
        files=Files(train="a", test="b", sample_submission="c"),
        columns=Columns(id="id", target=("y", "z") if task == "two targets" else ("y",)),
    )
    choice = ModelChoice(label=name, kind=name, parameters=quick(name))
    return make_estimator(competition, choice, Features(), seed=7)


@refitted
def test_missing_values_and_unseen_levels_do_not_stop_it(name: str, task: str) -> None:
    data = toy(task)
    rng = np.random.default_rng(3)
    X = data.X.mask(rng.random(data.X.shape) < 0.1)
    X = X.assign(
        kind=pd.Series(rng.choice(["a", "b", None], N), dtype="str"), flag=rng.random(N) < 0.5
    )
    model = whole(name, task).fit(X, data.y)
    new = X.assign(kind="never seen", a=np.nan)
    for frame in (X, new):
        assert np.isfinite(answer(model, frame)).all()
    assert final_model(model).get_params() == final_model(whole(name, task)).get_params()


# What is refused

A_PARAMETER = {
    "ridge": "alpha",
    "logistic": "max_iter",
    "lasso": "alpha",
    "elastic_net": "l1_ratio",
    "kernel_ridge": "max_rows",
    "svm": "max_rows",
    "knn": "n_neighbors",
    "gaussian_process": "max_rows",
}


@every
def test_an_unknown_parameter_gets_a_suggestion(name: str, task: str) -> None:
    right = A_PARAMETER.get(name) or MODELS[name].epochs or "n_estimators"
    with pytest.raises(ModelError) as caught:
        make(name, task, **{right + "x": 1})
    assert str(caught.value) == (
        f"models.{name}: unknown parameter '{right}x'; did you mean '{right}'?"
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_task_it_cannot_do_is_refused_with_those_that_can(name: str) -> None:
    wrong = [task for task in TASKS if task not in MODELS[name].tasks]
    for task in wrong:
        with pytest.raises(ModelError) as caught:
            make(name, task)
        able = [repr(one) for one, spec in MODELS.items() if task in spec.tasks]
        assert str(caught.value) == (
            f"models.{name}: cannot do task {task!r}; expected one of {', '.join(able)}"
        )
    assert name not in ("ridge", "logistic") or wrong


@pytest.mark.parametrize("value", [0, -1, 2.5, "many", True])
@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, one) for name, spec in MODELS.items() if spec.epochs for one in ("patience", "epochs")]
    + [("random_forest", "n_estimators")],
)
def test_counts_below_one_are_refused_before_anything_is_fitted(
    name: str, parameter: str, value: Any
) -> None:
    parameter = (MODELS[name].epochs or "") if parameter == "epochs" else parameter
    with pytest.raises(ModelError) as caught:
        make(name, "regression", **{parameter: value})
    assert str(caught.value) == (
        f"models.{name}: {parameter}: expected a whole number of 1 or more, found {value!r}"
    )


def test_an_unknown_model_gets_a_suggestion() -> None:
    with pytest.raises(ModelError) as caught:
        make_model(ModelChoice(label="lgbm", kind="lightgmb"), "regression", 1)
    assert str(caught.value) == "no model 'lightgmb'; did you mean 'lightgbm'?"


def make_own(task: Task, seed: int, *, size: int = 1) -> Any:
    """Return what it was given: a factory of one's own."""
    return task, seed, size


def own(kind: str, **parameters: Any) -> Any:
    return make_model(ModelChoice(label="mine", kind=kind, parameters=parameters), "binary", 3)


def test_a_factory_of_one_s_own_is_called_by_its_path() -> None:
    kind = f"{__name__}:make_own"
    assert own(kind, size=5) == ("binary", 3, 5)
    assert model_spec(ModelChoice(label="mine", kind=kind)).factory == kind
    with pytest.raises(ModelError, match=r"^models\.mine: .*unexpected keyword argument 'depth'$"):
        own(kind, depth=5)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no_such_module:make", "no_such_module:make: there is no module 'no_such_module'"),
        ("json:make", "json:make: module 'json' has no function 'make'"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(kind: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        own(kind)
    assert str(caught.value) == message


def test_parameters_are_checked_against_keyword_only_names() -> None:
    assert parameters_of(make_own) == ["size"]
    check_parameters(["size"], ["size"])
    with pytest.raises(ModelError, match=r"^unknown parameter 'sise'; did you mean 'size'\?$"):
        check_parameters(["sise"], ["size"])


# Models that stop early


@stopping
def test_time_that_is_over_stops_the_fit_and_says_so(name: str, task: str) -> None:
    data = toy(task)
    parameters = {MODELS[name].epochs: 5000, "patience": 5000}
    model = make(name, task, **parameters).fit(data.X, data.y, max_seconds=0.0)
    assert model.stopped_by_time_ is True
    assert np.isfinite(answer(model, data.X)).all()
    assert fitted(name, task).stopped_by_time_ is False


@stopping
def test_each_epoch_is_told(name: str, task: str) -> None:
    data, heard = toy(task), list[Event]()
    with listening(heard.append):
        make(name, task, **{MODELS[name].epochs: 3}).fit(data.X, data.y)
    told = [event for event in heard if isinstance(event, EpochEnded)]
    n_fits = 2 if task == "two targets" and "boosting" in MODELS[name].factory else 1
    assert [event.epoch for event in told] == [1, 2, 3] * n_fits
    assert all(event.epochs == 3 for event in told)


@stopping
def test_held_out_rows_only_decide_when_to_stop(name: str, task: str) -> None:
    """With patience beyond the end the best epoch is the last, so other held-out rows are alike."""
    data, held_out = toy(task), np.arange(100, N)
    parameters = {MODELS[name].epochs: 2, "patience": 5, "learning_rate": 1e-3}
    one = make(name, task, **parameters).fit(data.X, data.y, holdout=held_out)
    moved = data.X.copy()
    moved.iloc[100:] = moved.iloc[100:] + 0.01 * np.random.default_rng(1).normal(size=(20, 4))
    other = make(name, task, **parameters).fit(moved, data.y, holdout=held_out)
    assert np.array_equal(answer(one, data.X), answer(other, data.X))
    fewer = make(name, task, **parameters).fit(data.X, data.y, holdout=np.arange(50, N))
    assert not np.array_equal(answer(one, data.X), answer(fewer, data.X))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in NETWORKS else [])
        for name, spec in MODELS.items()
        if spec.epochs and "multiclass" in spec.tasks
    ],
)
def test_a_class_that_only_held_out_rows_have_does_not_stop_it(name: str) -> None:
    task = "multiclass"
    data = toy(task)
    held_out = np.flatnonzero(data.y == "top")
    model = make(name, task, **{MODELS[name].epochs: 3})
    held_out = np.union1d(held_out, np.arange(0, N, 7))
    model.fit(data.X, data.y, holdout=held_out)
    assert list(model.classes_) == ["low", "mid", "top"]
    assert model.predict_proba(data.X).shape == (N, 3)


# LightGBM's own


def test_lightgbm_fits_a_dozen_rows_without_a_holdout_of_the_caller() -> None:
    data = toy("multiclass", n=12)
    model = make("lightgbm", "multiclass", n_estimators=3).fit(data.X, data.y)
    assert model.predict_proba(data.X).shape == (12, len(set(data.y)))


def test_lightgbm_refuses_what_it_cannot_learn_from() -> None:
    X = toy("binary", n=4).X
    model = make("lightgbm", "binary")
    with pytest.raises(ModelError, match=r"^y: expected at least two classes, found only 'a'$"):
        model.fit(X, pd.Series(list("aaaa")))
    with pytest.raises(
        ModelError, match=r"^y: expected a class with two rows or more, found none$"
    ):
        model.fit(X, pd.Series(list("abcd")))
    with pytest.raises(
        ModelError, match=r"^holdout: expected a row of a class that other rows have"
    ):
        model.fit(X, pd.Series(list("aabb")), holdout=np.array([2, 3]))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"learning_rate": -1.0}, "LightGBM: Check failed: (learning_rate)"),
        ({"num_leaves": 1}, "LightGBM: Check failed: (num_leaves)"),
        ({"objective": "nothing"}, "LightGBM: Unknown objective type name: nothing"),
    ],
)
def test_a_value_that_lightgbm_refuses_is_a_model_error(
    parameters: dict[str, Any], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    data = toy("regression")
    with pytest.raises(ModelError) as caught:
        make("lightgbm", "regression", **parameters).fit(data.X, data.y)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5])
def test_a_share_to_hold_out_is_between_nothing_and_all(fraction: float) -> None:
    with pytest.raises(ModelError) as caught:
        make("lightgbm", "regression", validation_fraction=fraction)
    assert str(caught.value) == (
        "models.lightgbm: validation_fraction: expected a number between 0 and 1, "
        f"found {fraction!r}"
    )


def test_lightgbm_takes_its_own_names_beside_those_of_scikit_learn() -> None:
    data = toy("regression")
    model = make("lightgbm", "regression", lambda_l2=1e6, bagging_fraction=0.5)
    plain = make("lightgbm", "regression")
    flat = np.std(model.fit(data.X, data.y).predict(data.X))
    assert flat < 0.5 * np.std(plain.fit(data.X, data.y).predict(data.X))
