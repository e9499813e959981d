"""new: declare a competition from its files, and bring them along."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np

from pipeline.competition import Files, MetricName, Source, Task
from pipeline.data import TestData, TrainData
from pipeline.errors import (
    PipelineError,
    SourceError,
    UsageError,
    did_you_mean,
)
from pipeline.inference.drafts import Draft, infer
from pipeline.inference.evidence import Said
from pipeline.inference.roles import find_roles
from pipeline.inference.writing import draft_checks, draft_lines, draft_toml
from pipeline.inspection import inspect_data
from pipeline.progress import Event, Note, Warned, emit, only_listening
from pipeline.raw import bring, load_manifest
from pipeline.slugs import read_slug
from pipeline.sources.files import UnsortedSource, check_is_place
from pipeline.splits import make_folds
from pipeline.stages.opening import Data, Opened, open_competition, read_data
from pipeline.storage import check_writable, complete_folder, save_text, scratch_folder
from pipeline.workspace import BUILT_IN, NAME, Workspace

DECLARATION = "competition.toml"
LONGEST_NAME = 100
MOST_ROWS_COMPARED = 5_000  # of train and of test: enough to see that they differ
DACON_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?dacon\.io/.*?competitions/(?:\w+/)?(\d+)")


@dataclass(frozen=True, kw_only=True)
class NewOptions:
    """Where a new competition's files are, and what is known of it; None means nothing is.

    path: a folder or an archive. kaggle: its slug or address. dacon: its number or address.
    """

    path: Path | None = None
    kaggle: str | None = None
    dacon: str | None = None
    metric: str | None = None
    task: str | None = None
    target: tuple[str, ...] = ()
    id: str | None = None


@dataclass(frozen=True)
class _Moved:
    """Files that lie in another folder of the same workspace, and are moved from there."""

    folder: Path
    origin: str

    def fetch(self, folder: Path) -> None:
        """Move the files."""
        for path in sorted(self.folder.iterdir()):
            shutil.move(path, folder / path.name)


def declare(workspace: Workspace, name: str, options: NewOptions | None = None) -> Path:
    """Write competitions/NAME/competition.toml from the files, bring them, and return its path.

    The declaration is tried on the files before anything of it is to be seen; after an error
    nothing is there that was not there before. Raises PipelineError, also if the name is taken.
    """
    options = options or NewOptions()
    _check_free(workspace, name)
    said = _said(options)
    if said.source.kind == "dacon" and options.path is None:
        raise SourceError(_by_hand(name, said.source, options))
    with scratch_folder(workspace.root) as root:
        trial = Workspace(root)
        with _without_scratch(trial, name):
            said = _with_page(said)
            brought = _bring(workspace, trial, name, said, options)
            draft = infer(name, find_roles(_files_in(trial.raw(name))), said)
            save_text(trial.own(name) / DECLARATION, draft_toml(draft))
            warnings = _try(trial, name)
        check_writable(workspace.own(name).parent)
        manifest = bring(_Moved(trial.raw(name), brought.origin), workspace.data(name))[0]
        brought.remember(manifest.time, draft.files)
        with complete_folder(workspace.own(name)) as folder:
            save_text(folder / DECLARATION, draft_toml(draft))
    _tell(draft, warnings)
    return workspace.own(name) / DECLARATION


def _check_free(workspace: Workspace, name: str) -> None:
    """Check that a name can be a folder's, and that no competition has it.

    Raises UsageError.
    """
    if not NAME.fullmatch(name) or len(name.encode()) > LONGEST_NAME:
        raise UsageError(
            f"{name!r}: expected a name of letters, digits, - and _, at most {LONGEST_NAME} bytes "
            "long, such as titanic"
        )
    for folder in (workspace.own(name), BUILT_IN / name):
        if folder.exists():
            raise UsageError(
                f"{folder}: there is a competition {name!r} already; choose another name"
            )


def _said(options: NewOptions) -> Said:
    """Return what the options say.

    Raises UsageError for what is misspelled or contradicts itself.
    """
    if options.kaggle is not None and options.dacon is not None:
        raise UsageError("--kaggle and --dacon are two places; choose one")
    for option, choices in (("metric", get_args(MetricName)), ("task", get_args(Task))):
        value = getattr(options, option)
        if value is not None and value not in choices:
            raise UsageError(f"--{option}: {value!r}; {did_you_mean(value, choices)}")
    return Said(
        source=_source(options),
        task=options.task,  # type: ignore[arg-type]
        metric=options.metric,  # type: ignore[arg-type]
        target=options.target,
        id=options.id,
    )


def _source(options: NewOptions) -> Source:
    """Return where the competition is, from its slug, number or address."""
    if options.kaggle is not None:
        slug = read_slug(options.kaggle)
        if slug is None:
            raise UsageError(
                "--kaggle: expected a slug such as titanic, or a competition's address; found "
                f"{options.kaggle!r}"
            )
        return Source(kind="kaggle", slug=slug)
    if options.dacon is not None:
        found = DACON_ADDRESS.match(options.dacon)
        number = found[1] if found else options.dacon
        if not re.fullmatch(r"[0-9]{1,12}", number):
            raise UsageError(
                f"--dacon: expected a number such as 235576, or its address; found {number!r}"
            )
        return Source(kind="dacon", number=int(number))
    return Source()


def _by_hand(name: str, source: Source, options: NewOptions) -> str:
    """Return how to come by the files of a service that hands them to browsers alone."""
    return (
        f"Dacon hands over its files by browser alone: download them from {source.page}/data, then "
        f"run kc new {name} --dacon {options.dacon} --from ZIP_OR_DIR"
    )


@dataclass(frozen=True)
class _Brought:
    """Where files are from, and what is to be done once they are in their place."""

    origin: str
    remember: Callable[[str, Files], None] = lambda time, files: None


def _with_page(said: Said) -> Said:
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


def _bring(
    workspace: Workspace, trial: Workspace, name: str, said: Said, options: NewOptions
) -> _Brought:
    """Bring the files into the trial workspace.

    Raises UsageError if no place is named and nothing was fetched before.
    """
    if options.path is not None:
        check_is_place(options.path, ("train, test and sample submission",))
        return _Brought(bring(UnsortedSource(options.path, _wanted), trial.data(name))[0].origin)
    if said.source.kind == "kaggle":
        return _bring_from_kaggle(workspace, trial, name, str(said.source.slug))
    present = load_manifest(workspace.data(name))
    if present is None:
        raise UsageError(f"{name}: where are the files? Give --from ZIP_OR_DIR, or --kaggle SLUG")
    bring(UnsortedSource(workspace.raw(name), _wanted), trial.data(name))
    return _Brought(present.origin)


def _bring_from_kaggle(workspace: Workspace, trial: Workspace, name: str, slug: str) -> _Brought:
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

    return _Brought(source.origin, remember)


def _wanted(files: Mapping[str, Path]) -> tuple[str, ...]:
    """Return the names of the files that have a role."""
    roles = find_roles(files)
    names = {path: shown.rpartition("/")[2] for shown, path in files.items()}
    return tuple(names[path] for path in (roles.train, roles.test, roles.sample))


def _files_in(raw: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(raw.iterdir()) if path.is_file()}


@contextmanager
def _without_scratch(trial: Workspace, name: str) -> Iterator[None]:
    """Let errors of the enclosed block speak of files, and not of where they are tried."""
    try:
        yield
    except PipelineError as error:
        text = str(error).replace(f"{trial.own(name)}/", "the inferred ")
        raise type(error)(text.replace(f"{trial.raw(name)}/", "")) from error


def _try(trial: Workspace, name: str) -> list[str]:
    """Read the files as they are declared, and return what is odd about them.

    Raises PipelineError if the declaration cannot be carried out.
    """
    heard: list[Event] = []
    with only_listening(heard.append):
        opened = open_competition(trial, name)
        data = read_data(opened)
        validation, task = opened.competition.validation, opened.competition.task
        make_folds(data.train.y, data.train.groups, data.train.order, validation, task)
        odd = _odd(opened, data)
    return [*(event.text for event in heard if isinstance(event, Warned)), *odd]


def _odd(opened: Opened, data: Data) -> list[str]:
    train = data.train.subset(_some(len(data.train)))
    rows = _some(len(data.test))
    test = TestData(X=data.test.X.iloc[rows], ids=data.test.ids.iloc[rows])
    return inspect_data(opened.competition, train, test).warnings if _enough(train, test) else []


def _enough(train: TrainData, test: TestData) -> bool:
    return min(len(train), len(test)) >= 20


def _some(n_rows: int) -> np.ndarray:
    """Return positions of evenly spaced rows, at most as many as are compared."""
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, MOST_ROWS_COMPARED)).astype(np.intp))


def _tell(draft: Draft, warnings: list[str]) -> None:
    for subject, text in draft_lines(draft):
        emit(Note(subject, text))
    for text in draft_checks(draft):
        emit(Note("check", text))
    for text in warnings:
        emit(Warned(text))
