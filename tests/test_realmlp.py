"""RealMLP: how it begins, how it learns, and that it is an estimator like others."""

import io
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from pipeline.errors import ModelError
from pipeline.models import RealMLPClassifier, RealMLPRegressor
from pipeline.models.backend import load_keras
from pipeline.models.estimators import Rows
from pipeline.models.realmlp import batch_size_for, fit_first_weights, make_realmlp
from pipeline.models.replicas import Task

pytestmark = pytest.mark.slow
QUICK: dict[str, Any] = {"units": (16, 16), "epochs": 24}


def table(n: int = 160, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Return numbers with a gap, few levels and many; the target is made of all of them."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"size": rng.normal(size=n), "age": rng.uniform(0, 90, n)})
    X["kind"] = rng.choice(["x", "y", "z"], n)
    X["street"] = rng.choice([f"street {i}" for i in range(12)], n)
    y = 1000 + 50 * X["size"] + X["age"] + 40 * (X["kind"] == "x")
    X.loc[3, "age"] = np.nan
    return X, y.rename("y")


def untrained(model: Any, X: pd.DataFrame, y: pd.Series) -> tuple[Any, np.ndarray]:
    """Return a network before its first step, and the columns of its rows."""
    task = model._task(Rows(X, y, np.arange(0, len(X), 10)))
    return model._build(task, 5), task.x


@pytest.mark.parametrize("cls", [RealMLPRegressor, RealMLPClassifier])
def test_every_unit_begins_with_unit_variance_and_a_bias_of_its_rows(cls: Any) -> None:
    X, y = table(400)
    net, x = untrained(cls(units=(32, 32)), X, y if cls is RealMLPRegressor else y > y.mean())
    seen = np.delete(x, np.arange(0, 400, 10), axis=0)
    keras = load_keras()
    values: Any = seen
    for layer in net.layers[1:]:
        if type(layer).__name__ == "NTKDense":
            sums = np.asarray(values) @ layer.kernel.numpy() * layer.shrink.numpy()
            assert sums.std(axis=0) == pytest.approx(1, abs=1e-3)
            bias = layer.bias.numpy()
            assert ((-bias >= sums.min(axis=0)) & (-bias <= sums.max(axis=0))).all()
            assert np.unique(bias).size == bias.size
        values = layer(values)
    assert isinstance(net, keras.Model)


def test_the_first_weights_follow_from_training_rows_and_the_seed_only() -> None:
    X, y = table()
    model = RealMLPRegressor(**QUICK)
    first, x = untrained(model, X, y)
    other, _ = untrained(
        RealMLPRegressor(**QUICK), X.assign(size=X["size"].where(X.index % 10 > 0, 9e9)), y
    )
    for one, two in zip(first.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(one, two)
    fit_first_weights(other, x, np.random.default_rng(1))
    assert not np.array_equal(first.get_weights()[-3], other.get_weights()[-3])


def test_weights_learn_and_decay_at_their_own_rates() -> None:
    from pipeline.models.learning import learning_of

    X, y = table()
    net, _ = untrained(RealMLPRegressor(**QUICK), X, y)
    rates = {
        (type(layer).__name__, v.name): (learning_of(layer, v).rate, learning_of(layer, v).decay)
        for layer in net.layers
        for v in layer.trainable_weights
    }
    assert rates == {
        ("LevelEmbedding", "table"): (1.0, 1.0),
        **{("PeriodicEmbedding", n): (0.1, 0.1) for n in ("frequency", "phase", "kernel", "bias")},
        ("ScaleColumns", "scale"): (6.0, 6.0),
        ("NTKDense", "kernel"): (1.0, 1.0),
        ("NTKDense", "bias"): (0.1, 0.0),
        ("NTKDense", "slope"): (0.1, 0.1),
    }


def test_labels_are_smoothed_unless_probabilities_are_judged() -> None:
    X, y = table()
    labels = y > y.mean()
    smoothing = {}
    for metric in (None, "accuracy", "f1_macro", "log_loss", "roc_auc"):
        model = RealMLPClassifier(metric=metric)
        model._task(Rows(X, labels))
        smoothing[metric] = model._recipe(100).label_smoothing
    expected = {None: 0.1, "accuracy": 0.1, "f1_macro": 0.1, "log_loss": 0.0, "roc_auc": 0.0}
    assert smoothing == expected


@pytest.mark.parametrize(
    ("rows", "size"),
    [(10, 64), (1_024, 64), (1_025, 128), (30_000, 256), (100_000, 512), (10**6, 1024)],
)
def test_batches_grow_with_the_rows(rows: int, size: int) -> None:
    assert batch_size_for(rows) == size


def test_numbers_are_learned_from_numbers_and_text_and_stay_within_their_range() -> None:
    X, y = table(300)
    model = RealMLPRegressor(**{**QUICK, "epochs": 60}).fit(X, y)
    prediction = model.predict(X)
    assert np.corrcoef(prediction, y)[0, 1] > 0.97
    far = X.assign(size=1e9)
    assert model.predict(far).max() <= y.max()
    free = RealMLPRegressor(**{**QUICK, "epochs": 3}, clamp=False, n_seeds=2).fit(X, y)
    assert len(free.models_) == 2
    each = [m(free._columns(X)).numpy()[:, 0] for m in free.models_]
    own = np.mean(each, axis=0) * free.target_std_ + free.target_mean_
    assert free.predict(X) == pytest.approx(own, rel=1e-5)


def test_classes_of_any_label_are_learned_and_survive_saving() -> None:
    X, y = table(300)
    labels = pd.Series(np.where(y > y.mean(), "dear", "cheap"))
    model = RealMLPClassifier(**QUICK).fit(X, labels)
    assert model.classes_.tolist() == ["cheap", "dear"]
    probability = model.predict_proba(X)
    assert probability.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (model.predict(X) == labels).mean() > 0.9
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    again = joblib.load(io.BytesIO(buffer.getvalue()))
    strange = X.assign(kind="new", street=None, size=np.nan)
    assert np.array_equal(again.predict_proba(strange), model.predict_proba(strange))


def test_folds_with_other_levels_learn_together_what_they_learn_alone() -> None:
    (X, y), (Z, w) = table(150), table(140, seed=1)
    Z["kind"] = Z["kind"].replace("z", "y")
    Z["street"] = Z["street"].replace("street 3", "street 4")
    apart = [RealMLPRegressor(**QUICK).fit(X, y), RealMLPRegressor(**QUICK).fit(Z, w)]
    together = [RealMLPRegressor(**QUICK), RealMLPRegressor(**QUICK)]
    RealMLPRegressor.fit_together(together, [Rows(X, y), Rows(Z, w)])
    for one, other in zip(apart, together, strict=True):
        assert other.best_epoch_ == one.best_epoch_
        assert other.predict(X) == pytest.approx(one.predict(X), abs=0.05)  # of a spread of 60


def test_a_parameter_that_it_does_not_take_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ModelError, match="unknown parameter 'n_wave'; did you mean 'n_waves'"):
        make_realmlp("regression", 1, n_wave=3)
    with pytest.raises(ModelError, match=r"^patience: expected a whole number of 1 or more"):
        RealMLPRegressor(patience=0).fit(*table())


def test_a_task_of_its_rows_has_the_target_standardised() -> None:
    X, y = table()
    model = RealMLPRegressor()
    task: Task = model._task(Rows(X, y, np.arange(10)))
    seen = task.y[10:, 0]
    assert (seen.mean(), seen.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-5))
