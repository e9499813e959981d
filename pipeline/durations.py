"""Times as people write them: 90, 90s, 5m, 1.5h."""

import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def read_duration(text: str) -> float | None:
    """Return a time in seconds, or None for what is none."""
    found = _DURATION.fullmatch(text.strip())
    return float(found[1]) * _SECONDS[found[2]] if found else None
