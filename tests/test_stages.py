"""The stages through the Python API, on small competitions written here."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from pipeline import TrainOptions, Workspace, clean, encode, fetch, inspect, predict, scale, train
from pipeline.errors import DataError, DeclarationError, ModelError, UsageError
from pipeline.progress import Event, Note, listening
from pipeline.stages.listing import clear_cache, list_competitions, list_run_rows

RIDGE = TrainOptions(label="ridge")


def make_frames(n_train: int = 120, n_test: int = 60, seed: int = 0) -> tuple[pd.DataFrame, ...]:
    """Return train and test rows of a toy competition with numbers, text, gaps and dates."""
    rng = np.random.default_rng(seed)
    n = n_train + n_test
    frame = pd.DataFrame(
        {
            "id": np.arange(n),
            "size": rng.normal(10, 2, n).round(3),
            "age": rng.integers(0, 50, n).astype(float),
            "kind": rng.choice(["flat", "house"], n),
            "sold": pd.date_range("2020-01-01", periods=n, freq="D").astype(str),
        }
    )
    frame.loc[::9, "age"] = np.nan
    signal = 5 * frame["size"] + 20 * (frame["kind"] == "house")
    frame["price"] = (signal + rng.normal(0, 1, n)).round(3)
    frame["rent"] = (signal / 10).round(3)
    frame["class"] = np.where(signal > signal.median(), "dear", "cheap")
    frame["third"] = pd.qcut(signal, 3, labels=["low", "mid", "top"]).astype(str)
    return frame.iloc[:n_train], frame.iloc[n_train:]


def make_workspace(
    root: Path,
    target: str | list[str],
    head: str,
    *,
    tail: str = "",
    features: str | None = None,
    sample: pd.DataFrame | None = None,
) -> Workspace:
    """Declare the toy competition for one target, and fetch its files."""
    targets = [target] if isinstance(target, str) else target
    answers = ["price", "rent", "class", "third"]
    others = [name for name in answers if name not in targets]
    train_rows, test_rows = make_frames()
    files = root / "download"
    files.mkdir(parents=True)
    train_rows.drop(columns=others).to_csv(files / "train.csv", index=False)
    test_rows.drop(columns=answers).to_csv(files / "test.csv", index=False)
    if sample is None:
        sample = test_rows[["id"]].assign(**dict.fromkeys(targets, 0))
    sample.to_csv(files / "sample.csv", index=False)
    folder = root / "competitions" / "toy"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "competition.toml").write_text(
        f'title = "Toy"\n{head}\n'
        '[files]\ntrain = "train.csv"\ntest = "test.csv"\nsample_submission = "sample.csv"\n'
        f'[columns]\nid = "id"\ntarget = {json.dumps(targets)}\ndatetime = ["sold"]\n{tail}'
        "[models.random_forest]\nn_estimators = 20\n[models.lightgbm]\nn_estimators = 60\n",
        encoding="utf-8",
    )
    if features:
        (folder / "features.py").write_text(features, encoding="utf-8")
    workspace = Workspace(root)
    fetch(workspace, "toy", files)
    return workspace


REGRESSION = 'task = "regression"\nmetric = "rmse"'


def replace_test_file(workspace: Workspace, change) -> None:
    """Fetch the same competition with another test file."""
    files = workspace.root / "download"
    test = pd.read_csv(files / "test.csv")
    change(test).to_csv(files / "test.csv", index=False)
    fetch(workspace, "toy", files)


@pytest.mark.parametrize("label", ["ridge", "random_forest", "lightgbm"])
def test_another_test_file_leaves_the_out_of_fold_predictions_as_they_are(tmp_path, label):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    options = TrainOptions(label=label)
    before = train(workspace, "toy", options)

    replace_test_file(
        workspace, lambda test: test.assign(size=test["size"] * 100, kind="castle", age=0)
    )
    clear_cache(workspace, "toy")
    after = train(workspace, "toy", options)
    assert (after.path / "oof.csv").read_bytes() == (before.path / "oof.csv").read_bytes()
    assert after.submission.read_bytes() != before.submission.read_bytes()


def test_a_run_holds_everything_that_made_it(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    run = train(workspace, "toy", RIDGE)
    names = {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}
    folds = {f"fold-{number}/estimator.joblib" for number in range(6)}  # five and all rows
    assert names == folds | {
        "competition.toml", "run.json", "oof.csv", "test.csv", "submission.csv", "train.log",
        "findings.json", "report.html",
    }  # fmt: skip
    record = run.record
    assert record["metric"] == "rmse"
    assert len(record["folds"]) == 5
    assert record["mean"] == pytest.approx(np.mean([fold["score"] for fold in record["folds"]]))
    assert record["score"] < 3
    assert set(record["data"]) == {"train.csv", "test.csv", "sample.csv"}
    assert record["versions"]["kc"]
    stages = [note["stage"] for note in record["stages"]]
    assert stages == [
        "read", "features", "clean", "folds", "clean", "scale", "encode", "refit", "train",
        "estimate", "write",
    ]  # fmt: skip
    oof = pd.read_csv(run.path / "oof.csv")
    assert oof.columns.tolist() == ["id", "fold", "target_price", "prediction_price"]
    error = (oof["target_price"] - oof["prediction_price"]).pow(2).mean() ** 0.5
    assert error == pytest.approx(record["score"])


def test_the_submission_is_the_mean_of_the_fits_on_all_rows(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    run = train(workspace, "toy", TrainOptions(label="lightgbm"))
    assert [one["valid_rows"] for one in run.record["refits"]] == [0, 0, 0]
    each = pd.read_csv(run.path / "test.csv").drop(columns="id")
    assert each.shape[1] == 3
    submitted = pd.read_csv(run.submission)["price"]
    np.testing.assert_allclose(submitted, each.mean(axis=1))


def test_predicting_the_test_file_gives_the_submission(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    run = train(workspace, "toy", RIDGE)
    predicted = predict(workspace, "toy", tmp_path / "download" / "test.csv", run.id)
    np.testing.assert_allclose(predicted["price"], pd.read_csv(run.submission)["price"])


def test_several_targets_are_predicted_and_submitted_together(tmp_path):
    workspace = make_workspace(tmp_path, ["price", "rent"], REGRESSION)
    for label in ("ridge", "random_forest", "lightgbm"):
        run = train(workspace, "toy", TrainOptions(label=label))
        submission = pd.read_csv(run.submission)
        assert submission.columns.tolist() == ["id", "price", "rent"]
        assert submission["price"].mean() == pytest.approx(10 * submission["rent"].mean(), rel=0.1)


def test_labels_are_given_back_as_they_were(tmp_path):
    workspace = make_workspace(tmp_path, "class", 'task = "binary"\nmetric = "accuracy"')
    run = train(workspace, "toy", TrainOptions(label="logistic"))
    assert set(pd.read_csv(run.submission)["class"]) == {"cheap", "dear"}
    assert run.record["score"] > 0.9
    assert run.record["validation"]["scheme"] == "stratified"


def test_a_probability_is_submitted_where_the_metric_wants_one(tmp_path):
    workspace = make_workspace(tmp_path, "class", 'task = "binary"\nmetric = "roc_auc"')
    run = train(workspace, "toy", TrainOptions(label="lightgbm"))
    answers = pd.read_csv(run.submission)["class"]
    assert answers.between(0, 1).all()
    assert answers.nunique() > 10
    assert run.record["score"] > 0.9


def test_a_column_of_probabilities_is_submitted_for_every_class(tmp_path):
    _, test_rows = make_frames()
    sample = test_rows[["id"]].assign(third_top=0.3, third_low=0.3, third_mid=0.4)
    head = 'task = "multiclass"\nmetric = "log_loss"'
    workspace = make_workspace(tmp_path, "third", head, sample=sample)
    run = train(workspace, "toy", TrainOptions(label="random_forest"))
    submission = pd.read_csv(run.submission)
    assert submission.columns.tolist() == ["id", "third_top", "third_low", "third_mid"]
    np.testing.assert_allclose(submission.iloc[:, 1:].sum(axis=1), 1)
    dear = test_rows["third"].to_numpy() == "top"
    assert submission["third_top"][dear].mean() > submission["third_top"][~dear].mean() + 0.5


def test_folds_on_the_way_to_the_test_predict_every_row_and_the_submission(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    run = train(workspace, "toy", TrainOptions(label="ridge", scheme="like_test", n_splits=3))
    assert run.record["predicting_folds"] == [3]  # the fit on all rows
    oof = pd.read_csv(run.path / "oof.csv")
    assert oof["fold"].value_counts().tolist() == [40, 40, 40]
    assert oof["prediction_price"].notna().all()
    assert any(note["stage"] == "drift" for note in run.record["stages"])


def test_a_transformer_of_one_s_own_learns_inside_the_folds(tmp_path):
    features = (
        "import numpy as np\n"
        "from sklearn.base import BaseEstimator, TransformerMixin\n"
        "class MeanSize(TransformerMixin, BaseEstimator):\n"
        "    def fit(self, X, y=None):\n"
        "        self.mean_ = X['size'].mean()\n"
        "        return self\n"
        "    def transform(self, X):\n"
        "        return X.assign(above=X['size'] - self.mean_)\n"
        "def make_transformer():\n"
        "    return MeanSize()\n"
    )
    workspace = make_workspace(tmp_path, "price", REGRESSION, features=features)
    run = train(workspace, "toy", RIDGE)
    means = {
        joblib.load(run.path / f"fold-{n}" / "estimator.joblib")
        .regressor_.named_steps["features"].mean_
        for n in range(5)
    }  # fmt: skip
    assert len(means) == 5


def test_a_run_that_is_out_of_time_says_which_folds_are_missing(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    run = train(workspace, "toy", TrainOptions(label="ridge", seconds=1e-6))
    assert run.record["skipped_folds"] == 4
    drift, late = run.record["warnings"]
    assert drift.startswith("test rows differ from training rows (adversarial AUC 0.99")
    assert late == "time ran out: 4 of 5 folds are not fitted; the score is of the others"
    assert len(pd.read_csv(run.submission)) == 60


def test_a_finished_fold_is_found_again_and_gives_the_same_submission(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    events: list[Event] = []
    first = train(workspace, "toy", RIDGE)
    with listening(events.append):
        second = train(workspace, "toy", RIDGE)
    assert [event.reused for event in events if hasattr(event, "reused")] == [True] * 5
    assert first.id != second.id
    assert first.submission.read_bytes() == second.submission.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "competitions/toy/features.py").write_text(
            "def add_features(frame):\n    return frame\n"
        ),
        lambda root: (root / "competitions/toy/competition.toml").write_text(
            (root / "competitions/toy/competition.toml").read_text()
            + "[models.ridge]\nalpha = 3.0\n"
        ),
    ],
    ids=["code", "parameters"],
)
def test_changed_code_or_parameters_are_new_work(tmp_path, change):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    train(workspace, "toy", RIDGE)
    change(tmp_path)
    events: list[Event] = []
    with listening(events.append):
        train(workspace, "toy", RIDGE)
    assert [event.reused for event in events if hasattr(event, "reused")] == [False] * 5


def test_cleaned_frames_have_no_gaps_and_keep_all_test_rows(tmp_path):
    tail = '[cleaning]\nmissing = "drop"\n'
    workspace = make_workspace(tmp_path, "price", REGRESSION, tail=tail)
    notes: list[Event] = []
    with listening(notes.append):
        prepared = clean(workspace, "toy", "ridge")
    written = pd.read_parquet(prepared.paths[0])
    assert len(written) == 120 - len(range(0, 120, 9))
    assert not written.isna().any(axis=None)
    assert written.columns[0] == "id"
    assert written.columns[-1] == "price"
    tested = pd.read_parquet(prepared.paths[1])
    assert len(tested) == 60
    assert not tested.isna().any(axis=None)
    texts = [note.text for note in notes if isinstance(note, Note) and note.stage == "clean"]
    assert texts[0].startswith("120 -> 106 training rows")


def test_scaled_and_encoded_frames_say_what_was_done(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    scaled = scale(workspace, "toy", "ridge")
    size = next(row for row in scaled.changes if row["column"] == "size")
    train_rows, _ = make_frames()
    assert size["scaler"] == "StandardScaler"
    assert size["subtracted"] == pytest.approx(train_rows["size"].mean())
    encoded = encode(workspace, "toy", "ridge")
    assert encoded.changes == [
        {
            "column": "kind",
            "encoder": "OneHotEncoder",
            "levels": 2,
            "columns": 2,
            "for_example": "flat, house",
        }
    ]
    assert {"kind = flat", "kind = house"} <= set(encoded.train.columns)


def test_inspect_names_the_drift_of_a_later_season(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    replace_test_file(workspace, lambda test: test.assign(size=test["size"] + 5))
    _, found = inspect(workspace, "toy")
    assert found.drift.auc > 0.9
    assert any("--scheme like_test" in text for text in found.warnings)


def test_epochs_are_refused_for_a_model_that_has_none(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    with pytest.raises(UsageError, match="--epochs: ridge is not trained in epochs"):
        train(workspace, "toy", TrainOptions(label="ridge", epochs=3))


def test_an_answer_that_test_lacks_must_be_declared(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    replace_test_file(workspace, lambda test: test.drop(columns="size"))
    with pytest.raises(DataError, match=r"columns of train.csv are absent: 'size'"):
        train(workspace, "toy", RIDGE)


def test_a_sample_never_takes_the_place_of_real_files(tmp_path):
    workspace = Workspace(tmp_path)
    fetch(workspace, "ddarung", sample=True)
    files = tmp_path / "download"
    files.mkdir()
    for path in workspace.raw("ddarung").iterdir():
        (files / path.name).write_bytes(path.read_bytes() + b"\n")
    fetch(workspace, "ddarung", files)
    with pytest.raises(UsageError, match=r"holds files from folder .*, which a sample does not"):
        fetch(workspace, "ddarung", sample=True)
    assert (workspace.raw("ddarung") / "train.csv").read_bytes().endswith(b"\n\n")


def test_the_best_run_is_chosen_among_those_with_the_same_files_and_folds(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    ridge = train(workspace, "toy", RIDGE)
    train(workspace, "toy", TrainOptions(label="random_forest"))
    train(workspace, "toy", TrainOptions(label="ridge", n_splits=20))
    row = next(row for row in list_competitions(workspace) if row["competition"] == "toy")
    assert row["run"] == ridge.id
    replace_test_file(workspace, lambda test: test.assign(age=1))
    row = next(row for row in list_competitions(workspace) if row["competition"] == "toy")
    assert row["run"] is None


def test_a_model_of_one_s_own_lives_beside_the_declaration_and_predicts_elsewhere(
    tmp_path,
):
    own = '[models.mine]\nkind = "models.py:make_mine"\npower = 2\n'
    path = tmp_path / "competitions" / "toy" / "models.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from sklearn.base import BaseEstimator, RegressorMixin\n"
        "class Mine(RegressorMixin, BaseEstimator):\n"
        "    def __init__(self, power=1):\n"
        "        self.power = power\n"
        "    def fit(self, X, y):\n"
        "        self.mean_ = y.mean()\n"
        "        return self\n"
        "    def predict(self, X):\n"
        "        return X['size'].to_numpy() * 0 + self.mean_\n"
        "def make_mine(task, seed, *, power=1):\n"
        "    return Mine(power)\n",
        encoding="utf-8",
    )
    workspace = make_workspace(tmp_path, "price", REGRESSION, tail=own)
    run = train(workspace, "toy", TrainOptions(label="mine"))
    submitted = pd.read_csv(run.submission)["price"]
    assert submitted.nunique() == 1
    code = (
        "from pathlib import Path; from pipeline import Workspace, predict; "
        f"root = Path({str(tmp_path)!r}); "
        "print(predict(Workspace(root), 'toy', root / 'download' / 'test.csv')['price'][0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(submitted[0])


def test_a_transformer_that_fails_is_named_with_its_line(tmp_path):
    features = (
        "from sklearn.base import BaseEstimator, TransformerMixin\n"
        "class Broken(TransformerMixin, BaseEstimator):\n"
        "    def fit(self, X, y=None):\n"
        "        return self\n"
        "    def transform(self, X):\n"
        "        return X['no such column']\n"
        "def make_transformer():\n"
        "    return Broken()\n"
    )
    workspace = make_workspace(tmp_path, "price", REGRESSION, features=features)
    message = r"features\.py, line 6: transform raised KeyError: 'no such column'$"
    with pytest.raises(DeclarationError, match=message):
        train(workspace, "toy", RIDGE)


def test_a_broken_declaration_does_not_hide_the_other_competitions(tmp_path):
    folder = tmp_path / "competitions" / "broken"
    folder.mkdir(parents=True)
    (folder / "competition.toml").write_text("titel = 1\n", encoding="utf-8")
    warnings: list[Event] = []
    with listening(warnings.append):
        rows = list_competitions(Workspace(tmp_path))
    assert {"bike", "ddarung", "house"} <= {row["competition"] for row in rows}
    assert "unknown key; did you mean 'title'?" in warnings[0].text


@pytest.mark.parametrize("label", ["ridge", "lightgbm"])
def test_the_share_that_stops_a_fit_is_the_declared_one(tmp_path, label):
    scores = []
    for fraction in (0.1, 0.4):
        own = f"[models.some]\nkind = {label!r}\n"
        own += f"validation_fraction = {fraction}\nn_estimators = 60\n" if label != "ridge" else ""
        workspace = make_workspace(tmp_path / str(fraction), "price", REGRESSION, tail=own)
        scores.append(train(workspace, "toy", TrainOptions(label="some")).record["score"])
    assert (scores[0] == scores[1]) == (label == "ridge")


def test_features_are_not_shown_the_target_nor_any_column_that_test_lacks(tmp_path):
    features = (
        "def add_features(frame):\n"
        "    return frame.assign(sly=frame.get('price', frame['size'] * 0) * 2.0)\n"
    )
    honest = train(make_workspace(tmp_path / "a", "price", REGRESSION), "toy", RIDGE)
    sly = make_workspace(tmp_path / "b", "price", REGRESSION, features=features)
    assert train(sly, "toy", RIDGE).record["score"] == pytest.approx(honest.record["score"])
    features = "def add_features(frame):\n    return frame.assign(x=frame['price'])\n"
    broken = make_workspace(tmp_path / "c", "price", REGRESSION, features=features)
    with pytest.raises(DeclarationError, match=r"line 2: add_features raised KeyError: 'price'"):
        train(broken, "toy", RIDGE)
    features = "def add_features(frame):\n    return frame.assign(price=1.0)\n"
    named = make_workspace(tmp_path / "d", "price", REGRESSION, features=features)
    with pytest.raises(DeclarationError, match="makes column 'price', which only the training"):
        train(named, "toy", RIDGE)


MINE = (
    "from sklearn.linear_model import Ridge\n"
    "def make_mine(task, seed):\n"
    "    return Ridge(alpha={alpha})\n"
)


def test_a_changed_model_of_one_s_own_is_another_model_even_in_the_same_process(tmp_path):
    own = '[models.mine]\nkind = "models.py:make_mine"\n'
    path = tmp_path / "competitions" / "toy" / "models.py"
    path.parent.mkdir(parents=True)
    path.write_text(MINE.format(alpha=0), encoding="utf-8")
    workspace = make_workspace(tmp_path, "price", REGRESSION, tail=own)
    scores = []
    for alpha in (1.0, 1e9):
        path.write_text(MINE.format(alpha=alpha), encoding="utf-8")
        run = train(workspace, "toy", TrainOptions(label="mine"))
        scores.append(run.record["score"])
        assert (run.path / "models.py").read_text(encoding="utf-8") == path.read_text("utf-8")
    assert scores[1] > 2 * scores[0]


def test_a_run_keeps_the_code_that_was_trained_though_the_file_is_edited_meanwhile(tmp_path):
    features = "def add_features(frame):\n    return frame.assign(big=frame['size'] * 2)\n"
    workspace = make_workspace(tmp_path, "price", REGRESSION, features=features)
    path = tmp_path / "competitions" / "toy" / "features.py"

    def edit(event: Event) -> None:
        path.write_text("raise ValueError\n", encoding="utf-8")

    with listening(edit):
        run = train(workspace, "toy", RIDGE)
    assert (run.path / "features.py").read_text(encoding="utf-8") == features
    predicted = predict(workspace, "toy", tmp_path / "download" / "test.csv")
    np.testing.assert_allclose(predicted["price"], pd.read_csv(run.submission)["price"])


def test_a_refit_that_ran_out_of_time_is_told(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION, tail='time = "sold"\n')
    options = TrainOptions(label="lightgbm", scheme="time", n_splits=2)
    run = train(workspace, "toy", replace(options, seconds=1e-6))
    assert run.record["refits"][0]["stopped_by_time"]
    last = "time ran out while the model that predicts the test was still improving"
    assert run.record["warnings"][-1] == last
    assert train(workspace, "toy", options).record["warnings"] == []


def test_a_damaged_run_is_named_and_hides_no_other(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    (tmp_path / "runs" / "house-x").mkdir(parents=True)
    (tmp_path / "runs" / "house-x" / "run.json").write_text("{}")
    run = train(workspace, "toy", RIDGE)
    warnings: list[Event] = []
    with listening(warnings.append):
        assert [row["run"] for row in list_run_rows(workspace)] == [run.id]
    assert "run.json: is not the record of a run; move the folder away" in warnings[0].text


def test_a_score_that_is_not_defined_is_refused(tmp_path):
    columns = 'time = "when"\n[validation]\nscheme = "time"\n'
    features = "def add_features(frame):\n    return frame.assign(when=-frame['size'])\n"
    head = 'task = "binary"\nmetric = "roc_auc"'
    workspace = make_workspace(tmp_path, "class", head, tail=columns, features=features)
    files = tmp_path / "download"
    rows = pd.read_csv(files / "train.csv").sort_values("size", ascending=False)
    rows["class"] = ["cheap", "dear"] * 30 + ["dear"] * 60
    rows.to_csv(files / "train.csv", index=False)
    fetch(workspace, "toy", files)
    with pytest.raises(DataError, match="roc_auc of the out-of-fold rows is not defined"):
        train(workspace, "toy", TrainOptions(label="logistic"))


def test_a_sample_with_too_few_or_repeated_classes_is_refused(tmp_path):
    _, test_rows = make_frames()
    head = 'task = "multiclass"\nmetric = "log_loss"'
    for number, names in enumerate((["c_top", "c_low"], ["top", "c_top", "c_low"])):
        sample = test_rows[["id"]].assign(**dict.fromkeys(names, 0.5))
        workspace = make_workspace(tmp_path / str(number), "third", head, sample=sample)
        with pytest.raises(DataError, match="expected one column for each of the classes"):
            train(workspace, "toy", TrainOptions(label="logistic"))


def test_a_sample_may_call_its_one_answer_otherwise_than_the_target(tmp_path):
    _, test_rows = make_frames()
    sample = test_rows[["id"]].assign(predicted=0)
    workspace = make_workspace(tmp_path, "price", REGRESSION, sample=sample)
    run = train(workspace, "toy", RIDGE)
    answers = pd.read_csv(run.submission)
    assert answers.columns.tolist() == ["id", "predicted"]
    assert answers["predicted"].std() > 1


def test_categories_and_nullable_numbers_made_by_features_are_plain_types_later(tmp_path):
    features = (
        "def add_features(frame):\n"
        "    return frame.assign(c=frame['kind'].astype('category'),\n"
        "                        n=frame['age'].astype('Float64'),\n"
        "                        b=(frame['size'] > 9).astype('boolean'))\n"
    )
    workspace = make_workspace(tmp_path, "price", REGRESSION, features=features)
    for label in ("ridge", "lightgbm"):
        assert train(workspace, "toy", TrainOptions(label=label)).record["score"] < 10


def test_parameters_that_do_not_go_together_are_one_line(tmp_path):
    own = '[models.ridge]\nsolver = "svd"\npositive = true\n'
    workspace = make_workspace(tmp_path, "price", REGRESSION, tail=own)
    with pytest.raises(
        ModelError, match=r"competition.toml: models.ridge: Ridge: solver=.svd. does not"
    ):
        train(workspace, "toy", RIDGE)


def test_a_transformer_without_transform_is_refused(tmp_path):
    features = "def make_transformer():\n    return 5\n"
    workspace = make_workspace(tmp_path, "price", REGRESSION, features=features)
    with pytest.raises(DeclarationError, match="expected a transformer with fit and transform"):
        train(workspace, "toy", RIDGE)


def test_whole_labels_written_as_floats_are_given_back_as_integers(tmp_path):
    workspace = make_workspace(tmp_path, "class", 'task = "binary"\nmetric = "accuracy"')
    files = tmp_path / "download"
    rows = pd.read_csv(files / "train.csv")
    rows.assign(**{"class": (rows["class"] == "dear") * 1.0}).to_csv(
        files / "train.csv", index=False
    )
    assert ",1.0\n" in (files / "train.csv").read_text()
    fetch(workspace, "toy", files)
    run = train(workspace, "toy", TrainOptions(label="logistic"))
    assert set(pd.read_csv(run.submission, dtype=str)["class"]) == {"0", "1"}


def test_a_column_that_a_file_lacks_is_named_before_features_look_for_it(tmp_path):
    features = "def add_features(frame):\n    return frame.assign(x=frame['size'])\n"
    workspace = make_workspace(tmp_path, "price", REGRESSION, features=features)
    replace_test_file(workspace, lambda test: test.drop(columns="size"))
    with pytest.raises(DataError, match=r"test.csv: columns of train.csv are absent: 'size'"):
        train(workspace, "toy", RIDGE)


def test_training_rows_that_share_an_id_are_told(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    files = tmp_path / "download"
    rows = pd.read_csv(files / "train.csv")
    pd.concat([rows, rows.head(3)]).to_csv(files / "train.csv", index=False)
    fetch(workspace, "toy", files)
    warnings = train(workspace, "toy", RIDGE).record["warnings"]
    assert warnings[0].startswith("train.csv: the ids of 3 training rows stand in earlier rows")


def test_every_stage_tells_the_columns_before_and_after(tmp_path):
    workspace = make_workspace(tmp_path, "price", REGRESSION)
    notes = train(workspace, "toy", RIDGE).record["stages"]
    columns = {
        note["stage"]: (note["facts"]["columns_before"], note["facts"]["columns_after"])
        for note in notes
        if "columns_before" in note["facts"]
    }
    # size, age, kind and five numbers of a date; age gets an indicator, kind two 0/1 columns
    assert columns == {"clean": (8, 9), "scale": (9, 9), "encode": (9, 10)}


def test_a_column_that_cleaning_names_must_be_there_or_the_file_is_named(tmp_path):
    tail = '[cleaning.columns]\naeg = "median"\n'
    workspace = make_workspace(tmp_path, "price", REGRESSION, tail=tail)
    message = r"competition.toml: cleaning.columns.aeg: no such feature column; did you mean 'age'"
    with pytest.raises(DeclarationError, match=message):
        train(workspace, "toy", RIDGE)


def test_outliers_mean_the_file_s_own_columns_whatever_features_make_of_them(tmp_path):
    features = "def add_features(frame):\n    return frame.assign(size=frame['size'] / 1000)\n"
    tail = '[cleaning]\noutliers = "size > 12 and price < 75"\n'
    workspace = make_workspace(tmp_path, "price", REGRESSION, features=features, tail=tail)
    frame = make_frames()[0]
    marked = int(((frame["size"] > 12) & (frame["price"] < 75)).sum())
    run = train(workspace, "toy", RIDGE)
    assert 0 < marked < 30
    assert sum(fold["dropped_outliers"] for fold in run.record["folds"]) == 4 * marked
    note = next(note for note in run.record["stages"] if note["stage"] == "clean")
    assert note["text"].endswith(f"0 repeated, {marked} outliers")
    assert run.frame("oof.csv")["prediction_price"].notna().all()


def test_a_condition_of_outliers_that_cannot_be_followed_names_file_and_key(tmp_path):
    tail = '[cleaning]\noutliers = "sise > 12"\n'
    workspace = make_workspace(tmp_path, "price", REGRESSION, tail=tail)
    message = (
        r"competition.toml: cleaning.outliers: 'sise > 12': the training file has no column "
        r"'sise'; did you mean 'size'\?$"
    )
    with pytest.raises(DeclarationError, match=message):
        train(workspace, "toy", RIDGE)


def test_a_model_s_own_transform_is_in_its_run(tmp_path):
    tail = '[target]\nlower = 0\n[models.rooted]\nkind = "ridge"\ntransform = "sqrt"\n'
    workspace = make_workspace(tmp_path, "price", REGRESSION, tail=tail)
    run = train(workspace, "toy", TrainOptions(label="rooted"))
    assert run.record["model"]["transform"] == "sqrt"
    estimator = joblib.load(run.path / "fold-0" / "estimator.joblib")
    assert estimator.variance_ > 0


def test_what_is_encoded_is_what_a_transformer_of_one_s_own_leaves(tmp_path):
    features = (
        "from sklearn.base import BaseEstimator, TransformerMixin\n"
        "class Centre(TransformerMixin, BaseEstimator):\n"
        "    def fit(self, X, y=None):\n"
        "        self.mean_ = X['size'].mean()\n"
        "        return self\n"
        "    def transform(self, X):\n"
        "        return X.assign(above=X['size'] - self.mean_).drop(columns='age')\n"
        "def make_transformer():\n"
        "    return Centre()\n"
    )
    tail = '[cleaning.columns]\nage = "mean"\n'
    workspace = make_workspace(tmp_path, "price", REGRESSION, features=features, tail=tail)
    encoded = encode(workspace, "toy", "ridge").train
    assert "above" in encoded
    assert "age" not in encoded
    assert train(workspace, "toy", RIDGE).record["score"] < 3
