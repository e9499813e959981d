"""Rows as a person reads them, aligned in columns, or as CSV for another program."""

import csv
import io
from collections.abc import Collection, Sequence
from typing import Any

WIDTH = 80  # columns of the narrowest terminal that is thought of
NARROWEST = 8  # columns of a cell that is cut
GAP = "  "


def table_lines(
    rows: Sequence[dict[str, Any]],
    names: Sequence[str],
    shrinkable: Sequence[str] = (),
    width: int = WIDTH,
    right: Collection[str] = (),
) -> list[str]:
    """Return a header and rows as lines whose columns stand below each other on a terminal.

    Korean and other wide letters take two columns. right: the columns whose cells end below each
    other, as numbers do. shrinkable: the columns whose cells are cut, one after the other, until a
    line fits into the width.
    """
    from rich.cells import cell_len

    cells = [list(names), *([shown(row[name]) for name in names] for row in rows)]
    widths = [max(cell_len(row[i]) for row in cells) for i in range(len(names))]
    for name in shrinkable:
        if name in names:
            _shrink(widths, names.index(name), width)
    return [
        GAP.join(
            _fitted(cell, wide, is_right=name in right)
            for cell, wide, name in zip(row, widths, names, strict=True)
        ).rstrip()
        for row in cells
    ]


def fitting_names(
    rows: Sequence[dict[str, Any]], names: Sequence[str], optional: Sequence[str], width: int
) -> list[str]:
    """Return the columns without as many of the optional ones, in their order, as do not fit."""
    from rich.cells import cell_len

    kept = list(names)
    for name in optional:
        head = table_lines(rows, kept)
        if max(map(cell_len, head)) > width and name in kept:
            kept.remove(name)
    return kept


def bar_lines(rows: Sequence[tuple[str, str, float]], length: int = 40) -> list[str]:
    """Return rows of a name, a number as text and its size, the sizes as bars on a terminal."""
    from rich.cells import cell_len

    largest = max((size for *_, size in rows), default=0.0) or 1.0
    width = min(24, max((cell_len(name) for name, *_ in rows), default=0))
    digits = max((len(text) for _, text, _ in rows), default=0)
    return [
        f"  {_fitted(shown(name), width)}  {text:>{digits}}  "
        f"{_bar(size / largest * length)}".rstrip()
        for name, text, size in rows
    ]


def _bar(length: float) -> str:
    """Return a bar of so many columns, of half a column at least where there is anything."""
    whole, half = divmod(round(2 * length), 2)
    return "█" * whole + "▌" * half if length and whole + half else "▌" * (length > 0)


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


def wrapped(text: str, indent: int, width: int = WIDTH) -> list[str]:
    """Return a text as lines of at most so many columns, all but the first one indented."""
    from rich.cells import cell_len

    words = text.lstrip(" ")
    lines = [" " * (len(text) - len(words))]
    for word in words.split(" "):
        line = f"{lines[-1]} {word}" if lines[-1].strip() else lines[-1] + word
        if cell_len(line) > width and lines[-1].strip():
            lines.append(" " * indent + word)
        else:
            lines[-1] = line
    return [line.rstrip() for line in lines]


def _fitted(cell: str, width: int, *, is_right: bool = False) -> str:
    """Return a cell padded, or cut with an ellipsis, to a number of columns."""
    from rich.cells import cell_len

    if cell_len(cell) > width:
        while cell_len(cell) > width - 1:
            cell = cell[:-1]
        cell += "…"
    space = " " * (width - cell_len(cell))
    return space + cell if is_right else cell + space
