"""Which versions of other packages are installed here."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

# What computes: its versions are part of what finished work is made from.
VERSIONED = (
    "catboost", "joblib", "keras", "lightgbm", "numpy", "pandas", "pyarrow", "scikit-learn",
    "scipy", "tensorflow", "xgboost",
)  # fmt: skip


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the version of each package that is installed; the others are left out."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
