"""report: the page of a run, and the one that compares runs."""

from pipeline.progress import Warned, emit
from pipeline.report import render, run_page
from pipeline.runs import REPORT, UnfinishedRun
from pipeline.workspace import Workspace


def save_report(run: UnfinishedRun, workspace: Workspace) -> None:
    """Write the page of a run that is all but finished; without it the run is whole as well."""
    try:
        run.save_text(REPORT, render(run_page(run.finished())))
    except Exception as error:
        emit(
            Warned(
                f"{REPORT} could not be made, and the run goes without it: "
                f"{type(error).__name__}: {' '.join(str(error).split())}"
            )
        )
