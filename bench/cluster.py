"""Measure the same work by two processes here against two workers of a Dask cluster here.

    python bench/cluster.py        # some minutes

Each command is `kc train` of one model on generated rows, in a fresh workspace: once with
`--workers 2`, once by a scheduler and two workers of one thread on the same machine, which see a
folder on its disk. So the difference is what Dask and the folder cost. The workers are there before
the command, as in a cluster; beginning their processes is part of it. A unit that does nothing is
timed, too. Exits with 1 if a byte differs.
"""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from workers import CASES, COMPARED, ROOT, kc, lay_down

from pipeline.stages.placing import Where
from pipeline.workspace import Workspace

CASE = "forest"
UNITS = 50


def main() -> int:
    case = CASES[CASE]
    train = ("train", "big", "--model", case.model, "--folds", str(case.folds))
    with tempfile.TemporaryDirectory() as name, cluster(Path(name)) as scheduler:
        folder = Path(name)
        lay_down(folder, case)
        away = ("--scheduler", str(scheduler), "--storage", str(folder / "storage"))
        each = {1: ("--workers", "2"), 2: away}
        seconds, written = {}, {}
        for number, more in each.items():
            began = time.perf_counter()
            kc(folder / str(number), *train, *more)
            seconds[number] = time.perf_counter() - began
            (run,) = (folder / str(number) / "runs").glob("big-*")
            written[number] = {one: (run / one).read_bytes() for one in COMPARED}
        same = written[1] == written[2]
        print("| command | two processes here | two workers of Dask here | bytes |")
        print("| --- | ---: | ---: | --- |")
        print(
            f"| `kc {' '.join(train)}`, {case.rows:,} rows | {seconds[1]:.1f} s "
            f"| {seconds[2]:.1f} s | {'the same' if same else 'differ'} |"
        )
        each_unit = time_of_nothing(scheduler, folder)
        print(
            f"| a unit that does nothing, there and back, median of {UNITS} | | "
            f"{1000 * statistics.median(each_unit):.0f} ms | |"
        )
    return int(not same)


def time_of_nothing(scheduler: Path, folder: Path) -> list[float]:
    """Return the seconds of units that do nothing, one after the other."""
    where = Where("dask", str(scheduler), str(folder / "storage"))
    seconds = []
    with where.begin_cluster(Workspace(folder / "2"), dict) as slots:
        for _ in range(UNITS + 1):
            began = time.perf_counter()
            slots.free[0].do(len, ())
            slots.wait(60)
            seconds.append(time.perf_counter() - began)
    return seconds[1:]  # the first waits for its process


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Path]:
    """Yield the file of a scheduler that has two workers."""
    file = folder / "scheduler.json"
    common = ["--host", "127.0.0.1", "--scheduler-file", str(file), "--no-dashboard"]
    parts = [["scheduler", "--port", "0"]] + [
        [
            "worker",
            "--no-nanny",
            "--nthreads",
            "1",
            "--local-directory",
            str(folder / f"worker-{n}"),
        ]
        for n in range(2)
    ]
    begun = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *common, *more],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for kind, *more in parts
    ]
    try:
        while not (file.is_file() and file.read_text()):
            time.sleep(0.1)
        time.sleep(5)  # until the workers are there
        yield file
    finally:
        for process in reversed(begun):
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
