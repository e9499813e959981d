"""Practice sets: what is held back, who grades it, and images of one's own."""

import gzip
import json
import shutil
import struct
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import PRACTICE, Done, environment, files_of, only_run, write
from sklearn.metrics import accuracy_score, log_loss, r2_score

from pipeline.competition import Columns, Competition, Files, Target, load_competition
from pipeline.csvtext import read_text
from pipeline.errors import DeclarationError, SourceError
from pipeline.grading import grade
from pipeline.sources import ListingBoard
from pipeline.sources.practice import PracticeBoard
from pipeline.sources.practice.images import read_idx, read_images
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
    assert last.endswith("; try again where there is a network") == (name == "california")
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
    write(tmp_path / "corrupt" / "cat" / "1.jpg", b"\xff\xd8\xff\xe0 no image")
    assert refused("corrupt") == (
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
