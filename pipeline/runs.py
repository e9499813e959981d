"""One finished run on disk: a folder that is whole when it can be seen, and never changes after."""

import contextlib
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

from pipeline.csvtext import csv_parts
from pipeline.errors import DataError, TrustError, UsageError, did_you_mean
from pipeline.jsontext import json_text
from pipeline.packages import package_versions
from pipeline.progress import Warned, emit
from pipeline.storage import UNFINISHED, alone_in, complete_folder, file_sha256
from pipeline.trust import Foreign, Seal, trusts_all

# What every reader of a run relies on.
REQUIRED = {
    "competition", "created", "data", "features", "folds", "kinds", "labels", "metric", "model",
    "origin", "predicting_folds", "rows", "score", "seconds", "seed", "skipped_folds",
    "standard_error", "validation",
}  # fmt: skip
FINDINGS, REPORT = "findings.json", "report.html"  # what older runs do not have
PACKAGES = (
    "kc", "tensorflow", "keras", "numpy", "pandas", "scikit-learn", "lightgbm", "catboost",
    "xgboost",
)  # fmt: skip


SIGNATURE = "signature.json"
RUNS_CODE = (".joblib", ".py")  # files that run code when they are loaded


@dataclass(frozen=True)
class Run:
    """A finished run: its id, its folder, and what run.json says of it."""

    id: str
    path: Path
    record: dict[str, Any]

    @property
    def submission(self) -> Path:
        """The file that can be handed in."""
        return self.path / "submission.csv"

    def frame(self, name: str) -> pd.DataFrame:
        """Return oof.csv or test.csv as it was written, ids as text.

        Raises DataError if it cannot be read.
        """
        path = self.path / name
        try:
            return pd.read_csv(path, dtype={"id": "str"}, keep_default_na=False, na_values=[""])
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: cannot be read: {error}; move the run away") from None

    def findings(self) -> dict[str, Any]:
        """Return what findings.json says, or nothing where there is none.

        Raises DataError if it cannot be read.
        """
        path = self.path / FINDINGS
        if not path.is_file():
            return {}
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: cannot be read: {error}; move the run away") from None
        return found

    @property
    def report(self) -> Path:
        """The page that shows it; older runs have none."""
        return self.path / REPORT

    def estimators(self) -> list[Any]:
        """Return the fitted estimators whose mean predicts new rows.

        Where each fit knows only the rows before its own, that is the one that knows most.

        Loading runs code that the files name.
        Raises TrustError if another workspace wrote one and nobody has agreed to it.
        """
        numbers = self.record["predicting_folds"]
        if self.record["validation"].get("rule") == "strict":
            numbers = numbers[-1:]
        contents = [self.own_bytes(f"fold-{n}/estimator.joblib") for n in numbers]
        return [joblib.load(io.BytesIO(content)) for content in contents]

    def own_bytes(self, name: str) -> bytes:
        """Return a file that runs code when it is loaded, as this workspace wrote it.

        name: within the run's folder, with slashes.
        Raises DataError if it cannot be read, TrustError if another workspace wrote it and nobody
        has agreed to it.
        """
        try:
            content = (self.path / name).read_bytes()
        except OSError as error:
            reason = error.strerror
            raise DataError(f"{self.path / name}: cannot be read: {reason}; train again") from None
        if not self._is_trusted(name, content):
            raise TrustError(
                f"{self.path / name}: was not written by this workspace, and would run code; if "
                f"you know who wrote it, run kc trust {self.record['competition']} --run {self.id}",
                self.foreign(),
            )
        return content

    def foreign(self) -> Foreign:
        """Return all that would run of it, for a person to agree to."""
        files = [path for path in sorted(self.path.rglob("*")) if path.suffix in RUNS_CODE]
        digest = _signed_text({self._name(path): _sha256(path.read_bytes()) for path in files})
        return Foreign(self._root, "run", self.id, tuple(files), _sha256(digest))

    def _is_trusted(self, name: str, content: bytes) -> bool:
        return (
            trusts_all()
            or self._signed_files().get(name) == _sha256(content)
            or self._seal.accepts(self.foreign())
        )

    def _signed_files(self) -> dict[str, str]:
        """Return the digests of the files that this workspace wrote; none if it wrote none."""
        try:
            found = json.loads((self.path / SIGNATURE).read_text(encoding="utf-8"))
            files, signature = dict(found["files"]), bytes.fromhex(found["signature"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}
        return files if self._seal.is_own("run", _signed_text(files), signature) else {}

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    @property
    def _root(self) -> Path:
        return self.path.parents[1]  # of the workspace with runs/ID

    @property
    def _seal(self) -> Seal:
        return Seal.of(self._root)


@dataclass(frozen=True)
class UnfinishedRun:
    """A run that is being written; files are given by their names inside its folder."""

    id: str
    folder: Path

    def save_text(self, name: str, text: str) -> None:
        """Write a text file in UTF-8."""
        self._path(name).write_text(text, encoding="utf-8", newline="\n")

    def save_bytes(self, name: str, content: bytes) -> None:
        """Write a file as it is."""
        self._path(name).write_bytes(content)

    def save_frame(self, name: str, frame: pd.DataFrame) -> None:
        """Write a frame as CSV without its index."""
        with self._path(name).open("wb") as file:
            file.writelines(csv_parts(frame))

    def finished(self) -> Run:
        """Return the run as it will be read, once its record is written."""
        return Run(self.id, self.folder, load_run(self.folder).record)

    def save_estimator(self, number: int, estimator: Any) -> None:
        """Write a fold's fitted estimator."""
        joblib.dump(estimator, self._path(f"fold-{number}/estimator.joblib"), compress=3)

    def keep_file(self, name: str, source: Path) -> None:
        """Keep a file that never changes under another name; a second name costs no room."""
        path = self._path(name)
        try:
            os.link(source, path)
        except OSError:  # another disk, or one that knows no second names
            shutil.copy2(source, path)

    def save_record(self, record: dict[str, Any]) -> None:
        """Write run.json."""
        self.save_json("run.json", record)

    def save_json(self, name: str, value: Any) -> None:
        """Write JSON; what it cannot say, NaN and infinity, becomes null."""
        self.save_text(name, json_text(value) + "\n")

    def sign(self, seal: Seal) -> None:
        """Write down which bytes this workspace wrote; no file is added afterwards.

        Raises StorageError.
        """
        files = {
            path.relative_to(self.folder).as_posix(): file_sha256(path)
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
        signature = seal.sign("run", _signed_text(files)).hex()
        text = json.dumps({"files": files, "signature": signature}, indent=2, ensure_ascii=False)
        self.save_text(SIGNATURE, text + "\n")

    def _path(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@contextlib.contextmanager
def start_run(runs: Path, name: str, label: str) -> Iterator[UnfinishedRun]:
    """Yield a run to write into; it becomes visible as runs/ID only if the block ends well.

    Raises StorageError if it cannot be written; then nothing of it is left.
    """
    started = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    wanted = f"{name}-{started}-{re.sub(r'[^A-Za-z0-9_]', '_', label)}"
    with contextlib.ExitStack() as stack:
        with alone_in(runs):  # or two commands of the same second would choose the same id
            run_id = _free_id(runs, wanted)
            folder = stack.enter_context(complete_folder(runs / run_id))
        run = UnfinishedRun(run_id, folder)
        yield run
        run.sign(Seal.of(runs.parent))


def list_runs(runs: Path, name: str | None = None) -> list[Run]:
    """Return the finished runs, of one competition or all, oldest first.

    A folder that is no run is named by a warning, and does not hide the others.
    """
    found = []
    for path in sorted(runs.glob("*/run.json")):
        if path.parent.name.startswith(UNFINISHED):
            continue
        try:
            found.append(load_run(path.parent))
        except DataError as error:
            emit(Warned(str(error)))
    mine = [run for run in found if name in (None, run.record["competition"])]
    return sorted(mine, key=lambda run: (run.record["created"], run.id))


def find_run(runs: Path, name: str, run_id: str | None = None) -> Run:
    """Return the run of that id, with or without the competition's name before it, or the latest.

    Raises UsageError if there is none.
    """
    known = {run.id: run for run in list_runs(runs, name)}
    if not known:
        raise UsageError(f"{runs}: no run of {name!r} yet; run kc train {name}")
    if run_id is None:
        return list(known.values())[-1]
    if run_id not in known and f"{name}-{run_id}" in known:
        return known[f"{name}-{run_id}"]
    if run_id not in known:
        raise UsageError(f"no run {run_id!r} of {name!r}; {did_you_mean(run_id, known)}")
    return known[run_id]


def versions() -> dict[str, str]:
    """Return the versions that a run depends on."""
    return {"python": platform.python_version(), **package_versions(PACKAGES)}


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return the commit of the folder's repository and whether it is dirty, or None outside one."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "status", "--porcelain")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _signed_text(files: dict[str, str]) -> bytes:
    """Return what is signed of files: their names and digests, in one spelling."""
    return json.dumps(files, sort_keys=True).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):  # git is not installed, or the disk hangs
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _free_id(runs: Path, wanted: str) -> str:
    """Return the id, numbered if a run of the same second has it."""
    taken = [path.name for path in runs.glob(f"*{wanted}*")]
    number, run_id = 1, wanted
    while any(name.endswith(run_id) for name in taken):  # one being written has a prefix
        number += 1
        run_id = f"{wanted}-{number}"
    return run_id


def load_run(folder: Path) -> Run:
    """Return the run that a folder holds.

    Raises DataError if its run.json cannot be read.
    """
    path = folder / "run.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read: {error}; move the folder away") from None
    if not isinstance(record, dict) or not record.keys() >= REQUIRED:
        raise DataError(f"{path}: is not the record of a run; move the folder away")
    return Run(folder.name, folder, record)
