"""Many models in one command: what the run holds, and what becomes of it whatever happens."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import KC, TOML, Done, copy_of, environment, files_of, only_run, write

pytestmark = pytest.mark.slow

QUICK = ("--model", "ridge,knn", "--quiet")


def rows(n: int, first: int = 1, seed: int = 0) -> pd.DataFrame:
    """Return rows of a price that follows size and colour, but for noise."""
    rng = np.random.default_rng(seed)
    size, colour = rng.normal(50, 10, n).round(2), rng.choice(["red", "blue"], n)
    price = (3 * size + 20 * (colour == "red") + rng.normal(0, 5, n)).round(2)
    ids = np.arange(first, first + n)
    return pd.DataFrame({"id": ids, "size": size, "colour": colour, "price": price})


TRAIN, TEST = rows(90), rows(30, first=101, seed=1).drop(columns="price")
SAMPLE = TEST[["id"]].assign(price=0)


@pytest.fixture
def made(tiny: Callable[..., Path]) -> Callable[..., Path]:
    """Make the workspace of a competition of ninety rows."""

    def make(**changes: Any) -> Path:
        frames = {"train": TRAIN, "test": TEST, "sample": SAMPLE}
        texts = {name: frame.to_csv(index=False) for name, frame in frames.items()}
        return tiny(**texts | changes)

    return make


def record(workspace: Path) -> dict[str, Any]:
    return json.loads((only_run(workspace, "tiny") / "run.json").read_text())  # type: ignore[no-any-return]


def test_several_models_leave_one_run_of_their_blend(
    made: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    workspace = made()
    done = kc_here(workspace, "train", "tiny", *QUICK, "--time", "2m", expect=0)
    run, found = only_run(workspace, "tiny"), record(workspace)
    assert [one["label"] for one in found["members"]] == ["ridge", "knn"]
    assert found["members"][0]["score"] < found["members"][1]["score"]
    assert sum(one["weights"][0] for one in found["members"]) == pytest.approx(1)
    assert found["members"][0]["repeats"] == 8  # nothing else was left to do
    assert found["members"][0]["refits"] == 1
    assert found["budget"] == {
        "seconds": 120.0, "is_finished": True, "interrupted": False, "left_out": {},
    }  # fmt: skip
    assert found["score"] == pytest.approx(7, rel=0.2)
    assert f"rmse {found['score']:.5f}" in done.out
    assert len(pd.read_csv(run / "submission.csv")) == 30
    oof = pd.read_csv(run / "oof.csv")
    assert sorted(oof["fold"].unique()) == [0, 1, 2]
    error = np.sqrt(np.mean((oof["prediction_price"] - oof["target_price"]) ** 2))
    assert error == pytest.approx(found["score"])


def test_the_run_predicts_new_rows_as_it_predicted_the_test(
    made: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    workspace = made()
    kc_here(workspace, "train", "tiny", *QUICK, expect=0)
    test_file = workspace / "data/tiny/raw/test.csv"
    kc_here(workspace, "cache", "clear", "tiny", expect=0)  # the run stands on its own
    done = kc_here(workspace, "predict", "tiny", "--input", test_file, expect=0)
    submitted = pd.read_csv(only_run(workspace, "tiny") / "submission.csv")
    predicted = [float(line.split(",")[1]) for line in done.out.splitlines()[1:]]
    assert predicted == pytest.approx(submitted["price"].tolist())


def test_two_commands_with_time_enough_write_the_same_bytes(
    made: Callable[..., Path], kc: Callable[..., Done], tmp_path: Path
) -> None:
    one = made()
    another = copy_of(one, tmp_path / "another")
    for workspace, seed in ((one, "1"), (another, "2")):
        kc(workspace, "train", "tiny", *QUICK, env=environment(PYTHONHASHSEED=seed))
    texts = [(only_run(place, "tiny") / "submission.csv").read_bytes() for place in (one, another)]
    assert texts[0] == texts[1]


def test_what_weighs_predicts_the_test_by_its_fits_on_all_rows(
    made: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    workspace = made()
    kc_here(workspace, "train", "tiny", "--model", "lightgbm", "--quiet", expect=0)
    run = only_run(workspace, "tiny")
    alone = json.loads((run / "run.json").read_text())
    assert [one["valid_rows"] for one in alone["refits"]] == [0, 0, 0]
    assert alone["predicting_folds"] == [3, 4, 5]
    subprocess.run(["rm", "-rf", run], check=True)
    kc_here(workspace, "train", "tiny", "--model", "lightgbm,knn", "--quiet", expect=0)
    first = next(one for one in record(workspace)["members"] if one["label"] == "lightgbm")
    assert first["refits"] == 3
    assert len([*(only_run(workspace, "tiny") / "members/lightgbm").iterdir()]) == 3


def test_other_test_rows_change_no_out_of_fold_prediction(
    made: Callable[..., Path], kc_here: Callable[..., Done], tmp_path: Path
) -> None:
    workspace = made()
    kc_here(workspace, "train", "tiny", *QUICK, expect=0)
    before = (only_run(workspace, "tiny") / "oof.csv").read_bytes()
    other = TEST.assign(size=TEST["size"] * 100)
    write(tmp_path / "downloaded/test.csv", other.to_csv(index=False))
    swapped = copy_of(workspace, tmp_path / "swapped")
    for place in ("runs", "data"):
        subprocess.run(["rm", "-rf", swapped / place], check=True)
    kc_here(swapped, "fetch", "tiny", "--from", tmp_path / "downloaded", expect=0)
    kc_here(swapped, "train", "tiny", *QUICK, expect=0)
    assert (only_run(swapped, "tiny") / "oof.csv").read_bytes() == before
    assert record(swapped)["score"] == record(workspace)["score"]


def test_the_same_command_again_finds_all_its_fits(
    made: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    workspace = made()
    kc_here(workspace, "train", "tiny", *QUICK, expect=0)
    kept = files_of(workspace / "data/tiny/cache")
    submitted = (only_run(workspace, "tiny") / "submission.csv").read_bytes()
    kc_here(workspace, "train", "tiny", *QUICK, expect=0)
    assert files_of(workspace / "data/tiny/cache").items() >= kept.items()
    again = sorted((workspace / "runs").glob("tiny-*"))[-1]
    assert (again / "submission.csv").read_bytes() == submitted


def test_folds_forward_in_time_predict_the_test_by_a_fit_on_all_rows(
    made: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    dated = TOML.replace('id = "id"', 'id = "id"\ntime = "size"')
    workspace = made(toml=dated.replace("n_splits = 3", 'n_splits = 3\nscheme = "time"'))
    kc_here(workspace, "train", "tiny", *QUICK, expect=0)
    oof = pd.read_csv(only_run(workspace, "tiny") / "oof.csv")
    assert (oof["fold"] == -1).sum() == 45  # the earlier half is only learned from
    test_file = workspace / "data/tiny/raw/test.csv"
    done = kc_here(workspace, "predict", "tiny", "--input", test_file, expect=0)
    submitted = pd.read_csv(only_run(workspace, "tiny") / "submission.csv")["price"]
    predicted = [float(line.split(",")[1]) for line in done.out.splitlines()[1:]]
    assert predicted == pytest.approx(submitted.tolist())


OWN = """\
import os
import signal

from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression


class Dying(LinearRegression):
    def fit(self, X, y):
        os.kill(os.getpid(), signal.SIGKILL)


def make_dying(task, seed):
    return Dying()


def make_mean(task, seed):
    return DummyRegressor()
"""
DYING = TOML + '\n[models.dying]\nkind = "models.py:make_dying"\n'


def test_a_model_that_kills_its_process_is_named_and_the_others_go_on(
    made: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    workspace = made(toml=DYING + '\n[models.mean]\nkind = "models.py:make_mean"\n')
    write(workspace / "competitions/tiny/models.py", OWN)
    done = kc_here(workspace, "train", "tiny", "--model", "dying,ridge,mean", expect=0)
    assert "dying is left out: its process died" in done.err
    found = record(workspace)
    assert [one["label"] for one in found["members"]] == ["ridge", "mean"]
    assert found["budget"]["left_out"]["dying"].startswith("its process died")


def test_of_a_model_that_cannot_be_fitted_on_all_rows_the_folds_fits_predict(
    made: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    workspace = made(toml=TOML + "\n[models.kernel_ridge]\nmax_rows = 80\n")  # 60 of 90 a fold
    done = kc_here(workspace, "train", "tiny", "--model", "kernel_ridge,", expect=0)
    start = "kernel_ridge is predicted by its folds' fits, without that on all rows, fit 1: "
    assert start in done.err
    (member,) = record(workspace)["members"]
    assert (member["label"], member["refits"]) == ("kernel_ridge", 0)


def test_if_no_model_can_be_fitted_the_first_reason_is_told(
    made: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    workspace = made(toml=DYING)
    write(workspace / "competitions/tiny/models.py", OWN)
    done = kc_here(workspace, "train", "tiny", "--model", "dying,", expect=1)
    told = "error: models.dying: its process died, perhaps of too little memory"
    assert done.err.splitlines()[-1] == told
    assert not list((workspace / "runs").glob("tiny-*"))


def test_epochs_belong_to_one_model(
    made: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    done = kc_here(made(), "train", "tiny", "--model", "auto", "--epochs", "3")
    assert done.error() == "--epochs: name the one model that it is for by --model"


def test_a_name_among_several_that_is_no_model_is_told(
    made: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    done = kc_here(made(), "train", "tiny", "--model", "ridge,lightgmb")
    assert done.error() == "no model 'lightgmb'; did you mean 'lightgbm'?"


def start(workspace: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a long training, with its lines to be read from stderr."""

    def hear_ctrl_c() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(
        [KC, "--workspace", workspace, "train", "ddarung", "--time", "20m", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=environment(), preexec_fn=hear_ctrl_c,
    )  # fmt: skip


def wait_for(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(word):
            return
    raise AssertionError(f"the command ended before it said {word!r}")


def check_whole(run: Path) -> None:
    assert len(pd.read_csv(run / "submission.csv")) == 717
    assert {"run.json", "oof.csv", "test.csv", "train.log", "members"} <= {
        path.name for path in run.iterdir()
    }


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_end_that_is_asked_for_leaves_a_run_of_what_is_finished(
    fetched: Path, tmp_path: Path, end: signal.Signals
) -> None:
    workspace = copy_of(fetched, tmp_path / "work")
    process = start(workspace)
    wait_for(process, "kept")
    process.send_signal(end)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted; the run is of what was finished until then" in err
    run = only_run(workspace, "ddarung")
    check_whole(run)
    assert str(run) in out
    assert json.loads((run / "run.json").read_text())["budget"]["interrupted"] is True


def test_a_kill_leaves_the_run_that_was_kept_and_the_workers_end(
    fetched: Path, tmp_path: Path
) -> None:
    workspace = copy_of(fetched, tmp_path / "work")
    process = start(workspace)
    wait_for(process, "kept")
    process.kill()
    process.communicate(timeout=120)  # its workers have its pipes, so they are gone too
    run = only_run(workspace, "ddarung")
    check_whole(run)
    found = json.loads((run / "run.json").read_text())
    assert found["budget"]["is_finished"] is False
