"""Measure networks trained together beside a plain loop of model.fit over folds and seeds.

Both train the `dnn` of a competition's size, on the same rows, with the same batches and epochs,
and look at the held-out rows after each epoch. They take turns, so that a busy moment of the
machine meets both. Exits with 1 if a ratio is below its limit, or memory above it.

    python bench/replicas.py            # rates, whole commands and memory
    python bench/replicas.py rates      # one of them
"""

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

N_SEEDS = 4
LEARNING_RATE = 4e-4
N_TURNS = 5
EPOCHS = 60  # about what early stopping leaves of those declared

WHOLE_TURNS = 3
MEMORY_LIMIT = 1.5  # GiB


@dataclass(frozen=True)
class Size:
    """A competition's table, and its declared dnn: columns are those after encoding."""

    rows: int
    columns: int
    folds: int
    batch: int
    units: tuple[int, ...]
    limit: float  # of the ratio of model-epochs a second


SIZES = {
    "ddarung": Size(1_459, 39, 5, 32, (128, 64, 32), 25.0),
    "bike": Size(10_886, 130, 6, 256, (128, 64), 8.0),
}
WHOLE_LIMIT = 8.0


def folds(size: Size) -> list[tuple[Any, Any, Any]]:
    """Return each fold's rows to learn from, X and y, and the positions of those held out."""
    import numpy as np

    rng = np.random.default_rng(0)
    X = rng.normal(size=(size.rows, size.columns)).astype("float32")
    y = X[:, 0] - X[:, 1] ** 2 + rng.normal(size=size.rows)
    made = []
    for number in range(size.folds):
        seen = np.arange(size.rows) % size.folds != number
        made.append((X[seen], y[seen], np.arange(0, seen.sum(), 10)))
    return made


def plain(size: Size, epochs: int, n_models: int) -> list[float]:
    """Train models one by one; return the seconds of each of their epochs but the first."""
    import keras
    import numpy as np

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            ends.append(time.perf_counter())

    seconds: list[float] = []
    units = [(fold, seed) for fold in folds(size) for seed in range(N_SEEDS)]
    for (X, y, holdout), seed in units[:n_models]:
        keras.utils.set_random_seed(seed)
        scaled = (y - y.mean()) / y.std()
        seen = np.setdiff1d(np.arange(len(y)), holdout)
        layers = [keras.Input((X.shape[1],))]
        for n in size.units:
            layers += [keras.layers.Dense(n, "relu"), keras.layers.Dropout(0.1)]
        model = keras.Sequential([*layers, keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(LEARNING_RATE), "mse")
        ends: list[float] = []
        valid = (X[holdout], scaled[holdout])
        model.fit(
            X[seen], scaled[seen], batch_size=size.batch, epochs=epochs, validation_data=valid,
            callbacks=[Clock()], verbose=0,
        )  # fmt: skip
        seconds += [b - a for a, b in itertools.pairwise(ends)]
    return seconds


def together(size: Size, epochs: int) -> float:
    """Train all folds and seeds at once; return the seconds a model-epoch, all included."""
    from pipeline.models import KerasRegressor
    from pipeline.models.estimators import Rows

    made = folds(size)
    settings = {"network_parameters": {"units": size.units}, "learning_rate": LEARNING_RATE}
    estimators = [
        KerasRegressor(
            epochs=epochs, batch_size=size.batch, patience=epochs, n_seeds=N_SEEDS, **settings
        )
        for _ in made
    ]
    started = time.perf_counter()
    KerasRegressor.fit_together(estimators, [Rows(*fold) for fold in made])
    return (time.perf_counter() - started) / (epochs * size.folds * N_SEEDS)


def rates() -> bool:
    """Print the ratio of model-epochs a second once all is compiled; tell if it is enough."""
    enough = True
    for name, size in SIZES.items():
        plain(size, 2, 1)
        together(size, EPOCHS)
        turns = []
        for _ in range(N_TURNS):
            alone = statistics.median(plain(size, 8, 1))
            turns.append((alone, together(size, EPOCHS)))
        ratio = statistics.median(a / b for a, b in turns)
        alone, shared = (statistics.median(values) * 1000 for values in zip(*turns, strict=True))
        print(
            f"{name:<8} {size.folds} folds x {N_SEEDS} seeds, batch {size.batch}: model.fit "
            f"{alone:.1f} ms a model-epoch, together {shared:.2f} ms, ratio {ratio:.1f} "
            f"(at least {size.limit:g}; median of {N_TURNS})",
            flush=True,
        )
        enough &= ratio >= size.limit
    return enough


def convolution(inputs: Any, n_outputs: int, *, filters: int = 16) -> Any:
    """Slide over a row's columns; a convolution has no rule for replicas."""
    from keras import layers

    x = layers.Conv1D(filters, 3, activation="relu")(layers.Reshape((-1, 1))(inputs))
    return layers.Dense(n_outputs)(layers.Flatten()(x))


def one_by_one(epochs: int = 8) -> bool:
    """Print what model.fit gains by an epoch a call and ready-made batches; tell if it gains."""
    import keras
    import numpy as np

    from pipeline.models.epochs import train
    from pipeline.models.learning import Recipe
    from pipeline.models.replicas import Task

    X, y, holdout = folds(SIZES["ddarung"])[0]
    y = y.astype("float32").reshape(-1, 1)
    seen = np.setdiff1d(np.arange(len(y)), holdout)
    recipe = Recipe(
        loss="squared_error", epochs=epochs, batch_size=32, learning_rate=LEARNING_RATE,
        patience=epochs,
    )  # fmt: skip

    def built() -> Any:
        inputs = keras.Input((X.shape[1],))
        return keras.Model(inputs, convolution(inputs, 1))

    def plainly() -> None:
        model = built()
        model.compile(keras.optimizers.Adam(LEARNING_RATE), "mse")
        valid = (X[holdout], y[holdout])
        model.fit(X[seen], y[seen], batch_size=32, epochs=epochs, validation_data=valid, verbose=0)

    def ours() -> None:
        train(lambda task, seed: built(), [Task(X, y, holdout, (1,))], recipe)

    turns = [(_timed(plainly), _timed(ours)) for _ in range(N_TURNS + 1)][1:]
    ratio = statistics.median(a / b for a, b in turns)
    alone, batched = (statistics.median(v) / epochs * 1000 for v in zip(*turns, strict=True))
    print(
        f"conv1d   one network, {epochs} epochs with their tracing: model.fit as it is "
        f"{alone:.1f} ms an epoch, as used here {batched:.1f} ms, ratio {ratio:.2f} (at least 1)"
    )
    return ratio >= 1


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def whole() -> bool:
    """Print the ratio of whole commands, imports and compilation included; tell if it is enough."""
    size = SIZES["ddarung"]
    n_models = size.folds * N_SEEDS
    turns = [
        (_seconds("plain", EPOCHS, n_models), _seconds("together", EPOCHS, n_models))
        for _ in range(WHOLE_TURNS)
    ]
    ratio = statistics.median(a / b for a, b in turns)
    alone, shared = (statistics.median(values) for values in zip(*turns, strict=True))
    print(
        f"ddarung  whole command, {EPOCHS} epochs: model.fit {alone:.1f} s, together "
        f"{shared:.1f} s, ratio {ratio:.1f} (at least {WHOLE_LIMIT:g}; median of {WHOLE_TURNS})"
    )
    return ratio >= WHOLE_LIMIT


def memory() -> bool:
    """Print the peak memory of 8 folds x 4 seeds on 10,886 x 20; tell if it is little enough."""
    enough = True
    for model in ("dnn", "realmlp"):
        peak = _run(f"memory-{model}", 3, 0)["gib"]
        print(f"memory   {model}, 8 folds x 4 seeds, 10,886 x 20: peak {peak:.2f} GiB "
              f"(at most {MEMORY_LIMIT})")  # fmt: skip
        enough &= peak <= MEMORY_LIMIT
    return enough


def _seconds(side: str, epochs: int, n_models: int) -> float:
    started = time.perf_counter()
    _run(side, epochs, n_models)
    return time.perf_counter() - started


def _run(side: str, epochs: int, n_models: int) -> dict[str, float]:
    """Run one side in a process of its own."""
    command = [sys.executable, __file__, "--side", side, str(epochs), str(n_models)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _side(side: str, epochs: int, n_models: int) -> None:
    """Do one side's work in this process, and print its peak memory."""
    size = SIZES["ddarung"]
    if side == "plain":
        plain(size, epochs, n_models)
    elif side == "together":
        together(size, epochs)
    else:
        _fit_large(side.removeprefix("memory-"), epochs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"gib": peak}))


def _fit_large(model: str, epochs: int) -> None:
    from pipeline.models import KerasRegressor, RealMLPRegressor
    from pipeline.models.estimators import Rows

    made = folds(Size(10_886, 20, 8, 256, (256, 128), 0.0))
    cls = KerasRegressor if model == "dnn" else RealMLPRegressor
    estimators = [cls(epochs=epochs, batch_size=256, n_seeds=N_SEEDS) for _ in made]
    cls.fit_together(estimators, [Rows(*fold) for fold in made])


PARTS: dict[str, Callable[[], bool]] = {
    "rates": rates,
    "fit": one_by_one,
    "whole": whole,
    "memory": memory,
}


def main() -> int:
    """Print what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        side, epochs, n_models = asked.side
        _side(side, int(epochs), int(n_models))
        return 0
    outcomes = [PARTS[name]() for name in asked.parts or PARTS]
    return int(not all(outcomes))


if __name__ == "__main__":
    sys.exit(main())
