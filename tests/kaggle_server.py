"""A Kaggle of one's own: a local HTTP server that the real client talks to.

    def test_something(kaggle_server, kc):               # fixtures in conftest.py
        kaggle_server.add("titanic", {"train.csv": b"...", "test.csv": b"..."})
        env = kaggle_server.environment(tmp_path / "home")        # a key; or token="good"
        kc(workspace, "fetch", "titanic", env=env)
        assert kaggle_server.calls() == ["ListDataFiles", "DownloadDataFiles", "GET"]

The client is led here by its environment alone: KAGGLE_API_ENVIRONMENT=LOCALHOST makes it ask
http://localhost, and HTTP_PROXY sends what is asked to this server's port. In one's own process,
`kaggle_server.enter(monkeypatch, home)` sets the same variables.

What goes wrong is set by faults, for one competition or (slug "*") for all:

    kaggle_server.fail("titanic", Fault("DownloadDataFiles", status=429, retry_after="1", times=2))
    kaggle_server.fail("titanic", Fault("GET", drop_after=1000, times=1))    # mid-file
    kaggle_server.fail("titanic", Fault("RANGE", status=403))                # in a resume
    kaggle_server.fail("*", Fault("IntrospectToken", hang=60))

or by a competition's name: see SCENARIOS. "missing" and whatever was not added is a 404.
Submissions are kept in `kaggle_server.competitions[slug].submissions`; `outcome` is what becomes of
the next ones after `pending` polls, with any text as its status.
"""

import base64
import contextlib
import hashlib
import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

USERNAME, KEY = "tester", "planted-key-4f1c9a7e"
TOKENS = {"planted-token-93d20b51": USERNAME}  # active; any other is inactive
TOKEN = next(iter(TOKENS))
REFRESH_TOKEN = "planted-refresh-token-2b77"
RULES = "You must accept this competition's rules before you'll be able to download files."
DATE = "2024-05-06T07:08:09.123Z"
LAST_MODIFIED = "Mon, 06 May 2024 07:08:09 GMT"
PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@dataclass(frozen=True)
class Fault:
    """What goes wrong at one kind of request.

    on: an RPC's name, "RPC" (any of them), "GET" (a file's bytes), "RANGE" (a GET that resumes) or
    "PUT" (an upload). times: how often; None is always. status: what is answered; html: with a page
    instead of JSON; soft: with the code in the body of a 200; nested: within {"error": ...}.
    hang: seconds of silence. drop_after: bytes of a file before the connection breaks off.
    extra_length: bytes that Content-Length promises too many (or, negative, too few).
    raw: a body to answer with instead, and its type. done: what was asked for happens all the same,
    and only its answer goes wrong.
    """

    on: str
    status: int = 0
    message: str = "refused"
    html: bool = False
    soft: bool = False
    nested: bool = False
    retry_after: str | None = None
    hang: float = 0.0
    drop_after: int | None = None
    extra_length: int = 0
    raw: tuple[bytes, str] | None = None
    done: bool = False
    times: int | None = None


NO_RULES = Fault("DownloadDataFiles", 403, RULES)
PARTICIPATE = "Permission 'competitions.participate' was denied"
SCENARIOS: dict[str, tuple[Fault, ...]] = {
    "no-rules": (
        NO_RULES,
        replace(NO_RULES, on="DownloadDataFile"),
        replace(NO_RULES, on="StartSubmissionUpload", message=PARTICIPATE),
        replace(NO_RULES, on="CreateSubmission", message=PARTICIPATE),
    ),
    "expired": (Fault("RPC", 401, "Unauthenticated", nested=True),),
    "limited": (Fault("RPC", 429, "Too many requests", nested=True),),
    "limited-a-moment": (Fault("RPC", 429, "Too many requests", retry_after="1", times=1),),
    "limited-an-hour": (Fault("RPC", 429, "Too many requests", retry_after="3600"),),
    "html500": (Fault("RPC", 500, html=True),),
    "soft403": (Fault("RPC", 403, "Permission denied", soft=True),),
    "flaky": (Fault("GET", drop_after=3000, times=1),),
    "too-long": (Fault("GET", extra_length=1000),),
    "too-short": (Fault("GET", extra_length=-1000),),
    "shut-in-resume": (Fault("GET", drop_after=3000, times=1), Fault("RANGE", 403, "expired")),
    "badupload": (Fault("PUT", 503, html=True),),
    "silent": (Fault("RPC", hang=60.0),),
    "garbled": (Fault("RPC", raw=(b"<html>Sign in to the hotel</html>", "text/html")),),
    "daily-limit": (
        Fault("CreateSubmission", 400, "Submission not allowed: daily limit of 5 reached"),
    ),
}


@dataclass
class Competition:
    """One competition of the server, and what was handed in to it."""

    slug: str
    title: str
    files: dict[str, bytes]
    entered: bool = True
    max_daily: int = 5
    version: int = 1  # a new one has other ETags and dates
    outcome: tuple[str, str] = ("COMPLETE", "0.41")  # status, and the score or the reason
    pending: int = 0  # polls before the outcome is there
    leaderboard: list[tuple[str, str]] = field(default_factory=list)  # team, score
    submissions: list[dict[str, Any]] = field(default_factory=list)
    bundle: bytes | None = None  # the archive, if it is not simply made of the files
    sizes: dict[str, int] = field(default_factory=dict)  # as they are listed, if not true
    packed: tuple[str, ...] = ()  # files that come as NAME.zip when asked for alone
    tags: bool = True  # without, files have no ETag
    lengths: bool = True  # without, files come in chunks, and nobody knows how many
    ranges: bool = True  # without, all of a file is sent whatever is asked

    def archive(self) -> bytes:
        """Return the bytes of the bundle."""
        return zip_of(self.files) if self.bundle is None else self.bundle

    def card(self) -> dict[str, Any]:
        """Return what the lists say about it."""
        return {
            "id": 1, "ref": f"https://www.kaggle.com/competitions/{self.slug}",
            "title": self.title, "category": "Getting Started", "reward": "Knowledge",
            "deadline": "2030-01-01T00:00:00Z", "teamCount": 3, "userHasEntered": self.entered,
            "maxDailySubmissions": self.max_daily, "evaluationMetric": "RMSLE",
        }  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """One request as it arrived: an RPC's name, "GET" or "PUT", and what came with it."""

    call: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    slug: str | None

    @property
    def json(self) -> dict[str, Any]:
        """The request of an RPC."""
        return json.loads(self.body)  # type: ignore[no-any-return]


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """Return the files as the same zip each time; names go in as they are."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 8)), content)
    return packed.getvalue()


class KaggleServer:
    """The server: its competitions, its faults, and all that it was asked."""

    def __init__(self) -> None:
        self.competitions: dict[str, Competition] = {}
        self.tokens = dict(TOKENS)
        self.keys = {USERNAME: KEY}
        self.refresh_tokens = {REFRESH_TOKEN}
        self.seen: list[Seen] = []
        self.sent = 0  # bytes of files that went out
        self.pace: float = 0.0  # seconds between two blocks of a file
        self.hold_after: int | None = None  # bytes of a file before nothing more comes
        self.page_size = 200  # the most files on one page
        self.uploads: dict[str, bytes] = {}
        self.names: dict[str, str] = {}  # of the files that were uploaded
        self.stopping = threading.Event()
        self._faults: dict[str, list[Fault]] = {}
        self._spent: dict[int, int] = {}
        self._lock = threading.RLock()
        self._server = _Listener(("127.0.0.1", 0), _Handler)
        self._server.kaggle = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "KaggleServer":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, slug: str, files: Mapping[str, bytes] | None = None, **facts: Any) -> Competition:
        """Add a competition; one of SCENARIOS has its faults at once."""
        facts.setdefault("title", slug.replace("-", " ").title())
        given = files if files is not None else {"train.csv": b"id,count\n1,16\n"}
        self.competitions[slug] = Competition(slug, files=dict(given), **facts)
        self._faults[slug] = [replace(fault) for fault in SCENARIOS.get(slug, ())]
        return self.competitions[slug]

    def fail(self, slug: str, *faults: Fault) -> None:
        """Let requests for a competition go wrong from now on, besides what did before."""
        self._faults.setdefault(slug, []).extend(replace(fault) for fault in faults)

    def mend(self, slug: str) -> None:
        """Let all requests for a competition go well again."""
        self._faults.pop(slug, None)

    def calls(self) -> list[str]:
        """Return what was asked, in order: RPCs by their names, GET and PUT."""
        return [seen.call for seen in self.seen]

    def asked(self, call: str) -> list[Seen]:
        """Return the requests of one kind."""
        return [seen for seen in self.seen if seen.call == call]

    def forget(self) -> None:
        """Forget what was asked so far."""
        self.seen.clear()
        self.sent = 0

    def variables(
        self, home: Path, *, token: str | None = None, key: bool = True
    ) -> dict[str, str]:
        """Return the variables that lead the client here, with a key unless a token is given."""
        home.mkdir(parents=True, exist_ok=True)
        found = {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST", "HTTP_PROXY": self.url, "http_proxy": self.url,
            "HOME": str(home), "USERPROFILE": str(home), "XDG_CONFIG_HOME": str(home / ".config"),
        }  # fmt: skip
        if token is not None:
            found["KAGGLE_API_TOKEN"] = token
        elif key:
            found.update(KAGGLE_USERNAME=USERNAME, KAGGLE_KEY=KEY)
        return found

    def environment(self, home: Path, **choices: Any) -> dict[str, str]:
        """Return the environment of a process that talks to this server, and to nothing else."""
        from conftest import environment

        held_back = (*PROXIES, "NO_PROXY", "no_proxy", "VERBOSE", "VERBOSE_OUTPUT", "KC_TIMEOUT")
        kept = {
            name: value
            for name, value in environment().items()
            if name not in held_back and not name.startswith("KAGGLE_")
        }
        return {**kept, **self.variables(home, **choices)}

    def enter(self, monkeypatch: Any, home: Path, **choices: Any) -> None:
        """Set this process's variables so that it talks to this server, and to nothing else."""
        import os

        wanted = self.environment(home, **choices)
        for name in [*os.environ]:
            if name not in wanted:
                monkeypatch.delenv(name)
        for name, value in wanted.items():
            monkeypatch.setenv(name, value)

    # --- what the handler asks ---

    def fault(self, slug: str | None, *kinds: str) -> Fault | None:
        """Return the first fault that is still to happen, and count it."""
        with self._lock:
            for fault in (*self._faults.get(slug or "", ()), *self._faults.get("*", ())):
                spent = self._spent.get(id(fault), 0)
                if fault.on in kinds and (fault.times is None or spent < fault.times):
                    self._spent[id(fault)] = spent + 1
                    return fault
        return None

    def note(self, seen: Seen) -> None:
        with self._lock:
            self.seen.append(seen)

    def count(self, n_bytes: int) -> None:
        with self._lock:
            self.sent += n_bytes

    def knows(self, authorization: str) -> bool:
        """Tell whether a request's credential is a good one."""
        kind, _, secret = authorization.partition(" ")
        if kind == "Bearer":
            return secret in self.tokens
        if kind == "Basic":
            username, _, key = base64.b64decode(secret).decode().partition(":")
            return self.keys.get(username) == key
        return False

    def answer(self, rpc: str, asked: dict[str, Any]) -> "dict[str, Any] | _Redirect | bytes":
        """Return what an RPC brings."""
        with self._lock:
            return getattr(self, f"_{_snake(rpc)}")(asked)  # type: ignore[no-any-return]

    def _the(self, asked: Mapping[str, Any]) -> Competition:
        slug = asked.get("competitionName", "")
        if slug not in self.competitions:
            raise _RefusalError(404, "Not found")
        return self.competitions[slug]

    def _introspect_token(self, asked: dict[str, Any]) -> dict[str, Any]:
        username = self.tokens.get(asked.get("token", ""))
        return {"active": True, "username": username} if username else {"active": False}

    def _generate_access_token(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked.get("refreshToken") not in self.refresh_tokens:
            raise _RefusalError(401, "Invalid refresh token")
        return {"token": TOKEN, "expiresIn": 43_200}

    def _list_competitions(self, asked: dict[str, Any]) -> dict[str, Any]:
        words = re.findall(r"\w+", asked.get("search", "").lower())
        found = [
            one.card()
            for one in self.competitions.values()
            if not words or any(word in f"{one.slug} {one.title}".lower() for word in words)
        ]
        first = 20 * (asked.get("page", 1) - 1)
        return {"competitions": found[first : first + 20], "nextPageToken": ""}

    def _get_competition(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._the(asked).card()

    def _list_data_files(self, asked: dict[str, Any]) -> dict[str, Any]:
        competition = self._the(asked)
        first = int(asked.get("pageToken") or 0)
        size = min(asked.get("pageSize", 20), self.page_size)
        date = DATE.replace("2024", str(2023 + competition.version))
        names = list(competition.files)
        files = [
            {"name": name, "ref": name, "creationDate": date,
             "totalBytes": competition.sizes.get(name, len(competition.files[name]))}
            for name in names[first : first + size]
        ]  # fmt: skip
        more = first + size < len(names)
        return {"files": files, "nextPageToken": str(first + size) if more else ""}

    def _download_data_files(self, asked: dict[str, Any]) -> "_Redirect":
        return _Redirect(f"/storage/{self._the(asked).slug}/archive.zip")

    def _download_data_file(self, asked: dict[str, Any]) -> "_Redirect":
        competition, name = self._the(asked), asked.get("fileName", "")
        if name not in competition.files:
            raise _RefusalError(404, "Not found")
        ending = ".zip" if name in competition.packed else ""
        return _Redirect(f"/storage/{competition.slug}/file/{quote(name)}{ending}")

    def _start_submission_upload(self, asked: dict[str, Any]) -> dict[str, Any]:
        token = f"upload-{len(self.uploads)}-{asked['competitionName']}"
        self._the(asked)
        self.uploads[token] = b""
        self.names[token] = asked.get("fileName", "")
        return {"token": token, "createUrl": f"http://localhost/upload/{token}?signature=s3cr3t"}

    def _create_submission(self, asked: dict[str, Any]) -> dict[str, Any]:
        competition = self._the(asked)
        content = self.uploads.get(asked.get("blobFileTokens", ""))
        if content is None:
            raise _RefusalError(400, "Submission not allowed: no such upload")
        if len(competition.submissions) >= competition.max_daily:
            raise _RefusalError(400, "Submission not allowed: daily limit reached")
        ref = 1001 + sum(len(one.submissions) for one in self.competitions.values())
        competition.submissions.insert(0, {
            "ref": ref, "date": datetime.now(UTC).isoformat()[:23] + "Z",
            "description": asked.get("submissionDescription", ""),
            "fileName": self.names.get(asked["blobFileTokens"], ""),
            "totalBytes": len(content), "submittedBy": USERNAME, "teamName": "Testers",
            "outcome": competition.outcome, "left": competition.pending, "content": content,
        })  # fmt: skip
        return {"message": f"Successfully submitted to {competition.title}", "ref": ref}

    def _get_submission_limits(self, asked: dict[str, Any]) -> dict[str, Any]:
        competition = self._the(asked)
        today = len(competition.submissions)
        left = max(0, competition.max_daily - today)
        return {"numToday": today, "numTotal": today, "numAllowedNow": left}

    def _list_submissions(self, asked: dict[str, Any]) -> dict[str, Any]:
        competition = self._the(asked)
        first = int(asked.get("pageToken") or 0)
        size = asked.get("pageSize", 20)
        shown = [_shown(one) for one in competition.submissions[first : first + size]]
        more = first + size < len(competition.submissions)
        return {"submissions": shown, "nextPageToken": str(first + size) if more else ""}

    def _get_submission(self, asked: dict[str, Any]) -> dict[str, Any]:
        for competition in self.competitions.values():
            for one in competition.submissions:
                if one["ref"] == asked.get("ref"):
                    return _shown(one)
        raise _RefusalError(404, "Not found")

    def _get_leaderboard(self, asked: dict[str, Any]) -> dict[str, Any]:
        competition = self._the(asked)
        first = int(asked.get("pageToken") or 0)
        size = asked.get("pageSize", 20)
        rows = [
            {"teamId": 100 + number, "teamName": team, "submissionDate": DATE, "score": score}
            for number, (team, score) in enumerate(competition.leaderboard)
        ]
        more = first + size < len(rows)
        return {
            "submissions": rows[first : first + size],
            "nextPageToken": str(first + size) if more else "",
        }

    def _download_leaderboard(self, asked: dict[str, Any]) -> bytes:
        competition = self._the(asked)
        lines = ["Rank,TeamId,TeamName,LastSubmissionDate,Score,SubmissionCount"]
        lines += [
            f"{rank},{99 + rank},{team},2024-05-06 07:08:09,{score},1"
            for rank, (team, score) in enumerate(competition.leaderboard, start=1)
        ]
        name = f"{competition.slug}-publicleaderboard-2024-05-06T07:08:09.csv"
        return zip_of({name: ("\n".join(lines) + "\n").encode()})

    def bytes_at(self, path: str) -> tuple[Competition, bytes]:
        """Return the competition and the bytes of an address below /storage/."""
        _, slug, *rest = [unquote(part) for part in path.strip("/").split("/")]
        competition = self.competitions[slug]
        if rest == ["archive.zip"]:
            return competition, competition.archive()
        name = "/".join(rest[1:])
        if name not in competition.files:
            name = name.removesuffix(".zip")
            return competition, zip_of({name: competition.files[name]})
        return competition, competition.files[name]


@contextlib.contextmanager
def running() -> Iterator[KaggleServer]:
    """Yield a server with one competition for each scenario."""
    with KaggleServer() as server:
        for slug in SCENARIOS:
            server.add(slug)
        yield server


@dataclass(frozen=True)
class _Redirect:
    path: str


class _RefusalError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def _shown(submission: dict[str, Any]) -> dict[str, Any]:
    """Return a submission as it is now; each look brings it nearer to its outcome."""
    facts = {name: value for name, value in submission.items()
             if name not in ("outcome", "left", "content")}  # fmt: skip
    status, told = submission["outcome"]
    facts.update(publicScore="", privateScore="", errorDescription="")
    if submission["left"] > 0:
        submission["left"] -= 1
        return {**facts, "status": "PENDING"}
    told_as = "errorDescription" if status == "ERROR" else "publicScore"
    return {**facts, "status": status, told_as: told}


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    kaggle: KaggleServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away; that is what some tests let them do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def log_message(self, *_: object) -> None:
        pass

    @property
    def kaggle(self) -> KaggleServer:
        return self.server.kaggle

    def do_HEAD(self) -> None:
        self._note("HEAD", b"", None)
        self._send(404, b"", "text/plain")

    def do_POST(self) -> None:
        body = self._body()
        rpc = urlsplit(self.path).path.rpartition("/")[2]
        asked = json.loads(body or b"{}")
        slug = asked.get("competitionName")
        self._note(rpc, body, slug)
        is_open = rpc in ("IntrospectToken", "GenerateAccessToken")  # asked to log in
        fault = self.kaggle.fault(slug, rpc, *([] if is_open else ["RPC"]))
        if fault and not fault.done and self._fail(fault):
            return
        if not is_open and not self.kaggle.knows(self.headers["Authorization"] or ""):
            error = {"code": 401, "message": "Unauthenticated", "status": "UNAUTHENTICATED"}
            self._send_json(401, {"error": error})
            return
        try:
            answer = self.kaggle.answer(rpc, asked)
        except _RefusalError as refusal:
            self._send_json(refusal.status, {"code": refusal.status, "message": refusal.message})
            return
        if fault and fault.done and self._fail(fault):
            return
        if isinstance(answer, _Redirect):
            where = f"http://localhost{answer.path}?X-Signature=planted-signature"
            self._send(302, b"", "text/plain", Location=where)
        elif isinstance(answer, bytes):
            self._send(200, answer, "application/zip")
        else:
            self._send_json(200, answer)

    def do_PUT(self) -> None:
        body = self._body()
        token = urlsplit(self.path).path.rpartition("/")[2]
        slug = token.split("-", 2)[-1]
        self._note("PUT", body, slug)
        fault = self.kaggle.fault(slug, "PUT")
        if fault and self._fail(fault):
            return
        self.kaggle.uploads[token] = body
        self._send(201, b"", "text/plain")

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        competition, content = self.kaggle.bytes_at(url.path)
        self._note("GET", b"", competition.slug)
        if parse_qs(url.query).get("X-Signature") != ["planted-signature"]:
            self._send(403, b"<Error>SignatureDoesNotMatch</Error>", "application/xml")
            return
        asked = self.headers["Range"]
        fault = self.kaggle.fault(competition.slug, "GET", *(["RANGE"] if asked else []))
        if fault and self._fail(fault):
            return
        self._send_file(competition, content, fault)

    def _send_file(self, competition: Competition, content: bytes, fault: Fault | None) -> None:
        states = {"Last-Modified": LAST_MODIFIED.replace("2024", str(2023 + competition.version))}
        if competition.tags:
            states["ETag"] = f'"v{competition.version}-{_digest(content)}"'
        unless = self.headers["If-None-Match"] or self.headers["If-Modified-Since"]
        if competition.ranges and unless in states.values():
            self._send(304, b"", None, **states)
            return
        start, total = 0, len(content)
        match = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if match and competition.ranges and self.headers["If-Range"] in (None, *states.values()):
            start = int(match[1])
            if start >= total:
                self._send(416, b"", None, **{"Content-Range": f"bytes */{total}"})
                return
        extra = fault.extra_length if fault else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "application/octet-stream")
        if competition.lengths:
            self.send_header("Content-Length", str(total - start + extra))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        for name, value in states.items():
            self.send_header(name, value)
        if competition.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if extra:
            self.close_connection = True
        self.end_headers()
        self._send_blocks(content[start:], fault, in_chunks=not competition.lengths)

    def _send_blocks(self, content: bytes, fault: Fault | None, *, in_chunks: bool) -> None:
        most = len(content) if fault is None or fault.drop_after is None else fault.drop_after
        if fault is not None and fault.extra_length < 0:
            most = len(content) + fault.extra_length
        if most < len(content):
            self.close_connection = True
        for first in range(0, most, 2**16):
            block = content[first : min(first + 2**16, most)]
            self.kaggle.count(len(block))
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if in_chunks else block)
            self.wfile.flush()
            if self.kaggle.pace:
                self.kaggle.stopping.wait(self.kaggle.pace)
            if self.kaggle.hold_after is not None and first >= self.kaggle.hold_after:
                self.kaggle.stopping.wait()
        if in_chunks and most == len(content):
            self.wfile.write(b"0\r\n\r\n")

    def _fail(self, fault: Fault) -> bool:
        """Answer as a fault says; False if the request is to be answered all the same."""
        if fault.hang:
            self.kaggle.stopping.wait(fault.hang)
            self.close_connection = True
            return True
        headers = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
        if fault.raw is not None:
            self._send(200, *fault.raw, **headers)
        elif fault.html:
            page = b"<html><title>Oops</title></html>"
            self._send(fault.status, page, "text/html", **headers)
        elif fault.status:
            body: dict[str, Any] = {"code": fault.status, "message": fault.message}
            body = {"error": {**body, "status": "X"}} if fault.nested else body
            self._send_json(200 if fault.soft else fault.status, body, **headers)
        else:
            return False
        return True

    def _note(self, call: str, body: bytes, slug: str | None) -> None:
        self.kaggle.note(Seen(call, self.path, dict(self.headers.items()), body, slug))

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def _send_json(self, status: int, body: Any, **headers: str) -> None:
        self._send(status, json.dumps(body).encode(), "application/json", **headers)

    def _send(self, status: int, body: bytes, kind: str | None, **headers: str) -> None:
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status not in (304,):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


if __name__ == "__main__":  # to try commands by hand; an argument: SLUG=FOLDER with files
    import sys
    import tempfile

    with running() as demo:
        for given in sys.argv[1:]:
            name, _, folder = given.partition("=")
            demo.add(name, {path.name: path.read_bytes() for path in Path(folder).iterdir()})
        for variable, value in demo.variables(Path(tempfile.mkdtemp())).items():
            print(f"export {variable}={value}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(86_400)
