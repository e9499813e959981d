"""The reference, made from the code while the site is built: a hook of mkdocs.

A page that is made cannot be out of date. `python docs/reference.py NAME` prints one of them.
"""

import ast
import dataclasses
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

import cli
import pipeline
from pipeline import competition
from pipeline.competition import ModelChoice
from pipeline.declaration import expected
from pipeline.metrics import METRICS
from pipeline.models import MODELS, ModelSpec, import_function, make_model
from pipeline.models.libraries import LIBRARIES, SMALL

NOT_DECLARED = ("name", "label", "parameters")  # what the folder and the table's name say
TOLD = ("metric", "seed", "random_state")  # what the pipeline says, and no declaration
WRAPPED = ("network", "network_parameters", "library", "parameters", "regressor", "classifier")
MADE_BY = {"calibrated", "mini"}  # what a factory settles


def on_files(files: Any, config: Any) -> Any:
    """Add the pages to those that mkdocs has found."""
    from mkdocs.structure.files import File

    for name, make in PAGES.items():
        files.append(File.generated(config, f"reference/{name}.md", content=make()))
    return files


def commands() -> str:
    """Return the page of commands, options and arguments, as --help knows them."""
    group = typer.main.get_command(cli.app)
    lines = [
        "# Commands",
        "",
        "Of every command `--help` says the same. Options of `kc` itself stand before the command;",
        "`--debug` may stand anywhere.",
        "",
        "## kc",
        "",
        *_parameters_of(group, "kc"),
    ]
    for name, command in _leaves(group, "kc"):
        lines += [f"## {name}", "", str(command.help).strip(), "", *_parameters_of(command, name)]
    return "\n".join(lines)


def _leaves(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for key, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaves(command, f"{name} {key}")
        elif not command.hidden:
            yield f"{name} {key}", command


def _parameters_of(command: Any, name: str) -> list[str]:
    """Return a command's usage, and a table of its arguments and options."""
    context = command.context_class(command, info_name=name)
    usage = command.get_usage(context).removeprefix("Usage: ")
    records = [parameter.get_help_record(context) for parameter in command.params]
    rows = [(f"`{written}`", _cell(meaning)) for written, meaning in filter(None, records)]
    return ["```text", usage, "```", "", *_table(("argument or option", "meaning"), rows)]


def declaration() -> str:
    """Return the page of keys that competition.toml may have, of their types and defaults."""
    lines = [
        "# competition.toml",
        "",
        "Every key, as the dataclasses of `pipeline.competition` define it. An unknown key, a",
        "wrong type or a contradiction is one line that names the key, what was expected and what",
        "was found.",
        "",
    ]
    for table, cls in _tables().items():
        lines += [
            f"## [{table}]" if table else "## At the top",
            "",
            str(cls.__doc__).split("\n")[0],
            "",
        ]
        fields = [f for f in dataclasses.fields(cls) if _is_key(f, table)]
        hints = get_type_hints(cls)
        meanings = _meanings(cls)
        rows = [
            (
                f"`{f.name}`",
                _cell(_type(hints[f.name])),
                _default(f),
                _cell(meanings.get(f.name, "")),
            )
            for f in fields
        ]
        lines += _table(("key", "type", "default", "meaning"), rows)
        if table == "models.LABEL":
            lines += ["All other keys are parameters of the [model](models.md).", ""]
    lines += [
        "## [levels]",
        "",
        'A spelling of "missing" that is a level of some columns: `NA = ["Alley", "Fence"]`.',
        "What is read as missing elsewhere: "
        + ", ".join(f"`{s}`" for s in competition.MISSING_SPELLINGS if s)
        + ", and empty cells.",
        "",
    ]
    return "\n".join(lines)


def _tables() -> dict[str, type]:
    """Return the tables of a declaration and the dataclasses that they fill; "" is the top."""
    found: dict[str, type] = {"": competition.Competition, "metric": competition.MetricFile}
    for name, hint in get_type_hints(competition.Competition).items():
        classes = [one for one in (hint, *get_args(hint)) if dataclasses.is_dataclass(one)]
        if classes and name != "models":
            found[name] = classes[0]
    return found | {"models.LABEL": competition.ModelChoice}


def _is_key(field: Any, table: str) -> bool:
    is_table = not table and field.name in (*_tables(), "levels", "models")
    return (field.name not in NOT_DECLARED and not is_table) or field.name == "metric"


def _type(hint: Any) -> str:
    return (
        "a name, or the table `[metric]`"
        if competition.OwnMetric in get_args(hint)
        else expected(hint)
    )


def _default(field: Any) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "none"
    if field.default is dataclasses.MISSING:
        return "the label" if field.name == "kind" else "**required**"
    if field.default in (None, ()):
        return ""
    return _code(json.dumps(field.default))


@cache
def _meanings(cls: type) -> dict[str, str]:
    """Return what the class's source says of its fields: in comments behind them, or above."""
    source = textwrap.dedent(inspect.getsource(cls))
    lines = source.splitlines()
    body = ast.parse(source).body[0].body  # type: ignore[attr-defined]
    found = _described(inspect.getdoc(cls) or "", [f.name for f in dataclasses.fields(cls)])
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            _, _, comment = lines[(node.end_lineno or 1) - 1].partition("  # ")
            if comment and "fmt:" not in comment:
                found[node.target.id] = comment.strip()
    return found


def _described(docstring: str, names: list[str]) -> dict[str, str]:
    """Return what a docstring says of names, as in "name: what it is. other, third: ..."."""
    rest = " ".join(docstring.split("\n\n", 1)[1].split()) if "\n\n" in docstring else ""
    one = "|".join(names)
    parts = re.split(rf"(?:^|(?<=\. ))((?:{one})(?:, (?:{one}))*): ", rest)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return {name.strip(): text.strip() for said, text in pairs for name in said.split(",")}


def models() -> str:
    """Return the page of models, their parameters and defaults."""
    lines = [
        "# Models",
        "",
        "`kc train NAME --model MODEL`, and a table `[models.LABEL]` in `competition.toml` for",
        "other parameters. Any parameter of the named class may stand there; listed are those",
        "that the toolkit adds or sets otherwise.",
        "",
    ]
    facts = [
        (f"[`{name}`](#{name})", ", ".join(_tasks(spec)), *_facts(spec))
        for name, spec in MODELS.items()
    ]
    lines += _table(("model", "tasks", "missing values", "text"), facts)
    for name, spec in MODELS.items():
        lines += [f"## {name}", "", _cell(_said_of(spec)), ""]
        shown = {task: _parameters(name, task) for task in _tasks(spec)}
        one = next(iter(shown.values()))
        if all(other == one for other in shown.values()):
            lines += _table(
                ("parameter", "default"), [(_code(k), _code(v)) for k, v in one.items()]
            )
            continue
        names = list(dict.fromkeys(key for each in shown.values() for key in each))
        rows = [
            (_code(k), *(_code(each[k]) if k in each else "" for each in shown.values()))
            for k in names
        ]
        lines += _table(("parameter", *shown), rows)
    return "\n".join(lines)


def _tasks(spec: ModelSpec) -> list[str]:
    kinds = {"regression": "numbers", "binary": "classes", "multiclass": "classes"}
    return list(dict.fromkeys(kinds[task] for task in spec.tasks))


def _facts(spec: ModelSpec) -> tuple[str, str]:
    text = "its own sense" if spec.handles_text else "codes" if spec.scale_invariant else "one-hot"
    return "its own sense" if spec.handles_missing else "filled", text


def _said_of(spec: ModelSpec) -> str:
    """Return what the network or the factory says of itself."""
    function = import_function(spec.network or spec.factory)
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


def _parameters(name: str, kind: str) -> dict[str, str]:
    """Return a model's parameters and their defaults, as far as the toolkit sets them."""
    task = "regression" if kind == "numbers" else "binary"
    made = make_model(ModelChoice(label=name, kind=name), task, 0)  # type: ignore[arg-type]
    own = made.get_params(deep=False)
    found: dict[str, Any] = dict(own.get("parameters") or {})
    spec = MODELS[name]
    if spec.network:
        signature = inspect.signature(import_function(spec.network))
        found |= {
            p.name: p.default for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY
        }
    if "library" in own:
        found |= _library_settings(own["library"], task == "regression")
    if type(made).__module__.startswith("sklearn") or issubclass(type(made), tuple(_scikit(made))):
        usual = next(iter(_scikit(made)))().get_params(deep=False)
        own = {key: value for key, value in own.items() if value != usual.get(key)}
    found |= {key: value for key, value in own.items() if key not in WRAPPED and key not in MADE_BY}
    return {
        key: _value(value)
        for key, value in found.items()
        if key not in TOLD and key != "random_seed"
    }


def _scikit(estimator: Any) -> list[type]:
    """Return the class of scikit-learn that an estimator is of, if it is of one."""
    public = [
        c
        for c in type(estimator).__mro__
        if c.__module__.startswith("sklearn.") and c.__name__[0] != "_"
    ]
    return [c for c in public if hasattr(c, "fit") and hasattr(c, "predict")][:1]


def _library_settings(library: str, is_regression: bool) -> dict[str, str]:
    few, many = (LIBRARIES[library].settings(is_regression, n, 0) for n in (SMALL - 1, SMALL))
    names = list(dict.fromkeys([*many, *few]))
    both = {name: (_of(few, name), _of(many, name)) for name in names}
    return {n: a if a == b else f"{a} below {SMALL:,} rows, else {b}" for n, (a, b) in both.items()}


def _of(settings: dict[str, Any], name: str) -> str:
    return _value(settings[name]) if name in settings else "the library's"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    return str(list(value)) if isinstance(value, tuple) else str(value)


def metrics() -> str:
    """Return the page of metrics."""
    tasks = {
        name: [t for t, known in competition.METRICS_OF_TASK.items() if name in known]
        for name in METRICS
    }
    rows = []
    for name, metric in METRICS.items():
        doc = (inspect.getdoc(metric.function) or "").split("\n\n")[0]
        doc = re.sub(r":math:`(.*?)`", r"\1", doc)
        better = "greater" if metric.greater_is_better else "less"
        rows.append(
            (
                f"`{name}`",
                ", ".join(tasks[name]),
                better,
                metric.response,
                _cell(" ".join(doc.split())),
            )
        )
    lines = [
        "# Metrics",
        "",
        '`metric = "NAME"` in `competition.toml`. What is not here is',
        "[a function of your own](../how-to/own-metric.md).",
        "",
    ]
    lines += _table(("metric", "tasks", "better", "scores", "meaning"), rows)
    return "\n".join(lines)


def python() -> str:
    """Return the page of public names, from their docstrings."""
    lines = ["# Python", "", "Everything that `from pipeline import ...` offers.", ""]
    for name in sorted(pipeline.__all__, key=str.lower):
        value = getattr(pipeline, name)
        lines += [f"## {name}", "", "```python", _signature(name, value), "```", ""]
        lines += _docstring(inspect.getdoc(value) or "")
        for method, doc in _methods(value):
            lines += [f"### {name}.{method}", "", *_docstring(doc)]
    return "\n".join(lines)


def _signature(name: str, value: Any) -> str:
    if inspect.isclass(value) and issubclass(value, Exception):
        return f"class {name}(Exception)"
    text = f"{'class ' if inspect.isclass(value) else ''}{name}{inspect.signature(value)}"
    text = re.sub(r"(?:pipeline|pandas|pathlib)\.(?:\w+\.)*(\w+)", r"\1", text).replace("'", '"')
    if len(text) <= 88 or "(" not in text:
        return text
    head, _, rest = text.partition("(")
    inside, _, tail = rest.rpartition(")")
    lines = "".join(f"    {argument},\n" for argument in _split(inside))
    return f"{head}(\n{lines}){tail}"


def _split(arguments: str) -> list[str]:
    """Return arguments apart, not at the commas inside brackets."""
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(arguments):
        depth += (letter in "[({") - (letter in "])}")
        if letter == "," and depth == 0:
            parts.append(arguments[start:position].strip())
            start = position + 1
    return [*parts, arguments[start:].strip()]


def _methods(value: Any) -> Iterator[tuple[str, str]]:
    if not inspect.isclass(value) or issubclass(value, Exception):
        return
    for name, member in vars(value).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        yield name, inspect.getdoc(member) or ""


def _docstring(text: str) -> list[str]:
    """Return a docstring as Markdown: its first sentence, and the rest as it is written."""
    first, _, rest = text.partition("\n\n")
    lines = [_cell(" ".join(first.split())), ""]
    return [*lines, "```text", rest, "```", ""] if rest else lines


def _table(names: tuple[str, ...], rows: Any) -> list[str]:
    rows = list(rows)
    if not rows:
        return []
    head = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    return [*head, *("| " + " | ".join(row) + " |" for row in rows), ""]


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def _cell(text: str) -> str:
    """Return text as it stands in a cell of a table."""
    return re.sub(r"([|*<>_\[\]])", r"\\\1", text) if "`" not in text else text.replace("|", "\\|")


PAGES = {
    "commands": commands,
    "declaration": declaration,
    "models": models,
    "metrics": metrics,
    "python": python,
}

if __name__ == "__main__":
    sys.stdout.write(PAGES[Path(sys.argv[-1]).stem]())
