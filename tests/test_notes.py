"""docs/notes.md: every topic of the study notes has a row, and every row is run."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import Page, Reader, save_pictures
from test_layers import ROOT

pytestmark = pytest.mark.slow

PAGE = Page(ROOT / "docs" / "notes.md")
CHAPTERS = range(7, 50)  # of the notes
DOWNLOADED = ("mnist", "fashion_mnist", "cifar10", "cifar100")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.text.splitlines()
    if line.startswith("| keras")
]


class Student(Reader):
    """A reader who downloads stand-ins of the large sets, and trains on few folds and epochs."""

    def type(self, words: Any, where: str = "") -> str:
        """Run a command as a reader does, with two folds."""
        words = list(words)
        if words[:2] == ["kc", "fetch"] and words[2] in DOWNLOADED:
            words += ["--from", f"{words[2]}.npz"]
        if words[:2] == ["kc", "train"] and "--folds" not in words:
            words += ["--folds", "2"]
        return super().type(words, where)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Student]:
    """A student in an empty folder, with what the page tells to write there."""
    folder = tmp_path_factory.mktemp("notes")
    patch = pytest.MonkeyPatch()
    patch.chdir(folder)
    patch.setenv("SCIKIT_LEARN_DATA", str(folder / "scikit_learn_data"))
    patch.setenv("OMP_NUM_THREADS", "1")
    patch.setenv("KC_TRUST", "1")  # the student writes these files
    patch.delenv("KC_WORKSPACE", raising=False)
    save_stand_ins(folder)
    student = Student(folder, has_spent=True)
    student.read(PAGE)
    yield student
    patch.undo()


def save_stand_ins(folder: Path) -> None:
    """Write small sets of the shape of those that are downloaded, where their readers look."""
    import joblib

    rng = np.random.default_rng(0)
    houses = rng.uniform(1, 9, (200, 9))  # latitude, longitude, age, and six counts
    (folder / "scikit_learn_data").mkdir()
    joblib.dump(houses, folder / "scikit_learn_data" / "cal_housing_py3.pkz", compress=6)
    for name in DOWNLOADED:
        save_pictures(folder, name)


def test_every_topic_of_the_notes_has_a_row() -> None:
    numbers = [int(re.match(r"keras(\d+)", row[0])[1]) for row in ROWS]  # type: ignore[index]
    assert sorted(set(numbers)) == list(CHAPTERS)
    assert numbers == sorted(numbers)
    assert sum(number == 7 for number in numbers) == 7
    assert sum(number == 8 for number in numbers) == 3
    for row in ROWS:
        assert len(row) == 5, row
        assert all(row), row
        assert re.search(r"[가-힣a-zA-Z]", row[2])
        assert re.findall(r"`[^`]+`", row[3]), row


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_does_what_it_says(row: list[str], student: Student) -> None:
    for span in re.findall(r"`([^`]+)`", row[3]):
        if span.startswith("kc "):
            student.type(span.split(), row[0])
        else:
            assert eval(span, student.names) is not None


def test_every_row_was_run_and_left_what_it_should(student: Student) -> None:
    trained = re.findall(r"kc train (\w+)", " ".join(row[3] for row in ROWS))
    for name in set(trained):
        runs = list((student.folder / "runs").glob(f"{name}-2*"))
        assert len(runs) >= trained.count(name), name
        assert all((run / "submission.csv").is_file() for run in runs)
    assert (student.folder / "answers.csv").read_text().count("\n") == 3
    assert os.environ["SCIKIT_LEARN_DATA"].startswith(str(student.folder))
