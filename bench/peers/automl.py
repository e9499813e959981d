"""Compare `kc` with AutoGluon, FLAML and MLJAR on the same hidden labels in the same seconds.

    python bench/peers/automl.py install autogluon
    python bench/peers/automl.py run --tools autogluon --seconds 60
    python bench/peers/automl.py run --tools kc --seconds 60
    python bench/peers/automl.py table

Each contest is written to a temporary folder as a competition's files, without the hidden labels.
`kc` is used there as its user would: `kc new` (or `kc fetch` where the competition is built in),
then `kc train`. A peer runs in an environment of its own. What a tool hands in is judged on the
hidden labels. Results are lines of JSON, appended as they come; what is there is not run again.
"""

import argparse
import contextlib
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import judging
import pandas as pd
import report
import standings
from contests import CONTESTS, Contest, present, with_features

from pipeline.cache import code_digest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FEATURES = "+features"  # of a tool that gets the columns of our built-in declaration
INSTALLS = {
    "autogluon": (["torch==2.13.0"], ["autogluon.tabular[all]>=1.6,<1.7"]),
    "flaml": (["flaml[automl]>=2.7", "catboost>=1.2"],),
    "mljar": (["mljar-supervised>=1.3"],),
}
TOOLS = ("kc", "autogluon", f"autogluon{FEATURES}", "flaml", "mljar")
PATIENCE = 4  # times the asked seconds, after which a tool is taken for hanging
GRACE = 120.0  # seconds beyond, for its start


class ToolError(Exception):
    """A tool that ended without a submission."""


def main() -> int:
    asked = arguments()
    if asked.command == "install":
        install(asked.peer, asked.environments)
    else:
        if asked.command == "run":
            run_missing(asked)
        lines = report.read(asked.results)
        print(standings.table(lines) if lines else f"no results in {asked.results}")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    install_ = commands.add_parser("install", help="make a peer's environment")
    install_.add_argument("peer", choices=INSTALLS)
    run_ = commands.add_parser("run", help="run what the results lack, then print the table")
    table_ = commands.add_parser("table", help="print the table")
    run_.add_argument("--only", nargs="+", choices=CONTESTS, default=present(), metavar="SET")
    run_.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    run_.add_argument("--seconds", type=float, default=60, help="that a tool may train")
    run_.add_argument("--seeds", nargs="+", type=int, default=[0], help="of what is hidden")
    for one in (run_, table_):
        one.add_argument("--results", type=Path, default=ROOT / "build" / "automl.jsonl")
    for one in (run_, install_):
        one.add_argument("--environments", type=Path, default=ROOT / "build" / "peers")
    return parser.parse_args()


def install(peer: str, environments: Path) -> None:
    """Make the environment of a peer; what is there is brought up to date."""
    folder = environments / peer
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    for packages in INSTALLS[peer]:
        subprocess.run([folder / "bin" / "pip", "install", *packages], check=True)


def run_missing(asked: argparse.Namespace) -> None:
    """Run each tool on each contest, unless the results have it."""
    asked.results.parent.mkdir(parents=True, exist_ok=True)
    known = {key(line) for line in report.read(asked.results)}
    for seed, name in itertools.product(asked.seeds, asked.only):
        contest = CONTESTS[name](seed)
        for tool in asked.tools:
            if tool.endswith(FEATURES) and contest.built_in is None:
                continue
            start = blank(contest, tool, seed, asked)
            if key(start) in known:
                continue
            try:
                line = start | run(contest, tool, asked)
            except (ToolError, judging.JudgingError) as error:
                print(f"{name} {tool}: {error}", file=sys.stderr, flush=True)
                continue
            keep(line, asked.results)


def blank(contest: Contest, tool: str, seed: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Return what is known of a result before the run."""
    return {
        "contest": contest.name,
        "rows": contest.digest(),
        "shape": [len(contest.train), len(contest.test), contest.test.shape[1]],
        "metric": contest.metric,
        "tool": tool,
        "installed": installed(tool, asked.environments),
        "seed": seed,
        "asked_seconds": asked.seconds,
        "constant": judging.error(
            contest.metric, judging.score_values(contest, judging.constant(contest))
        ),
    }


def key(line: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a result is the result of."""
    names = ("contest", "rows", "tool", "installed", "seed", "asked_seconds")
    return tuple(line[name] for name in names)


def installed(tool: str, environments: Path) -> str:
    """Return which version of a tool is here; of ours, the digest of its sources."""
    if tool == "kc":
        return code_digest([*ROOT.glob("cli.py"), *(ROOT / "pipeline").rglob("*.py")])[:12]
    package = tool.removesuffix(FEATURES)
    name = {"autogluon": "autogluon_tabular", "mljar": "mljar_supervised"}.get(package, package)
    found = (environments / package).glob(f"lib/*/site-packages/{name}-*.dist-info")
    versions = [path.name.removesuffix(".dist-info").split("-")[1] for path in found]
    if not versions:
        sys.exit(f"{package} is not installed; run: python bench/peers/automl.py install {package}")
    return versions[0]


def run(contest: Contest, tool: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the result of one tool on one contest.

    Raises ToolError if the tool ends without a submission, JudgingError if it answers otherwise.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if tool == "kc":
            submission, outcome = run_ours(contest, folder, asked.seconds)
        else:
            submission, outcome = run_peer(contest, tool, folder, asked)
        frame = pd.read_csv(submission, dtype=str, keep_default_na=False)
    found = judging.score(contest, frame)
    return outcome | {"score": found, "error": judging.error(contest.metric, found)}


def run_ours(contest: Contest, folder: Path, seconds: float) -> tuple[Path, dict[str, Any]]:
    """Use `kc` as its user would; the seconds are those of `kc train`, its start among them."""
    files, workspace = folder / "files", folder / "workspace"
    files.mkdir()
    workspace.mkdir()
    contest.write(files)
    name = contest.declared_as
    if contest.built_in:
        opening = ["fetch", name, "--from", str(files)]
    else:
        opening = ["new", name, "--from", str(files), "--metric", contest.metric]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "KC_WORKSPACE": str(workspace)}
    command = [sys.executable, str(ROOT / "cli.py")]
    before = timed([*command, *opening], environment, seconds)
    training = [*command, "train", name, "--time", f"{seconds:g}s", "--json"]
    spent = timed(training, environment, seconds)
    record = json.loads(spent.pop("stdout"))
    outcome = spent | {"before_seconds": before["seconds"], "said": record["score"]}
    return Path(record["submission"]), outcome


def run_peer(
    contest: Contest, tool: str, folder: Path, asked: argparse.Namespace
) -> tuple[Path, dict[str, Any]]:
    """Let a peer fit and predict; the seconds are those of its process."""
    peer = tool.removesuffix(FEATURES)
    if peer != tool:
        with tempfile.TemporaryDirectory() as name:
            contest = with_features(contest, Path(name))
    contest.write(folder)
    wish = {
        "peer": peer,
        "seconds": asked.seconds,
        "unknown_in_test": sorted({*contest.train} - {*contest.test} - {contest.target}),
        "labels": [] if contest.task == "regression" else contest.labels,
        "dates": list(contest.dates),
    }
    names = ("task", "metric", "target", "id", "id_says_something", "answer", "asked")
    wish |= {name: getattr(contest, name) for name in names}
    (folder / "wish.json").write_text(json.dumps(wish), encoding="utf-8")
    for path, name in zip(contest.files[:2], ("train.csv", "test.csv"), strict=True):
        (folder / path).rename(folder / name)
    python = asked.environments / peer / "bin" / "python"
    spent = timed([python, HERE / "one_automl.py", folder], dict(os.environ), asked.seconds)
    spent.pop("stdout")
    outcome = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
    return folder / "submission.csv", spent | outcome


def timed(command: list[Any], environment: dict[str, str], seconds: float) -> dict[str, Any]:
    """Run a command to its end, and tell its seconds, those of the processor, and its output.

    Raises ToolError if it fails, or takes many times the seconds it was given.
    """
    load, started = os.getloadavg()[0], time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(
        command,
        env=environment | {"OMP_WAIT_POLICY": "PASSIVE"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE * seconds + GRACE)
        except subprocess.TimeoutExpired:
            raise ToolError(f"did not end in {PATIENCE} times {seconds:g} s") from None
        finally:  # its workers too, also after an interruption
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise ToolError(f"exit code {process.returncode}: {(out + err)[-2000:]}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": used,
        "load": load,
        "stdout": out,
    }


def keep(line: dict[str, Any], results: Path) -> None:
    """Append a result, and tell of it."""
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(
        f"{line['contest']:<14}{line['tool']:<20}{line['metric']} {line['score']:.5f}  "
        f"error {line['error']:.5f} (constant {line['constant']:.5f})  {line['seconds']:.0f} s, "
        f"{line['cpu_seconds']:.0f} of the processor, load {line['load']:.1f}",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
