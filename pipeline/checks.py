"""Whether a competition's rows can be learned from and predicted, once features are made."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.competition import Competition
from pipeline.data import Table, TableFile, check_ids
from pipeline.errors import DataError, did_you_mean
from pipeline.progress import Warned, counted, emit

LARGEST = float(np.finfo(np.float32).max)  # networks and trees compute with 32 bits


def check_train(frame: pd.DataFrame, file: TableFile, competition: Competition) -> None:
    """Check the training rows, after features.py, against what competition.toml declares.

    file: where the rows are from, one for one. Raises DataError at the first fault.
    """
    for where, names in _declared(competition):
        _check_present(names, where, set(frame.columns), file)
    _check_features(frame, file, competition)
    for name in competition.columns.target:
        _check_answers(frame[name], file, competition)
    _check_parts(frame, file, competition)
    for role in ("group", "time"):
        name = getattr(competition.columns, role)
        if name is not None:
            _check_complete(frame[name], f"every training row needs its {role}", file)


def check_part(frame: pd.DataFrame, file: TableFile, competition: Competition) -> None:
    """Check training rows that are not all of them, after features.py, each row by itself.

    file: where the rows are from, one for one. Raises DataError at the first fault.
    """
    for where, names in _declared(competition):
        _check_present(names, where, set(frame.columns), file)
    _check_finite(frame[_features(frame, competition)], file)
    for name in competition.columns.target:
        _check_complete(frame[name], "every training row needs its answer", file)
        _check_finite(frame[[name]], file)
        _check_bounds(frame[name], file, competition)
    group = competition.columns.group
    if group is not None:
        _check_complete(frame[group], "every training row needs its group", file)


def check_files_agree(
    train: Table, test: Table, competition: Competition, *, needs_id: bool
) -> None:
    """Check, before features.py works on them, that both files have the columns of the other.

    needs_id: features.py may use the id, so the training file must have it too.
    Raises DataError naming the file and what it lacks.
    """
    hidden, columns = competition.columns.not_features, competition.columns
    _refuse_columns(
        [one for one in map(str, train.frame) if one not in test.frame and one not in hidden],
        f"{test.file.path}: columns of {competition.files.train} are absent",
        "they may give the answer away; add them to [columns] drop",
    )
    optional = columns.drop if needs_id else (*columns.drop, columns.id_name)
    _refuse_columns(
        [one for one in map(str, test.frame) if one not in train.frame and one not in optional],
        f"{train.file.path}: columns of {competition.files.test} are absent",
        "fetch files that belong together, or add them to [columns] drop",
    )


def warn_of_repeated_ids(ids: pd.Series, file: TableFile) -> None:
    """Tell how many training rows have the id of an earlier one; folds may part them."""
    repeated = ids.duplicated()
    if repeated.any():
        rows = counted(int(repeated.sum()), "training row")
        first = ids[repeated].iloc[0]
        emit(
            Warned(
                f"{file.path.name}: the ids of {rows} stand in earlier rows (first {first!r}); if "
                'they describe one thing, declare a [columns] group, or duplicates = "drop"'
            )
        )


def check_test(
    frame: pd.DataFrame,
    ids: pd.Series,
    file: TableFile,
    train: pd.DataFrame,
    competition: Competition,
) -> None:
    """Check the test rows, after features.py, against the training rows' columns.

    Raises DataError at the first fault.
    """
    drop = competition.columns.drop  # its columns may be in either file
    _check_present(drop, "[columns] drop", {*train.columns, *frame.columns}, file)
    features, known = _features(frame, competition), _features(train, competition)
    name = competition.files.train
    _refuse_columns(
        [one for one in known if one not in frame],
        f"{file.path}: columns of {name} are absent",
        "they may give the answer away; add them to [columns] drop",
    )
    _refuse_columns(
        [one for one in features if one not in train],
        f"{file.path}: columns are not in {name}",
        "add them to [columns] drop",
    )
    check_ids(ids, file)
    _check_finite(frame[features], file)


def check_any_feature(features: Collection[str], path: Path) -> None:
    """Check that a file leaves anything to learn from. Raises DataError."""
    if not len(features):
        raise DataError(
            f"{path}: no feature column is left beside id, target, group and [columns] drop"
        )


def check_new(frame: pd.DataFrame, file: TableFile, features: Sequence[str]) -> None:
    """Check that rows to be predicted have every column that a finished run was trained on.

    Raises DataError.
    """
    _refuse_columns(
        [name for name in features if name not in frame],
        f"{file.path}: columns that the run was trained on are absent",
        "add them to the file",
    )
    _check_finite(frame[list(features)], file)


def _features(frame: pd.DataFrame, competition: Competition) -> list[str]:
    hidden = competition.not_features
    return [str(name) for name in frame.columns if name not in hidden]


def _refuse_columns(names: list[str], fault: str, mend: str) -> None:
    if names:
        raise DataError(f"{fault}: {', '.join(map(repr, names))}; {mend}")


def _check_present(
    names: Iterable[str], where: str, present: Collection[str], file: TableFile
) -> None:
    for name in names:
        if name not in present:
            raise DataError(
                f"{file.path}: column {name!r} ({where}) is neither in the file nor made by "
                f"features.py; {did_you_mean(name, map(str, present))}"
            )


def _declared(competition: Competition) -> Iterable[tuple[str, tuple[str, ...]]]:
    columns = competition.columns
    for role in ("target", "categorical", "numeric", "datetime", "text"):
        yield f"[columns] {role}", getattr(columns, role)
    for role in ("group", "time"):
        name = getattr(columns, role)
        yield f"[columns] {role}", () if name is None else (name,)
    by = competition.windows.by if competition.windows is not None else None
    yield "[windows] by", () if by is None else (by,)
    yield "[target] parts", competition.target.parts
    for spelling, names in competition.levels.items():
        yield f"[levels] {spelling}", names


def _check_features(frame: pd.DataFrame, file: TableFile, competition: Competition) -> None:
    features = _features(frame, competition)
    check_any_feature(features, file.path)
    empty = [name for name in features if frame[name].isna().all()]
    _refuse_columns(
        empty,
        f"{file.path}: columns are empty in all {len(frame):,} rows",
        "add them to [columns] drop",
    )
    for name in features:
        if " = " in name and name.partition(" = ")[0] in features:
            raise DataError(
                f"{file.path}: column {name!r} is named as a level of column "
                f"{name.partition(' = ')[0]!r} would be; rename one in the file"
            )
    if all(frame[name].nunique(dropna=False) == 1 for name in features):
        raise DataError(
            f"{file.path}: every feature column has one value in all {len(frame):,} rows; there is "
            "nothing to learn from"
        )
    _check_finite(frame[features], file)


def _check_answers(y: pd.Series, file: TableFile, competition: Competition) -> None:
    _check_complete(y, "every training row needs its answer", file)
    _check_finite(y.to_frame(), file)
    _check_bounds(y, file, competition)
    if y.nunique() == 1:
        raise DataError(
            f"{file.path}: every training row has {y.name} = {y.iloc[0]}; there is nothing to learn"
        )
    if competition.task == "regression" and y.astype("float32").nunique() == 1:
        raise DataError(
            f"{file.path}: every training row has the same {y.name} in 32 bits; write it in "
            "another unit, so that it varies by more than 1e-37 and by a part in a million"
        )
    if competition.task == "binary" and y.nunique() > 2:
        found = ", ".join(repr(str(one)) for one in y.unique()[:5])
        raise DataError(
            f'{file.path}, column {y.name!r}: expected 2 classes for task = "binary", found '
            f"{y.nunique()} ({found}{', ...' if y.nunique() > 5 else ''}); correct the file, or "
            'declare task = "multiclass"'
        )


def _check_bounds(y: pd.Series, file: TableFile, competition: Competition) -> None:
    lower, upper = competition.target.lower, competition.target.upper
    outside = np.zeros(len(y), dtype=bool)
    if lower is not None:
        outside |= y.to_numpy() < lower
    if upper is not None:
        outside |= y.to_numpy() > upper
    if outside.any():
        row = int(outside.argmax())
        raise DataError(
            f"{file.at(row, str(y.name))}: expected a value within [target] lower = {lower}, "
            f"upper = {upper}; found {y.iloc[row]}; correct the file or the bounds"
        )


def _check_parts(frame: pd.DataFrame, file: TableFile, competition: Competition) -> None:
    """Check that the target's parts are numbers that a transform bears, and that they sum to it."""
    names = competition.target.parts
    if not names:
        return
    for name in names:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            raise DataError(f"{file.path}, column {name!r}: expected numbers, as it is a part")
        _check_complete(frame[name], "every training row needs the parts of its target", file)
        _check_finite(frame[[name]], file)
        below = frame[name].to_numpy() < 0
        if competition.target.transform != "none" and below.any():
            row = int(below.argmax())
            raise DataError(
                f"{file.at(row, name)}: expected 0 or more, as [target] transform needs, found "
                f"{frame[name].iloc[row]}; correct the file, or remove [target] parts"
            )
    target = competition.columns.target[0]
    total, y = frame[list(names)].sum(axis="columns").to_numpy(), frame[target].to_numpy()
    differs = ~np.isclose(total, y, rtol=1e-9, atol=1e-9)
    if differs.any():
        row = int(differs.argmax())
        raise DataError(
            f"{file.at(row, target)}: expected the sum of [target] parts, {total[row]}, found "
            f"{y[row]}; correct the file, or remove [target] parts"
        )


def _check_complete(column: pd.Series, need: str, file: TableFile) -> None:
    missing = column.isna().to_numpy()
    if missing.any():
        rows = "1 row" if missing.sum() == 1 else f"{missing.sum():,} rows"
        raise DataError(
            f"{file.path}, column {column.name!r}: missing in {rows}, first in "
            f"{file.where(int(missing.argmax()))}; {need}, so remove these rows from the file, or "
            "declare the spelling in [levels] if it is a level"
        )


def _check_finite(frame: pd.DataFrame, file: TableFile) -> None:
    for name in frame.select_dtypes("float").columns:
        size = frame[name].abs().to_numpy()
        too_large = size > LARGEST
        if too_large.any():
            row = int(too_large.argmax())
            bound = "" if np.isinf(size[row]) else f" of at most {LARGEST:.2g}"
            raise DataError(
                f"{file.at(row, str(name))}: expected a finite number{bound}, found "
                f"{frame[name].iloc[row]}; correct the file or features.py, or add the spelling to "
                "[files] na_values"
            )
