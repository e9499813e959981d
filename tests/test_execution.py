"""Worker processes: work, errors, deaths and ends, all with real processes."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import ModelError, WorkerError
from pipeline.execution import Ended, Workers

pytestmark = pytest.mark.slow


def get_ready(folder: Path) -> None:
    (folder / f"ready-{os.getpid()}").touch()


def work(order: tuple[str, object]) -> object:
    kind, value = order
    if kind == "pid":
        return os.getpid()
    if kind == "environment":
        return os.environ[str(value)]
    if kind == "sleep":
        time.sleep(float(str(value)))
    if kind == "refuse":
        raise ModelError(f"cannot do {value}")
    if kind == "exhaust":
        raise MemoryError
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return value


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with Workers(2, get_ready, tmp_path) as found:
        yield found


def done(workers: Workers, seconds: float = 60) -> list[Ended]:
    found = workers.wait(seconds)
    assert found
    return found


def test_each_worker_is_a_process_that_got_ready_before_its_first_work(
    workers: Workers, tmp_path: Path
) -> None:
    for worker in workers.free:
        worker.do(work, ("pid", worker.number))
    assert workers.free == []
    ended = done(workers)
    while len(ended) < 2:
        ended += done(workers)
    pids = {one.result for one in ended}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert {path.name for path in tmp_path.iterdir()} == {f"ready-{pid}" for pid in pids}
    assert len(workers.free) == 2


def test_a_worker_computes_on_one_thread(workers: Workers) -> None:
    for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "TF_NUM_INTRAOP_THREADS"):
        workers.each[0].do(work, ("environment", name))
        assert done(workers)[0].result == "1"


def test_an_error_that_a_person_can_mend_comes_back_with_its_work(workers: Workers) -> None:
    workers.each[0].do(work, ("refuse", "this"))
    (ended,) = done(workers)
    assert ended.work == ("refuse", "this")
    assert isinstance(ended.error, ModelError)
    assert str(ended.error) == "cannot do this"


def test_too_little_memory_is_an_error_of_that_work_alone(workers: Workers) -> None:
    workers.each[0].do(work, ("exhaust", None))
    (ended,) = done(workers)
    assert str(ended.error) == "there was not enough memory for it"


def test_a_worker_that_dies_loses_its_work_and_nothing_else(workers: Workers) -> None:
    dying, other = workers.each
    other.do(work, ("sleep", 1.5))
    dying.do(work, ("die", None))
    (ended,) = done(workers)
    assert isinstance(ended.error, WorkerError)
    assert str(ended.error) == "its process died, perhaps of too little memory"
    dying.do(work, ("pid", None))  # a new process in its place
    results = [one.result for one in done(workers)]
    while len(results) < 2:
        results += [one.result for one in done(workers)]
    assert 1.5 in results


def test_stopping_does_not_wait_for_what_runs(tmp_path: Path) -> None:
    began = time.monotonic()
    with Workers(1, get_ready, tmp_path) as workers:
        workers.each[0].do(work, ("sleep", 600))
        assert workers.wait(0.1) == []
    assert time.monotonic() - began < 60


def test_an_interruption_does_not_reach_the_workers(workers: Workers) -> None:
    worker = workers.each[0]
    worker.do(work, ("pid", None))
    pid = done(workers)[0].result
    assert isinstance(pid, int)
    worker.do(work, ("sleep", 1.0))
    os.kill(pid, signal.SIGINT)
    assert done(workers)[0].result == 1.0


def test_a_worker_that_is_begun_anew_gives_up_its_work_and_takes_other(workers: Workers) -> None:
    worker = workers.each[-1]
    worker.do(work, ("sleep", 600))
    worker.begin_anew()
    assert worker.is_free
    worker.do(work, ("other", 7))
    assert [one.result for one in done(workers)] == [7]
