"""The ledger of submissions: what was noted stays noted."""

from pathlib import Path

import pytest

from pipeline import storage
from pipeline.errors import DataError, StorageError
from pipeline.ledger import Entry, add_entry, load_ledger


def entry(run: str, message: str = "") -> Entry:
    return Entry(sha256="ab", run=run, time="2024-01-01T00:00:00+00:00", how="api", message=message)


def test_entries_come_back_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "bike.submissions.jsonl"
    assert load_ledger(path) == []
    for run in ("one", "two"):
        add_entry(path, entry(run, f"message of {run}"))
    assert load_ledger(path) == [
        entry("one", "message of one"),
        entry("two", "message of two"),
    ]
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "message",
    [
        "두 번째 제출",
        "a\nb\r\n",
        "\u2028\u2029\x85\x0b",
        '"quoted" \\',
        "\udcb5 from a shell",
        "\0",
    ],
)
def test_any_message_is_kept_and_breaks_no_line(tmp_path: Path, message: str) -> None:
    path = tmp_path / "ledger"
    add_entry(path, entry("one", message))
    add_entry(path, entry("two"))
    assert load_ledger(path) == [entry("one", message), entry("two")]


@pytest.mark.parametrize(
    "content", [b"{", b"5\n", b"[]\n", b'{"run": "one"}\n', b"\xff\n", b'{"other": 1}\n', b"\n"]
)
def test_a_ledger_that_cannot_be_read_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"ledger: cannot be read: .*; mend or move the file$"):
        add_entry(path, entry("one"))
    assert path.read_bytes() == content


def test_an_entry_that_cannot_be_written_costs_no_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger"
    add_entry(path, entry("one"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(storage.os, "fsync", full)
        with pytest.raises(StorageError, match=r"ledger: cannot be written: No space left"):
            add_entry(path, entry("two"))
    assert load_ledger(path) == [entry("one")]
