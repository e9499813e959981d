"""Which board takes a competition's submissions: a service's, or that of a practice set."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pipeline.competition import Competition
from pipeline.grading import grade
from pipeline.metrics import METRICS
from pipeline.raw import verify
from pipeline.sources import Board, boards
from pipeline.sources.practice.board import PracticeBoard, answers_for
from pipeline.workspace import Workspace


@contextlib.contextmanager
def open_board(workspace: Workspace, competition: Competition) -> Iterator[Board | None]:
    """Yield the competition's board, or None if submissions are handed in by hand.

    Raises SourceError if what it needs to know of the person is missing, and DataError if a
    practice set is not here.
    """
    if competition.source.kind == "practice":
        yield _practice(workspace, competition)
    else:
        with boards.open_board(competition.source) as board:
            yield board


def _practice(workspace: Workspace, competition: Competition) -> PracticeBoard:
    """Return the board of the test file that is here."""
    files = verify(workspace.data(competition.name)).files
    digest = next(file.sha256 for file in files if file.name == competition.files.test)

    def graded(submission: Path, answers: Path) -> tuple[float, str]:
        score, n_rows = grade(competition, submission, answers)
        return score, f"{competition.metric} {score:.5f} on {n_rows:,} held-back rows"

    folder = answers_for(workspace.board(competition.name), digest)
    return PracticeBoard(folder, graded, METRICS[competition.metric].greater_is_better)
