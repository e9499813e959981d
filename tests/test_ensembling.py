"""Blends of finished runs, through the Python API and the command."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Done
from test_stages import REGRESSION, make_workspace, replace_test_file

from pipeline import Run, TrainOptions, Workspace, blend, fetch, predict, train
from pipeline.errors import DataError, UsageError
from pipeline.metrics import METRICS
from pipeline.progress import Event, Note, listening
from pipeline.stages.listing import list_competitions, list_run_rows
from pipeline.stages.submitting import check_ready, ready_lines

FOREST = TrainOptions(label="random_forest")
RIDGE = TrainOptions(label="ridge")
BOOSTED = TrainOptions(label="lightgbm", epochs=60)
BINARY = 'task = "binary"\nmetric = "{}"'


def trained(workspace: Workspace, *options: TrainOptions) -> list[Run]:
    return [train(workspace, "toy", one) for one in options]


@pytest.fixture(scope="module")
def blended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Run, list[Run]]:
    """A workspace with three finished models and their blend; only to be read."""
    workspace = make_workspace(tmp_path_factory.mktemp("blended"), "price", REGRESSION)
    members = trained(workspace, FOREST, RIDGE, BOOSTED)
    return workspace, blend(workspace, "toy"), members


def test_a_blend_is_a_run_like_any_other(blended: tuple[Workspace, Run, list[Run]]) -> None:
    workspace, run, members = blended
    assert {path.name for path in run.path.iterdir()} == {
        "competition.toml", "run.json", "oof.csv", "test.csv", "submission.csv", "train.log",
        "findings.json", "report.html", "signature.json",
    }  # fmt: skip
    record = run.record
    assert record["model"]["label"] == record["model"]["kind"] == "ensemble"
    assert {one["run"] for one in record["members"]} == {run.id for run in members}
    weights = np.array([one["weights"] for one in record["members"]])
    np.testing.assert_allclose(weights.sum(axis=0), 1)
    facts = record["blend"]
    assert record["model"]["parameters"]["way"] == facts["way"]
    assert record["score"] == facts["nested_score"]
    assert set(facts["nested_score_of_each_way"]) == {"best", "mean", "greedy", "nnls", "ridge"}
    assert all(fold["way"] in facts["nested_score_of_each_way"] for fold in record["folds"])
    assert list_run_rows(workspace, "toy")[-1]["folds"] == "5 kfold"


def test_the_score_is_that_of_oof_csv(blended: tuple[Workspace, Run, list[Run]]) -> None:
    _, run, members = blended
    oof = pd.read_csv(run.path / "oof.csv")
    found = METRICS["rmse"](oof["target_price"], oof["prediction_price"])
    assert found == pytest.approx(run.record["score"])
    first = pd.read_csv(members[0].path / "oof.csv")
    assert oof[["id", "fold", "target_price"]].equals(first[["id", "fold", "target_price"]])


def test_the_submission_is_the_weighted_sum_of_the_members(
    blended: tuple[Workspace, Run, list[Run]],
) -> None:
    _, run, members = blended
    weight = {one["run"]: one["weights"][0] for one in run.record["members"]}
    total = sum(weight[one.id] * pd.read_csv(one.submission)["price"].to_numpy() for one in members)
    np.testing.assert_allclose(pd.read_csv(run.submission)["price"], total)
    assert pd.read_csv(run.path / "test.csv").columns.tolist() == ["id", "price_0"]


def test_new_rows_are_predicted_by_the_members_estimators(
    blended: tuple[Workspace, Run, list[Run]],
) -> None:
    workspace, run, _ = blended
    new = workspace.root / "download" / "test.csv"
    found = predict(workspace, "toy", new, run.id)
    np.testing.assert_allclose(found["price"], pd.read_csv(run.submission)["price"])


def test_the_same_runs_make_the_same_bytes(blended: tuple[Workspace, Run, list[Run]]) -> None:
    workspace, run, _ = blended
    order = [one["run"] for one in run.record["members"]]
    again = blend(workspace, "toy", order)
    for name in ("oof.csv", "test.csv", "submission.csv"):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes()
    shutil.rmtree(again.path)


def test_a_blend_is_listed_and_can_be_submitted(
    blended: tuple[Workspace, Run, list[Run]],
) -> None:
    workspace, run, members = blended
    row = next(row for row in list_competitions(workspace) if row["competition"] == "toy")
    best = min([run, *members], key=lambda one: one.record["score"])
    assert row["run"] == best.id
    lines = ready_lines(check_ready(workspace, "toy", run.id))
    assert f"model  ensemble, run {run.id}" in lines


def test_it_is_told_who_weighs_what_and_what_it_is_worth(
    blended: tuple[Workspace, Run, list[Run]],
) -> None:
    workspace, _, members = blended
    events: list[Event] = []
    with listening(events.append):
        again = blend(workspace, "toy", [members[0].id, members[1].id])
    notes = {event.stage: event for event in events if isinstance(event, Note)}
    score, plain = again.record["score"], again.record["blend"]["plain_score"]
    assert notes["ensemble"].text == (
        f"{again.record['blend']['way']} of 2 runs: rmse {score:.5f} nested, {plain:.5f} on the "
        "rows that chose it"
    )
    assert [e.text.split()[1] for e in events if isinstance(e, Note) and e.stage == "member"] == [
        "random_forest",
        "ridge",
    ]
    shutil.rmtree(again.path)


def test_only_the_best_run_of_each_model_is_blended_by_itself(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    good, weak, _ = trained(workspace, BOOSTED, TrainOptions(label="lightgbm", epochs=1), RIDGE)
    trained(workspace, TrainOptions(label="random_forest", n_splits=3))  # other folds
    first = blend(workspace, "toy")
    runs = {one["run"] for one in first.record["members"]}
    assert good.id in runs
    assert weak.id not in runs
    assert {one["label"] for one in first.record["members"]} == {"lightgbm", "ridge"}
    second = blend(workspace, "toy")  # and never a blend of blends
    assert {one["run"] for one in second.record["members"]} == runs
    both = blend(workspace, "toy", [good.id, weak.id])
    assert [one["run"] for one in both.record["members"]] == [good.id, weak.id]


def test_several_targets_are_blended_each_with_its_own_weights(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, ["price", "rent"], REGRESSION)
    trained(workspace, RIDGE, FOREST)
    run = blend(workspace, "toy")
    assert all(len(one["weights"]) == 2 for one in run.record["members"])
    assert pd.read_csv(run.submission).columns.tolist() == ["id", "price", "rent"]


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy"])
def test_probabilities_are_blended_for_classes(tmp_path: Path, metric: str) -> None:
    workspace = make_workspace(tmp_path, "class", BINARY.format(metric))
    trained(workspace, TrainOptions(label="logistic"), FOREST)
    run = blend(workspace, "toy")
    answers = pd.read_csv(run.submission)["class"]
    if metric == "accuracy":
        assert set(answers) == {"cheap", "dear"}
    else:
        assert answers.between(0, 1).all()
    found = predict(workspace, "toy", tmp_path / "download" / "test.csv", run.id)
    assert found.columns.tolist() == ["id", "class", "cheap", "dear"]
    expected = found["class"] if metric == "accuracy" else found["dear"]
    assert expected.tolist() == pytest.approx(answers.tolist())


def test_three_classes_are_blended(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "third", 'task = "multiclass"\nmetric = "f1_macro"')
    trained(workspace, TrainOptions(label="logistic"), FOREST)
    run = blend(workspace, "toy")
    assert set(pd.read_csv(run.submission)["third"]) <= {"low", "mid", "top"}
    assert run.record["score"] > 0.7


def test_rows_before_the_first_fold_stay_empty(tmp_path: Path) -> None:
    workspace = make_workspace(
        tmp_path, "price", REGRESSION, tail='time = "sold"\n[validation]\nscheme = "time"\n'
    )
    trained(workspace, RIDGE, FOREST)
    run = blend(workspace, "toy")
    oof = pd.read_csv(run.path / "oof.csv")
    assert oof["prediction_price"].isna().sum() == (oof["fold"] == -1).sum() > 0


# What is refused


def refused(workspace: Workspace, *runs: Run) -> str:
    before = sorted(workspace.runs.iterdir())
    with pytest.raises(UsageError) as caught:
        blend(workspace, "toy", [run.id for run in runs])
    assert sorted(workspace.runs.iterdir()) == before
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_runs_of_other_folds_files_or_a_short_time_are_refused(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    five, four = trained(workspace, RIDGE, TrainOptions(label="ridge", n_splits=4))
    assert refused(workspace, five, four) == (
        f"runs {five.id} and {four.id} cannot be compared: validation.n_splits is 5 and 4"
    )
    cut = train(workspace, "toy", TrainOptions(label="random_forest", seconds=0.001))
    assert refused(workspace, five, cut).startswith(f"run {cut.id}: time ran out before ")
    assert refused(workspace, five) == (
        f"kc ensemble toy: expected two runs or more, found only {five.id}"
    )
    made = blend(workspace, "toy", [five.id, train(workspace, "toy", FOREST).id])
    assert refused(workspace, five, made) == (
        f"run {made.id} is a blend itself; name its members instead"
    )
    replace_test_file(workspace, lambda test: test.assign(size=test["size"] + 1))
    other = train(workspace, "toy", FOREST)
    assert refused(workspace, five, other).startswith(
        f"runs {five.id} and {other.id} cannot be compared: data.test.csv is "
    )
    old = train(workspace, "toy", RIDGE)
    replace_test_file(workspace, lambda test: test.assign(size=test["size"] + 1))
    assert refused(workspace, other, old).startswith(
        f"run {other.id} and what is declared and fetched now cannot be compared: data.test.csv is "
    )


def test_too_few_runs_are_refused_with_what_to_do(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    with pytest.raises(UsageError) as caught:
        blend(workspace, "toy")
    assert str(caught.value) == (
        f"{workspace.runs}: expected runs of two models of 'toy' or more with the declared files, "
        "metric and folds, found 0 among 0 runs; run kc train toy --model MODEL"
    )
    trained(workspace, RIDGE, RIDGE)
    with pytest.raises(UsageError, match="found 1 among 2 runs"):
        blend(workspace, "toy")
    with pytest.raises(UsageError, match=r"^no run 'toy-nothing' of 'toy'; "):
        blend(workspace, "toy", ["toy-nothing"])


def test_a_member_whose_rows_are_other_rows_is_named(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    one, other = trained(workspace, RIDGE, FOREST)
    path = other.path / "oof.csv"
    frame = pd.read_csv(path)
    frame.assign(fold=(frame["fold"] + 1) % 5).to_csv(path, index=False)
    assert refused(workspace, one, other) == (
        f"runs {one.id} and {other.id} cannot be compared: their folds hold other rows"
    )
    frame.assign(id=frame["id"] + 1).to_csv(path, index=False)
    with pytest.raises(DataError) as caught:
        blend(workspace, "toy")
    assert str(caught.value) == (
        f"{path}: its ids are not those of the files that are here now; train again"
    )
    path.unlink()
    with pytest.raises(DataError, match=r"oof\.csv: cannot be read: "):
        blend(workspace, "toy")


def test_a_member_that_is_gone_is_named_when_new_rows_are_predicted(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    trained(workspace, RIDGE, FOREST)
    run = blend(workspace, "toy")
    heavy = max(run.record["members"], key=lambda one: one["weights"][0])["run"]
    shutil.rmtree(workspace.runs / heavy)
    with pytest.raises(UsageError) as caught:
        predict(workspace, "toy", tmp_path / "download" / "test.csv", run.id)
    assert str(caught.value) == (
        f"run {run.id} blends run {heavy}, which is not in {workspace.runs} any more; put it back, "
        "or blend again"
    )


def test_the_command_prints_the_run(tmp_path: Path, kc_here: Callable[..., Done]) -> None:
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    trained(workspace, RIDGE, FOREST)
    done = kc_here(tmp_path, "ensemble", "toy", expect=0)
    assert done.out.startswith("rmse ")
    assert "(out-of-fold, ensemble)\nleaderboard " in done.out
    assert "\nrun        " in done.out
    assert "\nensemble " in done.err
    result = json.loads(kc_here(tmp_path, "ensemble", "toy", "--json", expect=0).out)
    assert result["model"] == "ensemble"
    assert Path(result["submission"]).is_file()
    shown = kc_here(tmp_path, "runs", "toy", expect=0).out
    assert shown.count("-ensemble") == 2


# Labels and counts


def test_a_threshold_that_helps_is_recorded_and_used(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, "class", BINARY.format("f1_macro"))
    files = tmp_path / "download"
    rng = np.random.default_rng(0)
    for name, n in (("train.csv", 800), ("test.csv", 300)):
        x = rng.normal(size=n)
        frame = pd.DataFrame({"id": np.arange(n), "x": x.round(4)})
        if name == "train.csv":
            p = 1 / (1 + np.exp(2.2 - 1.2 * x))
            frame["class"] = np.where(rng.random(n) < p, "rare", "common")
        frame.to_csv(files / name, index=False)
    frame[["id"]].assign(**{"class": "common"}).to_csv(files / "sample.csv", index=False)
    toml = tmp_path / "competitions" / "toy" / "competition.toml"
    toml.write_text(toml.read_text().replace('datetime = ["sold"]\n', ""), encoding="utf-8")
    fetch(workspace, "toy", files)
    run = train(workspace, "toy", TrainOptions(label="logistic"))
    decision = run.record["decision"]
    assert decision["factors"][0] == 1
    assert decision["factors"][1] > 1.5
    assert run.record["score"] > decision["plain_score"] + 0.02
    scores = [fold["score"] for fold in run.record["folds"]]
    assert run.record["mean"] == pytest.approx(np.mean(scores))
    oof = pd.read_csv(run.path / "oof.csv")
    plain = np.where(oof["prediction_rare"] > 0.5, "rare", "common")
    assert METRICS["f1_macro"].function(oof["target_class"].to_numpy(), plain) == pytest.approx(
        decision["plain_score"]
    )
    submitted = pd.read_csv(run.submission)["class"]
    test = pd.read_csv(run.path / "test.csv")
    p = test[[name for name in test if name.startswith("rare_")]].mean(axis=1)
    assert (submitted == "rare").sum() > (p > 0.5).sum()
    found = predict(workspace, "toy", files / "test.csv", run.id)
    assert found["class"].tolist() == submitted.tolist()
    np.testing.assert_allclose(found["rare"], p)
