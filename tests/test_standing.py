"""What was handed in and how it stands: the service's list and the ledger's, joined."""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import Done, copy_of, only_run
from dacon_server import DaconServer
from kaggle_server import Competition, Fault, KaggleServer
from rich.cells import cell_len
from test_submitting import DACON, KAGGLE, PAGE, declare, ledger

from pipeline.ledger import load_ledger
from pipeline.sources import Team
from pipeline.stages.standing import Place, place_of

Kc = Callable[..., Done]
NOW = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def work(trained_tiny: Path, tmp_path: Path) -> Path:
    return declare(copy_of(trained_tiny, tmp_path / "work"), KAGGLE)


@pytest.fixture
def tiny_there(kaggle_server: KaggleServer) -> Competition:
    return kaggle_server.add("tiny", max_daily=1000)


@pytest.fixture
def here(
    kaggle_server: KaggleServer,
    tiny_there: Competition,
    kc_here: Kc,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Kc:
    kaggle_server.enter(monkeypatch, tmp_path / "home")
    return kc_here


def listed(number: int, **facts: Any) -> dict[str, Any]:
    """Return a submission that somebody made in the browser."""
    return {
        "ref": number,
        "date": f"2023-01-{number % 28 + 1:02}T00:00:00.000Z",
        "description": "",
        "fileName": "mine.csv",
        "totalBytes": 10,
        "outcome": ("COMPLETE", "0.5"),
        "left": 0,
        "content": b"",
    } | facts


def as_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- submissions ---


def test_the_list_and_the_ledger_are_joined(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    tiny_there.submissions += [
        listed(1, description="elsewhere [kc 0123456789ab cdef01]"),
        listed(2, outcome=("ERROR", "Evaluation Exception: 7 rows")),
    ]
    here(work, "submit", "tiny", "--yes", "--message", "첫 시도", expect=0)
    here(work, "submit", "tiny", "--yes", "--by-hand", "--again", expect=0)
    rows = as_csv(here(work, "submissions", "tiny", "--csv", expect=0).out)
    run = only_run(work, "tiny").name
    by_status = {row["status"]: row for row in rows}
    assert [row["reference"] for row in rows][-2:] == ["2", "1"]
    assert list(rows[0]) == [
        "reference", "time", "run", "message", "status", "public", "private", "error",
    ]  # fmt: skip
    assert by_status["by hand"]["run"] == run
    (mine,) = (row for row in rows if row["message"] == "첫 시도")
    assert (mine["run"], mine["status"], mine["public"]) == (run, "complete", "0.41")
    assert by_status["error"]["error"] == "Evaluation Exception: 7 rows"
    assert rows[-1] | {"time": ""} == {
        "reference": "1", "time": "", "run": "", "message": "elsewhere",
        "status": "complete", "public": "0.5", "private": "", "error": "",
    }  # fmt: skip
    as_json = json.loads(here(work, "submissions", "tiny", "--json", expect=0).out)
    assert [row["reference"] or "" for row in as_json] == [row["reference"] for row in rows]
    assert as_json[-1]["public"] == 0.5


def test_the_table_fits_a_terminal_and_says_what_went_wrong(
    here: Kc, work: Path, tiny_there: Competition
) -> None:
    tiny_there.submissions += [
        listed(43210001, description="아주 긴 설명 " * 20),
        listed(43210002, outcome=("ERROR", "Evaluation Exception")),
    ]
    here(work, "submit", "tiny", "--yes", expect=0)
    lines = here(work, "submissions", "tiny", expect=0).out.splitlines()
    assert re.split("  +", lines[0]) == [
        "reference", "time (UTC)", "run", "message", "status", "public",
    ]  # fmt: skip
    assert max(map(cell_len, lines[:-1])) <= 80
    short = only_run(work, "tiny").name.removeprefix("tiny-")
    assert lines[1].split()[3] == short
    (cut,) = (line for line in lines if line.startswith("43210001 "))
    assert cut.endswith("  아주 긴 …  complete  0.5")
    assert lines[-1] == "43210002: Evaluation Exception"


def test_what_the_list_tells_is_kept_for_the_runs(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    tiny_there.pending = 1
    kaggle_server.fail("tiny", Fault("CreateSubmission", 500, done=True, times=1))
    here(work, "submit", "tiny", "--yes", expect=1)
    for status in ("pending", "complete"):
        here(work, "submissions", "tiny", expect=0)
        assert load_ledger(ledger(work))[0].status == status
    (row,) = json.loads(here(work, "runs", "tiny", "--json", expect=0).out)
    assert (row["submitted"], row["public"]) == ("complete", 0.41)


def test_all_pages_of_submissions_are_read(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    tiny_there.submissions += [listed(number) for number in range(1, 251)]
    rows = as_csv(here(work, "submissions", "tiny", "--csv", expect=0).out)
    assert len({row["reference"] for row in rows}) == 250
    assert len(kaggle_server.asked("ListSubmissions")) == 3


def test_nothing_handed_in_is_nothing_to_show(here: Kc, work: Path) -> None:
    assert here(work, "submissions", "tiny", expect=0).out == "nothing yet\n"
    assert here(work, "submissions", "tiny", "--json", expect=0).out == "[]\n"
    header = "reference,time,run,message,status,public,private,error\n"
    assert here(work, "submissions", "tiny", "--csv", expect=0).out == header


def test_what_was_noted_before_there_were_services_is_still_shown(
    kc_here: Kc, trained_tiny: Path, tmp_path: Path
) -> None:
    work = copy_of(trained_tiny, tmp_path / "work")
    run = only_run(work, "tiny").name
    old = {"sha256": "ab", "run": run, "time": "2024-01-01T09:00:00+09:00", "how": "by hand"}
    ledger(work).write_text(json.dumps(old) + "\n", encoding="utf-8")
    lines = kc_here(work, "submissions", "tiny", expect=0).out.splitlines()
    assert lines[1].split() == [
        "-", "2024-01-01", "00:00", run.removeprefix("tiny-"), "by", "hand", "-",
    ]  # fmt: skip
    assert kc_here(work, "runs", "tiny", expect=0).out.splitlines()[1].endswith("by hand")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_dacon_s_submissions_are_those_of_the_ledger(
    kc_here: Kc,
    trained_tiny: Path,
    tmp_path: Path,
    dacon_server: DaconServer,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
) -> None:
    work = declare(copy_of(trained_tiny, tmp_path / "work"), DACON)
    monkeypatch.setenv("KC_LANG", language)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name, value in dacon_server.variables(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    dacon_server.answer({"message": "day_max_count"})
    kc_here(work, "submit", "tiny", "--yes", expect=1)
    done = kc_here(work, "submissions", "tiny", expect=0)
    assert {
        "en": f"this is what was noted here; scores are at {PAGE}",
        "ko": f"여기에 기록된 내용만 보여 줍니다. 점수는 {PAGE} 에서 확인하세요",
    }[language] in done.err
    assert {"en": "submit again tomorrow", "ko": "내일 다시 제출하세요"}[language] in done.out
    assert "refused" in done.out
    said = kc_here(work, "leaderboard", "tiny").error()
    assert (
        said
        == {
            "en": f"Dacon offers no leaderboard to programs; see it at {PAGE}/leaderboard",
            "ko": "데이콘은 프로그램용 리더보드를 제공하지 않습니다. "
            f"{PAGE}/leaderboard 에서 확인하세요",
        }[language]
    )


# --- leaderboard ---


def test_a_board_of_many_pages_is_read_to_its_end(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    tiny_there.leaderboard = [(f"팀 {i}", f"{0.3 + i / 1000:.5f}") for i in range(300)]
    done = here(work, "leaderboard", "tiny", "--score", "0.5", "--top", "3", expect=0)
    assert done.out.splitlines() == [
        "place  team  score    time (UTC)",
        "1      팀 0  0.30000  2024-05-06 07:08",
        "2      팀 1  0.30100  2024-05-06 07:08",
        "3      팀 2  0.30200  2024-05-06 07:08",
        "0.5 would be place 201 among 300 teams (1 equal), better than 33.0 % of them",
    ]
    assert len(kaggle_server.asked("GetLeaderboard")) == 3
    done = here(work, "leaderboard", "tiny", "--score", "0.5", "--top", "250", "--csv", expect=0)
    assert len(as_csv(done.out)) == 250
    assert "place 201 among 300 teams" in done.err
    found = json.loads(here(work, "leaderboard", "tiny", "--score", "9", "--json", expect=0).out)
    assert found["place"] == {
        "score": 9.0, "place": 301, "level": 0, "teams": 300, "percentile": 0.0,
    }  # fmt: skip
    assert len(found["teams"]) == 20


def test_a_board_that_was_read_to_its_end_gives_the_run_s_page_a_place(
    here: Kc, work: Path, tiny_there: Competition
) -> None:
    tiny_there.leaderboard = [(f"team {i}", f"{score}") for i, score in enumerate((0, 1, 1e6, 2e6))]
    here(work, "leaderboard", "tiny", "--score", "0.5", expect=0)
    page = Path(here(work, "report", "tiny", expect=0).out.strip()).read_text(encoding="utf-8")
    facts = page[page.index('<dl class="facts') : page.index("</dl>")]
    assert re.search(r"Place</dt>\s*<dd[^>]*>3<", facts), facts
    assert "of 4 teams on " in facts


def test_without_a_score_only_the_pages_that_are_shown_are_read(
    here: Kc, work: Path, tiny_there: Competition, kaggle_server: KaggleServer
) -> None:
    tiny_there.leaderboard = [(f"team {i}", f"{0.3 + i / 1000:.5f}") for i in range(300)]
    done = here(work, "leaderboard", "tiny", expect=0)
    assert len(done.out.splitlines()) == 21
    assert "kc leaderboard tiny --score X tells the place of any score" in done.err
    assert len(kaggle_server.asked("GetLeaderboard")) == 1


def test_the_best_public_score_of_the_ledger_is_placed(
    here: Kc, work: Path, tiny_there: Competition
) -> None:
    tiny_there.leaderboard = [("a", "0.40"), ("b", "0.41"), ("c", "0.42"), ("d", "")]
    for score in ("0.41", "0.44"):
        tiny_there.outcome = ("COMPLETE", score)
        here(work, "submit", "tiny", "--yes", "--again", "--wait", expect=0)
    out = here(work, "leaderboard", "tiny", expect=0).out.splitlines()
    assert out[-1] == "0.41 would be place 2 among 3 teams (1 equal), better than 33.3 % of them"
    assert out[-2].split() == ["4", "d", "-", "2024-05-06", "07:08"]


def test_a_greater_score_is_better_where_the_metric_says_so(
    here: Kc, work: Path, tiny_there: Competition
) -> None:
    declared = work / "competitions" / "tiny" / "competition.toml"
    declared.write_text(declared.read_text().replace('"rmse"', '"r2"'), encoding="utf-8")
    tiny_there.leaderboard = [(f"team {i}", f"{0.9 - i / 1000:.5f}") for i in range(300)]
    tiny_there.leaderboard.insert(100, ("level", "0.80000"))
    for score in ("0.8", "0.7"):
        tiny_there.outcome = ("COMPLETE", score)
        here(work, "submit", "tiny", "--yes", "--again", "--wait", expect=0)
    done = here(work, "leaderboard", "tiny", "--top", "1", expect=0)
    assert done.out.splitlines()[-1] == (
        "0.8 would be place 101 among 301 teams (2 equal), better than 66.1 % of them"
    )
    assert "one of them is wrong" not in done.err


def test_an_empty_board_is_said_to_be_empty(here: Kc, work: Path) -> None:
    assert here(work, "leaderboard", "tiny", expect=0).out == "nothing yet\n"
    done = here(work, "leaderboard", "tiny", "--score", "0.4", expect=0)
    assert done.out.splitlines()[-1] == ("0.4 would be place 1: no team is on the board yet")
    assert here(work, "leaderboard", "tiny", "--csv", expect=0).out == "place,team,score,time\n"


def test_names_that_steer_a_terminal_do_not(here: Kc, work: Path, tiny_there: Competition) -> None:
    tiny_there.leaderboard = [("\x1b[31mred\nteam", "0.1"), ("긴 이름의 팀 " * 12, "0.2")]
    out = here(work, "leaderboard", "tiny", expect=0).out
    assert "\x1b" not in out
    lines = out.splitlines()
    assert len(lines) == 3
    assert cell_len(lines[2]) <= 80
    assert lines[1].index("0.1") == lines[0].index("score")


def test_a_board_that_is_sorted_the_other_way_is_warned_of(
    here: Kc, work: Path, tiny_there: Competition
) -> None:
    tiny_there.leaderboard = [("a", "0.9"), ("b", "0.8")]
    assert (
        'with metric = "rmse" smaller scores are better; one of them is wrong'
        in here(work, "leaderboard", "tiny", expect=0).err
    )


def test_a_score_that_is_no_number_is_refused(here: Kc, work: Path) -> None:
    said = here(work, "leaderboard", "tiny", "--score", "nan").error()
    assert said == "--score: expected a number, found nan"


def test_what_is_at_no_service_has_no_board(kc_here: Kc, trained_tiny: Path) -> None:
    said = kc_here(trained_tiny, "leaderboard", "tiny").error()
    assert said.startswith("tiny: has no leaderboard; competition.toml names no service")


def teams(*scores: float | None) -> list[Team]:
    return [Team(f"team {i}", score, str(score), NOW) for i, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("score", "greater", "expected"),
    [
        # smaller is better: 0.1, 0.2, 0.2, 0.3, no score
        (0.05, False, (1, 0, 100.0)),
        (0.1, False, (1, 1, 75.0)),
        (0.2, False, (2, 2, 25.0)),
        (0.25, False, (4, 0, 25.0)),
        (0.3, False, (4, 1, 0.0)),
        (0.4, False, (5, 0, 0.0)),
        # greater is better
        (0.4, True, (1, 0, 100.0)),
        (0.3, True, (1, 1, 75.0)),
        (0.2, True, (2, 2, 25.0)),
        (0.15, True, (4, 0, 25.0)),
        (0.05, True, (5, 0, 0.0)),
    ],
)
def test_a_place_counts_the_better_ones_in_the_metric_s_direction(
    score: float, greater: bool, expected: tuple[int, int, float]
) -> None:
    place, level, percentile = expected
    board = teams(0.1, 0.2, 0.2, 0.3, None)
    assert place_of(score, board, greater=greater) == Place(score, place, level, 4, percentile)
