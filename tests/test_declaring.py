"""kc new: what is declared of files in all the shapes that competitions have."""

import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Done, write

from pipeline import Workspace
from pipeline.errors import PipelineError
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


def test_keys_of_several_columns_are_joined_by_position(tmp_path: Path) -> None:
    files = {
        "train.csv": table("shop,day,x,sales", "{j},{i},{half},{i}", 30),
        "test.csv": table("shop,day,x", "{half},{j},{i}", 12),
        "sample_submission.csv": table("shop,day,sales", "{half},{j},0", 12),
    }
    declared = new(tmp_path, files)
    assert declared["columns"]["target"] == "sales"
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
        ("note", "the rain in {i} is mainly here", None, "free text, which no model reads yet"),
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


def test_columns_of_one_file_alone_are_dropped(tmp_path: Path) -> None:
    files = {**PLAIN, "test.csv": table("id,size,colour,late", "{i},{i}0,c{j},{i}", 12, 31)}
    files["train.csv"] = table("id,size,colour,registered,price", "{i},{i}0,c{j},{i},{i}5.5", 30)
    assert new(tmp_path, files)["columns"]["drop"] == ["registered", "late"]
    assert '"registered",               # not in test' in text_of(tmp_path)
    assert '"late",                     # not in train' in text_of(tmp_path)


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
    assert declared["target"] if False else declared["task"] == "regression"
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
