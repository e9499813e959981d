"""Whether a run's file may be handed in: it is checked once more, as it is on the disk now."""

from dataclasses import dataclass

import numpy as np

from pipeline.competition import Competition, is_parquet
from pipeline.data import read_sample, read_sample_style
from pipeline.parquet import open_parquet
from pipeline.partitions import asked
from pipeline.raw import verify
from pipeline.runs import Run, find_run
from pipeline.stages.opening import open_competition
from pipeline.storage import file_sha256
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
    files, raw = competition.files, workspace.raw(name)
    labels = None if run.record["labels"] is None else np.array(run.record["labels"])
    if is_parquet(files.test):
        test = open_parquet(raw / files.test, competition.columns.drop)
        asked.check(run.submission, asked.Asked(competition, raw, test), labels)
        return Ready(run, competition, file_sha256(run.submission))
    path = raw / files.sample_submission
    check_submission(
        competition,
        run.submission,
        read_sample(path, competition),
        labels,
        read_sample_style(path, competition),
    )
    return Ready(run, competition, file_sha256(run.submission))
