"""Columns of prose as numbers: how long a text is, and what its words and syllables are about."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.validation import check_is_fitted

from pipeline.generating.columns import stacked, unique_names
from pipeline.preprocessing import TextColumns

MOST_COMPONENTS = 32
MOST_TERMS = 20_000  # of words, and of parts of words
MOST_ROWS = 20_000  # that teach what texts are about
MOST_CHARACTERS = 100  # of a text whose parts of words are looked at; its words are, all of them


class TextFeatures(TransformerMixin, BaseEstimator):
    """Replace columns of prose by their length, number of words and what they are about.

    That is, by the first directions of their TF-IDF (latent semantic analysis; Deerwester et al.,
    1990), of words and of 2 to 4 characters together: these find stems, and words of languages that
    put no spaces between all of them. Missing text is empty text.

    columns: of these, those that the frame has are replaced. made_: by column, what replaced it.
    """

    def __init__(self, *, columns: Sequence[str] = (), seed: int = 42) -> None:
        self.columns = columns
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: Any = None) -> "TextFeatures":
        """Learn from the training rows what their texts are about."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: Any = None) -> pd.DataFrame:
        """Learn from the training rows, and return them without text."""
        found = [name for name in TextColumns()(X) if name in self.columns]
        self.topics_ = {name: _Topics(_texts(X[name]), self.seed) for name in found}
        self.kept_ = [name for name in X if name not in found]
        wanted = [name for column, topics in self.topics_.items() for name in topics.names(column)]
        free = iter(unique_names(wanted, self.kept_))
        self.made_ = {
            column: [next(free) for _ in topics.names(column)]
            for column, topics in self.topics_.items()
        }
        return self.transform(X)

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return any rows without text, and with what is made of it behind the other columns."""
        check_is_fitted(self, "topics_")
        made = [topics.numbers(_texts(X[name])) for name, topics in self.topics_.items()]
        names = [name for names in self.made_.values() for name in names]
        numbers = pd.DataFrame(stacked(made, len(X)), columns=names, index=X.index)
        return pd.concat([X[self.kept_], numbers], axis="columns")

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of all columns."""
        made = [name for names in self.made_.values() for name in names]
        return np.array([*self.kept_, *made], dtype=object)

    def changes(self) -> list[dict[str, Any]]:
        """Return the columns of prose, each with the number of columns made of it."""
        return [{"column": name, "columns": len(made)} for name, made in self.made_.items()]

    def line(self) -> str:
        """Return in one line what became of prose."""
        made = ", ".join(f"{name} -> {len(names)}" for name, names in self.made_.items())
        return f"prose as numbers: {made}" if made else "no prose is left"


class _Topics:
    """What the texts of one column are about, learned from the training rows."""

    def __init__(self, texts: pd.Series, seed: int) -> None:
        if len(texts) > MOST_ROWS:
            chosen = np.random.default_rng(seed).choice(len(texts), MOST_ROWS, replace=False)
            texts = texts.iloc[np.sort(chosen)]
        common = {"max_features": MOST_TERMS, "sublinear_tf": True, "dtype": np.float32}
        min_df = 2 if len(texts) > 100 else 1  # what one text alone has, no other is like
        words = TfidfVectorizer(min_df=min_df, **common)
        parts = TfidfVectorizer(min_df=min_df, analyzer="char_wb", ngram_range=(2, 4), **common)
        tables = {one: _fit(one, texts) for one in (words, parts)}
        self.terms = [one for one, table in tables.items() if table is not None]
        self.directions = None
        table = _beside([tables[one] for one in self.terms], len(texts))
        n_components = min(MOST_COMPONENTS, min(table.shape) - 1)
        if n_components > 0:
            with np.errstate(invalid="ignore"):  # it divides by the variance, even if that is 0
                self.directions = TruncatedSVD(n_components, random_state=seed).fit(table)

    def names(self, column: str) -> list[str]:
        """Return what the numbers are called."""
        n = 0 if self.directions is None else len(self.directions.components_)
        about = [f"{column} text {i}" for i in range(1, n + 1)]
        return [f"{column} characters", f"{column} words", *about]

    def numbers(self, texts: pd.Series) -> np.ndarray:
        """Return the numbers of any texts (n_samples, n_numbers)."""
        n_words = texts.str.count(r"\S+")
        sizes = np.column_stack([texts.str.len(), n_words]).astype(float)
        if self.directions is None:
            return sizes
        table = _beside([one.transform(_read_by(one, texts)) for one in self.terms], len(texts))
        return np.column_stack([sizes, self.directions.transform(table)])


def _fit(vectoriser: TfidfVectorizer, texts: pd.Series) -> Any:
    """Fit a vectoriser, and return its table of the texts; None if they have no term."""
    try:
        return vectoriser.fit_transform(_read_by(vectoriser, texts))
    except ValueError as error:
        if "vocabulary" in str(error) or "no terms remain" in str(error):
            return None
        raise


def _read_by(vectoriser: TfidfVectorizer, texts: pd.Series) -> pd.Series:
    """Return what a vectoriser reads of texts: for parts of words, only where they begin."""
    reads_parts = vectoriser.analyzer == "char_wb"
    return texts.str.slice(0, MOST_CHARACTERS) if reads_parts else texts


def _beside(tables: list[Any], n_rows: int) -> Any:
    """Return sparse tables side by side; also where there are none."""
    return sparse.hstack(tables, format="csr") if tables else sparse.csr_matrix((n_rows, 0))


def _texts(column: pd.Series) -> pd.Series:
    return column.astype("str").fillna("")
