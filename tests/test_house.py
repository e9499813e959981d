"""House's and ddarung's own features, on rows made by their samples."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import Workspace, fetch
from pipeline.features import apply_features, load_features
from pipeline.stages.opening import Data, open_competition, read_data
from pipeline.workspace import BUILT_IN


def made(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    return apply_features(load_features(BUILT_IN / name), frame)


@pytest.fixture(scope="module")
def house(tmp_path_factory: Any) -> Data:
    workspace = Workspace(Path(tmp_path_factory.mktemp("house")))
    fetch(workspace, "house", sample=True)
    return read_data(open_competition(workspace, "house"))


def rows(house: Data, **changes: Any) -> pd.DataFrame:
    """Return rows as they are read, with some cells changed."""
    dropped = dict.fromkeys(("PoolArea", "3SsnPorch", "LowQualFinSF", "MiscVal"), 0)
    text = dict.fromkeys(("PoolQC", "MiscFeature", "Condition2"), "NA")
    return house.train.X.head(2).assign(**dropped, **text, GarageCars=2, **changes)


def test_a_huge_house_that_is_being_built_is_told_from_a_huge_one(house: Data) -> None:
    frame = rows(house, GrLivArea=[4500, 4500], SaleCondition=["Partial", "Normal"])
    assert made("house", frame)["HugeAndUnfinished"].tolist() == [1, 0]
    frame = rows(house, GrLivArea=[3500, 4500], SaleCondition=["Partial", "Abnorml"])
    assert made("house", frame)["HugeAndUnfinished"].tolist() == [0, 0]


def test_no_garage_is_of_the_future_and_none_is_as_old_as_its_house(house: Data) -> None:
    frame = rows(house, GarageYrBlt=[2207, np.nan], YearBuilt=[2006, 1950], YrSold=[2008, 2008])
    assert made("house", frame)["GarageYrBlt"].tolist() == [2008, 1950]


def test_discomfort_grows_on_both_sides_of_a_warm_day() -> None:
    frame = pd.DataFrame(
        {
            "hour": [18, 18, 3],
            "hour_bef_temperature": [24.0, 14.0, 34.0],
            "hour_bef_humidity": [100.0, 50.0, 50.0],
            "hour_bef_windspeed": [1.0, 2.0, 3.0],
            "hour_bef_ozone": [0.04, np.nan, 0.02],
            "hour_bef_pm10": [40.0, 20.0, np.nan],
            "hour_bef_pm2.5": [20.0, 15.0, 9.0],
        }
    )
    found = made("ddarung", frame)
    assert found["discomfort"].tolist() == [0, 100, 100]
    assert found["dew_point"].tolist() == [24, 4, 24]
    assert found["temperature_evening"].tolist() == [24, 14, 0]
    assert found["hours_since_4"].tolist() == [14, 14, 23]
    assert found["fine_share"].iloc[:2].tolist() == [0.5, 0.75]
