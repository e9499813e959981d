"""Calls by the real client to a local server: every error, and what a credential is and hides."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from conftest import environment
from kaggle_server import KEY, REFRESH_TOKEN, RULES, TOKEN, USERNAME, Fault, KaggleServer

from pipeline.errors import SourceError, UsageError
from pipeline.progress import Event, Warned, listening
from pipeline.sources.kaggle import (
    Connection,
    check_reachable,
    connect,
    found_credentials,
    list_files,
)
from pipeline.sources.kaggle.refusals import asked_to_wait, unreachable

PLANTED = (KEY, TOKEN, REFRESH_TOKEN)


@pytest.fixture
def home(tmp_path: Path, kaggle_server: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of somebody without credentials, from which Kaggle is the local server."""
    kaggle_server.enter(monkeypatch, tmp_path / "home", key=False)
    return tmp_path / "home"


@pytest.fixture
def with_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)


@pytest.fixture
def heard() -> Iterator[list[Event]]:
    """All events of the test."""
    events: list[Event] = []
    with listening(events.append):
        yield events


def refused(call: Callable[[Connection], object]) -> str:
    """Return the one line of a refused call; no secret is in it, nor in what led to it."""
    with pytest.raises(SourceError) as caught, connect() as kaggle:
        call(kaggle)
    message = str(caught.value)
    assert "\n" not in message
    assert not any(secret in message for secret in PLANTED)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return message


def listing(slug: str) -> Callable[[Connection], object]:
    return lambda kaggle: kaggle.call("list_data_files", competition_name=slug)


def put(path: Path, content: object, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    path.chmod(mode)
    return path


# --- what the service may answer ---


@pytest.mark.usefixtures("with_key")
def test_a_call_returns_what_the_client_read(kaggle_server: KaggleServer) -> None:
    kaggle_server.add("titanic", {"train.csv": b"12345"})
    with connect() as kaggle:
        (file,) = kaggle.call("list_data_files", competition_name="titanic").files
    assert (file.name, file.total_bytes) == ("train.csv", 5)
    (seen,) = kaggle_server.seen
    assert seen.call == "ListDataFiles"
    assert seen.json == {"competitionName": "titanic"}


@pytest.mark.usefixtures("with_key")
@pytest.mark.parametrize(
    ("slug", "message"),
    [
        (
            "expired",
            "Kaggle refused the key of KAGGLE_USERNAME and KAGGLE_KEY (401 Unauthenticated); make "
            "a new one at https://www.kaggle.com/settings",
        ),
        (
            "soft403",
            "Kaggle refused soft403 (403: Permission denied); accept its rules at "
            "https://www.kaggle.com/competitions/soft403/rules, and verify your phone number at "
            "https://www.kaggle.com/settings if you are asked to; then run this again",
        ),
        (
            "limited-an-hour",
            "localhost: too many requests (429); try again in 3600 s, as it asks",
        ),
        (
            "missing",
            "no competition 'missing' at Kaggle (404: Not found); is "
            "https://www.kaggle.com/competitions/missing its address?",
        ),
    ],
)
def test_what_is_refused_is_said_at_once_and_never_asked_again(
    kaggle_server: KaggleServer, heard: list[Event], slug: str, message: str
) -> None:
    assert refused(listing(slug)) == message
    assert kaggle_server.calls().count("ListDataFiles") == 1
    assert heard == []


@pytest.mark.usefixtures("with_key")
def test_rules_that_are_not_accepted_name_the_page_to_accept_them(
    kaggle_server: KaggleServer,
) -> None:
    message = refused(
        lambda kaggle: kaggle.call("download_data_files", competition_name="no-rules")
    )
    assert message == (
        f"Kaggle refused no-rules (403: {RULES}); accept its rules at "
        "https://www.kaggle.com/competitions/no-rules/rules, and verify your phone number at "
        "https://www.kaggle.com/settings if you are asked to; then run this again"
    )
    assert kaggle_server.calls() == ["DownloadDataFiles"]


@pytest.mark.usefixtures("with_key")
@pytest.mark.parametrize("status", [403, 404])
def test_a_slug_that_does_not_exist_gets_the_nearest_that_does(
    kaggle_server: KaggleServer, status: int
) -> None:
    kaggle_server.add("titanic")
    kaggle_server.fail("titanik", Fault("RPC", status, "No"))
    seen = "" if status == 404 else " that you may see"
    assert refused(listing("titanik")) == (
        f"no competition 'titanik' at Kaggle{seen} ({status}: No); did you mean 'titanic'?"
    )


@pytest.mark.usefixtures("with_key")
def test_a_long_slug_is_searched_by_its_words(kaggle_server: KaggleServer) -> None:
    kaggle_server.add("house-prices-advanced-regression-techniques")
    message = refused(listing("house-price-advanced-regression"))
    assert message.endswith("did you mean 'house-prices-advanced-regression-techniques'?")
    assert len(kaggle_server.asked("ListCompetitions")) < 5


@pytest.mark.usefixtures("with_key")
def test_a_search_that_fails_leaves_the_first_error(kaggle_server: KaggleServer) -> None:
    kaggle_server.fail("*", Fault("ListCompetitions", 500, html=True))
    assert refused(listing("titanik")).startswith("no competition 'titanik' at Kaggle (404")
    kaggle_server.fail("private", Fault("RPC", 403, "No"))
    assert refused(listing("private")).startswith("Kaggle refused private (403: No); accept its ru")


@pytest.mark.usefixtures("with_key")
def test_a_busy_service_is_asked_again_when_it_says(
    kaggle_server: KaggleServer, heard: list[Event]
) -> None:
    began = time.monotonic()
    with connect() as kaggle:
        assert list_files(kaggle, "limited-a-moment")
    assert time.monotonic() - began >= 1
    assert kaggle_server.calls() == ["ListDataFiles", "ListDataFiles"]
    assert heard == [Warned("localhost: busy (429); trying again in 1.0 s")]


@pytest.mark.usefixtures("with_key")
@pytest.mark.parametrize(
    ("slug", "message"),
    [
        ("limited", "localhost: too many requests (429); try again later"),
        ("html500", "localhost: Kaggle has a fault (500 Internal Server Error); try again later"),
    ],
)
def test_a_service_that_stays_busy_is_asked_four_times(
    kaggle_server: KaggleServer, heard: list[Event], slug: str, message: str
) -> None:
    assert refused(listing(slug)) == message
    assert kaggle_server.calls() == ["ListDataFiles"] * 4
    assert len(heard) == 3


@pytest.mark.usefixtures("with_key")
def test_what_must_not_happen_twice_is_asked_once(kaggle_server: KaggleServer) -> None:
    def call(kaggle: Connection) -> object:
        return kaggle.call("create_submission", once=True, competition_name="html500")

    refused(call)
    assert kaggle_server.calls() == ["CreateSubmission"]


@pytest.mark.usefixtures("with_key")
def test_a_service_that_is_silent_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KC_TIMEOUT", "0.5")
    began = time.monotonic()
    message = refused(listing("silent"))
    assert message == ("localhost: no answer in time; try again, or give KC_TIMEOUT more seconds")
    assert time.monotonic() - began < 10


@pytest.mark.usefixtures("with_key")
@pytest.mark.parametrize("given", ["0", "-1", "soon", "nan", "1e9"])
def test_a_timeout_is_some_seconds(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("KC_TIMEOUT", given)
    with pytest.raises(UsageError, match="KC_TIMEOUT: expected seconds, as 60; found"), connect():
        pass


@pytest.mark.usefixtures("with_key")
def test_answers_that_the_client_cannot_read_are_no_bug_of_ours(
    kaggle_server: KaggleServer,
) -> None:
    assert "cannot read the answer (JSONDecodeError" in refused(listing("garbled"))
    competition = kaggle_server.add("titanic", outcome=("IN_REVIEW", ""))
    competition.submissions.append(
        {"ref": 1, "outcome": competition.outcome, "left": 0, "content": b""}
    )
    message = refused(lambda kaggle: kaggle.call("list_submissions", competition_name="titanic"))
    assert "cannot read the answer (KeyError: 'IN_REVIEW'); is a newer one out?" in message


@pytest.mark.usefixtures("with_key")
def test_what_the_service_gives_as_the_reason_is_passed_on(kaggle_server: KaggleServer) -> None:
    message = refused(
        lambda kaggle: kaggle.call("create_submission", once=True, competition_name="daily-limit")
    )
    assert message == ("localhost: refused (400): Submission not allowed: daily limit of 5 reached")


@pytest.mark.usefixtures("with_key")
def test_a_secret_that_the_service_repeats_is_taken_out(kaggle_server: KaggleServer) -> None:
    kaggle_server.fail("titanic", Fault("RPC", 400, f"bad key {KEY}!\n\nplease mend"))
    assert refused(listing("titanic")) == "localhost: refused (400): bad key ***! please mend"


@pytest.mark.usefixtures("with_key")
def test_an_upload_is_tried_again_and_its_signed_address_is_not_shown(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    kaggle_server.add("titanic")
    kaggle_server.fail("titanic", Fault("PUT", 503, html=True, times=1))
    file = tmp_path / "submission.csv"
    for content in ("id,count\n", ""):
        file.write_text(content, encoding="utf-8")
        with connect() as kaggle:
            place = kaggle.call(
                "start_submission_upload", competition_name="titanic", file_name=file.name,
                content_length=len(content), last_modified_epoch_seconds=1,
            )  # fmt: skip
            kaggle.upload(place.create_url, file)
        assert kaggle_server.uploads[place.token] == content.encode()
    assert kaggle_server.calls().count("PUT") == 3
    assert all("Authorization" not in seen.headers for seen in kaggle_server.asked("PUT"))
    kaggle_server.fail("titanic", Fault("PUT", 403, html=True))
    message = refused(lambda kaggle: kaggle.upload(place.create_url, file))
    assert message == (
        "localhost: Kaggle's storage refused the file (403 Forbidden); nothing is lost, run the "
        "same command again"
    )


# --- the way there ---


@pytest.mark.usefixtures("with_key")
def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://user:planted-password@127.0.0.1:9")
    message = refused(listing("titanic"))
    assert message == (
        "localhost: cannot be reached through the proxy of HTTPS_PROXY or HTTP_PROXY; "
        "check these variables"
    )
    with pytest.raises(SourceError, match="through the proxy"):
        check_reachable(1)


@pytest.mark.usefixtures("home")
def test_reachable_is_whatever_answers(kaggle_server: KaggleServer) -> None:
    check_reachable(5)
    assert kaggle_server.calls() == ["HEAD"]
    assert "Authorization" not in kaggle_server.seen[0].headers


def test_offline_is_told_from_a_dropped_connection() -> None:
    with pytest.raises(requests.ConnectionError) as caught:
        requests.get("http://127.0.0.1:9", timeout=5, proxies={"http": "", "all": ""})
    assert str(unreachable(caught.value, "api.kaggle.com")) == (
        "api.kaggle.com: cannot be reached; are you offline? Check the connection"
    )
    dropped = requests.ConnectionError("('Aborted', RemoteDisconnected('closed'))")
    assert str(unreachable(dropped, "api.kaggle.com")) == (
        "api.kaggle.com: broke off the connection; try again"
    )


@pytest.mark.usefixtures("with_key")
def test_a_missing_certificate_bundle_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = requests.exceptions.SSLError("certificate verify failed")
    assert "REQUESTS_CA_BUNDLE" in str(unreachable(certificate, "api.kaggle.com"))


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("7", 7), ("0.5", 0.5), ("-3", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("soon", None)],
)
def test_retry_after_is_a_number_or_a_date(given: str, seconds: float | None) -> None:
    response = requests.Response()
    response.headers["Retry-After"] = given
    assert asked_to_wait(requests.HTTPError(response=response)) == seconds


# --- credentials ---


@pytest.mark.usefixtures("home")
def test_without_credentials_the_ways_to_give_one_are_named(kaggle_server: KaggleServer) -> None:
    assert found_credentials() == ()
    assert refused(listing("titanic")) == (
        "no Kaggle credentials: make a token at https://www.kaggle.com/settings and put it in "
        "KAGGLE_API_TOKEN or in ~/.kaggle/access_token, or save its kaggle.json in ~/.kaggle, or "
        "run kaggle auth login"
    )
    assert kaggle_server.seen == []


TABLE = {"username": USERNAME, "key": KEY}
LOGIN = {"refresh_token": REFRESH_TOKEN, "username": USERNAME}
FRESH = {**LOGIN, "access_token": TOKEN, "access_token_expiration": "2099-01-01T00:00:00+00:00"}
STALE = {**FRESH, "access_token": "old", "access_token_expiration": "2020-01-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("kind", "where", "files", "variables"),
    [
        ("token", "the variable KAGGLE_API_TOKEN", {}, {"KAGGLE_API_TOKEN": TOKEN}),
        ("token", "~/t.txt, which KAGGLE_API_TOKEN names", {"t.txt": TOKEN + "\n"},
         {"KAGGLE_API_TOKEN": "~/t.txt"}),
        ("token", "~/.kaggle/access_token", {".kaggle/access_token": TOKEN}, {}),
        ("token", "~/.kaggle/access_token.txt", {".kaggle/access_token.txt": f"\ufeff{TOKEN}"}, {}),
        ("token", "the notebook's token", {"jwt": TOKEN},
         {"KAGGLE_API_V1_TOKEN": "~/jwt", "KAGGLE_KERNEL_RUN_TYPE": "Interactive"}),
        ("key", "KAGGLE_USERNAME and KAGGLE_KEY", {},
         {"KAGGLE_USERNAME": USERNAME, "KAGGLE_KEY": KEY}),
        ("key", "~/.kaggle/kaggle.json", {".kaggle/kaggle.json": TABLE}, {}),
        ("key", "~/.config/kaggle/kaggle.json", {".config/kaggle/kaggle.json": TABLE}, {}),
        ("key", "~/own/kaggle.json", {"own/kaggle.json": TABLE}, {"KAGGLE_CONFIG_DIR": "~/own"}),
        ("key", "KAGGLE_KEY and ~/.kaggle/kaggle.json",
         {".kaggle/kaggle.json": {"username": USERNAME, "key": "old"}}, {"KAGGLE_KEY": KEY}),
        ("login", "~/.kaggle/credentials.json", {".kaggle/credentials.json": FRESH}, {}),
        ("login", "~/.kaggle/credentials.json", {".kaggle/credentials.json": STALE}, {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_each_credential_is_found_named_and_used(
    kaggle_server: KaggleServer, home: Path, monkeypatch: pytest.MonkeyPatch,
    kind: str, where: str, files: dict[str, object], variables: dict[str, str],
) -> None:  # fmt: skip
    for name, content in files.items():
        put(home / name, content)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("~", str(home)))
    (found,) = found_credentials()
    assert (found.kind, found.where) == (kind, where.replace("~", str(home)))
    assert not any(secret in repr(found) for secret in PLANTED)
    kaggle_server.add("titanic")
    with connect() as kaggle:
        assert list_files(kaggle, "titanic")
    sent = kaggle_server.seen[-1].headers["Authorization"]
    assert sent == f"Bearer {TOKEN}" if kind != "key" else sent.startswith("Basic ")


@pytest.mark.usefixtures("home")
def test_settings_of_the_client_are_no_credential(home: Path) -> None:
    put(home / ".kaggle/kaggle.json", {"competition": "titanic"})
    assert found_credentials() == ()


def test_the_first_credential_is_the_one_that_is_sent(
    kaggle_server: KaggleServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home / ".kaggle/kaggle.json", TABLE)
    put(home / ".kaggle/credentials.json", LOGIN)
    put(home / ".kaggle/access_token", "another")
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert [one.kind for one in found_credentials()] == ["token", "key", "login"]
    kaggle_server.add("titanic")
    with connect() as kaggle:
        list_files(kaggle, "titanic")
    assert kaggle_server.seen[-1].headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_bad_token_that_hides_a_good_key_is_named(
    kaggle_server: KaggleServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = put(home / ".kaggle/kaggle.json", TABLE)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "planted-but-expired")
    kaggle_server.add("titanic")
    assert refused(listing("titanic")) == (
        "Kaggle refused the token of the variable KAGGLE_API_TOKEN (401 Unauthenticated; it is not "
        "active: expired or revoked); make a new one at https://www.kaggle.com/settings, or unset "
        f"KAGGLE_API_TOKEN: it hides the key of {key}"
    )
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    with connect() as kaggle:
        assert list_files(kaggle, "titanic")


def test_a_bad_token_in_a_file_says_which_file(home: Path) -> None:
    path = put(home / ".kaggle/access_token", "planted-but-expired")
    message = refused(listing("titanic"))
    assert message.startswith(f"Kaggle refused the token of {path} (401 Unauthenticated; it is not")
    assert "hides" not in message


@pytest.mark.usefixtures("home")
def test_a_token_check_that_hangs_is_given_up(
    kaggle_server: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle_server.add("titanic")
    kaggle_server.fail("*", Fault("IntrospectToken", hang=60))
    monkeypatch.setenv("KC_TIMEOUT", "1")
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    with connect() as kaggle:  # a good one is not checked beforehand
        assert list_files(kaggle, "titanic")
    assert kaggle_server.calls() == ["ListDataFiles"]
    monkeypatch.setenv("KAGGLE_API_TOKEN", "planted-but-expired")
    began = time.monotonic()
    message = refused(listing("titanic"))
    assert "(401 Unauthenticated); make a new one" in message
    assert time.monotonic() - began < 10


def test_a_login_that_was_revoked_says_so_and_is_not_deleted(home: Path) -> None:
    path = put(home / ".kaggle/credentials.json", {**STALE, "refresh_token": "revoked"})
    assert refused(listing("titanic")) == (
        f"Kaggle refused the login of {path} (401 Invalid refresh token); run kaggle auth login"
    )
    assert path.is_file()


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("kaggle.json", "{", "is not valid JSON"),
        ("kaggle.json", "[]", "is not a JSON object"),
        ("kaggle.json", {"username": USERNAME}, "has no key"),
        ("kaggle.json", {"key": KEY}, "has no username"),
        ("access_token", " \n", "is empty"),
        ("access_token", "two words", "holds characters that no token has; copy it again"),
        ("access_token", "토큰", "holds characters that no token has; copy it again"),
        ("credentials.json", {"scopes": []}, "has no refresh_token"),
    ],
)
def test_a_credential_that_cannot_be_one_is_named_and_not_used(
    kaggle_server: KaggleServer, home: Path, heard: list[Event], monkeypatch: pytest.MonkeyPatch,
    name: str, content: object, fault: str,
) -> None:  # fmt: skip
    path = put(home / ".kaggle" / name, content)
    (found,) = found_credentials()
    assert (found.where, found.fault) == (str(path), fault)
    message = refused(listing("titanic"))
    assert message.startswith(f"no Kaggle credentials ({path} {fault}): make a token")
    assert kaggle_server.seen == []
    good = {"KAGGLE_USERNAME": USERNAME, "KAGGLE_KEY": KEY}
    if name == "kaggle.json":
        good = {"KAGGLE_API_TOKEN": TOKEN}
    for variable, value in good.items():
        monkeypatch.setenv(variable, value)
    kaggle_server.add("titanic")
    with connect() as kaggle:
        assert list_files(kaggle, "titanic")
    assert heard == [Warned(f"Kaggle: the {found.kind} of {path} {fault}")]


@pytest.mark.skipif(os.name != "posix", reason="only POSIX files have such modes")
def test_a_file_that_others_can_read_is_warned_of_with_the_command_that_mends_it(
    kaggle_server: KaggleServer, home: Path, heard: list[Event]
) -> None:
    path = put(home / ".kaggle/kaggle.json", TABLE, mode=0o644)
    kaggle_server.add("titanic")
    with connect() as kaggle:
        list_files(kaggle, "titanic")
    assert heard == [Warned(f"{path}: other users can read this key; run: chmod 600 {path}")]
    path.chmod(0o600)
    with connect() as kaggle:
        list_files(kaggle, "titanic")
    assert len(heard) == 1


# --- the client's import ---

LIST = """
import logging, sys
from pipeline.sources.kaggle import connect, list_files
root = logging.getLogger().level, list(logging.getLogger().handlers)
try:
    with connect() as kaggle:
        print(len(list_files(kaggle, "titanic")))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
assert (logging.getLogger().level, logging.getLogger().handlers) == root
"""


def in_a_fresh_process(env: dict[str, str], code: str = LIST) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert not any(secret in done.stdout + done.stderr for secret in PLANTED)
    return done.stdout, done.stderr


def test_the_import_asks_nothing_prints_nothing_and_changes_no_logging(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    kaggle_server.add("titanic")
    kaggle_server.fail("*", Fault("IntrospectToken", hang=60))
    for number, choices in enumerate([{"token": TOKEN}, {"key": True}]):
        env = kaggle_server.environment(tmp_path / f"home{number}", **choices)
        assert in_a_fresh_process({**env, "VERBOSE": "1"}) == ("1\n", "")
    assert kaggle_server.calls() == ["ListDataFiles"] * 2


def test_the_import_survives_a_login_that_cannot_be_renewed_then(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    kaggle_server.add("titanic")
    env = kaggle_server.environment(tmp_path / "home", key=False)
    path = put(tmp_path / "home" / ".kaggle/credentials.json", STALE)
    assert in_a_fresh_process(env) == ("1\n", "")
    assert kaggle_server.calls() == ["GenerateAccessToken", "ListDataFiles"]
    assert json.loads(path.read_text())["access_token"] == TOKEN


def test_a_settings_folder_that_cannot_be_made_is_named(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    env = kaggle_server.environment(tmp_path / "home")
    put(tmp_path / "home" / ".config", "a file")
    out, err = in_a_fresh_process(env)
    assert err == ""
    assert out.startswith(f"SourceError: {tmp_path}/home/.config")
    assert "give another one by KAGGLE_CONFIG_DIR" in out


def test_a_client_that_is_not_whole_says_what_to_install(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    env = kaggle_server.environment(tmp_path / "home")
    out, _ = in_a_fresh_process(env, "import sys; sys.modules['six'] = None" + LIST)
    assert out.startswith("SourceError: Kaggle's client cannot be imported (ModuleNotFoundError: ")
    assert out.rstrip().endswith('; run: pip install "kaggle>=2.2.4,<3" six')


def test_a_client_that_ends_the_process_as_it_is_imported_does_not_end_ours(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    exits = "print('Authentication required'); raise SystemExit(1)"  # as versions before 2.2.4 do
    put(tmp_path / "old" / "kaggle" / "__init__.py", exits)
    env = kaggle_server.environment(tmp_path / "home")
    paths = [str(tmp_path / "old"), str(Path(__file__).parents[1]), env.get("PYTHONPATH", "")]
    out, err = in_a_fresh_process({**env, "PYTHONPATH": os.pathsep.join(paths)})
    assert err == ""
    assert out == (
        "SourceError: Kaggle's client cannot be imported (SystemExit: 1); run: "
        'pip install "kaggle>=2.2.4,<3" six\n'
    )


def test_another_thread_may_send_while_the_client_is_imported(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    code = """
import threading, requests
from pipeline.sources.kaggle.client import _offline
got = []
with _offline():
    thread = threading.Thread(target=lambda: got.append(requests.head("http://localhost/").status_code))
    thread.start(); thread.join()
    try:
        requests.head("http://localhost/")
    except requests.ConnectionError as error:
        got.append(str(error))
got.append(requests.head("http://localhost/").status_code)
print(got)
"""
    env = kaggle_server.environment(tmp_path / "home")
    out, _ = in_a_fresh_process(env, code)
    assert out == "[404, 'no requests while kaggle is imported', 404]\n"


def test_looking_for_credentials_does_not_load_the_client(tmp_path: Path) -> None:
    code = (
        "from pipeline.sources.kaggle import found_credentials; found_credentials()\n"
        "import sys; print({'kaggle', 'kagglesdk'} & {name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(HOME=str(tmp_path)),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "set()\n"
