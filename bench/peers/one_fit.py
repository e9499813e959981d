"""One fit of one estimator in a process of its own; `tabular_nets.py` starts it.

    python one_fit.py FOLDER

FOLDER holds the rows (see tables.py) and fit.json, which names the estimator; predictions.npy and
outcome.json are written beside them. Runs in the environment of either side, so it imports neither
the project nor the reference by name.
"""

import importlib
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def main(folder: Path) -> None:
    wish = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
    X, X_test = frame(folder, "fit"), frame(folder, "test")
    answers = np.load(folder / "answers.npz")
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    estimator = getattr(importlib.import_module(wish["module"]), wish["estimator"])
    for name in wish["warm"]:  # what the estimator would import while it is timed
        importlib.import_module(name)
    imported = time.perf_counter()
    model = estimator(**wish["parameters"])
    model.fit(X, answers["y"], **{wish["valid_rows"]: answers["valid"]})
    fitted = time.perf_counter()
    predict = model.predict if wish["task"] == "regression" else model.predict_proba
    prediction = np.asarray(predict(X_test), dtype=float)
    done = time.perf_counter()
    np.save(folder / "predictions.npy", prediction)
    outcome: dict[str, Any] = {
        "import_seconds": imported - started,
        "fit_seconds": fitted - imported,
        "predict_seconds": done - fitted,
    }
    (folder / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


def frame(folder: Path, part: str) -> pd.DataFrame:
    """Return the rows as a frame of numbers and text."""
    columns = json.loads((folder / "columns.json").read_text(encoding="utf-8"))
    arrays = np.load(folder / f"{part}.npz")
    numbers = pd.DataFrame(arrays["numbers"], columns=columns["numbers"])
    text = pd.DataFrame(arrays["text"].astype(object), columns=columns["text"]).astype("str")
    return pd.concat([numbers, text], axis="columns")[columns["order"]]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
