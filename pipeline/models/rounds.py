"""One fit by each library of gradient boosting, stopped early and by the clock.

Each `fit_...` takes a Job and returns a fitted model whose predict, or predict_proba, uses the best
round so far. The libraries differ in their names for one thing; what they share is in boosting.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import is_numeric_dtype
from sklearn import metrics as sk
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipeline.devices import asks_for_gpu, may_have_gpu
from pipeline.errors import ModelError
from pipeline.progress import EpochEnded, emit

# Below it threads gain little, and lose a tenfold where they wait for a core that others use.
MANY_CELLS = 1_000_000
MANY_ROWS = 2**17  # of which a copy in memory is worth avoiding
CHUNK = 25  # rounds of scikit-learn between two looks at the held-out rows
Metrics = Mapping[str, Mapping[str, Any]]  # a metric, and the settings that aim at it


WORDS = {  # what the libraries call a score, as pipeline.metrics does
    "l1": "mae", "l2": "squared error", "auc": "roc_auc", "logloss": "log_loss",
    "binary_logloss": "log_loss", "multi_logloss": "log_loss", "mlogloss": "log_loss",
    "multiclass": "log_loss",
}  # fmt: skip
GROWING = ("roc_auc", "accuracy", "f1", "r2", "average_precision", "kappa", "mcc", "ndcg")


class Clock:
    """Tell of each round, and say when the time of a fit is over."""

    def __init__(self, rounds: int, max_seconds: float | None) -> None:
        self.rounds = rounds
        self.best: float | None = None
        self.deadline = None if max_seconds is None else time.monotonic() + max_seconds
        self.stopped = False

    def tick(self, number: int, value: float, watched: str = "loss") -> bool:
        """Tell that round number (from 1) is over; return whether it has to be the last one.

        value: what the library computes of the held-out rows; watched: what it calls it.
        """
        name = watched.partition(":")[0].lower()
        name = WORDS.get(name, name)
        known = [value] if self.best is None else [value, self.best]
        self.best = max(known) if name in GROWING else min(known)
        emit(EpochEnded(number, self.rounds, value, value, best=self.best, watched=name))
        if self.deadline is not None and time.monotonic() > self.deadline:
            self.stopped = number < self.rounds
            return True
        return False


@dataclass(frozen=True, eq=False)
class Job:
    """What one fit learns from, what stops it, and its settings in the library's own words.

    X (n_fit, n_features) and y (n_fit,): numbers, or the codes 0, 1, ... of n_classes classes.
    X_valid, y_valid: the held-out rows; None: all rounds are made. metric: the score that stops, or
    None for the loss.
    """

    X: Any
    y: np.ndarray
    X_valid: Any
    y_valid: Any
    n_classes: int
    settings: dict[str, Any]
    patience: int
    metric: str | None
    clock: Clock

    def aimed(self, regression: Metrics, binary: Metrics) -> dict[str, Any]:
        """Return the settings, with those that aim at the metric where none are declared.

        Where the library has none for a metric, its own loss has to do. That is the log loss of
        classes. It stops fits for metrics of labels too: a held-out tenth of few rows has too few
        labels to tell rounds apart.
        """
        return aimed(self.settings, self.metric, self.n_classes, regression, binary)


def aimed(
    settings: dict[str, Any],
    metric: str | None,
    n_classes: int,
    regression: Metrics,
    binary: Metrics,
) -> dict[str, Any]:
    """Return settings with those that aim at a metric where none are declared; see Job.aimed."""
    known = {0: regression, 2: binary}.get(n_classes, {})
    return {**known.get(metric or "", {}), **settings}


def best_round(model: Any) -> int:
    """Return how many rounds a fitted model of any of the libraries answers with."""
    if hasattr(model, "tree_count_"):  # CatBoost
        return int(model.tree_count_)
    if hasattr(model, "best_iteration_"):  # LightGBM, and scikit-learn's
        return int(model.best_iteration_)
    best = getattr(model, "best_iteration", None)  # of XGBoost, if it stopped by itself
    return int(model.get_booster().num_boosted_rounds()) if best is None else int(best) + 1


def as_numbers(X: Any) -> np.ndarray:
    """Return rows as float64; LightGBM refuses some characters in the names of a frame."""
    return np.asarray(X, dtype=float)


def as_numbers_or_table(X: Any) -> Any:
    """Return rows as float64 or, of a frame of many rows, as a table that shares its columns.

    LightGBM reads both alike, to the last bit; the table spares the copy.
    """
    is_many = isinstance(X, pd.DataFrame) and len(X) > MANY_ROWS
    return as_table(X) if is_many and all(map(is_numeric_dtype, X.dtypes)) else as_numbers(X)


def as_table(X: Any) -> pa.Table:
    """Return rows as a table of Arrow's whose columns have the names that LightGBM gives."""
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(as_numbers(X))
    columns = (pa.array(frame.iloc[:, i].to_numpy()) for i in range(frame.shape[1]))
    return pa.table({f"Column_{i}": column for i, column in enumerate(columns)})


def with_text(X: Any) -> pd.DataFrame:
    """Return rows as a frame of numbers and of text, its columns named by their positions."""
    if not isinstance(X, pd.DataFrame):
        return pd.DataFrame(as_numbers(X))
    columns = [
        X[name].astype(float) if is_numeric_dtype(X[name]) else X[name].astype(object) for name in X
    ]
    return pd.DataFrame({i: column.to_numpy() for i, column in enumerate(columns)})


# LightGBM

LIGHTGBM_NUMBERS: Metrics = {
    "rmse": {"metric": "rmse"},
    "mae": {"metric": "mae", "objective": "regression_l1"},
    "mape": {"metric": "mape"},
}
LIGHTGBM_BINARY: Metrics = {"roc_auc": {"metric": "auc"}}


def fit_lightgbm(job: Job) -> Any:
    """Return a fitted LightGBM.

    Raises ModelError for a parameter value that LightGBM refuses.
    """
    import lightgbm

    settings = job.aimed(LIGHTGBM_NUMBERS, LIGHTGBM_BINARY)
    cls = lightgbm.LGBMClassifier if job.n_classes else lightgbm.LGBMRegressor
    early = lightgbm.early_stopping(job.patience, verbose=False)
    callbacks = [early, _LightGBMClock(job.clock)]
    try:
        if job.X_valid is None:
            return cls(**settings).fit(job.X, job.y)
        return cls(**settings).fit(
            job.X, job.y, eval_X=job.X_valid, eval_y=job.y_valid, callbacks=callbacks
        )
    except lightgbm.basic.LightGBMError as error:
        raise _refused("LightGBM", error) from error


class _LightGBMClock:
    """LightGBM's way to be told of rounds, and to be stopped with the best one so far."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.best: tuple[float, int, Any] | None = None

    def __call__(self, env: Any) -> None:
        from lightgbm.callback import EarlyStopException

        result = env.evaluation_result_list
        name, value, higher = result[0][1:4]
        loss = -value if higher else value
        if self.best is None or loss < self.best[0]:
            self.best = loss, env.iteration, result
        if self.clock.tick(env.iteration + 1, value, name):
            raise EarlyStopException(*self.best[1:])


# CatBoost

CATBOOST_NUMBERS: Metrics = {
    "rmse": {"eval_metric": "RMSE"},
    "mae": {"eval_metric": "MAE", "loss_function": "MAE"},
    "mape": {"eval_metric": "MAPE"},
}
CATBOOST_BINARY: Metrics = {"roc_auc": {"eval_metric": "AUC"}}


def fit_catboost(job: Job) -> Any:
    """Return a fitted CatBoost; columns of text are its categories.

    Raises ModelError for a parameter value that CatBoost refuses.
    """
    import catboost

    settings = job.aimed(CATBOOST_NUMBERS, CATBOOST_BINARY)
    text = [i for i in job.X if not is_numeric_dtype(job.X[i])]
    cls = catboost.CatBoostClassifier if job.n_classes else catboost.CatBoostRegressor
    try:
        if job.X_valid is None:
            return cls(**settings).fit(job.X, job.y, cat_features=text)
        return cls(**settings).fit(
            job.X,
            job.y,
            cat_features=text,
            eval_set=(job.X_valid, job.y_valid),
            early_stopping_rounds=job.patience,
            use_best_model=True,
            callbacks=[_CatBoostClock(job.clock, settings.get("eval_metric"))],
        )
    except catboost.CatBoostError as error:
        raise _refused("CatBoost", error) from error


class _CatBoostClock:
    """CatBoost's way to be told of rounds, and to be stopped."""

    def __init__(self, clock: Clock, metric: str | None) -> None:
        self.clock, self.metric = clock, metric

    def after_iteration(self, info: Any) -> bool:
        """Return whether to go on."""
        losses = info.metrics["validation"]  # sorted by name, the loss besides the metric
        name = self.metric if self.metric is not None and self.metric in losses else min(losses)
        return not self.clock.tick(info.iteration, losses[name][-1], name)


# XGBoost

XGBOOST_NUMBERS: Metrics = {
    "rmse": {"eval_metric": "rmse"},
    "mae": {"eval_metric": "mae", "objective": "reg:absoluteerror"},
    "mape": {"eval_metric": "mape"},
}
XGBOOST_BINARY: Metrics = {"roc_auc": {"eval_metric": "auc"}}


def fit_xgboost(job: Job) -> Any:
    """Return a fitted XGBoost.

    Raises ModelError for a parameter value that XGBoost refuses.
    """
    import xgboost

    settings = job.aimed(XGBOOST_NUMBERS, XGBOOST_BINARY)
    if asks_for_gpu(settings) and not may_have_gpu():  # it would go on without a word
        raise ModelError(
            f"XGBoost: device = {settings['device']!r}, but no GPU is seen here; remove it, or see "
            "kc doctor"
        )
    cls = xgboost.XGBClassifier if job.n_classes else xgboost.XGBRegressor
    early = xgboost.callback.EarlyStopping(rounds=job.patience)
    try:
        if job.X_valid is None:
            return cls(**settings).fit(job.X, job.y, verbose=False)
        model = cls(**settings, callbacks=[_xgboost_clock(job.clock), early])
        model.fit(job.X, job.y, eval_set=[(job.X_valid, job.y_valid)], verbose=False)
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise _refused("XGBoost", error) from error
    return model.set_params(callbacks=None)  # what listened is not part of what was learned


def _xgboost_clock(clock: Clock) -> Any:
    import xgboost

    class XGBoostClock(xgboost.callback.TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            ((name, losses),) = evals_log["validation_0"].items()
            return clock.tick(epoch + 1, losses[-1], name)

    return XGBoostClock()


# scikit-learn

HIST_NUMBERS: Mapping[str, Callable[..., float]] = {
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "mape": sk.mean_absolute_percentage_error,
}


def fit_hist(job: Job) -> Any:
    """Return a fitted histogram gradient boosting of scikit-learn.

    It is grown in chunks of rounds, because scikit-learn neither takes a clock nor goes back to the
    best round. Raises ModelError for a parameter value that scikit-learn refuses.
    """
    from sklearn import ensemble

    name = "HistGradientBoostingClassifier" if job.n_classes else "HistGradientBoostingRegressor"
    settings = job.aimed({"mae": {"loss": "absolute_error"}}, {})
    model = getattr(ensemble, name)(**settings, early_stopping=False, warm_start=True)
    if job.X_valid is None:
        return _Staged(_fitted(model, job), settings["max_iter"])
    watched, loss_of = _watched(job)
    best, best_loss, sign = 0, np.inf, -1 if watched in GROWING else 1
    for number, answer in _growing(model, job):
        loss = loss_of(answer)
        if loss < best_loss:
            best, best_loss = number, loss
        if job.clock.tick(number, sign * loss, watched) or number - best >= job.patience:
            break
    return _Staged(model, best)


def _growing(model: Any, job: Job) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the number of each round and the answers to the held-out rows after it."""
    rounds = job.settings["max_iter"]
    for first in range(0, rounds, CHUNK):
        model.set_params(max_iter=min(first + CHUNK, rounds))
        _fitted(model, job)
        with _threads(job.X_valid):
            yield from islice(enumerate(_stages(model, job.X_valid), 1), first, None)


def _fitted(model: Any, job: Job) -> Any:
    """Return the model, grown to its number of rounds."""
    try:
        with _threads(job.X):
            return model.fit(_never_empty(job.X), job.y)
    except ValueError as error:
        raise _refused("scikit-learn", error) from error


def _never_empty(X: np.ndarray) -> np.ndarray:
    """Return the rows with columns that no row has a value of as zeros: nothing splits them.

    scikit-learn ends with an error that names none of it.
    """
    empty = np.isnan(X).all(axis=0)
    return np.where(empty, 0.0, X) if empty.any() else X


def _threads(X: np.ndarray) -> Any:
    """Return the context in which scikit-learn uses as many threads as rows are worth."""
    return threadpool_limits(1 if X.size < MANY_CELLS else None, user_api="openmp")


def _stages(model: Any, X: Any) -> Any:
    """Return an iterator over the answers after one round, two rounds and so on."""
    return getattr(model, "staged_predict_proba", model.staged_predict)(X)


def _watched(job: Job) -> tuple[str, Callable[[np.ndarray], float]]:
    """Return what is computed of the held-out rows, and the function: less of it is better."""
    y, labels = job.y_valid, np.arange(job.n_classes)
    if not job.n_classes:
        name = job.metric if job.metric is not None and job.metric in HIST_NUMBERS else "rmse"
        error = HIST_NUMBERS[name]
        return name, lambda answer: float(error(y, answer))
    if job.metric == "roc_auc" and job.n_classes == 2 and len(np.unique(y)) == 2:
        return "roc_auc", lambda answer: -float(sk.roc_auc_score(y, answer[:, 1]))
    return "log_loss", lambda answer: float(sk.log_loss(y, answer, labels=labels))


class _Staged:
    """A fitted model that answers as it did after its best round."""

    def __init__(self, model: Any, best_round: int) -> None:
        self.model, self.best_iteration_ = model, best_round

    def predict(self, X: Any) -> np.ndarray:
        """Return the values of the best round."""
        return self._answer(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the best round."""
        return self._answer(X)

    def _answer(self, X: Any) -> np.ndarray:
        after = self.best_iteration_ - 1
        with _threads(X):
            return np.asarray(next(islice(_stages(self.model, X), after, None)))


def _refused(library: str, error: Exception) -> ModelError:
    return ModelError(f"{library}: {' '.join(str(error).split())}")
