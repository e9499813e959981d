"""What may give the answer away: columns, ids, the order of the rows, rows that stand twice.

Only what stands out is suspected: a column that explains the target almost wholly while all the
others together do not. Some flowers can be told by one leaf, and that is no leak.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from scipy.stats import rankdata

from pipeline.competition import Competition
from pipeline.data import TestData, TrainData
from pipeline.progress import counted
from pipeline.splits import resolve_scheme
from pipeline.strength import goal_of, strength_of, strength_together

MIN_ROWS = 50  # with fewer, anything explains anything
MOST_ROWS = 2000  # that are looked at
TOO_GOOD = 0.98  # of 1, out of fold, by one column alone
NAMED = 0.8  # enough for a column that is called like the target
HONEST = 0.9  # by all other columns together: then the target is simply easy
ONE_TO_ONE = 0.9999  # correlation of ranks
FEW_VALUES = 20  # of a number: too few to say that it is another's unit
ALIKE = 0.5  # correlation of a row's answer with its neighbours'
REPEATED = 0.01  # of the rows
BEYOND_CHANCE = 20.0  # times as many equal rows as independent columns have
BY_CHANCE = ("kfold", "stratified")


@dataclass(frozen=True)
class Suspect:
    """Something that may give the answer away.

    what: the column, "id", "order" or "rows". strength: how well it explains the target, from 0 to
    1; of rows, their share. text: what it is, how strong, and what to do, in one line.
    """

    what: str
    strength: float
    text: str


def find_suspects(
    competition: Competition,
    train: TrainData,
    test: TestData,
    strengths: dict[str, float] | None = None,
    seed: int = 0,
) -> list[Suspect]:
    """Return what may give the answer away; a look at some thousand rows, whatever their number.

    strengths: of the columns, if they are known already; see column_strengths.
    """
    if len(train) < MIN_ROWS:
        return []
    known = column_strengths(competition, train, seed) if strengths is None else strengths
    return [
        *_columns(competition, train, known, seed),
        *_places(competition, train, test),
        *_repeated_rows(competition, train, test),
    ]


def column_strengths(competition: Competition, train: TrainData, seed: int = 0) -> dict[str, float]:
    """Return how well each column alone explains the target, none with too few rows to say.

    A column's strength is that of a small tree out of fold: the share of the variance of the
    target's ranks that it explains or, for classes, twice the distance of its area under the curve
    from a half.
    """
    if len(train) < MIN_ROWS or competition.images:  # no single pixel tells
        return {}
    rows, is_classes = _sample(len(train), seed), competition.task != "regression"
    goal, X = goal_of(train.y, competition)[rows], train.X.iloc[rows]
    return {str(name): strength_of(X[name], goal, is_classes, seed) for name in X}


def explained_by_hidden(
    hidden: pd.DataFrame, train: TrainData, competition: Competition, seed: int = 0
) -> str | None:
    """Return what columns that test lacks say of the target, or None if it is little.

    hidden: (n_samples, n_columns). They are no features and no danger, but a hint: they may be
    targets of their own, of which the declared one is made.
    """
    known = competition.target.parts
    names = [str(one) for one in hidden if is_numeric_dtype(hidden[one]) and one not in known]
    if not names or competition.task != "regression" or isinstance(train.y, pd.DataFrame):
        return None
    values, y = hidden[names].fillna(0).to_numpy(dtype=float), train.y.to_numpy(dtype=float)
    if np.allclose(values.sum(axis=1), y):
        return (
            f"{', '.join(names)}: only in train, and they sum to {train.y.name}; declare them as "
            "[target] parts, and models may learn each by itself"
        )
    goal = goal_of(train.y, competition)
    rows = _sample(len(train), seed)
    found = {name: strength_of(hidden[name].iloc[rows], goal[rows], False, seed) for name in names}
    best = max(found, key=lambda name: found[name])
    if found[best] < TOO_GOOD:
        return None
    return (
        f"{best}: only in train, and explains {train.y.name} almost wholly ({found[best]:.3f}); "
        "what is known of it in advance may be worth a feature"
    )


def _columns(
    competition: Competition, train: TrainData, strengths: dict[str, float], seed: int
) -> Iterator[Suspect]:
    """Yield the columns that are too good to be true."""
    named = [name for name in strengths if _is_called_like(name, competition.columns.target)]
    strong = {
        name: strength
        for name, strength in strengths.items()
        if strength > (NAMED if name in named else TOO_GOOD)
    }
    if not strong:
        return
    is_classes = competition.task != "regression"
    rows = _sample(len(train), seed)
    goal = goal_of(train.y, competition)[rows]
    others = train.X.iloc[rows].drop(columns=list(strong))
    is_easy = strength_together(others, goal, is_classes, seed) > HONEST
    for name, strength in strong.items():
        unit = _as_another_unit(train, name, competition)
        if is_easy and unit is None and name not in named:
            continue
        if unit is not None:
            text = f"{name} is the target in another spelling ({unit})"
        elif name in named:
            text = f"{name} is called like the target, and explains it well ({strength:.3f})"
        else:
            text = f"{name} alone explains the target almost wholly ({strength:.3f})"
        ask = "is it known beforehand? if not, add it to [columns] drop"
        yield Suspect(name, strength, f"{text}; {ask}")


def _sample(n_samples: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(n_samples)[:MOST_ROWS])


def _as_another_unit(train: TrainData, name: str, competition: Competition) -> str | None:
    """Return how a column spells the target, one to one, or None."""
    y, x = train.y, train.X[name]
    if isinstance(y, pd.DataFrame):
        return None
    if competition.task != "regression":
        pairs = pd.DataFrame({"x": x.to_numpy(), "y": np.asarray(y)}).drop_duplicates()
        one_to_one = len(pairs) == pairs["x"].nunique() == pairs["y"].nunique()
        return "each level is one class" if one_to_one else None
    if not is_numeric_dtype(x) or x.isna().any() or y.nunique() <= FEW_VALUES:
        return None
    values, answers = x.to_numpy(dtype=float), y.to_numpy(dtype=float)
    slope, start = np.polyfit(values, answers, 1)
    if np.abs(slope * values + start - answers).max() < 1e-3 * answers.std():
        return f"{y.name} = {slope:.6g} x {name} {start:+.6g}"
    follows = abs(np.corrcoef(rankdata(values), rankdata(answers))[0, 1]) > ONE_TO_ONE
    return f"it rises or falls with {y.name}, row by row" if follows else None


def _is_called_like(name: str, targets: tuple[str, ...]) -> bool:
    """Tell whether a column's name holds a target's name as whole words, or means the answer."""
    words = _words(name)
    if {"target", "label", "answer", "groundtruth"} & set(words):
        return True
    return any(
        len(goal) <= len(words) and words[at : at + len(goal)] == goal
        for goal in map(_words, targets)
        for at in range(len(words))
        if len("".join(goal)) > 2
    )


def _words(name: str) -> list[str]:
    return "".join(one.lower() if one.isalnum() else " " for one in name).split()


def _places(competition: Competition, train: TrainData, test: TestData) -> Iterator[Suspect]:
    """Yield ids, or the order of the rows, beside which answers are alike."""
    if not _by_chance(competition):
        return  # whoever declares groups or time knows of it
    goal = goal_of(train.y, competition)
    mend = "declare [columns] time or group, which keeps neighbours out of each other's folds"
    by_id, is_between = _by_id(train.ids, test.ids)
    strength = _of_neighbours(goal[by_id])
    if is_between and strength > ALIKE:
        text = f"rows with neighbouring ids have alike answers (correlation {strength:.2f}), and "
        yield Suspect("id", strength, f"{text}ids of test rows lie between them; {mend}")
        return
    strength = _of_neighbours(goal)
    if strength > ALIKE and not _is_sorted(goal):
        text = f"neighbouring rows have alike answers (correlation {strength:.2f})"
        yield Suspect("order", strength, f"{text}; {mend}")


def _by_chance(competition: Competition) -> bool:
    validation = competition.validation
    return validation.rule == "open" and resolve_scheme(validation, competition.task) in BY_CHANCE


def _by_id(train: pd.Series, test: pd.Series) -> tuple[np.ndarray, bool]:
    """Return the order of the training ids, and whether most test ids lie between two of them.

    Ids that both files have are counted anew in each, and tell of no place.
    """
    both = pd.concat([train, test], ignore_index=True)
    numbers = pd.to_numeric(both, errors="coerce")
    keys = (numbers if numbers.notna().all() else both.astype(object).rank()).to_numpy()
    mine, theirs = keys[: len(train)], keys[len(train) :]
    inside = (theirs > mine.min()) & (theirs < mine.max()) & ~np.isin(theirs, mine)
    return np.argsort(mine, kind="stable"), bool(len(theirs) and inside.mean() > 0.5)


def _of_neighbours(goal: np.ndarray) -> float:
    """Return how well the answers of the two rows on either side correlate with a row's own."""
    n = len(goal)
    around = np.mean([goal[at : n - 4 + at] for at in (0, 1, 3, 4)], axis=0)
    own = goal[2 : n - 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [np.corrcoef(a, b)[0, 1] for a, b in zip(around.T, own.T, strict=True)]
    return float(np.nanmax(found)) if np.isfinite(found).any() else 0.0


def _is_sorted(goal: np.ndarray) -> bool:
    """Tell whether the file is sorted by the answer, which no test file can be."""
    code = goal @ np.arange(1, goal.shape[1] + 1)
    steps = np.diff(code)
    n_runs = int((steps != 0).sum()) + 1
    is_class_by_class = n_runs == len(np.unique(code)) < len(code) / 2
    return bool((steps >= 0).all() or (steps <= 0).all() or is_class_by_class)


def _repeated_rows(competition: Competition, train: TrainData, test: TestData) -> Iterator[Suspect]:
    """Yield rows whose features stand twice, in train or in both files, beyond what chance does."""
    keys = pd.util.hash_pandas_object(train.X, index=False).to_numpy()
    theirs = pd.util.hash_pandas_object(test.X, index=False).to_numpy()
    codes, distinct = pd.factorize(keys)
    sizes = np.bincount(codes)
    pairs = float((sizes * (sizes - 1)).sum()) / 2
    across = int(np.isin(theirs, distinct).sum())
    n = len(train)
    repeated = n - len(distinct)
    if repeated < REPEATED * n and across < REPEATED * len(test):
        return
    chance = _chance_of_equals(train.X)
    is_kept = competition.cleaning.duplicates == "keep" and _by_chance(competition)
    by_chance = BEYOND_CHANCE * chance * n
    if is_kept and repeated >= REPEATED * n and pairs > by_chance * (n - 1) / 2:
        answers = pd.factorize(pd.util.hash_pandas_object(pd.DataFrame(train.y), index=False))[0]
        differing = pd.Series(answers).groupby(codes).transform("nunique").to_numpy() > 1
        text = f"{counted(repeated, 'training row')} repeat the features of an earlier one"
        if differing.any():
            text += f", {counted(int(differing.sum()), 'row')} of them with different answers"
        mend = 'if they describe one thing, declare a [columns] group, or duplicates = "drop"'
        yield Suspect("rows", repeated / n, f"{text}; {mend}")
    if across >= REPEATED * len(test) and across > by_chance * len(test):
        text = f"{counted(across, 'test row')} have the features of a training row"
        mend = "their answers may be known, so they are easier than the score says"
        yield Suspect("rows", across / len(test), f"{text}; {mend}")


def _chance_of_equals(X: pd.DataFrame) -> float:
    """Return the probability that two rows are equal if columns were independent."""
    n = len(X)
    counts = (X[name].value_counts(dropna=False).to_numpy(dtype=float) for name in X)
    return float(np.prod([(one * (one - 1)).sum() / (n * (n - 1)) for one in counts]))
