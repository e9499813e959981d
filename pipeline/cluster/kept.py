"""Finished work in a folder that all machines see, as in a workspace's cache."""

import io
from dataclasses import dataclass, field
from typing import Any

import joblib

from pipeline.cache import sealed, unsealed
from pipeline.cluster.folder import SharedFolder
from pipeline.trust import GivenKey


@dataclass(frozen=True)
class SharedCache:
    """Results under the digests of their inputs, of one workspace, in a folder that many may use.

    Each is signed with a key that the workspace's commands and their workers know, and is loaded
    only if it is: whoever else may write to the folder can have work made again, and nothing more.
    """

    folder: SharedFolder
    key: GivenKey = field(repr=False)

    def load(self, name: str) -> Any | None:
        """Return the result of that name, or None; see Cache.load. Raises StorageError."""
        body = self.body(name)
        return None if body is None else joblib.load(io.BytesIO(body))

    def has(self, name: str) -> bool:
        """Tell whether there is a result of that name. Raises StorageError."""
        return self.folder.has(self._path(name))

    def save(self, name: str, result: Any) -> None:
        """Keep a result. Raises StorageError."""
        buffer = io.BytesIO()
        joblib.dump(result, buffer)
        self.folder.write(self._path(name), sealed(buffer.getvalue(), name, self.key))

    def body(self, name: str) -> bytes | None:
        """Return the pickle of that name if this workspace wrote it whole, or None."""
        path = self._path(name)
        content = self.folder.read(path)
        return None if content is None else unsealed(content, name, self.key, path)

    def take(self, name: str) -> Any | None:
        """Return a result as load does, and forget it. Raises StorageError."""
        result = self.load(name)
        self.folder.remove(self._path(name))
        return result

    def clear(self, start: str) -> None:
        """Forget the results whose names begin so. Raises StorageError."""
        self.folder.remove_all(self._path(f"{start}*"))

    def _path(self, name: str) -> str:
        return f"{self.key.name}/{name}.joblib"
