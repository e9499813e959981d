"""Sections as one Python file, and as one notebook."""

import json
from collections.abc import Sequence
from typing import Any

from pipeline.exporting.story import Section


def script_text(sections: Sequence[Section]) -> str:
    """Return the sections as a script; the last one runs it all."""
    first, *others = sections
    docstring = first.text.removeprefix("# ").replace("`", "").strip()
    parts = [f'"""{docstring}\n"""\n\n{first.code}']
    for number, one in enumerate(others, start=1):
        rule = f"# {number}. {one.title}" if one.title != "Run" else ""
        said = "".join(f"\n# {line}" for line in one.text.splitlines())
        parts.append(f"{rule}{said}\n\n{one.code}".strip() if rule else one.code)
    return "\n\n\n".join(parts) + "\n"


def notebook_text(sections: Sequence[Section]) -> str:
    """Return the sections as a notebook (nbformat 4.5), the package's code folded away."""
    cells: list[dict[str, Any]] = []
    for number, one in enumerate(sections):
        title = f"## {number}. {one.title}\n\n" if one.title else ""
        said = f"{title}{one.text}".strip()
        if said:
            cells.append(_cell(f"told-{number}", "markdown", said))
        facts: dict[str, Any] = {"jupyter": {"source_hidden": True}} if one.is_machinery else {}
        code: dict[str, Any] = {"execution_count": None, "outputs": []}
        cells.append(_cell(f"code-{number}", "code", one.code, facts) | code)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _cell(name: str, kind: str, text: str, facts: dict[str, Any] | None = None) -> dict[str, Any]:
    lines = text.splitlines(keepends=True)
    return {"cell_type": kind, "id": name, "metadata": facts or {}, "source": lines}
