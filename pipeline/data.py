"""A competition's files as data: training rows with their answers, and test rows without."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from pipeline.blocks import is_large, type_test_file, type_train_file
from pipeline.competition import Columns, Competition
from pipeline.csvtext import CsvFile, CsvStyle, IrregularError, read_cells, read_style
from pipeline.errors import DataError, did_you_mean
from pipeline.kinds import Kind, kinds_by_type, text_columns
from pipeline.parquet import (
    ParquetFiles,
    ParquetRows,
    holds_parquet,
    ids_of,
    open_parquet,
    read_all,
    typed,
)
from pipeline.pixels import read_images, take_images

TableFile = CsvFile | ParquetRows
TEST_WITHOUT_IDS = (
    " If its rows are the sample's in the same order, declare [columns] by_position = true"
)


@dataclass(frozen=True, eq=False)
class Table:
    """A competition's file with typed columns: what a competition's features.py gets.

    frame: integers as int64, numbers as float64, text as str, dates as datetime64[us], pixels as
        uint8.
    ids: (n_samples,), text; without an id column (in the training file), row numbers from 1.
    """

    file: TableFile
    frame: pd.DataFrame
    ids: pd.Series
    kinds: Mapping[str, Kind]


@dataclass(frozen=True, eq=False)
class TrainData:
    """Rows whose answer is known.

    X: (n_samples, n_features); numbers, text categories (str) and datetime64, missing as NaN/NaT.
    y: (n_samples,), or a frame (n_samples, n_targets) if there are several targets.
    ids: (n_samples,), text. groups, order: (n_samples,) or None; the declared columns of that role.
    outlying: (n_samples,) of booleans or None; rows that [cleaning] outliers keeps out of training.
    parts: (n_samples, n_parts) or None; the declared columns whose sum is y.
    until: (n_samples,) or None; of windows, when the last answer of each is known; order is when
        their own last row is. last: as y, or None; of windows, what was last known of each answer.
    """

    X: pd.DataFrame
    y: pd.Series | pd.DataFrame
    ids: pd.Series
    groups: pd.Series | None = None
    order: pd.Series | None = None
    outlying: pd.Series | None = None
    parts: pd.DataFrame | None = None
    until: pd.Series | None = None
    last: pd.Series | pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.X)

    def subset(self, rows: npt.NDArray[np.intp]) -> "TrainData":
        """Return the rows at these positions, in this order."""
        return TrainData(
            X=take_images(self.X, rows),
            y=self.y.iloc[rows],
            ids=self.ids.iloc[rows],
            groups=None if self.groups is None else self.groups.iloc[rows],
            order=None if self.order is None else self.order.iloc[rows],
            outlying=None if self.outlying is None else self.outlying.iloc[rows],
            parts=None if self.parts is None else self.parts.iloc[rows],
            until=None if self.until is None else self.until.iloc[rows],
            last=None if self.last is None else self.last.iloc[rows],
        )


@dataclass(frozen=True, eq=False)
class TestData:
    """Rows to be predicted: X, ids and order as in TrainData; there is no y."""

    X: pd.DataFrame
    ids: pd.Series
    order: pd.Series | None = None

    def __len__(self) -> int:
        return len(self.X)


def read_train(path: Path, competition: Competition, folder: Path | None = None) -> Table:
    """Return the training file, its columns typed by what is declared and by their own cells.

    folder: where the pixels of images are put, to be mapped into memory.
    Raises DataError if it is neither CSV nor, by its name, Parquet, a target is absent, or a cell
    is unlike its declaration.
    """
    if holds_parquet(path):
        files = open_parquet(path, competition.columns.drop)
        for name in competition.columns.target:
            require(name, "target", files.families, files.file)
        return parquet_table(files, kinds_by_type(files, competition), competition)
    found = _in_blocks(path, competition)
    if found is not None:
        return found
    file, cells, images = _read_with_images(path, competition, folder)
    for name in competition.columns.target:
        require(name, "target", cells, file)
    kinds, frame = {}, {}
    for column in text_columns(cells, file, competition):
        kinds[column.name] = column.kind()
        frame[column.name] = column.values(kinds[column.name])
    return _table(file, frame, images, cells, competition, kinds)


def read_test(
    path: Path,
    competition: Competition,
    kinds: Mapping[str, Kind],
    folder: Path | None = None,
) -> Table:
    """Return the test file without any target, its columns typed as the training file's are.

    Of time series it may tell targets: of rows before those that are asked for.

    kinds: those of the training file; a column that it does not have is text. folder: as in
        read_train.
    Raises DataError if it is not CSV, or Parquet, has no id column, or a cell is unlike the
    training file's.
    """
    if holds_parquet(path):
        files = open_parquet(path, competition.columns.drop)
        if not competition.columns.by_position:
            require(competition.columns.id_name, "id", files.families, files.file, TEST_WITHOUT_IDS)
        own = kinds_by_type(files, competition, kinds)
        if competition.windows is None:
            own = {name: one for name, one in own.items() if name not in competition.columns.target}
        return parquet_table(files, own, competition)
    found = _in_blocks(path, competition, kinds)
    if found is not None:
        return found
    file, cells, images = _read_with_images(path, competition, folder)
    return type_test(file, cells, competition, kinds, images)


def type_test(
    file: CsvFile,
    cells: pd.DataFrame,
    competition: Competition,
    kinds: Mapping[str, Kind],
    images: pd.DataFrame | None = None,
) -> Table:
    """Return cells of text that are written like the test file's as read_test does.

    images: their pixels, where rows have some.
    """
    if not competition.columns.by_position:
        require(competition.columns.id_name, "id", cells, file, TEST_WITHOUT_IDS)
    if competition.windows is None:
        cells = cells.drop(columns=list(competition.columns.target), errors="ignore")
    known = {str(name): kinds.get(str(name), "text") for name in cells}
    columns = text_columns(cells, file, competition)
    frame = {column.name: column.values(known[column.name]) for column in columns}
    return _table(file, frame, images, cells, competition, known)


def parquet_table(
    files: ParquetFiles, kinds: Mapping[str, Kind], competition: Competition
) -> Table:
    """Return all rows of Parquet as one table. Raises DataError if a file is damaged."""
    cells = read_all(files, kinds)
    frame = with_unread(typed(cells, kinds, files.file), files)
    return Table(files.file, frame, parquet_ids(cells, competition), kinds)


def with_unread(frame: pd.DataFrame, files: ParquetFiles) -> pd.DataFrame:
    """Return rows with the columns that are dropped unread, empty, so that it is known they are."""
    return frame.assign(**dict.fromkeys(sorted(files.unread), np.nan))


def parquet_ids(cells: pa.Table, competition: Competition, first: int = 0) -> pd.Series:
    """Return the ids of some rows of Parquet; without an id column, row numbers.

    first: the number of the first of them among all rows, from 0.
    """
    name = competition.columns.id_name
    if name in cells.column_names:
        return ids_of(cells[name]).rename(name)
    return pd.Series(np.arange(first + 1, first + len(cells) + 1), name=name).astype("str")


def _in_blocks(
    path: Path, competition: Competition, kinds: Mapping[str, Kind] | None = None
) -> Table | None:
    """Return a file of many rows as a table; None if it has few, or has to be looked at whole.

    kinds: those of the training file, if it is the test file.
    """
    if competition.images is not None or not is_large(path):
        return None
    try:
        if kinds is None:
            read = type_train_file(path, competition)
        else:
            read = type_test_file(path, competition, kinds)
    except IrregularError:
        return None
    columns = competition.columns
    if kinds is None and any(name not in read.columns for name in columns.target):
        return None
    if kinds is not None and not columns.by_position and columns.id_name not in read.columns:
        return None
    frame = pd.DataFrame(read.columns, copy=False)
    written = pd.DataFrame(read.written, index=frame.index, copy=False)
    return Table(read.file, frame, _ids(written, columns), read.kinds)


def _read_with_images(
    path: Path, competition: Competition, folder: Path | None
) -> tuple[CsvFile, pd.DataFrame, pd.DataFrame | None]:
    """Return how a file is written, its cells as written and, where it has images, their pixels."""
    if competition.images is not None:
        return read_images(path, competition, folder)
    return *_read(path, competition), None


def _table(
    file: CsvFile,
    columns: dict[str, pd.Series],
    images: pd.DataFrame | None,
    cells: pd.DataFrame,
    competition: Competition,
    kinds: Mapping[str, Kind],
) -> Table:
    """Return typed columns and pixels as one table; nothing of the pixels is copied."""
    frame = pd.DataFrame(columns, copy=False)
    if images is not None:
        frame = pd.concat([frame, images], axis="columns") if columns else images
        kinds = {**kinds, **dict.fromkeys(map(str, images), "pixel")}
    return Table(file, frame, _ids(cells, competition.columns), kinds)


def read_sample(path: Path, competition: Competition) -> pd.DataFrame:
    """Return the sample submission's cells as they are written.

    Raises DataError if it is not CSV, has no id column, or an id is empty or repeated.
    """
    file, cells = _read(path, competition)
    if competition.columns.id is not None:
        require(competition.columns.id, "id", cells, file)
        check_ids(_ids(cells, competition.columns), file)
    return cells


def read_asked(
    path: Path, competition: Competition, ids: pd.Series
) -> tuple[pd.DataFrame, CsvStyle]:
    """Return the sample submission and how it is written, or what stands for it where none is.

    path: of the folder with the files. ids: of the test rows. Raises DataError as read_sample does.
    """
    name = competition.files.sample_submission
    if not name:
        return sample_of(ids, competition.columns), CsvStyle()
    return read_sample(path / name, competition), read_sample_style(path / name, competition)


def sample_of(ids: pd.Series, columns: Columns) -> pd.DataFrame:
    """Return what asks for the target of rows by their ids, as a sample submission would."""
    named = {columns.id_name: ids.astype("str").to_numpy()} if columns.id is not None else {}
    empty = np.full(len(ids), "", dtype=object)
    return pd.DataFrame({**named, **dict.fromkeys(columns.target, empty)}, dtype="str")


def sample_ids(sample: pd.DataFrame, columns: Columns) -> pd.Series:
    """Return the ids that a sample submission asks for, comparable with those of the test file."""
    return _ids(sample, columns)


def match_by_position(test: Table, sample: pd.DataFrame, competition: Competition) -> Table:
    """Return the test file with the sample's ids, one for one, where it has none of its own.

    Raises DataError if it has, or if the sample has not as many rows.
    """
    columns, name = competition.columns, competition.files.sample_submission
    if columns.id is not None and columns.id in test.frame:
        raise DataError(
            f"{test.file.path}: has the id column {columns.id!r}, and ids join better than "
            "positions; remove [columns] by_position"
        )
    if len(sample) != len(test.frame):
        raise DataError(
            f"{test.file.path}: expected the {len(sample):,} rows of {name} in its order, as "
            f"[columns] by_position says; found {len(test.frame):,} rows"
        )
    return replace(test, ids=sample_ids(sample, columns))


def read_sample_style(path: Path, competition: Competition) -> CsvStyle:
    """Return how the sample submission is written, which is how the service wants its answers.

    Raises DataError if it is not CSV.
    """
    files = competition.files
    return read_style(path, encoding=files.encoding, separator=files.separator)


def split_train(
    frame: pd.DataFrame, ids: pd.Series, columns: Columns, parts: Sequence[str] = ()
) -> TrainData:
    """Return typed rows as features, target and roles; time alone may be a feature as well.

    parts: the columns whose sum is the target, if it is one.
    """
    names = list(columns.target)
    return TrainData(
        X=_features(frame, columns),
        y=frame[names] if len(names) > 1 else frame[names[0]],
        ids=ids,
        groups=None if columns.group is None else frame[columns.group],
        order=None if columns.time is None else frame[columns.time],
        parts=frame[list(parts)] if parts else None,
    )


def split_test(
    frame: pd.DataFrame, ids: pd.Series, columns: Columns, features: Sequence[str]
) -> TestData:
    """Return typed rows as features, in the order in which the training data has them."""
    return TestData(
        X=_features(frame, columns)[list(features)],
        ids=ids,
        order=None if columns.time is None else frame.get(columns.time),
    )


def normalise_ids(cells: pd.Series) -> pd.Series:
    """Return ids as comparable text: no spaces around, whole numbers without ".0"."""
    ids = cells.astype("str").str.strip()
    if ids.str.isdigit().all():
        return ids
    if ids.str.fullmatch(r"-?\d+(\.0+)?").all():
        return ids.str.replace(r"\.0+$", "", regex=True)
    return ids


def check_ids(ids: pd.Series, file: TableFile) -> None:
    """Raise DataError if an id is empty, or stands in two rows."""
    empty, repeated = (ids == "").to_numpy(), ids.duplicated().to_numpy()
    if empty.any():
        where = file.at(int(empty.argmax()), str(ids.name))
        raise DataError(f"{where}: expected an id, found an empty cell; correct the file")
    if repeated.any():
        second = int(repeated.argmax())
        first = int((ids == ids.iloc[second]).to_numpy().argmax())
        raise DataError(
            f"{file.at(second, str(ids.name))}: id {ids.iloc[second]!r} is already in "
            f"{file.where(first)}; every id must be in one row, so correct the file or [columns] id"
        )


def _read(path: Path, competition: Competition) -> tuple[CsvFile, pd.DataFrame]:
    files = competition.files
    return read_cells(path, encoding=files.encoding, separator=files.separator)


def require(name: str, role: str, cells: Iterable[Any], file: TableFile, more: str = "") -> None:
    """Check that a file has the column of a role. Raises DataError."""
    names = list(map(str, cells))
    if name not in names:
        known = did_you_mean(name, names)
        raise DataError(
            f"{file.path}: there is no {role} column {name!r} ([columns] {role}); {known}{more}"
        )


def _ids(cells: pd.DataFrame, columns: Columns) -> pd.Series:
    if columns.id is not None and columns.id in cells:
        return normalise_ids(cells[columns.id])
    return pd.Series(np.arange(1, len(cells) + 1), name=columns.id_name).astype("str")


def _features(frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    X = frame[[name for name in frame.columns if name not in columns.not_features]]
    return X.assign(**{name: _categories(X[name]) for name in columns.categorical if name in X})


def _categories(column: pd.Series) -> pd.Series:
    """Return levels as text, whole numbers alike however they are written: 20.0 is "20"."""
    text = column.astype("str").mask(column.isna())
    return text.str.replace(r"^(-?\d+)\.0+$", r"\1", regex=True)
