"""What a network in training needs to go on when its process was killed, kept on disk meanwhile."""

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from pipeline.progress import Note, emit

SECONDS = 10.0  # that pass at least between two times that a training is kept


class Store(Protocol):
    """Where unfinished trainings are kept, by name; what is saved is whole or absent."""

    def load(self, name: str) -> Any | None:
        """Return what is kept under that name, or None."""

    def save(self, name: str, state: Any) -> None:
        """Keep a state in the place of the one before it."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training after some epochs.

    epoch: how many are done. planned: how many it was to have when the last one ended.
    values: of everything that changes in every step: weights, moving averages, the optimiser's
    moments, the state of chance. facts: what changes from epoch to epoch.
    """

    epoch: int
    planned: int
    values: list[np.ndarray]
    facts: dict[str, Any]


@dataclass(eq=False)
class Kept:
    """One training's place in a store; without one, nothing is kept."""

    store: Store | None = None
    name: str = ""
    saved_at: float = field(default_factory=time.monotonic)

    def load(self, wanted: int, *, has_deadline: bool) -> Checkpoint | None:
        """Return the last checkpoint, if a training of so many epochs can go on from it.

        One that was shortened by a budget of time is gone on with only under another budget:
        without, every epoch shall be the one that an undisturbed training would have had.
        """
        found: Checkpoint | None = None if self.store is None else self.store.load(self.name)
        if found is None or (found.planned != wanted and not has_deadline):
            return None
        if not found.facts.get("is_over"):
            emit(Note("train", f"goes on after epoch {found.epoch} of {found.planned}"))
        return found

    @property
    def is_due(self) -> bool:
        """Whether there is a store, and the last time is long enough ago."""
        return self.store is not None and time.monotonic() - self.saved_at >= SECONDS

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; raises StorageError."""
        if self.store is not None:
            self.store.save(self.name, checkpoint)
            self.saved_at = time.monotonic()


NOT_KEPT = Kept()
