"""Seconds and memory by rows: 10,000 to 10,000,000 rows x 20 columns, beside a plain script.

    python bench/scale.py                       # all sizes, both sides; half an hour
    python bench/scale.py --rows 100000         # one of them, beside what was measured before
    python bench/scale.py --rows                # the table alone

The files are generated: ten numbers, of which four have gaps, five whole numbers, four columns of
text with 4 to 400 levels, a date, an id and a number to predict; the test file has a tenth of the
rows. The toolkit is run as its user would: kc fetch, clean, encode, scale, train and predict, each
a process of its own. The plain script is what pandas, scikit-learn, LightGBM and Keras are usually
written as, in one process a model. Folds, rounds, epochs, batches and layers are those of the
declaration below, the same for every size and both sides.

Memory is what a process and its children hold at its highest. What it is compared with the data by
is less what the same command holds for 100 rows, which is Python and the packages. The plain script
is left out of 10,000,000 rows, which it has no memory for. Results are kept in build/scale.json.
Exits with 1 if a limit is passed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KC = Path(sys.executable).parent / "kc"
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
EMPTY = 100  # rows at which a command holds little but Python and its packages
SEED, FOLDS, ROUNDS, EPOCHS, UNITS = 42, 2, 100, 4, (128, 64)
BATCH = 64  # what the toolkit takes if nobody says anything
RATE, LEAVES, PATIENCE = 0.1, 31, 50
LEVELS = {"c0": 4, "c1": 12, "c2": 40, "c3": 400}
MOST_LEVELS = 100  # columns that one text column becomes for a network
CHUNK = 250_000  # rows that are generated at once
MOST_PLAIN = 1_000_000  # rows that the plain script is run for
FROM_FILES = ("fetch", "train lightgbm", "train dnn")  # what does as much as the plain script
MOST_OF_DATA, MOST_GIB, SAME_COST = 2.5, 6.0, 1.3
TOML = f"""\
title = "Generated"
task = "regression"
metric = "rmse"

[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"

[columns]
id = "id"
target = "y"
datetime = ["day"]

[validation]
scheme = "kfold"
n_splits = {FOLDS}

[models.lightgbm]
n_estimators = {ROUNDS}
learning_rate = {RATE}
num_leaves = {LEAVES}
patience = {PATIENCE}

[models.dnn]
units = {list(UNITS)}
epochs = {EPOCHS}
"""


def generate(folder: Path, rows: int) -> None:
    """Write train.csv, test.csv and sample.csv of so many training rows."""
    import pyarrow as pa
    import pyarrow.csv

    folder.mkdir(parents=True, exist_ok=True)
    n_test = max(rows // 10, 10)
    for name, first, n, shown in (
        ("train.csv", 0, rows, lambda table: table),
        ("test.csv", rows, n_test, lambda table: table.drop_columns("y")),
        ("sample.csv", rows, n_test, lambda table: table.select(["id", "y"])),
    ):
        style = pa.csv.WriteOptions(include_header=True, quoting_style="none")
        with (folder / name).open("wb") as file:
            for start in range(0, n, CHUNK):
                table = shown(_rows(name, first + start, min(CHUNK, n - start)))
                pa.csv.write_csv(table, file, style)
                style = pa.csv.WriteOptions(include_header=False, quoting_style="none")


def _rows(name: str, first: int, n: int) -> Any:
    """Return n generated rows whose ids begin at first."""
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng([SEED, name != "train.csv", first])
    numbers = np.round(rng.normal(size=(n, 10)), 4)
    whole = rng.integers(0, [2, 10, 100, 1000, 100_000], size=(n, 5))
    levels = {c: np.minimum(rng.geometric(3 / k, n), k) for c, k in LEVELS.items()}
    days = rng.integers(0, 3000, n)
    y = numbers[:, 0] - numbers[:, 1] * numbers[:, 2] + np.sin(3 * numbers[:, 4])
    y += 0.01 * whole[:, 2] + np.sin(levels["c2"]) + np.cos(levels["c3"] / 7) + (days % 7 > 4)
    y = np.round(y + rng.normal(size=n), 4)
    columns: dict[str, Any] = {"id": np.arange(first, first + n)}
    columns["day"] = pa.array(np.datetime64("2015-01-01") + days).cast(pa.string())
    for i in range(10):
        gaps = rng.random(n) < 0.05 if i % 3 == 0 else np.zeros(n, bool)
        columns[f"x{i}"] = pa.array(numbers[:, i], mask=gaps)
    columns |= {f"n{i}": whole[:, i] for i in range(5)}
    for c, level in levels.items():
        names = pa.array([f"{c}_{k}" for k in range(LEVELS[c] + 1)])
        columns[c] = names.take(pa.array(level))
    columns["y"] = y if name != "sample.csv" else np.zeros(n, int)
    return pa.table(columns)


# The plain script


def plain(folder: Path, model: str) -> dict[str, float]:
    """Read, clean, encode, scale, train by folds, predict and hand in; return seconds of each."""
    import numpy as np
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.metrics import root_mean_squared_error
    from sklearn.model_selection import KFold, train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    took: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        took[name] = took.get(name, 0.0) + now - clock
        clock = now

    train, test = (pd.read_csv(folder / f"{n}.csv", parse_dates=["day"]) for n in ("train", "test"))
    lap("import")
    for frame in (train, test):
        day = frame.pop("day").dt
        for part in ("year", "month", "day", "day_of_week", "hour"):
            frame[f"day_{part}"] = getattr(day, part)
    y, X = train["y"], train.drop(columns=["id", "y"])
    text = list(LEVELS)
    numbers = [name for name in X if name not in text]
    if model == "lightgbm":
        codes: Any = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        steps = [("text", codes, text), ("numbers", "passthrough", numbers)]
    else:
        codes = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MOST_LEVELS, sparse_output=False
        )
        fill = SimpleImputer(strategy="median", add_indicator=True)
        scaled = make_pipeline(fill, StandardScaler())
        steps = [("text", codes, text), ("numbers", scaled, numbers)]
    lap("clean")
    answers, score = [], []
    for seen, valid in KFold(FOLDS, shuffle=True, random_state=SEED).split(X):
        prepare = ColumnTransformer(steps)
        fitted = prepare.fit_transform(X.iloc[seen])
        own, other = prepare.transform(X.iloc[valid]), prepare.transform(X=test[X.columns])
        lap("clean, encode, scale")
        parts = train_test_split(fitted, y.iloc[seen], test_size=0.1, random_state=SEED)
        predict = _plain_lightgbm(*parts) if model == "lightgbm" else _plain_dnn(*parts)
        lap("train")
        score.append(root_mean_squared_error(y.iloc[valid], predict(own)))
        answers.append(predict(other))
        lap("predict")
    handed_in = pd.DataFrame({"id": test["id"], "y": np.mean(answers, axis=0)})
    handed_in.to_csv(folder / f"plain-{model}.csv", index=False)
    lap("submission")
    return took | {"score": float(np.mean(score))}


def _plain_lightgbm(X: Any, X_valid: Any, y: Any, y_valid: Any) -> Any:
    import lightgbm

    model = lightgbm.LGBMRegressor(
        n_estimators=ROUNDS, learning_rate=RATE, num_leaves=LEAVES, min_child_samples=10,
        subsample=0.8, subsample_freq=1, colsample_bytree=0.8, random_state=SEED, verbose=-1,
    )  # fmt: skip
    early = lightgbm.early_stopping(PATIENCE, verbose=False)
    model.fit(X, y, eval_X=X_valid, eval_y=y_valid, callbacks=[early])
    return model.predict


def _plain_dnn(X: Any, X_valid: Any, y: Any, y_valid: Any) -> Any:
    import keras

    keras.utils.set_random_seed(SEED)
    hidden = [
        layer
        for units in UNITS
        for layer in (keras.layers.Dense(units, "relu"), keras.layers.Dropout(0.1))
    ]
    model = keras.Sequential([*hidden, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(4e-4), "mse")
    center, spread = y.mean(), y.std()
    model.fit(
        X.astype("float32"),
        ((y - center) / spread).to_numpy("float32"),
        validation_data=(
            X_valid.astype("float32"),
            ((y_valid - center) / spread).to_numpy("float32"),
        ),
        batch_size=BATCH,
        epochs=EPOCHS,
        callbacks=[keras.callbacks.EarlyStopping(patience=20, restore_best_weights=True)],
        verbose=0,
    )

    def predict(rows: Any) -> Any:
        said = model.predict(rows.astype("float32"), batch_size=8192, verbose=0)
        return said[:, 0] * spread + center

    return predict


def in_memory(folder: Path) -> int:
    """Return the bytes that train and test take in memory, as pandas reads them."""
    import pandas as pd

    frames = (pd.read_csv(folder / f"{n}.csv", parse_dates=["day"]) for n in ("train", "test"))
    return sum(int(frame.memory_usage(deep=True).sum()) for frame in frames)


# Processes


@dataclass(frozen=True)
class Took:
    """What a process took: its seconds, and the most that it and its children held, in MiB."""

    seconds: float
    mib: float
    said: str


def run(*command: str | Path) -> Took:
    """Run a command alone, and return what it took.

    Raises SystemExit with what it said if it fails.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([str(one) for one in command], stdout=said, stderr=said)
        family = [0.0]
        watcher = threading.Thread(target=_watch, args=(process.pid, family), daemon=True)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: exit {process.returncode}\n{text}")
    return Took(seconds, max(usage.ru_maxrss / 1024, family[0]), text)


def _watch(pid: int, most: list[float]) -> None:
    """Keep the most that a process and its children hold together, shared pages counted once."""
    while Path(f"/proc/{pid}").exists():
        family = [pid, *_children(pid)]
        if len(family) > 1:
            most[0] = max(most[0], sum(map(_proportional, family)))
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    try:
        own = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [one for child in map(int, own) for one in (child, *_children(child))]


def _proportional(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next(float(one.split()[1]) for one in lines if one.startswith("Pss:")) / 1024


def kc_side(folder: Path) -> dict[str, Took]:
    """Run the toolkit's commands on a folder's files, and return what each took."""
    home = folder / "workspace"
    declared = home / "competitions" / "big"
    declared.mkdir(parents=True)
    (declared / "competition.toml").write_text(TOML)
    at, test = (KC, "--workspace", home), folder / "files" / "test.csv"
    commands = {
        "fetch": ("fetch", "big", "--from", folder / "files"),
        "clean": ("clean", "big", "--model", "lightgbm"),
        "encode": ("encode", "big", "--model", "lightgbm"),
        "scale": ("scale", "big", "--model", "lightgbm"),
        "train lightgbm": ("train", "big", "--model", "lightgbm"),
        "predict lightgbm": ("predict", "big", "--input", test, "--output", folder / "said.csv"),
        "train dnn": ("train", "big", "--model", "dnn"),
        "predict dnn": ("predict", "big", "--input", test, "--output", folder / "said.csv"),
    }
    return {name: run(*at, *arguments) for name, arguments in commands.items()}


def plain_side(folder: Path) -> dict[str, Took]:
    """Run the plain script once a model, and return what each took."""
    me = (sys.executable, __file__, "plain", folder / "files")
    return {f"plain {model}": run(*me, model) for model in ("lightgbm", "dnn")}


def measure(rows: int, scratch: Path) -> dict[str, Any]:
    """Return what each command took for so many rows, and the size of the data in memory."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        me = (sys.executable, __file__)
        run(*me, "generate", folder / "files", str(rows))
        data = int(run(*me, "size", folder / "files").said)
        took = kc_side(folder)
        if rows <= MOST_PLAIN:
            took |= plain_side(folder)
    found = {name: [round(one.seconds, 2), round(one.mib)] for name, one in took.items()}
    return {"data": round(data / 2**20, 1), "took": found}


def table(results: dict[int, Any]) -> list[str]:
    """Return what was measured as the lines of a table in Markdown."""
    sizes = sorted(size for size in results if size != EMPTY)
    heads = [f"{size:,} rows" for size in sizes]
    lines = ["| seconds, MiB | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(sizes)]
    names = dict.fromkeys(name for size in sizes for name in results[size]["took"])
    for name in names:
        cells = (results[size]["took"].get(name) for size in sizes)
        shown = (f"{one[0]:.1f}, {one[1]:,}" if one else "" for one in cells)
        lines.append(f"| `{name}` | " + " | ".join(shown) + " |")
    data = (f"{results[size]['data']:,.0f}" for size in sizes)
    return [*lines, "| the data in memory, MiB | " + " | ".join(data) + " |"]


def verdicts(results: dict[int, Any]) -> list[tuple[str, float, float]]:
    """Return what is asked for, as it was found, and what it may be at most."""
    found: list[tuple[str, float, float]] = []
    small, large, largest = (results.get(size) for size in SIZES[1:])
    for size, one, limit in ((SIZES[1], small, 1.0), (SIZES[2], large, 0.5)):
        if one:
            ours = sum(one["took"][name][0] for name in FROM_FILES)
            plain = sum(one["took"][f"plain {model}"][0] for model in ("lightgbm", "dnn"))
            found.append((f"{size:,} rows: seconds of the plain script's", ours / plain, limit))
    if large and EMPTY in results:
        for name, (_, mib) in large["took"].items():
            above = (mib - results[EMPTY]["took"][name][1]) / large["data"]
            limit = MOST_OF_DATA if "plain" not in name else float("inf")
            found.append((f"{SIZES[2]:,} rows, {name}: memory of the data's", above, limit))
    if largest:
        most = max(mib for _, mib in largest["took"].values()) / 1024
        found.append((f"{SIZES[3]:,} rows: GiB", most, MOST_GIB))
        for name, (seconds, _) in largest["took"].items() if small else ():
            ratio = seconds / SIZES[3] / (small["took"][name][0] / SIZES[1])
            found.append((f"{name}: a row's cost, of that of {SIZES[1]:,}", ratio, SAME_COST))
    return found


def _inner(arguments: list[str]) -> bool:
    """Do what a process of its own is begun for, and tell whether there was anything."""
    kind, *rest = arguments or [""]
    if kind == "generate":
        generate(Path(rest[0]), int(rest[1]))
    elif kind == "size":
        print(in_memory(Path(rest[0])))
    elif kind == "plain":
        print(json.dumps(plain(Path(rest[0]), rest[1])))
    return kind in ("generate", "size", "plain")


def main() -> int:
    """Measure what is asked for, and print all that is known."""
    parser = argparse.ArgumentParser(description="Seconds and memory by rows.")
    parser.add_argument("--rows", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--scratch", type=Path, default=Path("build"))
    given = parser.parse_args()
    given.scratch.mkdir(exist_ok=True)
    kept = given.scratch / "scale.json"
    results = {int(k): v for k, v in json.loads(kept.read_text()).items()} if kept.exists() else {}
    for rows in [EMPTY, *given.rows] if given.rows else []:
        results[rows] = measure(rows, given.scratch)
        kept.write_text(json.dumps(results, indent=1))
        print(f"{rows:,}: {json.dumps(results[rows])}", file=sys.stderr, flush=True)
    print("\n".join(table(results)))
    found = verdicts(results)
    print("\n".join(f"{what}: {value:.2f} (at most {limit:g})" for what, value, limit in found))
    return int(any(value > limit for _, value, limit in found))


if __name__ == "__main__":
    sys.exit(0 if _inner(sys.argv[1:]) else main())
