"""What bike's features.py makes of an hour, and of the hours before it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.competition import load_competition
from pipeline.features import load_features

BIKE = Path(__file__).parents[1] / "competitions" / "bike"


def hours(first: str, weather: list[int]) -> pd.DataFrame:
    """Return hours in a row, as features.py makes them."""
    frame = pd.DataFrame(
        {
            "datetime": pd.date_range(first, periods=len(weather), freq="h"),
            "season": "1",
            "holiday": 0,
            "workingday": 1,
            "weather": [str(one) for one in weather],
            "temp": 9.0,
            "atemp": 11.0,
            "humidity": 50,
            "windspeed": 6.0,
        }
    )
    add_features = load_features(BIKE).add_features
    assert add_features is not None
    return add_features(frame)


def past(seen: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """Return the weather of the hours before, of rows asked, after a fit on rows seen."""
    make_transformer = load_features(BIKE).make_transformer
    assert make_transformer is not None
    X = make_transformer().fit(seen).transform(asked)
    assert "hours" not in X
    return X[["weather_1", "weather_2", "weather_3"]]


def test_an_hour_knows_the_weather_of_the_three_before_it_and_of_none_after() -> None:
    seen = hours("2011-01-19 20:00", [1, 2, 3, 1])
    found = past(seen, seen)
    expected = [[np.nan] * 3, [1, np.nan, np.nan], [2, 1, np.nan], [3, 2, 1]]
    np.testing.assert_array_equal(found, expected)


def test_the_first_hour_that_is_asked_for_knows_the_last_of_the_training_rows() -> None:
    seen, asked = hours("2011-01-19 21:00", [1, 2, 3]), hours("2011-01-20 00:00", [4, 1])
    np.testing.assert_array_equal(past(seen, asked), [[3, 2, 1], [4, 3, 2]])


def test_rows_that_are_asked_for_later_are_no_part_of_what_was_learned() -> None:
    seen, asked = hours("2011-01-19 21:00", [1, 2, 3]), hours("2011-01-20 00:00", [4, 1])
    np.testing.assert_array_equal(past(seen, asked.iloc[1:]), [[np.nan, 3, 2]])


@pytest.mark.parametrize(
    ("day", "works"),
    [("2011-04-15", 1), ("2011-11-25", 0), ("2012-10-30", 0), ("2012-12-24", 0), ("2011-03-01", 1)],
)
def test_the_calendar_says_who_went_to_work(day: str, works: int) -> None:
    frame = hours(f"{day} 08:00", [1])
    assert frame["works"].tolist() == [works]
    assert frame["hour_of_day"].tolist() == ["work 8" if works else "off 8"]


def test_folds_leave_out_runs_of_days_of_all_seasons_as_the_test_does() -> None:
    firsts = [hours(f"2011-{month:02}-{day}", [1]) for month in range(1, 13) for day in ("01", 19)]
    runs = pd.concat(firsts)["runs"]
    assert runs.nunique() == 12
    assert runs.iloc[0] == runs.iloc[12] == "1 1-9"  # January and July
    assert runs.iloc[1] == "1 10-19"


def test_the_declared_parts_are_dropped_and_some_models_learn_them() -> None:
    competition = load_competition(BIKE / "competition.toml")
    assert competition.target.parts == ("casual", "registered") == competition.columns.drop
    assert any(choice.by_parts for choice in competition.models.values())
