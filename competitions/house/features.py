"""Row-wise features for House Prices."""

import numpy as np
import pandas as pd

# The grades are steps of one scale; NA means that the house has no such thing.
GRADES = {"NA": 0, "Po": 1, "Fa": 2, "TA": 3, "Gd": 4, "Ex": 5}
GRADED = [
    "ExterQual", "ExterCond", "BsmtQual", "BsmtCond", "HeatingQC", "KitchenQual", "FireplaceQu",
    "GarageQual", "GarageCond", "PoolQC",
]  # fmt: skip
# Areas and prices grow by ratios, so a network sees their logarithms.
AREAS = [
    "LotFrontage", "LotArea", "MasVnrArea", "BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF", "TotalBsmtSF",
    "1stFlrSF", "2ndFlrSF", "LowQualFinSF", "GrLivArea", "GarageArea", "WoodDeckSF", "OpenPorchSF",
    "EnclosedPorch", "3SsnPorch", "ScreenPorch", "PoolArea", "MiscVal",
]  # fmt: skip


def add_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn grades into numbers and areas into logarithms; add totals and ages."""
    f = frame
    grades = {name: f[name].map(GRADES).astype(float) for name in GRADED}
    area = f[["TotalBsmtSF", "1stFlrSF", "2ndFlrSF"]].sum(axis="columns")
    porch = f[["OpenPorchSF", "EnclosedPorch", "3SsnPorch", "ScreenPorch"]].sum(axis="columns")
    return f.assign(
        **grades,
        **{name: np.log1p(f[name].astype(float)) for name in AREAS},
        TotalSF=np.log1p(area),
        PorchSF=np.log1p(porch),
        TotalBath=f["FullBath"] + f["BsmtFullBath"] + 0.5 * (f["HalfBath"] + f["BsmtHalfBath"]),
        Quality=f["OverallQual"] * f["OverallCond"],
        QualitySF=f["OverallQual"] * np.log1p(area),
        Age=f["YrSold"] - f["YearBuilt"],
        AgeOfRemodel=f["YrSold"] - f["YearRemodAdd"],
        HasGarage=f["GarageArea"].gt(0).astype(int),
        HasBasement=f["TotalBsmtSF"].gt(0).astype(int),
        HasFireplace=f["Fireplaces"].gt(0).astype(int),
        SoldIn=f["YrSold"].astype(str),
    )
