"""A practice set as the three files of a competition, and the answers that are held back."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.competition import Competition
from pipeline.errors import SourceError
from pipeline.sources.practice.board import ANSWERS, answers_for
from pipeline.sources.practice.houses import read_houses
from pipeline.sources.practice.images import read_images
from pipeline.sources.practice.sets import PICTURES, PracticeRows, load_rows
from pipeline.storage import save_text

SHARE = 0.2  # of the rows that are held back where a set has no test part of its own
ROWS_AT_ONCE = 2048  # that are written; 2,048 large images are 25 MB of text
SEED = 20  # of the choice; the same for everybody, or scores could not be compared


@dataclass(frozen=True, eq=False)
class PracticeSource:
    """One set, from its package or from a person's files, split into train, test and sample.

    board: the folder that keeps the answers of the held-back rows, one folder for each test file.
    """

    competition: Competition
    board: Path
    path: Path | None = None

    @cached_property
    def rows(self) -> PracticeRows:
        """The set as it comes."""
        dataset = str(self.competition.source.dataset)
        if self.path is None:
            return load_rows(dataset)
        if dataset == "california":
            return read_houses(self.path)
        if dataset not in PICTURES:
            raise SourceError(
                f"--from: {dataset} comes with scikit-learn; run kc fetch {self.competition.name}"
            )
        return read_images(self.path, dataset)

    @property
    def origin(self) -> str:
        """The package and its version, or what was given."""
        return self.rows.origin

    def fetch(self, folder: Path) -> None:
        """Write the three files into a folder that nobody sees yet, and the answers elsewhere.

        Raises SourceError.
        """
        files, rows = self.competition.files, self.rows
        order, n_test = self._order()
        ids = pd.Series(np.arange(1, len(order) + 1), name=self.competition.columns.id_name)
        X, y = rows.X.iloc[order].reset_index(drop=True), rows.y.iloc[order].reset_index(drop=True)
        self._check_size(X)
        frame = pd.concat([ids, X, y], axis="columns")
        train, test = frame.iloc[:-n_test], frame.iloc[-n_test:]
        answers = test[[ids.name, y.name]]
        blank = sorted(y.unique())[0] if self._has_classes else 0
        digest = _write_csv(folder / files.test, test.drop(columns=[y.name]))
        save_text(answers_for(self.board, digest) / ANSWERS, as_csv(answers))
        _write_csv(folder / files.train, train)
        _write_csv(folder / files.sample_submission, answers.assign(**{str(y.name): blank}))

    def _check_size(self, X: pd.DataFrame) -> None:
        """Check that images are of the size that is declared; raises SourceError."""
        images = self.competition.images
        if images is not None and X.shape[1] != images.n_pixels:
            raise SourceError(
                f"{self.origin}: expected images of {images} as [images] says, which is "
                f"{images.n_pixels:,} numbers, found {X.shape[1]:,}; resize them, or correct "
                "[images]"
            )

    def _order(self) -> tuple[np.ndarray, int]:
        """Return positions of rows, those to hold back at the end, and how many they are."""
        y, n_test = self.rows.y, self.rows.n_test
        if n_test:
            return np.arange(len(y)), n_test
        try:
            return _held_back_last(y, self._has_classes), round(SHARE * len(y))
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise SourceError(f"{self.origin}: too few rows to hold some back: {reason}") from None

    @property
    def _has_classes(self) -> bool:
        return self.competition.task != "regression"


def _held_back_last(y: pd.Series, has_classes: bool) -> np.ndarray:
    """Return positions in an order by chance whose last share has as much of each class."""
    from sklearn.model_selection import train_test_split

    strata = y if has_classes else None
    n_test = round(SHARE * len(y))
    seen, held_back = train_test_split(
        np.arange(len(y)), test_size=n_test, random_state=SEED, stratify=strata
    )
    return np.concatenate([seen, held_back])


def _write_csv(path: Path, frame: pd.DataFrame) -> str:
    """Write a frame some rows at a time, and return the digest of the file."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, len(frame), ROWS_AT_ONCE):
            rows = frame.iloc[start : start + ROWS_AT_ONCE]
            content = rows.to_csv(index=False, lineterminator="\n", header=not start).encode()
            digest.update(content)
            file.write(content)
    return digest.hexdigest()


def as_csv(frame: pd.DataFrame) -> str:
    """Return a frame as it is written for everybody."""
    return str(frame.to_csv(index=False, lineterminator="\n"))
