"""Which training rows are left out, and why."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.cleaning import DroppedRows, check_columns, clean_rows, mark_outliers
from pipeline.competition import Cleaning
from pipeline.data import TrainData
from pipeline.errors import DataError


def train(**changes: Any) -> TrainData:
    X = pd.DataFrame(
        {
            "age": [1.0, np.nan, 3.0, 1.0, 5.0],
            "kind": pd.Series(["a", "b", None, "a", "c"], dtype="str"),
        }
    )
    facts: dict[str, Any] = {
        "X": X,
        "y": pd.Series([1, 2, 3, 1, 5], name="y"),
        "ids": pd.Series(list("vwxyz")),
        "groups": pd.Series(list("ggggh")),
        "order": pd.Series(range(5)),
    }
    return TrainData(**facts | changes)


def kept(cleaning: Cleaning, data: TrainData | None = None) -> tuple[str, DroppedRows]:
    rows, dropped = clean_rows(data or train(), cleaning)
    assert len(rows.X) == len(rows.y) == len(rows)
    return "".join(rows.ids), dropped


def test_by_default_every_row_is_kept() -> None:
    data = train()
    rows, dropped = clean_rows(data, Cleaning())
    assert rows is data
    assert dropped == DroppedRows(missing=0, duplicates=0)


def test_rows_with_missing_values_are_dropped_if_declared() -> None:
    assert kept(Cleaning(missing="drop")) == ("vyz", DroppedRows(missing=2, duplicates=0))


def test_a_column_with_a_fill_of_its_own_keeps_its_rows() -> None:
    cleaning = Cleaning(missing="drop", columns={"age": "median"})
    assert kept(cleaning) == ("vwyz", DroppedRows(missing=1, duplicates=0))


def test_one_column_alone_may_drop_rows() -> None:
    cleaning = Cleaning(columns={"kind": "drop"})
    assert kept(cleaning) == ("vwyz", DroppedRows(missing=1, duplicates=0))


def test_a_repeated_row_is_dropped_and_the_first_is_kept() -> None:
    assert kept(Cleaning(duplicates="drop")) == ("vwxz", DroppedRows(missing=0, duplicates=1))


def test_equal_features_with_another_target_are_no_repetition() -> None:
    data = train(y=pd.Series([1, 2, 3, 9, 5], name="y"))
    assert kept(Cleaning(duplicates="drop"), data)[0] == "vwxyz"


def test_several_targets_all_count_for_a_repetition() -> None:
    y = pd.DataFrame({"a": [1, 2, 3, 1, 5], "b": [1, 2, 3, 9, 5]})
    assert kept(Cleaning(duplicates="drop"), train(y=y))[0] == "vwxyz"
    assert kept(Cleaning(duplicates="drop"), train(y=y.assign(b=1)))[0] == "vwxz"


def test_a_row_that_is_missing_and_repeated_counts_as_missing() -> None:
    X = pd.DataFrame({"age": [np.nan, np.nan, 3.0, 4.0, 5.0]})
    data = train(X=X, y=pd.Series([1, 1, 3, 4, 5], name="y"))
    cleaning = Cleaning(missing="drop", duplicates="drop")
    assert kept(cleaning, data) == ("xyz", DroppedRows(missing=2, duplicates=0))


def test_rows_keep_their_answer_group_and_order() -> None:
    rows, _ = clean_rows(train(), Cleaning(missing="drop"))
    assert rows.y.tolist() == [1, 1, 5]
    assert rows.groups is not None
    assert rows.groups.tolist() == ["g", "g", "h"]
    assert rows.order is not None
    assert rows.order.tolist() == [0, 3, 4]


def test_dropping_every_row_is_refused() -> None:
    data = train(X=pd.DataFrame({"age": [np.nan] * 5}))
    with pytest.raises(DataError) as caught:
        clean_rows(data, Cleaning(missing="drop"))
    assert str(caught.value) == (
        '[cleaning] drops all 5 training rows; set missing = "impute", or drop the columns that '
        "are mostly missing"
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"agee": "median"}, "cleaning.columns.agee: no such feature column; did you mean 'age'?"),
        (
            {"kind": "median"},
            'cleaning.columns.kind: "median" needs a numeric column; it is text',
        ),
        ({"kind": "zero"}, 'cleaning.columns.kind: "zero" needs a numeric column; it is text'),
        (
            {"age": "missing"},
            'cleaning.columns.age: "missing" names a level, and the column is numeric; '
            "declare it in [columns] categorical",
        ),
    ],
)
def test_a_fill_that_does_not_suit_its_column_is_refused(columns: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        check_columns(train().X, Cleaning(columns=columns))
    assert str(caught.value) == message


def as_read() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "GrLivArea": [5000, 4500, 900, 1200, 4100],
            "1stFlrSF": [2500.0, np.nan, 900.0, 600.0, 4100.0],
            "Street": pd.Series(["Pave", "Grvl", "Pave", None, "Pave"], dtype="str"),
            "SalePrice": [160_000, 700_000, 90_000, 120_000, 250_000],
        }
    )


@pytest.mark.parametrize(
    ("condition", "marked"),
    [
        ("GrLivArea > 4000 and SalePrice < 300000", [True, False, False, False, True]),
        ("not GrLivArea > 4000", [False, False, True, True, False]),
        ("`1stFlrSF` > 2000", [True, False, False, False, True]),
        ("Street == 'Grvl' or SalePrice < 100000", [False, True, True, False, False]),
        ("Street in ['Grvl', 'Dirt']", [False, True, False, False, False]),
        ("GrLivArea > 9000", [False] * 5),
    ],
)
def test_outliers_are_the_rows_that_fulfil_the_condition(
    condition: str, marked: list[bool]
) -> None:
    assert mark_outliers(as_read(), condition).tolist() == marked


def test_outliers_are_left_out_and_counted_beside_what_else_is_dropped() -> None:
    data = train(outlying=pd.Series([True, True, False, False, False]))
    assert kept(Cleaning(), data) == ("xyz", DroppedRows(0, 0, outliers=2))
    only_missing = DroppedRows(missing=2, duplicates=0, outliers=1)
    assert kept(Cleaning(missing="drop"), data) == ("yz", only_missing)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            "GrLivAre > 4000",
            "the training file has no column 'GrLivAre'; did you mean 'GrLivArea'?",
        ),
        ("GrLivArea >", "pandas cannot follow it: invalid syntax (<unknown>, line 1)"),
        ("@frame > 1", "pandas cannot follow it: local variable 'frame' is not defined"),
        (
            "GrLivArea",
            "expected a condition that is true or false of each row, like "
            '"area > 4000 and price < 300000"',
        ),
        (
            "GrLivArea = 3",
            "expected a condition that is true or false of each row, like "
            '"area > 4000 and price < 300000"',
        ),
    ],
)
def test_a_condition_that_cannot_be_followed_is_refused(condition: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        mark_outliers(as_read(), condition)
    assert str(caught.value) == f"cleaning.outliers: {condition!r}: {message}"


@pytest.mark.parametrize(
    "condition",
    [
        "GrLivArea > GrLivArea.mean()",
        "SalePrice >= SalePrice.max()",
        "SalePrice > SalePrice.quantile(0.7)",
        "index < 2",
        "GrLivArea.duplicated() or GrLivArea < GrLivArea.shift(1)",
    ],
)
def test_a_condition_that_looks_at_other_rows_is_refused(condition: str) -> None:
    with pytest.raises(DataError, match="it learns from all rows at once; compare each row with"):
        mark_outliers(as_read(), condition)


def test_a_condition_that_is_true_of_every_row_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        mark_outliers(as_read(), "SalePrice > 0")
    assert str(caught.value) == (
        "cleaning.outliers: 'SalePrice > 0' is true of all 5 training rows; expected a condition "
        "that few fulfil"
    )
