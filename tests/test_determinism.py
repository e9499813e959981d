"""The same data, seed and versions give the same bytes, whatever process computes them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Done, copy_of, environment, only_run

OPTIONS = {
    "ridge": (),
    "lightgbm": ("--epochs", "40"),
    "random_forest": ("--folds", "2"),
    "catboost": ("--folds", "2", "--epochs", "40"),
    "gaussian_process": ("--folds", "2"),
    "dnn": ("--folds", "2", "--epochs", "3"),
}


@pytest.fixture
def submission(kc: Callable[..., Done], fetched: Path, tmp_path: Path) -> Callable[..., bytes]:
    """Train in a fresh process and a fresh workspace, and return what was written."""

    def train(place: str, model: str, *options: str) -> bytes:
        work = copy_of(fetched, tmp_path / place)
        env = environment(PYTHONHASHSEED=str(len(place)))  # another order of every set
        kc(work, "train", "ddarung", "--model", model, *options, "--quiet", env=env)
        assert "reused" not in (only_run(work, "ddarung") / "train.log").read_text()
        return (only_run(work, "ddarung") / "submission.csv").read_bytes()

    return train


@pytest.mark.slow
@pytest.mark.parametrize("model", OPTIONS)
def test_two_processes_write_the_same_bytes(submission: Callable[..., bytes], model: str) -> None:
    one = submission("one", model, *OPTIONS[model])
    assert submission("another", model, *OPTIONS[model]) == one
    assert one.startswith(b"id,count\n")


@pytest.mark.slow
def test_another_seed_writes_other_bytes(submission: Callable[..., bytes]) -> None:
    options = ("dnn", *OPTIONS["dnn"], "--seed")
    assert submission("one", *options, "1") != submission("another", *options, "2")
