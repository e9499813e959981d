"""Practice sets: what is held back, who grades it, and images of one's own."""

import gzip
import hashlib
import importlib
import io
import json
import os
import pickle
import shutil
import struct
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from conftest import PRACTICE, Done, environment, files_of, only_run, write
from sklearn.metrics import accuracy_score, log_loss, r2_score

from pipeline.competition import Columns, Competition, Files, Target, load_competition
from pipeline.csvtext import read_text
from pipeline.errors import DeclarationError, SourceError
from pipeline.grading import grade
from pipeline.models.backend import load_keras
from pipeline.sources import ListingBoard
from pipeline.sources.practice import PracticeBoard
from pipeline.sources.practice.houses import read_houses
from pipeline.sources.practice.images import read_idx, read_images
from pipeline.sources.practice.sets import load_rows
from pipeline.workspace import BUILT_IN

Kc = Callable[..., Done]
REAL = Path(__file__).parents[2] / "shared" / "data"


# --- the whole loop ---


@pytest.mark.parametrize(
    ("name", "model", "n_train", "n_test", "least"),
    [
        ("iris", "logistic", 120, 30, 0.85),
        ("wine", "logistic", 142, 36, 0.85),
        ("breast_cancer", "logistic", 455, 114, 0.9),
        ("diabetes", "ridge", 354, 88, 0.3),
        ("digits", "logistic", 1438, 359, 0.9),
    ],
)
def test_fetch_train_submit_and_leaderboard_work_without_a_network(
    kc_here: Kc, tmp_path: Path, name: str, model: str, n_train: int, n_test: int, least: float
) -> None:
    kc_here(tmp_path, "fetch", name, expect=0)
    kc_here(tmp_path, "train", name, "-m", model, "--folds", 2, "-q", expect=0)
    done = kc_here(tmp_path, "submit", name, "--yes", expect=0)
    raw = tmp_path / "data" / name / "raw"
    train, test, sample = (
        read_text(raw / f"{file}.csv") for file in ("train", "test", "sample_submission")
    )
    (target,) = load_competition(BUILT_IN / name / "competition.toml").columns.target
    assert (len(train), len(test), len(sample)) == (n_train, n_test, n_test)
    assert list(train) == [*test, target]
    assert list(sample) == ["id", target]
    assert not set(train["id"]) & set(test["id"])
    rows = json.loads(kc_here(tmp_path, "leaderboard", name, "--json", expect=0).out)
    (row,) = rows["teams"]
    assert float(row["score"]) > least
    assert only_run(tmp_path, name).name in row["team"]
    assert f" {row['score']} on {n_test} held-back rows" in done.out
    (told,) = json.loads(kc_here(tmp_path, "submissions", name, "--json", expect=0).out)
    assert (told["status"], told["run"]) == ("complete", only_run(tmp_path, name).name)
    assert told["public"] == pytest.approx(float(row["score"]), abs=1e-5)


def loop(kc_here: Kc, workspace: Path, *models: str) -> None:
    kc_here(workspace, "fetch", "diabetes", expect=0)
    for model in models:
        kc_here(workspace, "train", "diabetes", "-m", model, "--folds", 2, "-q", expect=0)
        kc_here(workspace, "submit", "diabetes", "--yes", expect=0)


def test_the_answers_lie_beside_the_board_and_no_training_reads_them(
    kc_here: Kc, tmp_path: Path
) -> None:
    loop(kc_here, tmp_path / "a", "ridge")
    (answers,) = (tmp_path / "a" / "boards").rglob("answers.csv")
    truth = read_text(answers)
    test = read_text(tmp_path / "a" / "data" / "diabetes" / "raw" / "test.csv")
    assert truth["id"].tolist() == test["id"].tolist()
    shutil.copytree(tmp_path / "a" / "data", tmp_path / "b" / "data")  # no board at all
    kc_here(tmp_path / "b", "train", "diabetes", "-m", "ridge", "--folds", 2, "-q", expect=0)
    one, other = (only_run(tmp_path / name, "diabetes") / "submission.csv" for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()
    refused = kc_here(tmp_path / "b", "submit", "diabetes", "--yes", expect=1).err
    assert "the answers of these rows are not here; run kc fetch diabetes" in refused
    kc_here(tmp_path / "b", "fetch", "diabetes", expect=0)
    assert "r2 0." in kc_here(tmp_path / "b", "submit", "diabetes", "--yes", expect=0).out


def test_the_board_lists_one_s_own_submissions_best_first(kc_here: Kc, tmp_path: Path) -> None:
    loop(kc_here, tmp_path, "knn", "ridge")
    out = kc_here(tmp_path, "leaderboard", "diabetes", expect=0).out
    head, first, second = out.splitlines()
    assert head.split()[:3] == ["place", "team", "score"]
    assert ("ridge" in first, "knn" in second) == (True, True)
    assert "[kc" not in out
    assert max(map(len, out.splitlines())) <= 80
    asked = kc_here(tmp_path, "leaderboard", "diabetes", "--score", 0.99, expect=0).out
    assert "0.99 would be place 1 among 2 teams" in asked
    truth = read_text(next((tmp_path / "boards").rglob("answers.csv")))["progression"].astype(float)
    best = json.loads(kc_here(tmp_path, "submissions", "diabetes", "--json", expect=0).out)
    for row in best:
        said = read_text(tmp_path / "runs" / row["run"] / "submission.csv")["progression"]
        assert row["public"] == pytest.approx(r2_score(truth, said.astype(float)))
    again = kc_here(tmp_path, "submit", "diabetes", "--yes", expect=1).err
    assert "the same bytes were submitted" in again


def test_the_same_set_is_split_in_the_same_way_everywhere(kc_here: Kc, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        kc_here(tmp_path / folder, "fetch", "iris", expect=0)
    one, other = (
        {k: v for k, v in files_of(tmp_path / f).items() if k.endswith(".csv")} for f in "ab"
    )
    assert one == other
    assert "unchanged" in kc_here(tmp_path / "a", "fetch", "iris", expect=0).err
    train = read_text(tmp_path / "a" / "data" / "iris" / "raw" / "train.csv")
    assert train["species"].value_counts().tolist() == [40, 40, 40]


# --- what is declared ---


def test_every_practice_set_is_declared_with_an_image_s_shape_for_each_kind_of_network() -> None:
    found, sizes = {}, {}
    for name in PRACTICE:
        declared = load_competition(BUILT_IN / name / "competition.toml")
        assert declared.source.kind == "practice"
        assert declared.source.dataset == name
        found[name] = {
            label: int(np.prod(choice.parameters["shape"]))
            for label, choice in declared.models.items()
            if "shape" in choice.parameters
        }
        sizes[name] = None if declared.images is None else str(declared.images)
    kinds = ("conv1d", "conv2d", "simple_rnn", "lstm", "gru")
    assert found["digits"] == dict.fromkeys(kinds, 64)
    assert sizes["mnist"] == sizes["fashion_mnist"] == "28 x 28"
    assert sizes["cifar10"] == sizes["cifar100"] == "32 x 32 x 3"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            'kind = "practice"',
            'source.dataset: missing; with kind = "practice" expected a set\'s name, like "iris"',
        ),
        ('dataset = "iris"', 'source.dataset: only kind = "practice" has one; found "files"'),
        (
            'kind = "practice"\ndataset = "irish"',
            "source.dataset: expected one of 'diabetes', 'breast_cancer', 'iris', 'wine', "
            "'digits', 'california', 'mnist', 'fashion_mnist', 'cifar10', 'cifar100', 'series', "
            "'prices'; found 'irish'; did you mean 'iris'?",
        ),
    ],
)
def test_a_practice_source_names_a_set(tmp_path: Path, source: str, message: str) -> None:
    text = (BUILT_IN / "iris" / "competition.toml").read_text("utf-8")
    head, _, tail = text.partition("[source]")
    path = tmp_path / "competition.toml"
    path.write_text(f"{head}[source]\n{source}\n[files]{tail.partition('[files]')[2]}", "utf-8")
    with pytest.raises(DeclarationError) as caught:
        load_competition(path)
    assert str(caught.value) == f"{path}: {message}"


# --- no network ---


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("california", "error: california: scikit-learn cannot download it: "),
        ("mnist", "error: mnist: Keras cannot download it: "),
    ],
)
@pytest.mark.slow
def test_what_must_be_downloaded_says_so_where_there_is_no_network(
    kc: Kc, tmp_path: Path, name: str, said: str
) -> None:
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    homes = {"KERAS_HOME": str(tmp_path / "keras"), "SCIKIT_LEARN_DATA": str(tmp_path / "sk")}
    done = kc(tmp_path / "w", "fetch", name, expect=1, env=environment(**nowhere, **homes))
    last = done.err.splitlines()[-1]
    assert last.startswith(said)
    assert last.endswith("; try again where there is a network, or give its files by --from")
    assert done.out == ""
    assert not (tmp_path / "w" / "data" / name / "raw").exists()


# --- grading ---


def competition(metric: str = "accuracy", task: str = "binary", **facts: Any) -> Competition:
    columns = Columns(id="id", target=facts.pop("target", ("y",)))
    files = Files(train="a", test="b", sample_submission="c")
    return Competition(
        name="p",
        title="P",
        task=task,
        metric=metric,
        files=files,
        columns=columns,
        **facts,  # type: ignore[arg-type]
    )


def graded(tmp_path: Path, declared: Competition, answers: str, said: str) -> tuple[float, int]:
    write(tmp_path / "answers.csv", answers)
    write(tmp_path / "submission.csv", said)
    return grade(declared, tmp_path / "submission.csv", tmp_path / "answers.csv")


def test_labels_are_compared_by_id_and_never_by_position(tmp_path: Path) -> None:
    answers, said = "id,y\n1,no\n2,yes\n3,yes\n", "id,y\n3,yes\n2,no\n1,no\n"
    expected = accuracy_score(["no", "yes", "yes"], ["no", "no", "yes"])
    assert graded(tmp_path, competition(), answers, said) == (expected, 3)


def test_several_numbers_are_graded_together(tmp_path: Path) -> None:
    declared = competition("r2", "regression", target=("y", "z"))
    answers, said = "id,y,z\n1,1,10\n2,2,20\n3,4,0\n", "id,y,z\n1,1.5,10\n2,2,18\n3,4,1\n"
    expected = r2_score([[1, 10], [2, 20], [4, 0]], [[1.5, 10], [2, 18], [4, 1]])
    assert graded(tmp_path, declared, answers, said)[0] == pytest.approx(expected)


def test_one_column_of_probabilities_is_that_of_the_positive_class(tmp_path: Path) -> None:
    answers, said = "id,y\n1,a\n2,b\n", "id,y\n1,0.9\n2,0.2\n"
    declared = competition("log_loss")
    score, _ = graded(tmp_path, declared, answers, said)
    assert score == pytest.approx(log_loss([0, 1], [0.9, 0.2]))
    positive = replace(declared, target=Target(positive="a"))
    score, _ = graded(tmp_path, positive, answers, said)
    assert score == pytest.approx(log_loss([1, 0], [0.9, 0.2]))


def test_a_column_for_each_class_may_stand_for_one_that_no_row_has(tmp_path: Path) -> None:
    declared = competition("log_loss", "multiclass")
    answers = "id,y\n1,cat\n2,dog\n"
    said = "id,y_owl,y_dog,y_cat\n1,0.2,0.1,0.7\n2,0.1,0.6,0.3\n"
    expected = -(np.log(0.7) + np.log(0.6)) / 2
    assert graded(tmp_path, declared, answers, said)[0] == pytest.approx(expected)


def test_answers_of_other_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="its ids are not those of the held-back rows"):
        graded(tmp_path, competition(), "id,y\n1,no\n", "id,y\n2,no\n")


def test_a_board_that_cannot_be_read_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    board = PracticeBoard(tmp_path, lambda *_: (0.5, "half"), greater=True)
    assert isinstance(board, ListingBoard)
    write(tmp_path / "answers.csv", "id,y\n")
    write(tmp_path / "submission.csv", "id,y\n")
    assert board.submit(tmp_path / "submission.csv", "first").reference == "1"
    assert board.submit(tmp_path / "submission.csv", "second").reference == "2"
    assert [one.description for one in board.submissions()] == ["second", "first"]
    assert [team.name for team in board.teams()] == ["first", "second"]  # the earlier of equals
    one = board.submission("2")
    assert one is not None
    assert (one.status, one.public) == ("complete", 0.5)
    assert board.submission("3") is None
    assert (board.allowance().left, board.allowance().today) == (None, 2)
    write(tmp_path / "submissions.jsonl", '{"reference": "1"\n')
    with pytest.raises(SourceError, match=r"submissions\.jsonl: cannot be read: .*; mend or"):
        board.submit(tmp_path / "submission.csv", "third")
    assert (tmp_path / "submissions.jsonl").read_text() == '{"reference": "1"\n'


# --- images ---


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype("uint8").tobytes()


def pictures(n: int, height: int = 28, width: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """Dark noise; those of class 1 have a bright left half."""
    rng = np.random.default_rng(n)
    labels = np.arange(n) % 2
    images = rng.integers(0, 60, (n, height, width))
    images[labels == 1, :, : width // 2] += 150
    return images.astype("uint8"), labels.astype("uint8")


def as_idx(folder: Path, part: str, n: int, **size: int) -> None:
    images, labels = pictures(n, **size)
    write(folder / f"{part}-images-idx3-ubyte.gz", gzip.compress(idx(images)))
    write(folder / f"{part}-labels-idx1-ubyte.gz", gzip.compress(idx(labels)))


def as_png(path: Path, image: np.ndarray) -> None:
    import tensorflow as tf

    write(path, tf.io.encode_png(image.astype("uint8")).numpy())


def half_a_jpeg() -> bytes:
    import tensorflow as tf

    content: bytes = tf.io.encode_jpeg(pictures(2)[0][0, :, :, None]).numpy()
    return content[: len(content) // 2]


def test_idx_files_are_read_packed_or_not(tmp_path: Path) -> None:
    images, _ = pictures(3, 4, 5)
    write(tmp_path / "plain", idx(images))
    write(tmp_path / "packed.gz", gzip.compress(idx(images)))
    for name in ("plain", "packed.gz"):
        assert np.array_equal(read_idx(tmp_path / name, name), images)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x: expected an idx file of bytes, found another beginning"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x00", "x: expected an idx file of bytes, found another"),
        (idx(np.zeros((2, 3)))[:-1], "x: expected 6 bytes for 2 x 3, found 5; download it again"),
        (gzip.compress(idx(np.zeros(900)))[:-9], "x: cannot be unpacked: "),
    ],
)
def test_a_damaged_idx_file_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path / "x", content)
    with pytest.raises(SourceError) as caught:
        read_idx(tmp_path / "x", "x")
    assert str(caught.value).startswith(message)


def test_a_part_called_t10k_is_the_test_part_only_beside_another(tmp_path: Path) -> None:
    as_idx(tmp_path / "one", "t10k", 20)
    rows = read_images(tmp_path / "one", "mnist")
    assert (rows.X.shape, rows.n_test) == ((20, 784), None)
    as_idx(tmp_path / "one", "train", 30)
    rows = read_images(tmp_path / "one", "fashion_mnist")
    assert (rows.X.shape, rows.n_test) == ((50, 784), 20)
    assert rows.y.tolist()[:2] == ["t-shirt", "trouser"]
    images, _ = pictures(30)
    assert rows.X.iloc[0].tolist() == images[0].ravel().tolist()


def test_keras_s_npz_and_folders_of_images_are_read(tmp_path: Path) -> None:
    images, labels = pictures(4, 2, 2)
    np.savez(tmp_path / "mnist.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    rows = read_images(tmp_path / "mnist.npz", "mnist")
    assert (rows.X.shape, rows.n_test, rows.y.tolist()) == ((8, 4), 4, [0, 1, 0, 1] * 2)
    for part in ("train", "test"):
        for label in ("cat", "dog"):
            as_png(tmp_path / "files" / part / label / "1.png", np.full((2, 2, 3), len(part)))
    rows = read_images(tmp_path / "files", "cifar10")
    assert (rows.X.shape, rows.n_test, rows.y.tolist()) == ((4, 12), 2, ["cat", "dog"] * 2)
    assert rows.X.to_numpy().ravel().tolist() == [5] * 24 + [4] * 24
    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "files", "files")
    packed = read_images(tmp_path / "all.tar.gz", "cifar10")
    pd.testing.assert_frame_equal(packed.X, rows.X)


def test_images_that_do_not_fit_together_are_one_line(tmp_path: Path) -> None:
    def refused(name: str) -> str:
        with pytest.raises(SourceError) as caught:
            read_images(tmp_path / name, "mnist")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    as_png(tmp_path / "sizes" / "cat" / "1.png", np.zeros((2, 2, 3)))
    as_png(tmp_path / "sizes" / "cat" / "2.png", np.zeros((2, 3, 3)))
    assert refused("sizes") == (
        "cat/2.png: expected 2 x 2 x 3 as cat/1.png has, found 2 x 3 x 3; make all images one size"
    )
    for name, content in (("corrupt", b"\xff\xd8\xff\xe0 no image"), ("cut", half_a_jpeg())):
        write(tmp_path / name / "cat" / "1.jpg", content)
        assert refused(name) == (
            "cat/1.jpg: is no image that can be read, or a damaged one; replace or remove it"
        )
    as_idx(tmp_path / "alone", "train", 4)
    (tmp_path / "alone" / "train-labels-idx1-ubyte.gz").unlink()
    assert refused("alone") == (
        "train-images-idx3-ubyte.gz: expected its labels beside it, train-labels-idx1-ubyte.gz"
    )
    as_idx(tmp_path / "fewer", "train", 4)
    write(tmp_path / "fewer" / "train-labels-idx1-ubyte.gz", idx(np.zeros(3)))
    assert refused("fewer").endswith(
        "train: expected as many labels as images, found images of 4 x 28 x 28 and 3 labels"
    )
    as_idx(tmp_path / "two", "train", 4)
    as_idx(tmp_path / "two", "t10k", 4, height=8)
    assert refused("two").endswith("expected images of one size, found 28 x 28 and 8 x 28")
    write(tmp_path / "none" / "readme.txt", "hello")
    assert refused("none").endswith("or a folder of images for each class; found 1 other file")
    assert refused("missing").endswith("or a folder of images for each class; found nothing")
    write(tmp_path / "bad.npz", b"PK no")
    assert refused("bad.npz").startswith("bad.npz: cannot be read as images and labels: ")


def test_a_table_takes_no_images(kc_here: Kc, tmp_path: Path) -> None:
    as_idx(tmp_path / "images", "train", 10)
    done = kc_here(tmp_path, "fetch", "iris", "--from", tmp_path / "images", expect=1)
    assert done.error() == "--from: iris comes with scikit-learn; run kc fetch iris"


@pytest.mark.slow
def test_images_are_trained_from_files_to_a_score(kc_here: Kc, tmp_path: Path) -> None:
    as_idx(tmp_path / "images", "t10k", 60)
    kc_here(tmp_path, "fetch", "mnist", "--from", tmp_path / "images", expect=0)
    shown = kc_here(tmp_path, "summary", "mnist", expect=0).out
    assert "(28, 28, 1)" in shown
    done = kc_here(
        tmp_path, "train", "mnist", "--folds", 2, "--epochs", 40, "--patience", 40, "-q", expect=0
    )
    assert "conv2d" in done.out
    kc_here(tmp_path, "submit", "mnist", "--yes", expect=0)
    board = json.loads(kc_here(tmp_path, "leaderboard", "mnist", "--json", expect=0).out)
    assert float(board["teams"][0]["score"]) >= 0.75


# --- the real files ---


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "place", "n_train", "n_test", "n_columns"),
    [("mnist", "mnist_t10k", 8000, 2000, 784), ("cifar10", "cifar10_subset", 3000, 1000, 3072)],
)
def test_real_images_become_a_competition(
    kc_here: Kc, tmp_path: Path, name: str, place: str, n_train: int, n_test: int, n_columns: int
) -> None:
    if not (REAL / place).is_dir():
        pytest.skip(f"{place} is not here")
    kc_here(tmp_path, "fetch", name, "--from", REAL / place, expect=0)
    raw = tmp_path / "data" / name / "raw"
    train, test = (pd.read_csv(raw / f"{part}.csv") for part in ("train", "test"))
    assert train.shape == (n_train, n_columns + 2)
    assert test.shape == (n_test, n_columns + 1)
    assert train["label"].nunique() == 10
    assert train.iloc[:, 1:-1].max().max() == 255


# --- as their authors hand them out ---


def cifar_row(images: np.ndarray) -> np.ndarray:
    """Return images (n, 32, 32, 3) as the authors' rows: all red, then green, then blue."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def in_colour(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, 32, 32, 3)).astype("uint8")


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


class Python2(pickle._Pickler):  # type: ignore[misc,name-defined]
    """Pickles text and bytes as the strings of Python 2, in which CIFAR was written."""

    dispatch: ClassVar[dict[Any, Any]] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_string(self, text: str | bytes) -> None:
        content = text.encode() if isinstance(text, str) else text
        if len(content) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(content)]) + content)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)

    dispatch[str] = dispatch[bytes] = save_string


def in_python2(facts: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    Python2(file, 2).dump(facts)
    return file.getvalue().replace(b"numpy._core", b"numpy.core")  # as numpy called it then


def pickled(images: np.ndarray, **labels: list[int]) -> bytes:
    """Return a batch as its authors wrote it."""
    return in_python2({"batch_label": "1 of 5", "data": cifar_row(images), **labels})


def cifar10_python(path: Path) -> Path:
    folder = "cifar-10-batches-py"
    files = {f"{folder}/data_batch_{i}": pickled(in_colour(i), labels=[i] * i) for i in range(1, 6)}
    files[f"{folder}/test_batch"] = pickled(in_colour(6), labels=[9] * 6)
    files[f"{folder}/batches.meta"] = in_python2({"label_names": ["airplane"]})
    return packed(path / "cifar-10-python.tar.gz", files)


def test_cifar10_s_own_archives_are_read(tmp_path: Path) -> None:
    rows = read_images(cifar10_python(tmp_path), "cifar10")
    assert (rows.X.shape, rows.n_test) == ((21, 3072), 6)
    assert rows.y.tolist()[:3] == ["automobile", "bird", "bird"]
    assert rows.y.tolist()[-1] == "truck"
    assert rows.X.iloc[0].tolist() == in_colour(1).ravel().tolist()
    plain = {
        f"cifar-10-batches-bin/{name}.bin": np.hstack(
            [np.full((n, 1), n, "uint8"), cifar_row(in_colour(n))]
        ).tobytes()
        for name, n in (("data_batch_1", 1), ("data_batch_2", 2), ("test_batch", 6))
    }
    rows = read_images(packed(tmp_path / "cifar-10-binary.tar.gz", plain), "cifar10")
    assert (rows.X.shape, rows.n_test) == ((9, 3072), 6)
    assert rows.y.tolist()[:2] == ["automobile", "bird"]
    assert rows.X.iloc[0].tolist() == in_colour(1).ravel().tolist()


def test_cifar100_s_own_archives_are_read_with_the_fine_labels(tmp_path: Path) -> None:
    batches = {
        f"cifar-100-python/{name}": pickled(
            in_colour(n), coarse_labels=[3] * n, fine_labels=[n + 90] * n
        )
        for name, n in (("train", 3), ("test", 2))
    }
    rows = read_images(packed(tmp_path / "cifar-100-python.tar.gz", batches), "cifar100")
    assert (rows.X.shape, rows.n_test, rows.y.tolist()) == ((5, 3072), 2, [93] * 3 + [92] * 2)
    plain = {
        f"cifar-100-binary/{name}.bin": np.hstack(
            [np.full((n, 1), 3, "uint8"), np.full((n, 1), n + 90, "uint8"), cifar_row(in_colour(n))]
        ).tobytes()
        for name, n in (("train", 3), ("test", 2))
    }
    rows = read_images(packed(tmp_path / "cifar-100-binary.tar.gz", plain), "cifar100")
    assert rows.y.tolist() == [93] * 3 + [92] * 2
    assert rows.X.iloc[4].tolist() == in_colour(2)[1].ravel().tolist()


class Hostile:
    """Pickled, it makes a folder wherever it is unpickled carelessly."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.place),)


def test_a_batch_that_would_run_code_runs_none(tmp_path: Path) -> None:
    write(tmp_path / "in" / "data_batch_1", in_python2({"data": Hostile(tmp_path / "made")}))
    with pytest.raises(SourceError) as caught:
        read_images(tmp_path / "in", "cifar10")
    assert str(caught.value) == (
        "data_batch_1: cannot be read as a batch of CIFAR: it asks for "
        f"{os.mkdir.__module__}.mkdir, which is no array; download it again"
    )
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data_batch_1", b"\x80\x02}q", "data_batch_1: cannot be read as a batch of CIFAR: "),
        ("test_batch", in_python2({"x": 1}), "test_batch: expected data and labels in it"),
        ("data_batch_1.bin", b"\0" * 3072, "data_batch_1.bin: expected records of 3,073 bytes, "),
    ],
)
def test_a_damaged_batch_is_one_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    write(tmp_path / "in" / name, content)
    with pytest.raises(SourceError) as caught:
        read_images(tmp_path / "in", "cifar10")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_rows_of_pixels_in_csv_files_are_read_as_kaggle_has_them(tmp_path: Path) -> None:
    images, labels = pictures(6, 3, 3)
    table = pd.DataFrame(images.reshape(6, -1)).add_prefix("pixel")
    (tmp_path / "digits").mkdir()
    table.to_csv(tmp_path / "digits" / "test.csv", index=False)
    table.insert(0, "label", labels)
    table.to_csv(tmp_path / "digits" / "train.csv", index=False)
    rows = read_images(tmp_path / "digits", "mnist")
    assert (rows.X.shape, rows.n_test, rows.y.tolist()) == ((6, 9), None, [0, 1] * 3)
    assert rows.X.iloc[5].tolist() == images[5].ravel().tolist()
    table.to_csv(tmp_path / "digits" / "mnist_test.csv", index=False)
    assert read_images(tmp_path / "digits", "mnist").n_test == 6
    table.drop(columns="pixel0").to_csv(tmp_path / "odd.csv", index=False)
    with pytest.raises(
        SourceError, match=r"^odd\.csv: expected the pixels of square images, found 8"
    ):
        read_images(tmp_path / "odd.csv", "mnist")
    table.assign(pixel0=256).to_csv(tmp_path / "odd.csv", index=False)
    with pytest.raises(
        SourceError, match=r"^odd\.csv: expected pixels, whole numbers from 0 to 25"
    ):
        read_images(tmp_path / "odd.csv", "mnist")


HOUSES = b"-122.23,37.88,41.0,880.0,129.0,322.0,126.0,8.3252,452600.0\n" * 9


def house_archive(folder: Path) -> Path:
    return packed(
        folder / "cal_housing.tgz",
        {"CaliforniaHousing/cal_housing.data": HOUSES, "CaliforniaHousing/cal_housing.domain": b""},
    )


def test_california_s_archive_is_read_as_scikit_learn_reads_it(
    tmp_path: Path, kc_here: Kc, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.datasets import _california_housing as theirs

    archive = house_archive(tmp_path)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    there = theirs.ARCHIVE._replace(url=archive.as_uri(), checksum=digest)
    monkeypatch.setattr(theirs, "ARCHIVE", there)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sk"))
    downloaded, read = load_rows("california"), read_houses(archive)
    pd.testing.assert_frame_equal(downloaded.X, read.X)
    pd.testing.assert_series_equal(downloaded.y, read.y)
    assert read.y[0] == 4.526
    kc_here(tmp_path / "w", "fetch", "california", "--from", archive, expect=0)
    assert (tmp_path / "w/data/california/raw/test.csv").read_text().count("\n") == 3
    write(tmp_path / "other" / "houses.csv", b"1,2\n")
    done = kc_here(tmp_path / "w", "fetch", "california", "--from", tmp_path / "other", expect=1)
    assert done.error().endswith(
        "other: expected cal_housing.tgz, or cal_housing.data of it; found neither"
    )


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist", "cifar10", "cifar100"])
def test_what_keras_downloads_is_read_by_its_own_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str
) -> None:
    """Only the download itself is replaced: files in the very formats lie where it puts them."""
    load_keras()
    module = importlib.import_module(f"keras.src.datasets.{dataset}")
    images, labels = pictures(4)
    if dataset == "mnist":
        parts = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
        np.savez(tmp_path / "mnist.npz", **parts)
    elif dataset == "fashion_mnist":
        as_idx(tmp_path, "train", 4)
        as_idx(tmp_path, "t10k", 4)
    else:
        name = "cifar-10-batches-py" if dataset == "cifar10" else "cifar-100-python"
        parts_of = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
        for part in parts_of if dataset == "cifar10" else ["train", "test"]:
            write(
                tmp_path / "got" / name / part, pickled(in_colour(1), labels=[7], fine_labels=[7])
            )

    def got(fname: str, origin: str, **_: Any) -> str:
        assert origin.startswith("https://")
        return str(tmp_path / "got" if "cifar" in dataset else tmp_path / fname)

    monkeypatch.setattr(module, "get_file", got)
    rows = load_rows(dataset)
    if "cifar" in dataset:  # Keras repeats the one image of a batch where it expects 10,000
        assert rows.X.iloc[-1].tolist() == in_colour(1).ravel().tolist()
        assert set(rows.y) == ({"horse"} if dataset == "cifar10" else {7})
        assert (rows.X.shape[1], rows.n_test) == (3072, 1)
    else:
        assert (rows.X.shape, rows.n_test) == ((8, 784), 4)
        assert rows.y.tolist() == ([0, 1] * 4 if dataset == "mnist" else ["t-shirt", "trouser"] * 4)
