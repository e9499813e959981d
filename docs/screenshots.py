"""Pictures of a report in headless Chromium, at two widths, light and dark, and of a terminal.

    python docs/screenshots.py --out docs/screenshots          # of sample runs, which it makes
    python docs/screenshots.py --out shots runs/*/report.html  # of these pages

Chromium is the one that is installed, or that `playwright install chromium` brought.
"""

import argparse
import contextlib
import io
import os
import pty
import re
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
    ("train", "ddarung", "--scheme", "kfold", "--time", "90s", "--quiet"),
)
SESSION = (  # what the terminal shows; training finds its folds again
    ("inspect", "ddarung"),
    ("train", "ddarung", "--model", "lightgbm"),
    ("runs", "ddarung"),
)
LIVE = ("train", "ddarung", "--model", "lightgbm", "--fresh")  # seen while it works
COLUMNS = 100


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


def take_terminal(workspace: Path, path: Path) -> Path:
    """Write what a terminal shows of a session as SVG, colours and all; return the path."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for command in SESSION:
        console.print(Text(f"$ kc {' '.join(command)}", style="bold"))
        written = typed("--workspace", str(workspace), *command)
        console.print(Text.from_ansi(lasting(written)))
    console.print(Text(f"$ kc {' '.join(LIVE)}", style="bold"))
    console.print(Text.from_ansi(half_way(typed("--workspace", str(workspace), *LIVE))))
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = console.export_svg(title="kc")
    path.write_text(re.sub(r"@font-face {.*?}", "", drawn, flags=re.S), encoding="utf-8")
    return path


def typed(*arguments: str) -> str:
    """Return all that a command writes to a terminal, with what steers it."""
    kc, written = Path(sys.executable).parent / "kc", bytearray()
    terminal, child = pty.openpty()
    environment = os.environ | {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    command = [kc, *arguments]
    with subprocess.Popen(command, stdin=child, stdout=child, stderr=child, env=environment):
        os.close(child)
        with contextlib.suppress(OSError):  # the other end is closed
            while some := os.read(terminal, 4096):
                written += some
    os.close(terminal)
    return bytes(written).decode("utf-8", "replace").replace("\r\n", "\n")


def half_way(written: str) -> str:
    """Return what stood on the terminal when a view of half of the work was drawn."""
    parts = re.split(r"\x1b\[[\d;?]*[A-Zhl]|\r", written)
    views = [at for at, part in enumerate(parts) if "━" in part and "best" in part]
    at = views[len(views) // 2]
    return lasting("\r".join(parts[:at])).rstrip() + f"\n{parts[at]}"


def lasting(written: str) -> str:
    """Return what a command has written without lines that it has taken back."""
    lines = written.split("\n")
    kept = [line.split("\r")[-1] for line in lines]
    live = ("━", "  epoch ")  # what is drawn over and over while a model is fitted
    plain = [re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line) for line in kept]
    return "\n".join(
        line
        for line, words in zip(kept, plain, strict=True)
        if live[0] not in words and not words.startswith(live[1])
    )


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
        if not given.pages:
            print(take_terminal(Path(scratch), given.out / "terminal.svg"))


if __name__ == "__main__":
    main()
