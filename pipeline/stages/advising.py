"""The next steps that make sense here, by what lies in the workspace; nothing heavy is loaded."""

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.competition import Competition, load_competition
from pipeline.errors import PipelineError
from pipeline.ledger import load_ledger
from pipeline.workspace import Workspace

_RUN = re.compile(r"(.+)-\d{8}T\d{6}Z-\w+(?:-\d+)?")

Step = tuple[str, str]  # a command, and what it does

FIRST: list[Step] = [
    ("kc run iris", "practice: train, and leave a submission"),
    ("kc fetch bike", "files from Kaggle; --sample makes synthetic ones"),
    ("kc new NAME --kaggle ADDRESS", "declare a competition from its files"),
]


@dataclass(frozen=True)
class Advice:
    """How a workspace stands, in one line, and what to do next."""

    state: str
    steps: list[Step]


def advise(workspace: Workspace) -> Advice:
    """Return three next steps for the competition that was worked on last."""
    name = latest_competition(workspace)
    if name is None:
        return Advice("nothing is fetched here yet", FIRST)
    try:
        competition = load_competition(workspace.declaration(name))
    except PipelineError as error:
        return Advice(str(error), [("kc list", "the competitions that can be worked on")])
    runs = run_folders(workspace, name)
    if not (workspace.data(name) / "manifest.json").is_file():
        return Advice(f"{name} is declared, its files are not here", _to_fetch(name, competition))
    if not runs:
        return Advice(f"{name} is fetched, nothing is trained", _to_train(name))
    record = _record(runs[-1])
    state = f"{name}: {len(runs)} run{'s' * (len(runs) > 1)}, the last {runs[-1].name}"
    if record:
        score = f"{record['metric']} {record['score']:.5f}"
        state = f"{name}: the last of {len(runs)} runs, {record['model']['label']}, scores {score}"
        state = state.replace("the last of 1 runs", "the only run")
    if _is_submitted(workspace, name, runs[-1].name):
        return Advice(f"{state}, and was handed in", _to_improve(name, competition))
    return Advice(state, _to_submit(name, competition))


def latest_competition(workspace: Workspace) -> str | None:
    """Return the competition of which something was written last: a run, files or declaration."""
    names = set(workspace.names())
    seen = {
        **{path: path.parent.name for path in (workspace.root / "data").glob("*/manifest.json")},
        **{workspace.own(name) / "competition.toml": name for name in names},
        **{path: name_of_run(path.name) for path in run_folders(workspace)},
    }
    known = {path: name for path, name in seen.items() if name in names and path.exists()}
    return known[max(known, key=_written)] if known else None


def run_folders(workspace: Workspace, name: str | None = None) -> list[Path]:
    """Return the folders of finished runs, of one competition or all, oldest first."""
    found = [path.parent for path in workspace.runs.glob("*/run.json")]
    mine = [path for path in found if name in (None, name_of_run(path.name))]
    return sorted((path for path in mine if name_of_run(path.name)), key=_started)


def name_of_run(run_id: str) -> str | None:
    """Return the competition's name that a run's id begins with, None if it is no id."""
    match = _RUN.fullmatch(run_id)
    return match[1] if match else None


def _started(path: Path) -> tuple[str, str]:
    name = name_of_run(path.name) or ""
    return path.name[len(name) :], path.name


def _written(path: Path) -> float:
    return path.stat().st_mtime


def _record(run: Path) -> dict[str, Any] | None:
    """Return run.json where it has what is told here."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        record: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
        float(record["score"]), str(record["metric"]), str(record["model"]["label"])
        return record
    return None


def _is_submitted(workspace: Workspace, name: str, run_id: str) -> bool:
    with contextlib.suppress(PipelineError):
        return any(one.run == run_id and one.counts for one in load_ledger(workspace.ledger(name)))
    return False


def _to_fetch(name: str, competition: Competition) -> list[Step]:
    steps = [
        (f"kc fetch {name} --from ZIP_OR_DIR", "bring what you downloaded"),
        (f"kc inspect {name}", "then: missing values, drift, leak suspects"),
        (f"kc train {name}", "then: train and blend what five minutes bear"),
    ]
    if competition.source.kind == "kaggle":
        steps[1] = (f"kc fetch {name}", "download them from Kaggle, with a token")
    return steps


def _to_train(name: str) -> list[Step]:
    return [
        (f"kc inspect {name}", "missing values, drift, duplicates, leak suspects"),
        (f"kc plot {name}", "the target against the column that explains it best"),
        (f"kc train {name}", "train and blend what five minutes bear"),
    ]


def _to_submit(name: str, competition: Competition) -> list[Step]:
    kind = competition.source.kind
    hand_in = {
        "practice": (f"kc submit {name}", "grade it here, on rows that were held back"),
        "files": (f"kc submit {name} --by-hand", "check the file, and show where to upload it"),
    }.get(kind, (f"kc submit {name} --wait", "check it, hand it in, and wait for its score"))
    return [
        hand_in,
        (f"kc report {name} --open", "the run's page: score, curves, mistakes, drift"),
        (f"kc train {name} --time 30m", "train on, with six times the usual time"),
    ]


def _to_improve(name: str, competition: Competition) -> list[Step]:
    board = (f"kc submissions {name}", "what was handed in, and how it scored")
    if competition.source.kind in ("kaggle", "practice"):
        board = (f"kc leaderboard {name}", "the best scores, and your place")
    return [
        board,
        (f"kc report {name} --all --open", "all runs: over time, and against the board"),
        (f"kc train {name} --time 30m", "train on, with six times the usual time"),
    ]


def advice_lines(advice: Advice) -> list[str]:
    """Return an advice for people, at most 80 columns wide unless a name is long."""
    width = max(len(command) for command, _ in advice.steps)
    return [
        advice.state,
        "",
        *(f"  {command:<{width}}  {what}" for command, what in advice.steps),
        "",
        "kc --help shows all commands, kc COMMAND --help explains one.",
    ]
