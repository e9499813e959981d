"""A figure in the project's style, in a font that has its letters, and its bytes as PNG or SVG."""

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.progress import Note, emit

SUFFIXES = (".png", ".svg")
# Okabe and Ito (2008): told apart also by those who see few colours.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000",
)  # fmt: skip
STYLE: Mapping[str, Any] = {
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,  # a font of Korean letters may lack the longer minus
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "axes.edgecolor": "#888888",
    "legend.frameon": False,
    "svg.hashsalt": "kc",
    "svg.fonttype": "none",  # text stays text, for which a browser finds the font
}
# Families with Korean letters, the first of which is taken: Linux, Windows, macOS.
KOREAN = (
    "NanumGothic", "NanumBarunGothic", "NanumSquare", "Noto Sans KR", "Noto Sans CJK KR",
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Source Han Sans KR", "Malgun Gothic",
    "Apple SD Gothic Neo", "AppleGothic", "UnDotum", "Baekmuk Dotum",
)  # fmt: skip
_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")


@contextlib.contextmanager
def drawing(words: Iterable[str], path: Path) -> Iterator[None]:
    """Draw the enclosed figure in our style, whatever this machine's matplotlibrc says.

    words: what will be written, which decides the font. path: where the picture goes.
    """
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings(), _without_findings():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        if any(_HANGUL.search(word) for word in words):
            _write_korean(path)
        yield


@contextlib.contextmanager
def _without_findings() -> Iterator[None]:
    """Keep matplotlib from telling which weight of a font it took instead of another."""
    logger = logging.getLogger("matplotlib.font_manager")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _write_korean(path: Path) -> None:
    import matplotlib as mpl

    family = korean_family()
    if family is not None:
        mpl.rcParams["font.family"] = [family, "DejaVu Sans"]
    elif path.suffix != ".svg":
        emit(
            Note(
                "plot",
                "no font with Korean letters is installed, so they are drawn as boxes; install one "
                "(Debian: apt install fonts-nanum), or write .svg, which browsers show right",
            )
        )


def korean_family() -> str | None:
    """Return the name of an installed font family with Korean letters, or None."""
    return _korean_among_known() or (_korean_among_known() if _learn_new_fonts() else None)


def _korean_among_known() -> str | None:
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in KOREAN if name in known), None)


def _learn_new_fonts() -> bool:
    """Let matplotlib know of Korean fonts that came after it made its list; tell if there are."""
    from matplotlib import font_manager

    beginnings = tuple(name.replace(" ", "").lower() for name in KOREAN)
    listed = {font.fname for font in font_manager.fontManager.ttflist}
    found = [
        path
        for path in sorted(font_manager.findSystemFonts())
        if path not in listed and Path(path).stem.lower().startswith(beginnings)
    ]
    for path in found:
        font_manager.fontManager.addfont(path)
    return bool(found)


def new_figure(width: float = 8.0, height: float = 5.0) -> Any:
    """Return an empty figure of so many inches, whose parts never overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def picture(figure: Any, suffix: str) -> bytes:
    """Return a figure as PNG or SVG, without the time or a version in it."""
    content = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if suffix == ".svg" else {"Software": None}
    figure.savefig(content, format=suffix.removeprefix("."), metadata=metadata)
    return content.getvalue()
