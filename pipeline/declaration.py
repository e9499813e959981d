"""TOML tables to frozen dataclasses, with errors that name file, key, expected and found."""

import dataclasses
import re
import tomllib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pipeline.errors import DeclarationError, did_you_mean

T = TypeVar("T")

_TOML_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises DeclarationError if the file is missing, is not UTF-8, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise DeclarationError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise DeclarationError(
            f"{path}: expected UTF-8 text, found byte 0x{error.object[error.start]:02x} at offset "
            f"{error.start}; save the file as UTF-8"
        ) from None
    except (ValueError, RecursionError) as error:  # bad syntax, huge numbers, endless nesting
        raise DeclarationError(f"{path}: not valid TOML: {_one_line(error)}") from None
    except OSError as error:
        raise DeclarationError(f"{path}: cannot be read: {error.strerror}") from None


def parse_table(
    cls: type[T], table: Mapping[str, Any], where: str, **given: Any
) -> T:  # one dataclass type in, one instance out
    """Return cls filled from a table; keyword arguments are set beside it.

    cls: a dataclass whose annotations use str, int, float, bool, Literal, tuple[str, ...],
        dict[str, ...], `X | None` and other such dataclasses.
    where: file and key so far, as the errors shall print it.
    Raises DeclarationError for an unknown or missing key, or a value of another type.
    """
    hints = get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.name not in given}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            raise DeclarationError(f"{_at(where, key)}: unknown key; {did_you_mean(key, fields)}")
    for name, field in fields.items():
        if name not in table and _is_required(field):
            raise DeclarationError(f"{_at(where, name)}: missing; expected {expected(hints[name])}")
    values = {key: parse_value(hints[key], value, _at(where, key)) for key, value in table.items()}
    return cls(**values, **given)


def parse_value(hint: Any, value: Any, where: str) -> Any:
    """Return the value as the annotation wants it, or raise DeclarationError."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return parse_value(next(a for a in args if a is not types.NoneType), value, where)
    if origin is Literal:
        return _parse_choice(args, value, where)
    if origin is tuple:
        return _parse_list(args[0], value, where, hint)
    if origin is dict and isinstance(value, dict):
        return {key: parse_value(args[1], item, _at(where, key)) for key, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return parse_table(hint, value, where)  # type: ignore[arg-type]
    if hint is Any or _is_a(value, hint):
        return float(value) if hint is float else value
    raise DeclarationError(f"{where}: expected {expected(hint)}, found {_shown(value)}")


def expected(hint: Any) -> str:
    """Return an annotation in words."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return expected(next(a for a in args if a is not types.NoneType))
    if origin is Literal:
        return "one of " + ", ".join(repr(a) for a in args)
    if origin is tuple:
        return f"a list of {expected(args[0])}"
    if origin is dict or dataclasses.is_dataclass(hint):
        return "a table"
    return _TOML_NAMES.get(hint, str(hint))


def _parse_choice(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    if value in choices and isinstance(value, str):
        return value
    hint = f"; {did_you_mean(value, choices)}" if isinstance(value, str) and value else ""
    hint = hint if "did you mean" in hint else ""
    listed = ", ".join(repr(c) for c in choices)
    raise DeclarationError(f"{where}: expected one of {listed}; found {_shown(value)}{hint}")


def _parse_list(item: Any, value: Any, where: str, hint: Any) -> tuple[Any, ...]:
    """Read a list, or one item that stands for a list of one."""
    if not isinstance(value, list):
        if not _is_a(value, item):
            raise DeclarationError(f"{where}: expected {expected(hint)}, found {_shown(value)}")
        value = [value]
    parsed = tuple(parse_value(item, one, f"{where}[{i}]") for i, one in enumerate(value))
    twice = sorted({repr(one) for one in parsed if parsed.count(one) > 1})
    if twice:
        raise DeclarationError(f"{where}: {', '.join(twice)} is listed twice")
    return parsed


def _is_a(value: Any, hint: Any) -> bool:
    """Tell whether a TOML value has the type; an integer may be a float, a bool neither."""
    if not isinstance(hint, type):
        return False
    if hint is not bool and isinstance(value, bool):
        return False
    if hint is float:
        return isinstance(value, (int, float)) and -1e300 < value < 1e300  # neither inf nor NaN
    return isinstance(value, hint)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _at(where: str, key: str) -> str:
    shown = key if re.fullmatch(r"[\w-]+", key) else repr(key)
    return f"{where}: {shown}" if where.endswith(".toml") else f"{where}.{shown}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
