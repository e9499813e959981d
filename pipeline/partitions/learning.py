"""One fold: steps fitted from statistics, and a model grown on pieces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from pipeline.competition import Competition, ModelChoice
from pipeline.errors import DataError, ModelError, WorkerError
from pipeline.metrics import fitted_metric
from pipeline.models import make_model, model_spec
from pipeline.models.grown import Grown
from pipeline.models.libraries import LIBRARIES
from pipeline.models.rounds import Clock
from pipeline.parquet import Piece
from pipeline.partitions.crew import Crew
from pipeline.partitions.growing import LostError, Plan, grow
from pipeline.partitions.passes import Survey, count_digits, survey_prepared
from pipeline.partitions.ranks import SHIFTS, Wanted, ranks_at, value_between, value_of
from pipeline.partitions.rows import FoldRows, Prepared, Reader
from pipeline.partitions.statistics import Known, Levels, Number, merge
from pipeline.partitions.steps import QUARTILES, fills, fit_encoder, fit_imputer, fit_scaler
from pipeline.preprocessing import MISSING_LEVEL, make_preprocessor
from pipeline.progress import Warned, emit
from pipeline.targets import RootRegressor, bound_target

AN_INDICATOR = Number(n=1, missing=0, mean=0.0, deviation=0.0, least=0.0, most=1.0)
ATTEMPTS = 3  # at a fold, before its workers are given up
GROWN = ("lightgbm", "xgboost")  # what takes rows in pieces


@dataclass(frozen=True, eq=False)
class Lessons:
    """What a fold is learned from: the pieces, what the survey said of them, and who works.

    labels: the sorted classes, or None for numbers.
    """

    competition: Competition
    choice: ModelChoice
    seed: int
    reader: Reader
    pieces: tuple[Piece, ...]
    survey: Survey
    labels: np.ndarray | None
    crew: Crew

    def learn(self, fold: int, max_seconds: float | None = None) -> Any:
        """Return a fold's fitted estimator, of its training rows alone.

        Raises ModelError for a parameter value that the library refuses.
        """
        prepared = self.prepare(fold)
        model = self._model()
        rows = FoldRows(
            self.reader, prepared, self.pieces, self.survey.counts(self.pieces, fold), fold
        )
        plan = self._plan(model, prepared, fold, len(rows))
        grown = self._grow(plan, rows, Clock(plan.rounds, max_seconds))
        whole = Pipeline([*prepared.steps, ("model", model.adopt(grown, self.labels))])
        return whole if self.labels is not None else self._bounded(whole, fold)

    def _grow(self, plan: Plan, rows: FoldRows, clock: Clock) -> Grown:
        """Return the grown model; where a worker is lost, it is grown anew by those that are left.

        Raises WorkerError if that happens again and again.
        """
        for _ in range(ATTEMPTS):
            try:
                return grow(self.crew.team(plan, rows), plan, clock)
            except LostError as error:
                emit(Warned(f"fold {rows.fold + 1} begins anew: {error}"))
        raise WorkerError(
            f"fold {rows.fold + 1}: workers were lost {ATTEMPTS} times; see their logs"
        )

    def prepare(self, fold: int) -> Prepared:
        """Return the steps before a fold's model, fitted on its training rows."""
        competition = self.competition.seen_by(self.choice)
        choices, cleaning = competition.preprocessing, competition.cleaning
        spec = model_spec(self.choice)
        steps = dict(
            make_preprocessor(
                choices,
                cleaning,
                handles_missing=spec.handles_missing,
                scale_invariant=spec.scale_invariant,
            )
        )
        known = self.survey.without(fold).finish()
        ways = fills(known, choices, cleaning)
        filled = {*known.numbers} if choices.imputer else {*cleaning.columns}
        medians = tuple(n for n in known.numbers if n in filled and ways[n] == "median")
        done = Prepared([], competition.target, self.labels)
        known = self._ranked(known, done, fold, medians, (0.5,))
        done = done.after("impute", fit_imputer(steps["impute"], known, ways))
        scaler = choices.scaler or "none"
        if scaler == "none":
            known = _filled(known, done, ways)
        else:
            each = self.crew.each(survey_prepared, self.pieces, self.reader, done, fold)
            known = merge(one for one in each if one is not None).finish()
            if scaler == "robust":
                known = self._ranked(known, done, fold, tuple(known.numbers), QUARTILES)
        done = done.after("scale", fit_scaler(steps["scale"], known, scaler))
        return done.after("encode", fit_encoder(steps["encode"], known))

    def _ranked(
        self,
        known: Known,
        done: Prepared,
        fold: int,
        columns: tuple[str, ...],
        shares: Sequence[float],
    ) -> Known:
        """Return what is known, with columns' values at shares of their rows, in six passes."""
        places = {
            (name, share): ranks_at(share, known.numbers[name].n)
            for name in columns
            for share in shares
            if known.numbers[name].n
        }
        if not places:
            return known
        wanted = [
            Wanted(columns.index(name), rank)
            for (name, _), (low, high, _) in places.items()
            for rank in (low, high)
        ]
        for step in range(len(SHIFTS)):
            each = self.crew.each(
                count_digits, self.pieces, self.reader, done, fold, columns, wanted, step
            )
            wanted = merge(one for one in each if one is not None).narrowed(wanted, step)
        found = iter(map(value_of, wanted))
        ranked: dict[str, dict[float, float]] = {}
        for (name, share), (_, _, along) in places.items():
            low, high = next(found), next(found)
            ranked.setdefault(name, {})[share] = value_between(low, high, along)
        return replace(known, ranked=ranked)

    def _model(self) -> Any:
        """Return the unfitted model. Raises ModelError if it cannot take rows in pieces."""
        metric = fitted_metric(self.competition.seen_by(self.choice))
        model = make_model(self.choice, self.competition.task, self.seed, metric)
        if getattr(model, "library", None) not in GROWN:
            raise ModelError(
                f"models.{self.choice.label}: holds all rows in memory; rows in Parquet are "
                f"learned a piece at a time by {' and '.join(GROWN)}"
            )
        return model

    def _plan(self, model: Any, prepared: Prepared, fold: int, n_rows: int) -> Plan:
        chosen = self.survey.chosen
        held, bins = chosen.of(fold, held=True), chosen.of(fold, held=False)
        if not n_rows or not len(held[0]) or not len(bins[0]):
            raise DataError(
                f"fold {fold + 1} has {n_rows:,} rows to grow on and {len(held[0]):,} to stop by; "
                "expected more of both, so bring more training rows, or make fewer folds"
            )
        X = prepared.numbers(bins[0])
        is_regression = self.labels is None
        settings = model.settings((n_rows, X.shape[1]), is_regression=is_regression)
        return Plan(
            library=model.library,
            settings=settings,
            metric=model.metric,
            n_classes=0 if self.labels is None else len(self.labels),
            rounds=int(settings[LIBRARIES[model.library].rounds]),
            threads=int(settings[str(LIBRARIES[model.library].threads)]),
            patience=model.patience,
            bins=X,
            is_all_binned=len(X) == n_rows,
            held=(prepared.numbers(held[0]), prepared.answers(held[1])),
        )

    def _bounded(self, whole: Pipeline, fold: int) -> Any:
        """Return the fitted whole behind the target's transform and bounds."""
        competition = self.competition.seen_by(self.choice)
        X, y = self.survey.chosen.of(fold, held=True)
        answers = y.astype(float)
        bounded = bound_target(FrozenEstimator(whole), competition.target, competition.metric)
        bounded.fit(X.head(2), answers[:2])
        if isinstance(bounded, RootRegressor):
            bounded.learn_variance(X, answers)
        return bounded


def _filled(known: Known, done: Prepared, ways: dict[str, str]) -> Known:
    """Return what is known of columns once they are filled, of which no number is scaled."""
    sample = done.transform(_example(known))
    numbers = {
        str(name): known.numbers.get(str(name), AN_INDICATOR)
        for name in sample
        if pd.api.types.is_numeric_dtype(sample[name])
    }
    levels = {
        name: _with_fill(one, ways[name])
        for name, one in known.levels.items()
        if name not in known.numbers
    }
    return Known(known.rows, tuple(map(str, sample)), numbers, levels)


def _example(known: Known) -> pd.DataFrame:
    """Return one row with the columns and types that are known."""
    return pd.DataFrame(
        {
            name: pd.Series([0.0]) if name in known.numbers else pd.Series(["a"], dtype="str")
            for name in known.columns
        }
    )


def _with_fill(levels: Levels, way: str) -> Levels:
    """Return the levels of a column of text once its missing cells are filled."""
    if not levels.missing:
        return levels
    fill = MISSING_LEVEL if way == "missing" else levels.mode
    filled = pd.Series([levels.missing], index=pd.Index([fill], dtype=levels.counts.index.dtype))
    return Levels(levels.counts.add(filled, fill_value=0).astype(np.int64), 0)
