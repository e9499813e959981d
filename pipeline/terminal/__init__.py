"""Events as a person sees them: a live view on a terminal, plain lines anywhere else."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from typing import TextIO

from pipeline.progress import (
    Downloaded,
    EpochEnded,
    Event,
    FoldEnded,
    Note,
    Warned,
    file_size,
    listening,
)
from pipeline.terminal.live import LiveView

STAGE = 9  # columns of a stage's name and the gap behind it
NARROW, WIDE = 40, 160  # columns of the narrowest and the widest table


@contextlib.contextmanager
def shown(
    *, quiet: bool = False, verbose: bool = False, stream: TextIO | None = None
) -> Iterator[None]:
    """Show the events of the enclosed block on stderr (or another stream).

    quiet: warnings only. verbose: a line for every epoch instead of the live view.
    """
    stream = stream or sys.stderr
    has_view = can_redraw(stream) and not quiet and not verbose
    with (
        LiveView(stream) if has_view else contextlib.nullcontext() as view,
        listening(_Display(stream, view, quiet, verbose)),
    ):
        yield


def can_redraw(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal on which lines may be drawn again, and in colour.

    Not if it is a pipe or a file, nor where NO_COLOR, CI or TERM=dumb ask for plain lines.
    """
    plain = os.environ.get("NO_COLOR") or os.environ.get("CI", "").lower() not in ("", "0", "false")
    return stream.isatty() and not plain and os.environ.get("TERM", "") not in ("dumb", "unknown")


def table_width() -> int:
    """Return how many columns a table may take: those of the terminal, 80 where there is none."""
    return min(WIDE, max(NARROW, shutil.get_terminal_size((80, 24)).columns))


def line(event: Event) -> str | None:
    """Return an event as one line, or None for those that only move the live view."""
    if isinstance(event, Note):
        return f"{event.stage:<8} {event.text}"
    if isinstance(event, Warned):
        return f"{'warning':<8} {event.text}"
    if isinstance(event, FoldEnded):
        done = "reused" if event.reused else f"{event.seconds:.1f} s"
        score = "all rows" if event.score is None else f"score {event.score:.5f}"
        return f"{'fold':<8} {event.number}/{event.n_folds}  {score}  {done}"
    return None


def epoch_line(event: EpochEnded) -> str:
    """Return an epoch's losses, and its score where that is known, as one line."""
    if event.watched:
        which = f"{'epoch':<8} {event.epoch}/{event.epochs}"
        return f"{which}  held-out {event.watched} {event.loss:.5f}"
    valid = "" if event.valid_loss is None else f"  valid {event.valid_loss:.5f}"
    score = "" if event.score is None else f"  score {event.score:.5f}"
    return f"{'epoch':<8} {event.epoch}/{event.epochs}  loss {event.loss:.5f}{valid}{score}"


def download_line(event: Downloaded) -> str:
    """Return how much of a file is here."""
    total = "" if event.total is None else f" of {file_size(event.total)}"
    return f"{event.name}  {file_size(event.done)}{total}"


class _Display:
    """Write an event's line, and tell the live view where there is one."""

    def __init__(self, stream: TextIO, view: LiveView | None, quiet: bool, verbose: bool) -> None:
        self.stream, self.view, self.quiet, self.verbose = stream, view, quiet, verbose

    def __call__(self, event: Event) -> None:
        if self.view is not None:
            self.view.see(event)
        text = epoch_line(event) if self.verbose and isinstance(event, EpochEnded) else line(event)
        if text is None or (self.quiet and not isinstance(event, Warned)):
            return
        if self.view is not None:
            self.view.write(text[:STAGE], text[STAGE:], is_loud=isinstance(event, Warned))
        else:
            print(text, file=self.stream, flush=True)
