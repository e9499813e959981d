"""Models of distances and penalties: the target's unit does not matter, and rows have a limit."""

import numpy as np
import pandas as pd
import pytest
from test_models import N, make, toy

from pipeline.errors import ModelError

REGRESSORS = ("lasso", "elastic_net", "kernel_ridge", "svm", "knn", "gaussian_process")
LIMITED = ("kernel_ridge", "svm", "gaussian_process")


@pytest.mark.parametrize("name", REGRESSORS)
def test_the_unit_of_the_target_does_not_matter(name: str) -> None:
    data = toy("regression")
    one = make(name, "regression").fit(data.X, data.y).predict(data.X)
    other = make(name, "regression").fit(data.X, 1e4 * data.y - 7).predict(data.X)
    np.testing.assert_allclose(other, 1e4 * one - 7, rtol=1e-4)


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_target_that_never_changes_is_predicted_as_it_is(name: str) -> None:
    X = toy("regression").X
    model = make(name, "regression").fit(X, pd.Series(5.0, index=X.index))
    np.testing.assert_allclose(model.predict(X), 5.0)


@pytest.mark.parametrize("task", ["regression", "binary"])
@pytest.mark.parametrize("name", LIMITED)
def test_more_rows_than_it_can_bear_are_refused_in_one_line(name: str, task: str) -> None:
    if (name, task) == ("kernel_ridge", "binary"):
        task = "two targets"
    data = toy(task)
    with pytest.raises(ModelError) as caught:
        make(name, task, max_rows=N - 1).fit(data.X, data.y)
    assert str(caught.value) == (
        "expected at most 119 training rows, found 120; choose another model, or declare a larger "
        "max_rows"
    )
    make(name, task, max_rows=N).fit(data.X, data.y)


def test_every_limit_is_a_sensible_number() -> None:
    assert {name: make(name, "regression").max_rows for name in LIMITED} == {
        "kernel_ridge": 10_000,
        "svm": 10_000,
        "gaussian_process": 3000,
    }
    assert make("gaussian_process", "binary").max_rows == 1000


def test_the_process_learns_how_noisy_the_rows_are() -> None:
    data, rng = toy("regression"), np.random.default_rng(3)
    chance = rng.normal(0, 1, N)
    learn = {"optimizer": "fmin_l_bfgs_b"}
    quiet, loud = (
        make("gaussian_process", "regression", **learn).fit(data.X, data.y + size * chance)
        for size in (10, 100)
    )
    noise = [model.models_[0].kernel_.k2.noise_level for model in (quiet, loud)]
    share = np.var(100 * chance) / np.var(data.y + 100 * chance)
    assert noise[0] < 0.05
    assert noise[1] == pytest.approx(share, rel=0.3)


def test_probabilities_of_the_svm_are_calibrated_on_rows_it_was_not_fitted_on() -> None:
    data, rng = toy("binary", n=400), np.random.default_rng(4)
    coin = pd.Series(np.where(rng.random(400) < 0.5, "a", "b"))  # nothing to be learned
    p = make("svm", "binary", C=100.0).fit(data.X, coin).predict_proba(data.X)[:, 1]
    assert np.abs(p - 0.5).max() < 0.2  # its own rows it would be sure of


def test_a_class_of_one_row_is_named() -> None:
    data = toy("multiclass")
    y = data.y.copy()
    y.iloc[0] = "alone"
    with pytest.raises(ModelError) as caught:
        make("svm", "multiclass").fit(data.X, y)
    assert str(caught.value) == (
        "y: expected two rows of every class, which probabilities need; class 'alone' has one"
    )
    for name in ("svm", "knn", "gaussian_process"):
        with pytest.raises(ModelError, match=r"^y: expected at least two classes, found only 'b'$"):
            make(name, "binary").fit(data.X, pd.Series(["b"] * N))


def test_a_penalty_that_is_not_declared_falls_with_the_root_of_the_rows() -> None:
    few, many = toy("regression", n=100), toy("regression", n=400)
    alphas = [make("lasso", "regression").fit(d.X, d.y).models_[0].alpha for d in (few, many)]
    assert alphas[0] == pytest.approx(2 * alphas[1])
    fixed = make("lasso", "regression", alpha=0.5).fit(few.X, few.y)
    assert fixed.models_[0].alpha == 0.5
