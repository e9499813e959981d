"""Rows as a person reads them, aligned in columns, or as CSV for another program."""

import csv
import io
from collections.abc import Sequence
from typing import Any

WIDTH = 80  # columns of the narrowest terminal that is thought of
NARROWEST = 8  # columns of a cell that is cut
GAP = "  "


def table_lines(
    rows: Sequence[dict[str, Any]],
    names: Sequence[str],
    shrinkable: Sequence[str] = (),
    width: int = WIDTH,
) -> list[str]:
    """Return a header and rows as lines whose columns stand below each other on a terminal.

    Korean and other wide letters take two columns. shrinkable: the columns whose cells are cut, one
    after the other, until a line fits into the width.
    """
    from rich.cells import cell_len

    cells = [list(names), *([shown(row[name]) for name in names] for row in rows)]
    widths = [max(cell_len(row[i]) for row in cells) for i in range(len(names))]
    for name in shrinkable:
        if name in names:
            _shrink(widths, names.index(name), width)
    return [
        GAP.join(_fitted(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def csv_text(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """Return a header and rows as CSV; what is not known is empty."""
    cells = [["" if row[name] is None else row[name] for name in names] for row in rows]
    return "".join(_csv_line(line) for line in [names, *cells])


def _csv_line(cells: Sequence[Any]) -> str:
    """Return one line; csv quotes a carriage return only if its own line ends have one."""
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue().removesuffix("\r\n") + "\n"


def shown(value: Any) -> str:
    """Return a cell: a number short, what is not known as "-", nothing that steers a terminal."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.5g}"
    return "".join(letter if letter.isprintable() else " " for letter in str(value)).strip()


def _shrink(widths: list[int], at: int, width: int) -> None:
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    if excess > 0:
        widths[at] = min(widths[at], max(NARROWEST, widths[at] - excess))


def _fitted(cell: str, width: int) -> str:
    """Return a cell padded, or cut with an ellipsis, to a number of columns."""
    from rich.cells import cell_len

    if cell_len(cell) > width:
        while cell_len(cell) > width - 1:
            cell = cell[:-1]
        cell += "…"
    return cell + " " * (width - cell_len(cell))
