"""Every command as its user meets it: what is printed, what is written, and the exit code."""

import contextlib
import hashlib
import json
import os
import pty
import re
import select
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from conftest import (
    KC,
    PRACTICE,
    SAMPLE,
    SAMPLES,
    SERIES,
    TEST,
    TOML,
    TRAIN,
    Done,
    copy_of,
    environment,
    files_of,
    only_run,
    write,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

import cli
from pipeline.models import MODELS

Kc = Callable[..., Done]
ROOT = Path(__file__).parents[1]
HEAVY = {"tensorflow", "keras", "pandas", "numpy", "sklearn", "kaggle", "lightgbm", "pyarrow"}
COMMANDS = (
    "list", "new", "doctor", "fetch", "files", "inspect", "plot", "clean", "encode", "scale",
    "train", "summary", "run", "predict", "runs", "submit", "submissions", "leaderboard", "export",
    "schema",
)  # fmt: skip


# --- the front ---


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['kc', '--help']\n"
        "import cli\n"
        "try: cli.main()\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "From a competition's files" in done.stdout


def test_help_names_every_command(kc: Kc, tmp_path: Path) -> None:
    text = kc(tmp_path, "--help").out
    for name in (*COMMANDS, "cache"):
        assert re.search(rf"^  {name} ", text, re.MULTILINE), name


@pytest.mark.parametrize("path", [*([name] for name in COMMANDS), ["cache", "clear"]], ids=" ".join)
def test_every_command_explains_itself_with_an_example(
    kc_here: Kc, tmp_path: Path, path: list[str]
) -> None:
    text = " ".join(kc_here(tmp_path, *path, "--help", expect=0).out.split())
    assert f"Example: kc {' '.join(path)}" in text


@pytest.mark.parametrize("path", [*([name] for name in COMMANDS), ["cache", "clear"]], ids=" ".join)
def test_every_example_can_be_parsed(path: list[str]) -> None:
    group = typer.main.get_command(cli.app)
    command = group
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
    example = re.search(r"Example: kc (.+)\.$", command.help or "")
    assert example, command.help
    arguments = example[1].split()[len(path) :]
    assert command.make_context("kc", arguments, resilient_parsing=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["unheard"], "No such command 'unheard'"),
        (["train"], "Missing argument"),
        (["train", "bike", "--epochs", "0"], "Input should be greater than or equal to 1"),
        (["train", "bike", "--folds", "1"], "Input should be greater than or equal to 2"),
        (["train", "bike", "--seed", "-1"], "Input should be greater than or equal to 0"),
        (["train", "bike", "--time", "0"], "expected a time like 90s, 5m or 2h; found '0'"),
        (["train", "bike", "--time", "soon"], "expected a time like 90s, 5m or 2h; found 'soon'"),
        (["train", "bike", "--time", "-5m"], "expected a time like 90s, 5m or 2h; found '-5m'"),
        (["predict", "bike"], "Missing option '--input'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_exit_code_2(
    kc_here: Kc, tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = kc_here(tmp_path, *arguments, expect=2)
    assert said in done.err
    assert done.out == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400), (" 2 m", 120)]
)
def test_times_are_read_in_seconds(text: str, expected: float) -> None:
    assert cli.seconds(text) == expected


@given(st.text(max_size=12) | st.from_regex(r"[\d.]{1,6} ?[smhd]?", fullmatch=True))
@settings(max_examples=200, deadline=None)
def test_any_time_is_positive_or_wrong_usage(text: str) -> None:
    with contextlib.suppress(typer.BadParameter):
        assert cli.seconds(text) > 0  # type: ignore[operator]


def test_an_error_is_one_line_and_debug_shows_where_it_came_from(kc: Kc, tmp_path: Path) -> None:
    assert "did you mean 'bike'?" in kc(tmp_path, "train", "bikes", expect=1).error()
    for arguments in (["--debug", "train", "bikes"], ["train", "bikes", "--debug"]):
        shown = kc(tmp_path, *arguments, expect=1).err
        assert "Traceback (most recent call last)" in shown
        assert "pipeline.errors.DeclarationError: no competition 'bikes'" in shown


def test_text_that_a_pipe_cannot_encode_is_escaped(kc: Kc, fetched: Path) -> None:
    done = kc(fetched, "inspect", "ddarung", env=environment(PYTHONIOENCODING="latin-1"))
    assert done.out.startswith("\\ub530\\ub989\\uc774 \\ub300\\uc5ec\\ub7c9")


# --- where things are ---


def test_list_shows_what_is_fetched_and_the_best_run(kc: Kc, trained: Path) -> None:
    head, *rows = kc(trained, "list").out.splitlines()
    run = json.loads((only_run(trained, "ddarung") / "run.json").read_text())
    assert head.split() == ["competition", "task", "metric", "source", "files", "best", "model"]
    assert rows[0].split() == [
        "bike",
        "regression",
        "rmsle",
        "kaggle",
        "sample",
        "seed",
        "42",
        "-",
        "-",
    ]
    ddarung = next(row for row in rows if row.startswith("ddarung "))
    assert ddarung.split()[-2:] == [f"{run['score']:.5g}", "ridge"]
    assert max(map(len, [head, *rows])) <= 80
    by_name = {row["competition"]: row for row in json.loads(kc(trained, "list", "--json").out)}
    assert sorted(by_name) == sorted([*SAMPLES, *PRACTICE, *SERIES])
    assert by_name["ddarung"]["run"] == run["id"]
    assert by_name["ddarung"]["best"] == run["score"]


def test_a_competition_of_the_workspace_wins_over_the_built_in_one(
    kc_here: Kc, tmp_path: Path
) -> None:
    text = (ROOT / "competitions" / "bike" / "competition.toml").read_text(encoding="utf-8")
    own = text.replace('metric = "rmsle"', 'metric = "mae"')
    write(tmp_path / "competitions" / "bike" / "competition.toml", own)
    rows = json.loads(kc_here(tmp_path, "list", "--json", expect=0).out)
    assert {row["competition"]: row["metric"] for row in rows}["bike"] == "mae"


def test_commands_work_from_another_folder(kc: Kc, trained: Path, tmp_path: Path) -> None:
    nested = tmp_path / "deep" / "deeper"
    nested.mkdir(parents=True)
    by_option = subprocess.run(
        [KC, "--workspace", os.path.relpath(trained, nested), "runs", "ddarung"],
        cwd=nested, capture_output=True, text=True, check=True, env=environment(),
    )  # fmt: skip
    by_variable = subprocess.run(
        [KC, "runs", "ddarung"],
        cwd=nested, capture_output=True, text=True, check=True,
        env=environment(KC_WORKSPACE=str(trained)),
    )  # fmt: skip
    here = subprocess.run(
        [KC, "runs", "ddarung"],
        cwd=trained, capture_output=True, text=True, check=True, env=environment(),
    )  # fmt: skip
    assert only_run(trained, "ddarung").name in here.stdout
    assert by_option.stdout == by_variable.stdout == here.stdout
    assert files_of(nested) == {}


@pytest.mark.slow
def test_competitions_travel_in_the_wheel(kc: Kc, tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT], check=True
    )
    (wheel,) = tmp_path.glob("kc-*.whl")
    target = tmp_path / "installed"
    subprocess.run([*pip, "install", "-q", "--no-deps", "--target", target, wheel], check=True)
    code = (
        "import sys, cli; assert cli.__file__.startswith(sys.argv.pop(1)), cli.__file__; cli.main()"
    )

    def installed(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, str(target), *arguments],
            cwd=tmp_path, capture_output=True, text=True, env=environment(PYTHONPATH=str(target)),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    work = str(tmp_path / "work")
    installed("--workspace", work, "fetch", "bike", "--sample")
    rows = json.loads(installed("--workspace", work, "list", "--json"))
    assert [row["competition"] for row in rows] == sorted([*SAMPLES, *PRACTICE, *SERIES])
    assert rows[0]["files"] == "sample seed 42"


# --- fetch ---


def test_the_second_fetch_changes_nothing_and_says_so(kc_here: Kc, fetched: Path) -> None:
    before = files_of(fetched)
    times = {path: path.stat().st_mtime_ns for path in fetched.rglob("*") if path.is_file()}
    done = kc_here(fetched, "fetch", "bike", "--sample", expect=0)
    assert done.err.rstrip().endswith("bytes from sample seed 42, unchanged")
    assert done.out == ""
    assert files_of(fetched) == before
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_fetched_files_are_read_only_and_noted_with_their_checksums(fetched: Path) -> None:
    manifest = json.loads((fetched / "data" / "house" / "manifest.json").read_text())
    assert manifest["origin"] == "sample seed 42"
    names = [file["name"] for file in manifest["files"]]
    assert names == ["sample_submission.csv", "test.csv", "train.csv"]
    for file in manifest["files"]:
        path = fetched / "data" / "house" / "raw" / file["name"]
        assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.stat().st_mode & 0o222 == 0


def test_fetch_takes_a_zip_or_a_folder(kc: Kc, kc_here: Kc, fetched: Path, tmp_path: Path) -> None:
    raw = fetched / "data" / "ddarung" / "raw"
    packed = tmp_path / "따릉이.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in raw.iterdir():
            archive.write(path, f"data/{path.name}")
    work = tmp_path / "work"
    done = kc(work, "fetch", "ddarung", "--from", packed.name, cwd=tmp_path)
    assert "3 files, " in done.err
    assert "from zip 따릉이.zip" in done.err
    assert files_of(work / "data" / "ddarung" / "raw") == files_of(raw)
    again = kc_here(work, "fetch", "ddarung", "--from", raw, expect=0)
    assert again.err.rstrip().endswith(", unchanged")


def test_fetch_without_a_place_says_how_to_come_by_the_files(
    kc_here: Kc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = kc_here(tmp_path, "fetch", "ddarung").error()
    assert "download them at https://dacon.io/competitions/open/235576/data" in said
    assert "to whoever is logged in and has agreed to the rules" in said
    assert "kc fetch ddarung --from ZIP_OR_DIR" in said
    monkeypatch.setenv("KC_LANG", "ko")
    assert kc_here(tmp_path, "fetch", "ddarung").error() == (
        "ddarung: 데이콘 데이터는 브라우저로만 받을 수 있습니다. 로그인하고 대회 규칙에 동의한 뒤 "
        "https://dacon.io/competitions/open/235576/data 에서 내려받아 kc fetch ddarung --from "
        "ZIP_OR_DIR 을 실행하세요. 연습용 데이터는 kc fetch ddarung --sample 로 만들 수 있습니다"
    )
    monkeypatch.setenv("KC_LANG", "en")
    both = kc_here(tmp_path, "fetch", "bike", "--sample", "--from", tmp_path).error()
    assert both == "--from and --sample are two places; choose one"
    assert not list(tmp_path.iterdir())


# --- inspect, clean, scale, encode ---


@pytest.mark.parametrize("name", SAMPLES)
def test_inspect_fits_a_terminal(kc_here: Kc, fetched: Path, name: str) -> None:
    before = files_of(fetched)
    text = kc_here(fetched, "inspect", name, expect=0).out
    assert re.search(r"^adversarial AUC \d\.\d{3} ", text, re.MULTILINE)
    assert all(model in text for model in MODELS)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert files_of(fetched) == before


def test_inspect_json_is_one_object(kc: Kc, fetched: Path) -> None:
    done = kc(fetched, "inspect", "ddarung", "--json")
    found = json.loads(done.out)
    train = pd.read_csv(fetched / "data" / "ddarung" / "raw" / "train.csv")
    assert found["competition"] == "ddarung"
    assert found["rows"]["train"] == len(train)
    assert 0.5 < found["adversarial_auc"] <= 1  # the sample's test rows are of warmer days
    columns = {column["column"]: column for column in found["columns"]}
    ozone = "hour_bef_ozone"
    assert columns[ozone]["missing_train"] == int(train[ozone].isna().sum())
    assert columns["hour"]["strength"] > 0.4
    assert sum(found["target"]["count"]["histogram"]["counts"]) == len(train)
    assert found["plots"] == []


def test_inspect_draws_what_there_is(kc_here: Kc, tiny: Callable[..., Path]) -> None:
    work = tiny()
    out = kc_here(work, "inspect", "tiny", "--plots", work / "pictures", expect=0).out
    paths = [
        work / "pictures" / f"{name}.png" for name in ("target", "correlation", "distribution")
    ]
    assert out.splitlines()[-3:] == list(map(str, paths)), "no cell is missing"
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize(
    ("stage", "folder", "header"),
    [
        ("clean", "cleaned", ["column", "missing", "filled_with"]),
        ("scale", "scaled", ["column", "scaler", "subtracted", "divided_by"]),
        ("encode", "encoded", ["column", "encoder", "levels", "columns", "for_example"]),
    ],
)
def test_a_stage_shows_its_changes_and_writes_frames(
    kc_here: Kc,
    fetched: Path,
    tmp_path: Path,
    name: str,
    stage: str,
    folder: str,
    header: list[str],
) -> None:
    work = copy_of(fetched, tmp_path / "work")
    out = kc_here(work, stage, name, "--model", "ridge", expect=0).out.splitlines()
    paths = [
        work / "data" / name / "stages" / folder / f"{part}.parquet" for part in ("train", "test")
    ]
    assert out[0].split() == header
    assert out[-2:] == list(map(str, paths))
    train, test = map(pd.read_parquet, paths)
    raw = pd.read_csv(work / "data" / name / "raw" / "train.csv", keep_default_na=False)
    assert len(train) == len(raw)
    target = target_of(work, name)
    assert list(train.columns) == [*test.columns, target]
    assert not train.isna().any().any()
    assert not test.isna().any().any()
    assert np.array_equal(train[target], raw[target])
    if stage == "encode":
        numbers = train.drop(columns=train.columns[0])
        assert list(numbers.select_dtypes("number")) == list(numbers)


NOTES = ["big and old", "small but new", "big and new"]
WITH_PROSE = {
    name: "\n".join(
        [f"{head},note", *(f"{row},{NOTES[i % 3]}" for i, row in enumerate(rows.splitlines()))]
    )
    for name, (head, rows) in {
        "train": TRAIN.rstrip("\n").split("\n", 1),
        "test": TEST.rstrip("\n").split("\n", 1),
    }.items()
}


def test_prose_and_generated_features_are_told_and_reach_any_model(
    kc_here: Kc, tiny: Callable[..., Path]
) -> None:
    toml = TOML.replace('target = "price"', 'target = "price"\ntext = ["note"]') + (
        '[preprocessing]\nfeatures = ["counts"]\n'
        '[models.ridge]\n[models.lightgbm]\nfeatures = ["counts", "pairs"]\n'
    )
    work = tiny(WITH_PROSE["train"], WITH_PROSE["test"], toml=toml)
    shown = kc_here(work, "inspect", "tiny", expect=0).out
    assert re.search(r"^note +text +3 ", shown, re.MULTILINE)
    assert "generated   ridge: counts; lightgbm: counts, pairs\nprose       note\n" in shown
    assert "training lacks" not in shown
    done = kc_here(work, "encode", "tiny", "--model", "ridge", expect=0)
    prose = next(line for line in done.err.splitlines() if line.startswith("text "))
    assert re.fullmatch(r"text +prose as numbers: note -> \d+; 3 -> \d+ columns", prose)
    assert "generate counts 1; " in done.err
    frame = pd.read_parquet(done.out.splitlines()[-2])
    assert {"note words", "note characters", "share of colour"} <= set(frame)
    assert "note" not in frame
    done = kc_here(work, "train", "tiny", "--model", "lightgbm", expect=0)
    assert re.search(r"^generate counts 1, pairs 0 of [\d,]+; ", done.err, re.MULTILINE)
    new = work / "new.csv"
    new.write_text(WITH_PROSE["test"], encoding="utf-8")
    run = only_run(work, "tiny").name
    predicted = kc_here(work, "predict", "tiny", "--input", new, "--run", run, expect=0).out
    assert len(predicted.splitlines()) == 4


def target_of(workspace: Path, name: str) -> str:
    from pipeline import Workspace, load_competition

    (target,) = load_competition(Workspace(workspace).declaration(name)).columns.target
    return target


def test_a_stage_runs_as_a_process(kc: Kc, fetched: Path, tmp_path: Path) -> None:
    work = copy_of(fetched, tmp_path / "work")
    done = kc(work, "clean", "bike", "--model", "ridge")
    assert "1,710" in done.err
    assert "windspeed" in done.out


# --- train, run, runs ---


STAGES = "(read|features|clean|folds|scale|encode|epoch|fold|train|estimate|write|warning) "
RESULT = [
    "competition", "run", "path", "submission", "model", "metric", "score", "standard_error",
    "naive", "leaderboard", "seconds", "report",
]  # fmt: skip


def test_train_prints_one_json_object(kc: Kc, fetched: Path, tmp_path: Path) -> None:
    work = copy_of(fetched, tmp_path / "work")
    done = kc(
        work, "train", "ddarung", "--model", "lightgbm", "--seed", "7", "--folds", "3",
        "--scheme", "kfold", "--epochs", "20", "--patience", "5", "--time", "5m", "--quiet",
        "--json",
    )  # fmt: skip
    result = json.loads(done.out)
    assert list(result) == RESULT
    assert re.fullmatch("warning  test rows differ from training rows .*\n", done.err)
    assert (result["competition"], result["model"], result["metric"]) == (
        "ddarung",
        "lightgbm",
        "rmse",
    )
    assert Path(result["path"]) == only_run(work, "ddarung")
    assert Path(result["submission"]) == only_run(work, "ddarung") / "submission.csv"
    assert Path(result["report"]) == only_run(work, "ddarung") / "report.html"
    record = json.loads((only_run(work, "ddarung") / "run.json").read_text())
    assert record["seed"] == 7
    assert record["validation"]["scheme"] == "kfold"
    assert record["validation"]["seed"] == 42
    assert record["model"]["parameters"]["n_estimators"] == 20
    assert record["model"]["parameters"]["patience"] == 5
    assert len(record["folds"]) == 3
    assert record["score"] == result["score"]


def test_a_run_folder_is_complete(trained: Path) -> None:
    run = only_run(trained, "ddarung")
    sample = pd.read_csv(trained / "data" / "ddarung" / "raw" / "submission.csv")
    submission = pd.read_csv(run / "submission.csv")
    assert sorted(path.name for path in run.iterdir()) == [
        "competition.toml", "features.py", "findings.json", *(f"fold-{n}" for n in range(6)),
        "oof.csv", "report.html", "run.json", "signature.json", "submission.csv", "test.csv",
        "train.log",
    ]  # fmt: skip
    assert list(submission["id"]) == list(sample["id"])
    assert submission["count"].ge(0).all()
    oof = pd.read_csv(run / "oof.csv")
    score = float(np.sqrt(np.mean((oof["target_count"] - oof["prediction_count"]) ** 2)))
    assert score == pytest.approx(json.loads((run / "run.json").read_text())["score"])


def test_train_tells_its_stages_in_lines(kc_here: Kc, trained: Path, tmp_path: Path) -> None:
    work = copy_of(trained, tmp_path / "work")
    done = kc_here(work, "train", "ddarung", "--model", "ridge", expect=0)
    assert [line.split()[0] for line in done.err.splitlines()] == [
        "read", "features", "warning", "clean", "folds", "clean", "scale", "encode", *["fold"] * 5,
        "refit", "train", "estimate", "write",
    ]  # fmt: skip
    assert all(line.endswith("reused") for line in done.err.splitlines() if line[:5] == "fold ")
    assert re.fullmatch(
        r"rmse \d+\.\d{5} \+- \d+\.\d{5} \(out-of-fold, ridge\)\nleaderboard [\d.]+ \([\d.]+ to "
        r"[\d.]+, 90 %\)(; the test rows look different \(AUC [\d.]+\): expect worse.*)?\n"
        r"run +\S+\nsubmission +\S+\nreport +\S+\n",
        done.out,
    )
    newest = max((work / "runs").iterdir())
    log = [line.split(maxsplit=1)[1] for line in (newest / "train.log").read_text().splitlines()]
    assert log == done.err.splitlines()


@pytest.mark.parametrize(
    ("name", "scheme", "said"),
    [
        ("ddarung", "like_test", "folds    2 folds, like_test, "),
        ("bike", "group", "folds    2 folds, group, "),
        ("bike", "kfold", "folds    2 folds, kfold, "),
    ],
)
def test_train_takes_another_scheme(
    kc_here: Kc, fetched: Path, tmp_path: Path, name: str, scheme: str, said: str
) -> None:
    work = copy_of(fetched, tmp_path / "work")
    done = kc_here(work, "train", name, "-m", "ridge", "--folds", 2, "--scheme", scheme, expect=0)
    assert said in done.err
    record = json.loads((only_run(work, name) / "run.json").read_text())
    assert record["validation"]["scheme"] == scheme


def test_verbose_shows_every_epoch(kc_here: Kc, fetched: Path, tmp_path: Path) -> None:
    work = copy_of(fetched, tmp_path / "work")
    options = ("-m", "lightgbm", "--folds", 2, "--epochs", 3, "--verbose")
    done = kc_here(work, "train", "ddarung", *options, expect=0)
    epochs = [line for line in done.err.splitlines() if line.startswith("epoch ")]
    assert len(epochs) == 2 * 3
    assert re.fullmatch(r"epoch    1/3  held-out squared error \d+\.\d{5}", epochs[0])


@pytest.mark.parametrize(
    ("level", "n_epochs", "has_lines"),
    [
        (["--verbose", "0"], 0, False),
        (["-v", "0"], 0, False),
        (["--quiet"], 0, False),
        ([], 0, True),
        (["--verbose", "1"], 0, True),
        (["--verbose=2"], 6, True),
        (["-v"], 6, True),
    ],
)
def test_verbose_has_the_levels_of_keras(
    kc_here: Kc, fetched: Path, tmp_path: Path, level: list[str], n_epochs: int, has_lines: bool
) -> None:
    work = copy_of(fetched, tmp_path / "work")
    options = ("-m", "lightgbm", "--folds", 2, "--epochs", 3)
    done = kc_here(work, "train", "ddarung", *level, *options, expect=0)
    lines = [line for line in done.err.splitlines() if not line.startswith("warning ")]
    assert sum(line.startswith("epoch ") for line in lines) == n_epochs
    assert bool(lines) is has_lines
    assert done.out.startswith("rmse ")


def test_verbose_has_no_other_levels(kc_here: Kc, tmp_path: Path) -> None:
    done = kc_here(tmp_path, "train", "ddarung", "--verbose", 3, expect=2)
    assert "Invalid value for '--verbose' / '-v'" in done.err


def test_time_that_runs_out_still_leaves_a_checked_submission(
    kc: Kc, fetched: Path, tmp_path: Path
) -> None:
    work = copy_of(fetched, tmp_path / "work")
    done = kc(work, "train", "house", "-m", "random_forest", "--time", "0.01s")
    assert "warning  time ran out: 9 of 10 folds are not fitted; the score" in done.err
    run = only_run(work, "house")
    record = json.loads((run / "run.json").read_text())
    assert record["skipped_folds"] == 9
    assert record["standard_error"] is None
    assert len(pd.read_csv(run / "submission.csv")) == record["rows"]["test"]


@pytest.mark.slow
def test_train_shows_and_keeps_the_epochs_of_a_network(
    kc: Kc, fetched: Path, tmp_path: Path
) -> None:
    work = copy_of(fetched, tmp_path / "work")
    done = kc(work, "train", "ddarung", "-m", "dnn", "--folds", 2, "--epochs", 2, "--verbose")
    told = re.findall(r"^epoch    ([12])/2  loss ", done.err, re.MULTILINE)
    assert told == ["1", "2"], "both folds learn at once"
    lines = [line for line in done.err.splitlines() if not re.match(STAGES, line)]
    assert lines == [], "TensorFlow has nothing to say to a person"
    history = pd.read_csv(only_run(work, "ddarung") / "fold-1" / "history.csv")
    assert list(history["epoch"]) == [1, 2]


@pytest.mark.slow
def test_a_terminal_gets_a_live_bar(fetched: Path, tmp_path: Path) -> None:
    work = copy_of(fetched, tmp_path / "work")
    terminal, child = pty.openpty()
    command = [KC, "--workspace", work, "train", "ddarung", "-m", "random_forest", "--folds", "2"]
    process = subprocess.Popen(
        command, stdin=child, stdout=child, stderr=child,
        env=environment(TERM="xterm", COLUMNS="80", LINES="24"),
    )  # fmt: skip
    os.close(child)
    shown = b""
    while select.select([terminal], [], [], 120)[0]:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
    os.close(terminal)
    assert process.wait(60) == 0
    text = shown.decode("utf-8")
    assert "\x1b" in text
    assert "random_forest  fold 1 of 2" in text
    assert "random_forest  fold 2 of 2" in text
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)
    assert re.search(r"fold     2/2  score \d+\.\d{5}  \d+\.\d s", plain)


def test_run_fetches_once_and_trains(kc: Kc, kc_here: Kc, tmp_path: Path) -> None:
    done = kc(tmp_path, "run", "bike", "--sample", "--model", "ridge", "--folds", "2")
    assert done.err.startswith("fetch    3 files, ")
    assert done.err.rstrip().endswith("submission.csv, 1,710 rows, checked against the sample")
    submission = only_run(tmp_path, "bike") / "submission.csv"
    assert done.out.splitlines()[-2:] == [
        f"submission {submission}",
        f"report     {submission.with_name('report.html')}",
    ]
    assert submission.read_text().startswith("datetime,count\n")
    again = kc_here(tmp_path, "run", "bike", "--model", "ridge", "--folds", 2, "--json", expect=0)
    assert again.err == ""
    result = json.loads(again.out)
    assert Path(result["submission"]).read_bytes() == submission.read_bytes()


def test_runs_lists_what_is_finished(kc_here: Kc, trained: Path, tmp_path: Path) -> None:
    head, row = kc_here(trained, "runs", "ddarung", expect=0).out.splitlines()
    assert head.split() == ["run", "data", "folds", "metric", "score", "standard_error"]
    assert row.split()[:4] == [only_run(trained, "ddarung").name, "sample", "5", "kfold"]
    assert max(len(head), len(row)) <= 80
    assert kc_here(trained, "runs", "bike", expect=0).out == "nothing yet\n"
    (record,) = json.loads(kc_here(trained, "runs", "--json", expect=0).out)
    assert (record["model"], record["metric"]) == ("ridge", "rmse")
    assert "no competition 'ddarun'" in kc_here(tmp_path, "runs", "ddarun").error()


# --- predict ---


def test_predict_gives_what_the_run_gave_for_the_test_rows(
    kc: Kc, kc_here: Kc, trained: Path, tmp_path: Path
) -> None:
    run = only_run(trained, "ddarung")
    before = files_of(trained)
    test = trained / "data" / "ddarung" / "raw" / "test.csv"
    done = kc(trained, "predict", "ddarung", "--input", test)
    target = tmp_path / "out" / "answers.csv"
    named = ("--run", run.name, "--output", target)
    assert kc_here(trained, "predict", "ddarung", "--input", test, *named, expect=0).out == ""
    assert target.read_text() == done.out
    answers = pd.read_csv(target)
    submitted = pd.read_csv(run / "submission.csv")
    by_fold = pd.read_csv(run / "test.csv").set_index("id").mean(axis="columns")
    assert list(answers["id"]) == list(submitted["id"])
    assert np.allclose(answers["count"], submitted["count"], rtol=1e-12, atol=0)
    assert np.allclose(answers["count"], by_fold.loc[answers["id"]], rtol=1e-12, atol=0)
    assert files_of(trained) == before


def test_predict_wants_the_columns_of_the_run(kc_here: Kc, trained: Path, tmp_path: Path) -> None:
    test = pd.read_csv(trained / "data" / "ddarung" / "raw" / "test.csv")
    test.drop(columns="hour_bef_ozone").to_csv(tmp_path / "new.csv", index=False)
    said = kc_here(trained, "predict", "ddarung", "--input", tmp_path / "new.csv").error()
    assert f"{tmp_path / 'new.csv'}: columns that the run was trained on are absent" in said
    assert "'hour_bef_ozone'" in said
    said = kc_here(trained, "predict", "ddarung", "--input", tmp_path / "none.csv").error()
    assert str(tmp_path / "none.csv") in said
    said = kc_here(trained, "predict", "ddarung", "--input", tmp_path, "--run", "nope").error()
    assert "no run 'nope' of 'ddarung'" in said
    said = kc_here(trained, "predict", "bike", "--input", tmp_path / "new.csv").error()
    assert "no run of 'bike' yet; run kc train bike" in said


# --- submit, cache ---


def test_submit_asks_notes_and_refuses_the_same_bytes(
    kc: Kc, trained: Path, tmp_path: Path
) -> None:
    work = copy_of(trained, tmp_path / "work")
    ledger = work / "runs" / "ddarung.submissions.jsonl"
    run = only_run(work, "ddarung")
    no = kc(work, "submit", "ddarung", "--by-hand", input="n\n", expect=1)
    assert "Note it as submitted, and show where to upload it? [y/N]:" in no.out
    assert f"{run / 'submission.csv'}" in no.out.splitlines()[0]
    assert not ledger.exists()
    yes = kc(work, "submit", "ddarung", "--by-hand", "--message", "a first try", input="y\n")
    page = "https://dacon.io/competitions/open/235576"
    assert yes.out.endswith(f"upload {run / 'submission.csv'} at {page}\n")
    (entry,) = map(json.loads, ledger.read_text().splitlines())
    assert (entry["run"], entry["message"]) == (run.name, "a first try")
    assert entry["sha256"] == hashlib.sha256((run / "submission.csv").read_bytes()).hexdigest()
    before = files_of(work)
    refused = kc(work, "submit", "ddarung", "--yes", expect=1).error()
    assert "the same bytes were submitted on" in refused
    assert refused.endswith("(--again submits them all the same)")
    assert files_of(work) == before
    kc(work, "submit", "ddarung", "--yes", "--again", "--by-hand")
    assert len(ledger.read_text().splitlines()) == 2


def test_submit_checks_the_file_once_more(kc_here: Kc, trained: Path, tmp_path: Path) -> None:
    work = copy_of(trained, tmp_path / "work")
    path = only_run(work, "ddarung") / "submission.csv"
    path.write_text(path.read_text().replace("\n", ",-1\n", 2).replace("count,-1", "count,x", 1))
    said = kc_here(work, "submit", "ddarung", "--yes").error()
    assert str(path) in said
    assert not (work / "runs" / "ddarung.submissions.jsonl").exists()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949"])
def test_a_submission_is_in_the_encoding_of_the_sample(
    kc_here: Kc, tiny: Callable[..., Path], encoding: str
) -> None:
    korean = [text.replace("id,", "번호,") for text in (TRAIN, TEST, SAMPLE)]
    sample = korean[2].replace("번호,price\n", '"번호","price"\r\n').encode(encoding)
    work = tiny(*korean[:2], sample, toml=TOML.replace('id = "id"', 'id = "번호"'))
    kc_here(work, "train", "tiny", expect=0)
    written = (only_run(work, "tiny") / "submission.csv").read_bytes()
    assert written.startswith('"번호","price"\r\n10,'.encode(encoding))
    assert len(written.split(b"\r\n")) == 5
    kc_here(work, "submit", "tiny", "--yes", expect=0)


def test_submit_without_a_page_says_where_the_file_is(
    kc_here: Kc, tiny: Callable[..., Path]
) -> None:
    work = tiny()
    kc_here(work, "train", "tiny", expect=0)
    out = kc_here(work, "submit", "tiny", "--yes", expect=0).out
    path = only_run(work, "tiny") / "submission.csv"
    assert out.splitlines()[-1] == (
        f"hand in {path}; competition.toml names no page to upload it to"
    )


def test_cache_clear_deletes_finished_folds_only(
    kc_here: Kc, trained: Path, tmp_path: Path
) -> None:
    work = copy_of(trained, tmp_path / "work")
    cache = work / "data" / "ddarung" / "cache"
    n_files = len(list(cache.iterdir()))
    kept = {name: content for name, content in files_of(work).items() if "/cache/" not in name}
    done = kc_here(work, "cache", "clear", "ddarung", expect=0)
    assert n_files == 6, "five folds, and a fit on all rows"
    assert done.out.startswith("deleted 6 finished folds, 0.")
    assert files_of(work) == kept
    assert (
        kc_here(work, "cache", "clear", "ddarung", expect=0).out
        == "deleted 0 finished folds, 0.0 MB\n"
    )
