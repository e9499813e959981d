"""Folds: disjoint, whole, in time, and what cannot be divided."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.competition import Scheme, Task, Validation
from pipeline.errors import DataError
from pipeline.splits import (
    MOST_CUTS,
    Fold,
    check_folds,
    make_folds,
    make_holdout,
    make_strict_folds,
    resolve_scheme,
)

few = settings(max_examples=60, deadline=None)


def validation(scheme: Scheme, n_splits: int = 3, seed: int = 42) -> Validation:
    return Validation(scheme=scheme, n_splits=n_splits, seed=seed)


def numbers(n: int) -> pd.Series:
    return pd.Series(np.arange(n, dtype=float), name="y")


def covers_all(folds: Sequence[Fold], n: int) -> bool:
    return sorted(row for fold in folds for row in fold.valid) == list(range(n))


def valid_rows(folds: Sequence[Fold]) -> list[list[int]]:
    return [fold.valid.tolist() for fold in folds]


def test_auto_is_stratified_for_classes_and_kfold_for_numbers() -> None:
    assert resolve_scheme(Validation(), "regression") == "kfold"
    assert resolve_scheme(Validation(), "binary") == "stratified"
    assert resolve_scheme(Validation(scheme="group"), "binary") == "group"


@few
@given(n=st.integers(6, 60), n_splits=st.integers(2, 6), seed=st.integers(0, 99))
def test_kfold_predicts_every_row_once(n: int, n_splits: int, seed: int) -> None:
    folds = make_folds(numbers(n), None, None, validation("kfold", n_splits, seed), "regression")
    check_folds(folds, n)
    assert covers_all(folds, n)
    assert [fold.number for fold in folds] == list(range(n_splits))
    for fold in folds:
        assert sorted([*fold.train, *fold.valid]) == list(range(n))
        assert fold.valid.tolist() == sorted(fold.valid)
        assert abs(len(fold.valid) - n / n_splits) < 1


def test_the_seed_decides_the_folds() -> None:
    one, same, other = (
        make_folds(numbers(30), None, None, validation("kfold", seed=s), "regression")
        for s in (1, 1, 2)
    )
    assert valid_rows(one) == valid_rows(same)
    assert valid_rows(one) != valid_rows(other)


def test_stratified_folds_have_the_same_share_of_each_class() -> None:
    y = pd.Series(["rare"] * 6 + ["common"] * 24)
    folds = make_folds(y, None, None, validation("stratified"), "binary")
    assert covers_all(folds, 30)
    for fold in folds:
        assert y.iloc[fold.valid].value_counts().to_dict() == {"common": 8, "rare": 2}


@few
@given(
    sizes=st.lists(st.integers(1, 12), min_size=3, max_size=15),
    n_splits=st.integers(2, 3),
    seed=st.integers(0, 99),
)
def test_group_folds_are_whole_groups_and_balanced(
    sizes: list[int], n_splits: int, seed: int
) -> None:
    names = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
    groups = pd.Series(np.random.default_rng(seed).permutation(names), name="g")
    n = len(groups)
    folds = make_folds(numbers(n), groups, None, validation("group", n_splits, seed), "regression")
    check_folds(folds, n)
    assert covers_all(folds, n)
    for fold in folds:
        assert not set(groups.iloc[fold.train]) & set(groups.iloc[fold.valid])
        assert len(fold.valid)
    rows = [len(fold.valid) for fold in folds]
    assert max(rows) - min(rows) <= max(sizes)  # the greedy deal cannot be further off


@few
@given(
    times=st.lists(st.integers(0, 9), min_size=4, max_size=40),
    n_splits=st.integers(2, 4),
    scheme=st.sampled_from(["time", "like_test"]),
)
def test_nothing_is_predicted_from_its_own_time_or_later(
    times: list[int], n_splits: int, scheme: Any
) -> None:
    order = pd.Series(times, name="t")
    try:
        folds = make_folds(
            numbers(len(times)), None, order, validation(scheme, n_splits), "regression"
        )
    except DataError:
        assert not order.is_unique or len(times) < 2 * n_splits
        return
    check_folds(folds, len(times))
    assert len(folds) == n_splits
    for fold in folds:
        assert order.iloc[fold.train].max() < order.iloc[fold.valid].min()
    for before, after in itertools.pairwise(folds):
        assert set(before.train) | set(before.valid) == set(after.train)


def test_time_folds_take_the_later_half_in_runs() -> None:
    order = pd.Series(pd.to_datetime("2024-01-08") - pd.to_timedelta(range(8), unit="D"), name="t")
    folds = make_folds(numbers(8), None, order, validation("time", 2), "regression")
    assert valid_rows(folds) == [[2, 3], [0, 1]]
    assert folds[0].train.tolist() == [4, 5, 6, 7]
    assert folds[1].train.tolist() == [2, 3, 4, 5, 6, 7]
    assert not covers_all(folds, 8)


@pytest.mark.parametrize(
    ("scheme", "task", "y", "groups", "order", "message"),
    [
        ("kfold", "regression", [1, 2], None, None, "2 training rows cannot make 3 folds"),
        (
            "stratified",
            "binary",
            ["a"] * 5 + ["b"] * 2,
            None,
            None,
            "class 'b' has 2 rows, too few for 3 stratified folds; declare fewer n_splits, or "
            'scheme = "kfold"',
        ),
        (
            "group",
            "regression",
            [1, 2, 3],
            ["a", "a", "b"],
            None,
            "2 groups cannot make 3 folds; declare fewer n_splits",
        ),
        (
            "time",
            "regression",
            [1, 2, 3, 4],
            None,
            [1, 1, 1, 2],
            "too few distinct values of the order to make 3 runs; declare fewer n_splits",
        ),
        (
            "group",
            "regression",
            [1, 2, 3],
            None,
            None,
            "validation needs columns.group, and the training rows have none",
        ),
        (
            "time",
            "regression",
            [1, 2, 3],
            None,
            [1, None, None],
            "columns.time = 'role' is missing in 2 training rows; fill it in features.py, or "
            "declare another scheme",
        ),
    ],
)
def test_what_cannot_be_divided_is_refused(
    scheme: Any, task: Task, y: list[Any], groups: Any, order: Any, message: str
) -> None:
    roles = [None if r is None else pd.Series(r, name="role") for r in (groups, order)]
    with pytest.raises(DataError) as caught:
        make_folds(pd.Series(y), roles[0], roles[1], validation(scheme), task)
    assert str(caught.value) == message


def test_check_folds_finds_leaks_and_repeats() -> None:
    rows = np.arange
    with pytest.raises(DataError, match=r"^fold 1: a row is both trained on and predicted$"):
        check_folds([Fold(0, rows(3), rows(2, 5))], 5)
    with pytest.raises(DataError, match=r"^row 2 is predicted out of fold 2 times$"):
        check_folds([Fold(0, rows(2), rows(2, 4)), Fold(1, rows(2), rows(2, 3))], 5)


# The rows that stop a fit early


def holdout(y: Any, validation: Validation, task: Task, **roles: Any) -> np.ndarray:
    roles = {"groups": None, "order": None} | roles
    return make_holdout(y, **roles, validation=validation, task=task, fraction=0.1)


@few
@given(n=st.integers(20, 200), seed=st.integers(0, 99))
def test_a_kfold_holdout_is_a_tenth_of_the_rows(n: int, seed: int) -> None:
    rows = holdout(numbers(n), validation("kfold", seed=seed), "regression")
    assert len(set(rows)) == len(rows)
    assert abs(len(rows) - n / 10) <= 1
    assert (np.diff(rows) > 0).all()


@few
@given(
    counts=st.lists(st.integers(1, 40), min_size=2, max_size=6).filter(lambda c: sum(c) >= 20),
    seed=st.integers(0, 99),
)
def test_a_stratified_holdout_has_every_class_s_share_and_leaves_some_of_each(
    counts: list[int], seed: int
) -> None:
    y = pd.Series(np.repeat([f"c{i}" for i in range(len(counts))], counts))
    rows = holdout(y, validation("stratified", seed=seed), "multiclass")
    taken = y.iloc[rows].value_counts()
    for name, count in y.value_counts().items():
        assert taken.get(name, 0) < count
        assert abs(taken.get(name, 0) - count / 10) <= 1.1


def test_a_holdout_of_classes_with_single_rows_is_made_of_the_others() -> None:
    y = pd.Series(["a"] * 18 + ["b", "c"])
    rows = holdout(y, validation("stratified", 2), "multiclass")
    assert set(y.iloc[rows]) == {"a"}


def test_a_group_holdout_is_whole_groups_and_near_a_tenth() -> None:
    groups = pd.Series(np.repeat(["huge", "b", "c", "d"], [90, 10, 8, 2]), name="g")
    rows = holdout(numbers(110), validation("group"), "regression", groups=groups)
    assert len(rows) == 10
    assert len(set(groups.iloc[rows])) <= 2
    assert not set(groups.iloc[rows]) & set(groups.drop(rows))


def test_a_time_holdout_is_the_tail() -> None:
    order = pd.Series(np.arange(40)[::-1], name="t")
    rows = holdout(numbers(40), validation("time"), "regression", order=order)
    assert rows.tolist() == [0, 1, 2, 3]


def test_a_time_holdout_takes_a_whole_last_day_if_days_are_large() -> None:
    order = pd.Series(np.repeat([1, 2], 20), name="t")
    rows = holdout(numbers(40), validation("time"), "regression", order=order)
    assert rows.tolist() == list(range(20, 40))


@pytest.mark.parametrize(("scheme", "role"), [("group", "groups"), ("time", "order")])
def test_rows_that_are_all_alike_cannot_be_held_out(scheme: Any, role: str) -> None:
    alike = pd.Series(["one"] * 30, name="r")
    with pytest.raises(DataError) as caught:
        holdout(numbers(30), validation(scheme), "regression", **{role: alike})
    assert str(caught.value) == (
        "a fold's 30 training rows are too alike to hold some out, which early stopping needs; "
        "declare another validation.scheme"
    )


def strict_folds(times: list[int], asked: list[int], n_splits: int = 2) -> list[Fold]:
    return make_strict_folds(
        pd.Series(times, name="when"), pd.Series(asked, name="when"), validation("group", n_splits)
    )


def test_the_strict_rule_cuts_time_where_test_rows_begin_and_fits_on_earlier_rows_alone() -> None:
    folds = strict_folds([1, 2, 5, 6, 9], [8, 3, 4, 10, 7])
    assert [fold.train.tolist() for fold in folds] == [[0, 1], [0, 1, 2, 3], [0, 1, 2, 3, 4]]
    assert valid_rows(folds) == [[2, 3], [4], []]
    assert [fold.test.tolist() for fold in folds if fold.test is not None] == [[1, 2], [0, 4], [3]]


def test_a_test_row_of_the_same_time_as_a_training_row_is_predicted_without_it() -> None:
    folds = strict_folds([1, 2, 3, 4], [3, 5])
    assert folds[0].train.tolist() == [0, 1]
    assert folds[0].test is not None
    assert folds[0].test.tolist() == [0]


def test_the_strict_rule_cuts_the_later_half_where_the_test_lies_behind_all_training_rows() -> None:
    folds = strict_folds(list(range(8)), [8, 9])
    assert valid_rows(folds) == [[4, 5], [6, 7], []]
    assert [fold.predicts_test for fold in folds] == [False, False, True]


@few
@given(
    times=st.lists(st.integers(0, 200), min_size=4, max_size=120),
    asked=st.lists(st.integers(1, 300), min_size=1, max_size=80),
    n_splits=st.integers(2, 5),
)
def test_no_row_is_ever_predicted_from_a_row_that_is_not_earlier(
    times: list[int], asked: list[int], n_splits: int
) -> None:
    times = [-1, *times]
    folds = strict_folds(times, asked, n_splits)
    known, wanted = np.array(times), np.array(asked)
    check_folds(folds, len(times))
    assert len(folds) <= MOST_CUTS
    assert sorted(row for f in folds if f.test is not None for row in f.test) == list(
        range(len(asked))
    )
    for fold in folds:
        later = [*known[fold.valid], *wanted[fold.test]]
        assert known[fold.train].max() < min(later, default=np.inf)


def test_the_strict_rule_refuses_what_it_cannot_predict() -> None:
    with pytest.raises(DataError, match=r"^a test row of 1 is not later than any training row"):
        strict_folds([1, 2, 3], [2, 1])
    with pytest.raises(DataError, match=r"needs columns.time in every row of the test file$"):
        make_strict_folds(numbers(4), None, validation("kfold"))
