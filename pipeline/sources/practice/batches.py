"""CIFAR as its authors hand it out: batches of rows, pickled by Python 2 or as plain bytes."""

import pickle
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pipeline.errors import SourceError

COLOURS, SIDE = 3, 32
PIXELS = COLOURS * SIDE * SIDE
LABELS = (b"fine_labels", b"labels", "fine_labels", "labels")
PYTHON = {"train": "train", "test": "test", "test_batch": "test"}  # else data_batch_N
BYTES = {"train.bin": "train", "test.bin": "test", "test_batch.bin": "test"}
# All that such a pickle needs; nothing of it does more than make an array.
HARMLESS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
Part = tuple[np.ndarray, np.ndarray]  # images (n, height, width, channels), labels (n,)


class _ArraysAlone(pickle.Unpickler):
    """Unpickles arrays and plain values, and runs nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in HARMLESS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no array")
        return super().find_class(module, name)


def batch_parts(files: Mapping[str, Path]) -> dict[str, Part]:
    """Return the parts of files named as CIFAR's batches are, or none if there are none.

    Raises SourceError for a batch that is damaged, or a pickle that would run code.
    """
    found: dict[str, list[Part]] = {}
    for name, path in sorted(files.items(), key=lambda item: _in_order(item[0])):
        base = PurePosixPath(name).name
        if base in PYTHON or (base.startswith("data_batch_") and "." not in base):
            found.setdefault(PYTHON.get(base, "train"), []).append(_pickled(name, path))
        elif base in BYTES or (base.startswith("data_batch_") and base.endswith(".bin")):
            found.setdefault(BYTES.get(base, "train"), []).append(_plain(name, path))
    return {
        part: (np.concatenate([x for x, _ in some]), np.concatenate([y for _, y in some]))
        for part, some in found.items()
    }


def _in_order(name: str) -> tuple[int, str]:
    return len(name), name  # data_batch_2 stands before data_batch_10


def _pickled(name: str, path: Path) -> Part:
    """Return a batch that is a dictionary with data (n, 3072) and labels."""
    try:
        with path.open("rb") as file:
            batch = _ArraysAlone(file, encoding="bytes").load()
        data = next(batch[key] for key in (b"data", "data") if key in batch)
        labels = next(batch[key] for key in LABELS if key in batch)
        return _images(np.asarray(data, np.uint8)), np.asarray(labels, np.uint8)
    except StopIteration:
        raise SourceError(
            f"{name}: expected data and labels in it, as in CIFAR's batches"
        ) from None
    except Exception as error:  # a damaged pickle raises anything
        reason = " ".join(str(error).split())
        raise SourceError(
            f"{name}: cannot be read as a batch of CIFAR: {reason}; download it again"
        ) from None


def _plain(name: str, path: Path) -> Part:
    """Return a batch of records of bytes: a label (of CIFAR-100 the coarse one first), pixels."""
    content = np.fromfile(path, np.uint8)
    n_labels = 2 if PurePosixPath(name).name in ("train.bin", "test.bin") else 1
    record = n_labels + PIXELS
    if not len(content) or len(content) % record:
        raise SourceError(
            f"{name}: expected records of {record:,} bytes, found {len(content):,} bytes; download "
            "it again"
        )
    rows = content.reshape(-1, record)
    return _images(rows[:, n_labels:]), rows[:, n_labels - 1]


def _images(rows: np.ndarray) -> np.ndarray:
    """Return rows (n, 3072), colour by colour, as images (n, 32, 32, 3)."""
    return rows.reshape(-1, COLOURS, SIDE, SIDE).transpose(0, 2, 3, 1)
