"""Adversarial validation: what can and what cannot be told apart."""

import time

import numpy as np
import pandas as pd
import pytest

from pipeline.drift import DRIFTED, MOST_WEIGHT, QUICK_ROWS, glance_at_drift, measure_drift
from pipeline.errors import DataError


def frame(n: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": rng.normal(size=n) + shift,
            "flag": rng.random(n) < 0.5,
            "kind": pd.Series(rng.choice(["a", "b", None], n), dtype="str"),
            "gap": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
        }
    )


def test_rows_of_one_origin_cannot_be_told_apart() -> None:
    drift = measure_drift(frame(300, 1), frame(200, 2))
    assert 0.4 < drift.auc < 0.6
    assert drift.likeness.shape == (300,)
    assert ((drift.likeness >= 0) & (drift.likeness <= 1)).all()
    assert (drift.by_column >= 0.5).all()


def test_a_shifted_column_is_found_and_named_first() -> None:
    drift = measure_drift(frame(300, 1), frame(200, 2, shift=3))
    assert drift.auc > 0.95 > DRIFTED
    assert drift.by_column.index[0] == "x"
    assert drift.by_column["x"] > 0.95
    assert drift.by_column["kind"] < 0.6
    train = frame(300, 1)
    assert np.corrcoef(drift.likeness, train["x"])[0, 1] > 0.2


def test_one_column_s_auc_is_as_counted_by_hand() -> None:
    train = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]})
    test = pd.DataFrame({"x": [0.0, 2.5]})
    # pairs in which test is larger: 2.5 > 1, 2.5 > 2, so 2 of 8; the other direction is 6 of 8
    assert measure_drift(train, test).by_column["x"] == 0.75


def test_missing_cells_and_levels_are_a_difference_as_well() -> None:
    train, test = frame(200, 1), frame(200, 2)
    drift = measure_drift(train, test.assign(gap=np.nan, kind="new"))
    assert drift.by_column["gap"] > 0.85
    assert drift.by_column["kind"] > 0.8
    empty = measure_drift(train.assign(gap=np.nan), test.assign(gap=np.nan))
    assert empty.by_column["gap"] == 0.5


def test_the_seed_decides_and_the_frames_are_left_alone() -> None:
    train, test = frame(60, 1), frame(40, 2)
    before = train.copy(deep=True), test.copy(deep=True)
    one, again, other = (measure_drift(train, test, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one.likeness, again.likeness)
    assert not np.array_equal(one.likeness, other.likeness)
    pd.testing.assert_frame_equal(train, before[0])
    pd.testing.assert_frame_equal(test, before[1])


def test_three_test_rows_are_enough_and_one_is_not() -> None:
    assert 0 <= measure_drift(frame(20, 1), frame(3, 2)).auc <= 1
    with pytest.raises(DataError) as caught:
        measure_drift(frame(20, 1), frame(1, 2))
    assert str(caught.value) == (
        "20 training and 1 test rows cannot be compared; expected two of each"
    )


def test_a_glance_sees_what_a_long_look_sees_and_no_more() -> None:
    alike = glance_at_drift(frame(3000, 1), frame(2000, 2))
    assert alike is not None
    assert not alike.is_clear
    assert (alike.n_train, alike.n_test) == (QUICK_ROWS, 2000)
    assert np.isfinite(alike.likeness).sum() == QUICK_ROWS
    shifted = glance_at_drift(frame(3000, 1), frame(2000, 2, shift=2))
    assert shifted is not None
    assert shifted.is_clear
    assert shifted.by_column.index[0] == "x"
    assert glance_at_drift(frame(20, 1), frame(3, 2)) is None


def test_a_few_rows_that_differ_by_chance_are_not_clear() -> None:
    few = glance_at_drift(frame(8, 1), frame(5, 2, shift=1))
    assert few is not None
    assert not few.is_clear


def test_weights_make_the_training_rows_like_the_test_rows() -> None:
    train = frame(2000, 1)
    drift = glance_at_drift(train, frame(1500, 2, shift=1))
    assert drift is not None
    weights = drift.weights()
    assert weights is not None
    assert weights.max() <= MOST_WEIGHT
    assert abs(train["x"].mean()) < 0.1
    assert 0.5 < np.average(train["x"], weights=weights) < 1.2


def test_there_are_no_weights_where_no_training_row_is_like_the_test() -> None:
    drift = glance_at_drift(frame(2000, 1), frame(1500, 2, shift=8))
    assert drift is not None
    assert drift.auc > 0.99
    assert drift.weights() is None


def test_a_glance_at_a_hundred_thousand_rows_is_quick() -> None:
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(100_000, 50)), columns=[f"c{i}" for i in range(50)])
    started = time.process_time()
    assert glance_at_drift(wide, wide.iloc[:50_000]) is not None
    assert time.process_time() - started < 1.5
