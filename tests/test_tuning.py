"""A search over a model's parameters: what it tries, keeps, continues with, and claims."""

import json
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import KC, Done, environment, files_of
from test_stages import REGRESSION, make_workspace

from pipeline import TrainOptions, train
from pipeline.competition import ModelChoice
from pipeline.errors import ModelError, UsageError
from pipeline.models import MODELS, make_model
from pipeline.models.spaces import Options, Range, space_of
from pipeline.progress import Event, Warned, listening
from pipeline.stages.tuned import Tuned, tuned_lines, tuned_rows
from pipeline.stages.tuning import TuneOptions, tune
from pipeline.tomltext import model_toml
from pipeline.tuning import Gain, Search, Trial, gain_of, load_trials, save_trial

BOWL = {"x": Range(-4.0, 4.0), "n": Range(1, 64, log=True, whole=True), "how": Options(([1], "b"))}
QUICK = (
    "ridge", "logistic", "lasso", "elastic_net", "kernel_ridge", "svm", "knn", "random_forest",
    "extra_trees", "lightgbm", "catboost", "xgboost", "hist_gradient_boosting",
)  # fmt: skip

FEWER = {
    **dict.fromkeys(QUICK[7:12], "n_estimators"),
    "hist_gradient_boosting": "max_iter",
}


def search_of(trials: list[Trial], seed: int = 0) -> Search:
    return Search(BOWL, trials, seed=seed, greater_is_better=False)


def loss(parameters: dict[str, Any]) -> float:
    return float((parameters["x"] - 1) ** 2 + np.log(parameters["n"]) + (parameters["how"] == "b"))


def tried(search: Search, n: int) -> list[Trial]:
    trials = []
    for number in range(1, n + 1):
        parameters = search.ask()
        score = loss(parameters)
        search.is_hopeless([score])
        trials.append(Trial(number, parameters, [score] * 3, score, 0.1))
        search.tell(trials[-1])
    return trials


def test_a_search_learns_and_the_seed_decides_what_it_tries() -> None:
    trials = tried(search_of([]), 50)
    later = [one.score for one in trials[25:] if one.score is not None]
    first = [one.score for one in trials[:8] if one.score is not None]
    assert np.median(later) < 0.5 * np.median(first)
    assert [one.parameters for one in tried(search_of([]), 10)] == [
        one.parameters for one in trials[:10]
    ]
    assert tried(search_of([], seed=1), 1)[0].parameters != trials[0].parameters
    assert all(len(f"{abs(one.parameters['x']):.10g}") <= 7 for one in trials)


def test_a_search_continues_with_what_was_tried_before() -> None:
    default = Trial(0, {}, [9.0, 9.0], 9.0, 0.1)
    given_up = Trial(2, {"x": 4.0, "n": 3, "how": "b"}, [50.0], None, 0.1)
    before = [default, *tried(search_of([]), 30), given_up]
    after = [loss(search.ask()) for search in [search_of(before)] for _ in range(10)]
    assert np.median(after) < np.median([loss(search_of([], seed=s).ask()) for s in range(10)])


def test_a_trial_is_hopeless_after_two_folds_that_are_worse_than_the_median() -> None:
    search = search_of([Trial(i, {}, [1.0 + i / 10] * 3, 1.0, 0.1) for i in range(5)])
    search.ask()
    assert not search.is_hopeless([5.0])
    assert search.is_hopeless([5.0, 5.0])
    search.tell(Trial(5, {}, [5.0, 5.0], None, 0.1))
    search.ask()
    assert not search.is_hopeless([0.5])
    assert not search.is_hopeless([0.5, 0.5])


def test_trials_are_kept_line_by_line_and_a_cut_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tuning" / "one.jsonl"
    trials = [Trial(1, {"a": 0.5, "b": [1, 2]}, [1.0], None, 0.2), Trial(2, {}, [1.0, 2.0], 1.5, 1)]
    assert load_trials(path) == []
    save_trial(path, trials[0])
    path.write_bytes(path.read_bytes() + b'{"number": 2, "para')  # killed in the middle
    save_trial(path, trials[1])
    heard: list[Event] = []
    with listening(heard.append):
        assert load_trials(path) == trials
    assert heard == [Warned(f"{path}, line 2: damaged, so this trial does not count")]


def test_a_gain_is_clear_if_it_is_over_the_error_of_its_folds() -> None:
    folds = [1.0, 2.0, 3.0]
    found = gain_of(1.8, 2.0, [0.9, 1.7, 2.8], folds, greater_is_better=False)
    assert found.gain == pytest.approx(0.2)
    assert found.error == pytest.approx(0.1 / np.sqrt(3))
    assert found.is_clear
    assert not gain_of(1.9, 2.0, [0.2, 2.7, 2.8], folds, greater_is_better=False).is_clear
    assert not gain_of(1.8, 2.0, [0.9, 1.7, 2.8], folds, greater_is_better=True).is_clear
    assert gain_of(0.9, 0.8, [0.9], [0.8], greater_is_better=True).error is None


@pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name, spec in MODELS.items() for task in spec.tasks]
)
def test_every_point_of_a_space_is_a_model_and_a_declaration(name: str, task: Any) -> None:
    space = space_of(name, task)
    if name == "gaussian_process":
        assert space == {}
        return
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    y = X["a"].to_numpy() if task == "regression" else np.arange(60) % (2 + (task != "binary"))
    search = Search(space, [], seed=0, greater_is_better=False)
    for number in range(3):
        parameters = search.ask()
        told = model_toml(ModelChoice(label="mine", kind=name, parameters=parameters))
        assert tomllib.loads(told)["models"]["mine"] == {"kind": name, **parameters}
        fewer = {FEWER[name]: 5} if name in FEWER else {}
        choice = ModelChoice(label=name, kind=name, parameters=parameters | fewer)
        model = make_model(choice, task, 0)
        if name in QUICK and number == 0:
            assert len(model.fit(X, y).predict(X)) == 60


def test_a_table_has_what_else_is_declared_of_the_model() -> None:
    choice = ModelChoice(label="mine", kind="ridge", parameters={"alpha": 2.5}, by_parts=True)
    assert model_toml(choice) == '[models.mine]\nkind = "ridge"\nby_parts = true\nalpha = 2.5'


def test_what_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ModelError) as caught:
        search_of([])
    assert str(caught.value) == 'optuna is not installed; run: pip install "kc[tune]"'


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Tuned, list[Event]]:
    """A workspace in which a poor ridge was searched for some seconds; only to be read."""
    root = tmp_path_factory.mktemp("searched")
    tail = "[models.ridge]\nalpha = 500.0\n"
    workspace = make_workspace(root, "price", REGRESSION, tail=tail)
    heard: list[Event] = []
    with listening(heard.append):
        found = tune(workspace, "toy", TuneOptions("ridge", trials=12))
    return workspace, found, heard


def test_a_search_beats_a_poor_default_and_says_by_how_much(searched: Any) -> None:
    _, found, _ = searched
    assert found.gain.is_clear
    assert found.trials[0].score < found.default.score
    assert [one.score for one in found.trials] == sorted(one.score for one in found.trials)
    assert found.n_fresh == 5
    assert found.fresh.is_clear
    rows = tuned_rows(found)
    assert [row["trial"] for row in rows[:2]] == ["default", found.trials[0].number]
    assert rows[1]["gain"] == pytest.approx(found.default.score - found.trials[0].score)
    first, second = tuned_lines(found)
    assert first.endswith(
        f"the best gains {found.gain.gain:.5f} +- {found.gain.error:.5f} on the folds that chose it"
    )
    assert second.startswith("on 5 folds of another seed, which chose nothing: ")


def test_the_best_is_a_complete_run_that_its_table_makes_again(searched: Any) -> None:
    workspace, found, _ = searched
    record = found.run.record
    assert record["model"]["label"] == "ridge_tuned"
    assert record["score"] == found.trials[0].score
    assert record["search"]["trials"] == len(found.trials) + found.n_given_up
    assert any("its score chose it among" in text for text in record["warnings"])
    declaration = workspace.declaration("toy")
    before = declaration.read_text()
    assert "ridge_tuned" not in before
    declaration.write_text(f"{before}\n{found.toml}\n")
    again = train(workspace, "toy", TrainOptions(label="ridge_tuned"))
    declaration.write_text(before)
    assert again.submission.read_bytes() == found.run.submission.read_bytes()


def test_only_the_best_trials_fits_are_kept(searched: Any) -> None:
    workspace, found, _ = searched
    kept = list(workspace.cache("toy").glob("*.joblib"))
    assert len(kept) % 5 == 1  # five folds each, and a fit on all rows of the best
    assert len(kept) < 5 * len(found.trials)


def test_the_same_search_continues_and_another_declaration_starts_anew(searched: Any) -> None:
    workspace, found, _ = searched
    (path,) = workspace.tuning("toy").glob("*.jsonl")
    n_before = len(load_trials(path))
    assert n_before == len(found.trials) + found.n_given_up
    more = tune(workspace, "toy", TuneOptions("ridge", trials=n_before + 3))
    assert len(load_trials(path)) == len(more.trials) + more.n_given_up == n_before + 3
    assert more.trials[0].score <= found.trials[0].score
    numbers = [trial.number for trial in load_trials(path)]
    assert numbers == list(range(1, len(numbers) + 1))
    declaration = workspace.declaration("toy")
    before = declaration.read_text()
    declaration.write_text(before.replace("alpha = 500.0", "alpha = 400.0"))
    tune(workspace, "toy", TuneOptions("ridge", trials=1))
    declaration.write_text(before)
    assert len(list(workspace.tuning("toy").glob("*.jsonl"))) == 2


def test_what_is_not_over_its_error_is_not_claimed(searched: Any) -> None:
    _, found, _ = searched
    small = replace(found, fresh=Gain(1.0, 1.01, 0.01, 0.02))
    assert tuned_lines(small)[-1] == (
        "that is not more than its standard error: nothing beats the default for sure"
    )
    worse = replace(found, gain=Gain(1.1, 1.0, -0.1, 0.02), run=None)
    assert tuned_lines(worse)[0].endswith(": none beats the default, so there is no new run")
    none = replace(found, trials=[], n_given_up=0, gain=None)
    assert tuned_lines(none) == ["there was no time for a single trial; give more by --time"]


def test_what_cannot_be_searched_is_refused(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    before = files_of(tmp_path)
    with pytest.raises(UsageError, match="gaussian_process has no parameters that are searched"):
        tune(workspace, "toy", TuneOptions("gaussian_process"))
    with pytest.raises(UsageError, match="kc tune searches one model; name it by --model"):
        tune(workspace, "toy", TuneOptions("auto"))
    with pytest.raises(UsageError, match="seconds: expected more than 0, found 0"):
        TuneOptions("ridge", seconds=0)
    assert files_of(tmp_path) == before
    with pytest.raises(UsageError, match="are too few for the 5 folds of random_forest"):
        tune(workspace, "toy", TuneOptions("random_forest", seconds=0.01))
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_found(tmp_path: Path, kc: Callable[..., Done]) -> None:
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    command = [KC, "--workspace", tmp_path, "tune", "toy", "--model", "ridge", "--time", "10m"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert process.stderr is not None
        seen = 0
        while seen < 4:
            line = process.stderr.readline()
            assert line, "the search ended by itself"
            seen += line.startswith("trial ")
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert re.fullmatch(
        r"interrupted; \d trials of .* are kept for the next search", rest.splitlines()[-1]
    )
    (path,) = workspace.tuning("toy").glob("*.jsonl")
    n_kept = len(load_trials(path))
    assert n_kept >= 3
    started = time.monotonic()
    done = kc(tmp_path, "tune", "toy", "--model", "ridge", "--time", "15s", "--json")
    assert time.monotonic() - started < 30  # with the start of Python on a slow machine
    found = json.loads(done.out)
    assert len(found["trials"]) + found["n_given_up"] >= n_kept
    assert found["default"]["number"] == 0
