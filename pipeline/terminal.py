"""Events as a person sees them: a live bar on a terminal, plain lines anywhere else."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from pipeline.progress import (
    BudgetSpent,
    Downloaded,
    EpochEnded,
    Event,
    FoldEnded,
    FoldStarted,
    Note,
    Warned,
    file_size,
    listening,
)


@contextlib.contextmanager
def shown(
    *, quiet: bool = False, verbose: bool = False, stream: TextIO | None = None
) -> Iterator[None]:
    """Show the events of the enclosed block on stderr (or another stream).

    quiet: warnings only. verbose: a line for every epoch instead of the live bar.
    """
    stream = stream or sys.stderr
    is_live = stream.isatty() and not quiet and not verbose
    with (
        _bar(stream) if is_live else contextlib.nullcontext() as bar,
        listening(_Display(stream, bar, quiet, verbose)),
    ):
        yield


def line(event: Event) -> str | None:
    """Return an event as one line, or None for those that only move the bar."""
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
    """Return an epoch's losses as one line."""
    valid = "" if event.valid_loss is None else f"  valid {event.valid_loss:.5f}"
    return f"{'epoch':<8} {event.epoch}/{event.epochs}  loss {event.loss:.5f}{valid}"


def download_line(event: Downloaded) -> str:
    """Return how much of a file is here."""
    total = "" if event.total is None else f" of {file_size(event.total)}"
    return f"{event.name}  {file_size(event.done)}{total}"


class _Display:
    """Write an event's line, and move the bar where there is one."""

    def __init__(self, stream: TextIO, bar: Any, quiet: bool, verbose: bool) -> None:
        self.stream, self.bar, self.quiet, self.verbose = stream, bar, quiet, verbose
        self.fold = FoldStarted("", 1, 1)

    def __call__(self, event: Event) -> None:
        text = epoch_line(event) if self.verbose and isinstance(event, EpochEnded) else line(event)
        if text and (not self.quiet or isinstance(event, Warned)):
            self._write(text)
        if self.bar is not None:
            self._move(event)

    def _write(self, text: str) -> None:
        if self.bar is not None:
            self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=self.stream, flush=True)

    def _move(self, event: Event) -> None:
        if isinstance(event, FoldStarted):
            self.fold = event
            self._show(event.number - 1, "")
        elif isinstance(event, EpochEnded):
            text = epoch_line(event).split(maxsplit=1)[1]
            part = self.fold.together * event.epoch / event.epochs
            self._show(self.fold.number - 1 + part, f"epoch {text}")
        elif isinstance(event, FoldEnded):
            self._show(event.number, "")
        elif isinstance(event, BudgetSpent):
            self._update(event.seconds, event.budget, event.text)
        elif isinstance(event, Downloaded):
            self._update(event.done, event.total, download_line(event))

    def _show(self, completed: float, detail: str) -> None:
        fold = self.fold
        last = fold.number + fold.together - 1
        which = f"fold {last}" if fold.together == 1 else f"folds {fold.number}-{last}"
        self._update(completed, fold.n_folds, f"{fold.model} {which}/{fold.n_folds}  {detail}")

    def _update(self, completed: float, total: float | None, description: str) -> None:
        """Move the one bar; whoever uses it last has it."""
        if not self.bar.task_ids:
            self.bar.add_task("", total=total)
        task = self.bar.task_ids[0]
        self.bar.update(task, total=total, completed=completed, description=description)
        if total is not None and completed >= total:
            self.bar.remove_task(task)


def _bar(stream: TextIO) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(file=stream),
        transient=True,
        refresh_per_second=5,
    )
