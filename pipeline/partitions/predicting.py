"""What fitted folds say of rows in pieces: scores and a sample of one, answers of the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from pipeline.competition import OwnMetric
from pipeline.errors import ModelError
from pipeline.parquet import Piece
from pipeline.partitions.rows import Reader
from pipeline.partitions.scores import Tally
from pipeline.partitions.statistics import merge
from pipeline.training import respond


@dataclass(frozen=True, eq=False)
class Validated:
    """What a fold's estimator said of its validation rows: what they score, and some of them.

    kept: id, fold, target and predictions of a sample of the rows. keys: what dealt these out.
    """

    tally: Tally
    kept: pd.DataFrame
    keys: np.ndarray

    def merged(self, other: Self) -> Self:
        """Return that of both."""
        kept = pd.concat([self.kept, other.kept], ignore_index=True)
        keys = np.concatenate([self.keys, other.keys])
        return type(self)(self.tally.merged(other.tally), kept, keys)


def validate(
    piece: Piece,
    reader: Reader,
    estimator: Any,
    labels: np.ndarray | None,
    fold: int,
    names: Sequence[str],
) -> Validated | None:
    """Return what a fold's estimator says of the rows of a piece that it was not fitted on.

    names: of the columns of a prediction. None if no row is the fold's.
    Raises ModelError for a prediction that is not finite.
    """
    found = []
    for block in reader.blocks(piece):
        mine = block.dealt.fold == fold
        if not mine.any():
            continue
        y, prediction = block.y[mine], respond(estimator, block.X[mine], labels)
        if not np.isfinite(prediction).all():
            raise ModelError(
                f"fold {fold + 1}: the fitted model predicts values that are not finite; try a "
                "smaller learning_rate"
            )
        told = pd.DataFrame(prediction, columns=[f"prediction_{name}" for name in names])
        ids = block.ids[mine].to_numpy()
        target = f"target_{reader.competition.columns.target[0]}"
        rows = pd.DataFrame({"id": ids, "fold": fold, target: y}).join(told)
        metric = reader.competition.metric
        assert not isinstance(metric, OwnMetric)  # which would see rows of one block alone
        tally = Tally.of(metric, y, prediction, labels)
        kept = block.dealt.is_kept[mine]
        found.append(Validated(tally, rows[kept], block.dealt.keys[mine][kept]))
    return merge(found) if found else None


def answer(
    piece: Piece,
    reader: Reader,
    estimators: Sequence[Any],
    labels: np.ndarray | None,
    features: tuple[str, ...],
) -> list[tuple[pd.Series, np.ndarray]]:
    """Return ids and the mean of all estimators' predictions of a piece of test rows, by blocks."""
    return [
        (block.ids, np.mean([respond(one, block.X, labels) for one in estimators], axis=0))
        for block in reader.test_blocks(piece, features)
    ]
