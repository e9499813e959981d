"""Kaggle's own client, imported without what it does while it is imported, and with timeouts."""

import contextlib
import io
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from pipeline.errors import SourceError, UsageError

TIMEOUT = 30.0  # seconds for a connection, and between two answers of a socket


@contextlib.contextmanager
def open_client(secrets: Mapping[str, str | None], seconds: float | None = None) -> Iterator[Any]:
    """Yield a client that is logged in by the secrets, with a timeout on each request.

    secrets: username and password, or api_token. Raises SourceError if it cannot be imported.
    """
    api = _kaggle_api()
    local = ["--local"] if _is_local() else []  # "--verbose" would print secrets
    with api.build_kaggle_client_with_params(local, **secrets) as client:
        session = client.http_client()._session
        if "password" in secrets:  # the client would send a token that it finds, broken or not
            session.auth = (secrets["username"], secrets["password"])
        _limit(session, seconds)
        yield client


def endpoint() -> str:
    """Return the address of the service, which KAGGLE_API_ENVIRONMENT=LOCALHOST changes."""
    from kagglesdk.kaggle_env import KaggleEnv, get_endpoint

    return str(get_endpoint(KaggleEnv.LOCAL if _is_local() else KaggleEnv.PROD))


def host() -> str:
    """Return the service's name, as errors print it."""
    return endpoint().split("://")[-1]


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


def _is_local() -> bool:
    return os.environ.get("KAGGLE_API_ENVIRONMENT") == "LOCALHOST"


class _TimedAdapter(HTTPAdapter):
    """An adapter whose requests never wait for ever."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def send(self, request: Any, *args: Any, **settings: Any) -> Any:
        settings["timeout"] = settings.get("timeout") or self.seconds
        return super().send(request, *args, **settings)


def _limit(session: requests.Session, seconds: float | None = None) -> None:
    adapter = _TimedAdapter(seconds or timeout())
    session.mount("https://", adapter)
    session.mount("http://", adapter)


def _kaggle_api() -> Any:
    """Return the client's class, imported without its noise, its exit and its requests.

    Raises SourceError if it cannot be imported.
    """
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        noise = io.StringIO()
        with _offline(), contextlib.redirect_stdout(noise), contextlib.redirect_stderr(noise):
            from kaggle.api.kaggle_api_extended import KaggleApi
    except OSError as error:
        raise SourceError(
            f"{error.filename}: Kaggle's client keeps its settings there, and cannot make the "
            f"folder ({error.strerror}); give another one by KAGGLE_CONFIG_DIR"
        ) from None
    except (ImportError, SystemExit) as error:
        raise SourceError(
            f"Kaggle's client cannot be imported ({type(error).__name__}: {error}); run: "
            'pip install "kaggle>=2.2.4,<3" six'
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
