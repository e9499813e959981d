"""What submit says: before a slot is spent, and after."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

from pipeline.competition import Competition
from pipeline.errors import SourceError
from pipeline.ledger import BY_HAND, Entry, load_ledger
from pipeline.runs import Run
from pipeline.sources import Allowance, Board, ListingBoard
from pipeline.stages.fetching import is_sample
from pipeline.stages.ready import Ready

KOREA = timezone(timedelta(hours=9))  # Dacon's day


def ready_lines(ready: Ready) -> list[str]:
    """Return what a person wants to see before a daily slot is spent."""
    record = ready.run.record
    sample = ready.competition.files.sample_submission or "the test's ids"
    synthetic = is_sample(record["origin"])
    seed = "" if record["seed"] is None else f", seed {record['seed']}"
    return [
        f"file   {ready.run.submission}",
        f"rows   {record['rows']['test']:,}, checked against {sample}",
        f"score  {run_score(ready.run)} (out-of-fold)",
        f"model  {record['model']['label']}{seed}, run {ready.run.id}",
        *(["note   made from a synthetic sample: no service knows its rows"] if synthetic else []),
    ]


def allowance_line(board: Board, competition: Competition, ledger: Path) -> str:
    """Return how many submissions are left today: by the service, else by the ledger."""
    told, is_known = _told_by(board)
    most = competition.source.submissions_a_day
    if is_known or most is None:
        return f"left   {told}"
    left = max(0, most - _made_today(ledger, competition.source.kind))
    return f"left   {left} of {most} today, by the ledger; {board.name} counts a whole team's"


def question(board: Board | None) -> str:
    """Return what is asked before the submission."""
    if board is None:
        return "Note it as submitted, and show where to upload it?"
    return f"Submit it to {board.name}?"


def outcome_line(entry: Entry, ready: Ready, *, adopted: bool) -> str:
    """Return what came of handing in, in one line."""
    if entry.how == BY_HAND:
        return how_to_upload(ready)
    if adopted:
        return (
            f"already submitted as {entry.reference} on {entry.time}, by an attempt that was not "
            f"confirmed then; status {entry.status}"
        )
    if entry.reference is None:
        return f"{entry.detail}: {ready.competition.source.page}"
    return f"submitted as {entry.reference}: {entry.detail}"


def score_line(entry: Entry) -> str:
    """Return the scores that an entry has, or its status."""
    scores = {"public": entry.public, "private": entry.private}
    told = [f"{name} {score:g}" for name, score in scores.items() if score is not None]
    return ", ".join(told) if told else f"status {entry.status}"


def how_to_upload(ready: Ready) -> str:
    """Return the sentence that says where to upload the file by hand."""
    page = ready.competition.source.page
    if page is None:
        return f"hand in {ready.run.submission}; competition.toml names no page to upload it to"
    return f"upload {ready.run.submission} at {page}"


def run_score(run: Run) -> str:
    """Return a run's metric and out-of-fold score, with its standard error."""
    record = run.record
    spread = record["standard_error"]
    spread = "" if spread is None else f" +- {spread:.5f}"
    return f"{record['metric']} {record['score']:.5f}{spread}"


def _told_by(board: Board) -> tuple[str, bool]:
    """Return what a service tells of what is left today, and whether it is a number."""
    if not isinstance(board, ListingBoard):
        return "not known", False
    try:
        allowance = board.allowance()
    except SourceError as error:
        return f"not known: {error}", False
    if allowance == Allowance(0, 0):  # what a team that never submitted is told
        return f"not known: {board.name} tells it after the first submission", False
    if allowance.left is None:
        return f"no limit, {allowance.today} made today", True
    days = ", limited by the competition's total" if allowance.by_total else ""
    return f"{allowance.left} today, {allowance.today} made{days}", True


def _made_today(ledger: Path, how: str) -> int:
    today = datetime.now(KOREA).date()
    times = [
        datetime.fromisoformat(one.time).astimezone(KOREA)
        for one in load_ledger(ledger)
        if one.how == how and one.counts
    ]
    return sum(moment.date() == today for moment in times)
