"""Score a public script's recipe for bike on our folds, to tell what such a score is worth there.

Its leaderboard score is known, 0.365 on the rows of the test file; what it scores on the folds
that `kc` uses shows how a score out of fold and one of the leaderboard belong together. Where the
recipe is silent, scikit-learn's defaults stand.

    python bench/bike_calibration.py                 # files in ../shared/data/bike
    python bench/bike_calibration.py FOLDER
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import (
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from pipeline.competition import load_competition
from pipeline.features import load_features
from pipeline.splits import Fold, make_folds

ROOT = Path(__file__).parents[1]
BIKE = ROOT / "competitions" / "bike"
LEADERBOARD = 0.365  # what the recipe's author got on the test rows

WORKED = ("2011-04-15", "2012-04-16")
FREE = ("2011-11-25", "2012-11-23", "2012-05-21", "2012-06-01", "2012-10-30")
STORMS = ("2012-05-21", "2012-06-01", "2012-10-30")
COMMON = [
    "season", "holiday", "workingday", "weather", "temp", "atemp", "humidity", "windspeed", "year",
    "hour", "dayofweek", "count_season", "ideal", "sticky",
]  # fmt: skip
PARTS = {"casual": [*COMMON, "daytime"], "registered": [*COMMON, "peak"]}


def main() -> int:
    """Print the score of each fold, of all rows, and the difference to the leaderboard."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data" / "bike"
    rows = pd.read_csv(folder / "train.csv", parse_dates=["datetime"])
    truth, prediction = np.log1p(rows["count"].to_numpy()), np.full(len(rows), np.nan)
    started = time.perf_counter()
    scores = []
    for fold in declared_folds(rows):
        prediction[fold.valid] = np.log1p(predict(rows, fold))
        scores.append(rmse(prediction[fold.valid], truth[fold.valid]))
        print(f"fold {fold.number + 1}: {scores[-1]:.4f}", flush=True)
    score, error = rmse(prediction, truth), np.std(scores, ddof=1) / np.sqrt(len(scores))
    print(f"out of fold {score:.4f} +- {error:.4f}; leaderboard {LEADERBOARD}")
    print(f"the leaderboard is {LEADERBOARD - score:+.4f}, or times {LEADERBOARD / score:.3f}")
    print(f"{time.perf_counter() - started:.0f} s")
    return 0


def declared_folds(rows: pd.DataFrame) -> list[Fold]:
    """Return the folds of kc train bike."""
    competition, features = load_competition(BIKE / "competition.toml"), load_features(BIKE)
    assert features.add_features is not None
    groups = features.add_features(rows)[competition.columns.group]
    return make_folds(rows["count"], groups, None, competition.validation, competition.task)


def predict(rows: pd.DataFrame, fold: Fold) -> np.ndarray:
    """Return counts of the fold's validation rows by the recipe, fitted on its training rows."""
    X = with_features(rows, fold.train)
    total = np.zeros(len(fold.valid))
    for part, names in PARTS.items():
        y = np.log1p(rows[part].to_numpy()[fold.train])
        models = {
            0.7: GradientBoostingRegressor(n_estimators=1000, min_samples_leaf=6, random_state=0),
            0.3: RandomForestRegressor(n_estimators=1000, min_samples_leaf=2, random_state=0),
        }
        seen, unseen = X[names].iloc[fold.train], X[names].iloc[fold.valid]
        logs = sum(weight * one.fit(seen, y).predict(unseen) for weight, one in models.items())
        total += np.clip(np.expm1(logs), 0, None)
    return total


def with_features(rows: pd.DataFrame, train: np.ndarray) -> pd.DataFrame:
    """Return the recipe's columns; what is learned is learned from the rows at these positions."""
    when, day = rows["datetime"].dt, rows["datetime"].dt.strftime("%Y-%m-%d")
    works = (rows["workingday"].eq(1) | day.isin(WORKED)) & ~day.isin(FREE)
    free = rows["holiday"].eq(1) & ~day.isin(WORKED)
    X = rows.assign(
        year=when.year,
        hour=when.hour,
        dayofweek=when.day_of_week,
        workingday=works.astype(int),
        holiday=(free | day.isin(STORMS) | day.str[5:].isin(("12-24", "12-26", "12-31"))) * 1,
        ideal=(rows["temp"].gt(27) & rows["windspeed"].lt(30)).astype(int),
        sticky=(works & rows["humidity"].ge(60)).astype(int),
        daytime=when.hour.between(10, 19).astype(int),
        peak=np.where(works, when.hour.isin((8, 17, 18)), when.hour.between(10, 19)).astype(int),
    )
    levels = X.iloc[train].groupby(["year", "season"])["count"].median()
    X["count_season"] = levels.reindex(pd.MultiIndex.from_frame(X[["year", "season"]])).to_numpy()
    return X.assign(windspeed=filled_wind(X))


def filled_wind(X: pd.DataFrame) -> pd.Series:
    """Return wind speeds, where the anemometer wrote 0 those that other hours of such weather have.

    The wind is known of all rows, also of those of the test file, so this learns no answer.
    """
    names = ["season", "weather", "humidity", "year", "temp", "atemp"]
    calm = X["windspeed"].eq(0)
    model = RandomForestClassifier(n_estimators=100, max_depth=12, random_state=0)
    model.fit(X.loc[~calm, names], X.loc[~calm, "windspeed"].astype(str))
    wind = X["windspeed"].copy()
    wind[calm] = model.predict(X.loc[calm, names]).astype(float)
    return wind


def rmse(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Return the root mean squared error of logarithms, which is the metric."""
    return float(np.sqrt(np.mean((prediction - truth) ** 2)))


if __name__ == "__main__":
    sys.exit(main())
