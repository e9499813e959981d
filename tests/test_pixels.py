"""Images in CSV files: read as bytes, mapped from disk, and one line where they are none."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Done, only_run, write

from pipeline import Workspace, pixels
from pipeline.competition import Columns, Competition, Files, Images
from pipeline.csvtext import read_text
from pipeline.data import TrainData, read_test, read_train
from pipeline.errors import DataError
from pipeline.pixels import are_images, take_images
from pipeline.stages.opening import open_competition, read_data

TOML = """\
title = "Tiny images"
task = "binary"
metric = "accuracy"
default_model = "logistic"

[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"

[columns]
id = "id"
target = "label"

[images]
height = 2
width = 3

[validation]
n_splits = 2
"""
TRAIN = """\
id,p0,p1,p2,p3,p4,p5,label
1,0,1,2,3,4,255,cat
2,10,11,12,13,14,15,dog
3,20,21,22,23,24,25,cat
4,30,31,32,33,34,35,dog
"""
TEST = """\
id,p0,p1,p2,p3,p4,p5
5,9,8,7,6,5,4
6,0,0,0,0,0,0
"""
PIXELS = [[0, 1, 2, 3, 4, 255], [10, 11, 12, 13, 14, 15], [20, 21, 22, 23, 24, 25],
          [30, 31, 32, 33, 34, 35]]  # fmt: skip
SMALL = Competition(
    name="small", title="S", task="binary", metric="accuracy",
    files=Files(train="train.csv", test="test.csv", sample_submission="sample.csv"),
    columns=Columns(id="id", target=("label",)), images=Images(height=2, width=3),
)  # fmt: skip


def table(tmp_path: Path, content: str, **options: Path) -> pd.DataFrame:
    write(tmp_path / "train.csv", content)
    return read_train(tmp_path / "train.csv", SMALL, **options).frame


def test_pixels_are_bytes_beside_what_is_none(tmp_path: Path) -> None:
    frame = table(tmp_path, TRAIN)
    assert list(frame) == ["id", "label", "p0", "p1", "p2", "p3", "p4", "p5"]
    assert frame["label"].tolist() == ["cat", "dog", "cat", "dog"]
    assert frame["id"].tolist() == ["1", "2", "3", "4"]
    assert frame.iloc[:, 2:].to_numpy().tolist() == PIXELS
    assert are_images(frame.iloc[:, 2:])
    assert not are_images(frame)


def test_pixels_may_stand_between_other_columns_and_be_written_in_any_style(tmp_path: Path) -> None:
    text = "\n\np0;label;p1;p2;id;p3;p4;p5\r\n0;cat;1;2;1;3;4;255\r\n 10;dog;11;12;2;13;14;15\r\n"
    frame = table(tmp_path, text)
    assert frame.iloc[:, 2:].to_numpy().tolist() == PIXELS[:2]
    write(tmp_path / "train.csv", TRAIN.encode("utf-16"))
    frame = read_train(tmp_path / "train.csv", SMALL).frame
    assert frame.iloc[:, 2:].to_numpy().tolist() == PIXELS


def test_pixels_are_mapped_from_a_file_that_has_no_name(tmp_path: Path) -> None:
    frame = table(tmp_path, TRAIN, folder=tmp_path)
    assert frame.equals(table(tmp_path, TRAIN))
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_no_step_from_the_file_to_the_features_copies_pixels(
    tmp_path: Path, images: Callable[..., Path]
) -> None:
    data = read_data(open_competition(Workspace(images()), "tiny"))
    array = data.train.X.to_numpy()
    assert array.dtype == np.uint8
    assert not array.flags.owndata
    assert not array.flags.writeable
    bases = [array]
    while isinstance(bases[-1].base, np.ndarray):
        bases.append(bases[-1].base)
    assert any(isinstance(one, np.memmap) for one in bases)


def test_rows_that_would_fill_the_memory_are_copied_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = table(tmp_path, TRAIN, folder=tmp_path).iloc[:, 2:]
    rows = np.array([3, 0, 2])
    in_memory = take_images(X, rows)
    monkeypatch.setattr(pixels, "MOST_BYTES", 10)
    monkeypatch.setattr(pixels, "CHUNK", 12)  # two rows at once
    on_disk = take_images(X, rows)
    assert on_disk.equals(in_memory)
    assert on_disk.index.tolist() == [3, 0, 2]
    assert not on_disk.to_numpy().flags.owndata
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"], "the copy has no name"
    train = TrainData(X=X, y=pd.Series([1, 2, 3, 4]), ids=pd.Series(list("abcd")))
    assert train.subset(rows).X.equals(in_memory)


def test_columns_that_are_no_images_are_taken_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "MOST_BYTES", 0)
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    assert take_images(frame, np.array([2, 0])).equals(frame.iloc[[2, 0]])


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            ",4,255,cat",
            ",4,256,cat",
            "line 2, column 'p5': expected a pixel, a whole number from 0 to 255, found '256'; "
            "correct it, or remove [images]",
        ),
        (
            "3,20,21",
            "3,20,-1",
            "line 4, column 'p1': expected a pixel, a whole number from 0 to 255, found '-1'; "
            "correct it, or remove [images]",
        ),
        (
            "3,20,21",
            "3,20,",
            "line 4, column 'p1': expected a pixel, a whole number from 0 to 255, found ''; "
            "correct it, or remove [images]",
        ),
        (
            "3,20,21",
            "3,20,0.5",
            "line 4, column 'p1': expected a pixel, a whole number from 0 to 255, found '0.5'; "
            "correct it, or remove [images]",
        ),
        (
            "14,15,dog",
            "14,dog",
            "line 3: expected 8 fields as in the header, found 7; correct the file",
        ),
    ],
)
def test_a_cell_that_is_no_pixel_is_one_line(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        table(tmp_path, TRAIN.replace(before, after), folder=tmp_path)
    assert str(caught.value).removeprefix(f"{tmp_path / 'train.csv'}, ") == message
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_images_of_another_size_are_one_line(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", TRAIN)
    other = Competition(**{**vars(SMALL), "images": Images(height=2, width=3, channels=3)})
    with pytest.raises(DataError) as caught:
        read_train(tmp_path / "train.csv", other)
    assert str(caught.value).endswith(
        "train.csv: expected 18 columns of pixels, as [images] says (2 x 3 x 3), found 6 beside "
        "id, label; correct [images], or add what is no pixel to [columns] drop"
    )
    write(tmp_path / "test.csv", TEST.replace(",p5", "").replace(",4\n", "\n"))
    with pytest.raises(DataError, match="found 5 beside id; "):
        read_test(tmp_path / "test.csv", SMALL, {})


@pytest.fixture
def images(tmp_path: Path, kc_here: Callable[..., Done]) -> Callable[..., Path]:
    """Make a workspace with images whose label says which half is lighter."""

    def make(toml: str = TOML, n: int = 40) -> Path:
        workspace = tmp_path / "work"
        rng = np.random.default_rng(1)
        values = rng.integers(0, 100, (n + 4, 6))
        is_left = rng.integers(0, 2, n + 4)
        values[is_left == 1, :3] += 150
        values[is_left == 0, 3:] += 150
        frame = pd.DataFrame(values, columns=[f"p{i}" for i in range(6)])
        frame.insert(0, "id", range(1, n + 5))
        train = frame[:n].assign(label=np.where(is_left[:n], "left", "right"))
        write(tmp_path / "files" / "train.csv", train.to_csv(index=False))
        write(tmp_path / "files" / "test.csv", frame[n:].to_csv(index=False))
        sample = frame[n:][["id"]].assign(label="left")
        write(tmp_path / "files" / "sample.csv", sample.to_csv(index=False))
        write(workspace / "competitions" / "tiny" / "competition.toml", toml)
        kc_here(workspace, "fetch", "tiny", "--from", tmp_path / "files", expect=0)
        return workspace

    return make


@pytest.mark.slow
@pytest.mark.parametrize("model", ["logistic", "extra_trees", "dnn", "conv2d", "realmlp"])
def test_models_of_every_kind_learn_from_images_and_predict_new_ones(
    kc_here: Callable[..., Done], images: Callable[..., Path], tmp_path: Path, model: str
) -> None:
    own = "\n[models.dnn]\nlearning_rate = 0.01\n\n[models.conv2d]\nfilters = [8]\naugment = {}\n"
    workspace = images(TOML + own)
    limits = [] if model in ("logistic", "extra_trees") else ["--epochs", 30]
    kc_here(workspace, "train", "tiny", "-m", model, *limits, "-q", expect=0)
    run = only_run(workspace, "tiny")
    assert json.loads((run / "run.json").read_text("utf-8"))["score"] > 0.8
    new = tmp_path / "files" / "test.csv"
    said = kc_here(workspace, "predict", "tiny", "--input", new, "-o", tmp_path / "said", expect=0)
    assert said.out == ""
    answers = read_text(tmp_path / "said")["label"].tolist()
    assert answers == read_text(run / "submission.csv")["label"].tolist()


@pytest.mark.slow
def test_a_network_predicts_in_another_process_and_another_folder(
    kc: Callable[..., Done],
    kc_here: Callable[..., Done],
    images: Callable[..., Path],
    tmp_path: Path,
) -> None:
    workspace = images(TOML + "\n[models.conv2d]\nfilters = [4]\n")
    kc_here(workspace, "train", "tiny", "-m", "conv2d", "--epochs", 3, "-v", 0, expect=0)
    run = only_run(workspace, "tiny")
    new = tmp_path / "files" / "test.csv"
    here = kc_here(workspace, "predict", "tiny", "--input", new, expect=0).out
    moved = tmp_path / "moved" / "runs" / run.name
    shutil.copytree(run, moved)
    shutil.rmtree(workspace)
    assert kc(tmp_path / "moved", "--trust", "predict", "tiny", "--input", new).out == here
    assert here.splitlines()[0] == "id,label,left,right"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("height = 0\nwidth = 3", "images.height: expected 1 or more, found 0"),
        ("height = 2\nwidht = 3", "images.widht: unknown key; did you mean 'width'?"),
        ("height = 2", "images.width: missing; expected a whole number"),
        (
            'height = 2\nwidth = 3\n[preprocessing]\nscaler = "maxabs"',
            "preprocessing: with [images] there is nothing to fill, scale or clean; remove it",
        ),
        (
            'height = 2\nwidth = 3\n[cleaning]\nmissing = "drop"',
            "cleaning: with [images] there is nothing to fill, scale or clean; remove it",
        ),
    ],
)
def test_a_declaration_of_images_that_cannot_be_is_one_line(
    kc_here: Callable[..., Done], tmp_path: Path, more: str, message: str
) -> None:
    toml = TOML.replace("height = 2\nwidth = 3", more)
    write(tmp_path / "competitions" / "tiny" / "competition.toml", toml)
    done = kc_here(tmp_path, "train", "tiny", expect=1)
    assert done.error().endswith(f"competition.toml: {message}")


def test_a_column_beside_pixels_has_no_other_use(
    kc_here: Callable[..., Done], tmp_path: Path
) -> None:
    toml = TOML.replace('target = "label"', 'target = "label"\ncategorical = ["p1"]')
    write(tmp_path / "competitions" / "tiny" / "competition.toml", toml)
    done = kc_here(tmp_path, "train", "tiny", expect=1)
    assert done.error().endswith(
        "columns.categorical: with [images] all features are pixels; remove it"
    )
