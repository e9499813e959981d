"""Whether the same bytes were handed in before, here or, where the service tells, anywhere.

A description ends in a marker, "[kc 3f9a1b2c7d21 a41f0c]": the beginning of the file's SHA-256, and
a number that is this attempt's alone. By it an attempt whose answer was lost is found again.
"""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.errors import SourceError, SubmissionError, UnconfirmedError
from pipeline.ledger import UNCONFIRMED, Entry, load_ledger, update_entry
from pipeline.progress import Note, counted, emit
from pipeline.sources import Board, ListingBoard, Submission
from pipeline.sources.dacon_words import earlier_unconfirmed

REPEAT = "they cannot score differently (--again submits them all the same)"
MARK = "kc "
LOOKED_AT = 100  # the newest submissions, which are always looked at
SKEW = timedelta(days=1)  # between the clocks here and there
NEAR = (timedelta(minutes=10), timedelta(hours=6))  # an upload may end long after it began


@dataclass(frozen=True)
class Earlier:
    """What is known of the same bytes.

    entries: those of the ledger that count. adopted: those that the service's list confirmed now.
    elsewhere: the service's submissions that this ledger does not know. alike: those that could be
    an attempt that is not confirmed. looked_at: how many the service listed, None if it lists none.
    """

    entries: tuple[Entry, ...]
    adopted: tuple[Entry, ...] = ()
    elsewhere: tuple[Submission, ...] = ()
    alike: tuple[Submission, ...] = ()
    looked_at: int | None = None

    @property
    def unconfirmed(self) -> tuple[Entry, ...]:
        """The entries of which nobody knows whether they arrived."""
        return tuple(entry for entry in self.entries if entry.status == UNCONFIRMED)


def new_marker(sha256: str) -> str:
    """Return a marker for one attempt to hand in the bytes of that digest."""
    return f"{bytes_mark(sha256)} {uuid.uuid4().hex[:6]}"


def bytes_mark(sha256: str) -> str:
    """Return the part of a marker that all attempts with the same bytes share."""
    return f"{MARK}{sha256[:12]}"


def without_marker(description: str) -> str:
    """Return what a person wrote of a submission."""
    return re.sub(rf"\s*\[{MARK}[0-9a-f]{{12}} [0-9a-f]{{6}}\]$", "", description)


def entries_of(ledger: Path, sha256: str) -> tuple[Entry, ...]:
    """Return the ledger's entries of these bytes that were handed in, or may have been."""
    return tuple(one for one in load_ledger(ledger) if one.sha256 == sha256 and one.counts)


def find_earlier(
    ledger: Path, sha256: str, file: Path, board: Board | None, *, again: bool = False
) -> Earlier:
    """Return what is known of the same bytes, after looking at the service's list if it has one.

    An attempt that was not confirmed and is found there is confirmed in the ledger. again: other
    copies do not matter, so that the list is asked for such an attempt only.
    Raises SourceError if the list is wanted and cannot be had.
    """
    entries = entries_of(ledger, sha256)
    unconfirmed = [entry for entry in entries if entry.status == UNCONFIRMED]
    is_wanted = bool(unconfirmed) or not (entries or again)
    if not isinstance(board, ListingBoard) or not is_wanted:
        return Earlier(entries)
    try:
        listed = _listed(board, unconfirmed)
    except SourceError as error:
        without = "" if unconfirmed else " (--again submits without looking)"
        raise SourceError(
            f"{error}; so it is not known whether {board.name} has the same bytes already{without}"
        ) from None
    adopted = tuple(adopt(ledger, unconfirmed, listed))
    entries = entries_of(ledger, sha256)
    known = {entry.reference for entry in load_ledger(ledger)}
    others = [one for one in listed if one.reference not in known]
    return Earlier(
        entries,
        adopted,
        tuple(one for one in others if bytes_mark(sha256) in one.description),
        tuple(one for one in others if any(_is_like(one, entry, file) for entry in unconfirmed)),
        len(listed),
    )


def adopt(ledger: Path, entries: list[Entry], listed: list[Submission]) -> list[Entry]:
    """Return the unconfirmed entries that the list confirms, after noting that in the ledger."""
    found = []
    for entry in entries:
        for one in listed:
            if entry.status == UNCONFIRMED and entry.marker and entry.marker in one.description:
                found.append(learn(ledger, entry, one))
                emit(Note("submit", f"the attempt of {entry.time} arrived: {one.reference}"))
    return found


def learn(ledger: Path, entry: Entry, submission: Submission) -> Entry:
    """Return an entry with what the service tells of it, which is noted in the ledger if it is new.

    Raises StorageError.
    """
    news = {
        "reference": submission.reference,
        "status": submission.status,
        "public": submission.public,
        "private": submission.private,
        "detail": submission.error,
    }
    is_new = any(getattr(entry, name) != value for name, value in news.items())
    return update_entry(ledger, entry, **news) if is_new else entry


def check_not_repeated(entries: tuple[Entry, ...], file: Path) -> None:
    """Check that the same bytes were not handed in, by the ledger alone.

    Raises SubmissionError, unless the last attempt is unconfirmed, which is another question.
    """
    if entries and entries[-1].status != UNCONFIRMED:
        last = entries[-1]
        reference = f" as {last.reference}" if last.reference else ""
        raise SubmissionError(
            f"{file}: the same bytes were submitted on {last.time} from run {last.run}{reference}; "
            f"{REPEAT}"
        )


def check_is_new(earlier: Earlier, file: Path, board: Board | None, page: str | None) -> None:
    """Check that the bytes were not handed in before, as far as anybody knows.

    Raises SubmissionError if they were, UnconfirmedError if they may have been.
    """
    check_not_repeated(earlier.entries, file)
    if earlier.unconfirmed:
        raise UnconfirmedError(_not_confirmed(earlier, file, board, page))
    if earlier.elsewhere:
        one = earlier.elsewhere[0]
        service = board.name if board else "the service"
        raise SubmissionError(
            f"{file}: {service} lists the same bytes as {one.reference} of "
            f"{one.time.isoformat(timespec='seconds')}, submitted from another place; {REPEAT}"
        )


def _not_confirmed(earlier: Earlier, file: Path, board: Board | None, page: str | None) -> str:
    last = earlier.unconfirmed[-1]
    if last.how == "dacon":
        return earlier_unconfirmed(file, last.time, page)
    begins = f"{file}: an attempt to submit the same bytes on {last.time} was not confirmed"
    if earlier.looked_at is None or board is None:
        return (
            f"{begins}; kc submit without --by-hand looks whether it arrived, or look at "
            f"{page}/submissions, and only if it is not there, add --again"
        )
    alike = "".join(
        f"; {one.reference} ({one.file_name}, {one.time.isoformat(timespec='seconds')}) could be it"
        for one in earlier.alike
    )
    return (
        f"{begins}, and is not among {counted(earlier.looked_at, 'submission')} that {board.name} "
        f"lists{alike}; look at {page}/submissions, and only if it is not there, submit once more "
        "with --again"
    )


def _listed(board: ListingBoard, unconfirmed: list[Entry]) -> list[Submission]:
    """Return the newest submissions, and all that may be one of the unconfirmed."""
    oldest = min((_time(entry) for entry in unconfirmed), default=datetime.max.replace(tzinfo=UTC))
    listed: list[Submission] = []
    for one in board.submissions():
        if len(listed) >= LOOKED_AT and one.time < oldest - SKEW:
            break
        listed.append(one)
    return listed


def _is_like(one: Submission, entry: Entry, file: Path) -> bool:
    """Tell whether a submission without any marker could be an attempt: by name, size and time."""
    began, late = _time(entry) - NEAR[0], _time(entry) + NEAR[1]
    return (
        f"[{MARK}" not in one.description
        and one.file_name == file.name
        and one.bytes in (None, file.stat().st_size)
        and began <= one.time <= late
    )


def _time(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry.time)
