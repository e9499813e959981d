"""Folds of one model by several workers: the same bytes, sooner, and whatever happens to them."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import KC, TOML, Done, environment, files_of, only_run, write

from pipeline.stages import spreading

IN_WORKERS = -1e6  # seconds until a worker fits: so they are always worth it
FOUR_FOLDS = TOML.replace("n_splits = 3", "n_splits = 4")
OWN = """\
import os
import signal
import time
from pathlib import Path

from sklearn.linear_model import LinearRegression

from pipeline.progress import Warned, emit

HOME = os.getpid()


class Slow(LinearRegression):
    def fit(self, X, y):
        is_worker = os.environ.get("LOKY_MAX_CPU_COUNT") is not None
        if is_worker and Path("{place}/dies").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        emit(Warned("slow in a worker" if is_worker else "slow at home"))
        time.sleep({seconds})
        return super().fit(X, y)


def make_slow(task, seed):
    return Slow()
"""


def rows(n: int, first: int = 1) -> pd.DataFrame:
    """Return rows of a price that follows size and colour, but for noise."""
    rng = np.random.default_rng(first)
    size, colour = rng.normal(50, 10, n).round(2), rng.choice(["red", "blue"], n)
    price = (3 * size + 20 * (colour == "red") + rng.normal(0, 5, n)).round(2)
    ids = np.arange(first, first + n)
    return pd.DataFrame({"id": ids, "size": size, "colour": colour, "price": price})


@pytest.fixture
def made(tiny: Callable[..., Path]) -> Callable[..., Path]:
    """Make the workspace of a competition of ninety rows, with a slow model of its own."""

    def make(toml: str = FOUR_FOLDS, seconds: float = 0.0) -> Path:
        train, test = rows(90), rows(30, first=101).drop(columns="price")
        frames = {"train": train, "test": test, "sample": test[["id"]].assign(price=0)}
        workspace = tiny(
            **{name: frame.to_csv(index=False) for name, frame in frames.items()},
            toml=toml + '\n[models.slow]\nkind = "models.py:make_slow"\n',
        )
        own = OWN.format(place=workspace, seconds=seconds)
        write(workspace / "competitions/tiny/models.py", own)
        return workspace

    return make


def written(workspace: Path) -> dict[str, bytes]:
    """Return what of the only run must not depend on who made it, and the names of what is kept."""
    run = only_run(workspace, "tiny")
    names = ("submission.csv", "oof.csv", "test.csv")
    cached = {path.name: b"" for path in (workspace / "data/tiny/cache").iterdir()}
    return {name: (run / name).read_bytes() for name in names} | cached


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lightgbm", "random_forest", "ridge"])
def test_two_workers_write_the_bytes_of_one(
    made: Callable[..., Path],
    kc_here: Callable[..., Done],
    monkeypatch: pytest.MonkeyPatch,
    model: str,
) -> None:
    monkeypatch.setattr(spreading, "BEGINNING", IN_WORKERS)
    small = "n_estimators = 20" if model != "ridge" else ""
    workspace = made(FOUR_FOLDS + f"\n[models.{model}]\n{small}\n")
    found, begun = [], list[int]()
    begin = spreading.begin_fitters
    monkeypatch.setattr(
        "pipeline.stages.training.begin_fitters",
        lambda number: begun.append(number) or begin(number),
    )
    for workers in (1, 2):
        kc_here(workspace, "train", "tiny", "-m", model, "--workers", workers, "--fresh", expect=0)
        found.append(written(workspace))
        log = (only_run(workspace, "tiny") / "train.log").read_text()
        assert all(f"fold     {number}/4  score" in log for number in range(1, 5))
        for run in (workspace / "runs").glob("tiny-*"):
            run.rename(workspace / run.name)
    assert begun == [2]
    assert found[0] == found[1]


def test_what_is_soon_done_begins_no_process(
    made: Callable[..., Path], kc_here: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(number: int) -> Any:
        raise AssertionError("a process for nothing")

    monkeypatch.setattr("pipeline.stages.training.begin_fitters", begin)
    kc_here(made(), "train", "tiny", "--model", "ridge", "--workers", "2", expect=0)


def crew(seconds: float, on_cores: float, most: int = 4) -> spreading.Crew:
    """Return a crew whose first fold has taken so many seconds, by the clock and on the cores."""

    def begin(number: int) -> Any:
        raise InterruptedError(str(number))

    class Ridge(spreading.Crew):
        _is_one_piece = False

    nothing: Any = None
    found = Ridge(nothing, {}, "rmse", begin, most)
    found.pace = seconds, on_cores
    return found


@pytest.mark.parametrize(
    ("seconds", "on_cores", "n_folds", "workers"),
    [
        (60, 60, 4, "4"),  # one thread, and four cores
        (60, 60, 3, "3"),
        (60, 60, 9, "4"),
        (60, 235, 4, None),  # its threads use all cores already
        (60, 120, 4, "4"),  # they use half of them
        (0.5, 0.5, 4, None),  # over before a process has begun
        (60, 60, 1, None),  # the last one
    ],
)
def test_workers_begin_where_they_are_sooner_done(
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    on_cores: float,
    n_folds: int,
    workers: str | None,
) -> None:
    monkeypatch.setattr(spreading, "cores", lambda: 4)
    mine = crew(seconds, on_cores)
    if workers is None:
        assert mine._begun(n_folds) is False
    else:
        with pytest.raises(InterruptedError, match=f"^{workers}$"):
            mine._begun(n_folds)


def test_a_fold_that_was_found_again_is_judged_by_what_it_took_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spreading, "cores", lambda: 4)
    assert crew(0.01, 0.01)._begun(4) is False
    with pytest.raises(InterruptedError):
        crew(0.01, 0.01)._begun(4, usual=60.0)


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "cores", lambda: 8)
    assert [spreading.threads_of(n) for n in (1, 2, 3, 8, 20)] == [8, 4, 2, 1, 1]


@pytest.mark.slow
def test_warnings_of_workers_are_told_here(
    made: Callable[..., Path], kc_here: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "BEGINNING", IN_WORKERS)
    workspace = made()
    done = kc_here(workspace, "train", "tiny", "--model", "slow", "--workers", "2", expect=0)
    assert done.err.count("slow at home") == 1
    assert done.err.count("slow in a worker") == 3
    record = json.loads((only_run(workspace, "tiny") / "run.json").read_text())
    assert record["warnings"].count("slow in a worker") == 3


@pytest.mark.slow
def test_a_worker_that_dies_is_named_and_what_is_finished_is_gone_on_with(
    made: Callable[..., Path], kc_here: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "BEGINNING", IN_WORKERS)
    workspace = made()
    write(workspace / "dies", "")
    done = kc_here(workspace, "train", "tiny", "--model", "slow", "--workers", "2", expect=1)
    assert done.err.splitlines()[-1] in {
        f"error: models.slow: fold {number}: its process died, perhaps of too little memory; what "
        "is finished is kept, and --workers 1 fits one after the other"
        for number in (2, 3)
    }
    assert not list((workspace / "runs").glob("tiny-*"))
    assert not list((workspace / "data/tiny/cache").glob(".unfinished-*"))
    (workspace / "dies").unlink()
    done = kc_here(workspace, "train", "tiny", "--model", "slow", "--workers", "1", expect=0)
    assert done.err.count("reused") == 1


@pytest.mark.slow
def test_a_disk_that_takes_no_arrays_leaves_one_process(
    made: Callable[..., Path], kc_here: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.errors import StorageError

    def full(*_: object) -> None:
        raise StorageError("shared: cannot be written: No space left on device")

    monkeypatch.setattr(spreading, "BEGINNING", IN_WORKERS)
    monkeypatch.setattr("pipeline.sharing.share", full)
    done = kc_here(made(), "train", "tiny", "--model", "ridge", "--workers", "2", expect=0)
    assert "No space left on device; so this process fits alone" in done.err


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_and_keeps_what_they_finished(
    made: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    workspace = made(seconds=3.0)  # of sleep, which two processes are sooner done with
    command = [KC, "--workspace", workspace, "train", "tiny", "--model", "slow", "--workers", "2"]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )  # fmt: skip
    assert process.stderr is not None
    told: list[str] = []
    while len(told) < 2:  # the second fold is a worker's
        line = process.stderr.readline()
        assert line, "the command ended before two folds were finished"
        told += [line] if line.startswith("fold ") else []
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)  # workers have its pipes, so they are gone too
    assert process.returncode == 130
    n_kept = int(err.split(" finished folds are kept")[0].rsplit(maxsplit=1)[-1])
    assert n_kept >= 2
    assert not [name for name in files_of(workspace / "data/tiny/cache") if "unfinished" in name]
    done = kc_here(workspace, "train", "tiny", "--model", "slow", "--workers", "1", expect=0)
    assert done.err.count("reused") >= n_kept


@pytest.mark.slow
def test_folds_for_which_there_is_no_time_are_left_out(
    made: Callable[..., Path], kc_here: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "BEGINNING", IN_WORKERS)
    workspace = made(seconds=2.0)
    options = ("--model", "slow", "--workers", "2", "--time", "2.5s")
    done = kc_here(workspace, "train", "tiny", *options, expect=0)
    assert "time ran out: " in done.err
    record = json.loads((only_run(workspace, "tiny") / "run.json").read_text())
    assert record["skipped_folds"] == 4 - len(record["folds"]) > 0
