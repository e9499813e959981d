"""Definitions of a package with all that they need, and nothing else, in one namespace.

A definition is copied as it is written, comments and all; what changes are names, where two modules
have the same for two things, and imports of the package, which are no longer needed.
"""

import ast
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from sys import stdlib_module_names

OWN = "pipeline"
USUAL = {  # what people call modules
    ("numpy", ""): "np",
    ("pandas", ""): "pd",
    ("pyarrow", ""): "pa",
    ("pyarrow", "compute"): "pc",
}
Key = tuple[str, str]  # a module and a name in it
Statement = ast.stmt


@dataclass(frozen=True, eq=False)
class Source:
    """A module's text, what it defines where, and what its imports stand for.

    definitions: from a name to the statement that makes it. imports: from a local name to the
    module and the name there, "" for the module itself.
    """

    name: str
    text: str
    definitions: Mapping[str, Statement]
    imports: Mapping[str, Key]

    @property
    def is_own(self) -> bool:
        """Whether it belongs to this package, so that its definitions are copied."""
        return self.name.split(".")[0] == OWN


@dataclass(eq=False)
class Bundle:
    """What was asked for, and all that it needs.

    files: sources by the name of a module that is no part of the package, a competition's own code.
    replaced: definitions that others stand for. without: methods that are left out, by class.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    replaced: Mapping[Key, Key] = field(default_factory=dict)
    without: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    names: dict[Key, str] = field(default_factory=dict)
    needed: dict[str, dict[int, Statement]] = field(default_factory=dict)

    def add(self, module: str, name: str) -> str:
        """Take a definition and all that it needs; return what it is called in the bundle."""
        key = self._home(module, name)
        if key in self.names:
            return self.names[key]
        source = self.source(key[0])
        if source is None:
            return self._call(key, key[1] or key[0].split(".")[0])
        statement = source.definitions[key[1]]
        same = self._same(key, ast.unparse(statement))
        if same is not None:
            self.names[key] = same
            return same
        called = self._call(key, key[1])
        self.needed.setdefault(key[0], {})[statement.lineno] = statement
        for other in self._globals(source, statement):
            self.add(*self._target(source, other))
        for text in _texts(statement):
            self.function(text)
        return called

    def keep(self, module: str, text: str) -> str:
        """Take a file as it stands, its names first of all; return it without its imports."""
        source = _parse(module, text)
        self.taken |= set(source.definitions)
        for local, (home, name) in source.imports.items():
            self.names[home, name] = local
            self.taken.add(local)
        lines = text.splitlines()
        for statement in reversed(ast.parse(text).body):
            is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if is_text or isinstance(statement, ast.Import | ast.ImportFrom):
                del lines[statement.lineno - 1 : statement.end_lineno]
        return "\n".join(lines).strip()

    def free(self, wanted: str) -> str:
        """Return a name that nothing has, the wanted one if it can be, and take it."""
        number, called = 1, wanted
        while called in self.taken:
            number += 1
            called = f"{wanted}_{number}"
        self.taken.add(called)
        return called

    def imports(self) -> list[str]:
        """Return the import lines of all that is taken, sorted as people sort them."""
        plain: set[str] = set()
        named: dict[str, set[str]] = {}
        for (module, name), called in self.names.items():
            if self.source(module) is not None:
                continue
            if name:
                named.setdefault(module, set()).add(_as(name, called))
            else:
                plain.add(f"import {_as(module, called)}")
        froms = {_from(module, sorted(names)) for module, names in named.items()}
        lines = sorted(plain) + sorted(froms)
        standard = [line for line in lines if line.split()[1].split(".")[0] in stdlib_module_names]
        return [*standard, "", *(line for line in lines if line not in standard)]

    def modules(self) -> list[str]:
        """Return the modules that something is taken from, after those they need to be run."""
        ordered: list[str] = []

        def visit(name: str, above: tuple[str, ...]) -> None:
            if name in ordered or name in above:
                return
            for other, _ in self._parsed(name).imports.values():
                if self.source(other) is not None:
                    visit(other, (*above, name))
            ordered.append(name)

        for name in self.needed:
            visit(name, ())
        return [name for name in ordered if name in self.needed]

    def text(self, module: str) -> str:
        """Return what is taken of a module, in its order."""
        source, statements = self._parsed(module), self.needed[module]
        parts = [self._rewritten(source, statements[line]) for line in sorted(statements)]
        kinds = [
            isinstance(statements[line], ast.Assign | ast.AnnAssign) for line in sorted(statements)
        ]
        text = parts[0]
        for part, (before, now) in zip(parts[1:], pairwise(kinds), strict=True):
            text += ("\n" if before and now else "\n\n\n") + part
        return text

    def source(self, module: str) -> Source | None:
        """Return a module whose definitions are copied, or None for one that is imported."""
        if module in self.files or module.split(".")[0] == OWN:
            return self._parsed(module)
        return None

    def _parsed(self, module: str) -> Source:
        return _parse(module, self.files[module]) if module in self.files else _read(module)

    def _home(self, module: str, name: str) -> Key:
        """Return where a name is defined, through all modules that only hand it on."""
        key = self.replaced.get((module, name), (module, name))
        source = self.source(key[0])
        if source is None or key[1] in source.definitions:
            return key
        if key[1] in source.imports:
            return self._home(*source.imports[key[1]])
        raise KeyError(f"{module} defines no {name!r}")

    def _target(self, source: Source, local: str) -> Key:
        """Return what a name of a module stands for."""
        if local in source.definitions:
            return self._home(source.name, local)
        module, name = source.imports[local]
        if not name or self.source(module) is None:
            return module, name
        return self._home(module, name)

    def _call(self, key: Key, wanted: str) -> str:
        """Return a free name for something, the wanted one if it can be."""
        called = self.free(USUAL.get(key, wanted))
        self.names[key] = called
        return called

    def _same(self, key: Key, text: str) -> str | None:
        """Return what a constant that another module defines by the same words is called."""
        source = self.source(key[0])
        assert source is not None
        if isinstance(source.definitions[key[1]], ast.FunctionDef | ast.ClassDef):
            return None
        for (module, name), called in self.names.items():
            other = self.source(module)
            made = None if other is None else other.definitions.get(name)
            if name == key[1] and made is not None and ast.unparse(made) == text:
                return called
        return None

    def _globals(self, source: Source, statement: Statement) -> Iterator[str]:
        """Yield the module's names that a statement uses."""
        for node in ast.walk(self._kept(source, statement)):
            if isinstance(node, ast.Name) and self._is_global(source, node.id):
                if node.id not in _bound(statement):
                    yield node.id
            elif isinstance(node, ast.ImportFrom) and self._is_copied(node):
                yield from (alias.asname or alias.name for alias in node.names)

    def function(self, text: str) -> str | None:
        """Return how a function that is named by "module:function" is named in the script."""
        module, _, name = text.partition(":")
        if not name.isidentifier() or self.source(module) is None:
            return None
        return f'f"{{__name__}}:{self.add(module, name)}"'

    def _kept(self, source: Source, statement: Statement) -> Statement:
        """Return a class without the methods that are left out."""
        left_out = self._left_out(source, statement)
        if not left_out or not isinstance(statement, ast.ClassDef):
            return statement
        body = [one for one in statement.body if getattr(one, "name", None) not in left_out]
        return ast.ClassDef(
            statement.name, statement.bases, statement.keywords, body, statement.decorator_list
        )

    def _left_out(self, source: Source, statement: Statement) -> tuple[str, ...]:
        return self.without.get((source.name, getattr(statement, "name", "")), ())

    def _is_global(self, source: Source, name: str) -> bool:
        return name in source.definitions or name in source.imports

    def _is_copied(self, node: ast.ImportFrom) -> bool:
        return self.source(node.module or "") is not None

    def _rewritten(self, source: Source, statement: Statement) -> str:
        """Return a statement's text under the bundle's names."""
        lines = source.text.splitlines()
        first, last = _first_line(statement, lines), statement.end_lineno or 0
        gone, changes = set(), []
        left_out = self._left_out(source, statement)
        for node in ast.walk(statement):
            if isinstance(node, ast.FunctionDef) and node.name in left_out:
                gone |= set(range(_first_line(node, lines), (node.end_lineno or 0) + 2))
            elif isinstance(node, ast.ImportFrom) and self._is_copied(node):
                gone |= set(range(node.lineno, (node.end_lineno or 0) + 1))
                if not lines[node.end_lineno or 0].strip():
                    gone.add((node.end_lineno or 0) + 1)
            elif isinstance(node, ast.Name) and self._is_global(source, node.id):
                if node.id not in _bound(statement):
                    called = self.names.get(self._target(source, node.id), node.id)
                    changes.append((node.lineno, node.col_offset, node.id, called))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                called = self.function(node.value) or ""
                if called:
                    changes.append((node.lineno, node.col_offset, f'"{node.value}"', called))
            elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node is statement:
                called = self.names[source.name, node.name]
                if called != node.name:
                    at = lines[node.lineno - 1].index(node.name)
                    changes.append((node.lineno, at, node.name, called))
        for line, column, old, new in sorted(changes, reverse=True):
            raw = lines[line - 1].encode()
            end = column + len(old.encode())
            lines[line - 1] = (raw[:column] + new.encode() + raw[end:]).decode()
        kept = [lines[n - 1] for n in range(first, last + 1) if n not in gone]
        return "\n".join(kept).rstrip()


def _first_line(node: ast.stmt, lines: list[str]) -> int:
    """Return where a statement begins, with its decorators and the comments above it."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    while first > 1 and lines[first - 2].strip().startswith("#"):
        first -= 1
    return first


def _texts(statement: Statement) -> Iterator[str]:
    """Yield the constants of a statement that are text."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@cache
def _bound(statement: Statement) -> frozenset[str]:
    """Return the names that functions in a statement bind: what they call so is their own."""
    found: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            every = ast.walk(node.args)
            found |= {one.arg for one in every if isinstance(one, ast.arg)}
            if isinstance(node, ast.FunctionDef):
                found |= {
                    one.id
                    for part in node.body
                    for one in ast.walk(part)
                    if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
                }
    return frozenset(found)


@cache
def _read(module: str) -> Source:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return _parse(module, Path(spec.origin).read_text(encoding="utf-8"))


@cache
def _parse(module: str, text: str) -> Source:
    definitions: dict[str, Statement] = {}
    imports: dict[str, Key] = {}
    for statement in ast.parse(text).body:
        for name in _defined(statement):
            definitions[name] = statement
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                above, _, last = alias.name.rpartition(".")
                key = (above, last) if alias.asname and above else (alias.name, "")
                imports[alias.asname or alias.name.split(".")[0]] = key
        elif isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                imports[alias.asname or alias.name] = (statement.module or "", alias.name)
    for node in ast.walk(ast.parse(text)):  # imports inside functions, of what is copied
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == OWN:
            for alias in node.names:
                imports.setdefault(alias.asname or alias.name, (node.module or "", alias.name))
    return Source(module, text, definitions, imports)


def _defined(statement: Statement) -> Iterable[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [
            one.id
            for target in statement.targets
            for one in ast.walk(target)
            if isinstance(one, ast.Name)
        ]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []


def _as(name: str, called: str) -> str:
    return name if called == name or called == name.split(".")[0] else f"{name} as {called}"


def _from(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= 100:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"
