"""Score each kind of network on the practice sets, on the rows that their boards hold back.

A network is trained as `kc train SET --model KIND --folds 3` does, with the declared parameters,
and handed in to the practice board. Images have the epochs of EPOCHS, but for conv2d.
Results are kept line by line in build/networks.jsonl: the same command continues.

    python bench/networks.py                        # all that is not measured yet, then the table
    python bench/networks.py --sets iris wine --kinds dnn lstm
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline import TrainOptions, Workspace, fetch, train
from pipeline.stages.submitting import submit

DATA = Path(__file__).parents[2] / "shared" / "data"
KEPT = Path(__file__).parents[1] / "build" / "networks.jsonl"
# Where the images of a set lie; the others come with scikit-learn.
SETS = {
    "iris": None,
    "wine": None,
    "breast_cancer": None,
    "diabetes": None,
    "digits": None,
    "mnist": DATA / "mnist_t10k",
    "cifar10": DATA / "cifar10_subset",
}
KINDS = ("dnn", "conv1d", "conv2d", "simple_rnn", "lstm", "gru")
N_FOLDS = 3
EPOCHS = {"mnist": 15, "cifar10": 20}


def cpu_seconds() -> float:
    """Return the seconds of all cores that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(dataset: str, kind: str) -> dict[str, Any]:
    """Train a network on a set, hand it in, and return how it scored."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        fetch(workspace, dataset, SETS[dataset])
        began, started = cpu_seconds(), time.monotonic()
        epochs = None if kind == "conv2d" else EPOCHS.get(dataset)
        options = TrainOptions(kind, n_splits=N_FOLDS, epochs=epochs)
        run = train(workspace, dataset, options)
        seconds, wall = cpu_seconds() - began, time.monotonic() - started
        entry = submit(workspace, dataset, run.id).entry
        return {
            "set": dataset,
            "kind": kind,
            "metric": run.record["metric"],
            "out_of_fold": run.record["score"],
            "held_back": entry.public,
            "cpu_seconds": round(seconds, 1),
            "wall_seconds": round(wall, 1),
        }


def kept() -> dict[tuple[str, str], dict[str, Any]]:
    """Return what was measured, by set and kind; the last measurement counts."""
    lines = KEPT.read_text("utf-8").splitlines() if KEPT.is_file() else []
    rows = [json.loads(line) for line in lines]
    return {(row["set"], row["kind"]): row for row in rows}


def table(rows: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
    """Return a table in Markdown: a set a line, a kind a column, scores of the held-back rows."""
    lines = [f"| set | metric | {' | '.join(KINDS)} |", f"| --- | --- |{' ---: |' * len(KINDS)}"]
    for dataset in SETS:
        found = {kind: rows[dataset, kind] for kind in KINDS if (dataset, kind) in rows}
        if found:
            metric = next(iter(found.values()))["metric"]
            cells = [_cell(found[kind]) if kind in found else "" for kind in KINDS]
            lines.append(f"| {dataset} | {metric} | {' | '.join(cells)} |")
    return lines


def _cell(row: dict[str, Any]) -> str:
    return f"{row['held_back']:.4g} ({row['cpu_seconds']:.0f} s)"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not measured yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    chosen = parser.parse_args(arguments)
    KEPT.parent.mkdir(exist_ok=True)
    for dataset in (one for one in chosen.sets if SETS[one] is None or SETS[one].is_dir()):
        for kind in chosen.kinds:
            if (dataset, kind) not in kept():
                row = json.dumps(measure(dataset, kind))
                with KEPT.open("a", encoding="utf-8") as file:
                    file.write(f"{row}\n")
    print("\n".join(table(kept())))


if __name__ == "__main__":
    main()
