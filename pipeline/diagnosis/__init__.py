"""Whether kc can work here: what was looked at, one check each, and what mends it."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["fine", "warning", "broken"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, and what to do if it is in the way."""

    name: str
    found: str
    status: Status = "fine"
    advice: str | None = None
