"""The files of a competition as Kaggle lists them."""

from dataclasses import dataclass

from pipeline.errors import SourceError
from pipeline.sources.kaggle.connection import Connection

PAGE_SIZE = 200  # the most that Kaggle gives at once
MOST_PAGES = 5_000


@dataclass(frozen=True)
class RemoteFile:
    """One file: its name with its folders, its bytes, and when it was put there.

    created: UTC, as 2024-05-06T07:08:09Z; empty if Kaggle does not say.
    """

    name: str
    bytes: int
    created: str


def list_files(kaggle: Connection, slug: str) -> tuple[RemoteFile, ...]:
    """Return all files of a competition, of all pages, in Kaggle's order.

    Raises SourceError.
    """
    files: list[RemoteFile] = []
    token, seen = "", {""}
    for _ in range(MOST_PAGES):
        page = kaggle.call(
            "list_data_files", competition_name=slug, page_size=PAGE_SIZE, page_token=token
        )
        for file in page.files:
            date = file.creation_date
            created = date.strftime("%Y-%m-%dT%H:%M:%SZ") if date else ""
            files.append(RemoteFile(file.name or file.ref, int(file.total_bytes), created))
        token = page.next_page_token
        if not token:
            return tuple(files)
        if token in seen:
            break
        seen.add(token)
    raise SourceError(f"{kaggle.host}: the list of files of {slug} does not end; try again later")
