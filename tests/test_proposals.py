"""What is proposed for what a competition's files have, and where nothing is."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_inspection import N, competition, features, inspected, noise

from pipeline.competition import Columns, Target, Validation


def proposals(X: pd.DataFrame, y: Any, **facts: Any) -> list[str]:
    return inspected(X, y, facts.pop("test", None), **facts).proposals


def test_files_in_order_need_nothing() -> None:
    assert proposals(features(), noise()) == []


def test_a_skewed_target_may_want_its_logarithm() -> None:
    skewed = np.exp(1.5 * noise())
    log1p, lower = proposals(features(), skewed)
    assert log1p.endswith('): try [target] transform = "log1p", or "sqrt"')
    assert lower.startswith("the target is never negative: [target] lower = 0")
    declared = Target(transform="log1p", lower=0)
    assert proposals(features(), skewed, target=declared) == []


def test_a_rare_class_is_named_with_what_helps() -> None:
    few = np.array(["yes"] * 3 + ["no"] * (N - 3))
    assert proposals(features(), few, task="binary") == [
        "class yes has 3 rows: fewer folds (--folds 3) let each of them have one"
    ]
    some = np.array(["yes"] * 8 + ["no"] * (N - 8))
    (line,) = proposals(features(), some, task="binary")
    assert line.startswith("class yes is rare (4.0%); accuracy says little of it: stratified folds")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"same": 1.0}, "always the same: same: teaches nothing, [columns] drop"),
        ({"gone": np.where(np.arange(N) < 60, 1.0, np.nan)}, "mostly missing: gone: whether it"),
        ({"name": [f"n{i}" for i in range(N)]}, "nearly every row has a text of its own: name: "),
        ({"city": [f"c{i % 70}" for i in range(N)]}, "text of many levels: city: try [preproc"),
    ],
    ids=["constant", "missing", "names", "levels"],
)
def test_a_column_is_named_with_what_to_do(changed: dict[str, Any], said: str) -> None:
    test = features(100, 9).assign(
        **{name: list(np.asarray(values))[:100] if np.ndim(values) else values
           for name, values in changed.items()}
    )  # fmt: skip
    found = proposals(features().assign(**changed), noise(), test=test)
    assert [one for one in found if one.startswith(said)], found


def test_levels_that_only_the_test_has_are_counted() -> None:
    test = features(100, 9).assign(kind=["new", "b"] * 50)
    (line,) = proposals(features(), noise(), test=test)
    assert line.startswith("levels that only the test has: kind (1): each model treats them as")


def test_rows_that_are_sorted_by_a_column_may_have_a_time() -> None:
    X, test = features().assign(day=np.arange(N)), features(100, 9).assign(day=np.arange(100) + N)
    found = proposals(X, noise(), test=test)
    assert 'sorted by day: if it is a time, declare [columns] time = "day"' in found[0]
    time = Columns(id="id", target=("y",), group="kind")
    assert proposals(X, noise(), test=test, columns=time) == []


def test_folds_go_forward_where_the_test_does() -> None:
    from dataclasses import replace

    from pipeline.data import TestData, TrainData
    from pipeline.inspection import inspect_data

    X, test = features(), features(100, 9)
    day = pd.Series(np.arange(N + 100))
    train = TrainData(X, pd.Series(noise()), pd.Series(range(N)).astype("str"), order=day[:N])
    later = TestData(test, pd.Series(range(100)).astype("str"), day[N:].reset_index(drop=True))
    timed = competition(columns=Columns(id="id", target=("y",), time="day"))
    (line,) = inspect_data(timed, train, later).proposals
    assert line == (
        "the test begins behind all training rows (0 to 199): --scheme time validates forward in "
        "time as well"
    )
    forward = replace(timed, validation=Validation(scheme="time"))
    assert inspect_data(forward, train, later).proposals == []
    between = replace(later, order=day[:100])
    (line,) = inspect_data(forward, train, between).proposals
    assert line.startswith("test rows lie between the training rows (0 to 199): ")
