"""A command that is killed leaves whole runs only, and continues when it is asked again."""

import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import KC, Done, copy_of, environment, files_of, only_run

from pipeline.cache import Cache

N_FOLDS = 5
TRAIN = ("train", "ddarung", "--model", "random_forest", "--folds", str(N_FOLDS))
WHOLE = {"competition.toml", "run.json", "submission.csv", "oof.csv", "test.csv", "train.log"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, fetched: Path, kc: Callable[..., Done]
) -> bytes:
    """What the command writes if nobody disturbs it."""
    work = copy_of(fetched, tmp_path_factory.mktemp("undisturbed") / "work")
    kc(work, *TRAIN)
    return (only_run(work, "ddarung") / "submission.csv").read_bytes()


def _hear_ctrl_c() -> None:
    """Undo that a shell lets what it runs in the background ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(workspace: Path) -> "subprocess.Popen[str]":
    """Start the command, with its lines to be read from stderr."""
    return subprocess.Popen(
        [KC, "--workspace", workspace, *TRAIN],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, env=environment(), preexec_fn=_hear_ctrl_c,
    )  # fmt: skip


def read_folds(process: "subprocess.Popen[str]", n_folds: int) -> None:
    """Wait until so many folds are done."""
    assert process.stderr is not None
    seen = 0
    while seen < n_folds:
        line = process.stderr.readline()
        assert line, f"the command ended after {seen} folds"
        seen += line.startswith("fold ")


def visible(workspace: Path) -> list[Path]:
    """Return the folders that look like finished runs."""
    return [path for path in (workspace / "runs").glob("*") if not path.name.startswith(".")]


def check_whole(run: Path, undisturbed: bytes) -> None:
    """Check that a folder that can be seen is a finished run."""
    assert {path.name for path in run.iterdir()} >= WHOLE
    assert (run / "submission.csv").read_bytes() == undisturbed


def check_continues(
    kc: Callable[..., Done], workspace: Path, undisturbed: bytes, *, n_reused: int
) -> None:
    """Check that the same command finds the finished folds and ends as if nothing had happened."""
    before = visible(workspace)
    done = kc(workspace, *TRAIN)
    folds = [line for line in done.err.splitlines() if line.startswith("fold ")]
    assert len(folds) == N_FOLDS
    assert sum(line.endswith("reused") for line in folds) >= n_reused
    (run,) = set(visible(workspace)) - set(before)
    assert (run / "train.log").read_text().count("reused") >= n_reused
    for run in visible(workspace):
        check_whole(run, undisturbed)
    assert list((workspace / "runs").glob(".*")) == []


@pytest.mark.parametrize("moment", range(3))
def test_a_killed_training_continues(
    kc: Callable[..., Done], fetched: Path, tmp_path: Path, undisturbed: bytes, moment: int
) -> None:
    work = copy_of(fetched, tmp_path / "work")
    rng = random.Random(moment)
    n_done = 0
    for _ in range(2):
        n_done = rng.randint(n_done, N_FOLDS - 1)
        with start(work) as process:
            read_folds(process, n_done)
            time.sleep(rng.uniform(0, 0.8))
            process.kill()
        assert process.returncode in (-signal.SIGKILL, 0)  # 0: it was done before the signal came
    check_continues(kc, work, undisturbed, n_reused=n_done)


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05])
def test_a_run_that_is_killed_while_it_is_written_is_never_seen(
    kc: Callable[..., Done], trained: Path, tmp_path: Path, delay: float
) -> None:
    work = copy_of(trained, tmp_path / "work")
    (old,) = visible(work)
    before = files_of(old)
    process = subprocess.Popen(
        [KC, "--workspace", work, "train", "ddarung", "--model", "ridge"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment(),
    )  # fmt: skip
    while process.poll() is None and not list((work / "runs").glob(".unfinished-*")):
        time.sleep(0.0005)
    time.sleep(delay)
    process.kill()
    process.wait(60)
    for run in visible(work):
        check_whole(run, before["submission.csv"])
    n_visible = len(visible(work))
    kc(work, "train", "ddarung", "--model", "ridge")
    assert len(visible(work)) == n_visible + 1
    assert list((work / "runs").glob(".*")) == []
    assert files_of(old) == before


def test_ctrl_c_says_what_is_kept_and_the_same_command_continues(
    kc: Callable[..., Done], fetched: Path, tmp_path: Path, undisturbed: bytes
) -> None:
    work = copy_of(fetched, tmp_path / "work")
    with start(work) as process:
        read_folds(process, 2)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert rest.splitlines()[-1] == (
        "interrupted; what was finished is kept, run the command again"
    )
    check_continues(kc, work, undisturbed, n_reused=2)


def test_a_damaged_finished_fold_is_made_again(
    kc: Callable[..., Done], trained: Path, tmp_path: Path
) -> None:
    work = copy_of(trained, tmp_path / "work")
    old = only_run(work, "ddarung")
    cache = Cache(work / "data" / "ddarung" / "cache")
    kept = sorted(cache.folder.iterdir())
    damaged = next(path for path in kept if len(cache.load(path.stem)[0].fold.valid))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    done = kc(work, "train", "ddarung", "--model", "ridge")
    assert f"warning  {damaged}: damaged, so this part is made again" in done.err
    assert done.err.count("reused") == 4
    (new,) = (path for path in visible(work) if path != old)
    assert (new / "submission.csv").read_bytes() == (old / "submission.csv").read_bytes()
