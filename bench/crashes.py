"""Commands that are killed at random moments, and what the same command makes of it afterwards.

    python bench/crashes.py                     # 200 kills
    python bench/crashes.py --kills 1000 --seed 1 --only train,submit

A trial is a copy of a prepared workspace in which a command is killed by SIGKILL three times, at
moments drawn between its begin and the end of an undisturbed one, and then left alone. After each
kill, what can be seen is whole; at the end the files are those of the undisturbed command, byte for
byte, and nothing hidden is left. Commands are forked from a process that has imported everything,
so that moments fall into the work and not into the imports. Exits with 1 if anything differs.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KILLS_A_TRIAL = 3
PATIENCE = 600.0  # seconds after which a command is stuck
TOML = """\
title = "Crashing"
task = "regression"
metric = "rmse"

[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"

[columns]
id = "id"
target = "price"

[validation]
n_splits = 3

[models.lightgbm]
n_estimators = 60
"""
Files = dict[str, bytes]


@dataclass(frozen=True)
class Scenario:
    """A command, the workspace it begins in, and what is compared.

    prepare: fills the workspace. found: what of a workspace has to be the same in the end, by name.
    again: what a person adds where the last command is refused, since nobody can know whether the
    killed one arrived; nothing, where nothing can be refused.
    """

    name: str
    command: tuple[str, ...]
    prepare: Callable[[Path], None]
    found: Callable[[Path], Files]
    again: str | None = None


@dataclass
class Tally:
    """What came of a scenario's trials."""

    kills: int = 0
    finished: int = 0  # commands that were over before their kill
    trials: int = 0
    faults: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="names of scenarios, with commas")
    options = parser.parse_args()
    chosen = [one for one in scenarios() if not options.only or one.name in options.only.split(",")]
    import_all()
    began, n_faults = time.monotonic(), 0
    for number, scenario in enumerate(chosen):
        with tempfile.TemporaryDirectory() as folder:
            wanted = options.kills // len(chosen) + (number < options.kills % len(chosen))
            rng = random.Random(f"{options.seed} {scenario.name}")
            tally = try_scenario(scenario, Path(folder), wanted, rng)
        n_faults += tally.faults
        print(
            f"{scenario.name:<10} {tally.kills:4} kills in {tally.trials} trials "
            f"({tally.finished} commands were over before), {tally.faults} differ",
            flush=True,
        )
    spent = os.times()
    cpu = spent.user + spent.system + spent.children_user + spent.children_system
    print(f"{time.monotonic() - began:.0f} s, {cpu:.0f} s of them on the CPU")
    return int(n_faults > 0)


def scenarios() -> list[Scenario]:
    train = ("train", "crash", "--quiet", "--model")
    return [
        Scenario("fetch", ("fetch", "crash", "--from", "FILES"), fetched_before, raw_files),
        Scenario("train", (*train, "ridge"), fetched, runs_of("ridge")),
        Scenario("boosting", (*train, "lightgbm"), fetched, runs_of("lightgbm")),
        Scenario("ensemble", ("ensemble", "crash", "--quiet"), trained_twice, runs_of("ensemble")),
        Scenario("several", (*train, "ridge,knn", "--time", "5m"), fetched, last_of("auto")),
        Scenario("report", ("report", "crash", "--all"), trained_twice, pages),
        Scenario("submit", ("submit", "wine", "--yes"), trained_wine, handed_in, "--again"),
    ]


def import_all() -> None:
    """Import what the commands need, so that a fork of this process begins at once."""
    sys.path.insert(0, str(ROOT))
    import lightgbm  # noqa: F401
    import sklearn.datasets
    import sklearn.ensemble  # noqa: F401

    import cli  # noqa: F401
    import pipeline

    for name in pipeline.__all__:
        getattr(pipeline, name)


def try_scenario(scenario: Scenario, folder: Path, n_kills: int, rng: random.Random) -> Tally:
    """Kill a scenario's command so many times, and count what differs in the end."""
    template = folder / "template"
    scenario.prepare(template)
    alone, tally = clone(template, folder / "alone"), Tally()
    began = time.monotonic()
    process = start(alone, scenario.command)
    assert wait(process, PATIENCE) == 0, (alone / "log").read_text()
    seconds, expected = time.monotonic() - began, scenario.found(alone)
    assert expected, f"{scenario.name} leaves nothing to compare"
    with contextlib.suppress(KeyboardInterrupt):  # what was tried until then counts
        while tally.kills < n_kills:
            work = clone(template, folder / "work")
            for _ in range(KILLS_A_TRIAL):
                was_killed = kill_within(
                    start(work, scenario.command), rng.uniform(0, 1.1 * seconds)
                )
                tally.kills += was_killed
                tally.finished += not was_killed
                tally.faults += told(scenario, check_seen(work), work)
            tally.faults += told(scenario, check_end(scenario, work, expected), work)
            tally.trials += 1
            shutil.rmtree(work)
    return tally


def check_seen(work: Path) -> str | None:
    """Return what a person could see that is not whole."""
    from pipeline.runs import SIGNATURE, list_runs

    for run in list_runs(work / "runs"):
        names = {path.relative_to(run.path).as_posix() for path in files_below(run.path)}
        signed = json.loads((run.path / SIGNATURE).read_text())["files"]
        if names - {SIGNATURE} != set(signed):
            return f"{run.id} is not whole"
    return None


def check_end(scenario: Scenario, work: Path, expected: Files) -> str | None:
    """Return what is wrong after the command was left alone, or None."""
    code = wait(start(work, scenario.command), PATIENCE)
    if code == 1 and scenario.again and not scenario.found(work):
        code = wait(start(work, (*scenario.command, scenario.again)), PATIENCE)
    if code != 0 and not (code == 1 and scenario.again):
        return f"exit code {code}: {(work / 'log').read_text()}"
    found = scenario.found(work)
    if found != expected:
        names = [n for n in {*found, *expected} if found.get(n) != expected.get(n)]
        return f"differs in {', '.join(sorted(names))}"
    hidden = [
        path
        for path in work.rglob(".*")
        if path.name.startswith((".unfinished-", ".incoming", ".replaced"))
    ]
    return f"left {hidden}" if hidden else None


def told(scenario: Scenario, fault: str | None, work: Path) -> bool:
    if fault is not None:
        print(f"{scenario.name}: {fault}", flush=True)
        with contextlib.suppress(OSError):
            shutil.copytree(work, Path(tempfile.mkdtemp(prefix="crash-")) / "work")
    return fault is not None


# --- processes ---


def start(work: Path, command: tuple[str, ...]) -> int:
    """Fork a process that runs a command in a workspace, and return its number."""
    words = [str(work.parent / "files") if word == "FILES" else word for word in command]
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        log = os.open(work / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for old, new in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(old, new)
        sys.argv = ["kc", "--workspace", str(work), *words]
        import cli

        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException as error:
            cli._show_traceback(type(error), error, None)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def kill_within(process: int, seconds: float) -> bool:
    """Kill a process after some seconds, and tell whether it was still at work."""
    time.sleep(seconds)
    os.kill(process, signal.SIGKILL)  # a process that has ended keeps its number until it is asked
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


def wait(process: int, seconds: float) -> int:
    """Return the exit code of a process, which is killed after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def clone(workspace: Path, target: Path) -> Path:
    """Return a copy of a workspace that is as trusted as the workspace itself."""
    from pipeline.trust import Foreign, Seal

    shutil.copytree(workspace, target)
    Seal.of(target).accept(Foreign(target, "workspace", str(target)))
    return target


# --- workspaces ---


def declared(work: Path) -> None:
    """Declare the competition, and lay its files down beside the workspace."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    size, colour = rng.normal(50, 10, 400).round(2), rng.choice(["red", "blue"], 400)
    price = (3 * size + 20 * (colour == "red") + rng.normal(0, 5, 400)).round(2)
    ids = np.arange(400)
    whole = pd.DataFrame({"id": ids, "size": size, "colour": colour, "price": price})
    frames = {
        "train.csv": whole[:300],
        "test.csv": whole[300:].drop(columns="price"),
        "sample.csv": whole.loc[300:, ["id"]].assign(price=0),
    }
    for folder, rows in (("files", 300), ("older", 200)):
        place = work.parent / folder
        place.mkdir(exist_ok=True)
        for name, frame in frames.items():
            frame[:rows].to_csv(place / name, index=False)
    (work / "competitions" / "crash").mkdir(parents=True)
    (work / "competitions" / "crash" / "competition.toml").write_text(TOML)


def fetched_before(work: Path) -> None:
    """Prepare what has older files, which the command replaces."""
    declared(work)
    do(work, "fetch", "crash", "--from", str(work.parent / "older"))


def fetched(work: Path) -> None:
    declared(work)
    do(work, "fetch", "crash", "--from", str(work.parent / "files"))


def trained_twice(work: Path) -> None:
    fetched(work)
    for model in ("ridge", "knn"):
        do(work, "train", "crash", "--model", model)


def trained_wine(work: Path) -> None:
    """Prepare a practice set, whose board is on the disk as the workspace is."""
    work.mkdir()
    do(work, "fetch", "wine")
    do(work, "train", "wine", "--model", "logistic")


def do(work: Path, *command: str) -> None:
    code = wait(start(work, command), PATIENCE)
    assert code == 0, (work / "log").read_text()


# --- what is compared ---


def raw_files(work: Path) -> Files:
    """Return the files as they were brought, and what the manifest says of them but the time."""
    data = work / "data" / "crash"
    manifest = json.loads((data / "manifest.json").read_text())
    told = json.dumps([manifest["files"], Path(manifest["origin"]).name]).encode()
    return {path.name: path.read_bytes() for path in (data / "raw").iterdir()} | {"manifest": told}


def runs_of(label: str) -> Callable[[Path], Files]:
    """Return what finds the files of all runs of a label, which have to be alike."""

    def found(work: Path) -> Files:
        files: Files = {}
        for run in sorted((work / "runs").glob(f"crash-*-{label}*")):
            for name in ("submission.csv", "oof.csv", "test.csv", "competition.toml"):
                content = (run / name).read_bytes()
                if files.setdefault(name, content) != content:
                    files[f"{run.name}/{name}"] = content
            score = json.dumps(json.loads((run / "run.json").read_text())["score"]).encode()
            if files.setdefault("score", score) != score:
                files[f"{run.name}/score"] = score
        return files

    return found


def last_of(label: str) -> Callable[[Path], Files]:
    """Return what finds the files of the newest run of a label: earlier ones are of less work."""

    def found(work: Path) -> Files:
        runs = sorted((work / "runs").glob(f"crash-*-{label}*"))
        names = ("submission.csv", "oof.csv", "test.csv", "competition.toml")
        return {name: (runs[-1] / name).read_bytes() for name in names} if runs else {}

    return found


def pages(work: Path) -> Files:
    """Return the pages that were made, without where the workspace is and when it was trained."""
    return {
        path.name: path.read_bytes().replace(str(work).encode(), b"")
        for path in (work / "reports").rglob("*.html")
    }


def handed_in(work: Path) -> Files:
    """Return what the board took, and what the ledger says of it: one submission, once."""
    boards = (work / "boards" / "wine").glob("*/submissions.jsonl")
    taken = [line for board in boards for line in board.read_text().splitlines()]
    path = work / "runs" / "wine.submissions.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    facts = [[one["sha256"], one["public"]] for one in entries if one["status"] == "complete"]
    if not taken and not facts:
        return {}
    return {"taken": str(len(taken)).encode(), "ledger": json.dumps(facts).encode()}


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


if __name__ == "__main__":
    sys.exit(main())
