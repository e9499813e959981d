"""Runs on disk: whole when they are seen, found by id, and plain JSON."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from pipeline import runs as module
from pipeline.errors import DataError, StorageError, UsageError
from pipeline.progress import Event, Warned, listening
from pipeline.runs import find_run, git_state, list_runs, load_run, start_run, versions


def facts(**known: Any) -> dict[str, Any]:
    """Return a record that has every key a reader relies on."""
    created = "2024-01-01T00:00:00.000+00:00"
    return dict.fromkeys(module.REQUIRED) | {"competition": "bike", "created": created} | known


def make(runs: Path, name: str = "bike", label: str = "ridge", **record: Any) -> str:
    with start_run(runs, name, label) as run:
        run.save_record(facts(competition=name) | record)
    return run.id


def test_a_run_holds_what_was_saved_under_its_names(tmp_path: Path) -> None:
    fitted = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
    with start_run(tmp_path / "runs", "bike", "ridge") as run:
        run.save_text("notes/train.log", "첫 줄\n")
        run.save_bytes("competition.toml", b"\r\n")
        run.save_frame("oof.csv", pd.DataFrame({"id": ["a"], "p": [0.1]}))
        run.save_estimator(0, fitted)
        run.save_record(facts(predicting_folds=[0], validation={"scheme": "kfold"}))
        assert list_runs(tmp_path / "runs") == []
    found = find_run(tmp_path / "runs", "bike")
    assert found.id == run.id
    assert found.path == tmp_path / "runs" / run.id
    assert (found.path / "notes" / "train.log").read_bytes() == "첫 줄\n".encode()
    assert (found.path / "competition.toml").read_bytes() == b"\r\n"
    assert (found.path / "oof.csv").read_bytes() == b"id,p\na,0.1\n"
    assert found.submission == found.path / "submission.csv"
    assert found.estimators()[0].predict([[2.0]]).tolist() == pytest.approx([4.0])


@pytest.mark.parametrize("error", [ValueError("bug"), KeyboardInterrupt()])
def test_an_exception_inside_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def train() -> None:
        with start_run(tmp_path / "runs", "bike", "ridge") as run:
            run.save_text("train.log", "half")
            raise error

    with pytest.raises(type(error)):
        train()
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_workspace_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with (
        pytest.raises(StorageError, match=r"bike-.*: cannot be written: "),
        start_run(tmp_path / "runs", "bike", "ridge"),
    ):
        pytest.fail("the block must not begin")


def test_an_id_is_name_second_and_label(tmp_path: Path) -> None:
    run_id = make(tmp_path / "runs", label="내 모델/../x")
    assert re.fullmatch(r"bike-\d{8}T\d{6}Z-\w+", run_id)
    assert run_id.isascii()
    assert (tmp_path / "runs" / run_id / "run.json").is_file()


def test_ids_of_the_same_second_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Frozen(module.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls(2024, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(module, "datetime", Frozen)
    first = make(tmp_path / "runs")
    with start_run(tmp_path / "runs", "bike", "ridge") as second:
        third = make(tmp_path / "runs")
        second.save_record(facts())
    assert (first, second.id, third) == (
        "bike-20240102T030405Z-ridge",
        "bike-20240102T030405Z-ridge-2",
        "bike-20240102T030405Z-ridge-3",
    )
    assert len(list_runs(tmp_path / "runs")) == 3


def test_runs_are_listed_by_time_and_by_competition(tmp_path: Path) -> None:
    late = make(tmp_path / "runs", "bike", created="2024-03-01")
    house = make(tmp_path / "runs", "house", created="2024-02-01")
    early = make(tmp_path / "runs", "bike", "dnn", created="2024-01-01")
    assert [run.id for run in list_runs(tmp_path / "runs")] == [early, house, late]
    assert [run.id for run in list_runs(tmp_path / "runs", "bike")] == [early, late]
    assert list_runs(tmp_path / "absent") == []
    assert find_run(tmp_path / "runs", "bike").id == late
    assert find_run(tmp_path / "runs", "bike", early).id == early


def test_a_run_that_is_being_written_is_not_listed(tmp_path: Path) -> None:
    with start_run(tmp_path / "runs", "bike", "ridge") as run:
        run.save_record(facts())
        assert list_runs(tmp_path / "runs") == []
    assert len(list_runs(tmp_path / "runs")) == 1


def test_a_run_that_is_not_there_is_a_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_run(tmp_path / "runs", "bike")
    assert str(caught.value) == f"{tmp_path / 'runs'}: no run of 'bike' yet; run kc train bike"
    run_id = make(tmp_path / "runs")
    with pytest.raises(UsageError) as caught:
        find_run(tmp_path / "runs", "bike", run_id[:-1])
    assert str(caught.value) == (f"no run {run_id[:-1]!r} of 'bike'; did you mean {run_id!r}?")


@pytest.mark.parametrize("content", ["{", "[]", "5", "{}", '{"competition": "bike"}', "\udcff"])
def test_a_damaged_record_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "runs" / make(tmp_path / "runs") / "run.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    whole = make(tmp_path / "runs")
    with pytest.raises(DataError) as caught:
        load_run(path.parent)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith("; move the folder away")
    assert len(str(caught.value).splitlines()) == 1
    warned: list[Event] = []
    with listening(warned.append):
        assert [run.id for run in list_runs(tmp_path / "runs")] == [whole]
    assert warned == [Warned(str(caught.value))]


def test_a_record_is_plain_json_without_nan(tmp_path: Path) -> None:
    run_id = make(
        tmp_path / "runs",
        score=float("nan"),
        folds=({"score": np.float64("inf")}, np.int64(3), np.float32("nan")),
        flags=np.array([True, False]),
        scores=np.array([[1.5, np.nan]]),
        nested={1: {"deep": -np.inf}},
        title="따릉이",
        nothing=None,
    )

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = (tmp_path / "runs" / run_id / "run.json").read_text(encoding="utf-8")
    record = json.loads(text, parse_constant=refuse)
    assert record["score"] is None
    assert record["folds"] == [{"score": None}, 3, None]
    assert record["flags"] == [True, False]
    assert record["scores"] == [[1.5, None]]
    assert record["nested"] == {"1": {"deep": None}}
    assert "따릉이" in text


def test_versions_name_python_and_the_packages_that_compute() -> None:
    found = versions()
    assert {"python", "kc", "tensorflow", "numpy", "pandas", "scikit-learn"} <= set(found)
    assert all(re.match(r"\d+\.", one) for one in found.values())


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=n", "-c", "user.email=e@x"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_commit_is_noted_and_whether_files_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) is None
    git(tmp_path, "init")
    assert git_state(tmp_path) is None  # nothing is committed yet
    git(tmp_path, "commit", "--allow-empty", "-m", "first")
    state = git_state(tmp_path)
    assert state is not None
    assert re.fullmatch("[0-9a-f]{40}", state["commit"])
    assert state["dirty"] is False
    (tmp_path / "file").write_text("new")
    assert git_state(tmp_path) == state | {"dirty": True}


def test_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert git_state(tmp_path) is None
