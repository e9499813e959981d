"""Values as the Python that makes them: parameters, estimators, functions."""

import ast
import dataclasses
import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Exponentiation, KernelOperator, Product

from pipeline.errors import UsageError
from pipeline.exporting.bundle import Bundle
from pipeline.exporting.pieces import HOMES

WIDTH = 92  # of a line, from its indent on


@dataclass(frozen=True, eq=False)
class Writer:
    """What writes values for a script, whose bundle takes what they are made by."""

    bundle: Bundle

    def piece(self, name: str) -> str:
        """Return what a function or class of the pieces is called in the script."""
        return self.bundle.add(HOMES[name], name)

    def value(self, value: Any, other: Any = None) -> str:
        """Return the expression of a value.

        other: the same with the next seed; what differs by it is written as `seed`.
        Raises UsageError for a value that no expression makes.
        """
        if value is None or isinstance(value, bool | str | bytes):
            own = self.bundle.function(value) if isinstance(value, str) else None
            return own or quoted(value)
        if isinstance(value, int | float | np.generic):
            return self._number(value, other)
        if isinstance(value, list | tuple):
            others = other if isinstance(other, type(value)) else value
            parts = [self.value(a, b) for a, b in zip(value, others, strict=True)]
            if isinstance(value, list):
                return f"[{', '.join(parts)}]"
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        if isinstance(value, Mapping):
            alike = other if isinstance(other, Mapping) else value
            parts = [f"{quoted(k)}: {self.value(one, alike[k])}" for k, one in value.items()]
            return f"{{{', '.join(parts)}}}"
        if isinstance(value, KernelOperator):
            sign = "*" if isinstance(value, Product) else "+"
            return f"({self.value(value.k1)} {sign} {self.value(value.k2)})"
        if isinstance(value, type) or inspect.isfunction(value):
            return self.name(value.__module__, value.__qualname__)
        if hasattr(value, "get_params") and not isinstance(value, Exponentiation):
            return self.made(value, other)
        if dataclasses.is_dataclass(value):
            facts = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
            return self.call(type(value), facts, facts)
        raise UsageError(f"{type(value).__name__}: cannot be written into a script")

    def made(self, estimator: Any, other: Any = None) -> str:
        """Return the call that makes an unfitted estimator; what is usual is left out."""
        given = estimator.get_params(deep=False)
        others = other.get_params(deep=False) if other is not None else given
        usual = inspect.signature(type(estimator)).parameters
        told = {
            name: value
            for name, value in given.items()
            if name not in usual
            or _differs(value, usual[name].default)
            or _differs(value, others[name])  # the seed, though it be the usual one
        }
        return self.call(type(estimator), told, others)

    def call(self, cls: type, told: Mapping[str, Any], others: Mapping[str, Any]) -> str:
        """Return the call of a class with keyword arguments."""
        arguments = ", ".join(f"{k}={self.value(v, others[k])}" for k, v in told.items())
        return f"{self.name(cls.__module__, cls.__qualname__)}({arguments})"

    def name(self, module: str, name: str) -> str:
        """Return what a class or function is called in the script.

        Raises UsageError for one that no other module can reach.
        """
        if "." in name or module == "__main__" or "<" in name:
            raise UsageError(f"{module}.{name}: cannot be written into a script")
        if self.bundle.source(module) is None:
            module = _public_home(module, name)
        return self.bundle.add(module, name)

    def _number(self, value: Any, other: Any) -> str:
        plain = value.item() if isinstance(value, np.generic) else value
        if other is not None and plain + 1 == other:
            return "seed"
        if isinstance(plain, float) and not np.isfinite(plain):
            return f'float("{plain}")'
        return repr(plain)


def _public_home(module: str, name: str) -> str:
    """Return the module that users import something from: sklearn.svm, not sklearn.svm._classes."""
    thing, parts = getattr(_imported(module), name), module.split(".")
    homes = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
    return next(home for home in homes if getattr(_imported(home), name, None) is thing)


def _imported(module: str) -> Any:
    return importlib.import_module(module)


def in_lines(text: str, indent: int = 0) -> str:
    """Return an expression with its parts in lines of their own where it is too long for one.

    indent: of the line that it stands in; what comes before it there counts as well.
    """
    if indent + len(text) <= WIDTH:
        return text
    node = ast.parse(text, mode="eval").body
    if isinstance(node, ast.Call):
        parts = [("", one) for one in node.args] + [(f"{k.arg}=", k.value) for k in node.keywords]
        opening, closing = f"{ast.get_source_segment(text, node.func)}(", ")"
    elif isinstance(node, ast.List | ast.Tuple):
        parts, opening, closing = [("", one) for one in node.elts], text[0], text[-1]
    else:
        return text
    inner = indent + 4
    lines = [
        f"{' ' * inner}{name}{in_lines(ast.get_source_segment(text, one) or '', inner)},\n"
        for name, one in parts
    ]
    return f"{opening}\n{''.join(lines)}{' ' * indent}{closing}"


def quoted(value: Any) -> str:
    """Return a value as people write it: text in double quotes where it has none itself."""
    text = repr(value)
    plain = isinstance(value, str) and '"' not in value and text[1:-1] == value
    return f'"{value}"' if plain else text


def _differs(value: Any, usual: Any) -> bool:
    if isinstance(value, float) and np.isnan(value):
        return not (isinstance(usual, float) and np.isnan(usual))
    try:
        return type(value) is not type(usual) or bool(value != usual)
    except ValueError:  # arrays
        return True
