"""Generated features: what they are, by hand; and what wild columns cannot break."""

import itertools
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from pipeline.competition import Task
from pipeline.errors import ModelError
from pipeline.generating import FAMILIES, GeneratedFeatures
from pipeline.generating.columns import MadeColumns, unique_names
from pipeline.generating.counts import Counts
from pipeline.generating.crosses import Crosses
from pipeline.generating.dates import Cycles
from pipeline.generating.groups import Group, GroupStatistics
from pipeline.generating.pairs import ArithmeticPairs
from pipeline.generating.target_encoding import TargetEncoding

EACH_FAMILY = pytest.mark.parametrize("family", FAMILIES)


def text(*cells: str | None) -> pd.Series:
    return pd.Series(cells, dtype="str")


def rows(n: int = 300, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Return rows of all kinds, whose target each family can tell something of."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": rng.normal(size=n),
            "kind": pd.Series(rng.choice(list("uvwxyz"), n), dtype="str"),
            "place": pd.Series(rng.choice(list("ABCDE"), n), dtype="str"),
            "sold_year": rng.integers(2010, 2013, n).astype(float),
            "sold_month": rng.integers(1, 13, n).astype(float),
            "sold_day": rng.integers(1, 29, n).astype(float),
            "sold_weekday": rng.integers(0, 7, n).astype(float),
            "sold_hour": rng.integers(0, 24, n).astype(float),
        }
    )
    X.loc[::9, "a"] = np.nan
    X.loc[::11, "kind"] = None
    level = {name: rng.normal() for name in "uvwxyz"}
    cross = rng.normal(size=(7, 5))[pd.factorize(X["kind"])[0], pd.factorize(X["place"])[0]]
    y = X["a"].fillna(0) * X["b"] + X["kind"].map(level).fillna(0) + 2 * cross
    return X, y.rename("y")


# By hand


def test_a_training_row_gets_the_smoothed_mean_of_the_other_folds_and_a_new_row_that_of_all():
    X = pd.DataFrame({"kind": text(*"aaaabbbbcc")})
    y = np.array([1.0, 2, 3, 4, 10, 20, 30, 40, 5, 5])
    encoding = TargetEncoding(seed=3)
    told = encoding.fit_transform(X, y)
    assert list(told) == ["target by kind"]
    new = encoding.transform(pd.DataFrame({"kind": text("a", "b", "never seen", None)}))
    overall = y.mean()  # 12
    assert new["target by kind"].tolist() == pytest.approx(
        [(10 + 10 * overall) / 14, (100 + 10 * overall) / 14, overall, overall]
    )
    # Row by row: with each set of rows that may share its fold left out, always with itself.
    for row in range(4):
        others = [i for i in range(4) if i != row]
        sets = [some for k in range(4) for some in itertools.combinations(others, k)]
        allowed = [(y[list(some)].sum() + 10 * overall) / (len(some) + 10) for some in sets]
        assert min(abs(told["target by kind"].iloc[row] - one) for one in allowed) < 1e-12


def test_a_row_s_own_target_never_moves_what_it_is_told_beside_the_overall_mean():
    X, y = rows(100)
    base = TargetEncoding().fit_transform(X, y)
    changed = y.copy()
    changed.iloc[17] += 1000  # and 18 loses it, so that the overall mean stays
    changed.iloc[18] -= 1000
    other = TargetEncoding().fit_transform(X, changed)
    same = np.isclose(base, other).all(axis=1)
    alone = ["target by kind", "target by place"]
    kinds = X[["kind", "place"]].astype(object).where(X[["kind", "place"]].notna(), "-")
    assert list(base) == alone
    touched = (kinds.iloc[17] == kinds).any(axis=1) | (kinds.iloc[18] == kinds).any(axis=1)
    assert same[~touched].all()
    assert not same.all()


def test_rows_of_one_group_are_not_told_of_each_other():
    X = pd.DataFrame({"kind": text(*["a", "b", "c"] * 20)})
    groups = X["kind"].to_numpy()  # each level is one group: nobody else can tell of it
    y = np.arange(60.0)
    told = TargetEncoding().fit_transform(X, y, groups)
    assert told["target by kind"].nunique() == 1
    assert told["target by kind"].iloc[0] == y.mean()
    assert TargetEncoding().fit_transform(X, y)["target by kind"].nunique() > 3


def test_levels_that_are_missing_are_a_level():
    X = pd.DataFrame({"kind": text(*["a", "b", None, None] * 5)})
    y = [0.0, 0.0, 8.0, 8.0] * 5
    new = TargetEncoding().fit(X, y).transform(X.head(4))
    assert new["target by kind"].iloc[2] == pytest.approx(4 + (10 * 4) / 20)
    shares = Counts().fit(X).transform(pd.DataFrame({"kind": text("a", None, "new")}))
    assert shares["share of kind"].tolist() == [0.25, 0.5, 0.0]


@pytest.mark.parametrize(
    ("task", "y", "names"),
    [
        ("regression", np.c_[np.arange(12.0), np.ones(12)], ["target 1 by kind", "target 2 by k"]),
        ("binary", np.array(["no", "yes"] * 6), ["yes by kind"]),
        ("multiclass", np.array([3, 1, 1, 2] * 3), ["1 by kind", "2 by kind", "3 by kind"]),
    ],
)
def test_each_target_and_each_class_has_its_column(task: Task, y: np.ndarray, names: list[str]):
    X = pd.DataFrame({"kind": text(*"abcabcabcabc")})
    made = TargetEncoding(task=task).fit_transform(X, y)
    assert len(made.columns) == len(names)
    assert all(one.startswith(name) for one, name in zip(made, names, strict=True))
    if task == "multiclass":
        assert made.sum(axis=1).to_numpy() == pytest.approx(np.ones(12))


def test_two_levels_are_not_encoded_and_neither_are_levels_that_no_two_rows_share():
    X = pd.DataFrame({"two": text(*"abab"), "each": text(*"wxyz"), "three": text(*"abca")})
    made = TargetEncoding().fit_transform(X, [1.0, 2.0, 3.0, 4.0])
    assert list(made) == ["target by three"]


def test_a_row_does_not_count_itself():
    X = pd.DataFrame({"kind": text("a", "a", "a", "b", "c")})
    assert Counts().fit_transform(X)["share of kind"].tolist() == [0.5, 0.5, 0.5, 0.0, 0.0]


def test_a_row_is_compared_with_the_others_of_its_group():
    codes, values = np.array([0, 0, 0, 1, 2, 2]), np.array([1.0, 2, 6, 5, 4, np.nan])
    group = Group(codes, 4, values)
    own = group.compare(codes, values, own=True)
    np.testing.assert_allclose(own[:3, 0], [4, 3.5, 1.5])  # the mean of the other two
    np.testing.assert_allclose(own[:3, 1], [1 / 4, 2 / 3.5, 4])
    np.testing.assert_allclose(own[:3, 2], [0, 0.5, 1])
    assert np.isnan(own[3:5]).all()  # there is no other
    assert own[5, 0] == 4
    assert np.isnan(own[5, 1:]).all()
    new = group.compare(np.array([0, 0, 3]), np.array([2.0, 3, 1]), own=False)
    np.testing.assert_allclose(new[:2], [[3, 2 / 3, 0.5], [3, 1, 2 / 3]])
    assert np.isnan(new[2]).all()


def test_where_numbers_may_be_negative_the_distance_is_a_difference():
    codes, values = np.zeros(3, dtype=int), np.array([-1.0, 0, 4])
    assert Group(codes, 2, values).compare(codes, values, own=True)[:, 1].tolist() == [
        -3,
        -1.5,
        4.5,
    ]


def test_hours_and_dates_go_round():
    X = pd.DataFrame(
        {
            "Hour": [0, 6, 23],
            "hour_of_closing": [1, 2, 3],
            "d_year": [2024.0, 2023.0, np.nan],
            "d_month": [2.0, 12.0, np.nan],
            "d_day": [29.0, 31.0, np.nan],
            "d_weekday": [3.0, 6.0, np.nan],
            "d_hour": [0.0, 12.0, np.nan],
        }
    )
    made = Cycles().fit_transform(X)
    np.testing.assert_allclose(made["sin Hour"], np.sin(2 * np.pi * X["Hour"] / 24))
    assert not [name for name in made if "closing" in name or name.endswith("month")]
    np.testing.assert_allclose(made["d days"], [59.5, 0, np.nan])
    assert made["d weekend"].tolist()[:2] == [0, 1]
    assert made["d month end"].tolist()[:2] == [1, 1]
    assert made["d month start"].tolist()[:2] == [0, 0]
    assert made.filter(like="d ").iloc[2].isna().all()


@pytest.mark.parametrize("values", [[0, 100], [5, 5], [-1, 3], [np.nan, np.nan]])
def test_a_column_that_is_only_named_like_a_cycle_is_left_alone(values: list[float]):
    assert Cycles().fit_transform(pd.DataFrame({"hour": values})).shape == (2, 0)


def test_a_product_that_the_target_is_made_of_is_found_among_many_and_noise_is_not():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(2000, 8)), columns=list("abcdefgh"))
    y = X["b"] * X["f"] + 0.3 * rng.normal(size=2000)
    pairs = ArithmeticPairs()
    made = pairs.fit_transform(X, y)
    assert pairs.n_candidates_ == 4 * 28
    assert {"b * f", "f * b"} & set(made)
    assert {one for name in made for one in name.split() if one.isalpha()} <= {"b", "f"}
    noise = ArithmeticPairs().fit_transform(X, rng.permutation(y))
    assert noise.shape[1] <= 1


def test_a_cross_that_the_target_is_made_of_is_found_and_noise_is_not():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({c: rng.choice(list("abcdefgh"), 2000) for c in "pqrs"}).astype("str")
    levels = rng.normal(size=(8, 8))
    y = levels[pd.factorize(X["p"])[0], pd.factorize(X["r"])[0]] + 0.3 * rng.normal(size=2000)
    crosses = Crosses()
    assert list(crosses.fit_transform(X, y)) == ["target by p x r"]
    assert crosses.n_candidates_ == 6
    assert Crosses().fit_transform(X, rng.permutation(y)).shape[1] == 0


def test_a_number_that_counts_beside_its_group_is_found():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 40, 2000)
    X = pd.DataFrame({"x": rng.normal(size=2000) + 5 * rng.normal(size=40)[kind]})
    X["kind"] = pd.Series(kind).astype("str")
    typical = X.groupby("kind")["x"].transform("mean")
    y = np.sin(2 * (X["x"] - typical)) + 0.1 * rng.normal(size=2000)
    assert "x - mean by kind" in GroupStatistics().fit_transform(X, y)


# What every family keeps


def made_by(family: str, task: Task = "regression") -> MadeColumns:
    return FAMILIES[family](task=task, seed=5)


@EACH_FAMILY
def test_the_contract_of_every_family(family: str):
    X, y = rows()
    before = X.copy(deep=True)
    maker = made_by(family)
    told = maker.fit_transform(X, y)
    pd.testing.assert_frame_equal(X, before)
    new = maker.transform(X.iloc[::-1])
    assert list(told) == list(new) == list(maker.get_feature_names_out())
    assert new.index.equals(X.index[::-1])
    assert told.index.equals(X.index)
    again = clone(maker)
    assert not hasattr(again, "names_")
    assert again.get_params() == maker.get_params()
    pd.testing.assert_frame_equal(again.fit_transform(X, y), told)
    loaded = pickle.loads(pickle.dumps(maker))
    pd.testing.assert_frame_equal(loaded.transform(X), maker.transform(X))
    pd.testing.assert_frame_equal(made_by(family).fit(X, y).transform(X), maker.transform(X))
    assert pickle.dumps(again) == pickle.dumps(maker)


@EACH_FAMILY
def test_a_new_row_s_columns_do_not_depend_on_the_rows_beside_it(family: str):
    X, y = rows()
    maker = made_by(family).fit(X, y)
    new = rows(seed=1)[0]
    alone = pd.concat([maker.transform(new.iloc[[i]]) for i in range(0, 300, 30)])
    pd.testing.assert_frame_equal(alone, maker.transform(new).iloc[::30])


@EACH_FAMILY
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_classes_are_no_trouble(family: str, task: Task):
    X, y = rows()
    labels = np.where(y > 0, "up", "down")
    if task == "multiclass":
        labels = np.where(y > 1, "far up", labels)
    made = made_by(family, task).fit_transform(X, pd.Series(labels))
    assert len(made) == len(X)


ODD = {
    "all missing": np.full(60, np.nan),
    "all missing text": pd.Series([None] * 60, dtype="str"),
    "one level": pd.Series(["same"] * 60, dtype="str"),
    "constant": np.full(60, 7.0),
    "huge": np.where(np.arange(60) % 2, 1e308, -1e308),
    "tiny": np.arange(60) * 5e-324,
    "infinite": np.where(np.arange(60) % 5, 1.0, np.inf),
    "flags": np.arange(60) % 2 == 0,
    "many": pd.Series([f"level {i}" for i in range(60)], dtype="str"),
    "objects": pd.Series([i if i % 2 else str(i) for i in range(60)], dtype=object),
    "categories": pd.Series(list("abc") * 20, dtype="category"),
    "whole": np.arange(60) % 4,
    "한글": pd.Series(["가", "나", None] * 20, dtype="str"),
    "a": np.arange(60.0),
    "a ": np.arange(60.0) ** 2,
    "A": np.arange(60) % 7,
    "a + a ": np.arange(60) % 3,
    "share of 한글": np.arange(60) % 5,
    "target by 한글": np.arange(60.0),
    "hour": np.arange(60) % 24,
}


@settings(max_examples=15, deadline=None)
@given(
    names=st.lists(st.sampled_from(list(ODD)), min_size=1, max_size=6, unique=True),
    families=st.lists(st.sampled_from(list(FAMILIES)), min_size=1, max_size=3, unique=True),
    n=st.sampled_from([1, 2, 7, 60]),
    y=st.sampled_from(["ramp", "constant", "huge", "classes"]),
)
def test_odd_columns_make_columns_with_unique_names_that_are_finite_or_missing(
    names: list[str], families: list[str], n: int, y: str
):
    X = pd.DataFrame({name: ODD[name] for name in names}).head(n)
    targets = {
        "ramp": np.arange(60.0), "constant": np.zeros(60), "huge": np.arange(60) * 1e300,
        "classes": np.array(["x", "y", "z"] * 20),
    }  # fmt: skip
    task: Task = "multiclass" if y == "classes" else "regression"
    step = GeneratedFeatures(families=families, task=task)
    told = step.fit_transform(X, targets[y][:n])
    new = step.transform(X.iloc[::-1])
    assert list(told) == list(new) == list(step.get_feature_names_out())
    assert told.columns.is_unique
    assert list(told)[: len(names)] == names
    made = pd.concat([told, new]).iloc[:, len(names) :].astype(float)
    assert not np.isinf(made).any(axis=None)


def test_ten_thousand_levels_and_levels_that_only_new_rows_have():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"zip": pd.Series(rng.integers(0, 10_000, 20_000)).astype("str")})
    y = rng.normal(size=20_000)
    step = GeneratedFeatures(families=("target_encoding", "counts")).fit(X, y)
    new = step.transform(pd.DataFrame({"zip": text("-1", "5", None)}))
    assert new["target by zip"].iloc[[0, 2]].tolist() == pytest.approx([y.mean()] * 2)
    assert new["share of zip"].iloc[[0, 2]].tolist() == [0, 0]


# Together


def test_each_family_sees_the_frame_s_own_columns_and_the_frame_stays():
    X, y = rows()
    step = GeneratedFeatures(families=("counts", "target_encoding"))
    made = step.fit_transform(X, y)
    pd.testing.assert_frame_equal(made[list(X)], X)
    assert list(made)[len(X.columns) :] == [
        "share of kind", "share of place", "target by kind", "target by place",
    ]  # fmt: skip
    assert step.line() == "counts 2, target_encoding 2"
    assert step.changes()[0] == {"column": "share of kind", "family": "counts"}


def test_what_is_tried_is_told():
    X, y = rows()
    step = GeneratedFeatures(families=("pairs",)).fit(X[["a", "b"]], y)
    kept = len(step.made_["pairs"])
    assert step.line() == f"pairs {kept} of 4"


def test_taken_names_get_a_number():
    assert unique_names(["a", "b", "a"], ["b", "b (2)"]) == ["a", "b (3)", "a (2)"]


def test_an_unknown_family_is_refused_with_the_nearest():
    X, y = rows(20)
    with pytest.raises(ModelError, match=r"features: 'cross'; did you mean 'crosses'\?"):
        GeneratedFeatures(families=("cross",)).fit(X, y)


def test_families_that_learn_of_targets_need_them():
    X: Any = rows(20)[0]
    with pytest.raises(ValueError, match="y: expected the targets of the rows, found None"):
        TargetEncoding().fit(X)
