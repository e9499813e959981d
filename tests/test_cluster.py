"""Units on a Dask cluster: real schedulers and workers, kills, and what a shared folder holds."""

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import KC, TOML, Done, environment, files_of, only_run, write
from pages import Page, check_understood, commands_of

from pipeline.cache import Cache
from pipeline.errors import ModelError, StorageError, UsageError, WorkerError
from pipeline.progress import Event, listening
from pipeline.stages.placing import Where
from pipeline.trust import GivenKey, Seal
from pipeline.workspace import Workspace

pytest.importorskip("distributed")
from pipeline.cluster import client
from pipeline.cluster.folder import SharedFolder
from pipeline.cluster.kept import SharedCache
from pipeline.cluster.remote import Facts

ENOUGH = 120.0  # seconds for anything, on a machine that has much else to do
OWN = """\
import os
import time
import uuid
from pathlib import Path

from sklearn.linear_model import LinearRegression


class Slow(LinearRegression):
    def fit(self, X, y):
        Path({place!r}, f"begun-{{uuid.uuid4().hex}}").touch()
        while Path({place!r}, "wait").exists():
            time.sleep(0.05)
        super().fit(X, y)
        Path({place!r}, f"fitted-{{uuid.uuid4().hex}}").touch()
        return self


def make_slow(task, seed):
    return Slow()
"""
SLOW = TOML + '[models.slow]\nkind = "models.py:make_slow"\n'


def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    over = time.monotonic() + ENOUGH
    while not is_so():
        assert time.monotonic() < over, f"never: {what}"
        time.sleep(0.05)


@dataclass
class Dask:
    """A scheduler of its own folder and port, and the workers that were added to it."""

    folder: Path
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """Where the scheduler says how it is reached."""
        return self.folder / "scheduler.json"

    @property
    def address(self) -> str:
        """How the scheduler is reached."""
        return str(json.loads(self.file.read_text())["address"])

    def begin(self) -> None:
        """Begin the scheduler, and wait until it is there."""
        self._begin("scheduler", "scheduler", "--port", "0")
        until(lambda: self.file.is_file() and self.file.read_text() != "", "a scheduler")

    def add(self, name: str, **changes: str) -> "subprocess.Popen[bytes]":
        """Begin a worker of one thread."""
        more = ("--no-nanny", "--nthreads", "1", "--name", name, "--local-directory")
        return self._begin(name, "worker", *more, str(self.folder / name), **changes)

    def end(self) -> None:
        """End all of it."""
        for process in self.processes.values():
            process.kill()
            process.wait()

    def _begin(self, name: str, kind: str, *more: str, **changes: str) -> Any:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--host", "127.0.0.1"]
        common = ("--scheduler-file", str(self.file), "--no-dashboard")
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [*command, *common, *more], stdout=log, stderr=log, cwd=self.folder,
                env=environment(**changes),
            )  # fmt: skip
        return self.processes[name]


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    found = Dask(tmp_path / "dask")
    found.folder.mkdir()
    try:
        found.begin()
        yield found
    finally:
        found.end()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where fits leave marks."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def slow(tiny: Callable[..., Path], place: Path) -> Path:
    """A workspace with a model whose fits wait while there is place/wait."""
    workspace = tiny(toml=SLOW)
    write(workspace / "competitions/tiny/models.py", OWN.format(place=str(place)))
    return workspace


def marks(place: Path, kind: str) -> int:
    return len(list(place.glob(f"{kind}-*")))


def away(dask: Dask, tmp_path: Path) -> list[str]:
    return ["--scheduler", str(dask.file), "--storage", str(tmp_path / "storage")]


def begin(told: Path, workspace: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    with told.open("wb") as file:
        return subprocess.Popen(
            [str(KC), "--workspace", str(workspace), *arguments],
            stdout=file, stderr=file, env=environment(),
        )  # fmt: skip


def numbers(run: Path) -> dict[str, bytes]:
    """Return the files of a run that only depend on data, seed and versions."""
    known = files_of(run)
    return {name: known[name] for name in ("submission.csv", "oof.csv", "test.csv")}


def at_home(kc: Callable[..., Done], workspace: Path, *arguments: str) -> dict[str, bytes]:
    """Train anew on this machine alone, and return the numbers of that run."""
    kc(workspace, "train", "tiny", *arguments, "--executor", "local", "--fresh")
    return numbers(sorted((workspace / "runs").glob("tiny-*"))[-1])


@pytest.mark.slow
def test_a_killed_worker_costs_one_unit_and_one_that_comes_later_takes_over(
    dask: Dask, slow: Path, place: Path, tmp_path: Path, kc: Callable[..., Done]
) -> None:
    (place / "wait").touch()
    told = tmp_path / "told"
    command = begin(told, slow, "train", "tiny", "--model", "slow", *away(dask, tmp_path))
    until(lambda: "no workers yet" in told.read_text(), "a line about workers")
    first = dask.add("first")
    until(lambda: marks(place, "begun") == 1, "a fit")
    first.send_signal(signal.SIGKILL)
    (place / "wait").unlink()
    dask.add("second")
    assert command.wait(timeout=ENOUGH) == 0, told.read_text()
    assert "warning  worker first is gone; 0 slots left" in told.read_text()
    n_fits = marks(place, "fitted")
    run = only_run(slow, "tiny")
    assert len(json.loads((run / "run.json").read_text())["folds"]) == 3
    assert numbers(run) == at_home(kc, slow, "--model", "slow")
    at_home_fits = marks(place, "fitted") - n_fits
    assert n_fits - at_home_fits in (0, 1)  # the lost one may have ended before its process did


@pytest.mark.slow
def test_a_killed_command_costs_nothing_not_even_what_was_being_fitted(
    dask: Dask, slow: Path, place: Path, tmp_path: Path, kc: Callable[..., Done]
) -> None:
    dask.add("first")
    (place / "wait").touch()
    train = ("train", "tiny", "--model", "slow", *away(dask, tmp_path))
    command = begin(tmp_path / "told", slow, *train)
    until(lambda: marks(place, "begun") == 1, "a fit")
    command.send_signal(signal.SIGKILL)
    command.wait()
    (place / "wait").unlink()
    until(lambda: marks(place, "fitted") == 1, "the end of what nobody waits for")
    kept = tmp_path / "storage"
    until(lambda: len(list(kept.glob("*/done-*"))) == 1, "its result")
    kc(slow, *train)
    n_fits = marks(place, "fitted")
    assert marks(place, "begun") == n_fits
    assert numbers(only_run(slow, "tiny")) == at_home(kc, slow, "--model", "slow")
    assert marks(place, "fitted") == 2 * n_fits  # so that none was made twice
    assert not list(kept.glob("*/done-*")), "results that were read are gone"


@pytest.mark.slow
def test_a_budget_that_bears_everything_gives_the_same_bytes_on_a_cluster(
    dask: Dask, tiny: Callable[..., Path], tmp_path: Path, kc: Callable[..., Done]
) -> None:
    workspace = tiny()
    dask.add("one")
    dask.add("two")
    models = ("--model", "ridge,lasso", "--time", "100s")
    ended = kc(workspace, "train", "tiny", *models, *away(dask, tmp_path))
    run = only_run(workspace, "tiny")
    record = json.loads((run / "run.json").read_text())
    assert record["budget"]["left_out"] == {}
    assert {one["label"] for one in record["members"]} == {"ridge", "lasso"}
    assert "its fits could not be kept" not in ended.err
    for member in record["members"]:
        if any(member["weights"]):
            names = {path.stem for path in (run / "members" / member["label"]).glob("*.joblib")}
            assert names == set(member["keys"])
    assert numbers(run) == at_home(kc, workspace, *models)


@pytest.mark.slow
def test_a_scheduler_that_is_gone_is_one_line(
    dask: Dask, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    where = Where("dask", str(dask.file), str(tmp_path / "storage"))
    told: list[Event] = []
    with listening(told.append), where.begin_cluster(Workspace(tmp_path), dict) as slots:
        assert len(slots) == 0
        assert not slots.is_idle, "without workers all work waits"
        dask.processes["scheduler"].kill()
        with pytest.raises(WorkerError, match="the scheduler is gone; what was finished is kept"):
            slots.wait(ENOUGH)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_work_is_ended_where_it_is_done_and_errors_come_back_as_they_are(
    dask: Dask, place: Path, tmp_path: Path
) -> None:
    dask.add("one")
    where = Where("dask", str(dask.file), str(tmp_path / "storage"))
    with where.begin_cluster(Workspace(tmp_path), dict) as slots:
        until(lambda: slots.wait(0.1) == [] and len(slots) == 1, "a slot")
        (slot,) = slots.free
        assert slot.name == "one"
        slot.do(time.sleep, 3600)
        assert slots.wait(0.5) == []
        slot.begin_anew()
        assert slots.is_idle
        slot.do(len, "abc")
        (ended,) = slots.wait(ENOUGH)
        assert (ended.work, ended.result, ended.error) == ("abc", 3, None)
        slot.do(os._exit, 1)
        (ended,) = slots.wait(ENOUGH)
        assert "2 workers died of it, one after the other" in str(ended.error)
        slot.do(client.connect, "nowhere.json")
        (ended,) = slots.wait(ENOUGH)
        assert isinstance(ended.error, WorkerError)
        slot.do(len, 1)
        with pytest.raises(RuntimeError, match="has no len"):
            slots.wait(ENOUGH)
        slot.do(time.sleep, 3600)
        slots.wait(0.5)
    children = subprocess.run(
        ["ps", "--no-headers", "--ppid", str(dask.processes["one"].pid)],
        capture_output=True, check=False,
    )  # fmt: skip
    assert children.stdout == b"", "what was being done has ended with the command"


@pytest.mark.slow
def test_a_worker_with_other_packages_is_named_and_not_made_use_of(
    dask: Dask, tiny: Callable[..., Path], tmp_path: Path, kc: Callable[..., Done]
) -> None:
    other = tmp_path / "other" / "joblib-0.0.1.dist-info"
    write(other / "METADATA", "Metadata-Version: 2.1\nName: joblib\nVersion: 0.0.1\n")
    known = os.environ.get("PYTHONPATH", "")
    dask.add("old", PYTHONPATH=os.pathsep.join([str(other.parent), *known.split(os.pathsep)]))
    address = dask.address
    workspace, arguments = tiny(), away(dask, tmp_path)
    until(lambda: "Registered to" in (dask.folder / "old.log").read_text(), "a worker")
    told = kc(workspace, "train", "tiny", *arguments, expect=1).error()
    assert "worker old has joblib 0.0.1 (here " in told
    assert address.startswith("tcp://127.0.0.1:")


def test_no_scheduler_is_one_line_within_seconds() -> None:
    with pytest.raises(WorkerError, match="no Dask scheduler answers there within 1 s"):
        client.connect("tcp://127.0.0.1:1", seconds=1)
    with pytest.raises(WorkerError, match="there is no such file yet"):
        client.connect("nowhere.json")


def test_what_is_not_said_is_asked_for(
    tiny: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    workspace = tiny()
    told = kc_here(workspace, "train", "tiny", "--executor", "dask").error()
    assert "name its scheduler by --scheduler" in told
    told = kc_here(workspace, "train", "tiny", "--scheduler", "tcp://127.0.0.1:1").error()
    assert "name a folder that this machine and all workers may write to by --storage" in told
    told = kc_here(workspace, "train", "tiny", "--executor", "dusk").error()
    assert told == "--executor: 'dusk'; did you mean 'dask'?"


def test_a_scheduler_named_by_the_environment_is_taken_unless_the_executor_is_local(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Where().is_here
    monkeypatch.setenv("KC_SCHEDULER", "tcp://127.0.0.1:1")
    assert not Where().is_here
    assert Where(executor="local").is_here


def test_without_dask_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r'run pip install "kc\[dask\]"'):
        client.check_installed()


def test_what_is_no_address_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected an address such as tcp://"):
        client.connect("nothing://nowhere", seconds=1)


@pytest.fixture
def shared(tmp_path: Path) -> SharedCache:
    return SharedCache(SharedFolder.at(str(tmp_path / "shared")), GivenKey(b"1" * 32))


class Planted:
    """What runs code when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def test_what_another_key_has_signed_in_a_shared_folder_is_not_loaded(
    shared: SharedCache, tmp_path: Path
) -> None:
    theirs = SharedCache(shared.folder, GivenKey(b"2" * 32))
    theirs.save("a", Planted(tmp_path / "ran"))
    (planted,) = (tmp_path / "shared" / theirs.key.name).iterdir()
    ours = tmp_path / "shared" / shared.key.name / planted.name
    ours.parent.mkdir()
    ours.write_bytes(planted.read_bytes())
    told: list[Event] = []
    with listening(told.append):
        assert shared.load("a") is None
    assert "not written by this workspace" in str(told[0])
    assert not (tmp_path / "ran").exists()


def test_a_shared_result_is_whole_or_absent_and_another_ones_name_does_not_fit(
    shared: SharedCache, tmp_path: Path
) -> None:
    shared.save("a", [1, 2])
    assert shared.load("a") == [1, 2]
    folder = tmp_path / "shared" / shared.key.name
    (folder / "b.joblib").write_bytes((folder / "a.joblib").read_bytes())
    (folder / "c.joblib").write_bytes((folder / "a.joblib").read_bytes()[:-1])
    with listening(lambda event: None):
        assert shared.load("b") is None
        assert shared.load("c") is None
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_forgetting_what_was_begun_keeps_what_is_finished(shared: SharedCache) -> None:
    shared.save("a", "finished")
    shared.save("a.network", "begun")
    shared.clear("a.")
    assert shared.has("a")
    assert not shared.has("a.network")
    assert shared.take("a") == "finished"
    assert not shared.has("a")


def test_a_cache_brings_what_was_finished_elsewhere_and_signs_it_as_its_own(
    shared: SharedCache, tmp_path: Path
) -> None:
    seal = Seal.of(tmp_path)
    cache = Cache(tmp_path / "cache", seal, shared)
    assert not cache.has("a")
    shared.save("a", [1, 2])
    assert cache.has("a")
    assert Cache(tmp_path / "cache", seal).load("a") == [1, 2]


def test_a_lent_key_is_always_the_same_and_is_shown_nowhere(tmp_path: Path) -> None:
    seal = Seal.of(tmp_path)
    lent = seal.lend("one purpose")
    assert lent == seal.lend("one purpose")
    assert lent != seal.lend("another")
    assert lent.key not in ((tmp_path / ".kc" / "key").read_bytes(), b"")
    assert repr(lent) == "GivenKey()"


def test_any_file_system_will_do(tmp_path: Path) -> None:
    folder = SharedFolder.at("memory://kc-test/folder")
    folder.check_writable()
    folder.write("a/b", b"one")
    folder.write("a/b", b"two")
    assert folder.read("a/b") == b"two"
    write(tmp_path / "here", "three")
    folder.put(tmp_path / "here", "a/c")
    folder.get("a/c", tmp_path / "there")
    assert (tmp_path / "there").read_bytes() == b"three"
    folder.remove("a/b")
    folder.remove("a/b")
    assert folder.read("a/b") is None


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / "file", "")
    with pytest.raises(StorageError, match="--storage"):
        SharedFolder.at(str(tmp_path / "file")).check_writable()
    with pytest.raises(StorageError, match="nothing"):
        SharedFolder.at("nothing://here").check_writable()


def test_versions_are_compared_by_name() -> None:
    ours = Facts("1234567890", {"Python": "3.11.7", "numpy": "2.0.0"})
    assert ours.unlike(ours) == ""
    theirs = Facts("abcdefghij", {"Python": "3.11.7", "scipy": "1.0.0"})
    assert ours.unlike(theirs) == (
        "has kc abcdefgh (here 12345678), numpy none (here 2.0.0), scipy 1.0.0 (here none)"
    )


def test_a_key_of_a_workspace_never_leaves_it(tmp_path: Path) -> None:
    with contextlib.suppress(UsageError):
        Where(executor="dask").begin_cluster(Workspace(tmp_path), print)
    assert not (tmp_path / ".kc").exists()
    assert pickle.loads(pickle.dumps(GivenKey(b"1"))).key == b"1"


def test_the_commands_of_its_page_are_understood() -> None:
    page = Page(Path(__file__).parents[1] / "docs" / "cluster.md")
    typed = [
        words
        for block in page.blocks()
        if block.language == "text" and "#SBATCH" not in block.text
        for words in commands_of(block.text)
        if words[0] == "kc"
    ]
    assert len(typed) == 4
    for words in typed:
        check_understood(words)
