"""Folds of one model, fitted by several workers at once where that is sooner over."""

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Self

from pipeline.competition import Competition, ModelChoice
from pipeline.data import TrainData
from pipeline.errors import StorageError, WorkerError
from pipeline.execution import Ended, Executor, Shared, Workers
from pipeline.machine import cores
from pipeline.progress import Event, FoldStarted, Warned, emit, only_listening
from pipeline.splits import Fold
from pipeline.stages.folding import FoldWork, at_once, data_digest
from pipeline.stages.opening import Declared, Opened, unfitted
from pipeline.storage import scratch_folder
from pipeline.training import (
    FoldResult,
    Lesson,
    can_be_left_out,
    fit_in_turn,
    tell_fold,
    trains_together,
)

BEGINNING = 4.0  # seconds until a new process fits: it imports what is needed, and reads the rows
SURE = 1.25  # what workers are expected to take may be so many times too little
TICK = 1.0  # seconds between two looks at the clock


@dataclass(frozen=True, eq=False)
class Whole:
    """What all pieces of work of one model share.

    competition: as it was chosen at run time. of_rows: the digest of the training rows. folds: by
    number.
    """

    declared: Declared
    competition: Competition
    choice: ModelChoice
    train: TrainData
    of_rows: str
    folds: Mapping[int, Fold]
    fresh: bool


@dataclass(frozen=True, eq=False)
class Piece:
    """What one worker fits at a time: folds, one or as many as are fitted at once, or all rows.

    seed: of the model. folds: their numbers, none for a fit on all rows. lesson: what that has to
    know.
    """

    shared: Shared
    seed: int
    folds: tuple[int, ...]
    lesson: Lesson | None = None
    max_seconds: float | None = None


@dataclass(frozen=True, eq=False)
class Fitted:
    """What came of a piece, and what was told meanwhile.

    key: of the results in the cache. reused: whether they were there. results: None if they are
    there now.
    """

    key: str
    reused: bool
    results: list[FoldResult] | None
    told: list[Event]


def fit_piece(piece: Piece) -> Fitted:
    """Fit a piece, or find it again; what the cache keeps does not travel. Raises PipelineError."""
    whole: Whole = piece.shared.load()
    opened = _opened(piece.shared)
    told: list[Event] = []
    with only_listening(told.append):
        work = FoldWork(
            opened,
            whole.choice,
            piece.seed,
            whole.train,
            unfitted(opened, whole.choice, piece.seed),
            whole.fresh,
            whole.of_rows,
        )
        key, results, reused = _fit(work, piece, whole)
    is_kept = work.cache.has(key) and not any(one.stopped_by_time for one in results)
    return Fitted(key, reused, None if is_kept else results, told)


def _fit(work: FoldWork, piece: Piece, whole: Whole) -> tuple[str, list[FoldResult], bool]:
    if piece.lesson is not None:
        return work.refit_key(piece.lesson), work.refit(piece.lesson), False
    folds = [whole.folds[number] for number in piece.folds]
    found = work.fit(folds, piece.max_seconds)
    return work.key(folds), [one for one, _ in found], found[0][1]


@lru_cache(maxsize=1)
def _opened(shared: Shared) -> Opened:
    whole: Whole = shared.load()
    return replace(whole.declared.open(), competition=whole.competition)


@dataclass(eq=False)
class Crew:
    """Who fits a model's folds: this process and, where that is sooner over, workers.

    A fit is the same bytes wherever it is made. A context, which ends the workers.

    work: of the model's own seed. folds: all that will be fitted, by number. metric: what they are
    scored by. begin: makes so many places for work. most: of them. executor: what carries out all
    of it, the first fold too; None leaves the choice to what that has taken.
    """

    work: FoldWork
    folds: Mapping[int, Fold]
    metric: str
    begin: Callable[[int], Executor]
    most: int
    executor: Executor | None = None
    shared: Shared | None = None
    pace: tuple[float, float] | None = None  # seconds of a fit here: by the clock, on the cores
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def fit(self, units: list[Fold], deadline: float | None) -> list[FoldResult]:
        """Fit all folds for which there is time, the first one and the last refit in any case."""
        label, together = self.work.choice.label, at_once(self.work.estimator, self.work.train)
        told = (units, label, self.metric, together, deadline)
        results: list[FoldResult] = []
        if self.executor is None:
            is_alone = self.most == 1 or trains_together(self.work.estimator)
            with self._timed():
                first = range(len(units)) if is_alone else range(1)
                results = fit_in_turn(self.work.fit, *told, first)
            rest = range(len(first), len(units))
            missing = [one for one in units[rest.start :] if not self._keeps(self.work.key([one]))]
            if not self._begun(len(missing), results[0].seconds):
                return results + fit_in_turn(self.work.fit, *told, rest)
        return results + self._spread(units, len(results), together, deadline)

    def refit(self, lesson: Lesson, seeds: Sequence[int]) -> list[FoldResult]:
        """Return fits on all rows, each with a seed of its own."""
        works = {seed: self._with(seed) for seed in seeds}
        if trains_together(self.work.estimator):  # one piece of work brings all of them
            works = {self.work.seed: self.work}
        missing = [one for one in works.values() if not self._keeps(one.refit_key(lesson))]
        if self.executor is None and not self._begun(len(missing)):
            found = {seed: work.refit(lesson) for seed, work in works.items()}
        else:
            pieces = [Piece(self._share(), seed, (), lesson) for seed in works]
            found = {
                piece.seed: results
                for ended in self._carry_out(deque(pieces))
                for piece, results, _ in [self._taken(ended)]
            }
        return [one for seed in works for one in found[seed]]

    def _spread(
        self, units: list[Fold], n_done: int, together: int, deadline: float | None
    ) -> list[FoldResult]:
        """Return the results of all but the first folds, in their order, fitted by the workers."""
        shared, seed = self._share(), self.work.seed
        batches = [units[i : i + together] for i in range(n_done, len(units), together)]
        todo = deque(Piece(shared, seed, tuple(one.number for one in some)) for some in batches)
        place = {fold.number: position for position, fold in enumerate(units)}
        found: dict[int, FoldResult] = {}

        def limited(piece: Piece) -> Piece | None:
            left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            is_first = not n_done and place[piece.folds[0]] == 0
            if left == 0 and not is_first and all(map(can_be_left_out, self._of(piece))):
                return None
            rounds = math.ceil((len(todo) + 1) / max(1, len(self.executor or ())))
            return replace(piece, max_seconds=None if left is None else left / rounds)

        def begun(busy: list[Piece]) -> None:
            numbers = [place[number] + 1 for piece in busy for number in piece.folds]
            emit(FoldStarted(
                self.work.choice.label, min(numbers), len(units), len(numbers), self.metric,
                len(busy),
            ))  # fmt: skip

        for ended in self._carry_out(todo, limited, begun):
            _, results, reused = self._taken(ended)
            for one in results:
                found[place[one.fold.number]] = one
                tell_fold(one, place[one.fold.number] + 1, len(units), reused=reused)
        return [found[position] for position in sorted(found)]

    def _carry_out(
        self,
        todo: deque[Piece],
        limited: Callable[[Piece], Piece | None] = lambda piece: piece,
        begun: Callable[[list[Piece]], None] = lambda busy: None,
    ) -> Iterator[Ended]:
        """Hand out pieces to whoever is free, and yield what has ended, as soon as it has.

        limited: from a piece to what is done of it, None if there is no time for it.
        begun: is told what is being done, when anything has begun.
        """
        executor, busy = self.executor, list[Piece]()
        assert executor is not None
        while todo or busy:
            before = len(busy)
            for slot in executor.free:
                piece = limited(todo.popleft()) if todo else None
                if piece is not None:
                    slot.do(fit_piece, piece)
                    busy.append(piece)
            if len(busy) > before:
                begun(busy)
            for ended in executor.wait(TICK):
                busy.remove(ended.work)
                yield ended

    def _of(self, piece: Piece) -> list[Fold]:
        return [self.folds[number] for number in piece.folds]

    def _with(self, seed: int) -> FoldWork:
        """Return the work with another seed of the model."""
        if seed == self.work.seed:
            return self.work
        estimator = unfitted(self.work.opened, self.work.choice, seed)
        return replace(self.work, seed=seed, estimator=estimator)

    def _keeps(self, key: str) -> bool:
        return not self.work.fresh and self.work.cache.has(key)

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        began, on_cores = time.monotonic(), time.process_time()
        yield
        self.pace = time.monotonic() - began, time.process_time() - on_cores

    def _begun(self, n_pieces: int, usual: float = 0.0) -> bool:
        """Begin workers if so many pieces are sooner done by them, and tell whether they are there.

        usual: seconds that a fit has taken once, where it was only found again now.
        """
        n_workers = min(self.most, n_pieces)
        if self.pace is None or n_workers < 2:
            return False
        here, on_cores = self.pace
        if here < usual:  # nothing is known of its threads
            here = on_cores = usual
        each = on_cores / min(max(1, round(on_cores / max(here, 1e-9))), threads_of(n_workers))
        by_workers = BEGINNING + math.ceil(n_pieces / n_workers) * each
        if n_pieces * here < SURE * by_workers:
            return False
        try:
            self.executor = self.stack.enter_context(self.begin(n_workers))
            self._share()
        except StorageError as error:
            emit(Warned(f"{error}; so this process fits alone"))
            self.executor = None
        return self.executor is not None

    def _share(self) -> Shared:
        """Return what the workers read, put where they find it."""
        if self.shared is None:
            work, executor = self.work, self.executor
            assert executor is not None
            folder = work.opened.workspace.cache(work.opened.name)
            scratch = self.stack.enter_context(scratch_folder(folder))
            self.stack.callback(executor.stop)  # before the folder goes that they look at
            whole = Whole(
                Declared.of(work.opened),
                work.opened.competition,
                work.choice,
                work.train,
                data_digest(work.train),
                self.folds,
                work.fresh,
            )
            self.shared = executor.share(whole, scratch)
        return self.shared

    def _taken(self, ended: Ended) -> tuple[Piece, list[FoldResult], bool]:
        """Return what came of a piece, and tell what was told where it was fitted.

        Raises the PipelineError that it ended with.
        """
        piece: Piece = ended.work
        if isinstance(ended.error, WorkerError):
            raise WorkerError(
                f"models.{self.work.choice.label}: {_what(piece)}: {ended.error}; what is finished "
                "is kept, and --workers 1 fits one after the other"
            )
        if ended.error is not None:
            raise ended.error
        fitted: Fitted = ended.result
        for event in fitted.told:
            emit(event)
        results = fitted.results or self.work.cache.load(fitted.key)
        if results is None:  # somebody has cleared the cache meanwhile
            work = self._with(piece.seed)
            if piece.lesson is not None:
                results = work.refit(piece.lesson)
            else:
                results = [one for one, _ in work.fit(self._of(piece), piece.max_seconds)]
        return piece, results, fitted.reused


def _what(piece: Piece) -> str:
    if piece.lesson is not None:
        return f"the fit on all rows with seed {piece.seed}"
    numbers = ", ".join(str(number + 1) for number in piece.folds)
    return f"fold {numbers}" if len(piece.folds) == 1 else f"folds {numbers}"


def threads_of(n_workers: int) -> int:
    """Return on how many threads each of so many workers computes: they share the cores."""
    return max(1, cores() // n_workers)


def begin_fitters(n_workers: int) -> Workers:
    """Begin worker processes that share the cores among them."""
    return Workers(n_workers, _begin_with_nothing, threads=threads_of(n_workers))


def _begin_with_nothing() -> None:
    """Import nothing ahead: the first piece of work tells what it needs."""
