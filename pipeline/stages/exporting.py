"""export: a finished run as a script and a notebook that need nothing of this package."""

import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from pipeline.cache import unpack
from pipeline.competition import Competition, ModelChoice, OwnMetric
from pipeline.csvtext import read_style
from pipeline.errors import DataError, UsageError
from pipeline.exporting.models import Trained
from pipeline.exporting.story import Mixed, Solution, write_sections
from pipeline.exporting.writing import notebook_text, script_text
from pipeline.features import module_name
from pipeline.models import model_spec
from pipeline.models.rounds import best_round
from pipeline.progress import Note, counted, emit
from pipeline.runs import Run, find_run
from pipeline.splits import Fold
from pipeline.stages.folding import at_once
from pipeline.stages.opening import Data, Opened, open_folder, read_data, unfitted
from pipeline.stages.recording import decision_of
from pipeline.stages.training import in_order
from pipeline.stages.trusting import read_sources
from pipeline.stages.units import MEMBERS, all_folds, repeated
from pipeline.storage import save_text
from pipeline.targets import SQUARED
from pipeline.training import (
    MORE_ROUNDS,
    FoldResult,
    final_models,
    needs_refit,
    validation_share,
)
from pipeline.workspace import Workspace

UNLEARNED = ("models", "title", "source", "default_model")  # nothing is learned from them
_INSTEAD = "share the run's folder, which kc predict --run answers from, or its submission.csv"
_NOT_ROOTS = (
    "learns roots of windows and is stopped early, and the script would part its held-out windows "
    f'otherwise than the run has; train it without transform = "sqrt", or {_INSTEAD}'
)
SCRIPT, NOTEBOOK = "solution.py", "solution.ipynb"


@dataclass(frozen=True)
class Exported:
    """Where a run's script and notebook are."""

    run: Run
    script: Path
    notebook: Path


def export(
    workspace: Workspace, name: str, run_id: str | None = None, out: Path | None = None
) -> Exported:
    """Write a run's script and notebook, by default to exports/RUN.

    Raises UsageError for a run that no script can make again, or if other files are in the way;
    DataError if the competition's files are not those of the run.
    """
    run = find_run(workspace.runs, name, run_id)
    _check_finished(run)
    opened = _opened(workspace, run)
    data = read_data(opened)
    _check_files(run, data)
    data = replace(data, train=in_order(data, opened.competition))
    tree = _Tree(opened, data).of(run)
    sections = write_sections(_solution(opened, data, run, tree))
    folder = workspace.exports(run.id) if out is None else out
    texts = {SCRIPT: script_text(sections), NOTEBOOK: notebook_text(sections)}
    for file, text in texts.items():
        _check_free(folder / file, text)
    for file, text in texts.items():
        save_text(folder / file, text)
    lines = texts[SCRIPT].count("\n")
    emit(Note("export", f"{counted(lines, 'line')} of {run.id}", {"lines": lines, "run": run.id}))
    return Exported(run, folder / SCRIPT, folder / NOTEBOOK)


def _check_finished(run: Run) -> None:
    if not run.record.keys() >= {"versions", "decision", "refits"}:
        raise UsageError(f"run {run.id} is of an older version, which kept less; train again")


def _opened(workspace: Workspace, run: Run) -> Opened:
    """Return the competition as the run has declared it, with its folds."""
    for name in read_sources(run.path):
        run.own_bytes(name)  # somebody else's code does not run unasked
    opened = open_folder(workspace, run.path, run.record["competition"])
    known = {key: run.record["validation"][key] for key in ("scheme", "rule", "n_splits", "seed")}
    return replace(opened, competition=opened.competition.with_validation(**known, repeats=1))


def _check_files(run: Run, data: Data) -> None:
    here = {file.name: file.sha256 for file in data.manifest.files}
    if here != run.record["data"]:
        raise DataError(
            f"run {run.id} was trained on other files than those that are here now; bring those "
            f"back by kc fetch {run.record['competition']} --from, or export a later run"
        )


def _check_free(path: Path, text: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise UsageError(f"{path}: is there already, with other content; choose another --out")


def _solution(opened: Opened, data: Data, run: Run, tree: Trained | Mixed) -> Solution:
    raw, files = opened.workspace.raw(opened.name), opened.competition.files
    code = {name: text.decode("utf-8") for name, text in opened.sources.items()}
    return Solution(
        competition=opened.competition,
        features=opened.features,
        code=code,
        own=_own_modules(opened),
        tree=tree,
        decision=decision_of(run.record),
        train=data.train,
        test=data.test,
        sample=data.sample,
        labels=data.labels,
        kinds=run.record["kinds"],
        style=data.style,
        written=[
            read_style(raw / file, encoding=files.encoding, separator=files.separator)
            for file in (files.train, files.test)
        ],
        record=run.record,
        one_thread=_is_of_workers(run, opened.workspace),
    )


def _own_modules(opened: Opened) -> dict[str, str]:
    """Return the modules that models and the metric of one's own come from, by file."""
    used = {choice.kind.partition(":")[0] for choice in opened.competition.models.values()}
    metric = opened.competition.metric
    of_metric = metric.path.name if isinstance(metric, OwnMetric) else None
    named = {file: module_name(file, source) for file, source in opened.sources.items()}
    return {file: name for file, name in named.items() if name in used or file == of_metric}


def _is_of_workers(run: Run, workspace: Workspace) -> bool:
    """Tell whether models were fitted by worker processes, each on one thread."""
    members = run.record.get("members", [])
    runs = [one["run"] for one in members if any(one["weights"])]
    name = run.record["competition"]
    return any(
        one is None or _is_of_workers(find_run(workspace.runs, name, one), workspace)
        for one in runs
    )


@dataclass(frozen=True, eq=False)
class _Tree:
    """What predicts: the models of a run and of its members, and what each weighs."""

    opened: Opened
    data: Data

    def of(self, run: Run) -> Trained | Mixed:
        """Return a run's model, or its blend.

        Raises UsageError for a member that was declared otherwise.
        """
        self._check_alike(run)
        members = [one for one in run.record.get("members", []) if any(one["weights"])]
        if not members:
            return self._single(run)
        facts = run.record["blend"]
        return Mixed(
            label=run.record["model"]["label"],
            members=[self._member(run, one) for one in members],
            weights=[one["weights"] for one in members],
            as_logarithms=facts["scale"] == "log1p",
            lower=facts["lower"],
            upper=facts["upper"],
        )

    def _check_alike(self, run: Run) -> None:
        """Check that a run has the declaration and code that the script is written from."""
        mine, theirs = self.opened, _opened(self.opened.workspace, run)
        if _facts(mine.competition) != _facts(theirs.competition):
            raise UsageError(
                f"run {run.id}: its competition.toml differs from the blend's; {_MEND}"
            )
        for name in sorted({*mine.sources, *theirs.sources} - {"competition.toml", "sample.py"}):
            if mine.sources.get(name) != theirs.sources.get(name):
                raise UsageError(f"run {run.id}: its {name} is not the blend's; {_MEND}")

    def _member(self, run: Run, member: dict[str, Any]) -> Trained | Mixed:
        if member["run"] is not None:
            name = self.opened.name
            return self.of(find_run(self.opened.workspace.runs, name, member["run"]))
        choice = _choice(member)
        seed, own = self.opened.competition.validation.seed, run.record["seed"]
        passes = member.get("passes", list(range(member["repeats"])))
        folds, refits, taught = self._folds(), member.get("refits", 0), []
        ended: dict[tuple[int, int, int], Any] = {}
        if refits and model_spec(choice).trains_together:
            refits = model_spec(choice).refits  # one piece of work
        if refits:
            passes = passes[:1]  # those after the first teach nothing
        if member["cut_short"] and refits and not model_spec(choice).trains_together:
            taught = [_taught(run, member)]
        elif member["cut_short"] and not refits:
            ended = dict(_ended_members(run, member, len(passes)))
        return self._trained(
            choice,
            [(seed + n, seed + n, own + n) for n in passes],
            together=len(folds),
            ended=ended,
            refits=refits,
            taught=taught,
        )

    def _single(self, run: Run) -> Trained:
        record, folds = run.record, self._folds()
        choice, seed = _choice(record["model"]), self.opened.competition.validation.seed
        n_passes = len(record["repeats"]) or 1
        in_time = needs_refit(self.opened.competition)
        fitted = [*record["folds"], *(record["refits"] if in_time else ())]
        estimator = unfitted(self.opened, choice, record["seed"])
        return self._trained(
            choice,
            [(seed + n, seed, record["seed"]) for n in range(n_passes)],
            together=at_once(estimator, self.data.train),
            ended=dict(_ended_single(run, fitted, len(folds))),
            only=tuple(one["number"] for one in fitted) if record["skipped_folds"] else None,
            refits=0 if in_time else len(record["refits"]),
        )

    def _trained(
        self, choice: ModelChoice, passes: list[tuple[int, int, int]], *, refits: int, **facts: Any
    ) -> Trained:
        train, labels = self.data.train, self.data.labels
        self._check_roots(choice)
        sizes = [len(fold.train) for fold in self._folds()]
        sizes += [len(train)] if refits else []
        windows = self.opened.competition.windows
        if windows is not None:  # those whose answers held-out ones tell are left out
            assert train.order is not None
            at_one_time = int(train.order.value_counts().max())
            sizes.append(min(sizes) - windows.horizon * at_one_time)
        return Trained(
            choice=choice,
            passes=passes,
            rows=(min(sizes), max(sizes)),
            n_columns=train.X.shape[1],
            n_classes=0 if labels is None else len(labels),
            refits=refits,
            **facts,
        )

    def _check_roots(self, choice: ModelChoice) -> None:
        """Check that no held-out windows tell how far mean roots are off; raises UsageError."""
        seen = self.opened.competition.seen_by(choice)
        is_mean = seen.target.transform == "sqrt" and seen.metric in SQUARED
        if seen.windows is None or not is_mean:
            return
        if validation_share(unfitted(self.opened, choice, seen.validation.seed)) is not None:
            raise UsageError(f"models.{choice.label}: {_NOT_ROOTS}")

    def _folds(self) -> list[Fold]:
        competition = repeated(self.opened.competition, 0)
        return all_folds(self.data.train, self.data.test, competition)


_MEND = "train all members with the same files, then blend again"


def _facts(competition: Competition) -> dict[str, Any]:
    """Return what of a declaration changes what models learn, whichever they are."""
    facts = asdict(competition)
    return {name: value for name, value in facts.items() if name not in UNLEARNED}


def _choice(record: dict[str, Any]) -> ModelChoice:
    """Return the model that a record names."""
    return ModelChoice(
        label=record["label"],
        kind=record["kind"],
        parameters=record["parameters"],
        transform=record["transform"],
        by_parts=record["by_parts"],
        features=tuple(record["features"]),
    )


def _ended_single(
    run: Run, fitted: list[dict[str, Any]], n_folds: int
) -> Iterator[tuple[tuple[int, int, int], Any]]:
    """Yield where a clock ended a fit, by pass, fold and part."""
    for one in fitted:
        if one["stopped_by_time"]:
            number = one["number"]
            content = run.own_bytes(f"fold-{number}/estimator.joblib")
            estimator = joblib.load(io.BytesIO(content))
            yield from _ended((number // n_folds, number % n_folds), estimator, run)


def _ended_members(
    run: Run, member: dict[str, Any], n_passes: int
) -> Iterator[tuple[tuple[int, int, int], Any]]:
    keys = member["keys"]
    each = len(keys) // n_passes
    for place, key in enumerate(keys):
        for one in _kept(run, member, key):
            yield from _ended((place // each, one.fold.number), one.estimator, run)


def _taught(run: Run, member: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Return what the fits on all rows were told: of each part, rounds and what is added.

    The rounds are those that they made, less what they made more than the folds' fits.
    """
    (one,) = _kept(run, member, member["keys"][0])
    estimator = one.estimator
    wholes = getattr(estimator, "regressors_", [estimator])
    taught = []
    for model, whole in zip(final_models(estimator), wholes, strict=True):
        rounds = getattr(model, "rounds_", None)
        told = None if rounds is None else [number / MORE_ROUNDS for number in rounds]
        added = getattr(whole, "variance_", 0.0)
        taught.append((told, np.asarray(added).tolist()))
    return taught


def _kept(run: Run, member: dict[str, Any], key: str) -> list[FoldResult]:
    """Return the fits of a member that lie beside its run.

    Raises DataError if they do not, TrustError if somebody else wrote them.
    """
    name = f"{MEMBERS}/{member['label']}/{key}.joblib"
    results: list[FoldResult] | None = unpack(run.own_bytes(name))
    if results is None:
        raise DataError(f"{run.path / name}: is damaged; train again")
    return results


def _ended(
    place: tuple[int, int], estimator: Any, run: Run
) -> Iterator[tuple[tuple[int, int, int], Any]]:
    for part, model in enumerate(final_models(estimator)):
        if not getattr(model, "stopped_by_time_", False):
            continue
        if hasattr(model, "fit_together"):
            found = getattr(model, "plan_", ())
        elif hasattr(model, "models_"):
            found = [best_round(one) for one in model.models_]
        else:
            found = [best_round(model.model_)]
        if not found:
            raise UsageError(
                f"run {run.id}: a network was cut short by the clock in a way that is not kept; "
                "train again with more time"
            )
        yield (*place, part), found
