"""A process on a worker's machine that carries out units of work, one after the other.

It is told by a pipe what to do, and tells by it what came of that. What a unit returns is written
to the folder that all machines see; the pipe, and the network behind it, have its name only.
"""

import contextlib
import hashlib
import pickle
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cluster.orders import INPUTS, Order, Outcome
from pipeline.errors import PipelineError, StorageError, WorkerError
from pipeline.execution import end_with
from pipeline.storage import alone_in, file_sha256

if TYPE_CHECKING:
    from pipeline.cluster.kept import SharedCache

IDLE = 300.0  # seconds after which a process with nothing to do ends, and its memory with it


@dataclass(frozen=True)
class Here:
    """Where a worker is: a folder of its own machine, and the results that all machines see."""

    folder: Path
    results: "SharedCache"


@dataclass(frozen=True)
class Placed:
    """A value among the inputs in the folder that all machines see, under the digest of its bytes.

    It comes from the command itself, by way of the scheduler, and so does what it loads.
    """

    digest: str

    def load(self) -> Any:
        """Return the value; the file is brought once a machine's worker. Raises StorageError."""
        from pipeline import sharing

        return sharing.Shared(self._brought()).load()

    def _brought(self) -> Path:
        away = here()
        assert away is not None, "units that are told so are carried out by a worker elsewhere"
        folder = away.folder / INPUTS
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.digest
        with alone_in(folder):
            if not path.is_file() or file_sha256(path) != self.digest:
                coming = path.with_suffix(".coming")
                away.results.folder.get(f"{INPUTS}/{self.digest}", coming)
                if (found := file_sha256(coming)) != self.digest:
                    coming.unlink()
                    raise StorageError(
                        f"{away.results.folder.url}: {INPUTS}/{self.digest} has other bytes than "
                        f"were written there (SHA-256 {found}); see who else writes there"
                    )
                coming.replace(path)
        return path


_here: list[Here] = []


def here() -> Here | None:
    """Return where this process is, or None if the command that it works for runs here too."""
    return _here[0] if _here else None


def name_of(work: bytes) -> str:
    """Return the name of the result of a unit, which is told by its pickle."""
    return f"done-{hashlib.sha256(work).hexdigest()}"


def carry_out(work: bytes, results: "SharedCache") -> Outcome:
    """Do a unit, a pickle of (function, argument), and keep what it returns."""
    try:
        function, argument = pickle.loads(work)
        name = name_of(work)
        results.save(name, (function(argument),))  # a result may be None
        return Outcome(name)
    except PipelineError as error:
        return Outcome(error=error)
    except MemoryError:
        return Outcome(error=WorkerError("there was not enough memory for it"))
    except Exception:
        told = traceback.format_exc()
        print(told, file=sys.stderr, flush=True)
        return Outcome(error=RuntimeError(f"in a worker elsewhere: {told}"))


def serve(pipe: Connection) -> None:
    """Carry out what comes by the pipe, until nothing does for long, or who sends it is gone."""
    from pipeline.cluster.folder import SharedFolder
    from pipeline.cluster.kept import SharedCache
    from pipeline.trust import GivenKey

    order: Order = pickle.loads(pipe.recv_bytes())
    results = SharedCache(SharedFolder(order.url), GivenKey(order.key))
    _here.append(Here(order.folder, results))
    pickle.loads(order.prepare)()
    pipe.send_bytes(b"")
    while pipe.poll(IDLE):
        pipe.send_bytes(pickle.dumps(carry_out(pipe.recv_bytes(), results)))


def main() -> None:
    """Serve the pipe whose descriptor is the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption is for the command
    threading.Thread(target=end_with, args=(int(sys.argv[2]),), daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    from pipeline.cluster import child

    child.main()  # not this copy of the module, whose names nobody else imports
