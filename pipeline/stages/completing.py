"""What a shell completes: competitions, models and runs. It answers at each key, so it is light."""

import contextlib
import tomllib

from pipeline.competition import AUTO
from pipeline.models import MODELS
from pipeline.stages.advising import run_folders
from pipeline.workspace import Workspace


def complete_competition(workspace: Workspace, begun: str) -> list[tuple[str, str]]:
    """Return the names of competitions that begin so, and whether their files are here."""
    fetched = {path.parent.name for path in (workspace.root / "data").glob("*/manifest.json")}
    return [
        (name, "fetched" if name in fetched else "not fetched")
        for name in workspace.names()
        if name.startswith(begun)
    ]


def complete_model(workspace: Workspace, name: str | None, begun: str) -> list[tuple[str, str]]:
    """Return the models that begin so, those that the competition declares first.

    begun: several may stand before it, with commas between.
    """
    before, comma, begun = begun.rpartition(",")
    declared = _declared_models(workspace, name)
    known = dict.fromkeys([*declared, AUTO, *MODELS])
    others = set(before.split(","))
    return [
        (f"{before}{comma}{one}", "declared" if one in declared else "built in")
        for one in known
        if one.startswith(begun) and one not in others
    ]


def complete_run(workspace: Workspace, name: str | None, begun: str) -> list[tuple[str, str]]:
    """Return the runs that begin so, of a competition if that is known, the latest first."""
    found = [path.name for path in run_folders(workspace, name)]
    return [(one, "run") for one in reversed(found) if one.startswith(begun)]


def _declared_models(workspace: Workspace, name: str | None) -> list[str]:
    """Return the labels that a competition declares, none if it cannot be read."""
    if not name or name not in workspace.names():
        return []
    with contextlib.suppress(OSError, ValueError):
        table = tomllib.loads(workspace.declaration(name).read_text(encoding="utf-8"))
        models = table.get("models", {})
        return list(models) if isinstance(models, dict) else []
    return []
