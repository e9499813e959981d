"""Folds of one model, fitted by several workers at once where that is sooner over."""

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Self

from pipeline.competition import Competition, ModelChoice
from pipeline.data import TrainData
from pipeline.devices import asks_for_gpu
from pipeline.errors import StorageError, WorkerError
from pipeline.execution import Ended, Executor, Shared, Slot, Workers
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
    scale_of,
    tell_fold,
    trains_together,
)

BEGINNING = 4.0  # seconds until a new process fits: it imports what is needed, and reads the rows
SURE = 1.25  # what workers are expected to take may be so many times too little
TICK = 1.0  # seconds between two looks at what workers do
LOOK = 0.5  # seconds between two looks at what the first fold has taken


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
    refused: str = ""  # why there can be no workers
    pace: tuple[float, float] | None = None  # seconds of a fit here: by the clock, on the cores
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def fit(self, units: list[Fold], deadline: float | None) -> list[FoldResult]:
        """Fit all folds for which there is time, the first one and the last refit in any case."""
        label, together = self.work.choice.label, at_once(self.work.estimator, self.work.train)
        scale = scale_of(self.work.estimator)
        told = (units, label, self.metric, together, deadline, scale)
        if self.executor is None:
            if self.most == 1 or self._is_one_piece:
                return fit_in_turn(self.work.fit, *told)
            turn = _Turn(self, units, 1, 1, deadline)
            with self._beginning(turn):
                results = fit_in_turn(self.work.fit, *told, range(1))
            if self.executor is None and not self._begun(len(turn.missing), results[0].seconds):
                if self.refused:
                    emit(Warned(f"{self.refused}; so this process fits alone"))
                return results + fit_in_turn(self.work.fit, *told, range(1, len(units)))
            return results + turn.results()
        return _Turn(self, units, 0, together, deadline).results()

    def refit(self, lesson: Lesson, seeds: Sequence[int]) -> list[FoldResult]:
        """Return fits on all rows, each with a seed of its own."""
        works = {seed: self._with(seed) for seed in seeds}
        if trains_together(self.work.estimator):  # one piece of work brings all of them
            works = {self.work.seed: self.work}
        missing = [one for one in works.values() if not self.keeps(one.refit_key(lesson))]
        if self.executor is None and not self._begun(len(missing)):
            found = {seed: work.refit(lesson) for seed, work in works.items()}
        else:
            todo = deque(Piece(self.share(), seed, (), lesson) for seed in works)
            busy: list[Piece] = []

            def hand_out(free: Sequence[Slot]) -> bool:
                for slot, piece in zip(free, list(todo), strict=False):
                    slot.do(fit_piece, todo.popleft())
                    busy.append(piece)
                return bool(todo)

            taken = map(self.taken, self.carry_out(hand_out, busy))
            found = {piece.seed: results for piece, results, _ in taken}
        return [one for seed in works for one in found[seed]]

    def carry_out(
        self,
        hand_out: Callable[[Sequence[Slot]], bool],
        busy: list[Piece],
        begun: Callable[[], None] = lambda: None,
    ) -> Iterator[Ended]:
        """Keep the workers busy, and yield what has ended, as soon as it has.

        hand_out: gives free workers something to do, adds it to busy, and tells whether there may
        be more. begun: is called when anything was handed out.
        """
        executor, is_more = self.executor, True
        assert executor is not None
        while is_more or busy:
            before = len(busy)
            is_more = hand_out(executor.free)
            if len(busy) > before:
                begun()
            for ended in executor.wait(TICK):
                busy.remove(ended.work)
                yield ended

    @property
    def _is_one_piece(self) -> bool:
        """Whether workers could gain nothing: the folds are one program, or have one GPU."""
        parameters = self.work.choice.parameters
        return trains_together(self.work.estimator) or asks_for_gpu(parameters)

    def _with(self, seed: int) -> FoldWork:
        """Return the work with another seed of the model."""
        if seed == self.work.seed:
            return self.work
        estimator = unfitted(self.work.opened, self.work.choice, seed)
        return replace(self.work, seed=seed, estimator=estimator)

    def keeps(self, key: str) -> bool:
        """Tell whether finished work of that key will be found again."""
        return not self.work.fresh and self.work.cache.has(key)

    @contextlib.contextmanager
    def _beginning(self, turn: "_Turn") -> Iterator[None]:
        """Measure what is fitted in the block, and begin workers as soon as it is slow enough.

        One of them is left without work until then: this process has its core.
        """
        began, on_cores = time.monotonic(), time.process_time()
        over, failed = threading.Event(), list[BaseException]()

        def spent() -> tuple[float, float]:
            return time.monotonic() - began, time.process_time() - on_cores

        def watch() -> None:
            try:
                while not over.wait(LOOK):
                    self.pace = spent()
                    if self._begun(len(turn.missing)) and self.executor is not None:
                        turn.hand_out(self.executor.free[1:])
                        return
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.pace = spent()
        if failed:
            raise failed[0]

    def _begun(self, n_pieces: int, usual: float = 0.0) -> bool:
        """Begin workers if so many pieces are sooner done by them, and tell whether they are there.

        usual: seconds that a fit has taken once, where it was only found again now.
        """
        n_workers = min(self.most, n_pieces)
        if self.pace is None or n_workers < 2 or self.refused or self._is_one_piece:
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
            self.share()
        except StorageError as error:
            self.refused, self.executor = str(error), None
        return self.executor is not None

    def share(self) -> Shared:
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

    def taken(self, ended: Ended) -> tuple[Piece, list[FoldResult], bool]:
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
                results = [one for one, _ in work.fit(self.of(piece), piece.max_seconds)]
        return piece, results, fitted.reused

    def of(self, piece: Piece) -> list[Fold]:
        """Return the folds of a piece."""
        return [self.folds[number] for number in piece.folds]


class _Turn:
    """A set of folds, of which workers fit those from a position on.

    together: how many folds are one piece of work.
    """

    def __init__(
        self, crew: Crew, units: list[Fold], start: int, together: int, deadline: float | None
    ) -> None:
        self.crew, self.units, self.deadline = crew, units, deadline
        self.place = {fold.number: position for position, fold in enumerate(units)}
        self.todo = deque(units[i : i + together] for i in range(start, len(units), together))
        self.missing = [some for some in self.todo if not crew.keeps(crew.work.key(some))]
        self.busy: list[Piece] = []

    def hand_out(self, free: Sequence[Slot]) -> bool:
        """Give workers pieces for which there is time, and tell whether there are more."""
        for slot in free:
            while self.todo:
                piece = self._next()
                if piece is not None:
                    slot.do(fit_piece, piece)
                    self.busy.append(piece)
                    break
        return bool(self.todo)

    def results(self) -> list[FoldResult]:
        """Return the results of what there is time for, in the order of the folds."""
        found: dict[int, FoldResult] = {}
        if self.busy:
            self._tell()
        for ended in self.crew.carry_out(self.hand_out, self.busy, self._tell):
            _, results, reused = self.crew.taken(ended)
            for one in results:
                position = self.place[one.fold.number]
                found[position] = one
                tell_fold(one, position + 1, len(self.units), reused=reused)
        return [found[position] for position in sorted(found)]

    def _next(self) -> Piece | None:
        """Return the next piece with the seconds that it may take, None if there are none left."""
        crew, some = self.crew, self.todo.popleft()
        left = None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)
        is_first = self.place[some[0].number] == 0
        if left == 0 and not is_first and all(map(can_be_left_out, some)):
            return None
        rounds = math.ceil((len(self.todo) + 1) / max(1, len(crew.executor or ())))
        numbers = tuple(fold.number for fold in some)
        seconds = None if left is None else left / rounds
        return Piece(crew.share(), crew.work.seed, numbers, max_seconds=seconds)

    def _tell(self) -> None:
        """Tell which folds are being fitted now."""
        numbers = [self.place[number] + 1 for piece in self.busy for number in piece.folds]
        label, n_folds, n_workers = self.crew.work.choice.label, len(self.units), len(self.busy)
        emit(FoldStarted(label, min(numbers), n_folds, len(numbers), self.crew.metric, n_workers))


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
