"""The reader's language: Korean where the environment says so, else English."""

import locale
import os

_NAMES = ("KC_LANG", "LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set decides


def is_korean() -> bool:
    """Tell whether the reader wants Korean: by KC_LANG, else by the locale."""
    chosen = next((value for name in _NAMES if (value := os.environ.get(name))), None)
    if chosen is None and os.name == "nt":  # Windows keeps its locale elsewhere
        chosen = locale.getlocale()[0]
    return (chosen or "").casefold().startswith(("ko", "한국"))


def in_language(english: str, korean: str) -> str:
    """Return the text that the reader wants."""
    return korean if is_korean() else english
