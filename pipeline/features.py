"""A competition's features.py: row-wise columns, and what goes wrong in it."""

import contextlib
import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype

from pipeline.competition import Columns
from pipeline.errors import DeclarationError, PipelineError, did_you_mean

CALENDAR = {p: p for p in ("year", "month", "day", "hour")} | {"weekday": "day_of_week"}
FUNCTIONS = ("add_features", "make_transformer")
MANY_ROWS = 2**17  # from which on single precision saves memory that matters
EPOCH = pd.Timestamp(0)
KINDS_OF_OBJECTS = ("string", "empty")  # others would be told apart by nobody later on
KINDS = (
    *KINDS_OF_OBJECTS, "integer", "floating", "boolean", "integer-na", "datetime64", "datetime",
    "categorical",
)  # fmt: skip


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
    functions = {name: getattr(module, name) for name in FUNCTIONS if hasattr(module, name)}
    for name, value in functions.items():
        if not callable(value):
            raise DeclarationError(f"{path}: {name}: expected a function, found {value!r}")
    if not functions:
        values = vars(module).values()
        own = [v.__name__ for v in values if getattr(v, "__module__", None) == module.__name__]
        found = f"{own[0]!r}; {did_you_mean(own[0], FUNCTIONS)}" if own else "no function"
        raise DeclarationError(f"{path}: expected add_features or make_transformer, found {found}")
    return Features(path=path, **functions)


def module_name(file: str, source: bytes) -> str:
    """Return the name under which a file of these bytes is imported."""
    return f"{Path(file).stem}_{hashlib.sha256(source).hexdigest()[:16]}"


def import_file(path: Path) -> ModuleType:
    """Import a file under a name made of its bytes, so that saved estimators find it again.

    Raises DeclarationError naming the line that fails.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise DeclarationError(f"{path}: cannot be read: {error.strerror}") from None
    name = module_name(path.name, source)
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        # Compiled here, because the import system's own cache goes by the second, not by the bytes.
        exec(compile(source, path, "exec"), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise DeclarationError(f"{_where(error, path)}: {_reason(error)}") from error
    return module


@contextlib.contextmanager
def blaming(features: Features) -> Iterator[None]:
    """Turn what features.py raises in the enclosed block into a DeclarationError with its line."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        functions = (features.add_features, features.make_transformer)
        files = {inspect.getfile(function) for function in functions if function}
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
        if not frames:
            raise
        where = f"{features.path}, line {frames[-1].lineno}"
        raise DeclarationError(f"{where}: {frames[0].name} raised {_reason(error)}") from error


def apply_features(features: Features, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the competition's own columns added.

    Raises DeclarationError if features.py fails, names line and reason, or if it loses rows.
    """
    if features.add_features is None:
        return frame
    with blaming(features):
        made = features.add_features(frame.copy())
    if not isinstance(made, pd.DataFrame):
        raise DeclarationError(
            f"{features.path}: add_features: expected a DataFrame, found {type(made).__name__}"
        )
    if not made.index.equals(frame.index):
        raise DeclarationError(
            f"{features.path}: add_features: expected the {len(frame)} rows it was given in their "
            f"order, found {len(made)}; rows are dropped by [cleaning], never by features"
        )
    fault = next(_column_faults(made), None)
    if fault:
        raise DeclarationError(f"{features.path}: add_features: {fault}")
    return made.astype({name: _plain_type(made[name]) for name in made})


def _plain_type(column: pd.Series) -> Any:
    """Return the type that later stages know a column by: categories are text, NA is NaN."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "str" if column.dtype.categories.dtype.kind in "OTU" else float
    nullable = pd.api.types.is_extension_array_dtype(column.dtype)
    is_text = pd.api.types.is_string_dtype(column.dtype)
    if nullable and pd.api.types.is_numeric_dtype(column.dtype):
        return float
    return "str" if is_text and column.dtype != object else column.dtype


def _column_faults(made: pd.DataFrame) -> Iterator[str]:
    """Yield what no later stage could work with."""
    for name in made.columns:
        if not isinstance(name, str):
            yield f"expected columns named by text, found {name!r}"
    for twice in made.columns[made.columns.duplicated()]:
        yield f"column {twice!r} is made twice"
    for label, column in made.items():
        kind = pd.api.types.infer_dtype(column, skipna=True)
        if kind not in (KINDS_OF_OBJECTS if column.dtype == object else KINDS):
            yield (
                f"column {label!r}: expected numbers, text or dates, found {kind} "
                f"({column.dtype}); convert it with astype"
            )


def spread_dates(frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return the frame with each date that is a feature replaced by its calendar numbers.

    A column that the frame has already is kept. [columns] time stays: as days since 1970, which
    order the folds as the dates do.
    """
    return spread(frame, columns.not_features, columns.time)


def spread(frame: pd.DataFrame, but: Collection[str], time: str | None = None) -> pd.DataFrame:
    """Return the frame with its dates as calendar numbers, and the time as days since 1970.

    but: columns that are no features, and stay.
    """
    number = "float32" if len(frame) >= MANY_ROWS else "float64"  # parts of dates are exact in both
    dates = [n for n in frame.columns if is_datetime64_any_dtype(frame[n]) and n not in but]
    numbers = {
        f"{name}_{part}": getattr(frame[name].dt, attribute).astype(number)
        for name in dates
        for part, attribute in CALENDAR.items()
        if f"{name}_{part}" not in frame
    }
    days = {
        d: (frame[d].dt.tz_localize(None) - EPOCH) / pd.Timedelta(days=1)
        for d in dates
        if d == time
    }
    return frame.drop(columns=[d for d in dates if d not in days]).assign(**days, **numbers)


def _where(error: BaseException, path: Path | None) -> str:
    """Return the file, and its line that failed if there is one."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    line = frames[-1].lineno if frames else getattr(error, "lineno", None)
    return f"{path}, line {line}" if line else str(path)


def _reason(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
