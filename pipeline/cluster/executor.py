"""Slots of a Dask cluster: as many as its workers have threads, which may come and go."""

import contextlib
import pickle
import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pipeline import sharing
from pipeline.cluster import remote
from pipeline.cluster.child import Placed
from pipeline.cluster.client import connect
from pipeline.cluster.folder import SharedFolder
from pipeline.cluster.kept import SharedCache
from pipeline.cluster.orders import INPUTS, Order, Outcome
from pipeline.errors import PipelineError, WorkerError
from pipeline.execution import ONE_THREAD, Ended, Shared
from pipeline.progress import Note, Warned, counted, emit
from pipeline.storage import file_sha256
from pipeline.trust import GivenKey

LOOKED = 0.5  # seconds between two looks at who is there
ANSWERED = 30.0  # seconds within which a worker that is there has to answer
MOST_DEATHS = 2  # of workers, on one unit


@dataclass(eq=False)
class Unit:
    """A piece of work on its way: who died of it, or with it, so far."""

    function: Callable[[Any], Any]
    work: Any
    deaths: int = 0


@dataclass(eq=False)
class Slot:
    """A thread of a Dask worker, which waits for a process of ours.

    index: among the threads of its worker. name: the worker's, and the thread's if it has several.
    """

    cluster: "Cluster"
    address: str
    index: int
    name: str
    number: int = -1
    unit: Unit | None = None
    future: Any = None
    started: float = 0.0

    @property
    def work(self) -> Any:
        """What is done there now, or None."""
        return None if self.unit is None else self.unit.work

    @property
    def is_free(self) -> bool:
        """Whether it has nothing to do."""
        return self.unit is None

    def do(self, function: Callable[[Any], Any], work: Any) -> None:
        """Begin a piece of work."""
        self.cluster.begin(self, Unit(function, work))

    def begin_anew(self) -> None:
        """Give up what is done there at once, and be free."""
        self.cluster.give_up(self)


@dataclass(frozen=True)
class _Came:
    """A Dask worker with so many threads; unlike: why it is not made use of, or nothing."""

    address: str
    name: str
    n_threads: int
    unlike: str = ""


@dataclass(frozen=True)
class _Went:
    address: str


@dataclass(frozen=True)
class _Over:
    """A future of a slot is over, however."""

    slot: Slot
    future: Any


class Cluster:
    """The slots of a Dask cluster; use it as a context, which ends what runs there for it.

    address: of the scheduler, or its file. folder: that all machines see. key: of what is kept
    there. prepare: called in each new process.
    A unit that is lost with its worker is handed out again, to whoever is free; one that was lost
    twice is given up.
    Raises PipelineError if the scheduler cannot be reached, the folder not be written to, or no
    worker that is there is like this machine.
    """

    def __init__(
        self, address: str, folder: SharedFolder, key: GivenKey, prepare: Callable[[], None]
    ) -> None:
        folder.check_writable()
        self.address = address
        self.elsewhere = SharedCache(folder, key)
        self.client = connect(address)
        self.order = Order(folder.url, key.key, pickle.dumps(prepare), ONE_THREAD)
        self.facts = remote.Facts.here()
        self.token = uuid.uuid4().hex
        self.each: list[Slot] = []
        self.waiting: deque[Unit] = deque()  # for a slot, after theirs was lost
        self.unlike: list[str] = []  # workers that are not made use of
        self.known: set[str] = set()  # addresses of workers that were asked who they are
        self.events: queue.Queue[_Came | _Went | _Over] = queue.Queue()
        self.is_begun = False
        self.is_stopped = threading.Event()
        try:
            self._begin()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __len__(self) -> int:
        return len(self.each)

    @property
    def free(self) -> list[Slot]:
        """The slots that have nothing to do."""
        return [slot for slot in self.each if slot.is_free]

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, and nothing waits for a worker; without workers all waits."""
        return bool(self.each) and not self.waiting and all(one.is_free for one in self.each)

    def share(self, value: Any, folder: Path) -> Shared:
        """Write a value into the folder that all machines see, under the digest of its bytes.

        Raises StorageError.
        """
        path = folder / "shared"
        sharing.share(value, path)
        placed = Placed(file_sha256(path))
        self.elsewhere.folder.put(path, f"{INPUTS}/{placed.digest}")
        path.unlink()
        return placed

    def begin(self, slot: Slot, unit: Unit) -> None:
        """Send a unit to a slot."""
        slot.unit, slot.started = unit, time.monotonic()
        work = pickle.dumps((unit.function, unit.work))
        slot.future = self.client.submit(
            remote.carry_out, self.token, slot.index, work,
            key=f"kc-{uuid.uuid4().hex}", workers=[slot.address], pure=False, retries=0,
        )  # fmt: skip
        slot.future.add_done_callback(lambda future: self.events.put(_Over(slot, future)))

    def give_up(self, slot: Slot) -> None:
        """End what a slot does."""
        future, slot.unit, slot.future = slot.future, None, None
        with contextlib.suppress(Exception):
            future.cancel()
            self._ask(remote.end, self.token, slot.index, workers=[slot.address])

    def wait(self, seconds: float) -> list[Ended]:
        """Return what has ended, as soon as anything has, or nothing after so many seconds.

        Raises WorkerError if the scheduler is gone for good.
        """
        until = time.monotonic() + max(seconds, 0.0)
        ended = self._take_in()
        while not ended and (left := until - time.monotonic()) > 0:
            self._check_connected()
            with contextlib.suppress(queue.Empty):
                ended = self._take_in(self.events.get(timeout=min(left, LOOKED)))
        return ended

    def stop(self) -> None:
        """End all work at once; what was being done is lost."""
        if self.is_stopped.is_set():
            return
        self.is_stopped.set()
        _within(ANSWERED, self._leave)

    def _begin(self) -> None:
        """Make use of the workers that are there, and from now on of those that come."""
        self._look(wait=True)
        self._take_in()
        if not self.each and self.unlike:
            raise WorkerError(f"{self.address}: {self.unlike[0]}; no other worker is there")
        for why in self.unlike:
            emit(Warned(f"{why}; it is not made use of"))
        self.is_begun = True
        text = f"{self.address}: {counted(len(self.each), 'slot')}"
        if not self.each:
            text = f"{self.address}: no workers yet, so all work waits for one"
        emit(Note("cluster", text, {"scheduler": self.address, "slots": len(self.each)}))
        threading.Thread(target=self._look_on, daemon=True).start()

    def _leave(self) -> None:
        with contextlib.suppress(Exception):
            self.client.cancel([one.future for one in self.each if one.future is not None])
            self._ask(remote.end, self.token)
        with contextlib.suppress(Exception):
            self.client.close(timeout=ANSWERED)

    def _check_connected(self) -> None:
        if self.client.status == "closed":
            raise WorkerError(
                f"{self.address}: the scheduler is gone; what was finished is kept, and the same "
                "command goes on from it"
            )

    def _look_on(self) -> None:
        """Notice who comes and who goes, until the end."""
        while not self.is_stopped.wait(LOOKED):
            with contextlib.suppress(Exception):  # the scheduler is away, and may come back
                self._look()

    def _look(self, *, wait: bool = False) -> None:
        """Tell of workers that went, and ask those that came who they are.

        wait: until they have answered.
        """
        asked = self.client.sync(self.client.scheduler.identity, n_workers=-1)
        there = asked["workers"]  # what the client keeps of it may just be a summary without any
        for address in self.known - set(there):
            self.events.put(_Went(address))
        new = {address: there[address] for address in there if address not in self.known}
        self.known = set(there)
        if new:
            asking = threading.Thread(target=self._meet, args=(new,), daemon=True)
            asking.start()
            asking.join(ANSWERED if wait else 0)

    def _meet(self, new: dict[str, Any]) -> None:
        try:
            self._greet(new)
        except Exception:  # they went meanwhile, or the scheduler did; else they are asked again
            self.known = self.known - set(new)

    def _greet(self, new: dict[str, Any]) -> None:
        """Ask workers who they are, and begin processes where these would be like this one."""
        unlike = {}
        for address, answer in self._ask(remote.greet, workers=list(new)).items():
            if isinstance(answer, BaseException):
                unlike[address] = _why_no_answer(answer)
            else:
                unlike[address] = self.facts.unlike(answer)
        alike = [address for address, why in unlike.items() if not why]
        began = self._ask(remote.begin, self.token, self.order, workers=alike) if alike else {}
        for address, why in unlike.items():
            answer = began.get(address)
            if isinstance(answer, BaseException):
                why = _why_no_answer(answer)
            name = str(new[address]["name"]).rpartition("://")[2]
            self.events.put(_Came(address, name, new[address]["nthreads"], why))

    def _ask(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> dict[str, Any]:
        """Return what a function returns in each Dask worker, or what it raises there."""
        return dict(self.client.run(function, *arguments, on_error="return", **options))

    def _take_in(self, first: "_Came | _Went | _Over | None" = None) -> list[Ended]:
        """Take in what has happened, hand out again what was lost, and return what has ended."""
        ended = []
        events = [] if first is None else [first]
        while not self.events.empty():
            events.append(self.events.get())
        for event in events:
            if isinstance(event, _Came):
                self._come(event)
            elif isinstance(event, _Went):
                ended += self._go(event.address)
            elif event.future is event.slot.future:
                ended += self._collect(event.slot)
        if self.client.status == "running":
            for slot in self.free[: len(self.waiting)]:
                self.begin(slot, self.waiting.popleft())
        return ended

    def _come(self, came: _Came) -> None:
        if came.unlike:
            self.unlike.append(f"worker {came.name} {came.unlike}")
            if self.is_begun:
                emit(Warned(f"{self.unlike[-1]}; it is not made use of"))
            return
        for index in range(came.n_threads):
            name = came.name if came.n_threads == 1 else f"{came.name}/{index + 1}"
            self.each.append(Slot(self, came.address, index, name))
        self._count()

    def _go(self, address: str) -> list[Ended]:
        """Leave a worker's slots out, and return what is given up by that."""
        gone = [one for one in self.each if one.address == address]
        self.each = [one for one in self.each if one.address != address]
        self._count()
        if gone:
            names = ", ".join(one.name for one in gone)
            emit(Warned(f"worker {names} is gone; {counted(len(self.each), 'slot')} left"))
        return [ended for slot in gone for ended in self._lose(slot)]

    def _count(self) -> None:
        for number, slot in enumerate(self.each):
            slot.number = number

    def _lose(self, slot: Slot, *, has_died: bool = True) -> list[Ended]:
        """Have a unit done again whose worker, or process, has died; or give it up."""
        future, unit = slot.future, slot.unit
        slot.future = slot.unit = None
        if unit is None:
            return []
        with contextlib.suppress(Exception):
            future.cancel()
        unit.deaths += has_died
        if unit.deaths < MOST_DEATHS:
            self.waiting.append(unit)
            return []
        why = f"{unit.deaths} workers died of it, one after the other, perhaps of too little memory"
        return [Ended(unit.work, error=WorkerError(why))]

    def _collect(self, slot: Slot) -> list[Ended]:
        """Return what came of a slot's unit that is over, or have it done again."""
        future, unit = slot.future, slot.unit
        assert unit is not None
        if future.status == "cancelled":  # by a scheduler that was away
            return self._lose(slot, has_died=False)
        if future.status == "error":  # ours are no errors there: it is the worker that failed
            return self._lose(slot)
        outcome: Outcome = future.result()
        if outcome.died:
            return self._lose(slot)
        seconds = time.monotonic() - slot.started - outcome.starting
        slot.future = slot.unit = None
        if outcome.error is None:
            return [self._fetched(unit.work, outcome.name, seconds)]
        if isinstance(outcome.error, PipelineError):
            return [Ended(unit.work, error=outcome.error, seconds=seconds)]
        raise outcome.error

    def _fetched(self, work: Any, name: str, seconds: float) -> Ended:
        """Return the result of a unit, which is in the folder that all machines see."""
        try:
            result = self.elsewhere.take(name)
        except PipelineError as error:
            return Ended(work, error=error, seconds=seconds)
        if result is None:
            url = self.elsewhere.folder.url
            why = f"its result is not in {url}; do all workers see that folder, by KC_STORAGE?"
            return Ended(work, error=WorkerError(why), seconds=seconds)
        return Ended(work, result[0], seconds=seconds)


def _why_no_answer(error: BaseException) -> str:
    """Return in what a Dask worker is unlike this machine that cannot even say so."""
    if "No module named" in str(error):
        return "lacks kc; install there what is installed here"
    return f"does not answer: {' '.join(str(error).split())}"


def _within(seconds: float, function: Callable[[], None]) -> None:
    """Call a function that may wait for others, and wait for it no longer than so many seconds."""
    calling = threading.Thread(target=function, daemon=True)
    calling.start()
    calling.join(seconds)
