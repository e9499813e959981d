"""clean, encode, scale: what a stage changes, for looking; training fits its own on each fold."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.cleaning import DroppedRows, clean_rows
from pipeline.data import TrainData
from pipeline.description import tell
from pipeline.features import blaming
from pipeline.progress import Note, counted, emit
from pipeline.stages.opening import chosen_model, open_competition, read_data, unfitted
from pipeline.storage import save_written
from pipeline.training import fit_step, preparing_steps
from pipeline.workspace import Workspace

STAGES = {"impute": "cleaned", "scale": "scaled", "encode": "encoded"}


@dataclass(frozen=True, eq=False)
class Prepared:
    """The frames after a stage, what it changed column by column, and where they were written."""

    train: pd.DataFrame
    test: pd.DataFrame
    changes: list[dict[str, Any]]
    paths: tuple[Path, Path]


def clean(workspace: Workspace, name: str, label: str | None = None) -> Prepared:
    """Drop the rows and fill the missing values that the declaration, or the model, asks for."""
    return _prepare(workspace, name, "impute", label)


def scale(workspace: Workspace, name: str, label: str | None = None) -> Prepared:
    """Clean, then scale the numeric columns."""
    return _prepare(workspace, name, "scale", label)


def encode(workspace: Workspace, name: str, label: str | None = None) -> Prepared:
    """Clean and scale, then turn text columns into numbers: what the model gets to see."""
    return _prepare(workspace, name, "encode", label)


def _prepare(workspace: Workspace, name: str, last: str, label: str | None) -> Prepared:
    """Fit the steps up to the last on all training rows, never on test rows, and write frames."""
    opened = open_competition(workspace, name)
    competition = opened.competition
    choice = chosen_model(competition, label)
    whole = unfitted(opened, choice, competition.validation.seed)
    data = read_data(opened)
    kept, dropped = clean_rows(data.train, competition.cleaning)
    emit(row_note(kept, dropped))
    train, test = kept.X, data.test.X
    changes: list[dict[str, Any]] = []
    for stage, _ in preparing_steps(whole):
        before = train
        with blaming(opened.features):
            step, train = fit_step(stage, whole, train, kept, competition.seen_by(choice))
            test = step.transform(test)
        if stage == "features":
            continue
        changes, note = tell(stage, step, before)
        emit(note)
        if stage == last:
            break
    folder = workspace.stages(name) / STAGES[last]
    paths = (folder / "train.parquet", folder / "test.parquet")
    y = pd.DataFrame(kept.y)
    _save(
        paths[0],
        pd.concat([kept.ids.rename(competition.columns.id_name), train, y], axis="columns"),
    )
    _save(
        paths[1],
        pd.concat([data.test.ids.rename(competition.columns.id_name), test], axis="columns"),
    )
    return Prepared(train, test, changes, paths)


def row_note(kept: TrainData, dropped: DroppedRows) -> Note:
    """Return the line about rows that cleaning left out of training."""
    before = len(kept) + dropped.missing + dropped.duplicates + dropped.outliers
    why = f"dropped {dropped.missing:,} with missing values, {dropped.duplicates:,} repeated"
    if dropped.outliers:
        why += f", {counted(dropped.outliers, 'outlier')}"
    text = f"{before:,} -> {len(kept):,} training rows: {why}"
    return Note("clean", text, {"rows_before": before, "rows_after": len(kept), **asdict(dropped)})


def _save(path: Path, frame: pd.DataFrame) -> None:
    save_written(path, lambda file: frame.to_parquet(file, index=False))
