"""Folds of a model that are fitted, or found again by the content of all that they depend on."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pipeline.cache import Cache, array_digest, code_digest, digest, frame_digest
from pipeline.competition import ModelChoice
from pipeline.data import TrainData
from pipeline.description import tell
from pipeline.errors import ModelError
from pipeline.features import blaming
from pipeline.progress import emit
from pipeline.splits import Fold
from pipeline.stages.opening import Opened
from pipeline.training import (
    FoldResult,
    Lesson,
    fit_folds,
    preparing_steps,
    refit,
    trains_together,
)

MOST_CELLS = 50_000_000  # of the folds that are fitted at once; as float32, 200 MB


@dataclass(frozen=True, eq=False)
class FoldWork:
    """The folds of one model with one seed.

    Folds that are fitted at once are kept at once: one alone might differ in its last bit.
    """

    opened: Opened
    choice: ModelChoice
    seed: int
    train: TrainData
    estimator: Any

    @cached_property
    def cache(self) -> Cache:
        """Where finished folds are kept."""
        return Cache(self.opened.workspace.cache(self.opened.name))

    @cached_property
    def _basis(self) -> str:
        return digest(
            self.opened.competition.fingerprint(self.choice.label),
            str(self.seed),
            _data_digest(self.train),
            _code(self.opened),
        )

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
        found = self.cache.load(key)
        results = found or self.fit_anew(folds, max_seconds)
        if found is None and not any(result.stopped_by_time for result in results):
            self.cache.save(key, results)
        if folds[0].number == 0:
            _tell_steps(results[0].estimator, self.train)
        return [(result, found is not None) for result in results]

    def refit_key(self, lesson: Lesson) -> str:
        """Return the name of a finished fit on all rows in the cache."""
        taught = [one for one in (lesson.rounds, lesson.variances) if one is not None]
        return digest(self._basis, "refit", *map(array_digest, taught))

    def refit(self, lesson: Lesson) -> FoldResult:
        """Return the fit on all rows, found again or fitted as long as folds have taught."""
        key, opened = self.refit_key(lesson), self.opened
        found: list[FoldResult] | None = self.cache.load(key)
        if found is None:
            with self._blaming():
                found = [refit(self.estimator, self.train, opened.competition, lesson)]
            self.cache.save(key, found)
        return found[0]

    def fit_anew(self, folds: list[Fold], max_seconds: float | None) -> list[FoldResult]:
        """Fit folds, neither looking for them nor keeping them.

        What the model or features.py has to say names the declaration.
        """
        with self._blaming():
            return fit_folds(
                self.estimator, self.train, folds, self.opened.competition, max_seconds
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


def at_once(estimator: Any, train: TrainData) -> int:
    """Return how many folds are fitted at once: as many as memory bears, or one."""
    if not trains_together(estimator):
        return 1
    return max(1, MOST_CELLS // max(1, train.X.size))


def _tell_steps(estimator: Any, train: TrainData) -> None:
    """Tell what the first fold's fitted steps do to its columns."""
    X = train.X
    for stage, step in preparing_steps(estimator):
        if stage != "features":
            emit(tell(stage, step, X)[1])
        X = step.transform(X)


@lru_cache(maxsize=2)
def _data_digest(train: TrainData) -> str:
    parts = (
        train.X, train.y, train.groups, train.order, train.outlying, train.parts, train.until,
    )  # fmt: skip
    return digest(*("" if part is None else frame_digest(part) for part in parts))


def _code(opened: Opened) -> str:
    """Return the digest of the package's sources and of the competition's own code."""
    own = [content for name, content in sorted(opened.sources.items()) if name.endswith(".py")]
    return digest(_package_code(), *own)


@lru_cache(maxsize=1)
def _package_code() -> str:
    """Return the digest of the package's sources, as they were when this process first asked."""
    return code_digest(Path(__file__).parents[1].rglob("*.py"))
