"""Dates in the spellings that files have: which part stands first, and what day they name."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

First = Literal["year", "day", "month"]  # the part of a date that is written first

YEAR_FIRST = (
    r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}"
    r"([ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?( ?(Z|UTC))?$|^\d{8}$"
)
YEAR_LAST = (  # Arrow wants every group to be named
    r"^(?P<first>\d{1,2})[-/.](?P<second>\d{1,2})[-/.](?P<year>\d{4})"
    r"(?:[ T](?P<clock>(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?)"
    r"(?P<half> ?[AaPp][Mm])?)?$"
)
EXAMPLES: Mapping[First, str] = {
    "year": "2011-01-31 05:00:00, 2011/01/31, 2011.01.31 or 20110131",
    "day": "31/01/2011 05:00 or 31.01.2011",
    "month": "01/31/2011 05:00 or 01-31-2011",
}
FEW = 4  # times as many cells as spellings, from which on each spelling is parsed once
TEXT = pd.StringDtype("pyarrow", na_value=np.nan)


def are_dates(cells: pa.ChunkedArray, first: First) -> pa.ChunkedArray:
    """Return which cells are spelled like dates with that part first; null stays null."""
    return pc.match_substring_regex(cells, YEAR_FIRST if first == "year" else YEAR_LAST)


def day_or_month_first(cells: pa.ChunkedArray) -> First | None:
    """Return what stands first in dates that end in the year, or None if no row shows it."""
    first, second = date_parts(cells)
    if first > 12:
        return "day"
    return "month" if second > 12 else None


def date_parts(cells: pa.ChunkedArray) -> tuple[int, int]:
    """Return the largest first and the largest second part of dates that end in the year."""
    fields = pc.extract_regex(cells, YEAR_LAST)
    first, second = (
        pc.max(pc.struct_field(fields, name).cast(pa.int64())).as_py() or 0
        for name in ("first", "second")
    )
    return first, second


def parse_dates(cells: pa.ChunkedArray, first: First) -> pd.Series:
    """Return cells that are spelled like dates as datetime64[us]; NaT for no such day."""
    known = pc.unique(cells)
    if len(known) * FEW < len(cells):  # days repeat, and a spelling says the same each time
        parsed = parse_dates(pa.chunked_array([known]), first).to_numpy()
        places = pc.index_in(cells, value_set=known).to_numpy()
        return pd.Series(parsed[places])
    dates = _year_first(cells) if first == "year" else _year_last(cells, first)
    return dates.astype("datetime64[us]")


def _year_first(cells: pa.ChunkedArray) -> pd.Series:
    dashed = pc.replace_substring_regex(cells, r"^(\d+)[/.](\d+)[/.]", r"\1-\2-")
    plain = as_text(pc.replace_substring_regex(dashed, " ?(Z|UTC)$", ""))
    dates: pd.Series = pd.to_datetime(plain, format="ISO8601", errors="coerce")
    return dates


def _year_last(cells: pa.ChunkedArray, order: First) -> pd.Series:
    fields = pc.extract_regex(cells, YEAR_LAST)
    names = ("first", "second", "year", "clock", "half")
    first, second, year, clock, half = (as_text(pc.struct_field(fields, name)) for name in names)
    day, month = (first, second) if order == "day" else (second, first)
    iso = year + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    days: pd.Series = pd.to_datetime(iso, format="%Y-%m-%d", errors="coerce")
    return days + _time_of_day(clock, half.str.strip().str.lower())


def _time_of_day(clock: pd.Series, half: pd.Series) -> pd.Series:
    """Return the time since midnight of 13:00, or of 1:00 with pm; 12 am is midnight."""
    clock = clock.where(clock != "", "0:00")
    hours = clock.str.extract(r"^(\d+)")[0].astype(float)
    shift = (half == "pm") * 12 - ((half != "") & (hours >= 12)) * 12
    seconds = clock.where(clock.str.count(":") == 2, clock + ":00")
    return pd.to_timedelta(seconds) + pd.to_timedelta(shift, unit="h")


def as_text(cells: pa.ChunkedArray) -> pd.Series:
    """Return cells as a column of str, null as NaN."""
    text: pd.Series = cells.to_pandas(types_mapper={cells.type: TEXT}.get)
    return text
