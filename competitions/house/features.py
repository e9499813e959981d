"""Row-wise features for House Prices."""

import numpy as np
import pandas as pd

# Steps of one scale; NA means that the house has no such thing.
GRADES = {"NA": 0, "Po": 1, "Fa": 2, "TA": 3, "Gd": 4, "Ex": 5}
GRADED = [
    "ExterQual", "ExterCond", "BsmtQual", "BsmtCond", "HeatingQC", "KitchenQual", "FireplaceQu",
    "GarageQual", "GarageCond",
]  # fmt: skip
FINISHES = {"NA": 0, "Unf": 1, "LwQ": 2, "Rec": 3, "BLQ": 4, "ALQ": 5, "GLQ": 6}
SCALES = {
    **dict.fromkeys(GRADED, GRADES),
    "BsmtExposure": {"NA": 0, "No": 1, "Mn": 2, "Av": 3, "Gd": 4},
    "BsmtFinType1": FINISHES,
    "BsmtFinType2": FINISHES,
    "GarageFinish": {"NA": 0, "Unf": 1, "RFn": 2, "Fin": 3},
    "Functional": {
        "Sal": 0, "Sev": 1, "Maj2": 2, "Maj1": 3, "Mod": 4, "Min2": 5, "Min1": 6, "Typ": 7,
    },
    "LotShape": {"IR3": 0, "IR2": 1, "IR1": 2, "Reg": 3},
    "LandSlope": {"Sev": 0, "Mod": 1, "Gtl": 2},
    "PavedDrive": {"N": 0, "P": 1, "Y": 2},
    "CentralAir": {"N": 0, "Y": 1},
    "Fence": {"NA": 0, "MnWw": 1, "GdWo": 2, "MnPrv": 3, "GdPrv": 4},
}  # fmt: skip
# Areas and prices grow by ratios, so their logarithms are compared.
AREAS = [
    "LotFrontage", "LotArea", "MasVnrArea", "BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF", "TotalBsmtSF",
    "1stFlrSF", "2ndFlrSF", "GrLivArea", "GarageArea", "WoodDeckSF", "OpenPorchSF",
    "EnclosedPorch", "ScreenPorch",
]  # fmt: skip
PORCHES = ["OpenPorchSF", "EnclosedPorch", "3SsnPorch", "ScreenPorch"]


def add_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn grades into numbers and areas into logarithms; add totals, ages, flags and products."""
    numbers = {name: frame[name].map(steps).astype(float) for name, steps in SCALES.items()}
    logs = {name: _log(frame[name]) for name in AREAS}
    made = frame.assign(**numbers, **logs).assign(
        **_sizes(frame), **_ages(frame), **_flags(frame), **_places(frame)
    )
    return made.assign(**_products(frame, made))


def _log(area: pd.Series) -> pd.Series:
    return pd.Series(np.log1p(area.astype(float)), index=area.index)


def _sizes(f: pd.DataFrame) -> dict[str, pd.Series]:
    floors = f["TotalBsmtSF"].fillna(0) + f["1stFlrSF"] + f["2ndFlrSF"]
    finished = f["GrLivArea"] + f["BsmtFinSF1"].fillna(0) + f["BsmtFinSF2"].fillna(0)
    outside = f[PORCHES].sum(axis="columns") + f["WoodDeckSF"]
    living, rooms = _log(f["GrLivArea"]), np.log(f["TotRmsAbvGrd"])
    baths = f["FullBath"] + 0.5 * f["HalfBath"]
    baths += f["BsmtFullBath"].fillna(0) + 0.5 * f["BsmtHalfBath"].fillna(0)
    return {
        "TotalSF": _log(floors),
        "FinishedSF": _log(finished),
        "AllSF": _log(floors + f["GarageArea"].fillna(0) + 0.5 * outside),
        "PorchSF": _log(f[PORCHES].sum(axis="columns")),
        "LotPerLiving": _log(f["LotArea"]) - living,
        "LivingPerRoom": living - rooms,
        "TotalBath": baths,
        "BathPerBedroom": np.log1p(baths) - np.log1p(f["BedroomAbvGr"]),
        "UnfinishedBasement": (f["BsmtUnfSF"] / f["TotalBsmtSF"].clip(lower=1)).fillna(0),
    }


def _ages(f: pd.DataFrame) -> dict[str, pd.Series]:
    # No garage is newer than its sale, though one is said to be of 2207.
    garage = f["GarageYrBlt"].fillna(f["YearBuilt"]).clip(upper=f["YrSold"])
    return {
        "Age": (f["YrSold"] - f["YearBuilt"]).clip(lower=0),
        "AgeOfRemodel": (f["YrSold"] - f["YearRemodAdd"]).clip(lower=0),
        "GarageYrBlt": garage,
        "IsNew": (f["YrSold"] - f["YearBuilt"]).le(1).astype(int),
    }


def _flags(f: pd.DataFrame) -> dict[str, pd.Series]:
    near = f[["Condition1", "Condition2"]]
    flags = {
        "HasGarage": f["GarageArea"].gt(0),
        "HasBasement": f["TotalBsmtSF"].gt(0),
        "HasFireplace": f["Fireplaces"].gt(0),
        "HasSecondFloor": f["2ndFlrSF"].gt(0),
        "HasPool": f["PoolArea"].gt(0),
        "HasDeck": f["WoodDeckSF"].gt(0),
        "HasPorch": f[PORCHES].gt(0).any(axis="columns"),
        "HasVeneer": f["MasVnrArea"].gt(0),
        "HasShed": f["MiscFeature"].eq("Shed"),
        "NearPark": near.isin(["PosN", "PosA"]).any(axis="columns"),
        "NearRoad": near.isin(["Artery", "Feedr"]).any(axis="columns"),
        "NearRail": near.isin(["RRAe", "RRAn", "RRNe", "RRNn"]).any(axis="columns"),
        # The data's author warns of them (De Cock, 2011): what is paid for a part of a very large
        # house that is still being built is not what it will be worth.
        "HugeAndUnfinished": f["SaleCondition"].eq("Partial") & f["GrLivArea"].gt(4000),
    }
    return {name: flag.astype(int) for name, flag in flags.items()}


def _places(f: pd.DataFrame) -> dict[str, pd.Series]:
    return {
        "NeighborhoodAndType": f["Neighborhood"] + " " + f["BldgType"],
        "NeighborhoodAndZone": f["Neighborhood"] + " " + f["MSZoning"].fillna("missing"),
    }


def _products(f: pd.DataFrame, made: pd.DataFrame) -> dict[str, pd.Series]:
    quality, living = f["OverallQual"], made["GrLivArea"]
    return {
        "Quality": quality * f["OverallCond"],
        "QualitySquared": quality**2,
        "QualityLiving": quality * living,
        "QualitySF": quality * made["TotalSF"],
        "QualityFinished": quality * made["FinishedSF"],
        "QualityAge": quality * made["Age"],
        "QualityExterior": quality * made["ExterQual"],
        "QualityKitchen": quality * made["KitchenQual"],
        "ConditionLiving": f["OverallCond"] * living,
        "Grades": made["ExterQual"] + made["KitchenQual"] + made["BsmtQual"].fillna(0),
        "GarageGrade": f["GarageCars"].fillna(0) * made["GarageQual"].fillna(0),
    }
