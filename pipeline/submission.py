"""The file that is handed in: joined to the sample by id, and read back before it counts."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.competition import Competition
from pipeline.csvtext import NAMELESS, CsvStyle, read_text
from pipeline.data import sample_ids
from pipeline.errors import DataError, SubmissionError
from pipeline.labels import classes_of_columns
from pipeline.metrics import METRICS
from pipeline.progress import counted
from pipeline.storage import save_bytes

SHOWN = 3  # examples of each fault
PLAIN = CsvStyle()  # UTF-8 without a mark


def make_submission(
    competition: Competition,
    ids: pd.Series,
    prediction: np.ndarray,
    sample: pd.DataFrame,
    labels: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return the sample with its answers filled in, joined by id and never by position.

    ids: (n_samples,) of the predicted rows. prediction: (n_samples, n_columns). sample: text cells.
    labels: the sorted classes that the columns of the prediction stand for.
    Raises DataError if the sample asks for a row or a column that was not predicted.
    """
    check_ids_asked(competition, ids, sample)
    wanted = sample_ids(sample, competition.columns)
    if len(wanted) == len(ids) and (wanted.to_numpy() == ids.to_numpy()).all():
        rows = prediction  # as most samples have it
    else:
        rows = prediction[pd.Index(ids).get_indexer(pd.Index(wanted))]
    asked = answer_columns(competition, sample)
    filled = sample.drop(columns=asked)
    for name in asked:
        filled[name] = _answer(competition, rows, name, asked, labels)
    return filled[list(sample.columns)]


def check_ids_asked(competition: Competition, ids: pd.Series, sample: pd.DataFrame) -> None:
    """Check that every id of the sample is one of the test file's, known before hours of training.

    Raises DataError.
    """
    wanted = sample_ids(sample, competition.columns)
    unknown = wanted[_absent(wanted, ids)]
    if len(unknown):
        raise DataError(
            f"{competition.files.sample_submission}: {counted(len(unknown), 'id')} not in "
            f"{competition.files.test} ({_shown(unknown)}); fetch files that belong together"
        )


def _absent(ids: pd.Series, known: pd.Series) -> np.ndarray:
    """Tell which ids are not among the known ones; pandas' isin makes objects of the latter."""
    mine, theirs = (pa.array(one, pa.large_string()) for one in (ids, known))
    return ~np.asarray(pc.is_in(mine, value_set=theirs))


def answer_columns(competition: Competition, sample: pd.DataFrame) -> list[str]:
    """Return the sample's columns that want an answer, in its order.

    A column without a name (the index of a frame that was saved with it) is handed back as it is;
    so are, where rows have no id, all columns beside the targets.
    """
    columns = competition.columns
    if columns.id is None and set(columns.target) <= set(sample.columns):
        return [name for name in sample.columns if name in columns.target]
    return [n for n in sample.columns if n != columns.id and not n.startswith(NAMELESS)]


def check_sample(competition: Competition, sample: pd.DataFrame, labels: np.ndarray | None) -> None:
    """Check that the sample submission asks for what the declaration promises.

    Raises DataError.
    """
    name = competition.files.sample_submission
    asked = answer_columns(competition, sample)
    if labels is not None and competition.task == "binary":
        positive_label(competition, labels)
    if _is_wide(asked, labels):
        assert labels is not None
        _check_wide(competition, asked, labels)
    elif labels is not None and len(labels) > 2 and competition.target.answer == "probability":
        raise DataError(
            f"{name}: expected a column for each of {len(labels)} classes, as [target] answer = "
            f'"probability" says; found {asked}; correct it, or remove [target] answer'
        )
    elif len(asked) == len(competition.columns.target) == 1:
        return  # whatever it is called, it takes the one answer there is
    elif set(asked) != set(competition.columns.target):
        raise DataError(
            f"{name}: expected the target {list(competition.columns.target)}, found {asked}; "
            "correct [columns] target"
        )


def _is_wide(asked: Sequence[str], labels: np.ndarray | None) -> bool:
    """Tell whether the sample wants a column of probabilities for every class."""
    return labels is not None and len(asked) > 1


def _check_wide(competition: Competition, asked: list[str], labels: np.ndarray) -> None:
    name = competition.files.sample_submission
    if competition.target.answer == "label":
        raise DataError(
            f'{name}: expected one column for the label, as [target] answer = "label" says; found '
            f"{asked}; remove [target] answer"
        )
    texts = [str(label) for label in labels]
    classes = classes_of_columns(asked, texts)
    for column, number in zip(asked, classes, strict=True):
        if number is None:
            raise DataError(f"{name}: column {column!r} names none of the classes {texts}")
    if sorted(number for number in classes if number is not None) != list(range(len(labels))):
        raise DataError(
            f"{name}: expected one column for each of the classes {texts}, found {asked}"
        )


def save_submission(frame: pd.DataFrame, path: Path, style: CsvStyle = PLAIN) -> None:
    """Write a submission in the style of the sample, with shortest exact numbers.

    Raises StorageError, or SubmissionError if the sample's encoding lacks a character.
    """
    with writing_letters(path, style):
        content = style.content(frame)
    save_bytes(path, content)


@contextlib.contextmanager
def writing_letters(path: Path, style: CsvStyle) -> Iterator[None]:
    """Turn a character that the sample's encoding lacks into a SubmissionError that names it."""
    try:
        yield
    except UnicodeEncodeError as error:
        letters = error.object[error.start : error.end]
        raise SubmissionError(
            f"{path}: {letters!r} cannot be written in {style.encoding}, the sample's encoding; "
            "declare another in [files] encoding"
        ) from None


def check_submission(
    competition: Competition,
    path: Path,
    sample: pd.DataFrame,
    labels: np.ndarray | None = None,
    style: CsvStyle = PLAIN,
) -> None:
    """Check a written file against the sample submission.

    Raises SubmissionError listing all faults at once.
    """
    try:
        frame = read_text(path, encoding=style.encoding, separator=style.separator)
    except DataError as error:
        raise SubmissionError(str(error)) from None
    faults = faults_of(competition, frame, sample, labels)
    if faults:
        raise SubmissionError(f"{path}: {'; '.join(faults)}")


def faults_of(
    competition: Competition,
    frame: pd.DataFrame,
    sample: pd.DataFrame,
    labels: np.ndarray | None = None,
) -> list[str]:
    """Return what is wrong with the cells of a submission, a sentence each.

    frame, sample: text cells, of all rows or of the same ones.
    """
    faults = _column_faults(frame, sample)
    if faults:
        return faults
    faults = _id_faults(frame, sample, competition)
    asked = answer_columns(competition, sample)
    takes_label = not _is_wide(asked, labels) and wants_label(competition, labels)
    for name in asked:
        faults += _answer_faults(competition, frame[name], labels, takes_label=takes_label)
    return faults


def _answer(
    competition: Competition,
    rows: np.ndarray,
    name: str,
    asked: list[str],
    labels: np.ndarray | None,
) -> np.ndarray:
    """Return one column of answers: a number, a label, or the probability of a class."""
    if labels is None:
        targets = competition.columns.target
        return np.asarray(rows[:, targets.index(name) if len(targets) > 1 else 0])
    if _is_wide(asked, labels):
        numbers = classes_of_columns(asked, [str(label) for label in labels])
        return np.asarray(rows[:, numbers[asked.index(name)]])
    if wants_label(competition, labels):
        return np.asarray(labels[rows.argmax(axis=1)])
    positive = positive_label(competition, labels)
    return np.asarray(rows[:, list(labels).index(positive)])


def wants_label(competition: Competition, labels: np.ndarray | None) -> bool:
    """Tell whether the target's column takes a label, and not a number or a probability."""
    if labels is None:
        return False
    if competition.target.answer is not None:
        return competition.target.answer == "label"
    return METRICS[competition.metric].response == "label" or len(labels) > 2


def positive_label(competition: Competition, labels: np.ndarray) -> Any:
    """Return the class of two whose probability is handed in.

    Raises DataError if the declared one is no class.
    """
    positive = competition.target.positive
    if positive is None:
        return labels[-1]
    texts = [str(label) for label in labels]
    if positive not in texts:
        raise DataError(
            f"{competition.files.train}: [target] positive = {positive!r} is none of the classes "
            f"{texts}; correct it"
        )
    return labels[texts.index(positive)]


def _column_faults(frame: pd.DataFrame, sample: pd.DataFrame) -> list[str]:
    found, wanted = list(frame.columns), list(sample.columns)
    if found == wanted:
        return []
    if found and found[0].startswith("Unnamed") and found[1:] == wanted:
        return ["an index column stands before the others; write with index=False"]
    if sorted(found) == sorted(wanted):
        return [f"columns are in another order: expected {wanted}, found {found}"]
    return [f"columns: expected {wanted}, found {found}"]


def _id_faults(frame: pd.DataFrame, sample: pd.DataFrame, competition: Competition) -> list[str]:
    if competition.columns.id is None:
        ids, wanted = (sample_ids(one, competition.columns) for one in (frame, sample))
    else:
        ids, wanted = (one[competition.columns.id] for one in (frame, sample))
    missing, extra = wanted[_absent(wanted, ids)], ids[_absent(ids, wanted)]
    repeated = ids[ids.duplicated()]
    faults = [
        f"{counted(len(some), 'id')} {what} ({_shown(some)})"
        for some, what in ((missing, "missing"), (extra, "extra"), (repeated, "duplicated"))
        if len(some)
    ]
    if len(ids) != len(wanted):
        faults.insert(0, f"expected {len(wanted)} rows, found {len(ids)}")
    if not faults and not ids.equals(wanted):
        at = int(np.flatnonzero(ids.to_numpy() != wanted.to_numpy())[0])
        faults.append(
            f"ids are in another order than in the sample, from line {at + 2} on: "
            f"expected {wanted.iloc[at]!r}, found {ids.iloc[at]!r}"
        )
    return faults


def _answer_faults(
    competition: Competition, cells: pd.Series, labels: np.ndarray | None, *, takes_label: bool
) -> list[str]:
    if labels is not None and takes_label:
        return _label_faults(cells, labels)
    return _number_faults(competition, cells, is_probability=labels is not None)


def _label_faults(cells: pd.Series, labels: np.ndarray) -> list[str]:
    unknown = cells[~cells.isin([str(label) for label in labels])]
    if not len(unknown):
        return []
    what = "labels are unknown to the training rows"
    return [f"{cells.name!r}: {len(unknown)} {what} ({_shown(unknown)})"]


def _number_faults(
    competition: Competition, cells: pd.Series, *, is_probability: bool
) -> list[str]:
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float)
    target = competition.target
    lower = 0.0 if is_probability else target.lower
    upper = 1.0 if is_probability else target.upper
    wrong = {
        "are missing or not a number": np.isnan(numbers),
        "are infinite": np.isinf(numbers),
    }
    if lower is not None:
        wrong[f"are below {lower:g}"] = np.isfinite(numbers) & (numbers < lower)
    if upper is not None:
        wrong[f"are above {upper:g}"] = np.isfinite(numbers) & (numbers > upper)
    return [
        f"{cells.name!r}: {int(mask.sum())} values {what} ({_shown(cells[mask])})"
        for what, mask in wrong.items()
        if mask.any()
    ]


def _shown(values: pd.Series) -> str:
    shown = ", ".join(repr(str(value)) for value in values.head(SHOWN))
    return shown + (", ..." if len(values) > SHOWN else "")
