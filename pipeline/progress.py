"""What a stage tells while it works, and who listens.

Stages, folds and epochs emit events; the command line shows them, a run records them, and without a
listener they cost nothing. An event never carries data, so listening cannot change a result.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Note:
    """What one stage did, in one line, with the numbers that the line was made from."""

    stage: str
    text: str
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Warned:
    """Something that a person should know, though the stage went on."""

    text: str


@dataclass(frozen=True)
class Looked:
    """What may give the answer away was looked for; found: a line each, shown as warnings too."""

    found: tuple[str, ...]


@dataclass(frozen=True)
class FoldStarted:
    """A fold's fit begins, or that of several at once; folds count from 1 for people.

    metric: what it will be scored by, and its epochs' scores are. workers: that fit them, each one
    or some of them. scale: what the target is fitted as, and losses are of, "" for itself.
    """

    model: str
    number: int
    n_folds: int
    together: int = 1
    metric: str = "score"
    workers: int = 1
    scale: str = ""


@dataclass(frozen=True)
class EpochEnded:
    """One epoch (or boosting round) of the current fold is over.

    score: the competition's metric on the rows that early stopping holds out, the mean over the
    networks that still learn. best: the mean of each network's best so far. None if not known.
    watched: what a library of boosting computes of the held-out rows, on the scale that is fitted,
    in place of a loss; best is the best of it. "" for networks.
    """

    epoch: int
    epochs: int
    loss: float
    valid_loss: float | None
    score: float | None = None
    best: float | None = None
    watched: str = ""


@dataclass(frozen=True)
class FoldEnded:
    """A fold is fitted and scored, or its finished work was found again; a refit has no score."""

    number: int
    n_folds: int
    score: float | None
    seconds: float
    reused: bool


@dataclass(frozen=True)
class Downloaded:
    """So many of a file's bytes are here; total is None where the service does not say."""

    name: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Working:
    """What one worker process does, and for how many seconds it has; name: of one elsewhere."""

    worker: int
    model: str
    what: str
    seconds: float
    name: str = ""


@dataclass(frozen=True)
class BudgetSpent:
    """So many seconds of a budget are over, what there is so far, and what runs now."""

    seconds: float
    budget: float
    text: str
    working: tuple[Working, ...] = ()


Event = BudgetSpent | Looked | Note | Warned | FoldStarted | EpochEnded | FoldEnded | Downloaded
Listener = Callable[[Event], None]

_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


def emit(event: Event) -> None:
    """Tell every listener of the current context."""
    for listener in _listeners.get():
        listener(event)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, as a line about it says it: "1 column", "1,200 columns"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def kept_folds(number: int) -> str:
    """Return what becomes of finished folds when a command is interrupted."""
    if not number:
        return "no fold was finished, so nothing is kept"
    them, are = ("it", "is") if number == 1 else ("them", "are")
    return (
        f"{counted(number, 'finished fold')} {are} kept, and the same command goes on from {them}"
    )


def file_size(n_bytes: int) -> str:
    """Return a number of bytes as a person reads it: "814 bytes", "12.3 MB"."""
    if n_bytes < 1000:
        return counted(n_bytes, "byte")
    power = next((p for p in (1, 2, 3) if n_bytes < 999.95 * 1000**p), 4)
    return f"{n_bytes / 1000**power:.1f} {'kMGT'[power - 1]}B"


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the events of the enclosed block to the listener, and then to those who listen already.

    So that what counts an event has counted it when it is shown, however soon that is interrupted.
    """
    token = _listeners.set((listener, *_listeners.get()))
    try:
        yield
    finally:
        _listeners.reset(token)


@contextmanager
def only_listening(listener: Listener) -> Iterator[None]:
    """Send the events of the enclosed block to the listener, and to nobody else."""
    token = _listeners.set((listener,))
    try:
        yield
    finally:
        _listeners.reset(token)
