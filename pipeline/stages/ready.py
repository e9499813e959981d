"""Whether a run's file may be handed in: it is checked once more, as it is on the disk now."""

import hashlib
from dataclasses import dataclass

import numpy as np

from pipeline.competition import Competition
from pipeline.data import read_sample, read_sample_style
from pipeline.raw import verify
from pipeline.runs import Run, find_run
from pipeline.stages.opening import open_competition
from pipeline.submission import check_submission
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class Ready:
    """A checked submission that may be handed in."""

    run: Run
    competition: Competition
    sha256: str


def check_ready(workspace: Workspace, name: str, run_id: str | None = None) -> Ready:
    """Check a run's submission against the sample that is here now.

    Raises SubmissionError if it does not fit.
    """
    competition = open_competition(workspace, name).competition
    run = find_run(workspace.runs, name, run_id)
    verify(workspace.data(name))
    path = workspace.raw(name) / competition.files.sample_submission
    labels = run.record["labels"]
    check_submission(
        competition,
        run.submission,
        read_sample(path, competition),
        None if labels is None else np.array(labels),
        read_sample_style(path, competition),
    )
    return Ready(run, competition, hashlib.sha256(run.submission.read_bytes()).hexdigest())
