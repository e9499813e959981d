"""Files that are typed block by block are what they are when all of their text is looked at."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import blocks, data
from pipeline.blocks import Evidence, type_test_file, type_train_file
from pipeline.competition import Columns, Competition, Files
from pipeline.csvtext import IrregularError, read_blocks, read_text
from pipeline.data import Table, read_test, read_train
from pipeline.errors import DataError
from pipeline.progress import Warned, listening

CELLS = (
    "1", "2", "30", "-4", "1.5", "0.25", "1e3", "1,234", "1,5", "+7", "007", "0x1F", "", "NA",
    " 8 ", "inf", "abc", "19", "99999999999999999999", "2011-01-31", "31/01/2011", "01/02/2011",
    "2011-01-31 05:00", '"a,b"', '"two\nlines"', "가",
)  # fmt: skip
NUMBERS = CELLS[:14]


def a_competition(**columns: object) -> Competition:
    return Competition(
        name="big",
        title="Big",
        task="regression",
        metric="rmse",
        columns=Columns(**{"id": "id", "target": ("y",), **columns}),  # type: ignore[arg-type]
        files=Files(train="train.csv", test="test.csv", sample_submission="sample.csv"),
    )


def told(read: object, *arguments: object) -> tuple[object, list[str]]:
    """Return what a reading returns or raises, and its warnings."""
    warnings: list[str] = []
    with listening(lambda event: isinstance(event, Warned) and warnings.append(event.text)):
        try:
            return read(*arguments), warnings  # type: ignore[operator]
        except DataError as error:
            return str(error), warnings


def assert_same(whole: object, parts: object) -> None:
    if not isinstance(whole, Table) or not isinstance(parts, Table):
        assert parts == whole
        return
    pd.testing.assert_frame_equal(parts.frame, whole.frame)
    pd.testing.assert_series_equal(parts.ids, whole.ids)
    assert dict(parts.kinds) == dict(whole.kinds)
    assert parts.file == whole.file


def in_blocks(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(blocks, "MANY_BYTES", 0)
    for function in (type_train_file, type_test_file):
        monkeypatch.setitem(function.__kwdefaults__, "block", block)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    columns=st.lists(
        st.lists(st.sampled_from(NUMBERS) | st.sampled_from(CELLS), min_size=4, max_size=40),
        min_size=1,
        max_size=3,
    ),
    role=st.sampled_from(["undeclared", "numeric", "categorical", "datetime", "text", "time"]),
    block=st.integers(40, 400),
    decimal=st.sampled_from([".", ","]),
)
def test_any_block_size_makes_the_same_table_or_the_same_error(
    columns: list[list[str]], role: str, block: int, decimal: str, tmp_path: Path
) -> None:
    n = min(map(len, columns))
    names = [f"x{i}" for i in range(len(columns))]
    quoted = [
        [f'"{cell}"' if "," in cell and not cell.startswith('"') else cell for cell in one]
        for one in columns
    ]
    rows = [",".join([str(i), *(one[i] for one in quoted), str(i % 3)]) for i in range(n)]
    path = tmp_path / "train.csv"
    path.write_text("\n".join([",".join(["id", *names, "y"]), *rows]) + "\n", encoding="utf-8")
    own = {} if role == "undeclared" else {role: "x0" if role == "time" else ("x0",)}
    competition = a_competition(**own)
    competition = replace(competition, files=replace(competition.files, decimal=decimal))
    for read, more in ((read_train, ()), (read_test, ({"x0": "integer", "x1": "float"},))):
        whole, warned = told(read, path, competition, *more)
        with pytest.MonkeyPatch.context() as patch:
            in_blocks(patch, block)
            parts, warned_of_parts = told(read, path, competition, *more)
        assert_same(whole, parts)
        assert warned_of_parts == warned


def test_whole_numbers_become_floats_where_a_later_block_has_a_point(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("id,x,y\n" + "".join(f"{i},{i},1\n" for i in range(30)) + "30,2.5,1\n")
    found = type_train_file(path, a_competition(), block=64)
    assert found.kinds == {"id": "text", "x": "float", "y": "integer"}
    assert found.columns["x"].tolist() == [*map(float, range(30)), 2.5]


def test_numbers_before_a_word_are_read_again_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("id,x,y\n" + "".join(f"{i},1.50,1\n" for i in range(30)) + "30,many,1\n")
    found = type_train_file(path, a_competition(), block=64)
    assert found.kinds["x"] == "text"
    assert found.columns["x"].tolist() == [*["1.50"] * 30, "many"]


def test_blocks_are_many_and_none_loses_a_row(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("id,x\n" + "".join(f'{i},"a{i}"\n' for i in range(100)))
    _, names, rows = read_blocks(path, block=64)
    batches = list(rows)
    assert names == ["id", "x"]
    assert len(batches) > 5
    together = pd.concat([batch.to_pandas() for batch in batches], ignore_index=True)
    assert together["x"].tolist() == read_text(path)["x"].tolist()


@pytest.mark.parametrize(
    "content",
    [
        b'id,x\n1,"open\n2,b\n',
        b"id,x\n1,2,3\n2,b\n",
        b"id,x\n",
        b"",
        b"id,x\n1,\xff\n",
        b"a\0b\n1\n",
    ],
    ids=["an open quote", "a field too many", "no rows", "nothing", "no UTF-8", "a NUL"],
)
def test_what_is_wrong_with_a_file_is_left_to_a_look_at_the_whole(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    with pytest.raises(IrregularError):
        list(read_blocks(path, block=64)[2])


def test_evidence_of_parts_is_that_of_the_whole_in_any_grouping() -> None:
    one = Evidence(3, 1, True, True)
    two = Evidence(2, 0, False, False, False, 1, (1, "abc"))
    three = Evidence(2, 0, True, False)
    assert (one + two) + three == one + (two + three)
    assert (one + two + three).first_not_number == (4, "abc")
    assert (one + three).kind("undeclared", a_competition().files) == "float"
    assert (one + two).kind("undeclared", a_competition().files) == "text"
    assert (one + two).kind("numeric", a_competition().files) is None


def test_small_files_are_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "train.csv"
    path.write_text("id,x,y\n1,2,3\n2,3,4\n")
    monkeypatch.setattr(data, "type_train_file", None)
    assert len(read_train(path, a_competition()).frame) == 2
