"""trust: code of others is shown and asked for before its first run."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.competition import Competition, load_competition
from pipeline.errors import TrustError, UsageError
from pipeline.models import MODELS
from pipeline.runs import find_run
from pipeline.trust import Foreign, Seal, files_digest, trusts_all
from pipeline.workspace import BUILT_IN, Workspace

MOST_LINES = 400  # of a file that are shown


def check_competition(workspace: Workspace, folder: Path, sources: Mapping[str, bytes]) -> None:
    """Check that a competition's own code may run: it is built in, made here, or was agreed to.

    sources: the bytes of competition.toml and of all Python files, by name.
    Raises TrustError, and DeclarationError if the declaration cannot be read.
    """
    if folder.parent == BUILT_IN or trusts_all():
        return
    competition = load_competition(folder / "competition.toml")
    foreign = _code_of(workspace, folder, competition, sources)
    if foreign is None or Seal.of(workspace.root).accepts(foreign):
        return
    where = foreign.files[0] if foreign.files else folder / "competition.toml"
    raise TrustError(
        f"{where}: would run code, and nobody has agreed to it here; read it, then run kc trust "
        f"{folder.name}, or kc trust {folder.name} --mine if you wrote it",
        foreign,
    )


def find_foreign(workspace: Workspace, name: str | None, run_id: str | None) -> Foreign:
    """Return what kc trust speaks of: the workspace, a competition's code, or a run.

    A competition that has no code yet may be a person's own; then nothing would run.
    Raises UsageError or DeclarationError if there is no such thing.
    """
    if name is None:
        if run_id is not None:
            raise UsageError("--run: name its competition too, as kc trust bike --run ID")
        return Foreign(workspace.root, "workspace", str(workspace.root))
    if run_id is not None:
        return find_run(workspace.runs, name, run_id).foreign()
    folder = workspace.competition(name)
    if folder.parent == BUILT_IN:
        raise UsageError(f"{name} is built in, so it is trusted")
    sources = read_sources(folder)
    competition = load_competition(folder / "competition.toml")
    return _code_of(workspace, folder, competition, sources) or Foreign(
        workspace.root, "competition", name
    )


def accept(foreign: Foreign, *, mine: bool = False) -> None:
    """Remember that a person agrees; mine: also to what the person will write there later.

    Raises StorageError.
    """
    Seal.of(foreign.root).accept(foreign, mine=mine)


def read_sources(folder: Path) -> dict[str, bytes]:
    """Return the bytes of a competition's declaration and of its Python files, by name."""
    files = [folder / "competition.toml", *sorted(folder.glob("*.py"))]
    return {file.name: file.read_bytes() for file in files}


def code_lines(foreign: Foreign) -> list[str]:
    """Return what would run, for a person to read; what is not printable is spelled out."""
    if foreign.kind == "workspace":
        return [f"{foreign.name}: all that it holds"]
    lines = [f"  {_printable(line)}" for line in foreign.lines]
    for path in foreign.files:
        if path.suffix == ".py":
            text = path.read_text(encoding="utf-8", errors="backslashreplace").splitlines()
            lines += [f"--- {_printable(str(path))}", *map(_printable, text[:MOST_LINES])]
            if len(text) > MOST_LINES:
                lines.append(f"... and {len(text) - MOST_LINES:,} more lines")
        else:
            lines.append(f"--- {_printable(str(path))}: saved objects, which cannot be read")
    return lines


def _code_of(
    workspace: Workspace, folder: Path, competition: Competition, sources: Mapping[str, bytes]
) -> Foreign | None:
    """Return what of a competition would run code, or None if nothing would."""
    python = {name: content for name, content in sources.items() if name.endswith(".py")}
    lines = tuple(_calls(competition))
    if not python and not lines:
        return None
    digest = files_digest({**python, "competition.toml": "\n".join(lines).encode()})
    files = tuple(folder / one for one in python)
    return Foreign(workspace.root, "competition", folder.name, files, digest, lines)


def _calls(competition: Competition) -> Iterator[str]:
    """Yield what of a declaration calls functions that are not the project's own."""
    for choice in competition.models.values():
        file = choice.kind.partition(":")[0]
        if choice.kind not in MODELS and not file.endswith(".py"):
            given = dict(sorted(choice.parameters.items()))
            yield f"models.{choice.label}: {choice.kind} with {given}"
    condition = competition.cleaning.outliers
    if condition is not None and _may_call(condition):
        yield f"cleaning.outliers: {condition}"


def _may_call(condition: str) -> bool:
    """Tell whether a condition does more than compare and compute.

    Where quotes, comments and names in backticks meet, pandas may see other words than Python does.
    """
    if "@" in condition or ("`" in condition and re.search(r"['\"#\\\n]", condition)):
        return True
    try:
        tree = ast.parse(re.sub("`[^`]*`", "column", condition).strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    more = (ast.Call, ast.Attribute, ast.Lambda, ast.NamedExpr, ast.comprehension)
    return any(isinstance(node, more) for node in ast.walk(tree))


def _printable(text: str) -> str:
    """Return a line that cannot steer a terminal."""
    return "".join(
        one if one.isprintable() or one == "\t" else one.encode("unicode_escape").decode()
        for one in text
    )
