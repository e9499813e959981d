"""Windows of time series: what they hold, what follows them, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import last_windows, make_windows
from pipeline.competition import Windows
from pipeline.errors import DataError
from pipeline.progress import Warned, listening
from pipeline.windows import Series, asked_windows, training_windows

DAYS = pd.DataFrame(
    {
        "day": pd.date_range("2022-07-11", periods=5),
        "volume": [10.0, 11, 12, 13, 14],
        "close": [1.0, 2, 3, 4, 5],
    }
)
SHOPS = pd.DataFrame(
    {
        "shop": ["b", "a", "a", "b", "a", "b"],
        "week": [1, 1, 2, 2, 3, 3],
        "sales": [10.0, 1, 2, 20, 3, 30],
    }
)


def test_a_window_holds_rows_that_are_known_and_y_the_target_of_the_row_that_follows():
    found = make_windows(DAYS, 2, target="close", columns=["close"], time="day")
    assert found.x[:, :, 0].tolist() == [[1, 2], [2, 3], [3, 4]]
    assert found.y[:, 0, 0].tolist() == [3, 4, 5]
    assert found.last[:, 0].tolist() == [2, 3, 4]
    assert found.ends.tolist() == [1, 2, 3]
    assert found.until.tolist() == [2, 3, 4]


def test_several_channels_and_several_steps_keep_their_axes():
    found = make_windows(DAYS, 2, 2, time="day")
    assert found.x.shape == (2, 2, 2)
    assert found.x[0].tolist() == [[10, 1], [11, 2]]
    assert found.y[:, :, 0].tolist() == [[3, 4], [4, 5]]
    assert list(found.flat()) == ["volume t-1", "close t-1", "volume t", "close t"]
    assert found.flat().iloc[0].tolist() == [10, 1, 11, 2]


def test_one_call_does_what_split_x_and_slicing_do():
    dataset, timesteps = np.arange(1, 11), 5
    split = np.array([dataset[i : i + timesteps] for i in range(len(dataset) - timesteps + 1)])
    found = make_windows(pd.DataFrame({"x": dataset}), timesteps - 1)
    np.testing.assert_array_equal(found.x[:, :, 0], split[:, :-1])
    np.testing.assert_array_equal(found.y[:, 0, 0], split[:, -1])


def test_rows_may_stand_newest_first():
    newest_first = DAYS.iloc[::-1].reset_index(drop=True)
    one, other = (make_windows(frame, 3, time="day") for frame in (DAYS, newest_first))
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.y, other.y)
    assert other.ends.tolist() == [2, 1]


def test_no_window_holds_rows_of_two_series():
    found = make_windows(SHOPS, 2, by="shop", time="week")
    assert found.x[:, :, 0].tolist() == [[1, 2], [10, 20]]
    assert found.y[:, 0, 0].tolist() == [3, 30]


def test_of_a_stride_the_newest_window_stays():
    frame = pd.DataFrame({"x": np.arange(8)})
    assert make_windows(frame, 2, stride=2).ends.tolist() == [2, 4, 6]
    assert make_windows(frame, 2, stride=4).ends.tolist() == [2, 6]


def test_tomorrow_is_forecast_from_the_last_rows_of_each_series():
    found = last_windows(SHOPS, 2, by="shop", time="week")
    assert found.x[:, :, 0].tolist() == [[2, 3], [20, 30]]
    assert found.y is None


# --- gaps ---


GAPPED = DAYS.assign(day=DAYS["day"].where(DAYS.index < 3, DAYS["day"] + pd.Timedelta(days=2)))


def test_a_gap_is_refused_where_it_is_not_declared_what_it_means():
    with pytest.raises(DataError) as caught:
        make_windows(GAPPED, 2, time="day", gaps="refuse")
    assert str(caught.value) == (
        "row 3: a gap in time: expected 1 day from row to row, found 3 days from "
        '2022-07-13 00:00:00 to 2022-07-16 00:00:00; declare [windows] gaps = "split" to let no '
        'window reach across, or "ignore" if rows follow each other all the same'
    )


def test_no_window_reaches_across_a_gap_that_splits_and_each_does_across_one_that_is_ignored():
    split = make_windows(GAPPED, 2, target="close", time="day", gaps="split")
    assert split.x[:, :, 1].tolist() == [[1, 2]]
    ignored = make_windows(GAPPED, 2, target="close", time="day", gaps="ignore")
    assert len(ignored) == 3


def test_months_of_unequal_length_have_no_gap():
    frame = DAYS.assign(day=pd.date_range("2022-01-01", periods=5, freq="MS"))
    assert len(make_windows(frame, 2, time="day", gaps="refuse")) == 3
    lacking = frame.drop(index=2)
    with pytest.raises(DataError, match=r"^row 2: a gap in time: .* found 59 days"):
        make_windows(lacking, 2, time="day", gaps="refuse")


def test_hours_are_told_as_hours():
    hours = pd.to_datetime([f"2022-01-01 0{hour}:00" for hour in (0, 1, 2, 5)])
    frame = pd.DataFrame({"hour": hours, "x": [1.0, 2, 3, 4]})
    with pytest.raises(DataError, match=r"expected 01:00:00 from row to row, found 03:00:00 from"):
        make_windows(frame, 1, time="hour", gaps="refuse")


# --- what cannot be cut ---


@pytest.mark.parametrize(
    ("frame", "asked", "message"),
    [
        (
            DAYS,
            {"timesteps": 5},
            "[windows]: expected the series of 6 rows or more without a gap, as timesteps = 5 and "
            "horizon = 1 need; found at most 5; declare fewer",
        ),
        (
            SHOPS,
            {"timesteps": 2, "horizon": 2, "by": "shop"},
            "[windows]: expected a series of 4 rows or more without a gap, as timesteps = 2 and "
            "horizon = 2 need; found at most 3; declare fewer",
        ),
        (DAYS, {"timesteps": 0}, "timesteps: expected 1 or more, found 0"),
        (DAYS, {"timesteps": 2, "stride": 0}, "stride: expected 1 or more, found 0"),
        (
            DAYS,
            {"timesteps": 2, "target": "clsoe"},
            "make_windows: column 'clsoe': expected a column of numbers; did you mean 'close'?",
        ),
        (
            DAYS,
            {"timesteps": 2, "time": "days"},
            "make_windows: there is no column 'days'; did you mean 'day'?",
        ),
        (
            DAYS.astype({"day": "str"}),
            {"timesteps": 2, "time": "day"},
            "make_windows: column 'day': expected dates or numbers, found text; convert it with "
            "pd.to_datetime",
        ),
        (
            SHOPS,
            {"timesteps": 1, "time": "week"},
            "row 1: another row has the time 1; expected one row a time, or several series by "
            "[windows] by",
        ),
        (
            SHOPS.assign(shop=["b", "a", None, "b", "a", "b"]),
            {"timesteps": 1, "by": "shop"},
            "row 2: expected a time, and a series by [windows] by; found none",
        ),
    ],
)
def test_what_cannot_be_cut_is_one_clear_line(frame, asked, message):
    with pytest.raises(DataError) as caught:
        make_windows(frame, **asked)
    assert str(caught.value) == message


def test_a_series_that_is_too_short_teaches_nothing_and_is_named():
    told = []
    long = pd.concat([SHOPS, pd.DataFrame({"shop": ["c"], "week": [3], "sales": [7.0]})])
    with listening(told.append):
        assert len(make_windows(long.reset_index(drop=True), 2, by="shop", time="week")) == 2
    (warned,) = [event.text for event in told if isinstance(event, Warned)]
    assert warned == (
        "1 series with fewer rows than timesteps = 2 and horizon = 1 need teach nothing; the first "
        "is that of shop 'c'"
    )


def test_a_series_that_is_too_short_cannot_be_forecast():
    with pytest.raises(DataError) as caught:
        last_windows(SHOPS.iloc[:3], 2, by="shop", time="week")
    assert str(caught.value) == (
        "row 0: expected windows.timesteps = 2 known rows of shop 'b' without a gap up to here, "
        "found 1; declare fewer timesteps"
    )


# --- rows that are asked for ---


def series(frame: pd.DataFrame, **changes) -> Series:
    windows = Windows(**{"timesteps": 2, "horizon": 2, **changes})
    return Series(frame, frame["week"], ("sales",), ("sales",), windows)


WEEKS = pd.DataFrame({"week": range(1, 9), "sales": [1.0, 2, 3, np.nan, np.nan, np.nan, 7, 8]})
KNOWN = WEEKS["sales"].notna().to_numpy()


def test_a_row_is_forecast_from_the_last_rows_that_are_known_before_it():
    wanted = WEEKS["week"].isin([4, 5]).to_numpy()
    found = asked_windows(series(WEEKS), KNOWN, wanted)
    assert found.samples.x[:, :, 0].tolist() == [[2, 3]]
    assert (found.rows.tolist(), found.sample.tolist(), found.step.tolist()) == (
        [3, 4],
        [0, 0],
        [1, 2],
    )


def test_a_row_beyond_the_horizon_is_refused():
    with pytest.raises(DataError) as caught:
        asked_windows(series(WEEKS), KNOWN, ~KNOWN)
    assert str(caught.value) == (
        "row 5: is row 3 after the last known one, beyond [windows] horizon = 2; declare horizon = "
        "3"
    )


def test_a_window_never_reaches_across_rows_that_are_not_known():
    frame = pd.concat([WEEKS, pd.DataFrame({"week": [9], "sales": [np.nan]})], ignore_index=True)
    known, wanted = frame["sales"].notna().to_numpy(), (frame["week"] == 9).to_numpy()
    assert asked_windows(series(frame), known, wanted).samples.x[0, :, 0].tolist() == [7, 8]
    with pytest.raises(DataError) as caught:
        asked_windows(series(frame, timesteps=3), known, wanted)
    assert str(caught.value) == (
        "row 7: expected windows.timesteps = 3 known rows without a gap up to here, found 2; "
        "declare fewer timesteps"
    )


def test_a_row_with_nothing_before_it_is_refused():
    with pytest.raises(DataError, match=r"^row 0: is to be forecast, but no known row stands"):
        asked_windows(series(WEEKS.iloc[3:7].reset_index(drop=True)), KNOWN[3:7], ~KNOWN[3:7])


# --- properties ---


@st.composite
def cuts(draw):
    """Some series of some lengths, rows in any order, and a way to cut them."""
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    timesteps, horizon, stride = (draw(st.integers(1, 4)) for _ in range(3))
    rows = [(name, when, 100 * name + when) for name, n in enumerate(lengths) for when in range(n)]
    rows = draw(st.permutations(rows))
    frame = pd.DataFrame(rows, columns=["name", "when", "value"])
    return frame, lengths, timesteps, horizon, stride


@given(cuts())
@settings(max_examples=60, deadline=None)
def test_windows_are_counted_cross_nothing_and_give_the_rows_back(cut):
    frame, lengths, timesteps, horizon, stride = cut
    asked = {"timesteps": timesteps, "horizon": horizon, "stride": stride}
    whole = [max(0, n - timesteps - horizon + 1) for n in lengths]
    if not sum(whole):
        with pytest.raises(DataError, match=r"^\[windows\]: expected a series of"):
            make_windows(frame, **asked, by="name", time="when")
        return
    found = make_windows(frame, **asked, by="name", time="when")
    assert len(found) == sum(-(-n // stride) for n in whole)
    values = np.concatenate([found.x[:, :, 0], found.y[:, :, 0]], axis=1)
    assert (np.diff(values, axis=1) == 1).all()  # rows behind each other, of one series
    names = frame["name"].to_numpy()
    assert (values // 100 == names[found.ends][:, None]).all()
    np.testing.assert_array_equal(frame["value"].to_numpy()[found.ends], found.x[:, -1, 0])
    np.testing.assert_array_equal(frame["value"].to_numpy()[found.until], found.y[:, -1, 0])
    if stride == 1:  # each row of a series that has windows is in one of them, as it was
        long = {name for name, n in enumerate(whole) if n}
        assert set(values.ravel()) == set(frame.loc[frame["name"].isin(long), "value"])


@given(cuts())
@settings(max_examples=40, deadline=None)
def test_flat_rows_have_the_shape_of_their_windows(cut):
    frame, lengths, timesteps, horizon, _ = cut
    if max(lengths) < timesteps + horizon:
        return
    frame = frame.assign(other=-frame["value"])
    found = make_windows(frame, timesteps, horizon, target="value", by="name", time="when")
    back = found.flat().to_numpy().reshape(-1, timesteps, 2)
    np.testing.assert_array_equal(back, found.x)
    assert training_windows(found.series).x.shape == found.x.shape
