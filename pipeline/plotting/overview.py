"""Many columns in one picture: the target against them, what is missing, and how they correlate."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.plotting.canvas import COLOURS, new_figure
from pipeline.plotting.columns import MOST_LEVELS, levels_of, some_rows, sort_of
from pipeline.progress import Note, counted, emit

N_BINS = 12
MOST_PANELS = 6
MAP_ROWS = 400  # of the map of missing cells
MOST_COLUMNS = 30
ANNOTATED = 14  # columns whose correlations are written into their squares
POINTS = 1500  # a panel


def target_panels(frame: pd.DataFrame, target: str, columns: list[str]) -> Any:
    """Return a figure of the target against each of some columns.

    A number is cut into bins of as many rows: the points are the rows, the line the bins' means
    with twice their standard errors. Of classes, their shares in each bin or level.
    """
    shown = columns[:MOST_PANELS]
    wide = {1: 1, 2: 2, 4: 2}.get(len(shown), 3)
    high = -(-len(shown) // wide)
    figure = new_figure(8.0 if wide == 1 else 3.6 * wide, 5.0 if wide == 1 else 3.1 * high)
    every = figure.subplots(high, wide, squeeze=False).ravel()
    for axes, name in zip(every, shown, strict=False):
        _panel(axes, frame, target, name)
    for axes in every[len(shown) :]:
        axes.set_visible(False)
    if sort_of(frame[target]) == "category":
        figure.supylabel("share of the rows", fontsize=10)
        figure.legend(
            *every[0].get_legend_handles_labels(), title=target, loc="outside right upper"
        )
    else:
        figure.supylabel(target, fontsize=10)
    return figure


def _panel(axes: Any, frame: pd.DataFrame, target: str, name: str) -> None:
    is_number = sort_of(frame[name]) != "category"
    at, ticks = _bins(frame[name]) if is_number else _level_places(frame[name])
    if sort_of(frame[target]) == "category":
        _shares(axes, frame[target], at)
    else:
        _means(axes, frame[target], frame[name] if is_number else None, at)
    axes.set_xlabel(name)
    places = np.arange(len(ticks))
    is_curve = is_number and sort_of(frame[target]) != "category"
    if not is_curve:
        long = sum(map(len, ticks)) > 34
        angle = {"rotation": 45, "ha": "right"} if long else {}
        axes.set_xticks(places, ticks, fontsize=8, **angle)
        axes.grid(visible=False, axis="x")


def _bins(column: pd.Series) -> tuple[pd.Series, list[str]]:
    """Return the bin of each row, from 0, and how the bins are called."""
    if column.nunique() <= N_BINS:
        codes, values = pd.factorize(column, sort=True)
        return pd.Series(codes, index=column.index), [f"{value:.6g}" for value in values]
    cut = pd.qcut(column, N_BINS, duplicates="drop").cat.remove_unused_categories()
    if sort_of(column) == "time":
        return cut.cat.codes.astype(int), [f"{one.mid:%Y-%m-%d}" for one in cut.cat.categories]
    return cut.cat.codes.astype(int), [f"{one.mid:.3g}" for one in cut.cat.categories]


def _level_places(column: pd.Series) -> tuple[pd.Series, list[str]]:
    levels = levels_of(column, MOST_LEVELS)
    names = [
        str(one) if len(str(one)) <= 12 else f"{str(one)[:11]}…" for one in levels.cat.categories
    ]
    return levels.cat.codes.astype(int), names


def _means(axes: Any, y: pd.Series, x: pd.Series | None, at: pd.Series) -> None:
    """Draw rows as points, and the mean of each bin or level with twice its standard error."""
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(len(y))[:POINTS])
    where = at + 0.0 if x is None else x
    across = where.iloc[rows]
    if x is None:  # points of one level beside each other
        across = across + rng.uniform(-0.25, 0.25, len(rows))
    axes.scatter(
        across, y.iloc[rows], s=5, color=COLOURS[0], alpha=0.22, linewidths=0, rasterized=True
    )
    table = pd.DataFrame({"at": at, "x": where, "y": y})[(at >= 0).to_numpy()]
    found = table.groupby("at").agg(x=("x", "mean"), y=("y", "mean"), sem=("y", "sem"))
    style = {"linestyle": "none"} if x is None else {"linewidth": 1.6}
    axes.errorbar(
        found["x"].to_numpy(), found["y"].to_numpy(), yerr=2 * found["sem"].fillna(0).to_numpy(),
        color=COLOURS[1], marker="o", markersize=4, capsize=2, **style,
    )  # fmt: skip
    low, high = y.quantile([0.002, 0.998])
    margin = 0.04 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)


def _shares(axes: Any, y: pd.Series, at: pd.Series) -> None:
    """Draw the classes' shares of each bin or level on top of each other."""
    shares = pd.crosstab(at[at >= 0], levels_of(y, len(COLOURS)), normalize="index")
    below = np.zeros(len(shares))
    for colour, name in zip(COLOURS, shares.columns, strict=False):
        heights = shares[name].to_numpy()
        axes.bar(
            shares.index, heights, 0.9, bottom=below, color=colour, alpha=0.85, label=str(name)
        )
        below += heights
    axes.set_ylim(0, 1)


def missing_map(train: pd.DataFrame, test: pd.DataFrame) -> Any:
    """Return a figure of the columns with missing cells: which rows lack them, and what share.

    Rows stand in the order of the file, so that a gap in time is seen as one.
    """
    shares = {name: (one.isna().mean()) for name, one in (("train", train), ("test", test))}
    table = pd.DataFrame(shares).reindex([*train.columns]).fillna(0.0)
    table = table[table.max(axis=1) > 0].sort_values("train", ascending=False)
    names = [str(name) for name in table.index[:MOST_COLUMNS]]
    if len(table) > MOST_COLUMNS:
        emit(Note("plot", f"{MOST_COLUMNS} of {len(table)} columns with missing cells are drawn"))
    figure = new_figure(9.0, 1.6 + 0.26 * len(names))
    left, right = figure.subplots(1, 2, width_ratios=(2, 1), sharey=True)
    rows = train[names].isna().to_numpy()
    edges = np.linspace(0, len(rows), min(MAP_ROWS, len(rows)) + 1).astype(int)
    blocks = np.add.reduceat(rows, edges[:-1], axis=0) / np.diff(edges)[:, None]
    left.imshow(
        blocks.T, aspect="auto", interpolation="nearest", cmap="Blues", vmin=0, vmax=1,
        extent=(0, len(rows), len(names) - 0.5, -0.5),
    )  # fmt: skip
    left.set_yticks(np.arange(len(names)), names)
    left.set_xlabel("row of the training file")
    left.set_title("missing cells are dark")
    left.grid(visible=False)
    places = np.arange(len(names))
    for shift, part, colour in ((-0.2, "train", COLOURS[0]), (0.2, "test", COLOURS[4])):
        right.barh(places + shift, 100 * table[part][names], 0.4, color=colour, label=part)
    right.set_xlabel("missing, % of the rows")
    right.legend(loc="lower right")
    right.grid(visible=False, axis="y")
    return figure


def correlation(frame: pd.DataFrame, target: str | None) -> Any:
    """Return a figure of the rank correlation (Spearman) of each two numbers.

    The target stands first, the others by how closely they follow it.
    """
    numbers = frame[[name for name in frame if sort_of(frame[name]) == "number"]]
    numbers = numbers.loc[:, numbers.nunique() > 1]
    found = some_rows(numbers).rank().corr(min_periods=3).fillna(0.0)
    if target in found:
        found = _ordered(found, found[target].abs().sort_values(ascending=False, kind="stable"))
    else:
        found = _ordered(found, found.abs().sum().sort_values(ascending=False, kind="stable"))
    if len(found) > MOST_COLUMNS:
        emit(Note("plot", f"{MOST_COLUMNS} of {counted(len(found), 'number')} are drawn"))
        found = found.iloc[:MOST_COLUMNS, :MOST_COLUMNS]
    n = len(found)
    side = float(np.clip(1.8 + 0.42 * n, 4.0, 10.5))
    figure = new_figure(side + 0.8, side - 0.4)
    axes = figure.subplots()
    values = found.to_numpy()
    image = axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_xticks(np.arange(n), list(found), rotation=45, ha="right", fontsize=8)
    axes.set_yticks(np.arange(n), list(found), fontsize=8)
    axes.grid(visible=False)
    if n <= ANNOTATED:
        for i in range(n):
            for j in range(n):
                shade = "white" if abs(values[i, j]) > 0.6 else "#333333"
                text = f"{values[i, j]:.2f}".replace("-0.00", "0.00")
                axes.text(j, i, text, ha="center", va="center", fontsize=7, color=shade)
    figure.colorbar(image, ax=axes, shrink=0.8, label="rank correlation")
    return figure


def _ordered(table: pd.DataFrame, order: pd.Series) -> pd.DataFrame:
    return table.loc[order.index, order.index]
