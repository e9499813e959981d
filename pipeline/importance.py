"""Which columns fitted models rely on: how much worse they score where a column is shuffled.

Each fold's estimator is asked about its own validation rows, which it has not learned from, with
one column at a time in another order (Breiman, Random forests, 2001). What is drawn by chance
follows from the seed, the fold and the column alone, so that several models are asked about the
same rows, and the importance of a column to their blend can be told as well.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from pipeline.metrics import Metric

ROWS = 2000  # that are asked about, of all folds together
MOST_CELLS = 100_000  # of one question; between two of them the clock is looked at


@dataclass(frozen=True, eq=False)
class Importance:
    """How much worse the score becomes without each column.

    table: column, importance (in the metric's unit, more is more important) and error, its standard
    error over folds, the most important first; columns that there was no time for are left out.
    n_rows: that were asked about. n_columns: of all features. note: what else should be known.
    """

    table: pd.DataFrame
    n_rows: int
    n_columns: int
    note: str = ""


def rows_to_ask(valid: np.ndarray, n_folds: int, seed: int, number: int) -> np.ndarray:
    """Return which rows of a fold (n_asked,) are asked about: a sample, or each several times.

    valid: positions of the fold's validation rows. Few rows are asked about in several orders.
    """
    wanted = max(ROWS // max(n_folds, 1), 1)
    rng = np.random.default_rng([seed, number])
    if len(valid) > wanted:
        return np.sort(rng.choice(valid, wanted, replace=False))
    return np.tile(valid, min(max(wanted // max(len(valid), 1), 1), 10))


def ask_shuffled(
    predict: Callable[[pd.DataFrame], np.ndarray],
    X: pd.DataFrame,
    columns: Sequence[str],
    seed: int,
    number: int,
    until: float,
) -> np.ndarray:
    """Return predictions of rows as they are, and with each column shuffled among them.

    predict: from rows to (n_rows, n_outputs). X: (n_rows, n_features) of one fold. number: the
    fold's. until: on the clock of time.monotonic().
    The result is (1 + n_columns, n_rows, n_outputs), NaN for columns that time ran out for.
    """
    plain = predict(X)
    found = np.full((1 + len(columns), *plain.shape), np.nan)
    found[0] = plain
    at_once = max(1, MOST_CELLS // max(X.size, 1))
    for first in range(0, len(columns), at_once):
        if time.monotonic() >= until:
            break
        some = columns[first : first + at_once]
        said = predict(_shuffled(X, some, seed, number))
        found[1 + first : 1 + first + len(some)] = said.reshape(len(some), *plain.shape)
    return found


def _shuffled(X: pd.DataFrame, columns: Sequence[str], seed: int, number: int) -> pd.DataFrame:
    """Return a copy of the rows for each column, with that column shuffled, below each other."""
    every = pd.concat([X] * len(columns), ignore_index=True)
    for position, name in enumerate(columns):
        at = X.columns.get_loc(name)
        order = np.random.default_rng([seed, number, int(at)]).permutation(len(X))  # type: ignore[arg-type]
        places = np.arange(len(every))
        mine = slice(position * len(X), (position + 1) * len(X))
        places[mine] = position * len(X) + order
        every[name] = every[name].array.take(places)
    return every


def importance_of(
    asked: Mapping[int, np.ndarray],
    truth: Mapping[int, np.ndarray],
    columns: Sequence[str],
    metric: Metric,
    labels: np.ndarray | None,
    note: str = "",
) -> Importance:
    """Return what shuffled columns cost each fold's score.

    asked: of each fold, as ask_shuffled returns it for these columns. truth: of each fold, what its
    rows should say (n_rows,) or (n_rows, n_targets).
    """
    sign = -1 if metric.greater_is_better else 1
    losses = np.array(
        [[sign * _score(metric, truth[n], one, labels) for one in asked[n]] for n in sorted(asked)]
    )
    costs = losses[:, 1:] - losses[:, :1]  # (n_folds, n_columns)
    known = np.isfinite(costs).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(costs, axis=0) / known
        error = np.sqrt(np.nansum((costs - mean) ** 2, axis=0) / (known - 1) / known)
    table = pd.DataFrame({"column": list(columns), "importance": mean, "error": error})
    is_whole = known == known.max(initial=0)
    table = table[is_whole & np.isfinite(mean)].sort_values(
        "importance", ascending=False, kind="stable", ignore_index=True
    )
    n_rows = sum(len(one) for one in truth.values())
    if len(table) < len(columns):
        skipped = f"there was no time for {len(columns) - len(table)} of {len(columns)} columns"
        note = f"{skipped}; {note}" if note else skipped
    return Importance(table, n_rows, len(columns), note)


def _score(metric: Metric, truth: np.ndarray, said: np.ndarray, labels: np.ndarray | None) -> float:
    return float("nan") if np.isnan(said).any() else metric(truth, said, labels)


def order_of_asking(X: pd.DataFrame, goal: np.ndarray) -> list[str]:
    """Return the columns, those whose ranks follow the target's most first.

    goal: (n_samples, n_goals). So what there may be no time for are the ones that matter least.
    """
    codes = np.column_stack([pd.factorize(X[name], sort=True)[0] for name in X])
    ranks = rankdata(codes, axis=0)
    ranks = (ranks - ranks.mean(axis=0)) / np.maximum(ranks.std(axis=0), 1e-12)
    around = goal - goal.mean(axis=0)
    follows = np.abs(ranks.T @ around).max(axis=1)
    order = np.argsort(-np.round(follows / max(follows.max(initial=0.0), 1e-12), 9), kind="stable")
    return [str(X.columns[i]) for i in order]
