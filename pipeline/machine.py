"""What this process may use: cores, memory and disk, as far as a container allows."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SYSTEM = Path("/")
MANY_ROWS = 2**17  # of which what was freed is worth giving back
UNLIMITED = 2**60  # bytes; cgroup v1 writes a number near 2**63 for no limit


@dataclass(frozen=True)
class Memory:
    """Bytes that there are for this process, and how many of them are free."""

    total: int
    free: int


def cores() -> int:
    """Return how many cores this process may use: affinity and the quota of its container count."""
    from joblib import cpu_count

    return int(cpu_count())


@contextlib.contextmanager
def one_thread_a_product() -> Iterator[None]:
    """Let matrices be multiplied on one thread, whatever the machine has.

    More would add the same numbers in another order, so that the last bits of a result would depend
    on the number of cores.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1, "blas"):
        yield


def memory(system: Path = SYSTEM) -> Memory | None:
    """Return the memory of the machine or of the container, whichever is less; None if unknown.

    system: the root of /proc and /sys, which tests replace.
    """
    found = [one for one in (_of_machine(system), *_of_groups(system)) if one]
    if not found:
        return None
    return Memory(min(one.total for one in found), min(one.free for one in found))


def free_disk(folder: Path) -> int:
    """Return the free bytes where a folder is, or will be.

    Raises OSError.
    """
    return shutil.disk_usage(nearest_existing(folder)).free


def nearest_existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    return next(one for one in (path, *path.parents) if one.exists())


def _of_machine(system: Path) -> Memory | None:
    try:
        lines = (system / "proc/meminfo").read_text().splitlines()
    except OSError:
        return _of_other_systems()
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return Memory(kib["MemTotal"] * 1024, kib.get("MemAvailable", kib["MemFree"]) * 1024)


def _of_other_systems() -> Memory | None:
    """Return all memory as free where nothing tells what is."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
    return Memory(total, total)


def _of_groups(system: Path) -> list[Memory]:
    """Return the limits of the control groups that this process is in, of either version."""
    try:
        lines = (system / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, names = system / "sys/fs/cgroup", ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            top = system / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        own = top / path.strip("/")
        folders = [own, *(one for one in own.parents if one.is_relative_to(top))]
        found += [_limit(folder, *names) for folder in folders]
    return [one for one in found if one]


def _limit(folder: Path, most: str, used: str) -> Memory | None:
    try:
        total = int((folder / most).read_text())
        left = total - int((folder / used).read_text())
    except (OSError, ValueError):  # "max" is no number
        return None
    return Memory(total, max(left, 0)) if total < UNLIMITED else None


def give_back_memory(n_samples: int) -> None:
    """Give back to the system what was freed of so many rows; allocators keep it for later.

    Of few rows there is nothing that would be worth the milliseconds.
    """
    if n_samples >= MANY_ROWS:
        import pyarrow as pa

        pa.system_memory_pool().release_unused()
