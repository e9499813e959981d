"""What the tests of the whole share: the command, its process, and small competitions."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dacon_server import DaconServer
from dacon_server import running as running_dacon
from kaggle_server import KaggleServer, running

os.environ["KC_LANG"] = "en"  # whatever this machine's user speaks
_FONTS = tempfile.TemporaryDirectory()  # where matplotlib keeps its list of fonts
os.environ["MPLCONFIGDIR"] = _FONTS.name
KC = Path(sys.executable).parent / "kc"
SAMPLES = ("bike", "ddarung", "house")
SERIES = ("samsung",)
PRACTICE = (
    "breast_cancer", "california", "cifar10", "cifar100", "diabetes", "digits", "fashion_mnist",
    "iris", "mnist", "wine",
)  # fmt: skip
HELD_BACK = (
    "KC_WORKSPACE", "COLUMNS", "FORCE_COLOR", "NO_COLOR", "CI", "KC_DACON_URL", "KC_DACON_CLIENT",
    "DACON_TOKEN", "DACON_TOKEN_FILE", "DACON_TEAM", "KC_TRUST", "KC_KAGGLE_INPUT",
    "KC_KAGGLE_WORKING", "KAGGLE_KERNEL_RUN_TYPE", "KC_DEVICE", "KC_EXECUTOR", "KC_SCHEDULER",
    "KC_STORAGE",
)  # fmt: skip

TOML = """\
title = "Tiny"
task = "regression"
metric = "rmse"
default_model = "ridge"

[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"

[columns]
id = "id"
target = "price"

[validation]
n_splits = 3
"""
TRAIN = """\
id,size,colour,price
1,10,red,101
2,20,blue,199
3,30,red,305
4,40,blue,398
5,50,red,502
6,60,blue,601
7,70,red,699
8,80,blue,803
9,90,red,897
"""
TEST = """\
id,size,colour
10,15,red
11,25,blue
12,35,red
"""
SAMPLE = """\
id,price
10,0
11,0
12,0
"""


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    def error(self) -> str:
        """Return the one line of a refused command, after checking that it is the only one."""
        assert (self.code, self.out) == (1, ""), self
        assert self.err.startswith("error: "), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.removeprefix("error: ").rstrip("\n")


class _Written(io.TextIOWrapper):
    """A stream that remembers, and can be told its encoding like a real one."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="\n", write_through=True)

    def text(self) -> str:
        return self.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined,no-any-return]


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a command that nothing of this machine's user steers."""
    kept = {name: value for name, value in os.environ.items() if name not in HELD_BACK}
    return {**kept, **changes}


@pytest.fixture(scope="session")
def kc() -> Callable[..., Done]:
    """Run the installed command in a process of its own."""

    def run(
        workspace: Path,
        *arguments: object,
        expect: int | None = 0,
        before: Sequence[str] = (),
        **options: Any,
    ) -> Done:
        command = [*before, str(KC), "--workspace", str(workspace), *map(str, arguments)]
        options.setdefault("env", environment())
        options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
        ended = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", timeout=600, **options
        )
        done = Done(ended.returncode, ended.stdout, ended.stderr)
        assert "\x1b" not in done.out + done.err, "a pipe is no terminal"
        assert expect is None or done.code == expect, done
        return done

    return run


@pytest.fixture
def kc_here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run the command in this process, which is faster; its warnings are errors here."""
    import cli

    def run(workspace: Path, *arguments: object, expect: int | None = None) -> Done:
        monkeypatch.setattr(
            sys, "argv", ["kc", "--workspace", str(workspace), *map(str, arguments)]
        )
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        out, err = _Written(), _Written()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                cli.main()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
        done = Done(code, out.text(), err.text())
        assert expect is None or done.code == expect, done
        return done

    return run


@pytest.fixture
def kaggle_server() -> Iterator[KaggleServer]:
    """A local Kaggle with a competition for each scenario; the real client is led to it by env."""
    with running() as server:
        yield server


@pytest.fixture
def dacon_server() -> Iterator[DaconServer]:
    """A local Dacon that accepts everything until it is told otherwise."""
    with running_dacon() as server:
        yield server


@pytest.fixture(scope="session")
def fetched(tmp_path_factory: pytest.TempPathFactory, kc: Callable[..., Done]) -> Path:
    """A workspace with the synthetic files of every competition; only to be read."""
    workspace = tmp_path_factory.mktemp("fetched")
    for name in SAMPLES:
        kc(workspace, "fetch", name, "--sample")
    return workspace


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, fetched: Path, kc: Callable[..., Done]
) -> Path:
    """A workspace with a finished ridge of ddarung; only to be read."""
    workspace = copy_of(fetched, tmp_path_factory.mktemp("trained") / "work")
    kc(workspace, "train", "ddarung", "--model", "ridge", "--quiet")
    return workspace


@pytest.fixture(scope="session")
def trained_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a finished ridge of "tiny", which no service knows; only to be read."""
    from pipeline import Workspace, fetch, train

    folder = tmp_path_factory.mktemp("tiny")
    for name, content in {"train.csv": TRAIN, "test.csv": TEST, "sample.csv": SAMPLE}.items():
        write(folder / "downloaded" / name, content)
    workspace = folder / "work"
    write(workspace / "competitions" / "tiny" / "competition.toml", TOML)
    fetch(Workspace(workspace), "tiny", folder / "downloaded")
    train(Workspace(workspace), "tiny")
    return workspace


@pytest.fixture
def tiny(tmp_path: Path, kc_here: Callable[..., Done]) -> Callable[..., Path]:
    """Make a workspace that declares the competition "tiny" and has its files."""

    def make(
        train: str | bytes = TRAIN,
        test: str | bytes = TEST,
        sample: str | bytes = SAMPLE,
        *,
        toml: str | bytes = TOML,
        features: str | None = None,
        fetch: bool = True,
    ) -> Path:
        workspace = tmp_path / "work"
        files = {"train.csv": train, "test.csv": test, "sample.csv": sample}
        for name, content in files.items():
            write(tmp_path / "downloaded" / name, content)
        if fetch:
            write(workspace / "competitions" / "tiny" / "competition.toml", TOML)
            kc_here(workspace, "fetch", "tiny", "--from", tmp_path / "downloaded", expect=0)
        write(workspace / "competitions" / "tiny" / "competition.toml", toml)
        if features is not None:
            write(workspace / "competitions" / "tiny" / "features.py", features)
        is_mine(workspace, "tiny")
        return workspace

    return make


def write(path: Path, content: str | bytes) -> None:
    """Write a file as it is, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def is_mine(workspace: Path, name: str) -> None:
    """Let a person say, once, to be the one who writes a competition's Python files."""
    from pipeline.trust import Foreign, Seal

    Seal.of(workspace).accept(Foreign(workspace, "competition", name), mine=True)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder, hidden ones too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def copy_of(workspace: Path, target: Path) -> Path:
    """Return a copy of a workspace that may be changed, as trusted as the workspace itself."""
    from pipeline.trust import Foreign, Seal

    copy = Path(shutil.copytree(workspace, target))
    Seal.of(copy).accept(Foreign(copy, "workspace", str(copy)))
    return copy


def only_run(workspace: Path, name: str) -> Path:
    """Return the folder of a competition's only finished run."""
    (found,) = (workspace / "runs").glob(f"{name}-*")
    return found
