"""scikit-learn's practice sets, exported in several formats, declared and trained."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Done, write
from sklearn import datasets

from pipeline.csvtext import read_text

Kc = Callable[..., Done]
Frames = dict[str, pd.DataFrame]
N_TEST = 40
KOREAN = (
    "나이",
    "성별",
    "체질량",
    "혈압",
    "총콜레스테롤",
    "저밀도",
    "고밀도",
    "비율",
    "중성지방",
    "혈당",
)


def exported(name: str, n_rows: int = 240) -> tuple[pd.DataFrame, pd.Series, list[str]]:
    """Return features, targets as numbers, and the classes' names."""
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    rows = np.random.default_rng(0).permutation(len(bunch.data))[:n_rows]
    X, y = bunch.data.iloc[rows].reset_index(drop=True), bunch.target.iloc[rows]
    names = [str(one) for one in getattr(bunch, "target_names", [])]
    return X, y.reset_index(drop=True), names


def competition(
    X: pd.DataFrame, y: pd.Series, sample: pd.DataFrame, id_name: str | None = "id"
) -> Frames:
    """Return the three files; sample: its answers."""
    frames = {"train": X.iloc[:-N_TEST].assign(**{str(y.name): y}), "test": X.iloc[-N_TEST:]}
    frames["sample"] = sample.set_index(frames["test"].index)
    if id_name:
        frames = {name: frame.rename_axis(id_name).reset_index() for name, frame in frames.items()}
    return frames


def constant(value: Any, *names: str) -> pd.DataFrame:
    return pd.DataFrame({name: [value] * N_TEST for name in names})


def diabetes() -> Frames:
    X, y, _ = exported("diabetes")
    X = X.set_axis(list(KOREAN), axis="columns")
    return competition(X, y.rename("진행도"), constant(0, "진행도"))


def breast_cancer() -> Frames:
    X, y, names = exported("breast_cancer")
    return competition(
        X, y.map(dict(enumerate(names))).rename("diagnosis"), constant(0.5, "diagnosis")
    )


def iris() -> Frames:
    X, y, names = exported("iris")
    y = y.map(dict(enumerate(names))).rename("species")
    return competition(X, y, constant(0.3, *(f"species_{name}" for name in names)))


def wine() -> Frames:
    X, y, _ = exported("wine")
    return competition(X, y.rename("class"), constant(0, "class"))


def digits() -> Frames:
    X, y, _ = exported("digits", 400)
    frames = competition(X, y.rename("label"), constant(0, "Label"), id_name=None)
    frames["sample"].insert(0, "ImageId", np.arange(1, N_TEST + 1))
    return frames


def several_targets() -> Frames:
    X, y, _ = exported("diabetes")
    frames = competition(X, y, constant(0, "bmi", "target"))
    for name in ("test", "sample"):
        frames[name] = frames[name].drop(columns=["bmi"] if name == "test" else [])
    return frames


def as_folder(frames: Frames, folder: Path, names: dict[str, str], **written: Any) -> Path:
    encoding = written.pop("encoding", "utf-8")
    for role, name in names.items():
        text = frames[role].to_csv(index=False, lineterminator="\n", **written)
        write(folder / name, text.encode(encoding))
    return folder


PLAIN = {"train": "train.csv", "test": "test.csv", "sample": "sample_submission.csv"}
CAMEL = {"train": "Train.csv", "test": "Test.csv", "sample": "sampleSubmission.csv"}


def as_csv(frames: Frames, folder: Path) -> Path:
    return as_folder(frames, folder, PLAIN)


def with_decimal_commas(frames: Frames, folder: Path) -> Path:
    return as_folder(frames, folder, CAMEL, sep=";", decimal=",")


def as_cp949(frames: Frames, folder: Path) -> Path:
    return as_folder(frames, folder, PLAIN, encoding="cp949")


def as_zip(frames: Frames, folder: Path) -> Path:
    as_folder(frames, folder / "files", CAMEL)
    return zipped(sorted((folder / "files").iterdir()), folder / "all.zip")


def as_nested_zip(frames: Frames, folder: Path) -> Path:
    as_folder(frames, folder / "files", PLAIN)
    files = sorted((folder / "files").iterdir())
    inner = [zipped([file], folder / f"{file.name}.zip") for file in files]
    return zipped(inner, folder / "open.zip", "open/")


def zipped(files: list[Path], target: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, inside + file.name)
    return target


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "save", "linear", "metric", "bound"),
    [
        (diabetes, as_cp949, "ridge", "rmse", 65.0),
        (diabetes, with_decimal_commas, "ridge", "rmse", 65.0),
        (breast_cancer, as_zip, "logistic", "roc_auc", 0.97),
        (iris, as_nested_zip, "logistic", "log_loss", 0.4),
        (wine, with_decimal_commas, "logistic", "accuracy", 0.9),
        (digits, as_csv, "logistic", "accuracy", 0.85),
        (several_targets, as_zip, "ridge", "rmse", 65.0),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_practice_set_is_declared_and_trained_as_it_comes(
    kc_here: Kc,
    tmp_path: Path,
    make: Callable[[], Frames],
    save: Callable[[Frames, Path], Path],
    linear: str,
    metric: str,
    bound: float,
) -> None:
    frames = make()
    workspace = tmp_path / "work"
    place = save(frames, tmp_path / "downloaded")
    kc_here(workspace, "new", "practice", "--from", place, expect=0)
    for model in (linear, "lightgbm"):
        done = kc_here(
            workspace, "train", "practice", "-m", model, "--folds", 2, "--json", expect=0
        )
        run = json.loads(done.out)
        assert run["metric"] == metric
        is_better = (
            run["score"] >= bound if metric in ("accuracy", "roc_auc") else run["score"] <= bound
        )
        assert is_better or model == "lightgbm", run["score"]
        submission = read_text(Path(run["submission"]))
        assert list(submission) == list(frames["sample"])
        assert len(submission) == N_TEST


def test_the_positive_class_of_a_practice_set_is_the_one_its_probability_is_of(
    kc_here: Kc, tmp_path: Path
) -> None:
    frames = breast_cancer()
    workspace = tmp_path / "work"
    kc_here(workspace, "new", "practice", "--from", as_csv(frames, tmp_path / "files"), expect=0)
    text = (workspace / "competitions/practice/competition.toml").read_text(encoding="utf-8")
    assert 'positive = "malignant"' in text
    done = kc_here(
        workspace, "train", "practice", "-m", "logistic", "--folds", 2, "--json", expect=0
    )
    chance = read_text(Path(json.loads(done.out)["submission"]))["diagnosis"].astype(float)
    _, y, names = exported("breast_cancer")
    is_malignant = (y.iloc[-N_TEST:] == names.index("malignant")).to_numpy()
    assert chance[is_malignant].mean() > 0.8
    assert chance[~is_malignant].mean() < 0.2
