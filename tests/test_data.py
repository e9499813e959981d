from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.checks import check_test, check_train
from pipeline.competition import Columns, Competition, Files
from pipeline.csvtext import read_cells
from pipeline.data import (
    TestData,
    TrainData,
    match_by_position,
    normalise_ids,
    read_sample,
    read_test,
    read_train,
    split_test,
    split_train,
)
from pipeline.errors import DataError
from pipeline.progress import Event, listening

REAL = Path(__file__).parents[2] / "shared" / "data"
needs_real_files = pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")


def competition(sample: str = "sample.csv", **given: Any) -> Competition:
    facts = {"name": "toy", "title": "Toy", "task": "regression", "metric": "rmse"}
    facts["files"] = Files(train="train.csv", test="test.csv", sample_submission=sample)
    return Competition(**{**facts, "columns": Columns(id="id", target=("y",)), **given})


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def ids_of(table: Any) -> list[str]:
    return list(table.ids)


def test_ids_are_compared_as_text_without_spaces_and_trailing_zeros() -> None:
    assert normalise_ids(pd.Series(["1.0", " 2", "-3.00"])).tolist() == ["1", "2", "-3"]
    assert normalise_ids(pd.Series(["1.0", "1.5"])).tolist() == ["1.0", "1.5"]
    assert normalise_ids(pd.Series(["007", "7"])).tolist() == ["007", "7"]
    assert normalise_ids(pd.Series([1.0, 2.0])).tolist() == ["1", "2"]


def test_ids_keep_what_would_be_missing_elsewhere(tmp_path: Path) -> None:
    table = read_train(write(tmp_path, "train.csv", "id,y\nNA,1\nKR,2\n"), competition())
    assert ids_of(table) == ["NA", "KR"]


BY_POSITION = Columns(id="ImageId", by_position=True, target=("label",))


def by_position(folder: Path, test: str, sample: str, columns: Columns = BY_POSITION) -> list[str]:
    declared = competition(columns=columns)
    train = read_train(write(folder, "train.csv", "label,x\n3,5\n4,6\n"), declared)
    table = read_test(write(folder, "test.csv", test), declared, train.kinds)
    read = read_sample(write(folder, "sample.csv", sample), declared)
    return ids_of(match_by_position(table, read, declared))


def test_test_rows_without_ids_take_those_of_the_sample_where_declared(tmp_path: Path) -> None:
    assert by_position(tmp_path, "x\n5\n6\n", "ImageId,Label\n7,0\n8,0\n") == ["7", "8"]
    neither = Columns(by_position=True, target=("label",))
    assert by_position(tmp_path, "x\n5\n6\n", "Label\n0\n0\n", neither) == ["1", "2"]


def test_positions_that_cannot_join_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        by_position(tmp_path, "x\n5\n6\n7\n", "ImageId,Label\n7,0\n8,0\n")
    assert str(caught.value) == (
        f"{tmp_path}/test.csv: expected the 2 rows of sample.csv in its order, as [columns] "
        "by_position says; found 3 rows"
    )
    with pytest.raises(DataError, match="ids join better than positions; remove"):
        by_position(tmp_path, "x,ImageId\n5,7\n6,8\n", "ImageId,Label\n7,0\n8,0\n")


def test_a_test_file_without_ids_says_how_to_join_by_position(tmp_path: Path) -> None:
    declared = competition(columns=Columns(id="ImageId", target=("label",)))
    with pytest.raises(DataError) as caught:
        read_test(write(tmp_path, "test.csv", "x\n5\n"), declared, {})
    assert str(caught.value).endswith(
        "If its rows are the sample's in the same order, declare [columns] by_position = true"
    )


def test_training_rows_without_an_id_column_are_numbered(tmp_path: Path) -> None:
    table = read_train(write(tmp_path, "train.csv", "x,y\n5,1\n6,2\n"), competition())
    assert ids_of(table) == ["1", "2"]
    assert table.ids.name == "id"


def test_an_absent_target_or_id_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    path = write(tmp_path, "test.csv", "Id,Y\n1,2\n")
    with pytest.raises(DataError) as caught:
        read_train(path, competition())
    assert str(caught.value) == (
        f"{path}: there is no target column 'y' ([columns] target); did you mean 'Y'?"
    )
    with pytest.raises(DataError, match=r"no id column 'id' \(\[columns\] id\); did you mean 'Id'"):
        read_test(path, competition(), {})


def test_a_target_in_the_test_file_is_not_read(tmp_path: Path) -> None:
    train = read_train(write(tmp_path, "train.csv", "id,x,y\n1,5,1\n2,6,2\n"), competition())
    path = write(tmp_path, "test.csv", "id,y,x\n3,secret,7\n")
    assert list(read_test(path, competition(), train.kinds).frame) == ["id", "x"]


def test_declared_encoding_and_separator_are_used(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes("id~é~y\n1~ü~2\n".encode("latin-1"))
    files = Files(train="a", test="b", sample_submission="c", encoding="latin-1", separator="~")
    assert read_train(path, competition(files=files)).frame["é"].tolist() == ["ü"]


def test_a_sample_keeps_its_exact_text(tmp_path: Path) -> None:
    path = write(tmp_path, "sample.csv", "id,y\n1.0,\n002, 0\n")
    assert read_sample(path, competition()).to_numpy().tolist() == [["1.0", ""], ["002", " 0"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,y\n1,0\n2,0\n1.0,0\n", "line 4, column 'id': id '1' is already in line 2; every id"),
        ("id,y\n1,0\n ,0\n", "line 3, column 'id': expected an id, found an empty cell"),
        ("Id,y\n1,0\n", "there is no id column 'id' ([columns] id); did you mean 'Id'?"),
    ],
)
def test_a_sample_names_every_row_once(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_sample(write(tmp_path, "sample.csv", text), competition())
    assert message in str(caught.value)


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "season": [20.0, np.nan, 3.0],
            "code": ["20.0", "x", None],
            "when": pd.to_datetime(["2011-01-01", "2011-01-02", "2011-01-03"]),
            "half": ["h", "h", "i"],
            "casual": [1, 2, 3],
            "y": [1.0, 2.0, 3.0],
        }
    )


COLUMNS = Columns(
    id="id",
    target=("y",),
    categorical=("season", "code", "half"),
    group="half",
    time="when",
    drop=("casual",),
)


def split() -> TrainData:
    return split_train(frame(), frame()["id"], COLUMNS)


def test_id_target_group_and_dropped_columns_are_no_features() -> None:
    train = split()
    assert list(train.X) == ["season", "code", "when"]
    assert train.X["when"].dtype.kind == "M"
    assert train.y.tolist() == [1.0, 2.0, 3.0]
    assert train.groups is not None
    assert train.groups.tolist() == ["h", "h", "i"]
    assert train.order is not None
    assert train.order.equals(frame()["when"])


def test_declared_categories_are_text_and_whole_numbers_are_alike() -> None:
    X = split().X
    assert [str(X[name].dtype) for name in ("season", "code")] == ["str", "str"]
    assert X["season"].fillna("missing").tolist() == ["20", "missing", "3"]
    assert X["code"].fillna("missing").tolist() == ["20", "x", "missing"]


def test_several_targets_make_a_frame() -> None:
    train = split_train(frame(), frame()["id"], Columns(id="id", target=("y", "casual")))
    assert list(train.y) == ["y", "casual"]
    assert train.groups is None
    assert train.order is None


def test_test_features_stand_in_the_order_of_the_training_features() -> None:
    given = frame()[["when", "code", "id", "season", "half"]]
    test = split_test(given, given["id"], COLUMNS, list(split().X))
    assert list(test.X) == ["season", "code", "when"]
    assert not hasattr(test, "y")
    assert len(test) == 3


def test_splitting_leaves_the_frame_as_it_was() -> None:
    given = frame()
    split_train(given, given["id"], COLUMNS)
    pd.testing.assert_frame_equal(given, frame())


def test_a_subset_takes_rows_of_everything_in_the_asked_order() -> None:
    subset = split().subset(np.array([2, 0]))
    assert len(subset) == 2
    assert subset.ids.tolist() == ["c", "a"]
    assert subset.y.tolist() == [3.0, 1.0]
    assert subset.X["season"].tolist() == ["3", "20"]
    assert subset.groups is not None
    assert subset.groups.tolist() == ["i", "h"]
    assert subset.order is not None
    assert subset.order.dt.day.tolist() == [3, 1]


HOUSE_LEVELS = tuple(
    f"{part}{fact}"
    for part, facts in {
        "": ("Alley", "FireplaceQu", "PoolQC", "Fence", "MiscFeature"),
        "Bsmt": ("Qual", "Cond", "Exposure", "FinType1", "FinType2"),
        "Garage": ("Type", "Finish", "Qual", "Cond"),
    }.items()
    for fact in facts
)
REAL_ONES = {
    "bike": competition(
        "sampleSubmission.csv",
        columns=Columns(
            id="datetime",
            target=("count",),
            datetime=("datetime",),
            categorical=("season",),
            drop=("casual", "registered"),
        ),
    ),
    "ddarung": competition("submission.csv", columns=Columns(id="id", target=("count",))),
    "house": competition(
        "sample_submission.csv",
        columns=Columns(id="Id", target=("SalePrice",), categorical=("MSSubClass",)),
        levels={"NA": HOUSE_LEVELS, "None": ("MasVnrType",)},
    ),
    "travel": competition(
        "sample_submission.csv",
        task="binary",
        metric="accuracy",
        columns=Columns(id="id", target=("ProdTaken",)),
    ),
}


@pytest.fixture
def no_warnings() -> Iterator[None]:
    heard: list[Event] = []
    with listening(heard.append):
        yield
    assert heard == []


def read_real(name: str) -> tuple[TrainData, TestData, pd.DataFrame]:
    declared, folder = REAL_ONES[name], REAL / name
    known = read_train(folder / "train.csv", declared)
    asked = read_test(folder / "test.csv", declared, known.kinds)
    check_train(known.frame, known.file, declared)
    check_test(asked.frame, asked.ids, asked.file, known.frame, declared)
    train = split_train(known.frame, known.ids, declared.columns)
    test = split_test(asked.frame, asked.ids, declared.columns, list(train.X))
    return train, test, read_sample(folder / declared.files.sample_submission, declared)


@needs_real_files
@pytest.mark.usefixtures("no_warnings")
@pytest.mark.parametrize(
    ("name", "train_shape", "test_shape"),
    [
        ("bike", (10886, 8), (6493, 8)),
        ("ddarung", (1459, 9), (715, 9)),
        ("house", (1460, 79), (1459, 79)),
        ("travel", (1955, 18), (2933, 18)),
    ],
)
def test_real_files_are_read_and_their_ids_fit_the_sample(
    name: str, train_shape: tuple[int, int], test_shape: tuple[int, int]
) -> None:
    train, test, sample = read_real(name)
    assert (train.X.shape, test.X.shape) == (train_shape, test_shape)
    assert normalise_ids(sample[REAL_ONES[name].columns.id]).tolist() == test.ids.tolist()


@needs_real_files
@pytest.mark.parametrize("name", REAL_ONES)
def test_real_columns_are_what_pandas_reads_unless_declared_otherwise(name: str) -> None:
    declared = REAL_ONES[name]
    ours = read_train(REAL / name / "train.csv", declared).frame
    theirs = pd.read_csv(REAL / name / "train.csv")
    levels = {column for names in declared.levels.values() for column in names}
    same = [n for n in theirs if n not in {declared.columns.id, *levels}]
    assert list(ours) == list(theirs)
    pd.testing.assert_frame_equal(ours[same], theirs[same])


@needs_real_files
def test_house_levels_are_not_missing_and_real_gaps_are() -> None:
    train, _, _ = read_real("house")
    missing = train.X.isna().sum()
    assert missing[missing > 0].to_dict() == {
        "LotFrontage": 259,
        "MasVnrArea": 8,
        "MasVnrType": 8,
        "Electrical": 1,
        "GarageYrBlt": 81,
    }
    assert (train.X["Alley"] == "NA").sum() == 1369
    assert train.X["MSSubClass"].iloc[0] == "60"


@needs_real_files
def test_a_korean_price_table_is_read_with_its_commas_and_arrows() -> None:
    path = REAL / "samsung" / "삼성전자220718.csv"
    columns = Columns(id="일자", target=("종가",), datetime=("일자",))
    table = read_train(path, competition(columns=columns))
    first = table.frame.iloc[0]
    assert (table.file.encoding, table.file.separator, len(table.frame)) == ("cp949", ",", 3040)
    assert (first["시가"], first["전일비"], first["Unnamed: 0"]) == (60600, "▲", 1000)
    assert first["등락률"] == 1.67
    assert first["일자"] == pd.Timestamp("2022-07-18")
    assert table.frame["개인"].iloc[1] == -4467156
    assert table.kinds["전일비"] == "text"
    assert table.file.line(len(table.frame) - 1) == 3041
    assert len(read_cells(path)[1].columns) == 17
