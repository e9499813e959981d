"""The results as tables.

The normalised score of a fit is its error on the test rows divided by the error of the constant
prediction (the training rows' mean, or their classes' shares) on the same rows: 0 is perfect, 1 is
as good as knowing nothing of a row. It is averaged over seeds, then over data sets. The error is
the root mean squared error, or the log loss, most of which a single row can be; so the share of
rows that are put into a wrong class stands beside it.
"""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Line = dict[str, Any]
HEAD = (
    "set", "rows x columns", "ours", "reference", "ours - reference", "reference as it comes",
    "wrong ours / reference", "most epochs", "seconds ours / reference",
)  # fmt: skip


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


def tables(lines: Sequence[Line]) -> str:
    """Return a comparison of each model as Markdown."""
    models = dict.fromkeys(line["model"] for line in lines)
    parts = [table(model, [line for line in lines if line["model"] == model]) for model in models]
    return "\n\n".join(parts)


def table(model: str, lines: Sequence[Line]) -> str:
    """Return the comparison of one model; the difference is of seeds that both sides have."""
    rows, means = [], []
    for name in dict.fromkeys(line["table"] for line in lines):
        here = [line for line in lines if line["table"] == name]
        scored = [line for line in here if "turn" not in line]
        ours, reference, default = (
            by_seed(scored, side) for side in ("ours", "reference", "default")
        )
        both = sorted(ours.keys() & reference.keys())
        if both:
            pair = (statistics.fmean(side[seed] for seed in both) for side in (ours, reference))
            means.append(tuple(pair))
        rows.append(
            [
                name,
                " x ".join(f"{n:,}" for n in here[0]["shape"]),
                spread(ours.values()),
                spread(reference.values()),
                spread([ours[seed] - reference[seed] for seed in both], sign=True),
                spread(default.values()),
                shares(scored, both),
                epochs(scored),
                ratio(here),
            ]
        )
    return "\n".join([f"### {model}", "", *markdown([HEAD, *rows, *overall(means)])])


def overall(means: Sequence[tuple[float, ...]]) -> list[list[str]]:
    """Return the row of the means over data sets, each set counted once."""
    if not means:
        return []
    ours, reference = (statistics.fmean(side) for side in zip(*means, strict=True))
    difference = spread([a - b for a, b in means], sign=True)
    first = f"mean of {len(means)} sets"
    return [[first, "", f"{ours:.4f}", f"{reference:.4f}", difference, "", "", "", ""]]


def by_seed(lines: Iterable[Line], side: str) -> dict[int, float]:
    """Return a side's normalised scores; of two of one seed, the later."""
    return {
        line["seed"]: line["error"] / line["constant"] for line in lines if line["side"] == side
    }


def shares(lines: Sequence[Line], seeds: Sequence[int]) -> str:
    """Return the shares of rows in a wrong class, over seeds that both sides have."""
    means = []
    for side in ("ours", "reference"):
        found = {line["seed"]: line.get("wrong") for line in lines if line["side"] == side}
        own = [found[seed] for seed in seeds]
        if not own or None in own:
            return ""
        means.append(f"{statistics.fmean(own):.2%}")
    return " / ".join(means)


def epochs(lines: Iterable[Line]) -> str:
    """Return the most epochs that a fit of either side could take."""
    parameters = [line["parameters"] for line in lines if line["side"] != "default"]
    found = {p.get("n_epochs", p.get("epochs")) for p in parameters}
    return ", ".join(str(number) for number in sorted(found))


def ratio(lines: Iterable[Line]) -> str:
    """Return the medians of fit and predict where the sides took turns, and their ratio."""
    turns = [line for line in lines if "turn" in line]
    seconds = {
        side: [t["fit_seconds"] + t["predict_seconds"] for t in turns if t["side"] == side]
        for side in ("ours", "reference")
    }
    if not all(seconds.values()):
        return ""
    ours, reference = (statistics.median(values) for values in seconds.values())
    return f"{ours:.1f} / {reference:.1f} = {ours / reference:.2f}"


def spread(values: Iterable[float], *, sign: bool = False) -> str:
    """Return mean and standard error as text."""
    found = list(values)
    if not found:
        return ""
    mean = f"{statistics.fmean(found):{'+' if sign else ''}.4f}"
    if len(found) < 2:
        return mean
    return f"{mean} ± {statistics.stdev(found) / len(found) ** 0.5:.4f}"


def markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows, the first of which is the head, as wide as their widest cells."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "| " + " | ".join("-" * (width - 1) + ":" for width in widths) + " |"
    return [lines[0], rule, *lines[1:]]
