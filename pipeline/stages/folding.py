"""Folds of a model that are fitted, or found again by the content of all that they depend on."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pipeline.cache import Results, array_digest, code_digest, digest, frame_digest
from pipeline.competition import ModelChoice
from pipeline.data import TrainData
from pipeline.description import tell
from pipeline.devices import device
from pipeline.errors import ModelError, WorkerError
from pipeline.features import blaming
from pipeline.models import model_spec
from pipeline.models.compact import MANY_ROWS
from pipeline.progress import emit
from pipeline.splits import Fold
from pipeline.stages.opening import Opened, unfitted
from pipeline.training import (
    FoldResult,
    Lesson,
    fit_folds,
    preparing_steps,
    refit,
    trains_together,
)

FEW_ROWS = 100  # that show what steps make of columns
MOST_CELLS = 50_000_000  # of the folds that are fitted at once; as float32, 200 MB


@dataclass(frozen=True, eq=False)
class FoldWork:
    """The folds of one model with one seed.

    Folds that are fitted at once are kept at once: one alone might differ in its last bit.
    fresh: whether what was finished or begun before is neither looked for nor gone on with.
    of_rows: the digest of the training rows, if it is known already.
    """

    opened: Opened
    choice: ModelChoice
    seed: int
    train: TrainData
    estimator: Any
    fresh: bool = False
    of_rows: str = ""

    @property
    def cache(self) -> Results:
        """Where finished folds are kept."""
        return self.opened.results

    @cached_property
    def _basis(self) -> str:
        return digest(
            self.opened.competition.fingerprint(self.choice.label),
            str(self.seed),
            self.of_rows or data_digest(self.train),
            code_of(self.opened),
            *self._elsewhere,
        )

    @property
    def _elsewhere(self) -> tuple[str, ...]:
        """What else a result depends on: a GPU rounds otherwise than the processor."""
        return ("gpu",) if trains_together(self.estimator) and device() == "gpu" else ()

    def key(self, folds: list[Fold]) -> str:
        """Return the name of finished folds in the cache."""
        rows = [array_digest(part) for fold in folds for part in (fold.train, fold.valid)]
        return digest(self._basis, *rows)

    def fit(
        self, folds: list[Fold], max_seconds: float | None = None
    ) -> list[tuple[FoldResult, bool]]:
        """Return the results of folds, and whether they were found again.

        What the clock ended is not kept: the same command may have more time.
        """
        key = self.key(folds)
        found = None if self.fresh else self.cache.load(key)
        results = found or self._fit_and_keep(folds, max_seconds, key)
        if folds[0].number == 0:
            _tell_steps(results[0].estimator, self.train)
        return [(result, found is not None) for result in results]

    def _fit_and_keep(
        self, folds: list[Fold], max_seconds: float | None, key: str
    ) -> list[FoldResult]:
        """Fit folds, going on with what was begun of them, and keep what the clock did not end."""
        begun = Unfinished(self.cache, key)
        if self.fresh:
            begun.clear()
        results = self.fit_anew(folds, max_seconds, begun)
        if not any(result.stopped_by_time for result in results):
            self.cache.save(key, results)
        begun.clear()
        return results

    def refit_key(self, lesson: Lesson) -> str:
        """Return the name of a finished fit on all rows in the cache."""
        taught = [one for one in (lesson.rounds, lesson.variances) if one is not None]
        return digest(self._basis, "refit", *map(array_digest, taught))

    def refit(self, lesson: Lesson, max_seconds: float | None = None) -> list[FoldResult]:
        """Return a fit on all rows, found again or fitted as long as folds have taught.

        Of networks, which are trained at once, as many as predict the test; a limit of time is
        theirs alone, and what it has cut short is not kept.
        """
        key, opened = self.refit_key(lesson), self.opened
        found: list[FoldResult] | None = None if self.fresh else self.cache.load(key)
        if found is None:
            at_once = model_spec(self.choice).refits if trains_together(self.estimator) else 1
            others = range(self.seed + 1, self.seed + at_once)
            estimators = [self.estimator, *(unfitted(opened, self.choice, one) for one in others)]
            with self._blaming():
                found = refit(estimators, self.train, opened.competition, lesson, max_seconds)
            if not any(result.stopped_by_time for result in found):
                self.cache.save(key, found)
        return found

    def fit_anew(
        self, folds: list[Fold], max_seconds: float | None, begun: "Unfinished | None" = None
    ) -> list[FoldResult]:
        """Fit folds, neither looking for them finished nor keeping them.

        begun: where networks are kept while they are trained.
        What the model or features.py has to say names the declaration.
        """
        with self._blaming():
            return fit_folds(
                self.estimator, self.train, folds, self.opened.competition, max_seconds, begun
            )

    @contextlib.contextmanager
    def _blaming(self) -> Iterator[None]:
        """Name the declaration in what the model, or features.py, has to say."""
        try:
            with blaming(self.opened.features):
                yield
        except ModelError as error:
            path = self.opened.folder / "competition.toml"
            raise ModelError(f"{path}: models.{self.choice.label}: {error}") from error
        except MemoryError as error:
            label = self.choice.label
            raise WorkerError(f"models.{label}: there was not enough memory for it") from error


@dataclass(frozen=True)
class Unfinished:
    """The networks of one piece of work while they are trained, in the cache beside its key."""

    cache: Results
    key: str

    def load(self, name: str) -> Any | None:
        """Return what was kept of a network, or None; see Cache.load."""
        return self.cache.load(f"{self.key}.{name}")

    def save(self, name: str, state: Any) -> None:
        """Keep a network's state in the place of the one before it."""
        self.cache.save(f"{self.key}.{name}", state)

    def clear(self) -> None:
        """Forget them; what is finished stays."""
        self.cache.clear(f"{self.key}.")


def at_once(estimator: Any, train: TrainData) -> int:
    """Return how many folds are fitted at once: as many as memory bears, or one."""
    if not trains_together(estimator) or len(train) > MANY_ROWS:
        return 1
    return max(1, MOST_CELLS // max(1, train.X.size))


def _tell_steps(estimator: Any, train: TrainData) -> None:
    """Tell what the first fold's fitted steps do to its columns."""
    X = train.X
    for stage, step in preparing_steps(estimator):
        if stage != "features":
            emit(tell(stage, step, X)[1])
        if stage == "impute":  # what comes after it tells of columns, and of no more cells
            X = X.head(FEW_ROWS)
        X = step.transform(X)


@lru_cache(maxsize=2)
def data_digest(train: TrainData) -> str:
    """Return the digest of all that is known of training rows."""
    parts = (
        train.X, train.y, train.groups, train.order, train.outlying, train.parts, train.until,
    )  # fmt: skip
    return digest(*("" if part is None else frame_digest(part) for part in parts))


def code_of(opened: Opened) -> str:
    """Return the digest of the package's sources and of the competition's own code."""
    own = [content for name, content in sorted(opened.sources.items()) if name.endswith(".py")]
    return digest(_package_code(), *own)


@lru_cache(maxsize=1)
def _package_code() -> str:
    """Return the digest of the package's sources, as they were when this process first asked."""
    return code_digest(Path(__file__).parents[1].rglob("*.py"))
