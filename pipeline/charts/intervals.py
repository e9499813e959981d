"""Intervals: where a number is, and between what it may lie, one below the other on one axis."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.charts.lettering import text_width
from pipeline.charts.numbers import short
from pipeline.charts.panel import SIZE, WIDTH
from pipeline.charts.scales import Scale, drawable, extent
from pipeline.charts.svg import chart, element, text

ROW = 30.0


@dataclass(frozen=True)
class Interval:
    """A name with a number, an interval around it, or several numbers.

    low, high: the interval, or None. others: numbers that are drawn small, as the folds' scores.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    others: Sequence[float] = ()
    colour: int = 1

    def values(self) -> list[float]:
        """Return all its numbers."""
        known = [one for one in (self.value, self.low, self.high) if one is not None]
        return [float(one) for one in (*known, *self.others) if drawable(one)]


def intervals(given: Sequence[Interval], *, label: str, x_label: str) -> str:
    """Return a chart of intervals on one axis."""
    names = max(text_width(one.name, SIZE) for one in given)
    ends = extent(*(one.values() for one in given), room=0.06)
    scale = Scale(*ends, names + 16, WIDTH - 14)
    bottom = ROW * len(given) + 6
    parts = []
    for value, written in scale.ticks(5):
        at = scale(value)
        parts.append(element("line", class_="grid", x1=at, x2=at, y1=2, y2=bottom))
        parts.append(element("text", text(written), x=at, y=bottom + 14, text_anchor="middle"))
    middle = (scale.start + scale.end) / 2
    parts.append(
        element(
            "text", text(x_label), class_="label", x=middle, y=bottom + 30, text_anchor="middle"
        )
    )
    parts += [_row(one, ROW * (i + 0.5) + 4, scale, names) for i, one in enumerate(given)]
    return chart(WIDTH, bottom + 36, label, *parts)


def _row(one: Interval, y: float, scale: Scale, names: float) -> str:
    parts = [element("text", text(one.name), x=names, y=y + SIZE * 0.35, text_anchor="end")]
    ends = [end for end in (one.low, one.high) if end is not None and drawable(end)]
    if len(ends) == 2:
        said = element("title", text(f"{one.name}: {short(ends[0])} to {short(ends[1])}"))
        a, b = map(scale, ends)
        parts.append(
            element("rect", said, class_="mark range", x=a, y=y - 4, width=b - a, height=8.0, rx=4)
        )
    for other in one.others:
        if drawable(other):
            said = element("title", text(f"{one.name}: {short(other)}"))
            parts.append(element("circle", said, class_="mark small", cx=scale(other), cy=y, r=3.5))
    if one.value is not None and drawable(one.value):
        said = element("title", text(f"{one.name}: {short(one.value)}"))
        parts.append(element("circle", said, class_="mark", cx=scale(one.value), cy=y, r=5.5))
    return element("g", *parts, class_=f"c{one.colour}")
