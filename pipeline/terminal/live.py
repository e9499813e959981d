"""What runs now, drawn again a few times a second below the lines that were told.

A view knows one event, and when it came; all it draws follows from it and the clock, so that times
go on between two events.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self, TextIO

from pipeline.progress import (
    BudgetSpent,
    Downloaded,
    EpochEnded,
    Event,
    FoldEnded,
    FoldStarted,
    file_size,
)

A_SECOND = 5  # times the view is drawn
NARROWEST = 20  # columns of a text that is wrapped

Clock = Callable[[], float]


def name_of_watched(watched: str, started: FoldStarted) -> str:
    """Return what a library computes of held-out rows in words: the metric, or which loss it is."""
    if (started.metric, watched, started.scale) == ("rmsle", "rmse", "log1p"):
        return "rmsle"
    return f"{watched} of {started.scale}" if started.scale else watched


def clock_time(seconds: float) -> str:
    """Return seconds as a person reads a clock: "0:14", "1:02:03"."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass(frozen=True)
class Bar:
    """One line with a bar: what is worked on, how much is done of it, and what stands behind.

    share: from 0 to 1, or None where it is not known.
    """

    what: str
    share: float | None
    behind: str


@dataclass(eq=False)
class Folds:
    """The folds of one model: the present one, its epoch, and what the others scored."""

    started: FoldStarted
    clock: Clock
    epoch: EpochEnded | None = None
    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of the folds that were fitted here
    began: float = 0.0
    first_epoch: tuple[int, float] | None = None
    n_ended: int = 0

    def __post_init__(self) -> None:
        self.began = self.clock()

    def begin(self, event: FoldStarted) -> None:
        """Go on with the next fold, or folds."""
        self.started, self.epoch, self.first_epoch = event, None, None
        self.began = self.clock()

    def take_epoch(self, event: EpochEnded) -> None:
        """Take an epoch; the time of the first one, which compiles, says nothing of the others."""
        if self.first_epoch is None or event.epoch <= self.first_epoch[0]:
            self.first_epoch = event.epoch, self.clock()
        self.epoch = event

    def take(self, event: FoldEnded) -> None:
        """Take what a fold came to."""
        self.n_ended += 1
        if event.score is not None:
            self.scores.append(event.score)
        if not event.reused:
            self.seconds.append(event.seconds)

    @property
    def share(self) -> float:
        """How much of all folds is done."""
        part = self.epoch.epoch / self.epoch.epochs if self.epoch else 0.0
        return (self.started.number - 1 + self.started.together * part) / self.started.n_folds

    @property
    def left(self) -> float | None:
        """The seconds that the rest takes at this pace, None if there is none yet."""
        spent = self.clock() - self.began
        to_do = self.started.n_folds - self.started.number + 1
        if self.seconds:
            turns = math.ceil(to_do / self.started.workers)
            return max(0.0, sum(self.seconds) / len(self.seconds) * turns - spent)
        if self.epoch is None or self.first_epoch is None:
            return None
        first, at = self.first_epoch
        if self.epoch.epoch == first:
            return None
        an_epoch = (self.clock() - at) / (self.epoch.epoch - first)
        rounds = to_do / self.started.together
        return an_epoch * (rounds * self.epoch.epochs - self.epoch.epoch)

    def lines(self) -> list[Bar | str]:
        """Return what is drawn: the model, its epoch, and the score so far."""
        event = self.started
        last = event.number + event.together - 1
        which = f"fold {last}" if event.together == 1 else f"folds {event.number}-{last}"
        spent = clock_time(self.clock() - self.began)
        behind = spent if self.left is None else f"{clock_time(self.left)} left"
        share = self.share or None  # nothing is known of a fit that tells no epochs
        drawn: list[Bar | str] = [Bar(f"{event.model}  {which} of {event.n_folds}", share, behind)]
        if self.epoch is not None:
            drawn.append(self._epoch_line(self.epoch))
        if self.scores:
            mean = sum(self.scores) / len(self.scores)
            n = len(self.scores)
            folds = "1 fold" if n == 1 else f"mean of {n} folds"
            drawn.append(f"{event.metric} {mean:.5f}, {folds}")
        return drawn

    def _epoch_line(self, event: EpochEnded) -> str:
        told = [f"epoch {event.epoch} of {event.epochs}"]
        if event.watched:
            name = name_of_watched(event.watched, self.started)
            return f"{told[0]}   held-out {name} {event.loss:.5g}, best {event.best:.5g}"
        if event.score is not None:
            best = "" if event.best is None else f", best {event.best:.5g}"
            told.append(f"{self.started.metric} {event.score:.5g}{best}")
        losses = f"loss {event.loss:.4g}"
        told.append(
            losses if event.valid_loss is None else f"{losses}, valid {event.valid_loss:.4g}"
        )
        return "   ".join(told)


@dataclass(frozen=True, eq=False)
class Budget:
    """A budget of time: what is left of it, what there is so far, and what each worker does."""

    event: BudgetSpent
    at: float
    clock: Clock

    def lines(self) -> list[Bar | str]:
        """Return what is drawn: the time, the best so far, and a line a worker."""
        since = self.clock() - self.at
        spent = min(self.event.seconds + since, self.event.budget)
        left = self.event.budget - spent
        of = f"{clock_time(spent)} of {clock_time(self.event.budget)}"
        drawn: list[Bar | str] = [
            Bar(of, spent / self.event.budget, f"{clock_time(left)} left"),
            self.event.text,
        ]
        working = self.event.working
        width = max((len(one.model) for one in working), default=0)
        names = [one.name or f"worker {one.worker + 1:<2}" for one in working]
        broad = max(map(len, names), default=0)
        drawn += [
            f"{name:<{broad}}  {one.model:<{width}}  {one.what}  {clock_time(one.seconds + since)}"
            for name, one in zip(names, working, strict=True)
        ]
        return drawn


@dataclass(frozen=True, eq=False)
class Download:
    """A file that is on its way, since when and from which byte on."""

    event: Downloaded
    began: float
    first: int
    clock: Clock

    def lines(self) -> list[Bar | str]:
        """Return what is drawn: the file, how much of it is here, and the time left."""
        done, total = self.event.done, self.event.total
        seconds = self.clock() - self.began
        here = file_size(done)
        if not total:
            return [Bar(self.event.name, None, here)]
        pace = (done - self.first) / seconds if seconds > 0 else 0.0
        left = f", {clock_time((total - done) / pace)} left" if pace else ""
        return [Bar(self.event.name, done / total, f"{here} of {file_size(total)}{left}")]


@dataclass(frozen=True, eq=False)
class Waiting:
    """Nothing to be told but that something is done."""

    at: float
    clock: Clock

    def lines(self) -> list[Bar | str]:
        """Return the time since the last thing was told, once that is a while ago."""
        since = self.clock() - self.at
        return [] if since < 1 else [Bar("working", None, clock_time(since))]


View = Folds | Budget | Download | Waiting


def next_view(view: View, event: Event, clock: Clock) -> View:
    """Return what is to be seen after an event."""
    if isinstance(event, FoldStarted):
        if isinstance(view, Folds) and view.started.model == event.model and event.number > 1:
            view.begin(event)
            return view
        return Folds(event, clock)
    if isinstance(event, BudgetSpent):
        return Budget(event, clock(), clock)
    if isinstance(event, Downloaded):
        return _next_download(view, event, clock)
    if isinstance(view, Folds) and isinstance(event, EpochEnded):
        view.take_epoch(event)
    elif isinstance(view, Folds) and isinstance(event, FoldEnded):
        view.take(event)
        if view.n_ended == event.n_folds:
            return Waiting(clock(), clock)
    elif isinstance(view, Waiting):
        return Waiting(clock(), clock)
    return view


def _next_download(view: View, event: Downloaded, clock: Clock) -> View:
    if event.total is not None and event.done >= event.total:
        return Waiting(clock(), clock)
    if isinstance(view, Download) and view.event.name == event.name:
        return Download(event, view.began, view.first, clock)
    return Download(event, clock(), event.done, clock)


class LiveView:
    """The view on a terminal; use it as a context, which takes it away at the end."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        self.console = Console(file=stream, highlight=False)
        is_plain = not (self.console.encoding or "").lower().startswith("utf")
        self.spinner = Spinner("line" if is_plain else "dots", style="cyan")
        self.view: View = Waiting(time.monotonic(), time.monotonic)
        self.live = Live(
            get_renderable=self._drawn,
            console=self.console,
            transient=True,
            refresh_per_second=A_SECOND,
        )

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def see(self, event: Event) -> None:
        """Let an event change the view."""
        self.view = next_view(self.view, event, time.monotonic)

    def write(self, stage: str, text: str, *, is_loud: bool) -> None:
        """Write a line above the view, its text wrapped beside the stage's name."""
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=0)
        grid.add_column(no_wrap=True, width=len(stage))
        grid.add_column(overflow="fold")
        style = "yellow" if is_loud else "cyan"
        seen = "".join(letter if letter.isprintable() else " " for letter in text)
        grid.add_row(Text(stage, style=style), Text(seen))
        self.console.print(grid)

    def _drawn(self) -> Any:
        """Return the view, cut to what fits below each other."""
        from rich.console import Group

        lines = self.view.lines()
        most = max(2, self.console.height - 4)
        if len(lines) > most:
            lines = [*lines[: most - 1], f"and {len(lines) - most + 1} more"]
        return Group(*(self._line(one) for one in lines))

    def _line(self, line: Bar | str) -> Any:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        if isinstance(line, str):
            return Text(f"  {line}", style="dim", no_wrap=True, overflow="ellipsis")
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(no_wrap=True, width=1)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        grid.add_column(ratio=1, min_width=8)
        grid.add_column(no_wrap=True)
        share = line.share
        bar = ProgressBar(1.0, share or 0.0, pulse=share is None)
        grid.add_row(self.spinner, Text(line.what, style="bold"), bar, Text(line.behind))
        return grid
