"""California's houses as their archive has them: cal_housing.data, as scikit-learn reads it."""

import tempfile
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from pipeline.errors import SourceError
from pipeline.sources.archives import Limits, Unpacker, archive_suffix
from pipeline.sources.practice.sets import TARGETS, PracticeRows

FILE = "cal_housing.data"
COLUMNS = (  # of the file, which has no header
    "Longitude", "Latitude", "HouseAge", "rooms", "bedrooms", "Population", "households", "MedInc",
    "value",
)  # fmt: skip
FEATURES = (
    "MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude",
    "Longitude",
)  # fmt: skip
DOLLARS = 100_000.0


def read_houses(path: Path) -> PracticeRows:
    """Return the houses of cal_housing.tgz, of its folder, or of cal_housing.data itself.

    Raises SourceError if the file is not there, or is another one.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = _file(path, Path(scratch))
        try:
            table = np.loadtxt(file, delimiter=",", ndmin=2)
        except (OSError, ValueError) as error:
            raise SourceError(
                f"{path}: {FILE} cannot be read: {error}; download it again"
            ) from None
    if table.shape[1] != len(COLUMNS):
        raise SourceError(f"{path}: {FILE}: expected 9 columns, found {table.shape[1]}")
    cells = pd.DataFrame(table, columns=list(COLUMNS))
    made = cells.assign(
        AveRooms=cells["rooms"] / cells["households"],
        AveBedrms=cells["bedrooms"] / cells["households"],
        AveOccup=cells["Population"] / cells["households"],
    )
    y = (cells["value"] / DOLLARS).rename(TARGETS["california"])
    kind = "folder" if path.is_dir() else "file"
    return PracticeRows(made[list(FEATURES)], y, f"{kind} {path.name}")


def _file(path: Path, scratch: Path) -> Path:
    """Return the place of the file; raises SourceError."""
    files = {file.name: file for file in ([path] if path.is_file() else path.rglob("*"))}
    if FILE not in files:
        packed = next((file for name, file in files.items() if archive_suffix(name)), None)
        inside = {} if packed is None else Unpacker(scratch, Limits()).unpack(packed, packed.name)
        files = {PurePosixPath(name).name: file for name, file in inside.items()}
    if FILE not in files:
        raise SourceError(f"{path}: expected cal_housing.tgz, or {FILE} of it; found neither")
    return files[FILE]
