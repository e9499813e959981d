"""A submission whose rows are never together: what is asked for, written and checked."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.competition import Competition
from pipeline.csvtext import CsvStyle, read_typed
from pipeline.data import parquet_ids, read_sample_style, require, sample_ids, sample_of
from pipeline.dates import as_text
from pipeline.errors import DataError, SubmissionError
from pipeline.parquet import BLOCK, ParquetFiles
from pipeline.partitions.dealing import keys_of
from pipeline.storage import storing
from pipeline.submission import check_sample, faults_of, make_submission, writing_letters


@dataclass(eq=False)
class Rows:
    """Frames that follow each other, to be taken in other lengths."""

    frames: Iterator[pd.DataFrame]
    left: list[pd.DataFrame] = field(default_factory=list)

    def take(self, n: int) -> pd.DataFrame | None:
        """Return the next n rows, fewer at the end, None behind it."""
        while sum(map(len, self.left)) < n:
            more = next(self.frames, None)
            if more is None:
                break
            self.left.append(more)
        if not self.left:
            return None
        together = pd.concat(self.left, ignore_index=True) if len(self.left) > 1 else self.left[0]
        rest = together.iloc[n:].reset_index(drop=True)
        self.left = [rest] if len(rest) else []
        return together.iloc[:n].reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked for: the sample submission or, where none is declared, the test's ids."""

    competition: Competition
    raw: Path
    test: ParquetFiles

    @property
    def sample(self) -> Path | None:
        """The sample submission, or None."""
        name = self.competition.files.sample_submission
        return self.raw / name if name else None

    def style(self) -> CsvStyle:
        """Return how it is written. Raises DataError."""
        return (
            CsvStyle() if self.sample is None else read_sample_style(self.sample, self.competition)
        )

    def rows(self) -> Rows:
        """Return its rows, as cells of text. Raises DataError if they cannot be read."""
        return Rows(self._of_ids() if self.sample is None else self._of_sample(self.sample))

    def check(self, labels: np.ndarray | None) -> None:
        """Check that it asks for what is declared. Raises DataError."""
        first = self.rows().take(BLOCK)
        assert first is not None  # a file without rows is not read
        check_sample(self.competition, first, labels)

    def _of_ids(self) -> Iterator[pd.DataFrame]:
        columns = self.competition.columns
        for piece in self.test.pieces:
            for first, table in piece.tables([columns.id_name]):
                yield sample_of(parquet_ids(table, self.competition, first), columns)

    def _of_sample(self, path: Path) -> Iterator[pd.DataFrame]:
        columns, files = self.competition.columns, self.competition.files
        for frame in text_blocks(path, encoding=files.encoding, separator=files.separator):
            if columns.id is not None:
                require(columns.id, "id", frame, self.test.file)
            yield frame


def text_blocks(
    path: Path, *, encoding: str | None = None, separator: str | None = None
) -> Iterator[pd.DataFrame]:
    """Yield a CSV file's cells as they are written, some thousand rows at a time.

    Raises DataError.
    """
    _, names, batches = read_typed(path, lambda _: None, encoding=encoding, separator=separator)
    try:
        for batch in batches:
            cells = pa.Table.from_batches([batch]).rename_columns(names)
            yield pd.DataFrame({name: as_text(cells[name]).fillna("") for name in names})
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: cannot be read as CSV: {' '.join(str(error).split())}") from None


def write(
    path: Path,
    asked: Asked,
    answers: Iterable[tuple[pd.Series, np.ndarray]],
    labels: np.ndarray | None,
) -> int:
    """Write the answers to test rows, as they come, and return how many there are.

    Raises DataError if the sample asks for other rows, or in another order, and StorageError.
    """
    rows, style = asked.rows(), asked.style()
    seen: list[np.ndarray] = []
    with storing(path), path.open("wb") as file:
        for ids, prediction in answers:
            wanted = _wanted(rows, ids, asked, sum(map(len, seen)))
            frame = make_submission(asked.competition, ids, prediction, wanted, labels)
            file.write(_bytes(style, frame, path, is_first=not seen))
            seen.append(keys_of(ids))
    n_rows = sum(map(len, seen))
    if (more := rows.take(1)) is not None:
        first = _first(more, asked)
        raise DataError(f"{asked.sample}: asks for {first!r}, which is not among the test rows")
    _check_unique(np.concatenate(seen), asked)
    return n_rows


def check(path: Path, asked: Asked, labels: np.ndarray | None) -> None:
    """Check a written file against what is asked for, block by block.

    Raises SubmissionError listing the faults of the first block that has one.
    """
    style, wanted = asked.style(), asked.rows()
    try:
        written = Rows(text_blocks(path, encoding=style.encoding, separator=style.separator))
        n_rows = 0
        while True:
            mine, other = written.take(BLOCK), wanted.take(BLOCK)
            if mine is None and other is None:
                return
            if mine is None or other is None or len(mine) != len(other):
                raise SubmissionError(f"{path}: expected other rows after row {n_rows:,}")
            faults = faults_of(asked.competition, mine, other, labels)
            if faults:
                where = f"rows from {n_rows + 1:,} on" if n_rows else "the first rows"
                raise SubmissionError(f"{path}: {where}: {'; '.join(faults)}")
            n_rows += len(mine)
    except DataError as error:
        raise SubmissionError(str(error)) from None


def _wanted(rows: Rows, ids: pd.Series, asked: Asked, before: int) -> pd.DataFrame:
    """Return what is asked of the next test rows. Raises DataError if it is of other rows."""
    wanted = rows.take(len(ids))
    found = (
        pd.Series([], dtype="str")
        if wanted is None
        else sample_ids(wanted, asked.competition.columns)
    )
    same = len(found) == len(ids) and (found.to_numpy() == ids.to_numpy()).all()
    if not same or wanted is None:
        both = zip(found, ids, strict=False)
        at = next((i for i, (one, other) in enumerate(both) if one != other), len(found))
        there = repr(found.iloc[at]) if at < len(found) else "no more rows"
        raise DataError(
            f"{asked.sample}: expected the test's rows in their order; row {before + at + 1:,} is "
            f"{ids.iloc[at]!r} in {asked.test.path.name}, and here {there}; sort it like the test, "
            "or remove [files] sample_submission"
        )
    return wanted


def _first(rows: pd.DataFrame, asked: Asked) -> str:
    return str(sample_ids(rows, asked.competition.columns).iloc[0])


def _bytes(style: CsvStyle, frame: pd.DataFrame, path: Path, *, is_first: bool) -> bytes:
    with writing_letters(path, style):
        return style.content(frame) if is_first else style.more(frame)


def _check_unique(keys: np.ndarray, asked: Asked) -> None:
    """Check that no id stands in two rows: by 8 bytes a row, and in full where two are alike."""
    keys.sort()
    twice = np.unique(keys[1:][keys[1:] == keys[:-1]])
    if not len(twice):
        return
    known: set[str] = set()
    rows = asked.rows()
    while (block := rows.take(BLOCK)) is not None:
        ids = sample_ids(block, asked.competition.columns)
        for one in ids[np.isin(keys_of(ids), twice)]:
            if one in known:
                raise DataError(
                    f"{asked.test.path}: id {one!r} stands in two rows; every id must be in one "
                    "row, so correct the files or [columns] id"
                )
            known.add(one)
