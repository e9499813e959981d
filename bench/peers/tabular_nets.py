"""Compare the tabular networks with the reference implementation, set by set and seed by seed.

    python bench/peers/tabular_nets.py --peer-python PATH

Each fit runs in a process of its own with two threads. Results are lines of JSON, appended to a
file as they come, so that an interrupted run continues where it was. The table is printed at the
end; `--table` prints it from the lines there are. How long fits take is compared only where the
sides took turns, which `--time-only SETS` lets them do.
"""

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import report
from contenders import MODELS, SIDES, THREADS, Contender, Game, contender
from tables import TABLES, Split, present, split

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ROUNDS = 3  # of --time-only
LEAST = 1e-15  # probability; none is taken for less sure


@dataclass(frozen=True)
class Fit:
    """One fit that is asked for."""

    table: str
    model: str
    side: str
    seed: int

    def made_of(self, rows: Split, *, timed: bool = False) -> Contender | None:
        """Return the estimator it is a fit of."""
        n_train = len(rows.y) - len(rows.valid)
        game = Game(self.model, self.table, rows.task, n_train, self.seed, timed)
        return contender(self.side, game)


def main() -> int:
    """Run what is missing, then print the table."""
    asked = arguments()
    asked.results.parent.mkdir(parents=True, exist_ok=True)
    if asked.time_only:
        take_turns(asked)
    elif not asked.table:
        run_missing(asked)
    print(report.tables(report.read(asked.results)))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", help="interpreter that has the reference")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "tabular_nets.jsonl")
    parser.add_argument("--sets", nargs="+", choices=TABLES, default=present())
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="fit nothing, print what there is")
    parser.add_argument("--time-only", nargs="+", choices=TABLES, metavar="SET")
    asked = parser.parse_args()
    if not asked.peer_python and not asked.table and set(asked.sides) - {"ours"}:
        parser.error("--peer-python: the interpreter of an environment that has pytabkit")
    return asked


def run_missing(asked: argparse.Namespace) -> None:
    """Fit what the results lack, seed by seed."""
    known = {key(line) for line in report.read(asked.results)}
    for seed, name in itertools.product(asked.seeds, asked.sets):
        rows = split(TABLES[name](), seed)
        for model, side in itertools.product(asked.models, asked.sides):
            fit = Fit(name, model, side, seed)
            made = fit.made_of(rows)
            if made is not None and key(blank(fit, made, rows)) not in known:
                keep(run(fit, made, rows, asked.peer_python), asked.results)


def take_turns(asked: argparse.Namespace) -> None:
    """Time both sides on some sets, in turns, so that a busy moment of the machine meets both."""
    sides = [side for side in asked.sides if side != "default"]
    for name in asked.time_only:
        rows = split(TABLES[name](), asked.seeds[0])
        for model, turn in itertools.product(asked.models, range(ROUNDS)):
            for side in sides if turn % 2 == 0 else sides[::-1]:
                fit = Fit(name, model, side, asked.seeds[0])
                made = fit.made_of(rows, timed=True)
                if made is not None:
                    line = run(fit, made, rows, asked.peer_python)
                    keep(line | {"turn": turn}, asked.results)


def keep(line: dict[str, Any], results: Path) -> None:
    """Append a result, and tell of it."""
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    seconds = line["fit_seconds"] + line["predict_seconds"]
    print(
        f"{line['table']:<14}{line['model']:<10}{line['side']:<10}seed {line['seed']}  "
        f"error {line['error']:.4f} (constant {line['constant']:.4f})  {seconds:7.1f} s  "
        f"load {line['load']:.1f}",
        file=sys.stderr,
        flush=True,
    )


def key(line: dict[str, Any]) -> tuple[str, ...]:
    """Return what a result is the result of: the rows, and the estimator with its parameters."""
    made = json.dumps([line["estimator"], line["parameters"]], sort_keys=True)
    return (line["table"], line["model"], line["side"], str(line["seed"]), line["rows"], made)


def blank(fit: Fit, made: Contender, rows: Split) -> dict[str, Any]:
    """Return what is known of a result before the fit."""
    return asdict(fit) | {
        "estimator": made.estimator,
        "parameters": made.parameters,
        "rows": rows.digest(),
        "task": rows.task,
        "shape": list(rows.X.shape),
    }


def run(fit: Fit, made: Contender, rows: Split, peer_python: str | None) -> dict[str, Any]:
    """Return the result of one fit in its own process; a failed one ends the run."""
    python = sys.executable if fit.side == "ours" else str(peer_python)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows.save(folder)
        wish = asdict(made) | {"task": rows.task}
        (folder / "fit.json").write_text(json.dumps(wish), encoding="utf-8")
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        load = os.getloadavg()[0]
        done = subprocess.run(
            [python, HERE / "one_fit.py", folder],
            env=os.environ | threads() | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            sys.exit(f"{fit}: exit code {done.returncode}\n{done.stderr[-3000:]}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        outcome = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
        prediction = np.load(folder / "predictions.npy")
    return (
        blank(fit, made, rows)
        | outcome
        | {
            "error": error(rows, prediction),
            "constant": error(rows, constant(rows)),
            "wrong": wrong(rows, prediction),
            "wall_seconds": time.perf_counter() - started,
            "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "load": load,
        }
    )


def wrong(rows: Split, prediction: np.ndarray) -> float | None:
    """Return the share of test rows whose most probable class is not theirs."""
    if rows.task == "regression":
        return None
    return float((prediction.argmax(axis=1) != rows.y_test).mean())


def threads() -> dict[str, str]:
    """Return the environment in which every library takes the same number of threads.

    OpenMP's threads wait asleep: on a machine with other work, spinning ones cost the reference
    several times its time.
    """
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    counts = {name: str(THREADS) for name in names}
    return counts | {"TF_NUM_INTEROP_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def constant(rows: Split) -> np.ndarray:
    """Return what is predicted by the training rows' mean, or by their classes' shares."""
    y = np.delete(rows.y, rows.valid)
    if rows.task == "regression":
        return np.full(len(rows.y_test), y.mean())
    shares = np.bincount(y, minlength=y.max() + 1) / len(y)
    return np.tile(shares, (len(rows.y_test), 1))


def error(rows: Split, prediction: np.ndarray) -> float:
    """Return the root mean squared error, or the log loss, on the test rows."""
    if rows.task == "regression":
        return float(np.sqrt(np.mean((prediction - rows.y_test) ** 2)))
    chosen = prediction[np.arange(len(prediction)), rows.y_test.astype(int)]
    return float(-np.log(np.clip(chosen, LEAST, 1)).mean())


if __name__ == "__main__":
    sys.exit(main())
