"""Numbers as lines about them say them."""

import pytest

from pipeline.progress import (
    Downloaded,
    Note,
    Warned,
    counted,
    emit,
    file_size,
    listening,
    only_listening,
)
from pipeline.terminal import download_line


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (1_234_567_890, "1.2 GB"),
        (5 * 10**12, "5.0 TB"),
    ],
)
def test_a_size_has_the_unit_that_fits(n_bytes, text):
    assert file_size(n_bytes) == text


def test_one_is_singular():
    assert [counted(n, "file") for n in (0, 1, 2, 1200)] == [
        "0 files", "1 file", "2 files", "1,200 files",
    ]  # fmt: skip


def test_a_download_of_unknown_length_shows_what_is_here():
    assert download_line(Downloaded("a.zip", 500, 2_000)) == "a.zip  500 bytes of 2.0 kB"
    assert download_line(Downloaded("a.zip", 500, None)) == "a.zip  500 bytes"


def test_one_listener_alone_hears_what_is_tried():
    everything, tried = [], []
    with listening(everything.append):
        emit(Note("read", "before"))
        with only_listening(tried.append):
            emit(Warned("odd"))
        emit(Note("read", "after"))
    assert [event.text for event in everything] == ["before", "after"]
    assert [event.text for event in tried] == ["odd"]
