"""Row-wise features for Bike Sharing Demand."""

import numpy as np
import pandas as pd

# Washington's calendar where the files' two flags do not tell who went to work.
WORKED = ("2011-04-15", "2012-04-16")  # tax day is a holiday of the district's offices only
STAYED_HOME = (
    "2011-11-25", "2012-11-23",  # the Fridays after Thanksgiving
    "2012-10-30",  # the hurricane Sandy
    "2011-12-26", "2012-12-24", "2012-12-31",
)  # fmt: skip


def add_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what the clock, the calendar and the weather say about an hour."""
    when = frame["datetime"].dt
    day, hour = when.normalize(), when.hour
    works = (frame["workingday"].eq(1) | day.isin(_days(WORKED))) & ~day.isin(_days(STAYED_HOME))
    kind_of_day = works.map({True: "work", False: "off"})
    year_part = 2 * np.pi * when.day_of_year / 365.25
    return frame.assign(
        # Runs of days, shorter than those between them that the test asks for.
        run=when.strftime("%Y-%m") + when.day.gt(9).map({True: " 10-19", False: " 1-9"}),
        works=works.astype(int),
        hour_of_day=kind_of_day + " " + hour.astype(str),
        weekday=when.day_name(),
        weekday_part=when.day_name() + " " + (hour // 6).astype(str),
        month=when.strftime("%Y-%m"),
        days=(day - pd.Timestamp("2011-01-01")).dt.days,
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
