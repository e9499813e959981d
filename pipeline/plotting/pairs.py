"""One column, or one against another: scatter, line, histogram, box."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.plotting.canvas import COLOURS, new_figure
from pipeline.plotting.columns import FEW, MOST_LEVELS, levels_of, some_rows, sort_of

BINS = 40
GAP = 4.0  # usual steps, from which on a line breaks off
MARKS = {"linewidths": 0, "rasterized": True}


def scatter(frame: pd.DataFrame, x: str, y: str, by: str | None) -> Any:
    """Return a figure of points, coloured by the levels of a column, or by its value."""
    figure, axes = _with_axes(x, y)
    rows = some_rows(frame.dropna(subset=[x, y]))
    size = float(np.clip(9000 / max(len(rows), 1), 6, 36))
    is_scale = by is not None and sort_of(rows[by]) == "number" and rows[by].nunique() > FEW
    if by is not None and is_scale:
        marks = axes.scatter(rows[x], rows[y], c=rows[by], s=size, cmap="viridis", **MARKS)
        figure.colorbar(marks, ax=axes, label=by)
        return figure
    for colour, name, part in _parts(rows, by):
        axes.scatter(part[x], part[y], s=size, color=colour, alpha=0.5, label=name, **MARKS)
    _legend(axes, by)
    return figure


def line(frame: pd.DataFrame, x: str, y: str, by: str | None) -> Any:
    """Return a figure of lines along a column: the mean of y at each value of x.

    Where there are more values than a line can show, x is cut into as many steps.
    """
    figure, axes = _with_axes(x, y)
    rows = frame.dropna(subset=[x, y])
    for colour, name, part in _parts(rows, by):
        at = _steps(part[x])
        mean = _with_gaps(part.groupby(at)[y].mean())
        axes.plot(mean.index.to_numpy(), mean.to_numpy(), color=colour, label=name, linewidth=1.2)
    _legend(axes, by)
    if sort_of(frame[x]) == "time":
        _dates(axes)
    return figure


def histogram(frame: pd.DataFrame, x: str, by: str | None) -> Any:
    """Return a figure of how often values occur; levels of by are compared by their shares."""
    figure, axes = _with_axes(x, "rows" if by is None else "share of the rows")
    if sort_of(frame[x]) == "category":
        _bars(axes, frame, x, by)
        return figure
    values = frame[x].dropna()
    edges = np.histogram_bin_edges(_as_numbers(values), bins=_n_bins(values))
    for colour, name, part in _parts(frame.loc[values.index], by):
        numbers = _as_numbers(part[x])
        weights = None if by is None else np.full(len(numbers), 1 / max(len(numbers), 1))
        style = {"alpha": 0.85} if by is None else {"histtype": "step", "linewidth": 1.8}
        axes.hist(numbers, edges, weights=weights, color=colour, label=name, **style)
    _legend(axes, by)
    if sort_of(frame[x]) == "time":
        axes.xaxis_date()
        _dates(axes)
    return figure


def box(frame: pd.DataFrame, x: str, y: str, by: str | None) -> Any:
    """Return a figure of a number's quartiles at each level of a column.

    x, y: one is the number; if it is x, the boxes lie. Of two numbers, that of fewer values is the
    one whose values are levels.
    """
    lies = is_by(frame, y, x)
    number, kind = (x, y) if lies else (y, x)
    figure, axes = _with_axes(x, y)
    rows = frame.dropna(subset=[number])
    levels = levels_of(rows[kind], MOST_LEVELS)
    names = [str(one) for one in levels.cat.categories]
    parts = _parts(rows, by)
    width = 0.8 / len(parts)
    for place, (colour, name, part) in enumerate(parts):
        values = [part.loc[levels[part.index] == one, number].to_numpy() for one in names]
        at = np.arange(len(names)) + (place - (len(parts) - 1) / 2) * width
        _boxes(axes, values, at, width, colour, lies=lies)
        if name:
            axes.plot([], [], color=colour, linewidth=6, label=name)
    _name_levels(axes, names, lies=lies)
    _legend(axes, by)
    return figure


def is_by(frame: pd.DataFrame, kind: str, number: str) -> bool:
    """Tell whether a column is rather the levels than the number of two columns."""
    sorts = sort_of(frame[kind]), sort_of(frame[number])
    if "category" in sorts:
        return sorts[0] == "category"
    if "time" in sorts:
        return sorts[0] == "time"
    return frame[kind].nunique() < frame[number].nunique()


def _boxes(axes: Any, values: list[Any], at: Any, width: float, colour: str, *, lies: bool) -> None:
    way: dict[str, Any] = {"orientation": "horizontal" if lies else "vertical"}
    axes.boxplot(
        values,
        positions=at,
        widths=width * 0.8,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": colour, "alpha": 0.45, "edgecolor": colour},
        medianprops={"color": "#222222", "linewidth": 1.4},
        whiskerprops={"color": colour},
        capprops={"color": colour},
        flierprops={"marker": ".", "markersize": 2, "markeredgecolor": colour, "alpha": 0.4},
        **way,
    )


def _name_levels(axes: Any, names: list[str], *, lies: bool) -> None:
    shown = [name if len(name) <= 18 else f"{name[:17]}…" for name in names]
    places = np.arange(len(names))
    if lies:
        axes.set_yticks(places, shown)
        axes.invert_yaxis()
        return
    is_long = sum(map(len, shown)) > 70
    axes.set_xticks(
        places, shown, rotation=40 if is_long else 0, ha="right" if is_long else "center"
    )


def _bars(axes: Any, frame: pd.DataFrame, x: str, by: str | None) -> None:
    levels = levels_of(frame[x], MOST_LEVELS)
    names = [str(one) for one in levels.cat.categories]
    parts = _parts(frame, by)
    width = 0.8 / len(parts)
    for place, (colour, name, part) in enumerate(parts):
        counts = levels[part.index].value_counts().reindex(names).to_numpy(dtype=float)
        heights = counts if by is None else counts / max(counts.sum(), 1)
        at = np.arange(len(names)) + (place - (len(parts) - 1) / 2) * width
        axes.bar(at, heights, width * 0.95, color=colour, label=name, alpha=0.85)
    axes.grid(visible=False, axis="x")
    _name_levels(axes, names, lies=False)
    _legend(axes, by)


def _parts(frame: pd.DataFrame, by: str | None) -> list[tuple[str, str | None, pd.DataFrame]]:
    """Return the rows of each level of a column, with its colour and name; all if there is none."""
    if by is None:
        return [(COLOURS[0], None, frame)]
    levels = levels_of(frame[by], FEW)
    return [
        (colour, str(name), frame[levels == name])
        for colour, name in zip(COLOURS, levels.cat.categories, strict=False)
    ]


def _with_axes(x: str, y: str) -> tuple[Any, Any]:
    figure = new_figure()
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _legend(axes: Any, by: str | None) -> None:
    if by is None:
        return
    legend = axes.legend(title=by, loc="upper left", bbox_to_anchor=(1.01, 1), markerscale=2)
    legend.set_in_layout(True)
    for handle in legend.legend_handles:
        handle.set_alpha(1)


def _dates(axes: Any) -> None:
    import matplotlib.dates as dates

    locator = dates.AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))


def _steps(column: pd.Series, most: int = 400) -> pd.Series:
    """Return a column's values, or the middle of their step where there are too many."""
    if column.nunique() <= most:
        return column
    numbers = _as_numbers(column)
    edges = np.linspace(numbers.min(), numbers.max(), most + 1)
    at = np.clip(np.digitize(numbers, edges) - 1, 0, most - 1)
    middles = (edges[:-1] + edges[1:])[at] / 2
    if sort_of(column) == "time":
        return pd.Series(pd.to_datetime(middles, unit="D", origin="unix"), index=column.index)
    return pd.Series(middles, index=column.index)


def _with_gaps(line: pd.Series) -> pd.Series:
    """Return a line that breaks off where it has no value for many usual steps."""
    steps = np.diff(_as_numbers(line.index.to_series()))
    if len(steps) < 3:
        return line
    breaks = np.flatnonzero(steps > GAP * np.median(steps))
    index = line.index[breaks] + (line.index[breaks + 1] - line.index[breaks]) / 2
    broken: pd.Series = pd.concat([line, pd.Series(np.nan, index=index)])
    return broken.sort_index()


def _as_numbers(column: pd.Series) -> np.ndarray:
    """Return values as floats; times as days since 1970, which matplotlib counts in."""
    if sort_of(column) == "time":
        return np.asarray(column.to_numpy("datetime64[us]").astype("int64") / 86_400e6)
    return column.to_numpy(dtype=float)


def _n_bins(column: pd.Series) -> Any:
    """Return some dozens of bins, whose edges lie between whole numbers where all values are."""
    numbers = _as_numbers(column)
    if len(numbers) and (numbers == np.round(numbers)).all():
        low, high = numbers.min(), numbers.max()
        step = np.ceil((high - low + 1) / BINS)  # a bin holds as many whole numbers as any other
        return np.arange(low - 0.5, high + step, step)
    return BINS
