"""fetch: bring a competition's files here, and keep them untouched."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.competition import Competition
from pipeline.errors import SourceError, UsageError
from pipeline.features import import_file
from pipeline.progress import Note, emit
from pipeline.raw import Manifest, bring, load_manifest
from pipeline.sources import Source
from pipeline.sources.dacon_words import files_by_hand
from pipeline.sources.files import open_source
from pipeline.stages.opening import open_competition
from pipeline.workspace import Workspace

SAMPLE_SEED = 42
SAMPLE = "sample seed"


@dataclass(frozen=True)
class SampleSource:
    """Synthetic files from a competition's sample.py."""

    path: Path
    seed: int = SAMPLE_SEED

    @property
    def origin(self) -> str:
        """What the manifest says about the files."""
        return f"{SAMPLE} {self.seed}"

    def fetch(self, folder: Path) -> None:
        """Write the synthetic files into an empty folder."""
        for name, frame in self._frames().items():
            frame.to_csv(folder / name, index=False, lineterminator="\n")

    def _frames(self) -> dict[str, Any]:
        module = import_file(self.path)
        if not hasattr(module, "make_sample"):
            raise SourceError(f"{self.path}: expected a function make_sample(seed)")
        try:
            return dict(module.make_sample(self.seed))
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise SourceError(f"{self.path}: make_sample raised {reason}") from error


def fetch(
    workspace: Workspace, name: str, path: Path | None = None, *, sample: bool = False
) -> Manifest:
    """Bring the files from a zip or folder, or make a sample; the same files twice change nothing.

    Raises SourceError if the place does not hand them over; then what was there before is kept.
    """
    if sample and path is not None:
        raise UsageError("--from and --sample are two places; choose one")
    opened = open_competition(workspace, name)
    if sample:
        _check_only_sample(workspace, name)
    source = _source(opened.competition, opened.folder, path, sample=sample)
    manifest, changed = bring(source, workspace.data(name))
    total = sum(file.bytes for file in manifest.files)
    what = "" if changed else ", unchanged"
    text = f"{len(manifest.files)} files, {total:,} bytes from {manifest.origin}{what}"
    emit(Note("fetch", text, {"files": len(manifest.files), "bytes": total, "changed": changed}))
    return manifest


def is_sample(origin: str) -> bool:
    """Tell whether files of that origin are synthetic."""
    return origin.startswith(SAMPLE)


def fetch_if_needed(
    workspace: Workspace, name: str, path: Path | None = None, *, sample: bool = False
) -> Manifest:
    """Bring the files if a place is named or none are here yet."""
    present = load_manifest(workspace.data(name))
    if present is None or path is not None or sample:
        return fetch(workspace, name, path, sample=sample)
    return present


def _check_only_sample(workspace: Workspace, name: str) -> None:
    """Check that a sample would not take the place of a competition's real files."""
    present = load_manifest(workspace.data(name))
    if present is not None and not is_sample(present.origin):
        raise UsageError(
            f"{workspace.raw(name)}: holds files from {present.origin}, which a sample does not "
            "replace; remove the folder, or choose another --workspace"
        )


def _source(competition: Competition, folder: Path, path: Path | None, *, sample: bool) -> Source:
    files = competition.files
    if path is not None:
        return open_source(path, (files.train, files.test, files.sample_submission))
    if not sample:
        raise SourceError(_by_hand(competition))
    if not (folder / "sample.py").is_file():
        raise SourceError(
            f"{folder}: no sample.py, so there is no sample; give the files by --from"
        )
    return SampleSource(folder / "sample.py")


def _by_hand(competition: Competition) -> str:
    """Return how to come by the files."""
    page = competition.source.page
    if competition.source.kind == "dacon":
        return files_by_hand(competition.name, str(page))
    where = f"download them from {page}/data" if page else "download them"
    name = competition.name
    return (
        f"{name}: the files are brought from what you downloaded: {where}, then run "
        f"kc fetch {name} --from ZIP_OR_DIR; or try kc fetch {name} --sample"
    )
