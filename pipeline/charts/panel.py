"""The area that a chart draws in: its axes, its grid, what they are called, and a legend."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.charts.lettering import text_width
from pipeline.charts.scales import Kind, Scale
from pipeline.charts.svg import element, text

WIDTH = 420.0  # pixels of a chart's own; it is shown as wide as there is room
SIZE = 12.5  # of letters where the screen is narrow, and a bit more than elsewhere
TOP, RIGHT, BOTTOM = 10.0, 12.0, 40.0
ROW = 16.0  # the height of a line of the legend
SWATCH = 14.0


@dataclass(frozen=True)
class Panel:
    """Two scales, and the words beside them."""

    x: Scale
    y: Scale
    x_label: str
    y_label: str

    @property
    def height(self) -> float:
        """Of the whole chart."""
        return self.y.start + BOTTOM

    def drawn(self) -> str:
        """Return grid, axes, ticks and words."""
        x, y = self.x, self.y
        lines, words = [], []
        for value, label in y.ticks():
            at = y(value)
            lines.append(element("line", class_="grid", x1=x.start, x2=x.end, y1=at, y2=at))
            words.append(_word(label, x.start - 6, at + SIZE * 0.35, "end"))
        for value, label in x.ticks():
            at = x(value)
            lines.append(element("line", class_="tick", x1=at, x2=at, y1=y.start, y2=y.start + 4))
            words.append(_word(label, at, y.start + 16, "middle"))
        axis = element("line", class_="axis", x1=x.start, x2=x.end, y1=y.start, y2=y.start)
        return "".join([*lines, axis, *words, self._labels()])

    def _labels(self) -> str:
        x, y = self.x, self.y
        below = _word(self.x_label, (x.start + x.end) / 2, y.start + 33, "middle", "label")
        middle = (y.start + y.end) / 2
        beside = element(
            "text",
            text(self.y_label),
            class_="label",
            x=11.0,
            y=middle,
            text_anchor="middle",
            transform=f"rotate(-90 11 {middle:.1f})",
        )
        return below + beside

    def facts(self) -> dict[str, str]:
        """Return the attributes by which a script finds values of pixels."""
        return {
            "data_x": self.x.facts(),
            "data_y": self.y.facts(),
            "data_x_label": self.x_label,
            "data_y_label": self.y_label,
        }


def make_panel(
    x: tuple[float, float],
    y: tuple[float, float],
    x_label: str,
    y_label: str,
    *,
    height: float = 230.0,
    above: float = 0.0,
    kinds: tuple[Kind, Kind] = ("linear", "linear"),
) -> Panel:
    """Return a panel as wide as its tick labels leave room for.

    x, y: the values that its edges mean. height: of the area in pixels. above: pixels that are
    kept free for a legend.
    """
    top = TOP + above
    vertical = Scale(*y, top + height, top, kinds[1])
    widest = max(text_width(label, SIZE) for _, label in vertical.ticks())
    horizontal = Scale(*x, 26.0 + widest, WIDTH - RIGHT, kinds[0])
    return Panel(horizontal, vertical, x_label, y_label)


def legend(labels: Sequence[str], left: float = 8.0) -> tuple[str, float]:
    """Return what the colours stand for, and the height it takes; nothing for a single one."""
    if len(labels) < 2:
        return "", 0.0
    at, row, parts = left, 0, []
    for number, label in enumerate(labels):
        wide = SWATCH + 5 + text_width(label, SIZE)
        if at + wide > WIDTH and at > left:
            at, row = left, row + 1
        y = TOP + row * ROW
        parts.append(
            element("rect", class_="swatch", x=at, y=y, width=SWATCH - 4, height=4.0, rx=2)
        )
        word = _word(label, at + SWATCH, y + 6, "start")
        parts[-1] = element("g", parts[-1], word, class_=f"c{number + 1}")
        at += wide + 14
    return "".join(parts), (row + 1) * ROW


def _word(content: str, x: float, y: float, anchor: str, class_: str | None = None) -> str:
    return element("text", text(content), class_=class_, x=x, y=y, text_anchor=anchor)
