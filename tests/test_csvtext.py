import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.csvtext import (
    SEPARATORS,
    CsvFile,
    CsvStyle,
    csv_parts,
    read_cells,
    read_style,
    read_text,
)
from pipeline.errors import DataError

RELAXED = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Surrogates cannot be encoded, and NUL marks a binary file.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
KOREAN = st.text("가나다라힣abc 019,;\t|\"'\r\n", max_size=8)


def write(folder: Path, data: str | bytes, name: str = "train.csv") -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def refusal(path: Path, **given: str) -> str:
    """Return the one line with which a file is refused, its folder left out."""
    with pytest.raises(DataError) as caught:
        read_text(path, **given)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_cells_are_the_text_that_was_written(tmp_path: Path) -> None:
    frame = read_text(write(tmp_path, 'id,x,y\n007, 1.50 ,NA\n8,"a,""b""",\n'))
    assert frame.to_dict("list") == {
        "id": ["007", "8"],
        "x": [" 1.50 ", 'a,"b"'],
        "y": ["NA", ""],
    }
    assert [str(dtype) for dtype in frame.dtypes] == ["str"] * 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949", "euc-kr"])
def test_an_encoding_is_detected(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "이름,값\n가나,1\n".encode(encoding))
    assert read_text(path).to_dict("list") == {"이름": ["가나"], "값": ["1"]}


def test_a_declared_encoding_is_obeyed(tmp_path: Path) -> None:
    path = write(tmp_path, "café;x\né1;2\n".encode("latin-1"))
    assert refusal(path) == (
        "train.csv: the text is not utf-8 (byte 0xe9 at offset 3, line 1) and not cp949 (byte 0xe9 "
        "at offset 3, line 1); declare its encoding in [files] encoding, or save it as UTF-8"
    )
    assert read_text(path, encoding="latin-1").to_dict("list") == {"café": ["é1"], "x": ["2"]}
    assert refusal(path, encoding="utf-9") == (
        "train.csv: [files] encoding 'utf-9' is not known to Python"
    )


def test_the_line_of_a_wrong_byte_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, b"a,b\r\n1,2\r\n\xff\xff,3\r\n")
    assert "not utf-8 (byte 0xff at offset 10, line 3)" in refusal(path)


def test_a_wrong_byte_behind_the_first_piece_is_found_at_its_offset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.encodings._PIECE", 4)
    assert read_text(write(tmp_path, "a,b\n가,나\n")).iloc[0].tolist() == ["가", "나"]
    assert "byte 0xff at offset 8, line 2" in refusal(write(tmp_path, b"a,b\n\xea\xb0\x80,\xff\n"))


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_separator_is_detected(tmp_path: Path, separator: str) -> None:
    rows = [["id", "text", "x"], ["1", "one, two; three | four", "1"], ["2", "a\tb", "2"]]
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL).writerows(rows)
    file, frame = read_cells(write(tmp_path, text.getvalue()))
    assert file.separator == separator
    assert [list(frame), *frame.to_numpy().tolist()] == rows


def test_commas_inside_tab_separated_text_do_not_mislead(tmp_path: Path) -> None:
    frame = read_text(write(tmp_path, "id\ttext, free\n1\tone, two, three\n2\tfour\n"))
    assert frame.to_dict("list") == {"id": ["1", "2"], "text, free": ["one, two, three", "four"]}


def test_decimal_commas_between_semicolons_stay_text(tmp_path: Path) -> None:
    frame = read_text(write(tmp_path, "x;y\n1,5;2,5\n"))
    assert frame.to_dict("list") == {"x": ["1,5"], "y": ["2,5"]}


def test_a_file_of_one_column_needs_no_separator(tmp_path: Path) -> None:
    assert read_text(write(tmp_path, "id\n1\n2")).to_dict("list") == {"id": ["1", "2"]}


def test_a_declared_separator_is_one_character(tmp_path: Path) -> None:
    path = write(tmp_path, "a~b,c\n1~2,3\n")
    assert read_text(path, separator="~").to_dict("list") == {"a": ["1"], "b,c": ["2,3"]}
    assert refusal(path, separator="::") == (
        "train.csv: [files] separator: expected one ASCII character, found '::'"
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_newlines_of_every_system_and_blank_lines_at_the_end(tmp_path: Path, newline: str) -> None:
    text = newline.join(["a,b", "1,2", '3,"x', 'y"', "", ""])
    file, frame = read_cells(write(tmp_path, text))
    assert frame.to_dict("list") == {"a": ["1", "3"], "b": ["2", f"x{newline}y"]}
    assert [file.line(0), file.line(1)] == [2, 3]


def test_lines_are_right_below_quoted_newlines_and_blank_lines(tmp_path: Path) -> None:
    file, _ = read_cells(write(tmp_path, '\n"a\nb",c\n\n1,2\n"3\n\n4",5\n6,7\n'))
    assert [file.line(row) for row in range(3)] == [5, 6, 9]
    assert file.at(2, "c") == f"{file.path}, line 9, column 'c'"


def test_a_ragged_row_is_named_by_its_line(tmp_path: Path) -> None:
    assert refusal(write(tmp_path, 'a,b\n"1\n1",2\n3,4,5\n')) == (
        "train.csv, line 4: expected 2 fields as in the header, found 3; "
        "quote cells that contain ',', or declare another separator in [files]"
    )
    assert "line 3: expected 2 fields as in the header, found 1" in refusal(
        write(tmp_path, "a,b\n1,2\n3\n")
    )


@pytest.mark.parametrize(
    "text", ['a,b\n1,"2\n3,4\n', 'a,b\n"1,2\n3,4\n', 'a,b\n1,"', 'a,b\n5" pipe,"2\n3,4\n']
)
def test_a_quote_that_is_never_closed_is_named_by_its_line(tmp_path: Path, text: str) -> None:
    assert refusal(write(tmp_path, text)) == (
        "train.csv, line 2: a quote that opens in this row is never closed; close or remove it"
    )


def test_a_header_whose_quote_is_never_closed_is_refused(tmp_path: Path) -> None:
    assert "line 1: a quote that opens in this row" in refusal(write(tmp_path, '"a,b\n1,2\n'))


def test_a_quote_inside_a_cell_is_a_character(tmp_path: Path) -> None:
    assert read_text(write(tmp_path, 'a,b\n5" pipe,2\n'))["a"].tolist() == ['5" pipe']


def test_cells_longer_than_the_csv_module_likes_are_read(tmp_path: Path) -> None:
    long = "z" * 200_000
    file, frame = read_cells(write(tmp_path, f'a,b\n1,"{long}\n"\n2,3\n'))
    assert frame["b"].tolist() == [f"{long}\n", "3"]
    assert file.line(1) == 4
    assert csv.field_size_limit() == 131_072


def test_columns_without_a_name_are_counted_wherever_they_stand(tmp_path: Path) -> None:
    assert list(read_text(write(tmp_path, ",a, \n0,1,2\n"))) == ["Unnamed: 0", "a", "Unnamed: 1"]
    assert list(read_text(write(tmp_path, "a,b,\n0,1,2\n"))) == ["a", "b", "Unnamed: 0"]


def test_a_column_without_a_name_gives_way_to_one_of_that_name(tmp_path: Path) -> None:
    saved_twice = write(tmp_path, ",Unnamed: 0,a\n0,1,2\n")
    assert list(read_text(saved_twice)) == ["Unnamed: 1", "Unnamed: 0", "a"]


def test_a_column_name_that_appears_twice_is_refused(tmp_path: Path) -> None:
    assert refusal(write(tmp_path, "a,b,a\n1,2,3\n")) == (
        "train.csv, line 1: column 'a' appears twice (as columns 1 and 3); rename one in the file"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty (0 bytes); expected a header and rows"),
        (b"\n\n", "the file has only blank lines; expected a header and rows"),
        (b"\xef\xbb\xbf", "the file has only blank lines; expected a header and rows"),
        (b"a,b\n\n", "expected rows below the header, found none"),
        (b"PK\x03\x04abc", "expected CSV, found a zip archive or an Excel file; unpack it, or"),
        (b"\x1f\x8b\x08", "expected CSV, found a gzip file; unpack it"),
        (b"\n<!doctype HTML><p>", "expected CSV, found a web page; the download may need a login"),
        (b"a,b\n1,\0\n", "expected text, found a NUL byte at offset 6; the file is binary or"),
    ],
)
def test_what_is_no_csv_is_refused_with_its_reason(
    tmp_path: Path, data: bytes, message: str
) -> None:
    assert refusal(write(tmp_path, data)).startswith(f"train.csv: {message}")


def test_a_missing_file_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    write(tmp_path, "a\n1\n", "train.csv")
    assert refusal(tmp_path / "trian.csv") == ("trian.csv: no such file; did you mean 'train.csv'?")
    assert "does not exist either" in refusal(tmp_path / "nowhere" / "train.csv")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").mkdir()
    assert refusal(tmp_path / "train.csv") == "train.csv: cannot be read: Is a directory"


@st.composite
def tables(draw: st.DrawFn, cell: st.SearchStrategy[str]) -> list[list[str]]:
    width = draw(st.integers(2, 5))
    names = [f"column {i}\n가" for i in range(width)]
    row = st.lists(cell, min_size=width, max_size=width)
    return [names, *draw(st.lists(row, min_size=1, max_size=6))]


def as_csv(rows: list[list[str]], separator: str, newline: str, *, quote_all: bool) -> str:
    def written(cell: str) -> str:
        needs_quotes = quote_all or any(one in cell for one in f'{separator}"\r\n')
        return '"' + cell.replace('"', '""') + '"' if needs_quotes else cell

    return "".join(separator.join(map(written, cells)) + newline for cells in rows)


def check_round_trip(path: Path, rows: list[list[str]], newline: str, **declared: str) -> CsvFile:
    file, frame = read_cells(path, **declared)
    assert [list(frame), *frame.to_numpy().tolist()] == rows
    for row in range(len(frame)):
        above = as_csv(rows[: row + 1], file.separator, newline, quote_all=True)
        assert file.line(row) == len(io.StringIO(above, newline="").readlines()) + 1
    return file


@RELAXED
@given(
    rows=tables(TEXT),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    separator=st.sampled_from(SEPARATORS),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_quoted_table_comes_back_cell_for_cell(
    tmp_path: Path, rows: list[list[str]], encoding: str, separator: str, newline: str
) -> None:
    path = write(tmp_path, as_csv(rows, separator, newline, quote_all=True).encode(encoding))
    assert check_round_trip(path, rows, newline).separator == separator


@RELAXED
@given(
    rows=tables(KOREAN),
    separator=st.sampled_from(SEPARATORS),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    quote_all=st.booleans(),
)
def test_any_cp949_table_with_a_declared_separator_comes_back_cell_for_cell(
    tmp_path: Path, rows: list[list[str]], separator: str, newline: str, quote_all: bool
) -> None:
    path = write(tmp_path, as_csv(rows, separator, newline, quote_all=quote_all).encode("cp949"))
    check_round_trip(path, rows, newline, separator=separator)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("cp949", b""),
    ],
)
def test_a_file_in_the_style_of_another_has_its_very_bytes(
    tmp_path: Path, encoding: str, mark: bytes, separator: str, newline: str
) -> None:
    rows = [["따릉이 id", "대여량"], ["가", "0"], ["나", "1.5"]]
    text = newline.join(separator.join(row) for row in rows) + newline
    text = text.replace("대여량", '"대여량"')
    path = write(tmp_path, mark + text.encode(encoding))
    style = read_style(path)
    assert (style.encoding, style.mark, style.newline) == (encoding, mark, newline)
    assert style.content(read_text(path)) == path.read_bytes()


def test_a_style_keeps_a_header_of_two_lines_and_no_blank_ones(tmp_path: Path) -> None:
    path = write(tmp_path, '\n\nid,"a\r\nb" \n\n1,2\n')
    assert read_style(path) == CsvStyle(header='id,"a\r\nb" ', newline="\n")


@pytest.mark.parametrize(("declared", "found"), [("utf-8-sig", "utf-8"), ("CP949", "cp949")])
def test_a_style_follows_the_declared_encoding(tmp_path: Path, declared: str, found: str) -> None:
    style = read_style(write(tmp_path, "id,y\n1,2\n"), encoding=declared)
    assert (style.encoding, style.mark) == (found, b"")


@RELAXED
@given(data=st.binary(max_size=200) | st.text('ab1,;|\t"\r\n가').map(str.encode))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, data)
    try:
        frame = read_text(path)
    except DataError as error:
        fault = str(error)
    else:
        fault = "" if len(frame) and frame.notna().all(axis=None) else "cells are lost"
    assert "lost" not in fault
    assert "\n" not in fault


@settings(max_examples=200, deadline=None)
@given(
    numbers=st.lists(
        st.floats() | st.floats(-1e6, 1e6) | st.integers(-5, 5).map(float), min_size=1, max_size=20
    ),
    texts=st.lists(st.text(max_size=4), min_size=1, max_size=3),
)
def test_frames_are_written_in_parts_as_pandas_writes_them(
    numbers: list[float], texts: list[str]
) -> None:
    n = len(numbers)
    frame = pd.DataFrame(
        {
            "id": pd.Series([texts[i % len(texts)] for i in range(n)], dtype="str"),
            "fold": range(n),
            "x": numbers,
        }
    )
    written = b"".join(csv_parts(frame, rows=7))
    assert written == frame.to_csv(index=False, lineterminator="\n").encode()
