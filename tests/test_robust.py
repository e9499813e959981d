"""Columns for RealMLP: scaled, clipped, filled and coded by what the fitting rows teach."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from pipeline.errors import ModelError
from pipeline.models.robust import ONE_HOT_LEVELS, RobustColumns

FRAME = pd.DataFrame(
    {
        "size": [0.0, 1.0, 2.0, 3.0, 400.0],
        "flat": [7.0, 7.0, 7.0, 7.0, 7.0],
        "rare": [0.0, 0.0, 0.0, 0.0, 8.0],
        "gap": [1.0, np.nan, 3.0, 2.0, 2.0],
        "sex": ["m", "f", "f", "m", "f"],
        "colour": ["red", "blue", None, "red", "green"],
    }
)


def clipped(scaled: float) -> float:
    return scaled / (1 + (scaled / 3) ** 2) ** 0.5


def test_numbers_are_centred_at_the_median_divided_by_quartiles_and_clipped() -> None:
    made = RobustColumns().fit_transform(FRAME)
    assert made[:, 0] == pytest.approx([clipped(v) for v in (-1, -0.5, 0, 0.5, 199)], abs=1e-6)
    assert abs(made).max() < 3
    assert made[:, 1].tolist() == [0, 0, 0, 0, 0]
    assert made[4, 2] == pytest.approx(clipped(2))  # quartiles are equal, so half the range counts


def test_a_missing_number_is_the_mean_beside_a_column_that_says_so() -> None:
    columns = RobustColumns().fit(FRAME)
    made = columns.transform(FRAME)
    assert (columns.n_numeric_, columns.n_coded_) == (4, 0)
    assert made[1, 3] == pytest.approx(clipped(0))  # the mean 2 is the median too
    assert made[:, 4].argmax() == 1


def test_two_levels_are_one_column_and_unknown_or_missing_ones_are_between_them() -> None:
    columns = RobustColumns().fit(FRAME[["sex"]])
    assert columns.transform(FRAME[["sex"]]).shape == (5, 1)
    first, second = columns.transform(pd.DataFrame({"sex": ["f", "m"]}))[:, 0]
    other = columns.transform(pd.DataFrame({"sex": ["x", None]}))[:, 0]
    assert sorted([first, second]) == [min(first, second), max(first, second)]
    assert min(first, second) < other[0] == other[1] < max(first, second)


def test_few_levels_are_a_column_each_and_unknown_ones_are_like_missing_ones() -> None:
    columns = RobustColumns().fit(FRAME[["colour"]])
    made = columns.transform(pd.DataFrame({"colour": ["blue", "green", "red", "mauve", None]}))
    assert made.shape == (5, 3)
    assert made[:3].argmax(axis=1).tolist() == [0, 1, 2]
    assert np.array_equal(made[3], made[4])


def test_many_levels_are_codes_from_1_and_0_is_unknown_or_missing() -> None:
    letters = list("abcdefghi")
    assert len(letters) == ONE_HOT_LEVELS + 1
    columns = RobustColumns().fit(pd.DataFrame({"size": 1.0, "letter": letters}))
    assert (columns.n_numeric_, columns.n_coded_, columns.n_levels_) == (1, 1, 10)
    asked = pd.DataFrame({"size": 1.0, "letter": ["a", "i", "z", None]})
    assert columns.transform(asked)[:, 1].tolist() == [1, 9, 0, 0]


def test_what_was_not_fitted_teaches_nothing() -> None:
    few = RobustColumns().fit(FRAME[:3])
    before = few.transform(FRAME[:3])
    few.transform(FRAME.assign(size=1e9, colour="new"))
    assert np.array_equal(few.transform(FRAME[:3]), before)


def test_arrays_are_taken_and_parameters_cloned() -> None:
    made = clone(RobustColumns()).fit_transform(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert made.shape == (2, 2)


def test_infinite_numbers_and_other_columns_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match="column 'size' has infinite values"):
        RobustColumns().fit(FRAME.assign(size=np.inf))
    with pytest.raises(ModelError, match=r"expected the columns \['sex'\], found \['colour'\]"):
        RobustColumns().fit(FRAME[["sex"]]).transform(FRAME[["colour"]])
