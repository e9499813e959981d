"""Where predictions miss: bins that cover every row once, in an order that people expect."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mistakes import errors_in_bins


def named(column: pd.Series) -> list[str]:
    return [one.name for one in errors_in_bins(column, np.zeros(len(column)))]


def test_each_value_of_few_is_a_bin_with_its_mean_error_and_standard_error():
    bins = errors_in_bins(pd.Series([1, 1, 2, 2]), np.array([0.0, 2.0, 5.0, np.nan]))
    assert [(one.name, one.n, one.mean) for one in bins] == [("1", 2, 1.0), ("2", 1, 5.0)]
    assert bins[0].error == pytest.approx(1.0)
    assert np.isnan(bins[1].error)


def test_many_numbers_are_cut_into_bins_of_about_equally_many_rows():
    bins = errors_in_bins(pd.Series(np.arange(800.0)), np.zeros(800))
    assert [one.n for one in bins] == pytest.approx([100] * 8, abs=1)
    assert bins[0].name == "0 – 99.9"


def test_levels_that_are_numbers_stand_in_their_order_and_rare_ones_together():
    assert named(pd.Series(["10", "9", "10", "1"])) == ["1", "9", "10"]
    many = pd.Series([f"level {i:02d}" for i in range(40) for _ in range(40 - i)])
    assert named(many) == [*(f"level {i:02d}" for i in range(8)), "32 others"]


def test_missing_values_come_last_and_a_column_without_any_value_is_one_bin():
    assert named(pd.Series([2.0, np.nan, 1.0])) == ["1", "2", "missing"]
    assert named(pd.Series(["b", None, "a"], dtype="str")) == ["a", "b", "missing"]
    assert named(pd.Series([np.nan, np.nan])) == ["missing"]


def test_numbers_that_only_rounding_tells_apart_are_one_bin():
    assert named(pd.Series([0.1 + 0.2, 0.3, 1e-17, 0.0])) == ["0", "0.3"]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.one_of(st.none(), st.floats(allow_infinity=False, width=32), st.integers(-9, 9)),
        min_size=1,
        max_size=80,
    )
)
def test_every_row_is_in_one_bin_whatever_the_numbers(values):
    column = pd.Series(values, dtype="float64")
    assert sum(one.n for one in errors_in_bins(column, np.zeros(len(column)))) == len(column)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.none(), st.text(max_size=4)), min_size=1, max_size=80))
def test_every_row_is_in_one_bin_whatever_the_levels(values):
    column = pd.Series(values, dtype="object")
    assert sum(one.n for one in errors_in_bins(column, np.zeros(len(column)))) == len(column)
