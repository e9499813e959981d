"""The machine and the workspace: memory, disk, and whether files can be written."""

import os
from pathlib import Path

from pipeline.diagnosis import Check
from pipeline.errors import StorageError
from pipeline.machine import free_disk, memory, nearest_existing
from pipeline.storage import check_writable

LITTLE_DISK, NO_DISK = 2 * 10**9, 10**8  # bytes
LITTLE_MEMORY = 2 * 10**9


def check_memory() -> Check:
    """Check that some memory is free."""
    found = memory()
    if found is None:
        return Check("memory", "unknown on this system")
    text = f"{found.free / 1e9:.1f} of {found.total / 1e9:.1f} GB free"
    if found.free < LITTLE_MEMORY:
        return Check(
            "memory", text, "warning", f"{text}; close other programs, or train fewer rows"
        )
    return Check("memory", text)


def check_disk(root: Path) -> Check:
    """Check that the disk of the workspace has room."""
    free = free_disk(root)
    text = f"{free / 1e9:.1f} GB free"
    advice = f"{text}; free some space (kc cache clear NAME), or choose another --workspace"
    if free < NO_DISK:
        return Check("disk", text, "broken", advice)
    return Check("disk", text, "warning", advice) if free < LITTLE_DISK else Check("disk", text)


def check_workspace(root: Path) -> Check:
    """Check that files can be written, without leaving a trace of the question."""
    try:
        if root.is_dir():
            check_writable(root)
        elif root.exists() or not os.access(nearest_existing(root), os.W_OK):
            raise StorageError(f"{root}: cannot be made; choose another --workspace")
    except StorageError as error:
        return Check("workspace", f"{root} cannot be written", "broken", str(error))
    return Check("workspace", str(root))
