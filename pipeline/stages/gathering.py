"""The files of a competition that is not declared yet, and what its page says."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.competition import Files
from pipeline.errors import SourceError, UsageError
from pipeline.inference.alone import find_alone, with_series
from pipeline.inference.evidence import Said
from pipeline.inference.roles import SUFFIXES, find_roles
from pipeline.progress import Warned, emit
from pipeline.raw import bring, load_manifest
from pipeline.sources.archives import archive_suffix
from pipeline.sources.files import UnsortedSource, check_is_place
from pipeline.sources.practice import SeriesSource
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class MovedFiles:
    """Files that lie in another folder of the same workspace, and are moved from there."""

    folder: Path
    origin: str

    def fetch(self, folder: Path) -> None:
        """Move the files."""
        for path in sorted(self.folder.iterdir()):
            shutil.move(path, folder / path.name)


@dataclass(frozen=True)
class OneFile:
    """A single table."""

    path: Path

    @property
    def origin(self) -> str:
        """The file's name."""
        return f"file {self.path.name}"

    def fetch(self, folder: Path) -> None:
        """Copy it."""
        shutil.copyfile(self.path, folder / self.path.name)


@dataclass(frozen=True)
class Brought:
    """Where files are from, and what is to be done once they are in their place."""

    origin: str
    remember: Callable[[str, Files], None] = lambda time, files: None


def with_page(said: Said) -> Said:
    """Return what is said with what the competition's page at Kaggle says, if it can be asked."""
    if said.source.kind != "kaggle":
        return said
    from pipeline.sources.kaggle import connect, found_credentials, read_page

    if not found_credentials():
        return said
    try:
        with connect() as kaggle:
            page = read_page(kaggle, str(said.source.slug))
    except SourceError as error:
        emit(Warned(f"title and metric are not known: {error}"))
        return said
    return replace(said, title=page.title, page_metric=page.metric)


def gather(
    workspace: Workspace, trial: Workspace, name: str, said: Said, path: Path | None
) -> Brought:
    """Bring the files into the trial workspace: from a path, from Kaggle, or those fetched before.

    Raises UsageError if no place is named and nothing was fetched before.
    """
    if path is not None and path.is_file() and path.suffix.lower() in SUFFIXES:
        return Brought(bring(OneFile(path), trial.data(name))[0].origin)
    if path is not None:
        check_is_place(path, ("train, test and sample submission",))
        return Brought(bring(UnsortedSource(path, _wanted), trial.data(name))[0].origin)
    if said.source.kind == "kaggle":
        return _bring_from_kaggle(workspace, trial, name, str(said.source.slug))
    present = load_manifest(workspace.data(name))
    if present is None:
        raise UsageError(f"{name}: where are the files? Give --from ZIP_OR_DIR, or --kaggle SLUG")
    bring(UnsortedSource(workspace.raw(name), _wanted), trial.data(name))
    return Brought(present.origin)


def cut_series(trial: Workspace, name: str, said: Said) -> Said:
    """Cut a single table into three files if it is a time series, and say by what it was cut.

    Its last rows become the test file, and their answers go to the trial workspace's board.
    Raises DataError if it is one, and what is to be forecast is not known.
    """
    files = [path for path in trial.raw(name).iterdir() if path.suffix.lower() in SUFFIXES]
    if len(files) != 1 or said.source.kind != "files":
        return said
    competition = find_alone(files[0], name, said)
    if competition is None:
        return said
    with tempfile.TemporaryDirectory() as scratch:
        given = Path(shutil.copy(files[0], scratch))
        bring(SeriesSource(competition, trial.board(name), given), trial.data(name))
    return with_series(said, competition)


def _bring_from_kaggle(workspace: Workspace, trial: Workspace, name: str, slug: str) -> Brought:
    """Download the files; what has arrived stays in the workspace, also after an error."""
    from pipeline.sources.kaggle import KaggleSource, UndeclaredSource, connect, list_files

    downloads = workspace.downloads(name)
    try:
        with connect() as kaggle:
            listed = list_files(kaggle, slug)
            source = UndeclaredSource(kaggle, slug, listed, _wanted, downloads)
            bring(source, trial.data(name))
    except SourceError as error:
        raise SourceError(
            f"{error}; or bring what you downloaded by browser: kc new {name} --kaggle {slug} "
            "--from ZIP_OR_DIR"
        ) from error

    def remember(time: str, files: Files) -> None:
        wanted = (files.train, files.test, files.sample_submission)
        KaggleSource(kaggle, slug, listed, wanted, downloads, everything=True).remember(time)

    return Brought(source.origin, remember)


def _wanted(files: Mapping[str, Path]) -> tuple[str, ...]:
    """Return the names of the files that have a role, or of the only table there is."""
    tables = [shown for shown in files if shown.lower().endswith(SUFFIXES)]
    if len(tables) == 1 and not any(map(archive_suffix, files)):
        return (tables[0].rpartition("/")[2],)
    roles = find_roles(files)
    names = {path: shown.rpartition("/")[2] for shown, path in files.items()}
    return tuple(names[path] for path in (roles.train, roles.test, roles.sample))
