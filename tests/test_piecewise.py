"""Training on Parquet a piece at a time: as in memory, leak-free, bounded, refused in one line."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import is_mine, only_run, write

from pipeline import Workspace
from pipeline.features import Features
from pipeline.partitions.crew import Alone
from pipeline.partitions.learning import Lessons
from pipeline.partitions.passes import survey
from pipeline.partitions.statistics import merge
from pipeline.stages.opening import chosen_model, open_competition
from pipeline.stages.piecewise import open_pieces
from pipeline.training import final_model, make_estimator

TOML = """\
title = "Large"
task = "{task}"
metric = "{metric}"

[files]
train = "train/"
test = "test/"

[columns]
id = "id"
target = "y"

[validation]
n_splits = 3

[models.lightgbm]
n_estimators = 60
learning_rate = 0.1
patience = 10
min_child_samples = 5
{more}
"""
METRIC = {"regression": "rmse", "binary": "roc_auc", "multiclass": "log_loss"}


def rows(n, first=0, task="regression", seed=0):
    rng = np.random.default_rng([seed, first])
    frame = pd.DataFrame({"id": np.arange(first, first + n), "a": rng.normal(size=n)})
    frame["b"] = pd.Series(rng.normal(size=n)).mask(rng.random(n) < 0.1)
    frame["k"] = pd.Series(rng.choice(list("pqrs"), n)).mask(rng.random(n) < 0.1).astype("str")
    y = 2 * frame["a"] + np.sin(3 * frame["b"].fillna(0)) + (frame["k"] == "p")
    y = y + rng.normal(size=n) * 0.2
    cuts = {"regression": y, "binary": np.where(y > 0, "yes", "no")}
    return frame.assign(y=cuts.get(task, np.digitize(y, [-1, 1])))


@pytest.fixture
def large(tmp_path, kc_here):
    """Make a workspace whose competition "large" has its files in three partitions each."""

    def make(task="regression", *, parts=None, more="", toml="", features=None, n=300):
        given, workspace = tmp_path / "given", tmp_path / "work"
        parts = parts or [rows(n, first, task) for first in (0, n, 2 * n)]
        for name in ("train", "test"):
            (given / name).mkdir(parents=True, exist_ok=True)
        for number, part in enumerate(parts):
            part.to_parquet(given / "train" / f"part-{number}.parquet", index=False)
            asked = rows(40, 5000 + 40 * number, task).drop(columns="y")
            asked.to_parquet(given / "test" / f"part-{number}.parquet", index=False)
        declared = TOML.format(task=task, metric=METRIC[task], more=more) + toml
        write(workspace / "competitions" / "large" / "competition.toml", declared)
        if features is not None:
            write(workspace / "competitions" / "large" / "features.py", features)
            is_mine(workspace, "large")
        kc_here(workspace, "fetch", "large", "--from", given, expect=0)
        return workspace

    return make


def lessons_of(workspace, label="lightgbm"):
    opened = open_competition(Workspace(workspace), "large")
    choice = chosen_model(opened.competition, label)
    pieces = open_pieces(opened, choice)
    found = merge(survey(piece, pieces.reader, ()) for piece in pieces.train.pieces)
    labels = None if found.labels is None else found.labels.counts.index.to_numpy(object)
    if labels is not None and not isinstance(labels[0], str):
        labels = labels.astype(int)
    of = opened.competition, choice, 42, pieces.reader, pieces.train.pieces, found, labels, Alone()
    return Lessons(*of)


def blocks_of(lessons):
    return [block for piece in lessons.pieces for block in lessons.reader.blocks(piece)]


@pytest.mark.parametrize("label", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_a_fold_learns_what_it_learns_in_memory(large, task, label):
    xgboost = "[models.xgboost]\nn_estimators = 60\nlearning_rate = 0.1\npatience = 10\n"
    workspace = large(
        task, toml=xgboost + '[preprocessing]\nimputer = "median"\nscaler = "robust"\n'
    )
    lessons = lessons_of(workspace, label)
    found = lessons.learn(0)
    blocks = blocks_of(lessons)
    X = pd.concat([block.X for block in blocks], ignore_index=True)
    y = np.concatenate([block.y for block in blocks])
    fold = np.concatenate([block.dealt.fold for block in blocks])
    is_held = np.concatenate([block.dealt.is_held for block in blocks])
    seen = np.flatnonzero(fold != 0)
    estimator = make_estimator(lessons.competition, lessons.choice, Features(), 42)
    estimator.fit(X.iloc[seen], y[seen], model__holdout=np.flatnonzero(is_held[seen]))
    assert final_model(found).rounds_ == final_model(estimator).rounds_
    ask = "predict" if task == "regression" else "predict_proba"
    both = (np.asarray(getattr(one, ask)(X)) for one in (estimator, found))
    np.testing.assert_allclose(
        *both, rtol=2e-3 if label == "xgboost" else 1e-9, atol=1e-3 if label == "xgboost" else 1e-12
    )


def test_validation_rows_teach_nothing(large, tmp_path):
    parts = [rows(300, first) for first in (0, 300, 600)]
    lessons = lessons_of(large(parts=parts))
    clean = lessons.learn(0)
    for block, part in zip(blocks_of(lessons), parts, strict=True):
        mine = block.dealt.fold == 0
        part.loc[mine, "a"] = 1e6
        part.loc[mine, "k"] = "poison"
        part.loc[mine, "y"] = -1e6
    poisoned = lessons_of(large(parts=parts)).learn(0)
    models = [final_model(one).models_[0].content for one in (clean, poisoned)]
    assert models[0] == models[1]
    other = lessons_of(large(parts=parts)).learn(1)
    assert final_model(other).models_[0].content != models[0]


def test_partitions_become_a_run_that_every_command_knows(large, kc_here):
    workspace = large("binary")
    done = kc_here(workspace, "train", "large", "--model", "lightgbm", expect=0)
    assert "train 900 x 5 in 3 files, 3 pieces, test 120 x 4" in done.err
    assert "3 folds by a hash of ids" in done.err
    run = only_run(workspace, "large")
    record = json.loads((run / "run.json").read_text())
    assert record["score"] > 0.9
    assert sum(fold["valid_rows"] for fold in record["folds"]) == 900
    oof = pd.read_csv(run / "oof.csv")
    assert len(oof) == 900
    answers = pd.read_csv(run / "submission.csv")
    assert answers["id"].tolist() == list(range(5000, 5120))
    assert answers["y"].between(0, 1).all()
    assert (run / "report.html").is_file()
    assert "3 hash" in kc_here(workspace, "runs", "large", expect=0).out
    kc_here(workspace, "submit", "large", "--by-hand", "--yes", expect=0)
    test = workspace / "data" / "large" / "raw" / "test"
    told = kc_here(workspace, "predict", "large", "--input", test, expect=0)
    assert len(told.out.splitlines()) == 121
    again = kc_here(workspace, "train", "large", "--model", "lightgbm", expect=0)
    assert "kept" in again.err or "reused" in again.err or "again" in again.err
    second = max((workspace / "runs").glob("large-*"))
    assert (second / "submission.csv").read_bytes() == (run / "submission.csv").read_bytes()


def test_features_cleaning_groups_and_dates_are_those_of_the_declaration(large, kc_here):
    parts = [
        rows(300, first).assign(
            day=pd.Timestamp("2011-01-01"), group=np.arange(300) // 10 + first, secret=[[1]] * 300
        )
        for first in (0, 300)
    ]
    toml = (
        '[cleaning]\noutliers = "y > 4"\nmissing = "drop"\n[cleaning.columns]\nk = "missing"\n'
        '[preprocessing]\nencoder = "onehot"\nscaler = "standard"\n'
    )
    features = "def add_features(frame):\n    return frame.assign(twice=frame['a'] * 2)\n"
    workspace = large(parts=parts, toml=toml, features=features)
    path = workspace / "competitions" / "large" / "competition.toml"
    declared = path.read_text().replace(
        'target = "y"', 'target = "y"\ngroup = "group"\ndrop = ["secret", "day", "group"]'
    )
    path.write_text(declared.replace("n_splits = 3", 'n_splits = 3\nscheme = "group"'))
    kc_here(workspace, "train", "large", expect=0)
    run = only_run(workspace, "large")
    record = json.loads((run / "run.json").read_text())
    assert record["features"] == ["a", "b", "k", "twice"]
    assert record["folds"][0]["dropped_missing"] > 0
    assert record["folds"][0]["dropped_outliers"] > 0
    oof = pd.read_csv(run / "oof.csv")
    assert oof.groupby(oof["id"] // 10)["fold"].nunique().max() == 1


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            '[cleaning]\nduplicates = "drop"\n',
            'cleaning.duplicates = "drop" needs all rows at once',
        ),
        ('[preprocessing]\nfeatures = ["counts"]\n', "features of models needs all rows at once"),
    ],
)
def test_what_needs_all_rows_at_once_is_refused(large, kc_here, toml, message):
    assert (
        message
        in kc_here(large(toml=toml), "train", "large", "--quiet", "--model", "lightgbm").error()
    )


def test_models_that_hold_all_rows_are_refused_and_other_commands_say_what_to_do(large, kc_here):
    workspace = large()
    message = kc_here(workspace, "train", "large", "--quiet", "--model", "ridge").error()
    assert "models.ridge: holds all rows in memory" in message
    assert "declare [files] pieces = false" in kc_here(workspace, "inspect", "large").error()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda part: part.drop(columns="y"), "has no column 'y', which part-0.parquet has"),
        (lambda part: part.assign(a=np.inf), "row 1, column 'a': expected a finite number"),
        (lambda part: part.assign(y=np.nan), "column 'y': missing in 300 rows, first in row 1 of"),
        (lambda part: part.assign(a="x"), "column 'a' is text, and a number in partitions before"),
    ],
)
def test_a_partition_that_cannot_be_learned_from_is_one_line(large, kc_here, change, message):
    parts = [rows(300), change(rows(300, 300))]
    error = kc_here(large(parts=parts), "train", "large", "--quiet").error()
    assert "part-1.parquet" in error
    assert message in error


def test_targets_and_columns_without_any_difference_are_one_line(large, kc_here):
    same = [rows(300, first).assign(y=1.0) for first in (0, 300)]
    assert (
        "every training row has y = 1.0"
        in kc_here(large(parts=same), "train", "large", "--quiet").error()
    )
    empty = [rows(300, first).assign(b=np.nan) for first in (0, 300)]
    error = kc_here(large(parts=empty), "train", "large", "--quiet").error()
    assert "columns are empty in all 600 rows: 'b'" in error


def test_a_sample_in_another_order_is_refused_and_one_in_order_is_filled(large, kc_here, tmp_path):
    workspace = large()
    path = workspace / "competitions" / "large" / "competition.toml"
    declared = path.read_text()
    path.write_text(declared.replace('"test/"', '"test/"\nsample_submission = "sample.csv"'))
    ids = list(range(5000, 5120))
    for order, is_fine in ((ids, True), (ids[::-1], False), (ids[:-1], False)):
        sample = pd.DataFrame({"y": 0, "id": order}).to_csv(index=False, lineterminator="\r\n")
        write(tmp_path / "given" / "sample.csv", sample)
        kc_here(workspace, "fetch", "large", "--from", tmp_path / "given", expect=0)
        if is_fine:
            kc_here(workspace, "train", "large", expect=0)
            written = (only_run(workspace, "large") / "submission.csv").read_bytes()
            assert written.startswith(b"y,id\r\n")
            assert written.count(b"\r\n") == 121
        else:
            error = kc_here(workspace, "train", "large", "--quiet").error()
            assert "expected the test's rows in their order; row" in error
    only_run(workspace, "large")


def test_an_id_that_stands_in_two_partitions_of_the_test_is_named(large, kc_here, tmp_path):
    workspace = large()
    twice = rows(40, 5000).drop(columns="y")
    twice.to_parquet(tmp_path / "given" / "test" / "part-2.parquet", index=False)
    kc_here(workspace, "fetch", "large", "--from", tmp_path / "given", expect=0)
    error = kc_here(workspace, "train", "large", "--quiet").error()
    assert "id '5000' stands in two rows" in error
