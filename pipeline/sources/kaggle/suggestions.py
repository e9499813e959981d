"""Why a competition's door is shut: no such competition, or rules that are not accepted yet."""

import re
from typing import TYPE_CHECKING, Any

from pipeline.errors import SourceError, did_you_mean
from pipeline.sources.kaggle.credentials import SETTINGS

if TYPE_CHECKING:
    from pipeline.sources.kaggle.connection import Connection

PAGE = "https://www.kaggle.com/competitions"


def forbidden(kaggle: "Connection", slug: str | None, status: int, reason: str) -> SourceError:
    """Return the error of a 403 or 404, after having looked which competitions there are."""
    if slug is None:
        return SourceError(f"{kaggle.host}: refused ({status}): {reason}")
    speaks_of_rules = status == 403 and "rules" in reason.lower()
    known = [slug] if speaks_of_rules or _exists(kaggle, slug) else _similar(kaggle, slug)
    if slug not in known and (known or status == 404):
        near = did_you_mean(slug, known)
        hint = near if near.startswith("did you mean") else f"is {PAGE}/{slug} its address?"
        seen = "at Kaggle" if status == 404 else "at Kaggle that you may see"
        return SourceError(f"no competition {slug!r} {seen} ({status}: {reason}); {hint}")
    if status == 404:
        return SourceError(f"{PAGE}/{slug}/data: Kaggle does not have that (404: {reason})")
    return SourceError(
        f"Kaggle refused {slug} (403: {reason}); accept its rules at {PAGE}/{slug}/rules, and "
        f"verify your phone number at {SETTINGS} if you are asked to; then run this again"
    )


def _exists(kaggle: "Connection", slug: str) -> bool:
    try:
        kaggle.call_once("get_competition", competition_name=slug)
    except Exception:  # a refusal too; the search knows more
        return False
    return True


def _similar(kaggle: "Connection", slug: str) -> list[str]:
    """Return the slugs of competitions that a search for a slug's words finds."""
    from kagglesdk.competitions.types.competition_enums import CompetitionListTab

    tab = CompetitionListTab.COMPETITION_LIST_TAB_EVERYTHING
    words = sorted(re.findall(r"[^\W_]{3,}", slug), key=len, reverse=True)
    found: list[str] = []
    for search in dict.fromkeys([slug, " ".join(words), *words[:2], ""]):
        try:
            page = kaggle.call_once("list_competitions", group=tab, search=search, page=1)
        except Exception:  # the search only makes the error better
            return found
        found += [_slug(one) for one in page.competitions]
        if slug in found or did_you_mean(slug, found).startswith("did you mean"):
            return found
    return found


def _slug(competition: Any) -> str:
    return str(competition.ref).rstrip("/").rpartition("/")[2]
