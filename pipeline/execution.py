"""Where units of work run: worker processes of one core each, which may die or be stopped alone."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from pipeline import sharing
from pipeline.cache import Elsewhere
from pipeline.devices import HIDDEN, device
from pipeline.errors import PipelineError, WorkerError

# Products of matrices are on one thread, so that no bit depends on the number of cores.
ONE_PRODUCT = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def environment(threads: int) -> dict[str, str]:
    """Return the variables of a process that computes on so many threads, and no more.

    Threads that outnumber cores wait for each other, which costs a small fit fifty times its time.
    """
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "LOKY_MAX_CPU_COUNT")
    each = {
        "TF_NUM_INTEROP_THREADS": "1",
        "LOKY_MAX_MEMORY_LEAK_SIZE": "1e12",  # TensorFlow is no leak, and slow to load anew
    }
    return dict.fromkeys(names, str(threads)) | each | ONE_PRODUCT


ONE_THREAD = environment(1)


def has_networks(number: int) -> bool:
    """Tell whether a worker of that number trains networks: what these need takes room, and time.

    Every second one does; with a GPU, the first one, which sees it.
    """
    return number == 0 if device() == "gpu" else number % 2 == 0


@dataclass(frozen=True, eq=False)
class Ended:
    """A piece of work that is over: its result, or why there is none.

    seconds: of work elsewhere, from its begin here until its result was here.
    """

    work: Any
    result: Any = None
    error: PipelineError | None = None
    seconds: float = 0.0


class Shared(Protocol):
    """A value that was put where all workers find it; it travels as the place where it is."""

    def __hash__(self) -> int: ...

    def load(self) -> Any:
        """Return the value; in one process the same one each time."""


class Slot(Protocol):
    """A place for one piece of work at a time."""

    @property
    def number(self) -> int:
        """Which of the places it is, from 0."""

    @property
    def name(self) -> str:
        """What a person knows it by; nothing if that is its number."""

    @property
    def work(self) -> Any:
        """What is done there now, or None."""

    @property
    def started(self) -> float:
        """When that was begun, on the clock of time.monotonic()."""

    @property
    def is_free(self) -> bool:
        """Whether it has nothing to do."""

    def do(self, function: Callable[[Any], Any], work: Any) -> None:
        """Begin a piece of work.

        function: of a module, by which it is found elsewhere; it raises PipelineError for what a
        person can mend. work: small, and can be pickled.
        """

    def begin_anew(self) -> None:
        """Give up what is done there at once, and be free."""


class Executor(Protocol):
    """What carries out units of work, in processes here or elsewhere; a context, which ends them.

    Whatever runs them, a unit's result is the same.
    """

    @property
    def each(self) -> Sequence[Slot]:
        """All places, in the order of their numbers; there may be more or fewer next time."""

    @property
    def free(self) -> Sequence[Slot]:
        """The places that have nothing to do."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being done, and nothing waits for a place that is not there."""

    @property
    def elsewhere(self) -> Elsewhere | None:
        """Where workers on other machines keep what they finish; None: in the workspace."""

    def __len__(self) -> int: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def share(self, value: Any, folder: Path) -> Shared:
        """Put a value where every unit can load it.

        folder: of this command alone, and gone after it. Raises StorageError.
        """

    def wait(self, seconds: float) -> list[Ended]:
        """Return what has ended, as soon as anything has, or nothing after so many seconds."""

    def stop(self) -> None:
        """End all work at once; what was being done is lost."""


@dataclass(eq=False)
class Worker:
    """One process that does one piece of work at a time; it is begun anew if it dies."""

    number: int
    prepare: Callable[..., None]
    arguments: tuple[Any, ...]
    variables: dict[str, str] = field(default_factory=lambda: environment(1))
    name = ""
    work: Any = None
    future: Future[Any] | None = None
    started: float = 0.0
    executor: Any = field(init=False)

    def __post_init__(self) -> None:
        self._begin()

    @property
    def is_free(self) -> bool:
        """Whether it has nothing to do."""
        return self.future is None

    def do(self, function: Callable[[Any], Any], work: Any) -> None:
        """Begin a piece of work."""
        self.work, self.started = work, time.monotonic()
        self.future = self.executor.submit(function, work)

    def collect(self) -> Ended:
        """Return what came of the piece of work that is over, and be free."""
        assert self.future is not None
        work, future = self.work, self.future
        self.work = self.future = None
        try:
            return Ended(work, future.result())
        except PipelineError as error:
            return Ended(work, error=error)
        except MemoryError:
            return Ended(work, error=WorkerError("there was not enough memory for it"))
        except _died():
            self.begin_anew()
            return Ended(work, error=WorkerError("its process died, perhaps of too little memory"))

    def begin_anew(self) -> None:
        """End the process at once, whatever it is doing, and be free with another one."""
        self.stop()
        self.work = self.future = None
        self._begin()

    def stop(self) -> None:
        """End the process at once, whatever it is doing."""
        self.executor.shutdown(wait=False, kill_workers=True)

    def _begin(self) -> None:
        from loky import ProcessPoolExecutor

        self.executor = ProcessPoolExecutor(
            1,
            initializer=_settle,
            initargs=(self.variables, self.prepare, self.arguments),
            env=self.variables,
        )
        self.executor.submit(len, ())  # a process begins with its first work


class Workers:
    """Worker processes on this machine; use it as a context, which ends them all.

    prepare: called with the arguments in every new worker, before its first work. threads: of each.
    The first worker alone sees a GPU, if there is one: two would take each other's memory.
    """

    def __init__(
        self, number: int, prepare: Callable[..., None], *arguments: Any, threads: int = 1
    ) -> None:
        first = environment(threads)
        self.each = [
            Worker(n, prepare, arguments, first | HIDDEN if n else first) for n in range(number)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __len__(self) -> int:
        return len(self.each)

    elsewhere = None

    @property
    def free(self) -> list[Worker]:
        """The workers that have nothing to do."""
        return [worker for worker in self.each if worker.is_free]

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being done."""
        return len(self.free) == len(self)

    def share(self, value: Any, folder: Path) -> Shared:
        """Write a value into a folder, from where all workers map its arrays into memory.

        Raises StorageError.
        """
        return sharing.share(value, folder / "shared")

    def wait(self, seconds: float) -> list[Ended]:
        """Return what has ended, as soon as anything has, or nothing after so many seconds."""
        busy = {worker.future: worker for worker in self.each if worker.future is not None}
        done, _ = wait(busy, timeout=max(seconds, 0.0), return_when=FIRST_COMPLETED)
        return [worker.collect() for future, worker in busy.items() if future in done]

    def stop(self) -> None:
        """End all processes at once; what they were doing is lost."""
        for worker in self.each:
            worker.stop()


def end_with(parent: int) -> None:
    """End this process once the one that began it is gone, however that ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _settle(
    variables: dict[str, str], prepare: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    """Make a new worker ready; an interruption is for the process that can keep what is done."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(variables)
    prepare(*arguments)


def _died() -> tuple[type[BaseException], ...]:
    from loky.process_executor import BrokenProcessPool, ShutdownExecutorError

    return (BrokenProcessPool, ShutdownExecutorError)
