"""Writing that is whole or absent, whatever goes wrong in between."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import storage
from pipeline.errors import StorageError
from pipeline.storage import (
    UNFINISHED,
    alone_in,
    check_writable,
    complete_folder,
    save_bytes,
    save_text,
    scratch_folder,
    storing,
    sweep_unfinished,
)

ROOT = Path(__file__).parents[1]
HEAD = "from pathlib import Path; import os, signal, resource, sys; path = Path(sys.argv[1])\n"
posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits are POSIX here")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def child(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own; `path` is the folder."""
    command = [sys.executable, "-c", HEAD + code, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def refuse(error: OSError) -> Callable[..., Any]:
    def refusing(*_: Any, **__: Any) -> Any:
        raise error

    return refusing


def test_a_file_is_written_with_the_folders_it_needs(tmp_path: Path) -> None:
    save_bytes(tmp_path / "a" / "b" / "c.bin", b"\x00\r\n")
    save_text(tmp_path / "한글.txt", "첫 줄\n둘째\n")
    assert (tmp_path / "a" / "b" / "c.bin").read_bytes() == b"\x00\r\n"
    assert (tmp_path / "한글.txt").read_bytes().decode() == "첫 줄\n둘째\n"
    assert names(tmp_path) == ["a", "b", "c.bin", "한글.txt"]


@pytest.mark.parametrize("function", ["fsync", "open"])
def test_an_error_while_writing_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    path = tmp_path / "file"
    save_bytes(path, b"old")
    full = refuse(OSError(errno.ENOSPC, "No space left on device"))
    owner = {"fsync": storage.os, "open": Path}[function]
    with monkeypatch.context() as patched:
        patched.setattr(owner, function, full)
        with pytest.raises(StorageError) as caught:
            save_bytes(path, b"new")
    assert str(caught.value) == (
        f"{path}: cannot be written: No space left on device; free some space or choose another "
        "--workspace"
    )
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_an_interrupt_while_writing_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    save_bytes(path, b"old")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(storage.os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@posix
def test_a_full_disk_is_a_storage_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    save_bytes(tmp_path / "file", b"old")
    done = child(
        "from pipeline.storage import save_bytes, complete_folder\n"
        "from pipeline.errors import StorageError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: save_bytes(path / 'file', b'n' * 1000)\n"
        "except StorageError as error: print(error)\n"
        "try:\n"
        "    with complete_folder(path / 'run') as folder:\n"
        "        (folder / 'part').write_bytes(b'n' * 1000)\n"
        "except StorageError as error: print(error)\n",
        tmp_path,
    )
    assert done.stderr == ""
    one, other = done.stdout.splitlines()
    assert one.startswith(f"{tmp_path / 'file'}: cannot be written: File too large; free some")
    assert other.startswith(f"{tmp_path / 'run'}: cannot be written: File too large; free some")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_path_below_a_file_is_a_storage_error(tmp_path: Path) -> None:
    save_text(tmp_path / "file", "text")
    below = tmp_path / "file" / "below"
    with pytest.raises(StorageError, match=r"below: cannot be written: "):
        save_bytes(below, b"")
    with (
        pytest.raises(StorageError, match=r"below: cannot be written: "),
        complete_folder(below),
    ):
        pytest.fail("the block must not begin")
    assert (tmp_path / "file").read_text() == "text"


def test_an_error_s_text_stands_in_for_a_missing_reason() -> None:
    with (
        pytest.raises(StorageError, match=r"^x: cannot be written: odd; choose"),
        storing(Path("x")),
    ):
        raise OSError("odd")


# Whole folders


def test_a_folder_is_seen_only_when_its_block_ended_well(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "one"
    with complete_folder(target) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_text("text")
        assert not target.exists()
        assert folder.parent == target.parent
        assert folder.name.startswith(UNFINISHED)
    assert (target / "deep" / "file").read_text() == "text"
    assert names(tmp_path) == ["deep", "file", "one", "runs"]


@pytest.mark.parametrize("error", [ValueError("bug"), KeyboardInterrupt()])
def test_an_error_in_the_block_leaves_nothing_and_is_passed_on(
    tmp_path: Path, error: BaseException
) -> None:
    def fill() -> None:
        with complete_folder(tmp_path / "one") as folder:
            (folder / "file").write_text("text")
            raise error

    with pytest.raises(type(error)):
        fill()
    assert names(tmp_path) == []


def test_a_folder_that_is_there_already_is_kept(tmp_path: Path) -> None:
    def fill(content: str) -> None:
        with complete_folder(tmp_path / "one") as folder:
            (folder / "file").write_text(content)

    fill("first")
    with pytest.raises(StorageError, match=r"one: cannot be written: Directory not empty"):
        fill("second")
    assert (tmp_path / "one" / "file").read_text() == "first"
    assert names(tmp_path) == ["file", "one"]


def test_folders_and_files_may_be_written_inside_one_another(tmp_path: Path) -> None:
    with complete_folder(tmp_path / "a") as a, complete_folder(tmp_path / "b") as b:
        save_text(tmp_path / "ledger", "text")
        sweep_unfinished(tmp_path)
        (a / "in").write_text("a")
        (b / "in").write_text("b")
    assert names(tmp_path) == ["a", "b", "in", "in", "ledger"]


KILLED = (
    "from pipeline.storage import complete_folder\n"
    "with complete_folder(path / 'run') as folder:\n"
    "    (folder / 'part').write_text('half')\n"
    "    os.kill(os.getpid(), signal.SIGKILL)\n"
)
KILLED_IN_A_FILE = (
    "from pipeline import storage\n"
    "storage.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
    "storage.save_bytes(path / 'file', b'half')\n"
)


@posix
@pytest.mark.parametrize("code", [KILLED, KILLED_IN_A_FILE])
def test_what_a_killed_process_leaves_is_hidden_and_swept_by_the_next(
    tmp_path: Path, code: str
) -> None:
    assert child(code, tmp_path).returncode == -signal.SIGKILL
    assert all(path.name.startswith(UNFINISHED) for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 1
    save_text(tmp_path / "next", "text")
    assert names(tmp_path) == ["next"]


@posix
def test_what_an_earlier_process_of_the_same_number_left_is_swept(tmp_path: Path) -> None:
    left = tmp_path / f"{UNFINISHED}{storage._place()}-{os.getpid()}-0a1b2c3d-run"
    left.mkdir()
    with complete_folder(tmp_path / "run"):
        assert not left.exists()
    assert names(tmp_path) == ["run"]


@posix
def test_what_living_processes_and_others_are_writing_is_left_alone(tmp_path: Path) -> None:
    here = f"{UNFINISHED}{storage._place()}"
    kept = [f"{here}-{os.getppid()}-0a1b2c3d-run", f"{here}-1-x", f"{here}-notes"]
    gone = f"{here}-{10**30}-0a1b2c3d-run"
    for name in (*kept, gone):
        (tmp_path / name).mkdir()
    sweep_unfinished(tmp_path)
    assert names(tmp_path) == sorted(kept)


def test_what_another_machine_or_container_is_writing_is_left_for_a_month(tmp_path: Path) -> None:
    kept = [f"{UNFINISHED}x0123abcd-{10**30}-0a1b2c3d-run", f"{UNFINISHED}{10**30}-0a1b2c3d-run"]
    gone = f"{UNFINISHED}x0123abcd-{10**30}-0a1b2c3d-old"
    for name in (*kept, gone):
        (tmp_path / name).mkdir()
    month_ago = time.time() - storage.LEFT_FOR_GOOD - 60
    os.utime(tmp_path / gone, (month_ago, month_ago))
    sweep_unfinished(tmp_path)
    assert names(tmp_path) == sorted(kept)


@posix
def test_another_number_space_of_processes_is_another_place(tmp_path: Path) -> None:
    command = ["unshare", "--pid", "--fork", sys.executable, "-c"]
    code = "from pipeline import storage; print(storage._place())"
    try:
        done = subprocess.run([*command, code], capture_output=True, text=True, cwd=ROOT)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if done.returncode:
        pytest.skip(f"no number space of its own here: {done.stderr}")
    assert done.stdout.strip() != storage._place()


@posix
def test_one_process_at_a_time_is_alone_in_a_folder(tmp_path: Path) -> None:
    code = (
        "from pipeline.storage import alone_in\n"
        "with alone_in(path):\n"
        "    (path / 'in').touch()\n"
        "    import time; time.sleep(600)\n"
    )
    arguments = [sys.executable, "-c", HEAD + code, str(tmp_path)]
    with subprocess.Popen(arguments, cwd=ROOT) as process:
        while not (tmp_path / "in").exists():
            time.sleep(0.01)
        killing = threading.Timer(0.3, process.kill)
        killing.start()
        began = time.monotonic()
        with alone_in(tmp_path):  # a lock ends with its process
            assert time.monotonic() - began > 0.2
    with alone_in(tmp_path / "nowhere"):
        pass


def test_a_folder_is_tried_before_the_work_and_left_empty(tmp_path: Path) -> None:
    check_writable(tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written: Not a directory"):
        check_writable(tmp_path / "file" / "runs")


def test_a_scratch_folder_is_gone_however_its_block_ends(tmp_path: Path) -> None:
    parent = tmp_path / "new" / "work"
    with scratch_folder(parent) as folder:
        save_text(folder / "deep" / "file", "x")
        assert folder.parent == parent
    assert not parent.exists()
    (tmp_path / "mine").mkdir()
    with contextlib.suppress(KeyError), scratch_folder(tmp_path / "mine") as folder:
        save_text(folder / "file", "x")
        raise KeyError
    assert names(tmp_path / "mine") == []


def test_a_scratch_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(StorageError, match="choose another --workspace"),
        scratch_folder(tmp_path / "file"),
    ):
        pass
