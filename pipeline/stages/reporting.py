"""report: the page of a run, and the one that compares runs."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.competition import load_competition
from pipeline.errors import DeclarationError
from pipeline.ledger import Entry, load_ledger
from pipeline.report import Known, Standing, Submitted, comparison_page, render, run_page
from pipeline.runs import REPORT, Run, UnfinishedRun, find_run, list_runs
from pipeline.stages.ranking import Ranking, load_ranking, rank_of
from pipeline.storage import save_text
from pipeline.workspace import Workspace


def save_report(run: UnfinishedRun, workspace: Workspace) -> None:
    """Write the page of a run that is all but finished."""
    finished = run.finished()
    known = Known(_standing(workspace, finished))
    run.save_text(REPORT, render(run_page(finished, known)))


def report(workspace: Workspace, name: str, run_id: str | None = None) -> tuple[Run, Path]:
    """Return a run, the latest if none is named, and where its page is.

    That is the page that was written with the run or, if more is known by now (a score of its
    submission, a leaderboard) or an older run has none, one in reports/: a finished run never
    changes. Raises UsageError if there is no such run, DataError if it cannot be read.
    """
    workspace.competition(name)
    run = find_run(workspace.runs, name, run_id)
    return run, _page_of(workspace, run)


def report_all(workspace: Workspace, name: str) -> Path:
    """Return where the page is that compares a competition's runs, written anew.

    Raises UsageError if there is no run.
    """
    workspace.competition(name)
    find_run(workspace.runs, name)
    runs = list_runs(workspace.runs, name)
    entries = load_ledger(workspace.ledger(name))
    path = workspace.reports / f"{name}.html"
    links = {run.id: _link(_page_of(workspace, run), workspace) for run in runs}
    page = comparison_page(_title(workspace, name, runs), runs, _submitted(entries), links)
    save_text(path, render(page))
    return path


def _page_of(workspace: Workspace, run: Run) -> Path:
    known = _known(workspace, run)
    if run.report.is_file() and known == Known():
        return run.report
    path = workspace.reports / f"{run.id}.html"
    if known != Known() or not path.is_file():  # a finished run without news is as it was
        save_text(path, render(run_page(run, known)))
    return path


def _known(workspace: Workspace, run: Run) -> Known:
    name = str(run.record["competition"])
    entries = [one for one in load_ledger(workspace.ledger(name)) if one.run == run.id]
    return Known(_standing(workspace, run), _submitted(entries))


def _standing(workspace: Workspace, run: Run) -> Standing | None:
    """Return where the run's score would stand on the leaderboard that was seen last, if any."""
    name, board = str(run.record["competition"]), run.record.get("leaderboard")
    ranking = load_ranking(workspace.ranking(name))
    if ranking is None or board is None or run.record["metric"] != ranking.metric:
        return None
    by = board.get("weighted") or board
    low, high = (_place(ranking, by[end], run) for end in ("lower", "upper"))
    place = _place(ranking, run.record["score"], run)
    return Standing(place, min(low, high), max(low, high), len(ranking.scores), ranking.time)


def _place(ranking: Ranking, score: float, run: Run) -> int:
    return rank_of(score, ranking.scores, greater=bool(run.record["greater_is_better"]))


def _submitted(entries: Sequence[Entry]) -> tuple[Submitted, ...]:
    return tuple(
        Submitted(one.run, one.time, one.status, one.public, one.private)
        for one in entries
        if one.counts
    )


def _link(path: Path, workspace: Workspace) -> str:
    """Return the way from reports/ to a page, as a link has it."""
    if path.parent == workspace.reports:
        return path.name
    return f"../{path.relative_to(workspace.root).as_posix()}"


def _title(workspace: Workspace, name: str, runs: Sequence[Run]) -> str:
    try:
        return load_competition(workspace.declaration(name), name).title
    except DeclarationError:  # a declaration that is being changed hides no finished run
        return str(runs[-1].record.get("title") or name)
