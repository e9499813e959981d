"""What a fitted step is said to do, against the step itself."""

import numpy as np
import pandas as pd
import pytest

from pipeline.competition import Cleaning, Preprocessing
from pipeline.description import Rows, describe
from pipeline.preprocessing import MAX_LEVELS, make_encoder, make_imputer, make_scaler
from pipeline.progress import Note, counted

TRAIN = pd.DataFrame(
    {
        "age": [1.0, np.nan, 3.0, 8.0],
        "kind": pd.Series(["a", "b", None, "a"], dtype="str"),
        "n": [10.0, 20.0, 30.0, 40.0],
    }
)


def fills(X: pd.DataFrame, *, keeps_missing: bool = False, **own: str) -> tuple[Rows, Note]:
    cleaning = Cleaning(columns=own)  # type: ignore[arg-type]
    step = make_imputer(Preprocessing(), cleaning, keeps_missing=keeps_missing).fit(X)
    return describe("impute", step, X)


def test_filled_columns_are_told_with_their_fill() -> None:
    rows, note = fills(TRAIN)
    assert rows == [
        {"column": "age", "missing": 1, "filled_with": 3.0},
        {"column": "kind", "missing": 1, "filled_with": "missing"},
    ]
    assert note == Note("clean", "2 missing values filled in 2 columns", {"columns": rows})


def test_kept_columns_are_told_apart() -> None:
    rows, note = fills(TRAIN, keeps_missing=True)
    assert rows[0] == {"column": "age", "missing": 1, "filled_with": None}
    assert note.text == ("1 missing value filled in 1 column; 1 in 1 column kept as missing")


def test_a_fill_of_a_column_s_own_is_told() -> None:
    rows, _ = fills(TRAIN, age="zero", kind="most_frequent")
    assert [row["filled_with"] for row in rows] == [0.0, "a"]


@pytest.mark.parametrize("names", [["age", "n"], ["kind"], ["n"]])
def test_frames_without_text_or_without_numbers_are_described(names: list[str]) -> None:
    rows, note = fills(TRAIN[names])
    assert [row["column"] for row in rows] == [name for name in names if name != "n"]
    assert note.text.startswith(f"{counted(len(rows), 'missing value')} filled in ")
    encoder = make_encoder("onehot").fit(
        TRAIN[names].fillna({"kind": "c"} if "kind" in names else 0)
    )
    codes, coded = describe("encode", encoder, TRAIN[names])
    assert [row["column"] for row in codes] == (["kind"] if "kind" in names else [])
    assert coded.text == ("1 text column -> 3, OneHotEncoder" if codes else "no text columns")


@pytest.mark.parametrize(
    ("scaler", "name", "subtracted", "divided_by"),
    [
        ("standard", "StandardScaler", 25.0, np.sqrt(125)),
        ("minmax", "MinMaxScaler", 10.0, 30.0),
        ("robust", "RobustScaler", 25.0, 15.0),
        ("maxabs", "MaxAbsScaler", 0.0, 40.0),
    ],
)
def test_a_scaler_is_told_with_what_it_computes(
    scaler: str, name: str, subtracted: float, divided_by: float
) -> None:
    X = TRAIN[["n", "kind"]]
    step = make_scaler(scaler).fit(X)
    rows, note = describe("scale", step, X)
    assert len(rows) == 1
    assert rows[0]["column"] == "n"
    assert rows[0]["scaler"] == name
    assert rows[0]["subtracted"] == pytest.approx(subtracted)
    assert rows[0]["divided_by"] == pytest.approx(divided_by)
    assert np.allclose(step.transform(X)["n"], (X["n"] - subtracted) / divided_by)
    assert note.text == f"1 column, {name}"


@pytest.mark.parametrize("scaler", ["standard", "minmax", "robust", "maxabs"])
def test_a_column_that_never_changes_is_divided_by_one(scaler: str) -> None:
    X = pd.DataFrame({"zero": [0.0, 0.0, 0.0]})
    rows, _ = describe("scale", make_scaler(scaler).fit(X), X)
    assert rows[0]["divided_by"] == 1.0


def test_no_scaler_is_told_as_none() -> None:
    rows, note = describe("scale", make_scaler("none").fit(TRAIN), TRAIN)
    assert (rows, note.text) == ([], "none; the model does not need it")


def test_codes_are_told_with_their_levels() -> None:
    X = pd.DataFrame({"kind": pd.Series(list("edcbaa"), dtype="str")})
    rows, note = describe("encode", make_encoder("ordinal").fit(X), X)
    assert rows == [
        {
            "column": "kind",
            "encoder": "OrdinalEncoder",
            "levels": 5,
            "columns": 1,
            "for_example": "a, b, c, d, ...",
        }
    ]
    assert note.text == "1 text column -> 1, OrdinalEncoder"


def test_rare_levels_that_share_a_column_are_counted_once() -> None:
    names = [f"{i:03}" for i in range(MAX_LEVELS + 50)]
    X = pd.DataFrame({"kind": pd.Series([*names, *names[:99]], dtype="str")})
    step = make_encoder("onehot").fit(X)
    rows, note = describe("encode", step, X)
    assert rows[0]["levels"] == MAX_LEVELS + 50
    assert rows[0]["columns"] == step.transform(X).shape[1] == MAX_LEVELS
    assert note.text == f"1 text column -> {MAX_LEVELS}, OneHotEncoder"
