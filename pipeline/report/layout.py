"""What a page is made of: sections of figures and tables, each readable without seeing it."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.charts import printable, short, style

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Table:
    """Rows under headings; the first cell of a row is its heading.

    numeric: positions of columns of numbers, which stand to the right. is_open: shown at once,
    and not only when asked for. beside: narrow enough to stand beside figures.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    numeric: frozenset[int] = frozenset()
    is_open: bool = True
    beside: bool = False


@dataclass(frozen=True)
class Figure:
    """A chart with its title, what it says in words, and its numbers as a table."""

    title: str
    chart: str
    caption: str = ""
    table: Table | None = None


@dataclass(frozen=True)
class Section:
    """A part of a page under a heading.

    name: by which it is linked. lead: a sentence before its figures. notes: sentences of a list.
    """

    name: str
    title: str
    lead: str = ""
    notes: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    commands: Sequence[str] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.lead or self.notes or self.figures or self.tables or self.commands)


@dataclass(frozen=True)
class Fact:
    """One of the few numbers at the top of a page, and what it means."""

    name: str
    value: Any
    about: Any = ""


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: str
    subtitle: Any
    language: str
    facts: Sequence[Fact]
    warnings: Sequence[str]
    sections: Sequence[Section] = field(default_factory=tuple)
    footer: Any = ""


def render(page: Page) -> str:
    """Return a page as one HTML file that needs nothing else; every text is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters["chart"] = Markup  # made of escaped texts by pipeline.charts
    files = {name: (TEMPLATES / name).read_text(encoding="utf-8") for name in _INLINE}
    css = Markup(style() + files["page.css"])
    script = Markup(files["page.js"])
    sections = [section for section in page.sections if not section.is_empty]
    template = environment.get_template("page.html")
    return template.render(page=page, sections=sections, style=css, script=script)


_INLINE = ("page.css", "page.js")


def _printable(value: Any) -> Any:
    """Return a value without the letters that no file of text can hold."""
    return printable(value) if type(value) is str else value


def timed(shown: str) -> Any:
    """Return a text that differs between two runs of the same work, marked as such."""
    from markupsafe import Markup

    return Markup(f"<time>{html.escape(printable(shown))}</time>")


def digest(shown: str) -> Any:
    """Return a long number of hexadecimal digits, which may be broken anywhere."""
    from markupsafe import Markup

    return Markup(f"<code>{html.escape(printable(shown))}</code>")


def seconds(value: float | None) -> Any:
    """Return a duration as a person reads it."""
    if value is None:
        return "–"
    if value < 99.95:
        return timed(f"{value:.1f} s")
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return timed(f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s")


def number(value: float | None, digits: int = 5) -> str:
    """Return a number short, or a dash where it is not known."""
    return "–" if value is None else short(value, digits)


def with_error(value: float | None, error: float | None) -> str:
    """Return a number with its standard error, both to the digits that the error leaves."""
    if value is None or error is None or not error > 0:
        return number(value)
    decimals = min(max(_decimals(error), 0), 8)
    return f"{value:,.{decimals}f} ± {error:,.{decimals}f}"


def _decimals(error: float) -> int:
    """Return how many decimals show two digits of an error."""
    import math

    return 1 - math.floor(math.log10(error))
