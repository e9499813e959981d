"""Values whose arrays all workers look at in one place: a file that each maps into memory."""

import pickle
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pipeline.storage import storing

ALIGNED = 64  # bytes; arrays begin at multiples of it, as Arrow and vector instructions like it
_COUNT = 8  # bytes of a number in the file


@dataclass(frozen=True)
class Shared:
    """A value on disk: what travels to a worker is where it is.

    The file's arrays are those of NumPy and Arrow, so those of a frame's columns of numbers and of
    text; what is made of Python's objects is a worker's own.
    """

    path: Path

    def load(self) -> Any:
        """Return the value, its arrays mapped: one that is written to is then this process's own.

        Loading runs code that the bytes name: it is for what this command wrote itself.
        """
        return _load(self.path)


def share(value: Any, path: Path) -> Shared:
    """Write a value with its arrays beside it, each as it lies in memory.

    Raises StorageError.
    """
    with storing(path), path.open("xb") as file:
        file.write(bytes(2 * _COUNT))  # where the rest begins, and its bytes
        places: list[tuple[int, int]] = []
        buffer = BytesIO()
        _Pickler(buffer, file, places).dump(value)
        head = pickle.dumps((places, buffer.getvalue()))
        start = file.tell()
        file.write(head)
        file.seek(0)
        file.write(b"".join(n.to_bytes(_COUNT, "big") for n in (start, len(head))))
    return Shared(path)


class _Pickler(pickle.Pickler):
    """Writes what arrays hold to a file at once, and everything else to a buffer."""

    def __init__(self, buffer: BytesIO, file: BinaryIO, places: list[tuple[int, int]]) -> None:
        def put(array: pickle.PickleBuffer) -> None:
            file.write(bytes(-file.tell() % ALIGNED))
            with array.raw() as content:
                places.append((file.tell(), content.nbytes))
                file.write(content)

        super().__init__(buffer, protocol=5, buffer_callback=put)

    def reducer_override(self, value: Any) -> Any:
        """Return how an array is written that NumPy would copy: a mapped one, or a part of one."""
        if not isinstance(value, np.ndarray) or value.dtype.hasobject:
            return NotImplemented
        flags = value.flags
        if type(value) is np.ndarray and (flags.c_contiguous or flags.f_contiguous):
            return NotImplemented
        if type(value) not in (np.ndarray, np.memmap):
            return NotImplemented
        return np.ascontiguousarray(value).view(np.ndarray).__reduce_ex__(5)


@lru_cache(maxsize=1)
def _load(path: Path) -> Any:
    content = np.memmap(path, np.uint8, "c")  # a page that is written to is copied, not the file
    start, length = (
        int.from_bytes(content[i * _COUNT : (i + 1) * _COUNT].tobytes(), "big") for i in (0, 1)
    )
    places, head = pickle.loads(content[start : start + length].tobytes())
    return pickle.loads(head, buffers=[content[at : at + size] for at, size in places])
