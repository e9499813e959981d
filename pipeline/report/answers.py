"""Predictions out of fold beside the truth, as each task has them."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score, roc_curve

from pipeline.charts import Line, heatmap, lines, scatter, short
from pipeline.report.layout import Figure, Section, Table
from pipeline.report.words import say

POINTS = 2000  # of a scatter; more would only lie on each other
MOST_CLASSES = 20  # of a matrix whose cells can be told apart
MOST_PAIRS = 12  # of classes that are taken for each other, where they are many
MOST_CURVES = 5
WORST = 10  # rows that are named
MOST_TARGETS = 3  # that are drawn
BINS = 40
CALIBRATION_BINS = 10


def predictions_section(record: dict[str, Any], oof: pd.DataFrame, test: pd.DataFrame) -> Section:
    """Return the section that shows out-of-fold predictions.

    oof: the rows of oof.csv, of which those that no fold predicted are left out. test: of test.csv.
    """
    oof = oof[oof["fold"] >= 0].reset_index(drop=True)
    labels = record["labels"]
    truths = [name for name in map(str, oof) if name.startswith("target_")]
    tables: list[Table] = []
    if labels is None:
        names = [name for name in map(str, oof) if name.startswith("prediction_")]
        answers = [
            (said.removeprefix("prediction_"), oof[true].to_numpy(float), oof[said].to_numpy(float))
            for true, said in zip(truths, names, strict=True)
        ]
        logs = record["metric"] == "rmsle"
        tables = [_worst(oof, *answers[0], logs=logs)]
        figures = [
            figure
            for name, truth, said in answers[:MOST_TARGETS]
            for figure in _of_numbers(
                name, truth, said, test, logs=logs, named=f"{name}: " if len(answers) > 1 else ""
            )
        ]
    else:
        truth = oof[truths[0]].astype(str).to_numpy()
        probability = oof[[f"prediction_{label}" for label in labels]].to_numpy(dtype=float)
        names = [str(one) for one in labels]
        figures = _of_classes(record, names, truth, probability)
        tables = [_surest(oof, names, truth, probability)]
        if len(names) > MOST_CLASSES:
            tables.append(_confused(truth, _said(record, names, probability)))
    lead = (
        f"{len(oof):,} training rows, each predicted by models that have not learned from it; "
        "what they say of the test rows comes from the same models."
    )
    tables = [one for one in tables if one.rows]
    return Section("predictions", say("Predictions"), lead, figures=figures, tables=tables)


def _worst(
    oof: pd.DataFrame, name: str, truth: np.ndarray, said: np.ndarray, *, logs: bool
) -> Table:
    """Return the rows that are missed by most, by their logarithms if the metric takes them."""
    error = np.log1p(said) - np.log1p(truth) if logs else said - truth
    worst = np.argsort(-np.abs(error), kind="stable")[:WORST]
    rows = [
        [str(oof["id"][i]), short(truth[i], 5), short(said[i], 5), int(oof["fold"][i]) + 1]
        for i in worst
    ]
    head = ["id", f"true {name}", "predicted", "fold"]
    return Table("Largest errors", head, rows, frozenset({1, 2, 3}), beside=True)


def _surest(
    oof: pd.DataFrame, labels: list[str], truth: np.ndarray, probability: np.ndarray
) -> Table:
    """Return the rows whose true class is given the least probability, of those that are wrong."""
    codes = {label: code for code, label in enumerate(labels)}
    at = np.array([codes[one] for one in truth])
    of_truth, said = probability[np.arange(len(at)), at], probability.argmax(axis=1)
    order = np.argsort(of_truth, kind="stable")
    worst = [i for i in order if said[i] != at[i]][:WORST]
    rows = [
        [str(oof["id"][i]), truth[i], labels[said[i]], f"{probability[i].max():.3f}"] for i in worst
    ]
    head = ["id", "true", "predicted", "probability"]
    return Table("Surest errors", head, rows, frozenset({3}), beside=True)


def _of_numbers(
    name: str, truth: np.ndarray, said: np.ndarray, test: pd.DataFrame, *, logs: bool, named: str
) -> list[Figure]:
    some = _sample(len(truth))
    logs = logs and bool(truth.min() >= 0)
    shown = "" if len(some) == len(truth) else f"{len(some):,} of {len(truth):,} rows. "
    correlation = _correlation(truth, said)
    error = said - truth
    unit = "logarithmic axes, as the metric sees them. " if logs else ""
    against = Figure(
        f"{named}{say('Predicted against true')}",
        scatter(
            truth[some],
            said[some],
            label=f"Predicted {name} against true {name}; correlation {correlation:.3f}",
            x_label=f"true {name}",
            y_label=f"predicted {name}",
            diagonal=True,
            kind="log1p" if logs else "linear",
        ),
        f"{shown}{unit.capitalize()}Correlation {correlation:.3f}. On the dashed line a prediction "
        "is right.",
    )
    by_size = Figure(
        f"{named}{say('Residuals')}",
        scatter(
            said[some],
            error[some],
            label=f"Errors of {name} by prediction; their mean is {short(float(error.mean()), 3)}",
            x_label=f"predicted {name}",
            y_label="predicted - true",
        ),
        f"{shown}Mean {short(float(error.mean()), 3)}, standard deviation "
        f"{short(float(error.std()), 3)}; half of all errors are within "
        f"{short(float(np.median(np.abs(error))), 3)}.",
    )
    return [against, by_size, _distribution(named, name, truth, said, _test_mean(test, name))]


def _distribution(
    named: str, name: str, truth: np.ndarray, said: np.ndarray, test: np.ndarray
) -> Figure:
    """Return how true and predicted values are distributed, and those of the test rows."""
    groups = {"true": truth, "predicted": said, "test rows": test[np.isfinite(test)]}
    edges = np.linspace(
        min(one.min() for one in groups.values() if len(one)),
        max(one.max() for one in groups.values() if len(one)),
        BINS + 1,
    )
    if edges[0] == edges[-1]:
        edges = np.linspace(edges[0] - 0.5, edges[0] + 0.5, BINS + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    drawn = [
        Line(label, middle, 100 * np.histogram(values, edges)[0] / len(values))
        for label, values in groups.items()
        if len(values)
    ]
    means = {label: float(values.mean()) for label, values in groups.items() if len(values)}
    told = ", ".join(f"{label} {short(mean, 4)}" for label, mean in means.items())
    return Figure(
        f"{named}{say('Distribution')}",
        lines(
            drawn,
            label=f"Distribution of {name}; means: {told}",
            x_label=name,
            y_label="% of rows",
            y_ends=(0.0, 1.05 * max(float(np.max(line.y)) for line in drawn)),
        ),
        f"Means: {told}. Predictions are drawn to the middle, the more the less is known.",
    )


def _test_mean(test: pd.DataFrame, name: str) -> np.ndarray:
    """Return the mean (n_test,) of what estimators say of the test rows, NaN where none does."""
    prefix = f"{name}_"
    names = map(str, test)
    columns = [one for one in names if one.removeprefix(prefix).isdecimal() and one != prefix]
    return np.asarray(test[columns].mean(axis=1), dtype=float)


def _of_classes(
    record: dict[str, Any], labels: list[str], truth: np.ndarray, probability: np.ndarray
) -> list[Figure]:
    said = _said(record, labels, probability)
    total = probability.sum(axis=1, keepdims=True)
    share = probability / np.where(total > 0, total, 1.0)
    roc = _roc(labels, truth, share)
    return [
        *([_confusion(labels, truth, said)] if len(labels) <= MOST_CLASSES else []),
        *([] if roc is None else [roc]),
        _calibration(labels, truth, share),
    ]


def _said(record: dict[str, Any], labels: list[str], probability: np.ndarray) -> np.ndarray:
    """Return the labels that are handed in (n_samples,)."""
    factors = (record.get("decision") or {}).get("factors") or [1.0] * len(labels)
    return np.asarray(np.array(labels)[(probability * np.array(factors)).argmax(axis=1)])


def _confused(truth: np.ndarray, said: np.ndarray) -> Table:
    """Return which class is taken for which most often, where a matrix would be too large."""
    pairs = Counter((a, b) for a, b in zip(truth, said, strict=True) if a != b)
    rows = [[a, b, f"{n:,}"] for (a, b), n in pairs.most_common(MOST_PAIRS)]
    caption = f"{say('Confused most often')}, {len(rows)} of {len(pairs):,} pairs"
    return Table(caption, ["true", "predicted", "rows"], rows, frozenset({2}), beside=True)


def _confusion(labels: list[str], truth: np.ndarray, said: np.ndarray) -> Figure:
    counts = np.array([[np.sum((truth == a) & (said == b)) for b in labels] for a in labels])
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = np.trace(counts) / max(counts.sum(), 1)
    worst = _most_confused(labels, counts)
    return Figure(
        say("Confusion matrix"),
        heatmap(
            labels,
            counts,
            label=f"Confusion matrix of {len(labels)} classes; {right:.1%} are right",
            write=lambda value: f"{value:,.0f}",
            strength=lambda value: float(value) / max(float(counts.max()), 1.0),
            columns="predicted",
            say="true {row}, predicted {column}: {value}",
            texts=[[f"{one:.1%} of the row" for one in row] for row in share],
        ),
        f"A row is a true class. {right:.2%} of the rows are right{worst}.",
        Table(
            "Counts of true and predicted classes",
            ["true \\ predicted", *labels],
            [[a, *(f"{one:,}" for one in row)] for a, row in zip(labels, counts, strict=True)],
            frozenset(range(1, len(labels) + 1)),
        ),
    )


def _most_confused(labels: list[str], counts: np.ndarray) -> str:
    off = counts - np.diag(np.diag(counts))
    if not off.any():
        return ""
    a, b = np.unravel_index(int(off.argmax()), off.shape)
    return f"; most often {labels[a]} is taken for {labels[b]} ({off[a, b]:,} rows)"


def _roc(labels: list[str], truth: np.ndarray, share: np.ndarray) -> Figure | None:
    """Return the curve of the second class, or of each class against the others, worst first."""
    columns = [1] if len(labels) == 2 else range(len(labels))
    areas = {
        c: float(roc_auc_score(truth == labels[c], share[:, c]))
        for c in columns
        if 0 < (truth == labels[c]).sum() < len(truth)
    }
    if not areas:
        return None
    shown = sorted(areas, key=lambda c: areas[c])[:MOST_CURVES]
    drawn = []
    for c in shown:
        x, y, _ = roc_curve(truth == labels[c], share[:, c])
        drawn.append(Line(labels[c], x, y))
    told = ", ".join(f"{labels[c]} {areas[c]:.4f}" for c in shown)
    if len(labels) == 2:
        told = f"{areas[1]:.4f}"
    which = "" if len(shown) == len(areas) else f"The {len(shown)} least of {len(areas)} classes. "
    against = "" if len(labels) == 2 else "each class against the others; "
    return Figure(
        say("ROC curve"),
        lines(
            drawn,
            label=f"ROC curve; area under it: {told}",
            x_label="false positive rate",
            y_label="true positive rate",
            x_ends=(0.0, 1.0),
            y_ends=(0.0, 1.02),
            diagonal=True,
        ),
        f"{which}Area under the curve: {against}{told}. A guess lies on the dashed line.",
    )


def _calibration(labels: list[str], truth: np.ndarray, share: np.ndarray) -> Figure:
    """Return how often what is said with a probability is so: for two classes of the second."""
    if len(labels) == 2:
        p, is_so, what = share[:, 1], truth == labels[1], f"of {labels[1]}"
    else:
        best = share.argmax(axis=1)
        p, is_so = share.max(axis=1), np.array(labels)[best] == truth
        what = "of the most probable class"
    edges = np.unique(np.quantile(p, np.linspace(0, 1, CALIBRATION_BINS + 1)))
    at = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, max(len(edges) - 2, 0))
    rows = [(p[at == b].mean(), is_so[at == b].mean(), int((at == b).sum())) for b in np.unique(at)]
    n = np.array([row[2] for row in rows])
    apart = float(np.sum(n * np.abs([row[0] - row[1] for row in rows])) / n.sum())
    return Figure(
        say("Calibration"),
        lines(
            [
                Line(
                    "is so",
                    [row[0] for row in rows],
                    [row[1] for row in rows],
                    shows_points=True,
                )
            ],
            label=f"How often what has a probability {what} is so; off by {apart:.3f} on average",
            x_label=f"predicted probability {what}",
            y_label="share that is so",
            x_ends=(0.0, 1.0),
            y_ends=(0.0, 1.02),
            diagonal=True,
        ),
        f"Probabilities {what} in bins of equally many rows. They are off by {apart:.3f} on "
        "average; on the dashed line they are what they say.",
        Table(
            "Calibration",
            ["probability", "is so", "rows"],
            [[f"{a:.3f}", f"{b:.3f}", f"{c:,}"] for a, b, c in rows],
            frozenset({0, 1, 2}),
        ),
    )


def _sample(n: int) -> np.ndarray:
    """Return which rows are drawn, the same ones every time."""
    if n <= POINTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, POINTS, replace=False))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
