"""Time series as samples: windows of rows that are known, and the rows that follow them.

A window never holds rows of two series, nor rows on both sides of a gap that is not ignored. Rows
may stand in any order: what counts is their time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

from pipeline.competition import Gaps, Windows
from pipeline.errors import DataError, did_you_mean
from pipeline.progress import Warned, emit

GAP = 1.5  # times the usual distance of two rows; months differ by a tenth
Where = Callable[[int], str]  # from a row's position to what an error calls it


@dataclass(frozen=True, eq=False)
class Series:
    """The rows of a frame that make time series, and what of them a window holds.

    frame: (n_rows, ...), with all channels and targets. time: (n_rows,) of dates or numbers.
    """

    frame: pd.DataFrame
    time: pd.Series
    channels: tuple[str, ...]
    targets: tuple[str, ...]
    windows: Windows
    where: Where = "row {}".format

    def of(self, row: int) -> str:
        """Return which series a row belongs to, as messages say it, or nothing if there is one."""
        by = self.windows.by
        return "" if by is None else f" of {by} {str(self.frame[by].iloc[row])!r}"


@dataclass(frozen=True, eq=False)
class Samples:
    """Windows of time series, and what followed each.

    x: (n_samples, timesteps, n_channels), the rows that are known, oldest first.
    y: (n_samples, horizon, n_targets), the targets of the rows that follow, or None.
    last: (n_samples, n_targets), the targets of the last known row: the naive forecast.
    ends: (n_samples,), the position in the frame of each window's last row.
    until: (n_samples,), that of the last row that y tells of; None without y.
    """

    x: np.ndarray
    y: np.ndarray | None
    last: np.ndarray
    ends: np.ndarray
    until: np.ndarray | None
    series: Series

    def __len__(self) -> int:
        return len(self.x)

    def flat(self) -> pd.DataFrame:
        """Return the windows as rows of columns (n_samples, timesteps * n_channels).

        The columns of one row of the series stand together, so that (timesteps, channels) is their
        shape.
        """
        windows, channels = self.series.windows, self.series.channels
        back = range(windows.timesteps - 1, -1, -1)
        names = [windows.past(channel, n) for n in back for channel in channels]
        return pd.DataFrame(self.x.reshape(len(self.x), len(names)), columns=names)


@dataclass(frozen=True, eq=False)
class Asked:
    """Rows to be forecast: the window that is asked for each, and how many rows behind it it lies.

    rows: (n_asked,), positions in the frame. sample, step: (n_asked,), which window, and 1 for the
    row that follows it.
    """

    samples: Samples
    rows: np.ndarray
    sample: np.ndarray
    step: np.ndarray


def make_windows(
    frame: pd.DataFrame,
    timesteps: int,
    horizon: int = 1,
    *,
    target: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    time: str | None = None,
    by: str | None = None,
    stride: int = 1,
    gaps: Gaps = "ignore",
) -> Samples:
    """Cut the rows of a frame into windows, and tell what followed each.

    target: the columns to forecast; the last number if left out. columns: the channels; all numbers
        but time and by if left out. time: the column that orders the rows; left out, they stand in
        order. by: the column that names a row's series. stride, gaps: as in [windows].
    Raises DataError if rows are too few, a gap is refused, or a column is no number.
    """
    windows = Windows(
        timesteps=timesteps, horizon=horizon, stride=stride, by=by, gaps=gaps, target="level"
    )
    return training_windows(_series(frame, windows, target, columns, time))


def last_windows(
    frame: pd.DataFrame,
    timesteps: int,
    *,
    columns: Sequence[str] | None = None,
    time: str | None = None,
    by: str | None = None,
) -> Samples:
    """Return the window at the end of each series: what tomorrow is forecast from.

    Arguments as for make_windows. Raises DataError if a series is too short.
    """
    windows = Windows(timesteps=timesteps, by=by, gaps="ignore", target="level")
    return closing_windows(_series(frame, windows, None, columns, time))


def training_windows(series: Series) -> Samples:
    """Return every window whose following rows are there too, series by series, oldest first.

    Of windows.stride, the last window of each stretch stays.
    Raises DataError if there is none; series that are too short for one are named by a warning.
    """
    windows, line = series.windows, _line(series)
    before, after = windows.timesteps - 1, windows.horizon
    n = len(line.rows)
    reach = np.arange(before, n - after)
    is_whole = line.piece[reach - before] == line.piece[reach + after]
    behind = line.rest[reach] - after  # windows of the same stretch that follow
    ends = reach[is_whole & (behind % windows.stride == 0)]
    _check_any(series, line, ends)
    ahead = ends[:, None] + np.arange(1, after + 1)
    y = series.frame[list(series.targets)].to_numpy(float)[line.rows[ahead]]
    return _samples(series, line, ends, y, line.rows[ends + after])


def closing_windows(series: Series) -> Samples:
    """Return the window at the end of each series.

    Raises DataError naming a series whose last stretch is too short.
    """
    line = _line(series)
    ends = np.flatnonzero(np.append(line.series[1:] != line.series[:-1], True))
    _check_long(series, line, ends)
    return _samples(series, line, ends)


def within_horizon(series: Series, is_known: np.ndarray) -> np.ndarray:
    """Return which rows that are not known (n_rows,) lie within the horizon of one that is."""
    line = _line(series)
    places = np.arange(len(line.rows))
    latest = np.maximum.accumulate(np.where(is_known[line.rows], places, -1))
    found = np.zeros(len(line.rows), dtype=bool)
    found[line.rows] = (places > latest) & (places - latest <= series.windows.horizon)
    return found


def asked_windows(series: Series, is_known: np.ndarray, is_asked: np.ndarray) -> Asked:
    """Return the windows before rows that are asked for, of the last rows that are known.

    is_known, is_asked: (n_rows,); of rows that are neither, nothing is known and nothing wanted.
    Raises DataError naming the first that lies too far behind what is known, or has too little
    before it.
    """
    line = _line(series)
    known, places = is_known[line.rows], np.flatnonzero(is_asked[line.rows])
    latest = np.maximum.accumulate(np.where(known, np.arange(len(known)), -1))
    ends = latest[places]
    step = places - ends
    lost = (ends < 0) | (line.piece[ends] != line.piece[places])
    if lost.any():
        row = line.rows[places[lost.argmax()]]
        raise DataError(
            f"{series.where(row)}: is to be forecast, but no known row{series.of(row)} stands "
            "before it without a gap; expected the rows before it in the training or the test file"
        )
    horizon = series.windows.horizon
    if (step > horizon).any():
        row, far = line.rows[places[step.argmax()]], step.max()
        raise DataError(
            f"{series.where(row)}: is row {far} after the last known one{series.of(row)}, beyond "
            f"[windows] horizon = {horizon}; declare horizon = {far}"
        )
    distinct, sample = np.unique(ends, return_inverse=True)
    _check_long(series, line, distinct, known)
    return Asked(_samples(series, line, distinct), line.rows[places], sample, step)


@dataclass(frozen=True, eq=False)
class _Line:
    """All rows behind each other, series by series, oldest first.

    rows: (n,), positions in the frame. series, piece: (n,), the number of a row's series, and of
    its stretch without a gap. rest: (n,), how many rows follow in the stretch.
    """

    rows: np.ndarray
    series: np.ndarray
    piece: np.ndarray
    rest: np.ndarray


def _line(series: Series) -> _Line:
    """Put the rows in order. Raises DataError for two at one time, or a gap that is refused."""
    by, time = series.windows.by, _numbers(series.time)
    names = pd.Series(np.zeros(len(time))) if by is None else series.frame[by]
    codes = pd.factorize(names, sort=True)[0]
    nameless = (codes < 0) | np.isnan(time)
    if nameless.any():
        where = series.where(int(nameless.argmax()))
        raise DataError(f"{where}: expected a time, and a series by [windows] by; found none")
    rows = np.lexsort((time, codes))
    steps, is_new = np.diff(time[rows]), np.diff(codes[rows]) != 0
    inside = steps[~is_new]
    if (inside == 0).any():
        row = rows[1:][(steps == 0) & ~is_new][0]
        raise DataError(
            f"{series.where(row)}: another row{series.of(row)} has the time "
            f"{series.time.iloc[row]}; expected one row a time, or several series by [windows] by"
        )
    is_gap = ~is_new & (steps > GAP * (np.median(inside) if len(inside) else 0))
    if series.windows.gaps == "refuse" and is_gap.any():
        raise DataError(_gap(series, rows, int(is_gap.argmax()), float(np.median(inside))))
    if series.windows.gaps == "ignore":
        is_gap[:] = False
    piece = np.append(0, np.cumsum(is_new | is_gap)) if len(rows) else np.zeros(0, int)
    last = np.searchsorted(piece, piece, side="right") - 1
    return _Line(rows, codes[rows], piece, last - np.arange(len(rows)))


def _numbers(time: pd.Series) -> np.ndarray:
    """Return times as numbers, of dates the days since 1970."""
    if is_datetime64_any_dtype(time):
        plain = time.dt.tz_localize(None)
        return np.asarray((plain - pd.Timestamp(0)) / pd.Timedelta(days=1), dtype=float)
    return time.to_numpy(float)


def _gap(series: Series, rows: np.ndarray, place: int, usual: float) -> str:
    before, row = rows[place], rows[place + 1]
    is_dates = is_datetime64_any_dtype(series.time)

    def shown(distance: float) -> str:
        if not is_dates:
            return f"{distance:g}"
        text = str(pd.Timedelta(days=distance).round("s"))
        text = text.removesuffix(" 00:00:00").removeprefix("0 days ")
        return "1 day" if text == "1 days" else text

    first, second = series.time.iloc[before], series.time.iloc[row]
    found = float(np.diff(_numbers(series.time.iloc[[before, row]]))[0])
    return (
        f"{series.where(row)}: a gap in time{series.of(row)}: expected {shown(usual)} from row to "
        f"row, found {shown(found)} from {first} to {second}; declare [windows] gaps = "
        '"split" to let no window reach across, or "ignore" if rows follow each other all the same'
    )


def _check_any(series: Series, line: _Line, ends: np.ndarray) -> None:
    """Check that there are windows, and tell of the series that have none."""
    windows = series.windows
    need = windows.timesteps + windows.horizon
    needed = f"timesteps = {windows.timesteps} and horizon = {windows.horizon} need"
    if not len(ends):
        longest = int(line.rest.max(initial=-1)) + 1
        one = "the series" if windows.by is None else "a series"
        raise DataError(
            f"[windows]: expected {one} of {need} rows or more without a gap, as {needed}; found "
            f"at most {longest}; declare fewer"
        )
    short = np.setdiff1d(line.series, line.series[ends])
    if len(short):
        first = line.rows[np.searchsorted(line.series, short[0])]
        emit(
            Warned(
                f"{len(short):,} series with fewer rows than {needed} teach nothing; the first is "
                f"that{series.of(first)}"
            )
        )


def _check_long(
    series: Series, line: _Line, ends: np.ndarray, known: np.ndarray | None = None
) -> None:
    """Check that a whole window of known rows ends at each place of the line."""
    timesteps = series.windows.timesteps
    known = np.ones(len(line.rows), dtype=bool) if known is None else known
    starts = np.append(True, (line.piece[1:] != line.piece[:-1]) | ~known[:-1])
    start = np.maximum.accumulate(np.where(starts, np.arange(len(starts)), 0))
    n_known = ends - start[ends] + 1
    if (n_known < timesteps).any():
        place = int(n_known.argmin())
        row = line.rows[ends[place]]
        raise DataError(
            f"{series.where(row)}: expected windows.timesteps = {timesteps} known rows"
            f"{series.of(row)} without a gap up to here, found {n_known[place]}; declare fewer "
            "timesteps"
        )


def _samples(
    series: Series,
    line: _Line,
    ends: np.ndarray,
    y: np.ndarray | None = None,
    until: np.ndarray | None = None,
) -> Samples:
    """Return the windows that end at these places of the line."""
    inside = ends[:, None] + np.arange(1 - series.windows.timesteps, 1)
    values = series.frame[list(series.channels)].to_numpy(float)
    x = values[line.rows[inside]]  # (n_samples, timesteps, n_channels)
    last = series.frame[list(series.targets)].to_numpy(float)[line.rows[ends]]
    return Samples(x, y, last, line.rows[ends], until, series)


def _series(
    frame: pd.DataFrame,
    windows: Windows,
    target: str | Sequence[str] | None,
    columns: Sequence[str] | None,
    time: str | None,
) -> Series:
    """Return the rows of a frame as its own columns say, checked."""
    for name in ("timesteps", "horizon", "stride"):
        if getattr(windows, name) < 1:
            raise DataError(f"{name}: expected 1 or more, found {getattr(windows, name)}")
    for place in (time, windows.by):
        if place is not None and place not in frame:
            hint = did_you_mean(place, map(str, frame))
            raise DataError(f"make_windows: there is no column {place!r}; {hint}")
    numbers = [n for n in map(str, frame) if is_numeric_dtype(frame[n])]
    usual = [name for name in numbers if name not in (time, windows.by)]
    targets = usual[-1:] if target is None else [target] if isinstance(target, str) else target
    channels = usual if columns is None else columns
    for name in (*targets, *channels):
        if name not in numbers:
            hint = did_you_mean(str(name), numbers)
            raise DataError(f"make_windows: column {name!r}: expected a column of numbers; {hint}")
    order = pd.Series(np.arange(len(frame)), frame.index) if time is None else frame[time]
    if not is_numeric_dtype(order) and not is_datetime64_any_dtype(order):
        raise DataError(
            f"make_windows: column {time!r}: expected dates or numbers, found text; convert it "
            "with pd.to_datetime"
        )
    return Series(frame, order, tuple(channels), tuple(targets), windows)
