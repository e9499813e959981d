"""Invented files in the shape of Dacon 235576 (Seoul bikes): no row comes from the competition.

Ninety days of weather are simulated hour by hour from the first of April. The first sixty days
become training rows and the last thirty, which are warmer, test rows; shuffled ids mix the two.
"""

from typing import Any

import numpy as np
import pandas as pd

N_DAYS, N_TRAIN_DAYS = 90, 60
N_LOST = 6  # hours without a row
COLUMNS = [
    "id", "hour", "hour_bef_temperature", "hour_bef_precipitation", "hour_bef_windspeed",
    "hour_bef_humidity", "hour_bef_visibility", "hour_bef_ozone", "hour_bef_pm10",
    "hour_bef_pm2.5", "count",
]  # fmt: skip
WEATHER, AIR = COLUMNS[2:-1], COLUMNS[-4:-1]
# The shares of rows in which these columns are empty, and are empty together.
GAPS: tuple[tuple[float, list[str]], ...] = (
    (0.045, AIR),
    (0.015, ["hour_bef_pm10", "hour_bef_pm2.5"]),
    (0.02, ["hour_bef_pm2.5"]),
    (0.005, ["hour_bef_ozone"]),
    (0.005, ["hour_bef_windspeed"]),
)


def make_sample(seed: int = 42) -> dict[str, pd.DataFrame]:
    """Return train, test and sample submission as frames, keyed by file name."""
    rng = np.random.default_rng(seed)
    frame = _add_rentals(_make_weather(rng), rng).assign(id=rng.permutation(24 * N_DAYS))
    kept = np.sort(rng.permutation(len(frame))[N_LOST:])
    train = frame.loc[kept[kept < 24 * N_TRAIN_DAYS], COLUMNS]
    test = frame.loc[kept[kept >= 24 * N_TRAIN_DAYS], COLUMNS[:-1]]
    train, test = _leave_gaps(train, 2, rng), _leave_gaps(test, 1, rng)
    submission = test[["id"]].assign(count=np.nan)
    return {"train.csv": train, "test.csv": test, "submission.csv": submission}


def _make_weather(rng: np.random.Generator) -> pd.DataFrame:
    """Return the hours in their order, with the weather of the hour before.

    Degrees Celsius, 1 for rain, m/s, per cent, units of 10 m, ppm, and micrograms per cubic metre.
    """
    n_hours = 24 * N_DAYS
    hour, day = np.arange(n_hours) % 24, np.arange(n_hours) // 24
    sun = -np.cos(2 * np.pi * (hour - 3) / 24)
    moist, dusty = _daily(rng), _daily(rng)
    temperature = 11 + 0.16 * day + 4.5 * sun + 2 * _daily(rng) + 0.7 * rng.normal(size=n_hours)
    rain = (moist + 0.7 * rng.normal(size=n_hours) > 1.9).astype(float)
    wind = 2.5 + 0.9 * sun + 0.4 * _daily(rng) + 0.8 * rng.normal(size=n_hours)
    humidity = 54 - 14 * sun + 11 * moist + 20 * rain + 5 * rng.normal(size=n_hours)
    haze = 350 * moist + 250 * dusty + 400 * rain + 150 * rng.normal(size=n_hours)
    ozone = 0.04 + 0.018 * sun + 0.0008 * (temperature - 17) + 0.006 * rng.normal(size=n_hours)
    pm10 = (55 - 0.2 * day) * np.exp(0.4 * dusty + 0.1 * rng.normal(size=n_hours))
    pm25 = 0.55 * pm10 * np.exp(0.15 * rng.normal(size=n_hours))
    return pd.DataFrame(
        {
            "hour": hour,
            "hour_bef_temperature": np.clip(temperature, 3.5, 33.5).round(1),
            "hour_bef_precipitation": rain,
            "hour_bef_windspeed": np.clip(wind, 0, 7).round(1),
            "hour_bef_humidity": np.clip(humidity, 10, 99).round(),
            "hour_bef_visibility": np.clip(1600 - haze, 100, 2000).round(),
            "hour_bef_ozone": np.clip(ozone, 0.003, 0.12).round(3),
            "hour_bef_pm10": np.clip(pm10, 9, 200).round(),
            "hour_bef_pm2.5": np.clip(pm25, 8, 85).round(),
        }
    )


def _add_rentals(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add the count: commutes at 8 and 18, warm evenings, and hardly a ride in the rain."""
    hour = frame["hour"]
    profile = 0.15 + 0.8 * _bump(hour, 8, 1) + 1.3 * _bump(hour, 18.5, 2) + 0.6 * _bump(hour, 14, 4)
    late = 0.6 * (_bump(hour, 22, 2) + _bump(hour, 0, 1.5))
    warmth = np.exp(-(((frame["hour_bef_temperature"] - 24) / 14) ** 2))
    dry = np.where(frame["hour_bef_precipitation"] == 1, 0.25, 1.0)
    clean = 1 - 0.002 * (frame["hour_bef_pm10"] - 50).clip(0, 100)
    noise = np.exp(0.1 * _daily(rng) + 0.2 * rng.normal(size=len(frame)))
    count = rng.poisson(160 * (profile + late) * warmth * dry * clean * noise)
    return frame.assign(count=np.clip(count, 1, 430).astype(float))


def _leave_gaps(frame: pd.DataFrame, n_outages: int, rng: np.random.Generator) -> pd.DataFrame:
    """Sort by id and empty cells: instruments of one kind fail together, rarely all of them."""
    frame = frame.sort_values("id", ignore_index=True)
    for share, names in GAPS:
        frame.loc[rng.random(len(frame)) < share, names] = np.nan
    frame.loc[rng.choice(len(frame), n_outages, replace=False), WEATHER] = np.nan
    return frame


def _daily(rng: np.random.Generator) -> Any:
    """Return a normal number for each day, repeated over its 24 hours."""
    return np.repeat(rng.normal(size=N_DAYS), 24)


def _bump(hour: Any, centre: float, width: float) -> Any:
    """Return a bell over the hours, 1 at its centre; its width is in hours."""
    return np.exp(-(((hour - centre) / width) ** 2) / 2)
