"""inspect: declaration and files side by side."""

from dataclasses import asdict, replace
from textwrap import wrap
from typing import Any

from pipeline.competition import Competition, Target
from pipeline.inspection import BY_CHANCE, Inspection, inspect_data
from pipeline.models import MODELS
from pipeline.splits import resolve_scheme
from pipeline.stages.opening import Opened, open_competition, read_data
from pipeline.tables import fitted
from pipeline.workspace import Workspace


def inspect(workspace: Workspace, name: str) -> tuple[Opened, Inspection]:
    """Return the declaration, and what its files are like; nothing is written."""
    opened = open_competition(workspace, name)
    data = read_data(opened)
    train, test = data.train, data.test
    if opened.competition.windows is not None:  # of a window, its last row is looked at
        names = [name for name in train.X if str(name).endswith(" t")]
        train, test = replace(train, X=train.X[names]), replace(test, X=test.X[names])
    return opened, inspect_data(opened.competition, train, test, data.hidden)


def inspection_record(opened: Opened, found: Inspection) -> dict[str, Any]:
    """Return an inspection for scripts."""
    return {
        "competition": opened.name,
        "declaration": asdict(opened.competition),
        "rows": {"train": found.n_train, "test": found.n_test},
        "columns": found.columns.to_dict("records"),
        "target": found.target,
        "adversarial_auc": None if found.drift is None else found.drift.auc,
        "drift_by_column": None if found.drift is None else found.drift.by_column.to_dict(),
        "warnings": found.warnings,
        "hint": found.hint,
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
        f"validation  {scheme}, {validation.n_splits} folds, seed {validation.seed}",
        f"target      {competition.target.transform}, {_bounds(competition.target)}",
        f"cleaning    missing: {competition.cleaning.missing}, "
        f"duplicates: {competition.cleaning.duplicates}",
        *wrap(
            f"models      {declared} (default {competition.default_model}); also {others}",
            width=80,
            subsequent_indent=" " * 12,
        ),
        *_generated_lines(competition),
        "",
        *_target_lines(found),
        "",
        *_column_lines(found),
        "",
        *_drift_lines(scheme, found),
        *(f"warning: {text}" for text in found.warnings),
        *wrap(f"hint: {found.hint}" if found.hint else "", width=80, subsequent_indent="  "),
    ]


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
    return [part for line in lines for part in wrap(line, width=80, subsequent_indent=" " * 12)]


def _bounds(target: Target) -> str:
    lower = [] if target.lower is None else [f"at least {target.lower:g}"]
    upper = [] if target.upper is None else [f"at most {target.upper:g}"]
    return " and ".join([*lower, *upper]) or "no bounds"


def _target_lines(found: Inspection) -> list[str]:
    lines = []
    for name, facts in found.target.items():
        if isinstance(facts, dict):
            shown = "  ".join(f"{key} {_number(value)}" for key, value in facts.items())
        else:
            shown = f"{facts:.1%}"
        lines.append(f"{name}: {shown}")
    return lines


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _column_lines(found: Inspection) -> list[str]:
    from rich.cells import cell_len

    width = min(30, max(cell_len(str(name)) for name in found.columns["column"]))
    head = f"{'column':<{width}}  kind      levels  missing train/test  unseen  drift"
    rows = [
        f"{fitted(str(row.column), width)}  {row.kind:<8}  {row.levels:>6}  "
        f"{row.missing_train:>8}/{row.missing_test:<8}   {row.unseen_in_test:>6}  "
        f"{'-' if found.drift is None else format(row.drift_auc, '.2f')}"
        for row in found.columns.itertuples()
    ]
    return [head, *rows]
