"""Competitions whose hidden labels are known here: files as a competitor gets them, and the truth.

bike, house, ddarung and travel are made of the training files beside the project, where they are;
the others are scikit-learn's own sets or generated. A seed changes what is hidden.
"""

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.model_selection import train_test_split

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"
TEST_SHARE = 0.25
WARM_SHARE = 0.3
HIDDEN_DAYS = range(10, 20)  # of every third month of bike

Rows = np.ndarray  # positions


@dataclass(frozen=True, eq=False)
class Contest:
    """Two tables and what is asked of the second.

    train has the target, test has not; truth (n_test,) is what was cut off, in test's order.
    task, metric: as in competition.toml. id: the column that names rows, a feature too if
    id_says_something. dates: columns that are read as dates. built_in: the competition that `kc`
    declares by itself. files: the names of the train, test and sample files.
    """

    name: str
    task: str
    metric: str
    train: pd.DataFrame
    test: pd.DataFrame
    truth: pd.Series
    target: str
    id: str = "id"
    id_says_something: bool = False
    dates: tuple[str, ...] = ()
    built_in: str | None = None
    files: tuple[str, str, str] = ("train.csv", "test.csv", "sample_submission.csv")

    @property
    def declared_as(self) -> str:
        """What `kc` calls it: some built-in competitions have the names of sets here."""
        return self.built_in or f"{self.name}_contest"

    @property
    def answer(self) -> str:
        """What is handed in: value, label, or probability."""
        if self.task == "regression":
            return "value"
        return "probability" if self.metric in ("log_loss", "roc_auc") else "label"

    @property
    def labels(self) -> list[str]:
        """The classes as text, sorted as their values are."""
        return [str(label) for label in np.unique(self.train[self.target])]

    @property
    def asked(self) -> list[str]:
        """The columns that are handed in besides the id."""
        by_class = self.answer == "probability" and len(self.labels) > 2
        return self.labels if by_class else [self.target]

    def sample(self) -> pd.DataFrame:
        """Return the sample submission: any answer, in the form that is asked for."""
        fill = {"value": 0.0, "label": self.train[self.target].mode()[0], "probability": 0.5}
        columns = dict.fromkeys(self.asked, fill[self.answer])
        return self.test[[self.id]].assign(**columns)

    def write(self, folder: Path) -> None:
        """Write the three files, without the truth."""
        tables = (self.train, self.test, self.sample())
        for table, name in zip(tables, self.files, strict=True):
            table.to_csv(folder / name, index=False, quoting=csv.QUOTE_MINIMAL)

    def digest(self) -> str:
        """Return what tells whether two results are of the same rows."""
        tables = (self.train, self.test, self.truth)
        whole = "".join(table.to_csv(index=False) for table in tables)
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


def cut(name: str, whole: pd.DataFrame, hidden: Rows, target: str, **facts: object) -> Contest:
    """Return the contest in which the target of the rows `hidden` is asked for."""
    is_hidden = np.isin(np.arange(len(whole)), hidden)
    train, test = (whole[rows].reset_index(drop=True) for rows in (~is_hidden, is_hidden))
    return Contest(
        name=name,
        train=train,
        test=test.drop(columns=target),
        truth=test[target],
        target=target,
        **facts,  # type: ignore[arg-type]
    )


def by_chance(whole: pd.DataFrame, seed: int, strata: pd.Series | None = None) -> Rows:
    """Return a random quarter of the rows, of classes the same share of each."""
    rows = np.arange(len(whole))
    return train_test_split(rows, test_size=TEST_SHARE, random_state=seed, stratify=strata)[1]


def as_written(name: str) -> pd.DataFrame:
    """Return a real training file, each cell as it is written."""
    return pd.read_csv(REAL / name / "train.csv", dtype=str, keep_default_na=False)


def bike(seed: int) -> Contest:
    """Hide the days 10 to 19 of every third month: runs of days between those that are seen."""
    whole = as_written("bike")
    when = pd.to_datetime(whole["datetime"])
    month = when.dt.year * 12 + when.dt.month
    hidden = when.dt.day.isin(HIDDEN_DAYS) & (month % 3 == seed % 3)
    contest = cut(
        "bike",
        whole,
        np.flatnonzero(hidden),
        "count",
        task="regression",
        metric="rmsle",
        id="datetime",
        id_says_something=True,
        dates=("datetime",),
        built_in="bike",
        files=("train.csv", "test.csv", "sampleSubmission.csv"),
    )
    return replace(contest, test=contest.test.drop(columns=["casual", "registered"]))


def house(seed: int) -> Contest:
    """Hide a random quarter of the prices."""
    whole = as_written("house")
    hidden = by_chance(whole, seed)
    facts = {"task": "regression", "metric": "rmsle", "id": "Id", "built_in": "house"}
    return cut("house", whole, hidden, "SalePrice", **facts)


def _ddarung(name: str, whole: pd.DataFrame, hidden: Rows) -> Contest:
    files = ("train.csv", "test.csv", "submission.csv")
    facts = {"task": "regression", "metric": "rmse", "built_in": "ddarung", "files": files}
    return cut(name, whole, hidden, "count", **facts)


def ddarung(seed: int) -> Contest:
    """Hide a random quarter of the hours."""
    whole = as_written("ddarung")
    return _ddarung("ddarung", whole, by_chance(whole, seed))


def ddarung_warm(seed: int) -> Contest:
    """Hide the warmest hours, as the real test asks for a warmer season; there is only one such."""
    whole = as_written("ddarung")
    warmth = pd.to_numeric(whole["hour_bef_temperature"])
    hidden = warmth.sort_values(kind="stable", na_position="first").index.to_numpy()
    return _ddarung("ddarung_warm", whole, hidden[-int(len(whole) * WARM_SHARE) :])


def travel(seed: int) -> Contest:
    """Hide a random quarter of who bought a journey."""
    whole = as_written("travel")
    hidden = by_chance(whole, seed, whole["ProdTaken"])
    return cut("travel", whole, hidden, "ProdTaken", task="binary", metric="accuracy")


def made(name: str, frame: pd.DataFrame, y: object, seed: int, **facts: object) -> Contest:
    """Return the contest of a table and its target, a random quarter of which is hidden."""
    whole = frame.assign(target=y)
    whole.insert(0, "id", np.arange(len(whole)))
    strata = None if facts["task"] == "regression" else whole["target"]
    return cut(name, whole, by_chance(whole, seed, strata), "target", **facts)


def bundled(name: str, task: str, metric: str) -> Callable[[int], Contest]:
    """Return the contest of one of scikit-learn's own sets; classes go by their names."""

    def read(seed: int) -> Contest:
        found = getattr(datasets, f"load_{name}")(as_frame=True)
        y = found.target
        if task != "regression":
            y = y.map(dict(enumerate(map(str, found.target_names))))
        frame = found.data.rename(columns=lambda column: str(column).replace(" ", "_"))
        return made(name, frame, y, seed, task=task, metric=metric)

    return read


def numbered(X: np.ndarray) -> pd.DataFrame:
    """Return columns x0, x1, ..., as a file would write them."""
    return pd.DataFrame(X.round(6), columns=[f"x{i}" for i in range(X.shape[1])])


def friedman(seed: int) -> Contest:
    """Friedman's first function of five of ten columns, with noise of one."""
    X, y = datasets.make_friedman1(10_000, n_features=10, noise=1.0, random_state=0)
    return made("friedman", numbered(X), y.round(6), seed, task="regression", metric="rmse")


def classes(seed: int) -> Contest:
    """Five classes in clusters of twenty columns; one label of ten is drawn by chance."""
    X, y = datasets.make_classification(
        6000,
        n_features=20,
        n_informative=8,
        n_redundant=4,
        n_classes=5,
        n_clusters_per_class=2,
        flip_y=0.1,
        random_state=0,
    )
    names = np.array(["amber", "blue", "coral", "denim", "ebony"])[y]
    return made("classes", numbered(X), names, seed, task="multiclass", metric="log_loss")


def categories(seed: int) -> Contest:
    """Hundreds of towns and trades, each with its own tendency, and gaps that mean something."""
    random = np.random.default_rng(0)
    n = 6000
    town = random.zipf(1.3, 3 * n)
    town = town[town <= 400][:n]
    trade = random.integers(60, size=n)
    age, income = random.normal(45, 12, n), random.lognormal(10, 0.5, n)
    no_income = random.random(n) < np.where(age > 50, 0.3, 0.1)
    tendency = random.normal(0, 1.2, 401)[town] + random.normal(0, 0.8, 60)[trade]
    tendency += 0.04 * (age - 45) + np.where(no_income, 1.0, 0.6 * (np.log(income) - 10))
    tendency += np.where(trade % 7 == 0, -0.06 * (age - 45), 0)
    bought = random.random(n) < 1 / (1 + np.exp(-tendency))
    frame = pd.DataFrame(
        {
            "town": [f"town {number}" for number in town],
            "trade": [f"trade {number}" for number in trade],
            "age": np.where(random.random(n) < 0.05, np.nan, age.round(1)),
            "income": np.where(no_income, np.nan, income.round(2)),
            "noise": random.normal(size=n).round(4),
        }
    )
    answer = np.where(bought, "yes", "no")
    return made("categories", frame, answer, seed, task="binary", metric="roc_auc")


def counts(seed: int) -> Contest:
    """Daily sales of eight shops in two years: a season, weekdays, weather, offers, and chance."""
    random = np.random.default_rng(0)
    days = pd.date_range("2021-01-01", "2022-12-31")
    table = pd.MultiIndex.from_product([days, list("ABCDEFGH")], names=["day", "shop"])
    frame = table.to_frame(index=False).sample(5000, random_state=0).sort_index(ignore_index=True)
    part_of_year = 2 * np.pi * frame["day"].dt.day_of_year / 365.25
    warmth = 12 - 10 * np.cos(part_of_year) + random.normal(0, 4, len(frame))
    offer = random.random(len(frame)) < 0.15
    weekday = frame["day"].dt.day_of_week.to_numpy()
    rate = random.normal(3, 0.6, 8)[frame["shop"].map(dict(zip("ABCDEFGH", range(8), strict=True)))]
    rate = rate + np.array([0, -0.1, -0.1, 0, 0.3, 0.6, -0.8])[weekday] + 0.4 * offer
    rate += 0.03 * warmth - 0.0015 * np.square(np.maximum(warmth - 20, 0))
    rate += 0.3 * (frame["day"].dt.month == 12) + 0.0004 * (frame["day"] - days[0]).dt.days
    facts = {"task": "regression", "metric": "rmsle", "dates": ("day",)}
    frame = frame.assign(warmth=warmth.round(1), offer=offer.astype(int))
    return made("counts", frame, random.poisson(np.exp(rate)), seed, **facts)


CONTESTS: dict[str, Callable[[int], Contest]] = {
    "bike": bike,
    "house": house,
    "ddarung": ddarung,
    "ddarung_warm": ddarung_warm,
    "travel": travel,
    "diabetes": bundled("diabetes", "regression", "rmse"),
    "breast_cancer": bundled("breast_cancer", "binary", "roc_auc"),
    "wine": bundled("wine", "multiclass", "log_loss"),
    "digits": bundled("digits", "multiclass", "accuracy"),
    "friedman": friedman,
    "classes": classes,
    "categories": categories,
    "counts": counts,
}
OF_FILES = {"bike": "bike", "house": "house", "ddarung": "ddarung", "travel": "travel"}
OF_FILES["ddarung_warm"] = "ddarung"


def present() -> list[str]:
    """Return the names of the contests whose files are here."""
    folders = {name: REAL / OF_FILES[name] for name in OF_FILES}
    return [name for name in CONTESTS if name not in folders or folders[name].is_dir()]


def with_features(contest: Contest, workspace_root: Path) -> Contest:
    """Return the contest with the columns that `kc` makes of it by the built-in declaration.

    workspace_root: an empty folder.
    """
    from pipeline import Workspace, fetch
    from pipeline.stages.opening import open_competition, read_data

    assert contest.built_in is not None
    files = workspace_root / "files"
    files.mkdir()
    contest.write(files)
    workspace = Workspace(workspace_root)
    fetch(workspace, contest.built_in, files)
    data = read_data(open_competition(workspace, contest.built_in))
    keys = [contest.id, contest.target]
    train = pd.concat([data.train.X, contest.train[keys]], axis="columns")
    test = pd.concat([data.test.X, contest.test[[contest.id]]], axis="columns")
    return replace(contest, train=train, test=test, id_says_something=False, dates=())
