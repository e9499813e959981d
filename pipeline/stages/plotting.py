"""plot: a picture of columns by what they are, or of a run's learning curves."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.competition import Competition
from pipeline.data import read_test, read_train
from pipeline.errors import UsageError, did_you_mean
from pipeline.features import apply_features
from pipeline.forecasts import add_to_series, told_rows
from pipeline.plotting import canvas, curves, overview, pairs
from pipeline.plotting.columns import FEW, sort_of
from pipeline.progress import Note, emit
from pipeline.raw import verify
from pipeline.runs import Run, find_run, list_runs
from pipeline.stages.opening import Opened, open_competition
from pipeline.storage import save_bytes
from pipeline.strength import goal_of, strength_of
from pipeline.workspace import Workspace

KINDS = ("scatter", "line", "histogram", "box", "target", "missing", "correlation", "curves")
PAIRS = ("scatter", "line", "box")
LOOKED_AT = 2000  # rows that say which columns explain the target
FILE = "file"  # what rows of train and test are told apart by


@dataclass(frozen=True)
class PlotOptions:
    """The choices made at run time; None is chosen by what the columns are.

    kind: one of KINDS. x, y, by: columns of the training file, or of features.py. out: a .png or
    .svg; else one in plots/. run: whose learning curves are drawn; else the latest that has some.
    """

    kind: str | None = None
    x: str | None = None
    y: str | None = None
    by: str | None = None
    out: Path | None = None
    run: str | None = None

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are named, by their options."""
        named = {"x": self.x, "y": self.y, "by": self.by}
        return {option: name for option, name in named.items() if name is not None}


@dataclass(frozen=True, eq=False)
class Frames:
    """Both files with the columns of features.py: (n_samples, n_columns) and (n_test, ...)."""

    train: pd.DataFrame
    test: pd.DataFrame
    targets: tuple[str, ...]


def plot(workspace: Workspace, name: str, options: PlotOptions | None = None) -> Path:
    """Draw a picture of a competition's files or of a run, and return where it was written.

    Raises UsageError for a column, kind or file that cannot be drawn, and what reading raises.
    """
    options = options or PlotOptions()
    opened = open_competition(workspace, name)
    kind = _kind_asked_for(options)
    path = options.out or workspace.root / "plots" / _file_name(name, kind, options)
    if path.suffix.lower() not in canvas.SUFFIXES:
        raise UsageError(f"--out {path}: expected a name that ends in .png or .svg")
    if kind == "curves":
        draw, words = _curves(workspace, name, options.run)
        _save(draw, words, path)
        return path
    return draw_picture(opened, read_frames(opened), replace(options, kind=kind, out=path))


def draw_picture(opened: Opened, frames: Frames, options: PlotOptions) -> Path:
    """Draw columns of both files into the file that the options name, and return it.

    Raises UsageError for a column that there is not, or that cannot be drawn like this.
    """
    assert options.out is not None
    _check_columns(options, frames.train, opened.competition.files.train)
    draw = _drawn_by(opened, frames, options.kind or _kind_of(options, frames.train), options)
    _save(draw, _words(frames.train, options), options.out)
    return options.out


def has(frames: Frames, options: PlotOptions) -> bool:
    """Tell whether the files have anything of a kind of picture."""
    if options.kind == "missing":
        return any(bool(one.isna().any(axis=None)) for one in (frames.train, frames.test))
    if options.kind == "correlation":
        return sum(sort_of(frames.train[name]) == "number" for name in frames.train) > 1
    return True


def _save(draw: Callable[[], Any], words: list[str], path: Path) -> None:
    """Draw a figure and write it; words are those in it, which decide the font."""
    with canvas.drawing(words, path):
        save_bytes(path, canvas.picture(draw(), path.suffix.lower()))


def read_frames(opened: Opened) -> Frames:
    """Read both files, and add the columns of features.py, which sees those that both have.

    Of a series it sees all, and of the test file there are only the rows that are told.
    """
    verify(opened.workspace.data(opened.name))
    raw, competition = opened.workspace.raw(opened.name), opened.competition
    train = read_train(raw / competition.files.train, competition)
    test = read_test(raw / competition.files.test, competition, train.kinds)
    if competition.windows is not None:
        told, is_told = told_rows(opened.features, map(str, train.frame), test, competition)
        known = add_to_series(opened.features, train.frame, competition)
        return Frames(known, told[is_told].reindex(columns=list(known)), competition.columns.target)
    shared = [name for name in train.frame if name in test.frame]
    made = apply_features(opened.features, train.frame[shared])
    others = [name for name in train.frame if name not in made]
    return Frames(
        train=_with_levels(made.join(train.frame[others]), competition),
        test=_with_levels(apply_features(opened.features, test.frame), competition),
        targets=competition.columns.target,
    )


def _with_levels(frame: pd.DataFrame, competition: Competition) -> pd.DataFrame:
    """Return a frame whose codes are text where they are declared as categories."""
    names = [name for name in competition.columns.categorical if name in frame]
    text = {name: frame[name].astype("str").where(frame[name].notna()) for name in names}
    return frame.assign(**text)


def strongest(opened: Opened, frames: Frames, most: int, seed: int = 0) -> list[str]:
    """Return the columns that both files have and that explain the target best, the best first."""
    competition, train = opened.competition, frames.train
    names = [
        str(one)
        for one in train
        if one in frames.test
        and one not in (competition.columns.id, *frames.targets)
        and sort_of(train[one]) != "time"
    ]
    rows = train.sample(min(LOOKED_AT, len(train)), random_state=seed)
    y = rows[list(frames.targets)] if len(frames.targets) > 1 else rows[frames.targets[0]]
    goal, is_classes = goal_of(y, competition), competition.task != "regression"
    found = {one: strength_of(rows[one], goal, is_classes, seed) for one in names}
    return sorted(found, key=lambda one: -found[one])[:most]


def _kind_asked_for(options: PlotOptions) -> str | None:
    """Return the kind that is asked for; without any column it is the target's."""
    if options.kind is not None and options.kind not in KINDS:
        raise UsageError(f"--kind {options.kind!r}; {did_you_mean(options.kind, KINDS)}")
    if options.run is not None and options.kind not in (None, "curves"):
        raise UsageError(f"--run: only --kind curves is of a run, not {options.kind}")
    if options.kind is None and options.run is not None:
        return "curves"
    if options.kind is None and not options.columns:
        return "target"
    _check_options(options)
    return options.kind


def _check_options(options: PlotOptions) -> None:
    """Check that a kind is given the columns that it needs, and no other."""
    kind, given = options.kind, options.columns
    if kind in PAIRS and not {"x", "y"} <= given.keys():
        raise UsageError(f"--kind {kind}: expected --x and --y, a column each")
    if kind == "histogram" and "y" in given:
        raise UsageError("--kind histogram: is of one column; leave out --y, or use --by")
    if kind == "target" and given.keys() - {"x"}:
        raise UsageError("--kind target: takes --x alone, the column it is drawn against")
    if kind in ("missing", "correlation", "curves") and given:
        raise UsageError(f"--kind {kind}: is of all columns; leave out --{next(iter(given))}")
    if kind is None and "x" not in given:
        raise UsageError("expected --x, the column along the horizontal axis")


def _check_columns(options: PlotOptions, frame: pd.DataFrame, file: str) -> None:
    for option, name in options.columns.items():
        if name not in frame:
            hint = did_you_mean(name, map(str, frame))
            raise UsageError(f"--{option} {name!r}: no column of {file} nor of features.py; {hint}")
        if frame[name].isna().all():
            raise UsageError(f"--{option} {name!r}: the column has no value at all")


def _kind_of(options: PlotOptions, frame: pd.DataFrame) -> str:
    """Return the kind of picture that two columns ask for by what they are."""
    assert options.x is not None
    if options.y is None:
        return "histogram"
    sorts = {option: sort_of(frame[options.columns[option]]) for option in ("x", "y")}
    if sorts["x"] == "time" and sorts["y"] == "number":
        return "line"
    few = [one for one in sorts if frame[options.columns[one]].nunique() <= FEW]
    return "box" if "category" in sorts.values() or len(few) == 1 else "scatter"


def _drawn_by(opened: Opened, frames: Frames, kind: str, options: PlotOptions) -> Callable[[], Any]:
    """Return what draws a kind of picture, after checking that it can."""
    train, x, y, by = frames.train, options.x, options.y, options.by
    if kind == "target":
        target = frames.targets[0]
        columns = [x] if x else strongest(opened, frames, overview.MOST_PANELS)
        return lambda: overview.target_panels(_as_classes(opened, train), target, columns)
    if kind == "missing":
        if not has(frames, options):
            raise UsageError("--kind missing: no cell of train and test is missing")
        return lambda: overview.missing_map(train, frames.test)
    if kind == "correlation":
        if not has(frames, options):
            raise UsageError("--kind correlation: expected two columns of numbers at least")
        return lambda: overview.correlation(train, frames.targets[0])
    assert x is not None
    if kind == "histogram":
        return _histogram(frames, x, by)
    assert y is not None
    _check_pair(train, kind, x, y)
    draw = {"scatter": pairs.scatter, "line": pairs.line, "box": pairs.box}[kind]
    return lambda: draw(train, x, y, by)


def _check_pair(train: pd.DataFrame, kind: str, x: str, y: str) -> None:
    """Check that two columns can be drawn against each other in this way."""
    sorts = {name: sort_of(train[name]) for name in (x, y)}
    if sorts[x] == sorts[y] == "category":
        raise UsageError(
            f"{x} and {y} are both text; give a number as one of them, or --x {x} --by {y}"
        )
    text = next((name for name in (x, y) if sorts[name] == "category"), None)
    if kind != "box" and text is not None:
        raise UsageError(f"--kind {kind}: {text} is text; use --kind box, or give it by --by")
    if kind == "line" and sorts[y] != "number":
        raise UsageError(f"--kind line: expected a number as --y, and {y} is a time")
    if kind == "box" and "number" not in sorts.values():
        raise UsageError(f"--kind box: expected a number, and {x} and {y} are none")


def _histogram(frames: Frames, x: str, by: str | None) -> Callable[[], Any]:
    """Return what draws one column; without --by, that of train and test beside each other."""
    if by is not None or x not in frames.test:
        return lambda: pairs.histogram(frames.train, x, by)
    both = {"train": frames.train[[x]], "test": frames.test[[x]]}
    stacked = pd.concat(
        [part.assign(**{FILE: name}) for name, part in both.items()], ignore_index=True
    )
    stacked[FILE] = pd.Categorical(stacked[FILE], categories=list(both))
    return lambda: pairs.histogram(stacked, x, FILE)


def _as_classes(opened: Opened, train: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with classes as text, also where they are written as numbers."""
    if opened.competition.task == "regression":
        return train
    target = opened.competition.columns.target[0]
    return train.assign(**{target: train[target].astype("str")})


def _curves(
    workspace: Workspace, name: str, run_id: str | None
) -> tuple[Callable[[], Any], list[str]]:
    """Return what draws a run's learning curves, and the words in them."""
    run = _run_with_curves(workspace, name, run_id)
    best = {one["number"]: one.get("best_epoch") for one in run.record["folds"]}
    found = []
    for path in sorted(run.path.glob("fold-*/history.csv")):
        number = int(path.parent.name.removeprefix("fold-"))
        history = pd.read_csv(path)
        if "part" in history:
            history = history[history["part"] == history["part"].iloc[0]]
        if {curves.LOSS, curves.HELD_OUT} <= set(history):
            found.append(curves.read_curve(number, history, best.get(number)))
    if not found:
        raise UsageError(f"{run.id}: its epochs were not judged on held-out rows")
    emit(Note("plot", curves.overfit_line(found)))
    title = f"{run.record['model']['label']}, {run.record['title']}"
    return lambda: curves.learning_curves(found, title), [title]


def _run_with_curves(workspace: Workspace, name: str, run_id: str | None) -> Run:
    if run_id is not None:
        run = find_run(workspace.runs, name, run_id)
        if not any(run.path.glob("fold-*/history.csv")):
            raise UsageError(
                f"{run.id}: keeps no learning curves; those of a network do: kc train {name} "
                "--model dnn"
            )
        return run
    having = [
        run for run in list_runs(workspace.runs, name) if any(run.path.glob("fold-*/history.csv"))
    ]
    if not having:
        raise UsageError(
            f"no run of {name} has learning curves yet; run kc train {name} --model dnn"
        )
    return having[-1]


def _words(frame: pd.DataFrame, options: PlotOptions) -> list[str]:
    """Return what may be written in a picture: names, and the levels of text."""
    shown = list(options.columns.values()) or [str(name) for name in frame]
    text = [one for one in shown if sort_of(frame[one]) == "category"]
    levels = [str(level) for one in text for level in frame[one].dropna().unique()[:100]]
    return [*map(str, frame), *levels]


def _file_name(name: str, kind: str | None, options: PlotOptions) -> str:
    parts = [name, *([kind] if kind else []), *options.columns.values()]
    plain = "".join(
        letter if letter.isalnum() or letter in "-_" else "_" for letter in "-".join(parts)
    )
    return f"{plain}.png"
