"""Which of many candidate columns tell something that the other columns do not: a quick look.

It is quick because it looks at some rows only. A candidate has to explain more of what a small
LightGBM leaves unexplained than the best of all candidates does by chance, twice: alone, and beside
others in another LightGBM, where chance are shuffled copies of them (as in Boruta, Kursa and
Rudnicki, 2010). Those that pass must together leave less unexplained in rows that did not teach
them; else none is kept.
"""

import numpy as np
import pandas as pd

from pipeline.generating.probe import Probe, quick_model

N_BINS = 16
N_SHUFFLES = 5
MOST_RANKED = 300  # candidates whose ranks are compared
MOST_BESIDE = 60  # candidates that are compared beside each other
SAME = 0.95  # a rank correlation above it: two columns order rows alike


def worthy(found: Probe, candidates: np.ndarray, most: int) -> np.ndarray:
    """Return the positions of the candidates that are worth making, in their order.

    candidates: (n, n_candidates), of the rows that the probe has looked at. most: of them.
    """
    if not candidates.shape[1] or not found.left.shape[1]:
        return np.arange(0)
    alone = _alone(candidates, found)[:MOST_RANKED]
    different = _different(candidates[:, alone], found.known)
    beside = alone[different][:MOST_BESIDE]
    kept = np.sort(beside[_beside(candidates[:, beside], found)][:most])
    return kept if _pays(candidates[:, kept], found) else np.arange(0)


def _alone(candidates: np.ndarray, found: Probe) -> np.ndarray:
    """Return the candidates that alone explain more than any does by chance, the best first."""
    rng = np.random.default_rng(found.seed)
    shuffled = [found.left[found.shuffled(rng)] for _ in range(N_SHUFFLES)]
    both = np.column_stack([found.left, *shuffled])
    explained = np.array([_explained(column, both) for column in candidates.T])
    explained = explained.reshape(len(explained), N_SHUFFLES + 1, -1).mean(axis=2)
    by_chance = explained[:, 1:].max()
    ranked = np.argsort(-explained[:, 0], kind="stable")
    return np.asarray(ranked[explained[ranked, 0] > by_chance])


def _explained(column: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the share of each target's variance (n_targets,) that a column's bins explain."""
    known = np.sort(column[~np.isnan(column)])
    if not len(known) or known[0] == known[-1]:
        return np.zeros(targets.shape[1])
    edges = np.unique(known[np.arange(1, N_BINS) * len(known) // N_BINS])
    bins = np.where(np.isnan(column), N_BINS, np.searchsorted(edges, column, side="left"))
    counts = np.bincount(bins, minlength=N_BINS + 1)
    sums = np.column_stack([np.bincount(bins, weights=t, minlength=N_BINS + 1) for t in targets.T])
    shares: np.ndarray = (sums**2 / np.maximum(counts, 1)[:, None]).sum(axis=0) / len(column)
    return shares


def _different(candidates: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the positions of candidates that order rows unlike each column and better candidate.

    candidates: (n, n_candidates), the best first; of these, as many as are compared at last.
    """
    ranks, kept = _ranks(known), []
    for position, column in enumerate(candidates.T):
        own = _ranks(column[:, None])
        if not len(ranks.T) or np.abs(ranks.T @ own).max() < SAME:
            ranks = np.column_stack([ranks, own])
            kept.append(position)
        if len(kept) == MOST_BESIDE:
            break
    return np.array(kept, dtype=int)


def _ranks(columns: np.ndarray) -> np.ndarray:
    """Return the ranks of columns, of length 1 around 0: their products are correlations."""
    ranks = pd.DataFrame(columns).rank()
    away = (ranks - ranks.mean()).fillna(0.0).to_numpy()
    length = np.sqrt((away**2).sum(axis=0))
    unit: np.ndarray = away / np.where(length > 0, length, 1)
    return unit


def _beside(candidates: np.ndarray, found: Probe) -> np.ndarray:
    """Return the positions of candidates that gain more than any shuffled one, the best first."""
    n = candidates.shape[1]
    if not n:
        return np.arange(0)
    shuffled = candidates[found.shuffled(np.random.default_rng(found.seed))]
    columns = np.column_stack([found.known, candidates, shuffled])
    gains = np.zeros(columns.shape[1])
    for target in found.left.T:
        gains += quick_model(found.seed).fit(columns, target).feature_importances_
    real, by_chance = gains[-2 * n : -n], gains[-n:]
    ranked = np.argsort(-real, kind="stable")
    return np.asarray(ranked[real[ranked] > by_chance.max()])


def _pays(candidates: np.ndarray, found: Probe) -> bool:
    """Tell whether the quick model errs less out of fold with the candidates, beyond chance."""
    numbers = np.unique(found.fold)
    if not candidates.shape[1] or len(numbers) < 2:
        return False
    before = np.square(found.left).mean(axis=1)
    after = np.square(found.unexplained(candidates)).mean(axis=1)
    gains = np.array([(before - after)[found.fold == one].mean() for one in numbers])
    return bool(gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)))
