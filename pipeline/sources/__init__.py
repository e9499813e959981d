"""Where a competition's files come from: each source is one class with this shape."""

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
