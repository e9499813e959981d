"""What Kaggle refused, as one sentence that says what to do."""

import contextlib
import importlib.metadata
import json
import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from pipeline.errors import SourceError
from pipeline.sources.kaggle.credentials import SETTINGS, Credential, found_credentials

_BREAKS = (
    "RemoteDisconnected", "IncompleteRead", "ConnectionResetError", "BrokenPipeError",
    "ReadTimeoutError",
)  # fmt: skip
LONGEST_PAUSE = 60.0  # seconds of Retry-After that are waited for
BUSY = (429, 500, 502, 503, 504)  # worth asking again


def status_of(error: Exception) -> int | None:
    """Return the status of a refusal; the body's own code wins, since some come with HTTP 200."""
    response = getattr(error, "response", None)
    if response is None:  # a response with a 4xx status is falsy
        return None
    code = _body(response).get("code")
    return code if isinstance(code, int) and code >= 400 else int(response.status_code)


def reason_of(error: Exception) -> str:
    """Return what Kaggle gave as the reason, in one line, or the standard's word for the status."""
    response = getattr(error, "response", None)
    if response is None:
        return _one_line(str(error)) or type(error).__name__
    body = _body(response)
    return _one_line(str(body.get("message") or response.reason or ""))


def asked_to_wait(error: Exception) -> float | None:
    """Return the seconds of Retry-After, which may be a number or a date."""
    response = getattr(error, "response", None)
    given = None if response is None else response.headers.get("Retry-After")
    if given is None:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(given))
    try:
        return max(0.0, (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def pause_before(error: Exception, pause: float) -> float | None:
    """Return the seconds to wait before the same request again, or None for never.

    pause: what is waited, and a bit, where the service asks for nothing.
    """
    if not (_was_dropped(error) or status_of(error) in BUSY):
        return None
    asked = asked_to_wait(error)
    if asked is None:
        return pause * random.uniform(1.0, 1.5)
    return asked if asked <= LONGEST_PAUSE else None


def no_credentials() -> SourceError:
    """Return the error that names the ways to give a credential."""
    broken = [f"{one.where} {one.fault}" for one in found_credentials() if one.fault]
    seen = f" ({'; '.join(broken)})" if broken else ""
    return SourceError(
        f"no Kaggle credentials{seen}: make a token at {SETTINGS} and put it in KAGGLE_API_TOKEN "
        "or in ~/.kaggle/access_token, or save its kaggle.json in ~/.kaggle, or run "
        "kaggle auth login"
    )


def unauthorised(credential: Credential, reason: str, is_active: bool | None) -> SourceError:
    """Return the error that names the credential that was refused, why, and what it hides.

    is_active: what Kaggle says of a token, if it says anything.
    """
    why = f"401 {reason}"
    if is_active is not None:
        why += "; it is active" if is_active else "; it is not active: expired or revoked"
    new = "run kaggle auth login" if credential.kind == "login" else f"make a new one at {SETTINGS}"
    return SourceError(
        f"Kaggle refused the {credential.kind} of {credential.where} ({why}); {new}"
        f"{_hidden_by(credential)}"
    )


def _hidden_by(credential: Credential) -> str:
    """Return the sentence about a key that a token hides, if there is one."""
    others = [one for one in found_credentials() if one.kind != credential.kind and not one.fault]
    if credential.kind != "token" or not others:
        return ""
    where = credential.path or credential.where.removeprefix("the variable ")
    away = f"remove {where}" if credential.path else f"unset {where}"
    return f", or {away}: it hides the {others[0].kind} of {others[0].where}"


def is_of_storage(error: Exception) -> bool:
    """Tell whether not the service refused, but the place where it keeps files."""
    response = getattr(error, "response", None)
    return response is not None and response.request.method != "POST"


def closed_storage(error: Exception, reason: str) -> SourceError:
    """Return the error of a place that does not give or take a file, though the service sent us."""
    response: Any = getattr(error, "response", None)
    place = urlsplit(response.url).hostname
    return SourceError(
        f"{place}: Kaggle's storage refused the file ({response.status_code} {reason}); nothing is "
        "lost, run the same command again"
    )


def unreachable(error: Exception, host: str) -> SourceError:
    """Return the error of a connection that never was, or broke off."""
    if isinstance(error, requests.exceptions.SSLError):
        return SourceError(
            f"{host}: its certificate is not trusted here; behind a company's proxy give its "
            "certificates by REQUESTS_CA_BUNDLE"
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return SourceError(
            f"{host}: cannot be reached through the proxy of HTTPS_PROXY or HTTP_PROXY; "
            f"check these variables"
        )
    if isinstance(error, requests.Timeout):
        return SourceError(f"{host}: no answer in time; try again, or give KC_TIMEOUT more seconds")
    how = "broke off the connection" if _was_dropped(error) else "cannot be reached"
    advice = "try again" if _was_dropped(error) else "are you offline? Check the connection"
    return SourceError(f"{host}: {how}; {advice}")


def busy(error: Exception, host: str) -> SourceError:
    """Return the error of a service that is overloaded or down."""
    status, wait = status_of(error), asked_to_wait(error)
    later = "later" if wait is None else f"in {wait:.0f} s, as it asks"
    if status == 429:
        return SourceError(f"{host}: too many requests (429); try again {later}")
    return SourceError(
        f"{host}: Kaggle has a fault ({status} {reason_of(error)}); try again {later}"
    )


def unreadable(error: Exception) -> SourceError:
    """Return the error of an answer that the client's types do not know, or that is no answer."""
    version = importlib.metadata.version("kaggle")
    return SourceError(
        f"Kaggle's client {version} cannot read the answer ({type(error).__name__}: "
        f"{_one_line(str(error))[:120]}); is a newer one out? pip install -U kaggle"
    )


def _was_dropped(error: Exception) -> bool:
    """Tell a connection that broke off from one that never was."""
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return True
    text = repr(error)
    return isinstance(error, requests.ConnectionError) and any(word in text for word in _BREAKS)


def _body(response: Any) -> dict[str, Any]:
    """Return a refusal's JSON object; real ones of 401 and 429 wrap it in "error"."""
    if "json" not in response.headers.get("Content-Type", ""):
        return {}
    try:
        body = json.loads(response.text)
    except (ValueError, RecursionError, requests.RequestException):
        return {}
    body = body if isinstance(body, dict) else {}
    inner = body.get("error")
    return inner if isinstance(inner, dict) else body


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
