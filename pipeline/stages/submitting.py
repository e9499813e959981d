"""submit: check a run's file once more, refuse what was handed in before, and say how to upload."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from pipeline.competition import Competition
from pipeline.data import read_sample
from pipeline.errors import SubmissionError
from pipeline.ledger import Entry, add_entry, load_ledger
from pipeline.raw import verify
from pipeline.runs import Run, find_run
from pipeline.stages.fetching import is_sample
from pipeline.stages.opening import open_competition
from pipeline.submission import check_submission
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class Ready:
    """A checked submission that may be handed in."""

    run: Run
    competition: Competition
    sha256: str


def check_ready(
    workspace: Workspace, name: str, run_id: str | None = None, *, again: bool = False
) -> Ready:
    """Check a run's submission against the sample that is here now.

    Raises SubmissionError if it does not fit, or if the same bytes were handed in before and not
    again is asked for.
    """
    competition = open_competition(workspace, name).competition
    run = find_run(workspace.runs, name, run_id)
    verify(workspace.data(name))
    sample = read_sample(workspace.raw(name) / competition.files.sample_submission, competition)
    labels = run.record["labels"]
    check_submission(
        competition, run.submission, sample, None if labels is None else np.array(labels)
    )
    sha256 = hashlib.sha256(run.submission.read_bytes()).hexdigest()
    before = [entry for entry in load_ledger(workspace.ledger(name)) if entry.sha256 == sha256]
    if before and not again:
        raise SubmissionError(
            f"{run.submission}: the same bytes were submitted on {before[-1].time} from run "
            f"{before[-1].run}; they cannot score differently (--again submits them all the same)"
        )
    return Ready(run, competition, sha256)


def record_submission(workspace: Workspace, ready: Ready, message: str = "") -> Entry:
    """Note in the competition's ledger that a submission was handed in."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = Entry(sha256=ready.sha256, run=ready.run.id, time=now, how="by hand", message=message)
    add_entry(workspace.ledger(ready.competition.name), entry)
    return entry


def ready_lines(ready: Ready) -> list[str]:
    """Return what a person wants to see before a daily slot is spent."""
    record = ready.run.record
    spread = record["standard_error"]
    spread = "" if spread is None else f" +- {spread:.5f}"
    sample = ready.competition.files.sample_submission
    synthetic = is_sample(record["origin"])
    seed = "" if record["seed"] is None else f", seed {record['seed']}"
    return [
        f"file   {ready.run.submission}",
        f"rows   {record['rows']['test']:,}, checked against {sample}",
        f"score  {record['metric']} {record['score']:.5f}{spread} (out-of-fold)",
        f"model  {record['model']['label']}{seed}, run {ready.run.id}",
        *(["note   made from a synthetic sample: no service knows its rows"] if synthetic else []),
    ]


def how_to_upload(ready: Ready) -> str:
    """Return the sentence that says where to upload the file by hand."""
    page = ready.competition.source.page
    if page is None:
        return f"hand in {ready.run.submission}; competition.toml names no page to upload it to"
    return f"upload {ready.run.submission} at {page}"
