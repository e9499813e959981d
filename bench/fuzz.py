"""Wild input: bytes that nobody vouches for, a million times, and what is said of them.

    python bench/fuzz.py                              # a million cases, on two cores for hours
    python bench/fuzz.py --cases 10000 --only csv,zip
    python bench/fuzz.py --atheris --only toml        # guided by coverage (pip install atheris)

A target is a function that reads bytes as a command would. Each case is a valid file of a small
corpus whose bytes were cut, doubled, exchanged or filled with what is awkward in its format. A case
is a fault if anything but an error of the project's own comes of it, if that error is not one line,
or if a file that was there before has changed. Faults are kept, and the exit code is 1.
"""

import argparse
import contextlib
import io
import json
import random
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd
import requests


def _instrumented() -> contextlib.AbstractContextManager[None]:
    """Let atheris see which lines of ours are reached; it looks while they are imported."""
    if "--atheris" not in sys.argv:
        return contextlib.nullcontext()
    import atheris

    return atheris.instrument_imports(include=["pipeline"])


with _instrumented():
    from pipeline.competition import Competition, load_competition
    from pipeline.csvtext import read_style
    from pipeline.data import read_sample, read_sample_style, read_test, read_train
    from pipeline.errors import PipelineError
    from pipeline.ledger import load_ledger
    from pipeline.runs import load_run
    from pipeline.sources.dacon import DaconBoard
    from pipeline.sources.files import open_source
    from pipeline.sources.kaggle import refusals
    from pipeline.sources.kaggle.board import _submission
    from pipeline.submission import check_submission

TOML = b"""\
title = "Tiny"
task = "binary"
metric = "roc_auc"
default_model = "ridge"

[source]
kind = "kaggle"
slug = "tiny"

[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"
na_values = ["-"]

[columns]
id = "id"
target = "y"
categorical = ["c"]
datetime = ["d"]
drop = []

[levels]
NA = ["c"]

[target]
positive = "yes"

[cleaning]
missing = "impute"
outliers = "a > 4 and y == 'no'"
columns = { a = "median" }

[preprocessing]
scaler = "robust"

[validation]
scheme = "stratified"
n_splits = 3
seed = 1

[models.mine]
kind = "lightgbm"
learning_rate = 0.1
"""
TRAIN = "id,a,b,c,d,y\n1,1.5,2,red,2020-01-01,yes\n2,-3e4,,blue,2020-02-29,no\n3,4,NA,,,yes\n"
TEST = "id,a,b,c,d\n4,1,2,red,2021-01-01\n5,2,,blue,\n"
SAMPLE = "id,y\n4,0.5\n5,0.5\n"
QUOTED = 'id;"a";b;c;d;y\r\n1;"1,5";2;"r ""e"" d\r\n";01.02.2020;yes\r\n2;3;4;5;02.02.2020;no\r\n'
AWKWARD = {
    "toml": [
        b"=", b"[", b"]", b'"""', b"1e999", b"-1", b"0", b"true", b"inf", b"nan", b"[[x]]", b"\0",
        b"9" * 30, b"1979-05-27T07:32:00Z", b"{}", b'"\\u0000"', b"../../x", b"/etc/passwd",
        b"[models.x]\n", b"\xff", b"[" * 50, b"x = " + b"[" * 3000, b'"@a.b()"', b"a.b = 1\n",
        b"\xef\xbb\xbf",
    ],
    "csv": [
        b",", b'"', b"\n", b"\r", b"\r\n", b";", b"\t", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"inf",
        b"nan", b"1e999", b"-0", b"9" * 400, b"0x1", b"1_000", b"\xea\xb0\x80", b"\xb0\xa1",
        b"2020-13-45", b"0001-01-01", b"99999-01-01", b"1970-01-01T00:00:00+99:99", b"24:00",
        b"\xf0\x9f\x8c\xa1", b"\xed\xa0\x80", b'""', b",,,,,,,", b"'", b"\x1a", b"\x0b", b"\x85",
    ],
    "zip": [
        b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"../", b"/", b"\\", b"\0",
        b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x08\0", b"\x63\0", b"\x1f\x8b", b"..", b"C:", b"\n",
    ],
    "json": [
        b"{", b"}", b"[", b"]", b"null", b"1e999", b"NaN", b'"', b"\\ud800", b"true", b"[" * 5000,
        b'"0001-01-01T00:00:00+14:00"', b'"9999-12-31T23:59:59-14:00"', b"-1", b"9" * 500, b"\0",
        b'"\\u202e\\n\\u001b[2J"', b"\xff", b"{}", b'"code": 400,', b"1.5",
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What reads a case: a name, its format, valid files, and the function.

    read: is given the bytes and an empty folder; what it returns does not matter. weight: how many
    of the cases it gets; what is quick gets more.
    """

    name: str
    format: str
    corpus: Sequence[bytes]
    read: Callable[[bytes, Path], Any]
    weight: int = 1


@dataclass(frozen=True)
class Fault:
    """A case that was answered by anything but a line of ours."""

    target: str
    content: bytes
    what: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1_000_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="names of targets, with commas")
    parser.add_argument("--atheris", action="store_true", help="guided by coverage")
    options = parser.parse_args()
    chosen = [one for one in targets() if not options.only or one.name in options.only.split(",")]
    if options.atheris:
        return guide(chosen[0], options.cases)
    n_faults, weights = 0, sum(one.weight for one in chosen)
    for one in chosen:
        began, n_cases = time.process_time(), options.cases * one.weight // weights
        refused, faults = try_cases(one, n_cases, options.seed)
        n_faults += len(faults)
        seconds = time.process_time() - began
        print(
            f"{one.name:<11} {n_cases:9,} cases, {refused:9,} refused, "
            f"{len(faults)} faults, {seconds:.0f} s on the CPU",
            flush=True,
        )
        for fault in faults[:5]:
            keep(fault)
    return int(n_faults > 0)


def keep(fault: Fault) -> None:
    """Write a faulty case down, and say what came of it."""
    with tempfile.NamedTemporaryFile(prefix=f"fuzz-{fault.target}-", delete=False) as file:
        file.write(fault.content)
    print(f"  {file.name}: {fault.what}", flush=True)


def try_cases(target: Target, n_cases: int, seed: int = 0) -> tuple[int, list[Fault]]:
    """Return how many of so many cases were refused, and the faults; one seed, the same cases."""
    rng, refused, faults = random.Random(f"{seed} {target.name}"), 0, []
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        folder = Path(place) / "read"
        folder.mkdir()
        before = {"kept": b"untouched"}
        (Path(place) / "kept").write_bytes(before["kept"])
        for _ in range(n_cases):
            content = changed(target, rng)
            what = fault_of(target, content, folder)
            refused += what == ""
            if what:
                faults.append(Fault(target.name, content, what))
            if sorted(path.name for path in Path(place).iterdir()) != ["kept", "read"]:
                faults.append(Fault(target.name, content, "left something outside of its folder"))
                break
    return refused, faults


def fault_of(target: Target, content: bytes, folder: Path) -> str | None:
    """Return what is wrong with how a case is read, "" if it is refused, None if it is taken."""
    try:
        target.read(content, folder)
    except PipelineError as error:
        return "" if "\n" not in str(error) and str(error) else f"not one line: {error!r}"
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:200]} ({frame.filename}:{frame.lineno})"
    return None


def changed(target: Target, rng: random.Random) -> bytes:
    """Return a file of the corpus after a few changes."""
    content = bytearray(rng.choice(target.corpus))
    awkward = AWKWARD[target.format]
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 6))):
        at = rng.randrange(len(content) + 1)
        end = min(len(content), at + rng.choice((0, 1, 1, 2, 4, 16, 64)))
        kind = rng.randrange(6)
        if kind == 0:
            content[at:end] = rng.choice(awkward)
        elif kind == 1:
            content[at:at] = rng.choice(awkward)
        elif kind == 2:
            del content[at:end]
        elif kind == 3:
            content[at:at] = content[at:end] * rng.randint(1, 3)
        elif kind == 4 and content:
            content[at % len(content)] ^= 1 << rng.randrange(8)
        else:
            other = rng.choice(target.corpus)
            cut = rng.randrange(len(other) + 1)
            content[at:end] = other[cut : cut + rng.choice((1, 8, 40))]
    return bytes(content)


# --- what is read ---


def targets() -> list[Target]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "competition.toml"
        path.write_bytes(TOML)
        competition = load_competition(path, "tiny")
    sample = pd.DataFrame({"id": ["4", "5"], "y": ["0.5", "0.5"]})
    texts = [one.encode() for one in (TRAIN, TRAIN, TEST, SAMPLE, QUOTED)]
    texts += [
        TRAIN.encode("utf-16"),
        ("\ufeff" + TRAIN).encode(),
        "id,a,값\n1,가,나\n".encode("cp949"),
    ]
    return [
        Target("toml", "toml", [TOML], read_declaration, 2),
        Target("csv", "csv", texts, lambda c, f: read_tables(c, f, competition)),
        Target("zip", "zip", archives(".zip"), lambda c, f: unpack(c, f, "a.zip")),
        Target("tar", "zip", archives(".tar.gz"), unpack_tar),
        Target(
            "submission", "csv", [SAMPLE.encode()], lambda c, f: check(c, f, competition, sample)
        ),
        Target("dacon", "json", DACON, read_dacon, 3),
        Target("kaggle", "json", KAGGLE, read_kaggle, 3),
        Target("ledger", "json", LEDGER, read_ledger, 2),
        Target("run", "json", RUN, read_run, 2),
    ]


def read_declaration(content: bytes, folder: Path) -> None:
    path = folder / "competition.toml"
    path.write_bytes(content)
    competition = load_competition(path, "tiny")
    for name in (competition.files.train, competition.files.test):
        assert not Path(name).is_absolute(), name
        assert ".." not in Path(name).parts, name


def read_tables(content: bytes, folder: Path, competition: Competition) -> None:
    path = folder / "train.csv"
    path.write_bytes(content)
    with contextlib.suppress(PipelineError):
        read_sample(path, competition)
    with contextlib.suppress(PipelineError):
        read_sample_style(path, competition)
    read_style(path)
    table = read_train(path, competition)
    read_test(path, competition, table.kinds)


def unpack(content: bytes, folder: Path, name: str) -> None:
    archive = folder / name
    archive.write_bytes(content)
    with tempfile.TemporaryDirectory(dir=folder) as target:
        try:
            open_source(archive, ("train.csv", "test.csv")).fetch(Path(target))
        finally:
            assert archive.read_bytes() == content
            for path in Path(target).rglob("*"):
                assert not path.is_symlink(), path


def unpack_tar(content: bytes, folder: Path) -> None:
    """Read a tar whose gzip is whole, or else the checksum would find each change."""
    whole = zlib.compressobj(1, zlib.DEFLATED, 31)
    unpack(whole.compress(content) + whole.flush(), folder, "a.tar.gz")


def archives(suffix: str) -> list[bytes]:
    buffer = io.BytesIO()
    files = {"train.csv": TRAIN, "deep/test.csv": TEST, "x/": ""}
    if suffix == ".zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, text in files.items():
                packed.writestr(name, text)
        stored = io.BytesIO()
        with zipfile.ZipFile(stored, "w") as packed:
            packed.writestr("test.csv", TEST)
            packed.writestr("inner.zip", buffer.getvalue())
        return [buffer.getvalue(), stored.getvalue()]
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            packed.addfile(info, io.BytesIO(text.encode()))
    return [buffer.getvalue()]


def check(content: bytes, folder: Path, competition: Competition, sample: pd.DataFrame) -> None:
    path = folder / "submission.csv"
    path.write_bytes(content)
    try:
        check_submission(competition, path, sample, pd.Series(["no", "yes"]).to_numpy())
    finally:
        assert path.read_bytes() == content


DACON = [
    b'{"message": "ok", "data": "x"}', b'{"message": "no", "data": 7}',
    b'{"isSubmitted": true, "detail": "Success"}', b'{"isSubmitted": false, "detail": "wrong"}',
]  # fmt: skip


def answer_of(content: bytes) -> requests.Response:
    """Return a service's answer; its blanks say with which status."""
    answer = requests.Response()
    answer.status_code = (400, 401, 408, 200, 429, 500, 503)[content.count(b" ") % 7]
    answer.headers["Content-Type"] = "application/json"
    answer.headers["Retry-After"] = content[:12].decode("latin-1").replace("\n", "")
    answer._content = content
    return answer


def read_dacon(content: bytes, folder: Path) -> None:
    """Read an answer of the service, or what its own package makes of one."""
    board = DaconBoard(url="http://localhost", number=1, team="a", token="planted", page="p")
    answer: Any = answer_of(content)
    if b"Submitted" in content:
        with contextlib.suppress(ValueError, RecursionError):
            answer = json.loads(content)
    board._receipt(answer)


KAGGLE = [
    b'{"ref": 1, "date": "2024-01-01T00:00:00Z", "status": "COMPLETE", "publicScore": "0.4"}',
    b'{"code": 403, "message": "no", "error": {"code": 429, "message": "slow"}}',
    b'{"date": "2024-01-01", "totalBytes": 12, "description": "x [kc 1 2]", "fileName": "a"}',
]


def read_kaggle(content: bytes, folder: Path) -> None:
    error = requests.HTTPError("refused", response=answer_of(content))
    assert "\n" not in refusals.reason_of(error)
    refusals.status_of(error)
    pause = refusals.pause_before(error, 1.0)
    assert pause is None or 0 <= pause <= refusals.LONGEST_PAUSE
    try:
        row = json.loads(content)
    except (ValueError, RecursionError):
        return
    if isinstance(row, dict):
        found = _submission(row)
        assert "\n" not in found.status + found.error


LEDGER = [
    b'{"sha256": "a", "run": "r", "time": "2024-01-01T00:00:00+00:00", "how": "kaggle", '
    b'"message": "", "status": "pending", "marker": "kc", "reference": null, "public": 0.1, '
    b'"private": null, "detail": ""}\n' * 2
]


def read_ledger(content: bytes, folder: Path) -> None:
    path = folder / "a.jsonl"
    path.write_bytes(content)
    load_ledger(path)
    assert path.read_bytes() == content


RUN = [
    json.dumps(
        dict.fromkeys(
            (
                "competition", "created", "data", "features", "folds", "kinds", "labels", "metric",
                "model", "origin", "predicting_folds", "rows", "score", "seconds", "seed",
                "skipped_folds", "standard_error", "validation",
            )
        )
    ).encode()
]  # fmt: skip


def read_run(content: bytes, folder: Path) -> None:
    (folder / "run.json").write_bytes(content)
    load_run(folder)


def guide(target: Target, cases: int) -> int:
    """Let atheris look for cases by the coverage of the code they reach."""
    import atheris

    with tempfile.TemporaryDirectory() as place:
        folder, corpus = Path(place) / "read", Path(place) / "corpus"
        folder.mkdir()
        corpus.mkdir()
        for number, content in enumerate(target.corpus):
            (corpus / str(number)).write_bytes(content)

        def one(content: bytes) -> None:
            what = fault_of(target, content, folder)
            if what:
                raise AssertionError(what)

        atheris.Setup([sys.argv[0], f"-runs={cases}", "-verbosity=0", str(corpus)], one)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
