"""What to train next within a budget of seconds, and what no longer fits.

The first pass trains each configuration once, in the order of its expected gain a second. What
weighs in the blend is then fitted on all rows, to predict the test, and after that repeated on
other folds and seeds. Nothing is begun that would not end: a fold's time is expected from the folds
that were fitted here already.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from pipeline.competition import ModelChoice
from pipeline.progress import counted

LEAST = 0.4  # of its usual time, a fit that can be cut short is still worth something
LEAST_PLANNED = 0.15  # a network's, whose schedule is planned for the time that there is
PLANNED = 0.7  # of the time that is left; networks still have to be written down and asked
BELIEVED = 5.0  # seconds of work here say as much as experience elsewhere does
SURE = 1.15  # a fit may take so many times what is expected
FIRST = 0.4  # of all time, at most, is for the first configuration, so that there is an answer
MODEST = 0.25  # of the time that is left; what needs more waits for what needs less
REFIT = 1.7  # a fit on all rows takes so many times what one on a fold's rows does
LATE = 0.4  # of all time is left when fits on all rows come before what is new
LAST_DELAYS = 20  # tell how long work is on its way
OWED = 0.6  # of the time that is left, if fits on all rows need as much, they come first as well
LEAST_REFIT = 0.4  # of its usual time, networks on all rows are still worth more than the folds'
BEFORE_REFIT = 0.5  # of a network's time is for its folds, the rest for its fits on all rows
WORTH_REPEATING = 0.01  # the least weight in the blend
SLIGHT = 0.2  # a family that weighs less has shown what it can, and its others come last
MOST_REPEATS = 8  # of a configuration: the mean of more hardly moves


@dataclass(frozen=True)
class Entry:
    """A configuration that may be trained, and what that is expected to cost.

    seconds: of all folds on one core, by experience with other data. together: its folds are one
    piece of work. can_stop: its fits heed a limit of seconds, and are worth something before.
    refits: pieces of work of fits on all rows, which predict the test in place of the folds' fits.
    family: what learns in much the same way; none is like nothing else.
    """

    choice: ModelChoice
    seconds: float
    together: bool = False
    can_stop: bool = False
    refits: int = 0
    family: str = ""


@dataclass(frozen=True)
class Unit:
    """A piece of work: folds of one pass over a configuration, or one fit of it on all rows.

    entry: its place in the portfolio. repeat: from 0; it moves the seeds of folds and model.
    folds: none for a fit on all rows.
    """

    entry: int
    repeat: int
    folds: tuple[int, ...]
    max_seconds: float | None = None

    @property
    def is_refit(self) -> bool:
        """Whether it is a fit on all rows."""
        return not self.folds


@dataclass(eq=False)
class Pass:
    """One pass over all folds of a configuration, as it stands."""

    entry: int
    repeat: int
    todo: deque[tuple[int, ...]]
    n_units: int
    seconds: list[float] = field(default_factory=list)
    results: dict[tuple[int, ...], object] = field(default_factory=dict)
    given_up: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether all its folds are fitted."""
        return len(self.results) == self.n_units


@dataclass(eq=False)
class Refits:
    """The fits on all rows of a configuration, as they stand."""

    n_begun: int = 0
    seconds: list[float] = field(default_factory=list)
    results: dict[int, object] = field(default_factory=dict)
    given_up: str = ""


class Schedule:
    """Decides what a free worker does next.

    entries: in the order in which they are worth their seconds. n_folds: pieces of a pass that is
    not one piece. n_workers: now; they may come and go. stop_at: on the clock, when whatever runs
    is over. clock: time.monotonic.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        n_folds: int,
        n_workers: int,
        stop_at: float,
        clock: Callable[[], float],
    ) -> None:
        self.entries, self.n_folds, self.n_workers = entries, n_folds, n_workers
        self.stop_at, self.clock, self.began = stop_at, clock, clock()
        self.passes: dict[tuple[int, int], Pass] = {}
        self.refits = {number: Refits() for number in range(len(entries))}
        self.weights: Mapping[int, float] = {}  # that decide on repeats
        self.latest: Mapping[int, float] = {}  # that decide on fits on all rows, and what is new
        self.is_settled = False
        self.delays: deque[float] = deque(maxlen=LAST_DELAYS)

    @property
    def left(self) -> float:
        """The seconds until whatever runs is over."""
        return self.stop_at - self.clock()

    def next(self, *, with_networks: bool) -> Unit | None:
        """Return the next piece of work, or None if none fits any more.

        with_networks: whether this worker may train what is trained together.
        """
        for one in self.passes.values():
            if one.todo and not one.given_up and self._goes_on(one):
                return self._unit(one)
        if self.is_late and (unit := self._refit(with_networks=with_networks)):
            return unit
        waiting = [
            number
            for number, entry in enumerate(self.entries)
            if (number, 0) not in self.passes and (with_networks or not entry.together)
        ]
        waiting.sort(key=self._is_of_a_slight_family)
        for share in (MODEST, 1.0):
            for number in waiting:
                if self._fits(number, share=share):
                    return self._unit(self._begin(number, 0))
        if unit := self._refit(with_networks=with_networks):
            return unit
        again = self._again(with_networks=with_networks)
        return None if again is None else self._unit(self._begin(*again))

    def take(self, unit: Unit, seconds: float, result: object, delay: float = 0.0) -> bool:
        """Note what a piece of work came to, and tell whether what it belongs to is whole by it.

        delay: seconds that it was on its way, there and back.
        """
        self.delays.append(delay)
        if unit.is_refit:
            refits = self.refits[unit.entry]
            refits.seconds.append(seconds)
            refits.results[unit.repeat] = result
            return len(refits.results) == self.entries[unit.entry].refits
        one = self.passes[unit.entry, unit.repeat]
        one.seconds.append(seconds)
        one.results[unit.folds] = result
        return one.is_whole

    def give_up(self, unit: Unit, why: str) -> None:
        """Note that a piece of work failed, and with it what it belongs to."""
        if unit.is_refit:
            self.refits[unit.entry].given_up = why
        else:
            self.passes[unit.entry, unit.repeat].given_up = why

    def prefer(self, weights: Mapping[int, float]) -> None:
        """Say what each configuration weighs: it decides what comes next, first or once more.

        What is repeated is settled once every first pass is over, and then only repeats of those
        that weigh count: so that a budget that bears everything gives the same blend every time.
        """
        self.latest = weights
        if not self.is_settled:
            self.weights = {n: w for n, w in weights.items() if w > WORTH_REPEATING}
            self.is_settled = self.is_first_over

    @property
    def is_late(self) -> bool:
        """Whether it is time to see to what predicts the test."""
        if self.left < LATE * (self.stop_at - self.began):
            return True
        owed = sum(self._of_refits(number) for number in self.latest if self._is_owed(number))
        return owed > OWED * self.left

    @property
    def is_first_over(self) -> bool:
        """Whether the first pass of each configuration is whole or given up."""
        firsts = [self.passes.get((number, 0)) for number in range(len(self.entries))]
        return all(one is not None and (one.is_whole or one.given_up) for one in firsts)

    def whole(self, *, firsts_only: bool = False) -> dict[int, list[Pass]]:
        """Return the passes that are whole, of each configuration whose first one is, in order."""
        found = {}
        for number in range(len(self.entries)):
            counts = not firsts_only and (not self.is_settled or number in self.weights)
            repeats = range(MOST_REPEATS if counts else 1)
            passes = [self.passes[number, r] for r in repeats if self._is_whole(number, r)]
            if passes and passes[0].repeat == 0:
                found[number] = passes
        return found

    def refitted(self, number: int) -> list[object]:
        """Return the results of a configuration's fits on all rows, or none if any is lacking."""
        results, wanted = self.refits[number].results, self.entries[number].refits
        return [results[n] for n in range(wanted)] if len(results) == wanted else []

    def left_out(self) -> dict[int, str]:
        """Return why each configuration that is not whole was left out."""
        return {
            number: self._why(number)
            for number in range(len(self.entries))
            if not self._is_whole(number, 0)
        }

    @property
    def delay(self) -> float:
        """The seconds that a piece of work is usually on its way, there and back."""
        return median(self.delays) if self.delays else 0.0

    def expected(self, number: int) -> float:
        """Return the seconds that a pass over a configuration takes one worker."""
        pieces = 1 if self.entries[number].together else self.n_folds
        return self._computing(number) + pieces * self.delay

    def _computing(self, number: int) -> float:
        known = [one for (n, _), one in self.passes.items() if n == number and one.seconds]
        if known:
            latest = known[-1]
            return sum(latest.seconds) / len(latest.seconds) * latest.n_units
        return self.entries[number].seconds * self._pace()

    def _pace(self) -> float:
        """Return how much slower this machine and these data are than by experience.

        What was measured in few seconds says little of what takes many.
        """
        whole = [one for one in self.passes.values() if one.is_whole]
        measured = sum(sum(one.seconds) for one in whole)
        if not measured:
            return 1.0
        expected = sum(self.entries[one.entry].seconds for one in whole)
        return float((measured / expected) ** (measured / (measured + BELIEVED)))

    def _is_whole(self, number: int, repeat: int) -> bool:
        one = self.passes.get((number, repeat))
        return one is not None and one.is_whole

    def _begin(self, number: int, repeat: int) -> Pass:
        every = range(self.n_folds)
        pieces = [tuple(every)] if self.entries[number].together else [(fold,) for fold in every]
        self.passes[number, repeat] = Pass(number, repeat, deque(pieces), len(pieces))
        return self.passes[number, repeat]

    def _unit(self, one: Pass) -> Unit:
        limit = self._limit(one)
        return Unit(one.entry, one.repeat, one.todo.popleft(), limit)

    def _limit(self, one: Pass) -> float | None:
        """Return the seconds that the next piece of a pass may take, where it heeds a limit."""
        entry = self.entries[one.entry]
        if not entry.can_stop:
            return None
        if entry.together:
            return self.left * PLANNED * (BEFORE_REFIT if entry.refits else 1.0)
        left = (self.left - self.delay) / SURE
        if self._has_nothing():
            left = min(left, FIRST * (self.stop_at - self.began))
        return max(0.1, left * self.n_workers / (len(one.todo) + self.n_workers - 1))

    def _has_nothing(self) -> bool:
        return not any(one.is_whole for one in self.passes.values())

    def _goes_on(self, one: Pass) -> bool:
        """Tell whether the rest of a pass fits, and give it up if not."""
        if self.entries[one.entry].can_stop or not one.seconds or self._has_nothing():
            return True
        each = sum(one.seconds) / len(one.seconds) + self.delay
        needed = SURE * self._elapsed(each * len(one.todo), each)
        if needed > self.left:
            one.given_up = f"the rest needs about {needed:.0f} s"
        return not one.given_up

    def _is_of_a_slight_family(self, number: int) -> bool:
        """Tell whether two or more of a configuration's like were trained and weigh little."""
        family = self.entries[number].family
        like = [w for n, w in self.latest.items() if family and self.entries[n].family == family]
        return len(like) > 1 and sum(like) < SLIGHT

    def _elapsed(self, seconds: float, each: float) -> float:
        """Return how long pieces of work take all workers together."""
        return (seconds + each * (self.n_workers - 1)) / self.n_workers

    def _fits(self, number: int, *, share: float) -> bool:
        """Tell whether a first pass and its fits on all rows fit into a share of the time left."""
        if self._has_nothing() and not self.passes:
            return True  # the first one is what there is an answer from
        needed, of_refits = self._needs(number), self._of_refits(number)
        if self._is_planned(number):  # it takes no more time than there is, and one worker
            return SURE * (needed + LEAST_PLANNED * of_refits) <= self.left
        return SURE * (needed + of_refits) <= share * self.left

    def _is_planned(self, number: int) -> bool:
        """Tell whether a configuration plans as many epochs as end in the time that it gets."""
        return self.entries[number].together and self.entries[number].can_stop

    def _needs(self, number: int, *, shortened: bool = True) -> float:
        """Return the seconds that the whole of a configuration takes here at least."""
        entry, seconds = self.entries[number], self.expected(number)
        if entry.together:
            return seconds * (LEAST_PLANNED if shortened and entry.can_stop else 1.0)
        least = LEAST if shortened and entry.can_stop else 1.0
        return least * self._elapsed(seconds, seconds / self.n_folds)

    def _refit(self, *, with_networks: bool) -> Unit | None:
        """Return the next fit on all rows of what weighs most a second, if all that lack fit."""
        waiting = {}
        for number, weight in self.latest.items():
            needed = self._of_refits(number)
            is_mine = with_networks or not self.entries[number].together
            least = LEAST_REFIT if self._is_planned(number) else 1.0
            if is_mine and self._is_owed(number) and SURE * least * needed <= self.left:
                waiting[number] = weight / needed
        if not waiting:
            return None
        chosen = max(waiting, key=lambda number: waiting[number])
        refits = self.refits[chosen]
        refits.n_begun += 1
        limit = self.left * PLANNED if self._is_planned(chosen) else None
        return Unit(chosen, refits.n_begun - 1, (), limit)

    def _is_owed(self, number: int) -> bool:
        """Tell whether fits on all rows of what weighs are still to be begun."""
        if self.refits[number].given_up or not self._is_whole(number, 0):
            return False
        return self.latest[number] > WORTH_REPEATING and self._of_refits(number) > 0

    def _of_refits(self, number: int) -> float:
        """Return the seconds that the fits on all rows that lack take all workers together."""
        each = self._of_a_refit(number)
        lacking = self.entries[number].refits - self.refits[number].n_begun
        if lacking <= 0:
            return 0.0
        return each if self.entries[number].together else self._elapsed(lacking * each, each)

    def _of_a_refit(self, number: int) -> float:
        """Return the seconds that a fit on all rows takes one core."""
        known = self.refits[number].seconds
        pieces = 1 if self.entries[number].together else self.n_folds
        if known:
            return sum(known) / len(known) + self.delay
        return REFIT * self._computing(number) / pieces + self.delay

    def _again(self, *, with_networks: bool) -> tuple[int, int] | None:
        """Return the configuration whose next repeat gains most a second, and its number."""
        best, gain = None, 0.0
        for number, weight in self.weights.items():
            repeat = sum(1 for n, _ in self.passes if n == number)
            entry = self.entries[number]
            if repeat >= MOST_REPEATS or (entry.together and not with_networks):
                continue
            if SURE * self._needs(number, shortened=False) > self.left:
                continue
            mine = weight / (repeat * max(self.expected(number), 1e-3))
            if mine > gain:
                best, gain = (number, repeat), mine
        return best

    def _why(self, number: int) -> str:
        one = self.passes.get((number, 0))
        if one is None:
            return f"needs about {self._needs(number):.0f} s"
        if one.given_up:
            return one.given_up
        return f"{len(one.results)} of {counted(one.n_units, 'piece')} were done in time"
