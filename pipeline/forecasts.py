"""Windows of a competition's rows as training and test data, and forecasts as answers to rows."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from pipeline.competition import Competition, Windows
from pipeline.data import Table, TableFile, TestData, TrainData
from pipeline.errors import DataError, DeclarationError
from pipeline.features import Features, apply_features, spread_dates
from pipeline.progress import Warned, counted, emit
from pipeline.windows import (
    Asked,
    Samples,
    Series,
    asked_windows,
    closing_windows,
    training_windows,
    within_horizon,
)


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Which rows the windows of the test data answer for.

    ids: (n_asked,), text. sample, step: (n_asked,), the window that answers for a row, and how many
    rows behind it the row lies.
    """

    ids: pd.Series
    sample: np.ndarray
    step: np.ndarray
    horizon: int

    def __call__(self, prediction: np.ndarray) -> np.ndarray:
        """Return what windows (n_windows, horizon * n_targets) say of rows (n_asked, n_targets)."""
        each = prediction.reshape(len(prediction), self.horizon, -1)
        return np.asarray(each[self.sample, self.step - 1])


def window_train(frame: pd.DataFrame, table: Table, competition: Competition) -> TrainData:
    """Return the windows of the training rows, and the rows that follow each as its answers.

    frame: of the table's rows, with their features.
    Raises DataError if a column is no number, a ratio has no meaning, or the rows are too few.
    """
    series = _series(frame, competition, _place(table.file))
    _check_ratios(series)
    samples = training_windows(series)
    assert samples.y is not None
    assert samples.until is not None
    return TrainData(
        X=samples.flat(),
        y=_outputs(samples.y, competition),
        ids=_at(table.ids, samples.ends),
        order=_at(series.time, samples.ends),
        until=_at(series.time, samples.until),
        last=_last(samples, competition),
    )


def window_test(
    features: Features,
    train: tuple[pd.DataFrame, Table],
    test: Table,
    wanted: pd.Series,
    competition: Competition,
) -> tuple[TestData, Forecasts]:
    """Return the windows before the wanted rows of a test file, and which rows they answer for.

    A test row whose targets are told is part of the past of later rows; it teaches no model.
    train: the training rows with their features, and as they were read. wanted: ids of the sample.
    Raises DataError if a wanted row cannot be forecast.
    """
    rows, is_known = told_rows(features, map(str, train[1].frame), test, competition)
    is_asked = test.ids.isin(wanted).to_numpy()
    told = is_asked & is_known
    if told.any():
        row = int(told.argmax())
        raise DataError(
            f"{_place(test.file)(row)}: its target is asked for and told; empty the cell, or take "
            f"{test.ids.iloc[row]!r} out of {competition.files.sample_submission}"
        )
    n_before = len(train[0])
    places = _place(train[1].file), _place(test.file)
    series = _series(
        pd.concat([train[0], rows.reindex(columns=list(train[0]))], ignore_index=True),
        competition,
        lambda row: places[0](row) if row < n_before else places[1](row - n_before),
    )
    _check_ratios(series)
    asked = asked_windows(
        series,
        np.concatenate([np.ones(n_before, dtype=bool), is_known]),
        np.concatenate([np.zeros(n_before, dtype=bool), is_asked]),
    )
    ids = pd.concat([train[1].ids, test.ids], ignore_index=True)
    return _test_data(asked.samples, ids), _forecasts(asked, ids, competition)


def window_new(
    features: Features,
    columns: Iterable[str],
    table: Table,
    competition: Competition,
    known: Collection[str],
) -> tuple[TestData, Forecasts]:
    """Return the windows before a file's rows without a target or, if all have one, at its end.

    columns: those of the training file. known: the features that its windows had; what else is in
    the file does not count. Where all rows have a target, the ids are those of each series' last
    row with the number of the step behind it, as "2022-07-18 + 1".
    Raises DataError as window_test does, or if the file lacks a channel.
    """
    rows, is_known = told_rows(features, columns, table, competition)
    series = _series(rows, competition, _place(table.file), known)
    _check_ratios(series)
    if not is_known.all():
        is_asked = within_horizon(series, is_known)
        n_beyond = int((~is_known & ~is_asked).sum())
        if n_beyond:
            what = f"{counted(n_beyond, 'row')} beyond [windows] horizon are not forecast"
            emit(Warned(f"{table.file.path}: {what}"))
        asked = asked_windows(series, is_known, is_asked)
        return _test_data(asked.samples, table.ids), _forecasts(asked, table.ids, competition)
    samples, horizon = closing_windows(series), _declared(competition).horizon
    steps = np.tile(np.arange(1, horizon + 1), len(samples))
    last = table.ids.iloc[np.repeat(samples.ends, horizon)].reset_index(drop=True)
    ids = last + " + " + pd.Series(steps).astype("str")
    which = np.repeat(np.arange(len(samples)), horizon)
    return _test_data(samples, table.ids), Forecasts(ids, which, steps, horizon)


def add_to_series(
    features: Features, frame: pd.DataFrame, competition: Competition
) -> pd.DataFrame:
    """Return rows with their features; targets are among the columns that features.py is shown.

    Raises DeclarationError if it changes what is to be forecast, or when.
    """
    made = apply_features(features, frame)
    windows = _declared(competition)
    for name in filter(None, (*competition.columns.target, competition.columns.time, windows.by)):
        if name in frame and not (name in made and made[name].equals(frame[name])):
            raise DeclarationError(
                f"{features.path}: add_features changes column {name!r}, which is to be forecast "
                "or places rows in their series; give the new column another name"
            )
    return made


def naive_forecast(train: TrainData) -> np.ndarray | None:
    """Return the last known values (n_samples, n_outputs) of windows, or None of other rows."""
    return None if train.last is None else np.asarray(train.last).reshape(len(train), -1)


def told_rows(
    features: Features, columns: Iterable[str], test: Table, competition: Competition
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the test rows with their features, and which of them are known.

    columns: those of the training file. Features are made of known rows alone: of the others only
    time and series are there.
    Raises DataError if the file lacks either, or a known row a column that training rows have.
    """
    frame, windows = test.frame, _declared(competition)
    places = [name for name in (competition.columns.time, windows.by) if name is not None]
    for name in places:
        if name not in frame:
            raise DataError(
                f"{test.file.path}: there is no column {name!r}, which places a row in its series; "
                "add it to the file"
            )
    targets = list(competition.columns.target)
    is_told = set(targets) <= set(frame)
    is_known = frame[targets].notna().all(axis="columns").to_numpy() if is_told else None
    if is_known is None or not is_known.any():
        nothing = np.zeros(len(frame), dtype=bool)
        return frame[places], nothing
    absent = [n for n in columns if n not in frame and n not in competition.not_features]
    if absent:
        raise DataError(
            f"{test.file.path}: tells targets, but not the column {absent[0]!r} of "
            f"{competition.files.train}, which windows of its rows need; add it to the file"
        )
    whole = add_to_series(features, frame[is_known], competition).reindex(frame.index)
    return whole.assign(**{name: frame[name] for name in places}), is_known


def _series(
    frame: pd.DataFrame,
    competition: Competition,
    where: Callable[[int], str],
    known: Collection[str] | None = None,
) -> Series:
    """Return the rows as series whose channels are all features and targets.

    known: the columns of windows, if only their channels count.
    Raises DataError naming a channel that is no number.
    """
    time = str(competition.columns.time)
    hidden = competition.not_features
    numbers = spread_dates(
        frame[[name for name in frame if name not in hidden]], competition.columns
    )
    if known is not None:
        of_last_row = _declared(competition).past
        numbers = numbers[[name for name in numbers if of_last_row(str(name), 0) in known]]
    for name in numbers:
        if not is_numeric_dtype(numbers[name]):
            raise DataError(
                f"column {name!r}: windows hold numbers, found text; make a number of it in "
                "features.py, or add it to [columns] drop"
            )
    by = _declared(competition).by
    named = {} if by is None else {by: frame[by]}
    return Series(
        numbers.assign(**named),
        frame[time],
        tuple(map(str, numbers)),
        competition.columns.target,
        _declared(competition),
        where,
    )


def _check_ratios(series: Series) -> None:
    """Check that targets can be divided by; raises DataError."""
    if series.windows.target != "ratio":
        return
    for name in series.targets:
        wrong = (series.frame[name] <= 0).to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            raise DataError(
                f'{series.where(row)}, column {name!r}: windows.target = "ratio" needs numbers '
                f'above 0, found {series.frame[name].iloc[row]}; declare "change"'
            )


def _declared(competition: Competition) -> Windows:
    assert competition.windows is not None
    return competition.windows


def _outputs(values: np.ndarray, competition: Competition) -> pd.Series | pd.DataFrame:
    """Return what follows windows (n_samples, horizon, n_targets) as a column an output."""
    frame = pd.DataFrame(values.reshape(len(values), -1), columns=list(competition.outputs))
    return frame if frame.shape[1] > 1 else frame.iloc[:, 0]


def _last(samples: Samples, competition: Competition) -> pd.Series | pd.DataFrame:
    horizon = _declared(competition).horizon
    return _outputs(np.repeat(samples.last[:, None], horizon, axis=1), competition)


def _test_data(samples: Samples, ids: pd.Series) -> TestData:
    return TestData(
        X=samples.flat(),
        ids=_at(ids, samples.ends),
        order=_at(samples.series.time, samples.ends),
    )


def _forecasts(asked: Asked, ids: pd.Series, competition: Competition) -> Forecasts:
    return Forecasts(_at(ids, asked.rows), asked.sample, asked.step, _declared(competition).horizon)


def _at(series: pd.Series, rows: np.ndarray) -> pd.Series:
    return series.iloc[rows].reset_index(drop=True)


def _place(file: TableFile) -> Callable[[int], str]:
    return lambda row: f"{file.path}, {file.where(row)}"
