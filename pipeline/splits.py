"""Folds: which training rows are fitted on, and which are predicted out of fold."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold

from pipeline.competition import Task, Validation
from pipeline.errors import DataError

N_RUNS = 5  # of rows in order, for what is told across a fold's training rows
MOST_CUTS = 32  # in time, under the strict rule; each is a fit


@dataclass(frozen=True, eq=False)
class Fold:
    """Row positions of one fold: train (n_fit,) and valid (n_held_out,), disjoint and sorted.

    test: positions of the test rows that what is fitted here predicts; None: all of them.
    """

    number: int
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray | None = None

    @property
    def predicts_test(self) -> bool:
        """Whether any test row is predicted by what is fitted here."""
        return self.test is None or len(self.test) > 0


def make_folds(
    y: Any,
    groups: pd.Series | None,
    order: pd.Series | None,
    validation: Validation,
    task: Task,
    until: pd.Series | None = None,
) -> list[Fold]:
    """Return the folds that the declared scheme asks for.

    y: (n_samples,) or (n_samples, n_targets); groups and order: (n_samples,) or None. until:
    (n_samples,), when the last of a row's answers is known, if that is later than its order says:
    a fold in time trains on rows whose answers were all known when the first row it predicts was.
    kfold: shuffled rows. stratified: the same share of each class in every fold. group: whole
    groups. time: the later half of the rows in the given order, in n_splits runs, each predicted
    from all rows before it. like_test: all rows in the given order, in n_splits runs, each
    predicted from all others. Rows of equal order stay together.
    Raises DataError if there are too few rows, groups, classes or distinct times.
    """
    scheme = resolve_scheme(validation, task)
    if len(y) < validation.n_splits:
        raise DataError(f"{len(y)} training rows cannot make {validation.n_splits} folds")
    if scheme == "group":
        parts = _group_parts(_present(groups, "group"), validation)
    elif scheme == "like_test":
        parts = _runs(_present(order, "time"), validation)
    elif scheme == "time":
        return _forward_folds(_present(order, "time"), validation, until)
    elif scheme == "stratified":
        parts = _stratified_parts(np.asarray(y), validation)
    else:
        shuffled = KFold(validation.n_splits, shuffle=True, random_state=validation.seed)
        parts = [valid for _, valid in shuffled.split(np.zeros(len(y)))]
    return [_fold(number, valid, len(y)) for number, valid in enumerate(parts)]


def make_strict_folds(
    order: pd.Series | None, asked: pd.Series | None, validation: Validation
) -> list[Fold]:
    """Return folds of which each predicts only rows that are later than all it is fitted on.

    order: (n_samples,) times of the training rows; asked: (n_test,) those of the test rows.
    Time is cut where test rows begin after training rows. What is fitted on the rows before a cut
    predicts the rows from there to the next cut: the test rows, and the training rows, by which it
    is scored; behind the last cut there may be none. Cuts are at most MOST_CUTS. Where the test
    lies behind all training rows, the later half is cut into n_splits runs as well.
    Raises DataError if times are missing, or a test row is not later than any training row.
    """
    times = _present(order, "time")
    if asked is None or asked.isna().any():
        raise DataError(
            'validation.rule = "strict" needs columns.time in every row of the test file'
        )
    by_time = np.argsort(times.to_numpy(), kind="stable")
    known, wanted = times.to_numpy()[by_time], asked.to_numpy()
    before = np.searchsorted(known, wanted, side="left")  # training rows before each test row
    if not before.all():
        raise DataError(
            f"a test row of {asked.iloc[int(before.argmin())]} is not later than any training row; "
            'validation.rule = "strict" cannot predict it, so declare rule = "open"'
        )
    cuts = _cuts(known, before, validation)
    pieces = np.searchsorted(cuts, before, side="right") - 1
    return [
        Fold(
            number,
            np.sort(by_time[:cut]),
            np.sort(by_time[cut:following]),
            np.flatnonzero(pieces == number),
        )
        for number, (cut, following) in enumerate(zip(cuts, [*cuts[1:], len(known)], strict=True))
    ]


def _cuts(known: np.ndarray, before: np.ndarray, validation: Validation) -> np.ndarray:
    """Return numbers of training rows, sorted, such that each test row is later than some."""
    cuts = np.unique(before)
    if np.sum(cuts < len(known)) < validation.n_splits:
        edges = np.linspace(len(known) / 2, len(known), validation.n_splits, endpoint=False)
        starts = np.searchsorted(known, known[edges.astype(int)], side="left")
        cuts = np.unique([*cuts, *starts[starts > 0]])
    if len(cuts) > MOST_CUTS:  # the first and the last among them
        cuts = cuts[np.linspace(0, len(cuts) - 1, MOST_CUTS).round().astype(int)]
    return cuts


def resolve_scheme(validation: Validation, task: Task) -> str:
    """Return the declared scheme; what is left to us is stratified for classes, else kfold."""
    if validation.scheme != "auto":
        return validation.scheme
    return "kfold" if task == "regression" else "stratified"


def make_holdout(
    y: Any,
    groups: pd.Series | None,
    order: pd.Series | None,
    *,
    validation: Validation,
    task: Task,
    fraction: float,
) -> np.ndarray:
    """Return positions of the training rows that stop a fit early; they mimic the fold's rows.

    Whole groups where folds are groups, the tail where they are in time, otherwise rows by chance:
    as many of each class as it has, but never all of them.
    fraction: the share of the rows, as nearly as groups and equal times allow.
    Raises DataError if the rows are one single group, time or row.
    """
    scheme = resolve_scheme(validation, task)
    if scheme == "time":
        held_out = _tail(_present(order, "time"), fraction)
    elif scheme == "group":
        held_out = _some_groups(_present(groups, "group"), fraction, validation.seed)
    else:
        classes = np.asarray(y) if scheme == "stratified" else np.zeros(len(y))
        held_out = _even_share(classes, fraction, validation.seed)
    if not 0 < len(held_out) < len(y):
        raise DataError(
            f"a fold's {len(y)} training rows are too alike to hold some out, which early stopping "
            "needs; declare another validation.scheme"
        )
    return held_out


def all_rows(number: int, n_samples: int) -> Fold:
    """Return the fold that trains on every row and predicts none."""
    return Fold(number, np.arange(n_samples), np.arange(0))


def deal_groups(codes: np.ndarray, n_splits: int, seed: int) -> np.ndarray:
    """Return the fold of each row (n_samples,), all rows of one group in the same.

    codes: the groups of the rows, numbered from 0. The largest group is dealt first, each to the
    fold that has the fewest rows yet.
    """
    sizes = np.bincount(codes)
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    fold_of, rows = np.zeros(len(sizes), dtype=int), np.zeros(n_splits, dtype=int)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[group] = rows.argmin()
        rows[fold_of[group]] += sizes[group]
    dealt: np.ndarray = fold_of[codes]
    return dealt


def related_rows(
    groups: pd.Series | None, order: pd.Series | None, validation: Validation, task: Task
) -> np.ndarray | None:
    """Return groups of rows (n_samples,) that are to a fold's other rows as its unseen rows are.

    What one of them is told of targets, as by target encoding, must come from other groups, or it
    would know more than the rows to predict. The groups where folds are groups, runs where they
    are ordered; None where they are by chance.
    """
    scheme = resolve_scheme(validation, task)
    if scheme == "group":
        return np.asarray(pd.factorize(_present(groups, "group"), sort=True)[0])
    if scheme in ("time", "like_test") or validation.rule == "strict":
        ranks = _present(order, "time").rank(method="min").to_numpy()
        return np.asarray((ranks - 1) * N_RUNS // len(ranks), dtype=int)
    return None


def check_folds(folds: list[Fold], n_samples: int) -> None:
    """Check that no row is on both sides of a fold, and none is predicted twice.

    Raises DataError.
    """
    times = np.zeros(n_samples, dtype=int)
    for fold in folds:
        is_train = np.zeros(n_samples, dtype=bool)
        is_train[fold.train] = True
        if is_train[fold.valid].any():
            raise DataError(f"fold {fold.number + 1}: a row is both trained on and predicted")
        times[fold.valid] += 1
    if times.max(initial=0) > 1:
        raise DataError(f"row {int(times.argmax())} is predicted out of fold {times.max()} times")


def _fold(number: int, valid: np.ndarray, n_samples: int) -> Fold:
    is_train = np.ones(n_samples, dtype=bool)
    is_train[valid] = False
    return Fold(number, np.flatnonzero(is_train), np.sort(valid))


def _present(series: pd.Series | None, role: str) -> pd.Series:
    if series is None:
        raise DataError(f"validation needs columns.{role}, and the training rows have none")
    if series.isna().any():
        raise DataError(
            f"columns.{role} = {series.name!r} is missing in {int(series.isna().sum())} training "
            "rows; fill it in features.py, or declare another scheme"
        )
    return series


def _group_parts(groups: pd.Series, validation: Validation) -> list[np.ndarray]:
    codes, names = pd.factorize(groups, sort=True)
    if len(names) < validation.n_splits:
        raise DataError(
            f"{len(names)} groups cannot make {validation.n_splits} folds; declare fewer n_splits"
        )
    fold_of = deal_groups(codes, validation.n_splits, validation.seed)
    return [np.flatnonzero(fold_of == number) for number in range(validation.n_splits)]


def _tail(order: pd.Series, fraction: float) -> np.ndarray:
    """Return the last rows; those of the very last time at least."""
    ranks = order.rank(method="min").to_numpy()
    return np.flatnonzero(ranks > min((1 - fraction) * len(ranks), ranks.max() - 1))


def _some_groups(groups: pd.Series, fraction: float, seed: int) -> np.ndarray:
    """Return the rows of the groups that come nearest to the share."""
    n_parts = min(round(1 / fraction), groups.nunique())
    parts = _group_parts(groups, Validation(n_splits=n_parts, seed=seed + 1))
    return min(parts, key=lambda part: abs(len(part) - fraction * len(groups)))


def _even_share(classes: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return a share of the rows of each class, by chance; the first of each is never taken."""
    shuffled = np.random.default_rng(seed + 1).permutation(len(classes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    is_first = np.r_[True, classes[by_class][1:] != classes[by_class][:-1]]
    return np.sort(by_class[~is_first][:: round(1 / fraction)])


def _stratified_parts(y: np.ndarray, validation: Validation) -> list[np.ndarray]:
    labels, counts = np.unique(y, return_counts=True)
    if counts.min() < validation.n_splits:
        rare = labels[counts.argmin()]
        raise DataError(
            f"class {str(rare)!r} has {counts.min()} rows, too few for {validation.n_splits} "
            f'stratified folds; declare fewer n_splits, or scheme = "kfold"'
        )
    splitter = StratifiedKFold(validation.n_splits, shuffle=True, random_state=validation.seed)
    return [valid for _, valid in splitter.split(np.zeros(len(y)), y)]


def _runs(order: pd.Series, validation: Validation) -> list[np.ndarray]:
    """Return the rows of each run of the order, nearly equally many."""
    ranks = order.rank(method="min").to_numpy() - 1
    run_of = (ranks * validation.n_splits / len(ranks)).astype(int)
    parts = [np.flatnonzero(run_of == number) for number in range(validation.n_splits)]
    if not all(len(part) for part in parts):
        raise DataError(
            f"too few distinct values of the order to make {validation.n_splits} runs; "
            "declare fewer n_splits"
        )
    return parts


def _forward_folds(
    order: pd.Series, validation: Validation, until: pd.Series | None = None
) -> list[Fold]:
    ranks = order.rank(method="min").to_numpy()
    edges = np.linspace(len(ranks) / 2, len(ranks), validation.n_splits + 1)
    folds = []
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        is_train = ranks <= low
        valid = np.flatnonzero((ranks > low) & (ranks <= high))
        if until is not None and len(valid):
            is_train &= (until <= order.iloc[valid].min()).to_numpy()
        train = np.flatnonzero(is_train)
        if not len(train) or not len(valid):
            raise DataError(
                f"too few distinct values of the order to make {validation.n_splits} runs; "
                "declare fewer n_splits"
            )
        folds.append(Fold(number, train, valid))
    return folds
