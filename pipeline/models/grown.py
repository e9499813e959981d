"""A boosted model that was grown round by round, kept as bytes of its library."""

from functools import cached_property
from typing import Any

import numpy as np


class Grown:
    """A model of LightGBM or XGBoost up to its best round.

    content: what the library saves. n_classes: 0 of numbers. rounds: how many it answers with.
    """

    def __init__(
        self, library: str, content: bytes, n_classes: int, rounds: int, *, stopped_by_time: bool
    ) -> None:
        self.library = library
        self.content = content
        self.n_classes = n_classes
        self.rounds = rounds
        self.stopped_by_time = stopped_by_time

    def predict(self, rows: np.ndarray, **threads: int) -> np.ndarray:
        """Return numbers (n_samples,); threads: how many, in the library's own word."""
        return self._answers(rows, threads)

    def predict_proba(self, rows: np.ndarray, **threads: int) -> np.ndarray:
        """Return probabilities (n_samples, n_classes)."""
        answers = self._answers(rows, threads)
        return answers if self.n_classes > 2 else np.column_stack([1 - answers, answers])

    def _answers(self, rows: np.ndarray, threads: dict[str, int]) -> np.ndarray:
        if self.library == "lightgbm":
            return np.asarray(self._booster.predict(rows, **threads))
        return np.asarray(self._booster.inplace_predict(rows))

    @cached_property
    def _booster(self) -> Any:
        if self.library == "lightgbm":
            import lightgbm

            return lightgbm.Booster(model_str=self.content.decode())
        import xgboost

        return xgboost.Booster(model_file=bytearray(self.content))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_booster"}
