"""Numbers, names and shapes at their limits: each trains, or is one clear line."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import write

from pipeline import PipelineError, TrainOptions, Workspace, fetch, train

TOML = """\
title = "Limits"
task = "{task}"
metric = "{metric}"

[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"

[columns]
id = "id"
target = "y"
{columns}
[validation]
n_splits = {folds}

[models.lightgbm]
n_estimators = 20

[models.catboost]
n_estimators = 20

[models.dnn]
units = [8]
epochs = 2
n_seeds = 1

[models.realmlp]
epochs = 2
n_seeds = 1
"""
N_TRAIN, N_TEST = 60, 12
Frame = pd.DataFrame
Change = Callable[[Frame], Frame]

pytestmark = pytest.mark.slow


def rows(n: int = N_TRAIN + N_TEST) -> Frame:
    """Return rows of two numbers, a text of three levels, and the number that follows from them."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, n).round(3), rng.normal(10, 3, n).round(3)
    c = rng.choice(["red", "blue", "green"], n)
    y = (2 * a + b + (c == "red") + rng.normal(0, 0.1, n)).round(3)
    return Frame({"id": np.arange(n), "a": a, "b": b, "c": c, "y": y})


def text(frame: Frame, name: str) -> Frame:
    """Return the frame with a column as text, so that any spelling can be put into it."""
    return frame.assign(**{name: frame[name].astype(str).astype(object)})


def put(name: str, value: object, at: slice = slice(0, None)) -> Change:
    """Return what puts a value into rows of a column."""

    def change(frame: Frame) -> Frame:
        frame = text(frame, name)
        frame.loc[frame.index[at], name] = str(value)
        return frame

    return change


def wide(n: int) -> Change:
    def change(frame: Frame) -> Frame:
        more = np.random.default_rng(1).normal(size=(len(frame), n)).round(2)
        return frame.join(Frame(more, columns=[f"x{i}" for i in range(n)]))

    return change


def named(*names: str) -> Change:
    return lambda frame: frame.rename(columns=dict(zip("abc", names, strict=True)))


def levels(frame: Frame) -> Frame:
    return frame.assign(c=[f"level {i}" for i in range(len(frame))])


TOO_LARGE = "column '{}': expected a finite number of at most 3.4e+38, found"

# What is changed, how many rows and folds there are, and what is said if it is refused.
CASES: dict[str, tuple[Change, dict[str, int], str]] = {
    "a constant number": (put("a", 7), {}, ""),
    "a constant text": (put("c", "same"), {}, ""),
    "a constant number and nothing else": (
        lambda frame: put("a", 7)(frame).drop(columns=["b", "c"]),
        {},
        "train.csv: every feature column has one value in all 60 rows; there is nothing to learn",
    ),
    "one number near the largest": (put("a", 1.7e308, slice(3, 5)), {}, TOO_LARGE.format("a")),
    "numbers near the largest": (
        lambda f: f.assign(a=f["a"].clip(-1.7, 1.7) * 1e308), {}, TOO_LARGE.format("a")
    ),
    "a number too large for 32 bits": (
        put("a", 1e39, slice(3, 5)), {}, "train.csv, line 5, " + TOO_LARGE.format("a")
    ),
    "a test row too large for 32 bits": (
        put("a", 1e39, slice(-3, None)), {}, "test.csv, line 11, " + TOO_LARGE.format("a")
    ),
    "numbers near 0": (lambda f: f.assign(a=f["a"] * 1e-320, b=f["b"] * 1e-300), {}, ""),
    "a huge target": (lambda f: f.assign(y=f["y"] * 1e200), {}, TOO_LARGE.format("y")),
    "a large target": (lambda f: f.assign(y=f["y"] * 1e30), {}, ""),
    "a small target": (lambda f: f.assign(y=f["y"] * 1e-30), {}, ""),
    "a tiny target": (
        lambda f: f.assign(y=f["y"] * 1e-300), {}, "every training row has the same y in 32 bits"
    ),
    "an infinite number": (
        put("a", "inf", slice(3, 4)), {}, "train.csv, line 5, column 'a': expected a finite number"
    ),
    "an infinite target": (
        put("y", "-inf", slice(3, 4)), {}, "train.csv, line 5, column 'y': expected a finite number"
    ),
    "a number beyond all bounds": (
        put("a", "1e999", slice(3, 4)), {}, "line 5, column 'a': expected a finite number"
    ),
    "whole numbers beyond 64 bits": (put("a", 10**30, slice(3, 9)), {}, ""),
    "a column without any value": (put("a", ""), {}, "columns are empty in all 60 rows: 'a'"),
    "a number with one value": (put("a", "", slice(1, None)), {}, ""),
    "a text with one value": (put("c", "", slice(1, None)), {}, ""),
    "a column that is missing in the test alone": (put("a", "", slice(-N_TEST, None)), {}, ""),
    "folds of one row": (lambda frame: frame, {"n": 8, "folds": 8}, ""),
    "two rows": (
        lambda frame: frame, {"n": 2, "folds": 2}, "a fold leaves 1 row to train on; expected 2"
    ),
    "10,000 levels": (levels, {"n": 10_000, "folds": 2}, ""),
    "a column twice": (
        lambda f: Frame(np.c_[f, f["a"]], columns=[*f, "a"]), {}, "column 'a' appears twice"
    ),
    "names in Korean, in signs and with spaces": (named("따릉이 온도", "🌡", " c "), {}, ""),
    "names with JSON's signs": (named('a{"x":[1,2]}', "b<1>", "c,\n,"), {}, ""),
    "names that steps give": (named("numeric", "onehot", "model"), {}, ""),
    "names that look like columns made": (named("x = red", "missing_a", "c"), {}, ""),
    "a name that a level's column would have": (
        named("c = red", "b", "c"), {}, "column 'c = red' is named as a level of column 'c' would"
    ),
}  # fmt: skip
MODELS = ("ridge", "lightgbm", "catboost", "dnn", "realmlp")


def trained(
    folder: Path, frame: Frame, n: int, label: str, *, task: str = "regression", **facts: object
) -> Frame:
    """Return the submission of a model, which is told of what Python warns of as an error."""
    metric = "rmse" if task == "regression" else "accuracy"
    toml = TOML.format(task=task, metric=metric, **({"columns": "", "folds": 3} | facts))
    write(folder / "competitions" / "limits" / "competition.toml", toml)
    sample = frame[["id"]][n:].assign(y=0 if task == "regression" else frame["y"].iloc[0])
    files = {"train": frame[:n], "test": frame[n:].drop(columns="y"), "sample": sample}
    for name, part in files.items():
        write(folder / "files" / f"{name}.csv", part.to_csv(index=False))
    workspace = Workspace(folder)
    fetch(workspace, "limits", folder / "files")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        return pd.read_csv(train(workspace, "limits", TrainOptions(label=label)).submission)


def check(folder: Path, expected: str, frame: Frame, n: int, label: str, **facts: object) -> None:
    """Check that a model gives finite answers, or the line that is expected."""
    if not expected:
        found = trained(folder, frame, n, label, **facts)
        assert len(found) == N_TEST
        assert found["y"].notna().all()
        if facts.get("task", "regression") == "regression":
            assert np.isfinite(found["y"].astype(float)).all()
        return
    with pytest.raises(PipelineError) as caught:
        trained(folder, frame, n, label, **facts)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((folder / "runs").glob("*"))


TRIED = [
    (what, label)
    for what, (_, _, expected) in CASES.items()
    for label in (MODELS[:1] if expected else MODELS)  # what is refused is seen by no model
]


@pytest.mark.parametrize(("what", "label"), TRIED)
def test_columns_at_their_limits(tmp_path: Path, what: str, label: str) -> None:
    change, sizes, expected = CASES[what]
    n = sizes.get("n", N_TRAIN)
    check(tmp_path, expected, change(rows(n + N_TEST)), n, label, folds=sizes.get("folds", 3))


def test_five_thousand_columns(tmp_path: Path) -> None:
    check(tmp_path, "", wide(5_000)(rows()), N_TRAIN, "ridge", folds=2)


# Dates as they are written, and whether they are declared to be dates.
DATES = {
    "the last day that can be written": (["9999-12-31", "2020-05-06", "0001-01-01"], ""),
    "days before and after what nanoseconds hold": (["1600-01-01", "2300-01-01", "2020-05-06"], ""),
    "a day that no month has": (
        ["2020-02-30", "2020-05-06", "2020-05-07"],
        "train.csv, line 2, column 'd': expected a date such as ",
    ),
    "a year of five digits": (
        ["12020-02-03", "2020-05-06", "2020-05-07"],
        "train.csv, line 2, column 'd': expected a date such as ",
    ),
    "one day": (["2020-05-06"] * 3, ""),
    "dates of several zones": (
        ["2020-05-06T01:02:03+09:00", "2020-05-06T01:02:03Z", ""],
        "train.csv, line 2, column 'd': expected a date such as ",
    ),
}


@pytest.mark.parametrize("label", ["ridge", "lightgbm", "realmlp"])
@pytest.mark.parametrize("what", DATES)
def test_dates_at_their_limits(tmp_path: Path, what: str, label: str) -> None:
    cells, expected = DATES[what]
    frame = rows()
    frame["d"] = [cells[i % 3] for i in range(len(frame))]
    check(tmp_path, expected, frame, N_TRAIN, label, columns='datetime = ["d"]\n')


@pytest.mark.filterwarnings("ignore:The number of unique classes")  # as few rows as there are
@pytest.mark.parametrize("label", ["logistic", "random_forest", "lightgbm", "catboost", "dnn"])
def test_two_rows_a_class(tmp_path: Path, label: str) -> None:
    frame = rows()
    frame["y"] = [f"class {i // 2}" for i in range(len(frame))]
    stops_early = label in ("lightgbm", "catboost", "dnn")
    expected = "too alike to hold some out, which early stopping needs" if stops_early else ""
    check(tmp_path, expected, frame, N_TRAIN, label, task="multiclass", folds=2)


def test_one_row_of_a_class(tmp_path: Path) -> None:
    frame = rows()
    frame["y"] = ["rare" if i == 0 else "usual" for i in range(len(frame))]
    expected = "class 'rare' has 1 rows, too few for 3 stratified folds"
    check(tmp_path, expected, frame, N_TRAIN, "logistic", task="binary")


@pytest.mark.parametrize("kind", ["random_forest", "xgboost", "hist_gradient_boosting", "knn"])
@pytest.mark.parametrize("what", ["names with JSON's signs", "a number with one value"])
def test_other_models_take_the_same_columns(tmp_path: Path, what: str, kind: str) -> None:
    check(tmp_path, "", CASES[what][0](rows()), N_TRAIN, kind)
