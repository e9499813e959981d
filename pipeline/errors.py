"""The errors a person can mend, each with one sentence that says how.

PipelineError
├── UsageError         a choice made on the command line cannot be followed
├── DeclarationError   competition.toml or features.py cannot be carried out
├── DataError          files are missing or unlike the declaration
├── ModelError         unknown model or parameter, or its package is not installed
├── WorkerError        a worker process died or had too little memory
├── SourceError        Kaggle, Dacon or an archive refused
│   └── UnconfirmedError   a submission may or may not have arrived
├── StorageError       a disk is full or a folder cannot be written
├── TrustError         code of somebody else would run, and nobody has agreed to it
└── SubmissionError    submission.csv does not fit the sample

A message says where, what was expected, what was found and what to do.
Anything else that is raised is a bug, and keeps its traceback.
"""

import difflib
from collections.abc import Iterable
from typing import Any


class PipelineError(Exception):
    """A fault that the reader of its message can mend."""


class UsageError(PipelineError):
    """A choice made at run time cannot be followed."""


class DeclarationError(PipelineError):
    """competition.toml or features.py cannot be carried out."""


class DataError(PipelineError):
    """A file of the competition is missing or unlike the declaration."""


class ModelError(PipelineError):
    """A model is unknown, was given a parameter it does not take, or is not installed."""


class WorkerError(PipelineError):
    """A worker process died, or had too little memory for its work."""


class SourceError(PipelineError):
    """The place the files come from, or go to, refused."""


class UnconfirmedError(SourceError):
    """A submission left here, and nothing says whether it was accepted: it is never sent again."""


class StorageError(PipelineError):
    """Something could not be written."""


class TrustError(PipelineError):
    """Code of somebody else would run, and nobody has agreed to it.

    foreign: what it is, as a pipeline.trust.Foreign, for whoever can ask.
    """

    def __init__(self, message: str, foreign: Any = None) -> None:
        super().__init__(message)
        self.foreign = foreign


class SubmissionError(PipelineError):
    """A submission does not fit the sample submission."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest known spelling, or all of them if none is near."""
    names = sorted(known)
    folded = {one.casefold(): one for one in reversed(names)}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    return f"expected one of {', '.join(map(repr, names))}" if names else "none is known here"
