"""Where a competition's files come from, and where submissions go: one class a service."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


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

    reference: the service's number of it, or None where it gives none (Dacon).
    """

    reference: str | None
    message: str


class Board(Protocol):
    """A service that takes submissions."""

    def submit(self, file: Path, message: str) -> Receipt:
        """Hand in a file, once.

        Raises SourceError if the service refused it, UnconfirmedError if it may have arrived.
        """
