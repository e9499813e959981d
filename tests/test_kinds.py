from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.competition import Columns, Competition, Files
from pipeline.data import Table, read_test, read_train
from pipeline.errors import DataError
from pipeline.progress import Event, Warned, listening

RELAXED = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def competition(
    levels: dict[str, tuple[str, ...]] | None = None,
    na_values: tuple[str, ...] = (),
    written: dict[str, Any] | None = None,
    **columns: Any,
) -> Competition:
    return Competition(
        name="toy",
        title="Toy",
        task="regression",
        metric="rmse",
        files=Files(
            train="train.csv",
            test="test.csv",
            sample_submission="sample.csv",
            na_values=na_values,
            **(written or {}),
        ),
        columns=Columns(id="id", target=("y",), **columns),
        levels=levels or {},
    )


def train_of(folder: Path, cells: list[str], declared: Competition | None = None) -> Table:
    """Return a training file whose column x has these cells."""
    path = folder / "train.csv"
    rows = [f'{i},{i},"{cell}"\n' for i, cell in enumerate(cells)]
    path.write_text("id,y,x\n" + "".join(rows), encoding="utf-8")
    return read_train(path, declared or competition())


def x_of_test(
    folder: Path, cells: list[str], train: Table, declared: Competition | None = None
) -> pd.Series:
    """Return column x of a test file that has these cells."""
    path = folder / "test.csv"
    rows = [f'{i},"{cell}"\n' for i, cell in enumerate(cells)]
    path.write_text("id,x\n" + "".join(rows), encoding="utf-8")
    return read_test(path, declared or competition(), train.kinds).frame["x"]


def read_x(folder: Path, cells: list[str], declared: Competition | None = None) -> tuple[str, list]:
    """Return the dtype of x, and its values with missing ones as None."""
    x = train_of(folder, cells, declared).frame["x"]
    return str(x.dtype), [None if pd.isna(value) else value for value in x]


def refusal(folder: Path, cells: list[str], declared: Competition) -> str:
    with pytest.raises(DataError) as caught:
        train_of(folder, cells, declared)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("cells", "dtype", "values"),
    [
        (["1", "-2", "0"], "int64", [1, -2, 0]),
        ([" 1", "2 "], "int64", [1, 2]),
        (["1", ""], "float64", [1.0, None]),
        (["1.5", "2", ".5", "5.", "1e-3", "-2E+2"], "float64", [1.5, 2, 0.5, 5, 0.001, -200]),
        (["1,234", "-4,467,156", "12"], "int64", [1234, -4467156, 12]),
        (["+1.67", "-0.86", "1,234.5"], "float64", [1.67, -0.86, 1234.5]),
        (["inf", "-Infinity", "1"], "float64", [np.inf, -np.inf, 1]),
        (["9223372036854775807", "1"], "int64", [9223372036854775807, 1]),
        (["9223372036854775808", "1"], "float64", [9223372036854775808.0, 1]),
        (["", "NA", " "], "float64", [None, None, None]),
        (["True", "False"], "str", ["True", "False"]),
        (["007", "12"], "str", ["007", "12"]),
        (["00.5", "1.5"], "str", ["00.5", "1.5"]),
        (["0x1F", "2"], "str", ["0x1F", "2"]),
        (["NAN", "2"], "str", ["NAN", "2"]),
        (["1_000", "2"], "str", ["1_000", "2"]),
        (["1,23", "2"], "str", ["1,23", "2"]),
        (["0,123", "2"], "str", ["0,123", "2"]),
        (["12%", "2"], "str", ["12%", "2"]),
        ([" a ", "None", "b"], "str", [" a ", None, "b"]),
        (["2011-01-01", "2011-01-02"], "str", ["2011-01-01", "2011-01-02"]),
    ],
)
def test_an_undeclared_column_is_what_all_its_cells_are(
    tmp_path: Path, cells: list[str], dtype: str, values: list[object]
) -> None:
    assert read_x(tmp_path, cells) == (dtype, values)


@pytest.mark.parametrize(
    "spelling",
    ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "null", "None", "NaT"],
)
def test_common_spellings_are_missing_unless_they_are_a_level(
    tmp_path: Path, spelling: str
) -> None:
    assert read_x(tmp_path, ["a", spelling, "b"]) == ("str", ["a", None, "b"])
    declared = competition(levels={spelling: ("x",)})
    assert read_x(tmp_path, ["a", spelling, "b"], declared) == ("str", ["a", spelling, "b"])


def test_a_spelling_is_a_level_in_the_named_columns_only(tmp_path: Path) -> None:
    declared = competition(levels={"NA": ("other",)})
    assert read_x(tmp_path, ["a", "NA"], declared) == ("str", ["a", None])


def test_a_declared_spelling_is_missing_as_well(tmp_path: Path) -> None:
    assert read_x(tmp_path, ["1", "?"], competition(na_values=("?",))) == ("float64", [1.0, None])


def test_codes_are_numbers_if_they_are_declared_numeric(tmp_path: Path) -> None:
    assert read_x(tmp_path, ["007", "12"], competition(numeric=("x",))) == ("int64", [7, 12])


def test_a_declared_number_that_is_none_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, ["1\n", "2", "n a"], competition(numeric=("x",))) == (
        "train.csv, line 5, column 'x': expected a number, as [columns] numeric says, found 'n a'; "
        "correct it, or add it to [files] na_values if it means missing"
    )


def test_the_target_of_a_regression_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("id,y\n1,2\n2,much\n")
    with pytest.raises(DataError, match=r"line 3, column 'y': expected a number in the target of"):
        read_train(path, competition())


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2011-01-01 05:00:00", "2011-01-01 05:00:00"),
        ("2011-1-5 5:07", "2011-01-05 05:07:00"),
        ("2022/07/18", "2022-07-18"),
        (" 2022.07.18 ", "2022-07-18"),
        ("20220718", "2022-07-18"),
        ("2022/07/18 13:05:06.25", "2022-07-18 13:05:06.250"),
        ("2022-07-18T13:05:06Z", "2022-07-18 13:05:06"),
        ("2022-07-18 13:05:06 UTC", "2022-07-18 13:05:06"),
        ("", "NaT"),
    ],
)
def test_a_declared_date_is_understood(tmp_path: Path, cell: str, expected: str) -> None:
    x = train_of(tmp_path, ["1999-12-31", cell], competition(datetime=("x",))).frame["x"]
    assert x.dtype == "datetime64[us]"
    assert x.tolist()[:1] == [pd.Timestamp("1999-12-31")]
    assert str(x.iloc[1]) == str(pd.Timestamp(expected))


@pytest.mark.parametrize("cell", ["7/18/2022", "2022-02-30", "2022-01-01 24:00", "202207", "soon"])
def test_a_date_that_is_ambiguous_or_impossible_is_refused(tmp_path: Path, cell: str) -> None:
    assert refusal(tmp_path, ["2022-01-01", cell], competition(datetime=("x",))) == (
        "train.csv, line 3, column 'x': expected a date such as 2011-01-31 05:00:00, 2011/01/31, "
        f"2011.01.31 or 20110131, found {cell!r}; correct it, or take the column out of [columns] "
        "datetime and make the date in features.py"
    )


DAYFIRST = ["31/01/2011 13:00", "1.2.2011", "05-02-2011 9:05:07"]
AS_DATES = ["2011-01-31 13:00:00", "2011-02-01 00:00:00", "2011-02-05 09:05:07"]


def test_dates_that_end_in_the_year_are_read_by_the_row_that_shows_their_order(
    tmp_path: Path,
) -> None:
    declared = competition(datetime=("x",))
    assert list(map(str, read_x(tmp_path, DAYFIRST, declared)[1])) == AS_DATES
    train = train_of(tmp_path, ["01/31/2011", "2/1/2011 1:30 PM", "12/12/2011 12:00am"], declared)
    assert train.kinds["x"] == "datetime_monthfirst"
    shown = ["2011-01-31 00:00:00", "2011-02-01 13:30:00", "2011-12-12 00:00:00"]
    assert list(map(str, train.frame["x"])) == shown
    ambiguous = x_of_test(tmp_path, ["03/04/2011", ""], train, declared)
    assert ambiguous.astype("str").fillna("").tolist() == ["2011-03-04", ""]


def test_dates_that_no_row_explains_need_dayfirst(tmp_path: Path) -> None:
    cells = ["01/02/2011", "03/04/2011"]
    assert refusal(tmp_path, cells, competition(datetime=("x",))) == (
        "train.csv, line 2, column 'x': expected dates with the year first, or one that shows "
        "whether '01/02/2011' begins with the day or the month; declare [files] dayfirst = true "
        "or false"
    )
    for dayfirst, first in ((True, "2011-02-01"), (False, "2011-01-02")):
        declared = competition(datetime=("x",), written={"dayfirst": dayfirst})
        assert str(read_x(tmp_path, cells, declared)[1][0].date()) == first


@pytest.mark.parametrize("cell", ["31/02/2011", "13/13/2011", "2011-01-01", "31/01/2011 24:00"])
def test_a_day_that_does_not_exist_is_refused_in_any_order(tmp_path: Path, cell: str) -> None:
    declared = competition(datetime=("x",))
    train = train_of(tmp_path, ["31/01/2011"], declared)
    with pytest.raises(DataError) as caught:
        x_of_test(tmp_path, ["30/01/2011", cell], train, declared)
    assert "expected a date such as 31/01/2011 05:00 or 31.01.2011, found" in str(caught.value)
    assert repr(cell) in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.datetimes(), min_size=1, max_size=9), st.sampled_from("-/."), st.booleans())
def test_any_dates_survive_with_the_year_last(
    dates: list[datetime], sign: str, dayfirst: bool
) -> None:
    pattern = f"%d{sign}%m{sign}" if dayfirst else f"%m{sign}%d{sign}"
    clock = " %H:%M:%S.%f"
    cells = [f"{when.strftime(pattern)}{when.year:04}{when.strftime(clock)}" for when in dates]
    declared = competition(datetime=("x",), written={"dayfirst": dayfirst})
    with TemporaryDirectory() as folder:
        assert read_x(Path(folder), cells, declared) == ("datetime64[us]", dates)


COMMA: dict[str, Any] = {"decimal": ",", "separator": ","}


@pytest.mark.parametrize(
    ("cells", "dtype", "values"),
    [
        (["1,5", "-2", ",5"], "float64", [1.5, -2, 0.5]),
        (["1.234,5", "-4.467.156", ""], "float64", [1234.5, -4467156, None]),
        (["1.234", "12"], "int64", [1234, 12]),
        (["1.5", "2"], "str", ["1.5", "2"]),
        (["0,5", "0,25"], "float64", [0.5, 0.25]),
    ],
)
def test_a_declared_decimal_comma_makes_numbers(
    tmp_path: Path, cells: list[str], dtype: str, values: list
) -> None:
    assert read_x(tmp_path, cells, competition(written=COMMA)) == (dtype, values)


def test_text_keeps_its_commas_and_points(tmp_path: Path) -> None:
    cells = ["a,b", "c.d"]
    assert read_x(tmp_path, cells, competition(written=COMMA)) == ("str", cells)


def test_undeclared_decimal_commas_are_warned_of(tmp_path: Path) -> None:
    heard: list[Event] = []
    with listening(heard.append):
        assert read_x(tmp_path, ["1,5", "2,25"])[0] == "str"
    assert [str(event.text) for event in heard if isinstance(event, Warned)] == [
        "train.csv: column 'x' is text, though all its cells are numbers with decimal commas; "
        'declare [files] decimal = ","'
    ]


def test_the_time_column_is_a_number_or_a_date(tmp_path: Path) -> None:
    declared = competition(time="x")
    assert read_x(tmp_path, ["3", "1"], declared) == ("int64", [3, 1])
    assert read_x(tmp_path, ["2011-01-01"], declared)[0] == "datetime64[us]"
    assert "out of [columns] time" in refusal(tmp_path, ["first"], declared)


def test_a_text_column_of_mostly_numbers_is_warned_of(tmp_path: Path) -> None:
    heard: list[Event] = []
    with listening(heard.append):
        assert read_x(tmp_path, ["1"] * 19 + ["?"])[0] == "str"
        assert read_x(tmp_path, ["1"] * 9 + ["?"])[0] == "str"
        assert read_x(tmp_path, ["1"] * 19 + ["?"], competition(categorical=("x",)))[0] == "str"
    text = (
        f"{tmp_path}/train.csv, line 21, column 'x': '?' makes the column text, though 95.0% of it "
        "are numbers; correct it, or add it to [files] na_values if it means missing, or declare "
        "the column in [columns] categorical"
    )
    assert heard == [Warned(text)]


def test_test_cells_are_typed_as_the_training_cells_were(tmp_path: Path) -> None:
    integers = train_of(tmp_path, ["1", "2"])
    assert x_of_test(tmp_path, ["3", "4"], integers).dtype == "int64"
    assert x_of_test(tmp_path, ["3", ""], integers).dtype == "float64"
    assert x_of_test(tmp_path, ["3.5", "007"], integers).tolist() == [3.5, 7.0]
    assert x_of_test(tmp_path, ["3"], train_of(tmp_path, ["1.5"])).dtype == "float64"
    assert x_of_test(tmp_path, ["3"], train_of(tmp_path, ["a"])).tolist() == ["3"]
    assert x_of_test(tmp_path, ["3"], train_of(tmp_path, [""])).isna().all()


def test_text_in_test_where_train_has_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        x_of_test(tmp_path, ["3", "abc"], train_of(tmp_path, ["1", "2"]))
    assert str(caught.value) == (
        f"{tmp_path}/test.csv, line 3, column 'x': expected a number as in train.csv, found 'abc'; "
        "correct it, or declare the column in [columns] categorical"
    )


def test_a_declared_category_may_be_a_number_in_train_and_text_in_test(tmp_path: Path) -> None:
    declared = competition(categorical=("x",))
    train = train_of(tmp_path, ["1", "2"], declared)
    assert train.frame["x"].dtype == "int64"
    assert x_of_test(tmp_path, ["2", "abc"], train, declared).tolist() == ["2", "abc"]


@RELAXED
@given(numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9))
def test_any_integers_survive_with_and_without_commas(tmp_path: Path, numbers: list[int]) -> None:
    assert read_x(tmp_path, [str(one) for one in numbers]) == ("int64", numbers)
    assert read_x(tmp_path, [f"{one:,}" for one in numbers]) == ("int64", numbers)


@RELAXED
@given(numbers=st.lists(st.floats(allow_nan=False), min_size=1, max_size=9))
def test_any_floats_survive_bit_for_bit(tmp_path: Path, numbers: list[float]) -> None:
    assert read_x(tmp_path, [repr(one) for one in numbers]) == ("float64", numbers)


@RELAXED
@given(dates=st.lists(st.datetimes(), min_size=1, max_size=9), sep=st.sampled_from(" T"))
def test_any_dates_survive(tmp_path: Path, dates: list[Any], sep: str) -> None:
    declared = competition(datetime=("x",))
    cells = [one.isoformat(sep=sep) for one in dates]
    assert read_x(tmp_path, cells, declared) == ("datetime64[us]", dates)


@RELAXED
@given(cells=st.lists(st.text("01.,+-eExXnaif_ /:TZ", max_size=9), min_size=1, max_size=4))
def test_any_cells_are_typed_or_refused_and_keep_what_they_say(
    tmp_path: Path, cells: list[str]
) -> None:
    dtype, values = read_x(tmp_path, cells)
    for cell, value in zip(cells, values, strict=True):
        if dtype == "str":
            assert value in (cell, None)
        elif value is not None:
            assert float(cell.replace(",", "")) == value
