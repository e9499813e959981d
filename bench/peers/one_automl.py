"""One peer on one contest, in the peer's own environment; `automl.py` starts it.

    python one_automl.py FOLDER

FOLDER holds train.csv, test.csv and wish.json; submission.csv and outcome.json are written beside
them. The peers get the table as their users would give it: without the id, dates read as dates,
and the hour beside them.
Imports nothing of the project.
"""

import importlib.metadata
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

CORES = 2
Answers = tuple[Any, list[Any] | None]  # of the test rows, and the classes that columns stand for


class Wish:
    """What is asked for: wish.json, and its two tables as frames."""

    def __init__(self, folder: Path) -> None:
        self.__dict__.update(json.loads((folder / "wish.json").read_text(encoding="utf-8")))
        self.folder = folder
        self.ids = pd.read_csv(folder / "test.csv", dtype=str, keep_default_na=False)[self.id]
        self.train, self.test = self._frame("train.csv"), self._frame("test.csv")
        self.is_regression = self.task == "regression"
        # The squared error of logarithms is what rmsle is; no peer offers it by that name.
        self.on_logarithms = self.metric == "rmsle"
        if self.on_logarithms:
            self.train[self.target] = np.log1p(self.train[self.target].astype(float))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"wish.json has no {name!r}")

    def _frame(self, name: str) -> pd.DataFrame:
        frame = pd.read_csv(self.folder / name)
        for column in self.dates:
            frame[column] = pd.to_datetime(frame[column])
            frame[f"{column} hour"] = frame[column].dt.hour  # which AutoGluon does not look for
        unseen = [] if self.id_says_something else [self.id]
        only_train = [c for c in self.unknown_in_test if c in frame]
        return frame.drop(columns=[*unseen, *only_train])

    def wants_probability(self) -> bool:
        """Tell whether probabilities are handed in."""
        return bool(self.answer == "probability")


def autogluon(wish: Wish) -> Callable[[], Answers]:
    from autogluon.tabular import TabularPredictor

    metrics = {
        "rmse": "root_mean_squared_error",
        "rmsle": "root_mean_squared_error",
        "mae": "mean_absolute_error",
    }
    predictor = TabularPredictor(
        label=wish.target,
        eval_metric=metrics.get(wish.metric, wish.metric),
        problem_type=wish.task,
        path=str(wish.folder / "model"),
        verbosity=2,
    ).fit(
        wish.train,
        presets="best_quality",
        time_limit=wish.seconds,
        num_cpus=CORES,
        num_gpus=0,
        # On two cores Ray's workers cost more than they bring: with them, 60 s on ddarung sufficed
        # for 3 models and an error of 35.10, without for 7 and 34.43.
        ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
        ds_args={"memory_safe_fits": False, "enable_ray_logging": False},
    )
    wish.models = len(predictor.model_names())

    def answer() -> Answers:
        if wish.wants_probability():
            found = predictor.predict_proba(wish.test)
            return found.to_numpy(), list(found.columns)
        return predictor.predict(wish.test).to_numpy(), None

    return answer


def flaml(wish: Wish) -> Callable[[], Answers]:
    from flaml import AutoML

    metrics = {"rmsle": "rmse", "f1_macro": "macro_f1"}
    automl = AutoML()
    automl.fit(
        X_train=wish.train.drop(columns=wish.target),
        y_train=wish.train[wish.target],
        task="regression" if wish.is_regression else "classification",
        metric=metrics.get(wish.metric, wish.metric),
        time_budget=wish.seconds,
        n_jobs=CORES,
        seed=0,
        verbose=1,
    )

    def answer() -> Answers:
        if wish.wants_probability():
            return automl.predict_proba(wish.test), list(automl.classes_)
        return automl.predict(wish.test), None

    return answer


def mljar(wish: Wish) -> Callable[[], Answers]:
    from supervised.automl import AutoML

    metrics = {"rmsle": "rmse", "log_loss": "logloss", "roc_auc": "auc", "f1_macro": "f1"}
    tasks = {"binary": "binary_classification", "multiclass": "multiclass_classification"}
    automl = AutoML(
        results_path=str(wish.folder / "model"),
        mode="Compete",
        total_time_limit=round(wish.seconds),
        ml_task=tasks.get(wish.task, wish.task),
        eval_metric=metrics.get(wish.metric, wish.metric),
        n_jobs=CORES,
        random_state=0,
        verbose=0,
    )
    automl.fit(wish.train.drop(columns=wish.target), wish.train[wish.target])

    def answer() -> Answers:
        if wish.wants_probability():
            return automl.predict_proba(wish.test), sorted(wish.train[wish.target].unique())
        return automl.predict(wish.test), None

    return answer


PEERS = {"autogluon": autogluon, "flaml": flaml, "mljar": mljar}
PACKAGES = {"autogluon": "autogluon.tabular", "flaml": "flaml", "mljar": "mljar-supervised"}


def submission(wish: Wish, answers: Answers) -> pd.DataFrame:
    """Return what is handed in."""
    found, classes = answers
    table = pd.DataFrame({wish.id: wish.ids})
    if classes is None:
        values = np.asarray(found).ravel()
        table[wish.target] = np.maximum(np.expm1(values), 0) if wish.on_logarithms else values
        return table
    by_class = dict(zip(map(str, classes), np.asarray(found).T, strict=True))
    if len(wish.asked) == 1:
        return table.assign(**{wish.target: by_class[wish.labels[-1]]})
    return table.assign(**{name: by_class[name] for name in wish.asked})


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    wish = Wish(folder)
    started = time.perf_counter()
    answer = PEERS[wish.peer](wish)
    fitted = time.perf_counter()
    table = submission(wish, answer())
    done = time.perf_counter()
    table.to_csv(folder / "submission.csv", index=False)
    outcome = {
        "version": importlib.metadata.version(PACKAGES[wish.peer]),
        "fit_seconds": fitted - started,  # the peer's import among them
        "predict_seconds": done - fitted,
        "models": wish.__dict__.get("models"),
    }
    (folder / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
