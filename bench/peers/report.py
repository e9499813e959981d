"""The results as tables.

The normalised score of a fit is its error on the test rows divided by the error of the constant
prediction (the training rows' mean, or their classes' shares) on the same rows: 0 is perfect, 1 is
as good as knowing nothing of a row. It is averaged over seeds, then over data sets.
"""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Line = dict[str, Any]


def read(path: Path) -> list[Line]:
    """Return the results there are; a line cut off by an interruption is no result."""
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def scores(lines: Sequence[Line]) -> str:
    """Return the comparison of each model as Markdown; only seeds that both sides have count."""
    models = dict.fromkeys(line["model"] for line in lines)
    return "\n\n".join(
        _model(model, [li for li in lines if li["model"] == model]) for model in models
    )


def _model(model: str, lines: Sequence[Line]) -> str:
    rows = [
        f"### {model}",
        "",
        "| set | rows x columns | ours | reference | ours - reference | reference, its defaults "
        "| seconds ours / reference |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    means: list[tuple[float, float]] = []
    for table in dict.fromkeys(line["table"] for line in lines):
        here = [line for line in lines if line["table"] == table]
        ours, reference, default = (
            _by_seed(here, side) for side in ("ours", "reference", "default")
        )
        both = sorted(ours.keys() & reference.keys())
        difference = [_norm(ours[s]) - _norm(reference[s]) for s in both]
        if both:
            pair = [statistics.fmean(_norm(side[s]) for s in both) for side in (ours, reference)]
            means.append((pair[0], pair[1]))
        shape = " x ".join(f"{n:,}" for n in here[0]["shape"])
        cells = (
            table, shape, _mean(map(_norm, ours.values())), _mean(map(_norm, reference.values())),
            _mean(difference, sign=True), _mean(map(_norm, default.values())),
            _seconds(ours, reference),
        )  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    rows.append(_overall(means))
    return "\n".join(rows)


def _overall(means: Sequence[tuple[float, float]]) -> str:
    if not means:
        return "| **mean** | | | | | | |"
    ours, reference = zip(*means, strict=True)
    difference = [a - b for a, b in means]
    return (
        f"| **mean of {len(means)} sets** | | {statistics.fmean(ours):.4f} "
        f"| {statistics.fmean(reference):.4f} | {_mean(difference, sign=True)} | | |"
    )


def timing(lines: Sequence[Line]) -> str:
    """Return the medians of fits that took turns."""
    rows = [
        "| set | model | side | fit + predict, median s | s of CPU | load |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    kinds = dict.fromkeys((li["table"], li["model"], li["side"]) for li in lines)
    for kind in kinds:
        here = [li for li in lines if (li["table"], li["model"], li["side"]) == kind]
        wall = statistics.median(map(_wall, here))
        cpu = statistics.median(line["cpu_seconds"] for line in here)
        load = statistics.median(line["load"] for line in here)
        rows.append(f"| {' | '.join(kind)} | {wall:.1f} | {cpu:.1f} | {load:.1f} |")
    return "\n".join(rows)


def _by_seed(lines: Sequence[Line], side: str) -> dict[int, Line]:
    """Return a side's results; of two of one seed, the later."""
    return {line["seed"]: line for line in lines if line["side"] == side}


def _norm(line: Line) -> float:
    return float(line["error"] / line["constant"])


def _wall(line: Line) -> float:
    return float(line["fit_seconds"] + line["predict_seconds"])


def _seconds(ours: dict[int, Line], reference: dict[int, Line]) -> str:
    if not ours or not reference:
        found = ours or reference
        return f"{statistics.fmean(map(_wall, found.values())):.0f}" if found else ""
    pair = [statistics.fmean(map(_wall, side.values())) for side in (ours, reference)]
    return f"{pair[0]:.0f} / {pair[1]:.0f} = {pair[0] / pair[1]:.2f}"


def _mean(values: Iterable[float], *, sign: bool = False) -> str:
    """Return mean and standard error as text."""
    found = list(values)
    if not found:
        return ""
    mean = f"{statistics.fmean(found):{'+' if sign else ''}.4f}"
    if len(found) < 2:
        return mean
    return f"{mean} ± {statistics.stdev(found) / len(found) ** 0.5:.4f}"
