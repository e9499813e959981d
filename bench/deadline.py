"""Whether `kc train NAME --time T` ends in time, when it has its first submission, and its memory.

    python bench/deadline.py                        # 1,000 to 100,000 rows at 30 s, 60 s and 5 min
    python bench/deadline.py --rows 1000 --seconds 30

Each line is a process of its own, on generated rows of numbers and text; memory is what all its
processes hold together, at its highest. Exits with 1 if a command took 5 % more than it was given,
left no checked submission, or held 4 GiB.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

KC = Path(sys.executable).parent / "kc"
LATE, MOST_GIB = 1.05, 4.0
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
"""


@dataclass(frozen=True)
class Took:
    """What a command was given, and what it took; first: when its first submission was there."""

    rows: int
    columns: int
    asked: float
    seconds: float
    first: float | None
    gib: float
    members: int
    left_out: int

    @property
    def is_good(self) -> bool:
        """Whether it ended in time, with a submission, and within its memory."""
        in_time = self.seconds <= LATE * self.asked
        return in_time and self.first is not None and self.gib < MOST_GIB


def make_rows(n: int, n_columns: int, seed: int) -> pd.DataFrame:
    """Return rows of numbers and, of each five columns, one of text, with a target to learn."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, n_columns)).round(4)
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(n_columns)])
    y = np.sin(values[:, 0]) * 3 + values[:, 1] * values[:, 2] + rng.normal(0, 0.5, n)
    for i in range(4, n_columns, 5):
        levels = rng.integers(0, 12, n)
        y += np.linspace(-1, 1, 12)[levels]
        frame[f"x{i}"] = np.char.add("level ", levels.astype(str))
    frame.insert(0, "id", np.arange(n))
    return frame.assign(y=y.round(4))


def prepare(folder: Path, n: int, n_columns: int) -> None:
    rows = make_rows(n + n // 4, n_columns, seed=n)
    files = folder / "files"
    files.mkdir(parents=True)
    test = rows[n:].drop(columns="y")
    rows[:n].to_csv(files / "train.csv", index=False)
    test.to_csv(files / "test.csv", index=False)
    test[["id"]].assign(y=0).to_csv(files / "sample.csv", index=False)
    declared = folder / "competitions" / "made"
    declared.mkdir(parents=True)
    (declared / "competition.toml").write_text(TOML)
    command = [KC, "--workspace", folder, "fetch", "made", "--from", files]
    subprocess.run(command, check=True, capture_output=True)


def resident(pid: int) -> int:
    """Return the bytes that a process and all below it hold."""
    parents: dict[int, list[int]] = {}
    sizes: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:  # it ended meanwhile
            continue
        fields = dict(re.findall(r"^(PPid|VmRSS):\s+(\d+)", text, re.M))
        own = int(status.parent.name)
        parents.setdefault(int(fields.get("PPid", 0)), []).append(own)
        sizes[own] = 1024 * int(fields.get("VmRSS", 0))
    family, total = [pid], 0
    while family:
        one = family.pop()
        total += sizes.get(one, 0)
        family += parents.get(one, [])
    return total


def measure(folder: Path, n: int, n_columns: int, asked: float) -> Took:
    subprocess.run(["rm", "-rf", folder / "runs", folder / "data/made/cache"], check=True)
    began = time.monotonic()
    process = subprocess.Popen(
        [KC, "--workspace", folder, "train", "made", "--time", f"{asked:.0f}s"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    most = [0]

    def watch() -> None:
        while process.poll() is None:
            most[0] = max(most[0], resident(process.pid))
            time.sleep(0.25)

    watching = threading.Thread(target=watch)
    watching.start()
    first, left_out, models = None, 0, 0
    assert process.stderr is not None
    for line in process.stderr:
        if first is None and line.startswith(("kept", "write")):
            first = time.monotonic() - began
        left_out += line.startswith("left out")
        models += line.startswith("model ")
    process.wait()
    seconds = time.monotonic() - began
    watching.join()
    done = process.returncode == 0
    return Took(
        n, n_columns, asked, seconds, first if done else None, most[0] / 2**30, models, left_out
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--columns", type=int, nargs="+", default=[20])
    parser.add_argument("--seconds", type=float, nargs="+", default=[30, 60, 300])
    options = parser.parse_args()
    print("| rows x columns | asked | took | first submission | memory | models | left out |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    good = True
    for n in options.rows:
        for n_columns in options.columns:
            with tempfile.TemporaryDirectory() as place:
                prepare(Path(place), n, n_columns)
                for asked in options.seconds:
                    took = measure(Path(place), n, n_columns, asked)
                    first = "none" if took.first is None else f"{took.first:.1f} s"
                    print(
                        f"| {n:,} x {n_columns} | {asked:.0f} s | {took.seconds:.1f} s | {first} | "
                        f"{took.gib:.2f} GiB | {took.members} | {took.left_out} |",
                        flush=True,
                    )
                    good &= took.is_good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
