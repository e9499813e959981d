"""Invented files in the shape of House Prices (Ames): no row comes from the competition.

Houses are built part by part and sold at a price made from area, quality, age and neighbourhood.
As in the competition's files "NA" stands both for a part that is absent and for an unknown value.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

N_TRAIN, N_TEST = 1200, 1200
HEADER = """
Id MSSubClass MSZoning LotFrontage LotArea Street Alley LotShape LandContour Utilities LotConfig
LandSlope Neighborhood Condition1 Condition2 BldgType HouseStyle OverallQual OverallCond YearBuilt
YearRemodAdd RoofStyle RoofMatl Exterior1st Exterior2nd MasVnrType MasVnrArea ExterQual ExterCond
Foundation BsmtQual BsmtCond BsmtExposure BsmtFinType1 BsmtFinSF1 BsmtFinType2 BsmtFinSF2 BsmtUnfSF
TotalBsmtSF Heating HeatingQC CentralAir Electrical 1stFlrSF 2ndFlrSF LowQualFinSF GrLivArea
BsmtFullBath BsmtHalfBath FullBath HalfBath BedroomAbvGr KitchenAbvGr KitchenQual TotRmsAbvGrd
Functional Fireplaces FireplaceQu GarageType GarageYrBlt GarageFinish GarageCars GarageArea
GarageQual GarageCond PavedDrive WoodDeckSF OpenPorchSF EnclosedPorch 3SsnPorch ScreenPorch PoolArea
PoolQC Fence MiscFeature MiscVal MoSold YrSold SaleType SaleCondition SalePrice
"""
COLUMNS = HEADER.split()

# Zoning, the decade most houses are from, quality from -2 to 2, and the houses in a thousand.
NEIGHBORHOODS: dict[str, tuple[str, int, int, int]] = {
    "NAmes": ("RL", 1960, -1, 150), "CollgCr": ("RL", 2000, 1, 90), "OldTown": ("RM", 1920, -1, 80),
    "Edwards": ("RL", 1950, -1, 70), "Somerst": ("FV", 2000, 1, 65), "Gilbert": ("RL", 1990, 0, 60),
    "NridgHt": ("RL", 2000, 2, 55), "Sawyer": ("RL", 1960, -1, 50), "NWAmes": ("RL", 1970, 0, 45),
    "SawyerW": ("RL", 1980, 0, 40), "BrkSide": ("RM", 1930, -1, 40), "Crawfor": ("RL", 1940, 1, 35),
    "Mitchel": ("RL", 1980, 0, 35), "NoRidge": ("RL", 1990, 2, 25), "Timber": ("RL", 1990, 1, 25),
    "IDOTRR": ("RM", 1920, -2, 30), "ClearCr": ("RL", 1960, 0, 15), "StoneBr": ("RL", 1990, 2, 20),
    "SWISU": ("RL", 1920, -1, 15), "MeadowV": ("RM", 1970, -2, 15), "Blmngtn": ("RL", 2000, 1, 10),
    "BrDale": ("RM", 1970, -2, 10), "Veenker": ("RL", 1970, 1, 10), "NPkVill": ("RL", 1970, 0, 5),
    "Blueste": ("RM", 1970, 0, 5),
}  # fmt: skip

# Levels that depend on nothing else, with their weights.
LEVELS: dict[str, dict[str, float]] = {
    "Street": {"Pave": 199, "Grvl": 1},
    "Alley": {"NA": 94, "Grvl": 3, "Pave": 3},
    "LotShape": {"Reg": 64, "IR1": 32, "IR2": 3, "IR3": 1},
    "LandContour": {"Lvl": 90, "Bnk": 4, "HLS": 4, "Low": 2},
    "Utilities": {"AllPub": 1},
    "LotConfig": {"Inside": 72, "Corner": 18, "CulDSac": 6, "FR2": 3, "FR3": 1},
    "LandSlope": {"Gtl": 94, "Mod": 5, "Sev": 1},
    "Condition1": {
        "Norm": 860, "Feedr": 55, "Artery": 30, "RRAn": 20, "PosN": 12, "RRAe": 10, "PosA": 7,
        "RRNn": 3, "RRNe": 3,
    },
    "Condition2": {"Norm": 985, "Feedr": 5, "Artery": 3, "PosN": 3, "PosA": 2, "RRNn": 2},
    "BldgType": {"1Fam": 83, "TwnhsE": 8, "Duplex": 4, "Twnhs": 3, "2fmCon": 2},
    "HouseStyle": {
        "1Story": 50, "2Story": 30, "1.5Fin": 10, "SLvl": 5, "SFoyer": 3, "1.5Unf": 1, "2.5Unf": 1,
    },
    "RoofStyle": {"Gable": 78, "Hip": 19, "Gambrel": 1, "Flat": 1, "Mansard": 0.5, "Shed": 0.5},
    "RoofMatl": {"CompShg": 980, "Tar&Grv": 10, "WdShake": 5, "WdShngl": 5},
    "Exterior1st": {
        "VinylSd": 35, "HdBoard": 15, "MetalSd": 15, "Wd Sdng": 14, "Plywood": 8, "CemntBd": 4,
        "BrkFace": 3, "WdShing": 2, "Stucco": 1.5, "AsbShng": 1.5, "BrkComm": 0.5,
    },
    "ExterCond": {"TA": 87, "Gd": 10, "Fa": 2, "Ex": 1},
    "BsmtCond": {"TA": 92, "Gd": 4, "Fa": 3.5, "Po": 0.5},
    "BsmtExposure": {"No": 67, "Av": 15, "Gd": 10, "Mn": 8},
    "BsmtFinType2": {"Unf": 88, "Rec": 4, "LwQ": 3, "BLQ": 2, "ALQ": 2, "GLQ": 1},
    "Heating": {"GasA": 980, "GasW": 10, "Grav": 5, "Wall": 5},
    "Functional": {
        "Typ": 930, "Min2": 20, "Min1": 20, "Mod": 15, "Maj1": 7, "Maj2": 5, "Sev": 3,
    },
    "GarageQual": {"TA": 95, "Fa": 3, "Gd": 1.5, "Po": 0.5},
    "GarageCond": {"TA": 96, "Fa": 2.5, "Gd": 1, "Po": 0.5},
    "PavedDrive": {"Y": 91, "N": 7, "P": 2},
    "Fence": {"NA": 80, "MnPrv": 11, "GdPrv": 4, "GdWo": 4, "MnWw": 1},
    "MiscFeature": {"NA": 96, "Shed": 3.5, "Gar2": 0.3, "Othr": 0.2},
}  # fmt: skip
# MSSubClass by style: a house from 1946 on, an older house, a townhouse.
SUBCLASSES = {
    "1Story": (20, 30, 120), "2Story": (60, 70, 160), "1.5Fin": (50, 50, 120),
    "1.5Unf": (45, 45, 120), "2.5Unf": (75, 75, 160), "SLvl": (80, 80, 180),
    "SFoyer": (85, 85, 180),
}  # fmt: skip
# The share of houses that have the part, and its least and greatest area in square feet.
AREAS = {
    "LowQualFinSF": (0.02, 80, 500), "WoodDeckSF": (0.48, 20, 400), "OpenPorchSF": (0.55, 10, 200),
    "EnclosedPorch": (0.14, 20, 300), "3SsnPorch": (0.02, 100, 400),
    "ScreenPorch": (0.08, 60, 400), "PoolArea": (0.005, 200, 700),
}  # fmt: skip
# The second covering is the first one in most houses, and some are spelled another way there.
SECOND_SPELLINGS = {"CemntBd": "CmentBd", "WdShing": "Wd Shng", "BrkComm": "Brk Cmn"}
BASEMENT = ["BsmtQual", "BsmtCond", "BsmtExposure", "BsmtFinType1", "BsmtFinType2"]
GARAGE = ["GarageType", "GarageYrBlt", "GarageFinish", "GarageQual", "GarageCond"]
# Levels of one training row each, which no test row has.
ONLY_IN_TRAIN = {
    "Utilities": "NoSeWa", "RoofMatl": "ClyTile", "Heating": "OthW", "Electrical": "Mix",
    "Exterior2nd": "Other",
}  # fmt: skip
# Unknown values: how many rows lack these columns, together.
UNKNOWN_IN_TRAIN: tuple[tuple[int, list[str]], ...] = (
    (6, ["MasVnrType", "MasVnrArea"]),
    (1, ["Electrical"]),
    (1, ["BsmtExposure"]),
    (1, ["BsmtFinType2"]),
)
UNKNOWN_IN_TEST: tuple[tuple[int, list[str]], ...] = (
    (12, ["MasVnrType", "MasVnrArea"]),
    (1, [*BASEMENT, "BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF", "TotalBsmtSF"]),
    (2, ["BsmtFullBath", "BsmtHalfBath"]),
    (3, ["BsmtCond"]),
    (1, [*GARAGE, "GarageCars", "GarageArea"]),
    (1, ["Exterior1st", "Exterior2nd"]),
    (4, ["MSZoning"]),
    (2, ["Utilities"]),
    (2, ["Functional"]),
    (1, ["KitchenQual"]),
    (1, ["SaleType"]),
)


def make_sample(seed: int = 42) -> dict[str, pd.DataFrame]:
    """Return train, test and sample submission as frames, keyed by file name."""
    rng = np.random.default_rng(seed)
    n_houses = N_TRAIN + N_TEST
    levels = {name: _choose(rng, weights, n_houses) for name, weights in LEVELS.items()}
    houses = pd.DataFrame({"Id": np.arange(1, n_houses + 1), **levels})
    for add in (_add_age, _add_lot, _add_rooms, _add_grades, _add_basement, _add_garage):
        add(houses, rng)
    for add in (_add_coverings, _add_sale, _add_price, _write_absent):
        add(houses, rng)
    train = houses.loc[: N_TRAIN - 1, COLUMNS]
    test = houses.loc[N_TRAIN:, COLUMNS[:-1]].reset_index(drop=True)
    _add_rarities(train, test, rng)
    submission = test[["Id"]].assign(SalePrice=180_000.0)
    return {"train.csv": train, "test.csv": test, "sample_submission.csv": submission}


def _add_age(h: pd.DataFrame, rng: np.random.Generator) -> None:
    """Add the neighbourhood, and the years and the quality that follow from it."""
    n = len(h)
    h["Neighborhood"] = _choose(rng, _column(3), n)
    zone, decade, status = (h["Neighborhood"].map(_column(i)) for i in range(3))
    h["MSZoning"] = np.select([rng.random(n) < 0.01, rng.random(n) < 0.01], ["RH", "C (all)"], zone)
    h["YearBuilt"] = _whole(decade + 5 + 8 * rng.normal(size=n), 1875, 2009)
    rebuilt = h["YearBuilt"] + rng.random(n) * (2010 - h["YearBuilt"])
    h["YearRemodAdd"] = _whole(np.where(rng.random(n) < 0.5, rebuilt, h["YearBuilt"]), 1950, 2010)
    quality = 5.8 + status + (h["YearBuilt"] - 1970) / 40 + 0.9 * rng.normal(size=n)
    h["OverallQual"] = _whole(quality, 1, 10)
    worn = np.where(h["YearBuilt"] > 1995, 0.3, 1.2)
    h["OverallCond"] = _whole(5.3 + worn * rng.normal(size=n), 1, 9)


def _add_lot(h: pd.DataFrame, rng: np.random.Generator) -> None:
    """Add the kind of dwelling and its lot: feet of street, and square feet."""
    n = len(h)
    townhouse = h["BldgType"].isin(["TwnhsE", "Twnhs"])
    new, old, town = (
        h["HouseStyle"].map({k: v[i] for k, v in SUBCLASSES.items()}) for i in range(3)
    )
    kinds = [h["BldgType"] == "Duplex", h["BldgType"] == "2fmCon", townhouse, h["YearBuilt"] < 1946]
    h["MSSubClass"] = np.select(kinds, [90, 190, town, old], new)
    h["LotFrontage"] = _whole(np.where(townhouse, 35, 72) + 15 * rng.normal(size=n), 21, 180)
    depth = np.where(townhouse, 80, 135) * np.exp(0.3 * rng.normal(size=n))
    h["LotArea"] = _whole(h["LotFrontage"] * depth, 1400, 50_000)


def _add_rooms(h: pd.DataFrame, rng: np.random.Generator) -> None:
    """Add the areas above ground in square feet, and the rooms in them."""
    n = len(h)
    for name, (share, low, high) in AREAS.items():
        h[name] = rng.integers(low, high, n) * (rng.random(n) < share)
    size = np.exp(7.1 + 0.06 * (h["OverallQual"] - 6) + 0.2 * rng.normal(size=n))
    upper = h["HouseStyle"].map({"2Story": 0.95, "1.5Fin": 0.5, "2.5Unf": 1.0}).fillna(0)
    h["1stFlrSF"] = _whole(size * (1 - 0.25 * upper), 400, 3000)
    h["2ndFlrSF"] = _whole(h["1stFlrSF"] * upper * (1 + 0.1 * rng.normal(size=n)), 0, 1800)
    h["GrLivArea"] = h["1stFlrSF"] + h["2ndFlrSF"] + h["LowQualFinSF"]
    h["TotRmsAbvGrd"] = _whole(h["GrLivArea"] / 250 + 0.6 + 0.7 * rng.normal(size=n), 3, 12)
    h["BedroomAbvGr"] = _whole(0.45 * h["TotRmsAbvGrd"] + 0.4 * rng.normal(size=n), 0, 6)
    h["KitchenAbvGr"] = 1 + (h["BldgType"] == "Duplex").astype("int64")
    h["FullBath"] = _whole(h["GrLivArea"] / 1100 + 0.3 * rng.normal(size=n), 1, 3)
    h["HalfBath"] = _flip(rng, np.where(upper > 0, 0.6, 0.2))
    h["Fireplaces"] = _flip(rng, 0.5, n) + _flip(rng, 0.1, n)


def _add_grades(h: pd.DataFrame, rng: np.random.Generator) -> None:
    """Add the grades from poor to excellent; some parts are never poor."""
    lowest = {"ExterQual": 1, "KitchenQual": 1, "BsmtQual": 1, "HeatingQC": 0, "FireplaceQu": 0}
    for name, low in lowest.items():
        grade = 2.2 + 0.45 * (h["OverallQual"] - 6) + 0.5 * rng.normal(size=len(h))
        h[name] = np.array(["Po", "Fa", "TA", "Gd", "Ex"])[_whole(grade, low, 4)]
    h["PoolQC"] = _choose(rng, {"Gd": 4, "Ex": 4, "Fa": 2}, len(h))


def _add_basement(h: pd.DataFrame, rng: np.random.Generator) -> None:
    """Add the basement: its finished and unfinished square feet sum to the total."""
    n = len(h)
    types = {"Unf": 30, "GLQ": 28, "ALQ": 15, "BLQ": 10, "Rec": 10, "LwQ": 7}
    h["BsmtFinType1"] = _choose(rng, types, n)
    first, second = h["BsmtFinType1"] != "Unf", h["BsmtFinType2"] != "Unf"
    total = _whole(h["1stFlrSF"] * rng.uniform(0.8, 1, n), 0, 2400) * _flip(rng, 0.97, n)
    h["TotalBsmtSF"] = total
    h["BsmtFinSF1"] = _whole(total * first * rng.uniform(0.3, 0.8, n), 0, 3000)
    h["BsmtFinSF2"] = _whole(total * second * rng.uniform(0.05, 0.2, n), 0, 3000)
    h["BsmtUnfSF"] = total - h["BsmtFinSF1"] - h["BsmtFinSF2"]
    h["BsmtFullBath"] = _flip(rng, 0.65 * (h["BsmtFinSF1"] > 0))
    h["BsmtHalfBath"] = _flip(rng, 0.06 * (total > 0))


def _add_garage(h: pd.DataFrame, rng: np.random.Generator) -> None:
    """Add the garage: room for one to four cars, or none, and its square feet."""
    n = len(h)
    old = _choose(rng, {"Detchd": 80, "Attchd": 15, "Basment": 2, "CarPort": 2, "2Types": 1}, n)
    new = _choose(rng, {"Attchd": 80, "BuiltIn": 10, "Detchd": 10}, n)
    h["GarageType"] = np.where(h["YearBuilt"] < 1955, old, new)
    later = _flip(rng, 0.2, n) * rng.random(n) * (2009 - h["YearBuilt"])
    h["GarageYrBlt"] = _whole(h["YearBuilt"] + later, 1900, 2009)
    finish = h["OverallQual"] - 5 + rng.normal(size=n)
    h["GarageFinish"] = np.array(["Unf", "RFn", "Fin"])[_whole(finish, 0, 2)]
    cars = _whole(0.3 * h["OverallQual"] + 0.5 * rng.normal(size=n), 1, 4) * _flip(rng, 0.95, n)
    h["GarageCars"] = cars
    h["GarageArea"] = _whole(cars * (245 + 20 * rng.normal(size=n)), 0, 1400)


def _add_coverings(h: pd.DataFrame, rng: np.random.Generator) -> None:
    """Add walls, foundation and wires, which tell the age of a house."""
    n = len(h)
    second = h["Exterior1st"].where(rng.random(n) < 0.9, _choose(rng, LEVELS["Exterior1st"], n))
    h["Exterior2nd"] = second.replace(SECOND_SPELLINGS)
    h["MasVnrArea"] = rng.integers(20, 700, n) * _flip(rng, 0.4, n)
    stone = _choose(rng, {"BrkFace": 76, "Stone": 21, "BrkCmn": 3}, n)
    h["MasVnrType"] = np.where(h["MasVnrArea"] > 0, stone, "None")
    old = _choose(rng, {"BrkTil": 75, "CBlock": 20, "Stone": 5}, n)
    middle = _choose(rng, {"CBlock": 90, "PConc": 5, "Slab": 5}, n)
    new = _choose(rng, {"PConc": 99, "Wood": 1}, n)
    ages = [h["YearBuilt"] < 1940, h["YearBuilt"] < 1990]
    h["Foundation"] = np.select(ages, [old, middle], new)
    fuses = _choose(rng, {"SBrkr": 65, "FuseA": 25, "FuseF": 8, "FuseP": 2}, n)
    h["Electrical"] = np.where(h["YearBuilt"] < 1960, fuses, "SBrkr")
    h["CentralAir"] = np.where(rng.random(n) < np.where(h["YearBuilt"] < 1960, 0.2, 0.01), "N", "Y")
    h["MiscVal"] = 50 * rng.integers(8, 40, n) * (h["MiscFeature"] != "NA")


def _add_sale(h: pd.DataFrame, rng: np.random.Generator) -> None:
    """Add when and how a house was sold; new houses are sold before they are finished."""
    n = len(h)
    h["MoSold"] = _whole(6.3 + 2.7 * rng.normal(size=n), 1, 12)
    h["YrSold"] = np.maximum(rng.integers(2006, 2011, n), h["YearBuilt"])
    new = h["YrSold"] - h["YearBuilt"] <= 1
    kinds = {"WD": 950, "COD": 25, "ConLD": 7, "CWD": 5, "ConLI": 4, "ConLw": 4, "Oth": 3, "Con": 2}
    h["SaleType"] = np.where(new, "New", _choose(rng, kinds, n))
    states = {"Normal": 90, "Abnorml": 7, "Family": 1.5, "Alloca": 1, "AdjLand": 0.5}
    h["SaleCondition"] = np.where(new, "Partial", _choose(rng, states, n))


def _add_price(h: pd.DataFrame, rng: np.random.Generator) -> None:
    """Add the price in dollars, a product of what the house has and some noise."""
    log_price = (
        12.05
        + 0.1 * (h["OverallQual"] - 6)
        + 0.04 * (h["OverallCond"] - 5)
        + 0.002 * (h["YearBuilt"] - 1970)
        + 0.05 * h["Neighborhood"].map(_column(2))
        + 0.65 * np.log(h["GrLivArea"] / 1500)
        + 0.1 * (h["TotalBsmtSF"] - 1000) / 1000
        + 0.05 * (h["GarageCars"] - 2)
        + 0.1 * np.log(h["LotArea"] / 10_000)
        + 0.05 * h["KitchenQual"].map({"Fa": -1, "TA": 0, "Gd": 1, "Ex": 2})
        - 0.1 * (h["CentralAir"] == "N")
        - 0.15 * (h["SaleCondition"] == "Abnorml")
        + 0.1 * rng.normal(size=len(h))
    )
    h["SalePrice"] = 500 * _whole(np.exp(log_price) / 500, 80, 1500)


def _write_absent(h: pd.DataFrame, rng: np.random.Generator) -> None:
    """Write "NA" where the house has no such part, and where nobody measured the frontage."""
    _write_na(h, h["TotalBsmtSF"] == 0, BASEMENT)
    _write_na(h, h["GarageCars"] == 0, GARAGE)
    _write_na(h, h["Fireplaces"] == 0, ["FireplaceQu"])
    _write_na(h, h["PoolArea"] == 0, ["PoolQC"])
    _write_na(h, rng.random(len(h)) < 0.17, ["LotFrontage"])


def _add_rarities(train: pd.DataFrame, test: pd.DataFrame, rng: np.random.Generator) -> None:
    """Give each file the unknown values and the levels that the other one lacks."""
    for frame, unknown in ((train, UNKNOWN_IN_TRAIN), (test, UNKNOWN_IN_TEST)):
        for n_rows, names in unknown:
            _write_na(frame, _pick(frame, names[0], n_rows, rng), names)
    for name, level in ONLY_IN_TRAIN.items():
        train.loc[_pick(train, name, 1, rng), name] = level
    test.loc[_pick(test, "MSSubClass", 1, rng), "MSSubClass"] = 150


def _pick(frame: pd.DataFrame, name: str, n_rows: int, rng: np.random.Generator) -> Any:
    """Return some rows in which the column is known."""
    return rng.choice(frame.index[frame[name] != "NA"], n_rows, replace=False)


def _write_na(frame: pd.DataFrame, rows: Any, names: list[str]) -> None:
    """Write "NA" into these cells; the other numbers of a column stay whole numbers."""
    frame[names] = frame[names].astype(object)
    frame.loc[rows, names] = "NA"


def _column(place: int) -> dict[str, Any]:
    """Return one column of the table of neighbourhoods."""
    return {name: facts[place] for name, facts in NEIGHBORHOODS.items()}


def _choose(rng: np.random.Generator, weights: Mapping[str, float], n: int) -> Any:
    """Return n levels drawn by weight."""
    shares = np.array(list(weights.values()), dtype=float)
    return rng.choice(np.array(list(weights), dtype=object), n, p=shares / shares.sum())


def _flip(rng: np.random.Generator, share: Any, n: int | None = None) -> Any:
    """Return ones with this chance, or these chances, and zeros else."""
    return rng.binomial(1, share, n)


def _whole(values: Any, low: int, high: int) -> Any:
    """Return the nearest whole numbers between two bounds."""
    return np.clip(np.round(values), low, high).astype("int64")
