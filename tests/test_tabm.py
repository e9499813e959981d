"""TabM: bins and columns, members and their layers, and the estimators."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from pipeline.errors import ModelError
from pipeline.models.backend import load_keras
from pipeline.models.columns import NormalColumns
from pipeline.models.estimators import Rows
from pipeline.models.learning import Recipe, learning_of, row_losses
from pipeline.models.tabm import TabMClassifier, TabMRegressor, batch_size_for

pytestmark = pytest.mark.slow

SMALL: dict[str, Any] = {"members": 4, "units": 16, "n_bins": 6, "embedding_size": 5}


def rows(n: int = 120, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Three numbers, two towns and a flag; a target far from 0 that some of them decide."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["a", "b", "c"])
    X["town"] = pd.Series(np.where(rng.random(n) < 0.5, "left", "right"), dtype="str")
    X.loc[::7, "c"] = np.nan  # beside it a column that says so
    return X, (1000 + 100 * X["a"].abs() + 80 * (X["town"] == "left")).to_numpy()


def network(**parameters: Any) -> Any:
    """Return an untrained network of two outputs; its first block has 3 * 5 + 1 + 2 inputs."""
    X, y = rows()
    estimator = TabMClassifier(**SMALL | parameters)
    task = estimator._task(Rows(X, y > 1080))
    return estimator._build(task, seed=1)


def weight(model: Any, layer: str, name: str) -> np.ndarray:
    """Return the weight of that name of the first layer of a class."""
    found = next(one for one in model.layers if type(one).__name__ == layer)
    return next(np.asarray(v) for v in found.weights if v.name == name)


def blocks(model: Any) -> list[Any]:
    return [one for one in model.layers if type(one).__name__ == "MemberDense"]


# Bins


def test_bins_end_at_quantiles_and_equal_quantiles_are_one_edge() -> None:
    from pipeline.models.embeddings import bin_edges

    x = np.column_stack([np.arange(9.0), [0, 0, 0, 0, 0, 0, 1, 2, 4]])
    assert bin_edges(x, 4).tolist() == [[0, 2, 4, 6, 8], [0, 1, 4, 4, 4]]


def test_a_table_of_few_rows_has_fewer_bins_than_rows() -> None:
    from pipeline.models.embeddings import bin_edges

    assert bin_edges(np.array([[0.0], [1.0], [5.0]]), 4).tolist() == [[0, 1, 5, 5, 5]]


def test_a_value_at_an_edge_fills_the_bins_below_it_and_none_above() -> None:
    from pipeline.models.embeddings import encode

    edges = np.array([[0, 1, 3, 6]], "float32")
    for value, filled in {0: [0, 0, 0], 1: [1, 0, 0], 2: [1, 0.5, 0], 6: [1, 1, 1]}.items():
        assert np.asarray(encode(np.array([[value]], "float32"), edges))[0, 0].tolist() == filled


def test_only_the_first_and_the_last_bin_go_on_beyond_their_edges() -> None:
    from pipeline.models.embeddings import encode

    edges = np.array([[0, 1, 3, 6], [0, 2, 2, 2]], "float32")
    below, above = np.asarray(encode(np.array([[-2, -2], [9, 5]], "float32"), edges))
    assert below.tolist() == [[-2, 0, 0], [-1, 0, 0]]
    assert above.tolist() == [[1, 1, 2], [2.5, 0, 0]]


def test_the_encoding_agrees_with_that_of_the_reference_implementation() -> None:
    """The numbers are those of rtdl_num_embeddings 0.0.11 for these edges and values."""
    from pipeline.models.embeddings import encode

    edges = np.array([[-1.5, -0.25, 0.5, 2.0], [-1.0, 0.0, 3.0, 3.0]], "float32")
    values = np.array([[-2.0, -1.5], [-0.4, 0.75], [0.3, 3.0], [1.4, 4.5]], "float32")
    expected = [  # the reference leaves the gap between the bins of a column of few, we after them
        [[-0.4, 0, 0], [-0.5, 0, 0]],
        [[0.88, 0, 0], [1, 0.25, 0]],
        [[1, 0.733333, 0], [1, 1, 0]],
        [[1, 1, 0.6], [1, 1.5, 0]],
    ]
    assert np.allclose(np.asarray(encode(values, edges)), expected, atol=1e-6)


# Columns


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "size": [3.0, 1.0, np.nan, 4.0, 2.0, 5.0],
            "one": [7.0] * 6,
            "town": ["a", "b", "a", None, "b", "a"],
            "never": [np.nan] * 6,
            "same": ["x"] * 6,
        }
    ).astype({"town": "str", "same": "str"})


def test_numbers_come_first_then_what_is_missing_then_levels() -> None:
    columns = NormalColumns().fit(frame())
    made = columns.transform(frame())
    assert (columns.n_numeric_, columns.widths_) == (3, [1, 3])
    assert made.dtype == np.float32
    assert not made[:, 1:3].any()  # one and never are constant
    assert made[:, 3].tolist() == [0, 0, 1, 0, 0, 0]  # size is missing
    assert made[:, 4:].tolist() == [  # town: a, b, missing
        [1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0],
    ]  # fmt: skip


def test_numbers_are_normal_by_their_ranks_and_a_missing_one_is_the_mean() -> None:
    x = pd.DataFrame({"a": np.exp(np.random.default_rng(0).normal(size=3001))})
    x.loc[3000, "a"] = np.nan
    made = NormalColumns().fit(x).transform(x)[:, 0]
    assert abs(made[:3000].mean()) < 0.01
    assert abs(made[:3000].std() - 1) < 0.02
    assert made[3000] == pytest.approx(made[:3000].mean(), abs=1e-6)
    order = np.argsort(x["a"][:3000].to_numpy())
    assert (np.diff(made[:3000][order]) >= 0).all()


def test_the_noise_that_fits_quantiles_follows_the_scale_of_a_column() -> None:
    x = np.random.default_rng(0).normal(size=(200, 1))
    small, large = (NormalColumns().fit(x * by).transform(x * by) for by in (1e-6, 1e6))
    assert np.allclose(small, large, atol=1e-3)


def test_levels_that_no_fitting_row_has_are_zeros() -> None:
    columns = NormalColumns().fit(frame())
    new = frame().assign(town="z").astype({"town": "str"})
    assert not columns.transform(new)[:, 4:].any()


def test_beyond_a_hundred_levels_the_rarer_ones_share_a_column() -> None:
    x = pd.DataFrame({"id": [f"level {i}" for i in range(300)]}).astype("str")
    columns = NormalColumns().fit(x)
    assert columns.widths_ == [100]
    assert columns.transform(x).sum(axis=1).tolist() == [1.0] * 300


def test_columns_that_cannot_be_used_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match="column 'size' has infinite values"):
        NormalColumns().fit(frame().assign(size=[1.0, np.inf, 2, 3, 4, 5]))
    with pytest.raises(ModelError, match="every feature is constant"):
        NormalColumns().fit(frame()[["one", "never", "same"]])
    with pytest.raises(ModelError, match=r"expected the columns \['size', 'one'"):
        NormalColumns().fit(frame()).transform(frame()[["size"]])


# Members


def test_members_differ_at_first_only_by_the_scales_of_features_and_by_their_heads() -> None:
    model = network()
    scales = weight(model, "MemberDense", "scale_in")
    assert scales.shape == (4, 3 * 5 + 2 + 1)
    assert len(np.unique(scales[:, 0])) == 4
    bias = weight(model, "MemberDense", "bias")
    assert (bias == bias[0]).all()
    assert len(np.unique(bias[0])) == 16
    assert (weight(model, "MemberDense", "scale_out") == 1).all()
    assert (np.asarray(blocks(model)[1].weights[1]) == 1).all()  # scale_in
    heads = weight(model, "MemberHeads", "kernel")
    assert heads.shape == (4, 16, 2)
    assert not (heads == heads[0]).all()


def test_a_feature_s_columns_share_a_member_s_scale() -> None:
    scales = weight(network(), "MemberDense", "scale_in")
    for start, stop in ((0, 5), (5, 10), (10, 15), (15, 16), (16, 18)):
        assert (scales[:, start:stop] == scales[:, start : start + 1]).all()
    assert len(np.unique(scales[0])) == 5


def test_without_embeddings_scales_are_signs_and_there_is_one_block_more() -> None:
    model = network(embedding_size=0)
    scales = weight(model, "MemberDense", "scale_in")
    assert set(np.unique(scales)) == {-1.0, 1.0}
    assert (len(blocks(model)), len(blocks(network()))) == (3, 2)


def test_mini_members_share_all_but_their_scales_and_heads() -> None:
    model = network(mini=True)
    assert weight(model, "MemberScales", "scale").shape == (4, 18)
    assert weight(model, "Dense", "kernel").shape == (18, 16)
    assert model.output_shape == (None, 4, 2)


def test_the_first_weights_are_within_one_over_the_root_of_the_inputs() -> None:
    model = network()
    for layer, name, width in (
        ("MemberDense", "kernel", 18), ("MemberDense", "bias", 18), ("MemberHeads", "kernel", 16),
        ("MemberHeads", "bias", 16), ("PiecewiseLinearEmbedding", "slope", 5),
        ("PiecewiseLinearEmbedding", "offset", 5),
    ):  # fmt: skip
        values = np.abs(weight(model, layer, name))
        assert 0.5 / width**0.5 < values.max() <= 1 / width**0.5
    assert not weight(model, "PiecewiseLinearEmbedding", "kernel").any()


@pytest.mark.parametrize("mini", [False, True])
def test_a_network_is_the_same_after_saving_and_loading(tmp_path, mini: bool) -> None:
    model = network(mini=mini)
    model.save(tmp_path / "model.keras")
    loaded = load_keras().models.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(7, 6)).astype("float32")
    assert np.array_equal(model(x), loaded(x))


def test_a_column_that_is_constant_says_nothing() -> None:
    from pipeline.models.embeddings import PiecewiseLinearEmbedding, bin_edges

    x = np.column_stack([np.arange(9.0), np.zeros(9)]).astype("float32")
    layer = PiecewiseLinearEmbedding(2, size=3, n_bins=4)
    layer.build((None, 2))
    layer.edges.assign(bin_edges(x, 4))
    vectors = np.asarray(layer(x)).reshape(9, 2, 3)
    assert vectors[:, 0].any()
    assert not vectors[:, 1].any()


# Learning


def test_neither_biases_nor_the_lines_of_embeddings_are_decayed() -> None:
    spared = {
        (type(layer).__name__, v.name)
        for layer in network().layers
        for v in layer.trainable_variables
        if learning_of(layer, v).decay == 0
    }
    assert spared == {
        ("PiecewiseLinearEmbedding", "slope"),
        ("PiecewiseLinearEmbedding", "offset"),
        ("MemberDense", "bias"),
        ("MemberHeads", "bias"),
    }


def test_what_is_minimised_is_the_mean_of_the_members_losses_not_the_loss_of_their_mean() -> None:
    recipe = Recipe(loss="squared_error", epochs=1, batch_size=1, learning_rate=1)
    y = np.zeros((1, 1, 1), "float32")
    members = np.array([[[[-1.0], [3.0]]]], "float32")  # their mean is 1, and so is its loss
    loss, _ = row_losses(recipe, y, members)
    assert np.asarray(loss).tolist() == [[5.0]]


@pytest.mark.parametrize(
    ("n_train", "size"),
    [(100, 32), (2799, 32), (2800, 64), (6399, 128), (6400, 256), (32_000, 512), (108_000, 1024)],
)
def test_the_batch_grows_with_the_rows(n_train: int, size: int) -> None:
    assert batch_size_for(n_train) == size


@pytest.mark.parametrize("mini", [False, True])
def test_a_regressor_learns_what_no_line_can_say(mini: bool) -> None:
    X, y = rows(300)
    new, truth = rows(200, seed=1)
    fitted = TabMRegressor(**SMALL | {"epochs": 80, "learning_rate": 0.01}, mini=mini).fit(X, y)
    error = np.sqrt(np.mean((fitted.predict(new) - truth) ** 2))
    assert error < 0.35 * truth.std()
    assert fitted.model_.input_shape == (None, 3 + 1 + 2)


@pytest.mark.parametrize("labels", [["no", "yes"], ["a", "b", "c"]])
def test_a_classifier_gives_the_mean_of_its_members_probabilities(labels: list[str]) -> None:
    X, y = rows()
    names = np.array(labels)[np.digitize(y, np.quantile(y, [0.33, 0.66][: len(labels) - 1]))]
    fitted = TabMClassifier(**SMALL | {"epochs": 5}).fit(X, names)
    probability = fitted.predict_proba(X)
    logits = load_keras().Model(fitted.model_.input, fitted.model_.layers[-3].output)
    each = np.exp(np.asarray(logits(fitted.columns_.transform(X))))  # (n, members, classes)
    assert each.shape == (120, 4, len(labels))
    expected = (each / each.sum(axis=-1, keepdims=True)).mean(axis=1)
    assert np.allclose(probability, expected, atol=1e-5)
    assert list(fitted.classes_) == labels


def test_folds_fitted_together_learn_what_each_learns_alone() -> None:
    X, y = rows(150)
    X["town"] = X["town"].mask(X.index == 0, "far")  # a level that only the first fold has
    quick = TabMRegressor(**SMALL | {"epochs": 4, "batch_size": 32})
    folds = [np.arange(110), np.arange(40, 150)]
    together = [clone(quick) for _ in folds]
    parts = [Rows(X.iloc[fold], y[fold], np.arange(20)) for fold in folds]
    quick.fit_together(together, parts)
    for one, part in zip(together, parts, strict=True):
        alone = clone(quick).fit(part.X, part.y, holdout=part.holdout)
        assert one.best_epochs_ == alone.best_epochs_
        assert np.allclose(one.predict(X), alone.predict(X), rtol=1e-5)


def test_folds_that_differ_in_what_is_constant_are_fitted_together() -> None:
    X, y = rows(150)
    X["b"] = np.where(X.index < 120, 0.0, X["b"])  # constant in the first fold
    quick = TabMRegressor(**SMALL | {"epochs": 2, "batch_size": 32})
    folds = [np.arange(110), np.arange(40, 150)]
    together = [clone(quick) for _ in folds]
    quick.fit_together(together, [Rows(X.iloc[f], y[f], np.arange(20)) for f in folds])
    for one, fold in zip(together, folds, strict=True):
        alone = clone(quick).fit(X.iloc[fold], y[fold], holdout=np.arange(20))
        assert np.allclose(one.predict(X), alone.predict(X), rtol=1e-5)


def test_a_saved_estimator_is_loaded_by_a_process_that_knows_no_layers(tmp_path: Path) -> None:
    X, y = rows()
    fitted = TabMRegressor(**SMALL | {"epochs": 2}).fit(X, y)
    joblib.dump((fitted, X, fitted.predict(X)), tmp_path / "all.joblib")
    code = "import joblib, sys, numpy; m, X, p = joblib.load(sys.argv[1]); q = m.predict(X)"
    command = [sys.executable, "-c", f"{code}; print(numpy.array_equal(p, q))"]
    done = subprocess.run(
        [*command, str(tmp_path / "all.joblib")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True"]


def test_the_same_seed_learns_the_same_and_another_does_not() -> None:
    X, y = rows()
    quick = TabMRegressor(**SMALL | {"epochs": 2})
    one, same, other = (clone(quick).set_params(seed=s).fit(X, y).predict(X) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"members": 0}, "members: expected a whole number of 1 or more, found 0"),
        ({"blocks": 0}, "blocks: expected a whole number of 1 or more, found 0"),
        ({"embedding_size": -1}, "embedding_size: expected a whole number of 0 or more, found -1"),
        ({"n_bins": 2.5}, "n_bins: expected a whole number of 1 or more, found 2.5"),
        ({"dropout": 1}, "dropout: expected a number from 0 to below 1, found 1"),
    ],
)
def test_a_parameter_out_of_range_is_refused(parameters: dict[str, Any], message: str) -> None:
    X, y = rows()
    with pytest.raises(ModelError) as caught:
        TabMRegressor(**parameters).fit(X, y)
    assert str(caught.value) == message
