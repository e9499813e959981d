"""Kaggle: credentials, calls, files.

    with connect() as kaggle:
        kaggle.call("get_submission_limits", competition_name="titanic").num_allowed_now
        kaggle.call("create_submission", once=True, competition_name=..., blob_file_tokens=...)

    for credential in found_credentials():    # the one that is used first; none of them is shown
        print(credential.kind, credential.where, credential.fault, credential.advice)
    check_reachable(seconds=5)                # or SourceError

Importing this loads requests, but not Kaggle's client.
"""

from pipeline.sources.kaggle.connection import Connection, check_reachable, connect
from pipeline.sources.kaggle.credentials import Credential, found_credentials
from pipeline.sources.kaggle.files import RemoteFile, list_files
from pipeline.sources.kaggle.source import KaggleSource
from pipeline.sources.kaggle.undeclared import UndeclaredSource, read_page

__all__ = [
    "Connection",
    "Credential",
    "KaggleSource",
    "RemoteFile",
    "UndeclaredSource",
    "check_reachable",
    "connect",
    "found_credentials",
    "list_files",
    "read_page",
]
