"""The models of a run: what each scores, costs and weighs, and what they have in common."""

from typing import Any

import numpy as np

from pipeline.charts import Bar, Interval, Line, aligned, bars, heatmap, intervals, lines, short
from pipeline.report.layout import Figure, Section, Table, number, seconds, timed, with_error
from pipeline.report.words import say

MOST_ALIKE = 24  # models whose cells can be told apart
LABELS = {"rmse": "RMSE", "rmsle": "RMSLE", "mae": "MAE", "mape": "MAPE", "r2": "R²",
          "accuracy": "Accuracy", "f1_macro": "F1 (macro)", "log_loss": "Log loss",
          "roc_auc": "ROC AUC"}  # fmt: skip


def metric_name(record: dict[str, Any]) -> str:
    """Return a metric as people write it."""
    return LABELS.get(record["metric"], str(record["metric"]))


def score_section(record: dict[str, Any]) -> Section:
    """Return the score, its interval, and that of each fold."""
    name = metric_name(record)
    rows = [Interval("folds", None, others=[one["score"] for one in _scored(record)])]
    error = record["standard_error"]
    low = high = None
    if error is not None:
        low, high = record["score"] - error, record["score"] + error
    rows.append(Interval("out of fold", record["score"], low, high))
    board = record.get("leaderboard")
    if board is not None:
        rows.append(Interval("leaderboard", board["score"], board["lower"], board["upper"], (), 2))
        by = board.get("weighted")
        if by is not None:
            rows.append(Interval("by rows like it", by["score"], by["lower"], by["upper"], (), 3))
    naive = record.get("naive")
    if naive is not None:
        rows.append(Interval("last value again", naive["score"], colour=6))
    figure = Figure(
        f"{name}, {_direction(record)}",
        intervals(
            rows,
            label=f"{name} {number(record['score'])} out of fold, with its intervals",
            x_label=name,
        ),
        _score_caption(record),
    )
    return Section("score", say("Score"), figures=[figure], tables=[_fold_table(record)])


def _scored(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in record["folds"] if one.get("score") is not None]


def _direction(record: dict[str, Any]) -> str:
    up = record.get("greater_is_better")
    return "greater is better" if up else "less is better"


def _score_caption(record: dict[str, Any]) -> str:
    board = record.get("leaderboard")
    text = "Out of fold: plus and minus a standard error of the folds' mean."
    if board is None:
        return text
    text += (
        f" Leaderboard: in {board['level']:.0%} of cases the score of the test rows lies within, "
        f"if they are like the training rows ({board['how']})."
    )
    if record.get("naive") is not None:
        text += " Last value again: what the naive forecast scores on the same rows."
    if board.get("weighted") is not None:
        text += " By rows like it: training rows weighed by how much they look like test rows."
    return text


def _fold_table(record: dict[str, Any]) -> Table:
    folds = record["folds"]
    is_blend = "train_rows" not in (folds[0] if folds else {})
    scores = aligned([np.nan if one["score"] is None else one["score"] for one in folds], 5)
    numbered = [
        (one["number"] + 1, {**one, "shown": shown})
        for one, shown in zip(folds, scores, strict=True)
    ]
    if is_blend:
        ways = any("way" in one for one in folds)
        head = ["fold", "score", *(["way the others chose"] if ways else [])]
        rows = [[n, one["shown"], *([one["way"]] if ways else [])] for n, one in numbered]
        return Table("Folds", head, rows, frozenset({1}), beside=True)
    epochs = any(one.get("best_epoch") is not None for one in folds)
    head = [
        "fold",
        "score",
        "fitted on",
        "validated on",
        *(["best epoch"] if epochs else []),
        "time",
    ]
    rows = [
        [
            n,
            one["shown"],
            f"{one['train_rows']:,}",
            f"{one['valid_rows']:,}",
            *(["–" if one.get("best_epoch") is None else one["best_epoch"]] if epochs else []),
            seconds(one["seconds"]),
        ]
        for n, one in numbered
    ]
    return Table("Folds", head, rows, frozenset(range(1, len(head))), beside=len(rows) <= 12)


def models_section(record: dict[str, Any], findings: dict[str, Any]) -> Section:
    """Return a blend's models, their weights and what they have in common, or the one model."""
    members = record.get("members")
    if not members:
        return Section("models", say("Models"), tables=[_one_model(record)])
    ordered = sorted(members, key=lambda one: -_weight(one))
    blend = record["blend"]
    name = metric_name(record)
    lead = (
        f"A blend by {blend['way'].replace('_', ' ')}: {name} {number(blend['nested_score'])} "
        f"nested, so that no row helped to choose what it is scored by; "
        f"{number(blend['plain_score'])} on the rows that chose the weights."
    )
    if len(members) == 1:
        lead = "Only one model was finished in time."
    figures = [_weights(ordered)] if len(members) > 1 else []
    together = findings.get("together")
    if together and 2 <= len(together["labels"]) <= MOST_ALIKE:
        figures.append(_alike(together))
    if together:
        figures += [_path(one, blend["way"]) for one in together["paths"]]
    tables = [_member_table(ordered, record)]
    if blend["nested_score_of_each_way"]:
        tables.append(_ways(record))
    left_out = (record.get("budget") or {}).get("left_out") or {}
    if left_out:
        tables.append(
            Table(
                f"{len(left_out)} configurations were left out",
                ["model", "why"],
                [[label, timed(str(why))] for label, why in left_out.items()],
                is_open=False,
            )
        )
    return Section("models", say("Models"), lead, figures=figures, tables=tables)


def _weight(member: dict[str, Any]) -> float:
    return float(np.mean(np.abs(member["weights"])))


def _one_model(record: dict[str, Any]) -> Table:
    model = record["model"]
    options = {**(model.get("parameters") or {})}
    if model.get("features"):
        options["features"] = ", ".join(model["features"])
    told = ", ".join(f"{key} = {value}" for key, value in options.items()) or "its own defaults"
    spent = sum(one.get("seconds", 0.0) for one in record["folds"])
    score = with_error(record["score"], record["standard_error"])
    row = [model["label"], score, seconds(spent), told]
    return Table(
        "Models", ["model", metric_name(record), "time", "parameters"], [row], frozenset({1, 2})
    )


def _member_table(members: list[dict[str, Any]], record: dict[str, Any]) -> Table:
    repeats = any(one.get("repeats", 1) > 1 for one in members)
    head = ["model", metric_name(record), "weight", *(["sets of folds"] if repeats else []), "time"]
    rows = [
        [
            one["label"],
            with_error(one["score"], one.get("standard_error")),
            " ".join(f"{weight:.3f}" for weight in one["weights"]),
            *([one.get("repeats", 1)] if repeats else []),
            seconds(one.get("seconds")),
        ]
        for one in members
    ]
    return Table("Models by weight", head, rows, frozenset(range(1, len(head))))


def _weights(members: list[dict[str, Any]]) -> Figure:
    shares = {str(one["label"]): float(np.mean(one["weights"])) for one in members if _weight(one)}
    given = [Bar(label, share, text=f"{share:.1%}") for label, share in shares.items()]
    unused = len(members) - len(given)
    rest = f" {unused} more weigh nothing." if unused else ""
    return Figure(
        "Weights",
        bars(given, label=f"Weights of {len(given)} models in the blend"),
        f"{len(given)} of {len(members)} models weigh in the blend.{rest}",
    )


def _alike(together: dict[str, Any]) -> Figure:
    labels = [str(one) for one in together["labels"]]
    values = np.array(
        [[np.nan if one is None else one for one in row] for row in together["correlation"]],
        dtype=float,
    )
    off = values[~np.eye(len(labels), dtype=bool)]
    low = float(np.nanmin(off)) if np.isfinite(off).any() else 0.0
    floor = min(low, 0.95) - 0.02
    return Figure(
        "Out-of-fold correlation",
        heatmap(
            labels,
            values,
            label=f"Correlation of the errors of {len(labels)} models out of fold",
            write=lambda value: "–" if not np.isfinite(value) else f"{value:.2f}",
            strength=lambda value: (value - floor) / (1 - floor),
            say="{row} and {column}: {value}",
        ),
        "Of the models' errors, row by row. The less alike two models err, the more their blend "
        "gains.",
        Table(
            "Correlation of errors",
            ["model", *labels],
            [
                [label, *("–" if not np.isfinite(v) else f"{v:.3f}" for v in row)]
                for label, row in zip(labels, values, strict=True)
            ],
            frozenset(range(1, len(labels) + 1)),
        ),
    )


def _path(path: dict[str, Any], way: str) -> Figure:
    scores, added = path["scores"], path["added"]
    marks = {i: f"{i + 1}: {added[i]}, {short(scores[i], 5)}" for i in range(len(added))}
    name = LABELS.get(path["metric"], str(path["metric"]))
    target = f" of {path['target']}" if path["target"] else ""
    used = way == "greedy"
    about = (
        "The weights that are used are chosen like this, of few rows in random halves of them."
        if used
        else f"The weights that are used come from another way ({way})."
    )
    return Figure(
        f"Greedy selection{target}",
        lines(
            [Line(name, np.arange(1, len(added) + 1), scores, marks)],
            label=f"{name} by models added, {short(scores[0], 5)} to {short(scores[-1], 5)}",
            x_label="models added",
            is_whole=True,
            y_label=name,
        ),
        f"Each step adds the model with which the mean scores best, on all rows. {about}",
        Table(
            "What is added, in order",
            ["step", "model", name],
            [[i + 1, one, number(scores[i])] for i, one in enumerate(added)],
            frozenset({2}),
        ),
    )


def _ways(record: dict[str, Any]) -> Table:
    ways = record["blend"]["nested_score_of_each_way"]
    chosen = record["blend"]["way"]
    rows = [
        [way.replace("_", " "), number(score), "taken" if way == chosen else ""]
        for way, score in ways.items()
    ]
    return Table(
        "Ways to weights, nested",
        ["way", metric_name(record), "choice"],
        rows,
        frozenset({1}),
        False,
    )
