"""A competition at Kaggle as a source of files."""

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.errors import SourceError
from pipeline.progress import Note, counted, emit, file_size
from pipeline.sources.archives import BrokenArchiveError
from pipeline.sources.files import FilesSource
from pipeline.sources.kaggle.connection import Connection
from pipeline.sources.kaggle.downloads import Wanted, download, is_unchanged, state_of
from pipeline.sources.kaggle.files import RemoteFile
from pipeline.storage import save_text, storing

LARGE = 200 * 10**6  # bytes of a competition from which only the declared files are downloaded
FETCHED = "fetched.json"


@dataclass(frozen=True)
class KaggleSource:
    """The files of a competition: all in one archive, or of a large one only the wanted files.

    listed: what Kaggle lists. wanted: the names of the files that the competition declares.
    folder: where downloads lie until they are unpacked, and what came of the last one.
    """

    kaggle: Connection
    slug: str
    listed: tuple[RemoteFile, ...]
    wanted: tuple[str, ...]
    folder: Path
    everything: bool = False

    @property
    def origin(self) -> str:
        """The service and the competition's name there."""
        return f"kaggle {self.slug}"

    @property
    def downloads(self) -> tuple[Wanted, ...]:
        """What is downloaded: the archive of all files, or some files one by one."""
        chosen = [file for name in self.wanted for file in self.listed if _is(file.name, name)]
        total, some = (sum(file.bytes for file in files) for files in (self.listed, chosen))
        is_large = total > LARGE and some < total / 2
        if self.everything or len(chosen) != len(self.wanted) or not is_large:
            return (Wanted(f"{self.slug}.zip", "download_data_files"),)
        return tuple(
            Wanted(PurePosixPath(file.name).name, "download_data_file", file.name)
            for file in chosen
        )

    def fetch(self, folder: Path) -> None:
        """Download what is not here yet, and unpack it into an empty folder.

        Raises SourceError, or StorageError; what has arrived by then is kept for the next call.
        """
        self._tell()
        for wanted in self.downloads:
            download(self.kaggle, self.slug, wanted, self._place(wanted))
        try:
            FilesSource(self._unpacked(), self.wanted).fetch(folder)
        except BrokenArchiveError as error:
            shutil.rmtree(self.folder)
            raise SourceError(
                f"{error}: the download is removed, so that it starts over"
            ) from error

    def is_unchanged(self, time: str) -> bool:
        """Tell whether Kaggle has what the fetch of that time brought; no file is read.

        Raises SourceError.
        """
        try:
            last = json.loads((self.folder / FETCHED).read_text(encoding="utf-8"))
            validators = dict(last["validators"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False
        if last != self._facts(time, validators):
            return False
        names = {wanted.name for wanted in self.downloads}
        return validators.keys() == names and all(
            is_unchanged(self.kaggle, self.slug, wanted, validators[wanted.name])
            for wanted in self.downloads
        )

    def remember(self, time: str) -> None:
        """Note what the fetch of that time brought, and remove the downloads: they are unpacked.

        Raises StorageError.
        """
        validators = {}
        for wanted in self.downloads:
            state = state_of(wanted, self._place(wanted))
            validators[wanted.name] = state.validator if state else None
        with storing(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)
        save_text(self.folder / FETCHED, json.dumps(self._facts(time, validators)))

    def _facts(self, time: str, validators: Mapping[str, str | None]) -> dict[str, Any]:
        listed = [[file.name, file.bytes, file.created] for file in self.listed]
        return {"time": time, "validators": dict(validators), "listed": listed}

    def _place(self, wanted: Wanted) -> Path:
        return self.folder if wanted.file_name is None else self.folder / "files"

    def _unpacked(self) -> Path:
        """Return what to take the files from; a single file may come packed by its plain name."""
        first = self.downloads[0]
        if first.file_name is None:
            return self.folder / first.name
        for wanted in self.downloads:
            path = self._place(wanted) / wanted.name
            if zipfile.is_zipfile(path) and path.suffix != ".zip":
                path.replace(path.with_name(f"{path.name}.zip"))
        return self._place(first)

    def _tell(self) -> None:
        """Tell how much of the competition's files is brought."""
        files = counted(len(self.listed), "file")
        size = file_size(sum(file.bytes for file in self.listed))
        text = f"{files}, {size} at Kaggle"
        if self.downloads[0].file_name is not None:
            names = ", ".join(wanted.name for wanted in self.downloads)
            text += f"; only {names} of them (kc fetch --all brings the rest)"
        emit(Note("fetch", text))


def _is(listed: str, name: str) -> bool:
    """Tell whether a file of the list has a declared name, in whatever folder, packed or not."""
    found, name = PurePosixPath(listed).name.casefold(), name.casefold()
    return found in (name, f"{name}.zip")
