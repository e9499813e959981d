"""TabM: bins and columns, members and their layers, and the estimators."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import ModelError
from pipeline.models.backend import load_keras
from pipeline.models.columns import NormalColumns
from pipeline.models.estimators import Rows
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
