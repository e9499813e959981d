"""The stages of a competition, from its files to a checked submission.

    from pipeline import fetch, train

    fetch("bike", sample=True)
    run = train("bike", model="ridge")
    print(run.score, run.submission)

A name is imported when it is first asked for, so that importing the package costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.competition import Competition
    from pipeline.errors import PipelineError
    from pipeline.notebook import Run, fetch, list_runs, load_competition, train
    from pipeline.runs import find_run
    from pipeline.stages.browsing import list_remote_files
    from pipeline.stages.declaring import NewOptions, declare
    from pipeline.stages.diagnosing import diagnose
    from pipeline.stages.ensembling import blend
    from pipeline.stages.exporting import export
    from pipeline.stages.inspecting import inspect
    from pipeline.stages.plotting import PlotOptions, plot
    from pipeline.stages.predicting import predict
    from pipeline.stages.preparing import clean, encode, scale
    from pipeline.stages.ready import check_ready
    from pipeline.stages.standing import leaderboard, list_submissions
    from pipeline.stages.submitting import submit
    from pipeline.stages.summarizing import summarize
    from pipeline.stages.training import TrainOptions
    from pipeline.stages.tuning import TuneOptions, tune
    from pipeline.windows import last_windows, make_windows
    from pipeline.workspace import Workspace

_HOMES = {
    "Competition": "competition",
    "NewOptions": "stages.declaring",
    "PipelineError": "errors",
    "PlotOptions": "stages.plotting",
    "Run": "notebook",
    "TrainOptions": "stages.training",
    "TuneOptions": "stages.tuning",
    "Workspace": "workspace",
    "clean": "stages.preparing",
    "declare": "stages.declaring",
    "diagnose": "stages.diagnosing",
    "encode": "stages.preparing",
    "export": "stages.exporting",
    "fetch": "notebook",
    "find_run": "runs",
    "inspect": "stages.inspecting",
    "last_windows": "windows",
    "list_remote_files": "stages.browsing",
    "leaderboard": "stages.standing",
    "list_runs": "notebook",
    "list_submissions": "stages.standing",
    "load_competition": "notebook",
    "make_windows": "windows",
    "plot": "stages.plotting",
    "predict": "stages.predicting",
    "blend": "stages.ensembling",
    "check_ready": "stages.ready",
    "scale": "stages.preparing",
    "submit": "stages.submitting",
    "summarize": "stages.summarizing",
    "train": "notebook",
    "tune": "stages.tuning",
}

__all__ = [
    "Competition",
    "NewOptions",
    "PipelineError",
    "PlotOptions",
    "Run",
    "TrainOptions",
    "TuneOptions",
    "Workspace",
    "blend",
    "check_ready",
    "clean",
    "declare",
    "diagnose",
    "encode",
    "export",
    "fetch",
    "find_run",
    "inspect",
    "last_windows",
    "leaderboard",
    "list_remote_files",
    "list_runs",
    "list_submissions",
    "load_competition",
    "make_windows",
    "plot",
    "predict",
    "scale",
    "submit",
    "summarize",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(importlib.import_module(f"pipeline.{_HOMES[name]}"), name)
