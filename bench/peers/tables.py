"""The data sets, and one split of each: the same frame for both sides.

bike, house and ddarung are read as `kc` reads them (with the columns of their features.py and the
declared transform of the target) where the files lie beside the project; the others are
scikit-learn's. A number that is missing is filled with the mean of the training rows, beside a text
column that says so, because the reference takes no missing numbers.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.model_selection import train_test_split

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"
TEST_SHARE = 0.2
VALID_SHARE = 0.2  # of the rows that are not test
N_FRIEDMAN = 4000


@dataclass(frozen=True, eq=False)
class Table:
    """X (n_samples, n_features) of numbers and text; y (n_samples,): numbers, or codes from 0."""

    X: pd.DataFrame
    y: np.ndarray
    task: str  # regression or classes


@dataclass(frozen=True, eq=False)
class Split:
    """One outer split: rows to fit on, of which `valid` (positions) choose the epoch, and test."""

    X: pd.DataFrame
    y: np.ndarray
    valid: np.ndarray
    X_test: pd.DataFrame
    y_test: np.ndarray
    task: str

    def digest(self) -> str:
        """Return what tells whether two results are of the same rows."""
        whole = hashlib.sha256()
        for frame in (self.X, self.X_test):
            whole.update(frame.to_csv(index=False).encode())
        for values in (self.y, self.valid, self.y_test):
            whole.update(np.ascontiguousarray(values).tobytes())
        return whole.hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Write the rows as arrays that any version of pandas can make frames of."""
        for name, frame in (("fit", self.X), ("test", self.X_test)):
            text = [c for c in frame if frame[c].dtype == "str"]
            numbers = frame.drop(columns=text)
            np.savez(
                folder / f"{name}.npz",
                numbers=numbers.to_numpy(float),
                text=frame[text].to_numpy(object).astype("U"),
            )
            names = {"order": list(frame), "numbers": list(numbers), "text": text}
            (folder / "columns.json").write_text(json.dumps(names), encoding="utf-8")
        np.savez(folder / "answers.npz", y=self.y, valid=self.valid)


def competition(name: str) -> Callable[[], Table]:
    """Return the reader of a competition's training file."""

    def read() -> Table:
        from pipeline import Workspace, fetch
        from pipeline.stages.opening import open_competition, read_data
        from pipeline.targets import bound_target

        with tempfile.TemporaryDirectory() as folder:
            workspace = Workspace(Path(folder))
            fetch(workspace, name, REAL / name)
            opened = open_competition(workspace, name)
            train = read_data(opened).train
        transform = bound_target(None, opened.competition.target, opened.competition.metric).func
        return Table(
            train.X.reset_index(drop=True), transform(train.y.to_numpy(float)), "regression"
        )

    return read


def bundled(name: str, task: str) -> Callable[[], Table]:
    """Return the reader of one of scikit-learn's own sets."""

    def read() -> Table:
        found = getattr(datasets, f"load_{name}")(as_frame=True)
        y = found.target.to_numpy(float if task == "regression" else int)
        return Table(found.data.astype(float), y, task)

    return read


def friedman() -> Table:
    """Return Friedman's first function of five of ten columns, with noise of one."""
    X, y = datasets.make_friedman1(N_FRIEDMAN, n_features=10, noise=1.0, random_state=0)
    return Table(pd.DataFrame(X, columns=[f"x{i}" for i in range(10)]), y, "regression")


TABLES: dict[str, Callable[[], Table]] = {
    "bike": competition("bike"),
    "house": competition("house"),
    "ddarung": competition("ddarung"),
    "diabetes": bundled("diabetes", "regression"),
    "friedman": friedman,
    "breast_cancer": bundled("breast_cancer", "classes"),
    "wine": bundled("wine", "classes"),
    "digits": bundled("digits", "classes"),
}


def present() -> list[str]:
    """Return the names of the sets whose files are here."""
    real = {"bike", "house", "ddarung"}
    return [name for name in TABLES if name not in real or (REAL / name).is_dir()]


def split(table: Table, seed: int) -> Split:
    """Return the outer split of a seed: 64 % to train on, 16 % to choose the epoch, 20 % test."""
    rows = np.arange(len(table.y))

    def part(rows: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        strata = table.y[rows] if table.task == "classes" else None
        left, right = train_test_split(rows, test_size=share, random_state=seed, stratify=strata)
        return left, right

    rest, test = part(rows, TEST_SHARE)
    train, valid = part(rest, VALID_SHARE)
    fitting = np.concatenate([train, valid])
    X = fill(table.X, train)
    return Split(
        X=X.iloc[fitting].reset_index(drop=True),
        y=table.y[fitting],
        valid=np.arange(len(train), len(fitting)),
        X_test=X.iloc[test].reset_index(drop=True),
        y_test=table.y[test],
        task=table.task,
    )


def fill(X: pd.DataFrame, train: np.ndarray) -> pd.DataFrame:
    """Return X without missing cells, filled with what the rows `train` say."""
    text = [name for name in X if X[name].dtype == "str"]
    filled = X.assign(**{name: X[name].fillna("missing") for name in text})
    for name in X.columns.difference(text, sort=False):
        column = X[name].astype(float)
        if column.isna().any():
            said = column.isna().map({True: "missing", False: "present"}).astype("str")
            filled[f"{name} is"] = said
        filled[name] = column.fillna(column.iloc[train].mean())
    return filled
