"""What fitted preprocessing steps do, column by column and in one line."""

from dataclasses import replace
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from pipeline.progress import Note, counted

REMAINDER = "remainder"  # what scikit-learn calls the columns that a step leaves as they are

Rows = list[dict[str, Any]]


def tell(stage: str, step: Any, X: pd.DataFrame) -> tuple[Rows, Note]:
    """Return what describe does, its line with the number of columns before and after."""
    rows, note = describe(stage, step, X)
    after = len(step.get_feature_names_out())
    facts = {**note.facts, "columns_before": X.shape[1], "columns_after": after}
    return rows, replace(note, text=f"{note.text}; {X.shape[1]} -> {after} columns", facts=facts)


def describe(stage: str, step: Any, X: pd.DataFrame) -> tuple[Rows, Note]:
    """Return what a fitted step does to the columns of X, one row a column, and in one line.

    stage: "impute", "scale" or "encode", as pipeline.preprocessing names them, or "text" or
    "generate", which stand before them.
    """
    if stage in ("text", "generate"):
        rows = step.changes()
        return rows, Note(stage, step.line(), {"columns": rows})
    if stage == "impute":
        rows = _describe_fills(step, X)
        return rows, _fill_note(rows)
    if stage == "scale":
        rows = _describe_scales(step)
        return rows, _scale_note(rows)
    rows = _describe_codes(step)
    kept = sum(not is_numeric_dtype(X[name]) for name in X) if not rows else 0
    return rows, _encode_note(rows, kept)


def _describe_fills(imputer: ColumnTransformer, X: pd.DataFrame) -> Rows:
    """Return, for each column with missing values, how many there are and what fills them."""
    fills: dict[str, Any] = {}
    for _, step, columns in imputer.transformers_:
        if isinstance(step, SimpleImputer) and len(columns):
            fills.update(zip(columns, step.statistics_, strict=True))
    missing = X.isna().sum()
    return [
        {"column": name, "missing": int(missing[name]), "filled_with": _shown(fills.get(name))}
        for name in X.columns
        if missing[name]
    ]


def _describe_scales(scaler: ColumnTransformer) -> Rows:
    """Return, for each scaled column, its scaler and what is subtracted and divided by."""
    rows = []
    for part, step, columns in scaler.transformers_:
        if part == REMAINDER:
            continue
        centers = _first(step, ("mean_", "center_", "data_min_"), len(columns), 0.0)
        scales = _first(step, ("data_range_", "max_abs_", "scale_"), len(columns), 1.0)
        for name, center, scale in zip(columns, centers, scales, strict=True):
            row = {"column": name, "scaler": type(step).__name__}
            divisor = float(scale) or 1.0  # scikit-learn leaves what never changes as it is
            rows.append({**row, "subtracted": float(center), "divided_by": divisor})
    return rows


def _describe_codes(encoder: ColumnTransformer) -> Rows:
    """Return, for each encoded column, its encoder, its levels and the columns it becomes."""
    rows = []
    for part, step, columns in encoder.transformers_:
        if part == REMAINDER or not len(columns):
            continue
        widths = _widths(step)
        for name, levels, width in zip(columns, step.categories_, widths, strict=True):
            shown = ", ".join(str(level) for level in levels[:4])
            more = ", ..." if len(levels) > 4 else ""
            row = {"column": name, "encoder": type(step).__name__, "levels": len(levels)}
            rows.append({**row, "columns": width, "for_example": shown + more})
    return rows


def _widths(encoder: OneHotEncoder | OrdinalEncoder) -> list[int]:
    """Return how many columns each column becomes; rare levels share one."""
    if not isinstance(encoder, OneHotEncoder):
        return [1] * len(encoder.categories_)
    pairs = zip(encoder.categories_, encoder.infrequent_categories_, strict=True)
    return [len(all_) - (0 if rare is None else len(rare) - 1) for all_, rare in pairs]


def _fill_note(rows: Rows) -> Note:
    """Return the line about filled values."""
    filled = [row for row in rows if row["filled_with"] is not None]
    kept = [row for row in rows if row["filled_with"] is None]
    cells = sum(row["missing"] for row in filled)
    text = f"{counted(cells, 'missing value')} filled in {counted(len(filled), 'column')}"
    if kept:
        left = sum(row["missing"] for row in kept)
        text += f"; {left:,} in {counted(len(kept), 'column')} kept as missing"
    return Note("clean", text, {"columns": rows})


def _scale_note(rows: Rows) -> Note:
    """Return the line about scaled columns."""
    names = sorted({row["scaler"] for row in rows})
    text = (
        f"{counted(len(rows), 'column')}, {names[0]}"
        if rows
        else "none; the model does not need it"
    )
    return Note("scale", text, {"columns": rows})


def _no_codes(kept: int) -> str:
    if not kept:
        return "no text columns"
    return f"{counted(kept, 'text column')} stay text, which the model encodes by itself"


def _encode_note(rows: Rows, kept: int) -> Note:
    """Return the line about encoded columns."""
    names = sorted({row["encoder"] for row in rows})
    width = sum(row["columns"] for row in rows)
    text = (
        f"{counted(len(rows), 'text column')} -> {width}, {names[0]}" if rows else _no_codes(kept)
    )
    return Note("encode", text, {"columns": rows})


def _first(step: Any, names: tuple[str, ...], n: int, default: float) -> Any:
    for name in names:
        if getattr(step, name, None) is not None:
            return getattr(step, name)
    return [default] * n


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return float(value)
