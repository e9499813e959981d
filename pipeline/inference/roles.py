"""Which of a competition's files are train, test and sample submission: by name and by content."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.csvtext import read_cells
from pipeline.errors import DataError

SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".data")
MOST_READ = 16  # tables that are read to tell their roles
WORDS = {
    "train": ("train", "trn", "learn", "labeled", "labelled", "학습", "훈련"),
    "test": ("test", "tst", "eval", "unlabeled", "unlabelled", "holdout", "평가", "테스트"),
    "sample": ("submission", "submit", "sample", "example", "제출", "샘플", "예시"),
}
MIN_SHARED = 0.5  # of the test's columns, in train


@dataclass(frozen=True)
class Roles:
    """The three files of a competition."""

    train: Path
    test: Path
    sample: Path


@dataclass(frozen=True)
class _Sketch:
    """What a file's role is told by."""

    path: Path
    shown: str
    names: tuple[str, ...]
    n_rows: int
    is_blank: bool  # the last column says the same in every row, as in most sample submissions

    @property
    def name(self) -> str:
        """The file's own name, without the folders and archives that it lies in."""
        return self.shown.rpartition("/")[2]

    def score(self, role: str) -> float:
        """Return how much the file's name speaks for a role."""
        return _name_score(self.name, role)


def find_roles(files: Mapping[str, Path]) -> Roles:
    """Return which of the files, by the names they are shown under, have which role.

    Raises DataError if no three of them fit together.
    """
    tables = {shown: path for shown, path in files.items() if shown.lower().endswith(SUFFIXES)}
    sketches, unread = [], []
    for shown, path in tables.items():
        try:
            sketches.append(_sketch(shown, path))
        except DataError as error:
            unread.append(str(error).replace(str(path), shown.rpartition("/")[2]))
    triples = (
        (_fit(*triple), triple)
        for triple in itertools.permutations(_most_telling(sketches), 3)
        if _is_possible(*triple)
    )
    best = max(triples, key=lambda pair: pair[0], default=None)
    if best is None:
        raise DataError("; ".join([_no_roles(list(files), sketches), *unread[:1]]))
    train, test, sample = best[1]
    return Roles(train.path, test.path, sample.path)


def _sketch(shown: str, path: Path) -> _Sketch:
    """Return what a file's role is told by.

    Raises DataError if it is no table.
    """
    cells = read_cells(path)[1]
    last = cells[cells.columns[-1]]
    return _Sketch(path, shown, tuple(map(str, cells.columns)), len(cells), last.nunique() == 1)


def _most_telling(sketches: list[_Sketch]) -> list[_Sketch]:
    """Return the files whose names say most, in the order of their names."""
    ranked = sorted(sketches, key=lambda one: (-max(map(one.score, WORDS)), one.shown))
    return sorted(ranked[:MOST_READ], key=lambda one: one.shown)


def _name_score(name: str, role: str) -> float:
    """Return 3 for a file that is named exactly so, 2 if the word is in the name, else 0."""
    stem = re.sub(r"(\.[a-z]+)+$", "", name.casefold())
    if stem in WORDS[role]:
        return 3.0
    found = {one: any(word in stem for word in words) for one, words in WORDS.items()}
    if not found[role]:
        return 0.0
    if role == "sample":
        return 2.0 + ("sub" in stem or "제출" in stem) * 0.5
    return 0.5 if found["sample"] else 2.0  # sample_train.csv, test_submission.csv


def _is_possible(train: _Sketch, test: _Sketch, sample: _Sketch) -> bool:
    """Tell whether the columns and rows allow these roles at all."""
    known, asked = set(train.names), set(sample.names)
    shared = known & set(test.names)
    return (
        bool(known - set(test.names))
        and len(shared) >= MIN_SHARED * (len(test.names) - 1)
        and bool(shared)
        and bool(asked - shared or asked & known - {sample.names[0]})
        and (sample.n_rows == test.n_rows or bool(asked & set(test.names)))
        and sample.n_rows <= test.n_rows
    )


def _fit(train: _Sketch, test: _Sketch, sample: _Sketch) -> float:
    """Return how well three files play these roles."""
    known, given, asked = (set(one.names) for one in (train, test, sample))
    return (
        sum(one.score(r) for one, r in zip((train, test, sample), WORDS, strict=True))
        + 6 * len(known & given) / len(given)
        + 2 * len(known & given) / len(known)
        + (sample.is_blank - test.is_blank)
        + 3 * bool((asked - given) & known)
        + 2 * bool(asked & given)
        + 3 * (sample.n_rows == test.n_rows)
        + (len(asked) < len(known))
        - 2 * (len(asked & given) > 0.5 * len(asked))
    )


def _no_roles(shown: list[str], sketches: list[_Sketch]) -> str:
    names = sorted(name.rpartition("/")[2] for name in shown)
    tables = sorted(f"{one.name} ({one.n_rows:,} x {len(one.names)})" for one in sketches)
    found = ", ".join(tables[:6]) or f"no table among {', '.join(names[:6]) or 'no files'}"
    more = f" and {len(tables) - 6} more" if len(tables) > 6 else ""
    return (
        "cannot tell which files are train, test and sample submission: expected three CSV files, "
        "of which train has the test's columns and a target, and the sample a row for each of the "
        f"test's; found {found}{more}"
    )
