"""Finished work: found again by content, and never when it is damaged."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import cache
from pipeline.cache import (
    Cache,
    array_digest,
    code_digest,
    digest,
    folder_size,
    frame_digest,
)
from pipeline.progress import Event, Warned, listening
from pipeline.trust import Seal


def text(*cells: str | None) -> pd.Series:
    return pd.Series(cells, dtype="str")


def test_a_result_is_found_again(tmp_path: Path) -> None:
    kept = Cache(tmp_path / "cache", Seal.of(tmp_path))
    assert kept.load("key") is None
    kept.save("key", {"score": 0.5, "oof": np.arange(3)})
    found = kept.load("key")
    assert found is not None
    assert found["score"] == 0.5
    assert found["oof"].tolist() == [0, 1, 2]
    assert kept.load("another") is None
    assert not list((tmp_path / "cache").glob(".*"))


def damage(content: bytes, how: str) -> bytes:
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    return {"cut": content[:-1], "empty": b"", "flipped": flipped, "longer": content + b"x"}[how]


@pytest.mark.parametrize("how", ["cut", "empty", "flipped", "longer"])
def test_a_damaged_file_is_named_and_counts_as_absent(tmp_path: Path, how: str) -> None:
    kept = Cache(tmp_path, Seal.of(tmp_path))
    kept.save("key", list(range(100)))
    path = tmp_path / "key.joblib"
    path.write_bytes(damage(path.read_bytes(), how))
    heard: list[Event] = []
    with listening(heard.append):
        assert kept.load("key") is None
    assert heard == [Warned(f"{path}: damaged, so this part is made again")]
    kept.save("key", "again")
    assert kept.load("key") == "again"


def test_what_cannot_be_kept_is_said_once_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    kept, told = Cache(tmp_path / "cache", Seal.of(tmp_path)), list[Event]()
    with listening(told.append):
        kept.save("key", 1)
        kept.save("other", 2)
    (warned,) = told
    assert isinstance(warned, Warned)
    assert warned.text.startswith(f"{tmp_path / 'cache'}: cannot be written: ")
    assert warned.text.endswith("; the run goes on, but its fits are not kept")


# Keys


def test_where_one_part_ends_is_part_of_the_digest() -> None:
    found = {
        digest("ab", "c"),
        digest("a", "bc"),
        digest("abc"),
        digest("abc", ""),
        digest("", "abc"),
        digest("c", "ab"),
    }
    assert len(found) == 6
    assert digest("한글", "x") == digest("한글".encode(), b"x")
    assert len(digest()) == 64


def test_an_array_s_shape_type_and_values_all_count() -> None:
    arrays = [
        np.arange(6),
        np.arange(6)[::-1],
        np.arange(6).reshape(2, 3),
        np.arange(6).reshape(3, 2),
        np.arange(6).astype("int32"),
        np.arange(6).astype(float),
        np.arange(7),
    ]
    assert len({array_digest(array) for array in arrays}) == len(arrays)
    square = np.arange(9).reshape(3, 3)
    assert array_digest(square.T) == array_digest(np.ascontiguousarray(square.T))
    assert array_digest(square.T) != array_digest(square)


FRAMES: dict[str, pd.DataFrame] = {
    "plain": pd.DataFrame({"a": [1, 2], "b": [3, 4]}),
    "another value": pd.DataFrame({"a": [1, 2], "b": [3, 5]}),
    "another order of rows": pd.DataFrame({"a": [2, 1], "b": [4, 3]}),
    "another order of columns": pd.DataFrame({"b": [3, 4], "a": [1, 2]}),
    "another name": pd.DataFrame({"a": [1, 2], "c": [3, 4]}),
    "swapped cells": pd.DataFrame({"a": [3, 4], "b": [1, 2]}),
    "floats": pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4]}),
    "text": pd.DataFrame({"a": text("1", "2"), "b": [3, 4]}),
    "one row": pd.DataFrame({"a": [1], "b": [3]}),
    "no rows": pd.DataFrame({"a": [], "b": []}, dtype=int),
    "one column": pd.DataFrame({"a": [1, 2]}),
    "missing": pd.DataFrame({"a": [1.0, np.nan], "b": [3, 4]}),
    "zero": pd.DataFrame({"a": [1.0, 0.0], "b": [3, 4]}),
    "missing text": pd.DataFrame({"a": text("1", None), "b": [3, 4]}),
    "the text nan": pd.DataFrame({"a": text("1", "nan"), "b": [3, 4]}),
    "empty text": pd.DataFrame({"a": text("1", ""), "b": [3, 4]}),
    "dates": pd.DataFrame({"a": pd.to_datetime(["2024-01-01", None]), "b": [3, 4]}),
    "booleans": pd.DataFrame({"a": [True, False], "b": [3, 4]}),
}


def test_no_two_different_frames_share_a_digest() -> None:
    found: dict[str, str] = {}
    for name, frame in FRAMES.items():
        key = frame_digest(frame)
        assert found.setdefault(key, name) == name


def test_equal_content_has_one_digest_whatever_its_index() -> None:
    frame = FRAMES["plain"]
    assert frame_digest(frame.copy()) == frame_digest(frame)
    assert frame_digest(frame.set_axis([5, 9])) == frame_digest(frame)
    assert frame_digest(frame["a"]) == frame_digest(FRAMES["one column"])


def test_a_changed_line_or_name_or_version_is_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path / "a.py", tmp_path / "b.py"
    one.write_text("x = 1\n")
    other.write_text("y = 1\n")
    first = code_digest([one, other])
    assert code_digest([other, one]) == first
    assert code_digest([one]) != first
    one.write_text("x = 2\n")
    second = code_digest([one, other])
    assert second != first
    assert code_digest([one.rename(tmp_path / "a2.py"), other]) != second
    third = code_digest([other])
    monkeypatch.setattr(cache, "package_versions", lambda names: dict.fromkeys(names, "0"))
    fourth = code_digest([other])
    monkeypatch.setattr(cache.platform, "python_version", lambda: "3.0.0")
    assert len({third, fourth, code_digest([other])}) == 3


def test_the_same_files_elsewhere_are_the_same_code(tmp_path: Path) -> None:
    paths: list[Any] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        paths.append(tmp_path / name / "features.py")
        paths[-1].write_text("x = 1\n")
    assert code_digest(paths[:1]) == code_digest(paths[1:])


def test_a_folder_s_size_counts_all_files_below(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"123")
    (tmp_path / "b").write_bytes(b"45")
    assert folder_size(tmp_path) == (2, 5)
    assert folder_size(tmp_path / "absent") == (0, 0)
