"""ensemble: blend finished runs that predicted the same rows, and leave a run like any other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.competition import Competition
from pipeline.decisions import fold_scores
from pipeline.ensemble import Blend, Candidates, choose_blend
from pipeline.errors import DataError, UsageError
from pipeline.metrics import metric_of
from pipeline.progress import Note, counted, emit, listening
from pipeline.raw import load_manifest
from pipeline.runs import Run, find_run, list_runs
from pipeline.stages.opening import Data, Opened, open_competition, read_data
from pipeline.stages.recording import (
    Log,
    Outcome,
    blend_record,
    column_names,
    comparable_runs,
    folds_of,
    spread,
    tell_decision,
    write_run,
)
from pipeline.stages.studying import attempt, compare_members, importance_of_members
from pipeline.workspace import Workspace

LABEL = "ensemble"
SHARED = ("metric", "target", "labels", "data", "validation", "skipped_folds", "rows")


def blend(workspace: Workspace, name: str, run_ids: Sequence[str] = ()) -> Run:
    """Blend finished runs, and leave a run whose score no row has helped to choose.

    run_ids: the members; if left out, the best run of each model among all that share the declared
    files, metric and folds.
    Raises UsageError if the runs cannot be compared, naming what differs.
    """
    log = Log()
    with listening(log):
        opened = open_competition(workspace, name)
        members = _chosen(workspace, name, run_ids) if run_ids else _comparable(opened)
        check_alike(members)
        data = read_data(opened)
        _check_current(members[0], opened.competition, data)
        opened = _with_folds_of(opened, members[0])
        candidates, tests = _read_members(members, opened.competition, data)
        found = choose_blend(candidates)
        _tell(members, found, opened.competition)
        labels = [run.record["model"]["label"] for run in members]
        outcome = replace(
            _outcome(members, candidates, found, found.mixer(tests), data),
            importance=attempt(
                "the importance of columns",
                lambda: importance_of_members(members, found.mixer.weights),
                "it could not be found out",
            ),
            together=attempt(
                "the comparison of models",
                lambda: compare_members(candidates, labels, opened.competition),
                None,
            ),
            command=f"kc ensemble {name} {' '.join(run.id for run in members)}",
        )
        return write_run(opened, data, outcome, log)


def check_alike(runs: Sequence[Run]) -> None:
    """Check that runs predicted the same rows, in the same folds, for the same metric.

    Raises UsageError naming what differs.
    """
    for run in runs:
        if run.record.get("members"):
            raise UsageError(f"run {run.id} is a blend itself; name its members instead")
        skipped = run.record["skipped_folds"]
        if skipped:
            raise UsageError(
                f"run {run.id}: time ran out before {counted(skipped, 'fold')}; "
                "train it again with more --time"
            )
        for key in SHARED:
            ours, theirs = (one.record.get(key) for one in (runs[0], run))
            if key == "validation":
                ours, theirs = folds_of(ours or {}), folds_of(theirs or {})
            if ours != theirs:
                raise UsageError(
                    f"runs {runs[0].id} and {run.id} cannot be compared: "
                    f"{_difference(key, ours, theirs)}"
                )


def _chosen(workspace: Workspace, name: str, run_ids: Sequence[str]) -> list[Run]:
    found = [find_run(workspace.runs, name, one) for one in dict.fromkeys(run_ids)]
    if len(found) < 2:
        raise UsageError(f"kc ensemble {name}: expected two runs or more, found only {found[0].id}")
    return found


def _comparable(opened: Opened) -> list[Run]:
    """Return the best run of each model among those that can be compared, in order of their score.

    Raises UsageError if there are fewer than two.
    """
    competition, workspace = opened.competition, opened.workspace
    manifest = load_manifest(workspace.data(opened.name))
    runs = list_runs(workspace.runs, opened.name)
    alike = [] if manifest is None else comparable_runs(competition, manifest, runs)
    alike = [run for run in alike if not run.record.get("members")]
    sign = -1 if metric_of(competition).greater_is_better else 1
    alike.sort(key=lambda run: sign * run.record["score"])
    best = {run.record["model"]["label"]: run for run in reversed(alike)}
    if len(best) < 2:
        raise UsageError(
            f"{workspace.runs}: expected runs of two models of {opened.name!r} or more with the "
            f"declared files, metric and folds, found {len(best)} among "
            f"{counted(len(runs), 'run')}; run kc train {opened.name} --model MODEL"
        )
    return sorted(best.values(), key=alike.index)


def _difference(key: str, ours: Any, theirs: Any) -> str:
    """Return the first part of two records that differs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for part in sorted({*ours, *theirs}):
            if ours.get(part) != theirs.get(part):
                return _difference(f"{key}.{part}", ours.get(part), theirs.get(part))
    return f"{key} is {_short(ours)} and {_short(theirs)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _check_current(run: Run, competition: Competition, data: Data) -> None:
    """Check that the runs are about the files and the declaration that are here now."""
    now = {
        "metric": competition.metric,
        "target": list(competition.columns.target),
        "labels": None if data.labels is None else data.labels.tolist(),
        "data": {file.name: file.sha256 for file in data.manifest.files},
    }
    for key, value in now.items():
        if run.record[key] != value:
            raise UsageError(
                f"run {run.id} and what is declared and fetched now cannot be compared: "
                f"{_difference(key, run.record[key], value)}"
            )


def _with_folds_of(opened: Opened, run: Run) -> Opened:
    """Return the competition with the folds of the members, which --folds may have chosen."""
    known = run.record["validation"]
    declared = {key: known[key] for key in ("scheme", "rule", "n_splits", "seed") if key in known}
    return replace(opened, competition=opened.competition.with_validation(**declared))


def _read_members(
    members: Sequence[Run], competition: Competition, data: Data
) -> tuple[Candidates, np.ndarray]:
    """Return the out-of-fold predictions, and those of the test (n_models, n_test, n_columns).

    Raises DataError if a run's rows or folds are not those of the others.
    """
    names = column_names(competition, data.labels)
    oof = [run.frame("oof.csv") for run in members]
    fold = oof[0]["fold"].to_numpy()
    tests = []
    for run, frame in zip(members, oof, strict=True):
        _check_rows(run, "oof.csv", frame["id"], data.train.ids)
        if not np.array_equal(frame["fold"], fold):
            raise UsageError(
                f"runs {members[0].id} and {run.id} cannot be compared: their folds hold other rows"
            )
        test = run.frame("test.csv")
        _check_rows(run, "test.csv", test["id"], data.test.ids)
        tests.append(_mean_over_estimators(test, names, len(run.record["predicting_folds"])))
    covered = fold >= 0
    candidates = Candidates(
        predictions=np.array(
            [frame[[f"prediction_{name}" for name in names]].to_numpy()[covered] for frame in oof]
        ),
        y=np.asarray(data.train.y)[covered],
        fold=fold[covered],
        metric=metric_of(competition),
        labels=data.labels,
        target=competition.target,
    )
    return candidates, np.array(tests)


def _check_rows(run: Run, name: str, found: pd.Series, expected: pd.Series) -> None:
    if found.tolist() != expected.tolist():
        raise DataError(
            f"{run.path / name}: its ids are not those of the files that are here now; train again"
        )


def _mean_over_estimators(test: pd.DataFrame, names: list[str], n: int) -> np.ndarray:
    each = [test[[f"{name}_{number}" for name in names]].to_numpy() for number in range(n)]
    return np.asarray(np.nanmean(each, axis=0))  # by the strict rule, each has rows of its own


def _outcome(
    members: Sequence[Run], candidates: Candidates, found: Blend, test: np.ndarray, data: Data
) -> Outcome:
    """Return what the run of a blend has found; rows that no fold predicted stay empty."""
    frame = members[0].frame("oof.csv")
    fold = frame["fold"].to_numpy()
    scores = fold_scores(
        candidates.y, found.decided.answers, candidates.fold, candidates.metric, data.labels
    )
    return Outcome(
        label=LABEL,
        fold=fold,
        oof=spread(found.oof, fold),
        answers=spread(found.decided.answers, fold),
        tests=[test],
        decision=found.decided.decision,
        facts=_facts(members, found, scores),
        save=lambda run: None,
    )


def _facts(members: Sequence[Run], found: Blend, scores: np.ndarray) -> dict[str, Any]:
    """Return what run.json says of a blend."""
    folds = [
        {"number": number, "score": score, "way": found.fold_ways[number]}
        for number, score in zip(sorted(found.fold_ways), scores, strict=True)
    ]
    record = blend_record(
        LABEL, found.mixer, found.way, found.ways, found.plain, found.decided, scores
    )
    return record | {
        "seed": None,  # nothing is drawn by chance
        "folds": folds,
        "members": [
            {
                "run": run.id,
                "label": run.record["model"]["label"],
                "score": run.record["score"],
                "standard_error": run.record["standard_error"],
                "weights": weights,
                "seconds": run.record["seconds"],
            }
            for run, weights in zip(members, found.mixer.weights.tolist(), strict=True)
        ],
    }


def _tell(members: Sequence[Run], found: Blend, competition: Competition) -> None:
    width = max(len(run.record["model"]["label"]) for run in members)
    for run, weights in zip(members, found.mixer.weights, strict=True):
        shown = " ".join(f"{weight:6.3f}" for weight in weights)
        label, score = run.record["model"]["label"], run.record["score"]
        facts = {"run": run.id, "weights": weights.tolist()}
        emit(Note("member", f"{shown}  {label:<{width}}  {score:.5f}  {run.id}", facts))
    each = ", ".join(f"{way} {score:.5f}" for way, score in found.ways.items())
    emit(Note("ways", f"nested {competition.metric}: {each}", {"nested": dict(found.ways)}))
    emit(
        Note(
            LABEL,
            f"{found.way} of {counted(len(members), 'run')}: {competition.metric} "
            f"{found.score:.5f} nested, {found.plain:.5f} on the rows that chose it",
            {"score": found.score, "plain_score": found.plain, "way": found.way},
        )
    )
    decided = found.decided
    tell_decision(competition.metric, decided.decision, decided.score, decided.plain)
