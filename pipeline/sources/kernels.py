"""Kaggle's notebooks: where they find a competition's files, and where they leave the answers."""

import os
from pathlib import Path

INPUT, WORKING = "KC_KAGGLE_INPUT", "KC_KAGGLE_WORKING"  # other folders than Kaggle's
_KERNEL = "KAGGLE_KERNEL_RUN_TYPE"  # set where Kaggle runs a notebook
SUBMISSION = "submission.csv"


def attached_files(slug: str) -> Path | None:
    """Return the folder of a competition that is attached to this notebook, or None.

    Kaggle attaches it as input/SLUG, or as input/competitions/SLUG.
    """
    root = _folder(INPUT, "/kaggle/input")
    if root is None:
        return None
    places = (root / slug, root / "competitions" / slug)
    return next((place for place in places if place.is_dir()), None)


def working_folder() -> Path | None:
    """Return the folder from which Kaggle takes a notebook's submission.csv, or None elsewhere."""
    return _folder(WORKING, "/kaggle/working")


def _folder(variable: str, usual: str) -> Path | None:
    """Return the folder that a variable names, or Kaggle's where Kaggle runs this."""
    named = os.environ.get(variable, "").strip() or (usual if _KERNEL in os.environ else "")
    return Path(named) if named and Path(named).is_dir() else None
