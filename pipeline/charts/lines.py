"""Lines: a number that follows another, as a loss its epoch."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.charts.panel import Panel, legend, make_panel
from pipeline.charts.scales import Kind, drawable, extent
from pipeline.charts.svg import chart, element, path, text

MOST_VERTICES = 240


@dataclass(frozen=True, eq=False)
class Line:
    """A line of a chart.

    x, y: (n_points,). label: what it is, for the legend; lines of the same label have one colour.
    marks: of some of its points, by position, what is said of them. shows_points: draw all points.
    is_joined: whether its points are joined by a line.
    """

    label: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    marks: dict[int, str] = field(default_factory=dict)
    shows_points: bool = False
    is_joined: bool = True


def lines(
    given: Sequence[Line],
    *,
    label: str,
    x_label: str,
    y_label: str,
    x_ends: tuple[float, float] | None = None,
    y_ends: tuple[float, float] | None = None,
    diagonal: bool = False,
    shaded_from: float | None = None,
    shaded: str = "",
    is_whole: bool = False,
) -> str:
    """Return a chart of lines.

    x_ends, y_ends: the values at the edges, those of the lines if left out. shaded_from: where on
    x a shade begins, and shaded what it means. is_whole: whether x has whole numbers only.
    """
    names = list(dict.fromkeys(line.label for line in given))
    drawn_legend, above = legend(names)
    x_ends = x_ends or extent(*(line.x for line in given), room=0.0)
    y_ends = y_ends or extent(*(line.y for line in given))
    kinds: tuple[Kind, Kind] = ("whole" if is_whole else "linear", "linear")
    panel = make_panel(x_ends, y_ends, x_label, y_label, above=above, kinds=kinds)
    parts = [drawn_legend]
    if shaded_from is not None and x_ends[0] < shaded_from < x_ends[1]:
        parts.append(_shade(panel, shaded_from, shaded))
    parts.append(panel.drawn())
    if diagonal:
        low, high = max(x_ends[0], y_ends[0]), min(x_ends[1], y_ends[1])
        (x1, y1), (x2, y2) = ((panel.x(one), panel.y(one)) for one in (low, high))
        parts.append(element("line", class_="reference", x1=x1, y1=y1, x2=x2, y2=y2))
    parts += [_line(panel, line, names.index(line.label) + 1) for line in given]
    return chart(420, panel.height, label, *parts, **panel.facts())


def _line(panel: Panel, line: Line, colour: int) -> str:
    x, y = np.asarray(line.x, dtype=float), np.asarray(line.y, dtype=float)
    known = drawable(x) & drawable(y)
    kept = np.flatnonzero(known)
    if len(kept) > MOST_VERTICES:  # a screen has no more pixels to tell them apart
        kept = kept[np.linspace(0, len(kept) - 1, MOST_VERTICES).round().astype(int)]
    inside = [(panel.x(a), _within(panel, b)) for a, b in zip(x[kept], y[kept], strict=True)]
    parts = []
    if line.is_joined:
        parts.append(element("polyline", class_="line", points=path(inside), data_label=line.label))
    if line.shows_points:
        parts += [element("circle", class_="point", cx=a, cy=b, r=3.2) for a, b in inside]
    for position, said in line.marks.items():
        if known[position]:
            at = {"cx": panel.x(x[position]), "cy": _within(panel, y[position])}
            told = element("title", text(said))
            parts.append(element("circle", told, class_="mark stop", r=4.0, **at))
    return element("g", *parts, class_=f"c{colour}")


def _within(panel: Panel, value: float) -> float:
    """Return the pixel of a value, or of the edge beyond which it lies."""
    return panel.y(min(max(value, panel.y.low), panel.y.high))


def _shade(panel: Panel, start: float, meaning: str) -> str:
    x, top = panel.x(start), panel.y.end
    box = element(
        "rect",
        class_="shade",
        x=x,
        y=top,
        width=panel.x.end - x,
        height=panel.y.start - top,
    )
    word = element(
        "text", text(meaning), class_="quiet", x=panel.x.end - 4, y=top + 12, text_anchor="end"
    )
    return box + word
