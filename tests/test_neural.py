"""The Keras estimators: the contract, early stopping, sameness, and what they refuse."""

import pickle
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from pipeline.errors import ModelError
from pipeline.metrics import METRICS
from pipeline.models.backend import load_keras
from pipeline.models.estimators import Rows
from pipeline.models.learning import Shown
from pipeline.models.networks import dnn, soft_clip
from pipeline.models.neural import KerasClassifier, KerasRegressor, make_network
from pipeline.progress import EpochEnded, Event, listening

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SMALL: dict[str, Any] = {"network_parameters": {"units": [8]}, "epochs": 30, "batch_size": 16}


def table(n: int = 120, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Four columns, and a target far from 0 and 1 that two of them decide."""
    X = pd.DataFrame(np.random.default_rng(seed).normal(size=(n, 4)), columns=list("abcd"))
    return X, (1000 + 100 * X["a"] - 50 * X["b"]).to_numpy()


def weights(estimator: KerasRegressor | KerasClassifier) -> list[np.ndarray]:
    return list(estimator.model_.get_weights())


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def in_a_fresh_process(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)


# What is learned


def test_a_regressor_learns_a_line_on_the_target_s_own_scale() -> None:
    X, y = table()
    fitted = KerasRegressor(**{**SMALL, "epochs": 150}, learning_rate=0.01).fit(X, y)
    prediction = fitted.predict(X)
    assert prediction.shape == (120,)
    assert prediction.dtype == np.float64
    assert np.sqrt(np.mean((prediction - y) ** 2)) < 15  # the mean alone is off by 110


def test_several_targets_come_back_in_their_own_scales() -> None:
    X, y = table()
    both = np.column_stack([y, -y / 1000])
    fitted = KerasRegressor(**{**SMALL, "epochs": 100}, learning_rate=0.01).fit(X, both)
    prediction = fitted.predict(X)
    assert prediction.shape == (120, 2)
    assert np.corrcoef(prediction[:, 0], y)[0, 1] > 0.95
    assert abs(prediction[:, 1].mean() + y.mean() / 1000) < 0.05
    one_column = KerasRegressor(**{**SMALL, "epochs": 1}).fit(X, y.reshape(-1, 1))
    assert one_column.predict(X).shape == (120, 1)


def test_a_constant_target_is_predicted_as_it_is() -> None:
    X, y = table()
    fitted = KerasRegressor(**{**SMALL, "epochs": 3}).fit(X, np.full_like(y, 7.0))
    assert np.abs(fitted.predict(X) - 7).max() < 2


@pytest.mark.parametrize("labels", [["no", "yes"], [1, 2], [False, True], [0.0, 1.0]])
def test_two_classes_of_any_kind_get_one_sigmoid(labels: list[object]) -> None:
    X, y = table()
    named = np.array(labels)[(y > 1000).astype(int)]
    fitted = KerasClassifier(**SMALL, learning_rate=0.02).fit(X, pd.Series(named))
    assert fitted.classes_.tolist() == labels
    assert fitted.model_.output_shape == (None, 1)
    probability = fitted.predict_proba(X)
    assert probability.shape == (120, 2)
    assert np.allclose(probability.sum(axis=1), 1)
    assert set(fitted.predict(X).tolist()) == set(labels)
    assert (fitted.predict(X) == named).mean() > 0.9


def test_three_classes_get_a_softmax_in_the_order_of_classes() -> None:
    X, y = table()
    named = np.array(["low", "mid", "top"])[np.digitize(y, [960, 1040])]
    fitted = KerasClassifier(**SMALL, learning_rate=0.02).fit(X, named)
    assert fitted.classes_.tolist() == ["low", "mid", "top"]
    probability = fitted.predict_proba(X)
    assert probability.shape == (120, 3)
    assert np.allclose(probability.sum(axis=1), 1)
    assert (fitted.predict(X) == named).mean() > 0.8


def test_the_fitted_model_is_an_ordinary_compiled_keras_model() -> None:
    X, y = table()
    fitted = KerasRegressor(**{**SMALL, "epochs": 2}).fit(X, y)
    assert type(fitted.model_).__module__.startswith("keras.")
    assert fitted.model_.compiled
    assert fitted.n_features_in_ == 4
    assert fitted.feature_names_in_.tolist() == list("abcd")
    direct = fitted.model_(X.to_numpy("float32")).numpy()[:, 0]
    assert np.allclose(direct * fitted.target_std_ + fitted.target_mean_, fitted.predict(X))


def test_a_new_dnn_says_nothing_yet_and_has_the_units_it_was_given() -> None:
    keras = load_keras()
    inputs = keras.Input((4,))
    model = keras.Model(inputs, dnn(inputs, 3, units=(8, 5), dropout=0.5))
    assert np.array_equal(model(np.ones((2, 4), "float32")).numpy(), np.zeros((2, 3)))
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [8, 5, 3]
    assert [layer.rate for layer in model.layers if "dropout" in layer.name] == [0.5, 0.5]


def test_an_outlier_weighs_no_more_than_three_standard_deviations() -> None:
    load_keras()
    limited = np.asarray(soft_clip(np.array([-1e6, -0.1, 0.0, 1.0, 1e6], dtype="float32")))
    assert limited == pytest.approx([-3, -0.1, 0, 0.949, 3], abs=1e-3)


def test_a_constructor_only_stores_and_clone_keeps_everything() -> None:
    wild = KerasRegressor(network="no.such:thing", epochs=-1, network_parameters={"units": [3]})
    assert clone(wild).get_params() == wild.get_params()
    assert clone(wild).epochs == -1


def test_fit_leaves_its_inputs_alone() -> None:
    X, y = table()
    X_before, y_before = X.copy(), y.copy()
    KerasRegressor(**{**SMALL, "epochs": 1}).fit(X, y)
    assert X.equals(X_before)
    assert np.array_equal(y, y_before)


# When it stops


def test_rows_held_out_teach_nothing() -> None:
    X, y = table()
    holdout = np.arange(100, 120)
    nonsense = y.copy()
    nonsense[holdout] = -1e6
    one_epoch = KerasRegressor(**{**SMALL, "epochs": 1})
    true, poisoned = (clone(one_epoch).fit(X, t, holdout=holdout) for t in (y, nonsense))
    assert same(weights(true), weights(poisoned))
    assert true.target_mean_ == poisoned.target_mean_ == y[:100].mean()
    assert true.history_["val_loss"] != poisoned.history_["val_loss"]


def test_rows_of_no_weight_teach_nothing() -> None:
    X, y = table()
    holdout, weight = np.arange(100, 120), np.ones(120)
    weight[:50] = 0
    wild = X.copy()
    wild.iloc[:50] = 3.0
    one_epoch = KerasRegressor(**{**SMALL, "epochs": 1})
    true, poisoned = (
        clone(one_epoch).fit(rows, y, holdout=holdout, sample_weight=weight) for rows in (X, wild)
    )
    assert same(weights(true), weights(poisoned))
    unweighted = clone(one_epoch).fit(X, y, holdout=holdout)
    assert not same(weights(true), weights(unweighted))


def test_the_best_epoch_s_weights_are_kept() -> None:
    X, _ = table(60)
    noise = np.random.default_rng(1).normal(size=60)
    holdout = np.arange(40, 60)
    greedy = KerasRegressor(network_parameters={"units": [64]}, epochs=60, patience=5, batch_size=8)
    fitted = greedy.fit(X, noise, holdout=holdout)
    losses = fitted.history_["val_loss"]
    assert fitted.best_epoch_ == int(np.argmin(losses)) + 1
    assert len(losses) == fitted.best_epoch_ + 5 < 60
    off = (fitted.predict(X)[holdout] - noise[holdout]) / fitted.target_std_
    assert np.mean(off**2) == pytest.approx(min(losses), rel=1e-4)
    assert not fitted.stopped_by_time_


def test_time_that_is_over_ends_the_fit_after_its_epoch() -> None:
    X, y = table()
    fitted = KerasRegressor(**SMALL).fit(X, y, max_seconds=0)
    assert fitted.stopped_by_time_
    assert len(fitted.history_["loss"]) == fitted.best_epoch_ == 1
    assert np.isfinite(fitted.predict(X)).all()


def test_time_that_is_not_over_changes_nothing() -> None:
    X, y = table()
    free, timed = KerasRegressor(**SMALL).fit(X, y), KerasRegressor(**SMALL)
    timed.fit(X, y, max_seconds=3600)
    assert not timed.stopped_by_time_
    assert same(weights(free), weights(timed))


def test_every_epoch_is_told_once() -> None:
    X, y = table()
    heard: list[Event] = []
    with listening(heard.append):
        fitted = KerasRegressor(**{**SMALL, "epochs": 3}).fit(X, y)
    losses = zip(fitted.history_["loss"], fitted.history_["val_loss"], strict=True)
    assert heard == [EpochEnded(i + 1, 3, *pair) for i, pair in enumerate(losses)]


@pytest.mark.parametrize("kind", ["dnn", "conv1d"])  # together, and one after the other
@pytest.mark.parametrize("shown", [Shown("rmse", "sqrt"), Shown("r2")])
def test_an_epoch_tells_the_metric_of_held_out_rows_on_the_target_s_own_scale(
    kind: str, shown: Shown
) -> None:
    X, y = table()
    goal = np.sqrt(y) if shown.transform == "sqrt" else y
    held_out = np.arange(0, 120, 10)
    parameters = {"units": [8]} if kind == "dnn" else {"filters": [2], "dense": [4]}
    network = {"network": f"pipeline.models.networks:{kind}", "network_parameters": parameters}
    one = KerasRegressor(**{**SMALL, **network, "epochs": 2})
    heard: list[Event] = []
    with listening(heard.append):
        KerasRegressor.fit_together([one], [Rows(X, goal, held_out)], shown=shown)
    told = [event for event in heard if isinstance(event, EpochEnded)][one.best_epoch_ - 1]
    said = one.predict(X.iloc[held_out])
    own = np.square(said) if shown.transform == "sqrt" else said
    assert told.score == pytest.approx(METRICS[shown.score](y[held_out], own), rel=1e-3)
    assert told.best == told.score
    assert len(one.history_[f"val_{shown.score}"]) == 2


# Sameness


def test_the_same_seed_gives_the_same_weights_after_other_fits() -> None:
    X, y = table()
    first = KerasRegressor(**SMALL, seed=1).fit(X, y)
    other = KerasRegressor(**SMALL, seed=2).fit(X, y)
    again = KerasRegressor(**SMALL, seed=1).fit(X, y)
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))
    assert first.history_ == again.history_


def test_another_process_learns_the_same_weights_and_predicts_the_same(tmp_path: Path) -> None:
    X, y = table()
    fitted = KerasRegressor(**SMALL).fit(X, y)
    (tmp_path / "here.pickle").write_bytes(pickle.dumps((fitted, X, y)))
    code = """
import pickle, sys
from pathlib import Path
import numpy as np
from sklearn.base import clone
folder = Path(sys.argv[1])
fitted, X, y = pickle.loads((folder / "here.pickle").read_bytes())
again = clone(fitted).fit(X, y)
np.savez(folder / "there.npz", fitted.predict(X), *again.model_.get_weights())
"""
    in_a_fresh_process(code, str(tmp_path))
    with np.load(tmp_path / "there.npz") as there:
        prediction, *learned = (there[name] for name in there.files)
    assert np.array_equal(prediction, fitted.predict(X))
    assert same(learned, weights(fitted))


def test_a_pickled_estimator_is_still_compiled_and_can_be_pickled_again() -> None:
    X, y = table()
    fitted = KerasRegressor(**{**SMALL, "epochs": 2}).fit(X, y)
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(fitted))))
    assert again.model_.compiled
    assert again.history_ == fitted.history_
    assert np.array_equal(again.predict(X), fitted.predict(X))


def test_an_unfitted_estimator_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(KerasRegressor(epochs=7))).epochs == 7


def test_fitting_does_not_touch_the_generators_of_others() -> None:
    X, y = table()
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    before, numpy_before = random.getstate(), pickle.dumps(np.random.get_state())  # noqa: NPY002
    KerasRegressor(**{**SMALL, "epochs": 1}).fit(X, y)
    assert random.getstate() == before
    assert pickle.dumps(np.random.get_state()) == numpy_before  # noqa: NPY002


def test_nothing_is_printed_and_keras_is_loaded_by_fit_alone() -> None:
    code = """
import sys
import numpy as np
from pipeline.models.backend import load_keras
from pipeline.models.networks import dnn, soft_clip
from pipeline.models.neural import KerasRegressor
estimator = KerasRegressor(epochs=1)
assert not {"keras", "tensorflow"} & set(sys.modules)
X = np.arange(80.0).reshape(20, 4)
for _ in range(8):  # from the sixth on, TensorFlow would warn of retracing
    estimator.fit(X, X[:, 0]).predict(X)
"""
    done = in_a_fresh_process(code)
    assert (done.stdout, done.stderr) == ("", "")


# What it refuses


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epochs": 0}, "epochs: expected a whole number of 1 or more, found 0"),
        ({"batch_size": -4}, "batch_size: expected a whole number of 1 or more, found -4"),
        ({"patience": 0}, "patience: expected a whole number of 1 or more, found 0"),
        ({"epochs": 2.5}, "epochs: expected a whole number of 1 or more, found 2.5"),
        ({"learning_rate": "slow"}, "learning_rate: expected a number above 0, found 'slow'"),
        ({"learning_rate": 0}, "learning_rate: expected a number above 0, found 0"),
        (
            {"validation_fraction": 1.0},
            "validation_fraction: expected a number between 0 and 1, found 1.0",
        ),
        (
            {"network_parameters": {"activation": "ray"}},
            "pipeline.models.networks:dnn: Could not interpret activation function identifier: ray",
        ),
        (
            {"network": "no_such_module:net"},
            "no_such_module:net: there is no module 'no_such_module'",
        ),
        (
            {"network": "pipeline.models.networks:dmm"},
            "pipeline.models.networks:dmm: module 'pipeline.models.networks' has no function 'dmm'",
        ),
    ],
)
def test_parameters_out_of_range_are_named(parameters: dict[str, object], message: str) -> None:
    X, y = table()
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        KerasRegressor(**parameters).fit(X, y)  # type: ignore[arg-type]


def test_missing_values_are_counted_by_column() -> None:
    X, y = table()
    X.loc[3, ["a", "c"]] = np.nan
    message = (
        "2 of 4 feature columns have missing or infinite values, which a network cannot take; "
        "impute them first"
    )
    with pytest.raises(ModelError, match=f"^{message}$"):
        KerasRegressor(**SMALL).fit(X, y)
    fitted = KerasRegressor(**{**SMALL, "epochs": 1}).fit(X.fillna(0), y)
    with pytest.raises(ModelError, match=f"^{message}$"):
        fitted.predict(X)


def test_a_single_class_is_refused() -> None:
    X, _ = table()
    with pytest.raises(ModelError, match=r"^y: expected at least two classes, found only 'yes'$"):
        KerasClassifier(**SMALL).fit(X, ["yes"] * len(X))


def test_rows_without_a_target_are_refused() -> None:
    X, y = table()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        KerasRegressor(**SMALL).fit(X, y[:-1])


def test_a_holdout_of_all_rows_is_refused() -> None:
    X, y = table()
    message = "expected rows to train on and rows to stop the training, found 0 and 120"
    with pytest.raises(ModelError, match=f"^{message}$"):
        KerasRegressor(**SMALL).fit(X, y, holdout=np.arange(120))


def test_a_training_that_explodes_is_an_error_and_not_a_model() -> None:
    X, y = table()
    message = r"^the loss is not finite after 1 epoch; learning_rate: try less than 1e\+30$"
    with pytest.raises(ModelError, match=message):
        KerasRegressor(**{**SMALL, "epochs": 3}, learning_rate=1e30).fit(X, y)


def test_make_network_deals_parameters_to_the_estimator_and_its_network() -> None:
    dnn = "pipeline.models.networks:dnn"
    made = make_network(dnn, "multiclass", 7, epochs=5, units=[3], dropout=0.0)
    assert isinstance(made, KerasClassifier)
    assert (made.network, made.seed, made.epochs) == (dnn, 7, 5)
    assert made.network_parameters == {"units": [3], "dropout": 0.0}
    assert isinstance(make_network(dnn, "regression", 7), KerasRegressor)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("epoch", "epochs"), ("unit", "units"), ("learning_rat", "learning_rate")],
)
def test_a_misspelt_parameter_gets_a_suggestion(name: str, hint: str) -> None:
    with pytest.raises(ModelError, match=f"unknown parameter '{name}'; did you mean '{hint}'"):
        make_network("pipeline.models.networks:dnn", "binary", 7, **{name: 3})


@pytest.mark.parametrize("name", ["seed", "network", "network_parameters"])
def test_what_the_pipeline_sets_cannot_be_declared(name: str) -> None:
    with pytest.raises(ModelError, match=f"unknown parameter '{name}'"):
        make_network("pipeline.models.networks:dnn", "binary", 7, **{name: 3})
