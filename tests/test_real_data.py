"""The competitions on their real files, where these lie beside the project."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import NewOptions, TrainOptions, Workspace, declare, fetch, inspect, train
from pipeline.stages.opening import open_competition, read_data

DATA = Path(__file__).parents[2] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real files are not here")

TRAVEL = """
title = "Travel package"
task = "binary"
metric = "accuracy"
[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample_submission.csv"
[columns]
id = "id"
target = "ProdTaken"
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("real"))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "bound"), [("bike", 0.42), ("house", 0.135), ("ddarung", 45.0)])
def test_the_plain_default_network_reaches_its_out_of_fold_score(workspace, name, bound):
    fetch(workspace, name, DATA / name)
    run = train(workspace, name, TrainOptions(label="dnn"))
    assert run.record["model"]["label"] == "dnn"
    assert run.record["skipped_folds"] == 0
    assert run.record["score"] <= bound
    assert len(pd.read_csv(run.submission)) == run.record["rows"]["test"]


@pytest.mark.parametrize(
    ("name", "label", "bound"),
    [
        ("bike", "ridge", 0.40),
        ("house", "ridge", 0.135),
        ("ddarung", "ridge", 55.0),
        ("ddarung", "lightgbm", 42.0),
    ],
)
def test_models_of_other_families_train_on_the_real_files(workspace, name, label, bound):
    fetch(workspace, name, DATA / name)
    run = train(workspace, name, TrainOptions(label=label))
    assert run.record["score"] <= bound


def test_bike_is_validated_on_runs_of_whole_days_and_neighbouring_hours_stay_together(workspace):
    fetch(workspace, "bike", DATA / "bike")
    run = train(workspace, "bike", TrainOptions(label="ridge"))
    oof = pd.read_csv(run.path / "oof.csv", parse_dates=["id"])
    when = oof["id"].dt
    runs = when.strftime("%Y-%m") + when.day.gt(9).map({True: "b", False: "a"})
    assert (oof.groupby(runs)["fold"].nunique() == 1).all()
    assert runs.nunique() == 48
    assert oof.groupby("fold").size().between(1_600, 2_000).all()


def test_ddarung_s_later_season_is_detected_and_folds_that_mimic_it_are_harder(workspace):
    fetch(workspace, "ddarung", DATA / "ddarung")
    _, found = inspect(workspace, "ddarung")
    assert found.drift.auc > 0.75
    assert "hour_bef_temperature" in found.drift.by_column.index[:3]
    assert any("--scheme like_test" in text for text in found.warnings)
    by_chance = train(workspace, "ddarung", TrainOptions(label="ridge"))
    like_test = train(workspace, "ddarung", TrainOptions(label="ridge", scheme="like_test"))
    assert like_test.record["score"] > 1.02 * by_chance.record["score"]


def test_house_keeps_the_levels_that_mean_that_it_has_none(workspace):
    fetch(workspace, "house", DATA / "house")
    data = read_data(open_competition(workspace, "house"))
    raw = pd.read_csv(DATA / "house" / "train.csv", keep_default_na=False)
    assert data.train.X["Alley"].tolist() == raw["Alley"].tolist()
    assert data.train.X["MasVnrType"].isna().sum() == (raw["MasVnrType"] == "NA").sum() == 8
    assert (data.train.X["MasVnrType"] == "None").sum() == 864


@pytest.mark.parametrize(
    ("name", "identity", "target", "label", "bound"),
    [
        ("travel", "id", "ProdTaken", "logistic", 0.82),
        ("bike", "datetime", "count", "ridge", 165.0),
        ("house", "Id", "SalePrice", "ridge", 40_000.0),
        ("ddarung", "id", "count", "ridge", 55.0),
    ],
)
def test_the_real_files_declare_themselves(tmp_path, name, identity, target, label, bound):
    workspace = Workspace(tmp_path)
    declare(workspace, f"my_{name}", NewOptions(path=DATA / name))
    competition = open_competition(workspace, f"my_{name}").competition
    assert (competition.columns.id, competition.columns.target) == (identity, (target,))
    assert competition.task == ("binary" if name == "travel" else "regression")
    run = train(workspace, f"my_{name}", TrainOptions(label=label, n_splits=3))
    score = run.record["score"]
    assert score >= bound if competition.metric == "accuracy" else score <= bound


def test_a_binary_competition_of_one_s_own_trains(tmp_path):
    folder = tmp_path / "competitions" / "travel"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text(TRAVEL, encoding="utf-8")
    workspace = Workspace(tmp_path)
    fetch(workspace, "travel", DATA / "travel")
    run = train(workspace, "travel", TrainOptions(label="lightgbm"))
    assert run.record["score"] > 0.85
    assert set(np.unique(pd.read_csv(run.submission)["ProdTaken"])) == {0, 1}
