"""A Dacon of one's own: a local HTTP server that takes submissions and keeps what it was sent.

    def test_something(dacon_server, kc):                # a fixture in conftest.py
        env = dacon_server.environment(tmp_path / "home")
        kc(workspace, "submit", "ddarung", "--yes", env=env)
        assert dacon_server.sent[0].fields["team_name"] == "따릉이 팀"

`reply` is what comes back: a status and a body. `hang` keeps it back for some seconds, `drop`
breaks the connection off instead; either way the submission was received.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from kaggle_server import PROXIES

TOKEN, TEAM = "planted-dacon-token-5b7e02", "따릉이 팀"
OK = {"message": "ok"}


@dataclass(frozen=True)
class Sent:
    """One submission as it arrived: the names of its parts in order, and what they held."""

    path: str
    names: tuple[str, ...]
    fields: dict[str, str]
    file_name: str
    content: bytes
    headers: dict[str, str]


class DaconServer:
    """The server: what it answers, and all that it was sent."""

    def __init__(self) -> None:
        self.reply: tuple[int, bytes] = (200, json.dumps(OK).encode())
        self.hang = 0.0
        self.drop = False
        self.location: str | None = None
        self.sent: list[Sent] = []
        self.stopping = threading.Event()
        self._server = _Listener(("127.0.0.1", 0), _Handler)
        self._server.dacon = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, body: Any, status: int = 200) -> None:
        """Let the next submissions be answered with a JSON body, or with bytes as they are."""
        self.reply = (status, body if isinstance(body, bytes) else json.dumps(body).encode())

    def variables(self, home: Path, *, token: bool = True, team: bool = True) -> dict[str, str]:
        """Return the variables that lead the command here."""
        home.mkdir(parents=True, exist_ok=True)
        found = {"KC_DACON_URL": self.url, "HOME": str(home), "USERPROFILE": str(home)}
        if token:
            found["DACON_TOKEN"] = TOKEN
        if team:
            found["DACON_TEAM"] = TEAM
        return found

    def environment(self, home: Path, **choices: Any) -> dict[str, str]:
        """Return the environment of a process that talks to this server, and to nothing else."""
        from conftest import environment

        kept = {name: value for name, value in environment().items() if name not in PROXIES}
        return {**kept, **self.variables(home, **choices)}

    def __enter__(self) -> "DaconServer":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def running() -> Iterator[DaconServer]:
    """Yield a server that accepts everything."""
    with DaconServer() as server:
        yield server


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    dacon: DaconServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away; that is what some tests let them do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        dacon = self.server.dacon
        body = self.rfile.read(int(self.headers["Content-Length"]))
        dacon.sent.append(_parsed(self.path, dict(self.headers.items()), body))
        if dacon.hang:
            dacon.stopping.wait(dacon.hang)
        if dacon.drop or dacon.stopping.is_set():
            self.close_connection = True
            return
        status, content = dacon.reply
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if dacon.location:
            self.send_header("Location", dacon.location)
        self.end_headers()
        self.wfile.write(content)


def _parsed(path: str, headers: dict[str, str], body: bytes) -> Sent:
    """Read multipart/form-data strictly enough to see the order of its parts."""
    from email.parser import BytesParser
    from email.policy import HTTP

    boundary = headers["Content-Type"].partition("boundary=")[2].encode()
    parts = []
    for piece in body.split(b"--" + boundary)[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        facts = BytesParser(policy=HTTP).parsebytes(head + b"\r\n\r\n")["Content-Disposition"]
        parts.append((facts.params, content.removesuffix(b"\r\n")))
    names = tuple(str(params["name"]) for params, _ in parts)
    fields = {
        str(params["name"]): content.decode()
        for params, content in parts
        if "filename" not in params
    }
    params, content = next(part for part in parts if "filename" in part[0])
    return Sent(path, names, fields, str(params["filename"]), content, headers)
