"""The same bytes on any number of threads, of every model that uses more than one."""

import importlib
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from pipeline.competition import ModelChoice
from pipeline.machine import one_thread_a_product
from pipeline.models import forests, make_model

boosting = importlib.import_module("pipeline.models.boosting")  # the name is a function's there too
SETTINGS: dict[str, dict[str, Any]] = {
    "random_forest": {"n_estimators": 7},
    "extra_trees": {"n_estimators": 7},
    "lightgbm": {"n_estimators": 12},
    "catboost": {"n_estimators": 12},
    "xgboost": {"n_estimators": 12},
    "hist_gradient_boosting": {"max_iter": 12},
}
THREADS = {"catboost": "thread_count", "hist_gradient_boosting": None}


def rows(task: str) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 5))
    y = 3 * X[:, 0] + np.sin(2 * X[:, 1]) + rng.normal(size=len(X))
    labels = np.digitize(y, [-1.0, 1.0][: 1 if task == "binary" else 2])
    return pd.DataFrame(X, columns=list("abcde")), y if task == "regression" else labels


def fitted(model: str, task: Any, threads: int) -> Any:
    if model == "xgboost":
        pytest.importorskip("xgboost")
    name = THREADS.get(model, "n_jobs")
    told = {} if name is None else {name: threads}
    made = make_model(
        ModelChoice(label=model, kind=model, parameters=SETTINGS[model] | told), task, seed=1
    )
    with threadpool_limits(threads):
        return made.fit(*rows(task))


def answers(model: Any, task: str) -> bytes:
    X, _ = rows(task)
    said = model.predict(X) if task == "regression" else model.predict_proba(X)
    return np.asarray(said).tobytes()


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("model", SETTINGS)
def test_trees_are_the_same_bytes_on_one_thread_and_on_two(
    model: str, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.models.rounds.MANY_CELLS", 0)  # however few they are
    monkeypatch.setattr(forests, "FEW_ANSWERS", 0)
    monkeypatch.setattr(boosting, "FEW_ANSWERS", 0)
    said = []
    for threads in (1, 2):
        monkeypatch.setattr(boosting, "cores", lambda threads=threads: threads)
        said.append(answers(fitted(model, task, threads), task))
    assert said[0] == said[1]


def test_a_forest_answers_on_many_threads_as_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted("random_forest", "regression", 1)
    expected = answers(model, "regression")
    monkeypatch.setattr(forests, "FEW_ANSWERS", 0)
    for threads in (2, 3, 7):
        model.n_jobs = threads
        assert answers(model, "regression") == expected
        assert model.n_jobs == threads
    model.n_jobs = 64
    X, _ = rows("regression")
    assert len(model.predict(X[:3])) == 3  # fewer rows than threads


def test_products_are_on_one_thread_while_a_model_is_trained() -> None:
    from threadpoolctl import threadpool_info

    with threadpool_limits(2, "blas"), one_thread_a_product():
        counts = [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]
    assert set(counts) == {1}
