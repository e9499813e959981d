"""What columns are worth to a blend: free workers ask its members' fits, in bounded time."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.competition import Competition
from pipeline.ensemble import Mixer
from pipeline.execution import Executor, Shared, has_networks
from pipeline.importance import Importance, importance_of, rows_to_ask
from pipeline.metrics import metric_of
from pipeline.stages.opening import Data
from pipeline.stages.studying import LEAST_SECONDS, columns_to_ask, note_of_members
from pipeline.stages.units import Shuffling, shuffle_columns

TICK = 0.5  # seconds between two looks at the clock
WORTH_ANOTHER = 5.0  # seconds, of which a process takes two or three to begin
Answers = Mapping[int, np.ndarray]  # of each fold, as ask_shuffled returns them


@dataclass(frozen=True)
class Asked:
    """A member of a blend: its place in the portfolio, and its fits in the cache.

    is_network: only workers that have loaded what networks need are asked about it.
    """

    label: str
    entry: int
    keys: list[str]
    is_network: bool


def ask_blend(
    members: Sequence[Asked],
    mixer: Mixer,
    fold: np.ndarray,
    competition: Competition,
    data: Data,
    seed: int,
    workers: Executor,
    shared: Shared,
    until: float,
) -> Importance | str:
    """Return what columns are worth to a blend, or to those of its members that were asked.

    fold: (n_samples,), the number of the fold that predicts each row. shared: the Task. until:
    on the clock of time.monotonic(). Members are asked in the order of their weights; what has no
    answer when the time is over is left out, and a text says why nothing has one.
    """
    weights = np.abs(mixer.weights).mean(axis=1)
    order = [int(i) for i in np.argsort(-weights, kind="stable") if weights[i] > 0]
    columns = columns_to_ask(data.train, competition)
    found = _answers([members[i] for i in order], columns, workers, shared, until)
    known = [i for i, member in enumerate(members) if member.entry in found]
    if not known or not np.all(mixer.weights[known].sum(axis=0) > 0):
        return "there was no time for it; more --time leaves some"
    asked = _mixed(mixer, known, [found[members[i].entry] for i in known])
    y = np.asarray(data.train.y)
    truth = {
        number: y[rows_to_ask(np.flatnonzero(fold == number), len(asked), seed, number)]
        for number in asked
    }
    share = float(np.abs(mixer.weights[known]).sum() / np.abs(mixer.weights).sum())
    note = note_of_members([members[i].label for i in known], share)
    return importance_of(asked, truth, columns, metric_of(competition), data.labels, note)


def _answers(
    waiting: list[Asked], columns: list[str], workers: Executor, shared: Shared, until: float
) -> dict[int, Answers]:
    """Return what members say, by their place in the portfolio; those that were too slow say none.

    Not every worker has loaded what networks need. A worker that is still busy with other work
    is asked once it is free; if all are, one is begun anew where there is time for that.
    """
    found: dict[int, Answers] = {}
    if workers and not workers.free and until - time.monotonic() > WORTH_ANOTHER:
        workers.each[-1].begin_anew()
    while (left := until - time.monotonic()) > 0:
        for worker in workers.free:
            knows_networks = has_networks(worker.number)
            mine = next((one for one in waiting if knows_networks or not one.is_network), None)
            if mine is not None and left > LEAST_SECONDS:
                waiting.remove(mine)
                work = Shuffling(shared, mine.entry, mine.keys, columns, left)
                worker.do(shuffle_columns, work)
        is_asking = any(isinstance(worker.work, Shuffling) for worker in workers.each)
        if not is_asking and (not waiting or workers.is_idle):
            break
        for ended in workers.wait(min(TICK, left)):
            if isinstance(ended.work, Shuffling) and ended.result is not None:
                found[ended.work.entry] = ended.result
    return found


def _mixed(mixer: Mixer, known: list[int], each: list[Answers]) -> dict[int, np.ndarray]:
    """Return the blend's answers of each fold, made of those of the members that are known."""
    weights = mixer.weights[known]
    mine = replace(mixer, weights=weights / weights.sum(axis=0))
    mixed = {}
    for number in sorted(each[0]):
        stacked = np.array([one[number] for one in each])  # (n_members, 1 + n_columns, n_rows, ...)
        flat = stacked.reshape(len(each), -1, stacked.shape[-1])
        mixed[number] = mine(flat).reshape(stacked.shape[1:])
    return mixed
