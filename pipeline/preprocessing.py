"""What is learned about columns before the model: fills, scales and codes, as pipeline steps."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import sklearn.preprocessing
from pandas.api.types import is_numeric_dtype
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
)

from pipeline.competition import Cleaning, Preprocessing
from pipeline.errors import DeclarationError

MISSING_LEVEL = "missing"
MOST_PIXEL = 255.0
MANY_NUMBERS = 2**17  # rows of numbers, from which on columns are filled and scaled one by one
MANY_ROWS = 20_000  # from which on text is looked at level by level, not cell by cell
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
    steps.append(("text", MissingAsLevel(), TextColumns(but=tuple(own))))
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


class Fill(SimpleImputer):
    """scikit-learn's imputer; of many rows of numbers it looks at one column after the other.

    Columns without gaps are passed on as they are.
    """

    def fit(self, X: Any, y: Any = None) -> "Fill":
        """Learn each column's fill, and which columns have gaps."""
        super().fit(self._witnesses(X) if _are_many_numbers(X) else X)
        return self

    def _witnesses(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return two rows from which the same is learned: each column's fill, and a gap if any."""
        rows = {}
        for name in X:
            known = X[name].dropna()
            fill = np.nan
            if len(known):
                alone = SimpleImputer(strategy=self.strategy, fill_value=self.fill_value)
                fill = alone.fit(known.to_numpy(float)[:, None]).statistics_[0]
            has_gaps = len(known) < len(X)
            rows[name] = [known.iloc[0] if self.strategy == "constant" and len(known) else fill]
            rows[name].append(np.nan if has_gaps else rows[name][0])
        return pd.DataFrame(rows, dtype=float)

    def transform(self, X: Any) -> Any:
        """Return the columns without gaps, and those that say where gaps were."""
        if not _are_many_numbers(X):
            return super().transform(X)
        filled = {
            name: X[name].fillna(fill) if X[name].hasnans else X[name]
            for name, fill in zip(X, self.statistics_, strict=True)
        }
        gaps = self.indicator_.features_ if self.add_indicator else []
        marks = {f"missingindicator_{X.columns[i]}": X.iloc[:, i].isna() for i in gaps}
        marks = {name: mark.astype(float) for name, mark in marks.items()}
        return pd.DataFrame({**filled, **marks}, index=X.index, copy=False)


class StandardScaler(sklearn.preprocessing.StandardScaler):
    """scikit-learn's scaler; of many rows it looks at one column after the other."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "StandardScaler":
        """Learn each column's mean and deviation."""
        if not _are_many_numbers(X):
            super().fit(X, y, sample_weight)
            return self
        super().fit(X.head(2))
        plain = (sklearn.preprocessing.StandardScaler() for _ in X)
        each = [
            one.fit(X[name].to_numpy(float)[:, None]) for one, name in zip(plain, X, strict=True)
        ]
        for learned in ("mean_", "var_", "scale_"):
            setattr(self, learned, np.concatenate([getattr(one, learned) for one in each]))
        self.n_samples_seen_ = np.int64(len(X))
        return self

    def transform(self, X: Any, copy: bool | None = None) -> Any:
        """Return the scaled columns; of many rows in single precision."""
        if not _are_many_numbers(X):
            return super().transform(X, copy)
        scaled = np.empty(X.shape, "float32")
        for i, name in enumerate(X):
            scaled[:, i] = (X[name].to_numpy(float) - self.mean_[i]) / self.scale_[i]
        return pd.DataFrame(scaled, index=X.index, columns=X.columns, copy=False)


SCALERS: Mapping[str, type | None] = {
    "standard": StandardScaler,
    "minmax": MinMaxScaler,
    "robust": RobustScaler,
    "maxabs": MaxAbsScaler,
    "none": None,
}


class MissingAsLevel(SimpleImputer):
    """Fill text with a level of its own; of many rows without making an object of each cell."""

    def __init__(self) -> None:
        super().__init__(strategy="constant", fill_value=MISSING_LEVEL, keep_empty_features=True)

    def fit(self, X: Any, y: Any = None) -> "MissingAsLevel":
        """Learn nothing but the columns' names."""
        super().fit(X.head(1) if _are_texts(X) else X)
        return self

    def transform(self, X: Any) -> Any:
        """Return the columns without gaps."""
        return X.fillna(MISSING_LEVEL) if _are_texts(X) else super().transform(X)


class OrdinalEncoder(sklearn.preprocessing.OrdinalEncoder):
    """scikit-learn's encoder, told of each level once where rows are many."""

    def fit(self, X: Any, y: Any = None) -> "OrdinalEncoder":
        """Learn the levels of each column."""
        coded = _coded(X)
        super().fit(X if coded is None else _levels(coded))
        return self

    def transform(self, X: Any) -> Any:
        """Return the codes (n_samples, n_columns)."""
        coded = _coded(X)
        if coded is None:
            return super().transform(X)
        said = np.asarray(super().transform(_levels(coded)), dtype=float)
        columns = {name: said[codes, i] for i, (name, (codes, _)) in enumerate(coded.items())}
        return pd.DataFrame(columns, index=X.index, copy=False)


class OneHotEncoder(sklearn.preprocessing.OneHotEncoder):
    """scikit-learn's encoder, told of each level once where rows are many; then it makes bytes."""

    def fit(self, X: Any, y: Any = None) -> "OneHotEncoder":
        """Learn the levels of each column, and which of them are rare."""
        coded = _coded(X)
        if coded is not None:  # cells that share their level's object, so that all are counted
            X = pd.DataFrame({name: levels[codes] for name, (codes, levels) in coded.items()})
        super().fit(X)
        return self

    def transform(self, X: Any) -> Any:
        """Return the 0/1 columns (n_samples, n_made)."""
        coded = _coded(X)
        if coded is None:
            return super().transform(X)
        said = np.asarray(super().transform(_levels(coded)), dtype="uint8")
        made = np.empty((len(X), said.shape[1]), dtype="uint8")
        start = 0
        pairs = zip(self.categories_, self.infrequent_categories_, strict=True)
        for (codes, _), (levels, rare) in zip(coded.values(), pairs, strict=True):
            end = start + len(levels) - (0 if rare is None else len(rare) - 1)
            made[:, start:end] = said[:, start:end][codes]
            start = end
        return pd.DataFrame(made, index=X.index, columns=self.get_feature_names_out(), copy=False)


def _are_texts(X: Any) -> bool:
    """Tell whether X is a frame of many rows whose columns all are text of Arrow's."""
    return (
        isinstance(X, pd.DataFrame)
        and len(X) >= MANY_ROWS
        and all(isinstance(dtype, pd.StringDtype) for dtype in X.dtypes)
    )


def _are_many_numbers(X: Any) -> bool:
    """Tell whether X is a frame of so many rows that copies of all its columns would matter."""
    return (
        isinstance(X, pd.DataFrame)
        and len(X) > MANY_NUMBERS
        and all(dtype.kind in "iuf" for dtype in X.dtypes)
    )


def _coded(X: Any) -> dict[Any, tuple[np.ndarray, np.ndarray]] | None:
    """Return each column's codes (n_samples,) and levels; None for few rows, or with gaps."""
    if not _are_texts(X) or not X.shape[1]:
        return None
    coded = {}
    for name in X:
        codes, levels = pd.factorize(X[name])
        if (codes < 0).any():
            return None
        coded[name] = codes, np.asarray(levels, dtype=object)
    return coded


def _levels(coded: Mapping[Any, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Return a frame in which each column has all its levels; shorter ones repeat their first."""
    length = max(len(levels) for _, levels in coded.values())
    return pd.DataFrame(
        {
            name: np.concatenate([levels, np.repeat(levels[:1], length - len(levels))])
            for name, (_, levels) in coded.items()
        }
    )


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
    return Fill(
        strategy="constant" if way in constants else way,
        fill_value=constants.get(way),
        add_indicator=add_indicator,
        keep_empty_features=True,
    )


def _by_column(steps: list[Any]) -> ColumnTransformer:
    transformer = ColumnTransformer(steps, remainder="passthrough", verbose_feature_names_out=False)
    return transformer.set_output(transform="pandas")
