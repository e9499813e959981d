"""Keras on TensorFlow: loaded quietly, seeded without side effects, models as bytes."""

import contextlib
import importlib
import logging
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.devices import settle
from pipeline.errors import ModelError

# Imported before a model is loaded, which may have layers of theirs.
OWN_LAYERS = tuple(
    f"pipeline.models.{name}" for name in ("augmentation", "layers", "embeddings", "members")
)


def load_keras() -> Any:
    """Import Keras on TensorFlow, without the lines that TensorFlow's libraries print on loading.

    Raises ModelError if Keras runs on another backend already.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with _quiet_libraries():
            importlib.import_module("keras")
        # It warns of retracing when several models are fitted: each rightly traces its own graph.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    keras = sys.modules["keras"]
    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            f"Keras: expected the backend 'tensorflow', found {keras.backend.backend()!r}; "
            "set KERAS_BACKEND=tensorflow before Keras is imported"
        )
    _settle()
    return keras


@lru_cache(maxsize=1)
def _settle() -> None:
    settle()


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Discard what is written to file descriptor 2; no log level reaches those first lines."""
    sys.stderr.flush()
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let the seeds of weights and dropouts follow from seed, and nobody else notice.

    Keras draws them from Python's generator while layers are built.
    """
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def model_to_bytes(model: Any) -> bytes:
    """Return a Keras model as the content of a .keras file."""
    if model.compiled and not model.optimizer.built:  # or it could not be loaded again
        model.optimizer.build(model.trainable_variables)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def model_from_bytes(content: bytes) -> Any:
    """Return the compiled Keras model that model_to_bytes was given.

    Raises ValueError if it has a layer that is code of its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content)
        keras = load_keras()
        for module in OWN_LAYERS:
            importlib.import_module(module)
        return keras.models.load_model(path, safe_mode=True)
