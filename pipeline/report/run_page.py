"""A run's own page."""

from datetime import datetime
from typing import Any

from pipeline.charts import Bar, aligned, bars
from pipeline.progress import counted
from pipeline.report.answers import predictions_section
from pipeline.report.features import data_section, features_section
from pipeline.report.known import Known
from pipeline.report.layout import (
    Fact,
    Figure,
    Page,
    Section,
    Table,
    digest,
    number,
    seconds,
    timed,
    with_error,
)
from pipeline.report.learning import learning_section
from pipeline.report.members import metric_name, models_section, score_section
from pipeline.report.words import language, say
from pipeline.runs import Run

LOOKED_FOR = (
    "columns that explain the target alone while all others together do not, or that spell it in "
    "another unit; ids or an order of rows beside which answers are alike; rows that stand twice, "
    "in one file or in both; test rows unlike the training rows"
)


def run_page(run: Run, known: Known | None = None) -> Page:
    """Return the page that shows a run, made of its own files alone and of what is known beside it.

    Raises DataError if one of its files cannot be read.
    """
    known = known or Known()
    record, findings = run.record, run.findings()
    return Page(
        title=f"{record.get('title') or record['competition']}",
        subtitle=_subtitle(record),
        language=language(),
        facts=_facts(record, known),
        warnings=record.get("warnings") or [],
        sections=[
            score_section(record),
            models_section(record, findings),
            learning_section(run),
            predictions_section(record, run.frame("oof.csv"), run.frame("test.csv")),
            features_section(record, findings),
            data_section(record, findings),
            _checks(record),
            _time(run),
            _repeat(run),
        ],
        footer=_footer(run),
    )


def _subtitle(record: dict[str, Any]) -> str:
    validation = record["validation"]
    repeats = len(record.get("repeats") or []) or 1
    n_folds = len(record["folds"]) // repeats
    sets = f"{repeats} x " if repeats > 1 else ""
    rule = ", strict rule" if validation.get("rule") == "strict" else ""
    return (
        f"{record['competition']} · {record['model']['label']} · "
        f"{sets}{counted(n_folds, 'fold')}, {validation['scheme'].replace('_', ' ')}{rule}"
    )


def _facts(record: dict[str, Any], known: Known) -> list[Fact]:
    name = metric_name(record)
    up = record.get("greater_is_better")
    score = with_error(record["score"], record["standard_error"])
    facts = [Fact(f"{name} out of fold", score, "greater is better" if up else "less is better")]
    board = record.get("leaderboard")
    if board is not None:
        facts.append(_expected(board))
    if known.standing is not None:
        facts.append(_place(known))
    public = [one.public for one in known.submitted if one.public is not None]
    if public:
        private = [one.private for one in known.submitted if one.private is not None]
        more = f"private {number(private[-1])}" if private else "as the service scored it"
        facts.append(Fact(say("Public score"), number(public[-1]), more))
    rows = record["rows"]
    features = f"{counted(len(record['features']), 'feature')}, {rows['test']:,} test rows"
    facts.append(Fact(say("Rows"), f"{rows['train']:,}", features))
    budget = record.get("budget")
    of = "for everything" if budget is None else f"of {_plain_seconds(budget['seconds'])} planned"
    facts.append(Fact(say("Time"), seconds(record["seconds"]), of))
    return facts


def _expected(board: dict[str, Any]) -> Fact:
    by = board.get("weighted") or board
    low, high = aligned([by["lower"], by["upper"]], 4)
    about = f"{board['level']:.0%} interval of the test rows' score"
    if board.get("test_differs"):
        about = f"the test rows look different (AUC {board['adversarial_auc']:.2f}): expect worse"
        if board.get("weighted") is not None:
            about = f"{board['level']:.0%} interval, by rows that look like the test"
    return Fact(say("Leaderboard"), f"{low} – {high}", about)


def _place(known: Known) -> Fact:
    standing = known.standing
    assert standing is not None
    value = f"{standing.best:,}"
    if standing.worst != standing.best:
        value += f" – {standing.worst:,}"
    about = timed(
        f"of {standing.teams:,} teams on {standing.time[:10]}, if the interval holds; the score "
        f"itself would be place {standing.place:,}"
    )
    return Fact(say("Place"), value, about)


def _plain_seconds(value: float) -> str:
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"


def _checks(record: dict[str, Any]) -> Section:
    suspects = record.get("suspects")
    if "suspects" not in record:
        lead = (
            "What may give the answer away was looked for when this run was trained; it is among "
        )
        lead += "the warnings, if anything was found."
        notes = record.get("warnings") or []
    elif suspects is None:
        lead, notes = (
            "What may give the answer away was looked for when its members were trained.",
            [],
        )
    elif suspects:
        lead = f"Known before believing the score. Looked for: {LOOKED_FOR}. Found:"
        notes = suspects
    else:
        lead, notes = f"Nothing was found that gives the answer away. Looked for: {LOOKED_FOR}.", []
    notes = [*notes, *_cleaning(record)]
    return Section("checks", say("Checks"), lead, notes)


def _cleaning(record: dict[str, Any]) -> list[str]:
    """Return what the stages told of rows that were left out, and of the submission."""
    stages = [one for one in record.get("stages") or [] if one["stage"] in ("clean", "write")]
    return list(dict.fromkeys(one["text"] for one in stages))


def _time(run: Run) -> Section:
    record = run.record
    budget = record.get("budget")
    members = [one for one in record.get("members") or [] if one.get("seconds") is not None]
    figures = []
    if members:
        spent = sorted(members, key=lambda one: -one["seconds"])
        given = [Bar(one["label"], one["seconds"], text=f"{one['seconds']:.1f} s") for one in spent]
        about = "On one core each, for all folds and repeats."
        if budget is None:
            about = "Of the members' own runs."
        figures.append(
            Figure("Seconds by model", bars(given, label="Seconds that each model took"), about)
        )
    lead = f"{record['seconds']:.1f} s in all."
    if budget is not None:
        lead = f"{record['seconds']:.1f} s of the {budget['seconds']:.0f} s planned."
        if budget.get("interrupted"):
            lead += " It was interrupted, and is of what was finished until then."
        elif not budget.get("is_finished", True):
            lead += " This run was kept on the way."
    tables = [_plan(record)] if budget is not None and members else []
    tables += _log(run)
    return Section("time", say("Time"), lead, figures=figures, tables=tables)


def _log(run: Run) -> list[Table]:
    """Return what was told while the run was made, and after how many seconds."""
    path = run.path / "train.log"
    if not path.is_file():
        return []
    lines = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [[timed(f"{parts[0]} s"), timed(parts[1])] for parts in lines if len(parts) == 2]
    return [Table("What was told meanwhile", ["after", "what"], rows, frozenset({0}), False)]


def _plan(record: dict[str, Any]) -> Table:
    """Return what a set of folds took, beside what was expected of it from other data."""
    is_short = any(one.get("cut_short") for one in record["members"])
    rows = [
        [
            one["label"],
            seconds(one.get("expected_seconds")),
            seconds(one["seconds"] / one.get("repeats", 1)),
            one.get("repeats", 1),
            *(["yes" if one.get("cut_short") else "no"] if is_short else []),
        ]
        for one in record["members"]
    ]
    head = ["model", "expected", "spent", "sets", *(["cut short"] if is_short else [])]
    return Table(
        "Seconds of a set of folds, as expected and as spent",
        head,
        rows,
        frozenset({1, 2, 3}),
    )


def _repeat(run: Run) -> Section:
    record = run.record
    command = record.get("command") or _command_of(record)
    git = record.get("git")
    code = [] if record.get("code") is None else [["code", digest(record["code"])]]
    if git is not None:
        dirty = " with uncommitted changes" if git.get("dirty") else ""
        code.append(["workspace's commit", f"{git['commit']}{dirty}"])
    facts = [["seed", "–" if record["seed"] is None else record["seed"]], *code]
    facts += [[name, version] for name, version in record.get("versions", {}).items()]
    tables = [
        Table(
            "Files, by SHA-256",
            ["file", "digest"],
            [[name, digest(one)] for name, one in record["data"].items()],
        ),
        Table("Code and versions", ["what", "which"], facts),
    ]
    lead = "The same data, seed and versions give the same predictions on the CPU."
    if record.get("budget"):
        lead = "A budget of time gives the same predictions where it bears everything."
    return Section("repeat", say("Repeat"), lead, tables=tables, commands=[command])


def _command_of(record: dict[str, Any]) -> str:
    """Return the command that an older run says nothing of."""
    name, model = record["competition"], record["model"]["label"]
    if record.get("budget"):
        return f"kc train {name} --time {record['budget']['seconds']:.0f}s --seed {record['seed']}"
    if record.get("members"):
        return f"kc ensemble {name} " + " ".join(str(one["run"]) for one in record["members"])
    return f"kc train {name} --model {model} --seed {record['seed']}"


def _footer(run: Run) -> Any:
    when = datetime.fromisoformat(run.record["created"])
    version = run.record.get("versions", {}).get("kc", "")
    return timed(f"{run.id}, {when:%Y-%m-%d %H:%M} UTC, kc {version}")
