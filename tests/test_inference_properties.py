"""Whatever the files of a competition look like: a declaration that reads them, or one sentence."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from conftest import files_of, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import Workspace
from pipeline.competition import load_competition
from pipeline.errors import PipelineError
from pipeline.stages.declaring import NewOptions, declare
from pipeline.stages.opening import open_competition, read_data

RELAXED = settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
NAMES = st.one_of(
    st.sampled_from(
        [
            "x",
            "user_id",
            "date",
            "나이",
            "comment",
            "a b",
            'say "no"',
            "x#y",
            "x\\y",
            "=",
            "Unnamed: 0",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=6),
)
KINDS: dict[str, st.SearchStrategy[str]] = {
    "integer": st.integers(-5, 100).map(str),
    "float": st.floats(-1e6, 1e6).map(str),
    "comma": st.floats(-1e3, 1e3).map(lambda number: f"{number:.2f}".replace(".", ",")),
    "code": st.integers(0, 9).map("{:03}".format),
    "level": st.sampled_from(["red", "blue", "NA", "none", "?"]),
    "bool": st.sampled_from(["True", "False"]),
    "year first": st.dates().map(str),
    "year last": st.dates().map(lambda day: f"{day.day}.{day.month}.{day.year:04}"),
    "compact": st.dates().map(lambda day: f"{day.year:04}{day.month:02}{day.day:02}"),
    "prose": st.lists(st.sampled_from(["the", "bike,", "is", "red"]), min_size=6).map(" ".join),
    "dirty": st.sampled_from(["1", "2.5", "-", "?", "inf", "", "none"]),
    "constant": st.just("7"),
    "any": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=5),
}
TARGETS = {
    "binary": st.sampled_from(["0", "1"]),
    "text": st.sampled_from(["yes", "no"]),
    "classes": st.sampled_from(["a", "b", "c"]),
    "numbered": st.sampled_from(["0", "1", "2"]),
    "amount": st.floats(0, 1e5).map(str),
    "integer": st.integers(-10, 1000).map(str),
    "any": KINDS["any"],
}


@st.composite
def competitions(draw: st.DrawFn, plain: bool = False) -> dict[str, bytes]:
    """Files of a competition: random columns, targets, ids, names, separators and encodings.

    plain: with one column of numbers more, and a target and answers that suit each other.
    """
    n_train, n_test = draw(st.integers(4, 30)), draw(st.integers(1, 12))
    n_rows = n_train + n_test
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    kinds = [draw(st.sampled_from(sorted(KINDS))) for _ in names]
    columns = {
        name: draw(st.lists(KINDS[kind], min_size=n_rows, max_size=n_rows))
        for name, kind in zip(names, kinds, strict=True)
    }
    if plain:
        columns = {name: cells for name, cells in columns.items() if name.isidentifier()}
        columns["amount"] = [f"{i * i}.5" for i in range(n_rows)]
    both = pd.DataFrame(columns, dtype=object)
    ids = draw(
        st.sampled_from(["number", "text", "sample", *([] if plain else ["repeated", "none"])])
    )
    identity = {
        "text": [f"row {i}" for i in range(n_rows)],
        "repeated": [str(i // 3) for i in range(n_rows)],
    }.get(ids, [str(i) for i in range(n_rows)])
    if ids not in ("none", "sample"):
        both.insert(0, "ID", identity)
    target = [f"{i}.25" for i in range(n_train)]
    if not plain:
        cells = TARGETS[draw(st.sampled_from(sorted(TARGETS)))]
        target = draw(st.lists(cells, min_size=n_train, max_size=n_train))
    train, test = both.head(n_train).assign(**{"the target": target}), both.tail(n_test)
    if draw(st.booleans()) and not plain:
        train = train.assign(leak="1")
    answer = draw(st.sampled_from(["the target", "target", *([] if plain else ["wide"])]))
    asked = [f"p_{one}" for one in sorted(set(target))] if answer == "wide" else [answer]
    blank = draw(st.sampled_from(["0", "0.5", *([] if plain else ["", "no"])]))
    sample = pd.DataFrame({one: [blank] * n_test for one in asked})
    if ids != "none":
        sample.insert(0, "ID", identity[n_train:])
    return _written(draw, (train, test, sample))


def _written(draw: st.DrawFn, frames: tuple[pd.DataFrame, ...]) -> dict[str, bytes]:
    separator = draw(st.sampled_from([",", ";", "\t"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "cp949"]))
    names = draw(
        st.sampled_from(
            [("Train.csv", "Test.csv", "sampleSubmission.csv"), ("a.csv", "b.csv", "c.csv")]
        )
    )
    texts = [frame.to_csv(index=False, sep=separator, lineterminator="\n") for frame in frames]
    encoded = [text.encode(encoding, "replace") for text in texts]
    return dict(zip(names, encoded, strict=True))


def declared(files: dict[str, bytes]) -> str | None:
    """Return the declaration of some files, or None if they are refused with one sentence."""
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            write(Path(folder, "downloaded", name), content)
        workspace = Workspace(Path(folder, "work"))
        try:
            written = declare(workspace, "toy", NewOptions(path=Path(folder, "downloaded")))
        except PipelineError as error:
            lines = str(error).splitlines()
            assert (len(lines), workspace.root.exists()) == (1, False), error  # noqa: PT017
            return None
        assert load_competition(written).columns.target == ("the target",)
        assert [name for name in files_of(workspace.root) if ".unfinished" in name] == []
        read_data(open_competition(workspace, "toy"))
        return written.read_text(encoding="utf-8")


@RELAXED
@given(competitions())
def test_new_declares_what_it_can_read_or_says_one_sentence(files: dict[str, bytes]) -> None:
    declared(files)


@settings(RELAXED, max_examples=15)
@given(competitions(plain=True))
def test_plain_files_are_never_refused(files: dict[str, bytes]) -> None:
    assert declared(files) is not None


@settings(RELAXED, max_examples=15)
@given(st.dictionaries(st.sampled_from(["train.csv", "test.csv", "sample.csv"]), st.binary()))
def test_bytes_that_are_no_competition_are_refused(files: dict[str, bytes]) -> None:
    assert declared({"readme.md": b"", **files}) is None
