"""The packages that kc stands on, and the GPUs that TensorFlow sees."""

import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from pipeline.diagnosis import Check, Status
from pipeline.packages import package_versions

ESSENTIAL = (
    "tensorflow", "keras", "numpy", "pandas", "pyarrow", "scikit-learn", "joblib", "typer", "rich",
    "threadpoolctl",
)  # fmt: skip
OPTIONAL = ("catboost", "xgboost", "dask", "matplotlib", "dacon_submit_api")  # shown if installed
TENSORFLOW_SECONDS = 180.0  # its first import on a slow disk takes a minute
# What Keras looks for, but does not need, is not found: it takes 40 % of the processor's time.
ASK_TENSORFLOW = """\
import os, sys, json
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.modules.update(dict.fromkeys(("matplotlib", "pandas", "scipy", "sklearn")))
from tensorflow.config import list_physical_devices
print("\\n" + json.dumps([device.name for device in list_physical_devices("GPU")]))
"""


def check_versions() -> Iterator[Check]:
    """Yield the versions of Python and of each package, and which do not suffice."""
    yield Check("kc", package_versions(["kc"]).get("kc") or "not installed as a package")
    yield Check("python", f"{platform.python_version()}  {sys.executable}")
    needed = needed_versions()
    for name in dict.fromkeys([*ESSENTIAL, *sorted(needed)]):
        yield check_package(name, needed.get(name))
    for name, version in package_versions(OPTIONAL).items():
        if name not in needed:
            yield Check(name, version)


def needed_versions() -> dict[str, Any]:
    """Return the versions that kc asks for, by package; empty if kc itself is not installed."""
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires("kc") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    requirements = [Requirement(line) for line in lines]
    return {one.name: one.specifier for one in requirements if one.marker is None}


def check_package(name: str, needed: Any) -> Check:
    """Check that a package is installed in a version that kc works with.

    needed: the versions, or None for any.
    """
    version = package_versions([name]).get(name)
    broken: Status = "broken" if name in ESSENTIAL else "warning"
    wanted = f'pip install "{name}{needed or ""}"'
    if version is None:
        return Check(name, "not installed", broken, f"is not installed; run: {wanted}")
    if needed is not None and not needed.contains(version, prereleases=True):
        return Check(name, version, broken, f"{version} is not {needed}; run: {wanted}")
    return Check(name, version)


def gpus() -> list[str]:
    """Return the GPUs that TensorFlow sees, asked in a process of its own.

    Raises RuntimeError with its last words if it cannot be imported.
    """
    ended = subprocess.run(
        [sys.executable, "-c", ASK_TENSORFLOW],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TENSORFLOW_SECONDS,
    )
    if ended.returncode:
        last = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        raise RuntimeError(last[-1][:200])
    return [str(name) for name in json.loads(ended.stdout.strip().splitlines()[-1])]


def check_gpus(answer: Any) -> Iterator[Check]:
    """Yield what gpus() says; an exception says that TensorFlow cannot be used."""
    if isinstance(answer, Exception):
        advice = (
            f"TensorFlow cannot be used ({answer}), so no network can be trained; try: pip install "
            "--force-reinstall tensorflow"
        )
        yield Check("gpu", "unknown: TensorFlow cannot be used", "broken", advice)
    elif answer:
        yield Check("gpu", ", ".join(answer))
    elif shutil.which("nvidia-smi"):
        advice = (
            "this machine has NVIDIA's tools, but TensorFlow sees no GPU; run: pip install "
            '"tensorflow[and-cuda]"'
        )
        yield Check("gpu", "none that TensorFlow sees", "warning", advice)
    else:
        yield Check("gpu", "none; networks are trained on the processor")
