"""The scores of a leaderboard as it was seen last, to tell a score's place without asking again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.storage import save_text


@dataclass(frozen=True)
class Ranking:
    """All scores of a leaderboard at a time (UTC), by a metric."""

    metric: str
    time: str
    scores: tuple[float, ...]


def rank_of(score: float, scores: Sequence[float], *, greater: bool) -> int:
    """Return the place of a score, from 1: behind the better ones.

    greater: whether a greater score is better.
    """
    return 1 + sum(other > score if greater else other < score for other in scores)


def save_ranking(path: Path, metric: str, scores: Sequence[float]) -> None:
    """Keep the scores of a leaderboard that was just seen.

    Raises StorageError.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    save_text(path, json.dumps(asdict(Ranking(metric, now, tuple(scores)))) + "\n")


def load_ranking(path: Path) -> Ranking | None:
    """Return the leaderboard that was seen last, or None if there is none, or it is damaged.

    It can be had again, so a damaged one is no error.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        scores = tuple(float(score) for score in found["scores"])
        return Ranking(str(found["metric"]), str(found["time"]), scores)
    except (OSError, ValueError, TypeError, KeyError):
        return None
