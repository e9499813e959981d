"""How long a newcomer's ways take: to the first checked submission, and to the first own one.

    python bench/newcomer.py                        # both; --wheel also times pip install

The first way begins where `pip install` has ended, in a folder with nothing in it, without a
network or an account. The second begins with a competition's address, as pasted from the browser,
and a token; Kaggle is the local server of the tests, which the real client talks to, so seconds of
a download are not in it. Each prints its commands with their seconds; it exits with 1 if one fails,
or leaves no submission.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
KC = Path(sys.executable).parent / "kc"
ADDRESS = "https://www.kaggle.com/competitions/bike-sharing-demand"
FIRST = ("kc run bike --sample",)
OWN = (
    f"kc new rentals --kaggle {ADDRESS} --metric rmsle",
    "kc run rentals --time 60s",
    "kc submit rentals --yes --wait",
)


@dataclass(frozen=True)
class Step:
    """A command, its seconds, and after how many of them a first complete run was there."""

    command: str
    seconds: float
    first: float | None = None


@dataclass(frozen=True)
class Way:
    """A newcomer's way: what it leads to, and its commands."""

    title: str
    steps: list[Step]

    def __str__(self) -> str:
        width = max(len(step.command) for step in self.steps)
        lines = [self.title]
        for step in self.steps:
            first = "" if step.first is None else f"   first run after {step.first:.1f} s"
            lines.append(f"$ {step.command:<{width}}  {step.seconds:6.1f} s{first}")
        total = sum(step.seconds for step in self.steps)
        return "\n".join([*lines, f"  {'':<{width}}  {total:6.1f} s"])


def main() -> int:
    """Print both ways, and what comes before them if it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", action="store_true", help="time pip install in a fresh folder")
    parser.add_argument("--time", help="what training is given; else what is usual")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if asked.wheel:
            print(Way("To an installed kc", [Step("pip install .", installed(place / "venv"))]))
        print(first_submission(place / "first", asked.time), flush=True)
        print(own_submission(place / "own", asked.time))
    return 0


def installed(folder: Path) -> float:
    """Return the seconds that pip takes in an environment of its own."""
    venv.create(folder, with_pip=True)
    command = [folder / "bin" / "pip", "install", "--quiet", str(ROOT)]
    began = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - began


def first_submission(folder: Path, limit: str | None) -> Way:
    """Follow the way from an installed kc to the first checked submission."""
    steps = [timed(command, folder, dict(os.environ), limit) for command in FIRST]
    check_one_submission(folder)
    return Way("From pip install to the first checked submission", steps)


def own_submission(folder: Path, limit: str | None) -> Way:
    """Follow the way from an address to a submission that a service has scored."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from kaggle_server import TOKEN, running

    from pipeline import Workspace, fetch

    elsewhere = Workspace(folder / "elsewhere")
    fetch(elsewhere, "bike", sample=True)
    files = {path.name: path.read_bytes() for path in elsewhere.raw("bike").iterdir()}
    with running() as server:
        server.add("bike-sharing-demand", files, leaderboard=[("Ada", "0.33"), ("Bob", "0.52")])
        led = {**os.environ, **server.variables(folder / "home", token=TOKEN)}
        steps = [timed(command, folder / "here", led, limit) for command in OWN]
        assert len(server.competitions["bike-sharing-demand"].submissions) == 1
    check_one_submission(folder / "here")
    return Way("From a competition's address to the first own submission", steps)


def timed(command: str, folder: Path, environment: dict[str, str], limit: str | None) -> Step:
    """Run a command in a process of its own, and look meanwhile for a first complete run."""
    folder.mkdir(parents=True, exist_ok=True)
    if limit and " run " in command:
        command = f"{command.partition(' --time')[0]} --time {limit}"
    words = [str(KC), *command.split()[1:]]
    had = set(submissions(folder))
    began, first = time.monotonic(), None
    with tempfile.TemporaryFile("w+") as told:
        kc = subprocess.Popen(words, cwd=folder, env=environment, stdout=told, stderr=told)
        while kc.poll() is None:
            time.sleep(0.05)
            if first is None and set(submissions(folder)) - had:
                first = time.monotonic() - began
        seconds = time.monotonic() - began
        told.seek(0)
        if kc.returncode:
            sys.exit(f"{command}: exit code {kc.returncode}\n{told.read()}")
    return Step(command, seconds, first)


def submissions(folder: Path) -> list[Path]:
    """Return what could be handed in: only of complete runs, whose folders are not hidden."""
    return list((folder / "runs").glob("[!.]*/submission.csv"))


def check_one_submission(folder: Path) -> None:
    """Check that one run has left what can be handed in."""
    found = submissions(folder)
    assert len(found) == 1, found


if __name__ == "__main__":
    sys.exit(main())
