"""What is known of columns, of rows that are never together: statistics that merge."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from pipeline.errors import DataError

MOST_LEVELS = 1_000_000  # of a column; more are ids or prose, and no levels


@dataclass(frozen=True, eq=False)
class Moments:
    """Numbers by column (n_columns,): how many there are, missing ones, and what they amount to.

    squared: the sum of squared deviations from the mean. least, most: inf and -inf of no number.
    """

    n: np.ndarray
    missing: np.ndarray
    mean: np.ndarray
    squared: np.ndarray
    least: np.ndarray
    most: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Return those of rows (n_samples, n_columns); NaN is missing."""
        is_here = ~np.isnan(values)
        n = is_here.sum(axis=0)
        mean = np.where(is_here, values, 0.0).sum(axis=0) / np.maximum(n, 1)
        return cls(
            n=n,
            missing=len(values) - n,
            mean=mean,
            squared=np.square(np.where(is_here, values - mean, 0.0)).sum(axis=0),
            least=np.where(is_here, values, np.inf).min(axis=0, initial=np.inf),
            most=np.where(is_here, values, -np.inf).max(axis=0, initial=-np.inf),
        )

    def merged(self, other: Self) -> Self:
        """Return those of both (Chan, Golub and LeVeque, 1983)."""
        n = self.n + other.n
        apart, share = other.mean - self.mean, other.n / np.maximum(n, 1)
        return type(self)(
            n=n,
            missing=self.missing + other.missing,
            mean=self.mean + apart * share,
            squared=self.squared + other.squared + np.square(apart) * self.n * share,
            least=np.minimum(self.least, other.least),
            most=np.maximum(self.most, other.most),
        )

    @property
    def variance(self) -> np.ndarray:
        """The mean squared deviation of each column, 0 of no number."""
        return np.asarray(self.squared / np.maximum(self.n, 1))


@dataclass(frozen=True, eq=False)
class Levels:
    """Values of a column and how often each stands there; missing ones are counted apart."""

    counts: pd.Series
    missing: int

    @classmethod
    def of(cls, values: pd.Series) -> Self:
        """Return those of rows."""
        counts = values.value_counts(sort=False, dropna=True).sort_index()
        counts.name = values.name
        return cls(counts, int(values.isna().sum()))

    def merged(self, other: Self) -> Self:
        """Return those of both.

        Raises DataError if there are too many.
        """
        counts = self.counts.add(other.counts, fill_value=0).astype(np.int64)
        if len(counts) > MOST_LEVELS:
            raise DataError(
                f"column {counts.name!r} has over {MOST_LEVELS:,} levels, such as "
                f"{counts.index[0]!r}; add it to [columns] drop, or shorten it in features.py"
            )
        counts.name = self.counts.name
        return type(self)(counts, self.missing + other.missing)

    @property
    def mode(self) -> Any:
        """The most frequent value, the first in order of equally frequent ones; None of none."""
        return (
            None if self.counts.empty else self.counts.index[int(self.counts.to_numpy().argmax())]
        )


@dataclass(frozen=True, eq=False)
class Statistics:
    """What is known of all columns of a frame.

    columns: in its order. numbers: the names of those of numbers, as in moments. levels: of text,
    and of the numbers of which the most frequent one is asked for.
    """

    rows: int
    columns: tuple[str, ...]
    numbers: tuple[str, ...]
    moments: Moments
    levels: Mapping[str, Levels]

    @classmethod
    def of(cls, frame: pd.DataFrame, counted: Iterable[str] = ()) -> Self:
        """Return those of a partition's rows; counted: columns of numbers counted as levels too."""
        numbers = tuple(str(name) for name in frame if is_numeric_dtype(frame[name]))
        text = [str(name) for name in frame if name not in numbers]
        return cls(
            rows=len(frame),
            columns=tuple(map(str, frame)),
            numbers=numbers,
            moments=Moments.of(frame[list(numbers)].to_numpy(float)),
            levels={name: Levels.of(frame[name]) for name in (*text, *counted)},
        )

    def merged(self, other: Self) -> Self:
        """Return those of both partitions' rows.

        Raises DataError if they have not the same columns, or too many levels.
        """
        if (self.columns, self.numbers) != (other.columns, other.numbers):
            raise DataError(
                "features.py makes other columns, or of another type, of some rows: expected "
                f"{list(self.columns)} with the numbers {list(self.numbers)}, found "
                f"{list(other.columns)} with {list(other.numbers)}"
            )
        return type(self)(
            rows=self.rows + other.rows,
            columns=self.columns,
            numbers=self.numbers,
            moments=self.moments.merged(other.moments),
            levels={name: one.merged(other.levels[name]) for name, one in self.levels.items()},
        )

    def finish(self) -> "Known":
        """Return what is known, column by column."""
        at = {name: i for i, name in enumerate(self.numbers)}
        m, deviation = self.moments, np.sqrt(self.moments.variance)
        return Known(
            rows=self.rows,
            columns=self.columns,
            numbers={
                name: Number(
                    n=int(m.n[i]),
                    missing=int(m.missing[i]),
                    mean=float(m.mean[i]),
                    deviation=float(deviation[i]),
                    least=float(m.least[i]),
                    most=float(m.most[i]),
                )
                for name, i in at.items()
            },
            levels=self.levels,
        )


@dataclass(frozen=True)
class Number:
    """What is known of one column of numbers."""

    n: int
    missing: int
    mean: float
    deviation: float
    least: float
    most: float


@dataclass(frozen=True, eq=False)
class Known:
    """What fitted steps are made from: each column of numbers, and the levels of the others.

    ranked: of columns of numbers, the values at shares of their rows, as {0.5: median}; they are
    found in passes of their own, where they are asked for.
    """

    rows: int
    columns: tuple[str, ...]
    numbers: Mapping[str, Number]
    levels: Mapping[str, Levels]
    ranked: Mapping[str, Mapping[float, float]] = field(default_factory=dict)


def merge(each: Iterable[Any]) -> Any:
    """Return what pieces say together, merged in their order."""
    return reduce(lambda one, other: one.merged(other), each)
