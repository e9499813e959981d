"""What was handed in: one line a submission, in the order of time."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import DataError
from pipeline.storage import save_text


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One submission: which bytes of which run, when (UTC), and how they went."""

    sha256: str
    run: str
    time: str
    how: str
    message: str = ""


def load_ledger(path: Path) -> list[Entry]:
    """Return all entries, oldest first; none if nothing was handed in yet.

    Raises DataError if the file cannot be read.
    """
    if not path.is_file():
        return []
    try:
        return [Entry(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: cannot be read: {error}; mend or move the file") from None


def add_entry(path: Path, entry: Entry) -> None:
    """Append an entry; the entries before it are kept whatever happens.

    Raises StorageError.
    """
    lines = [json.dumps(asdict(one)) for one in [*load_ledger(path), entry]]  # ASCII: one line each
    save_text(path, "\n".join(lines) + "\n")
