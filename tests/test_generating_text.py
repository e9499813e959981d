"""Prose as numbers: what a text is about, and what odd texts cannot break."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from pipeline.generating import TextFeatures
from pipeline.generating.text import MOST_COMPONENTS

NOTES = [
    "a red house with a garden",
    "a red house with a roof",
    "the blue car is fast",
    "the blue car is slow",
]


def frame(*cells: str | None, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({**columns, "note": pd.Series(cells, dtype="str")})


def test_prose_becomes_its_length_its_words_and_what_it_is_about() -> None:
    X = frame(*NOTES, size=[1, 2, 3, 4])
    step = TextFeatures(columns=("note",))
    made = step.fit_transform(X)
    assert list(made) == [
        "size", "note characters", "note words", "note text 1", "note text 2", "note text 3",
    ]  # fmt: skip
    assert made["note characters"].tolist() == [25, 23, 20, 20]
    assert made["note words"].tolist() == [6, 6, 5, 5]
    about = made.filter(like="text").to_numpy()
    near, far = np.linalg.norm(about[0] - about[1]), np.linalg.norm(about[0] - about[2])
    assert near < 0.7 * far
    assert step.line() == "prose as numbers: note -> 5"
    assert step.changes() == [{"column": "note", "columns": 5}]


def test_korean_stems_are_found_though_their_endings_differ() -> None:
    X = frame(
        "서울에서 자전거를 빌렸다",
        "서울의 자전거가 비싸다",
        "부산까지 기차로 갔다",
        "부산은 기차가 많다",
    )
    about = TextFeatures(columns=("note",)).fit_transform(X).filter(like="text").to_numpy()
    assert about[0] @ about[1] > about[0] @ about[2]
    assert about[2] @ about[3] > about[2] @ about[0]


def test_the_contract() -> None:
    X = frame(*NOTES * 5, size=range(20))
    before = X.copy(deep=True)
    step = TextFeatures(columns=("note",), seed=3)
    made = step.fit_transform(X)
    pd.testing.assert_frame_equal(X, before)
    pd.testing.assert_frame_equal(step.transform(X), made)
    assert list(step.get_feature_names_out()) == list(made)
    again = clone(step).fit(X)
    pd.testing.assert_frame_equal(again.transform(X), made)
    assert pickle.dumps(again) == pickle.dumps(step)
    new = step.transform(frame("a red car", None, size=[1, 2]).set_index(pd.Index([8, 5])))
    assert list(new) == list(made)
    assert list(new.index) == [8, 5]
    assert new.iloc[1].tolist() == [2] + [0] * (len(made.columns) - 1)


def test_many_texts_make_no_more_than_the_most_components() -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(300)])
    X = frame(*(" ".join(rng.choice(words, 6)) for _ in range(400)))
    assert TextFeatures(columns=("note",)).fit_transform(X).shape == (400, 2 + MOST_COMPONENTS)


def test_a_column_that_an_own_transformer_has_removed_is_no_trouble() -> None:
    X = pd.DataFrame({"size": [1, 2]})
    step = TextFeatures(columns=("note",)).fit(X)
    pd.testing.assert_frame_equal(step.transform(X), X)
    assert step.line() == "no prose is left"


@pytest.mark.parametrize("cells", [[None, None, None], ["", " ", "!"], ["same"] * 3, ["x"]])
def test_texts_without_words_leave_their_sizes(cells: list[str | None]) -> None:
    made = TextFeatures(columns=("note",)).fit(frame(*cells)).transform(frame("new words", None))
    assert made["note words"].tolist() == [2, 0]
    assert np.isfinite(made.to_numpy()).all()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.none() | st.text(max_size=30), min_size=1, max_size=8), st.text(max_size=20))
def test_any_texts_become_finite_numbers(cells: list[str | None], new: str) -> None:
    step = TextFeatures(columns=("note",))
    made = pd.concat([step.fit_transform(frame(*cells)), step.transform(frame(new))])
    assert np.isfinite(made.to_numpy()).all()
