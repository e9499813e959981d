"""competition.toml: what it declares, and every mistake with the line that mends it."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.competition import (
    Columns,
    Competition,
    Files,
    ModelChoice,
    Source,
    Target,
    Validation,
    load_competition,
)
from pipeline.declaration import parse_table
from pipeline.errors import DeclarationError, UsageError

BUILT_IN = sorted((Path(__file__).parents[1] / "competitions").glob("*/competition.toml"))

HEAD = """
title = "T"
task = "regression"
metric = "rmse"
"""
FILES = """
[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"
"""
COLUMNS = """
[columns]
id = "id"
target = "y"
"""
WHOLE = HEAD + FILES + COLUMNS
CLASSES = WHOLE.replace("regression", "binary").replace("rmse", "accuracy")


def load(folder: Path, text: str) -> Competition:
    path = folder / "toy" / "competition.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_competition(path)


def test_a_small_declaration_gets_all_defaults(tmp_path: Path) -> None:
    competition = load(tmp_path, WHOLE)
    assert competition.name == "toy"
    assert competition.columns == Columns(id="id", target=("y",))
    assert competition.validation == Validation(scheme="auto", n_splits=5, seed=42)
    assert competition.source == Source(kind="files")
    assert competition.source.page is None
    assert competition.model() == ModelChoice(label="dnn", kind="dnn")


def test_a_full_declaration_is_read(tmp_path: Path) -> None:
    text = WHOLE.replace("rmse", "rmsle") + (
        'group = "g"\ndrop = ["a", "b"]\n'
        '[source]\nkind = "dacon"\nnumber = 235576\n'
        '[levels]\nNA = ["c"]\n"#N/A" = "d"\n'
        '[target]\ntransform = "log1p"\nlower = 0\n'
        '[cleaning]\nmissing = "drop"\ncolumns = {age = "median"}\n'
        '[preprocessing]\nscaler = "robust"\nindicator = false\n'
        '[validation]\nscheme = "group"\nn_splits = 3\n'
        "[models.ridge]\nalpha = 2.0\n"
        '[models.small]\nkind = "dnn"\nunits = [8]\n'
    )
    competition = load(tmp_path, text)
    assert competition.source.page == "https://dacon.io/competitions/official/235576"
    assert competition.levels == {"NA": ("c",), "#N/A": ("d",)}
    assert competition.target == Target(transform="log1p", lower=0.0)
    assert competition.cleaning.columns == {"age": "median"}
    assert competition.columns.not_features == {"id", "y", "a", "b", "g"}
    assert competition.model("small") == ModelChoice(
        label="small", kind="dnn", parameters={"units": [8]}
    )
    assert competition.model("ridge").parameters == {"alpha": 2.0}
    assert competition.model("lightgbm") == ModelChoice(label="lightgbm", kind="lightgbm")


def test_a_service_s_page_and_its_limit_have_usual_values() -> None:
    dacon, kaggle = Source(kind="dacon", number=1), Source(kind="kaggle", slug="titanic")
    assert (dacon.submissions_a_day, kaggle.submissions_a_day) == (3, None)
    assert Source(kind="dacon", number=1, daily_limit=5).submissions_a_day == 5
    url = "https://dacon.io/competitions/open/235576"
    assert Source(kind="dacon", number=235576, url=url).page == url


@pytest.mark.parametrize("path", BUILT_IN, ids=lambda path: path.parent.name)
def test_a_built_in_competition_is_sound(path: Path) -> None:
    competition = load_competition(path)
    assert competition.name == path.parent.name
    assert competition.source.page is None or competition.source.page.startswith("https://")


METRICS = "'rmse', 'rmsle', 'mae', 'mape', 'r2'"
MISTAKES = [
    ("", "title: missing; expected text"),
    (HEAD, "files: missing; expected a table"),
    (HEAD + FILES, "columns: missing; expected a table"),
    (HEAD + FILES + '[columns]\nid = "id"\n', "columns.target: missing; expected a list of text"),
    ("titel = 1\n" + WHOLE, "titel: unknown key; did you mean 'title'?"),
    ('name = "x"\n' + WHOLE, "name: unknown key; "),
    (WHOLE + 'ids = "x"\n', "columns.ids: unknown key; did you mean 'id'?"),
    (WHOLE + "[target]\nlower = '0'\n", "target.lower: expected a number, found '0'"),
    (WHOLE + "[target]\nlower = inf\n", "target.lower: expected a number, found inf"),
    (
        WHOLE + '[validation]\nn_splits = "5"\n',
        "validation.n_splits: expected a whole number, found '5'",
    ),
    (
        WHOLE + "[validation]\nn_split = 5\n",
        "validation.n_split: unknown key; did you mean 'n_splits'?",
    ),
    (
        WHOLE.replace("regression", "regresion"),
        "task: expected one of 'regression', 'binary', 'multiclass'; found 'regresion'; "
        "did you mean 'regression'?",
    ),
    (
        WHOLE.replace('"rmse"', '"accuracy"'),
        f"metric: expected one of {METRICS} for task = \"regression\"; found 'accuracy'",
    ),
    (
        CLASSES.replace("accuracy", "rmse"),
        "metric: expected one of 'accuracy', 'f1_macro', 'log_loss', 'roc_auc' for task = "
        "\"binary\"; found 'rmse'",
    ),
    (
        WHOLE.replace("rmse", "rmsle"),
        'metric = "rmsle" needs target.lower = 0 or more; it cannot score negative numbers',
    ),
    (
        WHOLE.replace("rmse", "rmsle") + "[target]\nlower = -1\n",
        'metric = "rmsle" needs target.lower = 0 or more; it cannot score negative numbers',
    ),
    (WHOLE + "numeric = [1]\n", "columns.numeric[0]: expected text, found 1"),
    (WHOLE + "numeric = [['a']]\n", "columns.numeric[0]: expected text, found ['a']"),
    (WHOLE + 'numeric = ["a", "a"]\n', "columns.numeric: 'a' is listed twice"),
    (
        WHOLE.replace('"y"', "[]"),
        "columns.target: expected at least one column, found an empty list",
    ),
    (
        CLASSES.replace('"y"', '["y", "z"]'),
        'columns.target: several targets need task = "regression"; found "binary"',
    ),
    (WHOLE.replace('"y"', '"id"'), "columns.target: 'id' is also columns.id"),
    (
        WHOLE + '[target]\npositive = "yes"\n',
        'target.positive: only task = "binary" has a positive class; found "regression"',
    ),
    (
        WHOLE + '[target]\nanswer = "label"\n',
        'target.answer: with task = "regression" the answer is a number; remove it',
    ),
    (
        WHOLE + '[target]\nanswer = "chance"\n',
        "target.answer: expected one of 'label', 'probability'; found 'chance'",
    ),
    (WHOLE + 'drop = ["y"]\n', "columns.drop: 'y' is the target"),
    (WHOLE + 'datetime = ["y"]\n', "columns.datetime: 'y' is the target"),
    (WHOLE + 'group = "y"\n', "columns.group: 'y' is the target"),
    (
        WHOLE + 'drop = ["id"]\n',
        "columns.drop: 'id' is columns.id, which is never a feature; remove it",
    ),
    (
        WHOLE + 'categorical = ["a"]\nnumeric = ["a"]\n',
        "columns.numeric: 'a' is also in columns.categorical",
    ),
    (
        WHOLE + 'categorical = ["a"]\ndatetime = ["a"]\n',
        "columns.datetime: 'a' is also in columns.categorical",
    ),
    (
        WHOLE + 'datetime = ["a"]\nnumeric = ["a"]\n',
        "columns.datetime: 'a' is also in columns.numeric",
    ),
    (
        WHOLE + '[validation]\nscheme = "group"\n',
        'validation.scheme = "group" needs columns.group, and there is none',
    ),
    (
        WHOLE + '[validation]\nscheme = "time"\n',
        'validation.scheme = "time" needs columns.time, and there is none',
    ),
    (
        WHOLE + '[validation]\nscheme = "stratified"\n',
        'validation.scheme = "stratified" needs classes; with task = "regression" use "kfold"',
    ),
    (WHOLE + "[validation]\nn_splits = 1\n", "validation.n_splits: expected 2 or more, found 1"),
    (
        WHOLE + "[validation]\nseed = -1\n",
        "validation.seed: expected 0 to 2147483647, found -1",
    ),
    (
        WHOLE + '[source]\nkind = "kaggle"\n',
        'source.slug: missing; with kind = "kaggle" expected the last part of its address',
    ),
    (
        WHOLE + '[source]\nkind = "kaggle"\nslug = "https://www.kaggle.com/datasets/x"\n',
        "source.slug: expected a competition's address or its last part, like 'titanic'; "
        "found 'https://www.kaggle.com/datasets/x'",
    ),
    (
        WHOLE + '[source]\nkind = "kaggle"\nslug = "titanic"\nteam = "us"\n',
        'source.team: only kind = "dacon" submits by a team name; found "kaggle"',
    ),
    (
        WHOLE + '[source]\nkind = "dacon"\nnumber = 1\nteam = " "\n',
        "source.team: expected the team's name, found an empty one",
    ),
    (
        WHOLE + "[source]\ndaily_limit = 0\n",
        "source.daily_limit: expected 1 or more, found 0",
    ),
    (
        WHOLE + '[source]\nurl = "dacon.io/1"\n',
        "source.url: expected the competition's address, like 'https://dacon.io/competitions/open/"
        "235576', found 'dacon.io/1'",
    ),
    (
        WHOLE + '[source]\nkind = "dacon"\n',
        'source.number: missing; with kind = "dacon" expected the number in its address',
    ),
    (
        WHOLE.replace("test.csv", "train.csv"),
        "files.test: 'train.csv' is also files.train",
    ),
    (WHOLE.replace("sample.csv", " "), "files.sample_submission: expected the name of a file"),
    ("models = 3\n" + WHOLE, "models: expected tables like [models.dnn]"),
    (WHOLE + "[models]\ndnn = 3\n", "models.'dnn': expected a table, found 3"),
    (WHOLE + "[models.dnn]\nkind = 3\n", "models.'dnn'.kind: expected text, found 3"),
    (
        WHOLE + '[models.dnn]\ntransform = "log"\n',
        "models.dnn.transform: expected one of 'none', 'log1p', 'sqrt'; found 'log'; did you mean "
        "'log1p'?",
    ),
    (
        WHOLE + '[models.dnn]\ntransform = "sqrt"\n',
        'models.dnn.transform = "sqrt" needs target.lower = 0 or more',
    ),
    (
        CLASSES + '[models.dnn]\ntransform = "sqrt"\n',
        'models.dnn.transform: needs task = "regression"; found "binary"',
    ),
    (WHOLE + "[cleaning]\noutliers = 3\n", "cleaning.outliers: expected text, found 3"),
    (WHOLE + '[levels]\nno = ["a"]\n', "levels.'no': is not read as missing anyway; remove it"),
    (WHOLE + "[levels]\nNA = 1\n", "levels.NA: expected a list of text, found 1"),
    (
        WHOLE + "[target]\nlower = 2\nupper = 1\n",
        "target.lower: expected less than target.upper = 1, found 2",
    ),
    (
        WHOLE + '[target]\ntransform = "log1p"\n',
        'target.transform = "log1p" needs target.lower = 0 or more',
    ),
    (
        WHOLE + '[target]\ntransform = "sqrt"\nlower = -3\n',
        'target.transform = "sqrt" needs target.lower = 0 or more',
    ),
    (
        CLASSES + "[target]\nlower = 0\n",
        'target: only task = "regression" transforms or bounds its target; found "binary"',
    ),
    (
        WHOLE + '[cleaning]\ncolumns = {a = "median!"}\n',
        "cleaning.columns.a: expected one of 'median', 'mean', 'most_frequent', 'zero', "
        "'missing', 'drop'; found 'median!'; did you mean 'median'?",
    ),
    (WHOLE + "[cleaning]\ncolumns = 1\n", "cleaning.columns: expected a table, found 1"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_told_in_one_line_that_begins_with_the_file(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DeclarationError) as caught:
        load(tmp_path, text)
    found = str(caught.value)
    assert found.startswith(f"{tmp_path / 'toy' / 'competition.toml'}: {message}")
    assert len(found.splitlines()) == 1


def test_a_declared_spelling_of_missing_may_be_a_level(tmp_path: Path) -> None:
    text = WHOLE.replace("[columns]", 'na_values = ["?"]\n[columns]') + '[levels]\n"?" = ["a"]\n'
    assert load(tmp_path, text).levels == {"?": ("a",)}


def test_other_folds_that_cannot_be_made_are_a_wrong_usage() -> None:
    competition = toy()
    assert competition.with_validation(n_splits=3, scheme=None).validation.n_splits == 3
    message = "competition 'toy': validation.n_splits: expected 2 or more, found 1"
    with pytest.raises(UsageError, match=f"^{message}$"):
        competition.with_validation(n_splits=1)
    with pytest.raises(UsageError, match=r"needs columns.group"):
        competition.with_validation(scheme="group")


def test_a_transform_that_is_left_out_follows_the_metric() -> None:
    at_least_0 = Target(lower=0)
    assert toy(target=at_least_0).target.transform == "none"
    assert toy(target=at_least_0, metric="rmsle").target.transform == "log1p"
    declared = Target(transform="none", lower=0)
    assert toy(target=declared, metric="rmsle").target.transform == "none"


def test_a_model_may_have_a_transform_of_its_own(tmp_path: Path) -> None:
    text = (
        WHOLE
        + '[target]\nlower = 0\n[models.rooted]\nkind = "ridge"\ntransform = "sqrt"\nalpha = 2\n'
    )
    found = load(tmp_path, text)
    rooted = found.model("rooted")
    assert (rooted.transform, rooted.parameters) == ("sqrt", {"alpha": 2})
    assert found.seen_by(rooted).target == Target(transform="sqrt", lower=0)
    assert found.seen_by(found.model("ridge")) is found
    plain = found.with_model(dataclasses.replace(rooted, transform="none"))
    assert plain.fingerprint("rooted") != found.fingerprint("rooted")


def toy(**changes: Any) -> Competition:
    facts: dict[str, Any] = {
        "name": "toy",
        "title": "T",
        "task": "regression",
        "metric": "rmse",
        "files": Files(train="train.csv", test="test.csv", sample_submission="sample.csv"),
        "columns": Columns(id="id", target=("y",)),
    }
    return Competition(**facts | changes)


def test_with_model_changes_one_label_of_a_copy() -> None:
    before = toy()
    after = before.with_model(ModelChoice(label="dnn", kind="dnn", parameters={"epochs": 3}))
    assert before.model().parameters == {}
    assert after.model().parameters == {"epochs": 3}


CHANGES: list[dict[str, Any]] = [
    {"metric": "mae"},
    {"columns": Columns(id="id", target=("y",), drop=("a",))},
    {"levels": {"NA": ("a",)}},
    {"target": Target(lower=0.0)},
    {"validation": Validation(seed=7)},
    {"models": {"dnn": ModelChoice(label="dnn", kind="dnn", parameters={"epochs": 2})}},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_the_fingerprint_changes_with_what_can_change_the_result(change: dict[str, Any]) -> None:
    assert toy(**change).fingerprint("dnn") != toy().fingerprint("dnn")


def test_the_fingerprint_ignores_titles_and_the_other_models() -> None:
    other = toy(
        title="Other",
        source=Source(kind="kaggle", slug="other"),
        default_model="ridge",
        models={"ridge": ModelChoice(label="ridge", kind="ridge", parameters={"alpha": 3})},
    )
    assert other.fingerprint("dnn") == toy().fingerprint("dnn")
    assert other.fingerprint("ridge") != other.fingerprint("dnn")


KEYS = ["id", "target", "categorical", "group", "time", "scheme", "n_splits", "lower", "transform"]
odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(),
    st.sampled_from(["y", "id", "a", "kaggle", "group", "log1p", "", "NA"]),
    st.lists(st.sampled_from(["y", "id", "a", 1]), max_size=3),
    st.dictionaries(st.sampled_from(KEYS), st.integers(0, 2) | st.text(max_size=2), max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(
    table=st.sampled_from(
        ["columns", "files", "source", "levels", "target", "cleaning", "validation", "models", ""]
    ),
    changes=st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), odd_values, max_size=4),
)
def test_any_mutated_declaration_loads_or_is_refused_in_one_line(
    table: str, changes: dict[str, Any]
) -> None:
    facts = tomllib.loads(WHOLE)
    target = facts.setdefault(table, {}) if table else facts
    target.update(changes)
    models = facts.pop("models", {})
    assert isinstance(models, dict)
    found = "loaded"
    try:
        parse_table(Competition, facts, "competition.toml", name="toy", models={})
    except DeclarationError as error:
        found = str(error)
    assert len(found.splitlines()) == 1
