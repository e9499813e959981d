"""Which metric scores a competition: as its page names it, or as most with such a sample have."""

import re

from pipeline.competition import METRICS_OF_TASK, MetricName, Task
from pipeline.inference.answers import Question
from pipeline.inference.evidence import Said

PAGE_METRICS: dict[str, MetricName] = {
    "rmse": "rmse",
    "rootmeansquarederror": "rmse",
    "rootmeansquareerror": "rmse",
    "mcrmse": "rmse",
    "meancolumnwiserootmeansquarederror": "rmse",
    "rmsle": "rmsle",
    "rootmeansquaredlogarithmicerror": "rmsle",
    "rootmeansquaredlogerror": "rmsle",
    "mae": "mae",
    "meanabsoluteerror": "mae",
    "mape": "mape",
    "meanabsolutepercentageerror": "mape",
    "r2": "r2",
    "r2score": "r2",
    "rsquared": "r2",
    "accuracy": "accuracy",
    "accuracyscore": "accuracy",
    "categorizationaccuracy": "accuracy",
    "f1macro": "f1_macro",
    "f1scoremacro": "f1_macro",
    "macrof1": "f1_macro",
    "macrof1score": "f1_macro",
    "macrofscore": "f1_macro",
    "logloss": "log_loss",
    "binarylogloss": "log_loss",
    "multiclassloss": "log_loss",
    "multiclasslogloss": "log_loss",
    "auc": "roc_auc",
    "rocauc": "roc_auc",
    "rocaucscore": "roc_auc",
    "areaunderroc": "roc_auc",
    "areaunderreceiveroperatingcharacteristiccurve": "roc_auc",
}


def our_metric(page_metric: str | None) -> MetricName | None:
    """Return our name of a metric as a page calls it, or None if it is none of ours."""
    plain = re.sub(r"[^a-z0-9]", "", (page_metric or "").casefold())
    return PAGE_METRICS.get(plain)


def find_metric(
    task: Task,
    question: Question,
    metric: MetricName | None,
    said: Said,
    *,
    holds_chances: bool,
) -> tuple[MetricName, str]:
    """Return the metric, and why."""
    if said.metric is not None:
        return said.metric, "as --metric says"
    if metric is not None and metric in METRICS_OF_TASK[task]:
        return metric, f"the page says {said.page_metric}"
    if said.page_metric:
        return _usual_metric(task, question, holds_chances=holds_chances)[0], (
            f"a guess: the page's {said.page_metric!r} is "
            + ("not among ours" if metric is None else f"none of task {task}")
        )
    return _usual_metric(task, question, holds_chances=holds_chances)


def _usual_metric(task: Task, question: Question, *, holds_chances: bool) -> tuple[MetricName, str]:
    """Return the metric that most competitions with such a sample submission have, and why."""
    if task == "regression":
        return "rmse", "a guess: look at the competition's page"
    if question.is_wide:
        return "log_loss", "a guess: the sample has a column a class"
    if task == "binary" and holds_chances:
        return "roc_auc", "a guess: the sample holds probabilities"
    return "accuracy", "a guess: the sample holds labels"
