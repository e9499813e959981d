"""Bars that lie: one number a name, with its standard error."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.charts.lettering import fitted, text_width
from pipeline.charts.numbers import aligned, short
from pipeline.charts.panel import SIZE, WIDTH
from pipeline.charts.scales import Scale, drawable
from pipeline.charts.svg import chart, element
from pipeline.charts.svg import text as markup

ROW, LOW_ROW = 22.0, 17.0
MANY = 14  # bars, from which on they stand closer
MOST_FOR_NAMES = 0.42  # of the width
GAP = 8.0


@dataclass(frozen=True)
class Bar:
    """A name, a number, and how sure it is.

    error: a standard error, or None. text: how the number is written; if left out, short and to the
    same decimals as the others. colour: from 1. said: what is told of it on hover.
    """

    name: str
    value: float
    error: float | None = None
    text: str | None = None
    colour: int = 1
    said: str | None = None


def bars(given: Sequence[Bar], *, label: str, high: float | None = None, low: float = 0.0) -> str:
    """Return a chart of bars from zero, one below the other in the order given.

    high, low: the values at the edges, if they shall be others than the bars'.
    """
    texts = aligned([one.value for one in given])
    texts = [text if one.text is None else one.text for one, text in zip(given, texts, strict=True)]
    names = min(max(text_width(one.name, SIZE) for one in given), MOST_FOR_NAMES * WIDTH)
    numbers = max(text_width(one, SIZE) for one in texts)
    ends = [edge for one in given for edge in _ends(one)]
    least, most = min(low, *ends), max(high or 0.0, *ends)
    scale = Scale(least, most if most > least else least + 1, names + GAP, WIDTH - numbers - GAP)
    tall = ROW if len(given) < MANY else LOW_ROW
    rows = [
        _row(one, (tall * (i + 0.5) + 2, 0.55 * tall), scale, names, written)
        for i, (one, written) in enumerate(zip(given, texts, strict=True))
    ]
    height = tall * len(given) + 4
    zero = scale(max(least, 0.0))
    axis = element("line", class_="axis", x1=zero, x2=zero, y1=0, y2=height)
    return chart(WIDTH, height, label, *rows, axis)


def _ends(one: Bar) -> tuple[float, float]:
    error = one.error if one.error is not None and drawable(one.error) else 0.0
    return one.value - error if one.value < 0 else 0.0, one.value + error


def _row(one: Bar, at: tuple[float, float], scale: Scale, names: float, written: str) -> str:
    middle, thick = at
    left, right = sorted((scale(0.0) if scale.low <= 0 else scale.start, scale(one.value)))
    spread = "" if one.error is None else f" ± {short(one.error, 2)}"
    said = one.said or f"{one.name}: {written}{spread}"
    bar = element(
        "rect",
        element("title", markup(said)),
        class_="mark bar",
        x=left,
        y=middle - thick / 2,
        width=max(right - left, 0.8),
        height=thick,
        rx=2,
    )
    shown = fitted(one.name, names + 2, SIZE)
    name = element("text", markup(shown), x=names, y=middle + SIZE * 0.35, text_anchor="end")
    value = element(
        "text",
        markup(written),
        class_="value",
        x=WIDTH,
        y=middle + SIZE * 0.35,
        text_anchor="end",
    )
    return element("g", name, bar, _whisker(one, scale, middle), value, class_=f"c{one.colour}")


def _whisker(one: Bar, scale: Scale, y: float) -> str:
    if one.error is None or not drawable(one.error) or one.error <= 0:
        return ""
    a = scale(max(one.value - one.error, scale.low))
    b = scale(min(one.value + one.error, scale.high))
    return element("line", class_="whisker", x1=a, x2=b, y1=y, y2=y)
