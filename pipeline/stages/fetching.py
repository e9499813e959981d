"""fetch: bring a competition's files here, and keep them untouched."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.competition import SERIES, Competition
from pipeline.errors import SourceError, UsageError
from pipeline.features import import_file
from pipeline.progress import Note, emit
from pipeline.raw import Manifest, bring, is_as_brought, load_manifest
from pipeline.sources import Source
from pipeline.sources.dacon_words import files_by_hand
from pipeline.sources.files import open_source
from pipeline.sources.kernels import attached_files
from pipeline.sources.partitions import PartitionsSource
from pipeline.stages.opening import Opened, open_competition
from pipeline.workspace import Workspace

SAMPLE_SEED = 42
SAMPLE = "sample seed"
SAMPLE_CODE = "sample.py"


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
    workspace: Workspace,
    name: str,
    path: Path | None = None,
    *,
    sample: bool = False,
    everything: bool = False,
) -> Manifest:
    """Bring the files from Kaggle, a zip or a folder, or make a sample.

    In a notebook at Kaggle those of an attached competition are taken, without the network.
    The same files twice change nothing. everything: of a large competition at Kaggle, also the
    files that are not declared.
    Raises SourceError if the place does not hand them over; then what was there before is kept.
    """
    if sample and path is not None:
        raise UsageError("--from and --sample are two places; choose one")
    if everything and (sample or path is not None):
        raise UsageError("--all is of what Kaggle has; leave out --from and --sample")
    opened = open_competition(workspace, name)
    if sample:
        _check_only_sample(workspace, name)
    elif path is None and opened.competition.source.kind == "kaggle":
        path = attached_files(str(opened.competition.source.slug))
    if path is None and not sample and opened.competition.source.kind == "kaggle":
        manifest, changed = _bring_from_kaggle(opened, everything)
    else:
        source = _source(opened, path, sample=sample)
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


def _bring_from_kaggle(opened: Opened, everything: bool) -> tuple[Manifest, bool]:
    """Download the files, unless those that are here are what Kaggle has."""
    from pipeline.sources.kaggle import KaggleSource, connect, list_files

    workspace, name = opened.workspace, opened.name
    data, downloads = workspace.data(name), workspace.downloads(name)
    slug, wanted = str(opened.competition.source.slug), _declared(opened.competition)
    try:
        with connect() as kaggle:
            listed = list_files(kaggle, slug)
            source = KaggleSource(kaggle, slug, listed, wanted, downloads, everything)
            present = load_manifest(data)
            if present and source.is_unchanged(present.time) and is_as_brought(data):
                return present, False
            manifest, changed = bring(source, data)
            source.remember(manifest.time)
            return manifest, changed
    except SourceError as error:
        raise SourceError(f"{error}; {_or_else(opened)}") from error


def _or_else(opened: Opened) -> str:
    """Return the ways to files that do not lead through Kaggle's client."""
    name = opened.name
    sample = f", or kc fetch {name} --sample" if (opened.folder / SAMPLE_CODE).is_file() else ""
    return f"or bring what you downloaded by browser: kc fetch {name} --from ZIP_OR_DIR{sample}"


def _declared(competition: Competition) -> tuple[str, ...]:
    files = competition.files
    return tuple(filter(None, (files.train, files.test, files.sample_submission)))


def _source(opened: Opened, path: Path | None, *, sample: bool) -> Source:
    competition, folder = opened.competition, opened.folder
    if competition.source.dataset in SERIES:
        return _series(opened, path, sample=sample)
    if competition.source.kind == "practice" and not sample:
        from pipeline.models.backend import load_keras
        from pipeline.sources.practice import PracticeSource
        from pipeline.sources.practice.sets import PICTURES

        if competition.source.dataset in PICTURES:
            load_keras()  # quietly; it downloads images, and reads those of a folder
        return PracticeSource(competition, opened.workspace.board(opened.name), path)
    if path is not None:
        wanted = _declared(competition)
        folders = any(name.endswith("/") for name in wanted)
        return PartitionsSource(path, wanted) if folders else open_source(path, wanted)
    if not sample:
        raise SourceError(_by_hand(competition))
    return _sample(folder)


def _series(opened: Opened, path: Path | None, *, sample: bool) -> Source:
    """Return the one file of a time series, from a person or from sample.py, cut in parts."""
    from pipeline.sources.practice import SeriesSource

    if path is None and not sample:
        name = opened.name
        other = f", or kc fetch {name} --sample" if (opened.folder / SAMPLE_CODE).is_file() else ""
        raise SourceError(
            f"{name}: its series comes from a file of yours: kc fetch {name} --from FILE{other}"
        )
    given = _sample(opened.folder) if path is None else path
    return SeriesSource(opened.competition, opened.workspace.board(opened.name), given)


def _sample(folder: Path) -> SampleSource:
    """Return what writes synthetic files; raises SourceError if nothing does."""
    if not (folder / SAMPLE_CODE).is_file():
        raise SourceError(
            f"{folder}: no {SAMPLE_CODE}, so there is no sample; give the files by --from"
        )
    return SampleSource(folder / SAMPLE_CODE)


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
