"""One table without a test file: a time series, whose last rows can be held back to ask for."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pipeline.competition import Columns, Competition, Files, Source, Windows
from pipeline.csvtext import read_cells
from pipeline.dates import parse_dates
from pipeline.errors import DataError, did_you_mean
from pipeline.inference.columns import is_dated
from pipeline.inference.evidence import Cells, Said, cells_of
from pipeline.inference.folds import first_of
from pipeline.inference.series import are_distinct, rhythm_of
from pipeline.sources.practice.series import CLOSE, are_prices, plain_cells

FILES = Files(train="train.csv", test="test.csv", sample_submission="sample_submission.csv")
ROWS_A_SERIES = 20  # on average, at least; else a column names something else than series


def find_alone(path: Path, name: str, said: Said) -> Competition | None:
    """Return how a table is declared whose last rows are held back, or None if it is no series.

    A series has a row a date, or one a date and level of another column.
    Raises DataError if it is one, and what is to be forecast is not known.
    """
    file, written = read_cells(path)
    table = plain_cells(written)
    cells = cells_of(table, file, FILES)
    time = next((n for n, one in cells.items() if is_dated(one) and not one.n_missing), None)
    if time is None:
        return None
    keys = [] if are_distinct(cells, [time]) else _keys(cells, time)
    if not keys and not are_distinct(cells, [time]):
        return None
    by = keys[0] if keys else None
    target = _target(path, cells, time, by, said)
    dates = parse_dates(cells[time].text, first_of(cells[time], dayfirst=True))
    frame = pd.DataFrame({time: dates, **({by: table[by]} if by else {})})
    rhythm = rhythm_of(frame, time, by)
    return Competition(
        name=name,
        title=name,
        task="regression",
        metric=said.metric or "rmse",
        source=_source(cells, by),
        files=FILES,
        columns=Columns(id=time if by is None else "id", target=target, time=time),
        windows=Windows(timesteps=rhythm.looked_back[0], horizon=rhythm.asked_for, by=by),
    )


def with_series(said: Said, competition: Competition) -> Said:
    """Return what is said with what a series was cut by."""
    return replace(
        said,
        source=competition.source,
        target=competition.columns.target,
        id=competition.columns.id,
        windows=competition.windows,
    )


def _source(cells: Mapping[str, Cells], by: str | None) -> Source:
    return Source(kind="practice", dataset="prices" if are_prices(cells) and not by else "series")


def _keys(cells: Mapping[str, Cells], time: str) -> list[str]:
    """Return columns that tell series apart, that of the fewest first."""
    found = [
        name
        for name, one in cells.items()
        if name != time
        and not one.n_missing
        and (one.numbers is None or one.are_whole)
        and one.n_levels * ROWS_A_SERIES <= len(one)
        and are_distinct(cells, [time, name])
    ]
    return sorted(found, key=lambda name: cells[name].n_levels)


def _target(
    path: Path, cells: Mapping[str, Cells], time: str, by: str | None, said: Said
) -> tuple[str, ...]:
    """Return the columns to forecast: those that are said, a day's last price, or the only one."""
    numbers = [n for n, one in cells.items() if one.numbers is not None and n not in (time, by)]
    for name in said.target:
        if name not in numbers:
            hint = did_you_mean(name, numbers)
            raise DataError(f"{path.name}: --target {name!r} is no column of numbers; {hint}")
    if said.target:
        return said.target
    if are_prices(cells):
        return (CLOSE,)
    if len(numbers) != 1:
        shown = ", ".join(map(repr, numbers[:6]))
        raise DataError(
            f"{path.name}: rows in the order of {time!r}, and no test file, so a time series; name "
            f"what is to be forecast by --target; found {shown or 'no column of numbers'}"
        )
    return (numbers[0],)
