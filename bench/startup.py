"""Measure how long `kc --help` takes, beside an import of typer, which is the least it can take.

Both are run by turns, so that a busy moment of the machine meets both. Exits with 1 if the ratio of
the medians is above the limit, or if a heavy package is loaded to print a help text.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

N_RUNS = 15
LIMIT = 2.5
HEAVY = ("tensorflow", "keras", "torch", "numpy", "pandas", "pyarrow", "sklearn", "scipy",
         "joblib", "lightgbm", "catboost", "xgboost", "matplotlib", "kaggle", "rich")  # fmt: skip

PYTHON = [sys.executable, "-c"]
COMMANDS = {
    "kc --help": [str(Path(sys.executable).parent / "kc"), "--help"],
    "import typer": [*PYTHON, "import typer"],
}
LOADED = f"""
import contextlib, io, sys
sys.argv = ["kc", "--help"]
import cli
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
    cli.main()
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""


def main() -> int:
    """Print both medians, their ratio and the heavy packages; return the exit code."""
    medians = {name: statistics.median(times) for name, times in measure().items()}
    for name, median in medians.items():
        print(f"{name:<14} {median * 1000:7.1f} ms  (median of {N_RUNS})")
    ratio = medians["kc --help"] / medians["import typer"]
    loaded = heavy_packages()
    print(f"{'ratio':<14} {ratio:7.2f}     (at most {LIMIT})")
    print(f"heavy packages loaded: {', '.join(loaded) or 'none'}")
    return int(ratio > LIMIT or bool(loaded))


def measure() -> dict[str, list[float]]:
    """Return the seconds of every run of every command, after one of each that does not count."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(N_RUNS + 1):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if number:
                times[name].append(time.perf_counter() - started)
    return times


def heavy_packages() -> list[str]:
    """Return the heavy packages that a fresh process has loaded once the help is printed."""
    done = subprocess.run([*PYTHON, LOADED], check=True, capture_output=True, text=True)
    return done.stdout.split()


if __name__ == "__main__":
    sys.exit(main())
