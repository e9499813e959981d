"""A heat map: one number a pair, the stronger the colour the larger the number."""

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.charts.lettering import fitted, text_width
from pipeline.charts.panel import SIZE, WIDTH
from pipeline.charts.svg import chart, element, text

MOST_FOR_NAMES = 0.36  # of the width
NARROWEST = 26.0  # a cell that has room for its number
TALLEST = 44.0
STRONG = 0.72  # from which letters on a cell are dark on a dark page too: 4.5 to 1 or more


def heatmap(
    names: Sequence[str],
    values: np.ndarray,
    *,
    label: str,
    write: Callable[[float], str],
    strength: Callable[[float], float],
    columns: str = "",
    say: str = "{row}, {column}: {value}",
    texts: Sequence[Sequence[str]] | None = None,
) -> str:
    """Return a square of cells, rows and columns of the same names.

    values: (n_names, n_names). write: a cell's number as text. strength: from a number to a colour
    from 0 to 1. columns: what the columns are, above them. Where the names do not fit above the
    columns, rows and columns are numbered. say: what is told of a cell. texts: beside the numbers,
    what is told of each cell.
    """
    n = len(names)
    wide = min(max(text_width(one, SIZE) for one in names) + 24, MOST_FOR_NAMES * WIDTH)
    size = min((WIDTH - wide - 4) / n, 90.0)
    tall = min(size, TALLEST)
    fits = all(text_width(one, SIZE) <= size - 4 for one in names)
    heads = list(names) if fits else [str(i + 1) for i in range(n)]
    rows = list(names) if fits else [f"{i + 1}  {one}" for i, one in enumerate(names)]
    top = 38.0 if columns else 20.0
    parts = []
    if columns:
        middle = wide + size * n / 2
        parts.append(
            element("text", text(columns), class_="label", x=middle, y=12, text_anchor="middle")
        )
    for i, head in enumerate(heads):
        x = wide + size * (i + 0.5)
        parts.append(element("text", text(head), x=x, y=top - 6, text_anchor="middle"))
    for i, row in enumerate(rows):
        y = top + tall * (i + 0.5) + SIZE * 0.35
        shown = fitted(row, wide - 8, SIZE)
        parts.append(element("text", text(shown), x=wide - 8, y=y, text_anchor="end"))
        for j in range(n):
            value = float(values[i, j])
            said = say.format(row=names[i], column=names[j], value=write(value))
            if texts is not None:
                said += f" ({texts[i][j]})"
            at = (wide + size * j, top + tall * i)
            parts.append(_cell(at, (size, tall), write(value), strength(value), said))
    return chart(WIDTH, top + tall * n + 4, label, *parts)


def _cell(
    at: tuple[float, float], size: tuple[float, float], shown: str, strength: float, said: str
) -> str:
    (x, y), (wide, tall) = at, size
    strength = min(max(strength if np.isfinite(strength) else 0.0, 0.0), 1.0)
    parts = [
        element(
            "rect",
            element("title", text(said)),
            class_="mark cell",
            x=x + 1,
            y=y + 1,
            width=max(wide - 2, 1.0),
            height=max(tall - 2, 1.0),
            rx=3,
            fill_opacity=f"{0.06 + 0.84 * strength:.3f}",
        )
    ]
    if wide >= NARROWEST and text_width(shown, SIZE) <= wide - 2:
        inside = "on" if strength > STRONG else "off"
        parts.append(
            element(
                "text", text(shown), class_=inside, x=x + wide / 2, y=y + tall / 2 + SIZE * 0.35,
                text_anchor="middle",
            )
        )  # fmt: skip
    return element("g", *parts, class_="c1")
