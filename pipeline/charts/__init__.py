"""Charts as SVG: pure functions from numbers to strings, drawn in the colours of charts.css."""

from pathlib import Path

from pipeline.charts.bars import Bar, bars
from pipeline.charts.heatmap import heatmap
from pipeline.charts.intervals import Interval, intervals
from pipeline.charts.lines import Line, lines
from pipeline.charts.numbers import aligned, round_ticks, short, tick_labels
from pipeline.charts.scatter import scatter
from pipeline.charts.svg import printable

__all__ = [
    "Bar",
    "Interval",
    "Line",
    "aligned",
    "bars",
    "heatmap",
    "intervals",
    "lines",
    "printable",
    "round_ticks",
    "scatter",
    "short",
    "style",
    "tick_labels",
]


def style() -> str:
    """Return the style sheet of the charts, in light and dark colours."""
    return (Path(__file__).parent / "charts.css").read_text(encoding="utf-8")
