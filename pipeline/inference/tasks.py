"""What kind of prediction a competition wants, how it is scored, and what the answers look like."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.competition import METRICS_OF_TASK, Answer, MetricName, Target, Task
from pipeline.errors import DataError, UsageError
from pipeline.inference.answers import Question
from pipeline.inference.evidence import Cells, Said, Tables, trimmed
from pipeline.inference.scores import find_metric, our_metric
from pipeline.kinds import swap_decimal
from pipeline.metrics import METRICS
from pipeline.progress import counted

MOST_CLASSES = 20  # whole numbers of more levels are amounts
ROWS_A_CLASS = 10  # and so are those of fewer rows a level
MOST_TEXTS = 0.5  # of the rows differ: then a text is no class
SKEWED = 1.0
POSITIVE = ("1", "1.0", "yes", "y", "true", "t", "positive", "pos", "+", "양성", "예")


@dataclass(frozen=True)
class Aim:
    """The task and its metric, each with why; the target's own table, and its classes' counts.

    classes: each level of a class target and its rows; empty for regression.
    """

    task: Task
    task_why: str
    metric: MetricName
    metric_why: str
    target: Target
    target_why: str
    classes: dict[str, int]


def find_aim(tables: Tables, train: dict[str, Cells], question: Question, said: Said) -> Aim:
    """Return the task by the target's values, the metric by the sample's, if neither is said.

    Raises DataError if the target cannot be predicted, UsageError if what is said contradicts.
    """
    targets = [train[name] for name in question.target]
    for cells in targets:
        _check_has_values(cells, tables)
        if cells.numbers is None and len(targets) > 1:
            raise DataError(
                f"{tables.train_file.path.name}: {len(targets)} targets, of which {cells.name!r} "
                "is text; several are predicted only as amounts, so name one by --target"
            )
    answers = pd.concat([_answers(tables, name) for name in question.asked])
    metric = said.metric or our_metric(said.page_metric)
    task, task_why = _task(targets, question, answers, metric, said)
    classes = {} if task == "regression" else _counts(targets[0])
    holds_chances = task != "regression" and _are_chances(answers, classes)
    chosen, metric_why = find_metric(task, question, metric, said, holds_chances=holds_chances)
    if chosen not in METRICS_OF_TASK[task]:
        raise UsageError(
            f'the metric {chosen!r} does not score task "{task}"; expected one of '
            f"{', '.join(METRICS_OF_TASK[task])}, or another --task"
        )
    if task == "regression":
        target, target_why = _bounds(targets, chosen)
    else:
        target, target_why = _answer(question, classes, answers, chosen, chances=holds_chances)
    return Aim(task, task_why, chosen, metric_why, target, target_why, classes)


def _answers(tables: Tables, name: str) -> pd.Series:
    """Return the cells of one of the sample's columns that are not empty."""
    cells = trimmed(tables.sample[name]).drop_null()
    if tables.files.decimal == ",":
        cells = swap_decimal(cells)
    answers: pd.Series = cells.to_pandas().astype("str")
    return answers


def _check_has_values(cells: Cells, tables: Tables) -> None:
    name = tables.train_file.path.name
    if cells.n_levels < 2:
        level = f"{cells.levels[0]!r} in every row" if cells.n_levels else "only missing values"
        raise DataError(f"{name}: the target {cells.name!r} has {level}; there is nothing to learn")


def _task(
    targets: list[Cells],
    question: Question,
    answers: pd.Series,
    metric: MetricName | None,
    said: Said,
) -> tuple[Task, str]:
    """Return the task, and why."""
    cells = targets[0]
    classes: Task = "binary" if cells.n_levels == 2 else "multiclass"
    levels = f"{cells.n_levels:,} levels"
    if said.task is not None:
        return said.task, "as --task says"
    if said.windows is not None:
        return "regression", "forecasts are numbers"
    if question.is_wide:
        return classes, f"the sample has a column for each of {levels}"
    if len(targets) > 1:
        return "regression", f"{len(targets)} targets"
    if cells.numbers is None:
        if cells.n_levels > max(MOST_CLASSES, MOST_TEXTS * len(cells)):
            raise DataError(
                f"the target {cells.name!r}: {levels} of text in {len(cells):,} rows are no "
                "classes to learn; name another --target"
            )
        return classes, f"text of {levels}"
    if metric in METRICS_OF_TASK["regression"]:
        return "regression", f"{metric} scores amounts; {levels}"
    if metric is not None or classes == "binary":
        return classes, levels
    return _task_of_numbers(cells, answers)


def _task_of_numbers(cells: Cells, answers: pd.Series) -> tuple[Task, str]:
    """Return whether more than two different numbers are classes or amounts."""
    values = cells.values
    span = int(values.max() - values.min()) + 1 if cells.are_whole else 0
    numbered = values.min() in (0, 1) and span == cells.n_levels <= MOST_CLASSES
    plenty = len(values) >= ROWS_A_CLASS * cells.n_levels
    wanted = pd.to_numeric(answers, errors="coerce").dropna()
    if numbered and plenty and bool(wanted.isin(values).all()):
        low = f"{values.min():g} to {values.max():g}"
        return "multiclass", f"{cells.n_levels} levels, numbered {low}"
    what = "whole numbers" if cells.are_whole else "numbers"
    return "regression", f"{what} from {values.min():g} to {values.max():g}"


def _counts(cells: Cells) -> dict[str, int]:
    """Return the classes as the pipeline calls them, sorted, and the rows of each."""
    labels = cells.present.to_pandas().astype("str")
    if cells.numbers is not None:
        labels = cells.values.astype("int64") if cells.are_whole else cells.values
    counts = labels.value_counts().sort_index()
    return {str(label): int(n) for label, n in counts.items()}


def _are_chances(answers: pd.Series, classes: dict[str, int]) -> bool:
    """Tell whether the sample holds probabilities: fractions, or numbers where classes are text."""
    numbers = pd.to_numeric(answers, errors="coerce")
    if not len(answers) or numbers.isna().any():
        return False
    return bool((numbers % 1 != 0).any()) or not (
        set(answers) <= set(classes)
        or set(numbers) <= set(pd.to_numeric(pd.Series(list(classes)), errors="coerce"))
    )


def _bounds(targets: list[Cells], metric: MetricName) -> tuple[Target, str]:
    """Return the bounds of amounts that are never negative, with why."""
    lows = [cells.values.replace([np.inf, -np.inf], np.nan).dropna() for cells in targets]
    smallest = min((float(values.min()) for values in lows if len(values)), default=0.0)
    if metric == "rmsle":
        return Target(transform="log1p", lower=0.0), f"rmsle needs both; the least is {smallest:g}"
    skewed = all(
        len(values) and values.min() >= 0 and _is_count_or_skewed(cells, values)
        for cells, values in zip(targets, lows, strict=True)
    )
    return (Target(lower=0.0), f"the least is {smallest:g}") if skewed else (Target(), "")


def _is_count_or_skewed(cells: Cells, values: pd.Series) -> bool:
    return cells.are_whole or float(np.asarray(values.skew())) > SKEWED


def _answer(
    question: Question,
    classes: dict[str, int],
    answers: pd.Series,
    metric: MetricName,
    *,
    chances: bool,
) -> tuple[Target, str]:
    """Return which class's probability is handed in, or that the sample wants something else."""
    if question.is_wide or len(classes) != 2:
        return Target(), ""
    labelled = len(answers) > 0 and set(answers) <= set(classes)
    wants_label = METRICS[metric].response == "label"
    numeric = pd.to_numeric(pd.Series(list(classes)), errors="coerce").notna().all()
    answer: Answer | None = None
    if wants_label and chances:
        answer = "probability"
    elif not wants_label and labelled and not numeric:
        answer = "label"
    if answer == "label" or (wants_label and not chances):
        return Target(answer="label") if answer else Target(), "the sample holds labels"
    positive, why = _positive(question, classes)
    if positive is None:
        return Target(answer=answer), "" if answer is None else "the sample holds probabilities"
    return Target(positive=positive, answer=answer), why


def _positive(question: Question, classes: dict[str, int]) -> tuple[str | None, str]:
    """Return the class that means yes, or None where the last in sorted order does."""
    words = question.asked[0].casefold().split("_")
    named = [level for level in classes if level.casefold() in words]
    if len(named) == 1:
        return named[0], f"the sample asks for {question.asked[0]!r}"
    if pd.to_numeric(pd.Series(list(classes)), errors="coerce").notna().all():
        return None, ""
    means_yes = [level for level in classes if level.casefold() in POSITIVE]
    if len(means_yes) == 1:
        return means_yes[0], "its probability is handed in"
    rarest = min(classes, key=lambda level: classes[level])
    rows = counted(classes[rarest], "row")
    return rarest, f"a guess: the rarer class ({rows}); its probability is handed in"


def class_line(classes: dict[str, int]) -> str:
    """Return classes with their rows, the first few of many."""
    parts = [f"{level} ({n:,})" for level, n in list(classes.items())[:4]]
    return ", ".join(parts) + (f" and {len(classes) - 4} more" if len(classes) > 4 else "")
