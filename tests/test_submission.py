"""The file that is handed in: joined by id, and every fault told at once."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.competition import Columns, Competition, Files, Target
from pipeline.csvtext import CsvStyle, read_style, read_text
from pipeline.errors import DataError, SubmissionError
from pipeline.submission import (
    answer_columns,
    check_sample,
    check_submission,
    make_submission,
    save_submission,
)

YES_NO = np.array(["no", "yes"], dtype=object)
THREE = np.array(["a", "b", "c"], dtype=object)


def competition(**changes: Any) -> Competition:
    facts: dict[str, Any] = {
        "name": "toy",
        "title": "T",
        "task": "regression",
        "metric": "rmse",
        "files": Files(train="train.csv", test="test.csv", sample_submission="sample.csv"),
        "columns": Columns(id="id", target=("y",)),
    }
    return Competition(**facts | changes)


def table(**columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(cells, dtype="str") for name, cells in columns.items()})


SAMPLE = table(id=["b", "a", "c"], y=["0", "0", "0"])
IDS = pd.Series(["a", "b", "c"])


def made(
    prediction: list[Any], sample: pd.DataFrame = SAMPLE, labels: Any = None, **facts: Any
) -> pd.DataFrame:
    array = np.array(prediction, dtype=float).reshape(3, -1)
    return make_submission(competition(**facts), IDS, array, sample, labels)


def faults(
    tmp_path: Path, content: str | bytes, labels: Any = None, sample: Any = SAMPLE, **facts: Any
) -> str:
    path = tmp_path / "submission.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        check_submission(competition(**facts), path, sample, labels)
    except SubmissionError as error:
        found = str(error)
    else:
        return ""
    assert found.startswith(str(path))
    assert len(found.splitlines()) == 1
    return found.removeprefix(f"{path}: ")


# Filling in the sample


def test_answers_are_joined_by_id_in_the_order_of_the_sample() -> None:
    filled = made([1.5, 2.5, 3.5])
    assert filled["id"].tolist() == ["b", "a", "c"]
    assert filled["y"].tolist() == [2.5, 1.5, 3.5]


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(6)), st.permutations(range(6)))
def test_no_order_of_rows_changes_an_answer(rows: list[int], wanted: list[int]) -> None:
    ids = pd.Series([f"id {i}" for i in rows])
    sample = table(id=[f"id {i}" for i in wanted], y=["0"] * 6)
    filled = make_submission(competition(), ids, np.array(rows, float).reshape(6, 1), sample)
    assert filled["y"].tolist() == wanted


def test_columns_stand_as_in_the_sample_wherever_the_id_is() -> None:
    sample = table(y=["0"] * 3, id=["b", "a", "c"], z=["0"] * 3)
    columns = Columns(id="id", target=("z", "y"))
    filled = made([[1, 10], [2, 20], [3, 30]], sample, columns=columns)
    assert list(filled) == ["y", "id", "z"]
    assert filled["y"].tolist() == [20, 10, 30]
    assert filled["z"].tolist() == [2, 1, 3]
    assert answer_columns(competition(columns=columns), sample) == ["y", "z"]


def test_ids_stay_as_the_sample_writes_them(tmp_path: Path) -> None:
    raw = b'id,y\n"2011-01-20 00:00:00",0\n 7.0 ,0\n"a,""b""",0\n'
    (tmp_path / "sample.csv").write_bytes(raw)
    sample = read_text(tmp_path / "sample.csv")
    ids = pd.Series(["2011-01-20 00:00:00", "7.0", 'a,"b"'])
    filled = make_submission(competition(), ids, np.array([[1.0], [2.0], [3.0]]), sample)
    save_submission(filled, tmp_path / "submission.csv")
    assert (tmp_path / "submission.csv").read_bytes() == (
        b'id,y\n2011-01-20 00:00:00,1.0\n 7.0 ,2.0\n"a,""b""",3.0\n'
    )
    check_submission(competition(), tmp_path / "submission.csv", sample)


def test_whole_numbers_are_one_id_however_they_are_written() -> None:
    sample = table(id=["1.0", "2.0", "3.0"], y=["0", "0", "0"])
    filled = make_submission(
        competition(), pd.Series(["3", "1", "2"]), np.array([[30.0], [10.0], [20.0]]), sample
    )
    assert filled["id"].tolist() == ["1.0", "2.0", "3.0"]
    assert filled["y"].tolist() == [10, 20, 30]


def test_numbers_are_written_exactly(tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    save_submission(made([0.1 + 0.2, 1e-17, 123456789.123]), path)
    assert path.read_bytes() == (b"id,y\nb,1e-17\na,0.30000000000000004\nc,123456789.123\n")


def test_without_ids_answers_stand_in_the_order_of_the_rows(tmp_path: Path) -> None:
    sample = table(y=["0", "0", "0"])
    facts = {"columns": Columns(by_position=True, target=("y",))}
    array = np.array([[1.5], [2.5], [3.5]])
    filled = make_submission(competition(**facts), pd.Series(["1", "2", "3"]), array, sample)
    assert filled.to_dict("list") == {"y": [1.5, 2.5, 3.5]}
    assert faults(tmp_path, "y\n1\n2\n3\n", sample=sample, **facts) == ""
    assert faults(tmp_path, "y\n1\n2\n", sample=sample, **facts) == (
        "expected 3 rows, found 2; 1 id missing ('3')"
    )


def test_columns_without_a_name_are_handed_back_without_one(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_bytes(b",y\nb,0\na,0\nc,0\n")
    sample = read_text(tmp_path / "sample.csv")
    facts = {"columns": Columns(id="Unnamed: 0", target=("y",))}
    style = read_style(tmp_path / "sample.csv")
    save_submission(made([1, 2, 3], sample, **facts), tmp_path / "submission.csv", style)
    assert (tmp_path / "submission.csv").read_bytes() == b",y\nb,2.0\na,1.0\nc,3.0\n"
    check_submission(competition(**facts), tmp_path / "submission.csv", sample)
    with_index = table(**{"Unnamed: 0": ["0", "1", "2"]}, id=["b", "a", "c"], y=["0"] * 3)
    assert made([1, 2, 3], with_index).to_dict("list") == {
        "Unnamed: 0": ["0", "1", "2"],
        "id": ["b", "a", "c"],
        "y": [2.0, 1.0, 3.0],
    }


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("cp949", b"")]
)
def test_the_file_is_written_as_the_sample_is(tmp_path: Path, encoding: str, mark: bytes) -> None:
    text = '"번호","y"\r\n가,0\r\n나,0\r\n'
    (tmp_path / "sample.csv").write_bytes(mark + text.encode(encoding))
    sample, style = read_text(tmp_path / "sample.csv"), read_style(tmp_path / "sample.csv")
    facts = competition(columns=Columns(id="번호", target=("y",)))
    filled = make_submission(facts, pd.Series(["나", "가"]), np.array([[2.0], [1.0]]), sample)
    path = tmp_path / "submission.csv"
    save_submission(filled, path, style)
    wanted = '"번호","y"\r\n가,1.0\r\n나,2.0\r\n'
    assert path.read_bytes() == mark + wanted.encode(encoding)
    check_submission(facts, path, sample, style=style)


def test_a_letter_that_the_sample_s_encoding_lacks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    with pytest.raises(SubmissionError) as caught:
        save_submission(table(id=["é"], y=["0"]), path, CsvStyle(encoding="cp949"))
    assert str(caught.value) == (
        f"{path}: 'é' cannot be written in cp949, the sample's encoding; declare another in "
        "[files] encoding"
    )
    assert not path.exists()


def test_an_id_that_was_not_predicted_is_refused() -> None:
    sample = table(id=["a", "x1", "x2", "x3", "x4"], y=["0"] * 5)
    with pytest.raises(DataError) as caught:
        made([1, 2, 3], sample)
    assert str(caught.value) == (
        "sample.csv: 4 ids not in test.csv ('x1', 'x2', 'x3', ...); fetch files that belong "
        "together"
    )


# Classes

TWO = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]
THREE_ROWS = [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4]]


def test_labels_are_the_most_probable_ones() -> None:
    facts = {"task": "binary", "metric": "accuracy"}
    assert made(TWO, labels=YES_NO, **facts)["y"].tolist() == ["yes", "no", "yes"]
    facts = {"task": "multiclass", "metric": "log_loss"}
    assert made(THREE_ROWS, labels=THREE, **facts)["y"].tolist() == ["b", "a", "c"]


def test_the_probability_of_the_positive_class_is_handed_in() -> None:
    facts = {"task": "binary", "metric": "roc_auc", "target": Target(positive="no")}
    assert made(TWO, labels=YES_NO, **facts)["y"].tolist() == [0.4, 0.9, 0.2]
    numbered = {**facts, "target": Target(positive="1")}
    assert made(TWO, labels=np.array([1, 2]), **numbered)["y"].tolist() == [0.4, 0.9, 0.2]


def test_a_positive_class_that_is_no_class_is_refused() -> None:
    facts = {"task": "binary", "metric": "roc_auc", "target": Target(positive="Yes")}
    with pytest.raises(DataError) as caught:
        check_sample(competition(**facts), SAMPLE, YES_NO)
    assert str(caught.value) == (
        "train.csv: [target] positive = 'Yes' is none of the classes ['no', 'yes']; correct it"
    )


def test_a_declared_answer_goes_before_the_metric(tmp_path: Path) -> None:
    facts = {"task": "binary", "metric": "accuracy", "target": Target(answer="probability")}
    assert made(TWO, labels=YES_NO, **facts)["y"].tolist() == [0.6, 0.1, 0.8]
    assert faults(tmp_path, "id,y\nb,0.5\na,0\nc,1\n", YES_NO, **facts) == ""
    facts = {"task": "binary", "metric": "roc_auc", "target": Target(answer="label")}
    assert made(TWO, labels=YES_NO, **facts)["y"].tolist() == ["yes", "no", "yes"]
    assert "2 labels are unknown" in faults(tmp_path, "id,y\nb,1\na,no\nc,0\n", YES_NO, **facts)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_two_classes_in_one_column_are_the_probability_of_the_second(metric: str) -> None:
    filled = made(TWO, labels=YES_NO, task="binary", metric=metric)
    assert filled["y"].tolist() == [0.6, 0.1, 0.8]


def test_a_column_a_class_gets_that_class_s_probability_by_its_name() -> None:
    sample = table(id=["b", "a", "c"], Status_c=["0"] * 3, Status_a=["0"] * 3, Status_b=["0"] * 3)
    filled = made(THREE_ROWS, sample, THREE, task="multiclass", metric="log_loss")
    assert list(filled) == ["id", "Status_c", "Status_a", "Status_b"]
    assert filled.iloc[0].tolist() == ["b", 0.3, 0.1, 0.6]


def test_of_labels_that_end_alike_the_longest_is_meant() -> None:
    labels = np.array(["a", "b_a"], dtype=object)
    sample = table(id=["b", "a", "c"], x_b_a=["0"] * 3, x_a=["0"] * 3)
    filled = made(TWO, sample, labels, task="binary", metric="log_loss")
    assert filled["x_b_a"].tolist() == [0.6, 0.1, 0.8]
    assert filled["x_a"].tolist() == [0.4, 0.9, 0.2]


def test_numbered_classes_are_matched_as_text() -> None:
    sample = table(id=["b", "a", "c"], **{"1": ["0"] * 3, "0": ["0"] * 3})
    filled = made(TWO, sample, np.array([0, 1]), task="binary", metric="log_loss")
    assert filled["1"].tolist() == [0.6, 0.1, 0.8]


# The sample itself


@pytest.mark.parametrize(
    ("sample", "labels", "message"),
    [
        (
            table(id=["a"], y=["0"], z=["0"]),
            None,
            "sample.csv: expected the target ['y'], found ['y', 'z']; correct [columns] target",
        ),
        (
            table(id=["a"], p_a=["0"], p_d=["0"]),
            THREE,
            "sample.csv: column 'p_d' names none of the classes ['a', 'b', 'c']",
        ),
        (
            table(id=["a"], p_a=["0"], p_b=["0"]),
            THREE,
            "sample.csv: expected one column for each of the classes ['a', 'b', 'c'], found "
            "['p_a', 'p_b']",
        ),
    ],
)
def test_a_sample_unlike_the_declaration_is_refused(
    sample: pd.DataFrame, labels: Any, message: str
) -> None:
    facts = {} if labels is None else {"task": "multiclass", "metric": "log_loss"}
    with pytest.raises(DataError) as caught:
        check_sample(competition(**facts), sample, labels)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("answer", "sample", "message"),
    [
        (
            "label",
            table(id=["a"], p_a=["0"], p_b=["0"], p_c=["0"]),
            'sample.csv: expected one column for the label, as [target] answer = "label" says; '
            "found ['p_a', 'p_b', 'p_c']; remove [target] answer",
        ),
        (
            "probability",
            table(id=["a"], y=["0"]),
            "sample.csv: expected a column for each of 3 classes, as [target] answer = "
            "\"probability\" says; found ['y']; correct it, or remove [target] answer",
        ),
    ],
)
def test_an_answer_that_the_sample_cannot_take_is_refused(
    answer: Any, sample: pd.DataFrame, message: str
) -> None:
    declared = competition(task="multiclass", metric="log_loss", target=Target(answer=answer))
    with pytest.raises(DataError) as caught:
        check_sample(declared, sample, THREE)
    assert str(caught.value) == message


def test_a_sample_that_fits_passes() -> None:
    check_sample(competition(), SAMPLE, None)
    wide = table(id=["a"], p_a=["0"], p_b=["0"], p_c=["0"])
    check_sample(competition(task="multiclass", metric="log_loss"), wide, THREE)
    check_sample(competition(task="binary", metric="accuracy"), SAMPLE, YES_NO)


# Reading back what was written


def test_a_file_that_fits_has_no_faults(tmp_path: Path) -> None:
    assert faults(tmp_path, "id,y\nb,1\na,2.5e3\nc,-0.0\n") == ""
    assert faults(tmp_path, "id,y\r\nb,1\r\na,2\r\nc,3\r\n") == ""


COLUMNS = "expected ['id', 'y'], found"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,z\nb,1\n", f"columns: {COLUMNS} ['id', 'z']"),
        ("id;y\nb;1\n", f"columns: {COLUMNS} ['id;y']"),
        ("y,id\n1,b\n", f"columns are in another order: {COLUMNS} ['y', 'id']"),
        (
            ",id,y\n0,b,1\n1,a,2\n2,c,3\n",
            "an index column stands before the others; write with index=False",
        ),
        ("id,y\nb,1\na,2\n", "expected 3 rows, found 2; 1 id missing ('c')"),
        (
            "id,y\nb,1\na,2\nc,3\nd,4\n",
            "expected 3 rows, found 4; 1 id extra ('d')",
        ),
        (
            "id,y\nb,1\na,2\na,3\n",
            "1 id missing ('c'); 1 id duplicated ('a')",
        ),
        (
            "id,y\na,1\nb,2\nc,3\n",
            "ids are in another order than in the sample, from line 2 on: expected 'b', found 'a'",
        ),
        ("id,y\nb,\na,x\nc,3\n", "'y': 2 values are missing or not a number ('', 'x')"),
        ("id,y\nb,nan\na,2\nc,3\n", "'y': 1 values are missing or not a number ('nan')"),
        ("id,y\nb,inf\na,-inf\nc,3\n", "'y': 2 values are infinite ('inf', '-inf')"),
    ],
)
def test_each_fault_has_its_sentence(tmp_path: Path, content: str, message: str) -> None:
    assert faults(tmp_path, content) == message


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    bounds = Target(lower=0.0, upper=10.0)
    found = faults(tmp_path, "id,y\nb,-1\nx,11\nb,\nd,inf\n", target=bounds)
    assert found.split("; ") == [
        "expected 3 rows, found 4",
        "2 ids missing ('a', 'c')",
        "2 ids extra ('x', 'd')",
        "1 id duplicated ('b')",
        "'y': 1 values are missing or not a number ('')",
        "'y': 1 values are infinite ('inf')",
        "'y': 1 values are below 0 ('-1')",
        "'y': 1 values are above 10 ('11')",
    ]


def test_every_column_is_checked(tmp_path: Path) -> None:
    sample = table(id=["b"], y=["0"], z=["0"])
    facts = {"columns": Columns(id="id", target=("y", "z"))}
    found = faults(tmp_path, "id,y,z\nb,x,\n", sample=sample, **facts)
    assert found == (
        "'y': 1 values are missing or not a number ('x'); "
        "'z': 1 values are missing or not a number ('')"
    )


def test_unknown_labels_are_faults_where_labels_are_asked_for(tmp_path: Path) -> None:
    facts = {"task": "binary", "metric": "accuracy"}
    assert faults(tmp_path, "id,y\nb,yes\na,no\nc,yes\n", YES_NO, **facts) == ""
    assert faults(tmp_path, "id,y\nb,Yes\na,\nc,yes\n", YES_NO, **facts) == (
        "'y': 2 labels are unknown to the training rows ('Yes', '')"
    )
    facts = {"task": "multiclass", "metric": "log_loss"}
    assert "1 labels are unknown" in faults(tmp_path, "id,y\nb,a\na,b\nc,d\n", THREE, **facts)


def test_probabilities_lie_between_nothing_and_one(tmp_path: Path) -> None:
    facts = {"task": "binary", "metric": "roc_auc"}
    assert faults(tmp_path, "id,y\nb,0\na,1\nc,0.5\n", YES_NO, **facts) == ""
    assert faults(tmp_path, "id,y\nb,-0.1\na,1.1\nc,yes\n", YES_NO, **facts) == (
        "'y': 1 values are missing or not a number ('yes'); 'y': 1 values are below 0 ('-0.1'); "
        "'y': 1 values are above 1 ('1.1')"
    )
    wide = table(id=["b"], a=["0"], b=["0"], c=["0"])
    facts = {"task": "multiclass", "metric": "log_loss"}
    assert faults(tmp_path, "id,a,b,c\nb,2,0,0\n", THREE, wide, **facts) == (
        "'a': 1 values are above 1 ('2')"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,y\n가,1\n".encode("cp949"), "the text is not utf-8 (byte 0xb0 at offset 5, line 2)"),
        ("id,y\nb,1\n".encode("utf-16"), "the text is not utf-8 (byte 0xff at offset 0, line 1)"),
        (b"", "the file is empty (0 bytes)"),
        (b"id,y\n", "expected rows below the header, found none"),
        (b"id,y\nb,1\na\n", "line 3: expected 2 fields as in the header, found 1"),
    ],
)
def test_a_file_that_is_no_utf_8_table_is_a_submission_error(
    tmp_path: Path, content: bytes, message: str
) -> None:
    assert message in faults(tmp_path, content)


def test_a_missing_file_is_a_submission_error(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=r"submission.csv: no such file"):
        check_submission(competition(), tmp_path / "submission.csv", SAMPLE)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3))
def test_any_finite_prediction_is_written_and_read_back_as_it_is(values: list[float]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "submission.csv"
        save_submission(made(values), path)
        check_submission(competition(), path, SAMPLE)
        written = [float(one) for one in read_text(path)["y"]]
    assert written == [values[1], values[0], values[2]]
