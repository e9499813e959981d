"""The start of every stage: the declaration, its code, and the files as typed frames."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.competition import Competition, load_competition
from pipeline.data import (
    TestData,
    TrainData,
    check_test,
    check_train,
    read_sample,
    read_tables,
    split_test,
    split_train,
)
from pipeline.errors import DeclarationError, ModelError
from pipeline.features import Features, apply_features, check_rowwise, load_features, spread_dates
from pipeline.models import model_spec
from pipeline.progress import Note, Warned, emit
from pipeline.raw import Manifest, verify
from pipeline.submission import check_sample
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class Opened:
    """A competition that is ready to be worked on, and the folder that declares it."""

    workspace: Workspace
    folder: Path
    competition: Competition
    features: Features

    @property
    def name(self) -> str:
        """The competition's name."""
        return self.competition.name

    def with_competition(self, competition: Competition) -> "Opened":
        """Return the same with other choices."""
        return replace(self, competition=competition)


@dataclass(frozen=True, eq=False)
class Data:
    """The competition's files, read and checked; labels are the sorted classes or None."""

    train: TrainData
    test: TestData
    sample: pd.DataFrame
    labels: np.ndarray | None
    manifest: Manifest
    kinds: dict[str, Any]


def open_competition(workspace: Workspace, name: str) -> Opened:
    """Load and check a declaration, its models and its features.py.

    Raises DeclarationError.
    """
    folder = workspace.competition(name)
    path = folder / "competition.toml"
    competition = load_competition(path)
    for choice in (*competition.models.values(), competition.model()):
        try:
            model_spec(choice)
        except ModelError as error:
            raise DeclarationError(f"{path}: models.{choice.label}: {error}") from None
    return Opened(workspace, folder, competition, load_features(folder))


def read_data(opened: Opened) -> Data:
    """Read, type, extend and check the competition's files.

    Raises DataError, or DeclarationError if features.py is not row-wise.
    """
    workspace, competition = opened.workspace, opened.competition
    manifest = verify(workspace.data(opened.name))
    raw = workspace.raw(opened.name)
    tables = read_tables(raw, competition)
    emit(Note("read", _read_text(competition, tables)))
    frames = [_extend(opened, tables.train), _extend(opened, tables.test)]
    _tell_features(opened, tables.train, frames[0])
    check_train(frames[0], competition, raw)
    check_test(frames[1], frames[0], competition, raw)
    train = split_train(frames[0], tables.train_ids, competition.columns)
    test = split_test(frames[1], tables.test_ids, competition.columns, like=train)
    labels = None if competition.task == "regression" else np.unique(np.asarray(train.y))
    sample = read_sample(raw, competition)
    check_sample(competition, sample, labels)
    return Data(train, test, sample, labels, manifest, tables.kinds)
