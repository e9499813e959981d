"""Features for Bike Sharing Demand: of an hour itself, and the weather of the hours before it."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

START = pd.Timestamp("2011-01-01")
# Washington's calendar where the files' two flags do not tell who went to work.
WORKED = ("2011-04-15", "2012-04-16")  # tax day is a holiday of the district's offices only
STAYED_HOME = (
    "2011-11-25", "2012-11-23",  # the Fridays after Thanksgiving
    "2012-10-30",  # the hurricane Sandy
    "2011-12-26", "2012-12-24", "2012-12-31",
)  # fmt: skip
PAST = (1, 2, 3)  # hours


def add_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what the clock, the calendar and the weather say about an hour."""
    when = frame["datetime"].dt
    day, hour = when.normalize(), when.hour
    works = (frame["workingday"].eq(1) | day.isin(_days(WORKED))) & ~day.isin(_days(STAYED_HOME))
    kind_of_day = works.map({True: "work", False: "off"})
    year_part = 2 * np.pi * when.day_of_year / 365.25
    return frame.assign(
        # Runs of days, as long as those that the test asks for: days 1-9 or 10-19 of every sixth
        # month, so that each fold has all seasons.
        runs=(when.month % 6).astype(str) + when.day.gt(9).map({True: " 10-19", False: " 1-9"}),
        works=works.astype(int),
        hour_of_day=kind_of_day + " " + hour.astype(str),
        weekday=when.day_name(),
        weekday_part=when.day_name() + " " + (hour // 6).astype(str),
        month=when.strftime("%Y-%m"),
        days=(day - START).dt.days,
        hours=(frame["datetime"] - START) // pd.Timedelta(hours=1),  # for PastWeather only
        year_sin=np.sin(year_part),
        year_cos=np.cos(year_part),
        hour_sin=np.sin(2 * np.pi * hour / 24),
        hour_cos=np.cos(2 * np.pi * hour / 24),
        # The anemometer writes 0 where it measured nothing.
        windspeed=frame["windspeed"].where(frame["windspeed"] > 0),
        humidity=frame["humidity"].where(frame["humidity"] > 0),
        ideal=(frame["temp"].gt(27) & frame["windspeed"].lt(30)).astype(int),
        sticky=(works & frame["humidity"].ge(60)).astype(int),
    )


def _days(names: tuple[str, ...]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(names)


def make_transformer() -> "PastWeather":
    """Return what adds the weather of the hours before."""
    return PastWeather()


class PastWeather(TransformerMixin, BaseEstimator):
    """The weather of the hours before a row's own, where it is known; who got wet stays at home.

    It is looked up among the rows given together with the row and those of the fit, by the hour,
    never by the answer: only what was known when the hour began.
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Remember the weather of rows (n_samples, n_features)."""
        self.known_ = _by_hour(X)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the rows with the weather before them, and without their hours since the start."""
        known = pd.concat([_by_hour(X), self.known_])
        known = known[~known.index.duplicated()]
        past = {f"weather_{n}": known.reindex(X["hours"] - n).to_numpy() for n in PAST}
        return X.drop(columns="hours").assign(**past)


def _by_hour(X: pd.DataFrame) -> pd.Series:
    """Return 1 for clear to 4 for heavy rain by the hours since the start."""
    return pd.Series(X["weather"].astype(float).to_numpy(), index=X["hours"].to_numpy())
