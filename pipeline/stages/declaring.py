"""new: declare a competition from its files, and bring them along."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from pipeline.competition import MetricName, Source, Task
from pipeline.data import TestData, TrainData
from pipeline.errors import (
    PipelineError,
    SourceError,
    UsageError,
    did_you_mean,
)
from pipeline.inference.alone import FILES
from pipeline.inference.drafts import Draft, infer
from pipeline.inference.evidence import Said
from pipeline.inference.roles import Roles, find_roles
from pipeline.inference.writing import draft_checks, draft_lines, draft_toml
from pipeline.inspection import inspect_data
from pipeline.progress import Event, Note, Warned, emit, only_listening
from pipeline.raw import bring
from pipeline.slugs import read_slug
from pipeline.splits import make_folds
from pipeline.stages.gathering import MovedFiles, cut_series, gather, with_page
from pipeline.stages.opening import Data, Opened, open_competition, read_data
from pipeline.stages.trusting import accept
from pipeline.storage import check_writable, complete_folder, save_text, scratch_folder
from pipeline.trust import Foreign
from pipeline.workspace import BUILT_IN, NAME, Workspace

DECLARATION = "competition.toml"
LONGEST_NAME = 100
MOST_ROWS_COMPARED = 5_000  # of train and of test: enough to see that they differ
DACON_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?dacon\.io/.*?competitions/(?:(\w+)/)?(\d+)")
OFFICIAL = ("official", None)  # how most of Dacon's addresses go on


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
            said = with_page(said)
            brought = gather(workspace, trial, name, said, options.path)
            said = cut_series(trial, name, said)
            draft = infer(name, _roles(trial.raw(name), said), said)
            save_text(trial.own(name) / DECLARATION, draft_toml(draft))
            warnings = _try(trial, name)
        check_writable(workspace.own(name).parent)
        _keep_answers(trial.board(name), workspace.board(name))
        manifest = bring(MovedFiles(trial.raw(name), brought.origin), workspace.data(name))[0]
        brought.remember(manifest.time, draft.files)
        with complete_folder(workspace.own(name)) as folder:
            save_text(folder / DECLARATION, draft_toml(draft))
        accept(Foreign(workspace.root, "competition", name), mine=True)
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
        number = found[2] if found else options.dacon
        if not re.fullmatch(r"[0-9]{1,12}", number):
            raise UsageError(
                f"--dacon: expected a number such as 235576, or its address; found {number!r}"
            )
        page = None
        if found and found[1] not in OFFICIAL:
            page = f"https://dacon.io/competitions/{found[1]}/{number}"
        return Source(kind="dacon", number=int(number), url=page)
    return Source()


def _by_hand(name: str, source: Source, options: NewOptions) -> str:
    """Return how to come by the files of a service that hands them to browsers alone."""
    return (
        f"Dacon hands over its files by browser alone: download them from {source.page}/data, then "
        f"run kc new {name} --dacon {options.dacon} --from ZIP_OR_DIR"
    )


def _keep_answers(made: Path, board: Path) -> None:
    """Put the answers of rows that were held back where the board has them."""
    if made.is_dir():
        check_writable(board.parent)
        shutil.copytree(made, board, dirs_exist_ok=True)


def _roles(raw: Path, said: Said) -> Roles:
    """Return the three files; those of a series that was cut are called as every set's."""
    if said.windows is not None:
        return Roles(raw / FILES.train, raw / FILES.test, raw / FILES.sample_submission)
    return find_roles({path.name: path for path in sorted(raw.iterdir()) if path.is_file()})


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
