"""What each kind of network scores on the practice sets: dense, convolutional and recurrent.

    python bench/kinds.py                       # --sets, --models, --folds, --epochs choose others
    python bench/kinds.py --sets mnist=FOLDER   # a set that is downloaded, from files that are here

Each is `kc train SET --model KIND` in a process of its own. Printed are the score out of fold and
the seconds of the processor. Results are kept in --workspace, so the same command continues.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
KC = Path(sys.executable).parent / "kc"
TABLES = ("diabetes", "breast_cancer", "iris", "wine")
OF_TABLES = ("dnn", "conv1d", "simple_rnn", "lstm", "gru")
OF_IMAGES = ("dnn", "conv2d", "conv1d", "simple_rnn", "lstm", "gru")


def main() -> int:
    """Train what is missing, and print a line a set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=[*TABLES, "digits"], metavar="SET[=FOLDER]")
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--workspace", type=Path, default=ROOT / "build" / "kinds")
    asked = parser.parse_args()
    asked.workspace.mkdir(parents=True, exist_ok=True)
    print("| set | metric | " + " | ".join(f"`{name}`" for name in OF_IMAGES) + " |")
    print("| --- | --- |" + " ---: |" * len(OF_IMAGES))
    for given in asked.sets:
        name, _, place = given.partition("=")
        fetched = ["fetch", name, *(["--from", place] if place else [])]
        if not (asked.workspace / "data" / name / "manifest.json").exists():
            kc(asked.workspace, *fetched)
        models = asked.models or (OF_TABLES if name in TABLES else OF_IMAGES)
        cells = {model: scored(asked, name, model) for model in models}
        metric = next(iter(cells.values()))[0]
        shown = [
            f"{cells[m][1]:.4f} ({cells[m][2]:.0f} s)" if m in cells else "" for m in OF_IMAGES
        ]
        print(f"| `{name}` | {metric} | " + " | ".join(shown) + " |", flush=True)
    return 0


def scored(asked: argparse.Namespace, name: str, model: str) -> tuple[str, float, float]:
    """Return the metric, the score out of fold, and the seconds of the processor."""
    kept = asked.workspace / f"{name}-{model}-{asked.folds}-{asked.epochs}.json"
    if not kept.exists():
        options = ("--folds", asked.folds, "--epochs", asked.epochs)
        before = os.times()
        told = json.loads(kc(asked.workspace, "train", name, "-m", model, *options, "--json"))
        after = os.times()
        cpu = sum(after[2:4]) - sum(before[2:4])
        kept.write_text(json.dumps([told["metric"], told["score"], cpu]))
    metric, score, cpu = json.loads(kept.read_text())
    return metric, score, cpu


def kc(workspace: Path, *words: object) -> str:
    """Run a command, and return what it wrote on stdout."""
    command = [str(KC), "--workspace", str(workspace), *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
