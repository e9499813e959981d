"""What a notebook works with: names instead of folders, frames instead of files."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import TEST, Done, copy_of, write
from test_layers import ROOT

from pipeline import (
    Competition,
    Run,
    Workspace,
    fetch,
    list_runs,
    load_competition,
    train,
)
from pipeline.competition import Columns, Files, ModelChoice, Validation
from pipeline.competition import load_competition as load
from pipeline.errors import DataError, UsageError
from pipeline.tomltext import competition_toml

DECLARED = sorted((ROOT / "competitions").glob("*/competition.toml"))


@pytest.fixture
def here(trained_tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a workspace with a finished ridge of "tiny"."""
    workspace = copy_of(trained_tiny, tmp_path / "work")
    monkeypatch.chdir(workspace)
    monkeypatch.delenv("KC_WORKSPACE", raising=False)
    return workspace


def frames(n: int = 60) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return training and test rows whose price follows size."""
    rng = np.random.default_rng(0)
    size = rng.normal(50, 10, n).round(1)
    whole = pd.DataFrame(
        {
            "id": np.arange(n),
            "size": size,
            "colour": rng.choice(["red", "blue"], n),
            "when": pd.date_range("2011-01-30", periods=n),
            "price": (3 * size + rng.normal(0, 2, n)).round(1),
        }
    )
    return whole.head(n - 10), whole.tail(10).drop(columns="price")


OWN = Competition(
    name="houses",
    title="Houses <b>here</b>",
    task="regression",
    metric="rmse",
    files=Files(train="train.csv", test="test.csv", sample_submission="sample.csv"),
    columns=Columns(id="id", target=("price",), datetime=("when",)),
    validation=Validation(n_splits=3),
    models={"line": ModelChoice(label="line", kind="ridge", parameters={"alpha": 0.5})},
)


def test_a_competition_is_trained_by_its_name(here: Path) -> None:
    (before,) = list_runs("tiny")
    run = train("tiny", model="lasso", time="60s", seed=3)
    assert isinstance(run, Run)
    assert (run.competition, run.metric, run.record["seed"]) == ("tiny", "rmse", 3)
    assert [one.id for one in list_runs("tiny")] == [before.id, run.id]
    assert [one.id for one in list_runs()] == [before.id, run.id]
    assert list_runs(here / "runs", "tiny")[1] == Run.load(run.path) == run
    assert run.score == pytest.approx(run.record["score"])
    assert list(run.oof["id"]) == [str(n) for n in range(1, 10)]
    assert run.submission.is_file()
    error = (run.oof["target_price"] - run.oof["prediction_price"]).to_numpy()
    assert np.sqrt(np.mean(error**2)) == pytest.approx(run.score)


def test_a_frame_is_predicted_as_the_file_is(here: Path, tmp_path: Path) -> None:
    (run,) = list_runs("tiny")
    write(tmp_path / "new.csv", TEST)
    asked = pd.read_csv(tmp_path / "new.csv")
    expected = run.predict(tmp_path / "new.csv")
    pd.testing.assert_frame_equal(run.predict(asked), expected)
    assert list(expected) == ["id", "price"]
    with pytest.raises(DataError, match=r"^the frame: .*'size'"):
        run.predict(asked.drop(columns="size"))


def test_frames_and_a_declaration_are_all_it_takes(here: Path) -> None:
    known, asked = frames()
    run = train(OWN, model="line", train=known, test=asked)
    assert run.score < 3
    assert pd.read_csv(run.submission)["id"].tolist() == asked["id"].tolist()
    assert load_competition("houses") == OWN
    pd.testing.assert_series_equal(
        run.predict(asked)["price"], pd.read_csv(run.submission)["price"], rtol=1e-12
    )
    again = train(OWN, model="line")  # all is there already
    assert again.score == run.score
    with pytest.raises(UsageError, match="declares another 'houses'; correct it there, or give"):
        train(replace(OWN, metric="mae"), model="line", train=known, test=asked)
    with pytest.raises(UsageError, match="expected both as frames, or neither"):
        train("houses", model="line", train=known)
    with pytest.raises(UsageError, match=r"time: expected seconds, .* found 'soon'"):
        train("houses", model="line", time="soon")


def test_a_built_in_competition_may_be_changed_in_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KC_WORKSPACE", str(tmp_path))
    fetch("ddarung", sample=True)
    changed = load_competition("ddarung").with_validation(n_splits=2)
    run = train(changed, model="ridge")
    assert len(run.record["folds"]) == 2
    assert "hour_name" in run.record["features"]  # its features.py came along
    assert load_competition("ddarung") == changed


@pytest.mark.parametrize("path", DECLARED, ids=lambda path: path.parent.name)
def test_a_declaration_comes_back_from_its_text(path: Path, tmp_path: Path) -> None:
    competition = load(path)
    write(tmp_path / "competition.toml", competition_toml(competition))
    assert load(tmp_path / "competition.toml", competition.name) == competition


def test_what_toml_cannot_say_is_named() -> None:
    choice = ModelChoice(label="odd", kind="ridge", parameters={"alpha": None})
    with pytest.raises(UsageError, match=r"^models.odd.alpha: expected what TOML can say"):
        competition_toml(OWN.with_model(choice))


def test_a_run_shows_itself_without_markup_of_others(here: Path) -> None:
    known, asked = frames()
    run = train(OWN, model="line", train=known, test=asked)
    shown = run._repr_html_()
    assert f"rmse {run.score:.5f} &plusmn; " in shown
    assert "is to be expected (90%)" in shown
    assert repr(run) == f"<Run {run.id}: rmse {run.score:.5f}>"
    assert len(shown) < 3000
    weighted = {"score": 9.0, "lower": 8.25, "upper": 9.75}  # of rows that look like the test
    record = {**run.record, "leaderboard": {**run.record["leaderboard"], "weighted": weighted}}
    shown = replace(run, record=record)._repr_html_()
    assert "8.25 to 9.75 is to be expected (90%)" in shown
    record = {**run.record, "warnings": ["<script>alert(1)</script>"]}
    shown = replace(run, record=record)._repr_html_()
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script" not in shown


def test_the_old_way_by_workspace_still_works(here: Path, kc_here: Callable[..., Done]) -> None:
    run = train(Workspace(here), "tiny")
    assert run.record["model"]["label"] == "ridge"
    assert fetch(Workspace(here), "tiny", here / "data" / "tiny" / "raw").files


SNIPPET = """\
import pandas as pd

from pipeline import Competition, Run, Workspace, fetch, list_runs, load_competition, train

fetch("bike", sample=True)
competition: Competition = load_competition("bike")
run: Run = train("bike", model="lightgbm", time="60s")
score: float = run.score
oof: pd.DataFrame = run.oof
answers: pd.DataFrame = run.predict(oof)
best: Run = min(list_runs("bike"), key=lambda one: one.score)
run = train(competition, train=oof, test=oof, workspace=Workspace(run.path))
"""
WRONG = {'time="60s"': "time=[60]", "oof: pd.DataFrame": "oof: int"}


@pytest.mark.slow
def test_what_users_write_is_type_checked(tmp_path: Path) -> None:
    assert (ROOT / "pipeline" / "py.typed").is_file()
    write(tmp_path / "right.py", SNIPPET)
    wrong = SNIPPET
    for right, other in WRONG.items():
        wrong = wrong.replace(right, other)
    write(tmp_path / "wrong.py", wrong)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", ROOT / "pyproject.toml"]
    options = ["--cache-dir", ROOT / ".mypy_cache", "--no-error-summary"]
    done: Any = subprocess.run(
        [*command, *options, tmp_path / "right.py", tmp_path / "wrong.py"],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert not [line for line in lines if "right.py" in line], done.stdout
    assert any("wrong.py:7: error: No overload variant" in line for line in lines), done.stdout
    assert any("wrong.py:9: error: Incompatible types" in line for line in lines), done.stdout
