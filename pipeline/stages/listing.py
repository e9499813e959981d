"""list, runs, cache: what is here, as plain rows."""

import shutil
from typing import Any

from pipeline.cache import folder_size
from pipeline.competition import Competition, load_competition
from pipeline.errors import DeclarationError
from pipeline.ledger import BY_HAND, Entry, load_ledger
from pipeline.metrics import METRICS
from pipeline.progress import Warned, emit
from pipeline.raw import Manifest, load_manifest
from pipeline.runs import Run, list_runs
from pipeline.stages.fetching import is_sample
from pipeline.stages.recording import comparable_runs
from pipeline.storage import storing
from pipeline.workspace import Workspace


def list_competitions(workspace: Workspace) -> list[dict[str, Any]]:
    """Return one row a competition: what it is, whether its files are here, its best run.

    One that cannot be carried out is named by a warning, and does not hide the others.
    """
    rows = []
    for name in workspace.names():
        try:
            rows.append(_competition_row(workspace, name))
        except DeclarationError as error:
            emit(Warned(str(error)))
    return rows


def list_run_rows(workspace: Workspace, name: str | None = None) -> list[dict[str, Any]]:
    """Return one row a finished run, oldest first."""
    if name is not None:
        workspace.competition(name)
    found = list_runs(workspace.runs, name)
    competitions = {str(run.record["competition"]) for run in found}
    last = {
        entry.run: entry
        for one in competitions
        for entry in load_ledger(workspace.ledger(one))
        if entry.counts
    }
    return [_run_row(run, last.get(run.id)) for run in found]


def run_result(run: Run) -> dict[str, Any]:
    """Return what a script wants to know of a run."""
    record = run.record
    return {
        "competition": record["competition"],
        "run": run.id,
        "path": str(run.path),
        "submission": str(run.submission),
        "model": record["model"]["label"],
        "metric": record["metric"],
        "score": record["score"],
        "standard_error": record["standard_error"],
        "naive": record.get("naive"),  # older runs have none, nor a leaderboard
        "leaderboard": record.get("leaderboard"),
        "seconds": record["seconds"],
        "report": str(run.report) if run.report.is_file() else None,
    }


def clear_cache(workspace: Workspace, name: str) -> tuple[int, int]:
    """Delete a competition's finished folds; return how many files and bytes they were."""
    workspace.competition(name)
    folder = workspace.cache(name)
    files, size = folder_size(folder)
    if folder.is_dir():
        with storing(folder):
            shutil.rmtree(folder)
    return files, size


def _competition_row(workspace: Workspace, name: str) -> dict[str, Any]:
    competition = load_competition(workspace.declaration(name))
    manifest = load_manifest(workspace.data(name))
    best = _best(competition, manifest, list_runs(workspace.runs, name))
    return {
        "competition": name,
        "task": competition.task,
        "metric": competition.metric,
        "source": competition.source.kind,
        "files": manifest.origin if manifest else None,
        "best": best.record["score"] if best else None,
        "model": best.record["model"]["label"] if best else None,
        "run": best.id if best else None,
    }


def _best(competition: Competition, manifest: Manifest | None, runs: list[Run]) -> Run | None:
    """Return the best of the runs whose scores can be compared: same files, metric and folds."""
    if manifest is None:
        return None
    sign = -1 if METRICS[competition.metric].greater_is_better else 1
    alike = comparable_runs(competition, manifest, runs)
    return min(alike, key=lambda run: sign * run.record["score"], default=None)


def _run_row(run: Run, entry: Entry | None) -> dict[str, Any]:
    """Return a run and what the ledger says of its last submission."""
    record = run.record
    return {
        "run": run.id,
        "model": record["model"]["label"],
        "data": "sample" if is_sample(record["origin"]) else "real",
        "folds": _folds(record),
        "metric": record["metric"],
        "score": record["score"],
        "standard_error": record["standard_error"],
        "naive": (record.get("naive") or {}).get("score"),
        "leaderboard": record.get("leaderboard"),
        "submitted": _state(entry),
        "public": entry.public if entry else None,
        "seconds": record["seconds"],
    }


def _folds(record: dict[str, Any]) -> str:
    """Return how many folds were made, and by what scheme, as "5 kfold" or "3 x 5 kfold"."""
    repeats = len(record.get("repeats", [])) or 1
    each = f"{len(record['folds']) // repeats} {record['validation']['scheme']}"
    return each if repeats == 1 else f"{repeats} x {each}"


def _state(entry: Entry | None) -> str | None:
    """Return how a submission stands, or None if there is none."""
    if entry is None:
        return None
    return entry.how if entry.how == BY_HAND else entry.status
