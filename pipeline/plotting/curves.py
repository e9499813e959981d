"""Learning curves: what a network lost on its own rows and on the held-out ones, epoch by epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.plotting.canvas import COLOURS, new_figure

LOSS, HELD_OUT = "loss", "val_loss"


@dataclass(frozen=True, eq=False)
class Curve:
    """The epochs of one fold's network.

    losses: (n_epochs, n_columns): epoch, loss, val_loss, and val_METRIC where that was watched.
    best: the epoch, from 1, whose weights were kept.
    """

    fold: int
    losses: pd.DataFrame
    best: int

    @property
    def is_overfit(self) -> bool:
        """Whether the held-out rows were lost on again while the own rows were still learned.

        From the best epoch to the last one, the held-out loss has risen and the own one fallen.
        """
        after = self.losses.iloc[[self.best - 1, -1]]
        own, held_out = after[LOSS].to_numpy(), after[HELD_OUT].to_numpy()
        return bool(own[1] < own[0] and held_out[1] > held_out[0])


def read_curve(fold: int, history: pd.DataFrame, best: int | None) -> Curve:
    """Return a fold's curve from its history.csv, and from the epoch that was kept, if known."""
    losses = history.reset_index(drop=True)
    at = int(np.nanargmin(losses[HELD_OUT])) + 1
    is_known = best is not None and 1 <= best <= len(losses)
    return Curve(fold, losses, best if is_known and best is not None else at)


def overfit_line(curves: Sequence[Curve]) -> str:
    """Return from where on the networks over-fit, in one line."""
    over = [one for one in curves if one.is_overfit]
    best = int(np.median([one.best for one in curves]))
    if not over:
        return f"no over-fit: the best epoch is {best} (median), and none after it lost ground"
    own, held_out = (
        [one.losses[name].iloc[[one.best - 1, -1]].to_numpy() for one in over]
        for name in (LOSS, HELD_OUT)
    )
    change = [100 * float(np.median([b / a - 1 for a, b in pairs])) for pairs in (own, held_out)]
    return (
        f"over-fit in {len(over)} of {len(curves)} folds: after the best epoch, {best} (median), "
        f"the training loss falls by {-change[0]:.0f} % and the held-out loss rises by "
        f"{change[1]:.0f} %"
    )


def learning_curves(curves: Sequence[Curve], title: str) -> Any:
    """Return a figure of all folds' losses, their mean, and where each was best.

    Where a metric was watched as well, it has a panel of its own below.
    """
    watched = [name for name in curves[0].losses if str(name).startswith("val_")]
    metric = next((str(name) for name in watched if name != HELD_OUT), None)
    figure = new_figure(8.0, 5.0 if metric is None else 7.0)
    every = figure.subplots(1 if metric is None else 2, 1, squeeze=False, sharex=True).ravel()
    _lines(every[0], curves, LOSS, COLOURS[0], "training rows")
    _lines(every[0], curves, HELD_OUT, COLOURS[1], "held-out rows")
    every[0].set_ylabel("loss")
    every[0].set_title(title)
    _limit(every[0], curves)
    if metric is not None:
        _lines(every[1], curves, metric, COLOURS[1], "held-out rows")
        every[1].set_ylabel(metric.removeprefix("val_"))
    for axes, name in zip(every, (HELD_OUT, metric), strict=False):
        _mark(axes, curves, str(name))
    every[0].legend(loc="upper right", frameon=True, framealpha=0.9, edgecolor="none")
    every[-1].set_xlabel("epoch")
    return figure


def _lines(axes: Any, curves: Sequence[Curve], name: str, colour: str, label: str) -> None:
    """Draw each fold thinly, and their mean as long as all of them learn."""
    sign = -1 if any((one.losses[name] < 0).all() for one in curves) else 1  # turned for stopping
    each = [sign * one.losses[name].to_numpy() for one in curves]
    for values in each:
        axes.plot(np.arange(1, len(values) + 1), values, color=colour, linewidth=0.7, alpha=0.4)
    shortest = min(map(len, each))
    mean = np.mean([values[:shortest] for values in each], axis=0)
    axes.plot(np.arange(1, shortest + 1), mean, color=colour, linewidth=2.2, label=label)


def _mark(axes: Any, curves: Sequence[Curve], name: str) -> None:
    """Mark each fold's best epoch, and the time after the median one, in which they over-fit."""
    sign = -1 if any((one.losses[name] < 0).all() for one in curves) else 1
    at = [one.best for one in curves]
    there = [sign * float(one.losses[name].iloc[one.best - 1]) for one in curves]
    axes.plot(
        at, there, "o", color="#222222", markersize=5, zorder=5, label="best epoch, which is kept"
    )
    best = float(np.median(at))
    axes.axvline(best, color="#222222", linewidth=1, linestyle=":")
    if any(one.is_overfit for one in curves):
        end = max(len(one.losses) for one in curves)
        axes.axvspan(best, end, color=COLOURS[1], alpha=0.08, linewidth=0, label="over-fit")


def _limit(axes: Any, curves: Sequence[Curve]) -> None:
    """Leave out the first steep epochs, beside which nothing else would be seen."""
    values = np.concatenate([one.losses[[LOSS, HELD_OUT]].to_numpy().ravel() for one in curves])
    values = values[np.isfinite(values)]
    top = np.quantile(values, 0.97)
    if values.max() > 2 * top:
        axes.set_ylim(values.min() - 0.05 * (top - values.min()), 1.15 * top)
