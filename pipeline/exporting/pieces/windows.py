"""Time series as windows of rows that are known, each answered by the rows that follow it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype

from pipeline.exporting.pieces.files import Rows, with_features
from pipeline.exporting.pieces.fitting import backward


def told_rows(
    test: pd.DataFrame,
    targets: Sequence[str],
    places: Sequence[str],
    add_features: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the test rows, and which are known: of the others only when and where they are."""
    is_known = test.reindex(columns=list(targets)).notna().all(axis="columns").to_numpy()
    if not is_known.any():
        return test[list(places)], is_known
    known = test[is_known]
    if add_features is not None:
        known = with_features(known, add_features)
    return known.reindex(test.index).assign(**{name: test[name] for name in places}), is_known


@dataclass(frozen=True, eq=False)
class Following(Rows):
    """Windows, and the rows that followed each; order: when a window ended.

    until: (n_samples,), when the last of its answers was known.
    """

    until: pd.Series | None = None


def apart(rows: Following, held_out: np.ndarray) -> tuple[Following, np.ndarray]:
    """Return windows whose answers were known when the first held-out one ended, and those.

    held_out: positions of the latter; returned as positions among what is left.
    """
    assert rows.order is not None
    assert rows.until is not None
    is_left = np.array(rows.until <= rows.order.iloc[held_out].min())
    is_left[held_out] = True
    left = np.flatnonzero(is_left)
    return rows.at(left), np.searchsorted(left, held_out)


@dataclass(frozen=True, kw_only=True)
class Windows:
    """How rows of time series become samples.

    timesteps: rows that are known; horizon: rows that are forecast; stride: every how many rows a
    window ends that is learned from. channels: what windows hold; targets: what is forecast. time,
    by: the columns that order rows, and that name a row's series. split: whether no window reaches
    across a gap in time.
    """

    timesteps: int
    horizon: int
    channels: Sequence[str]
    targets: Sequence[str]
    time: str
    by: str | None = None
    stride: int = 1
    split: bool = False

    def past(self, column: str, back: int) -> str:
        """Return what a column is called so many rows before a window's last one."""
        return f"{column} t-{back}" if back else f"{column} t"

    def known(self, frame: pd.DataFrame) -> Following:
        """Return every window whose following rows are there too, series by series."""
        rows, piece = self.line(frame)
        ends = np.arange(self.timesteps - 1, len(rows) - self.horizon)
        is_whole = piece[ends - self.timesteps + 1] == piece[ends + self.horizon]
        last = np.searchsorted(piece, piece[ends + self.horizon], side="right") - 1
        ends = ends[is_whole & ((last - ends - self.horizon) % self.stride == 0)]
        ahead = rows[ends[:, None] + np.arange(1, self.horizon + 1)]
        y = frame[list(self.targets)].to_numpy(float)[ahead].reshape(len(ends), -1)
        steps = range(1, self.horizon + 1)
        names = [f"{name} t+{step}" for step in steps for name in self.targets]
        answers = pd.DataFrame(y, columns=names)
        return Following(
            X=self.ending(frame, rows, ends),
            y=answers if len(names) > 1 else answers[names[0]],
            order=frame[self.time].iloc[rows[ends]].reset_index(drop=True),
            until=frame[self.time].iloc[rows[ends + self.horizon]].reset_index(drop=True),
        )

    def asked(
        self, frame: pd.DataFrame, is_known: np.ndarray, is_asked: np.ndarray
    ) -> tuple[pd.DataFrame, np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Return the windows of the last known rows before those that are asked for.

        With them, the positions of the latter, and of each its window, and how many rows ahead of
        that it lies.
        """
        rows, _ = self.line(frame)
        places = np.flatnonzero(is_asked[rows])
        latest = np.maximum.accumulate(np.where(is_known[rows], np.arange(len(rows)), -1))
        ends, which = np.unique(latest[places], return_inverse=True)
        return self.ending(frame, rows, ends), rows[places], (which, places - latest[places])

    def line(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows series by series, oldest first, and in which stretch each stands."""
        time = frame[self.time]
        if is_datetime64_any_dtype(time):
            time = (time.dt.tz_localize(None) - pd.Timestamp(0)) / pd.Timedelta(days=1)
        days = time.to_numpy(float)
        names = np.zeros(len(frame)) if self.by is None else frame[self.by]
        series = pd.factorize(names, sort=True)[0]
        rows = np.lexsort((days, series))
        steps, is_new = np.diff(days[rows]), np.diff(series[rows]) != 0
        if self.split:
            is_new = is_new | (steps > 1.5 * np.median(steps[~is_new]))
        return rows, np.append(0, np.cumsum(is_new))

    def ending(self, frame: pd.DataFrame, rows: np.ndarray, ends: np.ndarray) -> pd.DataFrame:
        """Return the windows that end at these places of the line, row behind row."""
        back = range(self.timesteps - 1, -1, -1)
        names = [self.past(channel, n) for n in back for channel in self.channels]
        inside = rows[ends[:, None] - np.array(back)]
        values = frame[list(self.channels)].to_numpy(float)[inside]
        return pd.DataFrame(values.reshape(len(ends), len(names)), columns=names)


@dataclass(frozen=True)
class LastValue:
    """Answers, and the targets' own past, as changes from the last known value.

    as_ratio: as the ratio to it less 1 instead.
    """

    windows: Windows
    as_ratio: bool = False

    def of(self, X: pd.DataFrame) -> np.ndarray:
        """Return the last known value of each answer (n_samples, n_outputs)."""
        names = [self.windows.past(name, 0) for name in self.windows.targets]
        return np.asarray(np.tile(X[names].to_numpy(float), self.windows.horizon))

    def told(self, levels: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return levels as what became of the last value."""
        return np.asarray(levels / last - 1 if self.as_ratio else levels - last)

    def relative(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return windows with the targets' past told as the answers are."""
        past = self.windows.past
        told = {
            past(name, n): self.told(X[past(name, n)].to_numpy(float), X[past(name, 0)].to_numpy())
            for name in self.windows.targets
            for n in range(self.windows.timesteps)
        }
        return X.assign(**told)

    def forward(self, X: pd.DataFrame, y: Any, transform: str) -> np.ndarray:
        """Return answers as they are fitted; a level's transform has no meaning here."""
        levels = np.asarray(y, dtype=float)
        return self.told(levels.reshape(len(X), -1), self.of(X)).reshape(levels.shape)

    def backward(
        self,
        X: pd.DataFrame,
        scaled: np.ndarray,
        transform: str,
        lower: float | None,
        upper: float | None,
        added: Any,
    ) -> np.ndarray:
        """Return the levels again, within their bounds."""
        told, last = scaled.reshape(len(X), -1), self.of(X)
        levels = (told + 1) * last if self.as_ratio else told + last
        return backward(X, levels, transform, lower, upper, added)
