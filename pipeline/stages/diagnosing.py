"""doctor: whether kc can work here, and what to do where it cannot."""

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import PipelineError, StorageError
from pipeline.machine import cores, free_disk, memory, nearest_existing
from pipeline.storage import check_writable
from pipeline.workspace import Workspace

Status = Literal["fine", "warning", "broken"]

ESSENTIAL = (
    "tensorflow", "keras", "numpy", "pandas", "pyarrow", "scikit-learn", "joblib", "typer", "rich",
    "threadpoolctl",
)  # fmt: skip
SHOWN = (*ESSENTIAL, "lightgbm", "kaggle", "requests")
OPTIONAL = ("catboost", "xgboost", "dask", "matplotlib", "dacon_submit_api")  # shown if installed
DACON = "https://openapi.dacon.io"
ANSWER_SECONDS = 4.0  # for a service's answer
PATIENCE_SECONDS = 8.0  # for all of it, with the question where the service is
TENSORFLOW_SECONDS = 180.0  # its first import on a slow disk takes a minute
LITTLE_DISK, NO_DISK = 2 * 10**9, 10**8
LITTLE_MEMORY = 2 * 10**9
ASK_TENSORFLOW = """\
import os, json
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from tensorflow.config import list_physical_devices
print("\\n" + json.dumps([device.name for device in list_physical_devices("GPU")]))
"""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, and what to do if it is in the way."""

    name: str
    found: str
    status: Status = "fine"
    advice: str | None = None


def diagnose(workspace: Workspace) -> list[Check]:
    """Return what kc needs and what of it is here; nothing is changed, and no secret is shown."""
    answers = _at_once(
        {
            "tensorflow": (_gpus, TENSORFLOW_SECONDS),
            "kaggle": (_kaggle_answers, PATIENCE_SECONDS),
            "dacon": (_dacon_answers, PATIENCE_SECONDS),
        }
    )
    return [
        *_versions(),
        *_gpu_checks(answers["tensorflow"]),
        *_kaggle_credentials(),
        _reachable("kaggle.com", answers["kaggle"]),
        *_dacon_credentials(),
        _reachable("dacon.io", answers["dacon"]),
        Check("cores", str(cores())),
        _memory_check(),
        _disk_check(workspace.root),
        _workspace_check(workspace.root),
    ]


def can_work(checks: list[Check]) -> bool:
    """Tell whether nothing essential is broken."""
    return all(check.status != "broken" for check in checks)


def diagnosis_record(checks: list[Check]) -> dict[str, Any]:
    """Return a diagnosis for scripts."""
    return {"can_work": can_work(checks), "checks": [asdict(check) for check in checks]}


def diagnosis_lines(checks: list[Check], width: int = 80) -> list[str]:
    """Return a diagnosis for people, in lines of a width, troubles at the end."""
    lines = [line for check in checks for line in _wrapped(check.name, check.found, width)]
    lines.append("")
    for check in sorted(checks, key=lambda one: one.status):
        if check.status != "fine":
            lines += _wrapped(check.status, f"{check.name}: {check.advice or check.found}", width)
    return [*lines, "kc can work here" if can_work(checks) else "kc cannot work here"]


def _wrapped(head: str, text: str, width: int) -> list[str]:
    import textwrap

    indent = " " * 14
    return textwrap.wrap(
        text, width, initial_indent=f"{head:<14}", subsequent_indent=indent, break_on_hyphens=False
    ) or [head]


def _at_once(
    questions: dict[str, tuple[Callable[[], Any], float]],
) -> dict[str, Any]:
    """Return the answers to slow questions, asked at the same time; an exception is an answer.

    The threads are left behind where an answer never comes: a name server may take minutes.
    """
    answers: dict[str, Any] = {}

    def ask(name: str, question: Callable[[], Any]) -> None:
        try:
            answers[name] = question()
        except Exception as error:  # told to the person as what was found
            answers[name] = error

    threads = {
        name: threading.Thread(target=ask, args=(name, question), daemon=True)
        for name, (question, _) in questions.items()
    }
    for thread in threads.values():
        thread.start()
    for name, thread in threads.items():
        seconds = questions[name][1]
        thread.join(seconds)
        answers.setdefault(name, TimeoutError(f"no answer within {seconds:.0f} s"))
    return answers


# --- versions ---


def _versions() -> Iterator[Check]:
    yield Check("kc", _version("kc") or "not installed as a package")
    yield Check("python", f"{platform.python_version()}  {sys.executable}")
    needed = _needed()
    for name in SHOWN:
        yield _package(name, needed.get(name))
    for name in OPTIONAL:
        version = _version(name)
        if version:
            yield Check(name, version)


def _needed() -> dict[str, Any]:
    """Return the versions that kc asks for, by package; empty if kc itself is not installed."""
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires("kc") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    requirements = [Requirement(line) for line in lines]
    return {one.name: one.specifier for one in requirements if one.marker is None}


def _package(name: str, needed: Any) -> Check:
    version = _version(name)
    broken: Status = "broken" if name in ESSENTIAL else "warning"
    wanted = f'pip install "{name}{needed or ""}"'
    if version is None:
        return Check(name, "not installed", broken, f"is not installed; run: {wanted}")
    if needed is not None and not needed.contains(version, prereleases=True):
        return Check(name, version, broken, f"{version} is not {needed}; run: {wanted}")
    return Check(name, version)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


# --- TensorFlow and the GPU ---


def _gpus() -> list[str]:
    """Return the GPUs that TensorFlow sees, asked in a process of its own.

    Raises RuntimeError with its last words if it cannot be imported.
    """
    ended = subprocess.run(
        [sys.executable, "-c", ASK_TENSORFLOW],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TENSORFLOW_SECONDS,
    )
    if ended.returncode:
        last = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        raise RuntimeError(last[-1][:200])
    return [str(name) for name in json.loads(ended.stdout.strip().splitlines()[-1])]


def _gpu_checks(answer: Any) -> Iterator[Check]:
    if isinstance(answer, Exception):
        advice = (
            f"TensorFlow cannot be used ({answer}), so no network can be trained; try: pip install "
            "--force-reinstall tensorflow"
        )
        yield Check("gpu", "unknown: TensorFlow cannot be used", "broken", advice)
    elif answer:
        yield Check("gpu", ", ".join(answer))
    elif shutil.which("nvidia-smi"):
        advice = (
            "this machine has NVIDIA's tools, but TensorFlow sees no GPU; run: pip install "
            '"tensorflow[and-cuda]"'
        )
        yield Check("gpu", "none that TensorFlow sees", "warning", advice)
    else:
        yield Check("gpu", "none; networks are trained on the processor")


# --- services ---


def _kaggle_answers() -> None:
    from pipeline.sources.kaggle import check_reachable

    check_reachable(ANSWER_SECONDS)


def _dacon_answers() -> None:
    import requests

    url = os.environ.get("KC_DACON_URL", "").strip() or DACON
    requests.head(url, timeout=ANSWER_SECONDS, allow_redirects=False)


def _reachable(name: str, answer: Any) -> Check:
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


def _kaggle_credentials() -> Iterator[Check]:
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


def _dacon_credentials() -> Iterator[Check]:
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


# --- the machine ---


def _memory_check() -> Check:
    found = memory()
    if found is None:
        return Check("memory", "unknown on this system")
    text = f"{found.free / 1e9:.1f} of {found.total / 1e9:.1f} GB free"
    if found.free < LITTLE_MEMORY:
        return Check(
            "memory", text, "warning", f"{text}; close other programs, or train fewer rows"
        )
    return Check("memory", text)


def _disk_check(root: Path) -> Check:
    free = free_disk(root)
    text = f"{free / 1e9:.1f} GB free"
    advice = f"{text}; free some space (kc cache clear NAME), or choose another --workspace"
    if free < NO_DISK:
        return Check("disk", text, "broken", advice)
    return Check("disk", text, "warning", advice) if free < LITTLE_DISK else Check("disk", text)


def _workspace_check(root: Path) -> Check:
    """Check that files can be written, without leaving a trace of the question."""
    try:
        if root.is_dir():
            check_writable(root)
        elif root.exists() or not os.access(nearest_existing(root), os.W_OK):
            raise StorageError(f"{root}: cannot be made; choose another --workspace")
    except StorageError as error:
        return Check("workspace", f"{root} cannot be written", "broken", str(error))
    return Check("workspace", str(root))
