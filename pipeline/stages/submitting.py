"""submit: check a run's file once more, refuse what was handed in before, and hand it in once."""

import hashlib
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from pipeline.competition import Competition
from pipeline.data import read_sample, read_sample_style
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
    load_ledger,
    update_entry,
)
from pipeline.progress import Note, Warned, emit
from pipeline.raw import verify
from pipeline.runs import Run, find_run
from pipeline.sources import Allowance, Board, ListingBoard
from pipeline.sources.boards import open_board
from pipeline.stages.earlier import (
    check_is_new,
    check_not_repeated,
    entries_of,
    find_earlier,
    new_marker,
    news_of,
)
from pipeline.stages.fetching import is_sample
from pipeline.stages.opening import open_competition
from pipeline.submission import check_submission
from pipeline.workspace import Workspace

Ask = Callable[[list[str], str], None]
DONE = ("complete", "error")  # nothing changes after these
PAUSES = (1.0, 1.5, 15.0)  # seconds between two polls: the first, how they grow, the most
MOST_FAILURES = 3  # polls in a row that may go wrong
KOREA = timezone(timedelta(hours=9))  # Dacon's day


@dataclass(frozen=True)
class Ready:
    """A checked submission that may be handed in."""

    run: Run
    competition: Competition
    sha256: str


@dataclass(frozen=True)
class Submitted:
    """What came of handing in; adopted: it had been handed in already by an earlier attempt."""

    entry: Entry
    ready: Ready
    adopted: bool = False


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
    with nullcontext() if by_hand else open_board(source) as board:
        earlier = find_earlier(ledger, ready.sha256, file, board)
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


def wait_for_score(workspace: Workspace, submitted: Submitted, seconds: float) -> Entry:
    """Return the entry once the service has scored it, or as it is when the time is over.

    Raises SubmissionError if the service could not score it.
    """
    entry, competition = submitted.entry, submitted.ready.competition
    if entry.reference is None:
        emit(Warned("there is no score to wait for; the service tells none"))
        return entry
    with open_board(competition.source) as board:
        assert isinstance(board, ListingBoard)  # only such a one gives references
        ledger = workspace.ledger(competition.name)
        entry = _polled(board, ledger, entry, time.monotonic() + seconds)
        name = board.name
    if entry.status == "error":
        raise SubmissionError(could_not_score(name, entry, competition))
    if entry.status not in DONE:
        emit(
            Warned(
                f"no score after {seconds:.0f} s (status: {entry.status}); kc submissions "
                f"{competition.name} shows it later"
            )
        )
    return entry


def could_not_score(service: str, entry: Entry, competition: Competition) -> str:
    """Return the sentence for a submission that ended in an error."""
    reason = entry.detail or f"it gives no reason; see {competition.source.page}/submissions"
    return f"{service} could not score submission {entry.reference}: {reason}"


def outcome_line(done: Submitted) -> str:
    """Return what came of handing in, in one line."""
    entry, competition = done.entry, done.ready.competition
    if entry.how == BY_HAND:
        return how_to_upload(done.ready)
    if done.adopted:
        return (
            f"already submitted as {entry.reference} on {entry.time}, by an attempt that was not "
            f"confirmed then; status {entry.status}"
        )
    if entry.reference is None:
        return f"{entry.detail}: {competition.source.page}"
    return f"submitted as {entry.reference}: {entry.detail}"


def score_line(entry: Entry) -> str:
    """Return the scores that an entry has, or its status."""
    scores = {"public": entry.public, "private": entry.private}
    told = [f"{name} {score:g}" for name, score in scores.items() if score is not None]
    return ", ".join(told) if told else f"status {entry.status}"


def question(board: Board | None) -> str:
    """Return what is asked before the submission."""
    if board is None:
        return "Note it as submitted, and show where to upload it?"
    return f"Submit it to {board.name}?"


def ready_lines(ready: Ready) -> list[str]:
    """Return what a person wants to see before a daily slot is spent."""
    record = ready.run.record
    sample = ready.competition.files.sample_submission
    synthetic = is_sample(record["origin"])
    seed = "" if record["seed"] is None else f", seed {record['seed']}"
    return [
        f"file   {ready.run.submission}",
        f"rows   {record['rows']['test']:,}, checked against {sample}",
        f"score  {_score(ready)} (out-of-fold)",
        f"model  {record['model']['label']}{seed}, run {ready.run.id}",
        *(["note   made from a synthetic sample: no service knows its rows"] if synthetic else []),
    ]


def allowance_line(board: Board, competition: Competition, ledger: Path) -> str:
    """Return how many submissions are left today, by the service or else by the ledger."""
    if isinstance(board, ListingBoard):
        try:
            return f"left   {_allowance(board.allowance())}"
        except SourceError as error:
            return f"left   not known: {error}"
    most = competition.source.submissions_a_day
    assert most is not None  # every service that lists nothing has a usual limit
    left = max(0, most - _made_today(ledger, competition.source.kind))
    return f"left   {left} of {most} today, by the ledger; {board.name} counts a whole team's"


def how_to_upload(ready: Ready) -> str:
    """Return the sentence that says where to upload the file by hand."""
    page = ready.competition.source.page
    if page is None:
        return f"hand in {ready.run.submission}; competition.toml names no page to upload it to"
    return f"upload {ready.run.submission} at {page}"


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
    entry = Entry(
        **{
            **vars(entry),
            "how": ready.competition.source.kind,
            "status": UNCONFIRMED,
            "marker": new_marker(ready.sha256),
        }
    )
    add_entry(ledger, entry)
    try:
        receipt = board.submit(ready.run.submission, _description(ready, board, entry))
    except UnconfirmedError as error:
        update_entry(ledger, entry, detail=str(error))
        raise
    except SourceError as error:
        update_entry(ledger, entry, status=REFUSED, detail=str(error))
        raise
    status = "pending" if isinstance(board, ListingBoard) else "submitted"
    news = {"status": status, "reference": receipt.reference, "detail": receipt.message}
    try:
        return update_entry(ledger, entry, **news)
    except (StorageError, DataError) as error:
        reference = receipt.reference or f"the run {entry.run}"
        raise StorageError(
            f"{board.name} took the submission as {reference}, but {error}"
        ) from None


def _description(ready: Ready, board: Board, entry: Entry) -> str:
    """Return what the service shows beside the submission; only a list needs the marker."""
    text = entry.message or f"{ready.run.id}, out-of-fold {_score(ready)}"
    return f"{text} [{entry.marker}]" if isinstance(board, ListingBoard) else text


def _score(ready: Ready) -> str:
    record = ready.run.record
    spread = record["standard_error"]
    spread = "" if spread is None else f" +- {spread:.5f}"
    return f"{record['metric']} {record['score']:.5f}{spread}"


def _allowance(allowance: Allowance) -> str:
    if allowance == Allowance(0, 0):  # also what a team that never submitted is told
        return "the service gives no number before the first submission"
    days = ", limited by the competition's total" if allowance.by_total else ""
    return f"{allowance.left} today, {allowance.today} made{days}"


def _made_today(ledger: Path, how: str) -> int:
    today = datetime.now(KOREA).date()
    times = [
        datetime.fromisoformat(one.time).astimezone(KOREA)
        for one in load_ledger(ledger)
        if one.how == how and one.counts
    ]
    return sum(moment.date() == today for moment in times)


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
                entry = update_entry(ledger, entry, **news_of(found))
        left = deadline - time.monotonic()
        if entry.status in DONE or left <= 0:
            return entry
        time.sleep(min(pause, left))
        pause = min(pause * growth, most)
    return entry
