"""Fills, scales and codes: what follows the model, and what new rows cannot break."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from pipeline.competition import Cleaning, Preprocessing
from pipeline.preprocessing import MAX_LEVELS, SCALERS, make_preprocessor, name_level


def text(*cells: str | None) -> pd.Series:
    return pd.Series(cells, dtype="str")


def steps(
    *,
    handles_missing: bool = False,
    scale_invariant: bool = False,
    columns: dict[str, Any] | None = None,
    **choices: Any,
) -> Pipeline:
    made = make_preprocessor(
        Preprocessing(**choices),
        Cleaning(columns=columns or {}),
        handles_missing=handles_missing,
        scale_invariant=scale_invariant,
    )
    return Pipeline(made)


TRAIN = pd.DataFrame(
    {"age": [1.0, np.nan, 3.0, 8.0], "kind": text("a", "b", None, "a"), "n": [10, 20, 30, 40]}
)


def cells(frame: pd.DataFrame, name: str) -> list[float]:
    return [round(float(one), 6) for one in frame[name]]


# What follows the two facts of a model


def test_a_model_that_bears_nothing_gets_fills_scales_and_one_hot_columns() -> None:
    made = steps().fit_transform(TRAIN)
    assert sorted(made) == [
        "age", "kind = a", "kind = b", "kind = missing", "missingindicator_age", "n",
    ]  # fmt: skip
    assert cells(made, "kind = missing") == [0, 0, 1, 0]
    assert made.notna().all(axis=None)
    assert np.allclose(made[["age", "n"]].mean(), 0)
    assert np.allclose(made[["age", "n"]].std(ddof=0), 1)


def test_a_model_that_handles_missing_values_keeps_them() -> None:
    made = steps(handles_missing=True, scale_invariant=True).fit_transform(TRAIN)
    assert np.isnan(made["age"].iloc[1])
    assert cells(made, "kind") == [0, 1, 2, 0]
    assert cells(made, "n") == [10, 20, 30, 40]


def test_a_scale_invariant_model_gets_codes_and_no_scaler_but_fills() -> None:
    made = steps(scale_invariant=True).fit_transform(TRAIN)
    assert cells(made, "age") == [1, 3, 3, 8]
    assert cells(made, "missingindicator_age") == [0, 1, 0, 0]
    assert cells(made, "kind") == [0, 1, 2, 0]


def test_a_declared_choice_goes_before_the_model_s() -> None:
    facts = {"handles_missing": True, "scale_invariant": True}
    made = steps(imputer="zero", indicator=False, encoder="onehot", scaler="maxabs", **facts)
    frame = made.fit_transform(TRAIN)
    assert cells(frame, "age") == [0.125, 0, 0.375, 1]
    assert "kind = a" in frame
    assert "missingindicator_age" not in frame


@pytest.mark.parametrize(
    ("imputer", "fill"), [("median", 3), ("mean", 4), ("most_frequent", 1), ("zero", 0)]
)
def test_each_imputer_fills_with_what_training_rows_taught(imputer: Any, fill: float) -> None:
    fitted = steps(imputer=imputer, scaler="none").fit(TRAIN)
    assert cells(fitted.transform(TRAIN), "age")[1] == fill
    new = TRAIN.assign(age=[np.nan, 100, 100, 100])
    assert cells(fitted.transform(new), "age")[0] == fill


@pytest.mark.parametrize(
    ("scaler", "expected"),
    [
        ("standard", [-1.341641, -0.447214, 0.447214, 1.341641]),
        ("minmax", [0, 1 / 3, 2 / 3, 1]),
        ("robust", [-1, -1 / 3, 1 / 3, 1]),
        ("maxabs", [0.25, 0.5, 0.75, 1]),
        ("none", [10, 20, 30, 40]),
    ],
)
def test_each_scaler_scales_as_worked_out_by_hand(scaler: Any, expected: list[float]) -> None:
    made = steps(scaler=scaler).fit_transform(TRAIN)
    assert cells(made, "n") == [round(one, 6) for one in expected]
    assert set(SCALERS) == {"standard", "minmax", "robust", "maxabs", "none"}


def test_columns_of_cleaning_get_a_fill_of_their_own() -> None:
    own = {"age": "zero", "kind": "most_frequent"}
    made = steps(columns=own, scaler="none").fit_transform(TRAIN)
    assert cells(made, "age") == [1, 0, 3, 8]
    assert cells(made, "kind = a") == [1, 0, 1, 1]
    assert "missingindicator_age" not in made


# What validation and test rows bring along


def test_an_unseen_level_is_all_zeros_or_minus_one() -> None:
    new = TRAIN.assign(kind=text("new", "a", "b", None))
    onehot = steps().fit(TRAIN).transform(new).filter(like="kind = ")
    assert onehot.sum(axis="columns").tolist() == [0, 1, 1, 1]
    ordinal = steps(encoder="ordinal").fit(TRAIN).transform(new)
    assert cells(ordinal, "kind") == [-1, 0, 1, 2]


def test_missing_values_that_only_new_rows_have_are_filled_without_new_columns() -> None:
    complete = TRAIN.iloc[[0, 3]]
    fitted = steps(scaler="none").fit(complete)
    made = fitted.transform(TRAIN)
    assert cells(made, "age") == [1, 4.5, 3, 8]
    assert sorted(made) == ["age", "kind = a", "n"]
    assert made.notna().all(axis=None)


@pytest.mark.parametrize("facts", [{}, {"handles_missing": True, "scale_invariant": True}])
@pytest.mark.parametrize("columns", [{}, {"age": "median", "kind": "most_frequent"}])
def test_columns_that_are_missing_throughout_a_fold_do_not_stop_it(
    facts: dict[str, bool], columns: dict[str, Any]
) -> None:
    empty = TRAIN.assign(age=np.nan, kind=text(None, None, None, None))
    fitted = steps(columns=columns, **facts).fit(empty)
    made = fitted.transform(TRAIN)
    assert len(made) == 4
    assert list(made) == list(fitted.transform(empty))
    assert all(np.issubdtype(dtype, np.number) for dtype in made.dtypes)


def test_new_rows_change_nothing_that_was_learned() -> None:
    fitted = steps().fit(TRAIN.iloc[:3])
    before = fitted.transform(TRAIN.iloc[:3])
    fitted.transform(TRAIN.assign(age=1e9, kind="z", n=-(10**9)))
    pd.testing.assert_frame_equal(fitted.transform(TRAIN.iloc[:3]), before)
    alone = fitted.transform(TRAIN.iloc[[0]])
    pd.testing.assert_frame_equal(alone, before.iloc[[0]])


def test_rows_keep_their_order_and_their_index() -> None:
    shuffled = TRAIN.iloc[[3, 0, 2]]
    made = steps(scaler="none").fit(TRAIN).transform(shuffled)
    assert made.index.tolist() == [3, 0, 2]
    assert cells(made, "n") == [40, 10, 30]


def test_the_levels_beyond_the_limit_share_one_column() -> None:
    names = [f"level {i:03}" for i in range(MAX_LEVELS + 50)]
    frame = pd.DataFrame({"kind": text(*names, *names[:99])})
    made = steps().fit_transform(frame)
    assert made.shape[1] == MAX_LEVELS
    assert made.sum(axis="columns").eq(1).all()


# Types and names as they come


@pytest.mark.parametrize("scale_invariant", [False, True])
def test_boolean_columns_are_numbers(scale_invariant: bool) -> None:
    frame = pd.DataFrame({"flag": [True, False, True], "x": [1.0, np.nan, 2.0]})
    made = steps(scaler="none", scale_invariant=scale_invariant).fit_transform(frame)
    assert cells(made, "flag") == [1, 0, 1]
    alone = steps(scaler="none").fit_transform(frame[["flag"]])
    assert cells(alone, "flag") == [1, 0, 1]


def test_frames_of_numbers_only_and_of_text_only_are_fine() -> None:
    assert list(steps().fit_transform(TRAIN[["n"]])) == ["n"]
    assert steps().fit_transform(TRAIN[["kind"]]).shape == (4, 3)


WILD = ["기온 (°C)", "a[0]", "<script>", 'say "hi"', "it's", "{x}", "a,b", "x = y", "%s", ""]


def test_wild_column_names_and_levels_pass_through() -> None:
    frame = pd.DataFrame({name: TRAIN["n"] + i for i, name in enumerate(WILD)})
    frame = frame.assign(**{f"{name} kind": TRAIN["kind"] for name in WILD})
    made = steps().fit(frame).transform(frame)
    assert set(WILD) <= set(made)
    assert "<script> kind = a" in made
    assert made.shape[1] == len(WILD) * (1 + 3)


def test_levels_whose_plain_names_collide_get_columns_of_their_own() -> None:
    frame = pd.DataFrame({"a": text("b = c", "d"), "a = b": text("c", "e")})
    made = steps().fit_transform(frame)
    assert made.shape[1] == 4
    assert made.columns.is_unique


parts = st.text(st.sampled_from("ab='\"\\ "), max_size=6)


@settings(max_examples=300, deadline=None)
@given(parts, parts, parts, parts)
def test_no_two_levels_share_a_name(column: str, level: str, other: str, its_level: str) -> None:
    if (column, level) != (other, its_level):
        assert name_level(column, level) != name_level(other, its_level)


def test_a_level_called_missing_is_the_level_of_missing_cells() -> None:
    frame = pd.DataFrame({"kind": text("missing", None, "a")})
    assert list(steps().fit_transform(frame)) == ["kind = a", "kind = missing"]


# An estimator like any other


@pytest.mark.parametrize("encoder", ["onehot", "ordinal"])
def test_fitted_steps_are_pickled_and_give_the_same_frame(encoder: Any) -> None:
    fitted = steps(encoder=encoder).fit(TRAIN)
    again = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(again.transform(TRAIN), fitted.transform(TRAIN))


def test_a_clone_knows_nothing_of_the_rows() -> None:
    fitted = steps(scaler="none").fit(TRAIN)
    fresh = clone(fitted).fit(TRAIN.assign(age=[np.nan, 50, 50, 50]))
    assert cells(fresh.transform(TRAIN), "age")[1] == 50
    assert cells(fitted.transform(TRAIN), "age")[1] == 3


def test_inputs_are_left_as_they_were() -> None:
    before = TRAIN.copy(deep=True)
    steps().fit_transform(TRAIN)
    pd.testing.assert_frame_equal(TRAIN, before)


# Linear models and networks, forests, boosted trees.
FACTS = [
    {"handles_missing": handles_missing, "scale_invariant": scale_invariant}
    for handles_missing, scale_invariant in ((False, False), (False, True), (True, True))
]


@settings(max_examples=25, deadline=None)
@given(
    ages=st.lists(st.none() | st.floats(-1e6, 1e6), min_size=4, max_size=12),
    kinds=st.lists(st.none() | st.text(max_size=3), min_size=12, max_size=12),
    cut=st.integers(1, 3),
    facts=st.sampled_from(FACTS),
)
def test_any_training_rows_prepare_any_new_rows(
    ages: list[float | None], kinds: list[str | None], cut: int, facts: dict[str, bool]
) -> None:
    frame = pd.DataFrame({"age": pd.Series(ages, dtype=float), "kind": text(*kinds[: len(ages)])})
    fitted = steps(**facts).fit(frame.iloc[:cut])
    made = fitted.transform(frame)
    assert len(made) == len(frame)
    assert list(made) == list(fitted.transform(frame.iloc[:cut]))
    if not facts["handles_missing"]:
        assert np.isfinite(made.to_numpy(dtype=float)).all()
