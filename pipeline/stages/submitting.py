"""submit: check a run's file once more, refuse what was handed in before, and hand it in once."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import (
    DataError,
    SourceError,
    StorageError,
    SubmissionError,
    UnconfirmedError,
)
from pipeline.ledger import (
    BY_HAND,
    REFUSED,
    UNCONFIRMED,
    Entry,
    add_entry,
    handing_in,
    update_entry,
)
from pipeline.sources import Board, ListingBoard, Receipt
from pipeline.stages.boards import open_board
from pipeline.stages.earlier import (
    check_is_new,
    check_not_repeated,
    entries_of,
    find_earlier,
    new_marker,
)
from pipeline.stages.ready import Ready, check_ready
from pipeline.stages.telling import allowance_line, question, ready_lines, run_score
from pipeline.workspace import Workspace

Ask = Callable[[list[str], str], None]


@dataclass(frozen=True)
class Submitted:
    """What came of handing in; adopted: it had been handed in already by an earlier attempt."""

    entry: Entry
    ready: Ready
    adopted: bool = False


def submit(
    workspace: Workspace,
    name: str,
    run_id: str | None = None,
    message: str = "",
    *,
    again: bool = False,
    by_hand: bool = False,
    ask: Ask | None = None,
) -> Submitted:
    """Check a run's submission and hand it in, once, by the service or by the person's own hand.

    An earlier attempt with the same bytes whose answer was lost is looked up first, and taken for
    this one if the service has it. again: hand in bytes that were handed in before. ask: gets what
    a person wants to see and the question, and raises whatever it likes to stop.
    Raises SubmissionError if the file does not fit or is a repeat, SourceError if it was refused,
    UnconfirmedError if it may have arrived.
    """
    ready = check_ready(workspace, name, run_id)
    source, file = ready.competition.source, ready.run.submission
    ledger = workspace.ledger(name)
    if not again:
        check_not_repeated(entries_of(ledger, ready.sha256), file)
    with nullcontext() if by_hand else open_board(workspace, ready.competition) as board:
        earlier = find_earlier(ledger, ready.sha256, file, board, again=again)
        if not again:
            if earlier.adopted:
                return Submitted(earlier.adopted[-1], ready, adopted=True)
            check_is_new(earlier, file, board, source.page)
        if ask is not None:
            left = [] if board is None else [allowance_line(board, ready.competition, ledger)]
            ask([*ready_lines(ready), *left], question(board))
        with handing_in(ledger):
            if len(entries_of(ledger, ready.sha256)) != len(earlier.entries):
                raise SubmissionError(
                    f"{file}: another kc submit handed in the same bytes meanwhile; see kc "
                    f"submissions {name}"
                )
            entry = _hand_in(ledger, ready, board, message.encode("utf-8", "replace").decode())
    return Submitted(entry, ready)


def _hand_in(ledger: Path, ready: Ready, board: Board | None, message: str) -> Entry:
    """Write down the intention, hand in, and write down what came of it."""
    entry = Entry(
        sha256=ready.sha256,
        run=ready.run.id,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        how=BY_HAND,
        message=message,
    )
    if board is None:
        add_entry(ledger, entry)
        return entry
    how, marker = ready.competition.source.kind, new_marker(ready.sha256)
    entry = replace(entry, how=how, status=UNCONFIRMED, marker=marker)
    add_entry(ledger, entry)
    try:
        receipt = board.submit(ready.run.submission, _description(ready, board, entry))
    except UnconfirmedError as error:
        update_entry(ledger, entry, detail=str(error))
        raise
    except SourceError as error:
        update_entry(ledger, entry, status=REFUSED, detail=str(error))
        raise
    news = {
        "status": _status(board, receipt),
        "reference": receipt.reference,
        "public": receipt.public,
        "detail": receipt.message,
    }
    try:
        return update_entry(ledger, entry, **news)
    except (StorageError, DataError) as error:
        reference = receipt.reference or f"the run {entry.run}"
        raise StorageError(
            f"{board.name} took the submission as {reference}, but {error}"
        ) from None


def _status(board: Board, receipt: Receipt) -> str:
    """Return what the ledger says of a submission that was accepted."""
    if receipt.public is not None:
        return "complete"
    return "pending" if isinstance(board, ListingBoard) else "submitted"


def _description(ready: Ready, board: Board, entry: Entry) -> str:
    """Return what the service shows beside the submission; only a list needs the marker."""
    text = entry.message or f"{ready.run.id}, out-of-fold {run_score(ready.run)}"
    return f"{text} [{entry.marker}]" if isinstance(board, ListingBoard) else text
