"""A competition's files to rows: cells, types, features."""

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from pipeline.features import _plain_type


def find_folder(file: str, *usual: str) -> Path:
    """Return the folder of the competition's files: an argument, this folder, or a usual one."""
    candidates = [*map(Path, sys.argv[1:]), Path(), *map(Path, usual)]
    found = next((folder for folder in candidates if (folder / file).is_file()), None)
    if found is None:
        raise SystemExit(f"{file}: not found; run: python solution.py FOLDER")
    return found


def read_cells(path: Path, encoding: str = "utf-8", separator: str = ",") -> pd.DataFrame:
    """Return a file's cells as they are written; columns without a name are counted."""
    cells = pd.read_csv(path, dtype="str", keep_default_na=False, encoding=encoding, sep=separator)
    nameless = [name for name in cells if str(name).startswith("Unnamed: ")]
    return cells.rename(columns={name: f"Unnamed: {i}" for i, name in enumerate(nameless)})


def read_images(
    path: Path, others: Sequence[str], encoding: str = "utf-8", separator: str = ","
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cells of a file of images that are no pixels, as written, and pixels as bytes.

    others: the columns that are no pixels.
    """
    names = [str(n) for n in pd.read_csv(path, nrows=0, encoding=encoding, sep=separator)]
    pixels = [name for name in names if name not in others]
    types = {name: "uint8" if name in pixels else "str" for name in names}
    cells = pd.read_csv(path, dtype=types, keep_default_na=False, encoding=encoding, sep=separator)
    array = np.ascontiguousarray(cells[pixels].to_numpy())
    return cells.drop(columns=pixels), pd.DataFrame(array, columns=pixels)


def typed(
    cells: pd.DataFrame,
    kinds: Mapping[str, str],
    missing: Sequence[str],
    levels: Mapping[str, Sequence[str]],
    decimal: str = ".",
) -> pd.DataFrame:
    """Return cells as numbers, text and dates, each column of its kind.

    missing: spellings of what is missing. levels: of these, the columns in which they are a level.
    """
    columns = {}
    for name in map(str, cells):
        kind, text = kinds.get(name, "text"), cells[name].str.strip()
        is_missing = text.isin([one for one in missing if name not in levels.get(one, ())])
        if kind == "text":
            columns[name] = cells[name].mask(is_missing)
        elif kind.startswith("datetime"):
            columns[name] = _dates(text.mask(is_missing), kind)
        elif kind == "empty":
            columns[name] = pd.Series(np.nan, index=cells.index)
        else:
            columns[name] = _numbers(text.mask(is_missing), decimal)
    return pd.DataFrame(columns)


def _numbers(text: pd.Series, decimal: str) -> pd.Series:
    """Return text as whole numbers if all are, else as floats; a column of levels may stay text."""
    if decimal == ",":
        text = text.str.replace(".", "").str.replace(",", ".")
    digits = text.str.replace(r"[+,]", "", regex=True)
    if digits.str.fullmatch(r"-?\d+").all() and digits.notna().all():
        return digits.astype("int64")
    try:
        return digits.astype(float)
    except ValueError:
        return text


def _dates(text: pd.Series, kind: str) -> pd.Series:
    """Return dates; of those that end in the year, the kind says what stands first."""
    if kind == "datetime":
        plain = text.str.replace(r"^(\d+)[/.](\d+)[/.]", r"\1-\2-", regex=True)
        plain = plain.str.replace(" ?(Z|UTC)$", "", regex=True)
        return pd.to_datetime(plain, format="ISO8601").astype("datetime64[us]")
    plain = text.str.replace(r"[-.]", "/", n=2, regex=True)
    return pd.to_datetime(plain, format="mixed", dayfirst=kind == "datetime_dayfirst").astype(
        "datetime64[us]"
    )


def with_features(
    frame: pd.DataFrame, add_features: Callable[[pd.DataFrame], pd.DataFrame]
) -> pd.DataFrame:
    """Return rows with the features that each can tell by itself."""
    made = add_features(frame.copy())
    return made.astype({name: _plain_type(made[name]) for name in made})


@dataclass(frozen=True, eq=False)
class Rows:
    """Training rows: X (n_samples, n_features), what they are answered by, what divides them.

    groups, order: (n_samples,) or None. parts: columns whose sum is y, or None.
    outlying: (n_samples,), which rows nothing shall be fitted on, or None.
    """

    X: pd.DataFrame
    y: Any
    groups: pd.Series | None = None
    order: pd.Series | None = None
    parts: pd.DataFrame | None = None
    outlying: pd.Series | None = None

    def at(self, rows: np.ndarray) -> Self:
        """Return the rows at these positions."""
        parts: dict[str, Any] = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        chosen: dict[str, Any] = {
            k: None if one is None else one.iloc[rows] for k, one in parts.items()
        }
        return type(self)(**chosen)


def clean(rows: Rows, complete: Sequence[str] = (), *, unique: bool = False) -> Rows:
    """Return the rows that are fitted on: those that lack nothing in some columns, once each."""
    left_out = rows.X[list(complete)].isna().any(axis="columns").to_numpy()
    if unique:
        target = pd.DataFrame(rows.y).add_prefix("target ")
        left_out = left_out | pd.concat([rows.X, target], axis="columns").duplicated().to_numpy()
    if rows.outlying is not None:
        left_out = left_out | rows.outlying.to_numpy(dtype=bool)
    return rows.at(np.flatnonzero(~left_out))
