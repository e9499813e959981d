"""The connection to a Dask scheduler, and what it says in one line if there is none."""

import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import ModelError, UsageError, WorkerError

CONNECTED = 10.0  # seconds within which a scheduler has to answer


def check_installed() -> None:
    """Check that Dask is installed here. Raises ModelError."""
    missing = [name for name in ("distributed", "fsspec") if find_spec(name) is None]
    if missing:
        raise ModelError(
            f'--executor dask: {missing[0]} is not installed here; run pip install "kc[dask]"'
        )


def connect(address: str, seconds: float = CONNECTED) -> Any:
    """Return a client of the scheduler at an address, or of that which wrote a scheduler's file.

    Raises UsageError for what is no address, and WorkerError if nobody answers within so many
    seconds.
    """
    from distributed import Client

    for name in ("distributed", "distributed.client"):  # what they say is said in our own words
        logging.getLogger(name).setLevel(logging.CRITICAL)
    is_file = "://" not in address and address.endswith(".json")
    if is_file and not Path(address).is_file():
        raise WorkerError(
            f"--scheduler {address}: there is no such file yet; dask scheduler --scheduler-file "
            "writes it"
        )
    where = {"scheduler_file": address} if is_file else {"address": address}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions, which are compared where they matter
            return Client(**where, timeout=seconds, set_as_default=False, name="kc")
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"--scheduler {address}: expected an address such as tcp://127.0.0.1:8786, or a "
            f"scheduler's file; {_line(error)}"
        ) from None
    except OSError as error:  # also of time that ran out
        raise WorkerError(
            f"--scheduler {address}: no Dask scheduler answers there within {seconds:.0f} s "
            f"({_line(error)}); see that dask scheduler runs, and that this machine may reach it"
        ) from None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
