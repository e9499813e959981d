"""Kaggle: credentials, calls, files.

    with connect() as kaggle:
        kaggle.call("get_submission_limits", competition_name="titanic").num_allowed_now
        kaggle.call("create_submission", once=True, competition_name=..., blob_file_tokens=...)

Importing this loads requests, but not Kaggle's client.
"""

from pipeline.sources.kaggle.connection import Connection, check_reachable, connect
from pipeline.sources.kaggle.credentials import Credential, found_credentials

__all__ = ["Connection", "Credential", "check_reachable", "connect", "found_credentials"]
