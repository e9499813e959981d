from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.checks import check_test, check_train
from pipeline.competition import Columns, Competition, Files, Target
from pipeline.data import read_test, read_train
from pipeline.errors import DataError


def competition(
    task: Any = "regression", levels: Any = None, target_is: Target | None = None, **columns: Any
) -> Competition:
    return Competition(
        name="toy",
        title="Toy",
        task=task,
        metric="rmse" if task == "regression" else "accuracy",
        files=Files(train="train.csv", test="test.csv", sample_submission="sample.csv"),
        columns=Columns(**{"id": "id", "target": ("y",), **columns}),
        levels=levels or {},
        target=target_is or Target(),
    )


def check(folder: Path, train: str, test: str | None = None, **declared: Any) -> None:
    """Read and check a training file and, if given, a test file."""
    known = competition(**declared)
    (folder / "train.csv").write_text(train, encoding="utf-8")
    rows = read_train(folder / "train.csv", known)
    check_train(rows.frame, rows.file, known)
    if test is not None:
        (folder / "test.csv").write_text(test, encoding="utf-8")
        asked = read_test(folder / "test.csv", known, rows.kinds)
        check_test(asked.frame, asked.ids, asked.file, rows.frame, known)


def refusal(folder: Path, train: str, test: str | None = None, **declared: Any) -> str:
    with pytest.raises(DataError) as caught:
        check(folder, train, test, **declared)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{folder}/", "")


GOOD = "id,x,y\n1,5,1\n2,6,2\n2,7,2\n"


def test_good_files_pass_and_training_ids_may_repeat(tmp_path: Path) -> None:
    check(tmp_path, GOOD, "id,x\n3,5\n4,\n")


@pytest.mark.parametrize(
    ("declared", "where"),
    [
        ({"categorical": ("xx",)}, "[columns] categorical"),
        ({"numeric": ("xx",)}, "[columns] numeric"),
        ({"datetime": ("xx",)}, "[columns] datetime"),
        ({"group": "xx"}, "[columns] group"),
        ({"time": "xx"}, "[columns] time"),
        ({"levels": {"NA": ("xx",)}}, "[levels] NA"),
    ],
)
def test_a_declared_column_that_is_nowhere_is_named(
    tmp_path: Path, declared: dict[str, Any], where: str
) -> None:
    assert refusal(tmp_path, GOOD.replace("x", "xy"), **declared) == (
        f"train.csv: column 'xx' ({where}) is neither in the file nor made by features.py; "
        "expected one of 'id', 'xy', 'y'"
    )


def test_a_declared_column_may_be_made_by_features(tmp_path: Path) -> None:
    known = competition(group="half")
    (tmp_path / "train.csv").write_text(GOOD)
    rows = read_train(tmp_path / "train.csv", known)
    check_train(rows.frame.assign(half=["a", "b", "b"]), rows.file, known)
    with pytest.raises(DataError) as caught:
        check_train(rows.frame.assign(half=["a", None, "b"]), rows.file, known)
    assert str(caught.value) == (
        f"{tmp_path}/train.csv, column 'half': missing in 1 row, first in line 3; every training "
        "row needs its group, so remove these rows from the file, or declare the spelling in "
        "[levels] if it is a level"
    )


def test_missing_answers_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    text = 'id,x,y\n1,"5\n",1\n2,6,\n3,7,NA\n'
    assert refusal(tmp_path, text) == (
        "train.csv, column 'y': missing in 2 rows, first in line 4; every training row needs its "
        "answer, so remove these rows from the file, or declare the spelling in [levels] if it is "
        "a level"
    )


def test_an_answer_that_is_spelled_none_can_be_declared_a_level(tmp_path: Path) -> None:
    text = "id,x,y\n1,5,None\n2,6,Some\n"
    assert "missing in 1 row, first in line 2" in refusal(tmp_path, text, task="binary")
    check(tmp_path, text, task="binary", levels={"None": ("y",)})


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_a_constant_target_is_refused(tmp_path: Path, task: str) -> None:
    assert refusal(tmp_path, "id,x,y\n1,5,7\n2,6,7\n", task=task) == (
        "train.csv: every training row has y = 7; there is nothing to learn"
    )


def test_three_classes_are_not_binary(tmp_path: Path) -> None:
    text = "id,x,y\n1,5,a\n2,6,b\n3,7,c\n"
    assert refusal(tmp_path, text, task="binary") == (
        "train.csv, column 'y': expected 2 classes for task = \"binary\", found 3 "
        "('a', 'b', 'c'); correct the file, or declare task = \"multiclass\""
    )
    check(tmp_path, text, task="multiclass")


def test_an_infinite_value_is_named(tmp_path: Path) -> None:
    end = "correct the file or features.py, or add the spelling to [files] na_values"
    assert refusal(tmp_path, "id,x,y\n1,5,1\n2,-inf,2\n") == (
        f"train.csv, line 3, column 'x': expected a finite number, found -inf; {end}"
    )
    assert "column 'y': expected a finite" in refusal(tmp_path, "id,x,y\n1,5,1\n2,6,1e999\n")
    assert "test.csv, line 2, column 'x'" in refusal(tmp_path, GOOD, "id,x\n1,Infinity\n")
    check(tmp_path, "id,x,z,y\n1,5,inf,1\n2,6,1,2\n", drop=("z",))


def test_an_answer_outside_the_declared_bounds_is_named(tmp_path: Path) -> None:
    bounds = Target(lower=0, upper=9)
    text = "expected a value within [target] lower = 0, upper = 9; found"
    assert refusal(tmp_path, "id,x,y\n1,5,1\n2,6,-2\n", target_is=bounds) == (
        f"train.csv, line 3, column 'y': {text} -2; correct the file or the bounds"
    )
    assert f"{text} 10;" in refusal(tmp_path, "id,x,y\n1,5,10\n2,6,2\n", target_is=bounds)
    check(tmp_path, "id,x,y\n1,5,0\n2,6,9\n", target_is=bounds)


def test_an_empty_feature_is_refused_unless_it_is_dropped(tmp_path: Path) -> None:
    text = "id,x,e,y\n1,5,,1\n2,6,NA,2\n"
    assert refusal(tmp_path, text) == (
        "train.csv: columns are empty in all 2 rows: 'e'; add them to [columns] drop"
    )
    check(tmp_path, text, "id,x,e\n3,1,text\n", drop=("e",))


def test_a_file_without_features_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, GOOD, drop=("x",)) == (
        "train.csv: no feature column is left beside id, target, group and [columns] drop"
    )


def test_training_columns_that_the_test_lacks_are_listed(tmp_path: Path) -> None:
    train = "id,x,casual,registered,y\n1,5,1,2,3\n2,6,2,2,4\n"
    assert refusal(tmp_path, train, "id,x\n3,7\n") == (
        "test.csv: columns of train.csv are absent: 'casual', 'registered'; they may give the "
        "answer away; add them to [columns] drop"
    )
    check(tmp_path, train, "id,x\n3,7\n", drop=("casual",), group="registered")


def test_test_columns_that_the_training_file_lacks_are_listed(tmp_path: Path) -> None:
    assert refusal(tmp_path, GOOD, "id,x,new\n3,7,1\n") == (
        "test.csv: columns are not in train.csv: 'new'; add them to [columns] drop"
    )
    check(tmp_path, GOOD, "id,x,new\n3,7,1\n", drop=("new",))


def test_a_dropped_column_that_is_in_neither_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, GOOD, "id,x\n3,7\n", drop=("zzz",)) == (
        "test.csv: column 'zzz' ([columns] drop) is neither in the file nor made by features.py; "
        "expected one of 'id', 'x', 'y'"
    )


def test_a_repeated_test_id_is_named_with_both_lines(tmp_path: Path) -> None:
    assert refusal(tmp_path, GOOD, "id,x\n3,7\n4,8\n3,9\n") == (
        "test.csv, line 4, column 'id': id '3' is already in line 2; every id must be in one row, "
        "so correct the file or [columns] id"
    )


def test_several_targets_are_checked_each(tmp_path: Path) -> None:
    text = "id,x,y,z\n1,5,1,2\n2,6,2,2\n"
    assert "every training row has z = 2" in refusal(tmp_path, text, target=("y", "z"))


def test_checking_changes_no_frame(tmp_path: Path) -> None:
    known = competition()
    (tmp_path / "train.csv").write_text(GOOD)
    rows = read_train(tmp_path / "train.csv", known)
    before = rows.frame.copy()
    check_train(rows.frame, rows.file, known)
    pd.testing.assert_frame_equal(rows.frame, before)
