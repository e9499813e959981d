"""A line that goes on where trees stop."""

import numpy as np
import pytest

from pipeline.errors import ModelError
from pipeline.models.forests import make_extra_trees
from pipeline.models.trend import make_trend_forest

X = np.linspace(0, 10, 60).reshape(-1, 1)
STEP = 5.0 * (X[:, 0] > 5)
BEYOND = np.array([[20.0]])


def test_beyond_the_fitted_rows_the_line_goes_on_where_trees_stop() -> None:
    y = 2 * X[:, 0] + STEP
    trees = make_extra_trees("regression", 0, n_jobs=1).fit(X, y)
    made = make_trend_forest("regression", 0, n_jobs=1, alpha=1e-6).fit(X, y)
    slope = float(made.trend_.coef_[0])
    assert trees.predict(BEYOND)[0] == pytest.approx(25.0)  # the most that it has seen
    last = made.predict(X[-1:])[0]
    assert made.predict(BEYOND)[0] == pytest.approx(last + 10 * slope)
    assert slope > 2


def test_trees_learn_what_the_line_leaves() -> None:
    y = 2 * X[:, 0] + STEP
    made = make_trend_forest("regression", 0, n_jobs=1, min_samples_leaf=1).fit(X, y)
    assert np.abs(made.predict(X) - y).max() < 1e-6
    assert np.abs(made.trend_.predict(X) - y).max() > 1


def test_a_parameter_of_neither_is_refused() -> None:
    with pytest.raises(ModelError, match="unknown parameter 'n_estimator'; did you mean 'n_est"):
        make_trend_forest("regression", 0, n_estimator=3)
