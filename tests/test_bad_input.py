"""Bad input is answered in one line that says what to do, and nothing is lost or half-written."""

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import SAMPLE, TEST, TOML, TRAIN, Done, copy_of, files_of, only_run, write

Kc = Callable[..., Done]
Tiny = Callable[..., Path]
CLASSES = (
    TOML.replace('"regression"', '"binary"')
    .replace('"rmse"', '"accuracy"')
    .replace('"ridge"', '"logistic"')
)


def refused(kc_here: Kc, workspace: Path, *arguments: object) -> str:
    """Return the error line of a command, after checking that it changed nothing."""
    before = files_of(workspace)
    done = kc_here(workspace, *arguments)
    assert files_of(workspace) == before
    return done.error()


def train_refused(kc_here: Kc, workspace: Path, *options: object) -> str:
    return refused(kc_here, workspace, "train", "tiny", "--quiet", *options)


def rows(text: str, *changes: tuple[str, str]) -> str:
    """Return a file's text after replacements that each must find something."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def test_the_tiny_competition_trains(kc_here: Kc, tiny: Tiny) -> None:
    work = tiny()
    done = kc_here(work, "train", "tiny", "--quiet", expect=0)
    assert done.err == ""
    text = (only_run(work, "tiny") / "submission.csv").read_text()
    assert re.fullmatch(r"id,price\n10,\d.*\n11,\d.*\n12,\d.*\n", text)


# --- files ---


@pytest.mark.parametrize("command", ["inspect", "clean", "encode", "scale", "train", "submit"])
def test_without_files_every_command_says_how_to_fetch(
    kc_here: Kc, tiny: Tiny, command: str
) -> None:
    work = tiny(fetch=False)
    said = refused(kc_here, work, command, "tiny")
    if command == "submit":
        assert said == f"{work / 'runs'}: no run of 'tiny' yet; run kc train tiny"
    else:
        assert said.endswith(
            "no files yet; run kc fetch tiny, or kc fetch tiny --from ZIP_OR_DIR, "
            "or kc fetch tiny --sample"
        )


FILES: dict[str, tuple[dict[str, Any], str]] = {
    "an empty training file": ({"train": ""}, "train.csv: "),
    "an empty test file": ({"test": ""}, "test.csv: "),
    "an empty sample": ({"sample": ""}, "sample.csv: "),
    "blank lines only": ({"train": "\n\n\n"}, "train.csv: the file has only blank lines"),
    "a header only": (
        {"train": "id,size,colour,price\n"},
        "train.csv: expected rows below the header, found none",
    ),
    "a test file of a header only": (
        {"test": "id,size,colour\n"},
        "test.csv: expected rows below the header, found none",
    ),
    "a row that is too short": (
        {"train": rows(TRAIN, ("3,30,red,305", "3,30,red"))},
        "train.csv, line 4: expected 4 fields as in the header, found 3",
    ),
    "a quote that stays open": (
        {"train": rows(TRAIN, ("3,30,red", '3,30,"red'))},
        "train.csv, line 4: a quote that opens in this row is never closed",
    ),
    "a column that appears twice": (
        {"train": rows(TRAIN, ("colour", "size"))},
        "train.csv, line 1: column 'size' appears twice",
    ),
    "bytes that are no text": ({"train": bytes(range(256)) * 4}, "train.csv"),
    "no target column": (
        {"train": rows(TRAIN, ("price", "prise"))},
        "train.csv: there is no target column 'price' ([columns] target); did you mean 'prise'?",
    ),
    "a test file without id": (
        {"test": rows(TEST, ("id,", "ident,"))},
        "test.csv: there is no id column 'id' ([columns] id)",
    ),
    "a sample without id": (
        {"sample": rows(SAMPLE, ("id,", "key,"))},
        "sample.csv: there is no id column 'id' ([columns] id)",
    ),
    "a sample with one answer too many": (
        {"sample": "id,price,cost\n10,0,0\n11,0,0\n12,0,0\n"},
        "sample.csv: expected the target ['price'], found ['price', 'cost']",
    ),
    "a sample that asks for unknown ids": (
        {"sample": rows(SAMPLE, ("12,0", "13,0"))},
        "sample.csv: 1 id not in test.csv ('13')",
    ),
    "a sample that asks for one id twice": (
        {"sample": rows(SAMPLE, ("12,0", "11,0"))},
        "sample.csv, line 4, column 'id': id '11' is already in line 3",
    ),
    "one id in two rows of the test": (
        {"test": rows(TEST, ("12,", "11,"))},
        "test.csv, line 4, column 'id': id '11' is already in line 3",
    ),
    "an empty id in the test": (
        {"test": rows(TEST, ("12,", ","))},
        "test.csv, line 4, column 'id': expected an id, found an empty cell",
    ),
    "a column that only training has": (
        {"test": "id,size\n10,15\n11,25\n12,35\n"},
        "test.csv: columns of train.csv are absent: 'colour'",
    ),
    "a column that only the test has": (
        {"test": "id,size,colour,mass\n10,15,red,1\n11,25,blue,2\n12,35,red,3\n"},
        "train.csv: columns of test.csv are absent: 'mass'",
    ),
    "a column without any value": (
        {"train": re.sub("red|blue", "", TRAIN)},
        "train.csv: columns are empty in all 9 rows: 'colour'",
    ),
    "a target that never changes": (
        {"train": re.sub(r"\d+$", "7", TRAIN, flags=re.MULTILINE)},
        "train.csv: every training row has price = 7; there is nothing to learn",
    ),
    "a target with a gap": (
        {"train": rows(TRAIN, ("red,305", "red,"))},
        "train.csv, column 'price': missing in 1 row, first in line 4",
    ),
    "a target that is text": (
        {"train": rows(TRAIN, ("red,305", "red,cheap"))},
        "train.csv, line 4, column 'price': expected a number in the target of task = "
        "\"regression\", found 'cheap'",
    ),
    "an infinite number": (
        {"train": rows(TRAIN, ("3,30,", "3,inf,"))},
        "train.csv, line 4, column 'size': expected a finite number, found inf",
    ),
    "text where training has numbers": (
        {"test": rows(TEST, ("25", "large"))},
        "test.csv, line 3, column 'size': expected a number as in train.csv, found 'large'",
    ),
    "fewer rows than folds": (
        {"train": "id,size,colour,price\n1,10,red,101\n2,20,blue,199\n"},
        "2 training rows cannot make 3 folds",
    ),
    "one class only": (
        {"train": re.sub(r"\d+$", "yes", TRAIN, flags=re.MULTILINE), "toml": CLASSES},
        "train.csv: every training row has price = yes; there is nothing to learn",
    ),
    "three classes for two": (
        {"train": rows(TRAIN, ("101", "a"), ("199", "b"), ("305", "c")), "toml": CLASSES},
        "train.csv, column 'price': expected 2 classes for task = \"binary\", found 9 (",
    ),
    "a class with fewer rows than folds": (
        {
            "train": re.sub(r"\d+$", "b", re.sub("101$", "a", TRAIN, flags=re.M), flags=re.M),
            "toml": CLASSES,
        },
        "class 'a' has 1 rows, too few for 3 stratified folds",
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_files_that_cannot_be_learned_from(kc_here: Kc, tiny: Tiny, what: str) -> None:
    given, expected = FILES[what]
    work = tiny(**given)
    said = train_refused(kc_here, work)
    assert expected in said
    assert not (work / "runs").exists()


def test_a_file_that_is_altered_after_the_fetch_is_refused(kc_here: Kc, tiny: Tiny) -> None:
    work = tiny()
    path = work / "data" / "tiny" / "raw" / "train.csv"
    path.chmod(0o644)
    path.write_text(TRAIN.replace("101", "102"))
    said = train_refused(kc_here, work)
    assert said == (f"{path}: its bytes are not those that were fetched; run kc fetch tiny again")
    path.unlink()
    assert train_refused(kc_here, work) == f"{path}: is missing; run kc fetch tiny again"


def test_unseen_categories_are_a_warning(kc_here: Kc, tiny: Tiny) -> None:
    work = tiny(test=rows(TEST, ("blue", "green")))
    done = kc_here(work, "train", "tiny", "--quiet", expect=0)
    assert done.err == ("warning  colour: levels of the test file that training lacks: 'green'\n")
    assert (only_run(work, "tiny") / "submission.csv").is_file()


def test_answers_are_joined_by_id_in_the_order_of_the_sample(kc_here: Kc, tiny: Tiny) -> None:
    work = tiny(sample="id,price\n12,0\n10,0\n11,0\n")
    kc_here(work, "train", "tiny", expect=0)
    ids, prices = zip(
        *(
            row.split(",")
            for row in (only_run(work, "tiny") / "submission.csv").read_text().split()[1:]
        ),
        strict=True,
    )
    assert ids == ("12", "10", "11")
    assert float(prices[0]) > float(prices[2]) > float(prices[1])  # of the sizes 35, 25 and 15


def test_a_competition_without_a_sample_says_so(kc_here: Kc, tiny: Tiny) -> None:
    said = refused(kc_here, tiny(fetch=False), "fetch", "tiny", "--sample")
    assert said.endswith("no sample.py, so there is no sample; give the files by --from")


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("nowhere", "found nothing there; check the path"),
        ("train.csv", "found a single file; give its folder or the zip"),
        ("broken.zip", "cannot be unpacked, broken or cut off"),
        ("empty", "train.csv"),
    ],
)
def test_a_failed_fetch_keeps_the_files_of_the_last_one(
    kc_here: Kc, tiny: Tiny, tmp_path: Path, place: str, expected: str
) -> None:
    work = tiny()
    write(tmp_path / "train.csv", TRAIN)
    write(tmp_path / "broken.zip", b"PK\x03\x04 and no more")
    (tmp_path / "empty").mkdir()
    said = refused(kc_here, work, "fetch", "tiny", "--from", tmp_path / place)
    assert expected in said


# --- competition.toml ---

TABLES: dict[str, tuple[str | bytes, str]] = {
    "not TOML": ("title = ", "not valid TOML: "),
    "not UTF-8": (
        TOML.replace("Tiny", "따릉이").encode("cp949"),
        "expected UTF-8 text, found byte",
    ),
    "an unknown key": (
        TOML.replace("default_model", "defualt_model"),
        "defualt_model: unknown key; did you mean 'default_model'?",
    ),
    "an unknown key in a table": (
        rows(TOML, ("n_splits", "splits")),
        "validation.splits: unknown key; did you mean 'n_splits'?",
    ),
    "a missing table": (TOML.split("[columns]")[0], "columns: missing; expected a table"),
    "a missing key": (rows(TOML, ('id = "id"\n', "")), "columns.id: missing; expected text"),
    "another type": (
        rows(TOML, ("n_splits = 3", 'n_splits = "3"')),
        "validation.n_splits: expected a whole number, found '3'",
    ),
    "an unknown choice": (rows(TOML, ('"rmse"', '"rsme"')), "found 'rsme'; did you mean 'rmse'?"),
    "a metric of another task": (
        rows(TOML, ('"rmse"', '"accuracy"')),
        "for task = \"regression\"; found 'accuracy'",
    ),
    "the id as the target": (
        rows(TOML, ('"price"', '"id"')),
        "columns.target: 'id' is also columns.id",
    ),
    "no target": (rows(TOML, ('"price"', "[]")), "columns.target: expected at least one column"),
    "a column listed twice": (
        rows(TOML, ('"price"', '["price", "price"]')),
        "columns.target: 'price' is listed twice",
    ),
    "a column in two roles": (
        rows(TOML, ('"price"\n', '"price"\nnumeric = ["size"]\ncategorical = ["size"]\n')),
        "columns.numeric: 'size' is also in columns.categorical",
    ),
    "a target to be dropped": (
        rows(TOML, ('"price"\n', '"price"\ndrop = ["price"]\n')),
        "columns.drop: 'price' is the target",
    ),
    "one fold": (rows(TOML, ("= 3", "= 1")), "validation.n_splits: expected 2 or more, found 1"),
    "groups without a column": (
        TOML + 'scheme = "group"\n',
        'validation.scheme = "group" needs columns.group',
    ),
    "strata of numbers": (
        TOML + 'scheme = "stratified"\n',
        'validation.scheme = "stratified" needs classes',
    ),
    "reversed bounds": (
        TOML + "[target]\nlower = 5\nupper = 1\n",
        "target.lower: expected less than target.upper",
    ),
    "a logarithm without a bound": (
        TOML + '[target]\ntransform = "log1p"\n',
        'target.transform = "log1p" needs target.lower',
    ),
    "Kaggle without a slug": (TOML + '[source]\nkind = "kaggle"\n', "source.slug: missing"),
    "Dacon without a number": (TOML + '[source]\nkind = "dacon"\n', "source.number: missing"),
    "a level that is not missing": (
        TOML + '[levels]\nred = ["colour"]\n',
        "is not read as missing anyway; remove it",
    ),
    "models that are no table": (
        'models = "dnn"\n' + TOML,
        "models: expected tables like [models.dnn]",
    ),
    "a model of unknown kind": (
        TOML + "[models.lightgmb]\n",
        "no model 'lightgmb'; did you mean 'lightgbm'?",
    ),
    "an unknown default model": (
        rows(TOML, ('"ridge"', '"rigde"')),
        "no model 'rigde'; did you mean 'ridge'?",
    ),
}


@pytest.mark.parametrize("what", TABLES)
def test_a_declaration_that_cannot_be_carried_out(kc_here: Kc, tiny: Tiny, what: str) -> None:
    text, expected = TABLES[what]
    work = tiny(toml=text)
    said = train_refused(kc_here, work)
    assert said.startswith(str(work / "competitions" / "tiny" / "competition.toml"))
    assert expected in said


COLUMNS: dict[str, tuple[str, str]] = {
    "an unknown column": (
        'categorical = ["color"]',
        "column 'color' ([columns] categorical) is neither in the file",
    ),
    "an unknown group": ('group = "house"', "column 'house' ([columns] group) is neither"),
    "text declared as numbers": (
        'numeric = ["colour"]',
        "train.csv, line 2, column 'colour': expected a number, as [columns] numeric",
    ),
    "text declared as dates": (
        'datetime = ["colour"]',
        "train.csv, line 2, column 'colour': expected a date such as ",
    ),
    "nothing left to learn from": ('drop = ["size", "colour"]', "no feature column is left"),
}


@pytest.mark.parametrize("what", COLUMNS)
def test_columns_that_are_unlike_their_declaration(kc_here: Kc, tiny: Tiny, what: str) -> None:
    line, expected = COLUMNS[what]
    work = tiny(toml=rows(TOML, ('target = "price"\n', f'target = "price"\n{line}\n')))
    assert expected in train_refused(kc_here, work)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            "[models.ridge]\nalhpa = 1.0\n",
            "models.ridge: unknown parameter 'alhpa'; did you mean 'alpha'?",
        ),
        ('[models.ridge]\nalpha = "much"\n', "alpha"),
        ("[models.ridge]\nalpha = -1.0\n", "alpha"),
        ("seed = -1\n", "seed"),
        ('[models.mine]\nkind = "nowhere:make"\n', "there is no module 'nowhere'"),
        ("[models.lightgbm]\nlearning_rate = -1.0\n", "learning_rate"),
        ("[models.lightgbm]\nn_estimators = 0\n", "n_estimators"),
        ("[models.random_forest]\nn_estimators = 0\n", "n_estimators"),
    ],
)
def test_parameters_that_a_model_does_not_take(
    kc_here: Kc, tiny: Tiny, table: str, expected: str
) -> None:
    found = re.search(r"models\.(\w+)", table)
    work = tiny(toml=TOML + table)
    said = train_refused(kc_here, work, "--model", found[1] if found else "ridge")
    assert expected in said


# --- features.py ---


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("def add_features(frame)\n    return frame\n", "features.py, line 1: SyntaxError: "),
        ("import nowhere\n", "features.py, line 1: ModuleNotFoundError: No module named 'nowhere'"),
        (
            "def add_features(frame):\n    return frame.assign(double=2 * frame['sise'])\n",
            "features.py, line 2: add_features raised KeyError: ",
        ),
        (
            "def add_features(frame):\n    return frame.assign(rank=frame['size'].rank())\n",
            "features.py: add_features: column 'rank' changes when other rows are left out",
        ),
        (
            "def add_features(frame):\n    return frame.assign(mean=frame['size'].mean())\n",
            "features.py: add_features: column 'mean' changes when other rows are left out",
        ),
        (
            "def add_features(frame):\n    return frame.head(2)\n",
            "add_features: expected the 9 rows",
        ),
        ("def add_features(frame):\n    pass\n", "expected a DataFrame, found NoneType"),
        ("def add_feature(frame):\n    return frame\n", "did you mean 'add_features'?"),
        ("raise SystemError('a\\nb')\n", "features.py, line 1: SystemError: a b"),
    ],
    ids=["syntax", "import", "raises", "rank", "mean", "rows", "nothing", "name", "lines"],
)
def test_features_that_cannot_be_carried_out(
    kc_here: Kc, tiny: Tiny, features: str, expected: str
) -> None:
    work = tiny(features=features)
    said = train_refused(kc_here, work)
    assert said.startswith(str(work / "competitions" / "tiny" / "features.py"))
    assert expected in said


# --- choices on the command line ---


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "tinny"], "no competition 'tinny': "),
        (["train", "../tiny"], "competition '../tiny': a name has only letters"),
        (["train", "tiny", "--model", "rigde"], "no model 'rigde'; did you mean 'ridge'?"),
        (["train", "tiny", "--scheme", "kfolds"], "--scheme: 'kfolds'; did you mean 'kfold'?"),
        (["train", "tiny", "--scheme", "group"], "needs columns.group, and there is none"),
        (["train", "tiny", "--folds", "10"], "9 training rows cannot make 10 folds"),
        (["train", "tiny", "--epochs", "5"], "--epochs: ridge is not trained in epochs"),
        (["train", "tiny", "--patience", "5"], "--patience: ridge is not trained in epochs"),
        (["train", "tiny", "--model", "logistic"], "models.logistic: cannot do task 'regression'"),
        (["clean", "tiny", "--model", "rigde"], "no model 'rigde'; did you mean 'ridge'?"),
        (["submit", "tiny", "--run", "x"], "no run of 'tiny' yet; run kc train tiny"),
        (["cache", "clear", "tinny"], "no competition 'tinny': "),
        (["fetch", "tiny", "--sample"], "which a sample does not replace; remove the folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_choices_that_cannot_be_followed(
    kc_here: Kc, tiny: Tiny, arguments: list[str], expected: str
) -> None:
    assert expected in refused(kc_here, tiny(), *arguments, *(["-q"] * (arguments[0] == "train")))


# --- disks ---


def limited(n_bytes: int) -> Callable[[], None]:
    """Return what makes every file end at a size, as a full disk does."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


def last_error(done: Done) -> str:
    """Return the one line of a refusal, behind warnings about the rows."""
    *warnings, last = done.err.splitlines()
    assert all(line.startswith("warning ") for line in warnings)
    assert last.startswith("error: ")
    return last.removeprefix("error: ")


def test_a_disk_that_is_full_while_a_fold_is_kept(kc: Kc, fetched: Path, tmp_path: Path) -> None:
    work = copy_of(fetched, tmp_path / "work")
    before = files_of(work)
    options = ("--model", "ridge", "--quiet")
    done = kc(work, "train", "ddarung", *options, expect=1, preexec_fn=limited(2_000))
    cache = work / "data" / "ddarung" / "cache"
    assert f"warning  {cache}: cannot be written: File too large; free some space" in done.err
    assert done.err.count("the run goes on, but its fits are not kept") == 1
    assert last_error(done).startswith(f"{work / 'runs' / 'ddarung-'}")  # which is full as well
    assert {n: one for n, one in files_of(work).items() if not n.startswith(".kc/")} == before


def test_a_disk_that_is_full_while_a_run_is_written(kc: Kc, trained: Path, tmp_path: Path) -> None:
    work = copy_of(trained, tmp_path / "work")
    before = files_of(work)
    options = ("--model", "ridge", "--quiet")
    done = kc(work, "train", "ddarung", *options, expect=1, preexec_fn=limited(5_000))
    said = last_error(done)
    assert said.startswith(f"{work / 'runs' / 'ddarung-'}")
    assert "cannot be written: File too large; free some space" in said
    assert files_of(work) == before
    kc(work, "train", "ddarung", *options)


def test_a_disk_that_is_full_while_files_are_fetched(kc: Kc, fetched: Path, tmp_path: Path) -> None:
    work = copy_of(fetched, tmp_path / "work")
    raw = copy_of(work / "data" / "house" / "raw", tmp_path / "downloaded")
    (raw / "train.csv").chmod(0o644)
    write(raw / "train.csv", (raw / "train.csv").read_bytes() + b"\n")
    before = files_of(work)
    for place in (["--from", raw], ["--sample"]):
        done = kc(work, "fetch", "house", *place, expect=1, preexec_fn=limited(50_000))
        assert "cannot be written: File too large; free some space" in done.error()
        assert files_of(work) == before
    empty = tmp_path / "empty"
    said = kc(empty, "fetch", "house", "--sample", expect=1, preexec_fn=limited(50_000)).error()
    assert "cannot be written: File too large; free some space" in said
    assert files_of(empty) == {}


def test_a_workspace_that_cannot_be_a_folder(kc_here: Kc, tmp_path: Path) -> None:
    write(tmp_path / "file", "")
    said = kc_here(tmp_path / "file" / "work", "fetch", "bike", "--sample").error()
    assert "cannot be written: Not a directory" in said
    assert said.endswith("choose another --workspace")


def read_only(folder: Path) -> list[str]:
    """Return the words before a command to which a folder is read-only.

    Root writes into folders of any mode, so for root it is mounted read-only where that is allowed.
    """
    if os.geteuid() != 0:
        folder.chmod(0o555)
        return []
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", mount, str(folder)]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*words, "true"], capture_output=True).returncode
    ):
        pytest.skip("root may not mount anything here")
    return words


@pytest.mark.parametrize("command", [["fetch", "tiny"], ["train", "tiny"], ["clean", "tiny"]])
def test_a_workspace_that_is_read_only(
    kc: Kc, tiny: Tiny, tmp_path: Path, command: list[str]
) -> None:
    work = tiny()
    changed = copy_of(tmp_path / "downloaded", tmp_path / "other")
    write(changed / "train.csv", TRAIN + "99,1,1,1\n")
    arguments = [*command, "--from", changed] if command[0] == "fetch" else command
    before = files_of(work)
    said = kc(work, *arguments, expect=1, before=read_only(work)).err.splitlines()
    assert [line for line in said if line.startswith("error: ")] == said[-1:]
    assert not [line for line in said if line.startswith("fold ")]  # refused before any work
    assert re.search("cannot be written: (Permission denied|Read-only file system)", said[-1])
    assert files_of(work) == before


def test_predictions_go_nowhere_if_they_cannot_be_written(
    kc_here: Kc, tiny: Tiny, tmp_path: Path
) -> None:
    work = tiny()
    kc_here(work, "train", "tiny", expect=0)
    target = tmp_path / "downloaded" / "test.csv" / "out.csv"
    test = tmp_path / "downloaded" / "test.csv"
    done = kc_here(work, "predict", "tiny", "--input", test, "--output", target, expect=1)
    assert f"error: {target}: cannot be written: " in done.err
    assert test.read_text() == TEST
