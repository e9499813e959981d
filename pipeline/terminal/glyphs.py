"""Letters that a terminal's encoding lacks, written with those that every encoding has."""

import codecs

PLAIN = "kc_plain"  # the error handler, for reconfigure() and open()
# One column for one column, so that what stands below each other still does.
_LETTERS = str.maketrans(
    {"…": "~", "━": "-", "╸": "-", "╺": "-", "–": "-", "—": "-", "±": "+", "█": "#", "▌": "#"}
)


def register() -> None:
    """Make the error handler known; calling it again does no harm."""
    codecs.register_error(PLAIN, _plain)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for the letters that could not be encoded; others are escaped."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end].translate(_LETTERS)
    return letters.encode("ascii", "backslashreplace").decode("ascii"), error.end
