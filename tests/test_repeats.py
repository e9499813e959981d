"""Out-of-fold scores of several sets of folds: what is averaged, and what that is worth."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import TOML, Done
from test_stages import REGRESSION, make_workspace

from pipeline import TrainOptions, Workspace, blend, predict, train
from pipeline.decisions import NOTHING
from pipeline.metrics import METRICS
from pipeline.progress import Event, FoldEnded, listening
from pipeline.splits import Fold
from pipeline.stages.listing import list_run_rows
from pipeline.training import CVResult, DroppedRows, FoldResult, merge_repeats

RIDGE = TrainOptions(label="ridge")
THRICE = TrainOptions(label="ridge", repeats=3)


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Any, Any, list[Event]]:
    """A workspace with one ridge of five folds, and one of three times five."""
    workspace = make_workspace(tmp_path_factory.mktemp("repeated"), "price", REGRESSION)
    once = train(workspace, "toy", RIDGE)
    events: list[Event] = []
    with listening(events.append):
        thrice = train(workspace, "toy", THRICE)
    return workspace, once, thrice, events


def test_the_first_repeat_is_the_run_without_repeats_and_is_found_again(repeated: Any) -> None:
    _, once, thrice, events = repeated
    ended = [event for event in events if isinstance(event, FoldEnded)]
    assert [event.reused for event in ended] == [True] * 5 + [False] * 10
    assert thrice.record["repeats"][0] == once.record["score"]
    assert len(set(thrice.record["repeats"])) == 3
    first = [fold["score"] for fold in once.record["folds"]]
    assert [fold["score"] for fold in thrice.record["folds"][:5]] == first
    assert [fold["number"] for fold in thrice.record["folds"]] == list(range(15))


def test_the_score_is_the_mean_and_oof_csv_holds_the_mean_prediction(repeated: Any) -> None:
    _, once, thrice, _ = repeated
    record = thrice.record
    assert record["score"] == pytest.approx(np.mean(record["repeats"]))
    assert record["repeat_spread"] == pytest.approx(np.std(record["repeats"], ddof=1))
    one, all_ = (pd.read_csv(run.path / "oof.csv") for run in (once, thrice))
    assert one["fold"].equals(all_["fold"])
    assert list(all_.columns[-2:]) == ["fold_1", "fold_2"]
    assert sorted(all_["fold_2"].unique()) == [10, 11, 12, 13, 14]
    error = (all_["prediction_price"] - all_["target_price"]).pow(2).mean() ** 0.5
    assert error == pytest.approx(record["leaderboard"]["score"])
    assert error < record["score"]  # a mean of predictions errs less than they do on the mean


def test_the_fit_on_all_rows_predicts_the_test_rows(repeated: Any) -> None:
    workspace, _, thrice, _ = repeated
    assert thrice.record["predicting_folds"] == [15]  # behind three sets of five folds
    test = pd.read_csv(thrice.path / "test.csv")
    assert len(test.columns) == 2
    submitted = pd.read_csv(thrice.submission)["price"]
    np.testing.assert_allclose(submitted, test.drop(columns="id").mean(axis=1))
    new = workspace.root / "download" / "test.csv"
    np.testing.assert_allclose(predict(workspace, "toy", new, thrice.id)["price"], submitted)


def test_runs_with_and_without_repeats_can_be_blended(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    train(workspace, "toy", THRICE)
    train(workspace, "toy", TrainOptions(label="random_forest"))
    run = blend(workspace, "toy")
    assert {one["label"] for one in run.record["members"]} == {"ridge", "random_forest"}
    assert [row["folds"] for row in list_run_rows(workspace, "toy")] == [
        "3 x 5 kfold", "5 kfold", "5 kfold",
    ]  # fmt: skip


def test_labels_are_decided_on_the_mean_of_the_repeats(tmp_path: Path) -> None:
    head = 'task = "binary"\nmetric = "accuracy"'
    workspace = make_workspace(tmp_path, "class", head)
    run = train(workspace, "toy", TrainOptions(label="logistic", repeats=2))
    assert run.record["score"] == pytest.approx(np.mean(run.record["repeats"]))
    assert set(pd.read_csv(run.submission)["class"]) == {"cheap", "dear"}


def test_repeats_for_which_there_is_no_time_are_left_out_and_told(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    late = TrainOptions(label="ridge", repeats=3, seconds=1e-6)
    run = train(workspace, "toy", late)
    assert any(
        text == "time ran out: 2 of 3 repeats are not made; the score is of the others"
        for text in run.record["warnings"]
    )
    assert run.record["repeats"] == []


@pytest.mark.parametrize("scheme", ["time", "like_test"])
def test_folds_in_an_order_are_not_repeated(
    tiny: Callable[..., Path], kc_here: Callable[..., Done], scheme: str
) -> None:
    toml = TOML.replace("n_splits = 3", f'n_splits = 2\nrepeats = 2\nscheme = "{scheme}"')
    toml = toml.replace('id = "id"', 'id = "id"\ntime = "size"')
    work = tiny(toml=toml)
    assert (
        kc_here(work, "train", "tiny")
        .error()
        .endswith(
            f'validation.repeats: folds by scheme = "{scheme}" are the same whatever the seed; '
            "expected 1, found 2"
        )
    )


def test_repeats_are_declared_or_given(
    tiny: Callable[..., Path], kc_here: Callable[..., Done]
) -> None:
    work = tiny(toml=TOML.replace("n_splits = 3", "n_splits = 3\nrepeats = 2"))
    kc_here(work, "train", "tiny", expect=0)
    kc_here(work, "train", "tiny", "--repeats", "4", expect=0)
    rows = json.loads(kc_here(work, "runs", "tiny", "--json", expect=0).out)
    assert [row["folds"] for row in rows] == ["2 x 3 kfold", "4 x 3 kfold"]
    work = tiny(toml=TOML.replace("n_splits = 3", "n_splits = 3\nrepeats = 0"))
    assert (
        "validation.repeats: expected 1 or more, found 0" in kc_here(work, "train", "tiny").error()
    )


def result_of(y: np.ndarray, oof: np.ndarray, fold: np.ndarray) -> CVResult:
    metric = METRICS["rmse"]
    folds = tuple(
        FoldResult(
            fold=Fold(int(k), np.flatnonzero(fold != k), np.flatnonzero(fold == k)),
            estimator=None,
            prediction=oof[fold == k],
            score=metric(y[fold == k], oof[fold == k]),
            seconds=0.0,
            dropped=DroppedRows(0, 0),
        )
        for k in np.unique(fold)
    )
    return CVResult(folds, oof, oof, metric(y, oof), decision=NOTHING)


def test_the_error_of_repeats_is_that_of_scores_whose_rows_are_the_same() -> None:
    """Of many samples, each predicted in three sets of folds: their scores' deviation is told."""
    scores, honest, naive = [], [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        y, results = rng.normal(size=100), []
        for repeat in range(3):
            fold = rng.permutation(100) % 5 + 5 * repeat
            oof = np.empty((100, 1))
            for k in np.unique(fold):
                oof[fold == k] = y[fold != k].mean() + 0.5 * rng.normal(size=(20, 1))
            results.append(result_of(y, oof, fold))
        train_rows: Any = type("Rows", (), {"y": y})
        merged = merge_repeats(results, train_rows, METRICS["rmse"])
        scores.append(merged.score)
        honest.append(merged.standard_error)
        naive.append(merged.fold_scores.std(ddof=1) / np.sqrt(15))
    assert np.sqrt(np.mean(np.square(honest))) == pytest.approx(np.std(scores), rel=0.25)
    assert np.mean(naive) < 0.75 * np.std(scores)
