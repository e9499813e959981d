"""Tables that stand straight on a terminal, and CSV that another program reads."""

import csv
import io

from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from pipeline.tables import bar_lines, csv_text, fitting_names, shown, table_lines, wrapped


def test_wide_letters_take_two_columns() -> None:
    rows = [{"team": "따릉이", "score": 0.4}, {"team": "bike", "score": None}]
    assert table_lines(rows, ("team", "score")) == [
        "team    score",
        "따릉이  0.4",
        "bike    -",
    ]


def test_cells_are_cut_until_a_line_fits() -> None:
    rows = [{"n": 1, "team": "가" * 40, "note": "b" * 30, "end": "x"}]
    names = ("n", "team", "note", "end")
    assert table_lines(rows, names, ("team", "note"))[1] == f"1  {'가' * 19}…   {'b' * 30}  x"
    assert table_lines(rows, names, ("note",))[1] == f"1  {'가' * 40}  bbbbbbb…  x"
    assert table_lines(rows, names)[1] == f"1  {'가' * 40}  {'b' * 30}  x"


def test_numbers_end_below_each_other_and_a_wider_terminal_cuts_less() -> None:
    rows = [{"n": 5, "team": "가" * 60}, {"n": 1200, "team": "b"}]
    lines = table_lines(rows, ("n", "team"), ("team",), 100, right=["n"])
    assert [line[:6] for line in lines] == ["   n  ", "   5  ", "1200  "]
    assert cell_len(lines[1]) == 100 - 1, "a cut between two columns of a wide letter leaves one"


def test_columns_that_are_worth_less_are_left_out_until_a_line_fits() -> None:
    rows = [{"run": "r" * 20, "folds": "5 kfold", "data": "real", "score": 1.5}]
    names = ("run", "folds", "data", "score")
    assert fitting_names(rows, names, ("folds", "data"), 80) == list(names)
    assert fitting_names(rows, names, ("folds", "data"), 33) == ["run", "data", "score"]
    assert fitting_names(rows, names, ("folds", "data"), 20) == ["run", "score"]


def test_bars_are_as_long_as_their_numbers() -> None:
    assert bar_lines([("가", "4", 4.0), ("bb", "1", 1.0), ("c", "0", 0.0)], length=4) == [
        "  가  4  ████",
        "  bb  1  █",
        "  c   0",
    ]
    assert bar_lines([("few", "1", 1e-9), ("all", "9", 1.0)])[0] == "  few  1  ▌"


@given(st.text(st.sampled_from("ab 가나  "), max_size=300), st.integers(0, 12))
def test_wrapped_lines_keep_every_word_in_its_columns(text: str, indent: int) -> None:
    lines = wrapped(text, indent, 40)
    assert " ".join(lines).split() == text.split()
    fits = [line for line in lines if cell_len(line.strip()) <= 40 - indent]
    assert all(cell_len(line) <= 40 for line in fits)


def test_what_steers_a_terminal_is_taken_out() -> None:
    assert shown("\x1b[31mred\n\u202eteam") == "[31mred  team"
    assert [shown(value) for value in (None, 0.123456789, 12, "")] == ["-", "0.12346", "12", ""]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=100), min_size=1, max_size=4))
def test_every_column_begins_at_the_same_place(names: list[str]) -> None:
    rows = [{"team": name, "end": "|"} for name in names]
    lines = table_lines(rows, ("team", "end"), shrinkable=("team",))
    assert len({cell_len(line.removesuffix("|")) for line in lines[1:]}) == 1
    assert max(cell_len(line) for line in lines) <= 80


@example(["\r", "a\nb", '"', ","])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=4))
def test_csv_keeps_every_text(names: list[str]) -> None:
    rows = [{"team": name, "score": None} for name in names]
    read = list(csv.reader(io.StringIO(csv_text(rows, ("team", "score")), newline="")))
    assert read == [["team", "score"], *([name, ""] for name in names)]
