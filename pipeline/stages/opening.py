"""The start of every stage: the declaration, its code, and the files as typed frames."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.cache import Cache, Elsewhere, Results
from pipeline.checks import check_files_agree, check_test, check_train, warn_of_repeated_ids
from pipeline.cleaning import check_columns, mark_outliers
from pipeline.cluster.child import here
from pipeline.competition import (
    Columns,
    Competition,
    ModelChoice,
    OwnMetric,
    load_competition,
)
from pipeline.csvtext import CsvStyle
from pipeline.data import (
    Table,
    TestData,
    TrainData,
    check_ids,
    match_by_position,
    read_asked,
    read_test,
    read_train,
    sample_ids,
    split_test,
    split_train,
)
from pipeline.drift import Drift, glance_at_drift
from pipeline.errors import DataError, DeclarationError, ModelError, UsageError, did_you_mean
from pipeline.features import (
    Features,
    apply_features,
    blaming,
    import_file,
    load_features,
    spread_dates,
)
from pipeline.forecasts import Forecasts, add_to_series, window_test, window_train
from pipeline.inspection import unseen_levels
from pipeline.machine import give_back_memory, memory
from pipeline.metrics import load_own_metric
from pipeline.models import MODELS, model_spec
from pipeline.parquet import holds_parquet, open_parquet
from pipeline.progress import Note, Warned, counted, emit, file_size
from pipeline.raw import Manifest, verify
from pipeline.rowwise import check_rowwise
from pipeline.stages.trusting import check_competition, read_sources
from pipeline.storage import save_bytes
from pipeline.submission import check_ids_asked, check_sample, positive_label, wants_label
from pipeline.training import class_labels, make_estimator
from pipeline.trust import Seal, files_digest
from pipeline.workspace import Workspace

MEMORY_A_BYTE = 3  # of unpacked Parquet: frames, their features and a fold's copy


@dataclass(frozen=True)
class Opened:
    """A competition that is ready to be worked on, and the folder that declares it.

    sources: the bytes of its declaration and of its Python files, by name. elsewhere: where workers
    on other machines keep what they finish. is_away: whether this is such a worker.
    """

    workspace: Workspace
    folder: Path
    competition: Competition
    features: Features
    sources: dict[str, bytes]
    elsewhere: Elsewhere | None = None
    is_away: bool = False

    @property
    def name(self) -> str:
        """The competition's name."""
        return self.competition.name

    @property
    def cache(self) -> Cache:
        """The finished work that is in the workspace, or can be brought there."""
        workspace = self.workspace
        return Cache(workspace.cache(self.name), Seal.of(workspace.root), self.elsewhere)

    @property
    def results(self) -> Results:
        """Where finished work is kept by whoever does it."""
        return self.elsewhere if self.is_away and self.elsewhere is not None else self.cache


@dataclass(frozen=True, eq=False)
class Declared:
    """What a worker needs to open what a command has opened, on this machine or on another one.

    folder, sources: as in Opened.
    """

    workspace: Workspace
    name: str
    folder: Path
    sources: Mapping[str, bytes]

    @classmethod
    def of(cls, opened: Opened) -> "Declared":
        """Return what has to travel of it."""
        return cls(opened.workspace, opened.name, opened.folder, opened.sources)

    def open(self) -> Opened:
        """Load it; on another machine from the sources, which the command was trusted with.

        Raises PipelineError.
        """
        away = here()
        if away is None:
            return open_competition(self.workspace, self.name)
        own = away.folder / files_digest(self.sources) / self.name
        own.mkdir(parents=True, exist_ok=True)
        for file, content in self.sources.items():
            save_bytes(own / file, content)
        opened = open_folder(Workspace(away.folder), own, self.name)
        return replace(opened, folder=self.folder, elsewhere=away.results, is_away=True)


@dataclass(frozen=True, eq=False)
class Data:
    """The competition's files, read and checked; labels are the sorted classes or None.

    style: how the sample submission is written, and so what is handed in. hidden: the columns of
    the training rows that neither the test rows nor any model have. forecasts: of windows, which
    rows of the test file they answer for.
    """

    train: TrainData
    test: TestData
    sample: pd.DataFrame
    style: CsvStyle
    labels: np.ndarray | None
    manifest: Manifest
    kinds: dict[str, Any]
    hidden: pd.DataFrame
    forecasts: Forecasts | None = None

    @property
    def asked(self) -> pd.Series:
        """The ids of the rows that are answered (n_asked,)."""
        return self.test.ids if self.forecasts is None else self.forecasts.ids

    def answered(self, prediction: np.ndarray) -> np.ndarray:
        """Return predictions of the test data (n_test, n_columns) as those of the rows asked."""
        return prediction if self.forecasts is None else self.forecasts(prediction)

    @cached_property
    def drift(self) -> Drift | None:
        """How far the test rows lie from the training rows, at a glance."""
        return glance_at_drift(self.train.X, self.test.X)


def open_competition(workspace: Workspace, name: str) -> Opened:
    """Load and check a declaration, its models, its metric and its features.py.

    Raises DeclarationError, or TrustError if its code is of others and nobody has agreed to it.
    """
    folder = workspace.competition(name)
    check_competition(workspace, folder, read_sources(folder))
    return open_folder(workspace, folder, name)


def open_folder(workspace: Workspace, folder: Path, name: str) -> Opened:
    """Load and check what a folder declares, as that of a run, which is a copy.

    Runs its code: whether that may run has to be known. Raises DeclarationError.
    """
    path = folder / "competition.toml"
    sources = read_sources(folder)
    competition = _with_own_models(load_competition(path, name), folder)
    if isinstance(competition.metric, OwnMetric):
        load_own_metric(competition.metric)
    for choice in (*competition.models.values(), competition.model()):
        try:
            model_spec(choice)
        except ModelError as error:
            raise DeclarationError(f"{path}: models.{choice.label}: {error}") from None
    return Opened(workspace, folder, competition, load_features(folder), sources)


def _with_own_models(competition: Competition, folder: Path) -> Competition:
    """Return the competition with each kind "models.py:make_mine" as a module that is imported.

    Its name is made of the file's bytes, so that a change of the file is another model.
    Raises DeclarationError for a file elsewhere, which nobody was asked about.
    """
    for choice in competition.models.values():
        file, _, function = choice.kind.partition(":")
        if file.endswith(".py"):
            if file != Path(file).name or "\\" in file:
                raise DeclarationError(
                    f"{folder / 'competition.toml'}: models.{choice.label}.kind: expected a file "
                    f"beside it, such as models.py:make_mine; found {choice.kind!r}"
                )
            kind = f"{import_file(folder / file).__name__}:{function}"
            competition = competition.with_model(replace(choice, kind=kind))
    return competition


def chosen_model(competition: Competition, label: str | None) -> ModelChoice:
    """Return the model of that label, declared or built-in, or the default one.

    Raises UsageError naming the nearest label of either.
    """
    label = label or competition.model().label
    known = {*MODELS, *competition.models}
    if label not in known:
        raise UsageError(f"no model {label!r}; {did_you_mean(label, known)}")
    return competition.model(label)


def unfitted(opened: Opened, choice: ModelChoice, seed: int) -> Any:
    """Return the unfitted whole of a model; an error names the declaration it comes from.

    Raises ModelError for a model or parameter that is not known.
    """
    try:
        with blaming(opened.features):
            return make_estimator(opened.competition, choice, opened.features, seed)
    except ModelError as error:
        raise ModelError(f"{opened.folder / 'competition.toml'}: {error}") from None


def read_data(opened: Opened) -> Data:
    """Read, type, extend and check the competition's files.

    Raises DataError, or DeclarationError if features.py is not row-wise.
    """
    workspace, competition = opened.workspace, opened.competition
    manifest = verify(workspace.data(opened.name))
    raw, files = workspace.raw(opened.name), competition.files
    folder = workspace.data(opened.name)
    check_fits(raw / files.train, competition)
    train_table = read_train(raw / files.train, competition, folder)
    test_table = read_test(raw / files.test, competition, train_table.kinds, folder)
    give_back_memory(len(train_table.frame))
    sample, style = read_asked(raw, competition, test_table.ids)
    if competition.columns.by_position:
        test_table = match_by_position(test_table, sample, competition)
    _tell_reading(train_table, test_table)
    if competition.windows is not None:
        return _read_windows(opened, train_table, test_table, sample, style, manifest)
    needs_id = opened.features.add_features is not None
    check_files_agree(train_table, test_table, competition, needs_id=needs_id)
    train_frame = with_features(opened.features, train_table.frame, test_table.frame)
    test_frame = apply_features(opened.features, test_table.frame)
    check_train(train_frame, train_table.file, competition)
    check_test(test_frame, test_table.ids, test_table.file, train_frame, competition)
    columns = competition.columns
    train = split_train(
        spread_dates(train_frame, columns), train_table.ids, columns, competition.target.parts
    )
    test = split_test(
        spread_dates(test_frame, columns), test_table.ids, columns, list(map(str, train.X))
    )
    _tell_features(columns, train_table.frame, train_frame, train)
    warn_of_repeated_ids(train.ids, train_table.file)
    train = _with_whole_labels(train, competition)
    check_cleaning(opened, train)
    train = replace(train, outlying=_outlying(opened, train_table.frame))
    labels = class_labels(train, competition)
    _tell_labels(competition, train, labels)
    check_sample(competition, sample, labels)
    check_ids_asked(competition, test.ids, sample)
    _warn_of_unseen(train.X, test.X, columns.text)
    hidden = _hidden(train_table.frame, test_table.frame, columns)
    kinds = dict(train_table.kinds)
    del train_table, test_table, train_frame, test_frame
    give_back_memory(len(train))
    return Data(train, test, sample, style, labels, manifest, kinds, hidden)


def check_fits(train: Path, competition: Competition) -> None:
    """Check that training rows in Parquet are meant to be held in memory, and that they can be.

    Raises DataError.
    """
    if not holds_parquet(train):
        return
    if competition.files.are_pieces:
        raise DataError(
            f"{train}: its rows are read a piece at a time, which kc train does with lightgbm and "
            "xgboost; for all else declare [files] pieces = false, and they are held in memory"
        )
    free, wanted = memory(), MEMORY_A_BYTE * open_parquet(train, competition.columns.drop).bytes
    if free is not None and wanted > free.free:
        raise DataError(
            f"{train}: its rows would take about {file_size(wanted)} of memory, and "
            f"{file_size(free.free)} are free; declare [files] pieces = true"
        )


def _read_windows(
    opened: Opened,
    train_table: Table,
    test_table: Table,
    sample: pd.DataFrame,
    style: CsvStyle,
    manifest: Manifest,
) -> Data:
    """Return the files' rows as windows, checked.

    Raises DataError, or DeclarationError if features.py is not row-wise.
    """
    competition, features = opened.competition, opened.features
    check_rowwise(features, train_table.frame)
    train_frame = add_to_series(features, train_table.frame, competition)
    check_train(train_frame, train_table.file, competition)
    check_ids(test_table.ids, test_table.file)
    train = window_train(train_frame, train_table, competition)
    _tell_windows(competition, train)
    check_sample(competition, sample, None)
    wanted = sample_ids(sample, competition.columns)
    check_ids_asked(competition, test_table.ids, sample)
    test, forecasts = window_test(
        features, (train_frame, train_table), test_table, wanted, competition
    )
    return Data(
        train, test, sample, style, None, manifest, dict(train_table.kinds),
        train_table.frame.iloc[:, :0], forecasts,
    )  # fmt: skip


def _tell_windows(competition: Competition, train: TrainData) -> None:
    windows, n = competition.windows, len(train)
    assert windows is not None
    width = train.X.shape[1] // windows.timesteps
    text = (
        f"{counted(n, 'window')} of {counted(windows.timesteps, 'row')} x "
        f"{counted(width, 'channel')}, each with the {counted(windows.horizon, 'row')} that follow"
    )
    facts = {"windows": n, "timesteps": windows.timesteps, "channels": width}
    emit(Note("windows", text, facts))


def _hidden(train: pd.DataFrame, test: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return the columns that only the training rows have, and that are not what is asked for."""
    others = {columns.id, columns.group, columns.time, *columns.target, *test}
    return train[[name for name in train if name not in others]]


def with_features(features: Features, train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Return the training rows with their features, made without any column that test lacks.

    So features.py cannot build on the target, or on what is only known afterwards.
    Raises DeclarationError if a feature is not row-wise, or takes the name of a hidden column.
    """
    hidden = [name for name in train if name not in test]
    shown = train.drop(columns=hidden)
    check_rowwise(features, shown)
    made = apply_features(features, shown)
    for name in hidden:
        if name in made:
            raise DeclarationError(
                f"{features.path}: add_features makes column {name!r}, which only the training "
                "file has; choose another name"
            )
    return made.join(train[hidden])


def _tell_reading(train: Table, test: Table) -> None:
    parts = [
        f"{table.file.path.name} {len(table.frame):,} x {table.frame.shape[1]}"
        for table in (train, test)
    ]
    encodings = sorted({train.file.encoding, test.file.encoding})
    facts = {"train": list(train.frame.shape), "test": list(test.frame.shape)}
    emit(Note("read", f"{', '.join(parts)} columns ({', '.join(encodings)})", facts))


def _tell_features(
    columns: Columns, before: pd.DataFrame, after: pd.DataFrame, train: TrainData
) -> None:
    added = [str(name) for name in after if name not in before]
    width = train.X.shape[1]
    dropped = f" dropped ({', '.join(columns.drop)})" if columns.drop else " dropped"
    text = (
        f"{counted(len(added), 'column')} added, {len(columns.drop)}{dropped}; {width} are features"
    )
    facts = {"added": added, "dropped": list(columns.drop), "n_features": width}
    emit(Note("features", text, facts))


def _with_whole_labels(train: TrainData, competition: Competition) -> TrainData:
    """Return classes written 1.0 and 2.0 as the integers they are, which services expect."""
    y = train.y
    if competition.task == "regression" or not pd.api.types.is_float_dtype(y):
        return train
    return replace(train, y=y.astype("int64")) if (y == y.round()).all() else train


def check_cleaning(opened: Opened, train: TrainData) -> None:
    """Check [cleaning.columns] at once, with an error that names the file."""
    try:
        check_columns(train.X, opened.competition.cleaning)
    except DataError as error:
        raise DeclarationError(f"{opened.folder / 'competition.toml'}: {error}") from None


def _outlying(opened: Opened, frame: pd.DataFrame) -> pd.Series | None:
    """Return which rows [cleaning] outliers keeps out of training, or None if it is not declared.

    Its words are those of the file, so that it means the same whatever features.py makes of them.
    """
    condition = opened.competition.cleaning.outliers
    if condition is None:
        return None
    try:
        marked = mark_outliers(frame, condition)
    except DataError as error:
        raise DeclarationError(f"{opened.folder / 'competition.toml'}: {error}") from None
    if not marked.any():
        emit(Warned(f"[cleaning] outliers: no training row fulfils {condition!r}"))
    return marked


def _tell_labels(competition: Competition, train: TrainData, labels: np.ndarray | None) -> None:
    if labels is not None:
        counts = pd.Series(train.y).value_counts().loc[list(labels)]
        tell_labels(competition, labels, counts.to_numpy())


def tell_labels(competition: Competition, labels: np.ndarray, counts: np.ndarray) -> None:
    """Tell which code each target label is encoded as; counts: its rows (n_classes,)."""
    pairs = enumerate(zip(labels, counts, strict=True))
    parts = [f"{label} -> {code} ({n:,})" for code, (label, n) in pairs]
    more = ", ..." if len(parts) > 5 else ""
    text = f"{len(parts)} target labels: {', '.join(parts[:5])}{more}"
    if len(labels) == 2 and not wants_label(competition, labels):
        text += f"; submitted is the probability of {positive_label(competition, labels)}"
    emit(Note("encode", text, {"labels": [str(label) for label in labels]}))


def _warn_of_unseen(train: pd.DataFrame, test: pd.DataFrame, prose: Collection[str]) -> None:
    for name, levels in unseen_levels(train, test, prose).items():
        shown = ", ".join(map(repr, levels[:3]))
        more = f" and {len(levels) - 3} more" if len(levels) > 3 else ""
        emit(Warned(f"{name}: levels of the test file that training lacks: {shown}{more}"))
