"""Pictures of a report in headless Chromium, at two widths, light and dark.

    python docs/screenshots.py --out docs/screenshots          # of sample runs, which it makes
    python docs/screenshots.py --out shots runs/*/report.html  # of these pages

Chromium is the one that is installed, or that `playwright install chromium` brought.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
)
WIDTHS = (390, 1440)
SCHEMES = ("light", "dark")
HEIGHT = 900
SAMPLE = (  # what is trained for the pictures, in order; the last one is looked at
    ("fetch", "ddarung", "--sample"),
    ("train", "ddarung", "--model", "ridge", "--quiet"),
    ("train", "ddarung", "--model", "dnn", "--epochs", "60", "--quiet"),
    ("train", "ddarung", "--model", "lightgbm", "--quiet"),
    ("train", "ddarung", "--time", "90s", "--quiet"),
)


def find_chromium(playwright: Any) -> str | None:
    """Return the path of a Chromium that is installed here, or None."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    own = playwright.chromium.executable_path
    return found or (own if Path(own).is_file() else None)


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Yield a headless Chromium.

    Raises FileNotFoundError if none is installed.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = find_chromium(playwright)
        if path is None:
            raise FileNotFoundError("no Chromium is installed; run: playwright install chromium")
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0  # whom its sandbox refuses
        arguments = ["--no-sandbox"] if is_root else []
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield started
        finally:
            started.close()


def take(started: Any, page: Path, folder: Path, widths: Sequence[int] = WIDTHS) -> list[Path]:
    """Write a page's pictures, whole, into a folder; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    name = page.parent.name if page.name == "report.html" else page.stem
    taken = []
    for width in widths:
        for scheme in SCHEMES:
            view = started.new_page(
                viewport={"width": width, "height": HEIGHT}, color_scheme=scheme
            )
            view.goto(page.resolve().as_uri())
            taken.append(folder / f"{name}-{width}-{scheme}.png")
            view.screenshot(path=taken[-1], full_page=True)
            view.close()
    return taken


def sample_pages(workspace: Path) -> list[Path]:
    """Train on the sample of a competition, and return its last run's page, and all its runs'."""
    kc = Path(sys.executable).parent / "kc"
    for command in (*SAMPLE, ("report", "ddarung", "--all")):
        subprocess.run([kc, "--workspace", workspace, *command], check=True)
    latest = max(
        (workspace / "runs").glob("ddarung-*/report.html"), key=lambda one: one.parent.name
    )
    return [latest, workspace / "reports" / "ddarung.html"]


def main() -> None:
    """Take pictures of the pages that are named, or of those of a sample."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, browser() as started:
        for page in given.pages or sample_pages(Path(scratch)):
            for path in take(started, page, given.out):
                print(path)


if __name__ == "__main__":
    main()
