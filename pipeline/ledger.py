"""What was handed in: one line a submission, in the order of time.

A finished run never changes, so what becomes of its submission is told here and joined to the run
when it is shown. A submission to a service is written down as "unconfirmed" before the first byte
is sent; only an answer changes that, so whoever is killed in between leaves a trace.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline.errors import DataError, StorageError
from pipeline.progress import Note, emit
from pipeline.storage import save_text, storing

UNCONFIRMED, REFUSED = "unconfirmed", "refused"
BY_HAND = "by hand"
_WRITING = 30.0  # seconds after which whoever holds the ledger is taken to be stuck


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One submission: which bytes of which run, when (UTC), and how they went.

    how: "by hand", "kaggle" or "dacon". status: "unconfirmed" until the service answers; "refused"
    if nothing was taken; "submitted" where nobody tells more; else the service's word, as
    "pending", "complete" or "error". marker: what makes it known again, here and in the service's
    description of it. reference: the service's number. detail: what the service said.
    """

    sha256: str
    run: str
    time: str
    how: str
    message: str = ""
    status: str = "submitted"
    marker: str = ""
    reference: str | None = None
    public: float | None = None
    private: float | None = None
    detail: str = ""

    @property
    def counts(self) -> bool:
        """Whether it was handed in, or may have been."""
        return self.status != REFUSED


def load_ledger(path: Path) -> list[Entry]:
    """Return all entries, oldest first; none if nothing was handed in yet.

    Raises DataError if the file cannot be read.
    """
    if not path.is_file():
        return []
    try:
        return [_entry(line) for line in path.read_text("utf-8").splitlines()]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        why = "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(error))
        raise DataError(f"{path}: cannot be read: {why}; mend or move the file") from None


def add_entry(path: Path, entry: Entry) -> None:
    """Append an entry; the entries before it are kept whatever happens.

    Raises StorageError.
    """
    _change(path, lambda entries: [*entries, entry])


def update_entry(path: Path, entry: Entry, **news: Any) -> Entry:
    """Return the entry with the same marker after writing down what became known of it.

    Raises StorageError, or DataError if somebody has taken the entry out.
    """
    known: list[Entry] = []

    def exchange(entries: list[Entry]) -> list[Entry]:
        at = [number for number, one in enumerate(entries) if one.marker == entry.marker]
        if not entry.marker or not at:
            raise DataError(f"{path}: the entry of {entry.time} is gone; put the line back")
        known.append(replace(entries[at[0]], **news))
        return [*entries[: at[0]], known[0], *entries[at[0] + 1 :]]

    _change(path, exchange)
    return known[0]


@contextlib.contextmanager
def handing_in(path: Path, seconds: float = 600.0) -> Iterator[None]:
    """Let one process at a time hand in; the lock ends with the process, however it ends.

    seconds: how long to wait for another one, which is told. Raises StorageError.
    """
    with _locked(path.with_name(f".{path.name}.submit.lock"), seconds, is_told=True):
        yield


def _change(path: Path, change: Callable[[list[Entry]], list[Entry]]) -> None:
    with _locked(path.with_name(f".{path.name}.lock"), _WRITING):
        lines = [json.dumps(asdict(one)) for one in change(load_ledger(path))]  # ASCII
        save_text(path, "\n".join(lines) + "\n")


@contextlib.contextmanager
def _locked(path: Path, seconds: float, *, is_told: bool = False) -> Iterator[None]:
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            if is_told and not _is_free(lock):
                emit(Note("submit", "waiting for another kc submit"))
            lock.acquire(timeout=seconds, poll_interval=0.05)
        except Timeout:
            raise StorageError(
                f"{path}: another kc submit is still at work; wait for its end, then try again"
            ) from None
    try:
        yield
    finally:
        lock.release(force=True)


def _is_free(lock: FileLock) -> bool:
    """Take the lock if nobody has it, and tell whether that was so."""
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


def _entry(line: str) -> Entry:
    """Return the entry of a line; a line from before services were submitted to has fewer keys."""
    entry = Entry(**json.loads(line))
    for name in ("sha256", "run", "time", "how", "message", "status", "marker", "detail"):
        if not isinstance(getattr(entry, name), str):
            raise TypeError(f"{name} is not text")
    if datetime.fromisoformat(entry.time).tzinfo is None:
        raise ValueError(f"time {entry.time!r} has no zone")
    return entry
