"""Which columns that only the training file has sum to the target: its parts."""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from pipeline.competition import Transform
from pipeline.inference.answers import Question
from pipeline.inference.evidence import Cells

MOST_CANDIDATES = 10  # all their subsets are tried
ROWS_TRIED = 1000  # before all rows are


def find_parts(
    train: Mapping[str, Cells],
    test: Mapping[str, Cells],
    question: Question,
    transform: Transform,
) -> tuple[str, ...]:
    """Return the columns whose sum is the target in every row, the fewest there are, or none.

    transform: of the target; what is transformed cannot be below 0.
    """
    if len(question.target) != 1:
        return ()
    target = train[question.target[0]]
    known = [c for name, c in train.items() if name not in (*test, *question.target, question.id)]
    values = {one.name: _values(one) for one in known if _is_complete(one)}
    if transform != "none":
        values = {name: numbers for name, numbers in values.items() if (numbers >= 0).all()}
    if not _is_complete(target) or not 2 <= len(values) <= MOST_CANDIDATES:
        return ()
    return next(_sums(values, _values(target)), ())


def _sums(values: Mapping[str, np.ndarray], y: np.ndarray) -> Iterator[tuple[str, ...]]:
    for size in range(2, len(values) + 1):
        for names in itertools.combinations(values, size):
            columns = [values[name] for name in names]
            if all(_agree(columns, y, slice(n)) for n in (ROWS_TRIED, None)):
                yield names


def _agree(columns: list[np.ndarray], y: np.ndarray, rows: slice) -> bool:
    total = np.sum([one[rows] for one in columns], axis=0)
    return bool(np.isclose(total, y[rows], rtol=1e-9, atol=1e-9).all())


def _is_complete(cells: Cells) -> bool:
    return cells.numbers is not None and not cells.n_missing and cells.n_levels > 1


def _values(cells: Cells) -> np.ndarray:
    return cells.values.to_numpy()
