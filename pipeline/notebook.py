"""What a notebook works with: competitions by name, frames in and out, runs that show themselves.

    from pipeline import fetch, train

    fetch("bike", sample=True)
    run = train("bike", model="lightgbm")
    run.score, run.oof, run.predict(frame)

The folder of competitions/, data/ and runs/ is KC_WORKSPACE, or the current one.
"""

import html
import os
import tempfile
import time as clock
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

from pipeline import competition as declared
from pipeline import runs as stored
from pipeline.competition import Competition
from pipeline.durations import read_duration
from pipeline.errors import DataError, UsageError
from pipeline.progress import counted
from pipeline.storage import save_bytes, save_text
from pipeline.terminal import shown
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.raw import Manifest
    from pipeline.stages.training import TrainOptions

SHOWN_MEMBERS = 8  # of a blend, where a run shows itself


class Run(stored.Run):
    """A finished run: its record, its files, and what predicts new rows."""

    @classmethod
    def load(cls, path: "Path | str | stored.Run") -> Self:
        """Return the run that a folder of runs/ holds.

        Raises DataError if it holds none.
        """
        run = path if isinstance(path, stored.Run) else stored.load_run(Path(path))
        return cls(run.id, run.path, run.record)

    @property
    def workspace(self) -> Workspace:
        """The folder that has the run's data and code."""
        return Workspace(self.path.resolve().parents[1])

    @property
    def competition(self) -> str:
        """The competition's name."""
        return str(self.record["competition"])

    @property
    def metric(self) -> str:
        """What the score is."""
        return str(self.record["metric"])

    @property
    def score(self) -> float:
        """The score out of fold; of a blend the nested one."""
        return float(self.record["score"])

    @property
    def oof(self) -> "pd.DataFrame":
        """The training rows' ids, folds, targets and out-of-fold predictions."""
        return self.frame("oof.csv")

    @property
    def test(self) -> "pd.DataFrame":
        """The test rows' ids, and what each estimator says of them."""
        return self.frame("test.csv")

    def predict(self, rows: "pd.DataFrame | Path | str") -> "pd.DataFrame":
        """Return the id and the prediction of rows like those of the test file.

        rows: a frame with the test file's columns, or the path of a CSV file.
        Raises DataError if a column is missing, or is unlike the training file's.
        """
        from pipeline.stages.predicting import predict

        if isinstance(rows, Path | str):
            return predict(self.workspace, self.competition, Path(rows), self.id)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.csv"
            save_bytes(path, _csv(rows, self._declaration(), self.record["kinds"]))
            try:
                return predict(self.workspace, self.competition, path, self.id)
            except DataError as error:
                raise DataError(str(error).replace(str(path), "the frame")) from None

    def _declaration(self) -> Competition:
        return declared.load_competition(self.path / "competition.toml", self.competition)

    def __repr__(self) -> str:
        """Return one line: the run and its score; a record is long."""
        return f"<Run {self.id}: {self.metric} {self.score:.5f}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: score, expectation, members, files."""
        record = self.record
        n_folds = counted(len(record["folds"]), "fold")
        error = record["standard_error"]
        spread = "" if error is None else f" &plusmn; {error:.5f}"
        rows = {
            "score": f"{html.escape(self.metric)} {self.score:.5f}{spread}, out of fold",
            "model": html.escape(str(record["model"]["label"])),
            "folds": html.escape(f"{n_folds}, {record['validation']['scheme']}"),
            "submission": html.escape(str(self.submission)),
            "report": html.escape(str(self.path / "report.html")),
        }
        expected = record.get("leaderboard")
        if expected:
            by = expected.get("weighted") or expected
            low, high = by["lower"], by["upper"]
            within = f"{low:.4g} to {high:.4g} is to be expected"
            rows["leaderboard"] = f"{within} ({expected['level']:.0%})"
        members = [one for one in record.get("members", []) if any(one["weights"])]
        heaviest = sorted(members, key=lambda one: -max(one["weights"]))[:SHOWN_MEMBERS]
        for one in heaviest:
            weight = ", ".join(f"{weight:.3f}" for weight in one["weights"])
            rows[html.escape(str(one["label"]))] = f"weighs {weight}"
        if record["warnings"]:
            rows["warnings"] = "<br>".join(html.escape(text) for text in record["warnings"])
        left = ' style="text-align: left"'  # notebooks set cells to the right
        body = "".join(
            f'<tr><th scope="row"{left}>{name}</th><td{left}>{value}</td></tr>'
            for name, value in rows.items()
        )
        return f"<table><caption{left}>{html.escape(self.id)}</caption>{body}</table>"


def load_competition(competition: "Path | str", name: str | None = None) -> Competition:
    """Return a competition by its name in the workspace, or that of a competition.toml.

    Raises DeclarationError naming file, key, expected and found.
    """
    if isinstance(competition, str) and not competition.endswith(".toml"):
        return declared.load_competition(_workspace(None).declaration(competition), name)
    return declared.load_competition(Path(competition), name)


def list_runs(where: "Path | str | None" = None, name: str | None = None) -> list[Run]:
    """Return the finished runs of a competition, or of all, oldest first.

    where: the competition's name, or the folder runs/ of any workspace, before a name.
    """
    if isinstance(where, Path):
        return [Run.load(one) for one in stored.list_runs(where, name)]
    return [Run.load(one) for one in stored.list_runs(_workspace(None).runs, where or name)]


@overload
def fetch(
    competition: str, path: "Path | str | None" = None, *, sample: bool = False,
    everything: bool = False, workspace: Workspace | None = None,
) -> "Manifest": ...  # fmt: skip
@overload
def fetch(
    competition: Workspace, path: str, folder: Path | None = None, *, sample: bool = False,
    everything: bool = False,
) -> "Manifest": ...  # fmt: skip
def fetch(
    competition: Any,
    path: Any = None,
    folder: Path | None = None,
    *,
    sample: bool = False,
    everything: bool = False,
    workspace: Workspace | None = None,
) -> "Manifest":
    """Bring a competition's files here, and keep them untouched.

    path: a folder or archive of what was downloaded; else they come from the service. As the
    command line does it, fetch(workspace, name, path) is the same.
    Raises SourceError if the place does not hand them over; then what was there before is kept.
    """
    from pipeline.stages.fetching import fetch as stage

    if isinstance(competition, Workspace):
        return stage(competition, path, folder, sample=sample, everything=everything)
    place = None if path is None else Path(path)
    where = _workspace(workspace)
    return stage(where, competition, place, sample=sample, everything=everything)


@overload
def train(
    competition: str | Competition, model: str | None = None, options: None = None, *,
    time: float | str | None = None, seed: int | None = None, folds: int | None = None,
    scheme: str | None = None, rule: str | None = None, repeats: int | None = None,
    epochs: int | None = None, patience: int | None = None,
    train: "pd.DataFrame | None" = None, test: "pd.DataFrame | None" = None,
    sample: "pd.DataFrame | None" = None,
    workspace: Workspace | None = None, verbose: bool = False,
) -> Run: ...  # fmt: skip
@overload
def train(competition: Workspace, model: str, options: "TrainOptions | None" = None) -> Run: ...
def train(
    competition: Any,
    model: str | None = None,
    options: "TrainOptions | None" = None,
    *,
    time: float | str | None = None,
    seed: int | None = None,
    folds: int | None = None,
    scheme: str | None = None,
    rule: str | None = None,
    repeats: int | None = None,
    epochs: int | None = None,
    patience: int | None = None,
    train: "pd.DataFrame | None" = None,
    test: "pd.DataFrame | None" = None,
    sample: "pd.DataFrame | None" = None,
    workspace: Workspace | None = None,
    verbose: bool = False,
) -> Run:
    """Train a model, several or all that the time bears, and return the run.

    competition: a name, or a Competition, which is declared in the workspace if it is not yet.
    model: a label, several with commas, or None for all. time: seconds, or text as "60s" or "5m".
    train, test, sample: the files as frames; of the sample, the ids and targets will do that the
    test has. verbose: tell on stderr what the command line tells. The other choices are those of
    kc train. As the command line does it, train(workspace, name, options) is the same.
    Raises PipelineError for what a person can mend.
    """
    from pipeline.stages.training import TrainOptions
    from pipeline.stages.training import train as stage

    if isinstance(competition, Workspace):
        return Run.load(stage(competition, str(model), options))
    began, where = clock.monotonic(), _workspace(workspace)
    if isinstance(competition, Competition):
        _declare(where, competition)
    name = competition.name if isinstance(competition, Competition) else competition
    if train is not None or test is not None or sample is not None:
        _bring_frames(where, name, train, test, sample)
    chosen = TrainOptions(
        model, seed, folds, scheme, epochs, patience, _seconds(time), began, rule, repeats
    )
    with shown(quiet=not verbose):
        return Run.load(stage(where, name, chosen))


def _workspace(given: Workspace | None) -> Workspace:
    return given or Workspace(Path(os.environ.get("KC_WORKSPACE") or ".").resolve())


def _seconds(time: float | str | None) -> float | None:
    if time is None or isinstance(time, int | float):
        return time
    found = read_duration(time)
    if not found:
        raise UsageError(f"time: expected seconds, or a text like 90s, 5m or 2h; found {time!r}")
    return found


def _declare(workspace: Workspace, competition: Competition) -> None:
    """Declare a competition in the workspace, unless it is there already, with its own code.

    Raises UsageError if another one of that name is.
    """
    from pipeline.stages.trusting import accept
    from pipeline.tomltext import competition_toml
    from pipeline.trust import Foreign

    name = competition.name
    if name in workspace.names():
        folder = workspace.competition(name)
        if declared.load_competition(folder / "competition.toml", name) == competition:
            return
        if folder == workspace.own(name):
            raise UsageError(
                f"{folder / 'competition.toml'}: declares another {name!r}; correct it there, or "
                "give the competition another name"
            )
        for path in folder.glob("*.py"):  # a built-in one, changed: its code goes with it
            save_bytes(workspace.own(name) / path.name, path.read_bytes())
    save_text(workspace.own(name) / "competition.toml", competition_toml(competition))
    accept(Foreign(workspace.root, "competition", name), mine=True)


def _bring_frames(workspace: Workspace, name: str, train: Any, test: Any, sample: Any) -> None:
    """Write frames as the competition's files, and bring these.

    Raises UsageError if one of the two is missing.
    """
    from pipeline.stages.fetching import fetch as stage

    if train is None or test is None:
        raise UsageError("train and test: expected both as frames, or neither")
    competition = declared.load_competition(workspace.declaration(name), name)
    files = competition.files
    if sample is None:
        sample = _sample(competition, train, test)
    with tempfile.TemporaryDirectory() as folder:
        for file, frame in ((files.train, train), (files.test, test)):
            save_bytes(Path(folder) / file, _csv(frame, competition))
        save_bytes(Path(folder) / files.sample_submission, _csv(sample, competition))
        stage(workspace, name, Path(folder))


def _sample(competition: Competition, train: Any, test: Any) -> Any:
    """Return a sample submission for the test's ids: the targets' first answers."""
    columns = competition.columns
    ids = [columns.id] if columns.id is not None else []
    missing = [one for one in ids if one not in test]
    if missing:
        raise UsageError(f"test: there is no id column {missing[0]!r}; give the sample as well")
    return test[ids].assign(**{target: train[target].iloc[0] for target in columns.target})


def _csv(frame: Any, competition: Competition, kinds: Any = None) -> bytes:
    """Return a frame as a file that is written as the competition's are; its index does not count.

    kinds: of the training file's columns, by which dates are written.
    """
    orders = {"datetime_dayfirst": "%d/%m/%Y %H:%M:%S", "datetime_monthfirst": "%m/%d/%Y %H:%M:%S"}
    dates = {
        name: frame[name].dt.strftime(orders[kind])
        for name, kind in (kinds or {}).items()
        if kind in orders and name in frame and frame[name].dtype.kind == "M"
    }
    files = competition.files
    text: str = frame.assign(**dates).to_csv(
        index=False, sep=files.separator or ",", decimal=files.decimal, lineterminator="\n"
    )
    return text.encode(files.encoding or "utf-8")
