"""The columns: what they are worth, where models miss, what is missing, what has drifted."""

from typing import Any

from pipeline.charts import Bar, bars, short
from pipeline.report.layout import Figure, Section, Table, number
from pipeline.report.words import say

SHOWN = 20
ENOUGH = 10  # rows of a bin that is drawn
DRIFTED = 0.6  # an AUC from which a column is named

NOT_KEPT = "What this is drawn from was not kept with the run."


def features_section(record: dict[str, Any], findings: dict[str, Any]) -> Section:
    """Return the section of importance, and of errors by the columns that matter most."""
    name = say("Features")
    if not findings:
        return Section("features", name, NOT_KEPT)
    found = findings["importance"]
    notes, figures = [], []
    if found["columns"]:
        figures.append(_importance(record, found))
    else:
        notes.append(f"Importance is not known: {found['note']}.")
    figures += [
        _errors(one, findings["errors"]["unit"])
        for one in findings["errors"]["columns"]
        if one["bins"]
    ]
    lead = f"{len(record['features']):,} columns go into the models, before any encoding."
    return Section("features", name, lead, notes, figures)


def _importance(record: dict[str, Any], found: dict[str, Any]) -> Figure:
    rows = found["columns"]
    given = [Bar(one["column"], one["importance"], one["error"]) for one in rows[:SHOWN]]
    more = f" The {SHOWN} most important of {len(rows)} are drawn." if len(rows) > SHOWN else ""
    note = f" {found['note'][:1].upper()}{found['note'][1:]}." if found["note"] else ""
    return Figure(
        say("Feature importance"),
        bars(
            given,
            label="How much worse the score is with a column shuffled: "
            + ", ".join(f"{one.name} {short(one.value, 3)}" for one in given[:3]),
        ),
        f"How much worse the {record['metric'].replace('_', ' ')} of out-of-fold rows becomes if a "
        f"column is shuffled among them ({found['n_rows']:,} answers), with its standard error "
        f"over folds. Columns that say the same share their importance.{more}{note}",
        Table(
            "Importance",
            ["column", "importance", "standard error"],
            [
                [one["column"], number(one["importance"], 4), number(one["error"], 2)]
                for one in rows
            ],
            frozenset({1, 2}),
        ),
    )


def _errors(one: dict[str, Any], unit: str) -> Figure:
    meaning = {
        "value": "Mean of predicted minus true",
        "log1p": "Mean of log1p(predicted) minus log1p(true)",
        "wrong": "Share of rows whose class is wrong",
    }[unit]
    drawn = [each for each in one["bins"] if each["n"] >= ENOUGH]
    drawn = drawn if len(drawn) > 1 else one["bins"]
    given = [
        Bar(
            each["name"],
            each["mean"],
            each["error"],
            text=f"{each['mean']:.1%}" if unit == "wrong" else None,
            colour=2,
            said=_said(each),
        )
        for each in drawn
    ]
    few = len(one["bins"]) - len(drawn)
    title = "Errors" if unit == "wrong" else say("Residuals")
    return Figure(
        f"{title} by {one['column']}",
        bars(given, label=f"{meaning} by {one['column']}"),
        f"{meaning}, with its standard error."
        + (f" {few} of {len(one['bins'])} bins have too few rows." if few else ""),
        Table(
            f"{title} by {one['column']}",
            [one["column"], "mean", "standard error", "rows"],
            [
                [each["name"], number(each["mean"], 4), number(each["error"], 2), f"{each['n']:,}"]
                for each in one["bins"]
            ],
            frozenset({1, 2, 3}),
        ),
    )


def _said(each: dict[str, Any]) -> str:
    """Return a bin's words."""
    error = "" if each["error"] is None else f" ± {short(each['error'], 2)}"
    return f"{each['name']}: {short(each['mean'], 3)}{error}, {each['n']:,} rows"


def data_section(record: dict[str, Any], findings: dict[str, Any]) -> Section:
    """Return the section of drift and missing values by column."""
    name = say("Data")
    rows = record["rows"]
    lead = f"{rows['train']:,} training rows, {rows['test']:,} test rows."
    if not findings:
        return Section("data", name, f"{lead} {NOT_KEPT}")
    columns = findings["columns"]
    figures = [one for one in (_drift(record, columns), _missing(record, columns)) if one]
    notes = []
    if not any(one["missing_train"] or one["missing_test"] for one in columns):
        notes.append("No feature has missing values.")
    unseen = [one for one in columns if one["unseen_in_test"]]
    if unseen:
        told = ", ".join(f"{one['column']} ({one['unseen_in_test']:,})" for one in unseen[:8])
        notes.append(f"Levels that only test rows have: {told}.")
    return Section("data", name, lead, notes, figures, [_columns(columns)])


def _drift(record: dict[str, Any], columns: list[dict[str, Any]]) -> Figure | None:
    known = [one for one in columns if one["drift_auc"] is not None]
    if not known:
        return None
    known.sort(key=lambda one: -one["drift_auc"])
    auc = (record.get("leaderboard") or {}).get("adversarial_auc")
    whole = "" if auc is None else f" Together they tell them apart with {auc:.3f}."
    given = [
        Bar(one["column"], one["drift_auc"] - 0.5, text=f"{one['drift_auc']:.3f}",
            colour=2 if one["drift_auc"] >= DRIFTED else 6,
            said=f"{one['column']}: {one['drift_auc']:.3f}")
        for one in known[:SHOWN]
    ]  # fmt: skip
    told = "How well single columns tell test rows from training rows, from 0.5 to 1"
    first = f"{known[0]['column']} {known[0]['drift_auc']:.3f}"
    return Figure(
        "Drift",
        bars(given, label=f"{told}: {first}", high=0.5),
        f"How well each column alone tells test rows from training rows (AUC): 0.5 not at all, 1 "
        f"always.{whole}",
    )  # fmt: skip


def _missing(record: dict[str, Any], columns: list[dict[str, Any]]) -> Figure | None:
    n = record["rows"]
    shares = [
        (one["column"], one["missing_train"] / n["train"], one["missing_test"] / max(n["test"], 1))
        for one in columns
        if one["missing_train"] or one["missing_test"]
    ]
    if not shares:
        return None
    shares.sort(key=lambda one: -max(one[1:]))
    given = []
    for name, train, test in shares[: SHOWN // 2]:
        given.append(Bar(f"{name}, train", train, text=_share(train)))
        given.append(
            Bar("test", test, text=_share(test), colour=2, said=f"{name}, test: {test:.1%}")
        )
    more = f" The first {SHOWN // 2} of {len(shares)} columns." if len(shares) > SHOWN // 2 else ""
    worst = f"{shares[0][0]} lacks {shares[0][1]:.1%} in train"
    return Figure(
        say("Missing values"),
        bars(given, label=f"Missing values by column; {worst}", high=1.0),
        f"Share of rows without a value, in the training and the test file.{more}",
    )


def _share(value: float) -> str:
    return f"{value:.1%}" if value == 0 or value >= 0.0005 else "<0.1%"


def _columns(columns: list[dict[str, Any]]) -> Table:
    return Table(
        "Columns",
        ["column", "kind", "levels", "missing in train", "in test", "unseen in test", "drift"],
        [
            [
                one["column"],
                one["kind"],
                f"{one['levels']:,}",
                f"{one['missing_train']:,}",
                f"{one['missing_test']:,}",
                f"{one['unseen_in_test']:,}",
                "–" if one["drift_auc"] is None else f"{one['drift_auc']:.3f}",
            ]
            for one in columns
        ],
        frozenset(range(2, 7)),
        is_open=len(columns) <= 30,
    )
