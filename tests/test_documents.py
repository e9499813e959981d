"""The documents: commands are understood, what a page says is done, and links lead somewhere."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import kaggle_server as kaggle
import pytest
from conftest import copy_of
from dacon_server import TEAM, DaconServer
from dacon_server import TOKEN as DACON_TOKEN
from kaggle_server import KaggleServer
from pages import Page, Reader, check_understood, in_short, save_pictures
from test_layers import ROOT

DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "README.ko.md"]
WITHOUT = ("architecture.md", "notes.md", "json.md")  # no session, or one with a test of its own
RUN = [path for path in PAGES if path.name not in WITHOUT]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", [*PAGES, ROOT / "bench" / "README.md"], ids=shown)
def test_our_command_line_understands_every_command(path: Path) -> None:
    for words in Page(path).commands():
        if words[0] == "kc":
            check_understood(words)


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_what_is_installed_is_an_extra_of_ours(path: Path) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    asked = re.findall(r"(?:kc|\.)\[([\w,]+)\]", Page(path).text)
    assert {one for names in asked for one in names.split(",")} <= set(extras)


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a reader has downloaded by browser; only to be read."""
    from pipeline import Workspace, fetch

    folder, elsewhere = (tmp_path_factory.mktemp(name) for name in ("downloads", "elsewhere"))
    for name, slug in (("bike", "bike-sharing-demand"), ("ddarung", "ddarung")):
        fetch(Workspace(elsewhere), name, sample=True)
        pack(folder / f"{slug}.zip", files_in(Workspace(elsewhere).raw(name)))
    pack(folder / "flats.zip", flats())
    pack(folder / "shops.zip", shops())
    save_pictures(folder, "mnist")
    return folder


def flats() -> dict[str, bytes]:
    rows = [(i, 3 + i % 7, 2 + i % 5, "north" if i % 3 else "south") for i in range(60)]
    train = [f"{i},{w},{d},{where},{100 * w * d + 7 * (i % 4)}" for i, w, d, where in rows[:45]]
    test = [f"{i},{w},{d},{where}" for i, w, d, where in rows[45:]]
    sample = [f"{i},0" for i, *_ in rows[45:]]
    texts = {
        "train.csv": ["id,width,depth,district,price", *train],
        "test.csv": ["id,width,depth,district", *test],
        "sample_submission.csv": ["id,price", *sample],
    }
    return {name: ("\n".join(lines) + "\n").encode() for name, lines in texts.items()}


def shops() -> dict[str, bytes]:
    days = [f"2026-01-{day:02d}" for day in range(1, 32)]
    rows = [(f"{shop}{n}", shop, day) for shop in "ab" for n, day in enumerate(days)]
    sold = {row: f"{100 + 3 * days.index(row[2]) + (row[1] == 'b') * 50}" for row in rows}
    known = [row for row in rows if row[2] < "2026-01-30"]
    asked = [row for row in rows if row[2] >= "2026-01-30"]
    texts = {
        "train.csv": ["id,shop,day,sales", *(",".join((*row, sold[row])) for row in known)],
        "test.csv": ["id,shop,day", *(",".join(row) for row in asked)],
        "sample_submission.csv": ["id,sales", *(f"{row[0]},0" for row in asked)],
    }
    return {name: ("\n".join(lines) + "\n").encode() for name, lines in texts.items()}


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def pack(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.fixture
def reader(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kaggle_server: KaggleServer,
    dacon_server: DaconServer,
    downloads: Path,
) -> Reader:
    """A reader with downloads and accounts, whose Kaggle and Dacon are servers of this machine."""
    folder = copy_of(downloads, tmp_path / "reader")
    kaggle_server.enter(monkeypatch, tmp_path / "home", token=kaggle.TOKEN)
    for name, value in {
        "KC_DACON_URL": dacon_server.url,
        "DACON_TOKEN": DACON_TOKEN,
        "DACON_TEAM": TEAM,
        "KC_LANG": "en",
        "KC_TIMEOUT": "5",
        "KC_TRUST": "1",  # a reader writes these files
        "OMP_NUM_THREADS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    bike = folder / "bike-sharing-demand.zip"
    with zipfile.ZipFile(bike) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    teams = [("Ada", "0.33"), ("Bob", "0.52")]
    kaggle_server.add("bike-sharing-demand", files, leaderboard=teams)
    kaggle_server.add("titanic", flats())
    monkeypatch.chdir(folder)
    return Reader(folder)


NEEDS_FLATS = ("own-features.md", "own-model.md", "own-metric.md")


@pytest.mark.slow
@pytest.mark.parametrize("path", RUN, ids=shown)
def test_a_page_can_be_followed_with_kaggle_and_dacon_on_this_machine(
    path: Path, reader: Reader
) -> None:
    reader.has_spent = path.name != "time-budget.md"  # all models at once, on one page
    if path.name in NEEDS_FLATS:
        reader.type(["kc", "new", "flats", "--from", "flats.zip"])
    if path.parent.name == "explanation":  # whose reader has begun already
        for name, slug in (("bike", "bike-sharing-demand"), ("ddarung", "ddarung")):
            reader.type(["kc", "fetch", name, "--from", f"{slug}.zip"])
    reader.read(Page(path))


def test_only_budgets_differ_between_what_is_written_and_what_is_run() -> None:
    written = ["kc", "train", "flats", "--model", "lightgbm", "--seed", "3"]
    assert in_short(written, again=False) == [*written, "--epochs", "20"]
    assert in_short(["kc", "train", "flats", "--time", "2h"], again=False)[-2:] == ["--time", "30s"]
    assert in_short(["kc", "runs", "flats"], again=False) == ["kc", "runs", "flats"]
    stand_in = in_short(["kc", "train", "flats", "--time", "2h", "--seed", "3"], again=True)
    assert stand_in == ["kc", "train", "flats", "--seed", "3", "--model", "ridge"]


def test_a_command_that_is_wrong_is_noticed() -> None:
    check_understood(["kc", "cache", "clear", "bike"])
    for wrong in ("kc trian bike", "kc train bike --modle ridge", "kc train", "kc cache clean x"):
        with pytest.raises(Exception, match=r"(?i)no such|missing"):
            check_understood(wrong.split())


@pytest.mark.parametrize("path", [*PAGES, ROOT / "bench" / "README.md"], ids=shown)
def test_a_link_leads_to_a_file_and_a_heading_that_are_there(path: Path) -> None:
    for link in LINK.findall(re.sub(r"```.*?```", "", Page(path).text, flags=re.S)):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        if target.parent == DOCS / "reference":  # made while the site is built, and checked there
            continue
        assert target.exists(), f"{shown(path)}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{shown(path)}: {link}"


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", Page(path).text, re.M)
    words = [re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings]
    return {re.sub(r"\s+", "-", one.strip()) for one in words}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built in a process of its own; what is not right there is an error."""
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(built)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return built


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_holds_every_page(site: Path) -> None:
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    made = {Path("reference") / f"{name}.html" for name in
            ("commands", "declaration", "models", "metrics", "python")}  # fmt: skip
    found = {path.relative_to(site) for path in site.rglob("*.html")}
    assert pages | made <= found


@pytest.mark.slow
def test_the_site_needs_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=\"([^\"]+)\"", html)
        loaded += re.findall(r"<link[^>]*rel=\"(?:stylesheet|icon)\"[^>]*href=\"([^\"]+)\"", html)
        assert loaded
        assert [one for one in loaded if one.startswith(("http", "//"))] == []


@pytest.mark.slow
def test_the_reference_names_every_command_key_model_and_metric(site: Path) -> None:
    import typer

    import cli
    from pipeline.metrics import METRICS
    from pipeline.models import MODELS

    def page(name: str) -> str:
        return (site / "reference" / f"{name}.html").read_text(encoding="utf-8")

    commands = typer.main.get_command(cli.app).commands
    assert [one for one in commands if f"kc {one}" not in page("commands")] == []
    assert [one for one in MODELS if f'id="{one}"' not in page("models")] == []
    assert [one for one in METRICS if f">{one}<" not in page("metrics")] == []
    for key in ("n_splits", "scores", "sample_submission", "by_parts", "daily_limit"):
        assert f">{key}<" in page("declaration")


@pytest.mark.slow
def test_every_key_of_the_declaration_is_explained(site: Path) -> None:
    html = (site / "reference" / "declaration.html").read_text(encoding="utf-8")
    rows = re.findall(r"<tr>\s*<td><code>(\w+)</code></td>(.*?)</tr>", html, re.S)
    assert len(rows) > 30
    silent = [key for key, cells in rows if re.search(r"<td></td>\s*$", cells)]
    assert silent == []
