"""Ways for many rows come to what the ways for few rows come to."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from pipeline import preprocessing
from pipeline.competition import ModelChoice
from pipeline.models import compact, make_model, rounds
from pipeline.models.compact import Compact

TEXT = pd.DataFrame({"a": ["x", "y", "x", "z"], "b": ["k", "k", "l", "k"]}, dtype="str")
NUMBERS = pd.DataFrame({"n": [1, 2, 3, 6], "f": [0.5, np.nan, 2.5, 9.0], "g": [1.0, 2.0, 4.0, 8.0]})


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let four rows be many."""
    monkeypatch.setattr(preprocessing, "MANY_ROWS", 2)
    monkeypatch.setattr(preprocessing, "MANY_NUMBERS", 2)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("name", ["OrdinalEncoder", "OneHotEncoder"])
def test_levels_are_encoded_as_scikit_learn_does(name: str) -> None:
    plain = {"OrdinalEncoder": OrdinalEncoder, "OneHotEncoder": OneHotEncoder}[name]
    settings = (
        {"handle_unknown": "use_encoded_value", "unknown_value": -1}
        if name == "OrdinalEncoder"
        else {"handle_unknown": "infrequent_if_exist", "max_categories": 2, "sparse_output": False}
    )
    ours = getattr(preprocessing, name)(**settings).set_output(transform="pandas").fit(TEXT)
    theirs = plain(**settings).set_output(transform="pandas").fit(TEXT.astype(object))
    new = pd.DataFrame({"a": ["y", "new", "x"], "b": ["l", "k", "k"]}, dtype="str")
    for rows in (TEXT, new):
        made, wanted = ours.transform(rows), theirs.transform(rows.astype(object))
        pd.testing.assert_frame_equal(made, wanted, check_dtype=False)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("way", ["median", "mean", "most_frequent", "zero"])
def test_gaps_are_filled_and_marked_column_by_column(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = preprocessing._fill(way, add_indicator=True).set_output(transform="pandas")
    found = made.fit(NUMBERS).transform(NUMBERS)
    monkeypatch.setattr(preprocessing, "MANY_NUMBERS", 100)
    plain = preprocessing._fill(way, add_indicator=True).set_output(transform="pandas")
    pd.testing.assert_frame_equal(found, plain.fit_transform(NUMBERS), check_dtype=False)


@pytest.mark.usefixtures("many")
def test_numbers_are_scaled_column_by_column() -> None:
    ours = preprocessing.StandardScaler().fit(NUMBERS)
    theirs = StandardScaler().fit(NUMBERS)
    np.testing.assert_allclose(ours.mean_, theirs.mean_, rtol=1e-12)
    np.testing.assert_allclose(ours.scale_, theirs.scale_, rtol=1e-12)
    np.testing.assert_allclose(ours.transform(NUMBERS), theirs.transform(NUMBERS), rtol=1e-6)


def test_lightgbm_learns_the_same_from_a_table_and_from_a_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a [x]": rng.normal(size=300), "b": rng.integers(0, 9, 300)})
    X.loc[::7, "a [x]"] = np.nan
    y, answers = X["b"] + rng.normal(size=300), []
    choice = ModelChoice(label="lightgbm", kind="lightgbm", parameters={"n_estimators": 20})
    for limit in (10**6, 10):
        monkeypatch.setattr(rounds, "MANY_ROWS", limit)
        model = make_model(choice, "regression", 1)
        answers.append(model.fit(X, y).predict(X))
    np.testing.assert_array_equal(answers[0], answers[1])


def test_compact_rows_are_the_frame_in_single_precision() -> None:
    frame = pd.DataFrame({"n": [0.5, np.inf], "one": np.array([1, 0], "uint8"), "m": [3.0, 4.0]})
    rows = Compact(frame)
    np.testing.assert_array_equal(rows[np.array([1, 0])], frame.to_numpy("float32")[[1, 0]])
    assert rows.shape == (2, 3)
    assert rows.unusable().tolist() == [True, False, False]
    assert np.concatenate(rows.places)[rows.order].tolist() == [0, 1, 2]


def test_a_network_learns_from_compact_rows_the_same_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compact, "MANY_ROWS", 10)
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"n": rng.normal(size=400), "one": rng.integers(0, 2, 400).astype("uint8")})
    y = 3 * X["n"] - 2 * X["one"]
    parameters = {"epochs": 40, "units": [16], "learning_rate": 0.01}
    choice = ModelChoice(label="dnn", kind="dnn", parameters=parameters)
    answers = []
    for _ in range(2):
        model = make_model(choice, "regression", 1).fit(X, y)
        monkeypatch.setattr(compact, "MANY_ROWS", 10**6)
        answers.append(model.predict(X))
        monkeypatch.setattr(compact, "MANY_ROWS", 10)
    np.testing.assert_array_equal(answers[0], answers[1])
    assert np.corrcoef(answers[0], y)[0, 1] > 0.98
