"""A document as a script: its files are written, its commands and its Python are run, in order.

    page = Page(ROOT / "docs" / "index.md")
    page.commands()                                   # what a reader would type
    Reader(folder).read(page)                         # what a reader would do

In a document a block of `sh` holds commands, one of `python` a reader's session, and a block with a
title is a file of that name. Everything else, as `text` or `toml` without a title, is to be read.

Commands are run in this process, each as it is written but for its budget: see in_short().
"""

import contextlib
import io
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import typer
from conftest import _Written

import cli
from pipeline.models import MODELS

BLOCK = re.compile(r"^( *)```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^\1```$", re.M | re.S)
LANGUAGES = ("", "text", "sh", "python", "toml", "csv", "yaml", "json")
SPENT = "30s"  # of the time that all models together are given, once
FEW_EPOCHS, FEW_ROUNDS = "2", "20"
DECLARED = {"moved": "conv2d"}  # slow models that a page declares, and their kinds
STAND_IN = {"iris": "logistic", "breast_cancer": "logistic", "wine": "logistic"}
ELSEWHERE = ("pip", "python", "export", "ruff", "pytest", "docker")  # not commands of ours


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file it is, if any, its text, and its line in the page."""

    language: str
    title: str | None
    text: str
    line: int


@dataclass(frozen=True)
class Page:
    """A document, by its path."""

    path: Path

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    def blocks(self) -> Iterator[Block]:
        """Yield its fenced blocks, without what is said in their margins."""
        for found in BLOCK.finditer(self.text):
            indent, language, title, text = found.groups()
            line = self.text.count("\n", 0, found.start()) + 1
            plain = "".join(one.removeprefix(indent) for one in text.splitlines(keepends=True))
            yield Block(language, title, plain, line)

    def commands(self) -> list[list[str]]:
        """Return what its blocks of commands ask to type, in words."""
        blocks = [block for block in self.blocks() if block.language == "sh"]
        return [words for block in blocks for words in commands_of(block.text)]


def commands_of(text: str) -> list[list[str]]:
    """Return the commands of a block, in words, without comments; && separates two.

    What a command is piped into is a program of others; a ! before it is a notebook's.
    """
    lines = text.replace("\\\n", " ").splitlines()
    each = [part.split(" | ")[0] for line in lines for part in re.split(r"\s&&\s", line)]
    return [
        words for words in (shlex.split(one.lstrip("! "), comments=True) for one in each) if words
    ]


def check_understood(words: Sequence[str]) -> None:
    """Check that our command line takes a command's words, without running it."""
    command, rest = typer.main.get_command(cli.app), list(words[1:])
    context = command.make_context("kc", [*rest] or ["--help"], resilient_parsing=not rest)
    while hasattr(command, "commands"):
        _, command, rest = command.resolve_command(context, [*rest])
        context = command.make_context(command.name, [*rest], parent=context)


def in_short(words: Sequence[str], *, again: bool) -> list[str]:
    """Return a command with a budget that tests can bear; nothing else of it changes.

    One model gets few epochs or rounds. A budget of time becomes half a minute, and where one was
    spent before (again), a quick model takes the place of all.
    """
    if words[1] == "tune":
        return [*_without(words, "--time"), "--time", SPENT, "--trials", "1"]
    if words[1] not in ("train", "run") or "--help" in words:
        return list(words)
    short, model = list(words), _value(words, "--model")
    if model is None or "," in model:
        if again:
            quick = STAND_IN.get(words[2], "ridge")
            return [*_without(_without(short, "--model"), "--time"), "--model", quick]
        return [*_without(short, "--time"), "--time", SPENT]
    spec = MODELS.get(DECLARED.get(model, model))
    if spec is not None and spec.epochs and "--epochs" not in words:
        short += ["--epochs", FEW_EPOCHS if spec.epochs == "epochs" else FEW_ROUNDS]
    return short


def _value(words: Sequence[str], option: str) -> str | None:
    return words[words.index(option) + 1] if option in words else None


def _without(words: Sequence[str], option: str) -> list[str]:
    if option not in words:
        return list(words)
    at = words.index(option)
    return [*words[:at], *words[at + 2 :]]


@dataclass
class Reader:
    """Who reads pages and does what they say, in a folder; times are spent once a reader."""

    folder: Path
    has_spent: bool = False
    names: dict[str, Any] = field(default_factory=dict)

    def read(self, page: Page) -> None:
        """Do all that a page says; an assertion names the line where it fails."""
        for block in page.blocks():
            where = f"{page.path.name}, line {block.line}"
            assert block.language in LANGUAGES, f"{where}: {block.language}"
            if block.title is not None:
                path = self.folder / block.title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            elif block.language == "sh":
                for words in commands_of(block.text):
                    self.type(words, where)
            elif block.language == "python":
                exec(compile(block.text, where, "exec"), self.names)

    def type(self, words: Sequence[str], where: str = "") -> str:
        """Run a command, and return what it wrote on stdout; others than ours are only known."""
        if words[0] != "kc":
            assert words[0] in ELSEWHERE or "=" in words[0], f"{where}: nothing runs {words}"
            return ""
        short = in_short(words, again=self.has_spent)
        self.has_spent |= _value(short, "--time") == SPENT
        code, out, err = run(short)
        assert code == 0, f"{where}: {shlex.join(short)} ended with {code}\n{out}{err}"
        return out


def save_pictures(folder: Path, name: str) -> None:
    """Write six images of chance for each of ten classes in the place of a set of Keras."""
    rng = np.random.default_rng(0)
    colours, side = ((3,), 32) if "cifar" in name else ((), 28)
    labels = np.arange(60) % 10
    images = rng.integers(0, 256, (len(labels), side, side, *colours), dtype="uint8")
    parts = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(folder / f"{name}.npz", **parts)


def run(words: Sequence[str], said: str = "y\n") -> tuple[int, str, str]:
    """Run a command in this process; return its exit code, and what it wrote."""
    out, err = _Written(), _Written()
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = list(words), io.StringIO(said)
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv, sys.stdin = before
    return code, out.text(), err.text()
