"""Where units of work are carried out: on this machine, or by the workers of a cluster."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import UsageError, did_you_mean
from pipeline.execution import Executor
from pipeline.trust import Seal
from pipeline.workspace import Workspace

LOCAL, DASK = "local", "dask"
PURPOSE = "results of workers elsewhere"  # what the key is for that they are lent


@dataclass(frozen=True)
class Where:
    """Where a command's units are carried out.

    executor: "local" or "dask"; None: by whether a scheduler is named. scheduler: its address, as
    tcp://10.0.0.5:8786, or the file that it wrote. storage: a folder that all machines see, by any
    address that fsspec knows. What is None is as KC_EXECUTOR, KC_SCHEDULER and KC_STORAGE say.
    """

    executor: str | None = None
    scheduler: str | None = None
    storage: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether all work is done on this machine.

        Raises UsageError for an executor that there is not.
        """
        chosen = self._said("executor") or (DASK if self._said("scheduler") else LOCAL)
        if chosen not in (LOCAL, DASK):
            raise UsageError(f"--executor: {chosen!r}; {did_you_mean(chosen, (LOCAL, DASK))}")
        return chosen == LOCAL

    def begin_cluster(self, workspace: Workspace, prepare: Callable[[], None]) -> Executor:
        """Return the slots of a cluster, whose processes make themselves ready meanwhile.

        Raises UsageError for what is not said, and PipelineError if there is no cluster there.
        """
        scheduler, storage = self.named_scheduler(), self._said("storage")
        if storage is None:
            raise UsageError(
                "--executor dask: name a folder that this machine and all workers may write to by "
                "--storage, as /shared/kc or s3://bucket/kc (KC_STORAGE)"
            )
        from pipeline.cluster.client import check_installed

        check_installed()
        from pipeline.cluster.executor import Cluster
        from pipeline.cluster.folder import SharedFolder

        key = Seal.of(workspace.root).lend(PURPOSE)
        return Cluster(scheduler, SharedFolder.at(storage), key, prepare)

    def named_scheduler(self) -> str:
        """Return the scheduler of the cluster. Raises UsageError if nobody names one."""
        scheduler = self._said("scheduler")
        if scheduler is None:
            raise UsageError(
                "--executor dask: name its scheduler by --scheduler tcp://HOST:8786 (KC_SCHEDULER)"
            )
        return scheduler

    def _said(self, name: str) -> str | None:
        given: str | None = getattr(self, name)
        return given if given is not None else os.environ.get(f"KC_{name.upper()}") or None
