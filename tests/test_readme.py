"""What the documents say is what the project does."""

import dataclasses
import re

import pytest
import typer
from test_layers import FLOORS, MODULES, ROOT, rooms

import cli
from pipeline import competition
from pipeline.models import MODELS

README = (ROOT / "README.md").read_text(encoding="utf-8")
KOREAN = (ROOT / "README.ko.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FIRST_COMMAND = "pip install -e . && kc run bike --sample"
TEST_COMMAND = 'pip install -e ".[dev]" && pytest'


def block(language: str, holding: str) -> str:
    """Return the README's code block that holds a word."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.S)
    return next(text for text in blocks if holding in text)


def test_the_gate_runs_the_readme_s_commands():
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert f"\n{FIRST_COMMAND}\n" in README
    assert f"\n{FIRST_COMMAND}\n" in gate
    assert f"\n{TEST_COMMAND}\n" in README
    install, test = TEST_COMMAND.split(" && ")
    assert f"\n{install}\n" in gate
    assert gate.rstrip().endswith(f"\n{test}")


@pytest.mark.parametrize("text", [README, KOREAN], ids=["English", "Korean"])
def test_every_command_is_mentioned(text):
    group = typer.main.get_command(cli.app)
    names = [f"kc {name}" for name in group.commands if name != "cache"] + ["kc cache clear"]
    assert [name for name in names if name not in text] == []


@pytest.mark.parametrize("text", [README, KOREAN], ids=["English", "Korean"])
def test_every_model_is_mentioned(text):
    assert [name for name in MODELS if f"`{name}`" not in text] == []


def test_the_korean_readme_has_the_numbers_and_the_code_of_the_english_one():
    rows = [re.findall(r"\d+\.\d+", line) for line in README.splitlines() if line[:1] == "|"]
    korean = [re.findall(r"\d+\.\d+", line) for line in KOREAN.splitlines() if line[:1] == "|"]
    assert [row for row in rows if row not in korean] == []
    assert block("python", "list_runs") in KOREAN


def test_every_option_of_train_is_mentioned():
    train = typer.main.get_command(cli.app).commands["train"]
    options = [name for option in train.params for name in option.opts if name.startswith("--")]
    assert [name for name in options if f"`{name}`" not in README] == []


def test_the_readme_s_declaration_loads(tmp_path):
    folder = tmp_path / "titanic"
    folder.mkdir()
    (folder / "competition.toml").write_text(block("toml", "Titanic"), encoding="utf-8")
    declared = competition.load_competition(folder / "competition.toml")
    assert declared.columns.target == ("Survived",)


def test_the_readme_s_features_run():
    import pandas as pd

    names: dict = {}
    exec(block("python", "add_features"), names)
    made = names["add_features"](pd.DataFrame({"SibSp": [1, 0], "Parch": [2, 0]}))
    assert made["family"].tolist() == [4, 1]


def test_the_readme_s_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(block("python", "list_runs"), {})
    score, path = capsys.readouterr().out.split()
    assert 0 < float(score) < 100
    assert (tmp_path / path).is_file()


def test_the_architecture_draws_the_floors_as_they_are():
    drawn = ARCHITECTURE.split("```\ncli ")[1].split("─")[0]
    floors = [sorted(line.split()) for line in f"cli {drawn}".splitlines() if line]
    assert floors == [sorted(names.split()) for names in reversed(FLOORS)]


def test_the_architecture_lists_every_module():
    names = {rooms(path)[0] for path in MODULES if rooms(path)} - {"cli"}
    assert [
        n
        for n in sorted(names)
        if f"── {n}.py" not in ARCHITECTURE and f"── {n}/" not in ARCHITECTURE
    ] == []


@pytest.mark.parametrize(
    ("table", "cls"),
    [
        ("metric", competition.MetricFile),
        ("source", competition.Source),
        ("files", competition.Files),
        ("columns", competition.Columns),
        ("images", competition.Images),
        ("target", competition.Target),
        ("cleaning", competition.Cleaning),
        ("preprocessing", competition.Preprocessing),
        ("validation", competition.Validation),
    ],
)
def test_the_architecture_lists_every_key_of_the_declaration(table, cls):
    row = next(line for line in ARCHITECTURE.splitlines() if line.startswith(f"| `[{table}]`"))
    assert [f.name for f in dataclasses.fields(cls) if f"`{f.name}`" not in row] == []
