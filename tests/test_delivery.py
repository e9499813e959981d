"""What a network error says of whether the request arrived."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from pipeline.sources.delivery import (
    OverdueError,
    call_within,
    one_line,
    reason_of,
    was_never_sent,
)


@pytest.fixture
def closed() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Make a server that answers one request with some bytes, and breaks the connection off."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(answer: bytes) -> str:
        def work() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        threading.Thread(target=work, daemon=True).start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    with listening:
        yield serve


def failure(url: str, **settings: object) -> requests.RequestException:
    with pytest.raises(requests.RequestException) as caught:
        requests.post(url, data=b"content", timeout=5, **settings)  # type: ignore[arg-type]
    return caught.value


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_a_refused_connection_sent_nothing(closed: str) -> None:
    error = failure(closed)
    assert was_never_sent(error)
    assert reason_of(error).endswith("Connection refused")


def test_a_proxy_that_is_not_there_sent_nothing(closed: str) -> None:
    for url in ("http://service.invalid/", "https://service.invalid/"):
        assert was_never_sent(failure(url, proxies={"http": closed, "https": closed}))


def test_a_tunnel_that_the_proxy_refuses_sent_nothing(answering: Callable[[bytes], str]) -> None:
    proxy = answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    error = failure("https://service.invalid/", proxies={"https": f"http://{proxy}"})
    assert was_never_sent(error)
    assert reason_of(error) == "403 Forbidden"


def test_a_connection_that_breaks_off_may_have_sent_all(
    answering: Callable[[bytes], str],
) -> None:
    error = failure(f"http://{answering(b'')}/")
    assert not was_never_sent(error)
    assert reason_of(error) == "Remote end closed connection without response"


def test_a_connection_that_breaks_off_behind_a_proxy_may_have_sent_all(
    answering: Callable[[bytes], str],
) -> None:
    error = failure("http://service.invalid/", proxies={"http": f"http://{answering(b'')}"})
    assert isinstance(error, requests.exceptions.ProxyError)  # which sounds as if it was not sent
    assert not was_never_sent(error)


def test_a_call_that_does_not_come_back_is_left() -> None:
    begun = time.monotonic()
    stopping = threading.Event()
    with pytest.raises(OverdueError):
        call_within(0.1, lambda: stopping.wait(60))
    stopping.set()
    assert time.monotonic() - begun < 30


def test_a_call_returns_and_raises_as_it_does_without_a_bound() -> None:
    assert call_within(60, lambda: None) is None
    with pytest.raises(ZeroDivisionError):
        call_within(60, lambda: 1 / 0)


def test_foreign_text_is_one_short_printable_line() -> None:
    assert one_line("a\n\tb\x1b[31m 가\u202e") == "a b [31m 가"
    assert one_line("x" * 300) == "x" * 197 + "..."
