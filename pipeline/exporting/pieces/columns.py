"""Which columns a step before a model takes."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.compose import ColumnTransformer


def numeric(*but: str) -> Callable[[pd.DataFrame], list[str]]:
    """Select the numeric columns of a frame, except some."""
    return lambda X: [n for n in map(str, X) if is_numeric_dtype(X[n]) and n not in but]


def text(*but: str) -> Callable[[pd.DataFrame], list[str]]:
    """Select the columns of a frame that are not numeric, except some."""
    return lambda X: [n for n in map(str, X) if not is_numeric_dtype(X[n]) and n not in but]


def named(*names: str) -> Callable[[pd.DataFrame], list[str]]:
    """Select columns by name, where they are still there."""
    return lambda X: [n for n in X if n in names]


def by_column(*steps: Any) -> ColumnTransformer:
    """Return what transforms some columns and leaves the others as they are."""
    transformer = ColumnTransformer(
        list(steps), remainder="passthrough", verbose_feature_names_out=False
    )
    return transformer.set_output(transform="pandas")
