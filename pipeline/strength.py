"""How well one column, or many together, explain a target out of fold; on some thousand rows."""

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy.stats import rankdata
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.tree import DecisionTreeRegressor

from pipeline.competition import Competition

WORTH_A_TREE = 0.9  # of 1, by the means of a column's bins
N_BINS = 20


def goal_of(y: pd.Series | pd.DataFrame, competition: Competition) -> np.ndarray:
    """Return what is to be explained (n_samples, n_goals): ranks, or a column a class."""
    if competition.task == "regression":
        return np.asarray(rankdata(np.asarray(y).reshape(len(y), -1), axis=0) / len(y))
    codes, labels = pd.factorize(np.asarray(y), sort=True)
    one_hot = np.eye(len(labels))[codes]
    return one_hot[:, 1:] if len(labels) == 2 else one_hot


def strength_of(column: pd.Series, goal: np.ndarray, is_classes: bool, seed: int) -> float:
    """Return how well one column explains the goal, out of fold if that is in doubt."""
    x = column.astype(float) if is_numeric_dtype(column) else None
    filled = None if x is None else x.fillna(x.min() - 1).to_numpy()  # a gap may tell as well
    levels = pd.factorize(column)[0] if filled is None else filled
    if len(np.unique(levels)) < 2:
        return 0.0
    in_bins = _bin_means(levels, goal)
    screened = _score(goal, in_bins, is_classes)
    if screened < WORTH_A_TREE:
        return screened
    halves = np.random.default_rng(seed).permutation(len(goal)) % 2
    said = np.empty(goal.shape)
    for half in (0, 1):
        seen = halves != half
        values = levels if filled is not None else _level_means(levels, goal, seen)
        tree = DecisionTreeRegressor(max_leaf_nodes=100, min_samples_leaf=5, random_state=seed)
        tree.fit(values[seen, None], goal[seen])
        said[~seen] = tree.predict(values[~seen, None]).reshape(-1, goal.shape[1])
    by_rank = 0.0 if filled is None else _by_rank(filled, goal, is_classes)
    return max(_score(goal, said, is_classes), by_rank)


def _by_rank(values: np.ndarray, goal: np.ndarray, is_classes: bool) -> float:
    """Return how well a column's ranks explain the goal; few rows tell that better than a tree."""
    ranks = np.broadcast_to(rankdata(values)[:, None], goal.shape)
    if is_classes:
        return _score(goal, ranks, is_classes) if goal.shape[1] == 1 else 0.0
    return max(float(np.corrcoef(ranks[:, 0], one)[0, 1] ** 2) for one in goal.T)


def _bin_means(values: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Return the goal's mean in each value's bin, of about equally many rows."""
    ranks = rankdata(values, method="dense")
    if ranks.max() > N_BINS:
        ranks = np.ceil(rankdata(values, method="max") * N_BINS / len(values))
    bins = ranks.astype(int)
    sums = np.column_stack([np.bincount(bins, one) for one in goal.T])
    return np.asarray((sums / np.maximum(np.bincount(bins), 1)[:, None])[bins])


def _level_means(levels: np.ndarray, goal: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return each level's mean code of the goal among the rows seen; a level not seen has -1."""
    code = goal @ np.arange(1, goal.shape[1] + 1)
    size = int(levels.max()) + 2  # a missing level is -1
    total = np.bincount(levels[seen] + 1, code[seen], size)
    count = np.bincount(levels[seen] + 1, minlength=size)
    means = np.divide(total, count, out=np.full(size, -1.0), where=count > 0)
    return np.asarray(means[levels + 1])


def _score(goal: np.ndarray, said: np.ndarray, is_classes: bool) -> float:
    """Return R2, or the mean of the classes' |2 AUC - 1|."""
    if not is_classes:
        missed = np.square(goal - said).mean(axis=0) / np.maximum(goal.var(axis=0), 1e-12)
        return float(np.max(1 - missed))
    n_ones = goal.sum(axis=0)
    pairs = np.maximum(n_ones * (len(goal) - n_ones), 1)
    areas = ((rankdata(said, axis=0) * goal).sum(axis=0) - n_ones * (n_ones + 1) / 2) / pairs
    return float(np.mean(np.abs(2 * areas - 1)))


def strength_together(X: pd.DataFrame, goal: np.ndarray, is_classes: bool, seed: int) -> float:
    """Return how well many columns together explain the goal, out of fold."""
    if not X.shape[1]:
        return 0.0
    halves = np.random.default_rng(seed).permutation(len(goal)) % 2
    said = np.empty(goal.shape)
    for half in (0, 1):
        seen = halves != half
        values = np.column_stack([_numbers(X[name], goal, seen) for name in X])
        forest = ExtraTreesRegressor(
            30, min_samples_leaf=2, max_features=0.3, random_state=seed, n_jobs=1
        )
        forest.fit(values[seen], goal[seen] if goal.shape[1] > 1 else goal[seen, 0])
        said[~seen] = forest.predict(values[~seen]).reshape(-1, goal.shape[1])
    return _score(goal, said, is_classes)


def _numbers(column: pd.Series, goal: np.ndarray, seen: np.ndarray) -> np.ndarray:
    if not is_numeric_dtype(column):
        return _level_means(pd.factorize(column)[0], goal, seen)
    x = column.astype(float)
    low = x.min()
    return np.asarray(x.fillna(0.0 if np.isnan(low) else low - 1))
