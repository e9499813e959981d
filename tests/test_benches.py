"""The benches that compare with other tools: what is hidden, how it is judged, what tables say."""

import json
import sys
import time
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

BENCH = Path(__file__).parents[1] / "bench"
sys.path += [str(BENCH), str(BENCH / "peers")]

import automl  # noqa: E402
import judging  # noqa: E402
import more_tables  # noqa: E402
import newcomer  # noqa: E402
import one_automl  # noqa: E402
import portfolio  # noqa: E402
import standings  # noqa: E402
from configurations import CONFIGURATIONS, Configuration  # noqa: E402
from contests import CONTESTS, REAL, Contest, cut  # noqa: E402
from ordering import Measured, order  # noqa: E402

from pipeline.competition import ModelChoice  # noqa: E402
from pipeline.ensemble import Question  # noqa: E402
from pipeline.models import make_model  # noqa: E402


def contest(task: str = "regression", metric: str = "rmse", y=(1.0, 2.0, 3.0, 5.0, 9.0)) -> Contest:
    whole = pd.DataFrame({"id": [7, 8, 9, 10, 11], "x": [0, 1, 2, 3, 4], "y": list(y)})
    return cut("five", whole, np.array([1, 3]), "y", task=task, metric=metric)


def line(tool: str, error: float, **more: object) -> dict:
    facts = {"contest": "a", "asked_seconds": 60.0, "seed": 0, "metric": "rmse", "constant": 2.0}
    facts |= {"shape": [30, 10, 4], "seconds": 61.0, "cpu_seconds": 90.0}
    return facts | {"tool": tool, "error": error, "score": error} | more


def test_hidden_rows_lose_their_target_and_keep_their_order():
    found = contest()
    assert list(found.test["id"]) == [8, 10]
    assert list(found.truth) == [2.0, 5.0]
    assert "y" not in found.test
    assert list(found.train["y"]) == [1.0, 3.0, 9.0]


@pytest.mark.parametrize("name", ["diabetes", "breast_cancer", "wine", "counts", "categories"])
def test_files_of_a_contest_show_no_hidden_label(name, tmp_path):
    found = CONTESTS[name](0)
    found.write(tmp_path)
    train, test, sample = (pd.read_csv(tmp_path / file) for file in found.files)
    assert found.target not in test
    assert not set(train["id"]) & set(test["id"])
    assert len(test) == len(found.truth) == len(sample)
    assert sample.drop(columns="id").nunique().max() == 1


def test_another_seed_hides_other_rows():
    assert CONTESTS["wine"](0).digest() == CONTESTS["wine"](0).digest()
    assert CONTESTS["wine"](0).digest() != CONTESTS["wine"](1).digest()


@pytest.mark.skipif(not (REAL / "bike").is_dir(), reason="needs the real files")
def test_bike_hides_whole_days_between_seen_ones():
    found = CONTESTS["bike"](0)
    seen, hidden = (pd.to_datetime(frame["datetime"]) for frame in (found.train, found.test))
    assert not set(seen.dt.normalize()) & set(hidden.dt.normalize())
    assert set(hidden.dt.day) == set(range(10, 20))
    assert seen.min() < hidden.min() < seen.max()
    assert not {"casual", "registered"} & {*found.test}


def test_a_submission_is_judged_by_id_and_not_by_position():
    found = contest()
    ordered = pd.DataFrame({"id": ["8", "10"], "y": ["2", "4"]})
    assert judging.score(found, ordered) == pytest.approx(np.sqrt(0.5))
    assert judging.score(found, ordered[::-1]) == pytest.approx(np.sqrt(0.5))


def test_a_submission_of_other_rows_or_columns_is_no_result():
    found = contest()
    with pytest.raises(judging.JudgingError, match="ids are not those of the test rows"):
        judging.score(found, pd.DataFrame({"id": ["8", "9"], "y": ["2", "4"]}))
    with pytest.raises(judging.JudgingError, match=r"expected columns \['id', 'y'\], found"):
        judging.score(found, pd.DataFrame({"id": ["8", "10"], "z": ["2", "4"]}))


def test_the_constant_prediction_knows_the_training_targets_only():
    assert list(judging.constant(contest())["y"]) == [pytest.approx(13 / 3)] * 2
    logs = judging.constant(contest(metric="rmsle"))["y"]
    assert list(logs) == [pytest.approx(np.expm1(np.log1p([1, 3, 9]).mean()))] * 2
    labels = contest("binary", "accuracy", ["no", "yes", "no", "no", "yes"])
    assert list(judging.constant(labels)["y"]) == ["no", "no"]
    assert judging.score_values(labels, judging.constant(labels)) == 0.5
    shares = contest("binary", "roc_auc", ["no", "yes", "no", "no", "yes"])
    assert list(judging.constant(shares)["y"]) == [pytest.approx(1 / 3)] * 2
    assert judging.score_values(shares, judging.constant(shares)) == 0.5


def test_probabilities_of_three_classes_are_columns_by_name():
    found = contest("multiclass", "log_loss", ["a", "b", "c", "a", "b"])
    assert found.asked == ["a", "b", "c"]
    sure = pd.DataFrame({"id": [10, 8], "a": [0.8, 0.1], "b": [0.1, 0.8], "c": [0.1, 0.1]})
    assert judging.score(found, sure.astype(str)) == pytest.approx(-np.log(0.8))


def test_greater_scores_become_smaller_errors():
    assert judging.error("accuracy", 0.9) == pytest.approx(0.1)
    assert judging.error("rmse", 0.9) == 0.9


def test_the_table_normalises_between_the_constant_and_the_best():
    lines = [line("autogluon", 1.0), line("kc", 1.5), line("flaml", 2.0)]
    found = standings.contested(lines)[0]
    assert [found.normalised(tool) for tool in ("kc", "autogluon", "flaml")] == [0.5, 1.0, 0.0]
    assert found.ratio() == 1.5
    text = standings.table(lines)
    assert text.splitlines()[0].split("|")[5].strip() == "kc"
    assert "1.5000 (0.500; 61 s, cpu 90)" in text
    assert "1.500; below 1 0 of 1" in text


def test_the_best_of_one_is_no_win():
    lines = [line("kc", 1.0), line("kc", 1.0, contest="b"), line("mljar", 1.5, contest="b")]
    assert "1.000; best 1 of 1" in standings.table(lines).splitlines()[-1]
    assert "best 0 of 0" in standings.table(lines[:1]).splitlines()[-1]


def test_of_two_results_of_one_tool_the_newer_counts_and_seeds_are_averaged():
    lines = [line("kc", 1.9), line("kc", 1.0), line("kc", 0.5, seed=1), line("autogluon", 1.0)]
    found = standings.contested(lines)[0]
    assert found.errors() == {"kc": 0.75, "autogluon": 1.0}
    assert found.is_best("kc")
    assert not found.is_best("autogluon")


def test_a_result_that_is_there_is_not_run_again(tmp_path, monkeypatch, capsys):
    outcome = {"score": 1.0, "error": 1.0, "seconds": 2.0, "cpu_seconds": 1.0, "load": 0.0}
    runs = []
    monkeypatch.setattr(automl, "run", lambda *known: runs.append(known) or outcome)
    asked = Namespace(
        results=tmp_path / "results.jsonl",
        seeds=[0],
        only=["diabetes"],
        tools=["kc"],
        seconds=5.0,
        environments=tmp_path,
    )
    automl.run_missing(asked)
    automl.run_missing(asked)
    assert len(runs) == 1
    kept = json.loads(asked.results.read_text())
    assert (kept["contest"], kept["tool"], kept["shape"]) == ("diabetes", "kc", [331, 111, 11])
    assert "diabetes" in capsys.readouterr().err


def test_a_tool_that_fails_is_an_error_with_its_last_words():
    said = automl.timed([sys.executable, "-c", "print('done')"], {}, 5.0)
    assert said["stdout"] == "done\n"
    with pytest.raises(automl.ToolError, match="exit code 3: no such luck"):
        automl.timed([sys.executable, "-c", "print('no such luck'); raise SystemExit(3)"], {}, 5.0)


def test_a_tool_that_hangs_is_ended_with_its_children(monkeypatch, tmp_path):
    monkeypatch.setattr(automl, "GRACE", 3.0)
    child = f"import time; time.sleep(8); open({str(tmp_path / 'alive')!r}, 'w')"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(automl.ToolError, match=r"did not end in 4 times 0 s"):
        automl.timed([sys.executable, "-c", parent], {}, 0.0)
    time.sleep(8)
    assert not (tmp_path / "alive").exists()


def test_a_peers_answer_is_handed_in_by_class_name_and_off_the_logarithms():
    wish = SimpleNamespace(
        id="id", target="y", ids=pd.Series(["8"]), asked=["y"], labels=["no", "yes"],
        on_logarithms=False,
    )  # fmt: skip
    table = one_automl.submission(wish, (np.array([[0.7, 0.3]]), ["yes", "no"]))
    assert list(table["y"]) == [0.7]
    wish.on_logarithms = True
    table = one_automl.submission(wish, (np.log1p([5.0]), None))
    assert table["y"][0] == pytest.approx(5.0)


def test_rows_are_cut_down_by_chance_and_stay_in_order():
    found = CONTESTS["diabetes"](0)
    some = more_tables.at_most(found, 50)
    assert len(some) == 50
    assert some["id"].is_monotonic_increasing == found.train["id"].is_monotonic_increasing
    assert more_tables.at_most(found, 1000) is found.train


def study(predictions: dict[str, np.ndarray], y: np.ndarray, seconds: dict[str, float]) -> Measured:
    fold = np.arange(len(y)) % 3
    question = Question(np.array(list(predictions.values())), y, fold, "rmse")
    return Measured("made", question, tuple(predictions), seconds)


def test_the_order_begins_with_what_is_cheap_and_leaves_out_what_adds_nothing():
    random = np.random.default_rng(0)
    y = random.normal(size=300)
    noise = random.normal(size=(2, 300))
    predictions = {
        "slow and good": y + 0.30 * noise[0],
        "quick and good": y + 0.31 * noise[1],
        "useless": 30 * random.normal(size=300),
    }
    seconds = {"slow and good": 20.0, "quick and good": 1.0, "useless": 0.1}
    steps = order([study(predictions, y, seconds)])
    assert [step.name for step in steps] == ["quick and good", "slow and good"]
    assert steps[0].regret > steps[1].regret == pytest.approx(0.0)


def test_a_blend_is_scored_by_weights_of_the_other_folds():
    y = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    fold = np.array([0, 0, 0, 1, 1, 1])
    zero, one = np.zeros(6), np.ones(6)
    found = Measured("two", Question(np.array([zero, one]), y, fold, "rmse"), ("zero", "one"), {})
    assert found.blend_loss(["zero", "one"]) == pytest.approx(1.0)  # each fold's choice misses


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_every_configuration_is_one_that_its_model_takes(task):
    for name, one in CONFIGURATIONS.items():
        if one.can(task, 100, 2):
            make_model(ModelChoice(label=name, kind=one.kind, parameters=one.of(task)), task, 42)


def test_a_gaussian_process_is_left_out_where_it_would_take_all_the_time():
    process = Configuration("gaussian_process", "gaussian_process")
    assert process.can("regression", 2000, 0)
    assert not process.can("multiclass", 900, 10)


def test_the_study_keeps_what_it_measured_and_measures_nothing_twice(tmp_path):
    asked = Namespace(folder=tmp_path, configurations=["logistic", "knn", "ridge"])
    portfolio.run_set("wine", asked)
    kept = (tmp_path / "results.jsonl").read_text()
    assert [json.loads(text)["configuration"] for text in kept.splitlines()] == ["logistic", "knn"]
    portfolio.run_set("wine", asked)
    assert (tmp_path / "results.jsonl").read_text() == kept
    ((group, found),) = portfolio.measured(tmp_path)
    assert group == "small classes"
    assert found.losses()["logistic"] == pytest.approx(json.loads(kept.splitlines()[0])["score"])
    assert "logistic" in portfolio.tables(tmp_path)


def test_a_newcomer_s_way_is_one_screen_of_commands_that_exist():
    from pages import check_understood

    for command in (*newcomer.FIRST, *newcomer.OWN):
        check_understood(command.split())
    steps = [newcomer.Step(one, 2.25) for one in newcomer.OWN]
    way = newcomer.Way("From an address", [*steps, newcomer.Step("kc runs rentals", 61.0, 4.2)])
    lines = str(way).splitlines()
    assert lines[0] == "From an address"
    assert lines[-2].endswith("61.0 s   first run after 4.2 s")
    assert lines[-1].split() == ["67.8", "s"]
    assert len(lines) < 24
