"""inspect: declaration and files side by side."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.competition import Competition, Target
from pipeline.data import TestData, TrainData
from pipeline.inspection import BY_CHANCE, QUANTILES, Inspection, inspect_data
from pipeline.models import MODELS
from pipeline.progress import counted
from pipeline.splits import resolve_scheme
from pipeline.stages.opening import Opened, open_competition, read_data
from pipeline.stages.plotting import PlotOptions, draw_picture, has, read_frames
from pipeline.tables import bar_lines, table_lines, wrapped
from pipeline.terminal import table_width
from pipeline.workspace import Workspace

PLURALS = {"number": "number", "category": "text column", "text": "column of prose"}
MOST_CLASSES = 12  # that are shown
PICTURES = ("target", "missing", "correlation")


def inspect(workspace: Workspace, name: str) -> tuple[Opened, Inspection]:
    """Return the declaration, and what its files are like; nothing is written."""
    opened = open_competition(workspace, name)
    data = read_data(opened)
    train, test = data.train, data.test
    if opened.competition.windows is not None:
        train, test = _around_now(opened.competition, train, test)
    return opened, inspect_data(opened.competition, train, test, data.hidden)


def _around_now(
    competition: Competition, train: TrainData, test: TestData
) -> tuple[TrainData, TestData]:
    """Return windows with their last row alone, and the row that follows it as their answer."""
    names = [name for name in train.X if str(name).endswith(" t")]
    following = pd.DataFrame(train.y).iloc[:, : len(competition.columns.target)]
    y = following.iloc[:, 0] if following.shape[1] == 1 else following
    return replace(train, X=train.X[names], y=y), replace(test, X=test.X[names])


def save_pictures(opened: Opened, folder: Path) -> list[Path]:
    """Draw the target, what is missing and what correlates, and return what was written.

    What the files have nothing of is left out.
    """
    frames = read_frames(opened)
    asked = {kind: PlotOptions(kind=kind, out=folder / f"{kind}.png") for kind in PICTURES}
    asked["distribution"] = PlotOptions(
        x=opened.competition.columns.target[0], out=folder / "distribution.png"
    )
    return [
        draw_picture(opened, frames, options) for options in asked.values() if has(frames, options)
    ]


def inspection_record(opened: Opened, found: Inspection) -> dict[str, Any]:
    """Return an inspection for scripts."""
    return {
        "competition": opened.name,
        "declaration": asdict(opened.competition),
        "rows": {"train": found.n_train, "test": found.n_test},
        "columns": found.columns.to_dict("records"),
        "target": found.target,
        "time": found.order,
        "repeated": found.repeated,
        "adversarial_auc": None if found.drift is None else found.drift.auc,
        "drift_by_column": None if found.drift is None else found.drift.by_column.to_dict(),
        "warnings": found.warnings,
        "hint": found.hint,
        "proposals": found.proposals,
    }


def inspection_lines(opened: Opened, found: Inspection) -> list[str]:
    """Return an inspection for people, at most 80 columns wide."""
    competition = opened.competition
    validation = competition.validation
    scheme = resolve_scheme(validation, competition.task)
    declared = ", ".join(competition.models) or "none"
    others = ", ".join(name for name in MODELS if name not in competition.models)
    return [
        competition.title,
        f"task        {competition.task}, {competition.metric}",
        f"rows        {found.n_train:,} train, {found.n_test:,} test",
        f"columns     {_kinds(found)}",
        *_time_lines(found),
        f"validation  {scheme}, {validation.n_splits} folds, seed {validation.seed}",
        f"target      {competition.target.transform}, {_bounds(competition.target)}",
        *_repeated_lines(found),
        f"cleaning    missing: {competition.cleaning.missing}, "
        f"duplicates: {competition.cleaning.duplicates}",
        *wrapped(
            f"models      {declared} (default {competition.default_model}); also {others}", 12
        ),
        *_generated_lines(competition),
        "",
        *_target_lines(found),
        "",
        *([] if competition.images else _column_lines(found)),
        "",
        *_drift_lines(scheme, found),
        *_advice("warning", found.warnings),
        *_advice("hint", [found.hint] if found.hint else []),
        *_advice("try", found.proposals),
    ]


def _advice(kind: str, texts: list[str]) -> list[str]:
    """Return lines that begin with their kind, wrapped beside it."""
    return [part for text in texts for part in wrapped(f"{kind + ':':<9}{text}", 9)]


def _kinds(found: Inspection) -> str:
    """Return how many features are of each kind, and how many have gaps."""
    counts = found.columns["kind"].value_counts()
    told = [f"{counted(int(counts[kind]), PLURALS[kind])}" for kind in PLURALS if kind in counts]
    gaps = int(((found.columns["missing_train"] > 0) | (found.columns["missing_test"] > 0)).sum())
    return f"{', '.join(told)}; {gaps} with missing values"


def _repeated_lines(found: Inspection) -> list[str]:
    """Return how many rows stand twice, or nothing where none does."""
    here, across = found.repeated["train"], found.repeated["test"]
    told = [f"{counted(here, 'training row')} have the features of an earlier one"] * (here > 0)
    told += [f"{counted(across, 'test row')} those of a training row"] * (across > 0)
    return [f"repeated    {', '.join(told)}"] if told else []


def _time_lines(found: Inspection) -> list[str]:
    if found.order is None:
        return []
    spans = [f"{name} {first} to {last}" for name, (first, last) in found.order.items()]
    lines = [f"time        {spans[0]}", *(f"            {span}" for span in spans[1:])]
    return [one[:80] for one in lines]


def _drift_lines(scheme: str, found: Inspection) -> list[str]:
    """Return the AUC, and why a high one is no alarm where folds are not made by chance."""
    if found.drift is None:
        return ["test windows follow the training rows in time, and so do the folds"]
    lines = [f"adversarial AUC {found.drift.auc:.3f} (0.5: test rows look like training rows)"]
    if found.drift.is_clear and scheme not in BY_CHANCE:
        lines.append(
            f"test rows are told apart easily; folds by {scheme} are declared to mimic that"
        )
    return lines


def _generated_lines(competition: Competition) -> list[str]:
    """Return which features are generated for which models, and which columns are prose."""
    asked = [f"{one.label}: {', '.join(one.features)}" for one in competition.models.values()]
    told = "; ".join(text for text in asked if not text.endswith(": "))
    prose = ", ".join(competition.columns.text)
    lines = [f"generated   {told}"] if told else []
    lines += [f"prose       {prose}"] if prose else []
    return [part for line in lines for part in wrapped(line, 12)]


def _bounds(target: Target) -> str:
    lower = [] if target.lower is None else [f"at least {target.lower:g}"]
    upper = [] if target.upper is None else [f"at most {target.upper:g}"]
    return " and ".join([*lower, *upper]) or "no bounds"


def _target_lines(found: Inspection) -> list[str]:
    numbers = {name: facts for name, facts in found.target.items() if isinstance(facts, dict)}
    if not numbers:
        shares = list(found.target.items())
        lines = bar_lines([(name, f"{share:.1%}", share) for name, share in shares[:MOST_CLASSES]])
        more = len(shares) - MOST_CLASSES
        return [*lines, f"and {more} more classes"] if more > 0 else lines
    return [line for name, facts in numbers.items() for line in _number_lines(name, facts)]


def _number_lines(name: str, facts: dict[str, Any]) -> list[str]:
    """Return a target's quantiles and its histogram."""
    of = {key: _number(value) for key, value in facts.items() if key != "histogram"}
    spread = "   ".join(f"{key} {of[key]}" for key in ("min", *QUANTILES, "max"))
    edges, counts = facts["histogram"]["edges"], facts["histogram"]["counts"]
    bars = [
        (f"from {_number(edge)}", f"{count:,}", float(count))
        for edge, count in zip(edges, counts, strict=False)
    ]
    return [
        f"{name}: mean {of['mean']}, skewness {of['skewness']}",
        *wrapped(f"  {spread}", 2),
        *bar_lines(bars),
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _column_lines(found: Inspection) -> list[str]:
    """Return a row a column; shares of missing cells are in percent, nothing where none is."""
    rows = [
        {
            "column": row["column"],
            "kind": row["kind"],
            "levels": row["levels"],
            "missing": _share(row["missing_train"], found.n_train),
            "in test": _share(row["missing_test"], found.n_test),
            "unseen": row["unseen_in_test"] or "",
            "drift": "" if found.drift is None else f"{row['drift_auc']:.2f}",
            "explains": "" if row["strength"] is None else f"{row['strength']:.2f}",
        }
        for row in found.columns.to_dict("records")
    ]
    names = list(rows[0])
    return table_lines(rows, names, ("column",), table_width(), names[2:])


def _share(count: Any, of: int) -> str:
    """Return a share in percent; what is there at all is never 0."""
    return f"{max(count / of, 0.001):.1%}" if count else ""
