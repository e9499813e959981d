"""How wide text is, roughly, where nobody has drawn it yet."""

import unicodedata

_NARROW, _WIDE = set("iljtfrI.,:;|!'()[] "), set("mwMW@%")


def text_width(content: str, size: float) -> float:
    """Return the width in pixels of a text in a sans-serif font of so many pixels, or a bit more.

    Korean and other wide letters are a whole size wide.
    """
    return size * sum(map(_width, content))


def fitted(content: str, width: float, size: float) -> str:
    """Return the text, cut with an ellipsis where it is wider."""
    if text_width(content, size) <= width:
        return content
    while content and text_width(content, size) + size > width:
        content = content[:-1]
    return content.rstrip() + "…"


def _width(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if unicodedata.combining(letter):
        return 0.0
    if letter in _WIDE:
        return 0.9
    return 0.33 if letter in _NARROW else 0.6 if not letter.isupper() else 0.7
