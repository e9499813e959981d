"""What a command, a Dask worker and a process of ours tell each other; it loads next to nothing.

A Dask worker reads it in the loop that answers its scheduler, which must not wait for pandas.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

INPUTS = "inputs"  # the folder, everywhere, of what units need


@dataclass(frozen=True)
class Order:
    """What a process is told first.

    url, key: of the folder that all machines see, and of the signatures in it. prepare: a pickle of
    what is called before the first unit. environment: variables of the process. folder: of the
    worker's machine, which the worker says.
    """

    url: str
    key: bytes = field(repr=False)
    prepare: bytes
    environment: Mapping[str, str]
    folder: Path = Path()


@dataclass(frozen=True)
class Outcome:
    """What came of a unit.

    name: of its result, in the folder that all machines see. error: why there is none; a
    PipelineError, or a bug with its traceback. died: the process did, on which the unit ran.
    starting: seconds until the process was ready for it.
    """

    name: str = ""
    error: BaseException | None = None
    died: bool = False
    starting: float = 0.0
