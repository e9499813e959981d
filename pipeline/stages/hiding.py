"""Secrets: what no error and no traceback may show, whoever wrote its text."""

import contextlib
import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

HIDDEN = "[hidden]"
SHORTEST = 6  # letters of a secret; less would hide ordinary words
_SECRET = re.compile(r"(TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$")
_LOGIN = re.compile(r"(?<=://)[^/\s@'\"]+(?=@)")  # user:password of an address
_QUERY = re.compile(r"((?:https?://|url: /)[^\s'\"?]*\?)[^\s'\"()]+")  # signatures of an address


def hide_secrets(text: str) -> str:
    """Return a text without the secrets that are known here, nor logins and queries of addresses.

    Known are variables named like a secret, and the credentials that services are shown.
    """
    for secret in sorted(set(_secrets()), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _QUERY.sub(rf"\1{HIDDEN}", _LOGIN.sub(HIDDEN, text))


def traceback_text(error: BaseException) -> str:
    """Return the traceback of an error, without secrets."""
    return hide_secrets("".join(traceback.format_exception(error)))


def _secrets() -> Iterator[str]:
    found = [value for name, value in os.environ.items() if _SECRET.search(name.upper())]
    with contextlib.suppress(Exception):  # showing an error must not fail for another one
        from pipeline.sources.kaggle.credentials import found_credentials

        found += [one.secret for one in found_credentials()]
    named = os.environ.get("DACON_TOKEN_FILE")
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        path = Path(named).expanduser() if named else Path.home() / ".dacon" / "token"
        found.append(path.read_text(encoding="utf-8-sig").strip())
    yield from (one for one in found if len(one) >= SHORTEST and not Path(one).is_absolute())
