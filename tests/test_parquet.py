"""Parquet as files of a competition: what is read, and what is refused in one line."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import write

from pipeline.errors import DataError
from pipeline.parquet import open_parquet, read_all, typed

ROWS = pd.DataFrame(
    {
        "id": [1, 2, 3],
        "size": [10, 20, 30],
        "price": [1.5, None, 2.5],
        "colour": ["red", None, "blue"],
        "is_new": [True, False, None],
        "sold": pd.to_datetime(["2011-01-31", None, "2012-02-01"]),
    }
)
TOML = """\
title = "Tiny"
task = "regression"
metric = "rmse"

[files]
train = "train.parquet"
test = "test.parquet"

[columns]
id = "id"
target = "y"

[validation]
n_splits = 3
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train").mkdir()
    return tmp_path / "train"


def save(path, frame):
    frame.to_parquet(path, index=False)
    return path


def test_a_folder_of_partitions_is_one_file_in_the_order_of_its_names(folder):
    save(folder / "part-1.parquet", ROWS.assign(id=[4, 5, 6]))
    save(folder / "part-0.parquet", ROWS)
    write(folder / "_SUCCESS", "")
    files = open_parquet(folder)
    assert (files.rows, [piece.first for piece in files.pieces]) == (6, [0, 3])
    kinds = {name: files.numbers_of(name) for name in files.families}
    frame = typed(read_all(files, kinds), kinds, files.file)
    assert frame["id"].tolist() == [1, 2, 3, 4, 5, 6]
    assert str(frame["size"].dtype) == "int64"
    assert frame["price"].tolist()[:1] == [1.5]
    assert np.isnan(frame["price"][1])
    assert frame["is_new"].tolist()[:2] == ["True", "False"]
    assert frame["colour"].isna().tolist() == [False, True, False] * 2
    assert str(frame["sold"].dtype) == "datetime64[us]"
    assert files.file.at(4, "size") == f"{folder / 'part-1.parquet'}, row 2, column 'size'"


def test_whole_numbers_of_one_partition_and_fractions_of_another_are_numbers(folder):
    save(folder / "a.parquet", pd.DataFrame({"x": [1, 2], "n": [None, None]}))
    save(folder / "b.parquet", pd.DataFrame({"x": [1.5, None], "n": ["a", "b"]}))
    files = open_parquet(folder)
    assert files.families == {"x": "float", "n": "text"}
    assert typed(read_all(files, ["x", "n"]), files.families, files.file)["x"].tolist()[:3] == [
        1.0,
        2.0,
        1.5,
    ]


def test_a_file_of_many_row_groups_is_several_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.parquet.PIECE", 4)
    pq.write_table(pa.table({"x": range(10)}), tmp_path / "x.parquet", row_group_size=2)
    pieces = open_parquet(tmp_path / "x.parquet").pieces
    assert [(p.groups, p.first, p.in_file, p.rows) for p in pieces] == [
        ((0, 1), 0, 0, 4),
        ((2, 3), 4, 4, 4),
        ((4,), 8, 8, 2),
    ]
    assert [t["x"].to_pylist() for _, t in pieces[1].tables()] == [[4, 5, 6, 7]]
    assert pieces[1].rows_from(4).at(1, "x") == f"{tmp_path / 'x.parquet'}, row 6, column 'x'"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (ROWS.drop(columns="price"), "b.parquet: has no column 'price', which a.parquet has"),
        (ROWS.assign(extra=1), "b.parquet: has a column 'extra', which a.parquet lacks"),
        (ROWS.assign(price=["a", "b", "c"]), "b.parquet: column 'price' is text, and a number"),
        (ROWS.head(0), "b.parquet: the partition has no rows; remove the file"),
        (ROWS.assign(price=[[1], [2], [3]]), "column 'price' is list<element: int64>, and not"),
    ],
)
def test_a_partition_unlike_the_first_one_is_one_line(folder, other, message):
    save(folder / "a.parquet", ROWS)
    save(folder / "b.parquet", other)
    with pytest.raises(DataError, match=message) as raised:
        open_parquet(folder)
    assert "\n" not in str(raised.value)


def test_what_is_no_parquet_or_not_there_is_one_line(folder):
    with pytest.raises(DataError, match="expected partitions, files that end in"):
        open_parquet(folder)
    with pytest.raises(DataError, match="no such file or folder; did you mean 'train'"):
        open_parquet(folder.parent / "trian")
    write(folder / "a.parquet", b"PAR1 and nothing else PAR1")
    with pytest.raises(DataError, match=r"a.parquet: cannot be read as Parquet: .*write the file"):
        open_parquet(folder)
    (folder / "a.parquet").unlink()
    (folder / "year=2020").mkdir()
    save(folder / "year=2020" / "a.parquet", ROWS)
    with pytest.raises(DataError, match="a folder whose name holds a column's value"):
        open_parquet(folder)


def test_damage_behind_the_footer_is_told_when_it_is_read(folder):
    path = save(folder / "a.parquet", pd.DataFrame({"x": np.random.default_rng(0).random(5000)}))
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)
    (piece,) = open_parquet(folder).pieces
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read as Parquet") as raised:
        list(piece.tables())
    assert "\n" not in str(raised.value)


def test_a_dropped_column_may_be_of_any_type(folder):
    save(folder / "a.parquet", ROWS.assign(tags=[[1], [2], [3]]))
    assert "tags" not in open_parquet(folder, ["tags"]).families
    assert "size" in open_parquet(folder, ["size", "tags"]).families
    assert "size" not in open_parquet(folder, ["size", "tags"], needs_dropped=False).families


def test_parquet_in_memory_trains_as_its_csv_does(tmp_path, kc_here):
    rng = np.random.default_rng(0)
    train = pd.DataFrame({"id": range(60), "a": rng.random(60), "k": rng.choice(["x", "y"], 60)})
    train["a"] = train["a"].mask(train["id"] % 9 == 4)
    train["y"] = train["a"].fillna(0.5) + (train["k"] == "x")
    test = train.drop(columns="y").head(9).assign(id=range(100, 109))
    runs = {}
    for suffix in ("parquet", "csv"):
        workspace, given = tmp_path / suffix, tmp_path / suffix / "given"
        sample = test[["id"]].assign(y=0)
        write(given / "sample.csv", sample.to_csv(index=False))
        for name, frame in {"train": train, "test": test}.items():
            path = given / f"{name}.{suffix}"
            frame.to_parquet(path) if suffix == "parquet" else frame.to_csv(path, index=False)
        toml = TOML.replace("parquet", suffix)
        toml = toml.replace("\n\n[columns]", '\nsample_submission = "sample.csv"\n\n[columns]')
        write(workspace / "competitions" / "tiny" / "competition.toml", toml)
        kc_here(workspace, "fetch", "tiny", "--from", given, expect=0)
        kc_here(workspace, "train", "tiny", "--model", "ridge", expect=0)
        (run,) = (workspace / "runs").glob("tiny-*")
        runs[suffix] = {
            n: (run / n).read_bytes() for n in ("oof.csv", "test.csv", "submission.csv")
        }
    assert runs["parquet"] == runs["csv"]


def test_without_a_sample_the_tests_ids_say_what_is_handed_in(tmp_path, kc_here):
    train = pd.DataFrame({"id": range(30), "a": np.arange(30.0), "y": np.arange(30.0)})
    given = tmp_path / "given"
    given.mkdir()
    train.to_parquet(given / "train.parquet")
    train.drop(columns="y").head(4).to_parquet(given / "test.parquet")
    write(tmp_path / "competitions" / "tiny" / "competition.toml", TOML)
    kc_here(tmp_path, "fetch", "tiny", "--from", given, expect=0)
    kc_here(tmp_path, "train", "tiny", "--model", "ridge", expect=0)
    (run,) = (tmp_path / "runs").glob("tiny-*")
    lines = (run / "submission.csv").read_text().splitlines()
    assert lines[0] == "id,y"
    assert [line.partition(",")[0] for line in lines[1:]] == ["0", "1", "2", "3"]
    kc_here(tmp_path, "submit", "tiny", "--by-hand", "--yes", expect=0)
    kc_here(tmp_path, "inspect", "tiny", expect=0)


def test_a_sample_is_left_out_of_parquet_only(tmp_path, kc_here):
    toml = TOML.replace(".parquet", ".csv")
    write(tmp_path / "competitions" / "tiny" / "competition.toml", toml)
    message = kc_here(tmp_path, "train", "tiny").error()
    assert message.endswith("files.sample_submission: missing; expected text")
    write(
        tmp_path / "competitions" / "tiny" / "competition.toml",
        TOML.replace("train.par", "a.par").replace("a.parquet", "a.csv"),
    )
    assert (
        "expected Parquet as files.train is, or both CSV"
        in kc_here(tmp_path, "train", "tiny").error()
    )
