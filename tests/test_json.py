"""What commands print with --json: one value that their schema describes, errors among them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import typer
from conftest import TEST, Done, copy_of, environment, write
from test_layers import ROOT

import cli
from pipeline.jsontext import json_text, plain
from pipeline.schemas import SCHEMAS, schema_lines, schema_of

DOCUMENT = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")


def commands() -> dict[str, Any]:
    """Return every command by what is typed, those of kc cache among them."""
    group = typer.main.get_command(cli.app)
    cache = group.commands["cache"].commands
    plain_ones = {name: one for name, one in group.commands.items() if name != "cache"}
    return plain_ones | {f"cache {name}": one for name, one in cache.items()}


def check(command: str, text: str) -> Any:
    """Return the one value that a text is, after comparing it with the command's schema."""
    value = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    jsonschema.validate(value, schema_of(command), jsonschema.Draft202012Validator)
    return value


def test_every_command_but_those_of_text_has_a_schema() -> None:
    found = {
        name
        for name, command in commands().items()
        if "--json" in [option for one in command.params for option in one.opts]
    }
    assert found == set(SCHEMAS) - {"error"}
    assert set(commands()) - found == {"schema", "trust"}


@pytest.mark.parametrize("command", SCHEMAS)
def test_a_schema_is_valid_and_refuses_what_lacks_a_field(command: str) -> None:
    schema = schema_of(command)
    jsonschema.Draft202012Validator.check_schema(schema)
    wrong: Any = [{}] if schema["type"] == "array" else {}
    with pytest.raises(jsonschema.ValidationError, match="is a required property"):
        jsonschema.validate(wrong, schema)


@pytest.mark.parametrize("command", SCHEMAS)
def test_the_document_has_every_schema_as_it_is(command: str) -> None:
    title = "Errors" if command == "error" else f"kc {command}"
    assert f"\n## {title}\n\n" + "\n".join(schema_lines(command)) + "\n" in DOCUMENT


def test_what_json_cannot_say_is_null_and_what_it_does_not_know_is_an_error() -> None:
    told = {"a": float("nan"), "b": np.float32("inf"), 3: (np.int64(4), Path("x") / "y")}
    assert plain(told) == {"a": None, "b": None, "3": [4, str(Path("x") / "y")]}
    assert plain(pd.Timestamp("2011-01-02")) == "2011-01-02T00:00:00"
    assert plain(pd.NaT) is None
    assert json_text(["따릉이", np.bool_(True)]) == '[\n  "따릉이",\n  true\n]'
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        plain(object())


def test_tables_and_runs_are_printed_as_described(
    trained_tiny: Path, tmp_path: Path, kc_here: Callable[..., Done]
) -> None:
    work = copy_of(trained_tiny, tmp_path / "work")

    def answer(command: str, *arguments: object) -> Any:
        return check(command, kc_here(work, *command.split(), *arguments, "--json", expect=0).out)

    rows = {row["competition"]: row for row in answer("list")}
    assert rows["tiny"]["model"] == "ridge"
    (run,) = answer("runs", "tiny")
    assert run["run"] == rows["tiny"]["run"]
    assert answer("inspect", "tiny")["rows"] == {"train": 9, "test": 3}
    drawn = answer("plot", "tiny", "--x", "size", "--y", "price", "--out", tmp_path / "p.svg")
    assert Path(drawn["picture"]).is_file()
    assert Path(answer("report", "tiny")["path"]).is_file()
    for stage in ("clean", "scale", "encode"):
        assert Path(answer(stage, "tiny")["train"]).is_file()
    assert answer("train", "tiny", "--model", "lasso")["model"] == "lasso"
    assert answer("ensemble", "tiny")["model"] == "ensemble"
    assert answer("cache clear", "tiny")["files"] > 0
    write(tmp_path / "new.csv", TEST)
    found = answer("predict", "tiny", "--input", tmp_path / "new.csv", "--run", run["run"])
    assert [row["id"] for row in found["predictions"]] == ["10", "11", "12"]
    output = tmp_path / "answers.csv"
    found = answer("predict", "tiny", "--input", tmp_path / "new.csv", "-o", output)
    assert (found["rows"], found["predictions"], found["output"]) == (3, None, str(output))
    assert len(output.read_text().splitlines()) == 4
    assert Path(answer("export", "tiny", "--run", run["run"])["script"]).is_file()
    done = answer("submit", "tiny", "--run", run["run"], "--by-hand", "--yes")
    assert (done["how"], done["run"]) == ("by hand", run["run"])
    (submission,) = answer("submissions", "tiny")
    assert submission["run"] == run["run"]


def test_files_and_a_declaration_are_printed_as_described(
    trained_tiny: Path, tmp_path: Path, kc_here: Callable[..., Done]
) -> None:
    raw = trained_tiny / "data" / "tiny" / "raw"
    done = kc_here(tmp_path, "new", "small", "--from", raw, "--metric", "rmse", "--json", expect=0)
    assert Path(check("new", done.out)["declaration"]).is_file()
    done = kc_here(tmp_path, "fetch", "small", "--from", raw, "--json", expect=0)
    names = [file["name"] for file in check("fetch", done.out)["files"]]
    assert names == ["sample.csv", "test.csv", "train.csv"]


def test_a_practice_set_is_graded_in_json(tmp_path: Path, kc_here: Callable[..., Done]) -> None:
    run = kc_here(tmp_path, "run", "iris", "--model", "logistic", "--json", expect=0)
    check("run", run.out)
    done = kc_here(tmp_path, "submit", "iris", "--yes", "--wait", "--json", expect=0)
    assert check("submit", done.out)["public"] > 0.8
    assert "submission" in done.err  # what is said on the way is not on stdout
    board = check("leaderboard", kc_here(tmp_path, "leaderboard", "iris", "--json", expect=0).out)
    assert len(board["teams"]) == 1


def test_what_kaggle_has_is_printed_as_described(
    kaggle_server: Any, tmp_path: Path, kc_here: Callable[..., Done], monkeypatch: Any
) -> None:
    kaggle_server.enter(monkeypatch, tmp_path / "home")
    kaggle_server.add("bike-sharing-demand", {"train.csv": b"a\n1\n"})
    done = kc_here(tmp_path, "files", "bike", "--json", expect=0)
    assert check("files", done.out)[0]["name"] == "train.csv"


def test_a_diagnosis_is_printed_as_described(kc: Callable[..., Done], tmp_path: Path) -> None:
    done = kc(tmp_path, "doctor", "--json", expect=None, env=environment(KC_TIMEOUT="0.2"))
    assert done.code == (0 if check("doctor", done.out)["can_work"] else 1)


@pytest.mark.slow
def test_a_search_and_a_network_are_printed_as_described(
    trained_tiny: Path, tmp_path: Path, kc_here: Callable[..., Done]
) -> None:
    work = copy_of(trained_tiny, tmp_path / "work")
    done = kc_here(work, "tune", "tiny", "--model", "ridge", "--trials", 2, "--json", expect=0)
    assert check("tune", done.out)["label"] == "ridge_tuned"
    done = kc_here(work, "summary", "tiny", "--model", "dnn", "--json", expect=0)
    assert check("summary", done.out)[-1]["layer"] == "Activation"


def test_an_error_is_one_object_on_stdout_and_one_line_on_stderr(
    trained_tiny: Path, tmp_path: Path, kc_here: Callable[..., Done]
) -> None:
    done = kc_here(trained_tiny, "train", "tniy", "--json")
    found = check("error", done.out)["error"]
    assert (done.code, found["kind"]) == (1, "DeclarationError")
    assert done.err == f"error: {found['message']}\n"
    assert "did you mean 'tiny'?" in found["message"]
    work = copy_of(trained_tiny, tmp_path / "work")
    shutil.rmtree(work / "data")
    done = kc_here(work, "inspect", "tiny", "--json")
    assert check("error", done.out)["error"]["kind"] == "DataError"
    assert kc_here(work, "inspect", "tiny").out == ""  # without --json stdout stays empty


def test_a_schema_is_printed_by_its_command(tmp_path: Path, kc_here: Callable[..., Done]) -> None:
    assert json.loads(kc_here(tmp_path, "schema", "train", expect=0).out) == schema_of("train")
    assert kc_here(tmp_path, "schema", expect=0).out.splitlines() == list(SCHEMAS)
    assert "did you mean 'train'?" in kc_here(tmp_path, "schema", "trian").error()
