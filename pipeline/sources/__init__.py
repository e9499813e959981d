"""Where a competition's files come from, and where submissions go: one class a service."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable


class Source(Protocol):
    """A place that hands over a competition's files."""

    @property
    def origin(self) -> str:
        """What the manifest says about the place, as "zip bike.zip" or "sample seed 42"."""

    def fetch(self, folder: Path) -> None:
        """Write the files into an empty folder.

        Raises SourceError if the place does not hand them over, and StorageError, or the OSError
        of a write, if the folder cannot take them.
        """


@dataclass(frozen=True)
class Receipt:
    """What a service answered to a submission that it accepted.

    reference: the service's number of it, or None where it gives none (Dacon). public: its score,
    where the service scores at once.
    """

    reference: str | None
    message: str
    public: float | None = None


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A submission as the service lists it.

    status: "pending", "complete", "error" or another word of the service, in lower case.
    time: UTC. public, private: scores, or None while there is none. error: why it has none.
    """

    reference: str
    time: datetime
    description: str
    file_name: str
    status: str
    public: float | None
    private: float | None
    error: str
    bytes: int | None


@dataclass(frozen=True)
class Team:
    """A row of a leaderboard: a team, its score as a number and as the service writes it."""

    name: str
    score: float | None
    text: str
    time: datetime


@dataclass(frozen=True)
class Allowance:
    """How many submissions are left today, and how many were made; by_total: of all days.

    left: None where nothing limits them.
    """

    left: int | None
    today: int
    by_total: bool = False


class Board(Protocol):
    """A service that takes submissions."""

    @property
    def name(self) -> str:
        """What people call the service."""

    def submit(self, file: Path, message: str) -> Receipt:
        """Hand in a file, once.

        Raises SourceError if the service refused it, UnconfirmedError if it may have arrived.
        """


@runtime_checkable
class ListingBoard(Board, Protocol):
    """A service that also tells what it took, and how it went. Every method raises SourceError."""

    def allowance(self) -> Allowance:
        """Return what is left today."""

    def submissions(self) -> Iterator[Submission]:
        """Yield the team's submissions, newest first, asking for pages as they are needed."""

    def submission(self, reference: str) -> Submission | None:
        """Return one submission, or None while the service does not know it yet."""

    def teams(self) -> Iterator[Team]:
        """Yield the public leaderboard, best first, asking for pages as they are needed."""
