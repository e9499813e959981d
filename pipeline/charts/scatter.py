"""Points: two numbers a row."""

import numpy as np

from pipeline.charts.panel import make_panel
from pipeline.charts.scales import Kind, drawable, extent
from pipeline.charts.svg import chart, element

FEW = 200  # points, which may be drawn larger


def scatter(
    x: np.ndarray,
    y: np.ndarray,
    *,
    label: str,
    x_label: str,
    y_label: str,
    diagonal: bool = False,
    kind: Kind = "linear",
) -> str:
    """Return a chart of points; rows in which either number is not finite are left out.

    x, y: (n_points,). diagonal: draw where both are equal, and give both axes the same values.
    kind: of both axes.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    known = drawable(x) & drawable(y)
    if kind == "log1p":
        known &= (x >= 0) & (y >= 0)
    x, y = x[known], y[known]
    wide, high = (extent(x, y), extent(x, y)) if diagonal else (extent(x), extent(y))
    if kind == "log1p":
        wide, high = _above_zero(wide, x, y), _above_zero(high, x, y)
    panel = make_panel(wide, high, x_label, y_label, height=300.0, kinds=(kind, kind))
    radius = 2.2 if len(x) > FEW else 3.6
    points = [
        element("circle", cx=panel.x(a), cy=panel.y(b), r=radius) for a, b in zip(x, y, strict=True)
    ]
    parts = [panel.drawn()]
    if diagonal:
        ends = [(panel.x(v), panel.y(v)) for v in wide]
        (x1, y1), (x2, y2) = ends
        parts.append(element("line", class_="reference", x1=x1, y1=y1, x2=x2, y2=y2))
    parts.append(element("g", *points, class_="c1 dots"))
    return chart(420, panel.height, label, *parts, **panel.facts())


def _above_zero(ends: tuple[float, float], x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the ends of an axis of logarithms: room there is a factor, and none below zero."""
    lowest = min(x.min(initial=np.inf), y.min(initial=np.inf))
    return (max(0.0, float(lowest) * 0.9) if np.isfinite(lowest) else 0.0), ends[1]
