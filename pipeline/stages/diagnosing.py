"""doctor: whether kc can work here, and what to do where it cannot."""

import textwrap
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pipeline.diagnosis import Check
from pipeline.diagnosis.place import check_disk, check_memory, check_workspace
from pipeline.diagnosis.services import (
    ask_dacon,
    ask_kaggle,
    check_answer,
    check_dacon_login,
    check_kaggle_login,
)
from pipeline.diagnosis.software import TENSORFLOW_SECONDS, check_gpus, check_versions, gpus
from pipeline.machine import cores
from pipeline.progress import Note, emit
from pipeline.workspace import Workspace

PATIENCE_SECONDS = 8.0  # for a service's answer, with the question where the service is


def diagnose(workspace: Workspace) -> list[Check]:
    """Return what kc needs and what of it is here; nothing is changed, and no secret is shown."""
    emit(Note("ask", "TensorFlow, kaggle.com and dacon.io; this takes some seconds"))
    answers = _at_once(
        {
            "tensorflow": (gpus, TENSORFLOW_SECONDS),
            "kaggle": (ask_kaggle, PATIENCE_SECONDS),
            "dacon": (ask_dacon, PATIENCE_SECONDS),
        }
    )
    return [
        *check_versions(),
        *check_gpus(answers["tensorflow"]),
        *check_kaggle_login(),
        check_answer("kaggle.com", answers["kaggle"]),
        *check_dacon_login(),
        check_answer("dacon.io", answers["dacon"]),
        Check("cores", str(cores())),
        check_memory(),
        check_disk(workspace.root),
        check_workspace(workspace.root),
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
