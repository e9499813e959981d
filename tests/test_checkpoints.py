"""A network that is killed while it learns goes on where it was, and ends as if undisturbed."""

import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TOML, environment, only_run

from pipeline.cache import Cache
from pipeline.models import checkpoints
from pipeline.models.checkpoints import Checkpoint, Kept
from pipeline.models.neural import KerasRegressor
from pipeline.progress import EpochEnded, Event, Note, listening
from pipeline.stages.folding import Unfinished

pytestmark = pytest.mark.slow

EPOCHS = 25
MODELS = """
[models.image]
kind = "conv2d"
filters = [4, 4]
dense = [8]
augment = { flip = true, shift = 0.2, rotate = 20, zoom = 0.2 }

[images]
height = 6
width = 6
"""
# A command that keeps each epoch, however short it is.
EAGER = "import sys; from pipeline.models import checkpoints as c; c.SECONDS = 0.0; import cli; "


def images(n: int, *, answers: bool) -> str:
    """Return rows of 6 x 6 pixels, in which the price is that of the left half."""
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (n, 36))
    names = ",".join(f"p{i}" for i in range(36))
    price = pixels[:, :18].mean(axis=1).round(3)
    head = f"id,{names},price\n" if answers else f"id,{names}\n"
    rows = [
        ",".join([str(i), *map(str, row)] + ([str(y)] if answers else []))
        for i, (row, y) in enumerate(zip(pixels, price, strict=True), start=1000)
    ]
    return head + "\n".join(rows) + "\n"


@pytest.fixture
def competition(tiny: Callable[..., Path]) -> Path:
    """A workspace whose competition is of images, and has a network for them."""
    test = images(3, answers=False)
    sample = "id,price\n" + "".join(f"{1000 + i},0\n" for i in range(3))
    return tiny(images(48, answers=True), test, sample, toml=TOML + MODELS)


def command(workspace: Path, *options: str) -> list[str]:
    """Return the command that trains, and keeps each epoch."""
    train = ["--workspace", str(workspace), "train", "tiny", "--model", "image", "--folds", "2"]
    limits = ["--epochs", str(EPOCHS), "--patience", str(EPOCHS), "--verbose", "2", *options]
    run = f"sys.argv = {['kc', *train, *limits]!r}; cli.main()"
    return [sys.executable, "-c", EAGER + run]


def run_on(workspace: Path, *options: str) -> str:
    """Run the command to its end, and return what it told."""
    done = subprocess.run(
        command(workspace, *options), capture_output=True, text=True, env=environment(), timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def kill_in(workspace: Path, nth: int) -> None:
    """Run the command, and kill it after the third epoch of the nth network."""
    with subprocess.Popen(
        command(workspace),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(),
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            nth -= line.startswith(f"epoch    3/{EPOCHS} ")
            if not nth:
                break
        process.kill()
    assert process.returncode == -signal.SIGKILL


def test_a_network_killed_in_the_middle_of_a_fold_ends_in_the_same_bytes(competition: Path) -> None:
    cache = competition / "data" / "tiny" / "cache"
    kill_in(competition, 2)
    assert list((competition / "runs").glob("tiny-*")) == []
    assert len(list(cache.glob("*.*.joblib"))) == 2, "of the first fold's network, and the second's"
    told = run_on(competition, "--resume")
    assert told.count("train    goes on after epoch ") == 1
    assert "epoch    1/25 " not in told
    resumed = only_run(competition, "tiny")
    assert list(cache.glob("*.*.joblib")) == [], "what is finished needs no checkpoint"

    told = run_on(competition, "--fresh")
    assert told.count("epoch    1/25 ") == 2, "both folds from their first epoch"
    assert "reused" not in told
    (undisturbed,) = set((competition / "runs").glob("tiny-*")) - {resumed}
    for name in ("submission.csv", "oof.csv", "fold-0/history.csv", "fold-1/history.csv"):
        assert (resumed / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_fresh_forgets_what_was_begun(tmp_path: Path) -> None:
    begun = Unfinished(Cache(tmp_path), "work")
    begun.save("0-42", [1])
    Unfinished(Cache(tmp_path), "other").save("0-42", [2])
    Cache(tmp_path).save("work", [3])
    assert begun.load("0-42") == [1]
    begun.clear()
    assert begun.load("0-42") is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.0-42.joblib", "work.joblib"]


class Memory:
    """A store that remembers what it was told, and when."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.times: list[float] = []

    def load(self, name: str) -> Any | None:
        return pickle.loads(self.kept[name]) if name in self.kept else None

    def save(self, name: str, state: Any) -> None:
        self.kept[name] = pickle.dumps(state)
        self.times.append(time.monotonic())


X = np.random.default_rng(0).normal(size=(40, 4))
KINDS = {
    "conv1d": {"filters": [2], "dense": []},
    "gru": {"units": [2, 2], "dense": [4], "dropout": 0.3},
    "dnn": {"units": [4], "dropout": 0.3},
}


def fitted(
    store: Memory | None, max_seconds: float | None = None, kind: str = "conv1d", **parameters: Any
) -> Any:
    """Return a network that has learned what the columns sum to."""
    network = f"pipeline.models.networks:{kind}"
    model = KerasRegressor(network=network, network_parameters=KINDS[kind], **parameters)
    later: list[Any] = []
    model.fit(X, X.sum(axis=1), later=later)
    (rows,) = [rows for _, rows in later]
    KerasRegressor.fit_together([model], [rows], max_seconds, store=store)
    return model


def test_a_short_training_is_kept_at_its_end_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Memory()
    fitted(store, epochs=8)
    assert len(store.times) == 1
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    fitted(store := Memory(), epochs=8)
    assert len(store.times) == 8


def test_a_finished_network_among_unfinished_ones_is_not_trained_again() -> None:
    store, told = Memory(), list[Event]()
    first = fitted(store, epochs=8)
    with listening(told.append):
        again = fitted(store, epochs=8)
    assert np.array_equal(first.predict(X), again.predict(X))
    assert first.history_ == again.history_
    assert [event for event in told if not isinstance(event, Note)] == []


@pytest.mark.parametrize("kind", ["gru", "dnn"])
def test_an_interrupted_network_goes_on_to_the_same_bits(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    options: dict[str, Any] = {"kind": kind, "epochs": 12, "n_seeds": 2, "schedule": "one_cycle"}
    store, told = Memory(), list[Event]()

    def interrupt(event: Event) -> None:
        if isinstance(event, EpochEnded) and len(store.times) >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), listening(interrupt):
        fitted(store, **options)
    with listening(told.append):
        resumed = fitted(store, **options)
    assert any("goes on after epoch" in event.text for event in told if isinstance(event, Note))
    undisturbed = fitted(None, **options)
    assert np.array_equal(resumed.predict(X), undisturbed.predict(X))
    assert resumed.histories_ == undisturbed.histories_
    assert resumed.best_epochs_ == undisturbed.best_epochs_


def test_what_a_budget_shortened_is_gone_on_with_only_under_a_budget() -> None:
    class Store(Memory):
        def load(self, name: str) -> Any:
            return Checkpoint(epoch=4, planned=6, values=[], facts={})

    kept = Kept(Store(), "network")
    assert kept.load(30, has_deadline=False) is None
    assert kept.load(30, has_deadline=True) is not None
    assert kept.load(6, has_deadline=False) is not None


def test_a_schedule_comes_to_its_end_within_the_time() -> None:
    began = time.monotonic()
    model = fitted(None, max_seconds=4.0, epochs=100_000, schedule="one_cycle")
    assert model.stopped_by_time_
    assert time.monotonic() - began < 40
    assert 1 < len(model.history_["loss"]) < 100_000


def test_networks_one_after_the_other_share_the_time() -> None:
    model = fitted(None, max_seconds=6.0, epochs=100_000, n_seeds=3, patience=100_000)
    lengths = [len(history["loss"]) for history in model.histories_]
    assert min(lengths) > 0.1 * max(lengths), lengths
