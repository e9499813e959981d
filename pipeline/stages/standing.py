"""submissions, leaderboard: what became of what was handed in, and where a score would stand."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.competition import Competition, load_competition
from pipeline.errors import SourceError, UsageError
from pipeline.ledger import Entry, load_ledger
from pipeline.metrics import METRICS
from pipeline.progress import Note, Warned, counted, emit
from pipeline.sources import ListingBoard, Submission, Team
from pipeline.sources.dacon_words import no_leaderboard, no_list
from pipeline.stages.boards import open_board
from pipeline.stages.earlier import learn, without_marker
from pipeline.stages.ranking import rank_of, save_ranking
from pipeline.workspace import Workspace

SUBMISSION_COLUMNS: tuple[str, ...] = (
    "reference", "time", "run", "message", "status", "public", "private", "error",
)  # fmt: skip
UTC_TIME = "time (UTC)"  # the heading on a terminal, where times are shown without their zone
LISTING = ("kaggle", "practice")  # the kinds of sources whose boards tell what they took
TEAM_COLUMNS: tuple[str, ...] = ("place", "team", "score", "time")


@dataclass(frozen=True)
class Place:
    """Where a score would stand: behind the better ones, beside those that are equal.

    place: from 1. level: teams with the same score. percentile: the share of teams that are
    worse, in percent.
    """

    score: float
    place: int
    level: int
    teams: int
    percentile: float

    def __str__(self) -> str:
        """Return the sentence that says it."""
        if not self.teams:
            return f"{self.score:g} would be place 1: no team is on the board yet"
        teams = counted(self.teams, "team")
        level = f" ({self.level:,} equal)" if self.level else ""
        return (
            f"{self.score:g} would be place {self.place:,} among {teams}{level}, "
            f"better than {self.percentile:.1f} % of them"
        )


def list_submissions(workspace: Workspace, name: str) -> list[dict[str, Any]]:
    """Return one row a submission, newest first: the service's list and the ledger's, joined.

    What the service knows better is written into the ledger. Raises SourceError.
    """
    competition = load_competition(workspace.declaration(name))
    ledger = workspace.ledger(name)
    source = competition.source
    listed: list[Submission] = []
    if source.kind in LISTING:
        with open_board(workspace, competition) as board:
            assert isinstance(board, ListingBoard)
            listed = list(board.submissions())
        _note_news(ledger, listed)
    elif source.kind == "dacon":
        emit(Note("submit", no_list(source.page)))
    entries = load_ledger(ledger)
    by_reference = {one.reference: one for one in entries if one.reference}
    rows = [_listed_row(one, by_reference.get(one.reference)) for one in listed]
    references = {one.reference for one in listed}
    rows += [_entry_row(one) for one in entries if one.reference not in references]
    return sorted(rows, key=lambda row: datetime.fromisoformat(row["time"]), reverse=True)


def submission_table(
    name: str, rows: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the rows and columns as they fit on a terminal: short times, short runs, no gaps."""
    short = [
        {**_with_short_time(row), "run": row["run"] and row["run"].removeprefix(f"{name}-")}
        for row in rows
    ]
    empty = {key for key in ("message", "private") if all(row[key] in (None, "") for row in rows)}
    columns = [key for key in SUBMISSION_COLUMNS if key not in {*empty, "error"}]
    return short, _with_utc(columns)


def team_table(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return the rows and columns as they fit on a terminal."""
    return [_with_short_time(row) for row in rows], _with_utc(TEAM_COLUMNS)


def error_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Return what is said of the submissions that went wrong, one line each."""
    return [f"{row['reference'] or row[UTC_TIME]}: {row['error']}" for row in rows if row["error"]]


def leaderboard(
    workspace: Workspace, name: str, score: float | None = None, *, top: int | None = None
) -> tuple[list[dict[str, Any]], Place | None]:
    """Return one row a team, best first, and the place of a score.

    score: the best public score of the ledger if left out; without one there is no place.
    top: how many rows, all if left out. Raises SourceError, or UsageError for what has no board.
    """
    competition = load_competition(workspace.declaration(name))
    _check_has_board(competition)
    if score is not None:
        score = _checked(score)
    elif competition.source.kind != "practice":  # there, all teams are oneself
        score = _best_public(workspace, competition)
    if score is None and competition.source.kind != "practice":
        emit(
            Note(
                "place",
                f"no public score is noted; kc leaderboard {name} --score X tells the place of any "
                f"score, as an out-of-fold one of kc runs {name}",
            )
        )
    with open_board(workspace, competition) as board:
        assert isinstance(board, ListingBoard)
        teams = list(itertools.islice(board.teams(), top if score is None else None))
    greater = METRICS[competition.metric].greater_is_better
    _warn_of_direction(teams, competition, greater=greater)
    if score is not None and competition.source.kind != "practice":  # else not all were asked for
        known = [team.score for team in teams if team.score is not None]
        save_ranking(workspace.ranking(name), competition.metric, known)
    rows = [_team_row(number, team) for number, team in enumerate(teams[:top], start=1)]
    return rows, None if score is None else place_of(score, teams, greater=greater)


def place_of(score: float, teams: list[Team], *, greater: bool) -> Place:
    """Return where a score would stand among the teams that have one.

    greater: whether a greater score is better.
    """
    scores = [team.score for team in teams if team.score is not None]
    place = rank_of(score, scores, greater=greater)
    level = scores.count(score)
    worse = len(scores) - (place - 1) - level
    percentile = 100 * worse / len(scores) if scores else 0.0
    return Place(score, place, level, len(scores), percentile)


def _note_news(ledger: Path, listed: list[Submission]) -> None:
    """Write into the ledger what the service tells of the submissions that it has."""
    for entry in load_ledger(ledger):
        found = next((one for one in listed if _is_same(one, entry)), None)
        if found is not None and entry.marker:
            learn(ledger, entry, found)


def _is_same(one: Submission, entry: Entry) -> bool:
    if entry.reference:
        return one.reference == entry.reference
    return bool(entry.marker) and entry.marker in one.description


def _listed_row(one: Submission, entry: Entry | None) -> dict[str, Any]:
    return {
        "reference": one.reference,
        "time": one.time.isoformat(timespec="seconds"),
        "run": entry.run if entry else None,
        "message": entry.message if entry else without_marker(one.description),
        "status": one.status,
        "public": one.public,
        "private": one.private,
        "error": one.error or None,
    }


def _entry_row(entry: Entry) -> dict[str, Any]:
    went_wrong = entry.status not in ("submitted", "pending", "complete")
    return {
        "reference": entry.reference,
        "time": entry.time,
        "run": entry.run,
        "message": entry.message,
        "status": entry.how if entry.how == "by hand" else entry.status,
        "public": entry.public,
        "private": entry.private,
        "error": (entry.detail or None) if went_wrong else None,
    }


def _team_row(number: int, team: Team) -> dict[str, Any]:
    return {
        "place": number,
        "team": without_marker(team.name),  # a practice board knows one's own by their words
        "score": team.text or None,
        "time": team.time.isoformat(timespec="seconds"),
    }


def _check_has_board(competition: Competition) -> None:
    source = competition.source
    if source.kind == "dacon":
        raise SourceError(no_leaderboard(source.page))
    if source.kind == "files":
        raise UsageError(
            f"{competition.name}: has no leaderboard; competition.toml names no service that has "
            "one ([source] kind)"
        )


def _best_public(workspace: Workspace, competition: Competition) -> float | None:
    scores = _public_scores(load_ledger(workspace.ledger(competition.name)))
    best = max if METRICS[competition.metric].greater_is_better else min
    return best(scores, default=None)


def _public_scores(entries: list[Entry]) -> Iterator[float]:
    for entry in entries:
        if entry.public is not None:
            yield entry.public


def _with_short_time(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose time is told to the minute."""
    time = datetime.fromisoformat(row["time"]).astimezone(UTC)
    return {**row, UTC_TIME: time.strftime("%Y-%m-%d %H:%M")}


def _with_utc(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(UTC_TIME if column == "time" else column for column in columns)


def _checked(score: float) -> float:
    if not math.isfinite(score):
        raise UsageError(f"--score: expected a number, found {score}")
    return score


def _warn_of_direction(teams: list[Team], competition: Competition, *, greater: bool) -> None:
    """Warn if the board is sorted against the declared metric: then one of them is wrong."""
    scores = [team.score for team in teams if team.score is not None]
    if scores and (scores[0] < scores[-1] if greater else scores[0] > scores[-1]):
        better = "greater" if greater else "smaller"
        emit(
            Warned(
                f"the board begins with {scores[0]:g} and ends with {scores[-1]:g}, but with "
                f'metric = "{competition.metric}" {better} scores are better; one of them is wrong'
            )
        )
