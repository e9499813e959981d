"""Kills, full disks, clocks, signals and two commands at once: whole runs, and the same bytes."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import KC, TOML, Done, copy_of, environment, files_of, only_run, write

ROOT = Path(__file__).parents[1]
BIG = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'
OWN = """\
import time
from pathlib import Path

import numpy as np
from sklearn.linear_model import LinearRegression


class Greedy(LinearRegression):
    def fit(self, X, y):
        return super().fit(np.ones(10**14), y)


class Slow(LinearRegression):
    def fit(self, X, y):
        Path({mark!r}).touch()
        time.sleep(1)
        return super().fit(X, y)


def make_greedy(task, seed):
    return Greedy()


def make_slow(task, seed):
    return Slow()
"""
MODELS = "".join(f'[models.{n}]\nkind = "models.py:make_{n}"\n' for n in ("greedy", "slow"))

pytestmark = pytest.mark.slow


@pytest.fixture
def own(tiny: Callable[..., Path], tmp_path: Path) -> Path:
    """A workspace with one model that wants too much memory, and one that takes its time."""
    workspace = tiny(toml=TOML + MODELS)
    write(workspace / "competitions/tiny/models.py", OWN.format(mark=str(tmp_path / "begun")))
    return workspace


def submissions(workspace: Path) -> list[bytes]:
    return [path.read_bytes() for path in (workspace / "runs").glob("tiny-*/submission.csv")]


def test_commands_killed_at_random_moments_end_with_the_same_bytes() -> None:
    command = [sys.executable, ROOT / "bench" / "crashes.py", "--kills", "15", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines[:-1]] == [
        "fetch", "train", "boosting", "ensemble", "several", "report", "submit"
    ]  # fmt: skip
    assert sum(int(line[1]) for line in lines[:-1]) >= 15
    assert all(line[-2:] == ["0", "differ"] for line in lines[:-1])


# --- disks ---


def on_a_small_disk(folder: Path, size: str) -> list[str]:
    """Return the words before a command for which a folder is a disk of its own."""
    words = ["unshare", "--mount", "sh", "-c", BIG, size, str(folder)]
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("nobody may mount anything here")
    return words


@pytest.mark.parametrize(
    ("models", "lacks"), [("ridge", False), ("ridge,", True)], ids=["one model", "several"]
)
def test_a_cache_that_finds_its_disk_full_ends_no_run(
    tiny: Callable[..., Path], kc: Callable[..., Done], models: str, lacks: bool
) -> None:
    work = tiny()
    disk = on_a_small_disk(work / "data/tiny/cache", "16k")
    command = ("train", "tiny", "--model", models, "--time", "10m")
    done = kc(work, *command, before=disk)
    assert done.err.count("No space left on device") == 1  # said once
    assert "free some space or choose another --workspace; the run goes on" in done.err
    kc(work, *command)
    assert len(set(submissions(work))) == 1
    assert len(submissions(work)) == 2
    first = sorted((work / "runs").glob("tiny-*"))[0].name
    test = work / "data/tiny/raw/test.csv"
    asked = kc(work, "predict", "tiny", "--run", first, "--input", test, expect=int(lacks))
    if lacks:
        assert "its fits could not be kept, so kc predict will miss them" in done.err
        assert asked.error().endswith("cannot be read: No such file or directory; train again")


def test_a_workspace_whose_disk_is_full_keeps_what_it_had(
    trained_tiny: Path, tmp_path: Path, kc: Callable[..., Done]
) -> None:
    work, disk = copy_of(trained_tiny, tmp_path / "work"), tmp_path / "disk"
    script = (
        f'cp -a "{work}/." . && : > filler && '
        'before="$(find . -path ./filler -o -type f -print | sort | xargs sha256sum)"; '
        "dd if=/dev/zero of=filler bs=1k 2> /dev/null; truncate -s -6k filler; "
        f'"{KC}" --trust --workspace "$PWD" train tiny; code=$?; '
        'after="$(find . -path ./filler -o -type f -print | sort | xargs sha256sum)"; '
        '[ "$before" = "$after" ] && exit $code || { echo changed; exit 99; }'
    )
    before = [*on_a_small_disk(disk, "1m"), "sh", "-c", f'cd "{disk}" && {script}']
    done = subprocess.run(before, capture_output=True, text=True, env=environment())
    assert done.returncode == 1, (done.stdout, done.stderr)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {disk}/runs/tiny-")
    assert "cannot be written: No space left on device; free some space" in last


# --- memory, signals, clocks, company ---


def test_too_little_memory_is_one_line_and_among_several_models_left_out(
    own: Path, kc_here: Callable[..., Done]
) -> None:
    told = "models.greedy: there was not enough memory for it"
    done = kc_here(own, "train", "tiny", "--model", "greedy", "--quiet")
    assert done.error() == told
    done = kc_here(own, "train", "tiny", "--model", "greedy,ridge", "--quiet", expect=0)
    assert f"greedy is left out: {told}" in done.err
    record = json.loads((only_run(own, "tiny") / "run.json").read_text())
    assert record["budget"]["left_out"] == {"greedy": told}


def test_sigterm_ends_a_command_as_ctrl_c_does_and_it_continues(
    own: Path, tmp_path: Path, kc: Callable[..., Done]
) -> None:
    command = [KC, "--workspace", own, "train", "tiny", "--model", "slow"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("fold "):
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert re.fullmatch(r"interrupted; \d finished folds? (is|are) kept, .*", rest.splitlines()[-1])
    assert "Traceback" not in rest
    assert not list(own.rglob(".unfinished-*"))
    done = kc(own, "train", "tiny", "--model", "slow")
    assert done.err.count("reused") >= 1


def test_a_clock_that_is_set_back_leaves_the_newest_run_the_latest(
    tiny: Callable[..., Path], kc_here: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline import runs
    from pipeline.stages import recording

    work = tiny()
    kc_here(work, "train", "tiny", expect=0)
    first = only_run(work, "tiny").name

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2001, 2, 3, 4, 5, tzinfo=UTC)

    monkeypatch.setattr(recording, "datetime", Earlier)
    monkeypatch.setattr(runs, "datetime", Earlier)
    done = kc_here(work, "train", "tiny", expect=0)
    assert "the clock says 2001-02-03 04:05, before the last run" in done.err
    found = runs.find_run(work / "runs", "tiny")
    assert found.id.startswith("tiny-20010203T040500Z-")
    assert found.id != first
    assert kc_here(work, "fetch", "tiny", "--from", work / "data/tiny/raw", expect=0).code == 0


def test_two_commands_at_once_leave_two_whole_runs(tiny: Callable[..., Path]) -> None:
    work = tiny()
    command = [KC, "--workspace", work, "train", "tiny", "--quiet"]
    both = [
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
        for _ in range(2)
    ]
    ended = [(one.communicate(timeout=300)[1], one.returncode) for one in both]
    assert ended == [("", 0), ("", 0)]
    assert len(submissions(work)) == 2
    assert len(set(submissions(work))) == 1
    assert not list(work.rglob(".unfinished-*"))


def test_two_fetches_at_once_leave_one_whole_set_of_files(
    tiny: Callable[..., Path], tmp_path: Path
) -> None:
    work = tiny()
    before = files_of(work / "data/tiny/raw")
    command = [KC, "--workspace", work, "fetch", "tiny", "--from", tmp_path / "downloaded"]
    both = [
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
        for _ in range(2)
    ]
    for one in both:
        told = one.communicate(timeout=300)[1]
        assert one.returncode == 0 or "another kc fetch is at work" in told
    assert files_of(work / "data/tiny/raw") == before


@pytest.mark.skipif(os.name != "posix", reason="locks of folders are POSIX here")
def test_runs_of_the_same_second_from_several_processes_have_ids_of_their_own(
    tmp_path: Path,
) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline import runs\n"
        "with runs.start_run(Path(sys.argv[1]), 'a', 'b') as run: run.save_text('x', 'y')\n"
    )
    (tmp_path / "runs").mkdir()
    head = "import datetime as d, pipeline.runs as r, time\nr.datetime = type('T', (), {'now': "
    frozen = head + "staticmethod(lambda tz: d.datetime(2024, 1, 1, tzinfo=tz))})\n"
    moment = time.time() + 4
    wait = f"while time.time() < {moment}: pass\n"
    command = [sys.executable, "-c", frozen + wait + code, str(tmp_path / "runs")]
    both = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [one.wait(120) for one in both] == [0, 0, 0]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "a-20240101T000000Z-b", "a-20240101T000000Z-b-2", "a-20240101T000000Z-b-3",
    ]  # fmt: skip
