"""A planted secret is in no line, no traceback, no file and no list of processes."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Done, copy_of, environment, files_of, write

from pipeline.stages.hiding import hide_secrets

PLANTED = "planted-9f3c51d7e2"
TELLING = f"""\
import os

def add_features(frame):
    raise ValueError("sent " + os.environ["DACON_TOKEN"] + " to https://x.org/a?sig={PLANTED}")
"""


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DACON_TOKEN", PLANTED)


@pytest.mark.usefixtures("planted")
def test_known_secrets_logins_and_queries_are_hidden(tmp_path: Path) -> None:
    write(tmp_path / "home/.kaggle/access_token", "other-planted-secret")
    text = (
        f"token {PLANTED}, other-planted-secret; http://me:pass@proxy:80/x and "
        "https://a.b/c?X-Signature=1f&x=2, url: /c?token=abc (Caused by), a key"
    )
    assert hide_secrets(text) == (
        "token [hidden], [hidden]; http://[hidden]@proxy:80/x and "
        "https://a.b/c?[hidden] url: /c?[hidden] (Caused by), a key"
    )


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_code_that_tells_a_secret_is_not_quoted(
    trained_tiny: Path, tmp_path: Path, kc: Callable[..., Done], debug: list[str]
) -> None:
    work = copy_of(trained_tiny, tmp_path / "work")
    write(work / "competitions/tiny/features.py", TELLING)
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes().decode(errors="replace"))
                except OSError:
                    continue
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    env = environment(DACON_TOKEN=PLANTED, HOME=str(tmp_path / "home"))
    done = kc(work, *debug, "--trust", "train", "tiny", expect=1, env=env)
    over.set()
    watcher.join()
    assert "sent [hidden] to https://x.org/a?[hidden]" in done.err
    assert ("Traceback" in done.err) == bool(debug)
    assert any("train" in line for line in seen)
    told = [done.out, done.err, *seen]
    assert not [text for text in told if PLANTED in text and "x.org" not in text]
    assert PLANTED not in done.err.replace(TELLING, "")
    changed = files_of(work)
    del changed["competitions/tiny/features.py"]
    assert not [name for name, content in changed.items() if PLANTED.encode() in content]
