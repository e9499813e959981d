"""Competitions of time series: files to forecasts, and proof that no fit knows what follows."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Done, only_run, write

from pipeline import TrainOptions, Workspace, fetch, predict, train
from pipeline.competition import Columns, Competition, Files, ModelChoice, Validation, Windows
from pipeline.csvtext import CsvFile
from pipeline.data import Table, TrainData
from pipeline.errors import DataError, DeclarationError, UsageError
from pipeline.features import Features
from pipeline.forecasts import window_train
from pipeline.metrics import metric_of
from pipeline.splits import make_folds, make_holdout
from pipeline.targets import LastValueRegressor
from pipeline.training import _told_before, fit_folds, make_estimator

Kc = Callable[..., Done]
TOML = """\
title = "Shops"
task = "regression"
metric = "mae"
default_model = "ridge"

[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"

[columns]
id = "id"
target = "sales"
time = "day"

[windows]
timesteps = 3
horizon = 2
by = "shop"

[validation]
n_splits = 3

[models.ridge]
alpha = 1e-6
"""
DAYS = 24


def sales() -> pd.DataFrame:
    """Two shops: one sells 2 more each day, the other 3 less, whoever visits."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": np.arange(2 * (DAYS + 2)),
            "day": np.tile(pd.date_range("2022-01-01", periods=DAYS + 2), 2),
            "shop": np.repeat(["north", "south"], DAYS + 2),
            "visitors": rng.integers(0, 9, 2 * (DAYS + 2)),
        }
    )
    days = np.tile(np.arange(DAYS + 2), 2)
    frame["sales"] = np.where(frame["shop"] == "north", 100 + 2 * days, 900 - 3 * days)
    return frame


def declare(root: Path, toml: str = TOML, **files: pd.DataFrame) -> Workspace:
    """Declare the shops: two days of each follow the training rows, and are asked for."""
    frame = sales()
    is_asked = frame["day"] >= frame["day"].min() + pd.Timedelta(days=DAYS)
    usual = {
        "train": frame[~is_asked].iloc[::-1],  # newest first
        "test": frame.loc[is_asked, ["id", "day", "shop"]],
        "sample": frame.loc[is_asked, ["id"]].assign(sales=0),
    }
    for name, content in (usual | files).items():
        write(root / "files" / f"{name}.csv", content.to_csv(index=False))
    write(root / "competitions" / "shops" / "competition.toml", toml)
    workspace = Workspace(root)
    fetch(workspace, "shops", root / "files")
    return workspace


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shops")
    train(declare(root), "shops")
    return root


# --- the whole ---


def test_the_days_that_follow_the_training_file_are_forecast_by_id(trained: Path) -> None:
    run = only_run(trained, "shops")
    said = pd.read_csv(run / "submission.csv").set_index("id")["sales"]
    assert said.index.tolist() == [24, 25, 50, 51]
    np.testing.assert_allclose(said, [148, 150, 828, 825], atol=1e-3)
    record = json.loads((run / "run.json").read_text("utf-8"))
    assert record["validation"]["scheme"] == "time"
    assert record["rows"] == {"train": 40, "test": 4}
    assert record["features"][:3] == ["visitors t-2", "sales t-2", "visitors t-1"]


def test_each_window_is_scored_with_all_rows_that_follow_it(trained: Path) -> None:
    oof = pd.read_csv(only_run(trained, "shops") / "oof.csv")
    columns = [f"{what}_sales t+{n}" for what in ("target", "prediction") for n in (1, 2)]
    assert list(oof.columns) == ["id", "fold", *columns]
    assert (oof["fold"] >= 0).sum() == 20
    is_scored = oof["fold"] >= 0
    np.testing.assert_allclose(
        oof.loc[is_scored, columns[:2]], oof.loc[is_scored, columns[2:]], atol=1e-3
    )


def test_the_naive_forecast_stands_beside_the_model_everywhere(
    trained: Path, kc_here: Kc, tmp_path: Path
) -> None:
    record = json.loads((only_run(trained, "shops") / "run.json").read_text("utf-8"))
    naive = record["naive"]
    assert naive["score"] == pytest.approx((2 + 4 + 3 + 6) / 4)  # what each shop sells more or less
    assert naive["gain"] == pytest.approx(naive["score"] - record["score"])
    assert naive["windows"] == 20
    (row,) = json.loads(kc_here(trained, "runs", "shops", "--json", expect=0).out)
    assert row["naive"] == naive["score"]
    assert "naive" in kc_here(trained, "runs", "shops", expect=0).out.splitlines()[0].split()
    declare(tmp_path)
    told = kc_here(tmp_path, "train", "shops", expect=0)
    line = "mae 3.75000 (the last value again); the model gains 3.75 +- "
    assert f"\nnaive      {line}" in told.out
    assert f"\nnaive    {line}" in told.err
    asked = kc_here(tmp_path, "train", "shops", "--json", expect=0)
    assert json.loads(asked.out)["naive"]["score"] == naive["score"]


def test_a_model_that_loses_to_the_naive_forecast_says_so(kc_here: Kc, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frame = sales()
    frame["sales"] = 1000 + rng.normal(size=len(frame)).cumsum()
    is_asked = frame["day"] >= frame["day"].min() + pd.Timedelta(days=DAYS)
    declare(tmp_path, train=frame[~is_asked])
    told = kc_here(tmp_path, "train", "shops", "-q", expect=0)
    assert "; the model loses " in told.out
    assert "warning  the model forecasts no better than the last known value said again" in told.err


def test_rows_of_a_table_have_no_naive_forecast(trained_tiny: Path, kc_here: Kc) -> None:
    (row,) = json.loads(kc_here(trained_tiny, "runs", "tiny", "--json", expect=0).out)
    assert row["naive"] is None
    assert "naive" not in kc_here(trained_tiny, "runs", "tiny", expect=0).out


def test_tomorrow_is_one_command(trained: Path, tmp_path: Path) -> None:
    new = pd.DataFrame(
        {
            "id": [1, 2, 3],
            "day": ["2023-05-01", "2023-05-02", "2023-05-03"],
            "shop": "east",
            "visitors": [1, 2, 3],
            "sales": [10, 15, 20],
            "note": "what training never saw",
        }
    )
    new.to_csv(tmp_path / "new.csv", index=False)
    said = predict(Workspace(trained), "shops", tmp_path / "new.csv")
    assert said["id"].tolist() == ["3 + 1", "3 + 2"]
    np.testing.assert_allclose(said["sales"], [25, 30], atol=1e-2)
    asked = pd.concat([new, pd.DataFrame({"id": [4], "day": ["2023-05-04"], "shop": ["east"]})])
    asked.to_csv(tmp_path / "asked.csv", index=False)
    said = predict(Workspace(trained), "shops", tmp_path / "asked.csv")
    assert said["id"].tolist() == ["4"]
    np.testing.assert_allclose(said["sales"], [25], atol=1e-2)


def test_a_test_file_may_tell_of_rows_before_those_that_it_asks_for(tmp_path: Path) -> None:
    frame = sales()
    later = frame[frame["day"] >= "2022-01-21"].astype({"sales": float})
    later.loc[later["day"] >= "2022-01-25", ["visitors", "sales"]] = np.nan
    workspace = declare(tmp_path, train=frame[frame["day"] < "2022-01-21"], test=later)
    run = train(workspace, "shops")
    said = pd.read_csv(run.submission)
    np.testing.assert_allclose(said["sales"], [148, 150, 828, 825], atol=1e-3)
    assert run.record["rows"]["train"] == 32  # nothing was learned from what the test file tells


def test_a_run_over_all_models_blends_forecasts(tmp_path: Path) -> None:
    workspace = declare(tmp_path)
    run = train(workspace, "shops", TrainOptions(label="ridge,lasso", seconds=60.0))
    said = pd.read_csv(run.submission)
    np.testing.assert_allclose(said["sales"], [148, 150, 828, 825], atol=1.0)
    assert run.record["naive"]["score"] == pytest.approx(3.75)


# --- no fit knows what follows ---


SERIES = Competition(
    name="series",
    title="Series",
    task="regression",
    metric="rmse",
    files=Files(train="train.csv", test="test.csv", sample_submission="sample.csv"),
    columns=Columns(id="id", target=("y",), time="when"),
    validation=Validation(n_splits=4, seed=1),
    windows=Windows(timesteps=4, horizon=3, by="name"),
)
MODELS = {
    "ridge": {},
    "random_forest": {"n_estimators": 5, "n_jobs": 1},
    "lightgbm": {"n_estimators": 20, "n_jobs": 1},
    "lstm": {"units": [4], "dense": [4], "epochs": 2},
}


def rows(n: int = 60, poison_after: int | None = None) -> pd.DataFrame:
    """Two series that wander; with nonsense in all rows after a time."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": np.arange(2 * n),
            "when": np.tile(np.arange(n), 2),
            "name": np.repeat(["a", "b"], n),
            "x": rng.normal(size=2 * n),
            "y": 50 + rng.normal(size=2 * n).cumsum(),
        }
    )
    if poison_after is not None:
        frame.loc[frame["when"] > poison_after, ["x", "y"]] = 1e6
    return frame


def cut(frame: pd.DataFrame, competition: Competition = SERIES) -> TrainData:
    table = Table(CsvFile(Path("train.csv"), "utf-8", ","), frame, frame["id"].astype("str"), {})
    return window_train(frame, table, competition)


def folds_of(train: TrainData, *, with_gap: bool = True):
    until = train.until if with_gap else None
    return make_folds(train.y, None, train.order, SERIES.validation, "regression", until)


def test_a_fold_trains_on_windows_whose_answers_were_known_when_its_first_one_ended():
    train = cut(rows())
    for fold in folds_of(train):
        first = train.order.iloc[fold.valid].min()
        assert train.until.iloc[fold.train].max() == first  # the newest that may be, and no newer
        assert train.order.iloc[fold.train].max() == first - 3
    later = np.concatenate([fold.valid for fold in folds_of(train)])
    assert sorted(later) == sorted(np.flatnonzero(train.order > train.order.median()))


SLOW = pytest.param("lstm", "change", marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("name", "target"),
    [*((m, t) for m in MODELS if m != "lstm" for t in ("level", "change", "ratio")), SLOW],
)
def test_nonsense_after_the_first_validated_window_leaves_the_fitted_fold_bit_identical(
    name: str, target: str
) -> None:
    windows = dataclasses.replace(SERIES.windows, target=target)
    competition = dataclasses.replace(SERIES, windows=windows)
    choice = ModelChoice(label=name, kind=name, parameters=MODELS[name])
    estimator = make_estimator(competition, choice, Features(), seed=3)
    honest = cut(rows(), competition)
    fold = folds_of(honest)[1]
    known = int(honest.order.iloc[fold.valid].min())
    spoilt = cut(rows(poison_after=known), competition)
    (one,) = fit_folds(estimator, honest, [fold], competition)
    (other,) = fit_folds(estimator, spoilt, [fold], competition)
    unseen = cut(rows(), competition).X
    np.testing.assert_array_equal(other.estimator.predict(unseen), one.estimator.predict(unseen))
    assert other.score > 1e4 > one.score  # the poison is there, and only the score sees it


def test_without_the_gap_the_same_nonsense_would_be_learned():
    choice = ModelChoice(label="ridge", kind="ridge")
    estimator = make_estimator(SERIES, choice, Features(), seed=3)
    honest = cut(rows())
    fold = folds_of(honest, with_gap=False)[1]
    known = int(honest.order.iloc[fold.valid].min())
    (one,) = fit_folds(estimator, honest, [fold], SERIES)
    (other,) = fit_folds(estimator, cut(rows(poison_after=known)), [fold], SERIES)
    assert not np.array_equal(one.estimator.predict(honest.X), other.estimator.predict(honest.X))


def test_what_stops_a_fit_is_not_told_by_the_windows_it_learns_from():
    train = cut(rows())
    holdout = make_holdout(
        train.y, None, train.order,
        validation=SERIES.validation, task="regression", fraction=0.1,
    )  # fmt: skip
    seen, held_out = _told_before(train, holdout)
    rest = np.setdiff1d(np.arange(len(seen)), held_out)
    assert len(held_out) == len(holdout)
    np.testing.assert_array_equal(seen.X.iloc[held_out], train.X.iloc[holdout])
    assert seen.until.iloc[rest].max() == seen.order.iloc[held_out].min()
    assert len(train) - len(seen) == 2 * 2  # two windows of each series lie between


def test_the_values_that_a_test_file_tells_change_no_out_of_fold_prediction(tmp_path: Path) -> None:
    frame = sales()
    later = frame[frame["day"] >= "2022-01-21"].astype({"sales": float})
    later.loc[later["day"] >= "2022-01-25", ["visitors", "sales"]] = np.nan
    known = frame[frame["day"] < "2022-01-21"]
    one = train(declare(tmp_path / "a", train=known, test=later), "shops")
    other = later.assign(sales=7 * later["sales"])
    two = train(declare(tmp_path / "b", train=known, test=other), "shops")
    assert (one.path / "oof.csv").read_bytes() == (two.path / "oof.csv").read_bytes()
    assert one.submission.read_bytes() != two.submission.read_bytes()


# --- what is learned, and how it is scored ---


def test_a_tree_follows_a_level_that_it_never_saw_if_it_learns_the_change():
    frame = rows().assign(y=lambda f: 10.0 + f["when"])
    errors = {}
    for target in ("level", "change", "ratio"):
        windows = dataclasses.replace(SERIES.windows, target=target)
        competition = dataclasses.replace(SERIES, windows=windows)
        choice = ModelChoice(label="t", kind="random_forest", parameters=MODELS["random_forest"])
        estimator = make_estimator(competition, choice, Features(), seed=3)
        train = cut(frame, competition)
        errors[target] = fit_folds(estimator, train, folds_of(train)[3:], competition)[0].score
    assert errors["change"] < 1e-9
    assert errors["level"] > 10 * errors["ratio"]


@pytest.mark.parametrize(("target", "told"), [("change", [1.0, -1]), ("ratio", [0.5, -0.25])])
def test_the_target_s_own_past_is_told_as_what_follows_is(target: str, told: list[float]) -> None:
    class Remembers:
        def fit(self, X, y):
            self.X_, self.y_ = X, y
            return self

        def predict(self, X):
            return self.y_

        def get_params(self, deep=True):
            return {}

    X = pd.DataFrame({"y t-1": [3.0, 3], "x t-1": [5.0, 6], "y t": [2.0, 4], "x t": [7.0, 8]})
    windows = Windows(timesteps=2, target=target)
    fitted = LastValueRegressor(Remembers(), windows, ("y",)).fit(X, np.array([3.0, 3]))
    inner = fitted.regressor_
    assert inner.y_.tolist() == told
    assert inner.X_["y t"].tolist() == [0, 0]
    assert inner.X_["y t-1"].tolist() == told
    assert inner.X_[["x t-1", "x t"]].to_numpy().tolist() == [[5, 7], [6, 8]]
    assert fitted.predict(X).tolist() == [3, 3]
    assert X["y t"].tolist() == [2, 4]


def test_all_rows_that_follow_are_scored_as_rows_and_not_as_targets():
    y, said = np.array([[0.0, 0], [0, 0]]), np.array([[1.0, 3], [1, 3]])
    assert metric_of(SERIES)(y, said) == pytest.approx(np.sqrt(5))
    one = dataclasses.replace(SERIES, windows=dataclasses.replace(SERIES.windows, horizon=1))
    assert metric_of(one)(y, said) == pytest.approx(2)  # the mean over two targets


@pytest.mark.slow
def test_sequences_get_their_shape_from_the_windows(kc_here: Kc, trained: Path) -> None:
    for model in ("conv1d", "simple_rnn", "gru"):
        out = kc_here(trained, "summary", "shops", "-m", model, expect=0).out
        assert "Reshape" in out
        assert "(3, 2)" in out


# --- what is refused ---


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("timesteps = 3", "", "windows.timesteps: missing; expected a whole number"),
        (
            "timesteps = 3",
            'timesteps = "3"',
            "windows.timesteps: expected a whole number, found '3'",
        ),
        ("timesteps = 3", "timesteps = 0", "windows.timesteps: expected 1 or more, found 0"),
        (
            "horizon = 2",
            "horizons = 2",
            "windows.horizons: unknown key; did you mean 'horizon'?",
        ),
        (
            "horizon = 2",
            'target = "chance"',
            "windows.target: expected one of 'level', 'change', 'ratio'; found 'chance'; did you "
            "mean 'change'?",
        ),
        (
            'time = "day"\n',
            "",
            "windows: needs columns.time, by which the rows are in order, and there is none",
        ),
        ('by = "shop"', 'by = "sales"', "windows.by: 'sales' is the target"),
        (
            "n_splits = 3",
            'scheme = "kfold"',
            'validation.scheme: windows overlap, so only "time" keeps what is predicted out of '
            'what is learned; found "kfold"',
        ),
        (
            "n_splits = 3",
            'rule = "strict"',
            'validation.rule = "strict": folds of windows go forward in time anyway; remove it',
        ),
        (
            'time = "day"',
            'time = "day"\ncategorical = ["shop"]',
            "columns.categorical: is of single rows, and windows hold the numbers of many; remove "
            "it",
        ),
        (
            "[validation]",
            '[target]\ntransform = "log1p"\nlower = 0\n[validation]',
            'target.transform = "log1p" is of levels, and windows.target = "change"; remove one of '
            "them",
        ),
        (
            'task = "regression"\nmetric = "mae"',
            'task = "binary"\nmetric = "accuracy"',
            'windows: forecasts are numbers, task = "regression"; found "binary"',
        ),
    ],
)
def test_a_contradiction_is_one_line(
    kc_here: Kc, trained: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in TOML
    write(tmp_path / "competitions" / "shops" / "competition.toml", TOML.replace(old, new))
    found = kc_here(tmp_path, "train", "shops").error()
    assert found.partition("competition.toml: ")[2] == message


def test_another_scheme_is_refused_on_the_command_line_too(trained: Path) -> None:
    with pytest.raises(UsageError, match=r'windows overlap, so only "time"'):
        train(Workspace(trained), "shops", TrainOptions(scheme="kfold"))


def changed(**columns: object) -> dict[str, pd.DataFrame]:
    return {"train": sales().loc[lambda f: f["day"] < "2022-01-25"].assign(**columns)}


def test_a_day_that_is_missing_is_named(tmp_path: Path) -> None:
    frame = changed()["train"]
    lacking = frame[frame["id"] != 10]
    with pytest.raises(DataError) as caught:
        train(declare(tmp_path, train=lacking), "shops")
    assert str(caught.value).partition("train.csv, ")[2] == (
        "line 12: a gap in time of shop 'north': expected 1 day from row to row, found 2 days from "
        '2022-01-10 00:00:00 to 2022-01-12 00:00:00; declare [windows] gaps = "split" to let no '
        'window reach across, or "ignore" if rows follow each other all the same'
    )


@pytest.mark.parametrize(
    ("toml", "files", "message"),
    [
        (
            TOML.replace("timesteps = 3", "timesteps = 30"),
            {},
            "[windows]: expected a series of 32 rows or more without a gap, as timesteps = 30 and "
            "horizon = 2 need; found at most 24; declare fewer",
        ),
        (
            TOML.replace("horizon = 2", "horizon = 1"),
            {},
            "line 3: is row 2 after the last known one of shop 'north', beyond [windows] horizon = "
            "1; declare horizon = 2",
        ),
        (
            TOML,
            changed(colour="red"),
            "column 'colour': windows hold numbers, found text; make a number of it in "
            "features.py, or add it to [columns] drop",
        ),
        (
            TOML.replace("horizon = 2", 'horizon = 2\ntarget = "ratio"'),
            changed(sales=lambda f: f["sales"] - 100),
            "line 2, column 'sales': windows.target = \"ratio\" needs numbers above 0, found 0; "
            'declare "change"',
        ),
        (
            TOML,
            {"test": sales().loc[lambda f: f["day"] >= "2022-01-25", ["id", "shop"]]},
            "there is no column 'day', which places a row in its series; add it to the file",
        ),
        (
            TOML,
            {"test": sales().loc[lambda f: f["day"] >= "2022-01-25"]},
            "line 2: its target is asked for and told; empty the cell, or take '24' out of "
            "sample.csv",
        ),
        (
            TOML,
            {
                "test": sales()
                .assign(shop=lambda f: f["shop"].replace("south", "west"))
                .loc[lambda f: f["day"] >= "2022-01-25", ["id", "day", "shop"]]
            },
            "line 4: is to be forecast, but no known row of shop 'west' stands before it without a "
            "gap; expected the rows before it in the training or the test file",
        ),
    ],
)
def test_rows_that_make_no_windows_are_one_line(
    tmp_path: Path, toml: str, files: dict[str, pd.DataFrame], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        train(declare(tmp_path, toml, **files), "shops")
    assert str(caught.value).endswith(message)
    assert not (tmp_path / "runs").exists()


def test_a_shape_that_does_not_multiply_out_is_one_line(kc_here: Kc, tmp_path: Path) -> None:
    declare(tmp_path, TOML + "\n[models.lstm]\nshape = [3, 3]\n[models.gru]\nshape = [4, -1]\n")
    found = kc_here(tmp_path, "summary", "shops", "-m", "lstm", expect=1).err.splitlines()[-1]
    assert found.endswith(
        "models.lstm: shape: 3 x 3 is 9, but the model is given 6 columns; expected numbers whose "
        "product they are"
    )
    found = kc_here(tmp_path, "summary", "shops", "-m", "gru", expect=1).err.splitlines()[-1]
    assert found.endswith(
        "models.gru: shape: 4 does not divide the 6 columns that the model is given; expected "
        "numbers whose product they are"
    )


def test_features_py_may_not_change_what_is_forecast(tmp_path: Path) -> None:
    workspace = declare(tmp_path)
    write(
        tmp_path / "competitions" / "shops" / "features.py",
        "def add_features(frame):\n    return frame.assign(sales=frame['sales'] * 2)\n",
    )
    with pytest.raises(DeclarationError, match=r"add_features changes column 'sales', which is to"):
        train(workspace, "shops")


# --- several targets ---


def test_several_targets_are_forecast_together_and_joined_by_row(tmp_path: Path) -> None:
    frame = sales().assign(profit=lambda f: f["sales"] / 2 + 7)
    is_asked = frame["day"] >= "2022-01-25"
    sample = frame.loc[is_asked, ["id"]].assign(profit=0, sales=0)  # in another order
    toml = TOML.replace('target = "sales"', 'target = ["sales", "profit"]')
    workspace = declare(tmp_path, toml, train=frame[~is_asked], sample=sample)
    run = train(workspace, "shops")
    said = pd.read_csv(run.submission)
    np.testing.assert_allclose(said["sales"], [148, 150, 828, 825], atol=1e-3)
    np.testing.assert_allclose(said["profit"], [81, 82, 421, 419.5], atol=1e-3)
    assert run.frame("oof.csv").filter(like="prediction").shape[1] == 4
    assert run.record["naive"]["score"] == pytest.approx((3.75 + 3.75 / 2) / 2)


def test_the_last_row_of_windows_is_what_is_inspected(trained: Path, kc_here: Kc) -> None:
    told = json.loads(kc_here(trained, "inspect", "shops", "--json", expect=0).out)
    assert [row["column"] for row in told["columns"]] == ["visitors t", "sales t"]
    assert told["adversarial_auc"] is None
    assert list(told["target"]) == ["sales t+1"]
    lines = kc_here(trained, "inspect", "shops", expect=0).out.splitlines()
    assert "test windows follow the training rows in time, and so do the folds" in lines


def test_features_of_a_series_may_use_the_target_s_past(tmp_path: Path, kc_here: Kc) -> None:
    workspace = declare(tmp_path)
    write(
        tmp_path / "competitions" / "shops" / "features.py",
        "def add_features(frame):\n"
        "    return frame.assign(each=frame['sales'] / (frame['visitors'] + 1))\n",
    )
    run = train(workspace, "shops")
    assert run.record["features"][-3:] == ["visitors t", "sales t", "each t"]
    out = kc_here(tmp_path, "plot", "shops", "--x", "each", expect=0).out
    assert Path(out.strip()).is_file()
