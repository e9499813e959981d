"""Whether a request that failed can have arrived, and how long one may take."""

import threading
from collections.abc import Callable
from typing import Any

import requests
import urllib3.exceptions

_DETAIL = 200  # characters of a foreign text that are shown


class OverdueError(Exception):
    """A call did not come back in time; what it began may still happen."""


def was_never_sent(error: requests.RequestException) -> bool:
    """Tell whether a request surely never reached the service, so that it is safe to repeat.

    That is so where no connection came about: refused, not resolved, timed out while connecting, a
    proxy that does not answer, a certificate that is not trusted.
    """
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    if isinstance(error, requests.exceptions.SSLError):
        return "CERTIFICATE_VERIFY_FAILED" in str(error)
    causes = [getattr(one, "reason", one) for one in error.args]
    return any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes)


def reason_of(error: BaseException) -> str:
    """Return the innermost, most particular part of a network error, in one line."""
    while inner := _inner(error):
        error = inner
    return one_line(str(error).rsplit(": ", 1)[-1]) or type(error).__name__


def _inner(error: BaseException) -> BaseException | None:
    """Return the error that an error wraps as its reason or among its arguments."""
    wrapped = [getattr(error, "reason", None), *reversed(error.args)]
    return next((one for one in wrapped if isinstance(one, BaseException)), None)


def one_line(text: str, most: int = _DETAIL) -> str:
    """Return a foreign text as it can stand in an error: one line, of bounded length, printable."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else line[: most - 3] + "..."


def call_within(seconds: float, function: Callable[[], Any]) -> Any:
    """Return what a call returns, or raise what it raises, waiting for a bounded time.

    Raises OverdueError when the time is over. The call goes on in a thread that does not keep the
    process alive: code that knows no timeout cannot be stopped in any other way.
    """
    outcome: list[tuple[bool, Any]] = []

    def work() -> None:
        try:
            outcome.append((True, function()))
        except BaseException as error:
            outcome.append((False, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise OverdueError(f"no answer within {seconds:.0f} s")
    is_value, value = outcome[0]
    if is_value:
        return value
    raise value
