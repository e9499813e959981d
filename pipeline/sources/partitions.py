"""Folders of Parquet partitions that a person has, and files beside them."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceError, did_you_mean


@dataclass(frozen=True)
class PartitionsSource:
    """A folder that holds the declared folders and files at its top, under their own names.

    wanted: as "train/" for a folder, of which all Parquet files are brought.
    """

    path: Path
    wanted: tuple[str, ...]

    @property
    def origin(self) -> str:
        """The folder's name."""
        return f"folder {self.path.resolve()}"

    def fetch(self, folder: Path) -> None:
        """Write copies into an empty folder.

        Raises SourceError if one is missing or cannot be read, or the OSError of a write.
        """
        if not self.path.is_dir():
            raise SourceError(
                f"{self.path}: expected a folder that holds {', '.join(self.wanted)}; partitions "
                "are brought from a folder"
            )
        for name in self.wanted:
            for source in self._files(name):
                target = folder / source.relative_to(self.path)
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(source, target)

    def _files(self, name: str) -> Iterator[Path]:
        place = self.path / name
        if name.endswith("/") and place.is_dir():
            found = sorted(place.rglob("*.parquet"))
            yield from (one for one in found if not one.name.startswith((".", "_")))
            if not found:
                raise SourceError(f"{place}: expected files that end in .parquet, found none")
        elif not name.endswith("/") and place.is_file():
            yield place
        else:
            near = [one.name + "/" * one.is_dir() for one in self.path.iterdir()]
            raise SourceError(f"{place}: not found; {did_you_mean(name, near)}")


def _copy(source: Path, target: Path) -> None:
    if not os.access(source, os.R_OK):
        raise SourceError(f"{source}: cannot be read; check its permissions")
    shutil.copyfile(source, target)
