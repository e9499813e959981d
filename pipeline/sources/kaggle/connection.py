"""Calls to Kaggle through its own client, made safe.

    with connect() as kaggle:
        page = kaggle.call("list_data_files", competition_name="titanic", page_size=200)
        print([file.name for file in page.files])

The client logs in while it is imported, prints to stdout, may end the process, and waits for ever.
Here it is imported when first needed, alone and offline; each request has a timeout; what is worth
asking again is asked a few times; and every error is a SourceError that says what to do.
"""

import contextlib
import io
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from pipeline.errors import SourceError, UsageError
from pipeline.progress import Warned, emit
from pipeline.sources.kaggle import refusals
from pipeline.sources.kaggle.credentials import Credential, found_credentials

T = TypeVar("T")

TIMEOUT = 30.0  # seconds for a connection, and between two answers of a socket
PAUSES = (0.5, 1.0, 2.0)  # seconds before the second, third and fourth try
LONGEST_PAUSE = 60.0  # seconds of Retry-After that are waited for


class Connection:
    """Kaggle's client, logged in by one credential."""

    def __init__(self, client: Any, credential: Credential) -> None:
        self.client = client
        self.credential = credential

    @property
    def host(self) -> str:
        """The service's name, as errors print it."""
        return _host()

    @property
    def session(self) -> requests.Session:
        """The session of the client's requests."""
        return self.client.http_client()._session

    def call(self, method: str, *, once: bool = False, **fields: Any) -> Any:
        """Return the client's answer to one call, such as "list_submissions".

        once: never ask again, for what must not happen twice. fields: those of the request, as
        competition_name; those that are None are left out.
        Raises SourceError.
        """
        slug = fields.get("competition_name")
        with self._explained(slug):
            return self.retried(lambda: self.call_once(method, **fields), once=once)

    def call_once(self, method: str, **fields: Any) -> Any:
        """Return the client's answer, or let its error through."""
        _, request = _request(method, fields)
        return getattr(self.client.competitions.competition_api_client, method)(request)

    def answer(self, method: str, **fields: Any) -> dict[str, Any]:
        """Return an answer's JSON as it came, where the client's types would not know a word.

        Raises SourceError.
        """
        with self._explained(fields.get("competition_name")):
            return self.retried(lambda: self.answer_once(method, **fields))

    def answer_once(self, method: str, **fields: Any) -> dict[str, Any]:
        """Return an answer's JSON as it came, or let the client's error through."""
        name, request = _request(method, fields)
        service = "competitions.CompetitionApiService"
        found = self.client.http_client().call(service, name, request, _Json)
        if not isinstance(found, dict):
            raise ValueError(f"expected a JSON object, found {type(found).__name__}")
        return found

    def upload(self, url: str, file: Path) -> None:
        """Send a file's bytes to the address that start_submission_upload gave.

        Nothing is submitted by it yet, so it is tried again. Raises SourceError.
        """

        def send() -> None:
            with file.open("rb") as stream, new_session() as session:
                # An empty file would be sent in chunks, without a length.
                content = stream if file.stat().st_size else b""
                session.put(url, data=content).raise_for_status()

        with self._explained(None):
            self.retried(send)

    def content(self, method: str, **fields: Any) -> bytes:
        """Return the bytes of a small download, as "download_leaderboard".

        Raises SourceError.
        """

        def receive() -> bytes:
            with self.call_once(method, **fields) as response:
                return bytes(response.content)

        with self._explained(fields.get("competition_name")):
            return self.retried(receive)

    def retried(self, send: Callable[[], T], *, once: bool = False) -> T:
        """Return what a request brings, asking a busy service a few times."""
        for pause in (*PAUSES, None):
            try:
                return send()
            except Exception as error:
                wait = None if once or pause is None else _wait(error, pause)
                if wait is None:
                    raise
                why = refusals.status_of(error) or "connection lost"
                emit(Warned(f"{self.host}: {why}; trying again in {wait:.1f} s"))
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    @contextlib.contextmanager
    def _explained(self, slug: str | None) -> Iterator[None]:
        """Turn the client's errors into SourceErrors; none of them carries a secret.

        The cause is left out: an address may be signed, and what signs it is a secret too.
        """
        try:
            yield
        except SourceError:
            raise
        except Exception as error:
            raise self.explain(error, slug) from None

    def explain(self, error: Exception, slug: str | None) -> SourceError:
        """Return the SourceError that an error of the client means."""
        from pipeline.sources.kaggle.suggestions import forbidden

        status = refusals.status_of(error)
        if isinstance(error, requests.RequestException) and status is None:
            return refusals.unreachable(error, self.host)
        if status is None:
            return SourceError(_unreadable(error))
        reason = self.without_secret(refusals.reason_of(error))
        if status == 401:
            return refusals.unauthorised(self.credential, reason)
        if status in (403, 404):
            return forbidden(self, slug, status, reason)
        if status in refusals.BUSY:
            return refusals.busy(error, self.host)
        return SourceError(f"{self.host}: refused ({status}): {reason}")

    def without_secret(self, text: str) -> str:
        """Return a text of the service with the secret, if it repeats it, taken out."""
        return text.replace(self.credential.secret, "***") if self.credential.secret else text


@contextlib.contextmanager
def connect() -> Iterator[Connection]:
    """Yield a connection by the first credential that is found.

    Raises SourceError if there is none, or the client cannot be imported.
    """
    usable = [credential for credential in found_credentials() if not credential.fault]
    if not usable:
        raise refusals.no_credentials()
    credential = usable[0]
    for found in found_credentials():
        if found.fault:
            emit(Warned(f"Kaggle: the {found.kind} of {found.where} {found.fault}"))
    if credential.advice:
        emit(Warned(credential.advice))
    with _client(**_secrets(credential)) as client:
        yield Connection(client, credential)


def check_reachable(seconds: float = 5.0) -> None:
    """Check that Kaggle answers at all; no credential is used.

    Raises SourceError.
    """
    url = endpoint()
    try:
        requests.head(url, timeout=seconds, allow_redirects=False)
    except requests.RequestException as error:
        raise refusals.unreachable(error, _host()) from None


def endpoint() -> str:
    """Return the address of the service, which KAGGLE_API_ENVIRONMENT may change."""
    from kagglesdk.kaggle_env import get_endpoint, get_env

    return str(get_endpoint(get_env()))


def new_session() -> requests.Session:
    """Return a session without a credential, each of whose requests has a timeout."""
    session = requests.Session()
    _limit(session)
    return session


def timeout() -> float:
    """Return the seconds after which a silent service is given up, from KC_TIMEOUT.

    Raises UsageError.
    """
    given = os.environ.get("KC_TIMEOUT", TIMEOUT)
    with contextlib.suppress(ValueError):
        if 0 < float(given) < 86_400:
            return float(given)
    raise UsageError(f"KC_TIMEOUT: expected seconds, as 60; found {given!r}")


class _Json:
    """What the client shall make of an answer: its JSON."""

    @staticmethod
    def prepare_from(response: requests.Response) -> Any:
        return response.json()


def _request(method: str, fields: dict[str, Any]) -> tuple[str, Any]:
    """Return a call's name at the service, and its request."""
    from kagglesdk.competitions.types import competition_api_service as types

    name = "".join(word.title() for word in method.split("_"))
    request = getattr(types, f"Api{name}Request")()
    for field, value in fields.items():
        if value is not None:
            setattr(request, field, value)
    return name, request


class _TimedAdapter(HTTPAdapter):
    """An adapter whose requests never wait for ever."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def send(self, request: Any, *args: Any, **settings: Any) -> Any:
        settings["timeout"] = settings.get("timeout") or self.seconds
        return super().send(request, *args, **settings)


def _limit(session: requests.Session) -> None:
    adapter = _TimedAdapter(timeout())
    session.mount("https://", adapter)
    session.mount("http://", adapter)


@contextlib.contextmanager
def _client(**secrets: str | None) -> Iterator[Any]:
    """Yield a client that is logged in by the secrets, with a timeout on each request."""
    api = _kaggle_api()
    local = [argument for argument in api.args if argument != "--verbose"]  # it prints secrets
    with api.build_kaggle_client_with_params(local, **secrets) as client:
        _limit(client.http_client()._session)
        yield client


def _secrets(credential: Credential) -> dict[str, str | None]:
    """Return a credential as the client takes it."""
    if credential.kind == "key":
        return {"username": credential.username, "password": credential.secret}
    if credential.kind == "token":
        return {"api_token": credential.secret}
    return {"api_token": _refreshed(credential)}


def _refreshed(credential: Credential) -> str:
    """Return the access token of a login, after having it renewed if it is old.

    Raises SourceError.
    """
    with _client() as client:
        from kagglesdk.kaggle_creds import KaggleCredentials

        kaggle = Connection(client, credential)
        with kaggle._explained(None):
            login = KaggleCredentials.load(client=client)
            token = kaggle.retried(login.get_access_token)
    if not token:
        raise SourceError(f"{credential.path}: gives no access token; run kaggle auth login")
    return str(token)


def _kaggle_api() -> Any:
    """Return the client's class, imported without its noise, its exit and its requests.

    Raises SourceError if it cannot be imported.
    """
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        with _offline(), contextlib.redirect_stdout(io.StringIO()):
            from kaggle.api.kaggle_api_extended import KaggleApi
    except PermissionError as error:
        raise SourceError(
            f"{error.filename}: Kaggle's client keeps its settings there, and cannot write; give "
            "another folder by KAGGLE_CONFIG_DIR"
        ) from None
    except (ImportError, SystemExit, OSError) as error:
        raise SourceError(
            f'Kaggle\'s client cannot be imported: {error}; run: pip install "kaggle>=2.2.4,<3" six'
        ) from None
    finally:  # with VERBOSE in the environment it turns everybody's logging on
        root.setLevel(level)
        root.handlers[:] = handlers
    return KaggleApi


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Refuse this thread's requests: as it is imported, the client checks a token without limit."""
    send, thread = requests.Session.send, threading.get_ident()

    def refuse(session: requests.Session, request: Any, **settings: Any) -> Any:
        if threading.get_ident() == thread:
            raise requests.ConnectionError("no requests while kaggle is imported")
        return send(session, request, **settings)

    requests.Session.send = refuse
    try:
        yield
    finally:
        requests.Session.send = send


def _host() -> str:
    return endpoint().split("://")[-1]


def _wait(error: Exception, pause: float) -> float | None:
    """Return the seconds to wait before the same request again, or None for never."""
    if not refusals.is_worth_retrying(error):
        return None
    asked = refusals.asked_to_wait(error)
    if asked is None:
        return pause * random.uniform(1.0, 1.5)
    return asked if asked <= LONGEST_PAUSE else None


def _unreadable(error: Exception) -> str:
    import importlib.metadata

    version = importlib.metadata.version("kaggle")
    return (
        f"Kaggle's client {version} cannot read the answer ({type(error).__name__}: "
        f"{' '.join(str(error).split())[:120]}); is a newer one out? pip install -U kaggle"
    )
