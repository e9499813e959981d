"""A notebook at Kaggle: files that are attached, no network, and submission.csv in its place."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Done, copy_of, environment, files_of, only_run
from test_layers import ROOT

from pipeline.sources.kernels import attached_files, working_folder

SLUG = "bike-sharing-demand"
NOBODY = "http://127.0.0.1:9"  # the port of what is thrown away: nothing answers there
OFFLINE = {"HTTP_PROXY": NOBODY, "HTTPS_PROXY": NOBODY, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.mark.slow
def test_a_notebook_without_internet_goes_from_the_wheel_to_a_submission(
    fetched: Path, tmp_path: Path
) -> None:
    pytest.importorskip("hatchling")
    kaggle = tmp_path / "kaggle"
    working, wheels = kaggle / "working", kaggle / "input" / "kc-wheel"
    working.mkdir(parents=True)
    copy_of(fetched / "data" / "bike" / "raw", kaggle / "input" / SLUG)
    pip = [sys.executable, "-m", "pip"]
    build = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", wheels, ROOT]
    subprocess.run(build, check=True)
    # What Kaggle has stands for itself, so --no-deps; the image's folder is this one.
    image = tmp_path / "image"
    install = [*pip, "install", "-q", "--no-index", "--find-links", wheels, "--no-deps"]
    subprocess.run([*install, "--target", image, "kc"], check=True, env=environment(**OFFLINE))
    variables = environment(
        **OFFLINE,
        PYTHONPATH=str(image),
        HOME=str(tmp_path / "home"),
        KC_KAGGLE_INPUT=str(kaggle / "input"),
        KC_KAGGLE_WORKING=str(working),
    )
    code = "import sys, cli; assert cli.__file__.startswith(sys.argv.pop(1)); cli.main()"
    command = [sys.executable, "-c", code, image, "run", "bike", "--model", "ridge"]
    ended = subprocess.run(
        [*command, "--folds", "2"], cwd=working, env=variables, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    run = only_run(working, "bike")
    assert (working / "submission.csv").read_bytes() == (run / "submission.csv").read_bytes()
    assert f"kaggle   {working / 'submission.csv'} is of {run.name}" in ended.stderr


@pytest.mark.parametrize("place", [SLUG, f"competitions/{SLUG}"])
def test_fetch_takes_the_files_that_are_attached(
    fetched: Path,
    tmp_path: Path,
    kc_here: Callable[..., Done],
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    raw = fetched / "data" / "bike" / "raw"
    copy_of(raw, tmp_path / "input" / place)
    monkeypatch.setenv("KC_KAGGLE_INPUT", str(tmp_path / "input"))
    monkeypatch.setenv("HTTPS_PROXY", NOBODY)
    done = kc_here(tmp_path / "work", "fetch", "bike", expect=0)
    assert f"input/{place}" in done.err.replace("\\", "/")
    assert files_of(tmp_path / "work" / "data" / "bike" / "raw") == files_of(raw)


def test_elsewhere_nothing_is_taken_for_kaggles_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KC_KAGGLE_INPUT", "KC_KAGGLE_WORKING", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    assert attached_files(SLUG) is None
    assert working_folder() is None
    monkeypatch.setenv("KC_KAGGLE_INPUT", str(tmp_path))
    assert attached_files(SLUG) is None  # another competition's notebook
    monkeypatch.setenv("KC_KAGGLE_WORKING", str(tmp_path / "nowhere"))
    assert working_folder() is None
