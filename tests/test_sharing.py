"""Values on disk whose arrays workers map: what comes back, and that there is one copy of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import StorageError
from pipeline.execution import Workers
from pipeline.sharing import Shared, share


def nothing() -> None:
    return None


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "size": [1.5, np.nan, 3.0, 4.0, 5.0],
            "rooms": [1, 2, 3, 4, 5],
            "colour": ["red", None, "", "파랑", "red"],
            "day": pd.date_range("2024-01-01", periods=5, unit="us"),
            "mixed": pd.Series([1, "two", None, 4.0, ()], dtype=object),
        },
        index=[5, 4, 3, 2, 1],
    )


def test_a_frame_comes_back_as_it_was(frame: pd.DataFrame, tmp_path: Path) -> None:
    found = share({"X": frame, "y": frame["size"]}, tmp_path / "shared").load()
    pd.testing.assert_frame_equal(found["X"], frame)
    pd.testing.assert_series_equal(found["y"], frame["size"])


@pytest.mark.parametrize(
    "array",
    [
        np.arange(10)[::2],
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(24).reshape(2, 3, 4)[:, ::2],
        np.empty((0, 3)),
        np.array(3.5),
        np.array(["a", "bc"]),
        np.array([b"x", None], dtype=object),
    ],
)
def test_an_array_comes_back_however_it_lies_in_memory(array: np.ndarray, tmp_path: Path) -> None:
    found = share(array, tmp_path / "shared").load()
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


def test_what_is_written_to_a_loaded_value_is_nobody_elses(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    shared = share(frame, tmp_path / "shared")
    before, content = shared.load(), shared.path.read_bytes()
    before.loc[5, ["size", "rooms", "colour"]] = [99.0, 99, "green"]
    before["more"] = 1
    assert before.loc[5, "size"] == 99.0
    assert shared.path.read_bytes() == content
    other = shared.path.with_name("other")
    other.write_bytes(content)
    pd.testing.assert_frame_equal(Shared(other).load(), frame)


def test_images_are_mapped_from_the_shared_file_too(tmp_path: Path) -> None:
    pixels = np.memmap(tmp_path / "pixels", np.uint8, "w+", shape=(5, 4))
    pixels[:] = np.arange(20).reshape(5, 4)
    images = pd.DataFrame(pixels, columns=list("abcd"), copy=False)
    found = share(images, tmp_path / "shared").load()
    pd.testing.assert_frame_equal(found, images)
    assert mapped_from(found.to_numpy()) == str(tmp_path / "shared")


def mapped_from(array: object) -> str | None:
    """Return the file of an array, which may be a part of one that is mapped."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.filename is not None:
            return str(array.filename)
        array = array.base
    return None


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written: No such file or directory"):
        share([1], tmp_path / "none" / "shared")


def touch(shared: Shared) -> tuple[float, int]:
    """Read every page of what is shared; return a sum, and what of the file's pages is this own.

    Of a page that n processes have mapped, an n-th counts.
    """
    found = shared.load()
    total = float(found["x"].sum()) + found["text"].str.len().sum()
    own, is_ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, _, value = line.partition(":")
        if "-" in name.split()[0]:
            is_ours = line.endswith(str(shared.path))
        elif is_ours and name == "Pss":
            own += int(value.split()[0]) * 1024
    return total, own


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells")
def test_two_workers_hold_one_copy_between_them(tmp_path: Path) -> None:
    n = 2_000_000
    frame = pd.DataFrame({"x": np.arange(n) % 7.0, "text": pd.Series(["word"] * n, dtype="str")})
    shared = share(frame, tmp_path / "shared")
    expected = float((np.arange(n) % 7.0).sum()) + 4 * n
    with Workers(2, nothing) as workers:
        for _ in range(2):  # the second time, both have seen every page
            for worker in workers.free:
                worker.do(touch, shared)
            ended = workers.wait(60)
            while len(ended) < 2:
                ended += workers.wait(60)
    assert [one.result[0] for one in ended] == [expected, expected]
    size = shared.path.stat().st_size
    assert sum(one.result[1] for one in ended) <= 1.1 * size
    assert min(one.result[1] for one in ended) >= 0.4 * size
