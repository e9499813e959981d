"""A piece of Parquet as rows that can be learned from, a block at a time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.checks import check_new, check_part
from pipeline.cleaning import fulfil, incomplete_rows
from pipeline.competition import Competition, Target
from pipeline.data import TestData, parquet_ids, split_test, split_train
from pipeline.errors import DataError
from pipeline.features import apply_features, load_features, spread_dates
from pipeline.kinds import Kind
from pipeline.parquet import ParquetRows, Piece, typed
from pipeline.partitions.dealing import Dealing, Dealt, keys_of
from pipeline.partitions.steps import Steps
from pipeline.targets import transformed


@dataclass(frozen=True, eq=False)
class Block:
    """Some training rows (n_samples,) and what has become of them.

    is_fit: they may be trained on; cleaning keeps the others out. missing, outliers: how many of
    them it keeps out, and why, by fold.
    """

    X: pd.DataFrame
    y: np.ndarray
    ids: pd.Series
    dealt: Dealt
    is_fit: np.ndarray
    incomplete: np.ndarray
    outlying: np.ndarray

    def trains(self, fold: int) -> np.ndarray:
        """Return which rows a fold's fit grows on (n_samples,)."""
        return np.asarray(self.is_fit & ~self.dealt.is_held & (self.dealt.fold != fold))


@dataclass(frozen=True)
class Reader:
    """What makes rows of pieces; it is sent to workers, and reads what they see on disk.

    folder: of the competition's features.py. kinds: of the columns that are read. hidden: those of
    them that the test file lacks. key: the column that deals a row out; None is its number.
    """

    competition: Competition
    folder: Path
    kinds: Mapping[str, Kind]
    hidden: tuple[str, ...]
    key: str | None
    dealing: Dealing | None = None

    def blocks(self, piece: Piece) -> Iterator[Block]:
        """Yield the training rows of a piece, cleaned and dealt out. Raises DataError."""
        for first, frame, ids, file in self._frames(piece):
            made = with_features(self._features, frame, self.hidden)
            check_part(made, file, self.competition)
            columns = self.competition.columns
            rows = split_train(spread_dates(made, columns), ids, columns)
            yield self._block(rows.X, np.asarray(rows.y), ids, frame, first)

    def test_blocks(self, piece: Piece, features: Collection[str]) -> Iterator[TestData]:
        """Yield the test rows of a piece, with the columns that models know. Raises DataError."""
        for _, frame, ids, file in self._frames(piece):
            made = spread_dates(apply_features(self._features, frame), self.competition.columns)
            check_new(made, file, list(features))
            yield split_test(made, ids, self.competition.columns, list(features))

    @property
    def _features(self) -> Any:
        return load_features(self.folder)

    def _frames(self, piece: Piece) -> Iterator[tuple[int, pd.DataFrame, pd.Series, ParquetRows]]:
        for first, table in piece.tables(self.kinds):
            file = piece.rows_from(first)
            ids = parquet_ids(table, self.competition, first)
            yield first, typed(table, self.kinds, file), ids, file

    def _block(
        self, X: pd.DataFrame, y: np.ndarray, ids: pd.Series, frame: pd.DataFrame, first: int
    ) -> Block:
        assert self.dealing is not None
        cleaning = self.competition.cleaning
        numbers = np.arange(first, first + len(X), dtype=np.uint64)
        known = numbers if self.key is None else keys_of(frame[self.key])
        incomplete = incomplete_rows(X, cleaning)
        outlying = np.zeros(len(X), dtype=bool)
        if cleaning.outliers is not None:
            outlying = fulfil(frame, cleaning.outliers).to_numpy() & ~incomplete
        is_fit = ~(incomplete | outlying)
        return Block(X, y, ids, self.dealing.deal(known), is_fit, incomplete, outlying)


def with_features(features: Any, frame: pd.DataFrame, hidden: Sequence[str]) -> pd.DataFrame:
    """Return rows with their own features, made without the columns that the test file lacks."""
    if features.add_features is None:
        return frame
    made = apply_features(features, frame.drop(columns=list(hidden)))
    return made.join(frame[list(hidden)])


@dataclass(frozen=True, eq=False)
class Prepared:
    """What is fitted before the model: from typed columns to numbers, from answers to theirs.

    labels: the sorted classes, whose positions are the answers; None for numbers.
    """

    steps: Steps
    target: Target
    labels: np.ndarray | None

    def after(self, name: str, step: Any) -> "Prepared":
        """Return this with one fitted step more."""
        return replace(self, steps=[*self.steps, (name, step)])

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return rows as the steps leave them."""
        for _, step in self.steps:
            X = step.transform(X)
        return X

    def numbers(self, X: pd.DataFrame) -> np.ndarray:
        """Return rows as the model sees them (n_samples, n_columns)."""
        return np.ascontiguousarray(self.transform(X), dtype=float)

    def answers(self, y: np.ndarray) -> np.ndarray:
        """Return answers (n_samples,) as the model learns them."""
        if self.labels is None:
            return np.asarray(transformed(y.astype(float), self.target))
        return np.searchsorted(self.labels, y)


@dataclass(frozen=True, eq=False)
class FoldRows:
    """The rows of some pieces that a fold's fit grows on.

    counts: how many there are in each piece.
    """

    reader: Reader
    prepared: Prepared
    pieces: tuple[Piece, ...]
    counts: tuple[int, ...]
    fold: int

    def __len__(self) -> int:
        return sum(self.counts)

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield X (n_rows, n_columns) and y (n_rows,), as the model sees them."""
        for piece, count in zip(self.pieces, self.counts, strict=True):
            found = 0
            for block in self.reader.blocks(piece):
                wanted = block.trains(self.fold)
                found += int(wanted.sum())
                if wanted.any():
                    X = self.prepared.numbers(block.X[wanted])
                    yield X, self.prepared.answers(block.y[wanted])
            if found != count:
                raise DataError(f"{piece.path}: was changed while it was read; start again")
