"""Handing in once, and only once, whatever breaks: the real client against a local server."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import KC, Done, copy_of, files_of, only_run
from dacon_server import TOKEN, DaconServer
from kaggle_server import KEY, Competition, Fault, KaggleServer

from pipeline import Workspace
from pipeline.errors import SourceError, StorageError
from pipeline.ledger import handing_in, load_ledger
from pipeline.stages import submitting, waiting

Kc = Callable[..., Done]
KAGGLE = '[source]\nkind = "kaggle"\nslug = "tiny"\n'
DACON = (
    '[source]\nkind = "dacon"\nnumber = 235576\nurl = "https://dacon.io/competitions/open/235576"\n'
)
PAGE = "https://dacon.io/competitions/open/235576"


def declare(workspace: Path, source: str) -> Path:
    """Let the workspace's tiny competition be at a service."""
    path = workspace / "competitions" / "tiny" / "competition.toml"
    path.write_text(path.read_text(encoding="utf-8") + source, encoding="utf-8")
    return workspace


def ledger(workspace: Path) -> Path:
    return workspace / "runs" / "tiny.submissions.jsonl"


@pytest.fixture
def work(trained_tiny: Path, tmp_path: Path) -> Path:
    """A workspace with a finished run, at Kaggle."""
    return declare(copy_of(trained_tiny, tmp_path / "work"), KAGGLE)


@pytest.fixture
def at_dacon(trained_tiny: Path, tmp_path: Path) -> Path:
    """A workspace with a finished run, at Dacon."""
    return declare(copy_of(trained_tiny, tmp_path / "work"), DACON)


@pytest.fixture
def tiny_there(kaggle_server: KaggleServer) -> Competition:
    """The competition as the server has it."""
    return kaggle_server.add("tiny")


@pytest.fixture
def here(
    kaggle_server: KaggleServer,
    tiny_there: Competition,
    kc_here: Kc,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Kc:
    """Run kc in this process, led to the local Kaggle."""
    kaggle_server.enter(monkeypatch, tmp_path / "home")
    return kc_here


@pytest.fixture
def dacon_here(
    dacon_server: DaconServer, kc_here: Kc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Kc:
    """Run kc in this process, led to the local Dacon."""
    for name, value in dacon_server.variables(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return kc_here


# --- a submission that goes well ---


def test_a_submission_is_noted_with_its_reference_and_shown_beside_its_run(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    run = only_run(work, "tiny")
    before = files_of(run)
    done = here(work, "submit", "tiny", "--yes", "--message", "첫 시도", expect=0)
    assert done.out.splitlines()[-2:] == [
        "left   5 today, 0 made",
        "submitted as 1001: Successfully submitted to Tiny",
    ]
    (there,) = tiny_there.submissions
    assert there["content"] == (run / "submission.csv").read_bytes()
    (entry,) = load_ledger(ledger(work))
    assert (entry.reference, entry.status, entry.how) == ("1001", "pending", "kaggle")
    assert there["description"] == f"첫 시도 [{entry.marker}]"
    assert re.fullmatch(rf"kc {entry.sha256[:12]} [0-9a-f]{{6}}", entry.marker)
    assert here(work, "runs", "tiny", expect=0).out.splitlines()[1].split()[-1] == "pending"
    (shown,) = json.loads(here(work, "runs", "tiny", "--json", expect=0).out)
    assert (shown["submitted"], shown["public"]) == ("pending", None)
    assert files_of(run) == before
    calls = kaggle_server.calls()
    assert calls == [
        "ListSubmissions", "GetSubmissionLimits", "StartSubmissionUpload", "PUT",
        "CreateSubmission",
    ]  # fmt: skip


def test_without_a_message_the_run_and_its_score_are_the_description(
    here: Kc, work: Path, tiny_there: Competition
) -> None:
    here(work, "submit", "tiny", "--yes", expect=0)
    run = only_run(work, "tiny").name
    assert re.fullmatch(
        rf"{run}, out-of-fold rmse \d+\.\d{{5}} \+- \d+\.\d{{5}} \[kc .+\]",
        tiny_there.submissions[0]["description"],
    )


@pytest.mark.slow
def test_it_is_asked_before_anything_is_sent(
    kc: Kc, kaggle_server: KaggleServer, tiny_there: Competition, work: Path, tmp_path: Path
) -> None:
    env = kaggle_server.environment(tmp_path / "home")
    done = kc(work, "submit", "tiny", env=env, input="n\n", expect=1)
    assert "Submit it to Kaggle? [y/N]:" in done.out
    assert (tiny_there.submissions, load_ledger(ledger(work))) == ([], [])
    done = kc(work, "submit", "tiny", "--wait", env=env, input="y\n")
    assert done.out.endswith("Successfully submitted to Tiny\npublic 0.41\n")


def test_a_file_that_does_not_fit_is_not_sent(
    here: Kc, work: Path, kaggle_server: KaggleServer
) -> None:
    path = only_run(work, "tiny") / "submission.csv"
    path.write_text("id,price\n10,1\n12,\n13,x\n", encoding="utf-8")
    said = here(work, "submit", "tiny", "--yes").error()
    assert said == (
        f"{path}: 1 id missing ('11'); 1 id extra ('13'); 'price': 2 values are missing or not a "
        "number ('', 'x')"
    )
    assert kaggle_server.calls() == []


def test_without_credentials_nothing_is_noted(
    here: Kc, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    done = here(work, "submit", "tiny", "--yes", expect=1)
    assert done.err.splitlines()[-1].startswith("error: no Kaggle credentials")
    assert not [entry for entry in load_ledger(ledger(work)) if entry.counts]


def test_a_run_may_be_named_without_its_competition(
    here: Kc, work: Path, tiny_there: Competition
) -> None:
    short = only_run(work, "tiny").name.removeprefix("tiny-")
    here(work, "submit", "tiny", "--yes", "--run", short, expect=0)
    assert len(tiny_there.submissions) == 1


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (
            Fault("GetSubmissionLimits", raw=(b"{}", "application/json")),
            "left   not known: Kaggle tells it after the first submission",
        ),
        (
            Fault(
                "GetSubmissionLimits",
                raw=(
                    b'{"numToday": 3, "numAllowedNow": 1, "limitedByTotal": true}',
                    "application/json",
                ),
            ),
            "left   1 today, 3 made, limited by the competition's total",
        ),
        (Fault("GetSubmissionLimits", 400, "no"), "left   not known: localhost: refused (400): no"),
    ],
)
def test_what_is_left_today_is_said_as_far_as_it_is_known(
    here: Kc, work: Path, kaggle_server: KaggleServer, fault: Fault, line: str
) -> None:
    kaggle_server.fail("tiny", fault)
    assert line in here(work, "submit", "tiny", "--yes", expect=0).out.splitlines()
    declare(work, "daily_limit = 2\n")
    counted = "left   1 of 2 today, by the ledger; Kaggle counts a whole team's"
    shown = here(work, "submit", "tiny", "--yes", "--again", expect=0).out.splitlines()
    assert (line if "made" in line else counted) in shown


# --- the same bytes ---


def test_the_same_bytes_are_refused_without_asking_the_service(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    here(work, "submit", "tiny", "--yes", expect=0)
    kaggle_server.forget()
    said = here(work, "submit", "tiny", "--yes").error()
    assert re.search(
        r"the same bytes were submitted on \S+ from run tiny-\S+ as 1001; they cannot score "
        r"differently \(--again submits them all the same\)$",
        said,
    )
    assert kaggle_server.calls() == []
    here(work, "submit", "tiny", "--yes", "--again", expect=0)
    assert len(tiny_there.submissions) == 2
    assert [entry.reference for entry in load_ledger(ledger(work))] == ["1001", "1002"]


def test_bytes_that_were_submitted_from_another_place_are_refused(
    here: Kc, work: Path, tiny_there: Competition
) -> None:
    here(work, "submit", "tiny", "--yes", expect=0)
    ledger(work).unlink()
    said = here(work, "submit", "tiny", "--yes").error()
    assert re.search(r"Kaggle lists the same bytes as 1001 of \S+, submitted from another pl", said)
    assert len(tiny_there.submissions) == 1


def test_a_list_that_cannot_be_had_is_an_error_unless_nobody_wants_it(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    kaggle_server.fail("tiny", Fault("ListSubmissions", 400, "not today"))
    said = here(work, "submit", "tiny", "--yes").error()
    assert said.endswith(
        "not today; so it is not known whether Kaggle has the same bytes already (--again submits "
        "without looking)"
    )
    assert load_ledger(ledger(work)) == []
    here(work, "submit", "tiny", "--yes", "--again", expect=0)
    assert len(tiny_there.submissions) == 1


# --- refusals ---


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault("PUT", 400, html=True, times=1), "400"),
        (
            Fault("CreateSubmission", 400, "Submission not allowed: daily limit reached", times=1),
            "localhost: refused (400): Submission not allowed: daily limit reached",
        ),
        (Fault("StartSubmissionUpload", 400, "File too large", times=1), "File too large"),
    ],
)
def test_a_refusal_is_passed_on_and_may_be_repeated(
    here: Kc,
    work: Path,
    tiny_there: Competition,
    kaggle_server: KaggleServer,
    fault: Fault,
    message: str,
) -> None:
    kaggle_server.fail("tiny", fault)
    done = here(work, "submit", "tiny", "--yes", expect=1)
    assert message in done.err.splitlines()[-1]
    assert "submitted as" not in done.out
    (entry,) = load_ledger(ledger(work))
    assert (entry.status, entry.reference) == ("refused", None)
    assert message in entry.detail
    assert here(work, "runs", "tiny", expect=0).out.split()[-1] != "refused"
    here(work, "submit", "tiny", "--yes", expect=0)
    assert len(tiny_there.submissions) == 1


def test_an_upload_that_keeps_failing_is_an_error_without_a_reference(
    here: Kc, work: Path, kaggle_server: KaggleServer
) -> None:
    kaggle_server.add("badupload")
    declared = work / "competitions" / "tiny" / "competition.toml"
    declared.write_text(declared.read_text().replace('"tiny"', '"badupload"'), encoding="utf-8")
    done = here(work, "submit", "tiny", "--yes", expect=1)
    assert "503" in done.err.splitlines()[-1]
    assert kaggle_server.asked("CreateSubmission") == []
    assert load_ledger(ledger(work))[0].status == "refused"


# --- answers that are lost ---

NO_REFERENCE = b'{"message": "Could not submit to competition"}'


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("CreateSubmission", 500, "oops", done=True, times=1), "it answered 500 oops"),
        (
            Fault("CreateSubmission", raw=(NO_REFERENCE, "application/json"), done=True, times=1),
            "it gave no reference ('Could not submit to competition')",
        ),
        (
            Fault("CreateSubmission", raw=(b"<html>", "text/html"), done=True, times=1),
            "the connection or the answer broke off",
        ),
        (Fault("CreateSubmission", hang=0.1, done=True, times=1), "Remote end closed connection"),
    ],
)
def test_a_submission_whose_answer_was_lost_is_found_again_and_not_repeated(
    here: Kc,
    work: Path,
    tiny_there: Competition,
    kaggle_server: KaggleServer,
    fault: Fault,
    reason: str,
) -> None:
    kaggle_server.fail("tiny", fault)
    done = here(work, "submit", "tiny", "--yes", expect=1)
    said = done.err.splitlines()[-1]
    assert said.startswith("error: Kaggle did not confirm the submission: ")
    assert reason in said
    assert load_ledger(ledger(work))[0].status == "unconfirmed"
    done = here(work, "submit", "tiny", "--yes", "--wait", expect=0)
    assert re.match(r"already submitted as 1001 on \S+, by an attempt that was not conf", done.out)
    assert done.out.endswith("public 0.41\n")
    (entry,) = load_ledger(ledger(work))
    assert (entry.status, entry.reference, entry.public) == ("complete", "1001", 0.41)
    assert len(kaggle_server.asked("CreateSubmission")) == len(tiny_there.submissions) == 1


def test_a_silent_service_is_given_up_and_the_submission_found_again(
    here: Kc,
    work: Path,
    tiny_there: Competition,
    kaggle_server: KaggleServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kaggle_server.fail("tiny", Fault("CreateSubmission", hang=30.0, done=True, times=1))
    monkeypatch.setenv("KC_TIMEOUT", "1")
    done = here(work, "submit", "tiny", "--yes", expect=1)
    assert "Kaggle did not confirm the submission: it did not answer in time" in done.err
    monkeypatch.delenv("KC_TIMEOUT")
    assert here(work, "submit", "tiny", "--yes", expect=0).out.startswith("already submitted as")
    assert len(tiny_there.submissions) == 1


def test_what_the_service_does_not_list_is_not_submitted_again_unless_told(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    kaggle_server.fail("tiny", Fault("CreateSubmission", 500, times=1))
    here(work, "submit", "tiny", "--yes", expect=1)
    said = here(work, "submit", "tiny", "--yes").error()
    assert re.search(
        r"an attempt to submit the same bytes on \S+ was not confirmed, and is not among 0 "
        r"submissions that Kaggle lists; look at https://www.kaggle.com/competitions/tiny/submissi"
        r"ons, and only if it is not there, submit once more with --again$",
        said,
    )
    said = here(work, "submit", "tiny", "--yes", "--by-hand").error()
    assert "kc submit without --by-hand looks whether it arrived" in said
    assert tiny_there.submissions == []
    here(work, "submit", "tiny", "--yes", "--again", expect=0)
    assert len(tiny_there.submissions) == 1
    said = here(work, "submit", "tiny", "--yes").error()
    assert "the same bytes were submitted on" in said
    assert "as 1001" in said


def test_a_submission_that_was_taken_is_named_though_it_cannot_be_noted(
    here: Kc, work: Path, tiny_there: Competition, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(submitting, "update_entry", full)
    done = here(work, "submit", "tiny", "--yes", expect=1)
    assert done.err.splitlines()[-1] == (
        "error: Kaggle took the submission as 1001, but the disk is full"
    )
    monkeypatch.undo()


def test_a_submission_that_lost_its_description_is_named_but_not_taken(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    kaggle_server.fail("tiny", Fault("CreateSubmission", 500, done=True, times=1))
    here(work, "submit", "tiny", "--yes", expect=1)
    tiny_there.submissions[0]["description"] = ""
    said = here(work, "submit", "tiny", "--yes").error()
    assert re.search(r"Kaggle lists; 1001 \(submission.csv, \S+\) could be it; look at", said)
    tiny_there.submissions[0]["totalBytes"] += 1
    assert "could be it" not in here(work, "submit", "tiny", "--yes").error()
    assert len(tiny_there.submissions) == 1


def test_a_lost_answer_stays_open_while_the_list_cannot_be_had(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    kaggle_server.fail("tiny", Fault("CreateSubmission", 500, done=True, times=1))
    here(work, "submit", "tiny", "--yes", expect=1)
    kaggle_server.fail("tiny", Fault("ListSubmissions", 400, "not today", times=2))
    for options in ([], ["--again"]):
        assert "not today" in here(work, "submit", "tiny", "--yes", *options).error()
    assert len(tiny_there.submissions) == 1


def test_again_notes_what_had_arrived_before_it_submits_once_more(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    kaggle_server.fail("tiny", Fault("CreateSubmission", 500, done=True, times=1))
    here(work, "submit", "tiny", "--yes", expect=1)
    done = here(work, "submit", "tiny", "--yes", "--again", expect=0)
    assert re.search(r"the attempt of \S+ arrived: 1001", done.err)
    assert [entry.reference for entry in load_ledger(ledger(work))] == ["1001", "1002"]


# --- waiting for the score ---


def test_waiting_ends_with_the_score(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    tiny_there.pending = 1
    kaggle_server.fail("*", Fault("GetSubmission", 404, "Not found", times=1))
    done = here(work, "submit", "tiny", "--yes", "--wait", "60", expect=0)
    assert done.out.splitlines()[-1] == "public 0.41"
    assert "submission 1001: complete" in done.err
    (entry,) = load_ledger(ledger(work))
    assert (entry.status, entry.public, entry.private) == ("complete", 0.41, None)
    shown = here(work, "runs", "tiny", expect=0).out.splitlines()[1]
    assert shown.endswith("public 0.41")
    assert len(shown) <= 80


def test_waiting_has_a_bound(here: Kc, work: Path, tiny_there: Competition) -> None:
    tiny_there.pending = 1000
    done = here(work, "submit", "tiny", "--yes", "--wait=1s", expect=0)
    assert done.out.splitlines()[-1] == "status pending"
    assert "no score after 1 s (status: pending); kc submissions tiny shows it later" in done.err
    assert load_ledger(ledger(work))[0].status == "pending"


def test_a_status_that_is_not_known_is_waited_through(
    here: Kc, work: Path, tiny_there: Competition
) -> None:
    tiny_there.outcome = ("SCORING_BY_HAND", "")
    done = here(work, "submit", "tiny", "--yes", "--wait=1", expect=0)
    assert done.out.splitlines()[-1] == "status scoring_by_hand"
    assert "submission 1001: scoring_by_hand" in done.err
    assert "scoring_by_hand" in here(work, "submissions", "tiny", expect=0).out


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("Evaluation Exception: id 10 twice", "Evaluation Exception: id 10 twice"),
        (
            "",
            "it gives no reason; see https://www.kaggle.com/competitions/tiny/submissions",
        ),
    ],
)
def test_a_submission_that_cannot_be_scored_is_an_error(
    here: Kc, work: Path, tiny_there: Competition, told: str, reason: str
) -> None:
    tiny_there.outcome = ("ERROR", told)
    done = here(work, "submit", "tiny", "--yes", "--wait", expect=1)
    assert done.err.splitlines()[-1] == (f"error: Kaggle could not score submission 1001: {reason}")
    assert load_ledger(ledger(work))[0].status == "error"


def test_polls_that_go_wrong_do_not_undo_the_submission(
    here: Kc, work: Path, kaggle_server: KaggleServer
) -> None:
    kaggle_server.fail("*", Fault("GetSubmission", 400, "not today"))
    done = here(work, "submit", "tiny", "--yes", "--wait", expect=0)
    assert done.err.count("cannot look after submission 1001: ") == waiting.MOST_FAILURES
    assert done.out.splitlines()[-1] == "status pending"


# --- processes that are killed, or run side by side ---


def start(workspace: Path, env: dict[str, str], *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(KC), "--workspace", str(workspace), "submit", "tiny", "--yes", *options],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def until(condition: Callable[[], Any], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "arrived"),
    [("StartSubmissionUpload", False), ("PUT", False), ("CreateSubmission", True)],
)
def test_a_kill_at_any_moment_leads_to_no_second_submission(
    kaggle_server: KaggleServer,
    tiny_there: Competition,
    work: Path,
    here: Kc,
    tmp_path: Path,
    moment: str,
    arrived: bool,
) -> None:
    kaggle_server.fail("tiny", Fault(moment, hang=120.0, done=arrived, times=1))
    process = start(work, kaggle_server.environment(tmp_path / "home"))
    until(lambda: tiny_there.submissions if arrived else kaggle_server.asked(moment))
    assert not [line for line in command_lines() if KEY.encode() in line]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (entry,) = load_ledger(ledger(work))
    assert (entry.status, entry.reference) == ("unconfirmed", None)
    assert here(work, "runs", "tiny", expect=0).out.split()[-1] == "unconfirmed"
    if arrived:
        done = here(work, "submit", "tiny", "--yes", expect=0)
        assert done.out.startswith("already submitted as 1001 on ")
    else:
        said = here(work, "submit", "tiny", "--yes").error()
        assert "was not confirmed, and is not among 0 submissions that Kaggle lists" in said
    assert len(tiny_there.submissions) == int(arrived)
    assert len(kaggle_server.asked("CreateSubmission")) == int(arrived)


@pytest.mark.slow
def test_of_two_at_once_one_submits(
    kaggle_server: KaggleServer, tiny_there: Competition, work: Path, tmp_path: Path
) -> None:
    env = kaggle_server.environment(tmp_path / "home")
    with handing_in(ledger(work)):  # until both have looked, and found nothing
        processes = [start(work, env), start(work, env)]
        until(lambda: len(kaggle_server.asked("GetSubmissionLimits")) == 2)
        time.sleep(1)  # for the lock to be asked for, too
    with ThreadPoolExecutor() as pool:
        outputs = list(pool.map(lambda process: process.communicate()[0], processes))
    assert sorted(process.returncode for process in processes) == [0, 1], outputs
    refused = outputs[[process.returncode for process in processes].index(1)]
    assert "another kc submit handed in the same bytes meanwhile" in refused
    assert all("waiting for another kc submit" in output for output in outputs)
    assert len(tiny_there.submissions) == len(load_ledger(ledger(work))) == 1


# --- Dacon ---


def test_a_submission_to_dacon_is_noted_without_a_reference(
    dacon_here: Kc, at_dacon: Path, dacon_server: DaconServer
) -> None:
    done = dacon_here(at_dacon, "submit", "tiny", "--yes", "--wait", expect=0)
    assert done.out.splitlines()[-3:] == [
        "left   3 of 3 today, by the ledger; Dacon counts a whole team's",
        f"Dacon took the submission; the score is on its site: {PAGE}",
        "status submitted",
    ]
    assert "there is no score to wait for" in done.err
    (entry,) = load_ledger(ledger(at_dacon))
    assert (entry.status, entry.reference, entry.how) == ("submitted", None, "dacon")
    run = only_run(at_dacon, "tiny")
    assert dacon_server.sent[0].fields["memo"].startswith(f"{run.name}, out-of-fold rmse ")
    assert dacon_here(at_dacon, "runs", "tiny", expect=0).out.split()[-1] == "submitted"
    assert "the same bytes" in dacon_here(at_dacon, "submit", "tiny", "--yes").error()
    assert len(dacon_server.sent) == 1


def test_what_is_left_at_dacon_is_counted_by_the_ledger(
    dacon_here: Kc, at_dacon: Path, dacon_server: DaconServer
) -> None:
    declare(at_dacon, "daily_limit = 2\n")
    dacon_server.answer({"message": "wrong", "data": 1})
    dacon_here(at_dacon, "submit", "tiny", "--yes", expect=1)  # was not taken, so does not count
    dacon_server.answer({"message": "ok"})
    for left in (2, 1, 0, 0):
        done = dacon_here(at_dacon, "submit", "tiny", "--yes", "--again", expect=0)
        assert f"left   {left} of 2 today, by the ledger" in done.out


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_submission_that_dacon_did_not_confirm_needs_again(
    dacon_here: Kc,
    at_dacon: Path,
    dacon_server: DaconServer,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
) -> None:
    monkeypatch.setenv("KC_LANG", language)
    dacon_server.answer({"message": "maintenance"}, status=503)
    said = dacon_here(at_dacon, "submit", "tiny", "--yes", expect=1).err.splitlines()[-1]
    assert {"en": "did not confirm", "ko": "확인하지 못했습니다"}[language] in said
    dacon_server.answer({"message": "ok"})
    said = dacon_here(at_dacon, "submit", "tiny", "--yes").error()
    expected = {
        "en": "was not confirmed, and Dacon gives no list to look it up in; look at " + PAGE,
        "ko": "데이콘은 제출 목록을 제공하지 않습니다. "
        + PAGE
        + " 의 제출 탭에 있는지 먼저 확인하고",
    }
    assert expected[language] in said
    assert "--again" in said
    assert len(dacon_server.sent) == 1
    dacon_here(at_dacon, "submit", "tiny", "--yes", "--again", expect=0)
    assert [one.status for one in load_ledger(ledger(at_dacon))] == ["unconfirmed", "submitted"]


@pytest.mark.slow
def test_a_kill_while_dacon_is_silent_needs_again_and_shows_no_token(
    dacon_server: DaconServer, at_dacon: Path, dacon_here: Kc, tmp_path: Path
) -> None:
    dacon_server.hang = 120.0
    process = start(at_dacon, dacon_server.environment(tmp_path / "home"))
    until(lambda: dacon_server.sent)
    assert not [line for line in command_lines() if TOKEN.encode() in line]
    os.kill(process.pid, signal.SIGKILL)
    output, _ = process.communicate()
    assert TOKEN not in output
    dacon_server.hang = 0.0
    assert "--again" in dacon_here(at_dacon, "submit", "tiny", "--yes").error()
    assert len(dacon_server.sent) == 1


PACKAGE = """
import os
import requests

def post_submission_file(file_path, token, cpt_id, team_name, memo=""):
    print("token", token, "cpt", cpt_id)
    style = os.environ["STYLE"]
    if style == "none":
        return None
    with open(file_path, "rb") as file:
        response = requests.post(
            os.environ["KC_DACON_URL"] + "/submission",
            data={"cpt_id": cpt_id, "team_name": team_name, "memo": memo, "api_token": token},
            files={"file": file},
        )
    if style == "response":
        return response
    yes = response.json()["message"] == "ok"
    return {"isSubmitted": yes, "detail": "Success" if yes else "over_max_count"}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("style", "answer", "code", "said", "status"),
    [
        ("dict", "ok", 0, "Dacon took the submission", "submitted"),
        ("dict", "no", 1, "all submissions that this competition allows", "refused"),
        ("response", "ok", 0, "Dacon took the submission", "submitted"),
        ("none", "ok", 1, "dacon_submit_api returned nothing", "unconfirmed"),
    ],
)
def test_the_person_s_own_package_submits_when_it_is_chosen(
    dacon_server: DaconServer,
    at_dacon: Path,
    kc: Kc,
    tmp_path: Path,
    style: str,
    answer: str,
    code: int,
    said: str,
    status: str,
) -> None:
    package = tmp_path / "installed" / "dacon_submit_api"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()  # as in 0.1.2: the function is in a module of the same name
    (package / "dacon_submit_api.py").write_text(PACKAGE, encoding="utf-8")
    dacon_server.answer({"message": answer})
    env = dacon_server.environment(tmp_path / "home") | {
        "KC_DACON_CLIENT": "dacon_submit_api",
        "STYLE": style,
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join([str(package.parent), *filter(None, sys.path)]),
    }
    done = kc(at_dacon, "submit", "tiny", "--yes", env=env, expect=code)
    assert said in done.out + done.err
    assert "dacon_submit_api token *** cpt 235576" in done.err
    assert load_ledger(ledger(at_dacon))[0].status == status
    written = b"".join(files_of(at_dacon).values())
    assert TOKEN not in done.out + done.err
    assert TOKEN.encode() not in written


def test_a_planted_secret_is_nowhere(
    here: Kc,
    work: Path,
    kaggle_server: KaggleServer,
    dacon_server: DaconServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    said = [here(work, "submit", "tiny", "--yes", "--wait", expect=0)]
    said.append(here(work, "submissions", "tiny", "--json", expect=0))
    for name, value in dacon_server.variables(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    declared = work / "competitions" / "tiny" / "competition.toml"
    declared.write_text(declared.read_text().replace(KAGGLE, DACON), encoding="utf-8")
    for body, status in (({"message": f"what is {TOKEN}?"}, 500), ({"message": "wrong"}, 200)):
        dacon_server.answer(body, status=status)
        said.append(here(work, "submit", "tiny", "--yes", "--again", expect=1))
        with pytest.raises(SourceError) as caught:
            here(work, "--debug", "submit", "tiny", "--yes", "--again")
        assert TOKEN not in "".join(traceback.format_exception(caught.value))
    written = b"".join(files_of(work).values()).decode("latin-1")
    for secret in (KEY, TOKEN):
        assert secret not in written
        assert not [done for done in said if secret in done.out + done.err]


# --- by hand ---


def test_a_submission_by_hand_asks_no_service(
    here: Kc, work: Path, kaggle_server: KaggleServer
) -> None:
    done = here(work, "submit", "tiny", "--yes", "--by-hand", expect=0)
    path = only_run(work, "tiny") / "submission.csv"
    assert done.out.splitlines()[-1] == (
        f"upload {path} at https://www.kaggle.com/competitions/tiny"
    )
    assert kaggle_server.calls() == []
    assert here(work, "runs", "tiny", expect=0).out.splitlines()[1].endswith("by hand")


def test_python_can_submit_too(here: Kc, work: Path, tiny_there: Competition) -> None:
    from pipeline import submit

    done = submit(Workspace(work), "tiny", message="from a notebook")
    assert done.entry.reference == str(tiny_there.submissions[0]["ref"])
    assert not done.adopted
