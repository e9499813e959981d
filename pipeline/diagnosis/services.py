"""Kaggle and Dacon: whether they answer, and which credentials are here, never shown."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.diagnosis import Check
from pipeline.errors import PipelineError

DACON = "https://openapi.dacon.io"
ANSWER_SECONDS = 4.0  # for a service's answer


def ask_kaggle() -> None:
    """Ask Kaggle for any answer.

    Raises SourceError.
    """
    from pipeline.sources.kaggle import check_reachable

    check_reachable(ANSWER_SECONDS)


def ask_dacon() -> None:
    """Ask Dacon, where submissions go, for any answer.

    Raises what requests raises.
    """
    import requests

    url = os.environ.get("KC_DACON_URL", "").strip() or DACON
    requests.head(url, timeout=ANSWER_SECONDS, allow_redirects=False)


def check_answer(name: str, answer: Any) -> Check:
    """Return what an answer says of a service; an exception is none."""
    if not isinstance(answer, Exception):
        return Check(name, "answers")
    why = f"{answer if isinstance(answer, PipelineError) else _first_cause(answer)}".rstrip(".")
    advice = (
        f"{why}; behind a proxy, set HTTPS_PROXY; without a network, bring files by kc fetch NAME "
        "--from, and upload submissions by browser"
    )
    return Check(name, "does not answer", "warning", advice)


def _first_cause(error: BaseException) -> str:
    """Return what a request failed by in the end; the whole text is long and full of objects."""
    while error.__context__ is not None:
        error = error.__context__
    reason = getattr(error, "strerror", None) or str(error)
    return " ".join(reason.split())[:120] or type(error).__name__


def check_kaggle_login() -> Iterator[Check]:
    """Yield which credentials for Kaggle are here, and what is wrong with each."""
    from pipeline.sources.kaggle import found_credentials

    found = found_credentials()
    used = next((one for one in found if not one.fault), None)
    if used is None:
        advice = (
            "no credential: make a token at https://www.kaggle.com/settings and save it as "
            "~/.kaggle/access_token, or set KAGGLE_API_TOKEN"
        )
        yield Check("kaggle login", "none", "warning", advice)
    for one in found:
        what = f"{one.kind} from {one.where}"
        if one.fault:
            yield Check("kaggle login", f"{what}: unusable", "warning", f"{what} {one.fault}")
        else:
            what += "" if one is used else " (not used: the one above goes first)"
            yield Check("kaggle login", what, "warning" if one.advice else "fine", one.advice)


def check_dacon_login() -> Iterator[Check]:
    """Yield whether a token and a team for Dacon are here."""
    yield _dacon_token()
    if os.environ.get("DACON_TEAM", "").strip():
        yield Check("dacon team", "from DACON_TEAM")
    else:
        advice = "no team name; set DACON_TEAM, or [source] team in competition.toml"
        yield Check("dacon team", "none from DACON_TEAM", "warning", advice)


def _dacon_token() -> Check:
    """Return where Dacon's token is found, in the order in which submitting looks for it."""
    if os.environ.get("DACON_TOKEN", "").strip():
        return Check("dacon token", "from DACON_TOKEN")
    named = os.environ.get("DACON_TOKEN_FILE", "")
    path = Path(named or "~/.dacon/token").expanduser()
    if not path.is_file():
        where = f"DACON_TOKEN_FILE names {path}, where no file is" if named else "no token"
        advice = (
            f"{where}; make one at dacon.io (My page, account settings), then set DACON_TOKEN or "
            "save it as ~/.dacon/token"
        )
        return Check("dacon token", "none", "warning", advice)
    try:
        is_empty = not path.read_text(errors="replace").strip()
        is_open = os.name == "posix" and path.stat().st_mode & 0o077
    except OSError as error:
        return Check("dacon token", f"from {path}", "warning", f"{path}: {error.strerror}")
    if is_empty:
        return Check("dacon token", f"from {path}", "warning", f"{path}: is empty")
    if is_open:
        advice = f"{path}: other users can read it; run: chmod 600 {path}"
        return Check("dacon token", f"from {path}", "warning", advice)
    return Check("dacon token", f"from {path}")
