"""JSON as scripts read it: in JSON's own types, and nothing that JSON cannot say."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any


def json_text(value: Any) -> str:
    """Return a value as JSON in lines; NaN and infinity, which JSON lacks, become null."""
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=2)


def plain(value: Any) -> Any:
    """Return a value in JSON's own types.

    Dataclasses, tuples, sets, paths, dates and what NumPy makes are known.
    Raises TypeError for anything else.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        facts = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
        return plain(facts)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set) else value)]
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "tolist"):  # of NumPy, which is not loaded for this
        return plain(value.tolist())
    if hasattr(value, "isoformat"):  # a date; one that is missing is no date
        return value.isoformat() if value == value else None
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
