"""What is learned about columns before the model: fills, scales and codes, as pipeline steps."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from pipeline.competition import Cleaning, Preprocessing
from pipeline.errors import DeclarationError

SCALERS: Mapping[str, type | None] = {
    "standard": StandardScaler,
    "minmax": MinMaxScaler,
    "robust": RobustScaler,
    "maxabs": MaxAbsScaler,
    "none": None,
}
MISSING_LEVEL = "missing"
MOST_PIXEL = 255.0
MAX_LEVELS = 100  # the rarer levels of a column share one one-hot column


def make_preprocessor(
    choices: Preprocessing,
    cleaning: Cleaning,
    *,
    handles_missing: bool,
    scale_invariant: bool,
    handles_text: bool = False,
) -> list[tuple[str, ColumnTransformer]]:
    """Return the unfitted steps impute, scale and encode, in this order.

    What the declaration leaves open follows the model: one that handles missing values keeps them,
    one that does not care for scale gets ordinal codes and no scaler, and one that has its own way
    with text gets the text.
    """
    by_model = "none" if handles_text else "ordinal" if scale_invariant else "onehot"
    encoder = choices.encoder or by_model
    scaler = choices.scaler or ("none" if scale_invariant else "standard")
    keeps_missing = handles_missing and choices.imputer is None
    return [
        ("impute", make_imputer(choices, cleaning, keeps_missing=keeps_missing)),
        ("scale", make_scaler(scaler)),
        ("encode", make_encoder(encoder)),
    ]


def make_imputer(
    choices: Preprocessing, cleaning: Cleaning, *, keeps_missing: bool
) -> ColumnTransformer:
    """Return the step that fills missing values, column by column where [cleaning] says how."""
    own = [name for name, way in cleaning.columns.items() if way != "drop"]
    steps: list[Any] = [
        (f"own {name}", _fill(cleaning.columns[name]), NamedColumn(name)) for name in own
    ]
    if not keeps_missing:
        indicator = choices.indicator is not False
        numeric = _fill(choices.imputer or "median", add_indicator=indicator)
        steps.append(("numeric", numeric, NumericColumns(but=tuple(own))))
    steps.append(("text", _fill("missing"), TextColumns(but=tuple(own))))
    return _by_column(steps)


def make_scaler(name: str) -> ColumnTransformer:
    """Return the step that scales the numeric columns; "none" leaves them as they are."""
    scaler = SCALERS[name]
    return _by_column([] if scaler is None else [("numeric", scaler(), NumericColumns())])


def make_pixel_scaler() -> tuple[str, ColumnTransformer]:
    """Return the step that takes pixels from bytes to numbers from 0 to 1."""
    scaler = FunctionTransformer(scale_pixels, feature_names_out="one-to-one")
    return "scale", _by_column([("pixels", scaler, NumericColumns())])


def scale_pixels(X: pd.DataFrame) -> pd.DataFrame:
    """Return bytes as numbers from 0 to 1, in single precision."""
    scaled: pd.DataFrame = X.astype("float32") / MOST_PIXEL
    return scaled


def make_encoder(name: str) -> ColumnTransformer:
    """Return the step that turns text columns into numbers.

    ordinal: codes from 0, unseen levels -1. onehot: a 0/1 column a level, unseen levels all zeros.
    none: text stays text.
    """
    if name == "none":
        return _by_column([])
    if name == "ordinal":
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    else:
        encoder = OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            sparse_output=False,
            max_categories=MAX_LEVELS,
            feature_name_combiner=name_level,
        )
    return _by_column([("text", encoder, TextColumns())])


def name_level(column: str, level: Any) -> str:
    """Return the name of a level's 0/1 column; no two levels, of whatever columns, share one."""
    plain = f"{column} = {level}"
    return plain if plain.count("=") == 1 else f"{column} = {str(level)!r}"


class NumericColumns:
    """Select the numeric columns of a frame, except some; picklable, unlike a closure."""

    def __init__(self, but: tuple[str, ...] = ()) -> None:
        self.but = but

    def __call__(self, X: Any) -> list[str]:
        """Return their names."""
        return [n for n in _columns(X) if is_numeric_dtype(X[n]) and n not in self.but]


class TextColumns(NumericColumns):
    """Select the columns that are not numeric, except some."""

    def __call__(self, X: Any) -> list[str]:
        """Return their names."""
        return [n for n in _columns(X) if not is_numeric_dtype(X[n]) and n not in self.but]


class NamedColumn:
    """Select a column by name, where an own transformer has left it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, X: Any) -> list[str]:
        """Return its name, or nothing."""
        return [name for name in _columns(X) if name == self.name]


def _columns(X: Any) -> list[str]:
    if not isinstance(X, pd.DataFrame):
        raise DeclarationError(
            f"features.py: make_transformer: expected transform to return a DataFrame, "
            f"found {type(X).__name__}"
        )
    return [str(name) for name in X]


def _fill(way: str, *, add_indicator: bool = False) -> SimpleImputer:
    constants = {"zero": 0, "missing": MISSING_LEVEL}
    return SimpleImputer(
        strategy="constant" if way in constants else way,
        fill_value=constants.get(way),
        add_indicator=add_indicator,
        keep_empty_features=True,
    )


def _by_column(steps: list[Any]) -> ColumnTransformer:
    transformer = ColumnTransformer(steps, remainder="passthrough", verbose_feature_names_out=False)
    return transformer.set_output(transform="pandas")
