"""The invented files of three competitions look like the real ones, and can be learned."""

import functools
import io
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold, KFold, cross_val_score

ROOT = Path(__file__).parents[1]
REAL = Path(__file__).parents[2] / "shared" / "data"
NAMES = ("bike", "ddarung", "house")
KEYS = {"bike": "datetime", "ddarung": "id", "house": "Id"}
SUBMISSIONS = {
    "bike": "sampleSubmission.csv",
    "ddarung": "submission.csv",
    "house": "sample_submission.csv",
}
TARGETS = {"bike": "count", "ddarung": "count", "house": "SalePrice"}
# Whole numbers that name a kind: the sample may have no other value than the real files.
CODES = {
    "bike": ["season", "holiday", "workingday", "weather", "temp", "atemp", "windspeed"],
    "ddarung": ["hour", "hour_bef_precipitation"],
    "house": ["MSSubClass", "OverallQual", "OverallCond", "MoSold", "YrSold", "GarageCars"],
}
BASEMENT = ["BsmtQual", "BsmtCond", "BsmtExposure", "BsmtFinType1", "BsmtFinType2"]
GARAGE = ["GarageType", "GarageYrBlt", "GarageFinish", "GarageQual", "GarageCond"]


def make_sample(name: str, seed: int = 42) -> dict[str, pd.DataFrame]:
    return runpy.run_path(str(ROOT / "competitions" / name / "sample.py"))["make_sample"](seed)


def written(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False)


@functools.cache
def read_back(name: str, seed: int = 42) -> dict[str, pd.DataFrame]:
    """Return the sample as it is read from its CSV text."""
    frames = make_sample(name, seed)
    return {file: pd.read_csv(io.StringIO(written(frame))) for file, frame in frames.items()}


@functools.cache
def read_real(name: str) -> dict[str, pd.DataFrame]:
    if not (REAL / name).is_dir():
        pytest.skip("the competition's files are not here")
    return {file: pd.read_csv(REAL / name / file) for file in files(name)}


def files(name: str) -> tuple[str, str, str]:
    return ("train.csv", "test.csv", SUBMISSIONS[name])


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


def incomplete(frame: pd.DataFrame) -> set[str]:
    return set(frame.columns[frame.isna().any()])


# Without the competitions' files: what was written down by hand.


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_has_exactly_the_competitions_files(name):
    assert tuple(make_sample(name)) == files(name)


def test_bike_has_its_columns_and_types():
    sample = read_back("bike")
    weather = {
        "datetime": "str",
        "season": "int64",
        "holiday": "int64",
        "workingday": "int64",
        "weather": "int64",
        "temp": "float64",
        "atemp": "float64",
        "humidity": "int64",
        "windspeed": "float64",
    }
    rentals = {"casual": "int64", "registered": "int64", "count": "int64"}
    assert list(dtypes(sample["train.csv"]).items()) == [*weather.items(), *rentals.items()]
    assert list(dtypes(sample["test.csv"]).items()) == list(weather.items())
    assert dtypes(sample["sampleSubmission.csv"]) == {"datetime": "str", "count": "int64"}
    assert not any(incomplete(frame) for frame in sample.values())


def test_ddarung_has_its_columns_and_types():
    sample = read_back("ddarung")
    weather = [
        "hour_bef_temperature",
        "hour_bef_precipitation",
        "hour_bef_windspeed",
        "hour_bef_humidity",
        "hour_bef_visibility",
        "hour_bef_ozone",
        "hour_bef_pm10",
        "hour_bef_pm2.5",
    ]
    expected = {"id": "int64", "hour": "int64", **dict.fromkeys(weather, "float64")}
    assert list(dtypes(sample["train.csv"]).items()) == [*expected.items(), ("count", "float64")]
    assert list(dtypes(sample["test.csv"]).items()) == list(expected.items())
    assert incomplete(sample["train.csv"]) == incomplete(sample["test.csv"]) == set(weather)


def test_ddarung_leaves_the_submission_empty():
    lines = written(make_sample("ddarung")["submission.csv"]).splitlines()
    assert lines[0] == "id,count"
    assert all(line.endswith(",") for line in lines[1:])


def test_house_has_its_columns_and_types():
    train, test, submission = read_back("house").values()
    assert train.shape == (1200, 81)
    assert list(train)[:4] == ["Id", "MSSubClass", "MSZoning", "LotFrontage"]
    assert list(train)[-2:] == ["SaleCondition", "SalePrice"]
    assert list(test) == list(train)[:-1]
    assert train.dtypes.astype("str").value_counts().to_dict() == {
        "str": 43,
        "int64": 35,
        "float64": 3,
    }
    assert set(train.columns[train.dtypes == "float64"]) == {
        "LotFrontage",
        "MasVnrArea",
        "GarageYrBlt",
    }
    assert test.dtypes.astype("str").value_counts().to_dict() == {
        "str": 43,
        "int64": 26,
        "float64": 11,
    }
    assert dtypes(submission) == {"Id": "int64", "SalePrice": "float64"}


def test_house_writes_na_and_whole_numbers():
    train = make_sample("house")["train.csv"]
    text = written(train)
    assert ",," not in text
    assert ".0" not in text
    assert {"NA", "None"} <= set(train["MasVnrType"])


def test_house_parts_are_absent_together():
    for frame in (read_back("house")["train.csv"], read_back("house")["test.csv"]):
        no_basement, no_garage = frame["TotalBsmtSF"] == 0, frame["GarageCars"] == 0
        assert 0.01 < no_basement.mean() < 0.05
        assert 0.02 < no_garage.mean() < 0.09
        assert frame.loc[no_basement, BASEMENT].isna().all(axis=None)
        assert frame.loc[no_garage, GARAGE].isna().all(axis=None)
        assert (frame.loc[no_garage, "GarageArea"] == 0).all()
        assert (frame["FireplaceQu"].isna() == (frame["Fireplaces"] == 0)).all()
        assert (frame["PoolQC"].isna() == (frame["PoolArea"] == 0)).all()
        assert frame["PoolQC"].notna().any()


def test_house_areas_add_up():
    train = read_back("house")["train.csv"]
    basement = train[["BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF"]].sum(axis="columns")
    above = train[["1stFlrSF", "2ndFlrSF", "LowQualFinSF"]].sum(axis="columns")
    assert (basement == train["TotalBsmtSF"]).all()
    assert (above == train["GrLivArea"]).all()
    assert (train["BsmtUnfSF"] >= 0).all()
    assert (train["YearBuilt"] <= train["YrSold"]).all()


def test_house_has_levels_and_gaps_in_one_file_only():
    train, test, _ = read_back("house").values()
    assert 150 in set(test["MSSubClass"]) - set(train["MSSubClass"])
    for column, level in (("Utilities", "NoSeWa"), ("Electrical", "Mix"), ("Heating", "OthW")):
        assert level in set(train[column]) - set(test[column])
    assert incomplete(train) - incomplete(test) == {"Electrical"}
    assert {"MSZoning", "KitchenQual", "TotalBsmtSF"} <= incomplete(test) - incomplete(train)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(name):
    first, again, other = make_sample(name), make_sample(name, 42), make_sample(name, 7)
    for file in files(name):
        assert written(first[file]) == written(again[file])
    for file in ("train.csv", "test.csv"):
        assert written(first[file]) != written(other[file])


@pytest.mark.parametrize("name", NAMES)
def test_the_submission_asks_for_the_test_rows_in_their_order(name):
    train, test, submission = read_back(name).values()
    key = KEYS[name]
    assert submission[key].tolist() == test[key].tolist()
    assert list(submission) == [key, TARGETS[name]]
    assert test[key].is_unique
    assert train[key].is_unique
    assert not set(train[key]) & set(test[key])


def test_bike_trains_on_the_first_days_of_all_months_and_asks_for_the_last():
    train, test, _ = read_back("bike").values()
    known, asked = pd.to_datetime(train["datetime"]), pd.to_datetime(test["datetime"])
    assert train["datetime"][0] == "2011-01-04 00:00:00"
    assert len(train) < 3000
    for when in (known, asked):
        assert when.is_monotonic_increasing
        assert when.dt.to_period("M").nunique() == 24
        assert set(when.dt.hour) == set(range(24))
        assert set(when.dt.day_of_week) == set(range(7))
    assert known.dt.day.max() <= 19 < asked.dt.day.min()
    assert sorted(set(known.dt.day[known.dt.day < 10])) == [4, 8]
    assert sorted(set(known.dt.day[known.dt.day >= 10])) == [11, 15, 17]


def test_bike_lacks_some_hours_and_none_of_its_hours_is_without_a_rental():
    train = read_back("bike")["train.csv"]
    assert 24 * 24 * 5 - 100 < len(train) < 24 * 24 * 5
    assert (train["count"] > 0).all()
    assert (train["casual"] + train["registered"] == train["count"]).all()


def test_bike_knows_the_holidays_of_washington():
    train = read_back("bike")["train.csv"]
    free = train.loc[train["holiday"] == 1, "datetime"].str[:10]
    assert sorted(set(free)) == [
        "2011-01-17",
        "2011-04-15",
        "2011-07-04",
        "2011-11-11",
        "2012-07-04",
        "2012-10-08",
    ]
    assert (train.loc[train["holiday"] == 1, "workingday"] == 0).all()


def test_ddarung_mixes_the_ids_and_asks_for_a_warmer_season():
    train, test, _ = read_back("ddarung").values()
    for frame in (train, test):
        assert frame["id"].is_monotonic_increasing
        assert frame["id"].min() < 30
        assert frame["id"].max() > 2130
        assert set(frame["hour"]) == set(range(24))
        assert not frame["hour"].is_monotonic_increasing
    warmer = test["hour_bef_temperature"].mean() - train["hour_bef_temperature"].mean()
    assert warmer > 4
    assert (len(train) + len(test), len(train) // 100) == (24 * 90 - 6, 14)


def test_ddarung_loses_all_weather_or_some_of_the_air():
    train = read_back("ddarung")["train.csv"]
    weather = [name for name in train if name.startswith("hour_bef")]
    outages = train[weather].isna().all(axis="columns")
    assert outages.sum() == 2
    gaps = train.loc[~outages, weather].isna()
    air = ["hour_bef_ozone", "hour_bef_pm10", "hour_bef_pm2.5"]
    assert set(gaps.columns[gaps.any()]) == {"hour_bef_windspeed", *air}
    assert gaps[air].all(axis="columns").sum() > 0.5 * gaps["hour_bef_ozone"].sum()


# A model learns the target from the numeric features, and no feature gives it away.


def known_numbers(name: str) -> tuple[pd.DataFrame, pd.Series]:
    frame = read_back(name)["train.csv"]
    if name == "bike":
        when = pd.to_datetime(frame["datetime"])
        frame = frame.drop(columns=["casual", "registered"])
        frame = frame.assign(hour=when.dt.hour, year=when.dt.year, half=when.dt.day > 9)
    target = np.log1p(frame[TARGETS[name]])
    features = frame.select_dtypes(["number", "bool"]).drop(columns=TARGETS[name])
    return features.drop(columns=KEYS[name], errors="ignore"), target


@pytest.mark.parametrize("name", NAMES)
def test_the_target_can_be_learned_and_is_not_given_away(name):
    X, y = known_numbers(name)
    model = HistGradientBoostingRegressor(max_iter=80, random_state=0)
    if name == "bike":
        scores = cross_val_score(model, X, y, groups=X["half"], cv=GroupKFold(2), scoring="r2")
    else:
        scores = cross_val_score(model, X, y, cv=KFold(3), scoring="r2")
    assert 0.8 < scores.mean() < 0.985
    assert X.corrwith(y, method="spearman").abs().max() < 0.9


@pytest.mark.parametrize("name", ["ddarung", "house"])
def test_the_ids_tell_nothing_of_the_target(name):
    train = read_back(name)["train.csv"]
    assert abs(np.corrcoef(train[KEYS[name]], train[TARGETS[name]])[0, 1]) < 0.1


# With the competitions' files: a sample stays within what they have.


@pytest.mark.parametrize("name", NAMES)
def test_columns_types_and_gaps_are_the_real_ones(name):
    for real, sample in zip(read_real(name).values(), read_back(name).values(), strict=True):
        assert list(dtypes(sample).items()) == list(dtypes(real).items())
        assert incomplete(sample) == incomplete(real)


@pytest.mark.parametrize("name", NAMES)
def test_gaps_are_about_as_frequent_as_the_real_ones(name):
    for real, sample in zip(read_real(name).values(), read_back(name).values(), strict=True):
        difference = (sample.isna().mean() - real.isna().mean()).abs()
        assert (difference < 0.06).all(), difference.nlargest(3).to_dict()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [42, 1, 2])
def test_there_is_no_level_that_the_real_files_lack(name, seed):
    real = pd.concat([read_real(name)[file] for file in ("train.csv", "test.csv")])
    sample = pd.concat([read_back(name, seed)[file] for file in ("train.csv", "test.csv")])
    texts = set(real.select_dtypes("str")) - {KEYS[name]}
    for column in texts | set(CODES[name]):
        assert set(sample[column].dropna()) <= set(real[column].dropna()), column


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [42, 1, 2])
def test_numbers_stay_near_the_real_ranges(name, seed):
    real = pd.concat([read_real(name)[file] for file in ("train.csv", "test.csv")])
    sample = pd.concat([read_back(name, seed)[file] for file in ("train.csv", "test.csv")])
    numbers = sorted(set(real.select_dtypes("number")) - {KEYS[name]})
    slack = 0.1 * (real[numbers].max() - real[numbers].min())
    low = sample[numbers].min() < real[numbers].min() - slack
    high = sample[numbers].max() > real[numbers].max() + slack
    assert not [column for column in numbers if low[column] or high[column]]
