import gzip
import io
import itertools
import os
import random
import re
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError, StorageError
from pipeline.progress import Warned, listening
from pipeline.sources.archives import Limits
from pipeline.sources.files import FilesSource, open_source

DATA = Path(__file__).parents[2] / "shared" / "data"
WANTED = ("train.csv", "test.csv", "sample.csv")
BIKE = {
    "train.csv": b"id,count\n1,16\n2,40\n",
    "test.csv": b"id\n3\n",
    "sample.csv": b"id,count\n3,0\n",
}


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def tarred(members: list[tuple[tarfile.TarInfo, bytes]], encoding: str = "utf-8") -> bytes:
    packed = io.BytesIO()
    form = tarfile.GNU_FORMAT
    with tarfile.open(fileobj=packed, mode="w:gz", format=form, encoding=encoding) as archive:
        for member, content in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def fetched(path: Path, wanted: tuple[str, ...] = WANTED, limits: Limits | None = None):
    """What arrives in an empty folder."""
    target = path.parent / f"target-{next(_numbers)}"
    target.mkdir()
    FilesSource(path, wanted, limits or Limits()).fetch(target)
    return contents(target)


_numbers = itertools.count()


def refused(path: Path, **choices) -> str:
    """The one line with which a path is refused."""
    with pytest.raises(SourceError) as caught:
        fetched(path, **choices)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def archive(tmp_path):
    def write(content: bytes, name: str = "bike.zip") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


# Folders


def test_a_folder_hands_over_the_wanted_files_and_those_beside_them(tmp_path):
    folder = put(tmp_path / "bike", {**BIKE, "data_description.txt": b"count: rentals"})
    assert fetched(folder) == {**BIKE, "data_description.txt": b"count: rentals"}


def test_a_wanted_file_is_found_deep_and_in_any_case_and_takes_its_declared_name(tmp_path):
    folder = put(
        tmp_path / "bike",
        {"a/b/TRAIN.CSV": BIKE["train.csv"], "a/Test.csv": b"id\n3\n", "sample.csv": b"id\n"},
    )
    assert fetched(folder) == {**BIKE, "sample.csv": b"id\n"}


def test_a_name_of_decomposed_letters_is_the_declared_one(tmp_path):
    folder = put(tmp_path / "bike", {unicodedata.normalize("NFD", "학습.csv"): b"id\n1\n"})
    assert fetched(folder, wanted=("학습.csv",)) == {"학습.csv": b"id\n1\n"}


def test_hidden_files_and_macosx_do_not_count(tmp_path):
    extra = {"__MACOSX/train.csv": b"x", ".git/test.csv": b"y", ".DS_Store": b"z"}
    assert fetched(put(tmp_path / "bike", {**BIKE, **extra})) == BIKE


def test_files_of_other_folders_are_left_out_with_a_warning(tmp_path):
    folder = put(tmp_path / "bike", {**BIKE, "images/1.png": b"1", "images/2.png": b"2"})
    events = []
    with listening(events.append):
        assert fetched(folder) == BIKE
    assert events == [
        Warned(f"{folder}: left out 2 of 5 files, such as {folder}/images/1.png"),
    ]


def test_two_neighbours_of_one_name_leave_the_second_out(tmp_path):
    files = {f"{name[:-4]}/{name}": content for name, content in BIKE.items()}
    notes = {"train/readme.txt": b"train", "test/readme.txt": b"test"}
    with listening([].append):
        assert fetched(put(tmp_path / "bike", files | notes)) == {**BIKE, "readme.txt": b"test"}


@pytest.mark.parametrize("name", ["train.csv.zip", "train.zip", "TRAIN.CSV.ZIP"])
def test_a_wanted_file_may_lie_zipped_in_a_folder(tmp_path, name):
    files = {name: zipped({"train.csv": BIKE["train.csv"]}), "readme.txt": b"read"}
    folder = put(tmp_path / "bike", {**BIKE, **files})
    (folder / "train.csv").unlink()
    assert fetched(folder) == {**BIKE, "readme.txt": b"read"}


def test_a_zip_is_not_opened_for_a_file_that_is_there(tmp_path):
    folder = put(tmp_path / "bike", {**BIKE, "train.csv.zip": b"not even a zip"})
    assert fetched(folder) == {**BIKE, "train.csv.zip": b"not even a zip"}


def test_a_folder_that_only_holds_the_bundle_is_as_good_as_the_bundle(tmp_path):
    assert fetched(put(tmp_path / "bike", {"bike.zip": zipped(BIKE)})) == BIKE


def test_unrelated_zips_of_a_folder_are_not_opened(tmp_path):
    folder = put(tmp_path / "bike", {"a.zip": zipped(BIKE), "b.zip": zipped(BIKE)})
    assert refused(folder) == (
        f"{folder}: train.csv, test.csv, sample.csv not found; found a.zip, b.zip; is this the "
        "right competition? Names are declared under [files] in competition.toml"
    )


def test_two_different_files_of_one_wanted_name_are_refused(tmp_path):
    folder = put(tmp_path / "bike", {**BIKE, "old/train.csv": b"id,count\n1,99\n2,40\n"})
    assert refused(folder) == (
        f"{folder}/train.csv and {folder}/old/train.csv: both are train.csv, and they differ; "
        "remove the one that is not meant"
    )


def test_two_equal_files_of_one_wanted_name_are_one(tmp_path):
    with listening([].append):
        assert fetched(put(tmp_path / "bike", {**BIKE, "a/train.csv": BIKE["train.csv"]})) == BIKE


def test_a_missing_file_is_answered_with_what_was_found_and_the_nearest_name(tmp_path):
    folder = put(tmp_path / "bike", {**BIKE, "readme.txt": b""})
    wanted = ("train.csv", "test.csv", "sample_submission.csv", "simple.csv")
    assert refused(folder, wanted=wanted) == (
        f"{folder}: sample_submission.csv, simple.csv not found; found readme.txt, sample.csv, "
        "test.csv, train.csv; did you mean 'sample.csv'? "
        "Names are declared under [files] in competition.toml"
    )


def test_of_many_files_found_ten_are_named(tmp_path):
    folder = put(tmp_path / "bike", {f"{i:02d}.png": b"" for i in range(12)})
    assert "found 00.png, 01.png, 02.png, 03.png, 04.png" in refused(folder)
    assert "09.png and 2 more; is this the right competition?" in refused(folder)


def test_an_empty_folder_holds_no_files(tmp_path):
    (tmp_path / "bike").mkdir()
    assert "not found; found no files;" in refused(tmp_path / "bike")


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    put(tmp_path / "elsewhere", {"secret.csv": b"secret"})
    folder = put(tmp_path / "bike", BIKE)
    (folder / "notes.csv").symlink_to(tmp_path / "elsewhere" / "secret.csv")
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    assert fetched(folder) == BIKE
    (folder / "train.csv").unlink()
    (folder / "train.csv").symlink_to(tmp_path / "elsewhere" / "secret.csv")
    assert refused(folder) == (
        f"{folder}/train.csv: is a link out of {folder}, which is not followed; "
        "give the folder that holds the file itself"
    )


def test_a_link_inside_the_folder_is_the_file_it_leads_to(tmp_path):
    folder = put(tmp_path / "bike", {**BIKE, ".store/0f3a": b"id,count\n"})
    (folder / "train.csv").unlink()
    (folder / "train.csv").symlink_to(folder / ".store" / "0f3a")
    assert fetched(folder) == {**BIKE, "train.csv": b"id,count\n"}


def test_a_pipe_in_the_folder_is_no_file(tmp_path):
    folder = put(tmp_path / "bike", BIKE)
    os.mkfifo(folder / "train.pipe")
    assert fetched(folder) == BIKE


def test_a_folder_of_very_many_files_is_refused(tmp_path):
    folder = put(tmp_path / "bike", BIKE)
    assert refused(folder, limits=Limits(entries=2)) == (
        f"{folder}: holds more than 2 files; give a folder below it"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(tmp_path):
    folder = put(tmp_path / "bike", BIKE)
    (folder / "train.csv").chmod(0)
    assert refused(folder) == f"{folder}/train.csv: cannot be read: Permission denied; check it"


# Zips


def test_a_zip_is_unpacked(archive):
    assert fetched(archive(zipped(BIKE))) == BIKE


def test_folders_in_a_zip_are_flattened_to_the_one_with_the_wanted_files(archive):
    files = {f"open/data/{name}": content for name, content in BIKE.items()}
    extra = {"open/data/description.txt": b"d", "__MACOSX/open/data/._train.csv": b"m"}
    assert fetched(archive(zipped({**files, **extra}))) == {**BIKE, "description.txt": b"d"}


def test_zips_in_a_zip_are_opened_three_deep(archive):
    inner = {f"{name}.zip": zipped({name: content}) for name, content in BIKE.items()}
    two = zipped({**inner, "description.txt": b"d"})
    assert fetched(archive(two)) == {**BIKE, "description.txt": b"d"}
    four = zipped({"open.zip": zipped({"more.zip": two})})
    assert fetched(archive(four)) == {**BIKE, "description.txt": b"d"}
    path = archive(zipped({"all.zip": four}))
    assert refused(path) == (
        f"{path}: archives lie more than 3 deep in it; unpack it yourself and give its folder"
    )


def test_korean_names_of_every_kind_of_zip_are_read(archive):
    wanted = ("학습자료.csv",)
    flagged = zipped({"학습자료.csv": b"1"})
    assert fetched(archive(flagged), wanted=wanted) == {"학습자료.csv": b"1"}
    for encoding, stand_in in (("cp949", b"ABCDEFGH.csv"), ("utf-8", b"ABCDEFGHIJKL.csv")):
        raw = zipped({stand_in.decode(): b"1"})
        raw = raw.replace(stand_in, "학습자료.csv".encode(encoding))
        assert fetched(archive(raw), wanted=wanted) == {"학습자료.csv": b"1"}
    old = tarred([(tarfile.TarInfo("학습자료.csv"), b"1")], encoding="cp949")
    assert fetched(archive(old, "bike.tgz"), wanted=wanted) == {"학습자료.csv": b"1"}


def test_a_tar_and_a_gz_are_unpacked(archive):
    files = [(tarfile.TarInfo(f"./open/{name}"), content) for name, content in BIKE.items()]
    folder = tarfile.TarInfo("./open")
    folder.type = tarfile.DIRTYPE
    for name in ("bike.tar.gz", "bike.tgz"):
        assert fetched(archive(tarred([(folder, b""), *files]), name)) == BIKE
    packed = {f"{name}.gz": gzip.compress(content) for name, content in BIKE.items()}
    assert fetched(archive(zipped(packed))) == BIKE
    assert fetched(archive(gzip.compress(b"id\n"), "train.csv.gz"), wanted=("train.csv",)) == {
        "train.csv": b"id\n"
    }


def test_the_origin_names_the_kind_and_the_file(archive, tmp_path):
    assert FilesSource(archive(b""), WANTED).origin == "zip bike.zip"
    assert FilesSource(archive(b"", "a.tar.gz"), WANTED).origin == "tar.gz a.tar.gz"
    assert FilesSource(tmp_path, WANTED).origin == f"folder {tmp_path}"


def test_open_source_takes_a_folder_or_an_archive_and_nothing_else(archive, tmp_path):
    assert open_source(tmp_path, WANTED) == FilesSource(tmp_path, WANTED)
    assert open_source(archive(b""), WANTED) == FilesSource(tmp_path / "bike.zip", WANTED)
    expected = "expected a .zip, .tar.gz or folder that holds train.csv, test.csv, sample.csv"
    single = archive(b"id\n", "train.csv")
    with pytest.raises(SourceError) as caught:
        open_source(single, WANTED)
    assert str(caught.value) == (
        f"{single}: {expected}, found a single file; give its folder or the zip"
    )
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path / "nothing.zip", WANTED)
    assert str(caught.value) == (
        f"{tmp_path}/nothing.zip: {expected}, found nothing there; check the path"
    )


# Broken archives


def test_a_page_that_was_saved_as_zip_is_no_zip(archive):
    path = archive(b"<!DOCTYPE html><title>Sign in</title>")
    assert refused(path) == (
        f"{path}: cannot be unpacked, broken or cut off: File is not a zip file; get it again"
    )


@pytest.mark.parametrize("name", ["bike.zip", "bike.tar.gz"])
def test_an_archive_cut_off_anywhere_is_refused(archive, name):
    files = [(tarfile.TarInfo(name), content) for name, content in BIKE.items()]
    whole = zipped(BIKE) if name.endswith("zip") else tarred(files)
    for length in range(0, len(whole) - 1, 7):
        message = refused(archive(whole[:length], name))
        assert re.search("broken or cut off: .+; get it again$", message)


def test_a_changed_byte_is_found_by_its_checksum(archive):
    whole = zipped(BIKE, zipfile.ZIP_STORED)
    path = archive(whole.replace(b"2,40", b"2,41"))
    assert refused(path) == (
        f"{path}: cannot be unpacked, broken or cut off: Bad CRC-32 for file 'train.csv'; "
        "get it again"
    )


def test_a_broken_zip_inside_a_zip_is_named(archive):
    path = archive(zipped({**BIKE, "train.csv": b"", "x": b""} | {"train.csv.zip": b"PK"}))
    assert fetched(path)["train.csv"] == b""
    path = archive(zipped({"test.csv": b"", "sample.csv": b"", "train.csv.zip": b"PK"}))
    assert refused(path).startswith(f"{path}/train.csv.zip: cannot be unpacked, broken")


def test_the_end_of_a_tar_is_checked(archive):
    whole = tarred([(tarfile.TarInfo("train.csv"), random.Random(0).randbytes(10_000))])
    changed = bytearray(whole)
    changed[-6] ^= 1  # gzip's own checksum
    path = archive(bytes(changed), "bike.tar.gz")
    assert "broken or cut off: CRC check failed" in refused(path, wanted=("train.csv",))


# Hostile archives


SPECIAL = "is a link, a device or a file with holes"
REFUSED = "it is refused, and nothing was changed; unpack it yourself and give its folder"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("../train.csv", "points out of the archive"),
        ("a/../../train.csv", "points out of the archive"),
        ("/etc/train.csv", "is an absolute path"),
        ("//host/train.csv", "is an absolute path"),
        ("C:/train.csv", "is an absolute path"),
        ("c:train.csv", "is an absolute path"),
        ("C:\\train.csv", "has a backslash in its name"),
        ("..\\train.csv", "has a backslash in its name"),
        ("tr\nain.csv", "has a control character in its name"),
        ("\x1b[31mtrain.csv", "has a control character in its name"),
        ("__MACOSX/../../x", "points out of the archive"),
    ],
)
def test_a_name_that_leads_out_of_the_archive_is_refused(archive, tmp_path, name, fault):
    path = archive(zipped({**BIKE, name: b"evil"}))
    assert refused(path) == f"{path}: {name!r} {fault}; {REFUSED}"
    path = archive(tarred([(tarfile.TarInfo(name), b"evil")]), "bike.tgz")
    assert refused(path) == f"{path}: {name!r} {fault}; {REFUSED}"
    assert sorted(contents(tmp_path)) == ["bike.tgz", "bike.zip"]


def test_a_name_with_nul_is_refused(archive):
    path = archive(zipped({"train.csvXexe": b"evil"}).replace(b"csvXexe", b"csv\0exe"))
    assert refused(path) == (
        f"{path}: 'train.csv\\x00exe' has a control character in its name; {REFUSED}"
    )


def test_a_very_long_name_is_refused_and_cut_in_the_message(archive):
    path = archive(zipped({"a" * 300: b""}))
    assert refused(path) == (
        f"{path}: '{'a' * 77}...' has a name of more than 255 bytes; {REFUSED}"
    )


def test_names_of_nothing_and_very_deep_names_do_no_harm(archive):
    packed = io.BytesIO(zipped(BIKE))
    with zipfile.ZipFile(packed, "a") as bundle:
        entry = zipfile.ZipInfo("x")
        entry.filename = ""
        with bundle.open(entry, "w") as stream:
            stream.write(b"nameless")
    with listening([].append):
        assert fetched(archive(packed.getvalue())) == BIKE
        assert fetched(archive(zipped({**BIKE, ".": b"x", "a/" * 3000 + "b": b"y"}))) == BIKE


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_a_link_or_a_device_in_a_zip_is_refused(archive, kind):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        entry = zipfile.ZipInfo("train.csv")
        entry.external_attr = (kind | 0o777) << 16
        bundle.writestr(entry, "/etc/passwd")
    path = archive(packed.getvalue())
    assert refused(path) == f"{path}: 'train.csv' {SPECIAL}; {REFUSED}"


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_a_link_or_a_device_in_a_tar_is_refused(archive, kind):
    member = tarfile.TarInfo("train.csv")
    member.type, member.linkname = kind, "/etc/passwd"
    path = archive(tarred([(member, b"")]), "bike.tgz")
    assert refused(path) == f"{path}: 'train.csv' {SPECIAL}; {REFUSED}"


def test_a_tar_file_with_holes_is_refused(archive):
    member = tarfile.TarInfo("train.csv")
    member.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1"}
    member.pax_headers |= {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(10**15)}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT) as bundle:
        member.size = 1
        bundle.addfile(member, io.BytesIO(b"x"))
    path = archive(packed.getvalue(), "bike.tgz")
    assert refused(path, limits=Limits(total_bytes=10**5)) == (
        f"{path}: 'train.csv' {SPECIAL}; {REFUSED}"
    )


def with_central_directory(change) -> bytes:
    """A zip whose directory says something else than its entry."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("train.csv", b"0" * 5000)
        change(bundle.infolist()[0])
    return packed.getvalue()


def test_an_encrypted_zip_is_refused(archive):
    path = archive(with_central_directory(lambda entry: setattr(entry, "flag_bits", 1)))
    assert refused(path) == f"{path}: 'train.csv' is encrypted; {REFUSED}"


def test_a_packing_other_than_deflate_is_refused(archive):
    path = archive(zipped({"train.csv": b"id\n"}, zipfile.ZIP_LZMA))
    assert refused(path) == f"{path}: 'train.csv' is packed by method 14, not by deflate; {REFUSED}"


def test_a_size_that_the_directory_lies_about_is_not_believed(archive):
    shorter = archive(with_central_directory(lambda entry: setattr(entry, "file_size", 10)))
    assert "broken or cut off: Bad CRC-32" in refused(shorter, wanted=("train.csv",))
    longer = archive(with_central_directory(lambda entry: setattr(entry, "compress_size", 10**9)))
    assert refused(longer, wanted=("train.csv",), limits=Limits(ratio=2, ratio_from=4000)) == (
        f"{longer}: unpacks to more than 2 times its size; {REFUSED}"
    )


def test_an_entry_twice_is_refused(archive):
    raw = zipped({"train.csv": b"1", "trainXcsv": b"2"}).replace(b"trainXcsv", b"train.csv")
    path = archive(raw)
    assert refused(path) == f"{path}: 'train.csv' is in it twice; {REFUSED}"
    twice = [(tarfile.TarInfo("train.csv"), b"1"), (tarfile.TarInfo("./train.csv"), b"2")]
    path = archive(tarred(twice), "bike.tgz")
    assert refused(path) == f"{path}: 'train.csv' is in it twice; {REFUSED}"


def test_a_bomb_is_stopped_by_its_ratio_while_it_unpacks(archive):
    limits = Limits(ratio=200, ratio_from=3 * 2**20)
    zeros = bytes(20 * 2**20)
    for name, content in {
        "bike.zip": zipped({"train.csv": zeros}),
        "bike.tgz": tarred([(tarfile.TarInfo("train.csv"), zeros)]),
        "train.csv.gz": gzip.compress(zeros),
    }.items():
        path = archive(content, name)
        assert refused(path, wanted=("train.csv",), limits=limits) == (
            f"{path}: unpacks to more than 200 times its size; {REFUSED}"
        )
        assert fetched(path, wanted=("train.csv",)) == {"train.csv": zeros}  # small: no bomb


def test_the_total_counts_over_archives_inside(archive):
    inner = {f"{name}.zip": zipped({name: bytes(3000)}) for name in WANTED}
    path = archive(zipped(inner))
    assert refused(path, limits=Limits(total_bytes=8000)) == (
        f"{path}/sample.csv.zip: unpacks to more than 8,000 bytes; {REFUSED}"
    )
    assert len(fetched(path, limits=Limits(total_bytes=12_000))) == 3


def test_entries_are_counted(archive):
    path = archive(zipped({f"{i}/": b"" for i in range(5)} | BIKE))
    assert refused(path, limits=Limits(entries=7)) == f"{path}: more than 7 entries; {REFUSED}"
    assert fetched(path, limits=Limits(entries=8)) == BIKE


def test_a_file_that_cannot_be_written_is_a_storage_error(tmp_path):
    target = put(tmp_path / "target", {"train.csv": b"in the way"})
    with pytest.raises(StorageError, match=r"train\.csv: cannot be written: File exists; "):
        FilesSource(put(tmp_path / "bike", BIKE), WANTED).fetch(target)
    assert contents(target)["train.csv"] == b"in the way"


# Any bytes at all


WHOLE = {
    "bike.zip": zipped({f"{name}.zip": zipped({name: content}) for name, content in BIKE.items()}),
    "bike.tgz": tarred([(tarfile.TarInfo(name), content) for name, content in BIKE.items()]),
    "flat.zip": zipped(BIKE),
    "stored.zip": zipped(BIKE, zipfile.ZIP_STORED),
}


def fetch_any(content: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        path = Path(home, name)
        path.write_bytes(content)
        target = Path(home, "a", "target")
        target.mkdir(parents=True)
        reason = None
        try:
            FilesSource(path, WANTED).fetch(target)
        except SourceError as error:
            reason = str(error)
        assert reason.startswith(home) if reason else set(WANTED) <= set(contents(target))
        everywhere = {f"a/target/{found}" for found in contents(target)} | {name}
        assert set(contents(Path(home))) == everywhere


@given(st.binary(max_size=300), st.sampled_from(sorted(WHOLE)))
@settings(deadline=None, max_examples=150)
def test_random_bytes_are_refused_with_a_reason(content, name):
    fetch_any(content, name)


@given(
    st.sampled_from(sorted(WHOLE)),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 40),
)
@settings(deadline=None, max_examples=400)
def test_a_mutated_archive_is_refused_or_harmless(name, changes, cut):
    content = bytearray(WHOLE[name])
    for place, value in changes:
        content[place % len(content)] = value
    fetch_any(bytes(content[: len(content) - cut]), name)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real files are not here")
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("bike", ("train.csv", "test.csv", "sampleSubmission.csv")),
        ("ddarung", ("train.csv", "test.csv", "submission.csv")),
        ("house", ("train.csv", "test.csv", "sample_submission.csv")),
    ],
)
def test_the_real_files_arrive_byte_for_byte(tmp_path, name, wanted):
    real = contents(DATA / name)
    path = tmp_path / f"{name}.zip"
    path.write_bytes(zipped(real))
    for source in (DATA / name, path):
        (target := tmp_path / source.name.replace(".", "-")).mkdir()
        open_source(source, wanted).fetch(target)
        assert contents(target) == real
