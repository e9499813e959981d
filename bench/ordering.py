"""In which order configurations are worth their seconds.

The score of some configurations on a set is that of their greedy blend, each fold's rows mixed by
weights that the other folds have chosen. It is told as regret: 0 is the blend of everything, or the
best single configuration where that is better, and 1 is the median one. At each step the
configuration is taken whose mean gain over the sets is greatest by second.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from pipeline.ensemble import Question, greedy

ROUNDS = 15  # of the greedy blend
OVERHEAD = 1.0  # seconds that any configuration costs beyond its own
LEAST_GAIN = 0.003  # of regret: less is taken for noise
LEAST_SPREAD = 0.02  # of what can be known: where all are equal, differences count little
MOST_REGRET = 5.0  # what a set can count where the first configurations fit it badly


@dataclass(frozen=True, eq=False)
class Measured:
    """What configurations say of one set out of fold, and the seconds of each."""

    name: str
    question: Question
    names: tuple[str, ...]
    seconds: Mapping[str, float]

    def blend_loss(self, chosen: Sequence[str]) -> float:
        """Return the loss of the cross-fitted greedy blend of some configurations."""
        positions = [self.names.index(name) for name in chosen]
        some = replace(self.question, predictions=self.question.predictions[positions])
        mixed = np.empty(some.predictions.shape[1:])
        for number in np.unique(some.fold):
            mine = some.fold == number
            weights = greedy(some.at(~mine), ROUNDS)
            mixed[mine] = np.tensordot(weights, some.predictions[:, mine], axes=1)
        return float(some.losses(mixed[None])[0])

    def constant_loss(self) -> float:
        """Return the loss of the mean, or of the classes' shares."""
        question = self.question
        if question.n_classes:
            shares = np.bincount(question.y, minlength=question.n_classes) / len(question.y)
            return float(question.losses(np.tile(shares, (1, len(question.y), 1)))[0])
        return float(question.losses(np.full((1, len(question.y)), question.y.mean()))[0])

    def weights(self) -> dict[str, float]:
        """Return the greedy weights of all configurations on all rows."""
        found = greedy(self.question)
        return dict(zip(self.names, map(float, found), strict=True))

    def losses(self) -> dict[str, float]:
        """Return the loss of each configuration by itself."""
        found = self.question.losses(self.question.predictions)
        return dict(zip(self.names, map(float, found), strict=True))


@dataclass(frozen=True)
class Step:
    """One configuration of the order, its gain and its seconds, each as a mean over sets."""

    name: str
    gain: float
    seconds: float
    regret: float  # of the blend so far


def order(sets: Sequence[Measured], most: int = 12) -> list[Step]:
    """Return configurations in the order in which their gain by second is greatest.

    A set that lacks a configuration counts as one where it gains nothing.
    """
    regret = {one.name: _regret(one) for one in sets}
    chosen: tuple[str, ...] = ()
    steps: list[Step] = []
    before = {one.name: regret[one.name](()) for one in sets}
    while len(steps) < most:
        names = dict.fromkeys(name for one in sets for name in one.names if name not in chosen)
        found = []
        for name in names:
            have = [one for one in sets if name in one.names]
            gains = [before[one.name] - regret[one.name]((*chosen, name)) for one in have]
            seconds = statistics.fmean(one.seconds[name] for one in have)
            found.append((sum(gains) / len(sets), seconds, name))
        worth = [one for one in found if one[0] >= LEAST_GAIN]
        if not worth:
            break
        gain, seconds, name = max(worth, key=lambda one: one[0] / (one[1] + OVERHEAD))
        chosen = (*chosen, name)
        for one in sets:
            before[one.name] = regret[one.name](tuple(c for c in chosen if c in one.names))
        steps.append(Step(name, gain, seconds, statistics.fmean(before.values())))
    return steps


def _regret(measured: Measured) -> Callable[[tuple[str, ...]], float]:
    """Return the regret of configurations on a set, each blend computed once."""
    losses = measured.losses().values()
    everything = min(measured.blend_loss(measured.names), *losses)
    constant = measured.constant_loss()
    unit = max(statistics.median(losses) - everything, LEAST_SPREAD * (constant - everything))

    @cache
    def of(chosen: tuple[str, ...]) -> float:
        have = tuple(name for name in chosen if name in measured.names)
        loss = measured.blend_loss(have) if have else constant
        return min((loss - everything) / unit, MOST_REGRET)

    return of
