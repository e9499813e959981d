"""Dacon: submissions by token and team name; it hands out no files, scores or lists.

The request is that of Dacon's own package, dacon_submit_api 0.0.4. With
KC_DACON_CLIENT=dacon_submit_api the package that the person has installed sends it instead.
"""

import contextlib
import importlib
import io
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from pipeline.competition import Source
from pipeline.errors import SourceError, UnconfirmedError, UsageError
from pipeline.progress import Note, Warned, emit
from pipeline.sources import Receipt
from pipeline.sources import dacon_words as words
from pipeline.sources.delivery import (
    OverdueError,
    call_within,
    one_line,
    reason_of,
    was_never_sent,
)

URL = "https://openapi.dacon.io"
PACKAGE = "dacon_submit_api"
MOST_BYTES = 100 * 2**20
SLOWEST = 50_000  # bytes a second: a slower line is taken for a broken one
HIDDEN = "***"

# What a package's "no" says if it only lost the connection.
_LOST = re.compile(r"tim(ed?|ing)[ -]?out|connection|max retries|remote end|\b50\d\b", re.I)


@dataclass(frozen=True)
class DaconBoard:
    """Where a team submits to one competition; the token is shown nowhere.

    client: None, or the function post_submission_file of the person's own package.
    answer_seconds: how long an answer may take once the file is sent.
    """

    number: int
    team: str
    token: str = field(repr=False)
    page: str | None = None
    url: str = URL
    client: Callable[..., Any] | None = None
    answer_seconds: float = 120.0
    name: str = "Dacon"

    def submit(self, file: Path, message: str) -> Receipt:
        """Hand in a file, once; there is no number to find it by afterwards.

        Raises SourceError if Dacon refused it or nothing was sent, UnconfirmedError if it may have
        arrived.
        """
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise SourceError(words.too_large(file, size, MOST_BYTES))
        send = self._by_package if self.client else self._by_request
        try:
            answer = send(file, message, self.answer_seconds + size / SLOWEST)
        except requests.RequestException as error:
            raise self._failure(error) from None
        except OverdueError:
            raise self._unconfirmed(words.no_answer(self.answer_seconds)) from None
        return self._receipt(answer)

    def _by_request(self, file: Path, message: str, most: float) -> requests.Response:
        fields = [
            ("cpt_id", str(self.number)),
            ("team_name", self.team),
            ("file_name", file.name),
            ("memo", message),
            ("api_token", self.token),
            ("api_version", "2.0"),
        ]

        def post() -> requests.Response:
            with file.open("rb") as content:
                return requests.post(
                    f"{self.url}/submission",
                    data=fields,
                    files={"file": (file.name, content)},
                    timeout=(10, self.answer_seconds),
                    proxies={"http": ""},  # plain HTTP goes to this machine only; see _address()
                    allow_redirects=False,  # the token goes nowhere else
                )

        return call_within(most, post)

    def _by_package(self, file: Path, message: str, most: float) -> Any:
        """Return what the person's package returns; what it prints is told without the token."""
        client = self.client
        assert client is not None
        arguments = (str(file), self.token, str(self.number), self.team, message)
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                return call_within(most, lambda: client(*arguments))
        except (requests.RequestException, OverdueError):
            raise
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"
            raise self._unconfirmed(words.package_failed(self._shown(reason))) from None
        finally:
            for line in printed.getvalue().splitlines():
                emit(Note(PACKAGE, self._shown(line)))

    def _receipt(self, answer: Any) -> Receipt:
        """Return the receipt for an explicit yes, and raise for everything else."""
        if isinstance(answer, requests.Response):
            return self._receipt_of_response(answer)
        if isinstance(answer, dict):
            return self._receipt_of_dict(answer)
        if answer is None:
            raise self._unconfirmed(words.package_said_nothing())
        raise self._unconfirmed(words.unknown_answer(None, self._shown(answer)))

    def _receipt_of_response(self, response: requests.Response) -> Receipt:
        status = response.status_code
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            if 400 <= status < 500 and status != requests.codes.request_timeout:
                raise SourceError(words.refused_with_status(status, ""))
            raise self._unconfirmed(words.not_json(status))
        message, code = (self._shown(answer.get(key)) for key in ("message", "data"))
        if message == "ok" and response.ok:
            return Receipt(None, words.accepted())
        refusal = words.refusal(message, code)
        if refusal:
            raise SourceError(refusal)
        if 400 <= status < 500 and status != requests.codes.request_timeout:
            raise SourceError(words.refused_with_status(status, message))
        raise self._unconfirmed(words.unknown_answer(status, message))

    def _receipt_of_dict(self, answer: dict[str, Any]) -> Receipt:
        """Read {"isSubmitted": bool, "detail": str}, of which a no may hide a lost connection."""
        verdict, detail = answer.get("isSubmitted"), self._shown(answer.get("detail"))
        if verdict is True:
            return Receipt(None, words.accepted())
        if verdict is not False or _LOST.search(detail):
            raise self._unconfirmed(words.unknown_answer(None, detail))
        raise SourceError(words.refusal(detail, "") or words.refused(detail or PACKAGE))

    def _failure(self, error: requests.RequestException) -> SourceError:
        reason = self._shown(reason_of(error))
        if was_never_sent(error):
            return SourceError(words.not_reached(reason))
        if isinstance(error, requests.Timeout):
            return self._unconfirmed(words.no_answer(self.answer_seconds))
        return self._unconfirmed(words.connection_lost(reason))

    def _unconfirmed(self, what: str) -> UnconfirmedError:
        return UnconfirmedError(words.unconfirmed(what, self.page))

    def _shown(self, text: Any) -> str:
        """Return a foreign text in one line, and never the token."""
        return one_line("" if text is None else str(text).replace(self.token, HIDDEN))


def open_dacon(source: Source) -> DaconBoard:
    """Return the board of a declared competition, with the person's token and team.

    Raises SourceError naming what is missing and where to put it.
    """
    assert source.number is not None  # the declaration was checked
    team = source.team or os.environ.get("DACON_TEAM", "").strip()
    token = read_token(source.page)
    if not team:
        raise SourceError(words.no_team(source.page))
    return DaconBoard(
        number=source.number,
        team=team,
        token=token,
        page=source.page,
        url=_address(),
        client=_chosen_client(),
    )


def read_token(page: str | None = None) -> str:
    """Return the person's token: from DACON_TOKEN, the file DACON_TOKEN_FILE, or ~/.dacon/token.

    Raises SourceError if there is none. A file that others can read is named by a warning.
    """
    if token := os.environ.get("DACON_TOKEN", "").strip():
        return _checked(token, "DACON_TOKEN")
    named = os.environ.get("DACON_TOKEN_FILE", "")
    path = Path(named).expanduser() if named else Path.home() / ".dacon" / "token"
    if not named and not path.exists():
        raise SourceError(words.no_token(page))
    try:
        content = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise SourceError(words.unreadable_token(path, error.strerror or "")) from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        emit(Warned(words.open_token(path)))
    return _checked(content.decode("utf-8-sig", errors="replace").strip(), path)


def _checked(token: str, where: object) -> str:
    if not re.fullmatch(r"[!-~]+", token):
        raise SourceError(words.bad_token(where))
    return token


def _address() -> str:
    """Return the service's address; only to this machine may a token go unencrypted."""
    url = os.environ.get("KC_DACON_URL", "").strip().rstrip("/") or URL
    parts = urlsplit(url)
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
        raise SourceError(words.unsafe_address(url))
    return url


def _chosen_client() -> Callable[..., Any] | None:
    """Return the installed package's function if KC_DACON_CLIENT asks for it."""
    chosen = os.environ.get("KC_DACON_CLIENT", "").strip()
    if not chosen:
        return None
    if chosen != PACKAGE:
        raise UsageError(f"KC_DACON_CLIENT: expected {PACKAGE!r} or nothing, found {chosen!r}")
    try:
        package = importlib.import_module(PACKAGE)
        if not hasattr(package, "post_submission_file"):  # it is in a module of the same name
            package = importlib.import_module(f"{PACKAGE}.{PACKAGE}")
        function: Callable[..., Any] = package.post_submission_file
    except Exception as error:  # whatever somebody else's module does
        reason = one_line(f"{type(error).__name__}: {error}")
        raise SourceError(words.package_missing(reason)) from None
    return function
