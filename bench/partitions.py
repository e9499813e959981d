"""Seconds and memory of rows in Parquet partitions: on this machine alone, and with two workers.

    python bench/partitions.py                  # 1,000,000 rows; some minutes
    python bench/partitions.py --rows 100000

Files of 20 columns of numbers are generated in ten partitions, and kc trains LightGBM on them, two
folds, once with 25 rounds and once with 75: what the longer run takes more is the rounds', and the
rest is that of the passes. Workers have one thread each, on this machine. Memory is the most that
each process held (VmHWM). Prints the table, and what a row takes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

COLUMNS, PARTITIONS, FOLDS, LEAVES = 20, 10, 2, 31
ROUNDS = (25, 75)
TOML = """\
title = "Partitions"
task = "regression"
metric = "rmse"
[files]
train = "train/"
test = "test/"
[columns]
id = "id"
target = "y"
[validation]
n_splits = {folds}
[models.lightgbm]
n_estimators = {rounds}
num_leaves = {leaves}
learning_rate = 0.05
patience = 1000
"""


def generate(folder: Path, rows: int) -> int:
    """Write the partitions, and return the bytes of those of the training rows."""
    import numpy as np
    import pandas as pd

    for name, n_parts, first in (("train", PARTITIONS, 0), ("test", 1, rows)):
        (folder / name).mkdir(parents=True)
        for part in range(n_parts):
            rng = np.random.default_rng([first, part])
            n = rows // PARTITIONS
            X = rng.normal(size=(n, COLUMNS)).round(3)
            frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(COLUMNS)])
            frame.insert(0, "id", np.arange(n) + first + part * n)
            if name == "train":
                frame["y"] = X[:, 0] + np.sin(2 * X[:, 1]) * X[:, 2] + rng.normal(size=n)
            frame.to_parquet(folder / name / f"{part:02}.parquet", index=False)
    return sum(file.stat().st_size for file in (folder / "train").iterdir())


def kc(workspace: Path, *arguments: str) -> tuple[float, float]:
    """Run a command in a process of its own; return its seconds and its most MiB."""
    began = time.monotonic()
    command = [str(Path(sys.executable).parent / "kc"), "--workspace", str(workspace), *arguments]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - began, usage.ru_maxrss / 1024


def most_of(pid: int) -> float:
    """Return the most MiB that a running process has held."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


class Workers:
    """A scheduler and two workers of one thread each, on this machine."""

    def __init__(self, folder: Path) -> None:
        self.file, self.processes = folder / "scheduler.json", []
        self._begin("scheduler", "--port", "0")
        while not self.file.is_file():
            time.sleep(0.1)
        for name in ("one", "two"):
            options = ("--no-nanny", "--nthreads", "1", "--name", name)
            self._begin("worker", *options, "--local-directory", str(folder / name))

    def _begin(self, kind: str, *more: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--host", "127.0.0.1"]
        common = ["--scheduler-file", str(self.file), "--no-dashboard"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.processes.append(subprocess.Popen([*command, *common, *more], **quiet))

    def end(self) -> list[float]:
        """End all of it, and return the most MiB of scheduler and workers."""
        most = [most_of(process.pid) for process in self.processes]
        for process in self.processes:
            process.kill()
            process.wait()
        return most


def measure(folder: Path, rounds: int, *, is_alone: bool) -> dict[str, Any]:
    """Train once, and return seconds and MiB."""
    workspace = folder / "work"
    toml = TOML.format(folds=FOLDS, rounds=rounds, leaves=LEAVES)
    (workspace / "competitions" / "large" / "competition.toml").write_text(toml)
    train = ("train", "large", "--model", "lightgbm", "--fresh", "--quiet")
    if is_alone:
        seconds, most = kc(workspace, *train)
        return {"seconds": seconds, "command": most, "workers": []}
    here = Path(tempfile.mkdtemp(dir=folder))
    workers = Workers(here)
    try:
        seconds, most = kc(
            workspace, *train, "--executor", "dask", "--scheduler", str(workers.file)
        )
    finally:
        _, *each = workers.end()
    return {"seconds": seconds, "command": most, "workers": each}


def line(where: str, rows: int, short: dict[str, Any], long: dict[str, Any]) -> str:
    """Return a row of the table: what rounds take is the difference of the two runs."""
    grown = FOLDS * rows * (FOLDS - 1) / FOLDS  # rows that all folds' fits grow on, together
    a_round = (long["seconds"] - short["seconds"]) / (ROUNDS[1] - ROUNDS[0])
    rest = short["seconds"] - ROUNDS[0] * a_round
    workers = ", ".join(f"{most:,.0f}" for most in long["workers"])
    return (
        f"| {where} | {short['seconds']:.1f} | {long['seconds']:.1f} | {rest / rows * 1e6:.1f} | "
        f"{a_round / grown * 1e9:.0f} | {long['command']:,.0f} | {workers} |"
    )


def main() -> None:
    """Generate, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = generate(folder / "files", rows)
        large = folder / "work" / "competitions" / "large"
        large.mkdir(parents=True)
        toml = TOML.format(folds=FOLDS, rounds=ROUNDS[0], leaves=LEAVES)
        (large / "competition.toml").write_text(toml)
        kc(folder / "work", "fetch", "large", "--from", str(folder / "files"))
        print(f"{rows:,} rows x {COLUMNS}: {size / rows:.1f} bytes a row in Parquet")
        for where, is_alone in (("alone", True), ("two workers", False)):
            both = [measure(folder, rounds, is_alone=is_alone) for rounds in ROUNDS]
            print(json.dumps(both), file=sys.stderr)
            print(line(where, rows, *both), flush=True)


if __name__ == "__main__":
    main()
