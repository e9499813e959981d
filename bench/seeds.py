"""How far the hidden score depends on the seed: of `kc train` in a budget, and of one model.

    python bench/seeds.py --contest ddarung --seconds 20 --seeds 10

Each seed is a command of its own on the same files, judged on the same hidden labels (see
bench/peers/contests.py). The single model is LightGBM.
Printed are mean, standard deviation and range of both. Exits with 1 if the blend's scores spread
more than the single model's.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent / "peers"))
import judging
from contests import CONTESTS, Contest

from pipeline import Workspace, fetch
from pipeline.stages.declaring import NewOptions, declare

KC = Path(sys.executable).parent / "kc"


def prepare(contest: Contest, root: Path) -> str:
    """Declare and fetch a contest, and return its name there."""
    files = root / "files"
    files.mkdir()
    contest.write(files)
    if contest.built_in:
        fetch(Workspace(root), contest.declared_as, files)
    else:
        options = NewOptions(path=files, metric=contest.metric)
        declare(Workspace(root), contest.declared_as, options)
    return contest.declared_as


def scores(contest: Contest, root: Path, name: str, seeds: range, *options: str) -> list[float]:
    """Return the hidden score of each seed's submission."""
    found = []
    for seed in seeds:
        command = [KC, "--workspace", root, "train", name, "--seed", str(seed), *options]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        path = done.stdout.split("submission ")[-1].strip()
        found.append(judging.score(contest, pd.read_csv(path)))
        print(f"seed {seed}: {found[-1]:.5f}", file=sys.stderr, flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contest", default="ddarung", choices=CONTESTS)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=10)
    asked = parser.parse_args()
    seeds = range(asked.seeds)
    contest = CONTESTS[asked.contest](0)
    with tempfile.TemporaryDirectory() as place:
        name = prepare(contest, Path(place))
        blends = scores(contest, Path(place), name, seeds, "--time", f"{asked.seconds}s")
        alone = scores(contest, Path(place), name, seeds, "--model", "lightgbm")
    print(f"| {contest.name}, {contest.metric} | mean | standard deviation | range |")
    print("| --- | ---: | ---: | ---: |")
    for what, found in ((f"kc train --time {asked.seconds}s", blends), ("lightgbm", alone)):
        each = np.array(found)
        print(
            f"| {what} | {each.mean():.4f} | {each.std(ddof=1):.4f} | "
            f"{each.min():.4f} to {each.max():.4f} |"
        )
    return int(np.std(blends) > np.std(alone))


if __name__ == "__main__":
    sys.exit(main())
