import json
import random
import shutil
import stat
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import DataError, SourceError, StorageError
from pipeline.raw import Manifest, RawFile, bring, load_manifest, verify
from pipeline.sources.files import FilesSource

PROJECT = Path(__file__).parents[1]
OLD = {"train.csv": b"id,count\n1,16\n", "test.csv": b"id\n3\n"}
NEW = {"train.csv": b"id,count\n1,17\n", "test.csv": b"id\n3\n", "notes.txt": b"corrected"}


@dataclass(frozen=True)
class Given:
    """A source of files in sight; it can break off after having written them."""

    files: dict[str, bytes]
    error: Exception | None = None
    origin: str = "given"

    def fetch(self, folder: Path) -> None:
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        if self.error:
            raise self.error


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    """The bytes and the time of change of all files below a folder, hidden ones too."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def raw_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "raw").iterdir())}


@pytest.fixture
def bike(tmp_path):
    return tmp_path / "data" / "bike"


def test_files_arrive_read_only_with_a_manifest(bike):
    manifest, changed = bring(Given({"train.csv": b"id\n1\n"}, origin="zip 자전거.zip"), bike)
    sha256 = "7cde7fb64fd82bd152710cf238e017b9ab46c0592483edc067ba4f6c75fac108"
    assert changed
    assert manifest == Manifest("zip 자전거.zip", manifest.time, (RawFile("train.csv", sha256, 5),))
    assert json.loads((bike / "manifest.json").read_text(encoding="utf-8")) == {
        "origin": "zip 자전거.zip",
        "time": manifest.time,
        "files": [{"name": "train.csv", "sha256": sha256, "bytes": 5}],
    }
    assert raw_files(bike) == {"train.csv": b"id\n1\n"}
    assert stat.S_IMODE((bike / "raw" / "train.csv").stat().st_mode) == 0o444
    assert sorted(path.name for path in bike.iterdir()) == ["manifest.json", "raw"]
    assert load_manifest(bike) == verify(bike) == manifest


def test_the_time_is_utc_to_the_second(bike):
    manifest, _ = bring(Given(OLD), bike)
    moment = datetime.strptime(manifest.time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


def test_the_same_bytes_again_touch_nothing(bike):
    first, _ = bring(Given(OLD), bike)
    before = everything(bike)
    assert bring(Given(OLD, origin="another zip"), bike) == (first, False)
    assert everything(bike) == before


def test_other_bytes_take_the_place_of_the_old_ones(bike):
    bring(Given(OLD), bike)
    manifest, changed = bring(Given(NEW), bike)
    assert changed
    assert [file.name for file in manifest.files] == ["notes.txt", "test.csv", "train.csv"]
    assert raw_files(bike) == NEW
    bring(Given(OLD), bike)
    assert raw_files(bike) == OLD
    verify(bike)


def test_files_in_folders_are_kept_in_folders(bike, tmp_path):
    class Nested(Given):
        def fetch(self, folder: Path) -> None:
            (folder / "images").mkdir()
            (folder / "images" / "1.png").write_bytes(b"png")

    manifest, _ = bring(Nested({}), bike)
    assert [file.name for file in manifest.files] == ["images/1.png"]
    verify(bike)


@pytest.mark.parametrize("error", [SourceError("broken"), ValueError("a bug")])
def test_a_source_that_breaks_off_changes_nothing(bike, error):
    bring(Given(OLD), bike)
    before = everything(bike)
    with pytest.raises(type(error), match=str(error)):
        bring(Given(NEW, error), bike)
    assert everything(bike) == before
    assert sorted(path.name for path in bike.iterdir()) == ["manifest.json", "raw"]


def test_a_first_fetch_that_fails_leaves_no_folder(bike):
    with pytest.raises(SourceError, match="broken"):
        bring(Given(NEW, SourceError("broken")), bike)
    assert not bike.exists()


def test_without_files_the_message_says_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert load_manifest(Path("data/bike")) is None
    with pytest.raises(DataError) as caught:
        verify(Path("data/bike"))
    assert str(caught.value) == (
        "data/bike/raw: no files yet; run kc fetch bike, or kc fetch bike --from ZIP_OR_DIR, "
        "or kc fetch bike --sample"
    )


def test_files_put_there_by_hand_can_be_brought_from_where_they_are(bike):
    (bike / "raw").mkdir(parents=True)
    for name, content in OLD.items():
        (bike / "raw" / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        verify(bike)
    assert str(caught.value) == (
        f"{bike}/raw: files without a manifest; run kc fetch bike --from {bike}/raw"
    )
    _, changed = bring(FilesSource(bike / "raw", tuple(OLD)), bike)
    assert changed
    assert raw_files(bike) == OLD
    verify(bike)


def test_a_file_of_the_persons_own_is_not_removed(bike):
    bring(Given(OLD), bike)
    (bike / "raw" / "my_notes.txt").write_bytes(b"mine")
    (bike / "raw" / ".DS_Store").write_bytes(b"nobody's")
    before = everything(bike)
    assert not bring(Given(OLD), bike)[1]
    with pytest.raises(DataError) as caught:
        bring(Given(NEW), bike)
    assert str(caught.value) == (
        f"{bike}/raw/my_notes.txt: was not brought by kc fetch; move it elsewhere, then fetch"
    )
    assert everything(bike) == before
    (bike / "raw" / "my_notes.txt").unlink()
    assert bring(Given(NEW), bike)[1]


def edit(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def test_a_changed_file_is_noticed_and_a_fetch_mends_it(bike):
    bring(Given(OLD), bike)
    train = bike / "raw" / "train.csv"
    for damage, fault in [
        (lambda: edit(train, OLD["train.csv"] + b"2,40\n"), "expected 14 bytes, found 19"),
        (lambda: edit(train, b"id,count\n1,61\n"), "its bytes are not those that were fetched"),
        (lambda: train.unlink(), "is missing"),
        (lambda: shutil.rmtree(bike / "raw"), None),
    ]:
        damage()
        with pytest.raises(DataError) as caught:
            verify(bike)
        if fault:
            assert str(caught.value) == f"{train}: {fault}; run kc fetch bike again"
        assert bring(Given(OLD), bike)[1]
        assert raw_files(bike) == OLD
        verify(bike)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"files": [1]}', b"\xff", b'{"files":'])
def test_a_damaged_manifest_is_named(bike, content):
    bring(Given(OLD), bike)
    (bike / "manifest.json").write_bytes(content)
    for call in (load_manifest, verify, lambda folder: bring(Given(NEW), folder)):
        with pytest.raises(DataError) as caught:
            call(bike)
        assert str(caught.value).startswith(
            f"{bike}/manifest.json: expected a manifest of kc fetch"
        )
        assert f"move it and {bike}/raw elsewhere, then fetch again" in str(caught.value)
    assert raw_files(bike) == OLD


def test_two_fetches_at_once_do_not_meet(bike):
    class Slow(Given):
        def fetch(self, folder: Path) -> None:
            with pytest.raises(StorageError, match="another kc fetch is at work; wait for its end"):
                bring(Given(NEW), bike)
            super().fetch(folder)

    assert bring(Slow(OLD), bike)[1]
    assert raw_files(bike) == OLD


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "data").write_bytes(b"a file")
    with pytest.raises(StorageError, match=r"data/bike: cannot be written: .*directory"):
        bring(Given(OLD), tmp_path / "data" / "bike")
    assert (tmp_path / "data").read_bytes() == b"a file"


def in_child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start Python on a few lines after those that they share."""
    command = [sys.executable, "-c", SHARED + code, *map(str, arguments)]
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=PROJECT
    )


SHARED = """
import itertools, os, resource, sys
from pathlib import Path
from pipeline.errors import StorageError
from pipeline.raw import bring
from pipeline.sources.files import FilesSource

def bring_from(source):
    bring(FilesSource(Path(source), ("train.csv",)), Path(sys.argv[1]))
"""
FULL_DISK = """
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    bring_from(sys.argv[2])
except StorageError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train.csv", "bike.zip"])
def test_a_full_disk_is_a_storage_error_and_leaves_the_old_files(bike, tmp_path, name):
    bring(Given(OLD), bike)
    before = everything(bike)
    large = random.Random(0).randbytes(100_000)
    if name == "bike.zip":
        with zipfile.ZipFile(tmp_path / name, "w") as bundle:
            bundle.writestr("train.csv", large)
        source = tmp_path / name
    else:
        source = tmp_path / "downloads"
        source.mkdir()
        (source / name).write_bytes(large)
    printed, errors = in_child(FULL_DISK, bike, source).communicate(timeout=60)
    assert errors == ""
    assert printed.count("\n") == 1
    assert "cannot be written: File too large; free some space" in printed
    assert everything(bike) == before
    assert sorted(path.name for path in bike.iterdir()) == ["manifest.json", "raw"]


STOP_AT_STEP = """
steps = itertools.count()

def count(event, arguments):
    changes = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod")
    if changes or (event == "open" and sys.argv[1] in str(arguments)):
        if next(steps) == int(sys.argv[3]):
            os._exit(9)

sys.addaudithook(count)
bring_from(sys.argv[2])
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.parametrize("files", [OLD, NEW], ids=["same", "other"])
def test_a_process_that_ends_at_any_step_leaves_the_old_files_or_the_new(bike, tmp_path, files):
    bring(Given(OLD), bike)
    source = downloaded(tmp_path / "downloads", files)
    outcomes = set()
    for step in range(200):
        copy = tmp_path / str(step) / "bike"
        shutil.copytree(bike, copy)
        child = in_child(STOP_AT_STEP, copy, source, step)
        _, errors = child.communicate(timeout=60)
        assert errors == ""
        assert not (copy / "raw").exists() or raw_files(copy) in (OLD, NEW)
        outcomes.add(check_whole(copy))
        bring(Given(NEW), copy)
        assert raw_files(copy) == NEW
        assert sorted(path.name for path in copy.iterdir()) == ["manifest.json", "raw"]
        if child.returncode == 0:
            break
    assert child.returncode == 0
    assert step > 15
    assert outcomes == ({"old"} if files == OLD else {"old", "new"})


def downloaded(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def check_whole(folder: Path) -> str:
    """Tell which files are there, after proving that all of them are."""
    manifest = verify(folder)
    files = raw_files(folder)
    assert [file.name for file in manifest.files] == sorted(files)
    assert files in (OLD, NEW)
    return "old" if files == OLD else "new"


FOREVER = """
print("ready", flush=True)
for source in itertools.cycle(sys.argv[2:]):
    bring_from(source)
"""


@pytest.mark.slow
def test_a_process_killed_at_any_moment_leaves_the_old_files_or_the_new(bike, tmp_path):
    bring(Given(OLD), bike)
    old, new = downloaded(tmp_path / "old", OLD), downloaded(tmp_path / "new", NEW)
    chance = random.Random(0)
    for _ in range(20):
        child = in_child(FOREVER, bike, new, old, old)
        assert child.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.05))
        child.kill()
        _, errors = child.communicate(timeout=60)
        assert errors == ""
        assert child.returncode == -9
        check_whole(bike)
    bring(Given(OLD), bike)
    assert sorted(path.name for path in bike.iterdir()) == ["manifest.json", "raw"]


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=50)
def test_a_zip_of_any_bytes_never_changes_what_was_there(tmp_path_factory, content):
    home = tmp_path_factory.mktemp("home")
    bring(Given(OLD), home / "bike")
    before = everything(home / "bike")
    (home / "bike.zip").write_bytes(content)
    with pytest.raises(SourceError):
        bring(FilesSource(home / "bike.zip", ("train.csv",)), home / "bike")
    assert everything(home / "bike") == before
