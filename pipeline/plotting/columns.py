"""What a column is for a picture, and which rows and levels of it are drawn."""

import re
from typing import Literal

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

from pipeline.progress import Note, emit

Sort = Literal["number", "time", "category"]
FEW = 8  # levels that have a colour each, and distinct numbers that are taken for levels
MOST_LEVELS = 20  # that stand beside each other
MOST_POINTS = 5000  # more would lie on each other
MISSING, OTHERS = "missing", "others"


def sort_of(column: pd.Series) -> Sort:
    """Return whether a column is drawn along an axis of numbers, of time, or level by level."""
    if is_datetime64_any_dtype(column):
        return "time"
    is_number = is_numeric_dtype(column) and column.dtype != bool
    return "number" if is_number else "category"


def levels_of(column: pd.Series, most: int) -> pd.Series:
    """Return a column as text with at most so many levels: the most frequent ones, and others.

    A number of many values is cut at its quartiles. Levels stand in the order of numbers, also of
    those inside of text, and behind them others and what is missing.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):  # whoever made it has chosen the order
        return column
    if sort_of(column) != "category" and column.nunique() > most:
        return _quartiles(column)
    counts = column.value_counts()
    frequent = list(counts.index[: most if len(counts) <= most else most - 1])
    is_text = sort_of(column) == "category"
    frequent.sort(key=(lambda level: by_numbers(str(level))) if is_text else None)
    names = [_name(level) for level in frequent]
    text = column.map(dict(zip(frequent, names, strict=True))).astype(object)
    rest = text.isna() & column.notna()
    text = text.mask(rest, OTHERS).mask(column.isna(), MISSING)
    last = [one for one, rows in ((OTHERS, rest), (MISSING, column.isna())) if rows.any()]
    return pd.Series(
        pd.Categorical(text, categories=list(dict.fromkeys([*names, *last]))), index=column.index
    )


def _quartiles(column: pd.Series) -> pd.Series:
    cut = pd.qcut(column, 4, duplicates="drop")
    intervals = cut.cat.categories
    if is_datetime64_any_dtype(column):
        names = [f"{one.left:%Y-%m-%d} to {one.right:%Y-%m-%d}" for one in intervals]
    else:
        names = [f"{one.left:.4g} to {one.right:.4g}" for one in intervals]
    return cut.cat.rename_categories(names)


def by_numbers(text: str) -> list[tuple[bool, float, str]]:
    """Return what orders text with numbers in it as people do: "hour 9" before "hour 10"."""
    parts = re.findall(r"\d+|\D+", text)
    return [(not one.isdecimal(), float(one) if one.isdecimal() else 0.0, one) for one in parts]


def _name(level: object) -> str:
    if isinstance(level, float) and level.is_integer():
        return str(int(level))
    return f"{level:.4g}" if isinstance(level, float) else str(level)


def some_rows(frame: pd.DataFrame, most: int = MOST_POINTS, seed: int = 0) -> pd.DataFrame:
    """Return at most so many rows, drawn by chance and in their order, and say so."""
    if len(frame) <= most:
        return frame
    rows = np.sort(np.random.default_rng(seed).permutation(len(frame))[:most])
    emit(Note("plot", f"{most:,} of {len(frame):,} rows are drawn, chosen by chance"))
    return frame.iloc[rows]
