"""Who works on pieces: this process, or the workers of a cluster (see cluster.py)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from pipeline.parquet import Piece
from pipeline.partitions.growing import Plan, Seat, Team, make_member
from pipeline.partitions.rows import FoldRows


class Crew(Protocol):
    """What carries out passes, and grows models. Whoever it is, a pass has the same result."""

    def __str__(self) -> str: ...

    def each(
        self, function: Callable[..., Any], pieces: Sequence[Piece], *given: Any
    ) -> Iterator[Any]:
        """Yield what a function of a module says of each piece, in their order."""

    def team(self, plan: Plan, rows: FoldRows) -> Team:
        """Return members that have read their share of the rows, ready to grow."""


class Alone:
    """The process that the command runs in, with all cores of its machine."""

    def __str__(self) -> str:
        return "this machine"

    def each(
        self, function: Callable[..., Any], pieces: Sequence[Piece], *given: Any
    ) -> Iterator[Any]:
        """Yield what a function of a module says of each piece, in their order."""
        return (function(piece, *given) for piece in pieces)

    def team(self, plan: Plan, rows: FoldRows) -> Team:
        """Return one member, with all rows."""
        member = make_member(plan, rows, Seat(threads=plan.threads))
        member.join()
        return member
