"""Input that nobody vouches for: only errors of ours come of it, each in one line."""

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "bench"))

import fuzz

from pipeline.errors import PipelineError
from pipeline.sources.kaggle.board import _submission

TARGETS = {target.name: target for target in fuzz.targets()}
KEPT = settings(
    derandomize=True,
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | WORDS | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
LINES = fuzz.TOML.decode().splitlines()


@pytest.mark.parametrize("name", TARGETS)
def test_changed_files_are_taken_or_refused_in_one_line(name: str) -> None:
    refused, faults = fuzz.try_cases(TARGETS[name], 500, seed=0)
    assert [fault.what for fault in faults] == []
    assert refused or name == "kaggle"  # whose answers are only ever looked at


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_itself_is_taken_at_least_once(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    assert None in [fuzz.fault_of(target, content, tmp_path) for content in target.corpus]


def as_toml(value: Any) -> str:
    """Return a value as TOML writes it, in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(one):08X}" for one in value) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{as_toml(k)} = {as_toml(v)}' for k, v in value.items())}}}"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


@KEPT
@given(at=st.integers(0, len(LINES) - 1), value=VALUES)
def test_any_value_of_any_key_is_taken_or_refused(at: int, value: Any, tmp_path: Path) -> None:
    lines = list(LINES)
    key = lines[at].partition(" = ")[0]
    lines[at] = f"{key} = {as_toml(value)}" if " = " in lines[at] else lines[at]
    content = "\n".join(lines).encode()
    assert not fuzz.fault_of(TARGETS["toml"], content, tmp_path)


@KEPT
@given(cells=st.lists(st.lists(WORDS, min_size=1, max_size=5), min_size=1, max_size=5))
def test_any_cells_are_a_file_or_refused(cells: list[list[str]], tmp_path: Path) -> None:
    rows = (",".join('"' + one.replace('"', '""') + '"' for one in row) for row in cells)
    text = "id,a,b,c,d,y\n" + "\n".join(rows)
    for name in ("csv", "submission"):
        assert not fuzz.fault_of(TARGETS[name], text.encode(), tmp_path)


@KEPT
@given(content=st.binary(max_size=300))
def test_any_bytes_are_taken_or_refused(content: bytes, tmp_path: Path) -> None:
    for target in TARGETS.values():
        assert not fuzz.fault_of(target, content, tmp_path)


@KEPT
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("ref", "date", "description", "fileName", "status", "publicScore", "totalBytes"),
            st.none() | st.integers() | st.floats() | WORDS | st.lists(WORDS, max_size=2),
        ),
    )
)
@example({"date": "0001-01-01T00:00:00+14:00"})
@example({"date": "9999-12-31T23:59:59-14:00"})
@example({"publicScore": "1e999", "status": "a\nb\x1b[2J"})
def test_any_submission_that_kaggle_lists_is_read(row: dict[str, Any]) -> None:
    found = _submission(row)
    assert found.time.tzinfo is not None
    assert "\n" not in found.status + found.error
    assert found.public is None or abs(found.public) < float("inf")


def test_a_fault_is_found_and_told(tmp_path: Path) -> None:
    def read(content: bytes, folder: Path) -> None:
        if b"x" in content:
            raise KeyError("x")
        if b"y" in content:
            raise PipelineError("two\nlines")
        raise PipelineError("refused")

    target = fuzz.Target("toy", "toml", [b"ab"], read)
    assert fuzz.fault_of(target, b"z", tmp_path) == ""
    assert "KeyError: 'x'" in str(fuzz.fault_of(target, b"x", tmp_path))
    assert "not one line" in str(fuzz.fault_of(target, b"y", tmp_path))
    refused, faults = fuzz.try_cases(fuzz.Target("toy", "toml", [b"xx"], read), 20)
    assert (refused + len(faults), len(faults) > 5) == (20, True)
