"""files: what a competition has at its service, nothing of which is brought here."""

from typing import TYPE_CHECKING, Any

from pipeline.competition import load_competition
from pipeline.errors import UsageError
from pipeline.progress import Note, counted, emit, file_size
from pipeline.slugs import is_address, read_slug
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.sources.kaggle import RemoteFile

FILE_COLUMNS = ("name", "size", "created")


def list_remote_files(workspace: Workspace, name: str) -> "tuple[RemoteFile, ...]":
    """Return all files of a competition at Kaggle.

    name: that of a declared competition, or the address of any at Kaggle.
    Raises UsageError if the competition is not at Kaggle, and SourceError.
    """
    from pipeline.sources.kaggle import connect, list_files

    slug = _slug(workspace, name)
    with connect() as kaggle:
        files = list_files(kaggle, slug)
    total = sum(file.bytes for file in files)
    text = f"{counted(len(files), 'file')}, {file_size(total)} at Kaggle"
    emit(Note("files", text, {"files": len(files), "bytes": total}))
    return files


def remote_file_rows(
    files: "tuple[RemoteFile, ...]", *, readable: bool = False
) -> list[dict[str, Any]]:
    """Return one row a file: its name, its size in bytes, and when it was put there, in UTC.

    readable: sizes as 12.3 MB, and times to the minute.
    """
    rows = []
    for file in files:
        size = file_size(file.bytes) if readable else file.bytes
        created = file.created[:16].replace("T", " ") if readable else file.created
        rows.append(dict(zip(FILE_COLUMNS, (file.name, size, created or None), strict=True)))
    return rows


def _slug(workspace: Workspace, name: str) -> str:
    if is_address(name):
        return str(read_slug(name))
    source = load_competition(workspace.declaration(name), name).source
    if source.kind == "kaggle":
        return str(source.slug)
    where = f"see {source.page}" if source.page else "competition.toml names no service"
    raise UsageError(f"{name}: only Kaggle lists its files; {where}")
