"""A competition's slug, also from what a person pastes: the address of one of its pages."""

import re

SLUG = re.compile(r"[\w-]+")
_PAGE = re.compile(r"(?:https?://)?(?:www\.)?kaggle\.com/(?:competitions|c)/([\w-]+)(?:[/?#].*)?")


def is_address(text: str) -> bool:
    """Tell whether a text is the address of a page of a Kaggle competition."""
    return _PAGE.fullmatch(text.strip()) is not None


def read_slug(text: str) -> str | None:
    """Return the slug that a text is, or that an address has; None if it is neither."""
    text = text.strip()
    match = _PAGE.fullmatch(text)
    if match:
        return match[1]
    return text if SLUG.fullmatch(text) else None
