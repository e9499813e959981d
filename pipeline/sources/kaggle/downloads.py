"""One file's bytes from Kaggle, continued where a drop, a kill or an error cut them off.

    download/.bike-sharing-demand.zip.part    what is here so far
    download/.bike-sharing-demand.zip.json    which state of the remote file that is
    download/bike-sharing-demand.zip          all of it

Bytes are only added to a part if the service says that they belong to the same state of the file
(Range and If-Range), and a part is only given up after the service has answered with another one.
"""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3

from pipeline.errors import SourceError
from pipeline.progress import Downloaded, emit
from pipeline.sources.kaggle.connection import Connection
from pipeline.storage import save_text, storing

BLOCK = 2**18  # bytes that are read at once, at most
EVERY = 0.1  # seconds between two events
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before the next tries of one file


@dataclass(frozen=True)
class Wanted:
    """What to download: a call of the client that leads to it, and its name here."""

    name: str
    method: str
    file_name: str | None = None


@dataclass(frozen=True)
class State:
    """Which state of a remote file some bytes belong to.

    validator: its ETag or else its Last-Modified, None if it has neither. bytes: its size, None if
    the service does not say.
    """

    validator: str | None
    bytes: int | None


def is_unchanged(kaggle: Connection, slug: str, wanted: Wanted, validator: str | None) -> bool:
    """Tell whether a remote file is still in the state of a validator, without reading it.

    Raises SourceError.
    """
    if validator is None:
        return False
    with (
        kaggle.explained(slug),
        kaggle.retried(lambda: _open(kaggle, slug, wanted, _unless(validator))) as response,
    ):
        return response.status_code == 304 or validator == _state(response).validator


def download(kaggle: Connection, slug: str, wanted: Wanted, folder: Path) -> State:
    """Bring a file's bytes to folder/NAME, and return the state that they are.

    Raises SourceError, or StorageError; what has arrived by then is kept for the next call.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    part = _Part(folder / wanted.name)
    with kaggle.explained(slug):
        return kaggle.retried(lambda: _receive(kaggle, slug, wanted, part), pauses=PAUSES)


def state_of(wanted: Wanted, folder: Path) -> State | None:
    """Return the state of the bytes that a download has brought to a folder."""
    return _Part(folder / wanted.name).state()


class _Part:
    """The bytes that are here, and their state; hidden, so that no part is taken for a file."""

    def __init__(self, whole: Path) -> None:
        self.whole = whole
        self.path = whole.with_name(f".{whole.name}.part")
        self.note = whole.with_name(f".{whole.name}.json")

    def state(self) -> State | None:
        """Return the state of the bytes that are here, or None if that is not known."""
        try:
            table = json.loads(self.note.read_text(encoding="utf-8"))
            return State(table["validator"], table["bytes"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def size(self) -> int:
        """Return the number of bytes of a part that are here."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def begin(self, state: State) -> None:
        """Start over with a new state."""
        with storing(self.path):
            self.forget()
            save_text(self.note, json.dumps(asdict(state)))
            self.path.touch()

    def forget(self) -> None:
        """Remove the bytes that are here."""
        for path in (self.whole, self.path, self.note):
            path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the bytes their name: they are all."""
        with storing(self.whole):
            self.path.replace(self.whole)


def _receive(kaggle: Connection, slug: str, wanted: Wanted, part: _Part) -> State:
    """Ask for what is missing, and write it; all is asked for if nothing can be continued."""
    known = part.state()
    with _open(kaggle, slug, wanted, _condition(part, known)) as response:
        status = response.status_code
        if known and part.whole.is_file() and (status == 304 or _state(response) == known):
            return known
        if status in (206, 304, 416):
            if known is None or not _continues(response, part, known):
                return _start_over(kaggle, slug, wanted, part, response)
        else:
            known = _state(response)
            part.begin(known)
        if status != 416:
            _append(response, part, known.bytes)
    part.finish()
    return known


def _start_over(
    kaggle: Connection, slug: str, wanted: Wanted, part: _Part, response: requests.Response
) -> State:
    """Ask for all, after an answer that does not fit what is here.

    Raises SourceError if nothing was here that it could not fit.
    """
    if part.state() is None:
        where = urlsplit(response.url).hostname
        raise SourceError(f"{where}: answered {response.status_code} to a plain request; try later")
    part.forget()
    return _receive(kaggle, slug, wanted, part)


def _condition(part: _Part, known: State | None) -> dict[str, str]:
    """Return the headers that ask for no more than what is missing."""
    if known is None or known.validator is None:
        return {}
    if part.whole.is_file():
        return _unless(known.validator)
    if part.size() and not known.validator.startswith("W/"):  # a weak ETag may mean other bytes
        return {"Range": f"bytes={part.size()}-", "If-Range": known.validator}
    return {}


def _unless(validator: str) -> dict[str, str]:
    is_tag = validator.startswith(('"', "W/"))
    return {"If-None-Match" if is_tag else "If-Modified-Since": validator}


def _open(
    kaggle: Connection, slug: str, wanted: Wanted, headers: dict[str, str]
) -> requests.Response:
    fields = {} if wanted.file_name is None else {"file_name": wanted.file_name}
    return kaggle.open(wanted.method, headers, competition_name=slug, **fields)


def _state(response: requests.Response) -> State:
    length = response.headers.get("Content-Length", "")
    validator = response.headers.get("ETag") or response.headers.get("Last-Modified")
    return State(validator, int(length) if length.isdecimal() else None)


def _continues(response: requests.Response, part: _Part, known: State) -> bool:
    """Tell whether an answer starts where the part ends, or says that nothing is beyond it."""
    given = str(response.headers.get("Content-Range", ""))
    if response.status_code == 416:
        return given == f"bytes */{part.size()}"
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", given)
    if response.status_code != 206 or not match or int(match[1]) != part.size():
        return False
    return match[2] == "*" or known.bytes is None or int(match[2]) == known.bytes


def _append(response: requests.Response, part: _Part, total: int | None) -> None:
    """Write the answer's bytes behind those that are here.

    Raises SourceError if fewer come than were promised, and StorageError.
    """
    name, done, told = part.whole.name, part.size(), 0.0
    try:
        with part.path.open("ab") as file:
            for block in _blocks(response):
                file.write(block)
                done += len(block)
                if time.monotonic() - told > EVERY:
                    told = time.monotonic()
                    emit(Downloaded(name, done, total))
    except requests.RequestException:  # an OSError too, but not of the disk
        raise
    except OSError:
        with storing(part.path):
            raise
    emit(Downloaded(name, done, total))
    if total is not None and done != total:
        raise SourceError(f"{name}: expected {total:,} bytes, and {done:,} came; run it again")


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """Yield the bytes as they come; before an error, also those that came before it.

    iter_content would wait for a whole block, and lose it when the connection breaks off.
    """
    try:
        while block := response.raw.read1(BLOCK):
            yield block
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error) from error
