"""The files of a competition that is not declared yet, and what its page says."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.competition import Files
from pipeline.errors import SourceError, UsageError
from pipeline.inference.evidence import Said
from pipeline.inference.roles import find_roles
from pipeline.progress import Warned, emit
from pipeline.raw import bring, load_manifest
from pipeline.sources.files import UnsortedSource, check_is_place
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
    """Return the names of the files that have a role."""
    roles = find_roles(files)
    names = {path: shown.rpartition("/")[2] for shown, path in files.items()}
    return tuple(names[path] for path in (roles.train, roles.test, roles.sample))
