"""What became known of a run beside it: its place, and what became of its submission."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """Where a run's score and the ends of its interval would stand on a leaderboard of that time.

    best, worst: places of the interval's better and worse end. teams: that have a score.
    """

    place: int
    best: int
    worst: int
    teams: int
    time: str


@dataclass(frozen=True)
class Submitted:
    """A submission of a run: when, how it stands, and what it scored."""

    run: str
    time: str
    status: str
    public: float | None
    private: float | None


@dataclass(frozen=True)
class Known:
    """All that is known beside a run."""

    standing: Standing | None = None
    submitted: tuple[Submitted, ...] = ()
