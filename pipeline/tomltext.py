"""A competition as the competition.toml that declares it."""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.competition import Competition, ModelChoice
from pipeline.errors import UsageError

BARE = re.compile(r"[A-Za-z0-9_-]+")  # what a key may be without quotes
PLAIN = (
    "name",
    "title",
    "task",
    "metric",
    "default_model",
    "models",
)  # what is no table of its own
TABLES = tuple(one.name for one in dataclasses.fields(Competition) if one.name not in PLAIN)


def competition_toml(competition: Competition) -> str:
    """Return the text from which load_competition makes an equal competition.

    What is usual is left out. Raises UsageError for a parameter that TOML cannot say.
    """
    tables = {"": {name: getattr(competition, name) for name in ("title", "task", "metric")}}
    if competition.default_model != "auto":
        tables[""]["default_model"] = competition.default_model
    for name in TABLES:
        value = getattr(competition, name)
        if value is None:
            continue
        tables[name] = dict(value) if isinstance(value, Mapping) else _unusual(value)
    tables["cleaning.columns"] = tables["cleaning"].pop("columns", {})
    for label, choice in competition.models.items():
        tables[f"models.{_key(label)}"] = _model(choice, competition)
    return "\n".join(line for name, table in tables.items() for line in _lines(name, table))


def model_toml(choice: ModelChoice) -> str:
    """Return a model's table for competition.toml, with all that is not usual of it.

    Raises UsageError for a parameter that TOML cannot say.
    """
    own = {k: value for k, value in _unusual(choice).items() if k not in ("label", "parameters")}
    lines = _lines(f"models.{_key(choice.label)}", {**own, **choice.parameters})
    return "\n".join(lines).rstrip("\n")


def _unusual(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that are not as they usually are."""
    facts = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    return {
        one.name: facts[one.name]
        for one in dataclasses.fields(value)
        if facts[one.name] is not None and facts[one.name] != _usual(one)
    }


def _usual(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _model(choice: ModelChoice, competition: Competition) -> dict[str, Any]:
    own: dict[str, Any] = {} if choice.kind == choice.label else {"kind": choice.kind}
    if choice.transform is not None:
        own["transform"] = choice.transform
    if choice.by_parts:
        own["by_parts"] = True
    if choice.features != competition.preprocessing.features:
        own["features"] = choice.features
    return {**own, **choice.parameters}


def _lines(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table's lines, and one that is empty; a model's stands there even without a key."""
    if not table and not name.startswith("models."):
        return
    if name:
        yield f"[{name}]"
    for key, value in table.items():
        yield f"{_key(key)} = {_value(value, f'{name}.{key}')}"
    yield ""


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else toml_string(name)


def _value(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(one, where) for one in value)}]"
    if isinstance(value, Mapping):
        parts = (f"{_key(str(k))} = {_value(one, where)}" for k, one in value.items())
        return f"{{{', '.join(parts)}}}"
    raise UsageError(
        f"{where.lstrip('.')}: expected what TOML can say, numbers, text, lists, found "
        f"{type(value).__name__}; declare the competition in a folder, with a models.py"
    )


def toml_string(value: str) -> str:
    """Return a string of TOML; JSON's escapes are TOML's, except that DEL needs one."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
