"""What comes round again: hours, weekdays and seasons as points on a circle; and days elapsed."""

import re

import numpy as np
import pandas as pd

from pipeline.generating.columns import MadeColumns, stacked
from pipeline.generating.lesson import Lesson, numbers

PARTS = ("year", "month", "day", "weekday", "hour")  # which pipeline.features makes of a date
CYCLES = {"hour": 24, "weekday": 7, "dayofweek": 7, "month": 12, "dayofyear": 365.25}
NAMED = re.compile(rf"(?:^|[_ ])({'|'.join(CYCLES)})$", re.I)
SATURDAY = 5
EPOCH = pd.Timestamp(0)


class Cycles(MadeColumns):
    """Sine and cosine of what comes round again; of whole dates also days elapsed and weekends.

    A column is known by its name, hour or sold_month, and by training rows that fit in the cycle.
    A date is known by all parts that it is spread into: of it also the day of the year, the days
    since the first training row, whether it is a weekend, and the first or last of a month.
    """

    def learn(self, lesson: Lesson) -> tuple[list[str], np.ndarray]:
        """Learn which columns are parts of dates; see MadeColumns."""
        X = lesson.X
        self.dates_ = {stem: _first_day(X, stem) for stem in _stems(lesson.numeric)}
        seasons = {f"{stem}_month" for stem in self.dates_}  # the day of the year says it better
        periods = {
            name: _period(name, numbers(X, name)) for name in lesson.numeric if name not in seasons
        }
        self.periods_ = {name: period for name, period in periods.items() if period}
        names = [f"{wave} {name}" for name in self.periods_ for wave in ("sin", "cos")]
        for stem in self.dates_:
            names += [f"sin {stem} dayofyear", f"cos {stem} dayofyear", f"{stem} days"]
            names += [f"{stem} weekend", f"{stem} month start", f"{stem} month end"]
        return names, self.make(X)

    def make(self, X: pd.DataFrame) -> np.ndarray:
        """Return the cycles of any rows; see MadeColumns."""
        circles = [_circle(numbers(X, name), period) for name, period in self.periods_.items()]
        dates = [_date_columns(X, stem, first) for stem, first in self.dates_.items()]
        return stacked([*circles, *dates], len(X))


def _stems(names: list[str]) -> list[str]:
    """Return the dates all of whose parts are among the columns."""
    known, stems = set(names), [name.removesuffix("_year") for name in names if "_year" in name]
    return [stem for stem in stems if {f"{stem}_{part}" for part in PARTS} <= known]


def _period(name: str, values: np.ndarray) -> float | None:
    """Return the period of a column that is named like a cycle and holds no more than one."""
    found = NAMED.search(name)
    if found is None or not len(known := values[~np.isnan(values)]):
        return None
    period = CYCLES[found[1].lower()]
    fits = known.min() >= 0 and known.max() <= np.ceil(period) and known.min() < known.max()
    return period if fits else None


def _circle(values: np.ndarray, period: float) -> np.ndarray:
    angle = 2 * np.pi * values / period
    return np.column_stack([np.sin(angle), np.cos(angle)])


def _dates(X: pd.DataFrame, stem: str) -> pd.Series:
    """Return the dates of a column's parts, NaT where one is missing or there is no such day."""
    parts = {part: numbers(X, f"{stem}_{part}") for part in ("year", "month", "day")}
    return pd.to_datetime(pd.DataFrame(parts), errors="coerce")


def _days(X: pd.DataFrame, stem: str) -> np.ndarray:
    """Return days since 1970, with their hours as fractions."""
    days = ((_dates(X, stem) - EPOCH) / pd.Timedelta(days=1)).to_numpy(float)
    return np.asarray(days + np.nan_to_num(numbers(X, f"{stem}_hour")) / 24)


def _first_day(X: pd.DataFrame, stem: str) -> float:
    days = _days(X, stem)
    return float(days[~np.isnan(days)].min(initial=np.inf))


def _date_columns(X: pd.DataFrame, stem: str, first: float) -> np.ndarray:
    dates = _dates(X, stem).dt
    is_known = ~np.isnan(_days(X, stem))
    year = _circle(dates.day_of_year.to_numpy(float), CYCLES["dayofyear"])
    flags = np.column_stack(
        [numbers(X, f"{stem}_weekday") >= SATURDAY, dates.is_month_start, dates.is_month_end]
    )
    elapsed = _days(X, stem) - first if np.isfinite(first) else np.full(len(X), np.nan)
    return np.column_stack([year, elapsed, np.where(is_known[:, None], flags, np.nan)])
