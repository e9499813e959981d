"""Workers of a Dask cluster: passes over pieces, and members that grow one model together.

Each worker reads its pieces itself, from a folder that all of them see. What members say to each
other goes by the libraries' own sockets, between the workers' addresses.
"""

import contextlib
import socket
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import PipelineError, WorkerError
from pipeline.models.grown import Grown
from pipeline.parquet import Piece
from pipeline.partitions.growing import LostError, Member, Plan, Seat, Team, Watched, make_member
from pipeline.partitions.rows import FoldRows

IN_FLIGHT = 2  # pieces a thread, so that none waits for the command
_members: dict[str, "_Working"] = {}  # in a worker: those that grow there now
_trackers: dict[str, Any] = {}  # in a worker: where members of XGBoost find each other


class Cluster:
    """The workers of a Dask scheduler; client: a connection to it, as distributed.Client."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __str__(self) -> str:
        n = len(self._threads())
        return f"{n} worker{'s' * (n != 1)} of {self.client.scheduler.address}"

    def check_sees(self, path: Path) -> None:
        """Check that all workers see a path, and have this package. Raises WorkerError."""
        for worker in self._threads():
            future = self.client.submit(_sees, str(path), workers=[worker], pure=False)
            if not _result(future, f"worker {worker}"):
                raise WorkerError(
                    f"worker {worker}: does not see {path}; put the workspace into a folder that "
                    "all machines share, under the same path"
                )

    def each(
        self, function: Callable[..., Any], pieces: Sequence[Piece], *given: Any
    ) -> Iterator[Any]:
        """Yield what a function of a module says of each piece, in their order.

        Raises WorkerError if workers die of a piece again and again.
        """
        shared = self.client.scatter([given], broadcast=True, hash=False)[0]
        waiting: deque[Any] = deque()
        at_once = IN_FLIGHT * sum(self._threads().values())
        for piece in pieces:
            waiting.append(self.client.submit(_one, function, piece, shared, pure=False))
            if len(waiting) >= at_once:
                yield _result(waiting.popleft(), str(self))
        while waiting:
            yield _result(waiting.popleft(), str(self))

    def team(self, plan: Plan, rows: FoldRows) -> Team:
        """Return a member a worker, each of which has read its share of the rows.

        Raises LostError if one is gone.
        """
        workers = self._threads()
        shares = deal(rows, len(workers))
        names = list(workers)[: len(shares)]
        key = uuid.uuid4().hex
        team = RemoteTeam(self.client, key, tuple(names))
        seats = [
            Seat(rank, len(shares), workers[name], network)
            for rank, (name, network) in enumerate(
                zip(names, self._networks(plan.library, key, names), strict=True)
            )
        ]
        shared = self.client.scatter([plan], broadcast=True, hash=False)[0]
        team.ask(_begin, [(shared, share, seat) for share, seat in zip(shares, seats, strict=True)])
        team.ask(_join, [()] * len(names))
        return team

    def _threads(self) -> dict[str, int]:
        """Return the threads of each worker, in the order of their addresses."""
        known = self.client.scheduler_info(n_workers=-1)["workers"]
        if not known:
            raise WorkerError(
                f"{self.client.scheduler.address}: no worker is there; start one by dask worker "
                f"{self.client.scheduler.address}"
            )
        return {name: int(known[name]["nthreads"]) for name in sorted(known)}

    def _networks(self, library: str, key: str, names: list[str]) -> list[dict[str, Any]]:
        """Return how each member finds the others."""
        if len(names) == 1:
            return [{}]
        hosts = [str(urlsplit(name).hostname) for name in names]
        if library == "xgboost":
            future = self.client.submit(
                _track, key, hosts[0], len(names), workers=[names[0]], pure=False
            )
            told = _result(future, names[0], lost=LostError)
            return [told] * len(names)
        futures = [self.client.submit(_free_port, workers=[n], pure=False) for n in names]
        ports = [
            _result(future, name, lost=LostError)
            for future, name in zip(futures, names, strict=True)
        ]
        machines = ",".join(f"{host}:{port}" for host, port in zip(hosts, ports, strict=True))
        return [{"machines": machines, "local_listen_port": port} for port in ports]


def deal(rows: FoldRows, n_workers: int) -> list[FoldRows]:
    """Return the rows as shares of about equal size, whole pieces each; fewer than workers if so.

    The largest piece first, to whoever has least; each keeps the files' order.
    """
    sized = sorted(range(len(rows.pieces)), key=lambda i: (-rows.counts[i], i))
    shares: list[list[int]] = [[] for _ in range(n_workers)]
    for at in (i for i in sized if rows.counts[i]):
        min(shares, key=lambda mine: sum(rows.counts[i] for i in mine)).append(at)
    return [
        replace(
            rows,
            pieces=tuple(rows.pieces[i] for i in sorted(mine)),
            counts=tuple(rows.counts[i] for i in sorted(mine)),
        )
        for mine in shares
        if mine
    ]


@dataclass(frozen=True)
class RemoteTeam:
    """Members in workers, that are known by a key there."""

    client: Any
    key: str
    workers: tuple[str, ...]

    def grow(self, rounds: int) -> list[Watched]:
        """Return what is watched of the held-out rows after each of so many rounds more."""
        told: list[Watched] = self.ask(_grow, [(rounds,)] * len(self.workers))[0]
        return told

    def finish(self, rounds: int, *, stopped_by_time: bool) -> Grown:
        """Return the model as it was after so many rounds, and let the members go."""
        given = [(rounds, stopped_by_time)] * len(self.workers)
        grown: Grown = self.ask(_finish, given)[0]
        self.ask(_leave, [()] * len(self.workers))
        self.ask(_forget, [()] * len(self.workers))
        return grown

    def ask(self, function: Callable[..., Any], given: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return what each member says, all asked at once.

        Raises LostError if one is gone; then the others end, too.
        """
        futures = [
            self.client.submit(function, self.key, *mine, workers=[worker], pure=False, retries=0)
            for worker, mine in zip(self.workers, given, strict=True)
        ]
        try:
            pairs = zip(futures, self.workers, strict=True)
            return [_result(future, worker, lost=LostError) for future, worker in pairs]
        except BaseException:
            self.client.cancel(futures, force=True)
            self._end()
            raise

    def _end(self) -> None:
        alive = self.client.scheduler_info(n_workers=-1)["workers"]
        for worker in self.workers:
            if worker in alive:
                with contextlib.suppress(Exception):  # the worker may go at any moment
                    self.client.submit(_drop, self.key, workers=[worker], pure=False)


def _result(future: Any, where: str, lost: type[Exception] = WorkerError) -> Any:
    """Return a future's result; what is not the fault of a file or a choice is that of a worker."""
    try:
        return future.result()
    except PipelineError:
        raise
    except MemoryError:
        raise WorkerError(f"{where}: there was not enough memory; give workers more") from None
    except ModuleNotFoundError as error:
        raise WorkerError(
            f"{where}: has no module {error.name!r}; install the same kc on all workers"
        ) from None
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise lost(f"{where}: {reason}") from error


# What follows runs in workers.


@dataclass(frozen=True, eq=False)
class _Working:
    """A member and the one thread that uses it."""

    member: Member
    thread: ThreadPoolExecutor

    def do(self, function: Callable[..., Any], *given: Any, **more: Any) -> Any:
        return self.thread.submit(function, *given, **more).result()


def _one(function: Callable[..., Any], piece: Piece, given: tuple[Any, ...]) -> Any:
    return function(piece, *given)


def _sees(path: str) -> bool:
    return Path(path).exists()


def _free_port() -> int:
    """Return a port that is free now; a member listens there soon after."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _track(key: str, host: str, n_members: int) -> dict[str, Any]:
    from xgboost.tracker import RabitTracker

    _trackers[key] = tracker = RabitTracker(host_ip=host, n_workers=n_members)
    tracker.start()
    return dict(tracker.worker_args())


def _begin(key: str, plan: Plan, rows: FoldRows, seat: Seat) -> None:
    thread = ThreadPoolExecutor(1, "member")
    member = thread.submit(make_member, plan, rows, seat).result()
    _members[key] = _Working(member, thread)


def _join(key: str) -> None:
    working = _members[key]
    working.do(working.member.join)


def _grow(key: str, rounds: int) -> Any:
    working = _members[key]
    return working.do(working.member.grow, rounds)


def _finish(key: str, rounds: int, stopped_by_time: bool) -> Any:
    working = _members[key]
    return working.do(working.member.finish, rounds, stopped_by_time=stopped_by_time)


def _leave(key: str) -> None:
    working = _members.pop(key)
    working.do(working.member.leave)
    working.thread.shutdown()


def _forget(key: str) -> None:
    _trackers.pop(key, None)  # once nobody needs it to leave


def _drop(key: str) -> None:
    working = _members.pop(key, None)
    _trackers.pop(key, None)
    if working is not None:
        with contextlib.suppress(Exception):  # the others are gone
            working.do(working.member.leave)
        working.thread.shutdown(wait=False)
