"""Reports in a real Chromium: nothing overflows, nothing is empty, nothing runs that should not."""

import importlib.util
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Done, copy_of, write

from pipeline import TrainOptions, Workspace, fetch, train
from pipeline.ledger import Entry, add_entry
from pipeline.stages.ensembling import blend
from pipeline.stages.reporting import report, report_all

pytestmark = pytest.mark.slow
SPEC = importlib.util.spec_from_file_location(
    "screenshots", Path(__file__).parents[1] / "docs" / "screenshots.py"
)
EVIL = "<script>alert(1)</script>"
WIDTHS = (390, 1440)
GAP = ""
SCHEMES = ("light", "dark")
Kc = Callable[..., Done]

# Texts that are wider than where they stand, words of charts outside of their figures, and charts
# without a mark; headings out of order; the page itself wider than the screen.
LOOK = """() => {
  const wrong = [], said = (el) => el.textContent.trim().slice(0, 60);
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) wrong.push(`page ${root.scrollWidth} > ${innerWidth}`);
  const words = "h1,h2,h3,p,dt,dd,li,figcaption,summary,pre,th,td,caption";
  for (const el of document.querySelectorAll(words)) {
    if (el.closest("details:not([open])") || !el.offsetParent || el.clientWidth <= 1) continue;
    if (el.scrollWidth > el.clientWidth + 1) wrong.push(`${el.tagName} ${said(el)}`);
    const beyond = el.getBoundingClientRect().right > innerWidth + 0.5;
    if (beyond && !el.closest(".scroll")) wrong.push(`right of the screen: ${said(el)}`);
  }
  for (const svg of document.querySelectorAll("svg.chart")) {
    const figure = svg.closest("figure").getBoundingClientRect();
    const label = svg.getAttribute("aria-label");
    if (!svg.querySelector("circle, rect.mark, polyline")) wrong.push(`no marks: ${label}`);
    for (const word of svg.querySelectorAll("text")) {
      const box = word.getBoundingClientRect();
      const outside = box.left < figure.left - 0.5 || box.right > figure.right + 0.5;
      if (outside) wrong.push(`word ${word.textContent} of ${label}`);
    }
  }
  let before = 0;
  for (const head of document.querySelectorAll("h1,h2,h3,h4")) {
    const level = +head.tagName[1];
    if (level > before + 1) wrong.push(`heading ${said(head)} skips a level`);
    before = level;
  }
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption || !said(table.caption)) wrong.push("a table without a caption");
    if (table.querySelector("th:not([scope])")) wrong.push("a heading without a scope");
  }
  return wrong;
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium, which the pages are opened in."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    assert SPEC is not None
    assert SPEC.loader is not None
    screenshots = importlib.util.module_from_spec(SPEC)
    SPEC.loader.exec_module(screenshots)
    try:
        with screenshots.browser() as started:
            yield started, screenshots
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> dict[str, Path]:
    """Pages of every kind: numbers, learning curves, classes, a blend, and all runs."""
    work = copy_of(trained, tmp_path_factory.mktemp("pages") / "work")
    workspace = Workspace(work)
    (run,) = (work / "runs").glob("ddarung-*")
    epochs = "".join(f"{e},{1 / e:.4f},{0.3 + 1 / e + e / 50:.4f}\n" for e in range(1, 31))
    for fold in run.glob("fold-*"):
        write(fold / "history.csv", "epoch,loss,val_loss\n" + epochs)
    (run / "report.html").unlink()  # as an older run, whose page is made afterwards
    found = {"numbers": report(workspace, "ddarung")[1]}
    declare_wild(work)
    fetch(workspace, "wild", work / "files")
    for label in ("logistic", "knn"):
        one = train(workspace, "wild", TrainOptions(label=label))
    found["classes"] = one.report
    found["blend"] = blend(workspace, "wild").report
    entry = {"how": "kaggle", "status": "complete", "time": "2026-01-01T00:00:00+00:00"}
    add_entry(workspace.ledger("wild"), Entry(sha256="0", run=one.id, public=0.9, **entry))
    found["all"] = report_all(workspace, "wild")
    return found


def declare_wild(work: Path) -> None:
    """Declare a competition whose names and texts want to be more than text."""
    levels = itertools.cycle(["빨강", EVIL, "a & b", '""'])
    quoted = [
        f'{i},{i % 7},{GAP if i % 9 == 0 else i * 37 % 11},"{next(levels)}"' for i in range(90)
    ]
    labels = [EVIL if (i % 7) + (i % 3) > 4 else "아니오" for i in range(90)]
    head = f'id,{EVIL},아주 긴 이름을 가진 기온 열 하나,"say ""it"""'
    train_rows = [f"{row},{label}" for row, label in zip(quoted[:70], labels, strict=False)]
    write(work / "files" / "train.csv", "\n".join([f"{head},답", *train_rows]) + "\n")
    write(work / "files" / "test.csv", "\n".join([head, *quoted[70:]]) + "\n")
    answers = "\n".join(f"{i},{EVIL}" for i in range(70, 90))
    write(work / "files" / "sample.csv", f"id,답\n{answers}\n")
    toml = f"""
title = "{EVIL} & <b>따릉이</b>"
task = "binary"
metric = "accuracy"
default_model = "logistic"
[files]
train = "train.csv"
test = "test.csv"
sample_submission = "sample.csv"
[columns]
id = "id"
target = "답"
[validation]
n_splits = 3
"""
    write(work / "competitions" / "wild" / "competition.toml", toml)


@pytest.mark.parametrize("kind", ["numbers", "classes", "blend", "all"])
def test_a_page_shows_all_it_has_and_nothing_overflows(kind, chromium, pages):
    started, _ = chromium
    told, asked = [], []
    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        view = started.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        view.on("console", lambda message: told.append(message.text))
        view.on("pageerror", lambda error: told.append(str(error)))
        view.on("dialog", lambda dialog: (told.append("a dialog"), dialog.dismiss()))
        view.on("request", lambda request: asked.append(request.url))
        view.goto(pages[kind].as_uri())
        assert view.evaluate(LOOK) == [], (width, scheme)
        view.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert view.evaluate(LOOK) == [], (width, scheme, "open")
        paper = view.evaluate("getComputedStyle(document.body).backgroundColor")
        light = int(paper.removeprefix("rgb(").split(",")[0]) > 128
        assert light == (scheme == "light"), paper
        view.close()
    assert told == []
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}


def test_names_that_are_markup_stay_text(chromium, pages):
    started, _ = chromium
    view = started.new_page()
    view.goto(pages["classes"].as_uri())
    assert view.title() == f"{EVIL} & <b>따릉이</b>"
    assert view.locator("h1").inner_text() == f"{EVIL} & <b>따릉이</b>"
    assert view.locator("script").count() == 1
    assert view.locator("#features").get_by_text(EVIL).count() > 0
    view.close()


def test_a_focused_chart_tells_its_marks_by_the_arrow_keys(chromium, pages):
    started, _ = chromium
    view = started.new_page()
    view.goto(pages["numbers"].as_uri())
    tip, chart = view.locator("#tip"), view.locator("#score svg.chart")
    assert tip.is_hidden()
    chart.focus()
    said = []
    for _ in range(3):
        view.keyboard.press("ArrowRight")
        said.append(tip.inner_text())
    assert len(set(said)) == 3
    assert all(one.startswith("folds: ") for one in said)
    view.keyboard.press("Escape")
    assert tip.is_hidden()
    view.close()


def test_pointing_at_a_scatter_tells_both_numbers(chromium, pages):
    started, _ = chromium
    view = started.new_page(viewport={"width": 1440, "height": 900})
    view.goto(pages["numbers"].as_uri())
    view.locator("#predictions svg.chart .dots circle").first.hover(force=True)
    assert view.locator("#tip").inner_text().startswith("true count ")
    assert ", predicted count " in view.locator("#tip").inner_text()
    view.close()


@pytest.mark.parametrize(
    ("kind", "chart", "expected"),
    [
        ("numbers", "Missing values by column", "train: "),
        ("numbers", "How much worse the score is", " ± "),
        ("classes", "Confusion matrix", "% of the row)"),
    ],
)
def test_pointing_at_the_words_of_a_mark_tells_it(kind, chart, expected, chromium, pages):
    started, _ = chromium
    view = started.new_page(viewport={"width": 390, "height": 900})
    view.goto(pages[kind].as_uri())
    rows = view.locator(f"svg.chart[aria-label^='{chart}'] g:has([data-said])")
    assert rows.count() > 1
    view.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    told = []
    for row in rows.all():
        row.locator("text").last.hover()
        told.append(view.locator("#tip").inner_text())
    assert told == [row.locator("[data-said]").get_attribute("data-said") for row in rows.all()]
    assert expected in told[0]
    view.close()


def test_a_page_can_be_printed(chromium, pages, tmp_path):
    started, _ = chromium
    view = started.new_page(color_scheme="dark")
    view.goto(pages["numbers"].as_uri())
    view.emulate_media(media="print", color_scheme="dark")
    assert view.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert view.locator("nav").is_hidden()
    view.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    view.close()


def test_the_script_takes_pictures_at_two_widths_light_and_dark(chromium, pages, tmp_path):
    started, screenshots = chromium
    taken = screenshots.take(started, pages["all"], tmp_path)
    names = [path.name for path in taken]
    assert names == [f"wild-{w}-{s}.png" for w in (390, 1440) for s in ("light", "dark")]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in taken)
