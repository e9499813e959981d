"""What runs in a Dask worker on behalf of a command: it begins, asks and ends processes of ours.

A unit is carried out by a process of its own beside the Dask worker's (child.py), one for each of
its threads: so that it computes on one core whatever the worker was started with, can be ended at
once, and takes nothing with it if it dies of too little memory. The Dask worker only waits.
"""

import contextlib
import os
import pickle
import platform
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from pipeline.cluster.orders import INPUTS, Order, Outcome
from pipeline.packages import VERSIONED, package_versions
from pipeline.trust import files_digest

STARTED = 120.0  # seconds that a process may take until it is ready
PACKAGE = Path(__file__).parents[1]
KEPT_INPUTS = 3  # of earlier commands, on a worker's own disk


@dataclass(frozen=True)
class Facts:
    """What has to be the same wherever units of one command run: sources and versions."""

    sources: str
    versions: dict[str, str]

    @classmethod
    def here(cls) -> "Facts":
        """Return those of this process."""
        files = sorted(PACKAGE.rglob("*.py"))
        sources = {str(one.relative_to(PACKAGE)): one.read_bytes() for one in files}
        known = {"Python": platform.python_version(), **package_versions(VERSIONED)}
        return cls(files_digest(sources), known)

    def unlike(self, other: "Facts") -> str:
        """Return in what another place is unlike this one, or nothing."""
        names = sorted({*self.versions, *other.versions})
        told = [
            f"{name} {other.versions.get(name, 'none')} (here {self.versions.get(name, 'none')})"
            for name in names
            if self.versions.get(name) != other.versions.get(name)
        ]
        if self.sources != other.sources:
            told.insert(0, f"kc {other.sources[:8]} (here {self.sources[:8]})")
        return f"has {', '.join(told)}" if told else ""


@dataclass(eq=False)
class _Process:
    """A process for one unit at a time; it begins with the first, and again if it has ended."""

    order: Order
    process: "subprocess.Popen[bytes] | None" = None
    pipe: Connection | None = None
    is_busy: bool = False
    is_ready: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def carry_out(self, work: bytes) -> Outcome:
        """Return what came of a unit; of an orphan's, nobody is told."""
        with self.lock:
            self.is_busy = True
            began = time.monotonic()
            try:
                if self.process is None or self.process.poll() is not None:
                    self.begin()
                pipe = self.pipe
                assert pipe is not None
                if not self.is_ready:
                    if not pipe.poll(STARTED):
                        raise EOFError
                    pipe.recv_bytes()
                    self.is_ready = True
                starting = time.monotonic() - began
                pipe.send_bytes(work)
                outcome: Outcome = pickle.loads(pipe.recv_bytes())
                return replace(outcome, starting=starting)
            except (EOFError, OSError):
                self.end()
                return Outcome(died=True)
            finally:
                self.is_busy = False

    def begin(self) -> None:
        """Begin the process, which then makes itself ready."""
        ours, its = Pipe()
        known = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([str(PACKAGE.parent), *([known] if known else [])])
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "pipeline.cluster.child",
                str(its.fileno()),
                str(os.getpid()),
            ],
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **self.order.environment, "PYTHONPATH": path},
        )
        its.close()
        self.pipe, self.is_ready = ours, False
        ours.send_bytes(pickle.dumps(self.order))

    def end(self) -> None:
        """End the process at once, whatever it is doing."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(OSError):
            if self.pipe is not None and not self.is_busy:
                self.pipe.close()


_sessions: dict[str, list[_Process]] = {}  # of this Dask worker, by the command that began them


def greet() -> Facts:
    """Return what a Dask worker would compute with."""
    return Facts.here()


def begin(token: str, order: Order, dask_worker: Any = None) -> None:
    """Begin a process for each of a Dask worker's threads, on behalf of a command.

    Those of other commands that have nothing to do end: they begin again if they are needed.
    """
    for others in _sessions.values():
        for one in others:
            if not one.is_busy:
                one.end()
    folder = Path(dask_worker.local_directory) / "kc"
    _sweep(folder / INPUTS)
    mine = replace(order, url=_seen_from_here(order.url), folder=folder)
    _sessions[token] = [_Process(mine) for _ in range(dask_worker.state.nthreads)]
    for one in _sessions[token]:
        one.begin()


def carry_out(token: str, number: int, work: bytes) -> Outcome:
    """Return what came of a unit: what the scheduler hands to a Dask worker."""
    known = _sessions.get(token)
    return Outcome(died=True) if known is None else known[number].carry_out(work)


def end(token: str, number: int | None = None) -> None:
    """End the process of that number, or all of a command's, and forget these."""
    if number is not None:
        for one in _sessions.get(token, [])[number : number + 1]:
            one.end()
        return
    for one in _sessions.pop(token, []):
        one.end()


def _seen_from_here(url: str) -> str:
    """Return the address of the shared folder, which may have another one on this machine."""
    return os.environ.get("KC_STORAGE") or url


def _sweep(inputs: Path) -> None:
    """Remove the inputs of earlier commands, but the last ones."""
    with contextlib.suppress(OSError):
        known = sorted(inputs.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
        for one in known[KEPT_INPUTS:]:
            one.unlink()
