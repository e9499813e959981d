"""The results of tools on contests as one table.

An error is the metric itself, or 1 less the metric where greater is better, so 0 is perfect. The
normalised score of a tool is the share of the way from the constant prediction (0) to the best tool
of that contest and time (1). Both are of the mean error over the seeds that a tool has.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from report import markdown

Line = dict[str, Any]
OURS, RIVAL = "kc", "autogluon"


@dataclass(frozen=True)
class Contested:
    """All results of one contest in one time; of two of one tool and seed, the newer."""

    lines: tuple[Line, ...]

    def mean(self, tool: str, key: str) -> float | None:
        """Return the mean of a tool's results, None if it has none."""
        found = [line[key] for line in self.lines if line["tool"] == tool]
        return statistics.fmean(found) if found else None

    def normalised(self, tool: str) -> float | None:
        """Return 0 for what the constant prediction scores, 1 for what the best tool does."""
        own = self.mean(tool, "error")
        if own is None:
            return None
        constant = statistics.fmean(line["constant"] for line in self.lines)
        best = min(self.errors().values())
        return (constant - own) / (constant - best) if constant > best else 0.0

    def errors(self) -> dict[str, float]:
        """Return the mean error of each tool."""
        tools = dict.fromkeys(line["tool"] for line in self.lines)
        return {tool: self.mean(tool, "error") or 0.0 for tool in tools}

    def is_best(self, tool: str) -> bool:
        """Tell whether no tool has a smaller error."""
        errors = self.errors()
        return errors.get(tool) == min(errors.values())

    def ratio(self) -> float | None:
        """Return our error over the rival's, None where one is missing or perfect."""
        errors = self.errors()
        ours, rival = errors.get(OURS), errors.get(RIVAL)
        return ours / rival if ours and rival else None

    def row(self, tools: Sequence[str]) -> list[str]:
        """Return the contest's row of the table."""
        first, ratio = self.lines[0], self.ratio()
        n_train, n_test, n_columns = first["shape"]
        facts = [
            first["contest"],
            f"{n_train:,} + {n_test:,} x {n_columns}",
            first["metric"],
            f"{first['asked_seconds']:g}",
        ]
        cells = [self._cell(tool) for tool in tools]
        return [*facts, *cells, "" if ratio is None else f"{ratio:.3f}"]

    def _cell(self, tool: str) -> str:
        share = self.normalised(tool)
        if share is None:
            return ""
        names = ("score", "seconds", "cpu_seconds")
        score, seconds, cpu = (self.mean(tool, name) for name in names)
        return f"{score:.4f} ({share:.3f}; {seconds:.0f} s, cpu {cpu:.0f})"


def table(lines: Sequence[Line]) -> str:
    """Return contests as rows, tools as columns, and a last row of means and wins, as Markdown."""
    found = contested(lines)
    tools = sorted({line["tool"] for line in lines}, key=_rank)
    head = ["set", "train + test x columns", "metric", "seconds", *tools, f"{OURS} / {RIVAL}"]
    return "\n".join(markdown([head, *(one.row(tools) for one in found), overall(found, tools)]))


def contested(lines: Iterable[Line]) -> list[Contested]:
    """Return the results by contest and time, in the order in which they came."""
    newest = {
        (line["contest"], line["asked_seconds"], line["tool"], line["seed"]): line for line in lines
    }
    parts: dict[tuple[str, float], list[Line]] = {}
    for (contest, seconds, _, _), line in newest.items():
        parts.setdefault((contest, seconds), []).append(line)
    return [Contested(tuple(own)) for own in parts.values()]


def _rank(tool: str) -> tuple[int, str]:
    return (0 if tool == OURS else 1 if tool.startswith(RIVAL) else 2, tool)


def overall(found: Sequence[Contested], tools: Sequence[str]) -> list[str]:
    """Return the last row: each tool's mean normalised score, and how often it is best.

    Contests that only one tool has are left out: it would be the best of one.
    """
    shared = [one for one in found if len(one.errors()) > 1]
    cells = []
    for tool in tools:
        shares = [share for one in shared if (share := one.normalised(tool)) is not None]
        wins = sum(one.is_best(tool) for one in shared)
        mean = f"{statistics.fmean(shares):.3f}; " if shares else ""
        cells.append(f"{mean}best {wins} of {len(shares)}")
    ratios = [ratio for one in found if (ratio := one.ratio()) is not None]
    last = ""
    if ratios:
        below = sum(ratio < 1 for ratio in ratios)
        last = f"{statistics.geometric_mean(ratios):.3f}; below 1 {below} of {len(ratios)}"
    return ["all", "", "", "", *cells, last]
