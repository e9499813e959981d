"""SVG as strings: elements whose attributes and texts are always escaped."""

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

# What XML 1.0 cannot say at all, escaped or not.
_IMPOSSIBLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def element(name: str, /, *children: str, **attributes: object) -> str:
    """Return an element; attributes that are None are left out.

    children: markup, made by element or text. attributes: class_ is class, stroke_width is
    stroke-width; numbers are written to a tenth of a pixel.
    """
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(written(value))}"
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(children)
    return f"<{name}{given}>{inside}</{name}>" if inside else f"<{name}{given}/>"


def text(content: object) -> str:
    """Return text as markup; what XML cannot say becomes a question mark in a box."""
    return escape(printable(str(content)))


def printable(content: str) -> str:
    """Return text without the characters that XML forbids, surrogates among them."""
    return _IMPOSSIBLE.sub("\ufffd", content)


def written(value: object) -> str:
    """Return an attribute's value; a pixel's tenth is enough for any screen."""
    if isinstance(value, float):
        shown = f"{value:.1f}".removesuffix(".0")
        return "0" if shown == "-0" else shown
    return printable(str(value))


def path(points: Iterable[tuple[float, float]]) -> str:
    """Return the value of a polyline's points."""
    return " ".join(f"{written(float(x))},{written(float(y))}" for x, y in points)


def chart(width: float, height: float, label: str, *children: str, **attributes: object) -> str:
    """Return a whole chart, one image to whoever cannot see it.

    label: what it shows, in a sentence. It can be focused: where a script answers, the arrow keys
    tell its marks one by one.
    """
    return element(
        "svg",
        *children,
        xmlns="http://www.w3.org/2000/svg",
        class_="chart",
        viewBox=f"0 0 {written(float(width))} {written(float(height))}",
        role="img",
        aria_label=label,
        tabindex="0",
        **attributes,
    )
