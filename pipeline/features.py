"""A competition's features.py: row-wise columns, and the check that they are row-wise."""

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype

from pipeline.competition import Columns
from pipeline.errors import DeclarationError, did_you_mean

ROWS_TO_CHECK = 20_000  # what looks at other rows shows in these
FUNCTIONS = ("add_features", "make_transformer")


@dataclass(frozen=True)
class Features:
    """What features.py defines; both functions are optional.

    add_features: row-wise, frame to frame. make_transformer: an unfitted scikit-learn transformer
    of the feature columns, for what has to be learned; it becomes the pipeline's first step.
    """

    path: Path | None = None
    add_features: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    make_transformer: Callable[[], Any] | None = None


def load_features(folder: Path) -> Features:
    """Return the functions of a folder's features.py, or none if there is no such file.

    Raises DeclarationError if the file cannot be run or defines neither function.
    """
    path = folder / "features.py"
    if not path.is_file():
        return Features()
    module = import_file(path)
    functions = {name: getattr(module, name, None) for name in FUNCTIONS}
    if not any(functions.values()):
        public = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        hint = did_you_mean(public[0], FUNCTIONS) if public else ""
        raise DeclarationError(f"{path}: expected add_features or make_transformer; {hint}")
    return Features(path=path, **functions)


def import_file(path: Path) -> ModuleType:
    """Import a file under a name made of its bytes, so that saved estimators find it again.

    Raises DeclarationError naming the line that fails.
    """
    source = path.read_bytes()
    name = f"{path.stem}_{hashlib.sha256(source).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        line = error.lineno if isinstance(error, SyntaxError) else _line(error, path)
        raise DeclarationError(
            f"{path}, line {line}: {type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    return module


def apply_features(features: Features, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the competition's own columns added.

    Raises DeclarationError if features.py fails, names line and reason, or if it loses rows.
    """
    if features.add_features is None:
        return frame
    try:
        made = features.add_features(frame.copy())
    except Exception as error:
        raise DeclarationError(
            f"{features.path}, line {_line(error, features.path)}: add_features raised "
            f"{type(error).__name__}: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(made, pd.DataFrame):
        raise DeclarationError(
            f"{features.path}: add_features: expected a DataFrame, found {type(made).__name__}"
        )
    if not made.index.equals(frame.index):
        raise DeclarationError(
            f"{features.path}: add_features: expected the {len(frame)} rows it was given in their "
            f"order, found {len(made)}; rows are dropped by [cleaning], never by features"
        )
    return made


def check_rowwise(features: Features, frame: pd.DataFrame) -> None:
    """Check that the features of half the rows are half of the features of all rows.

    Raises DeclarationError naming the columns that looked at other rows. Every second row and the
    first half are tried, so that a mean, a rank or a neighbour shows.
    """
    if features.add_features is None or len(frame) < 2:
        return
    frame = frame.head(ROWS_TO_CHECK)
    whole = apply_features(features, frame)
    for rows in (np.arange(0, len(frame), 2), np.arange(len(frame) // 2)):
        part = apply_features(features, frame.iloc[rows])
        other = [
            c for c in whole.columns if c not in part or not _same(whole[c].iloc[rows], part[c])
        ]
        if other:
            raise DeclarationError(
                f"{features.path}: add_features: column {other[0]!r} changes when other rows are "
                "left out, so it learns from all rows at once; compute it from its own row, or "
                "return a transformer from make_transformer()"
            )


def spread_dates(frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return the frame with each date that is a feature replaced by its calendar numbers."""
    dates = [
        name
        for name in frame.columns
        if is_datetime64_any_dtype(frame[name]) and name not in columns.not_features
    ]
    numbers = {
        f"{name}_{part}": getattr(frame[name].dt, part).astype(float)
        for name in dates
        for part in ("year", "month", "day", "dayofweek", "hour")
        if name != columns.time
    }
    return frame.drop(columns=[d for d in dates if d != columns.time]).assign(**numbers)


def _line(error: Exception, path: Path | None) -> int | None:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return frames[-1].lineno if frames else None


def _same(one: pd.Series, other: pd.Series) -> bool:
    """Tell whether two columns agree, missing values included; sums may differ in the last bits."""
    if one.dtype != other.dtype and not (_is_number(one) and _is_number(other)):
        return False
    if _is_number(one):
        a, b = one.to_numpy(dtype=float), other.to_numpy(dtype=float)
        return bool(np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True))
    return one.equals(other)


def _is_number(series: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(series)
