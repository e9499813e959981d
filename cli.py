"""The command line: each command parses, calls one stage, and prints what came of it."""

import contextlib
import dataclasses
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from pipeline.durations import read_duration
from pipeline.errors import PipelineError, TrustError, UsageError
from pipeline.terminal import glyphs
from pipeline.trust import SWITCH
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.runs import Run
    from pipeline.trust import Foreign

app = typer.Typer(
    help="From a competition's files to an honestly validated submission.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cache_app = typer.Typer(help="Finished folds that are kept to continue from.", no_args_is_help=True)
app.add_typer(cache_app, name="cache")


def _names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    from pipeline.stages.completing import complete_competition

    return complete_competition(_completed_in(ctx), incomplete)


def _models(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    from pipeline.stages.completing import complete_model

    return complete_model(_completed_in(ctx), _named(ctx), incomplete)


def _runs(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    from pipeline.stages.completing import complete_run

    return complete_run(_completed_in(ctx), _named(ctx), incomplete)


def _completed_in(ctx: typer.Context) -> Workspace:
    """Return the workspace of a line that is being completed, when no command has run yet."""
    root = ctx.find_root().params.get("workspace")
    return Workspace(Path(root or os.environ.get("KC_WORKSPACE") or ".").resolve())


def _named(ctx: typer.Context) -> str | None:
    """Return the competition that a line names which is being completed.

    An option that lacks its value leaves the words before it unread.
    """
    known = _completed_in(ctx).names()
    return next((one for one in (ctx.params.get("name"), *ctx.args) if one in known), None)


Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A competition; see kc list.", autocompletion=_names),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print comma-separated values on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show warnings and the result only.")]
Verbosity = Annotated[
    int | None,
    typer.Option(
        "--verbose",
        "-v",
        min=0,
        max=2,
        metavar="[0|1|2]",
        help="0: the result only (as --quiet); 1: a bar (usual); 2, or no number: each epoch.",
    ),
]
Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh/--resume", help="Train anew; usual is to go on with what was interrupted."
    ),
]
ExecutorName = Annotated[
    str | None,
    typer.Option(
        "--executor",
        envvar="KC_EXECUTOR",
        metavar="local|dask",
        help="Where fits are made; dask if a scheduler is named.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        envvar="KC_SCHEDULER",
        metavar="ADDRESS",
        help="A Dask scheduler, as tcp://10.0.0.5:8786, or its file.",
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        envvar="KC_STORAGE",
        metavar="FOLDER",
        help="What this machine and all workers see, as /shared/kc or s3://bucket/kc.",
    ),
]
RunId = Annotated[
    str | None,
    typer.Option("--run", metavar="ID", help="A run; else the latest.", autocompletion=_runs),
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="A model; see kc inspect.", autocompletion=_models),
]
Models = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="A model, or several with commas; else all that time bears.",
        autocompletion=_models,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, max=2**32 - 1, help="The model's seed; folds keep the declared one."),
]
Folds = Annotated[int | None, typer.Option(min=2, help="Number of folds.")]
Scheme = Annotated[str | None, typer.Option(help="kfold, stratified, group, time or like_test.")]
Rule = Annotated[
    str | None, typer.Option(help="open: all training rows inform; strict: only earlier ones.")
]
Repeats = Annotated[
    int | None, typer.Option(min=1, help="Sets of folds, each with a seed of its own.")
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Most epochs (or boosting rounds) a fit.")]
Patience = Annotated[int | None, typer.Option(min=1, help="Epochs without progress to stop after.")]
Processes = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, metavar="N", help="Processes that fit at once; else one a core."
    ),
]
Device = Annotated[
    str,
    typer.Option(
        envvar="KC_DEVICE",
        metavar="[auto|cpu|gpu]",
        help="Where networks are trained; auto: on a GPU if TensorFlow sees one.",
    ),
]
Time = Annotated[
    str | None,
    typer.Option(
        "--time", metavar="5m", help="Time to spend, as 90s or 2h; else 5m, or till done."
    ),
]
From = Annotated[
    Path | None,
    typer.Option("--from", metavar="ZIP_OR_DIR", help="What you downloaded."),
]
Sample = Annotated[bool, typer.Option("--sample", help="Synthetic data of the same shape.")]
INTERRUPTED = 130  # the exit code of Ctrl-C
_WAIT = "10m"  # how long a score is waited for
_LESS_WORTH = {True: "standard_error", False: "submitted"}  # one of them fits in 80 columns
_USUAL: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    # options that may stand alone: their long name, what they mean then, what tells what may follow
    "--wait": ("--wait", _WAIT, read_duration),
    "--verbose": ("--verbose", "2", re.compile("-?[0-9]+").fullmatch),
    "-v": ("--verbose", "2", re.compile("-?[0-9]+").fullmatch),
}


class _Command(TyperCommand):
    """A command some of whose options may stand without the value that is usual for them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the usual value behind such an option if none follows."""
        following = [*args[1:], ""][: len(args)]
        filled = [
            f"{_USUAL[one][0]}={_USUAL[one][1]}"
            if one in _USUAL and _USUAL[one][2](after) is None
            else one
            for one, after in zip(args, following, strict=True)
        ]
        return super().parse_args(ctx, filled)


@app.callback()
def common(
    context: typer.Context,
    workspace: Annotated[
        Path, typer.Option(envvar="KC_WORKSPACE", help="Folder of competitions/, data/ and runs/.")
    ] = Path(),
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    trust: Annotated[
        bool,
        typer.Option("--trust", envvar=SWITCH, help="Run what others wrote, without asking."),
    ] = False,
) -> None:
    """Set where to work; given before the command."""
    os.environ[SWITCH] = str(int(trust))  # worker processes are told by it too
    context.obj = Workspace(workspace.resolve())
    if context.invoked_subcommand is None:
        from pipeline.stages.advising import advice_lines, advise

        typer.echo("\n".join(advice_lines(advise(context.obj))))


@app.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """Show the competitions, what is fetched, and the best run. Example: kc list."""
    from pipeline.stages.listing import list_competitions

    with _shown():
        rows = list_competitions(context.obj)
    names = [name for name in rows[0] if name != "run"]  # the built-in ones are always there
    _print_table(rows, names, as_json=as_json, shrinkable=("files",))


@app.command()
def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it shall be called here.")],
    path: From = None,
    kaggle: Annotated[
        str | None, typer.Option(metavar="SLUG", help="Its slug or address at Kaggle.")
    ] = None,
    dacon: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Its number or address at Dacon.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="rmse, mae, accuracy, roc_auc, ...")] = None,
    task: Annotated[str | None, typer.Option(help="regression, binary or multiclass.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="The column to predict; once for each of several.")
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", help="The sample's column that names its rows.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Declare a competition from its files alone. Example: kc new titanic --from titanic.zip."""
    from pipeline.stages.declaring import NewOptions, declare

    options = NewOptions(
        path=path,
        kaggle=kaggle,
        dacon=dacon,
        metric=metric,
        task=task,
        target=tuple(target or ()),
        id=id_,
    )
    with _shown(quiet=as_json):
        written = declare(context.obj, name, options)
    if as_json:
        _print_json({"competition": name, "declaration": written})
        return
    typer.echo(f"declared {written}")
    typer.echo(f"next     kc train {name}")


@app.command()
def fetch(
    context: typer.Context,
    name: Name,
    path: From = None,
    sample: Sample = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Of a large competition, also files that go undeclared.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring a competition's files here and keep them untouched. Example: kc fetch bike."""
    from pipeline.stages.fetching import fetch as stage

    with _shown(quiet=as_json):
        manifest = stage(context.obj, name, path, sample=sample, everything=everything)
    if as_json:
        facts = {"competition": name, "folder": context.obj.raw(name)}
        _print_json(facts | dataclasses.asdict(manifest))


@app.command()
def files(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A competition, or its address.", autocompletion=_names
        ),
    ],
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """Show a competition's files at Kaggle, with sizes and dates. Example: kc files bike."""
    from pipeline.stages.browsing import FILE_COLUMNS, list_remote_files, remote_file_rows

    with _shown(quiet=as_csv or as_json):
        found = list_remote_files(context.obj, name)
    rows = remote_file_rows(found, readable=not (as_csv or as_json))
    _print_table(rows, FILE_COLUMNS, as_csv=as_csv, as_json=as_json)


@app.command()
def inspect(
    context: typer.Context,
    name: Name,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to draw pictures of it as well.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what to know of the files before training. Example: kc inspect house."""
    from pipeline.stages.inspecting import inspect as stage
    from pipeline.stages.inspecting import inspection_lines, inspection_record, save_pictures

    with _shown(quiet=as_json):
        opened, found = stage(context.obj, name)
        drawn = [] if plots is None else save_pictures(opened, plots)
    if as_json:
        _print_json({**inspection_record(opened, found), "plots": list(map(str, drawn))})
    else:
        typer.echo("\n".join(inspection_lines(opened, found)))
        typer.echo("".join(f"{path}\n" for path in drawn), nl=False)


@app.command()
def plot(
    context: typer.Context,
    name: Name,
    x: Annotated[str | None, typer.Option(metavar="COLUMN", help="Along the bottom.")] = None,
    y: Annotated[str | None, typer.Option(metavar="COLUMN", help="Along the side.")] = None,
    by: Annotated[str | None, typer.Option(metavar="COLUMN", help="What gives colours.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="scatter, line, histogram, box, target, missing, correlation or curves; else by "
            "what the columns are."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="A .png or .svg; else in plots/."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Whose curves; else the latest's.", autocompletion=_runs),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw columns, or a run's learning curves. Example: kc plot bike --x temp --y count."""
    from pipeline.stages.plotting import PlotOptions
    from pipeline.stages.plotting import plot as stage

    with _shown(quiet=as_json):
        path = stage(context.obj, name, PlotOptions(kind, x, y, by, out, run))
    if as_json:
        _print_json({"competition": name, "picture": path})
    else:
        typer.echo(path)


@app.command()
def clean(context: typer.Context, name: Name, model: Model = None, as_json: Json = False) -> None:
    """Show what cleaning changes, and write the cleaned frames. Example: kc clean house."""
    _prepare(context, name, model, "clean", as_json)


@app.command()
def encode(context: typer.Context, name: Name, model: Model = None, as_json: Json = False) -> None:
    """Show how text becomes numbers, and write the frames. Example: kc encode house."""
    _prepare(context, name, model, "encode", as_json)


@app.command()
def scale(context: typer.Context, name: Name, model: Model = None, as_json: Json = False) -> None:
    """Show how numbers are scaled, and write the frames. Example: kc scale house."""
    _prepare(context, name, model, "scale", as_json)


@app.command(cls=_Command)
def train(
    context: typer.Context,
    name: Name,
    model: Models = None,
    seed: Seed = None,
    folds: Folds = None,
    scheme: Scheme = None,
    rule: Rule = None,
    repeats: Repeats = None,
    epochs: Epochs = None,
    patience: Patience = None,
    time: Time = None,
    workers: Processes = None,
    device: Device = "auto",
    executor: ExecutorName = None,
    scheduler: Scheduler = None,
    storage: Storage = None,
    quiet: Quiet = False,
    verbose: Verbosity = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Train and blend what the time bears, or one model. Example: kc train bike --time 10m."""
    began = monotonic()  # loading what trains is part of a budget of time
    from pipeline.devices import choose_device
    from pipeline.stages.placing import Where
    from pipeline.stages.training import TrainOptions
    from pipeline.stages.training import train as stage

    options = TrainOptions(
        model, seed, folds, scheme, epochs, patience, seconds(time), began, rule, repeats, fresh,
        workers,
        where=Where(executor, scheduler, storage),
    )  # fmt: skip
    choose_device(device)
    with _shown(**_verbosity(verbose, quiet=quiet or as_json)):
        run = stage(context.obj, name, options)
    _print_run(run, as_json)


@app.command()
def summary(
    context: typer.Context,
    name: Name,
    model: Model = None,
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """Show a network's layers, shapes and weights. Example: kc summary bike --model gru."""
    from pipeline.stages import summarizing

    with _shown(quiet=as_csv or as_json):
        network = summarizing.summarize(context.obj, name, model)
    columns = summarizing.LAYER_COLUMNS
    _print_table(network.layers, columns, as_csv=as_csv, as_json=as_json, shrinkable=("settings",))
    if not as_csv and not as_json:
        typer.echo(str(network))


@app.command()
def tune(
    context: typer.Context,
    name: Name,
    model: Model = None,
    time: Time = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Most sets that are tried.")] = None,
    seed: Seed = None,
    device: Device = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Search a model's parameters. Example: kc tune bike --model lightgbm --time 10m."""
    began = monotonic()
    from pipeline.devices import choose_device
    from pipeline.stages import tuned, tuning

    options = tuning.TuneOptions(model, seconds(time), seed, began, trials)
    choose_device(device)
    with _shown(quiet=quiet or as_json):
        found = tuning.tune(context.obj, name, options)
    if as_json:
        _print_json(tuned.tuned_record(found))
        return
    columns = ("trial", "score", "gain", "+-", "parameters")
    _print_table(tuned.tuned_rows(found), columns, shrinkable=("parameters",))
    typer.echo("\n".join(tuned.tuned_lines(found)))
    if found.run is not None:
        _print_run(found.run, False)
        typer.echo(f"\n{found.toml}")


@app.command("run", cls=_Command)
def run_(
    context: typer.Context,
    name: Name,
    path: From = None,
    sample: Sample = False,
    model: Models = None,
    seed: Seed = None,
    folds: Folds = None,
    scheme: Scheme = None,
    rule: Rule = None,
    repeats: Repeats = None,
    epochs: Epochs = None,
    patience: Patience = None,
    time: Time = None,
    workers: Processes = None,
    device: Device = "auto",
    executor: ExecutorName = None,
    scheduler: Scheduler = None,
    storage: Storage = None,
    quiet: Quiet = False,
    verbose: Verbosity = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Fetch if needed, train, write and check a submission. Example: kc run bike --sample."""
    began = monotonic()  # loading what trains is part of a budget of time
    from pipeline.devices import choose_device
    from pipeline.stages.fetching import fetch_if_needed
    from pipeline.stages.placing import Where
    from pipeline.stages.training import TrainOptions
    from pipeline.stages.training import train as stage

    options = TrainOptions(
        model, seed, folds, scheme, epochs, patience, seconds(time), began, rule, repeats, fresh,
        workers,
        where=Where(executor, scheduler, storage),
    )  # fmt: skip
    choose_device(device)
    with _shown(**_verbosity(verbose, quiet=quiet or as_json)):
        fetch_if_needed(context.obj, name, path, sample=sample)
        run = stage(context.obj, name, options)
    _print_run(run, as_json)


@app.command()
def ensemble(
    context: typer.Context,
    name: Name,
    run_ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="Runs; else the best of each model.", autocompletion=_runs
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Blend finished runs that share files, metric and folds. Example: kc ensemble house."""
    from pipeline.stages.ensembling import blend

    with _shown(quiet=quiet or as_json):
        run = blend(context.obj, name, run_ids or ())
    _print_run(run, as_json)


@app.command()
def predict(
    context: typer.Context,
    name: Name,
    path: Annotated[Path, typer.Option("--input", metavar="CSV", help="Rows to predict.")],
    run: RunId = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write; stdout if left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Predict new rows with a finished run. Example: kc predict bike --input new.csv."""
    from pipeline.runs import find_run
    from pipeline.stages.predicting import predict as stage
    from pipeline.storage import save_text

    with _shown(quiet=as_json):
        chosen = find_run(context.obj.runs, name, run)
        answers = stage(context.obj, name, path, chosen.id)
    text = answers.to_csv(index=False, lineterminator="\n")
    if output is not None:
        save_text(output, text)
    if as_json:
        rows = None if output else answers.to_dict("records")
        facts = {"competition": name, "run": chosen.id, "rows": len(answers)}
        _print_json(facts | {"output": output, "predictions": rows})
    elif output is None:
        sys.stdout.write(text)


@app.command()
def export(
    context: typer.Context,
    name: Name,
    run: RunId = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to; exports/RUN if left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a run as a script and a notebook of its own. Example: kc export bike."""
    from pipeline.stages.exporting import export as stage

    with _shown(quiet=as_json):
        made = stage(context.obj, name, run, out)
    if as_json:
        paths = {"script": made.script, "notebook": made.notebook}
        _print_json({"competition": name, "run": made.run.id, **paths})
        return
    typer.echo(made.script)
    typer.echo(made.notebook)


@app.command()
def runs(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A competition.", autocompletion=_names),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the finished runs, their scores, and what was submitted. Example: kc runs bike."""
    from pipeline.stages.listing import list_run_rows

    rows = list_run_rows(context.obj, name)
    if as_json:
        _print_json(rows)
        return
    is_any = any(row["submitted"] for row in rows)
    without = ["model", "seconds", "public", "leaderboard", _LESS_WORTH[is_any]]
    if all(row["naive"] is None for row in rows):
        without.append("naive")  # only forecasts have one
    for row in rows:
        if row["public"] is not None:
            row["submitted"] = f"public {row['public']:.5g}"
    names = [name for name in (rows[0] if rows else ()) if name not in without]
    _print_table(rows, names, optional=("standard_error", "folds", "data"))


@app.command()
def report(
    context: typer.Context,
    name: Name,
    run: RunId = None,
    every: Annotated[bool, typer.Option("--all", help="Compare all runs on one page.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Show where a run's page is, or one that compares all. Example: kc report bike --open."""
    import webbrowser

    from pipeline.stages import reporting

    if every and run is not None:
        raise UsageError("--all: compares all runs; leave out --run")
    with _shown(quiet=as_json):
        if every:
            run_id, path = None, reporting.report_all(context.obj, name)
        else:
            found, path = reporting.report(context.obj, name, run)
            run_id = found.id
    if as_json:
        _print_json({"competition": name, "run": run_id, "path": str(path)})
    else:
        typer.echo(path)
    if open_ and not webbrowser.open(path.as_uri()):
        typer.echo(f"no browser could be started; open {path.as_uri()} in one", err=True)


@app.command(cls=_Command)
def submit(
    context: typer.Context,
    name: Name,
    run: RunId = None,
    message: Annotated[str, typer.Option(help="A note that goes with the submission.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Submit bytes that were submitted before.")
    ] = False,
    wait: Annotated[
        str | None,
        typer.Option(metavar="[SECONDS]", help=f"Wait for the score, {_WAIT} if no time is given."),
    ] = None,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="Note it, and show where to upload it yourself.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check a run's submission once more, and hand it in, once. Example: kc submit house --wait."""
    from pipeline.stages import submitting, telling, waiting

    def ask(lines: list[str], question: str) -> None:
        typer.echo("\n".join(lines), err=as_json)
        if not yes:
            typer.confirm(question, abort=True, err=as_json)

    most = seconds(wait)
    with _shown(verbose=True):  # no live bar, which would fight with the question
        done = submitting.submit(
            context.obj, name, run, message, again=again, by_hand=by_hand, ask=ask
        )
        entry = done.entry
        typer.echo(telling.outcome_line(entry, done.ready, adopted=done.adopted), err=as_json)
        if most is not None:
            entry = waiting.wait_for_score(context.obj, done, most)
            typer.echo(telling.score_line(entry), err=as_json)
    if as_json:
        facts = {"competition": name, "adopted": done.adopted}
        _print_json(facts | dataclasses.asdict(entry))


@app.command()
def submissions(
    context: typer.Context, name: Name, as_csv: Csv = False, as_json: Json = False
) -> None:
    """Show what was handed in and how it scored. Example: kc submissions house."""
    from pipeline.stages import standing

    with _shown(quiet=as_csv or as_json):
        rows = standing.list_submissions(context.obj, name)
    columns = standing.SUBMISSION_COLUMNS
    if not as_csv and not as_json:
        rows, columns = standing.submission_table(name, rows)
    _print_table(rows, columns, as_csv=as_csv, as_json=as_json, shrinkable=("message", "run"))
    if not as_csv and not as_json:
        typer.echo("".join(f"{line}\n" for line in standing.error_lines(rows)), nl=False)


@app.command()
def leaderboard(
    context: typer.Context,
    name: Name,
    score: Annotated[
        float | None, typer.Option(help="Say which place it takes; else the best public one.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Number of teams that are shown.")] = 20,
    as_csv: Csv = False,
    as_json: Json = False,
) -> None:
    """Show the best teams, and a score's place. Example: kc leaderboard bike --score 0.41."""
    from pipeline.stages import standing

    with _shown(quiet=as_csv or as_json):
        rows, place = standing.leaderboard(context.obj, name, score, top=top)
    if as_json:
        found = None if place is None else dataclasses.asdict(place)
        _print_json({"place": found, "teams": rows})
        return
    columns = standing.TEAM_COLUMNS
    if not as_csv:
        rows, columns = standing.team_table(rows)
    _print_table(rows, columns, as_csv=as_csv, shrinkable=("team",))
    if place is not None:
        typer.echo(str(place), err=as_csv)


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Check versions, credentials, network, GPU and disk. Example: kc doctor."""
    from pipeline.stages.diagnosing import can_work, diagnose, diagnosis_lines, diagnosis_record

    with _shown(quiet=as_json):
        checks = diagnose(context.obj)
    if as_json:
        _print_json(diagnosis_record(checks))
    else:
        typer.echo("\n".join(diagnosis_lines(checks)))
    if not can_work(checks):
        raise typer.Exit(1)


@app.command()
def trust(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A competition; else the whole workspace."),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="A run that others made.")
    ] = None,
    mine: Annotated[
        bool, typer.Option("--mine", help="You write its files, so never ask again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Agree to run what others wrote. Example: kc trust titanic."""
    from pipeline.stages import trusting

    with _shown():
        foreign = trusting.find_foreign(context.obj, name, run)
    typer.echo("\n".join(trusting.code_lines(foreign)))
    if not yes:
        typer.confirm(f"Run this {foreign.kind}'s code from now on?", abort=True)
    trusting.accept(foreign, mine=mine)
    until = "" if mine or foreign.kind == "workspace" else ", until its bytes change"
    typer.echo(f"trusted  {foreign.kind} {foreign.name}{until}")


@app.command()
def schema(
    command: Annotated[
        str | None, typer.Argument(metavar="[COMMAND]", help="A command; else their names.")
    ] = None,
) -> None:
    """Print the JSON Schema of a command's --json. Example: kc schema train."""
    from pipeline.schemas import SCHEMAS, schema_of

    if command is None:
        typer.echo("\n".join(SCHEMAS))
    else:
        _print_json(schema_of(command))


@cache_app.command("clear")
def cache_clear(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Delete the finished folds of a competition. Example: kc cache clear bike."""
    from pipeline.stages.listing import clear_cache

    files, size = clear_cache(context.obj, name)
    if as_json:
        _print_json({"competition": name, "files": files, "bytes": size})
        return
    typer.echo(f"deleted {files} finished folds, {size / 1e6:.1f} MB")


def main() -> None:
    """Run a command; an error that a person can mend is one line and exit code 1."""
    glyphs.register()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors=glyphs.PLAIN)  # type: ignore[union-attr]
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        with _interrupted_by_sigterm():
            _run(arguments)
    except PipelineError as error:
        from pipeline.stages.hiding import hide_secrets

        if debug:
            raise
        text = hide_secrets(str(error))
        typer.echo(f"error: {text}", err=True)
        if "--json" in arguments:  # who reads stdout as JSON finds JSON there
            _print_json({"error": {"kind": type(error).__name__, "message": text}})
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED and (kept := _kept(end)):
            typer.echo(f"interrupted; {kept}", err=True)
        raise


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Let the queue of a cluster end a command as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show_traceback(kind: type[BaseException], error: BaseException, _: Any) -> None:
    """Show an error that nobody caught as Python does, but for secrets."""
    from pipeline.stages.hiding import traceback_text

    print(traceback_text(error), end="", file=sys.stderr)


def _run(arguments: list[str]) -> None:
    """Run a command, again once a person has agreed to what it would run of others."""
    try:
        app(arguments)
    except TrustError as error:
        if error.foreign is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        _ask_for_trust(error)
        _run(arguments)
    finally:
        sys.excepthook = _show_traceback  # Typer has put its own in this place


def _ask_for_trust(error: TrustError) -> None:
    """Show code of others and ask for it; whoever says no gets the error."""
    from pipeline.stages import trusting

    foreign: Foreign = error.foreign
    can_be_mine = foreign.kind == "competition"
    if foreign.kind == "workspace":
        typer.echo(str(error).partition(";")[0], err=True)
        question = "Is all of it yours? y: yes"
    else:
        lines = ["This was not made in this workspace, and would run:"]
        typer.echo("\n".join([*lines, *trusting.code_lines(foreign)]), err=True)
        more = ", m: I write it, never ask again" if can_be_mine else ""
        question = f"Run it? y: as it is now{more}"
    typer.echo(f"{question}, n: no [n] ", err=True, nl=False)
    answer = sys.stdin.readline().strip().lower()
    if answer not in ("y", "yes", *(("m", "mine") if can_be_mine else ())):
        raise error
    trusting.accept(foreign, mine=answer.startswith("m"))


def _kept(end: BaseException) -> str | None:
    """Return what an interruption leaves, or None if that was told already."""
    cause: BaseException | None = end
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__context__
    usual = "what was finished is kept, run the command again"
    return None if cause is None else str(cause) or usual


def seconds(text: str | None) -> float | None:
    """Return a time like 90, 90s, 5m or 1.5h in seconds."""
    if text is None:
        return None
    found = read_duration(text)
    if not found:
        raise typer.BadParameter(f"expected a time like 90s, 5m or 2h; found {text!r}")
    return found


def _verbosity(level: int | None, *, quiet: bool) -> dict[str, bool]:
    """Return what Keras's levels 0, 1 and 2 mean for what is shown; None is 1."""
    return {"quiet": quiet or level == 0, "verbose": level == 2}


def _shown(*, quiet: bool = False, verbose: bool = False) -> Any:
    from pipeline.terminal import shown

    return shown(quiet=quiet, verbose=verbose)


def _prepare(
    context: typer.Context, name: str, model: str | None, stage: str, as_json: bool
) -> None:
    from pipeline.stages import preparing

    with _shown(quiet=as_json):
        prepared = getattr(preparing, stage)(context.obj, name, model)
    if as_json:
        train, test = prepared.paths
        facts = {"competition": name, "stage": stage, "changes": prepared.changes}
        _print_json(facts | {"train": train, "test": test})
        return
    if prepared.changes:
        _print_table(
            prepared.changes, list(prepared.changes[0]), shrinkable=("for_example", "column")
        )
    for path in prepared.paths:
        typer.echo(path)


def _print_run(run: "Run", as_json: bool) -> None:
    from pipeline.stages.estimating import leaderboard_line, naive_line
    from pipeline.stages.listing import run_result

    result = run_result(run)
    if as_json:
        _print_json(result)
        return
    spread = result["standard_error"]
    spread = "" if spread is None else f" +- {spread:.5f}"
    typer.echo(f"{result['metric']} {result['score']:.5f}{spread} (out-of-fold, {result['model']})")
    if result["naive"] is not None:
        typer.echo(f"naive      {naive_line(result['naive'])}")
    typer.echo(leaderboard_line(result["leaderboard"]))
    typer.echo(f"run        {result['path']}")
    typer.echo(f"submission {result['submission']}")
    if result["report"] is not None:
        typer.echo(f"report     {result['report']}")
    if run.record.get("budget", {}).get("interrupted"):
        raise typer.Exit(INTERRUPTED)


def _print_json(value: Any) -> None:
    from pipeline.jsontext import json_text

    typer.echo(json_text(value))


def _print_table(
    rows: list[dict[str, Any]],
    names: Sequence[str],
    *,
    as_csv: bool = False,
    as_json: bool = False,
    shrinkable: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
) -> None:
    """Print rows as JSON, CSV, or a table that fits the terminal.

    shrinkable: columns whose cells are cut for that. optional: columns that are left out for it.
    """
    from pipeline.tables import csv_text, fitting_names, table_lines
    from pipeline.terminal import table_width

    if as_json:
        _print_json(rows)
    elif as_csv:
        typer.echo(csv_text(rows, names), nl=False)
    elif not rows:
        typer.echo("nothing yet")
    else:
        names = fitting_names(rows, names, optional, table_width())
        typer.echo("\n".join(table_lines(rows, names, shrinkable, table_width())))


if __name__ == "__main__":
    main()
