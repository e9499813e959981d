"""Which credentials are here, in the order in which Kaggle's own client uses them.

1. a token: KAGGLE_API_TOKEN (the token, or the path of a file with it), ~/.kaggle/access_token
2. a key: KAGGLE_USERNAME and KAGGLE_KEY, or kaggle.json in the client's settings folder
3. a login: ~/.kaggle/credentials.json, which `kaggle auth login` writes

The first one is used, though it be wrong: a bad token hides a good key.
"""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

SETTINGS = "https://www.kaggle.com/settings"
FOLDER = Path("~/.kaggle")


@dataclass(frozen=True)
class Credential:
    """One way to log in that was found; no text of it shows the secret.

    where: the variable or file, for people. fault: what is wrong with it, so that it is not used.
    """

    kind: Literal["token", "key", "login"]
    where: str
    secret: str = field(repr=False)
    username: str | None = None
    path: Path | None = None
    fault: str | None = None

    @property
    def advice(self) -> str | None:
        """The sentence that says how to mend a file that others can read, or None."""
        if os.name != "posix" or self.path is None or not self.path.stat().st_mode & 0o044:
            return None
        return f"{self.path}: other users can read this {self.kind}; run: chmod 600 {self.path}"


def found_credentials() -> tuple[Credential, ...]:
    """Return all credentials, the one that is used first; those with a fault are not used."""
    found = (_notebook_token() or _token(), _key(), _login())
    return tuple(credential for credential in found if credential)


def settings_folder() -> Path:
    """Return the folder in which Kaggle's client keeps kaggle.json."""
    given = os.environ.get("KAGGLE_CONFIG_DIR")
    if given:
        return Path(given)
    home = _expanded(FOLDER)
    if home.exists() or not sys.platform.startswith("linux"):
        return home
    return Path(os.environ.get("XDG_CONFIG_HOME") or _expanded(Path("~/.config"))) / "kaggle"


def _notebook_token() -> Credential | None:
    """Return the token that a notebook at Kaggle is given."""
    path = os.environ.get("KAGGLE_API_V1_TOKEN")
    if not path or "KAGGLE_KERNEL_RUN_TYPE" not in os.environ:
        return None
    return _token_file(Path(path), "the notebook's token")


def _token() -> Credential | None:
    given = os.environ.get("KAGGLE_API_TOKEN", "").strip()
    if given and _is_file(Path(given)):
        return _token_file(Path(given), f"{given}, which KAGGLE_API_TOKEN names")
    if given:
        where = "the variable KAGGLE_API_TOKEN"
        return Credential("token", where, given, fault=_malformed(given))
    paths = (_expanded(FOLDER / name) for name in ("access_token", "access_token.txt"))
    return next(filter(None, (_token_file(path, str(path)) for path in paths)), None)


def _token_file(path: Path, where: str) -> Credential | None:
    text, fault = _read(path)
    if text is None and fault is None:
        return None
    secret = (text or "").strip()
    return Credential("token", where, secret, None, path, fault or _malformed(secret))


def _key() -> Credential | None:
    path = settings_folder() / "kaggle.json"
    table, fault = _read_table(path)
    variables = {name: os.environ.get(f"KAGGLE_{name.upper()}") for name in ("username", "key")}
    values = {name: str(variables[name] or table.get(name) or "").strip() for name in variables}
    if not any(values.values()) and not fault:
        return None
    places = [f"KAGGLE_{name.upper()}" for name, value in variables.items() if value]
    if len(places) < len(variables) and (fault or table):
        places.append(str(path))
    missing = [name for name, value in values.items() if not value]
    fault = fault if missing else None
    if missing and not fault:
        fault = f"has no {' and no '.join(missing)}"
    used = path if str(path) in places else None
    where = " and ".join(places)
    return Credential("key", where, values["key"], values["username"], used, fault)


def _login() -> Credential | None:
    path = _expanded(FOLDER / "credentials.json")
    table, fault = _read_table(path)
    secret = str(table.get("refresh_token") or "")
    if not table and not fault:
        return None
    fault = fault or (None if secret else "has no refresh_token")
    return Credential("login", str(path), secret, table.get("username"), path, fault)


def _malformed(secret: str) -> str | None:
    """Return what no secret looks like: it could not even be sent."""
    if not secret:
        return "is empty"
    is_plain = secret.isascii() and secret.isprintable() and " " not in secret
    return None if is_plain else "holds characters that no token has; copy it again"


def _read_table(path: Path) -> tuple[dict[str, Any], str | None]:
    text, fault = _read(path)
    if text is None:
        return {}, fault
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        return {}, "is not valid JSON"
    return (table, None) if isinstance(table, dict) else ({}, "is not a JSON object")


def _read(path: Path) -> tuple[str | None, str | None]:
    """Return a file's text, or what is wrong with it; neither if there is none."""
    try:
        return path.read_text(encoding="utf-8-sig"), None
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        return None, "is not UTF-8 text"


def _is_file(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a long token is no file name
        return False


def _expanded(path: Path) -> Path:
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises without a home
