"""Why a competition's door is shut: no such competition, or rules that are not accepted yet."""

import re
from typing import TYPE_CHECKING, Any

from pipeline.errors import SourceError, did_you_mean

if TYPE_CHECKING:
    from pipeline.sources.kaggle.connection import Connection

PAGE = "https://www.kaggle.com/competitions"


def forbidden(kaggle: "Connection", slug: str | None, status: int, reason: str) -> SourceError:
    """Return the error of a 403 or 404, after having looked which competitions there are."""
    if slug is None:
        return SourceError(f"{kaggle.host}: refused ({status}): {reason}")
    known = similar_competitions(kaggle, slug)
    if slug not in known and (status == 404 or known):
        near = did_you_mean(slug, known)
        hint = near if near.startswith("did you mean") else "check the address in your browser"
        return SourceError(f"no competition {slug!r} at Kaggle ({status}: {reason}); {hint}")
    if status == 404:
        return SourceError(f"{PAGE}/{slug}: Kaggle has no such thing there (404: {reason})")
    return SourceError(
        f"{PAGE}/{slug}: Kaggle refused (403: {reason}); accept the rules at {PAGE}/{slug}/rules, "
        "and verify your phone number at https://www.kaggle.com/settings if it asks you to; "
        "then run this again"
    )


def similar_competitions(kaggle: "Connection", slug: str) -> list[str]:
    """Return the slugs of competitions that a search for a slug's words finds."""
    words = sorted(re.findall(r"[^\W_]{3,}", slug), key=len, reverse=True)
    found: list[str] = []
    for search in dict.fromkeys([slug, " ".join(words), *words[:2], ""]):
        try:
            page = kaggle.call_once("list_competitions", search=search, page=1)
        except Exception:  # the search only makes the error better
            return found
        found += [_slug(one) for one in page.competitions]
        if slug in found or did_you_mean(slug, found).startswith("did you mean"):
            return found
    return found


def _slug(competition: Any) -> str:
    return str(competition.ref).rstrip("/").rpartition("/")[2]
