"""Invented files in the shape of Bike Sharing Demand: no row comes from the competition.

The weather of two years is simulated hour by hour. Five days of each month become training rows
(two of days 1-9, three of days 10-19) and three days of its rest become test rows; in the
competition these are all the days of 1-19 and of 20 to the month's end.
"""

from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar

TRAIN_DAYS = (4, 8, 11, 15, 17)
TEST_DAYS = (20, 24, 28)
EMANCIPATION_DAYS = ("2011-04-15", "2012-04-16")  # a holiday of Washington, not of the union

CALENDAR = ["datetime", "season", "holiday", "workingday"]
WEATHER = ["weather", "temp", "atemp", "humidity", "windspeed"]
RENTALS = ["casual", "registered", "count"]


def make_sample(seed: int = 42) -> dict[str, pd.DataFrame]:
    """Return train, test and sample submission as frames, keyed by file name."""
    rng = np.random.default_rng(seed)
    frame = _add_rentals(_add_weather(_make_calendar(), rng), rng)
    frame = frame[frame["count"] > 0]  # an hour without a rental has no row in the files
    day = frame["datetime"].dt.day
    frame["datetime"] = frame["datetime"].dt.strftime("%Y-%m-%d %H:%M:%S")
    train = frame.loc[day.isin(TRAIN_DAYS), CALENDAR + WEATHER + RENTALS]
    test = frame.loc[day.isin(TEST_DAYS), CALENDAR + WEATHER]
    submission = test[["datetime"]].assign(count=0)
    return {"train.csv": train, "test.csv": test, "sampleSubmission.csv": submission}


def _make_calendar() -> pd.DataFrame:
    """Return the hours of the chosen days of 2011 and 2012, and what a calendar knows of them."""
    hours = pd.date_range("2011-01-01", "2012-12-31 23:00", freq="h").to_series(name="datetime")
    hours = hours[hours.dt.day.isin(TRAIN_DAYS + TEST_DAYS)].reset_index(drop=True)
    holidays = USFederalHolidayCalendar().holidays("2011-01-01", "2012-12-31")
    holiday = hours.dt.normalize().isin(holidays.append(pd.DatetimeIndex(EMANCIPATION_DAYS)))
    workingday = (hours.dt.day_of_week < 5) & ~holiday
    return pd.DataFrame(
        {
            "datetime": hours,
            "season": hours.dt.quarter,  # the files number the quarters, 1 is January to March
            "holiday": holiday.astype("int64"),
            "workingday": workingday.astype("int64"),
        }
    )


def _add_weather(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add the weather: degrees Celsius, per cent, km/h, and a level from 1 (clear) to 4 (storm).

    The grids are those of the files: temp in steps of 41/50, atemp of 50/66, windspeed in whole
    knots that were rounded to km/h, divided by 67 and rounded again.
    """
    n_hours = len(frame)
    hour, day = frame["datetime"].dt.hour, frame["datetime"].dt.day_of_year
    wetness = _daily(rng, n_hours) + 0.6 * rng.normal(size=n_hours)
    season = -11 * np.cos(2 * np.pi * (day - 20) / 365)
    afternoon = -4 * np.cos(2 * np.pi * (hour - 3) / 24)
    temp = 20 + season + afternoon + 3 * _daily(rng, n_hours) - 1.5 * wetness
    humidity = 62 + 13 * wetness - 3 * afternoon + 5 * rng.normal(size=n_hours)
    knots = np.round(7 + 2 * _daily(rng, n_hours) + 3 * rng.normal(size=n_hours))
    kmh = np.round(1.852 * np.where(knots < 3, 0, knots))
    temp_steps = np.clip(np.round(temp / 0.82), 1, 49)
    atemp_steps = np.clip(np.round((1.17 * temp - 0.05 * kmh) * 66 / 50), 1, 60)
    return frame.assign(
        weather=1 + np.searchsorted(np.quantile(wetness, [0.66, 0.92, 0.999]), wetness),
        temp=np.round(0.82 * temp_steps, 2),
        atemp=np.round(0.005 * np.round(atemp_steps * 50 / 66 / 0.005), 3),
        humidity=np.clip(np.round(humidity), 18, 100).astype("int64"),
        windspeed=np.round(np.round(kmh / 67, 4) * 67, 4),
    )


def _add_rentals(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add the rentals of each hour: commuters on working days, outings on warm free days."""
    n_hours = len(frame)
    hour, works = frame["datetime"].dt.hour, frame["workingday"] == 1
    growth = np.where(frame["datetime"].dt.year == 2012, 1.6, 1.0)
    dry = frame["weather"].map({1: 1.0, 2: 0.9, 3: 0.5, 4: 0.3})
    mild = np.exp(-(((frame["temp"] - 28) / 16) ** 2))
    outing, evening = _bump(hour, 14, 3.5), _bump(hour, 21, 2.0)
    commute = _bump(hour, 8, 0.9) + 1.2 * _bump(hour, 17.5, 1.5) + 0.4 * outing + 0.3 * evening
    leisure = 0.8 * outing + 0.3 * evening + 0.1 * _bump(hour, 0, 1.5)
    noise = np.exp(0.08 * _daily(rng, n_hours) + 0.15 * rng.normal(size=n_hours))
    scale = growth * dry * mild * noise
    registered = rng.poisson(scale * (10 + 240 * np.where(works, commute, leisure)))
    casual = rng.poisson(scale * (1 + np.where(works, 40, 130) * outing))
    return frame.assign(casual=casual, registered=registered, count=casual + registered)


def _daily(rng: np.random.Generator, n_hours: int) -> Any:
    """Return a normal number for each day, repeated over its 24 hours."""
    return np.repeat(rng.normal(size=n_hours // 24), 24)


def _bump(hour: Any, centre: float, width: float) -> Any:
    """Return a bell over the hours, 1 at its centre; its width is in hours."""
    return np.exp(-(((hour - centre) / width) ** 2) / 2)
