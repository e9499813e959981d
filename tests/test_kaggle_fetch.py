"""Files from Kaggle, by the command and the real client: whole or not at all, and never twice."""

import contextlib
import json
import os
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import KC, SAMPLE, TEST, TOML, TRAIN, Done, files_of, write
from kaggle_server import KEY, TOKEN, Competition, Fault, KaggleServer, zip_of

Kc = Callable[..., Done]
SLUG = "bike-sharing-demand"
OR_ELSE = (
    "; or bring what you downloaded by browser: kc fetch bike --from ZIP_OR_DIR, "
    "or kc fetch bike --sample"
)


def noise(n_bytes: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(n_bytes)


FILES = {
    "train.csv": noise(300_000),
    "test.csv": noise(50_000, 2),
    "sampleSubmission.csv": b"datetime,count\n",
}


@pytest.fixture
def bike(
    kaggle_server: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Competition:
    """Kaggle has bike's files, and this process has a key."""
    kaggle_server.enter(monkeypatch, tmp_path / "home")
    return kaggle_server.add(SLUG, FILES)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def raw(work: Path, name: str = "bike") -> dict[str, bytes]:
    return files_of(work / "data" / name / "raw")


def downloads(work: Path) -> list[str]:
    return sorted(files_of(work / "data" / "bike" / "download"))


def ranges(server: KaggleServer) -> list[str | None]:
    """What each request for bytes asked for; None is all."""
    return [seen.headers.get("Range") for seen in server.asked("GET")]


# --- what arrives ---


@pytest.mark.usefixtures("bike")
def test_the_files_arrive_and_nothing_else_stays(
    kaggle_server: KaggleServer, kc_here: Kc, work: Path
) -> None:
    done = kc_here(work, "fetch", "bike", expect=0)
    assert done.out == ""
    assert done.err == (
        "fetch    3 files, 350.0 kB at Kaggle\n"
        "fetch    3 files, 350,015 bytes from kaggle bike-sharing-demand\n"
    )
    assert raw(work) == FILES
    assert downloads(work) == ["fetched.json"]
    assert kaggle_server.calls() == ["ListDataFiles", "DownloadDataFiles", "GET"]
    (got,) = kaggle_server.asked("GET")
    assert got.headers.get("Range") is None


def test_a_second_fetch_reads_no_byte_of_what_has_not_changed(
    kaggle_server: KaggleServer, bike: Competition, kc_here: Kc, work: Path
) -> None:
    kc_here(work, "fetch", "bike", expect=0)
    before = files_of(work)
    for tags in (True, False):
        bike.tags = tags
        if not tags:
            kc_here(work, "fetch", "bike", expect=0)  # that state has another name
        kaggle_server.forget()
        done = kc_here(work, "fetch", "bike", expect=0)
        assert done.err.endswith("bytes from kaggle bike-sharing-demand, unchanged\n")
        assert kaggle_server.sent == 0
        assert raw(work) == FILES
    assert files_of(work).keys() == before.keys()


@pytest.mark.parametrize("listed", [True, False], ids=["new dates", "new bytes"])
def test_what_has_changed_at_kaggle_is_downloaded(
    bike: Competition, kc_here: Kc, work: Path, listed: bool
) -> None:
    kc_here(work, "fetch", "bike", expect=0)
    bike.files["train.csv"] = noise(300_000, 3)
    bike.version += listed
    done = kc_here(work, "fetch", "bike", expect=0)
    assert "unchanged" not in done.err
    assert raw(work) == bike.files


@pytest.mark.usefixtures("bike")
def test_files_that_were_damaged_here_are_downloaded_again(kc_here: Kc, work: Path) -> None:
    kc_here(work, "fetch", "bike", expect=0)
    train = work / "data/bike/raw/train.csv"
    train.chmod(0o644)
    train.write_bytes(b"edited")
    kc_here(work, "fetch", "bike", expect=0)
    assert raw(work) == FILES


@pytest.mark.usefixtures("bike")
def test_files_brought_by_hand_are_compared_once_and_then_known(
    kaggle_server: KaggleServer, kc_here: Kc, work: Path, tmp_path: Path
) -> None:
    write(tmp_path / "bike.zip", zip_of(FILES))
    kc_here(work, "fetch", "bike", "--from", tmp_path / "bike.zip", expect=0)
    for sent in (True, False):
        kaggle_server.forget()
        assert "unchanged" in kc_here(work, "fetch", "bike", expect=0).err
        assert (kaggle_server.sent > 0) == sent


@pytest.mark.usefixtures("bike")
def test_real_files_take_the_place_of_a_sample(kc_here: Kc, work: Path) -> None:
    kc_here(work, "fetch", "bike", "--sample", expect=0)
    kc_here(work, "fetch", "bike", expect=0)
    assert raw(work) == FILES
    done = kc_here(work, "fetch", "bike", "--all", "--sample", expect=1)
    assert done.error() == "--all is of what Kaggle has; leave out --from and --sample"


def test_archives_inside_the_archive_are_opened(bike: Competition, kc_here: Kc, work: Path) -> None:
    inner = zip_of({"data/test.csv": FILES["test.csv"], "data/notes.txt": b"hello"})
    bike.bundle = zip_of({
        "data/train.csv.zip": zip_of({"train.csv": FILES["train.csv"]}),
        "data/rest.zip": inner,
        "data/sampleSubmission.csv": FILES["sampleSubmission.csv"],
    })  # fmt: skip
    kc_here(work, "fetch", "bike", expect=0)
    assert {name: raw(work)[name] for name in FILES} == FILES


def test_of_a_large_competition_only_the_declared_files_are_downloaded(
    kaggle_server: KaggleServer, bike: Competition, kc_here: Kc, work: Path
) -> None:
    images = {f"images/{number:03d}.png": b"png" for number in range(297)}
    bike.files = {f"data/{name}": content for name, content in FILES.items()} | images
    bike.sizes = {"images/007.png": 10**9}
    bike.packed = ("data/train.csv",)
    done = kc_here(work, "fetch", "bike", expect=0)
    assert done.err.startswith(
        "fetch    300 files, 1.0 GB at Kaggle; only train.csv, test.csv, sampleSubmission.csv of "
        "them (kc fetch --all brings the rest)\n"
    )
    assert raw(work) == FILES
    assert kaggle_server.calls().count("ListDataFiles") == 2
    asked = [seen.json["fileName"] for seen in kaggle_server.asked("DownloadDataFile")]
    assert asked == [f"data/{name}" for name in FILES]
    kaggle_server.forget()
    assert "unchanged" in kc_here(work, "fetch", "bike", expect=0).err
    assert kaggle_server.sent == 0
    kc_here(work, "fetch", "bike", "--all", expect=0)
    assert "DownloadDataFiles" in kaggle_server.calls()
    assert raw(work) == FILES  # images lie elsewhere, and are told of


@pytest.mark.usefixtures("bike")
def test_a_pasted_address_is_a_slug(kaggle_server: KaggleServer, kc_here: Kc, work: Path) -> None:
    kaggle_server.add("tiny", {"train.csv": b"1", "test.csv": b"2", "sample.csv": b"3"})
    address = "https://www.kaggle.com/competitions/tiny/data?select=train.csv"
    toml = TOML + f'[source]\nkind = "kaggle"\nslug = "{address}"\n'
    write(work / "competitions/tiny/competition.toml", toml)
    kc_here(work, "fetch", "tiny", expect=0)
    assert raw(work, "tiny") == {"train.csv": b"1", "test.csv": b"2", "sample.csv": b"3"}


# --- what breaks off ---


@pytest.mark.usefixtures("bike")
def test_a_dropped_connection_is_continued_where_it_broke_off(
    kaggle_server: KaggleServer, kc_here: Kc, work: Path
) -> None:
    kaggle_server.fail(SLUG, Fault("GET", drop_after=100_000, times=2))
    done = kc_here(work, "fetch", "bike", expect=0)
    assert raw(work) == FILES
    assert ranges(kaggle_server) == [None, "bytes=100000-", "bytes=200000-"]
    assert kaggle_server.sent == len(zip_of(FILES))
    assert len(re.findall("warning  localhost: connection lost; trying again in", done.err)) == 2


def test_without_ranges_a_dropped_download_starts_over(
    kaggle_server: KaggleServer, bike: Competition, kc_here: Kc, work: Path
) -> None:
    bike.ranges = False
    kaggle_server.fail(SLUG, Fault("GET", drop_after=200_000, times=1))
    kc_here(work, "fetch", "bike", expect=0)
    assert raw(work) == FILES


def test_files_of_unknown_length_are_continued_too(
    kaggle_server: KaggleServer, bike: Competition, kc_here: Kc, work: Path
) -> None:
    bike.lengths = False
    kaggle_server.fail(SLUG, Fault("GET", drop_after=100_000, times=2))
    kc_here(work, "fetch", "bike", expect=0)
    assert raw(work) == FILES
    assert ranges(kaggle_server) == [None, "bytes=100000-", "bytes=200000-"]


@pytest.mark.usefixtures("bike")
def test_a_refusal_in_a_resume_keeps_what_is_here(
    kaggle_server: KaggleServer, kc_here: Kc, work: Path
) -> None:
    kaggle_server.fail(SLUG, Fault("GET", drop_after=200_000, times=1), Fault("RANGE", 403))
    done = kc_here(work, "fetch", "bike", expect=1)
    assert done.err.splitlines()[-1] == (
        "error: localhost: Kaggle's storage refused the file (403 refused); nothing is lost, run "
        f"the same command again{OR_ELSE}"
    )
    part = work / f"data/bike/download/.{SLUG}.zip.part"
    size = part.stat().st_size
    assert size == 200_000
    assert part.read_bytes() == zip_of(FILES)[:size]
    assert not (work / "data/bike/raw").exists()
    kaggle_server.mend(SLUG)
    kaggle_server.forget()
    kc_here(work, "fetch", "bike", expect=0)
    assert ranges(kaggle_server) == [f"bytes={size}-"]
    assert kaggle_server.sent == len(zip_of(FILES)) - size
    assert raw(work) == FILES


def test_a_part_of_what_has_changed_since_is_not_continued(
    kaggle_server: KaggleServer, bike: Competition, kc_here: Kc, work: Path
) -> None:
    kaggle_server.fail(SLUG, Fault("GET", drop_after=200_000, times=1), Fault("RANGE", 403))
    kc_here(work, "fetch", "bike", expect=1)
    kaggle_server.mend(SLUG)
    bike.files["train.csv"] = noise(300_000, 4)
    kc_here(work, "fetch", "bike", expect=0)
    assert raw(work) == bike.files


@pytest.mark.usefixtures("bike")
@pytest.mark.parametrize("garbage", ["longer than the file", "no part", "damaged note"])
def test_a_part_that_does_not_fit_is_given_up(
    kaggle_server: KaggleServer, kc_here: Kc, work: Path, garbage: str
) -> None:
    kaggle_server.fail(SLUG, Fault("GET", drop_after=200_000, times=1), Fault("RANGE", 403))
    kc_here(work, "fetch", "bike", expect=1)
    kaggle_server.mend(SLUG)
    folder = work / "data/bike/download"
    if garbage == "longer than the file":
        (folder / f".{SLUG}.zip.part").write_bytes(noise(10**6))
    elif garbage == "no part":
        (folder / f".{SLUG}.zip.part").unlink()
    else:
        (folder / f".{SLUG}.zip.json").write_text("{")
    kc_here(work, "fetch", "bike", expect=0)
    assert raw(work) == FILES


def test_a_part_with_wrong_bytes_never_reaches_the_files(
    kaggle_server: KaggleServer, bike: Competition, kc_here: Kc, work: Path
) -> None:
    kc_here(work, "fetch", "bike", expect=0)
    bike.version = 2
    kaggle_server.fail(SLUG, Fault("GET", drop_after=200_000, times=1), Fault("RANGE", 403))
    kc_here(work, "fetch", "bike", expect=1)
    kaggle_server.mend(SLUG)
    part = work / f"data/bike/download/.{SLUG}.zip.part"
    part.write_bytes(bytes(part.stat().st_size))
    done = kc_here(work, "fetch", "bike", expect=1)
    assert "bike-sharing-demand.zip: cannot be unpacked, broken or cut off" in done.err
    assert raw(work) == FILES
    kc_here(work, "fetch", "bike", expect=0)
    assert ranges(kaggle_server)[-1] is None
    assert raw(work) == FILES


@pytest.mark.usefixtures("bike")
def test_a_length_that_promises_too_much_is_asked_after(
    kaggle_server: KaggleServer, kc_here: Kc, work: Path
) -> None:
    kaggle_server.fail(SLUG, Fault("GET", extra_length=1000))
    kc_here(work, "fetch", "bike", expect=0)
    assert ranges(kaggle_server) == [None, f"bytes={len(zip_of(FILES))}-"]
    assert raw(work) == FILES


@pytest.mark.usefixtures("bike")
def test_a_length_that_promises_too_little_is_noticed_by_the_archive(
    kaggle_server: KaggleServer, kc_here: Kc, work: Path
) -> None:
    kc_here(work, "fetch", "bike", "--sample", expect=0)
    before = raw(work)
    kaggle_server.fail(SLUG, Fault("GET", extra_length=-1000))
    done = kc_here(work, "fetch", "bike", expect=1)
    assert "bike-sharing-demand.zip: cannot be unpacked, broken or cut off" in done.err
    assert done.err.endswith(f"so that it starts over{OR_ELSE}\n")
    assert raw(work) == before
    kaggle_server.mend(SLUG)
    kc_here(work, "fetch", "bike", expect=0)
    assert raw(work) == FILES


def test_an_archive_that_leaves_its_folder_is_refused(
    bike: Competition, kc_here: Kc, work: Path, tmp_path: Path
) -> None:
    bike.bundle = zip_of({**FILES, "../../../evil.csv": b"evil"})
    done = kc_here(work, "fetch", "bike", expect=1)
    assert "bike-sharing-demand.zip: '../../../evil.csv' points out of the archive" in done.err
    assert not (work / "data/bike/raw").exists()
    assert not list(tmp_path.rglob("evil.csv"))


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="no prlimit here")
@pytest.mark.usefixtures("bike")
def test_a_full_disk_keeps_what_is_here(
    kaggle_server: KaggleServer, kc: Kc, kc_here: Kc, work: Path, tmp_path: Path
) -> None:
    env = kaggle_server.environment(tmp_path / "home")
    done = kc(work, "fetch", "bike", env=env, before=("prlimit", "--fsize=100000"), expect=1)
    part = work / f"data/bike/download/.{SLUG}.zip.part"
    assert done.err.splitlines()[-1] == (
        f"error: {part}: cannot be written: File too large; free some space or choose another "
        "--workspace"
    )
    size = part.stat().st_size
    assert 0 < size <= 100_000
    kaggle_server.forget()
    kc_here(work, "fetch", "bike", expect=0)
    assert ranges(kaggle_server) == [f"bytes={size}-"]
    assert raw(work) == FILES


@pytest.mark.usefixtures("bike")
@pytest.mark.parametrize("content", ["", "[]", "{}", '{"validators": 1}', '{"validators": {}}'])
def test_a_damaged_note_of_the_last_fetch_only_costs_a_download(
    kaggle_server: KaggleServer, kc_here: Kc, work: Path, content: str
) -> None:
    kc_here(work, "fetch", "bike", expect=0)
    write(work / "data/bike/download/fetched.json", content)
    kaggle_server.forget()
    kc_here(work, "fetch", "bike", expect=0)
    assert ranges(kaggle_server) == [None]
    kaggle_server.forget()
    kc_here(work, "fetch", "bike", expect=0)
    assert kaggle_server.sent == 0


def test_a_download_that_misses_a_declared_file_is_kept_for_a_better_declaration(
    kaggle_server: KaggleServer, bike: Competition, kc_here: Kc, work: Path
) -> None:
    bike.files = {**FILES, "sample.csv": FILES["sampleSubmission.csv"]}
    del bike.files["sampleSubmission.csv"]
    done = kc_here(work, "fetch", "bike", expect=1)
    assert "bike-sharing-demand.zip: sampleSubmission.csv not found; found sample.csv" in done.err
    built_in = Path(__file__).parents[1] / "competitions/bike/competition.toml"
    toml = built_in.read_text(encoding="utf-8").replace("sampleSubmission.csv", "sample.csv")
    write(work / "competitions/bike/competition.toml", toml)
    kaggle_server.forget()
    kc_here(work, "fetch", "bike", expect=0)
    assert kaggle_server.sent == 0
    assert raw(work) == bike.files


def waiting(is_true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


@pytest.fixture
def large(kaggle_server: KaggleServer, bike: Competition) -> Competition:
    """Kaggle has files of two megabytes."""
    bike.files = {**FILES, "train.csv": noise(2_000_000)}
    return bike


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let children be interrupted, though this process was started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(server: KaggleServer, work: Path, home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [KC, "--workspace", work, *arguments], env=server.environment(home),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_a_process_that_is_ended_is_continued_by_the_next(
    kaggle_server: KaggleServer,
    large: Competition,
    kc_here: Kc,
    work: Path,
    tmp_path: Path,
    end: int,
) -> None:
    part = work / f"data/bike/download/.{SLUG}.zip.part"
    kaggle_server.hold_after = 300_000
    process = start(kaggle_server, work, tmp_path / "home", "fetch", "bike")
    waiting(lambda: part.is_file() and part.stat().st_size > 300_000)
    assert kc_here(work, "fetch", "bike", expect=1).err.splitlines()[-1].startswith(
        f"error: {work}/data/bike: another kc fetch is at work"
    )  # fmt: skip
    process.send_signal(end)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if end == signal.SIGKILL else 130), err
    size = part.stat().st_size
    kaggle_server.hold_after = None
    kaggle_server.forget()
    kc_here(work, "fetch", "bike", expect=0)
    assert ranges(kaggle_server) == [f"bytes={size}-"]
    assert raw(work) == large.files
    assert sorted(path.name for path in (work / "data/bike").iterdir()) == [
        "download", "manifest.json", "raw",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("large")
def test_a_terminal_shows_how_far_it_is(
    kaggle_server: KaggleServer, work: Path, tmp_path: Path
) -> None:
    kaggle_server.pace = 0.05
    terminal, child = pty.openpty()
    process = subprocess.Popen(
        [KC, "--workspace", work, "fetch", "bike"],
        env={**kaggle_server.environment(tmp_path / "home"), "TERM": "xterm", "COLUMNS": "100"},
        stdin=child, stdout=child, stderr=child,
    )  # fmt: skip
    os.close(child)
    shown = b""
    while select.select([terminal], [], [], 120)[0]:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
    os.close(terminal)
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown.decode("utf-8"))
    assert re.search(r"bike-sharing[^\r]* \d+\.\d [kM]B of 2\.1 MB", text)
    assert "fetch    3 files, 2,050,015 bytes from kaggle bike-sharing-demand" in text


# --- what is refused ---


@pytest.mark.usefixtures("bike")
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("DownloadDataFiles", 403, "You must accept this competition's rules"),
         "accept its rules at https://www.kaggle.com/competitions/bike-sharing-demand/rules"),
        (Fault("RPC", 401, "Unauthenticated", nested=True),
         "Kaggle refused the key of KAGGLE_USERNAME and KAGGLE_KEY (401 Unauthenticated)"),
        (Fault("DownloadDataFiles", 404, "Not found"),
         "https://www.kaggle.com/competitions/bike-sharing-demand/data: Kaggle does not have that"),
        (Fault("RPC", 429, retry_after="3600"), "too many requests (429); try again in 3600 s"),
        (Fault("GET", 429, retry_after="3600"), "too many requests (429); try again in 3600 s"),
        (Fault("DownloadDataFiles", 403, "Denied", soft=True), "Kaggle refused bike-sharing-dem"),
    ],
    ids=["rules", "credential", "missing", "limited", "limited storage", "soft"],
)  # fmt: skip
def test_a_refusal_is_one_line_and_changes_nothing(
    kaggle_server: KaggleServer, kc_here: Kc, work: Path, fault: Fault, said: str
) -> None:
    kc_here(work, "fetch", "bike", "--sample", expect=0)
    before = files_of(work)
    kaggle_server.fail(SLUG, fault)
    done = kc_here(work, "fetch", "bike", expect=1)
    *notes, error = done.err.splitlines()
    assert error.startswith("error: ")
    assert said in error
    assert error.endswith(OR_ELSE)
    assert all(note.startswith("fetch ") for note in notes)
    assert files_of(work) == before


@pytest.mark.usefixtures("bike")
def test_a_competition_that_is_gone_gets_the_nearest_that_is_there(
    kaggle_server: KaggleServer, kc_here: Kc, work: Path
) -> None:
    kaggle_server.competitions["bike-sharing-demand-2"] = kaggle_server.competitions.pop(SLUG)
    kaggle_server.competitions["bike-sharing-demand-2"].slug = "bike-sharing-demand-2"
    assert kc_here(work, "fetch", "bike").error() == (
        "no competition 'bike-sharing-demand' at Kaggle (404: Not found); did you mean "
        f"'bike-sharing-demand-2'?{OR_ELSE}"
    )
    assert not work.exists()


@pytest.mark.usefixtures("bike")
def test_run_fetches_what_is_not_here(kaggle_server: KaggleServer, kc_here: Kc, work: Path) -> None:
    declare_tiny(kaggle_server, work)
    done = kc_here(work, "run", "tiny", "--json", expect=0)
    assert json.loads(done.out)["competition"] == "tiny"
    assert "GET" in kaggle_server.calls()
    kaggle_server.forget()
    kc_here(work, "run", "tiny", "--json", expect=0)
    assert kaggle_server.seen == []


def declare_tiny(server: KaggleServer, work: Path) -> None:
    """Make tiny a competition at Kaggle."""
    names = ("train.csv", "test.csv", "sample.csv")
    content = (text.encode() for text in (TRAIN, TEST, SAMPLE))
    server.add("tiny", dict(zip(names, content, strict=True)))
    toml = TOML + '[source]\nkind = "kaggle"\nslug = "tiny"\n'
    write(work / "competitions/tiny/competition.toml", toml)


@pytest.mark.slow
def test_no_secret_is_in_an_output_a_file_or_a_command_line(
    kaggle_server: KaggleServer, kc: Kc, work: Path, tmp_path: Path
) -> None:
    declare_tiny(kaggle_server, work)
    by_key = {**kaggle_server.environment(tmp_path / "home"), "VERBOSE": "1"}
    by_token = {**by_key, "KAGGLE_API_TOKEN": TOKEN}  # the key is there too, and not used
    kaggle_server.fail("*", Fault("GET", drop_after=100, times=1))
    with command_lines() as lines:
        outputs = [kc(work, "run", "tiny", env=by_key), kc(work, "fetch", "tiny", env=by_token)]
        kaggle_server.fail("tiny", Fault("RPC", 401, f"bad {TOKEN}", times=1))
        outputs.append(kc(work, "--debug", "fetch", "tiny", env=by_token, expect=1))
        kaggle_server.fail("tiny", Fault("GET", 403, f"bad {KEY}", times=1))
        kaggle_server.competitions["tiny"].version = 2
        outputs.append(kc(work, "--debug", "fetch", "tiny", env=by_key, expect=1))
    assert "Traceback" in outputs[-1].err
    assert any(b"--workspace" in line for line in lines) or not Path("/proc").is_dir()
    sent = {seen.headers.get("Authorization", "none").split()[-1] for seen in kaggle_server.seen}
    planted = {KEY, TOKEN, "planted-signature", *sent} - {"none"}
    assert len(planted) == 4  # the key is sent in another form
    kept = files_of(work)
    assert any(name.startswith("runs/") for name in kept)
    for hidden in planted:
        assert not any(hidden in done.out + done.err for done in outputs), hidden
        assert not any(hidden.encode() in content for content in kept.values()), hidden
        assert not any(hidden.encode() in line for line in lines), hidden


@contextlib.contextmanager
def command_lines() -> Iterator[set[bytes]]:
    """Collect the argument lists of all processes that are alive meanwhile."""
    ended, found = threading.Event(), set[bytes]()

    def watch() -> None:
        while not ended.wait(0.1):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):  # it ended meanwhile
                    found.add(path.read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


# --- kc files ---


@pytest.fixture
def many(kaggle_server: KaggleServer, bike: Competition) -> Competition:
    bike.files = {f"images/{number:03d}.png": bytes(number) for number in range(300)}
    bike.sizes = {"images/299.png": 1_234_567_890}
    return bike


@pytest.mark.usefixtures("many")
def test_files_lists_all_pages(kaggle_server: KaggleServer, kc_here: Kc, work: Path) -> None:
    done = kc_here(work, "files", "bike", expect=0)
    head, *rows = done.out.splitlines()
    assert head == "name            size       created"
    assert rows[0] == "images/000.png  0 bytes    2024-05-06 07:08"
    assert rows[-1] == "images/299.png  1.2 GB     2024-05-06 07:08"
    assert len(rows) == 300
    assert done.err == "files    300 files, 1.2 GB at Kaggle\n"
    asked = [seen.json.get("pageToken", "") for seen in kaggle_server.seen]
    assert asked == ["", "200"]
    assert not work.exists()


@pytest.mark.usefixtures("many")
def test_files_for_programs_are_all_that_is_on_stdout(kc_here: Kc, work: Path) -> None:
    done = kc_here(work, "files", "bike", "--csv", expect=0)
    assert done.err == ""
    assert done.out.splitlines()[:2] == [
        "name,size,created", "images/000.png,0,2024-05-06T07:08:09Z",
    ]  # fmt: skip
    done = kc_here(work, "files", "bike", "--json", expect=0)
    rows = json.loads(done.out)
    assert len(rows) == 300
    assert rows[-1] == {
        "name": "images/299.png", "size": 1_234_567_890, "created": "2024-05-06T07:08:09Z",
    }  # fmt: skip


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("address", ["https://www.kaggle.com/c/{}", "kaggle.com/competitions/{}/"])
def test_files_takes_an_address(kc_here: Kc, work: Path, address: str) -> None:
    done = kc_here(work, "files", address.format(SLUG), "--csv", expect=0)
    assert len(done.out.splitlines()) == 301


@pytest.mark.usefixtures("bike")
def test_files_says_what_it_cannot_list(
    kaggle_server: KaggleServer, kc_here: Kc, work: Path
) -> None:
    assert kc_here(work, "files", "ddarung").error() == (
        "ddarung: only Kaggle lists its files; see https://dacon.io/competitions/open/235576"
    )
    assert "did you mean 'bike'?" in kc_here(work, "files", "bikes").error()
    assert kc_here(work, "fetch", f"kaggle.com/c/{SLUG}").error() == (
        f"kaggle.com/c/{SLUG}: expected a competition's name, found an address; kc list shows the "
        "names"
    )
    assert kc_here(work, "files", "kaggle.com/c/bike-sharing").error().endswith(
        "did you mean 'bike-sharing-demand'?"
    )  # fmt: skip
    kaggle_server.add("empty", {})
    assert kc_here(work, "files", "kaggle.com/c/empty").out == "nothing yet\n"
    assert kc_here(work, "files", "kaggle.com/c/empty", "--csv").out == "name,size,created\n"


@pytest.mark.usefixtures("bike")
def test_a_list_that_never_ends_is_given_up(
    kaggle_server: KaggleServer, kc_here: Kc, work: Path
) -> None:
    page = json.dumps({"files": [{"name": "a"}], "nextPageToken": "again"}).encode()
    kaggle_server.fail(SLUG, Fault("ListDataFiles", raw=(page, "application/json")))
    assert kc_here(work, "files", "bike").error() == (
        "localhost: the list of files of bike-sharing-demand does not end; try again later"
    )
