"""How networks learned: losses by epoch, where each fold stopped, and where it began to overfit."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.charts import Line, lines, short
from pipeline.report.layout import Figure, Section, Table
from pipeline.report.words import say
from pipeline.runs import Run

WORSE = 0.01  # of the best loss: so much above it, a held-out loss has turned
MOST = 6  # models whose curves are shown
TRAINING, HELD_OUT = "training rows", "held-out rows"


def learning_section(run: Run) -> Section:
    """Return the section of the models that are trained in epochs; an empty one without such."""
    figures = [_figure(title, folds) for title, folds in _histories(run)][:MOST]
    tables = []
    if len(figures) == 1 and figures[0].table is not None:  # there is room for its numbers
        tables = [replace(figures[0].table, beside=True)]
        figures = [replace(figures[0], table=None)]
    lead = (
        "The weights of the best epoch on rows that early stopping held out of a fold's training "
        "rows are the ones that are kept. A dot is that epoch."
    )
    return Section(
        "learning", say("Learning"), lead if figures else "", figures=figures, tables=tables
    )


def _histories(run: Run) -> Iterator[tuple[str, dict[str, pd.DataFrame]]]:
    """Yield the name of each model or part, and the losses by epoch of its folds."""
    numbers = [one["number"] for one in run.record["folds"]]  # not those of fits on all rows
    paths = {number: run.path / f"fold-{number}" / "history.csv" for number in numbers}
    each = {number: pd.read_csv(path) for number, path in paths.items() if path.is_file()}
    if each:
        label = str(run.record["model"]["label"])
        folds = pd.concat([each[n].assign(fold=n) for n in sorted(each)], ignore_index=True)
        yield from _by_part(label, folds)
    for member in run.record.get("members") or []:
        path = run.path / "members" / str(member["label"]) / "history.csv"
        if path.is_file():
            yield from _by_part(str(member["label"]), pd.read_csv(path))


def _by_part(label: str, rows: pd.DataFrame) -> Iterator[tuple[str, dict[str, pd.DataFrame]]]:
    if "part" not in rows:
        rows = rows.assign(part="")
    for part, mine in rows.groupby("part", sort=False, dropna=False):
        title = f"{label}, {part!s}" if part else label
        yield title, {str(int(str(n)) + 1): fold for n, fold in mine.groupby("fold")}


def over_fit_from(history: pd.DataFrame) -> int | None:
    """Return the first epoch from which the held-out loss stays above its best.

    By a hundredth of it at least; None if it never does, or nothing is held out.
    """
    if "val_loss" not in history:
        return None
    held_out = history["val_loss"].to_numpy(dtype=float)
    best = int(np.nanargmin(held_out))
    limit = held_out[best] + WORSE * abs(held_out[best])
    below = np.flatnonzero(~(held_out > limit))
    first = int(below[-1]) + 1
    return None if first >= len(held_out) else int(history["epoch"].iloc[first])


def _figure(title: str, folds: dict[str, pd.DataFrame]) -> Figure:
    drawn = [
        Line(TRAINING, fold["epoch"].to_numpy(), fold["loss"].to_numpy()) for fold in folds.values()
    ]
    rows: list[list[Any]] = []
    for name, fold in folds.items():
        if "val_loss" not in fold:
            continue
        held_out = fold["val_loss"].to_numpy(dtype=float)
        best = int(np.nanargmin(held_out))
        epoch, turned = int(fold["epoch"].iloc[best]), over_fit_from(fold)
        said = (
            f"fold {name}: best epoch {epoch} of {len(fold)}, held-out loss {short(held_out[best])}"
        )
        drawn.append(Line(HELD_OUT, fold["epoch"].to_numpy(), held_out, {best: said}))
        rows.append(
            [
                f"fold {name}",
                len(fold),
                epoch,
                short(float(fold["loss"].iloc[best])),
                short(float(held_out[best])),
                "–" if turned is None else turned,
            ]
        )
    turns = [row[5] for row in rows if row[5] != "–"]
    shaded = float(np.median(turns)) if len(turns) * 2 > len(folds) else None
    table = Table(
        f"Epochs of {title}",
        ["fold", "epochs", "best", "training loss", "held-out loss", "overfits from"],
        rows,
        frozenset(range(1, 6)),
    )
    return Figure(
        title,
        lines(
            drawn,
            label=f"Losses of {title} by epoch in {len(folds)} folds",
            x_label="epoch",
            y_label="loss",
            y_ends=_ends(drawn),
            shaded_from=shaded,
            shaded="overfits",
            is_whole=True,
        ),
        _caption(rows, shaded),
        table if rows else None,
    )


def _caption(rows: list[list[Any]], shaded: float | None) -> str:
    if not rows:
        return "Nothing was held out, so every epoch was trained."
    best = [row[2] for row in rows]
    text = f"Best epochs {min(best)} to {max(best)} of {max(row[1] for row in rows)} trained."
    if shaded is None:
        return f"{text} Most folds do not overfit within their epochs."
    return f"{text} From about epoch {shaded:.0f} on, most folds only learn their training rows."


def _ends(drawn: list[Line]) -> tuple[float, float]:
    """Return the losses at the edges; the first, highest ones may lie beyond."""
    every = np.concatenate([np.asarray(line.y, dtype=float) for line in drawn])
    every = every[np.isfinite(every)]
    later = np.concatenate([np.asarray(line.y)[len(line.y) // 10 :] for line in drawn])
    low, high = float(every.min()), float(np.nanmax(later))
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room
