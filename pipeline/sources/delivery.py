"""Whether a request that failed can have arrived, and how long one may take."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

_DETAIL = 200  # characters of a foreign text that are shown


class OverdueError(Exception):
    """A call did not come back in time; what it began may still happen."""


def was_never_sent(error: requests.RequestException) -> bool:
    """Tell whether a request surely never reached the service, so that it is safe to repeat.

    That is so where no connection came about: refused, not resolved, timed out while connecting, a
    tunnel that a proxy did not open, a certificate that is not trusted. The outer error alone does
    not tell: what breaks off behind a proxy is a ProxyError, too.
    """
    return any(
        isinstance(one, NewConnectionError | ConnectTimeoutError)
        or any(
            word in str(one) for word in ("Tunnel connection failed", "CERTIFICATE_VERIFY_FAILED")
        )
        for one in _layers(error)
    )


def reason_of(error: BaseException) -> str:
    """Return the innermost, most particular part of a network error, in one line."""
    *_, innermost = _layers(error)
    return one_line(str(innermost).rsplit(": ", 1)[-1]) or type(innermost).__name__


def _layers(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and what each wraps as its reason or among its arguments."""
    layer: BaseException | None = error
    while layer is not None:
        yield layer
        wrapped = [getattr(layer, "reason", None), *reversed(layer.args)]
        layer = next((one for one in wrapped if isinstance(one, BaseException)), None)


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
