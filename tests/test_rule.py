"""The strict rule: no row is predicted from later rows, from the folds to the submission."""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from pipeline import TrainOptions, Workspace, fetch, predict, train
from pipeline.errors import UsageError
from pipeline.runs import Run
from pipeline.stages.ensembling import blend

TOML = """
title = "Rentals"
task = "regression"
metric = "rmse"
[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"
[columns]
id = "when"
target = "rides"
datetime = ["when"]
time = "when"
drop = ["few", "many"]
[target]
parts = ["few", "many"]
[models.ridge]
by_parts = true
[models.lasso]
"""
STRICT = TrainOptions(label="ridge", rule="strict")
DAYS = pd.date_range("2020-01-01", "2020-06-30")


def make_workspace(root: Path, poison_from: str | None = None) -> Workspace:
    """Declare rentals of which the days 1 to 19 of six months are known, and fetch the files."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"when": DAYS, "heat": rng.normal(size=len(DAYS))})
    few, many = 5 + frame["heat"], 20 - 3 * frame["heat"] + np.arange(len(DAYS)) / 10
    frame = frame.assign(few=few.round(3), many=many.round(3))
    if poison_from:
        frame.loc[frame["when"] >= poison_from, ["few", "many"]] = 9e5
    frame["rides"] = frame["few"] + frame["many"]
    is_known = frame["when"].dt.day <= 19
    files = root / "download"
    files.mkdir(parents=True)
    frame[is_known].to_csv(files / "train.csv", index=False)
    test = frame[~is_known].drop(columns=["few", "many", "rides"])
    test.to_csv(files / "test.csv", index=False)
    test[["when"]].assign(rides=0).to_csv(files / "sample.csv", index=False)
    folder = root / "competitions" / "rentals"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(TOML, encoding="utf-8")
    workspace = Workspace(root)
    fetch(workspace, "rentals", files)
    return workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("strict"))


@pytest.fixture(scope="module")
def strict(workspace: Workspace) -> Run:
    return train(workspace, "rentals", STRICT)


def submitted(run: Run) -> pd.Series:
    return pd.read_csv(run.submission, parse_dates=["when"]).set_index("when")["rides"]


def test_every_test_row_is_predicted_by_one_fit_and_the_run_says_by_which_rule(strict: Run) -> None:
    each = strict.frame("test.csv").drop(columns="id")
    assert each.shape[1] == 6
    assert (each.notna().sum(axis="columns") == 1).all()
    assert strict.record["validation"]["rule"] == "strict"
    log = (strict.path / "train.log").read_text(encoding="utf-8")
    assert "5 folds, strict rule (fitted on earlier rows only), 19 validation rows each" in log
    fold = strict.frame("oof.csv")["fold"].to_numpy()
    assert fold.tolist() == [number for number in (-1, 0, 1, 2, 3, 4) for _ in range(19)]


def test_what_happens_later_changes_no_earlier_prediction(
    workspace: Workspace, strict: Run, tmp_path: Path
) -> None:
    tried = train(make_workspace(tmp_path, poison_from="2020-04-01"), "rentals", STRICT)
    honest, poisoned = submitted(strict), submitted(tried)
    is_before = honest.index < "2020-04-01"
    pd.testing.assert_series_equal(honest[is_before], poisoned[is_before])
    assert (poisoned[~is_before] > 10 * honest[~is_before]).all()
    opened = train(workspace, "rentals", TrainOptions(label="ridge"))
    assert not np.allclose(submitted(opened)[is_before], honest[is_before])


def test_new_rows_are_asked_of_the_fit_that_knows_most(
    workspace: Workspace, strict: Run, tmp_path: Path
) -> None:
    new = tmp_path / "new.csv"
    pd.DataFrame({"when": ["2020-06-25"], "heat": [0.5]}).to_csv(new, index=False)
    (answer,) = predict(workspace, "rentals", new, strict.id)["rides"]
    last = joblib.load(strict.path / "fold-5" / "estimator.joblib")
    assert answer == last.predict(pd.DataFrame({"heat": [0.5]}))[0]


def test_runs_of_one_rule_are_blended_and_those_of_two_are_not(
    workspace: Workspace, strict: Run
) -> None:
    other = train(workspace, "rentals", TrainOptions(label="lasso", rule="strict"))
    both = blend(workspace, "rentals", [strict.id, other.id])
    assert np.isfinite(submitted(both)).all()
    assert both.record["validation"]["rule"] == "strict"
    opened = train(workspace, "rentals", TrainOptions(label="lasso"))
    with pytest.raises(UsageError, match=r"validation\.(rule|scheme) is "):
        blend(workspace, "rentals", [strict.id, opened.id])


def test_a_rule_that_there_is_none_of_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match=r"^--rule: 'strickt'; did you mean 'strict'"):
        train(workspace, "rentals", TrainOptions(rule="strickt"))
