"""What is suspected to give the answer away, and what is only strong."""

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

from pipeline.competition import Cleaning, Columns, Competition, Files, Task, Validation
from pipeline.data import TestData, TrainData
from pipeline.leaks import Suspect, explained_by_hidden, find_suspects

N = 300


def declared(task: Task, target: str, **facts: Any) -> Competition:
    return Competition(
        name="toy",
        title="T",
        task=task,
        metric="rmse" if task == "regression" else "accuracy",
        files=Files(train="a", test="b", sample_submission="c"),
        columns=Columns(id="id", target=(target,)),
        **facts,
    )


def rows(X: pd.DataFrame, y: Any, ids: Any = None) -> TrainData:
    ids = range(len(X)) if ids is None else ids
    y = y if isinstance(y, pd.Series) else pd.Series(np.asarray(y), name="y")
    return TrainData(
        X.reset_index(drop=True), y.reset_index(drop=True), pd.Series(ids).astype("str")
    )


def suspects(
    X: pd.DataFrame,
    y: Any,
    test: pd.DataFrame,
    task: Task = "regression",
    target: str = "y",
    ids: Any = None,
    test_ids: Any = None,
    **facts: Any,
) -> list[Suspect]:
    test_ids = range(10**6, 10**6 + len(test)) if test_ids is None else test_ids
    unseen = TestData(test.reset_index(drop=True), pd.Series(test_ids).astype("str"))
    return find_suspects(declared(task, target, **facts), rows(X, y, ids), unseen)


def frame(n: int = N, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})


def answers(X: pd.DataFrame, noise: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.asarray(X["a"] + X["b"] + noise * rng.normal(size=len(X)))


OF_SCIKIT_LEARN: dict[str, Task] = {
    "diabetes": "regression", "breast_cancer": "binary", "wine": "multiclass", "iris": "multiclass",
}  # fmt: skip


@pytest.mark.parametrize("name", OF_SCIKIT_LEARN)
def test_strong_but_honest_columns_are_not_suspected(name: str) -> None:
    data = getattr(datasets, f"load_{name}")(as_frame=True)
    shuffled = np.random.default_rng(0).permutation(len(data.data))
    mine, theirs = np.split(shuffled, [len(shuffled) * 7 // 10])
    for order in (mine, np.sort(mine)):  # by chance, and as the file has them, sorted by class
        X, y = data.data.iloc[order], data.target.iloc[order]
        found = suspects(X, y, data.data.iloc[theirs], OF_SCIKIT_LEARN[name], "target")
        assert [one for one in found if one.what != "rows"] == []  # two flowers of iris are alike


def test_a_flower_that_two_leaves_tell_is_easy_and_no_leak() -> None:
    data = datasets.load_iris(as_frame=True)
    assert suspects(data.data, data.target == 0, data.data + 1e-9, "binary") == []


def test_what_stands_out_is_suspected_with_its_strength() -> None:
    X, y = frame(), answers(frame())
    rng = np.random.default_rng(1)
    leak = y + rng.normal(0, 0.1, N)
    (found,) = suspects(X.assign(later=np.sin(leak / 3)), y, frame(seed=2).assign(later=0.0))
    assert (found.what, found.strength > 0.98) == ("later", True)
    assert found.text == (
        f"later alone explains the target almost wholly ({found.strength:.3f}); is it known "
        "beforehand? if not, add it to [columns] drop"
    )


def test_the_target_in_another_unit_is_called_that() -> None:
    X, y = frame(), answers(frame())
    (found,) = suspects(X.assign(inches=y / 2.54 + 1), y, frame(seed=2).assign(inches=0.0))
    assert found.text.startswith(
        "inches is the target in another spelling (y = 2.54 x inches -2.54); is it known beforehand"
    )
    (found,) = suspects(X.assign(grown=np.exp(y)), y, frame(seed=2).assign(grown=0.0))
    assert "(it rises or falls with y, row by row)" in found.text


def test_two_leaks_do_not_hide_each_other() -> None:
    X, y = frame(), answers(frame())
    X = X.assign(metres=y, feet=y * 3.28)
    found = suspects(X, y, frame(seed=2).assign(metres=0.0, feet=0.0))
    assert [one.what for one in found] == ["metres", "feet"]


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_text_that_spells_the_class_is_suspected(task: Task) -> None:
    X = frame()
    y = np.digitize(answers(X), [0.0] if task == "binary" else [-1.0, 1.0])
    said = pd.Series(np.array(["no", "yes", "very"])[y], dtype="str")
    (found,) = suspects(X.assign(said=said), y, frame(seed=2).assign(said="no"), task)
    assert found.text.startswith("said is the target in another spelling (each level is one class)")


@pytest.mark.parametrize(
    ("name", "is_named"),
    [("price_old", True), ("Price.USD", True), ("target_enc", True), ("pricey", False)],
)
def test_a_name_like_the_target_s_needs_less_proof(name: str, is_named: bool) -> None:
    X, y = frame(), answers(frame())
    hint = y + np.random.default_rng(1).normal(0, 0.5, N)  # R2 of about 0.9
    found = suspects(
        X.assign(**{name: hint}), y, frame(seed=2).assign(**{name: 0.0}), target="price"
    )
    assert [one.what for one in found] == ([name] if is_named else [])
    if is_named:
        assert f"{name} is called like the target, and explains it well (0." in found[0].text


def test_a_name_like_the_target_s_alone_is_nothing() -> None:
    X, y = frame().rename(columns={"a": "price_zone"}), answers(frame(), noise=3.0)
    assert suspects(X, y, frame(seed=2).rename(columns={"a": "price_zone"}), target="price") == []


def drifting(n: int = N) -> np.ndarray:
    return np.cumsum(np.random.default_rng(0).normal(size=n))


def test_ids_between_which_the_test_lies_tell_of_neighbours() -> None:
    ids = np.arange(N) * 2
    shuffled = np.random.default_rng(1).permutation(N)
    X = frame().iloc[shuffled]
    facts: dict[str, Any] = {"ids": ids[shuffled], "test_ids": ids + 1}
    (found,) = suspects(X, drifting()[shuffled], frame(seed=2), **facts)
    assert found.what == "id"
    assert found.text.startswith("rows with neighbouring ids have alike answers (correlation 0.9")
    assert "ids of test rows lie between them; declare [columns] time or group" in found.text
    assert suspects(X, drifting()[shuffled], frame(seed=2), ids=ids[shuffled]) == []  # all after
    by_time = {"validation": Validation(scheme="like_test")}
    assert suspects(X, drifting()[shuffled], frame(seed=2), **facts, **by_time) == []


def test_rows_in_an_order_that_tells_are_named_but_not_if_sorted_by_the_answer() -> None:
    (found,) = suspects(frame(), drifting(), frame(seed=2))
    assert found.what == "order"
    assert found.text.startswith("neighbouring rows have alike answers (correlation 0.9")
    assert suspects(frame(), np.sort(drifting()), frame(seed=2)) == []
    assert suspects(frame(), np.sort(drifting())[::-1], frame(seed=2)) == []
    assert suspects(frame(), np.random.default_rng(0).permutation(drifting()), frame(seed=2)) == []


def test_rows_that_stand_twice_are_counted_unless_chance_makes_them() -> None:
    X = pd.concat([frame(), frame().iloc[:30]], ignore_index=True)
    y = answers(X)
    test = pd.concat([frame(seed=2), frame().iloc[:20]], ignore_index=True)
    inside, across = suspects(X, y, test)
    assert inside.text.startswith(
        "30 training rows repeat the features of an earlier one, 60 rows of them with different "
        "answers; if they describe one thing"
    )
    assert across.text.startswith("20 test rows have the features of a training row; ")
    same = suspects(X, np.r_[y[:N], y[:30]], test)
    assert same[0].text.startswith(
        "30 training rows repeat the features of an earlier one; if they describe one thing"
    )
    dropped = {"cleaning": Cleaning(duplicates="drop")}
    assert [one.text[:2] for one in suspects(X, y, test, **dropped)] == ["20"]
    rng = np.random.default_rng(0)
    few = pd.DataFrame(rng.integers(0, 3, (N, 3)), columns=list("abc"))
    assert suspects(few, rng.normal(size=N), few.iloc[:100]) == []


def test_columns_that_only_train_has_are_a_hint() -> None:
    X = frame()
    casual, registered = np.arange(N) % 7, np.arange(N) % 100
    train = rows(X, pd.Series(casual + registered, name="count"))
    toy = declared("regression", "count")
    hidden = pd.DataFrame({"casual": casual, "registered": registered})
    assert explained_by_hidden(hidden, train, toy) == (
        "casual, registered: only in train, and they sum to count; declare them as [target] parts, "
        "and models may learn each by itself"
    )
    found = explained_by_hidden(hidden[["registered"]], train, toy)
    assert found is not None
    assert found.startswith("registered: only in train, and explains count almost wholly (0.99")
    assert explained_by_hidden(hidden[["casual"]], train, toy) is None
    assert explained_by_hidden(hidden[[]], train, toy) is None


def test_a_hundred_thousand_rows_of_fifty_columns_are_quick() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(100_000, 50)), columns=[f"c{i}" for i in range(50)])
    y = X["c1"] + rng.normal(size=100_000)
    test = X.iloc[:50_000] + 1
    started = time.process_time()
    assert suspects(X, y, test) == []
    assert time.process_time() - started < 1.5
