"""What others wrote runs only after a person has agreed: keys, signatures, competitions, runs."""

import hashlib
import os
import pickle
import pty
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import joblib
import pytest
from conftest import KC, TOML, Done, copy_of, environment, files_of, only_run, write

from pipeline.cache import Cache
from pipeline.errors import TrustError
from pipeline.progress import Event, listening
from pipeline.trust import Foreign, Seal, trusting

FEATURES = """\
from pathlib import Path

Path({mark!r}).touch()


def add_features(frame):
    return frame.assign(double=2 * frame["size"])
"""


class Evil:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.mark,)


@pytest.fixture
def seal(tmp_path: Path) -> Seal:
    return Seal.of(tmp_path / "work")


@pytest.fixture
def trained(trained_tiny: Path, tmp_path: Path) -> Path:
    return copy_of(trained_tiny, tmp_path / "trained")


# --- the key ---


def test_the_key_is_made_when_something_is_signed_and_only_its_owner_reads_it(seal: Seal) -> None:
    assert not seal.is_own("run", b"content", b"x" * 32)
    assert not seal.folder.exists()
    signature = seal.sign("run", b"content")
    assert seal.is_own("run", b"content", signature)
    assert not seal.is_own("cache", b"content", signature)
    assert not seal.is_own("run", b"contents", signature)
    assert stat.S_IMODE((seal.folder / "key").stat().st_mode) == 0o600
    assert (seal.folder / ".gitignore").read_text() == "*\n"


def test_without_its_key_what_lies_beside_it_says_nothing(tmp_path: Path, seal: Seal) -> None:
    one = Foreign(tmp_path, "run", "one", digest="a")
    seal.accept(one)
    (seal.folder / "key").unlink()
    assert not seal.accepts(one)
    assert seal.is_own("run", b"content", seal.sign("run", b"content"))
    assert not seal.accepts(one)


def test_two_workspaces_sign_differently(tmp_path: Path, seal: Seal) -> None:
    other = Seal.of(tmp_path / "other")
    assert not other.is_own("run", b"content", seal.sign("run", b"content"))
    assert other.sign("run", b"content") != seal.sign("run", b"content")


@pytest.mark.parametrize("copy", ["-r", "-a"])  # -a keeps mode and time, as an archive does
def test_a_copied_workspace_is_not_the_workspace(tmp_path: Path, seal: Seal, copy: str) -> None:
    signature = seal.sign("run", b"content")
    subprocess.run(["cp", copy, tmp_path / "work", tmp_path / "copy"], check=True)
    copied = Seal.of(tmp_path / "copy")
    with pytest.raises(TrustError, match="was copied, restored, or is somebody else's"):
        copied.is_own("run", b"content", signature)
    with trusting():
        assert copied.is_own("run", b"content", signature)
    copied.accept(Foreign(tmp_path / "copy", "workspace", "copy"))
    assert copied.is_own("run", b"content", signature)


def test_a_workspace_that_is_moved_is_still_the_workspace(tmp_path: Path, seal: Seal) -> None:
    signature = seal.sign("run", b"content")
    (tmp_path / "work").rename(tmp_path / "moved")
    assert Seal.of(tmp_path / "moved").is_own("run", b"content", signature)


def test_what_was_agreed_to_holds_until_the_bytes_change(tmp_path: Path, seal: Seal) -> None:
    one = Foreign(tmp_path, "run", "one", digest="a")
    assert not seal.accepts(one)
    seal.accept(one)
    seal.accept(Foreign(tmp_path, "competition", "bike", digest="b"))
    assert seal.accepts(one)
    assert not seal.accepts(Foreign(tmp_path, "run", "one", digest="other"))
    mine = Foreign(tmp_path, "competition", "house", digest="c")
    seal.accept(mine, mine=True)
    assert seal.accepts(Foreign(tmp_path, "competition", "house", digest="later"))


def test_an_agreement_that_somebody_else_wrote_down_is_none(tmp_path: Path, seal: Seal) -> None:
    one = Foreign(tmp_path, "run", "one", digest="a")
    seal.accept(one)
    path = seal.folder / "accepted.json"
    path.write_text(path.read_text().replace('"a"', '"b"'))
    assert not seal.accepts(Foreign(tmp_path, "run", "one", digest="b"))
    path.write_text("no record")
    assert not seal.accepts(one)


# --- finished work ---


def test_a_cached_pickle_of_others_is_never_loaded(tmp_path: Path, seal: Seal) -> None:
    mark, told = tmp_path / "ran", list[Event]()
    other = Cache(tmp_path / "cache", Seal.of(tmp_path / "other"))
    other.save("key", Evil(mark))
    mine = Cache(tmp_path / "cache", seal)
    with listening(told.append):
        assert mine.load("key") is None
    assert not mark.exists()
    assert [one.text for one in told] == [  # type: ignore[union-attr]
        f"{tmp_path / 'cache' / 'key.joblib'}: not written by this workspace, so this part is "
        "made again"
    ]
    with trusting():
        mine.load("key")
    assert mark.exists()


def test_finished_work_under_another_key_is_not_taken_for_it(tmp_path: Path, seal: Seal) -> None:
    kept = Cache(tmp_path / "cache", seal)
    kept.save("one", 1)
    shutil.copy(kept.path("one"), kept.path("two"))
    assert (kept.load("one"), kept.load("two")) == (1, None)


# --- runs ---


def plant(run: Path, mark: Path) -> None:
    """Put estimators into a run that make a file when they are loaded."""
    for path in run.glob("fold-*/estimator.joblib"):
        joblib.dump(Evil(mark), path)


def predict(workspace: Path) -> tuple[object, ...]:
    return ("predict", "tiny", "--input", workspace / "data/tiny/raw/test.csv")


def test_a_runs_own_workspace_predicts_with_it(trained: Path, kc_here: Callable[..., Done]) -> None:
    assert kc_here(trained, *predict(trained), expect=0).out.startswith("id,price\n")


def test_an_estimator_that_was_exchanged_is_refused_before_it_is_loaded(
    trained: Path, tmp_path: Path, kc_here: Callable[..., Done]
) -> None:
    run, mark = only_run(trained, "tiny"), tmp_path / "ran"
    plant(run, mark)
    said = kc_here(trained, *predict(trained)).error()
    assert said.startswith(f"{run}/fold-")
    assert said.endswith(
        "/estimator.joblib: was not written by this workspace, and would run code; if you know who "
        f"wrote it, run kc trust tiny --run {run.name}"
    )
    assert not mark.exists()


def test_python_that_was_put_into_a_run_is_refused_before_it_runs(
    trained: Path, tmp_path: Path, kc_here: Callable[..., Done]
) -> None:
    run, mark = only_run(trained, "tiny"), tmp_path / "ran"
    write(run / "features.py", FEATURES.format(mark=str(mark)))
    assert "features.py: was not written" in kc_here(trained, *predict(trained)).error()
    assert not mark.exists()


def test_a_run_of_somebody_else_predicts_once_a_person_agrees(
    trained: Path, trained_tiny: Path, tmp_path: Path, kc: Callable[..., Done]
) -> None:
    work = copy_of(trained, tmp_path / "mine")
    shutil.rmtree(work / ".kc")
    Seal.of(work).sign("first", b"use")
    run = only_run(work, "tiny")
    assert "was not written by this workspace" in kc(work, *predict(work), expect=1).error()
    theirs = kc(work, "--trust", *predict(work)).out
    assert kc(work, *predict(work), expect=0, env=environment(KC_TRUST="1")).out == theirs
    kc(work, *predict(work), expect=1)  # neither is remembered
    done = kc(work, "trust", "tiny", "--run", run.name, "--yes")
    assert "estimator.joblib: saved objects, which cannot be read" in done.out
    assert kc(work, *predict(work)).out == theirs
    plant(run, tmp_path / "ran")
    assert "was not written by this workspace" in kc(work, *predict(work), expect=1).error()
    assert not (tmp_path / "ran").exists()


def test_a_run_that_names_files_outside_of_it_is_refused(
    trained: Path, tmp_path: Path, kc_here: Callable[..., Done]
) -> None:
    run, mark = only_run(trained, "tiny"), tmp_path / "ran"
    body = pickle.dumps(Evil(mark))
    write(tmp_path / "out" / "k.joblib", hashlib.sha256(body).digest() + bytes(32) + body)
    text = (run / "run.json").read_text()
    (run / "members").mkdir()
    label = os.path.relpath(tmp_path / "out", run / "members")
    member = (
        f'"members": [{{"run": null, "label": "{label}", "weights": [1.0], "keys": ["k"]}}], '
        '"blend": {"scale": "none", "lower": null, "upper": null},'
    )
    write(run / "run.json", text.replace("{", "{" + member, 1))
    assert "k.joblib: was not written" in kc_here(trained, *predict(trained)).error()
    assert not mark.exists()


# --- competitions ---


def foreign(workspace: Path, tmp_path: Path, toml: str = TOML, name: str = "theirs") -> Path:
    """Put somebody else's competition, whose code makes a file, into a workspace."""
    mark = tmp_path / "ran"
    folder = workspace / "competitions" / name
    write(folder / "competition.toml", toml)
    write(folder / "features.py", FEATURES.format(mark=str(mark)))
    return mark


COMMANDS = ["inspect", "clean", "train", "fetch", "ensemble", "submit", "tune"]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_runs_the_code_of_others_unasked(
    tmp_path: Path, trained: Path, kc_here: Callable[..., Done], command: str
) -> None:
    mark = foreign(trained, tmp_path)
    shutil.copytree(trained / "data" / "tiny", trained / "data" / "theirs")
    before = files_of(trained)
    done = kc_here(trained, command, "theirs", *(["--sample"] if command == "fetch" else []))
    assert done.code == 1
    assert not mark.exists()
    assert files_of(trained) == before
    if command != "submit":  # which finds no run first
        assert done.error() == (
            f"{trained}/competitions/theirs/features.py: would run code, and nobody has agreed to "
            "it here; read it, then run kc trust theirs, or kc trust theirs --mine if you wrote it"
        )


def test_code_that_was_agreed_to_is_not_asked_for_until_its_bytes_change(
    tmp_path: Path, trained: Path, kc: Callable[..., Done]
) -> None:
    mark = foreign(trained, tmp_path)
    fetch = ("fetch", "theirs", "--from", trained / "data/tiny/raw")
    done = kc(trained, "trust", "theirs", input="y\n")
    assert str(mark) in done.out  # the code is shown
    assert done.out.endswith("trusted  competition theirs, until its bytes change\n")
    kc(trained, *fetch)
    assert mark.exists()
    toml = trained / "competitions/theirs/competition.toml"
    toml.write_text(toml.read_text().replace("Tiny", "Other"))  # no code
    kc(trained, *fetch)
    features = toml.parent / "features.py"
    features.write_text(features.read_text() + "\n# changed\n")
    assert "nobody has agreed" in kc(trained, *fetch, expect=1).error()
    kc(trained, "trust", "theirs", "--mine", "--yes")
    features.write_text(features.read_text() + "\n# changed by the person\n")
    kc(trained, *fetch)


def test_who_does_not_agree_changes_nothing(
    tmp_path: Path, trained: Path, kc: Callable[..., Done]
) -> None:
    mark = foreign(trained, tmp_path)
    before = files_of(trained)
    assert kc(trained, "trust", "theirs", input="n\n", expect=1).err.endswith("Aborted!\n")
    assert files_of(trained) == before
    assert not mark.exists()


CALLS = {
    "another module's function": '[models.x]\nkind = "subprocess:call"\nargs = ["touch", "MARK"]\n',
    "a method of a column": "[cleaning]\noutliers = \"price.to_csv('MARK') == 1\"\n",
    "a call between backticks that are text": (
        "[cleaning]\noutliers = \"c == '`' or price.to_csv('MARK') == 1 or c == '`'\"\n"
    ),
    "what pandas looks up": "[cleaning]\noutliers = \"@pd.io.os.system('touch MARK') > 0\"\n",
}


@pytest.mark.parametrize("what", CALLS)
def test_a_declaration_that_calls_functions_is_code(
    tmp_path: Path, trained: Path, kc_here: Callable[..., Done], what: str
) -> None:
    mark = tmp_path / "ran"
    toml = TOML + CALLS[what].replace("MARK", str(mark))
    write(trained / "competitions" / "theirs" / "competition.toml", toml)
    shutil.copytree(trained / "data" / "tiny", trained / "data" / "theirs")
    said = kc_here(trained, "train", "theirs", "--model", "ridge").error()
    assert "competition.toml: would run code" in said
    assert not mark.exists()


@pytest.mark.parametrize("place", ["../../data/tiny/raw/x.py", "{folder}/x.py", "deep/x.py"])
def test_a_model_s_file_lies_beside_the_declaration(
    tmp_path: Path, trained: Path, kc_here: Callable[..., Done], place: str
) -> None:
    mark, place = tmp_path / "ran", place.format(folder=tmp_path)
    folder = trained / "competitions" / "theirs"
    write(folder / "competition.toml", TOML + f'[models.x]\nkind = "{place}:make_mine"\n')
    write(folder / place, FEATURES.format(mark=str(mark)))
    said = kc_here(trained, "train", "theirs", "--model", "ridge").error()
    assert "models.x.kind: expected a file beside it, such as models.py:make_mine" in said
    assert not mark.exists()


def test_a_declaration_of_facts_alone_needs_no_agreement(
    tmp_path: Path, trained: Path, kc_here: Callable[..., Done]
) -> None:
    toml = TOML + '[cleaning]\noutliers = "price > 1e9 and (`size` < 3 or not size == 4)"\n'
    write(trained / "competitions" / "theirs" / "competition.toml", toml)
    shutil.copytree(trained / "data" / "tiny", trained / "data" / "theirs")
    kc_here(trained, "train", "theirs", "--model", "ridge", "--quiet", expect=0)


def in_terminal(workspace: Path, answer: str, *arguments: str) -> tuple[int, str]:
    """Return how a command ended, and what a person saw who answered."""
    parent, child = pty.openpty()
    with subprocess.Popen(
        [KC, "--workspace", workspace, *arguments],
        stdin=child, stdout=subprocess.DEVNULL, stderr=child, env=environment(NO_COLOR="1"),
        close_fds=True,
    ) as process:  # fmt: skip
        os.close(child)
        os.write(parent, f"{answer}\n".encode())
        seen = b""
        while True:
            try:
                block = os.read(parent, 4096)
            except OSError:  # the other end is closed
                break
            if not block:
                break
            seen += block
    os.close(parent)
    return process.returncode, seen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(("answer", "again"), [("y", 1), ("m", 0)])
def test_at_a_terminal_the_command_asks_and_goes_on(
    tmp_path: Path, trained: Path, kc: Callable[..., Done], answer: str, again: int
) -> None:
    mark = foreign(trained, tmp_path)
    features = trained / "competitions/theirs/features.py"
    write(features, features.read_text() + "# \x1b[2J\u202e\n")
    shutil.copytree(trained / "data" / "tiny", trained / "data" / "theirs")
    code, seen = in_terminal(trained, "n", "inspect", "theirs")
    assert code == 1
    assert not mark.exists()
    assert "return frame.assign" in seen
    assert r"# \x1b[2J\u202e" in seen  # shown, and steers no terminal
    code, _ = in_terminal(trained, answer, "inspect", "theirs")
    assert code == 0
    assert mark.exists()
    write(features, features.read_text() + "# edited\n")
    kc(trained, "inspect", "theirs", expect=again)


def test_a_new_competition_is_its_makers_own(tmp_path: Path, kc_here: Callable[..., Done]) -> None:
    from test_automatic import SAMPLE, TEST, TRAIN

    work = tmp_path / "work"
    for name, frame in {"train": TRAIN, "test": TEST, "sample_submission": SAMPLE}.items():
        write(tmp_path / "files" / f"{name}.csv", frame.to_csv(index=False))
    kc_here(work, "new", "toy", "--from", tmp_path / "files", "--metric", "rmse", expect=0)
    write(work / "competitions/toy/features.py", FEATURES.format(mark=str(tmp_path / "ran")))
    kc_here(work, "clean", "toy", expect=0)
    assert (tmp_path / "ran").exists()


@pytest.mark.slow
def test_a_keras_file_with_code_of_its_own_is_not_loaded(tmp_path: Path) -> None:
    from pipeline.models.backend import load_keras, model_from_bytes

    keras = load_keras()
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs))
    model.save(tmp_path / "model.keras")
    with pytest.raises(Exception, match=r"(?i)lambda.*unsafe|unsafe.*lambda|safe_mode"):
        model_from_bytes((tmp_path / "model.keras").read_bytes())
