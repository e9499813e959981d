"""TOML to dataclasses: what is accepted, and the one line that each mistake gets."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.declaration import parse_table, read_toml
from pipeline.errors import DeclarationError


@dataclass(frozen=True, kw_only=True)
class Wheel:
    size: float
    kind: Literal["road", "gravel"] = "road"


@dataclass(frozen=True, kw_only=True)
class Bike:
    name: str
    gears: int
    wheel: Wheel
    owner: str | None = None
    electric: bool = False
    colours: tuple[str, ...] = ()
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)


WHOLE: dict[str, Any] = {"name": "b", "gears": 3, "wheel": {"size": 28}}


def fault(table: dict[str, Any]) -> str:
    with pytest.raises(DeclarationError) as caught:
        parse_table(Bike, table, "bike.toml")
    return str(caught.value)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "bike.toml"
    path.write_bytes(content)
    return path


def test_a_table_fills_its_dataclass_and_those_inside() -> None:
    table = WHOLE | {"colours": ["red", "blue"], "levels": {"NA": "owner"}, "owner": "Kim"}
    bike = parse_table(Bike, table, "bike.toml")
    assert bike == Bike(
        name="b",
        gears=3,
        wheel=Wheel(size=28.0),
        owner="Kim",
        colours=("red", "blue"),
        levels={"NA": ("owner",)},
    )
    assert isinstance(bike.wheel.size, float)


def test_a_single_item_stands_for_a_list_of_one() -> None:
    assert parse_table(Bike, WHOLE | {"colours": "red"}, "bike.toml").colours == ("red",)


def test_given_values_are_set_beside_the_table_and_may_not_be_in_it() -> None:
    rest = {key: value for key, value in WHOLE.items() if key != "name"}
    assert parse_table(Bike, rest, "bike.toml", name="given").name == "given"
    with pytest.raises(DeclarationError, match=r"^bike\.toml: name: unknown key"):
        parse_table(Bike, WHOLE, "bike.toml", name="given")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (WHOLE | {"gear": 3}, "bike.toml: gear: unknown key; did you mean 'gears'?"),
        ({"gears": 3}, "bike.toml: name: missing; expected text"),
        ({"name": "b", "gears": 3}, "bike.toml: wheel: missing; expected a table"),
        (WHOLE | {"wheel": {}}, "bike.toml: wheel.size: missing; expected a number"),
        (WHOLE | {"gears": "3"}, "bike.toml: gears: expected a whole number, found '3'"),
        (WHOLE | {"gears": 3.0}, "bike.toml: gears: expected a whole number, found 3.0"),
        (WHOLE | {"gears": True}, "bike.toml: gears: expected a whole number, found True"),
        (WHOLE | {"electric": 1}, "bike.toml: electric: expected true or false, found 1"),
        (WHOLE | {"owner": 1}, "bike.toml: owner: expected text, found 1"),
        (WHOLE | {"wheel": 28}, "bike.toml: wheel: expected a table, found 28"),
        (WHOLE | {"levels": []}, "bike.toml: levels: expected a table, found []"),
        (WHOLE | {"levels": {"": 1}}, "bike.toml: levels.'': expected a list of text, found 1"),
        (WHOLE | {"colours": {}}, "bike.toml: colours: expected a list of text, found {}"),
        (WHOLE | {"colours": [1]}, "bike.toml: colours[0]: expected text, found 1"),
        (WHOLE | {"colours": ["r", "r"]}, "bike.toml: colours: 'r' is listed twice"),
        (WHOLE | {"a\nb": 1}, "bike.toml: 'a\\nb': unknown key; expected one of 'colours',"),
        (
            WHOLE | {"wheel": {"size": True}},
            "bike.toml: wheel.size: expected a number, found True",
        ),
        (
            WHOLE | {"wheel": {"size": float("nan")}},
            "bike.toml: wheel.size: expected a number, found nan",
        ),
        (
            WHOLE | {"wheel": {"size": 10**400}},
            "bike.toml: wheel.size: expected a number, found 1000",
        ),
        (
            WHOLE | {"wheel": {"size": 28, "kind": "rode"}},
            "bike.toml: wheel.kind: expected one of 'road', 'gravel'; found 'rode'; "
            "did you mean 'road'?",
        ),
        (
            WHOLE | {"wheel": {"size": 28, "kind": ["road"]}},
            "bike.toml: wheel.kind: expected one of 'road', 'gravel'; found ['road']",
        ),
    ],
)
def test_a_mistake_is_named_by_file_key_expected_and_found(
    table: dict[str, Any], message: str
) -> None:
    found = fault(table)
    assert found.startswith(message)
    assert "\n" not in found
    assert len(found) < 200


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = [1,\n", "not valid TOML: "),
        (b"a = 1\na = 2\n", "not valid TOML: Cannot overwrite a value (at line 2, column 6)"),
        (b"a = " + b"[" * 100_000, "not valid TOML: "),
        (b"a = " + b"9" * 5000, "not valid TOML: "),
        (
            'title = "따릉이"'.encode("cp949"),
            "expected UTF-8 text, found byte 0xb5 at offset 9; save the file as UTF-8",
        ),
    ],
)
def test_a_file_that_is_no_toml_is_refused_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(DeclarationError) as caught:
        read_toml(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    assert read_toml(written(tmp_path, b"\xef\xbb\xbfa = 1")) == {"a": 1}


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"bike.toml: no such file$"):
        read_toml(tmp_path / "bike.toml")
    with pytest.raises(DeclarationError, match=r"cannot be read: Is a directory$"):
        read_toml(tmp_path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["size", "kind", "name", "x"]) | st.text(max_size=3), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["name", "gears", "wheel", "owner", "electric", "colours", "levels"])
        | st.text(max_size=4),
        values,
        max_size=6,
    )
)
def test_any_table_is_loaded_or_refused_in_one_line(table: dict[str, Any]) -> None:
    try:
        bike = parse_table(Bike, WHOLE | table, "bike.toml")
    except DeclarationError as error:
        found = str(error)
    else:
        assert isinstance(bike.gears, int)
        assert all(isinstance(one, str) for one in bike.colours)
        return
    assert found.startswith("bike.toml: ")
    assert len(found.splitlines()) == 1


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('ab=[]{}"\n1.# '), max_size=30) | st.text(max_size=20))
def test_any_text_is_toml_or_refused_in_one_line(text: str) -> None:
    found = "read"
    with TemporaryDirectory() as folder:
        path = written(Path(folder), text.encode("utf-8", "surrogatepass"))
        try:
            assert isinstance(read_toml(path), dict)
        except DeclarationError as error:
            found = str(error)
    assert len(found.splitlines()) == 1
