"""Convolutional and recurrent networks: shapes, weights, what they learn and what they refuse."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TOML, Done, write

from pipeline import Workspace
from pipeline.competition import ModelChoice
from pipeline.errors import ModelError, UsageError
from pipeline.metrics import METRICS
from pipeline.models import MODELS, make_model
from pipeline.models.backend import load_keras
from pipeline.models.neural import KerasClassifier, KerasRegressor, make_network
from pipeline.stages.summarizing import summarize

pytestmark = pytest.mark.slow


def built(kind: str, columns: int, n_outputs: int = 1, **parameters: Any) -> Any:
    """Return the Keras model of logits that a network of the table makes of so many columns."""
    keras = load_keras()
    from pipeline.models import networks

    inputs = keras.Input((columns,))
    return keras.Model(inputs, getattr(networks, kind)(inputs, n_outputs, **parameters))


def shapes(model: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Return each layer's type and output, but for dropout, which changes no shape."""
    found = [(type(layer).__name__, tuple(layer.output.shape[1:])) for layer in model.layers]
    return [(name, shape) for name, shape in found if name != "Dropout"]


# How they are built


def test_a_row_of_columns_is_a_sequence_of_one_channel() -> None:
    model = built("conv1d", 10, filters=[4, 6], dense=[5])
    assert shapes(model) == [
        ("InputLayer", (10,)),
        ("Reshape", (10, 1)),
        ("Conv1D", (10, 4)),
        ("MaxPooling1D", (5, 4)),
        ("Conv1D", (5, 6)),
        ("MaxPooling1D", (2, 6)),
        ("Flatten", (12,)),
        ("Dense", (5,)),
        ("Dense", (1,)),
    ]
    convolutions = [layer for layer in model.layers if type(layer).__name__ == "Conv1D"]
    assert [one.count_params() for one in convolutions] == [(3 * 1 + 1) * 4, (3 * 4 + 1) * 6]


def test_an_image_is_read_row_by_row_and_channels_last() -> None:
    model = built("conv2d", 24, shape=[4, 3, 2], filters=[1], pool_size=1, dense=[])
    reshape = next(layer for layer in model.layers if type(layer).__name__ == "Reshape")
    assert reshape.output.shape == (None, 4, 3, 2)
    row = np.arange(24, dtype="float32").reshape(1, 24)
    image = np.asarray(reshape(row))[0]
    assert image[0, 0].tolist() == [0, 1]
    assert image[1, 0].tolist() == [6, 7]


@pytest.mark.parametrize(
    ("parameters", "shape"),
    [
        ({"padding": "same"}, (28, 28, 2)),
        ({"padding": "valid"}, (26, 26, 2)),
        ({"padding": "valid", "kernel_size": 5}, (24, 24, 2)),
        ({"padding": "valid", "kernel_size": [3, 5]}, (26, 24, 2)),
        ({"padding": "same", "strides": 2}, (14, 14, 2)),
        ({"padding": "valid", "strides": [2, 1]}, (13, 26, 2)),
    ],
)
def test_padding_kernel_and_strides_make_the_size_of_a_convolution(
    parameters: dict[str, Any], shape: tuple[int, ...]
) -> None:
    model = built("conv2d", 784, shape=[28, 28], filters=2, pool_size=1, dense=[], **parameters)
    assert dict(shapes(model))["Conv2D"] == shape
    assert dict(shapes(model))["Flatten"] == (np.prod(shape),)


def test_an_axis_shorter_than_the_pool_is_left_as_it_is() -> None:
    model = built("conv2d", 5, filters=[2], pool_size=2)
    assert dict(shapes(model))["MaxPooling2D"] == (2, 1, 2)
    assert "MaxPooling1D" not in dict(shapes(built("conv1d", 2, filters=[2], pool_size=3)))


@pytest.mark.parametrize(
    ("kind", "weights"),
    [
        ("simple_rnn", (3 + 5 + 1) * 5),
        ("lstm", 4 * (3 + 5 + 1) * 5),  # three gates and the cell
        ("gru", 3 * (3 + 5 + 2) * 5),  # two gates and the candidate, a second bias each
    ],
)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_layers_hand_on_sequences_to_the_next_and_the_end_to_the_dense_one(
    kind: str, weights: int, bidirectional: bool
) -> None:
    model = built(kind, 12, shape=[4, 3], units=[5, 2], bidirectional=bidirectional, dense=[])
    sides = 2 if bidirectional else 1
    outputs = [shape for _, shape in shapes(model)]
    assert outputs == [(12,), (4, 3), (4, 5 * sides), (2 * sides,), (1,)]
    first, second = model.layers[2], model.layers[4]
    assert first.count_params() == weights * sides
    ways = [getattr(one, "forward_layer", one).return_sequences for one in (first, second)]
    assert ways == [True, False]
    assert (type(first).__name__ == "Bidirectional") is bidirectional


@pytest.mark.parametrize("kind", [name for name, spec in MODELS.items() if spec.network])
def test_batch_normalisation_and_dropout_stand_where_they_are_asked_for(kind: str) -> None:
    plain, normalised = (
        built(kind, 8, dropout=0.25, batch_normalization=asked) for asked in (False, True)
    )
    n_hidden = sum(type(layer).__name__ == "Dropout" for layer in plain.layers)
    assert n_hidden >= 2
    assert {layer.rate for layer in plain.layers if hasattr(layer, "rate")} == {0.25}
    kinds = [type(layer).__name__ for layer in normalised.layers]
    assert kinds.count("BatchNormalization") == n_hidden
    assert "BatchNormalization" not in [type(layer).__name__ for layer in plain.layers]
    rows = np.ones((2, 8), "float32")
    assert np.array_equal(plain(rows).numpy(), np.zeros((2, 1)))  # nothing said before a step


# What is refused


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (
            "conv2d",
            {"shape": [28, 27]},
            "shape: 28 x 27 is 756, but the model is given 784 columns; expected numbers whose "
            "product they are",
        ),
        ("gru", {"shape": [2, 14, 28]}, "shape: expected at most 2 numbers, found 3"),
        ("gru", {"shape": []}, "shape: expected at most 2 numbers, found 0"),
        ("conv2d", {"shape": [28, 0]}, "shape: expected whole numbers of 1 or more, found 0"),
        (
            "conv2d",
            {"shape": [28, 28], "padding": "valid", "kernel_size": [3, 29]},
            "kernel_size: 3 x 29 is larger than the 28 x 28 that convolution 1 is given; expected "
            'a smaller one, fewer filters, or padding = "same"',
        ),
        (
            "conv1d",
            {"shape": [7, 112], "padding": "valid", "kernel_size": 5},
            "kernel_size: 5 is larger than the 1 that convolution 2 is given; expected a smaller "
            'one, fewer filters, or padding = "same"',
        ),
        ("conv1d", {"padding": "full"}, "padding: expected 'same' or 'valid', found 'full'"),
        ("conv1d", {"kernel_size": [3, 3]}, "kernel_size: expected one number, found 2"),
        ("conv2d", {"strides": [1, 1, 1]}, "strides: expected one number or 2, found 3"),
        (
            "conv2d",
            {"filters": [8, 2.5]},
            "filters: expected whole numbers of 1 or more, found 2.5",
        ),
        ("lstm", {"units": []}, "units: expected at least one recurrent layer, found none"),
        ("lstm", {"units": "64"}, "units: expected whole numbers of 1 or more, found '64'"),
        ("dnn", {"units": [True]}, "units: expected whole numbers of 1 or more, found True"),
    ],
)
def test_what_cannot_be_built_is_one_line(
    kind: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        built(kind, 784, **parameters)
    assert str(caught.value) == message


def test_a_value_that_keras_refuses_is_one_line_too() -> None:
    X = np.zeros((20, 4)) + np.arange(20)[:, None]
    network = "pipeline.models.networks:gru"
    model = KerasRegressor(network=network, network_parameters={"dropout": 2.0})
    with pytest.raises(ModelError, match=rf"^{network}: .*2\.0") as caught:
        model.fit(X, X[:, 0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "wrong", "hint"),
    [("gru", "bidirectionel", "bidirectional"), ("conv2d", "kernelsize", "kernel_size")],
)
def test_a_misspelt_parameter_of_a_network_gets_a_suggestion(
    kind: str, wrong: str, hint: str
) -> None:
    with pytest.raises(ModelError, match=f"^unknown parameter '{wrong}'; did you mean '{hint}'"):
        make_network(f"pipeline.models.networks:{kind}", "regression", 7, **{wrong: 1})


# When they stop


@pytest.mark.parametrize(
    ("n_rows", "epochs"), [(64, 600), (1_000, 38), (10_000, 30)], ids=["few", "some", "many"]
)
def test_few_rows_are_seen_more_often_unless_epochs_are_said(n_rows: int, epochs: int) -> None:
    def planned(**parameters: Any) -> tuple[int, int]:
        choice = ModelChoice(label="gru", kind="gru", parameters=parameters)
        model = make_model(choice, "regression", 1)
        model.head_ = model._class_head(2)
        recipe = model._recipe(n_rows)
        return recipe.epochs, recipe.patience

    assert planned() == (epochs, 0)
    assert planned(epochs=7, patience=3) == (7, 3)


def steps(n: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of six steps; the target is what the third step adds to the last."""
    X = np.random.default_rng(5).normal(size=(n, 6))
    return X, 3 * X[:, 2] + 3 * X[:, 5] + 40


QUICK: dict[str, Any] = {"epochs": 6, "patience": 6, "batch_size": 16, "learning_rate": 0.01}


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2"])
def test_the_epoch_that_the_metric_likes_best_is_kept(metric: str) -> None:
    X, y = steps()
    held_out = np.arange(120, 160)
    conv = KerasRegressor(
        network="pipeline.models.networks:conv1d",
        network_parameters={"filters": [4], "dense": []},
        metric=metric,
        **QUICK,
    ).fit(X, y, holdout=held_out)
    told = conv.history_[f"val_{metric}"]
    sign = -1 if METRICS[metric].greater_is_better else 1
    assert conv.best_epoch_ == int(np.argmin(told)) + 1
    score = METRICS[metric](y[held_out], conv.predict(X)[held_out])
    assert sign * score == pytest.approx(min(told), rel=1e-4)
    assert len(told) == len(conv.history_["val_loss"]) == len(conv.history_["loss"])


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_classes_are_watched_as_labels_or_probabilities(metric: str) -> None:
    X, y = steps()
    label = np.array(["low", "mid", "top"])[np.digitize(y, [38, 42])]
    held_out = np.arange(100, 160)
    conv = KerasClassifier(
        network="pipeline.models.networks:conv1d",
        network_parameters={"filters": [4], "dense": []},
        metric=metric,
        **QUICK,
    ).fit(X, label, holdout=held_out)
    said = conv.predict_proba(X)[held_out]
    sign = -1 if METRICS[metric].greater_is_better else 1
    score = METRICS[metric](label[held_out], said, conv.classes_)
    assert sign * score == pytest.approx(min(conv.history_[f"val_{metric}"]), rel=1e-4)


def test_rows_of_no_weight_do_not_stop_a_network_of_sequences() -> None:
    X, y = steps(80)
    weight, held_out = np.ones(80), np.arange(60, 80)
    weight[70:] = 0
    wild = y.copy()
    wild[70:] = 1e4
    network = KerasRegressor(
        network="pipeline.models.networks:simple_rnn", network_parameters={"units": 4}, **QUICK
    )
    losses = [
        network.fit(X, target, holdout=held_out, sample_weight=weight).history_["val_loss"]
        for target in (y, wild)
    ]
    assert losses[0] == losses[1]


def test_a_stacked_bidirectional_network_learns_what_two_steps_add() -> None:
    X, y = steps(400)
    network = KerasRegressor(
        network="pipeline.models.networks:gru",
        network_parameters={"units": [8, 8], "bidirectional": True, "dropout": 0.0},
        epochs=25,
        batch_size=16,
        learning_rate=0.02,
    ).fit(X[:300], y[:300])
    assert METRICS["r2"](y[300:], network.predict(X[300:])) > 0.9


# Its summary


MODELS_TOML = """
[models.deep]
kind = "lstm"
units = [4, 3]
bidirectional = true
batch_normalization = true

[models.wide]
kind = "conv2d"
shape = [28, 28]
"""


def test_a_summary_shows_the_network_of_these_very_columns(
    tiny: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    workspace = tiny(toml=TOML + MODELS_TOML)
    done = kc_here(workspace, "summary", "tiny", "--model", "deep", expect=0)
    assert (
        done.out
        == """\
layer                settings                         output  parameters
InputLayer                                            (3)     0
Reshape                                               (3, 1)  0
Bidirectional(LSTM)  4 units, tanh, return_sequences  (3, 8)  192
BatchNormalization                                    (3, 8)  32
Dropout              rate 0.1                         (3, 8)  0
Bidirectional(LSTM)  3 units, tanh                    (6)     288
BatchNormalization                                    (6)     24
Dropout              rate 0.1                         (6)     0
Dense                32 units                         (32)    224
BatchNormalization                                    (32)    128
Activation           relu                             (32)    0
Dropout              rate 0.1                         (32)    0
Dense                1 unit                           (1)     33
Activation           linear                           (1)     0
921 parameters; 92 of them are moved, not trained
"""
    )
    network = summarize(Workspace(workspace), "tiny", "deep")
    assert network.parameters == network.model.count_params() == 921
    done = kc_here(workspace, "summary", "tiny", "-m", "deep", "--json", expect=0)
    assert json.loads(done.out)[2]["parameters"] == 192


@pytest.mark.parametrize("label", ["dnn", "conv2d", "simple_rnn", "realmlp", "tabm_mini"])
def test_the_layers_of_a_summary_hold_all_parameters(tiny: Callable[..., Path], label: str) -> None:
    network = summarize(Workspace(tiny()), "tiny", label)
    assert sum(row["parameters"] for row in network.layers) == network.parameters
    assert network.trained <= network.parameters
    assert network.model.output_shape == (None, 1)


def test_a_summary_refuses_what_has_no_layers_or_does_not_fit(
    tiny: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    workspace = tiny(toml=TOML + MODELS_TOML)

    def refused(model: str) -> str:
        done = kc_here(workspace, "summary", "tiny", "--model", model, expect=1)
        return done.err.splitlines()[-1]

    assert refused("ridge") == (
        "error: 'ridge' is no network; expected one like dnn, conv1d, conv2d, simple_rnn, lstm, gru"
    )
    assert refused("gur") == "error: no model 'gur'; did you mean 'gru'?"
    assert refused("wide").endswith(
        "competition.toml: models.wide: shape: 28 x 28 is 784, but the model is given 3 columns; "
        "expected numbers whose product they are"
    )
    with pytest.raises(UsageError, match="is no network"):
        summarize(Workspace(workspace), "tiny")


def test_a_sequential_network_of_one_s_own_is_summarised_and_trained(
    tiny: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    code = """\
import keras
from pipeline.models.neural import make_network


def net(inputs, n_outputs, *, units=32):
    layers = [keras.layers.Dense(units, "relu"), keras.layers.Dense(n_outputs)]
    return keras.Sequential(layers)(inputs)


def make_mine(task, seed, **parameters):
    return make_network(f"{__name__}:net", task, seed, **parameters)
"""
    own = '[models.mine]\nkind = "models.py:make_mine"\nunits = 4\nepochs = 3\n'
    workspace = tiny(toml=TOML + own)
    write(workspace / "competitions" / "tiny" / "models.py", code)
    shown = kc_here(workspace, "summary", "tiny", "-m", "mine", expect=0).out
    assert "21 parameters" in shown  # 3 x 4 + 4, and 4 + 1
    done = kc_here(workspace, "train", "tiny", "-m", "mine", "--folds", "2", expect=0)
    assert "rmse" in done.out


def test_a_network_of_sequences_trains_to_a_submission(
    tiny: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    own = '[models.short]\nkind = "simple_rnn"\nunits = 2\ndense = []\n'
    workspace = tiny(toml=TOML.replace('"rmse"', '"mae"') + own)
    options = ("--model", "short", "--epochs", "2", "--folds", "2")
    done = kc_here(workspace, "train", "tiny", *options, expect=0)
    assert re.match(r"mae \d", done.out)
    assert "layer 'simple_rnn" in done.err
