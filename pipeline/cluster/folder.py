"""A folder that all machines of a cluster see, by any address that fsspec knows."""

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, StorageError


@dataclass(frozen=True)
class SharedFolder:
    """A folder by its address: file:///shared/kc, s3://bucket/kc, sftp://server/kc, ...

    Files are written whole under a name of their own and then renamed. What a store that cannot
    rename at once may leave half is noticed by whoever reads it: see kept.py.
    """

    url: str

    @classmethod
    def at(cls, address: str) -> "SharedFolder":
        """Return the folder of an address, or of a path, which is made absolute.

        Raises StorageError if nothing that is installed knows such addresses.
        """
        with storing(address):
            filesystem, root = _find(address)
            return cls(str(filesystem.unstrip_protocol(root)))

    @cached_property
    def _found(self) -> tuple[Any, str]:
        return _find(self.url)

    def has(self, name: str) -> bool:
        """Tell whether there is a file of that name. Raises StorageError."""
        filesystem, root = self._found
        with storing(self.url):
            filesystem.invalidate_cache()  # others write there, too
            return bool(filesystem.exists(f"{root}/{name}"))

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, or None if there is no such file. Raises StorageError."""
        filesystem, root = self._found
        with storing(self.url):
            try:
                return bytes(filesystem.cat_file(f"{root}/{name}"))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file, in the place of one that is there. Raises StorageError."""
        with self._staged(name) as (filesystem, hidden):
            filesystem.pipe_file(hidden, content)

    def put(self, path: Path, name: str) -> None:
        """Copy a local file there, unless there is one of that name. Raises StorageError."""
        if self.has(name):
            return
        with self._staged(name) as (filesystem, hidden):
            filesystem.put_file(str(path), hidden)

    def get(self, name: str, path: Path) -> None:
        """Copy a file here. Raises StorageError, also if there is no such file."""
        filesystem, root = self._found
        with storing(self.url):
            filesystem.get_file(f"{root}/{name}", str(path))

    def remove(self, name: str) -> None:
        """Remove a file, unless it is gone already. Raises StorageError."""
        filesystem, root = self._found
        with storing(self.url), contextlib.suppress(FileNotFoundError):
            filesystem.rm_file(f"{root}/{name}")

    def remove_all(self, pattern: str) -> None:
        """Remove the files whose names are like a pattern. Raises StorageError."""
        filesystem, root = self._found
        with storing(self.url):
            filesystem.invalidate_cache()
            for path in filesystem.glob(f"{root}/{pattern}"):
                with contextlib.suppress(FileNotFoundError):
                    filesystem.rm_file(path)

    def check_writable(self) -> None:
        """Check that the folder takes files and gives them back. Raises StorageError."""
        name = f"probe-{uuid.uuid4().hex}"
        self.write(name, b"probe")
        found = self.read(name)
        self.remove(name)
        if found != b"probe":
            raise StorageError(f"{self.url}: gives back other bytes than were written there")

    @contextlib.contextmanager
    def _staged(self, name: str) -> Iterator[tuple[Any, str]]:
        """Yield the file system and a hidden path, which takes the name if the block ends well."""
        filesystem, root = self._found
        folder, _, last = f"{root}/{name}".rpartition("/")
        hidden = f"{folder}/.unfinished-{uuid.uuid4().hex}-{last}"
        with storing(self.url):
            filesystem.makedirs(folder, exist_ok=True)
            try:
                yield filesystem, hidden
                filesystem.mv(hidden, f"{folder}/{last}")
            except BaseException:
                with contextlib.suppress(Exception):
                    filesystem.rm_file(hidden)
                raise


@contextlib.contextmanager
def storing(url: str) -> Iterator[None]:
    """Turn what a file system raises into a StorageError that names the address.

    Each has exceptions of its own, many of which are no OSError.
    """
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise StorageError(
            f"{url}: cannot be read or written: {' '.join(str(reason).split())}; --storage (or "
            "KC_STORAGE) names a folder that this machine and all workers may write to"
        ) from error


def _find(address: str) -> tuple[Any, str]:
    import fsspec

    filesystem, root = fsspec.url_to_fs(address)
    return filesystem, str(root).rstrip("/")
