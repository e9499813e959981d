"""A competition at Kaggle that nobody has declared yet: what its page says, and all its files."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.progress import Note, counted, emit, file_size
from pipeline.sources.archives import BrokenArchiveError
from pipeline.sources.files import UnsortedSource
from pipeline.sources.kaggle.connection import Connection
from pipeline.sources.kaggle.downloads import Wanted, download
from pipeline.sources.kaggle.files import RemoteFile


@dataclass(frozen=True)
class Page:
    """What a competition's page says: its title and its metric, as Kaggle names them."""

    title: str | None
    metric: str | None


def read_page(kaggle: Connection, slug: str) -> Page:
    """Return what a competition's page says; it is asked for once.

    Raises SourceError.
    """
    with kaggle.explained(slug):
        card = kaggle.call_once("get_competition", competition_name=slug)
    return Page(card.title or None, card.evaluation_metric or None)


@dataclass(frozen=True)
class UndeclaredSource:
    """The files of a competition, in whose archive the wanted ones are still to be found.

    listed: what Kaggle lists. find: as in UnsortedSource. folder: where the download lies until it
    is unpacked.
    """

    kaggle: Connection
    slug: str
    listed: tuple[RemoteFile, ...]
    find: Callable[[Mapping[str, Path]], tuple[str, ...]]
    folder: Path

    @property
    def origin(self) -> str:
        """The service and the competition's name there."""
        return f"kaggle {self.slug}"

    def fetch(self, folder: Path) -> None:
        """Download the archive of all files unless it is here, and unpack it into an empty folder.

        Raises SourceError, StorageError, or what find raises; what has arrived by then is kept.
        """
        size = file_size(sum(file.bytes for file in self.listed))
        emit(Note("fetch", f"{counted(len(self.listed), 'file')}, {size} at Kaggle"))
        archive = Wanted(f"{self.slug}.zip", "download_data_files")
        download(self.kaggle, self.slug, archive, self.folder)
        try:
            UnsortedSource(self.folder / archive.name, self.find).fetch(folder)
        except BrokenArchiveError as error:
            shutil.rmtree(self.folder)
            raise SourceError(
                f"{error}: the download is removed, so that it starts over"
            ) from error
