"""Kaggle: credentials, calls, files.

    with connect() as kaggle:
        kaggle.call("get_submission_limits", competition_name="titanic").num_allowed_now
        kaggle.call("create_submission", once=True, competition_name=..., blob_file_tokens=...)

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
