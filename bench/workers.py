"""Measure one core against two, each with as many workers: whole commands, and their bytes.

    python bench/workers.py                    # all of them, some minutes
    python bench/workers.py --only forest    # one of them

Each command is `kc train` of one model on generated rows, in a fresh workspace, bound to one core
and then to two. Printed are the seconds of both, their ratio, and the ratios that more cores would
have by the seconds that each fold took on one of them, in the order in which workers take them.
Exits with 1 if a ratio is below its limit, or if the number of cores changes a byte.
"""

import argparse
import heapq
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.stages.spreading import BEGINNING, LOOK, SURE  # noqa: E402

TOML = """\
title = "Generated"
task = "regression"
metric = "rmse"

[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"

[columns]
id = "id"
target = "y"

[models.small_steps]
kind = "lightgbm"
learning_rate = 0.01
n_estimators = 5000
"""
COLUMNS = 20
COMPARED = ("submission.csv", "oof.csv", "test.csv")


@dataclass(frozen=True)
class Case:
    """A command that is measured: its model, the rows it is fitted on, and its folds.

    limit: of the ratio, None where the number of folds allows no more.
    """

    model: str
    rows: int
    folds: int
    limit: float | None


CASES = {
    "forest": Case("random_forest", 8_000, 5, 1.7),
    "lightgbm": Case("small_steps", 40_000, 10, 1.7),
    "five": Case("small_steps", 40_000, 5, None),  # two cores take three turns: at most 1.67
    "threads": Case("lightgbm", 100_000, 5, None),  # so many rows that its threads pay
}


@dataclass(frozen=True)
class Measured:
    """What a command took, its folds too, and what it wrote."""

    seconds: float
    folds: list[float]
    written: dict[str, bytes]
    told: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="names of cases, with commas")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(CASES)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("one core is all there is here")
        return 1
    failed = False
    print("| command | one core | two | ratio | 2, 4 and 8 cores, simulated | bytes |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for name in names:
        case = CASES[name]
        with tempfile.TemporaryDirectory() as folder:
            lay_down(Path(folder), case)
            one, two = (run(Path(folder) / str(n), case, cores[:n]) for n in (1, 2))
        ratio = one.seconds / two.seconds
        simulated = " ".join(f"{one.seconds / simulate(one, n):.2f}" for n in (2, 4, 8))
        same = one.written == two.written
        failed |= not same or (case.limit is not None and ratio < case.limit)
        print(
            f"| `kc train --model {case.model} --folds {case.folds}`, {case.rows:,} rows "
            f"| {one.seconds:.1f} s | {two.seconds:.1f} s | {ratio:.2f} | {simulated} "
            f"| {'the same' if same else 'differ'} |",
            flush=True,
        )
        for text in (one.told, two.told):
            print(text, file=sys.stderr)
    return int(failed)


def lay_down(folder: Path, case: Case) -> None:
    """Generate the files, and fetch them into a workspace for each number of cores."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * case.rows, COLUMNS)).round(4)
    y = 3 * X[:, 0] + np.sin(2 * X[:, 1]) + X[:, 2] * X[:, 3] + rng.normal(size=len(X))
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(COLUMNS)])
    frame.insert(0, "id", np.arange(len(X)))
    frame["y"] = y.round(4)
    train, test = frame[: case.rows], frame[case.rows : case.rows + case.rows // 4]
    (folder / "files").mkdir()
    train.to_csv(folder / "files" / "train.csv", index=False)
    test.drop(columns="y").to_csv(folder / "files" / "test.csv", index=False)
    test[["id"]].assign(y=0).to_csv(folder / "files" / "sample.csv", index=False)
    for n in (1, 2):
        place = folder / str(n) / "competitions" / "big"
        place.mkdir(parents=True)
        (place / "competition.toml").write_text(TOML)
        kc(folder / str(n), "fetch", "big", "--from", str(folder / "files"))


def kc(workspace: Path, *arguments: str, cores: list[int] | None = None) -> str:
    """Run the command, bound to cores, and return what it told."""
    command = [sys.executable, str(ROOT / "cli.py"), "--workspace", str(workspace), *arguments]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stderr


def run(workspace: Path, case: Case, cores: list[int]) -> Measured:
    """Train a case on these cores."""
    began = time.perf_counter()
    told = kc(
        workspace, "train", "big", "--model", case.model, "--folds", str(case.folds), cores=cores
    )
    seconds = time.perf_counter() - began
    (folder,) = (workspace / "runs").glob("big-*")
    record = json.loads((folder / "run.json").read_text())
    folds = [one["seconds"] for one in record["folds"]]
    return Measured(seconds, folds, {n: (folder / n).read_bytes() for n in COMPARED}, told)


def simulate(one: Measured, n_workers: int) -> float:
    """Return the seconds of a command whose folds took on one core what they took, on so many.

    What is before and after the folds takes what it took. The first fold is fitted alone until it
    is known to be worth it; workers take the next fold as soon as they are free.
    """
    first, *others = one.folds
    outside = one.seconds - sum(one.folds)
    n_turns = math.ceil(len(others) / n_workers)
    known = SURE * BEGINNING / (len(others) - SURE * n_turns)
    ready = [first] + [min(first, known + LOOK) + BEGINNING] * (n_workers - 1)
    heapq.heapify(ready)
    for seconds in others:
        heapq.heapreplace(ready, ready[0] + seconds)
    return outside + max(ready)


if __name__ == "__main__":
    sys.exit(main())
