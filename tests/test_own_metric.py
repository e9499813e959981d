"""A metric of the competitor's own: a function in a file beside the declaration."""

import json

import numpy as np
import pytest
from conftest import TOML, TRAIN, only_run, write

from pipeline import competition, load_competition
from pipeline.decisions import decide
from pipeline.ensemble import Candidates, choose_blend
from pipeline.estimate import estimate
from pipeline.metrics import METRICS

WORST = """\
import numpy as np


def worst(y_true, y_pred):
    return np.abs(y_true - y_pred).max()
"""
OWN_TOML = (
    TOML.replace('metric = "rmse"\n', "")
    + """
[metric]
function = "metrics.py:worst"
greater_is_better = false
scores = "value"
"""
)
HITS = """\
def hits(y_true, y_pred):
    return ((y_true == "yes") & (y_pred == "yes")).sum() - 0.25 * (y_pred == "yes").sum()
"""


def named(folder, source, function, **facts):
    write(folder / "metrics.py", source)
    said = competition.MetricFile(function=f"metrics.py:{function}", **facts)
    return competition.own_metric(folder, said)


def test_it_scores_the_run_and_travels_with_it(tiny, kc_here):
    work = tiny(toml=OWN_TOML)
    write(work / "competitions" / "tiny" / "metrics.py", WORST)
    done = kc_here(work, "train", "tiny", "--model", "ridge", expect=0)
    run = only_run(work, "tiny")
    record = json.loads((run / "run.json").read_text())
    assert record["metric"].startswith("worst@")
    assert record["greater_is_better"] is False
    assert f"{record['metric']} {record['score']:.5f}" in done.out
    import pandas as pd

    oof = pd.read_csv(run / "oof.csv")
    error = (oof["target_price"] - oof["prediction_price"].round()).abs().max()  # prices are whole
    assert record["score"] == pytest.approx(error)
    low, high = record["leaderboard"]["lower"], record["leaderboard"]["upper"]
    assert low < record["score"] < high
    assert (run / "metrics.py").read_text() == WORST
    new = work / "new.csv"
    write(new, "id,size,colour\n20,35,red\n")
    assert kc_here(work, "predict", "tiny", "--input", new, expect=0).out.startswith("id,price\n20")
    assert kc_here(work, "list", expect=0).code == 0
    network = kc_here(work, "train", "tiny", "--model", "dnn", "--epochs", "2", "-q", expect=0)
    assert network.out.startswith(record["metric"])
    assert kc_here(work, "ensemble", "tiny", "-q", expect=0).out.startswith(record["metric"])


def test_another_version_of_the_file_is_another_metric(tiny, kc_here):
    work = tiny(toml=OWN_TOML)
    path = work / "competitions" / "tiny" / "metrics.py"
    write(path, WORST)
    before = load_competition(path.with_name("competition.toml"))
    kc_here(work, "train", "tiny", "--model", "ridge", expect=0)
    write(path, WORST.replace("max()", "mean()"))
    after = load_competition(path.with_name("competition.toml"))
    assert before.metric.partition("@")[0] == after.metric.partition("@")[0] == "worst"
    assert before.metric != after.metric
    assert before.fingerprint("ridge") != after.fingerprint("ridge")
    again = kc_here(work, "train", "tiny", "--model", "ridge", expect=0)
    assert after.metric in again.out
    assert len(list((work / "runs").glob("tiny-*"))) == 2


@pytest.mark.parametrize(
    ("toml", "source", "expected"),
    [
        (OWN_TOML, None, "metrics.py cannot be read: No such file"),
        (OWN_TOML, "x = 1\n", "has no function 'worst'"),
        (OWN_TOML, WORST.replace(".max()", ""), "has to return one number; it raised TypeError"),
        (OWN_TOML, WORST.replace("y_true -", "y_tru -"), "NameError: name 'y_tru' is not defined"),
        (OWN_TOML.replace(".py:worst", ""), WORST, 'expected "metrics.py:kappa"'),
        (OWN_TOML.replace('"value"', '"label"'), WORST, "expected value for task"),
        (OWN_TOML.replace('scores = "value"', ""), WORST, "metric.scores: missing"),
        (OWN_TOML.replace("greater_is", "greater"), WORST, "greater_better: unknown key"),
    ],
)
def test_what_is_wrong_with_it_is_one_line(tiny, kc_here, toml, source, expected):
    work = tiny(toml=toml)
    if source is not None:
        write(work / "competitions" / "tiny" / "metrics.py", source)
    done = kc_here(work, "train", "tiny", "--model", "ridge", expect=1)
    assert expected in done.err.splitlines()[-1]
    assert done.err.splitlines()[-1].startswith("error: ")
    assert not list((work / "runs").glob("*"))


def test_a_threshold_of_two_classes_is_chosen_by_it(tmp_path):
    name = named(tmp_path, HITS, "hits", greater_is_better=True, scores="label")
    rng = np.random.default_rng(0)
    chance = rng.uniform(size=600)
    labels = np.array(["no", "yes"])
    y = labels[(rng.uniform(size=600) < chance).astype(int)]
    prediction = np.column_stack([1 - chance, chance])
    fold = np.arange(600) % 5
    found = decide(y, prediction, fold, METRICS[name], labels)
    assert found.score > found.plain
    assert found.decision.factors is not None
    assert found.decision.factors[1] == pytest.approx(2.0, rel=1.1)  # "yes" pays from 1/4 on


def test_a_blend_is_judged_by_it(tmp_path):
    name = named(tmp_path, WORST, "worst", greater_is_better=False, scores="value")
    rng = np.random.default_rng(1)
    y = rng.normal(size=60)
    predictions = np.array([y + rng.normal(size=60), y + rng.normal(size=60)])[:, :, None]
    blend = choose_blend(Candidates(predictions, y, np.arange(60) % 3, METRICS[name]))
    assert blend.score == pytest.approx(np.abs(blend.oof[:, 0] - y).max())
    assert blend.score < max(np.abs(one[:, 0] - y).max() for one in predictions)


def test_its_interval_is_that_of_the_same_metric_of_ours(tmp_path):
    source = "def mean_error(y_true, y_pred):\n    return abs(y_true - y_pred).mean()\n"
    name = named(tmp_path, source, "mean_error", greater_is_better=False, scores="value")
    rng = np.random.default_rng(2)
    y = rng.normal(size=300)
    prediction = (y + rng.normal(size=300))[:, None]
    facts = (y, prediction, np.arange(300) % 5, None)
    ours = estimate(*facts, METRICS["mae"], None, 100)
    own = estimate(*facts, METRICS[name], None, 100)
    assert own.score == pytest.approx(ours.score)
    assert own.lower == pytest.approx(ours.lower, abs=0.03)
    assert own.upper == pytest.approx(ours.upper, abs=0.03)
    groups = np.arange(300) // 10
    assert estimate(*facts[:3], groups, METRICS[name], None, 100).how.startswith("bootstrap of 30")


@pytest.mark.slow
def test_worker_processes_find_it(tiny, kc):
    work = tiny(TRAIN, toml=OWN_TOML)
    write(work / "competitions" / "tiny" / "metrics.py", WORST)
    done = kc(work, "train", "tiny", "--model", "ridge,lasso", "--time", "20s")
    assert done.out.startswith("worst@")
