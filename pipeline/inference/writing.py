"""A draft as competition.toml: short, with the evidence in comments; and as lines for a person."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from pipeline.competition import Validation
from pipeline.inference.columns import ID_IS_DATE, Finding
from pipeline.inference.drafts import Draft
from pipeline.inference.evidence import listed
from pipeline.inference.tasks import class_line
from pipeline.splits import resolve_scheme
from pipeline.tomltext import toml_string as _text

WIDTH = 96
FEW = 6  # dropped columns, each of which gets its own reason
MOST_ASKED = 20  # columns of which a person is asked what their numbers are
COMMENT_AT = 32  # where comments begin


def draft_toml(draft: Draft) -> str:
    """Return the text of competition.toml."""
    makers = (
        _head, _source, _files, _columns, _images, _windows, _levels, _target, _validation, _models
    )  # fmt: skip
    sections = [list(make(draft)) for make in makers]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def draft_lines(draft: Draft) -> list[tuple[str, str]]:
    """Return what was inferred, each with its subject, for a person to read."""
    files, question, aim, division = draft.files, draft.question, draft.aim, draft.division
    n_train, n_test = draft.n_rows
    identity = "none: rows are joined by position" if question.id is None else question.id
    if question.id is not None and question.by_position:
        identity += " (only in the sample: rows are joined by position)"
    classes = class_line(aim.classes) if aim.classes else aim.task_why
    lines = [
        ("files", f"train {files.train} ({n_train:,} rows), test {files.test} ({n_test:,} rows)"),
        ("files", f"sample submission {files.sample_submission}"),
        ("id", identity),
        ("target", ", ".join(question.target)),
        ("task", f"{aim.task}: {classes}"),
        ("metric", f"{aim.metric} ({aim.metric_why})"),
        ("folds", f"{division.n_splits}, {_scheme(draft)}" + _because(division.why)),
    ]
    if draft.images is not None:
        lines.append(("images", f"{draft.images} pixels"))
    if draft.series is not None:
        windows = draft.series.windows
        many = "" if windows.by is None else f", a series a {windows.by!r}"
        text = f"{windows.timesteps} rows are known, the {windows.horizon} behind them forecast"
        lines.append(("windows", f"{text}{many}"))
    if aim.target.parts:
        lines.append(("parts", f"{' + '.join(aim.target.parts)} = {question.target[0]}"))
    for why, names in _by_reason(draft.of("drop")).items():
        lines.append(("drop", f"{why}: {listed(names)}"))
    return lines


def draft_checks(draft: Draft) -> list[str]:
    """Return what only a person can know, and should look at."""
    aim, checks = draft.aim, []
    if aim.task == "multiclass" and aim.task_why.endswith(tuple("0123456789")):
        checks.append(f"task: {aim.task_why} were taken for classes, not amounts")
    if "guess" in aim.target_why:
        checks.append(f"target.positive = {aim.target.positive!r} is {aim.target_why}")
    if draft.series is not None and draft.said.windows is not None:
        n = draft.series.windows
        checks.append(f"windows.timesteps = {n.timesteps} and horizon = {n.horizon} are guesses")
    elif draft.series is not None:
        checks.append(f"windows.timesteps = {draft.series.windows.timesteps} is a guess")
    if draft.series_hint:
        checks.append(draft.series_hint)
    kinds = [one.name for one in draft.of("kind?")]
    if kinds:
        checks.append(f"numbers that may name a kind, then categorical: {listed(kinds)}")
    for spelling, names in draft.maybe_levels.items():
        checks.append(f"{spelling!r} may be a level, not a missing value, of {listed(names)}")
    if any(one.why == ID_IS_DATE for one in draft.columns):
        checks.append(f"{draft.question.id!r} is {ID_IS_DATE}")
    if draft.guessed_days:
        checks.append(f"dayfirst = {str(draft.files.dayfirst).lower()} is a guess")
    if len(draft.question.target) > 1:
        checks.append("several targets are predicted as amounts; probabilities are none")
    return checks


def _scheme(draft: Draft) -> str:
    return resolve_scheme(Validation(scheme=draft.division.scheme), draft.aim.task)


def _because(why: str) -> str:
    return f": {why}" if why else ""


def _head(draft: Draft) -> Iterator[str]:
    aim = draft.aim
    classes = class_line(aim.classes) if aim.classes else ""
    yield "# Inferred by kc new from the files; the comments say from what. Correct what is wrong."
    yield f"title = {_text(draft.said.title or draft.name)}"
    yield _commented(f"task = {_text(aim.task)}", classes or aim.task_why)
    yield _commented(f"metric = {_text(aim.metric)}", aim.metric_why)


def _source(draft: Draft) -> Iterator[str]:
    source = draft.said.source
    if source.kind == "files":
        return
    yield "[source]"
    yield f"kind = {_text(source.kind)}"
    if source.slug is not None:
        yield f"slug = {_text(source.slug)}"
    if source.dataset is not None:
        why = "its last fifth is held back; kc fetch NAME --from FILE cuts it again"
        yield _commented(f"dataset = {_text(source.dataset)}", why)
    if source.number is not None:
        yield f"number = {source.number}"
    if source.url is not None:
        yield f"url = {_text(source.url)}"


def _files(draft: Draft) -> Iterator[str]:
    files = draft.files
    yield "[files]"
    for role in ("train", "test", "sample_submission"):
        yield f"{role} = {_text(getattr(files, role))}"
    if files.decimal != ".":
        yield f"decimal = {_text(files.decimal)}"
    if files.dayfirst is not None:
        why = "nothing in the dates shows it" if draft.guessed_days else "other dates show it"
        yield _commented(f"dayfirst = {str(files.dayfirst).lower()}", why)
    if files.na_values:
        yield _commented(f"na_values = [{', '.join(map(_text, files.na_values))}]", "among numbers")


def _columns(draft: Draft) -> Iterator[str]:
    question, division = draft.question, draft.division
    yield "[columns]"
    if question.id is not None:
        yield f"id = {_text(question.id)}"
    if question.by_position:
        why = "rows of test and sample: the same order"
        yield _commented("by_position = true", why)
    targets = question.target
    shown = _text(targets[0]) if len(targets) == 1 else f"[{', '.join(map(_text, targets))}]"
    yield from _wrapped("target", targets) if len(shown) > 60 else [f"target = {shown}"]
    yield from _categorical(draft.of("categorical"))
    yield from _kinds(draft.of("kind?"))
    yield from _each("datetime", draft.of("datetime"))
    yield from _each("text", draft.of("text"))
    if division.group is not None:
        yield _commented(f"group = {_text(division.group)}", division.why)
    if division.time is not None:
        yield _commented(f"time = {_text(division.time)}", division.why)
    for candidate in division.candidates:
        yield f"# {_comment(candidate)}"
    yield from _each("drop", draft.of("drop"))


def _categorical(found: list[Finding]) -> Iterator[str]:
    """Yield the categories, those that need a reason line by line, the others together."""
    if not found:
        return
    plain = [one for one in found if one.why.endswith("levels")]
    counts = sorted(int(one.why.split()[0].replace(",", "")) for one in plain)
    if len(found) == 1 or len(plain) < len(found):
        yield from _each("categorical", found)
        return
    few, many = counts[0], counts[-1]
    span = f"{few} levels each" if few == many else f"{few} to {many:,} levels"
    yield from _wrapped("categorical", [one.name for one in found], f"text of {span}")


def _kinds(found: list[Finding]) -> Iterator[str]:
    """Yield a question: which whole numbers of few levels are kinds."""
    if found:
        names = [f"{_text(one.name)} ({one.why})" for one in found]
        more = f" and {len(names) - MOST_ASKED} more" if len(names) > MOST_ASKED else ""
        shown = ", ".join(names[:MOST_ASKED]) + more
        text = f"Whole numbers of few levels; categorical, if they name kinds: {shown}"
        yield from (f"# {_comment(line)}" for line in textwrap.wrap(text, WIDTH - 2))


def _each(key: str, found: list[Finding]) -> Iterator[str]:
    """Yield a list with its reason, or with those of its parts."""
    reasons = _by_reason(found)
    if len(found) == 1:
        yield _commented(f"{key} = [{_text(found[0].name)}]", found[0].why)
    elif len(reasons) == 1:
        yield from _wrapped(key, [one.name for one in found], next(iter(reasons)))
    elif 0 < len(found) <= FEW:
        yield f"{key} = ["
        yield from (_commented(f"    {_text(one.name)},", one.why) for one in found)
        yield "]"
    elif found:
        yield f"{key} = ["
        for why, names in reasons.items():
            yield f"    # {_comment(why)}"
            yield from _filled(names)
        yield "]"


def _by_reason(found: list[Finding]) -> dict[str, list[str]]:
    """Return the columns by what speaks for their use, without what is special to each."""
    reasons: dict[str, list[str]] = {}
    for one in found:
        plain = re.sub(r"^[\d,]+ levels in [\d,]+ rows$", "most rows differ", one.why.split(":")[0])
        reasons.setdefault(plain, []).append(one.name)
    return reasons


def _filled(names: Iterable[str]) -> Iterator[str]:
    """Yield names as the items of a list, in as few lines as they fit."""
    line = "   "
    for item in (f"{_text(name)}," for name in names):
        if len(line) + len(item) + 1 > WIDTH and line.strip():
            yield line
            line = "   "
        line += f" {item}"
    yield line


def _wrapped(key: str, names: Sequence[str], why: str = "") -> Iterator[str]:
    """Yield a list with one reason, in as few lines as it fits."""
    items = [f"{_text(name)}," for name in names]
    short = f"{key} = [{' '.join(items).rstrip(',')}]"
    if len(short) <= COMMENT_AT + 20:
        yield _commented(short, why)
        return
    yield _commented(f"{key} = [", why)
    yield from _filled(names)
    yield "]"


def _images(draft: Draft) -> Iterator[str]:
    images = draft.images
    if images is not None:
        yield _commented("[images]", f"{images.n_pixels:,} numbered columns from 0 to 255")
        yield f"height = {images.height}"
        yield f"width = {images.width}"
        yield from ["channels = 3"] if images.channels == 3 else []


def _windows(draft: Draft) -> Iterator[str]:
    """Yield the windows that rows are cut into, or as a comment what speaks for them."""
    if draft.series is None:
        if draft.series_hint:
            yield from (f"# {_comment(one)}" for one in textwrap.wrap(draft.series_hint, WIDTH - 2))
        return
    windows, why = draft.series.windows, draft.series.why
    yield _commented("[windows]", why["windows"])
    yield _commented(f"timesteps = {windows.timesteps}", why["timesteps"])
    yield _commented(f"horizon = {windows.horizon}", why["horizon"])
    if windows.by is not None:
        yield _commented(f"by = {_text(windows.by)}", why["by"])
    if windows.gaps != "refuse":
        yield _commented(f"gaps = {_text(windows.gaps)}", why["gaps"])
    if windows.target != "change":
        yield _commented(f"target = {_text(windows.target)}", why["target"])


def _levels(draft: Draft) -> Iterator[str]:
    """Yield the levels that are sure, and as comments those that may be some."""
    if draft.levels:
        yield "[levels]"
    for word, names in draft.levels.items():
        yield from _wrapped(_text(word), names, "here a level, not a missing value")
    if draft.maybe_levels:
        yield _commented("# [levels]", "in over a third of the rows: levels, or missing values?")
    for word, names in draft.maybe_levels.items():
        yield from (f"# {_comment(line)}" for line in _wrapped(_text(word), names))


def _target(draft: Draft) -> Iterator[str]:
    aim = draft.aim
    target, why = aim.target, aim.target_why
    lines = []
    if target.transform not in (None, "none"):
        lines.append(_commented(f"transform = {_text(target.transform)}", why))
    if target.lower is not None:
        lines.append(_commented(f"lower = {target.lower:g}", "" if lines else why))
    if target.positive is not None:
        lines.append(_commented(f"positive = {_text(target.positive)}", why))
    if target.answer is not None:
        what = {"label": "labels", "probability": "probabilities"}[target.answer]
        lines.append(_commented(f"answer = {_text(target.answer)}", f"the sample holds {what}"))
    if target.parts:
        lines += _wrapped("parts", target.parts, "only in train, and they sum to the target")
    yield from ["[target]", *lines] if lines else []


def _models(draft: Draft) -> Iterator[str]:
    if draft.aim.target.parts:
        yield "[models.lightgbm_parts]"
        yield 'kind = "lightgbm"'
        yield _commented("by_parts = true", "fitted once a part; their sum is the answer")


def _validation(draft: Draft) -> Iterator[str]:
    division = draft.division
    reason = "" if division.group or division.time else division.why
    yield "[validation]"
    if division.scheme != "auto":
        yield _commented(f"scheme = {_text(division.scheme)}", reason)
    yield f"n_splits = {division.n_splits}"
    yield "seed = 42"


def _commented(code: str, why: str) -> str:
    return f"{code:<{COMMENT_AT - 1}} # {_comment(why)}" if why else code


def _comment(text: str) -> str:
    """Return text that may stand in a comment of TOML: no control characters, one line."""
    return "".join(one if one.isprintable() else "?" for one in text)
