"""What inspect finds odd about a competition's files, and what it does not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.competition import Columns, Competition, Files, Task, Validation
from pipeline.data import TestData, TrainData
from pipeline.inspection import Inspection, inspect_data, unseen_levels

N = 200


def competition(task: Task = "regression", **changes: Any) -> Competition:
    facts: dict[str, Any] = {
        "name": "toy",
        "title": "T",
        "task": task,
        "metric": "rmse" if task == "regression" else "accuracy",
        "files": Files(train="a", test="b", sample_submission="c"),
        "columns": Columns(id="id", target=("y",)),
    }
    return Competition(**facts | changes)


def features(n: int = N, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    kinds = pd.Series(rng.choice(["a", "b"], n), dtype="str")
    return pd.DataFrame({"x": rng.normal(size=n), "kind": kinds, "z": rng.normal(size=n)})


def inspected(
    X: pd.DataFrame, y: Any, test: pd.DataFrame | None = None, **facts: Any
) -> Inspection:
    test = features(100, 9) if test is None else test
    y = y if isinstance(y, pd.DataFrame) else pd.Series(np.asarray(y), name="y")
    train = TrainData(X=X, y=y, ids=pd.Series(range(len(X))).astype("str"))
    ids = pd.Series(range(len(test))).astype("str")
    return inspect_data(competition(**facts), train, TestData(X=test, ids=ids))


def noise(seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=N)


def leaks(found: Inspection) -> list[str]:
    return [w.split(" ")[0] for w in found.warnings if "is it known beforehand" in w]


def test_sound_files_have_no_warnings() -> None:
    X = features()
    found = inspected(X, X["x"] + noise())
    assert found.warnings == []
    assert (found.n_train, found.n_test) == (N, 100)


def test_each_column_is_described() -> None:
    X = features().assign(gap=np.nan)
    X.loc[:149, "gap"] = 1.0
    test = features(100, 9).assign(gap=2.0, kind=["new", "b"] * 50)
    columns = inspected(X, noise(), test).columns.set_index("column")
    assert list(columns.index) == ["x", "kind", "z", "gap"]
    assert columns["kind"].tolist() == ["number", "category", "number", "number"]
    assert columns["levels"].tolist() == [N, 2, N, 1]
    assert columns.loc["gap", ["missing_train", "missing_test"]].tolist() == [50, 0]
    assert columns["unseen_in_test"].tolist() == [0, 1, 0, 0]
    assert columns.loc["gap", "drift_auc"] == 1.0
    assert columns["strength"].between(0, 0.2).all(), "noise is explained by nothing"


def test_what_explains_the_target_is_told_and_repeated_rows_are_counted() -> None:
    X = features()
    X = pd.concat([X.iloc[:-2], X.iloc[[0, 1]]], ignore_index=True)
    found = inspected(X, X["x"], pd.concat([features(99, 9), X.iloc[[5]]], ignore_index=True))
    assert found.columns.set_index("column")["strength"].idxmax() == "x"
    assert found.repeated == {"train": 2, "test": 1}


def test_levels_that_only_the_test_rows_have_are_listed() -> None:
    train = pd.DataFrame({"k": pd.Series(["a", None], dtype="str"), "n": [1, 2]})
    test = pd.DataFrame({"k": pd.Series(["c", "b", "a", None, "b"], dtype="str"), "n": range(5)})
    assert unseen_levels(train, test) == {"k": ["b", "c"]}
    assert unseen_levels(train, train) == {}


def test_a_number_s_target_is_summarised() -> None:
    found = inspected(features(), np.arange(N))
    histogram = found.target["y"].pop("histogram")
    assert found.target["y"] == {
        "min": 0.0, "1%": pytest.approx(1.99), "25%": 49.75, "median": 99.5, "75%": 149.25,
        "99%": pytest.approx(197.01), "mean": 99.5, "max": 199.0, "skewness": 0.0,
    }  # fmt: skip
    assert sum(histogram["counts"]) == N
    assert set(np.diff(histogram["edges"])) == {17.0}, "a bin holds as many whole numbers as any"
    both = pd.DataFrame({"y": noise(), "w": noise(6)})
    columns = Columns(id="id", target=("y", "w"))
    assert set(inspected(features(), both, columns=columns).target) == {"y", "w"}


def test_a_class_target_is_summarised_by_shares() -> None:
    y = ["no"] * 150 + ["yes"] * 50
    shuffled = np.random.default_rng(0).permutation(y)
    found = inspected(features(), shuffled, task="binary")
    assert found.target == {"no": 0.75, "yes": 0.25}


def test_drift_is_warned_of_unless_the_folds_follow_it() -> None:
    shifted = features(100, 9).assign(x=5.0)
    found = inspected(features(), noise(), shifted)
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith(
        "test rows differ from training rows (adversarial AUC 1.00; by column x 1.00, "
    )
    assert found.warnings[0].endswith("; compare with --scheme like_test")
    like_test = Validation(scheme="like_test")
    assert inspected(features(), noise(), shifted, validation=like_test).warnings == []


def test_repeated_rows_are_counted_inside_and_across() -> None:
    X = features()
    X = pd.concat([X.iloc[:-3], X.iloc[[0, 1, 1]]], ignore_index=True)
    test = pd.concat([features(98, 9), X.iloc[[5, 6]]], ignore_index=True)
    assert inspected(X, noise(), test).warnings == [
        "3 training rows repeat the features of an earlier one, 5 rows of them with different "
        'answers; if they describe one thing, declare a [columns] group, or duplicates = "drop"',
        "2 test rows have the features of a training row; their answers may be known, so they are "
        "easier than the score says",
    ]


def labelled(task: str) -> np.ndarray:
    y = noise()
    if task == "regression":
        return y
    return np.array(["low", "mid", "top"])[np.digitize(y, [0] if task == "binary" else [-0.5, 0.5])]


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_column_that_gives_the_target_away_is_named(task: Any, sign: int) -> None:
    y = labelled(task)
    X = features().assign(leak=sign * (np.round(noise(), 2) if task == "regression" else noise()))
    assert leaks(inspected(X, y, features(100, 9).assign(leak=noise(8)[:100]), task=task)) == [
        "leak"
    ]


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_codes_of_the_classes_are_a_leak(task: Any) -> None:
    y = labelled(task)
    codes = np.unique(y, return_inverse=True)[1].astype(float)
    test = features(100, 9).assign(code=np.tile([0.0, 1.0], 50))
    assert leaks(inspected(features().assign(code=codes), y, test, task=task)) == ["code"]


def test_being_missing_may_give_the_class_away() -> None:
    y = labelled("binary")
    boat = np.where(y == "low", np.nan, noise(7))
    found = inspected(
        features().assign(boat=boat), y, features(100, 9).assign(boat=1.0), task="binary"
    )
    assert leaks(found) == ["boat"]


def test_sorted_rows_and_constant_columns_give_nothing_away() -> None:
    X = features().assign(same=1.0)
    test = features(100, 9).assign(same=1.0)
    assert inspected(X, np.sort(noise()), test).warnings == []
    assert inspected(X, np.sort(labelled("binary")), test, task="binary").warnings == []


def test_few_rows_are_not_suspected() -> None:
    X = features(40)
    assert (
        leaks(
            inspected(X.assign(leak=noise()[:40]), noise()[:40], features(100, 9).assign(leak=0.0))
        )
        == []
    )
