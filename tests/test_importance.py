"""What columns are worth: a column that decides is, one of chance is not."""

import time

import numpy as np
import pandas as pd
import pytest

from pipeline.importance import ask_shuffled, importance_of, order_of_asking, rows_to_ask
from pipeline.metrics import METRICS

LATER = time.monotonic() + 3600


def frame(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "noise": rng.normal(size=n),
            "size": rng.normal(size=n),
            "colour": pd.array(rng.choice(["red", "blue"], n), dtype="str"),
        }
    )


def respond(X: pd.DataFrame) -> np.ndarray:
    return (3 * X["size"] + (X["colour"] == "red")).to_numpy(dtype=float).reshape(-1, 1)


def asked(X: pd.DataFrame, numbers: int = 4) -> tuple[dict, dict]:
    folds = np.array_split(np.arange(len(X)), numbers)
    columns = list(X)
    said = {
        n: ask_shuffled(respond, X.iloc[rows], columns, 0, n, LATER) for n, rows in enumerate(folds)
    }
    return said, {n: respond(X.iloc[rows])[:, 0] for n, rows in enumerate(folds)}


def test_a_column_is_worth_what_shuffling_it_costs():
    X = frame()
    found = importance_of(*asked(X), list(X), METRICS["rmse"], None)
    assert list(found.table["column"]) == ["size", "colour", "noise"]
    assert found.table["importance"][0] == pytest.approx(3 * np.sqrt(2), rel=0.15)
    assert found.table["importance"][2] == 0
    assert found.table["error"][0] > 0
    assert (found.n_rows, found.n_columns, found.note) == (200, 3, "")


def test_what_is_shuffled_keeps_its_type_and_its_values_and_nothing_else_moves():
    seen = []

    def remember(X: pd.DataFrame) -> np.ndarray:
        seen.append(X)
        return respond(X)

    X = frame(50)
    ask_shuffled(remember, X, ["colour", "size"], 0, 0, LATER)
    plain, shuffled = seen
    assert list(shuffled.dtypes) == list(plain.dtypes)
    first, second = (
        shuffled.iloc[:50].reset_index(drop=True),
        shuffled.iloc[50:].reset_index(drop=True),
    )
    assert sorted(first["colour"]) == sorted(X["colour"])
    assert list(first["colour"]) != list(X["colour"])
    pd.testing.assert_frame_equal(first.drop(columns="colour"), X.drop(columns="colour"))
    pd.testing.assert_frame_equal(second.drop(columns="size"), X.drop(columns="size"))


def test_two_models_are_asked_about_the_same_rows_in_the_same_order():
    X, orders = frame(30), []

    def remember(X: pd.DataFrame) -> np.ndarray:
        orders.append(list(X["size"]))
        return respond(X)

    for columns in (["size"], ["noise", "size"]):
        ask_shuffled(remember, X, columns, 7, 2, LATER)
    assert orders[1] == orders[3][30:]


def test_columns_that_time_ran_out_for_are_left_out_and_named():
    X = frame(20)
    said = {n: ask_shuffled(respond, X, list(X), 0, n, 0.0) for n in range(2)}
    assert np.isnan(said[0][1:]).all()
    truth = {n: respond(X)[:, 0] for n in range(2)}
    found = importance_of(said, truth, list(X), METRICS["rmse"], None)
    assert len(found.table) == 0
    assert found.note == "there was no time for 3 of 3 columns"


def test_a_greater_is_better_score_that_falls_is_importance_too():
    X = frame(100)
    labels = np.array(["big", "small"])

    def classify(X: pd.DataFrame) -> np.ndarray:
        p = (X["size"] > 0).to_numpy(dtype=float)
        return np.column_stack([p, 1 - p])

    truth = np.where(X["size"] > 0, "big", "small")
    said = {
        0: ask_shuffled(classify, X, list(X), 0, 0, LATER),
        1: ask_shuffled(classify, X, list(X), 0, 1, LATER),
    }
    found = importance_of(said, {0: truth, 1: truth}, list(X), METRICS["accuracy"], labels)
    assert found.table["column"][0] == "size"
    assert found.table["importance"][0] == pytest.approx(0.5, abs=0.15)
    assert found.table["importance"][1] == 0


def test_many_rows_are_sampled_and_few_are_asked_about_several_times():
    many, few = np.arange(100_000), np.arange(7)
    assert len(rows_to_ask(many, 5, 0, 0)) == 400
    assert len(np.unique(rows_to_ask(many, 5, 0, 0))) == 400
    assert list(rows_to_ask(few, 5, 0, 0)) == list(np.tile(few, 10))
    assert list(rows_to_ask(many, 5, 0, 0)) == list(rows_to_ask(many, 5, 0, 0))
    assert list(rows_to_ask(many, 5, 0, 0)) != list(rows_to_ask(many, 5, 0, 1))


def test_columns_are_asked_about_in_the_order_in_which_they_follow_the_target():
    X = frame(300)
    goal = respond(X)
    assert order_of_asking(X, goal) == ["size", "colour", "noise"]
