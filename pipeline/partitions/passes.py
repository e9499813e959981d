"""What is asked of each piece in turn; the answers merge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from pipeline.parquet import Piece
from pipeline.partitions.ranks import Counts, Wanted
from pipeline.partitions.rows import Prepared, Reader
from pipeline.partitions.statistics import Levels, Moments, Statistics, merge


@dataclass(frozen=True, eq=False)
class Chosen:
    """The rows that fits look at whole: those that stop them, and those that place the bins."""

    X: pd.DataFrame
    y: np.ndarray
    fold: np.ndarray
    is_held: np.ndarray

    def merged(self, other: Self) -> Self:
        """Return those of both."""
        return type(self)(
            pd.concat([self.X, other.X], ignore_index=True),
            np.concatenate([self.y, other.y]),
            np.concatenate([self.fold, other.fold]),
            np.concatenate([self.is_held, other.is_held]),
        )

    def of(self, fold: int, *, held: bool) -> tuple[pd.DataFrame, np.ndarray]:
        """Return X and y of the rows of a fold's training rows that it holds out, or the others."""
        wanted = (self.fold != fold) & (self.is_held == held)
        return self.X[wanted], self.y[wanted]


@dataclass(frozen=True, eq=False)
class Survey:
    """What one pass over training rows finds, each fold's rows apart.

    rows, incomplete, outlying: (n_splits,). statistics: of each fold's rows that may be trained on.
    answers: of all rows. labels: how often each class stands in each fold, None for numbers.
    growing: of each piece, by its number, how many rows of each fold fits grow on.
    """

    rows: np.ndarray
    incomplete: np.ndarray
    outlying: np.ndarray
    statistics: tuple[Statistics, ...]
    answers: Moments | None
    labels: Levels | None
    growing: Mapping[int, np.ndarray]
    chosen: Chosen

    def merged(self, other: Self) -> Self:
        """Return that of both. Raises DataError if their columns differ."""
        return type(self)(
            rows=self.rows + other.rows,
            incomplete=self.incomplete + other.incomplete,
            outlying=self.outlying + other.outlying,
            statistics=tuple(
                one.merged(two) for one, two in zip(self.statistics, other.statistics, strict=True)
            ),
            answers=_merged(self.answers, other.answers),
            labels=_merged(self.labels, other.labels),
            growing={**self.growing, **other.growing},
            chosen=self.chosen.merged(other.chosen),
        )

    def without(self, fold: int) -> Statistics:
        """Return the statistics of the rows that a fold may be trained on."""
        found: Statistics = merge(s for i, s in enumerate(self.statistics) if i != fold)
        return found

    def counts(self, pieces: Sequence[Piece], fold: int) -> tuple[int, ...]:
        """Return how many rows of each piece a fold's fit grows on."""
        each = (self.growing[piece.number] for piece in pieces)
        return tuple(int(counts.sum() - counts[fold]) for counts in each)


def _merged(one: Any, other: Any) -> Any:
    return None if one is None else one.merged(other)


def survey(piece: Piece, reader: Reader, counted: tuple[str, ...]) -> Survey:
    """Return what a piece's training rows say; counted: numbers whose values are levels too."""
    assert reader.dealing is not None
    n, is_number = reader.dealing.n_splits, reader.competition.task == "regression"
    found = []
    for block in reader.blocks(piece):
        fold, growing = block.dealt.fold, block.is_fit & ~block.dealt.is_held
        wanted = block.is_fit & (block.dealt.is_held | block.dealt.is_binned)
        y = pd.Series(block.y)
        found.append(
            Survey(
                rows=np.bincount(fold, minlength=n),
                incomplete=np.bincount(fold[block.incomplete], minlength=n),
                outlying=np.bincount(fold[block.outlying], minlength=n),
                statistics=tuple(
                    Statistics.of(block.X[block.is_fit & (fold == k)], counted) for k in range(n)
                ),
                answers=Moments.of(block.y.reshape(-1, 1).astype(float)) if is_number else None,
                labels=None if is_number else Levels.of(y),
                growing={piece.number: np.bincount(fold[growing], minlength=n)},
                chosen=Chosen(
                    block.X[wanted].reset_index(drop=True),
                    block.y[wanted],
                    fold[wanted],
                    block.dealt.is_held[wanted],
                ),
            )
        )
    total = sum(one.growing[piece.number] for one in found)
    whole: Survey = merge(found)
    return replace(whole, growing={piece.number: np.asarray(total)})


def survey_prepared(
    piece: Piece, reader: Reader, prepared: Prepared, fold: int
) -> Statistics | None:
    """Return what is known of a fold's training rows of a piece, once the first steps are done.

    None if the piece has none of them.
    """
    found = [Statistics.of(X) for X in _seen(piece, reader, prepared, fold)]
    return merge(found) if found else None


def count_digits(
    piece: Piece,
    reader: Reader,
    prepared: Prepared,
    fold: int,
    columns: tuple[str, ...],
    wanted: Sequence[Wanted],
    step: int,
) -> Counts | None:
    """Return how numbers of a fold's training rows go on, digit by digit; see ranks."""
    found = [
        Counts.of(X[list(columns)].to_numpy(float), wanted, step)
        for X in _seen(piece, reader, prepared, fold)
    ]
    return merge(found) if found else None


def _seen(piece: Piece, reader: Reader, prepared: Prepared, fold: int) -> Any:
    """Yield the rows that a fold's steps are fitted on, after the steps that there are already."""
    for block in reader.blocks(piece):
        X = block.X[block.is_fit & (block.dealt.fold != fold)]
        if len(X):
            yield prepared.transform(X)
