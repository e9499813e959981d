"""kc new: what is declared of files in all the shapes that competitions have."""

import contextlib
import subprocess
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import KC, Done, files_of, write
from kaggle_server import Fault, KaggleServer

from pipeline import TrainOptions, Workspace, fetch, predict, train
from pipeline.errors import DataError, PipelineError, SourceError, UsageError
from pipeline.progress import Warned, listening
from pipeline.stages.declaring import NewOptions, declare
from pipeline.stages.opening import open_competition, read_data

Kc = Callable[..., Done]
Files = dict[str, str]


def table(header: str, row: str, n: int, start: int = 1) -> str:
    """Return n rows, {i} being their number and {j} one that repeats from 0 to 2."""
    rows = [row.format(i=i, j=i % 3, half=i % 2) for i in range(start, start + n)]
    return "\n".join([header, *rows]) + "\n"


TRAIN = table("id,size,colour,price", "{i},{i}0,c{j},{i}5.5", 30)
TEST = table("id,size,colour", "{i},{i}0,c{j}", 12, 31)
SAMPLE = table("id,price", "{i},0", 12, 31)
PLAIN = {"train.csv": TRAIN, "test.csv": TEST, "sample_submission.csv": SAMPLE}


def place(folder: Path, files: Files) -> Path:
    for name, text in files.items():
        write(folder / "downloaded" / name, text)
    return folder / "downloaded"


def new(folder: Path, files: Files, **options: Any) -> dict[str, Any]:
    """Return what is declared, after checking that it reads the files."""
    workspace = Workspace(folder / "work")
    path = declare(workspace, "toy", NewOptions(path=place(folder, files), **options))
    data = read_data(open_competition(workspace, "toy"))
    assert len(data.train)
    assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 120
    return tomllib.loads(path.read_text(encoding="utf-8"))


def refusal(folder: Path, files: Files, **options: Any) -> str:
    """Return the sentence of a refused declaration, after checking that nothing was written."""
    workspace = Workspace(folder / "work")
    with pytest.raises(PipelineError) as caught:
        declare(workspace, "toy", NewOptions(path=place(folder, files), **options))
    assert not workspace.root.exists()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value).replace(f"{folder}/", "")


def text_of(folder: Path) -> str:
    return (folder / "work/competitions/toy/competition.toml").read_text(encoding="utf-8")


# --- files and roles ---


@pytest.mark.parametrize(
    ("train", "test", "sample"),
    [
        ("train.csv", "test.csv", "sample_submission.csv"),
        ("Train.csv", "Test.csv", "sampleSubmission.csv"),
        ("train_data.csv", "test_data.csv", "submission.csv"),
        ("TRAIN.CSV", "TEST.CSV", "SAMPLE.CSV"),
        ("train.csv", "test.csv", "gender_submission.csv"),
        ("sample_train.csv", "sample_test.csv", "test_submission.csv"),
        ("학습.csv", "평가.csv", "제출양식.csv"),
        ("a.csv", "b.csv", "c.csv"),
        ("c.csv", "a.csv", "b.csv"),
        ("train.tsv", "test.txt", "sub.csv"),
    ],
)
def test_roles_are_found_by_name_and_by_content(
    tmp_path: Path, train: str, test: str, sample: str
) -> None:
    declared = new(tmp_path, {train: TRAIN, test: TEST, sample: SAMPLE})
    assert declared["files"] == {"train": train, "test": test, "sample_submission": sample}


def test_other_files_play_no_role(tmp_path: Path) -> None:
    others = {
        "data_description.txt": "size: how large\n\tcolour: which\n",
        "train_extra.csv": "a,b\n1,2\n",
        "stores.csv": "colour,country\nc0,KR\nc1,KR\n",
        "readme.pdf": "%PDF",
    }
    declared = new(tmp_path, {**PLAIN, **others})
    assert declared["files"]["train"] == "train.csv"
    assert (tmp_path / "work/data/toy/raw/stores.csv").is_file()


def test_archives_are_opened_as_deep_as_needed(tmp_path: Path) -> None:
    inner = {}
    for name, text in PLAIN.items():
        write(tmp_path / "packed" / name, text)
        inner[f"{name}.zip"] = tmp_path / "packed" / f"{name}.zip"
        with zipfile.ZipFile(inner[f"{name}.zip"], "w") as archive:
            archive.write(tmp_path / "packed" / name, name)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, path in inner.items():
            archive.write(path, f"data/{name}")
    workspace = Workspace(tmp_path / "work")
    declare(workspace, "toy", NewOptions(path=tmp_path / "all.zip"))
    assert sorted(path.name for path in workspace.raw("toy").iterdir()) == sorted(PLAIN)
    assert '"origin": "zip all.zip"' in (workspace.data("toy") / "manifest.json").read_text()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"train.csv": TRAIN, "test.csv": TEST},
            "cannot tell which files are train, test and sample submission: expected three CSV "
            "files, of which train has the test's columns and a target, and the sample a row for "
            "each of the test's; found test.csv (12 x 3), train.csv (30 x 4)",
        ),
        ({"notes.md": "x"}, "found no table among notes.md"),
        ({**PLAIN, "test.csv": "id,size,colour\n31,1\n"}, "test.csv, line 2: expected 3 fields"),
    ],
)
def test_files_without_roles_are_listed(tmp_path: Path, files: Files, message: str) -> None:
    assert message in refusal(tmp_path, files)


# --- the whole declaration ---


def test_a_declaration_is_short_and_says_why(tmp_path: Path) -> None:
    new(tmp_path, PLAIN, dacon="https://dacon.io/competitions/official/235576/overview")
    assert (
        text_of(tmp_path)
        == """\
# Inferred by kc new from the files; the comments say from what. Correct what is wrong.
title = "toy"
task = "regression"             # numbers from 15.5 to 305.5
metric = "rmse"                 # a guess: look at the competition's page

[source]
kind = "dacon"
number = 235576

[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample_submission.csv"

[columns]
id = "id"
target = "price"
categorical = ["colour"]        # 3 levels

[validation]
n_splits = 5
seed = 42
"""
    )


def test_what_is_said_goes_before_what_is_seen(tmp_path: Path) -> None:
    declared = new(tmp_path, PLAIN, metric="rmsle", kaggle="titanic")
    assert (declared["metric"], declared["target"]) == ("rmsle", {"transform": "log1p", "lower": 0})
    assert declared["source"] == {"kind": "kaggle", "slug": "titanic"}
    files = {name: text.replace("price", "label") for name, text in PLAIN.items()}
    whole = {n: t.replace("5.5\n", "\n").replace(",c0,3\n", ",c0,9\n") for n, t in files.items()}
    assert new(tmp_path / "2", whole, task="multiclass", metric="accuracy")["task"] == "multiclass"


# --- ids, targets and the sample's format ---


def test_the_id_may_be_in_the_sample_alone(tmp_path: Path) -> None:
    files = {
        "train.csv": table("label,p0,p1", "{j},{i},{half}", 60),
        "test.csv": table("p0,p1", "{i},{half}", 12),
        "sample_submission.csv": table("ImageId,Label", "{i},0", 12),
    }
    declared = new(tmp_path, files)
    assert declared["columns"]["id"] == "ImageId"
    assert declared["columns"]["by_position"] is True
    assert declared["columns"]["target"] == "label"
    assert (declared["task"], declared["metric"]) == ("multiclass", "accuracy")


def test_a_sample_may_have_no_id_at_all(tmp_path: Path) -> None:
    files = {**PLAIN, "sample_submission.csv": table("price", "0", 12)}
    declared = new(tmp_path, files)
    assert "id" not in declared["columns"]
    assert declared["columns"]["by_position"] is True


def test_rows_without_ids_are_trained_on_and_predicted(tmp_path: Path) -> None:
    new(tmp_path, {**PLAIN, "sample_submission.csv": table("price", "0", 12)})
    workspace = Workspace(tmp_path / "work")
    run = train(workspace, "toy", TrainOptions(label="ridge", n_splits=2))
    assert len(run.submission.read_text().splitlines()) == 13
    answers = predict(workspace, "toy", tmp_path / "downloaded" / "test.csv", run.id)
    assert list(answers) == ["row", "price"]
    assert answers["row"].tolist() == [str(i) for i in range(1, 13)]
    written = [float(line) for line in run.submission.read_text().splitlines()[1:]]
    assert answers["price"].tolist() == pytest.approx(written)


def test_keys_of_several_columns_are_joined_by_position(tmp_path: Path) -> None:
    files = {
        "train.csv": table("shop,day,x,sales", "{j},{i},{half},{i}", 30),
        "test.csv": table("shop,day,x", "{half},{j},{i}", 12),
        "sample_submission.csv": table("shop,day,sales", "{half},{j},0", 12),
    }
    declared = new(tmp_path, files)
    assert declared["columns"]["target"] == "sales"
    assert declared["columns"]["by_position"] is True


def test_a_key_beside_the_id_is_handed_back_as_it_is(tmp_path: Path) -> None:
    files = {
        "train.csv": table("id,shop,x,sales", "{i},{j},{half},{i}", 30),
        "test.csv": table("id,shop,x", "{i},{j},{half}", 12, 31),
        "sample_submission.csv": table("id,shop,sales", "{i},{j},0", 12, 31),
    }
    declared = new(tmp_path, files)
    assert declared["columns"]["target"] == "sales"
    assert declared["columns"]["by_position"] is True
    files["sample_submission.csv"] = table("id,shop,sales", "{i},{half},0", 12, 31)
    assert "'shop' is a column of test.csv as well" in refusal(tmp_path / "2", files)


def test_an_id_that_only_test_lacks_is_joined_by_position(tmp_path: Path) -> None:
    files = {**PLAIN, "test.csv": table("size,colour", "{i}0,c{j}", 12, 31)}
    declared = new(tmp_path, files)
    assert (declared["columns"]["id"], declared["columns"]["target"]) == ("id", "price")
    assert declared["columns"]["by_position"] is True


def test_a_nameless_index_is_an_id(tmp_path: Path) -> None:
    files = {name: text.replace("id,", ",", 1) for name, text in PLAIN.items()}
    assert new(tmp_path, files)["columns"]["id"] == "Unnamed: 0"


def test_a_nameless_last_column_is_no_other_column_in_test(tmp_path: Path) -> None:
    files = {**PLAIN, "train.csv": table("id,size,colour,price,", "{i},{i}0,c{j},{i}5.5,{j}", 30)}
    files["test.csv"] = table("id,size,colour,", "{i},{i}0,c{j},{j}", 12, 31)
    assert "drop" not in new(tmp_path, files)["columns"]


def test_a_target_may_be_called_otherwise_in_the_sample(tmp_path: Path) -> None:
    files = {**PLAIN, "sample_submission.csv": SAMPLE.replace("price", "Predicted")}
    assert new(tmp_path, files)["columns"]["target"] == "price"
    files["train.csv"] = table("id,size,colour,price,rest", "{i},{i}0,c{j},{i}5.5,{j}", 30)
    assert "name the target by --target" in refusal(tmp_path / "2", files)
    assert new(tmp_path / "3", files, target=("price",))["columns"]["target"] == "price"


def test_a_column_for_each_class_is_the_target_s(tmp_path: Path) -> None:
    files = {
        "train.csv": table("id,x,y,Status", "{i},{i},{half},S{j}", 60),
        "test.csv": table("id,x,y", "{i},{i},{half}", 12, 61),
        "sample_submission.csv": table("id,Status_S0,Status_S1,Status_S2", "{i},.3,.3,.4", 12, 61),
    }
    declared = new(tmp_path, files)
    assert declared["columns"]["target"] == "Status"
    assert (declared["task"], declared["metric"]) == ("multiclass", "log_loss")


def test_several_targets_are_amounts(tmp_path: Path) -> None:
    files = {
        "train.csv": table("id,x,a,b", "{i},{i}.5,{i},{j}", 30),
        "test.csv": table("id,x", "{i},{i}.5", 12, 31),
        "sample_submission.csv": table("id,a,b", "{i},0,0", 12, 31),
    }
    declared = new(tmp_path, files)
    assert declared["columns"]["target"] == ["a", "b"]
    assert declared["target"] == {"lower": 0}
    files["train.csv"] = files["train.csv"].replace(",2\n", ",two\n")
    assert "2 targets, of which 'b' is text" in refusal(tmp_path / "2", files)


def binary(labels: tuple[str, str], answer: str, asked: str = "label") -> Files:
    rows = [f"{i},{i % 7},{labels[i % 4 == 0]}" for i in range(60)]
    return {
        "train.csv": "\n".join(["id,x,label", *rows]) + "\n",
        "test.csv": table("id,x", "{i},{j}", 12, 61),
        "sample_submission.csv": table(f"id,{asked}", f"{{i}},{answer}", 12, 61),
    }


@pytest.mark.parametrize(
    ("labels", "answer", "metric", "target"),
    [
        (("0", "1"), "0", "accuracy", None),
        (("0", "1"), "0.5", "roc_auc", None),
        (("0.0", "1.0"), "", "accuracy", None),
        (("no", "yes"), "no", "accuracy", None),
        (("no", "yes"), "0.5", "roc_auc", {"positive": "yes"}),
        (("Yes", "zero"), "0", "roc_auc", {"positive": "Yes"}),
        (("good", "bad"), "0.5", "roc_auc", {"positive": "bad"}),
        (("1", "2"), "0.5", "roc_auc", None),
    ],
)
def test_two_classes_are_labels_or_probabilities_as_the_sample_is(
    tmp_path: Path, labels: tuple[str, str], answer: str, metric: str, target: Any
) -> None:
    declared = new(tmp_path, binary(labels, answer))
    assert (declared["task"], declared["metric"]) == ("binary", metric)
    assert declared.get("target") == target


def test_the_sample_s_format_is_declared_where_the_metric_would_say_otherwise(
    tmp_path: Path,
) -> None:
    declared = new(tmp_path, binary(("0", "1"), "0.5"), metric="accuracy")
    assert declared["target"] == {"answer": "probability"}
    declared = new(tmp_path / "2", binary(("no", "yes"), "no"), metric="roc_auc")
    assert declared["target"] == {"answer": "label"}
    declared = new(tmp_path / "3", binary(("a", "b"), "0.5", asked="prob_a"))
    assert declared["target"] == {"positive": "a"}


def test_chances_may_have_decimal_commas_too(tmp_path: Path) -> None:
    files = {
        name: text.replace(",", ";").replace("{i}", "0")
        for name, text in binary(("0", "1"), "0,5").items()
    }
    files["sample_submission.csv"] = table("id;label", "{i};0,5", 12, 61)
    files["train.csv"] = files["train.csv"].replace(";1;", ";1,25;")
    assert new(tmp_path, files)["metric"] == "roc_auc"


@pytest.mark.parametrize(
    ("cells", "task", "target"),
    [
        ("{j}", "multiclass", None),
        ("c{j}", "multiclass", None),
        ("1{j}", "regression", {"lower": 0}),
        ("{i}", "regression", {"lower": 0}),
        ("-{i}", "regression", None),
        ("{i}.5", "regression", None),
    ],
)
def test_the_target_s_values_tell_the_task(
    tmp_path: Path, cells: str, task: str, target: Any
) -> None:
    files = {
        **PLAIN,
        "train.csv": table("id,size,colour,price", f"{{i}},{{i}}0,c{{j}},{cells}", 30),
    }
    declared = new(tmp_path, files)
    assert (declared["task"], declared.get("target")) == (task, target)


# --- columns ---


def with_column(name: str, train: str, test: str | None = None) -> Files:
    """Return the plain files with one more column."""
    files = {
        **PLAIN,
        "train.csv": table(f"id,size,{name},price", f"{{i}},{{i}}0,{train},{{i}}5.5", 90),
    }
    shown = train if test is None else test
    files["test.csv"] = table(f"id,size,{name}", f"{{i}},{{i}}0,{shown}", 12, 91)
    files["sample_submission.csv"] = table("id,price", "{i},0", 12, 91)
    return files


@pytest.mark.parametrize(
    ("name", "train", "test", "line"),
    [
        ("Name", "n{i}", None, "90 levels in 90 rows"),
        ("planet", "earth", None, "constant in train: 'earth'"),
        ("gone", "", None, "empty in train"),
        ("row_id", "{i}", None, "another number in every row of train"),
    ],
)
def test_columns_that_teach_nothing_are_dropped_with_the_reason(
    tmp_path: Path, name: str, train: str, test: str | None, line: str
) -> None:
    assert new(tmp_path, with_column(name, train, test))["columns"]["drop"] == [name]
    assert f'drop = ["{name}"]' in text_of(tmp_path)
    assert f"# {line}" in text_of(tmp_path)


@pytest.mark.parametrize(
    ("name", "cells", "words"),
    [("note", "the rain in {i} is mainly here", 7), ("Name", "Braund {i} Mr. Owen", 4)],
)
def test_prose_is_declared_as_text(tmp_path: Path, name: str, cells: str, words: int) -> None:
    columns = new(tmp_path, with_column(name, cells))["columns"]
    assert columns["text"] == [name]
    assert "drop" not in columns
    assert f"# {words} words a cell" in text_of(tmp_path)


def test_short_texts_that_repeat_are_categories(tmp_path: Path) -> None:
    cells = "New York City {j}"
    assert new(tmp_path, with_column("city", cells))["columns"]["categorical"] == ["city"]


def test_columns_of_one_file_alone_are_dropped(tmp_path: Path) -> None:
    files = {**PLAIN, "test.csv": table("id,size,colour,late", "{i},{i}0,c{j},{i}", 12, 31)}
    files["train.csv"] = table("id,size,colour,registered,price", "{i},{i}0,c{j},{i},{i}5.5", 30)
    assert new(tmp_path, files)["columns"]["drop"] == ["registered", "late"]
    assert '"registered",               # not in test' in text_of(tmp_path)
    assert '"late",                     # not in train' in text_of(tmp_path)


def with_parts(total: str) -> Files:
    train = table("id,size,few,odd,many,price", "{i},{i}0,{i}.5,{j},{j}," + total, 30)
    return {**PLAIN, "train.csv": train, "test.csv": table("id,size", "{i},{i}0", 12, 31)}


def test_columns_of_train_alone_that_sum_to_the_target_are_its_parts(tmp_path: Path) -> None:
    files = with_parts("{i}.5")
    files["train.csv"] = files["train.csv"].replace(",0,0,", ",3,0,")  # odd is not many
    rows = [line.split(",") for line in files["train.csv"].splitlines()]
    sums = [[*row[:-1], f"{float(row[2]) + float(row[4]):.1f}"] for row in rows[1:]]
    files["train.csv"] = "\n".join(",".join(row) for row in [rows[0], *sums]) + "\n"
    declared = new(tmp_path, files)
    assert declared["target"]["parts"] == ["few", "many"]
    assert declared["columns"]["drop"] == ["few", "odd", "many"]
    assert declared["models"] == {"lightgbm_parts": {"kind": "lightgbm", "by_parts": True}}


def test_columns_that_do_not_quite_sum_to_the_target_are_no_parts(tmp_path: Path) -> None:
    declared = new(tmp_path, with_parts("{i}.5"))
    assert "parts" not in declared.get("target", {})
    assert "models" not in declared


def test_many_dropped_columns_stand_below_their_reasons(tmp_path: Path) -> None:
    files = with_column(",".join(f"k{i}" for i in range(6)), "1,2,3,4,5,6")
    for name in ("train.csv", "test.csv"):
        header, *rows = files[name].splitlines()
        rows = [f"{row},n{i}" for i, row in enumerate(rows)]
        files[name] = "\n".join([f"{header},Name", *rows]) + "\n"
    declared = new(tmp_path, files)
    assert declared["columns"]["drop"] == ["k0", "k1", "k2", "k3", "k4", "k5", "Name"]
    assert """\
drop = [
    # constant in train
    "k0", "k1", "k2", "k3", "k4", "k5",
    # most rows differ
    "Name",
]
""" in text_of(tmp_path)


def pixels(name: Callable[[int], str], n_columns: int, most: int = 255) -> Files:
    """Return files of numbers from 0 to most, some columns of which never change."""
    names = [name(i) for i in range(n_columns)]

    def rows(n: int, first: int) -> list[list[str]]:
        shown = [[(i * 37 + j * 11) % (most + 1) for j in range(n_columns)] for i in range(n)]
        return [[str(first + i), *map(str, [0, *row[1:]])] for i, row in enumerate(shown)]

    train = [[*row, "cat" if i % 2 else "dog"] for i, row in enumerate(rows(30, 1))]
    sample = [[str(31 + i), "cat"] for i in range(6)]
    tables = {
        "train.csv": [["id", *names, "label"], *train],
        "test.csv": [["id", *names], *rows(6, 31)],
        "sample_submission.csv": [["id", "label"], *sample],
    }
    return {file: "".join(f"{','.join(row)}\n" for row in cells) for file, cells in tables.items()}


@pytest.mark.parametrize(
    ("name", "n_columns", "size"),
    [
        (lambda i: f"pixel{i}", 64, {"height": 8, "width": 8}),
        (lambda i: f"{i // 8 + 1}x{i % 8 + 1}", 64, {"height": 8, "width": 8}),
        (str, 192, {"height": 8, "width": 8, "channels": 3}),
    ],
)
def test_columns_of_pixels_are_images(
    tmp_path: Path, name: Callable[[int], str], n_columns: int, size: dict[str, int]
) -> None:
    declared = new(tmp_path, pixels(name, n_columns))
    assert declared["images"] == size
    assert list(declared["columns"]) == ["id", "target"], "what never changes is a pixel too"
    assert "numbered columns from 0 to 255" in text_of(tmp_path)


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (pixels(lambda i: f"v{i}", 64, most=99), "nothing is bright"),
        (pixels(lambda i: f"v{i}", 65), "no square"),
        (pixels(lambda i: f"v{i}", 49), "few columns"),
        (pixels(lambda i: f"{'vw'[i % 2]}{i}", 64), "called differently"),
        (pixels(lambda i: f"v{i}", 64, most=300), "brighter than a byte"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_numbered_columns_are_no_images(tmp_path: Path, files: Files, what: str) -> None:
    assert "images" not in new(tmp_path, files)


def test_numbers_that_may_name_a_kind_are_only_suggested(tmp_path: Path) -> None:
    declared = new(tmp_path, with_column("season", "{j}"))
    assert "categorical" not in declared["columns"]
    assert 'categorical, if they name kinds: "season" (3)' in text_of(tmp_path)


def test_numbers_that_test_writes_as_text_are_categories(tmp_path: Path) -> None:
    assert new(tmp_path, with_column("grade", "{j}", "{j}+"))["columns"]["categorical"] == ["grade"]


@pytest.mark.parametrize("date", ["2011-01-{j}{j}", "1{j}.12.2011", "12/1{j}/2011", "201101{j}{j}"])
def test_dates_are_known_by_their_cells(tmp_path: Path, date: str) -> None:
    date = date.replace("{j}{j}", "1{j}")
    assert new(tmp_path, with_column("sold_date", date))["columns"]["datetime"] == ["sold_date"]


def test_ambiguous_days_are_declared_with_a_guess(tmp_path: Path) -> None:
    declared = new(tmp_path, with_column("sold", "0{j}/01/2011".replace("0{j}", "1{j}")))
    assert "dayfirst" not in declared["files"] or declared["files"]["dayfirst"] is False
    files = with_column("sold", "1{half}/01/2011")
    assert new(tmp_path / "2", files)["files"]["dayfirst"] is False
    assert "# nothing in the dates shows it" in text_of(tmp_path / "2")
    dotted = {name: text.replace("/", ".") for name, text in files.items()}
    assert new(tmp_path / "3", dotted)["files"]["dayfirst"] is True


def test_decimal_commas_and_spellings_of_missing_are_declared(tmp_path: Path) -> None:
    files = {name: text.replace(",", ";").replace("5.5\n", "5,5\n") for name, text in PLAIN.items()}
    declared = new(tmp_path, files)
    assert declared["files"]["decimal"] == ","
    assert declared["task"] == "regression"
    files = {
        **PLAIN,
        "train.csv": TRAIN.replace("\n7,70,", "\n7,?,").replace("\n8,80,", "\n8,inf,"),
    }
    declared = new(tmp_path / "2", files)
    assert declared["files"]["na_values"] == ["?", "inf"]
    files["train.csv"] = TRAIN.replace("\n7,70,", "\n7,none,").replace("c0", "none")
    declared = new(tmp_path / "3", files)
    assert declared["files"]["na_values"] == ["none"]
    assert declared["levels"] == {"none": ["colour"]}


def test_a_class_that_is_called_none_is_a_class(tmp_path: Path) -> None:
    labels = ("None", "apnea", "insomnia")
    rows = [f"{i},{i % 7},{labels[i % 3]}" for i in range(60)]
    files = {
        "train.csv": "\n".join(["id,x,disorder", *rows]) + "\n",
        "test.csv": table("id,x", "{i},{j}", 12, 61),
        "sample_submission.csv": table("id,disorder", "{i},None", 12, 61),
    }
    declared = new(tmp_path, files)
    assert (declared["task"], declared["metric"]) == ("multiclass", "accuracy")
    assert declared["levels"] == {"None": ["disorder"]}


def test_a_word_for_missing_that_fills_a_column_is_asked_about(tmp_path: Path) -> None:
    files = with_column("alley", "@{j}@")
    files = {
        n: t.replace("@0@", "NA").replace("@1@", "NA").replace("@2@", "paved")
        for n, t in files.items()
    }
    declared = new(tmp_path, {**files, "test.csv": files["test.csv"].replace("paved", "gravel")})
    assert "levels" not in declared
    assert "# [levels]                      # in over a third of the rows" in text_of(tmp_path)
    assert '\n# "NA" = ["alley"]\n' in text_of(tmp_path)


# --- folds ---


def test_test_rows_after_all_training_rows_ask_for_folds_in_time(tmp_path: Path) -> None:
    days = [f"2011-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(102)]
    files = with_column("day", "@{i}@")
    for name in ("train.csv", "test.csv"):
        for i, day in enumerate(days, 1):
            files[name] = files[name].replace(f"@{i}@", day)
    declared = new(tmp_path, files)
    assert declared["columns"]["time"] == "day"
    assert declared["validation"]["scheme"] == "time"
    assert "# test begins 2011-04-07, train ends 2011-04-06" in text_of(tmp_path)


def test_values_that_rows_share_and_test_does_not_know_ask_for_whole_groups(tmp_path: Path) -> None:
    files = with_column("user_id", "@{i}@")
    for name in ("train.csv", "test.csv"):
        for i in range(1, 103):
            files[name] = files[name].replace(f"@{i}@", f"u{(i - 1) // 3}")
    declared = new(tmp_path, files)
    assert declared["columns"]["group"] == "user_id"
    assert declared["validation"]["scheme"] == "group"
    assert "categorical" not in declared["columns"]


def test_ids_that_training_rows_share_are_groups(tmp_path: Path) -> None:
    files = {
        **PLAIN,
        "train.csv": "id,size,colour,price\n"
        + "".join(f"{i // 2},{i},c{i % 3},{i}.5\n" for i in range(60)),
    }
    declared = new(tmp_path, files)
    assert declared["columns"]["group"] == "id"
    assert "# 60 rows of train share 30 ids" in text_of(tmp_path)


def test_rare_classes_get_folds_that_they_allow(tmp_path: Path) -> None:
    files = {**PLAIN, "train.csv": TRAIN.replace(".5\n", "\n")}
    rows = files["train.csv"].splitlines()
    labels = ["a", "b"] * 13 + ["a", "rare", "rare", "rare"]
    cut = [f"{row.rsplit(',', 1)[0]},{label}" for row, label in zip(rows[1:], labels, strict=True)]
    files["train.csv"] = "\n".join([rows[0], *cut]) + "\n"
    declared = new(tmp_path, files)
    assert declared["validation"] == {"scheme": "stratified", "n_splits": 3, "seed": 42}
    files["train.csv"] = files["train.csv"].replace("29,290,c2,rare", "29,290,c2,a")
    files["train.csv"] = files["train.csv"].replace("30,300,c0,rare", "30,300,c0,b")
    assert new(tmp_path / "2", files)["validation"]["scheme"] == "kfold"


# --- Kaggle, Dacon, and what is here already ---


@pytest.fixture
def kaggle(kaggle_server: KaggleServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A local Kaggle that has the plain files as titanic, and that this process talks to."""
    files = {name: text.encode() for name, text in PLAIN.items()}
    kaggle_server.add("titanic", files, title="Titanic - Machine Learning from Disaster")
    kaggle_server.enter(monkeypatch, tmp_path / "home")
    return kaggle_server


def test_a_competition_at_kaggle_is_downloaded_and_declared(kaggle: Any, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work")
    path = declare(workspace, "boat", NewOptions(kaggle="https://www.kaggle.com/c/titanic"))
    declared = tomllib.loads(path.read_text(encoding="utf-8"))
    assert declared["title"] == "Titanic - Machine Learning from Disaster"
    assert declared["source"] == {"kind": "kaggle", "slug": "titanic"}
    assert (declared["metric"], declared["target"]["lower"]) == ("rmsle", 0)
    assert "# the page says RMSLE" in path.read_text(encoding="utf-8")
    assert workspace.data("boat").joinpath("raw", "train.csv").read_text() == TRAIN
    kaggle.forget()
    fetch(workspace, "boat")
    assert kaggle.sent == 0


def test_files_of_one_s_own_get_the_metric_of_the_page(kaggle: Any, tmp_path: Path) -> None:
    declared = new(tmp_path, PLAIN, kaggle="titanic")
    assert (declared["metric"], declared["source"]["slug"]) == ("rmsle", "titanic")
    assert kaggle.calls() == ["GetCompetition"]


def test_a_page_that_cannot_be_asked_is_only_a_warning(kaggle: Any, tmp_path: Path) -> None:
    kaggle.fail("titanic", Fault("GetCompetition", status=500, html=True))
    heard: list[Any] = []
    with listening(heard.append):
        declared = new(tmp_path, PLAIN, kaggle="titanic")
    assert (declared["title"], declared["metric"]) == ("toy", "rmse")
    warnings = [event.text for event in heard if isinstance(event, Warned)]
    assert warnings[0].startswith("title and metric are not known: localhost: ")


def test_a_metric_of_the_page_that_is_not_ours_is_named(
    kaggle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = kaggle.competitions["titanic"].card
    monkeypatch.setattr(
        type(kaggle.competitions["titanic"]),
        "card",
        lambda self: {**card(), "evaluationMetric": "Quadratic Weighted Kappa"},
    )
    assert new(tmp_path, PLAIN, kaggle="titanic")["metric"] == "rmse"
    assert "a guess: the page's 'Quadratic Weighted Kappa' is not among ours" in text_of(tmp_path)


def test_a_metric_of_the_page_that_scores_no_classes_is_named(kaggle: Any, tmp_path: Path) -> None:
    declared = new(tmp_path, binary(("no", "yes"), "no"), kaggle="titanic")
    assert (declared["task"], declared["metric"]) == ("binary", "accuracy")
    assert "# a guess: the page's 'RMSLE' is none of task binary" in text_of(tmp_path)


def test_what_kaggle_refuses_leaves_nothing_but_one_sentence(kaggle: Any, tmp_path: Path) -> None:
    kaggle.add("no-rules", {name: text.encode() for name, text in PLAIN.items()})
    workspace = Workspace(tmp_path / "work")
    with pytest.raises(SourceError) as caught:
        declare(workspace, "boat", NewOptions(kaggle="no-rules"))
    assert "rules" in str(caught.value)
    assert str(caught.value).endswith("kc new boat --kaggle no-rules --from ZIP_OR_DIR")
    assert not workspace.own("boat").exists()


def test_a_download_that_cannot_be_declared_is_kept(kaggle: Any, tmp_path: Path) -> None:
    files = {name: text.encode() for name, text in PLAIN.items()}
    files["train.csv"] = table("id,size,colour,price,rest", "{i},{i}0,c{j},{i},{j}", 30).encode()
    files["sample_submission.csv"] = SAMPLE.replace("price", "wanted").encode()
    kaggle.add("odd", files)
    workspace = Workspace(tmp_path / "work")
    with pytest.raises(DataError, match="name the target by --target"):
        declare(workspace, "odd", NewOptions(kaggle="odd"))
    sent = kaggle.sent
    declare(workspace, "odd", NewOptions(kaggle="odd", target=("price",)))
    assert kaggle.sent == sent


def test_dacon_s_files_are_brought_by_hand(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        declare(Workspace(tmp_path / "work"), "toy", NewOptions(dacon="235576"))
    assert str(caught.value) == (
        "Dacon hands over its files by browser alone: download them from "
        "https://dacon.io/competitions/official/235576/data, then run kc new toy --dacon 235576 "
        "--from ZIP_OR_DIR"
    )
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    "address",
    [
        "235576",
        "https://dacon.io/competitions/official/235576/overview/description",
        "dacon.io/en/competitions/official/235576/data",
    ],
)
def test_a_dacon_competition_is_known_by_its_address(tmp_path: Path, address: str) -> None:
    assert new(tmp_path, PLAIN, dacon=address)["source"] == {"kind": "dacon", "number": 235576}


def test_a_dacon_address_of_another_kind_is_kept(tmp_path: Path) -> None:
    declared = new(tmp_path, PLAIN, dacon="https://dacon.io/competitions/open/235576/overview")
    assert declared["source"]["number"] == 235576
    assert declared["source"]["url"] == "https://dacon.io/competitions/open/235576"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kaggle": "a", "dacon": "1"}, "--kaggle and --dacon are two places; choose one"),
        (
            {"kaggle": "https://example.org/c/titanic"},
            "--kaggle: expected a slug such as titanic, or a competition's address; found "
            "'https://example.org/c/titanic'",
        ),
        (
            {"dacon": "bike"},
            "--dacon: expected a number such as 235576, or its address; found 'bike'",
        ),
        ({"metric": "rmes"}, "--metric: 'rmes'; did you mean 'rmse'?"),
        ({"task": "Binary"}, "--task: 'Binary'; did you mean 'binary'?"),
        ({"target": ("prise",)}, "train.csv: there is no column 'prise' (--target); did you mean"),
        ({"id": "ID"}, "sample_submission.csv: there is no column 'ID' (--id); did you mean 'id'?"),
        (
            {"task": "regression", "metric": "roc_auc"},
            "the metric 'roc_auc' does not score task \"regression\"; expected one of rmse,",
        ),
    ],
)
def test_options_that_cannot_be_followed_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    assert message in refusal(tmp_path, PLAIN, **options)


def test_places_that_are_none_are_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work")
    with pytest.raises(SourceError, match="found nothing there; check the path"):
        declare(workspace, "toy", NewOptions(path=tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"toy: where are the files\? Give --from ZIP_OR_DIR"):
        declare(workspace, "toy")
    assert not workspace.root.exists()


@pytest.mark.parametrize("name", ["a/b", "..", "", "a b", "x" * 101, "a\nb", "."])
def test_names_that_are_no_folder_s_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="expected a name of letters, digits, - and _"):
        declare(Workspace(tmp_path), name, NewOptions(path=place(tmp_path, PLAIN)))


@pytest.mark.parametrize("name", ["bike", "mine"])
def test_a_competition_is_never_overwritten(tmp_path: Path, name: str) -> None:
    write(tmp_path / "work/competitions/mine/features.py", "def add_features(frame): ...")
    before = files_of(tmp_path / "work")
    with pytest.raises(UsageError, match=f"there is a competition '{name}' already"):
        declare(Workspace(tmp_path / "work"), name, NewOptions(path=place(tmp_path, PLAIN)))
    assert files_of(tmp_path / "work") == before


def test_files_that_are_here_already_are_declared_and_kept(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work")
    declare(workspace, "toy", NewOptions(path=place(tmp_path, PLAIN)))
    workspace.own("toy").joinpath("competition.toml").unlink()
    workspace.own("toy").rmdir()
    before = files_of(workspace.root)
    declare(workspace, "toy")
    after = files_of(workspace.root)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1


def test_files_of_another_competition_are_not_replaced_by_it(tmp_path: Path) -> None:
    write(tmp_path / "work/data/toy/raw/train.csv", "my,own\n1,2\n")
    before = files_of(tmp_path / "work")
    with pytest.raises(DataError, match="was not brought by kc fetch; move it elsewhere"):
        declare(Workspace(tmp_path / "work"), "toy", NewOptions(path=place(tmp_path, PLAIN)))
    assert files_of(tmp_path / "work") == before


def test_new_prints_where_the_declaration_is_and_says_what_to_check(
    kc_here: Kc, tmp_path: Path
) -> None:
    workspace = tmp_path / "work"
    files = with_column("season", "{j}")
    done = kc_here(workspace, "new", "toy", "--from", place(tmp_path, files), expect=0)
    assert done.out == (
        f"declared {workspace}/competitions/toy/competition.toml\nnext     kc train toy\n"
    )
    assert done.err.splitlines() == [
        "files    train train.csv (90 rows), test test.csv (12 rows)",
        "files    sample submission sample_submission.csv",
        "id       id",
        "target   price",
        "task     regression: numbers from 15.5 to 905.5",
        "metric   rmse (a guess: look at the competition's page)",
        "folds    5, kfold",
        "check    numbers that may name a kind, then categorical: 'season'",
    ]
    again = kc_here(workspace, "new", "toy", "--from", place(tmp_path, files))
    assert "there is a competition 'toy' already" in again.error()


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.3])
def test_killed_at_any_moment_new_leaves_a_whole_competition_or_none(
    kc: Kc, tmp_path: Path, seconds: float
) -> None:
    files = place(tmp_path, PLAIN)
    command = [str(KC), "--workspace", str(tmp_path / "work"), "new", "toy", "--from", str(files)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    process.wait()
    workspace = Workspace(tmp_path / "work")
    if not workspace.own("toy").exists():
        kc(workspace.root, "new", "toy", "--from", files)
    assert len(read_data(open_competition(workspace, "toy")).train) == 30
    assert sorted(path.name for path in workspace.raw("toy").iterdir()) == sorted(PLAIN)
    assert {path.name for path in workspace.root.iterdir() if path.name[0] == "."} <= {".kc"}
