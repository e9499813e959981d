"""kc doctor: what it finds, what it advises, and what it never shows."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Done, write
from kaggle_server import KEY, KaggleServer

from pipeline import Workspace
from pipeline.diagnosis import Check, place, software
from pipeline.errors import StorageError
from pipeline.machine import Memory
from pipeline.stages import diagnosing
from pipeline.stages.diagnosing import can_work, diagnose, diagnosis_lines

Kc = Callable[..., Done]
TOKEN = "planted-dacon-token-71c2"


@pytest.fixture
def here(
    kaggle_server: KaggleServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> KaggleServer:
    """A local Kaggle and Dacon that answer, a home of one's own, and no wait for TensorFlow."""
    kaggle_server.enter(monkeypatch, tmp_path / "home")
    for name in ("DACON_TOKEN", "DACON_TOKEN_FILE", "DACON_TEAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KC_DACON_URL", kaggle_server.url)
    monkeypatch.setattr(software, "ASK_TENSORFLOW", "print('noise'); print('[]')")
    return kaggle_server


def checks(workspace: Path) -> dict[str, Check]:
    return {check.name: check for check in diagnose(Workspace(workspace))}


def test_a_place_where_all_is_well_has_no_advice(
    here: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DACON_TOKEN", TOKEN)
    monkeypatch.setenv("DACON_TEAM", "팀")
    monkeypatch.setattr(software.shutil, "which", lambda _: None)
    found = checks(tmp_path)
    assert {one.name: one.advice for one in found.values() if one.status != "fine"} == {}
    assert found["kaggle login"].found == "key from KAGGLE_USERNAME and KAGGLE_KEY"
    assert found["dacon token"].found == "from DACON_TOKEN"
    assert (found["kaggle.com"].found, found["dacon.io"].found) == ("answers", "answers")
    lines = diagnosis_lines(list(found.values()))
    assert lines[-1] == "kc can work here"
    assert not [line for line in lines if KEY in line or TOKEN in line]


def test_the_command_shows_it_in_80_columns_and_as_json(
    here: KaggleServer, kc_here: Kc, tmp_path: Path
) -> None:
    workspace = tmp_path / "a-rather-long-name-of-a-folder" / "and-another-one-that-is-long-too"
    workspace.mkdir(parents=True)
    shown = kc_here(workspace, "doctor", expect=0)
    assert max(map(len, shown.out.splitlines())) <= 80
    assert "\nwarning       dacon token: no token; make one at dacon.io" in shown.out
    assert shown.err == "ask      TensorFlow, kaggle.com and dacon.io; this takes some seconds\n"
    record = json.loads(kc_here(workspace, "doctor", "--json", expect=0).out)
    assert record["can_work"] is True
    by_name = {one["name"]: one for one in record["checks"]}
    assert by_name["python"]["status"] == "fine"
    assert by_name["dacon token"]["status"] == "warning"
    assert list(workspace.iterdir()) == []


@pytest.mark.slow
def test_the_installed_command_asks_the_real_tensorflow(
    kaggle_server: KaggleServer, kc: Kc, tmp_path: Path
) -> None:
    env = {**kaggle_server.environment(tmp_path / "home"), "KC_DACON_URL": kaggle_server.url}
    done = kc(tmp_path, "doctor", "--json", env=env)
    by_name = {one["name"]: one for one in json.loads(done.out)["checks"]}
    assert by_name["gpu"]["status"] != "broken"
    assert by_name["tensorflow"]["found"][0] in "23456789"
    assert by_name["cores"]["found"].isdecimal()


def test_a_tensorflow_that_cannot_be_imported_is_broken(
    here: KaggleServer, kc_here: Kc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "raise ImportError('libcudart.so: cannot open')"
    monkeypatch.setattr(software, "ASK_TENSORFLOW", code)
    done = kc_here(tmp_path, "doctor", expect=1)
    assert done.out.endswith("kc cannot work here\n")
    flat = " ".join(done.out.split())
    assert "TensorFlow cannot be used (ImportError: libcudart.so: cannot open)" in flat


def test_a_gpu_is_named_and_one_that_tensorflow_misses_is_advised_on(
    here: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(software.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    missed = checks(tmp_path)["gpu"]
    assert (missed.status, missed.found) == ("warning", "none that TensorFlow sees")
    assert str(missed.advice).endswith('pip install "tensorflow[and-cuda]"')
    monkeypatch.setattr(software, "ASK_TENSORFLOW", """print('["/physical_device:GPU:0"]')""")
    assert checks(tmp_path)["gpu"] == Check("gpu", "/physical_device:GPU:0")


def test_services_that_do_not_answer_are_warnings_with_another_way(
    here: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = "http://127.0.0.1:9"  # the port of discard, where nothing listens
    monkeypatch.setenv("KC_DACON_URL", nobody)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, nobody)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = checks(tmp_path)
    for name in ("kaggle.com", "dacon.io"):
        assert (found[name].found, found[name].status) == ("does not answer", "warning")
        assert str(found[name].advice).endswith("and upload submissions by browser")
    assert "Connection refused; behind a proxy" in str(found["dacon.io"].advice)


def test_an_answer_that_never_comes_is_not_waited_for(
    here: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    never = threading.Event()
    monkeypatch.setattr(diagnosing, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(diagnosing, "ask_dacon", never.wait)
    found = checks(tmp_path)["dacon.io"]
    never.set()
    assert str(found.advice).startswith("no answer within 0 s; behind a proxy")


def test_credentials_are_told_by_kind_and_place_alone(
    here: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    found = checks(tmp_path)
    assert found["kaggle login"].found == "none"
    assert "https://www.kaggle.com/settings" in str(found["kaggle login"].advice)
    token = tmp_path / "home" / ".dacon" / "token"
    write(token, TOKEN)
    token.chmod(0o644)
    found = checks(tmp_path)
    assert found["dacon token"].found == f"from {token}"
    if os.name == "posix":
        assert str(found["dacon token"].advice).endswith(f"run: chmod 600 {token}")
    token.chmod(0o600)
    assert checks(tmp_path)["dacon token"].status == "fine"
    write(token, "\n")
    assert checks(tmp_path)["dacon token"].advice == f"{token}: is empty"
    monkeypatch.setenv("DACON_TOKEN_FILE", str(tmp_path / "nowhere"))
    advice = str(checks(tmp_path)["dacon token"].advice)
    assert advice.startswith(f"DACON_TOKEN_FILE names {tmp_path}/nowhere, where no file is; make")
    assert TOKEN not in repr(found)


def test_packages_are_held_against_what_kc_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from packaging.specifiers import SpecifierSet

    too_old = software.check_package("numpy", SpecifierSet(">=999"))
    assert too_old.status == "broken"
    assert str(too_old.advice).endswith('is not >=999; run: pip install "numpy>=999"')
    absent = software.check_package("kaggle-of-nobody", None)
    assert absent == Check(
        "kaggle-of-nobody",
        "not installed",
        "warning",
        'is not installed; run: pip install "kaggle-of-nobody"',
    )
    assert software.needed_versions()["pandas"].contains("3.0")


def test_a_workspace_that_takes_no_files_is_broken(
    here: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "file", "")
    assert checks(tmp_path / "file")["workspace"].status == "broken"

    def refuse(folder: Path) -> None:
        raise StorageError(f"{folder}: cannot be written: Read-only file system; choose another")

    monkeypatch.setattr(place, "check_writable", refuse)
    found = checks(tmp_path)["workspace"]
    assert (found.status, "Read-only" in str(found.advice)) == ("broken", True)


def test_a_workspace_that_is_not_there_yet_is_not_made(here: KaggleServer, tmp_path: Path) -> None:
    assert checks(tmp_path / "later" / "work")["workspace"].status == "fine"
    assert not (tmp_path / "later").exists()


@pytest.mark.parametrize(
    ("free", "status"), [(5 * 10**10, "fine"), (10**9, "warning"), (10**7, "broken")]
)
def test_little_disk_is_a_warning_and_none_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, status: str
) -> None:
    monkeypatch.setattr(place, "free_disk", lambda _: free)
    assert place.check_disk(tmp_path).status == status


@pytest.mark.parametrize(
    ("found", "text", "status"),
    [
        (None, "unknown on this system", "fine"),
        (Memory(8 * 10**9, 4 * 10**9), "4.0 of 8.0 GB free", "fine"),
        (Memory(8 * 10**9, 10**9), "1.0 of 8.0 GB free", "warning"),
    ],
)
def test_little_memory_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, found: Any, text: str, status: str
) -> None:
    monkeypatch.setattr(place, "memory", lambda: found)
    check = place.check_memory()
    assert (check.found, check.status) == (text, status)


def test_broken_things_stand_before_warnings() -> None:
    lines = diagnosis_lines(
        [Check("a", "x"), Check("b", "y", "warning", "mend b"), Check("c", "z", "broken", "mend c")]
    )
    assert lines[3:] == [
        "",
        "broken        c: mend c",
        "warning       b: mend b",
        "kc cannot work here",
    ]
    assert not can_work([Check("c", "z", "broken", "mend c")])
