"""A page that compares a competition's runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from pipeline.charts import Line, aligned, lines, scatter
from pipeline.progress import counted
from pipeline.report.known import Submitted
from pipeline.report.layout import Fact, Figure, Page, Section, Table, number, with_error
from pipeline.report.members import metric_name
from pipeline.report.words import language, say
from pipeline.runs import Run


def comparison_page(
    title: str, runs: Sequence[Run], submitted: Sequence[Submitted], links: Mapping[str, str]
) -> Page:
    """Return the page that compares finished runs, oldest first.

    runs: at least one. links: from a run's id to where its own page is.
    """
    alike = _comparable(runs)
    latest = alike[-1].record
    up = bool(latest.get("greater_is_better"))
    best = (max if up else min)(alike, key=lambda run: run.record["score"])
    public = {one.run: one for one in submitted if one.public is not None}
    name = metric_name(latest)
    facts = [
        Fact(
            say("Best run"),
            with_error(best.record["score"], best.record["standard_error"]),
            f"{name} out of fold, {best.record['model']['label']}",
        ),
        Fact(say("Runs"), f"{len(runs):,}", f"{len(alike):,} can be compared"),
    ]
    if public:
        scores = [one.public for one in public.values() if one.public is not None]
        facts.append(Fact(say("Public score"), number((max if up else min)(scores)), "the best"))
    figures = [_over_time(alike, name, up)]
    if public:
        figures += _against_public([run for run in alike if run.id in public], public, name)
    return Page(
        title=title,
        subtitle=f"{latest['competition']} · {counted(len(runs), 'run')}",
        language=language(),
        facts=facts,
        warnings=(),
        sections=[
            Section("scores", say("Score"), _lead(len(runs) - len(alike)), figures=figures),
            Section("runs", say("Runs"), tables=[_table(runs, public, links, name)]),
        ],
        footer="Choosing the best of many runs by one score makes that score optimistic.",
    )


def _comparable(runs: Sequence[Run]) -> list[Run]:
    """Return the most runs of the same files, metric and folds; of equally many the latest ones."""
    groups: list[list[Run]] = []
    for run in runs:
        mine = next((group for group in groups if _basis(group[0]) == _basis(run)), None)
        groups.append([run]) if mine is None else mine.append(run)
    return max(groups, key=lambda group: (len(group), runs.index(group[-1])))


def _basis(run: Run) -> Any:
    """Return what has to agree for scores to be compared."""
    record = run.record
    validation = {k: v for k, v in record["validation"].items() if k != "repeats"}
    return record["metric"], record["data"], validation, record["skipped_folds"]


def _lead(others: int) -> str:
    if not others:
        return "All runs are of the same files, metric and folds."
    return (
        f"Drawn are the runs of the same files, metric and folds; {counted(others, 'run')} of "
        "others cannot be compared with them."
    )


def _over_time(runs: Sequence[Run], name: str, up: bool) -> Figure:
    scores = [run.record["score"] for run in runs]
    best = np.maximum.accumulate(scores) if up else np.minimum.accumulate(scores)
    number_of = np.arange(1, len(runs) + 1)
    marks = {i: _said(run) for i, run in enumerate(runs)}
    told = f"{name} of {counted(len(runs), 'run')} in order; the best is {number(float(best[-1]))}"
    return Figure(
        say("Score over time"),
        lines(
            [
                Line("run", number_of, scores, marks, is_joined=False),
                Line("best so far", number_of, best),
            ],
            label=told,
            x_label="run",
            y_label=f"{name} out of fold",
            x_ends=(0.5, len(runs) + 0.5),
            is_whole=True,
        ),
        "In the order in which they were made, out of fold.",
    )


def _against_public(
    runs: Sequence[Run], public: Mapping[str, Submitted], name: str
) -> list[Figure]:
    """Return how scores out of fold and public ones go together."""
    if not runs:
        return []
    mine = np.array([run.record["score"] for run in runs])
    theirs = np.array([public[run.id].public for run in runs], dtype=float)
    rank = float(spearmanr(mine, theirs).statistic) if len(runs) > 2 else float("nan")
    held = sum(
        board["lower"] <= score <= board["upper"]
        for run, score in zip(runs, theirs, strict=True)
        if (board := run.record.get("leaderboard"))
    )
    text = f"{counted(len(runs), 'run')} with a public score; {held} of them within the interval "
    text += "that was expected. On the dashed line both are equal."
    if np.isfinite(rank):
        text += f" Rank correlation {rank:.2f}."
    return [
        Figure(
            say("Cross-validation against public score"),
            scatter(
                mine,
                theirs,
                label=f"Public {name} against {name} out of fold of {counted(len(runs), 'run')}",
                x_label=f"{name} out of fold",
                y_label=f"public {name}",
                diagonal=True,
            ),
            text,
        )
    ]


def _table(
    runs: Sequence[Run], public: Mapping[str, Submitted], links: Mapping[str, str], name: str
) -> Table:
    from markupsafe import Markup

    rows = []
    for run in reversed(runs):
        record, board = run.record, run.record.get("leaderboard")
        link = Markup('<a href="{}">{}</a>').format(
            links[run.id], run.id.removeprefix(f"{record['competition']}-")
        )
        entry = public.get(run.id)
        rows.append(
            [
                link,
                record["model"]["label"],
                record["metric"],
                with_error(record["score"], record["standard_error"]),
                "–" if board is None else " – ".join(aligned([board["lower"], board["upper"]], 4)),
                "–" if entry is None else number(entry.public),
                "–" if entry is None else number(entry.private),
                f"{len(record['folds'])} {record['validation']['scheme']}",
            ]
        )
    head = ["run", "model", "metric", "score", "leaderboard, 90 %", "public", "private", "folds"]
    return Table("Runs, newest first", head, rows, frozenset({3, 4, 5, 6}))


def _said(run: Run) -> str:
    record = run.record
    when = f"{datetime.fromisoformat(record['created']):%Y-%m-%d %H:%M}"
    score = with_error(record["score"], record["standard_error"])
    return f"{record['model']['label']}, {when}: {score}"
