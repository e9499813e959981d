"""Dacon: the request as it goes out, what each answer means, and a token that nobody sees."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from dacon_server import TEAM, TOKEN, DaconServer

from pipeline.competition import Source
from pipeline.errors import SourceError, UnconfirmedError, UsageError
from pipeline.progress import Note, Warned, listening
from pipeline.sources import Receipt
from pipeline.sources.dacon import MOST_BYTES, DaconBoard, open_dacon, read_token

PAGE = "https://dacon.io/competitions/open/235576"
SOURCE = Source(kind="dacon", number=235576, url=PAGE)
NAMES = ("cpt_id", "team_name", "file_name", "memo", "api_token", "api_version", "file")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let nothing of this machine's user count: no token, no proxy, no locale."""
    for name in (
        "DACON_TOKEN",
        "DACON_TOKEN_FILE",
        "DACON_TEAM",
        "KC_DACON_URL",
        "KC_DACON_CLIENT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "submission.csv"
    path.write_bytes(b"id,count\n1,2.5\n")
    return path


def board(server: DaconServer | None = None, **choices: Any) -> DaconBoard:
    url = server.url if server else "https://nowhere.invalid"
    return DaconBoard(
        **{"number": 235576, "team": TEAM, "token": TOKEN, "page": PAGE, "url": url} | choices
    )


def refused(make: Callable[[], Any], kind: type[SourceError] = SourceError) -> str:
    """Return the one line of an error of exactly that kind, which shows no token."""
    with pytest.raises(SourceError) as caught:
        make()
    assert type(caught.value) is kind, repr(caught.value)
    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


# --- the request ---


def test_the_parts_go_out_in_the_order_of_the_protocol(
    dacon_server: DaconServer, file: Path
) -> None:
    assert board(dacon_server).submit(file, "첫 제출\n둘째 줄") == Receipt(
        None, "Dacon took the submission; the score is on its site"
    )
    (sent,) = dacon_server.sent
    assert (sent.path, sent.names) == ("/submission", NAMES)
    assert sent.fields == {
        "cpt_id": "235576",
        "team_name": TEAM,
        "file_name": "submission.csv",
        "memo": "첫 제출\n둘째 줄",
        "api_token": TOKEN,
        "api_version": "2.0",
    }
    assert (sent.file_name, sent.content) == ("submission.csv", file.read_bytes())
    assert "Authorization" not in sent.headers


def test_no_proxy_sees_a_token_that_is_not_encrypted(
    dacon_server: DaconServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY")
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
        board(dacon_server).submit(file, "")
    assert len(dacon_server.sent) == 1


def test_a_file_over_the_limit_is_not_sent(dacon_server: DaconServer, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    with large.open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)
    said = refused(lambda: board(dacon_server).submit(large, ""))
    assert said == (
        f"{large}: Dacon takes up to 104,857,600 bytes, found 104,857,601; write fewer digits"
    )
    assert dacon_server.sent == []


def test_a_redirect_is_not_followed_with_the_token(dacon_server: DaconServer, file: Path) -> None:
    dacon_server.answer({}, status=307)
    dacon_server.location = f"{dacon_server.url}/elsewhere"
    refused(lambda: board(dacon_server).submit(file, ""), UnconfirmedError)
    assert [sent.path for sent in dacon_server.sent] == ["/submission"]


# --- what answers mean ---

REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "over_max_count": (
        {"message": "over_max_count"},
        "all submissions that this competition allows are used up",
        "이 대회에서 허용된 제출 횟수를 모두 사용했습니다",
    ),
    "day_max_count": (
        {"message": "day_max_count"},
        "today's submissions are used up; submit again tomorrow",
        "오늘 제출할 수 있는 횟수를 모두 사용했습니다. 내일 다시 제출하세요",
    ),
    "1": (
        {"message": "wrong", "data": 1},
        "the header is not that of the sample submission (code 1)",
        "파일의 헤더(열 이름)가 제출 양식과 다릅니다 (코드 1)",
    ),
    "2": (
        {"message": "wrong", "data": 2},
        "the file could not be read as CSV (code 2)",
        "파일을 CSV로 읽을 수 없습니다 (코드 2)",
    ),
    "3": (
        {"message": "wrong", "data": "3"},
        "the number of rows is not that of the sample submission (code 3)",
        "행 개수가 제출 양식과 다릅니다 (코드 3)",
    ),
    "4": (
        {"message": "wrong", "data": 4},
        "there is a value that is missing or not allowed (code 4)",
        "비어 있거나 허용되지 않는 값이 있습니다 (코드 4)",
    ),
    "21": (
        {"message": "wrong", "data": 21},
        "a column has another type than in the sample submission (code 21)",
        "열의 데이터 타입이 제출 양식과 다릅니다 (코드 21)",
    ),
    "901": (
        {"message": "wrong", "data": 901},
        "the header does not match that of the sample submission (code 901)",
        "파일의 헤더(열 이름)가 제출 양식과 일치하지 않습니다 (코드 901)",
    ),
    "902": (
        {"message": "wrong", "data": 902},
        "the file could not be parsed (code 902)",
        "파일을 해석할 수 없습니다 (코드 902)",
    ),
    "903": (
        {"message": "wrong", "data": 903},
        "the number of rows does not match that of the sample submission (code 903)",
        "행 개수가 제출 양식과 일치하지 않습니다 (코드 903)",
    ),
    "904": (
        {"message": "wrong", "data": 904},
        "there is a value that is not valid (code 904)",
        "올바르지 않은 값이 있습니다 (코드 904)",
    ),
    "9021": (
        {"message": "wrong", "data": "9021"},
        "there are characters where only numbers may stand (code 9021)",
        "숫자만 들어가야 하는 곳에 문자가 있습니다 (코드 9021)",
    ),
    "unknown code": (
        {"message": "wrong", "data": 77},
        "the file is wrong, by a code that is not known here (77)",
        "파일에 문제가 있습니다. 알려지지 않은 코드입니다 (77)",
    ),
    "no code": (
        {"message": "wrong"},
        "the file is wrong, by a code that is not known here (none)",
        "파일에 문제가 있습니다. 알려지지 않은 코드입니다 (없음)",
    ),
}


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("case", REFUSALS)
def test_each_refusal_has_its_sentence_in_both_languages(
    dacon_server: DaconServer,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    language: str,
) -> None:
    answer, english, korean = REFUSALS[case]
    monkeypatch.setenv("KC_LANG", language)
    dacon_server.answer(answer)
    said = refused(lambda: board(dacon_server).submit(file, ""))
    begins = {"en": "Dacon refused the submission: ", "ko": "데이콘이 제출을 거절했습니다: "}
    assert said == begins[language] + {"en": english, "ko": korean}[language]


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"message": "unauthorized"}, 401, "HTTP 401, 'unauthorized'"),
        (b"<html>too large</html>", 413, "HTTP 413"),
        ({"message": "day_max_count"}, 500, "today's submissions are used up"),
    ],
)
def test_an_explicit_no_is_a_refusal_whatever_its_form(
    dacon_server: DaconServer, file: Path, body: Any, status: int, reason: str
) -> None:
    dacon_server.answer(body, status=status)
    said = refused(lambda: board(dacon_server).submit(file, ""))
    assert said.startswith(f"Dacon refused the submission: {reason}")


@pytest.mark.parametrize(
    ("body", "status", "english", "korean"),
    [
        (
            b"<html>Oops</html>",
            200,
            "the answer is not what the protocol promises (HTTP 200, no JSON object)",
            "약속된 형식의 응답이 아닙니다 (HTTP 200, JSON 객체가 아님)",
        ),
        (b"[1]", 200, "(HTTP 200, no JSON object)", "(HTTP 200, JSON 객체가 아님)"),
        (b"", 502, "(HTTP 502, no JSON object)", "(HTTP 502, JSON 객체가 아님)"),
        (
            {"message": "new word"},
            200,
            "the answer is not known here (HTTP 200, 'new word')",
            "알려지지 않은 응답입니다 (HTTP 200, 'new word')",
        ),
        ({"message": "ok"}, 500, "(HTTP 500, 'ok')", "(HTTP 500, 'ok')"),
        ({}, 200, "(HTTP 200, '')", "(HTTP 200, '')"),
        ({"message": None}, 503, "(HTTP 503, '')", "(HTTP 503, '')"),
    ],
)
def test_what_is_neither_yes_nor_no_is_not_confirmed(
    dacon_server: DaconServer,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: Any,
    status: int,
    english: str,
    korean: str,
) -> None:
    dacon_server.answer(body, status=status)
    said = refused(lambda: board(dacon_server).submit(file, ""), UnconfirmedError)
    assert said == (
        f"Dacon did not confirm the submission: {said.partition(': ')[2].partition(';')[0]}; look "
        f"whether it is listed at {PAGE} (tab Submission), and only if it is not, submit once more "
        "with --again"
    )
    assert english in said
    monkeypatch.setenv("KC_LANG", "ko")
    said = refused(lambda: board(dacon_server).submit(file, ""), UnconfirmedError)
    assert said.startswith("데이콘에 제출되었는지 확인하지 못했습니다: ")
    assert said.endswith(
        f"{PAGE} 의 제출 탭에 있는지 먼저 확인하고, 없을 때만 --again 옵션으로 다시 제출하세요"
    )
    assert korean in said


def test_an_answer_that_does_not_come_is_not_confirmed(
    dacon_server: DaconServer, file: Path
) -> None:
    dacon_server.hang = 30.0
    said = refused(
        lambda: board(dacon_server, answer_seconds=0.3).submit(file, ""), UnconfirmedError
    )
    assert "no answer within 0 s" in said
    assert len(dacon_server.sent) == 1


def test_a_connection_that_breaks_after_sending_is_not_confirmed(
    dacon_server: DaconServer, file: Path
) -> None:
    dacon_server.drop = True
    said = refused(lambda: board(dacon_server).submit(file, ""), UnconfirmedError)
    assert "the connection was lost while sending (Remote end closed connection" in said
    assert len(dacon_server.sent) == 1


@pytest.mark.parametrize("client", [False, True])
def test_what_was_never_sent_may_be_sent_again(
    file: Path, monkeypatch: pytest.MonkeyPatch, client: bool
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"

        def package(*_: str) -> None:
            requests.post(url, timeout=5)

        choices = {"client": package} if client else {"url": url}
        said = refused(lambda: board(**choices).submit(file, ""))
        assert said.startswith("Dacon cannot be reached ([Errno")
        assert said.endswith("Connection refused); nothing was sent, so it is safe to try again")
        monkeypatch.setenv("KC_LANG", "ko")
        said = refused(lambda: board(**choices).submit(file, ""))
        assert said.startswith("데이콘에 연결할 수 없습니다 ([Errno")
        assert said.endswith("전송된 것이 없으므로 다시 시도해도 됩니다")


def test_a_service_that_repeats_the_token_does_not_show_it(
    dacon_server: DaconServer, file: Path
) -> None:
    dacon_server.answer({"message": f"bad token {TOKEN}"}, status=401)
    said = refused(lambda: board(dacon_server).submit(file, ""))
    assert said == "Dacon refused the submission: HTTP 401, 'bad token ***'"


def test_a_board_does_not_show_its_token() -> None:
    assert TOKEN not in repr(board())


# --- the person's own package ---


def response(body: bytes, status: int = 200) -> requests.Response:
    made = requests.Response()
    made.status_code, made._content = status, body
    return made


YES, NO, UNSURE = "yes", SourceError, UnconfirmedError


@pytest.mark.parametrize(
    ("returned", "expected", "phrase"),
    [
        ({"isSubmitted": True, "detail": "Success"}, YES, ""),
        ({"isSubmitted": False, "detail": "day_max_count"}, NO, "submit again tomorrow"),
        ({"isSubmitted": False, "detail": "팀 이름이 다릅니다"}, NO, "팀 이름이 다릅니다"),
        ({"isSubmitted": False, "detail": "Read timed out."}, UNSURE, "Read timed out."),
        ({"isSubmitted": False, "detail": "('Connection aborted.')"}, UNSURE, "aborted"),
        ({"isSubmitted": "true"}, UNSURE, "the answer is not known here"),
        ({"detail": "Success"}, UNSURE, "'Success'"),
        (response(b'{"message": "ok"}'), YES, ""),
        (response(b'{"message": "wrong", "data": 903}'), NO, "code 903"),
        (response(b"<html>", 500), UNSURE, "HTTP 500"),
        (None, UNSURE, "dacon_submit_api returned nothing"),
        (True, UNSURE, "'True'"),
    ],
)
def test_only_an_explicit_yes_of_the_package_is_a_success(
    file: Path, returned: Any, expected: Any, phrase: str
) -> None:
    asked: list[tuple[str, ...]] = []

    def post_submission_file(*arguments: str) -> Any:
        asked.append(arguments)
        return returned

    made = board(client=post_submission_file)
    if expected == YES:
        assert made.submit(file, "memo").reference is None
    else:
        assert phrase in refused(lambda: made.submit(file, "memo"), expected)
    assert asked == [(str(file), TOKEN, "235576", TEAM, "memo")]


@pytest.mark.parametrize("error", [RuntimeError(f"at {TOKEN}"), SystemExit(3), KeyError("data")])
def test_a_package_that_fails_may_have_submitted(file: Path, error: BaseException) -> None:
    def post_submission_file(*_: str) -> None:
        raise error

    said = refused(lambda: board(client=post_submission_file).submit(file, ""), UnconfirmedError)
    assert f"dacon_submit_api failed ({type(error).__name__}" in said


def test_what_the_package_prints_is_told_without_the_token(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def post_submission_file(path: str, token: str, *_: str) -> dict[str, Any]:
        print(f"sending {Path(path).name} with {token}")
        return {"isSubmitted": True}

    told: list[Any] = []
    with listening(told.append):
        board(client=post_submission_file).submit(file, "")
    assert told == [Note("dacon_submit_api", "sending submission.csv with ***")]
    assert capsys.readouterr() == ("", "")


def test_a_package_that_hangs_is_not_waited_for(file: Path) -> None:
    import threading

    stopping = threading.Event()
    try:
        made = board(client=lambda *_: stopping.wait(60), answer_seconds=0.2)
        assert "no answer within" in refused(lambda: made.submit(file, ""), UnconfirmedError)
    finally:
        stopping.set()


def test_a_package_that_is_not_there_is_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DACON_TOKEN", TOKEN)
    monkeypatch.setenv("DACON_TEAM", TEAM)
    monkeypatch.setenv("KC_DACON_CLIENT", "dacon_submit_api")
    said = refused(lambda: open_dacon(SOURCE))
    assert "(ModuleNotFoundError: No module named 'dacon_submit_api'); install the wheel" in said
    monkeypatch.setenv("KC_LANG", "ko")
    assert "dacon_submit_api를 불러올 수 없습니다" in refused(lambda: open_dacon(SOURCE))
    monkeypatch.setenv("KC_LANG", "en")
    monkeypatch.setenv("KC_DACON_CLIENT", "other")
    with pytest.raises(UsageError, match=r"^KC_DACON_CLIENT: expected 'dacon_submit_api' or noth"):
        open_dacon(SOURCE)


# --- token, team, address ---


def save_token(path: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def test_a_token_is_found_in_its_places_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    with listening(told.append):
        save_token(tmp_path / "home" / ".dacon" / "token", "from-home\r\n")
        assert read_token() == "from-home"
        named = save_token(tmp_path / "named", b"\xef\xbb\xbffrom-file\n")
        monkeypatch.setenv("DACON_TOKEN_FILE", str(named))
        assert read_token() == "from-file"
        monkeypatch.setenv("DACON_TOKEN", " from-env ")
        assert read_token() == "from-env"
    assert told == []


def test_a_token_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    path = save_token(tmp_path / "home" / ".dacon" / "token", TOKEN, 0o644)
    told: list[Any] = []
    with listening(told.append):
        assert read_token() == TOKEN
    assert told == [
        Warned(f"{path}: others on this machine can read the Dacon token; run chmod 600 {path}")
    ]


@pytest.mark.parametrize("content", ["", "two words", "two\nlines", b"\xff\xfe", "비밀번호"])
def test_what_is_no_token_is_not_shown(tmp_path: Path, content: str | bytes) -> None:
    path = save_token(tmp_path / "home" / ".dacon" / "token", content)
    said = refused(read_token)
    assert said == (
        f"{path}: expected a Dacon token, one line without spaces, and found something else; copy "
        "the token once more"
    )


def test_without_a_token_it_is_said_where_to_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused(lambda: read_token(PAGE))
    assert said.startswith("no Dacon token: make one at dacon.io (My page, account settings)")
    assert said.endswith(f"by hand at {PAGE} and note it with kc submit --by-hand")
    monkeypatch.setenv("KC_LANG", "ko")
    assert refused(lambda: read_token(PAGE)).startswith(
        "데이콘 토큰이 없습니다. dacon.io 마이페이지의"
    )
    monkeypatch.setenv("DACON_TOKEN_FILE", "/nowhere/token")
    assert "데이콘 토큰을 읽을 수 없습니다: No such file" in refused(read_token)


def test_a_team_is_declared_or_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DACON_TOKEN", TOKEN)
    assert "write it as [source] team in competition.toml" in refused(lambda: open_dacon(SOURCE))
    monkeypatch.setenv("KC_LANG", "ko")
    assert "팀 이름이 없습니다" in refused(lambda: open_dacon(SOURCE))
    monkeypatch.setenv("DACON_TEAM", TEAM)
    assert open_dacon(SOURCE).team == TEAM
    declared = Source(kind="dacon", number=1, team="우리 팀")
    assert open_dacon(declared).team == "우리 팀"


def test_a_token_goes_unencrypted_to_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DACON_TOKEN", TOKEN)
    monkeypatch.setenv("DACON_TEAM", TEAM)
    assert open_dacon(SOURCE).url == "https://openapi.dacon.io"
    for url in ("http://127.0.0.1:80", "http://localhost:1", "https://proxy.example/dacon/"):
        monkeypatch.setenv("KC_DACON_URL", url)
        assert open_dacon(SOURCE).url == url.rstrip("/")
    for url in ("http://proxy.example", "ftp://localhost", "openapi.dacon.io"):
        monkeypatch.setenv("KC_DACON_URL", url)
        assert "the token would be sent unencrypted" in refused(lambda: open_dacon(SOURCE))
