"""Whether rows are steps of time series whose next rows are asked for: then windows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.competition import Gaps, Target, Windows
from pipeline.data import normalise_ids
from pipeline.dates import parse_dates
from pipeline.errors import DataError
from pipeline.inference.answers import Question
from pipeline.inference.columns import Finding, is_dated
from pipeline.inference.evidence import Cells, Said, Tables, listed
from pipeline.inference.folds import Division, first_of
from pipeline.progress import counted, only_listening
from pipeline.windows import Series, asked_windows, training_windows

DAY = 1.0  # in days
SECONDS_A_DAY = 86_400
LONG = 10**6  # rows: more than any horizon
FEWEST = 40  # windows from which five folds learn something
SATURDAY = 5


@dataclass(frozen=True)
class Rhythm:
    """How often a row of a series comes: days from one to the next, and whether weekends lack."""

    days: float
    on_weekdays: bool = False

    @property
    def looked_back(self) -> tuple[int, str]:
        """Return how many rows are usually known, and what they are in words."""
        if self.days < 0.9 * DAY:
            return 24, "rows of a day, if they come by the hour"
        if self.days < 2 * DAY:
            return (10 if self.on_weekdays else 14), "two weeks"
        if self.days < 15 * DAY:
            return 8, "eight weeks"
        return 12, "a year of months"

    @property
    def asked_for(self) -> int:
        """How many rows are forecast where nobody says."""
        if self.days < 0.9 * DAY:
            return 24
        if self.days < 2 * DAY:
            return 5 if self.on_weekdays else 7
        return 4 if self.days < 15 * DAY else 3


@dataclass(frozen=True)
class SeriesGuess:
    """Windows that rows can be cut into, by the column time, and what speaks for their parts."""

    windows: Windows
    time: str
    why: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Rows:
    """The rows of both files: when, of which series, with which target, and what is asked.

    frame: (n_rows, ...) with time, by and the targets. is_known, is_asked: (n_rows,).
    """

    frame: pd.DataFrame
    time: str
    by: str | None
    targets: tuple[str, ...]
    n_train: int
    is_known: np.ndarray
    is_asked: np.ndarray

    def series(self, windows: Windows, *, only_train: bool = False) -> Series:
        """Return the rows as series that are cut into such windows."""
        frame = self.frame.iloc[: self.n_train] if only_train else self.frame
        return Series(frame, frame[self.time], self.targets, self.targets, windows)

    @property
    def rhythm(self) -> Rhythm:
        """How often a row comes, in the training rows."""
        return rhythm_of(self.frame.iloc[: self.n_train], self.time, self.by)


def rhythm_of(frame: pd.DataFrame, time: str, by: str | None) -> Rhythm:
    """Return how often a row of a series comes."""
    ordered = frame.sort_values(time)
    groups = ordered[time] if by is None else ordered.groupby(by)[time]
    days = groups.diff().dt.total_seconds().median() / SECONDS_A_DAY
    weekday = frame[time].dt.day_of_week
    return Rhythm(float(days), bool(days < 2 * DAY) and not (weekday >= SATURDAY).any())


def find_series(
    tables: Tables,
    cells: tuple[Mapping[str, Cells], Mapping[str, Cells]],
    question: Question,
    division: Division,
    target: Target,
    dayfirst: bool | None,
    said: Said,
) -> tuple[SeriesGuess | None, str]:
    """Return the windows that the files ask for, or None, and what may be worth saying of it.

    cells: of the training and the test file.
    The test's rows have to follow those that are known, each series', and nothing but their time
    and series may be told of them. What is only like that gets a hint instead.
    """
    train, test = cells
    time = division.time
    if time is None or question.id is None or question.by_position:
        return None, ""
    if any(train[name].n_missing or train[name].numbers is None for name in question.target):
        return None, ""
    by, hint = _series_key(train, test, question, time)
    if hint:
        return None, hint
    rows = _rows(tables, train, test, question, (time, by), dayfirst)
    told = _told_ahead(test, rows, question, (time, by))
    if told:
        return None, (
            f"[windows] would forecast from earlier rows; what test tells of {listed(told, 3)} "
            "would be lost to it"
        )
    return _guess(rows, target, said.windows)


def _guess(rows: _Rows, target: Target, settled: Windows | None) -> tuple[SeriesGuess | None, str]:
    """Return the windows of rows, if they can be cut so that all that is asked is answered."""
    try:
        horizon, shortest = _reach(rows)
        gaps, why = _gaps(rows, horizon)
    except DataError as error:
        return None, f"no [windows]: {error}"
    usual, words = rows.rhythm.looked_back
    n_times = rows.frame[rows.time].iloc[: rows.n_train].nunique()
    most = min(max(usual, horizon), shortest, (n_times - FEWEST) // 2 - 2 * horizon)
    is_level = target.transform not in (None, "none")
    guess = Windows(
        timesteps=most if settled is None else settled.timesteps,
        horizon=horizon,
        by=rows.by,
        gaps=gaps,
        target="level" if is_level else "change",
    )
    fitting = next((one for one in _shorter(guess) if _answers_all(rows, one)), None)
    if fitting is None:
        few = counted(shortest, "row")
        return None, f"no [windows]: {horizon} rows are asked for behind series of {few}: too few"
    one = "the series" if rows.by is None else "each series"
    reasons = {
        "windows": f"test's rows follow {one}, and only their time is told",
        "timesteps": f"a guess: {words}" if fitting.timesteps == usual else "a guess",
        "horizon": "as many rows are asked for behind the last known one",
        "by": f"one row a {rows.time!r} and {rows.by!r}",
        "gaps": why,
        "target": f"{target.transform} is of levels",
    }
    return SeriesGuess(fitting, rows.time, reasons), ""


def _shorter(windows: Windows) -> Iterator[Windows]:
    """Yield windows, and shorter ones."""
    steps = sorted({windows.timesteps, 14, 10, 7, 5, 3, 2}, reverse=True)
    yield from (replace(windows, timesteps=n) for n in steps if n <= windows.timesteps)


def _answers_all(rows: _Rows, windows: Windows) -> bool:
    """Tell whether a whole window of known rows lies before each row that is asked for."""
    try:
        asked_windows(rows.series(windows), rows.is_known, rows.is_asked)
    except DataError:
        return False
    return True


def _reach(rows: _Rows) -> tuple[int, int]:
    """Return how far behind known rows the last asked one lies, and the shortest series' rows.

    Raises DataError if something is asked of which nothing is known.
    """
    windows = Windows(timesteps=1, horizon=LONG, by=rows.by, gaps="ignore", target="level")
    asked = asked_windows(rows.series(windows), rows.is_known, rows.is_asked)
    if rows.by is None:
        return int(asked.step.max()), rows.n_train
    keys = rows.frame[rows.by]
    n_train = keys.iloc[: rows.n_train].value_counts()
    return int(asked.step.max()), int(n_train.reindex(keys.iloc[asked.rows].unique()).min())


def _gaps(rows: _Rows, horizon: int) -> tuple[Gaps, str]:
    """Return what gaps in time mean, and why.

    Raises DataError if rows are asked for behind a gap that nothing explains.
    """
    choices: list[tuple[Gaps, str]] = [("refuse", ""), ("split", "rows are missing here and there")]
    if rows.rhythm.on_weekdays:
        choices.insert(1, ("ignore", "no row is of a Saturday or a Sunday"))
    reason: DataError | None = None
    for gaps, why in choices:
        windows = Windows(timesteps=1, horizon=horizon, by=rows.by, gaps=gaps, target="level")
        try:
            with only_listening(lambda _: None):
                found = training_windows(rows.series(windows, only_train=True))
            asked_windows(rows.series(windows), rows.is_known, rows.is_asked)
        except DataError as error:
            reason = reason if gaps == "split" and reason else error
            continue
        if len(found) >= FEWEST:
            return gaps, why
        reason = DataError(f"{counted(len(found), 'window')} of training rows are too few")
    assert reason is not None
    raise reason


def _series_key(
    train: Mapping[str, Cells], test: Mapping[str, Cells], question: Question, time: str
) -> tuple[str | None, str]:
    """Return the column that tells series apart, None where there is one series, and a hint."""
    if train[time].n_levels == len(train[time]):
        return None, ""
    taken = {*question.target, question.id, time}
    names = [
        name
        for name, cells in train.items()
        if name not in taken and name in test and not cells.n_missing and not test[name].n_missing
    ]
    single = [name for name in names if are_distinct(train, [time, name])]
    known = [name for name in single if set(test[name].levels) <= set(train[name].levels)]
    if known:
        return min(known, key=lambda name: train[name].n_levels), ""
    pair = next(
        ((a, b) for a in names for b in names if a < b and are_distinct(train, [time, a, b])), None
    )
    if pair is None or single:
        return None, "" if single else f"no [windows]: several rows have the same {time!r}"
    return None, (
        f"series that {pair[0]!r} and {pair[1]!r} tell apart only together: one column of both "
        "would let [windows] by name them"
    )


def are_distinct(cells: Mapping[str, Cells], names: Sequence[str]) -> bool:
    """Tell whether no two rows are alike in all of these columns."""
    frame = pd.DataFrame({name: cells[name].text.to_pandas() for name in names})
    return not bool(frame.duplicated().any())


def _rows(
    tables: Tables,
    train: Mapping[str, Cells],
    test: Mapping[str, Cells],
    question: Question,
    places: tuple[str, str | None],
    dayfirst: bool | None,
) -> _Rows:
    """Return the rows of both files, the test's behind the training rows."""
    time, by = places
    n_train, n_test = len(tables.train), len(tables.test)
    first = first_of(train[time], dayfirst)
    dates = [parse_dates(one[time].text, first) for one in (train, test)]
    columns = {time: pd.concat(dates, ignore_index=True)}
    if by is not None:
        columns[by] = pd.concat(
            [one[by].text.to_pandas() for one in (train, test)], ignore_index=True
        )
    for name in question.target:
        told = [_numbers(one.get(name), n) for one, n in ((train, n_train), (test, n_test))]
        columns[name] = pd.Series(np.concatenate(told))
    frame = pd.DataFrame(columns)
    is_known = frame[list(question.target)].notna().all(axis="columns").to_numpy()
    wanted = normalise_ids(tables.sample[str(question.id)])
    is_asked = normalise_ids(tables.test[str(question.id)]).isin(wanted).to_numpy()
    is_asked = np.concatenate([np.zeros(n_train, dtype=bool), is_asked])
    return _Rows(frame, time, by, question.target, n_train, is_known, is_asked & ~is_known)


def _numbers(cells: Cells | None, n_rows: int) -> np.ndarray:
    """Return a column's numbers (n_rows,), NaN where there is none."""
    if cells is None or cells.numbers is None:
        return np.full(n_rows, np.nan)
    return np.asarray(cells.numbers.cast(pa.float64()).to_pandas(), dtype=float)


def _told_ahead(
    test: Mapping[str, Cells],
    rows: _Rows,
    question: Question,
    places: tuple[str, str | None],
) -> list[str]:
    """Return the columns of the test file that say something of rows that are asked for."""
    asked = pa.array(rows.is_asked[rows.n_train :])
    taken = {*question.target, question.id, *places}
    others = {name: cells for name, cells in test.items() if name not in taken}
    return [name for name, cells in others.items() if len(cells.text.filter(asked).drop_null())]


def channels(
    train: Mapping[str, Cells],
    test: Mapping[str, Cells],
    question: Question,
    guess: SeriesGuess,
) -> Iterator[Finding]:
    """Yield what has to be said of columns whose rows are cut into windows."""
    is_told = any(name in test and len(test[name].present) for name in question.target)
    taken = {*question.target, question.id, guess.windows.by}
    yield Finding(guess.time, "datetime", "places a row in its series")
    for name, cells in train.items():
        if name in taken or name == guess.time:
            continue
        if is_told and name not in test:
            yield Finding(name, "drop", "not in test")
        elif cells.numbers is None:
            what = "dates" if is_dated(cells) else "text"
            yield Finding(name, "drop", f"{what}: windows hold numbers")
        elif cells.n_levels < 2:
            yield Finding(name, "drop", "the same in every row of train")
