"""What is predicted: one or several numbers, two classes or many, labels of any spelling."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Done, write
from sklearn.metrics import r2_score

from pipeline.csvtext import read_text

Kc = Callable[..., Done]
N_TRAIN, N_TEST = 90, 12
DNN = "\n[models.dnn]\nunits = [8]\nepochs = 30\nbatch_size = 16\nlearning_rate = 0.03\n"


def rows(n_inputs: int) -> pd.DataFrame:
    values = np.random.default_rng(2).normal(size=(N_TRAIN + N_TEST, n_inputs))
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(1, n_inputs + 1)])


def declared(
    kc_here: Kc, folder: Path, X: pd.DataFrame, y: pd.DataFrame, *options: object, blank: Any = None
) -> tuple[Path, str]:
    """Declare a competition of these rows from its files alone; return workspace and declaration.

    The last rows are the test's; the sample answers each with blank, or the first row's targets.
    """
    blanks = {name: y[name].iloc[0] if blank is None else blank for name in y}
    ids = pd.Series(np.arange(1, len(X) + 1), name="id")
    test = ids.index[N_TRAIN:]
    frames = {
        "train": pd.concat([ids, X, y], axis="columns").iloc[:N_TRAIN],
        "test": pd.concat([ids, X], axis="columns").loc[test],
        "sample_submission": pd.DataFrame({"id": ids[test], **blanks}),
    }
    for name, frame in frames.items():
        write(folder / "files" / f"{name}.csv", frame.to_csv(index=False, lineterminator="\n"))
    workspace = folder / "work"
    kc_here(workspace, "new", "own", "--from", folder / "files", *options, expect=0)
    path = workspace / "competitions" / "own" / "competition.toml"
    path.write_text(path.read_text("utf-8") + DNN, "utf-8")
    return workspace, path.read_text("utf-8")


def trained(kc_here: Kc, workspace: Path, model: str) -> dict[str, Any]:
    """Return what kc train prints, and the answers that it wrote."""
    options = ("--model", model, "--folds", "2", "--json")
    run = json.loads(kc_here(workspace, "train", "own", *options, expect=0).out)
    run["answers"] = read_text(Path(run["submission"]))
    return dict(run)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_inputs", "n_outputs", "model"),
    [(3, 2, "ridge"), (3, 3, "ridge"), (1, 3, "ridge"), (3, 2, "lightgbm"), (1, 3, "dnn")],
)
def test_several_numbers_are_predicted_at_once_and_scored_by_r2(
    kc_here: Kc, tmp_path: Path, n_inputs: int, n_outputs: int, model: str
) -> None:
    X = rows(n_inputs)
    total = X.sum(axis="columns")
    names = [f"y{i}" for i in range(1, n_outputs + 1)]
    y = pd.DataFrame({name: 100 * i + 10**i * total for i, name in enumerate(names)}).round(4)
    workspace, declaration = declared(kc_here, tmp_path, X, y, "--metric", "r2")
    assert 'task = "regression"' in declaration
    assert 'metric = "r2"' in declaration
    run = trained(kc_here, workspace, model)
    assert run["score"] > (0.9 if model == "ridge" else 0.7)
    assert list(run["answers"]) == ["id", *names]
    said = run["answers"][names].astype(float)
    assert (r2_score(y.iloc[N_TRAIN:], said, multioutput="raw_values") > 0.6).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "task", "model"),
    [
        (["아니오", "예"], "binary", "logistic"),
        (["1", "2"], "binary", "logistic"),
        (["-1", "1"], "binary", "dnn"),
        (["setosa", "versicolor", "virginica"], "multiclass", "dnn"),
        (["3", "5", "9"], "multiclass", "logistic"),
        (["3", "5", "9"], "multiclass", "lightgbm"),
        (["1.0", "2.0", "3.0"], "multiclass", "logistic"),
    ],
)
def test_labels_of_any_spelling_come_back_as_they_were(
    kc_here: Kc, tmp_path: Path, labels: list[str], task: str, model: str
) -> None:
    X = rows(2)
    cuts = [0.0] if task == "binary" else [-0.5, 0.5]
    y = pd.DataFrame({"kind": np.array(labels)[np.digitize(X["x1"], cuts)]})
    workspace, declaration = declared(kc_here, tmp_path, X, y, "--metric", "accuracy")
    assert f'task = "{task}"' in declaration
    run = trained(kc_here, workspace, model)
    assert run["metric"] == "accuracy"
    assert run["score"] > 0.8
    said = run["answers"]["kind"]
    assert set(said) <= {label.removesuffix(".0") for label in labels}
    truth = y["kind"].iloc[N_TRAIN:].str.removesuffix(".0")
    assert (said.to_numpy() == truth.to_numpy()).mean() > 0.7


@pytest.mark.slow
def test_a_probability_is_that_of_the_class_which_is_declared(kc_here: Kc, tmp_path: Path) -> None:
    X = rows(2)
    y = pd.DataFrame({"kind": np.where(X["x1"] > 0, "malignant", "benign")})
    workspace, declaration = declared(kc_here, tmp_path, X, y, "--metric", "log_loss", blank=0.5)
    path = workspace / "competitions" / "own" / "competition.toml"
    assert declaration.count("\npositive = ") == 1
    for positive in ("malignant", "benign"):
        own = re.sub(r"(?m)^positive = .*$", f'positive = "{positive}"', declaration)
        path.write_text(own, "utf-8")
        run = trained(kc_here, workspace, "logistic")
        chance = run["answers"]["kind"].astype(float)
        truth = y["kind"].iloc[N_TRAIN:].to_numpy() == positive
        assert chance[truth].min() > chance[~truth].max() - 0.2
        assert chance[truth].mean() > 0.7
