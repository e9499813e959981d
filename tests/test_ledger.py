"""The ledger of submissions: what was noted stays noted."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline import storage
from pipeline.errors import DataError, StorageError
from pipeline.ledger import Entry, add_entry, handing_in, load_ledger, update_entry

TIME = "2024-01-01T00:00:00+00:00"


def entry(run: str, message: str = "") -> Entry:
    return Entry(sha256="ab", run=run, time=TIME, how="api", message=message)


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
    "content",
    [
        b"{",
        b"5\n",
        b"[]\n",
        b'{"run": "one"}\n',
        b"\xff\n",
        b'{"other": 1}\n',
        b'{"\\u202e\\n\\u001b[2J": 1}\n',
        b"\n",
        b'{"sha256": "ab", "run": "one", "how": "by hand", "time": "yesterday"}\n',
        b'{"sha256": "ab", "run": "one", "how": "by hand", "time": "2024-01-01T00:00:00"}\n',
        b'{"sha256": "ab", "run": 1, "how": "by hand", "time": "2024-01-01T00:00:00Z"}\n',
    ],
)
def test_a_ledger_that_cannot_be_read_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"ledger: cannot be read: .*; mend or move the file$") as e:
        add_entry(path, entry("one"))
    assert str(e.value).isprintable()
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


def test_a_line_from_before_there_were_services_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    line = (
        '{"sha256": "ab", "run": "one", "time": "2024-01-01T00:00:00+00:00", "how": "by hand", '
        '"message": "first"}\n'
    )
    path.write_text(line, encoding="utf-8")
    (old,) = load_ledger(path)
    assert (old.status, old.reference, old.public, old.counts) == ("submitted", None, None, True)
    add_entry(path, entry("two"))
    assert [one.run for one in load_ledger(path)] == ["one", "two"]


def test_what_became_known_takes_the_place_of_the_entry_with_its_marker(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    intents = [
        Entry(sha256="ab", run=run, time=TIME, how="kaggle", status="unconfirmed", marker=run)
        for run in ("one", "two")
    ]
    for intent in intents:
        add_entry(path, intent)
    known = update_entry(path, intents[0], status="pending", reference="7")
    assert (known.status, known.reference, known.run) == ("pending", "7", "one")
    assert load_ledger(path) == [known, intents[1]]
    scored = update_entry(path, intents[0], public=0.5)  # by somebody who knows the old entry only
    assert (scored.reference, scored.public) == ("7", 0.5)


@pytest.mark.parametrize("marker", ["", "gone"])
def test_an_entry_that_is_gone_is_not_made_up(tmp_path: Path, marker: str) -> None:
    path = tmp_path / "ledger"
    add_entry(path, entry("one"))
    lost = Entry(sha256="ab", run="two", time=TIME, how="kaggle", marker=marker)
    with pytest.raises(
        DataError, match=r"ledger: the entry of 2024-\S+ is gone; put the line back$"
    ):
        update_entry(path, lost, status="pending")
    assert load_ledger(path) == [entry("one")]


def test_entries_that_are_added_at_once_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "ledger"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add_entry(path, entry(str(number))), range(24)))
    assert sorted(int(one.run) for one in load_ledger(path)) == list(range(24))


def test_one_hands_in_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "ledger"
    with (
        handing_in(path),
        pytest.raises(StorageError, match=r"another kc submit is still at work; wait for its end"),
        handing_in(path, seconds=0.1),
    ):
        pass
    with handing_in(path, seconds=0.1):
        add_entry(path, entry("one"))
    assert load_ledger(path) == [entry("one")]
