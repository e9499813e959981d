"""Boosting whose rows come in pieces: one member a machine, all of them growing one model.

A member is used by one thread: LightGBM and XGBoost keep what connects them by the thread.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from pipeline.errors import ModelError
from pipeline.models.grown import Grown
from pipeline.models.rounds import (
    LIGHTGBM_BINARY,
    LIGHTGBM_NUMBERS,
    XGBOOST_BINARY,
    XGBOOST_NUMBERS,
    Clock,
    aimed,
)
from pipeline.parquet import BLOCK
from pipeline.partitions.rows import FoldRows

ROUNDS_AT_ONCE = 25  # between two looks at the held-out rows
GREATER = ("auc", "aucpr", "map", "ndcg")  # of XGBoost's metrics, those that are better if greater
MINUTES = 2  # that members wait for each other, once all have read their rows
NOT_OF_BOOSTERS = ("n_estimators", "importance_type", "class_weight")  # of scikit-learn's classes


@dataclass(frozen=True, eq=False)
class Plan:
    """How a fold's model is grown: the library's settings in its own words.

    threads: on one machine that grows it alone. bins: rows (n_binned, n_columns) by which columns
    are cut, all of them if is_all_binned. held: X and y of the rows that stop the growth.
    """

    library: str
    settings: Mapping[str, Any]
    metric: str | None
    n_classes: int
    rounds: int
    threads: int
    patience: int
    bins: np.ndarray = field(repr=False)
    is_all_binned: bool
    held: tuple[np.ndarray, np.ndarray] = field(repr=False)


@dataclass(frozen=True)
class Seat:
    """A member's place: which it is, of how many, its threads, and how it finds the others."""

    rank: int = 0
    members: int = 1
    threads: int = 1
    network: Mapping[str, Any] = field(default_factory=dict)


class Watched(NamedTuple):
    """What the library computes of the held-out rows after a round, in its words."""

    name: str
    value: float
    greater_is_better: bool

    @property
    def loss(self) -> float:
        """The value such that less is better."""
        return -self.value if self.greater_is_better else self.value


class LostError(Exception):
    """A member is gone, and with it what all of them have grown: the fold begins anew."""


class Team(Protocol):
    """Members that grow one model together, wherever they are."""

    def grow(self, rounds: int) -> list[Watched]:
        """Return what is watched of the held-out rows after each of so many rounds more."""

    def finish(self, rounds: int, *, stopped_by_time: bool) -> Grown:
        """Return the model as it was after so many rounds."""


def grow(team: Team, plan: Plan, clock: Clock) -> Grown:
    """Return the model at its best round, the last before patience ended or time was over.

    Rounds are made some at a time; those beyond the one that early stopping would have been the
    last count for nothing.
    """
    losses: list[float] = []
    best, is_over = 0, False
    while not is_over:
        more = team.grow(min(ROUNDS_AT_ONCE, plan.rounds - len(losses)))
        for one in more:
            losses.append(one.loss)
            if one.loss < losses[best]:
                best = len(losses) - 1
            is_last = clock.tick(len(losses), one.value, one.name)
            is_over = is_last or len(losses) - 1 - best >= plan.patience
            if is_over:
                break
        is_over = is_over or len(losses) >= plan.rounds
    return team.finish(best + 1, stopped_by_time=clock.stopped)


def make_member(plan: Plan, rows: FoldRows, seat: Seat) -> "Member":
    """Return a member that may join the others; LightGBM's has its rows read.

    Raises ModelError for a parameter value that the library refuses.
    """
    if plan.library == "lightgbm":
        return LightGBMMember(plan, rows, seat)
    return XGBoostMember(plan, rows, seat)


class Member(Team, Protocol):
    """One of a team; those of other ranks than 0 need not tell losses."""

    def join(self) -> None:
        """Meet the others; all have to be there, within minutes."""

    def leave(self) -> None:
        """End the connection to the others."""


class LightGBMMember:
    """LightGBM on rows of some pieces, which it keeps as bins: a byte a cell."""

    def __init__(self, plan: Plan, rows: FoldRows, seat: Seat) -> None:
        import lightgbm

        self.plan, self.seat = plan, seat
        settings = _lightgbm_settings(plan) | {"num_threads": seat.threads}
        if not plan.is_all_binned:
            settings["feature_pre_filter"] = False  # it would judge the sample, and not the rows
        with _refusing("LightGBM", lightgbm.basic.LightGBMError):
            bins = lightgbm.Dataset(plan.bins, np.zeros(len(plan.bins)), params=settings)
            stream = _streamed(rows)
            data = lightgbm.Dataset([stream], reference=bins.construct(), params=settings)
            data.construct().set_label(np.concatenate(stream.labels))
            X, y = plan.held
            self.held = lightgbm.Dataset(X, y, reference=bins, params=settings)
        self.data, self.settings = data, settings

    def join(self) -> None:
        """Meet the others; all have to be there, within minutes."""
        import lightgbm

        with _refusing("LightGBM", lightgbm.basic.LightGBMError):
            self.booster = lightgbm.Booster(self.settings | self._network(), self.data)
            if self.seat.rank == 0:
                self.booster.add_valid(self.held, "held out")

    def _network(self) -> dict[str, Any]:
        if self.seat.members == 1:
            return {}
        return {
            "num_machines": self.seat.members,
            "tree_learner": "data",
            "pre_partition": True,
            "time_out": MINUTES,
            **self.seat.network,
        }

    def grow(self, rounds: int) -> list[Watched]:
        """Return what is watched of the held-out rows after each of so many rounds more."""
        told = []
        for _ in range(rounds):
            self.booster.update()
            if self.seat.rank == 0:
                _, name, value, greater, *_ = self.booster.eval_valid()[0]
                told.append(Watched(name, float(value), bool(greater)))
        return told

    def finish(self, rounds: int, *, stopped_by_time: bool) -> Grown:
        """Return the model as it was after so many rounds."""
        content = self.booster.model_to_string(num_iteration=rounds).encode()
        n_classes = self.plan.n_classes
        return Grown("lightgbm", content, n_classes, rounds, stopped_by_time=stopped_by_time)

    def leave(self) -> None:
        """End the connection to the others."""
        if self.seat.members > 1:
            self.booster.free_network()


def _lightgbm_settings(plan: Plan) -> dict[str, Any]:
    """Return the settings as the library's own functions know them, with its usual loss."""
    import lightgbm

    settings = aimed(
        dict(plan.settings), plan.metric, plan.n_classes, LIGHTGBM_NUMBERS, LIGHTGBM_BINARY
    )
    cls = lightgbm.LGBMClassifier if plan.n_classes else lightgbm.LGBMRegressor
    every = {**cls(**settings).get_params(), "n_jobs": None}
    told = {k: v for k, v in every.items() if v is not None and k not in NOT_OF_BOOSTERS}
    usual: dict[str, Any] = {"objective": "regression"}
    if plan.n_classes == 2:
        usual = {"objective": "binary"}
    elif plan.n_classes:
        usual = {"objective": "multiclass", "num_class": plan.n_classes}
    return usual | told


def _streamed(rows: FoldRows) -> Any:
    """Return rows as LightGBM takes them in: from the first to the last, some at a time."""
    import lightgbm

    class Streamed(lightgbm.Sequence):
        batch_size = BLOCK

        def __init__(self) -> None:
            self.labels: list[np.ndarray] = []
            self.blocks = self._read()
            self.left = np.empty((0, 0))

        def _read(self) -> Iterator[np.ndarray]:
            for X, y in rows.blocks():
                self.labels.append(y)
                yield X

        def __len__(self) -> int:
            return len(rows)

        def __getitem__(self, at: slice) -> np.ndarray:
            wanted, found = at.stop - at.start, [self.left] if len(self.left) else []
            while sum(map(len, found)) < wanted:
                found.append(next(self.blocks))
            together = np.concatenate(found)
            self.left = together[wanted:]
            return together[:wanted]

    return Streamed()


class XGBoostMember:
    """XGBoost on rows of some pieces, which it keeps as quantiles of each column."""

    def __init__(self, plan: Plan, rows: FoldRows, seat: Seat) -> None:
        self.plan, self.rows, self.seat, self.rounds = plan, rows, seat, 0

    def join(self) -> None:
        """Meet the others, and read the rows: they agree on each column's quantiles meanwhile."""
        import xgboost

        plan, rows, seat = self.plan, self.rows, self.seat
        if seat.members > 1:
            xgboost.collective.init(**seat.network)
        settings = _xgboost_settings(plan) | {"nthread": seat.threads}
        with _refusing("XGBoost", (xgboost.core.XGBoostError, ValueError)):
            bins = int(settings.get("max_bin", 256))
            self.data = xgboost.QuantileDMatrix(_iterated(rows), max_bin=bins, nthread=seat.threads)
            X, y = plan.held
            self.held = xgboost.DMatrix(X, label=y, nthread=seat.threads)
            self.booster = xgboost.Booster(settings, [self.data, self.held])

    def grow(self, rounds: int) -> list[Watched]:
        """Return what is watched of the held-out rows after each of so many rounds more.

        All members have all held-out rows: the library takes the mean of what they find.
        """
        import xgboost

        told = []
        with _refusing("XGBoost", xgboost.core.XGBoostError):
            for _ in range(rounds):
                self.booster.update(self.data, self.rounds)
                text = self.booster.eval_set([(self.held, "held")], self.rounds)
                name, value = text.split("\t")[-1].split(":")
                name = name.partition("-")[2]  # behind the name of the rows
                told.append(Watched(name, float(value), name in GREATER))
                self.rounds += 1
        return told

    def finish(self, rounds: int, *, stopped_by_time: bool) -> Grown:
        """Return the model as it was after so many rounds."""
        content = bytes(self.booster[:rounds].save_raw("ubj"))
        n_classes = self.plan.n_classes
        return Grown("xgboost", content, n_classes, rounds, stopped_by_time=stopped_by_time)

    def leave(self) -> None:
        """End the connection to the others."""
        import xgboost

        if self.seat.members > 1:
            xgboost.collective.finalize()


def _xgboost_settings(plan: Plan) -> dict[str, Any]:
    import xgboost

    settings = aimed(
        dict(plan.settings), plan.metric, plan.n_classes, XGBOOST_NUMBERS, XGBOOST_BINARY
    )
    cls = xgboost.XGBClassifier if plan.n_classes else xgboost.XGBRegressor
    every = cls(**settings).get_xgb_params()
    told = {k: v for k, v in every.items() if v is not None and k not in ("n_jobs", "missing")}
    if plan.n_classes > 2:
        told |= {"objective": "multi:softprob", "num_class": plan.n_classes}
    return told


def _iterated(rows: FoldRows) -> Any:
    import xgboost

    class Iterated(xgboost.DataIter):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = rows.blocks()

        def next(self, input_data: Any) -> bool:
            block = next(self.blocks, None)
            if block is None:
                return False
            input_data(data=block[0], label=block[1])
            return True

        def reset(self) -> None:
            self.blocks = rows.blocks()

    return Iterated()


@contextlib.contextmanager
def _refusing(library: str, errors: Any) -> Iterator[None]:
    """Turn a library's word for what it does not take into a ModelError."""
    try:
        yield
    except errors as error:
        raise ModelError(f"{library}: {' '.join(str(error).split())}") from error
