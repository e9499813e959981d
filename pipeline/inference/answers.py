"""What a competition asks: which column tells the rows apart, and which ones are the target."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.csvtext import NAMELESS
from pipeline.data import normalise_ids
from pipeline.errors import DataError, did_you_mean
from pipeline.inference.evidence import Said, Tables, listed
from pipeline.labels import classes_of_columns

MOST_CLASSES = 1000
TARGETS = ("target", "label", "class", "y", "answer", "outcome", "정답", "타겟")
NEAR = 0.8  # two names that are so alike mean the same


@dataclass(frozen=True)
class Question:
    """What the sample submission asks for.

    asked: the sample's columns that want an answer. is_wide: they are the classes of the target.
    """

    id: str | None
    by_position: bool
    target: tuple[str, ...]
    asked: tuple[str, ...]
    is_wide: bool = False


def find_question(tables: Tables, said: Said) -> Question:
    """Return what the sample asks for, by its columns and by those that only train has.

    Raises DataError naming the option that decides it if the files do not tell.
    """
    identity, by_position = _identity(tables, said)
    sample = tables.sample
    kept = set(tables.test) if by_position and identity is None else {identity}
    asked = tuple(n for n in sample.columns if n not in kept and not n.startswith(NAMELESS))
    if not asked:
        raise DataError(
            f"{_sample(tables)}: expected a column for the answers beside "
            f"{'the id ' + repr(identity) if identity else 'nameless ones'}, found none; give the "
            "real sample submission"
        )
    _check_no_keys(tables, said, asked)
    target, is_wide = _target(tables, said, asked, identity)
    if len(asked) < len(sample.columns) and identity is None and not set(asked) >= set(target):
        raise DataError(
            f"{_sample(tables)}: no single column tells its rows apart, and its answers "
            f"({listed(asked)}) are not called as the target {listed(target)}; rename them in "
            f"{tables.files.train}, or name the id by --id"
        )
    return Question(identity, by_position, target, asked, is_wide)


def _check_no_keys(tables: Tables, said: Said, asked: tuple[str, ...]) -> None:
    """Check that no column that wants an answer is one that test has filled in."""
    for name in asked:
        filled = name in tables.test and tables.sample[name].nunique() > 1
        if filled and name not in said.target:
            raise DataError(
                f"{_sample(tables)}: {name!r} is a column of {tables.files.test} as well, and its "
                f"rows are in another order there; sort them alike, or name the targets by --target"
            )


def _identity(tables: Tables, said: Said) -> tuple[str | None, bool]:
    """Return the id column, and whether the sample's rows are the test's by their position."""
    test, sample = tables.test, tables.sample
    if said.id is not None:
        if said.id not in sample:
            raise DataError(
                f"{_sample(tables)}: there is no column {said.id!r} (--id); "
                f"{did_you_mean(said.id, map(str, sample.columns))}"
            )
        return said.id, said.id not in test
    shared = [str(name) for name in sample if name in test]
    known = [name for name in shared if _joins(sample[name], test[name])]
    keys = [name for name in shared if name not in known[:1] and sample[name].nunique() > 1]
    are_same = len(sample) == len(test) and all(_are_same(sample[n], test[n]) for n in keys)
    if known and not (keys and are_same):
        return known[0], False
    if not are_same:
        raise DataError(
            f"{_sample(tables)}: {len(sample):,} rows, of which no column finds its row among the "
            f"{len(test):,} of {tables.files.test}; give files that belong together, or name the "
            "id by --id"
        )
    return (None if keys else _own_identity(tables, said)), True


def _joins(wanted: pd.Series, given: pd.Series) -> bool:
    """Tell whether every cell of a sample's column is exactly one of the test's."""
    ids, known = normalise_ids(wanted), normalise_ids(given)
    return ids.is_unique and known.is_unique and bool(ids.isin(known).all()) and "" not in set(ids)


def _are_same(wanted: pd.Series, given: pd.Series) -> bool:
    """Tell whether the cells of two files are the same, row by row."""
    return normalise_ids(wanted).equals(normalise_ids(given))


def _own_identity(tables: Tables, said: Said) -> str | None:
    """Return the id that test lacks: the sample's first column, if it tells the rows apart.

    Otherwise the sample has no ids, and nothing but answers.
    """
    sample = tables.sample
    first = str(sample.columns[0])
    ids = normalise_ids(sample[first])
    if len(sample.columns) == 1 or not ids.is_unique or "" in set(ids):
        return None
    may_be_answer = first in said.target or first in tables.train
    return None if may_be_answer and not _are_counted(ids) else first


def _are_counted(ids: pd.Series) -> bool:
    """Tell whether ids are whole numbers, each one more than the last, as no prediction is."""
    numbers = pd.to_numeric(ids, errors="coerce")
    return len(ids) > 1 and bool((numbers.diff().iloc[1:] == 1).all())


def _target(
    tables: Tables, said: Said, asked: tuple[str, ...], identity: str | None
) -> tuple[tuple[str, ...], bool]:
    """Return the target columns, and whether the sample has a column for each class instead."""
    train = tables.train
    if said.target:
        for name in said.target:
            if name not in train:
                raise DataError(
                    f"{tables.train_file.path.name}: there is no column {name!r} (--target); "
                    f"{did_you_mean(name, map(str, train.columns))}"
                )
        return said.target, len(said.target) == 1 and len(asked) > 1
    if all(name in train for name in asked):
        return asked, False
    only_train = [str(n) for n in train if n not in tables.test and n != identity]
    if len(asked) > 1:
        classes = [name for name in only_train if _are_classes(asked, train[name])]
        if not classes:
            raise DataError(_untold(tables, asked, only_train))
        return (classes[0],), True
    return (_single(tables, asked[0], only_train),), False


def _are_classes(asked: Sequence[str], column: pd.Series) -> bool:
    """Tell whether a sample's columns are called after a training column's levels, one for one."""
    levels = sorted({text.strip() for text in column.unique()} - {""})
    if len(levels) != len(asked) or len(levels) > MOST_CLASSES:
        return False
    whole = [level.removesuffix(".0") for level in levels]
    return any(
        set(classes_of_columns(asked, names)) == set(range(len(names))) for names in (levels, whole)
    )


def _single(tables: Tables, asked: str, candidates: list[str]) -> str:
    """Return the training column that a sample's only answer is about, by its name."""
    if len(candidates) == 1:
        return candidates[0]
    folded = {name.casefold(): name for name in reversed(candidates)}
    near = difflib.get_close_matches(asked.casefold(), folded, n=1, cutoff=NEAR)
    usual = [name for word in TARGETS for name in candidates if name.casefold() == word]
    found = [folded[one] for one in near] or usual
    if not found:
        raise DataError(_untold(tables, (asked,), candidates))
    return found[0]


def _untold(tables: Tables, asked: tuple[str, ...], candidates: list[str]) -> str:
    there = f"only it has {listed(candidates)}" if candidates else "it has no column beyond test's"
    return (
        f"{_sample(tables)}: asks for {listed(asked)}, which is no column of {tables.files.train} "
        f"nor named after the classes of one ({there}); name the target by --target, or put it "
        "into the training file"
    )


def _sample(tables: Tables) -> str:
    return tables.files.sample_submission
