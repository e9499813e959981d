"""submit --wait: ask the service until it has scored a submission, or the time is over."""

import time
from pathlib import Path

from pipeline.competition import Competition
from pipeline.errors import SourceError, SubmissionError
from pipeline.ledger import Entry
from pipeline.progress import Note, Warned, emit
from pipeline.sources import ListingBoard
from pipeline.stages.boards import open_board
from pipeline.stages.earlier import learn
from pipeline.stages.submitting import Submitted
from pipeline.workspace import Workspace

DONE = ("complete", "error")  # nothing changes after these
PAUSES = (1.0, 1.5, 15.0)  # seconds between two polls: the first, how they grow, the most
MOST_FAILURES = 3  # polls in a row that may go wrong


def wait_for_score(workspace: Workspace, submitted: Submitted, seconds: float) -> Entry:
    """Return the entry once the service has scored it, or as it is when the time is over.

    Raises SubmissionError if the service could not score it.
    """
    entry, competition = submitted.entry, submitted.ready.competition
    if entry.reference is None:
        emit(Warned("there is no score to wait for; the service tells none"))
        return entry
    with open_board(workspace, competition) as board:
        assert isinstance(board, ListingBoard)  # only such a one gives references
        ledger = workspace.ledger(competition.name)
        entry = _polled(board, ledger, entry, time.monotonic() + seconds)
        name = board.name
    if entry.status == "error":
        raise SubmissionError(_could_not_score(name, entry, competition))
    if entry.status not in DONE:
        emit(
            Warned(
                f"no score after {seconds:.0f} s (status: {entry.status}); kc submissions "
                f"{competition.name} shows it later"
            )
        )
    return entry


def _could_not_score(service: str, entry: Entry, competition: Competition) -> str:
    """Return the sentence for a submission that ended in an error."""
    reason = entry.detail or f"it gives no reason; see {competition.source.page}/submissions"
    return f"{service} could not score submission {entry.reference}: {reason}"


def _polled(board: ListingBoard, ledger: Path, entry: Entry, deadline: float) -> Entry:
    """Ask again and again until the service is done or the time is over."""
    assert entry.reference is not None
    pause, growth, most = PAUSES
    failures = 0
    while entry.status not in DONE:
        try:
            found = board.submission(entry.reference)
        except SourceError as error:
            failures += 1
            emit(Warned(f"cannot look after submission {entry.reference}: {error}"))
            if failures >= MOST_FAILURES:
                return entry
        else:
            failures = 0
            if found is not None:
                if found.status != entry.status:
                    emit(Note("submit", f"submission {entry.reference}: {found.status}"))
                entry = learn(ledger, entry, found)
        left = deadline - time.monotonic()
        if entry.status in DONE or left <= 0:
            return entry
        time.sleep(min(pause, left))
        pause = min(pause * growth, most)
    return entry
