"""What a person sees while something runs: on a terminal, in a pipe, and in any encoding."""

import io
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import KC, Done, copy_of, environment
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.progress import (
    BudgetSpent,
    Downloaded,
    EpochEnded,
    Event,
    FoldEnded,
    FoldStarted,
    Note,
    Warned,
    Working,
    emit,
    kept_folds,
)
from pipeline.stages import automatic
from pipeline.stages.folding import FoldWork
from pipeline.terminal import can_redraw, glyphs, shown
from pipeline.terminal.live import Bar, Waiting, clock_time, next_view

glyphs.register()


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal, in some encoding."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(
            io.BytesIO(), encoding=encoding, errors=glyphs.PLAIN, write_through=True, newline="\n"
        )

    def isatty(self) -> bool:
        return True

    def written(self) -> str:
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined,no-any-return]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def seen(events: list[tuple[float, Event]], after: float = 0.0) -> list[Bar | str]:
    """Return what is drawn some seconds after events that each came after some seconds."""
    clock = Clock()
    view: Any = Waiting(clock.now, clock)
    for seconds, event in events:
        clock.now += seconds
        view = next_view(view, event, clock)
    clock.now += after
    return view.lines()


# --- what runs now ---


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (125, "2:05"), (3723, "1:02:03")]
)
def test_times_are_those_of_a_clock(seconds: float, text: str) -> None:
    assert clock_time(seconds) == text


def test_a_fold_shows_its_epoch_its_metric_and_the_time_left() -> None:
    bar, epoch, score = seen(
        [
            (0, FoldStarted("dnn", 1, 4, metric="rmse")),
            (9, FoldEnded(1, 4, 38.0, 9.0, reused=False)),
            (0, FoldStarted("dnn", 2, 4, metric="rmse")),
            (3, EpochEnded(10, 40, 0.25, 0.3, 37.25, 36.5)),
        ]
    )
    assert bar == Bar("dnn  fold 2 of 4", 1.25 / 4, "0:24 left")
    assert epoch == "epoch 10 of 40   rmse 37.25, best 36.5   loss 0.25, valid 0.3"
    assert score == "rmse 38.00000, 1 fold"


@pytest.mark.parametrize(
    ("metric", "scale", "watched", "name"),
    [
        ("rmse", "", "rmse", "rmse"),
        ("rmsle", "log1p", "rmse", "rmsle"),
        ("rmse", "roots", "squared error", "squared error of roots"),
        ("accuracy", "", "log_loss", "log_loss"),
    ],
)
def test_a_round_of_boosting_says_what_it_is_stopped_by(
    metric: str, scale: str, watched: str, name: str
) -> None:
    _, round_ = seen(
        [
            (0, FoldStarted("lightgbm", 1, 4, metric=metric, scale=scale)),
            (3, EpochEnded(10, 40, 0.3, 0.3, best=0.25, watched=watched)),
        ]
    )
    assert round_ == f"epoch 10 of 40   held-out {name} 0.3, best 0.25"


def test_folds_that_learn_at_once_are_one_line_and_the_first_epoch_says_nothing_of_others() -> None:
    started = FoldStarted("dnn", 1, 5, together=5, metric="rmse")
    (bar,) = seen([(0, started)], after=12)
    assert bar == Bar("dnn  folds 1-5 of 5", None, "0:12"), "compiling has no known end"
    first, later = (EpochEnded(n, 100, 1.0, None) for n in (1, 26))
    bar, epoch = seen([(0, started), (12, first), (5, later)])
    assert bar == Bar("dnn  folds 1-5 of 5", 0.26, "0:15 left")
    assert epoch == "epoch 26 of 100   loss 1"


def test_the_last_fold_takes_the_view_away_and_a_while_later_something_moves() -> None:
    ended = [(0.0, FoldStarted("ridge", 1, 1)), (2.0, FoldEnded(1, 1, 0.5, 2.0, reused=False))]
    assert seen(ended) == []
    assert seen(ended, after=65) == [Bar("working", None, "1:05")]


def test_a_budget_shows_what_is_left_and_what_each_worker_does() -> None:
    working = (Working(0, "lightgbm", "fold 2 of 6", 4.0), Working(1, "dnn", "6 folds", 30.0))
    event = BudgetSpent(60, 300, "3 models so far, their blend rmsle 0.29110", working)
    assert seen([(0, event)], after=15) == [
        Bar("1:15 of 5:00", 0.25, "3:45 left"),
        "3 models so far, their blend rmsle 0.29110",
        "worker 1   lightgbm  fold 2 of 6  0:19",
        "worker 2   dnn       6 folds  0:45",
    ]


def test_a_download_shows_its_size_and_the_time_left() -> None:
    begun = [(0.0, Downloaded("a.zip", 1_000_000, 5_000_000))]
    later = [*begun, (2.0, Downloaded("a.zip", 2_000_000, 5_000_000))]
    assert seen(later) == [Bar("a.zip", 0.4, "2.0 MB of 5.0 MB, 0:06 left")]
    assert seen([*later, (1.0, Downloaded("a.zip", 5_000_000, 5_000_000))]) == []
    assert seen([(0, Downloaded("b.zip", 1000, None))]) == [Bar("b.zip", None, "1.0 kB")]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 100),
            st.one_of(
                st.builds(FoldStarted, st.text(max_size=5), st.integers(1, 4), st.just(4)),
                st.builds(EpochEnded, st.integers(1, 9), st.just(9), st.floats(), st.floats()),
                st.builds(
                    FoldEnded, st.integers(1, 4), st.just(4), st.none() | st.floats(),
                    st.floats(0, 9), st.booleans(),
                ),
                st.builds(BudgetSpent, st.floats(0, 99), st.floats(1, 99), st.text(max_size=5)),
                st.builds(Note, st.just("read"), st.text(max_size=5)),
            ),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_whatever_comes_in_whatever_order_can_be_drawn(events: list[tuple[float, Event]]) -> None:
    for line in seen(events, after=1):
        assert isinstance(line, str) or line.share is None or 0 <= line.share <= 1


# --- where it is shown ---


@pytest.mark.parametrize(
    ("variables", "live"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "CI": "true"}, False),
        ({"TERM": "xterm", "CI": "false"}, True),
    ],
)
def test_lines_are_plain_where_the_environment_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], live: bool
) -> None:
    for name in ("NO_COLOR", "CI", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream = Terminal()
    assert can_redraw(stream) == live
    assert not can_redraw(io.StringIO())
    with shown(stream=stream):
        emit(FoldStarted("ridge", 1, 2))
        emit(Warned("odd"))
    assert ("\x1b" in stream.written()) == live
    assert re.search(r"^(\x1b\[[\d;?]*[a-zA-Z])*warning", stream.written(), re.MULTILINE)


@pytest.mark.parametrize("encoding", ["cp949", "ascii", "latin-1", "utf-8"])
def test_the_live_view_can_be_drawn_in_any_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    for name in ("NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal(encoding)
    with shown(stream=stream):
        emit(FoldStarted("dnn", 1, 2, metric="rmse"))
        emit(EpochEnded(1, 9, 0.5, 0.5, 1.0, 1.0))
        emit(Note("read", f"따릉이 ± … {'긴 줄 ' * 30}"))
        time.sleep(0.3)  # the view is drawn five times a second
    text = stream.written()
    assert "fold 1 of 2" in text
    assert ("따릉이" in text) == (encoding in ("cp949", "utf-8"))


def test_a_long_line_is_wrapped_beside_its_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    with shown(stream=stream):
        emit(Note("read", "one two three four five six seven eight"))
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]|\r", "", stream.written())
    lines = [line.rstrip() for line in plain.splitlines() if line.strip()]
    assert lines == ["read     one two three four five six", "         seven eight"]


# --- letters ---


def test_letters_that_an_encoding_lacks_keep_their_columns() -> None:
    text = "│ 따릉이 ━━╸ ± 1…  █▌"
    assert text.encode("cp949", glyphs.PLAIN).decode("cp949") == "│ 따릉이 ━━- ± 1…  ##"
    assert "━━╸ ± 1… █▌".encode("ascii", glyphs.PLAIN) == b"--- + 1~ ##"
    assert "é가".encode("ascii", glyphs.PLAIN) == b"\\xe9\\uac00"


@given(st.text())
def test_any_text_can_be_written_in_any_encoding(text: str) -> None:
    for encoding in ("ascii", "cp949", "latin-1"):
        written = text.encode(encoding, glyphs.PLAIN).decode(encoding)
        assert written.isascii() or encoding != "ascii"


@pytest.mark.parametrize("encoding", ["cp949", "latin-1"])  # click writes UTF-8 where it is ASCII
def test_tables_and_bars_reach_a_console_that_has_no_unicode(
    kc: Callable[..., Done], fetched: Path, encoding: str
) -> None:
    done = subprocess.run(
        [KC, "--workspace", fetched, "inspect", "ddarung"],
        env=environment(PYTHONIOENCODING=encoding, LC_ALL="C"), capture_output=True, check=True,
    )  # fmt: skip
    text = done.stdout.decode(encoding)
    assert re.search(r"^  from 1 +[\d,]+  #{10,40}$", text, re.MULTILINE)
    assert ("따릉이" in text) == (encoding == "cp949")


# --- an interruption ---


def test_what_is_kept_is_said_in_words() -> None:
    assert kept_folds(0) == "no fold was finished, so nothing is kept"
    assert kept_folds(1) == "1 finished fold is kept, and the same command goes on from it"
    assert kept_folds(3) == "3 finished folds are kept, and the same command goes on from them"


def test_an_interruption_says_what_is_kept_and_the_same_command_finds_it(
    kc_here: Callable[..., Done], tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    work, fitted = tiny(), []
    fit_anew = FoldWork.fit_anew

    def interrupted(self: FoldWork, folds: list[Any], *more: Any) -> Any:
        if len(fitted) == 2:
            raise KeyboardInterrupt
        fitted.append(folds)
        return fit_anew(self, folds, *more)

    monkeypatch.setattr(FoldWork, "fit_anew", interrupted)
    done = kc_here(work, "train", "tiny", expect=130)
    assert done.err.splitlines()[-1] == (
        "interrupted; 2 finished folds are kept, and the same command goes on from them"
    )
    assert not (work / "runs").exists() or not any((work / "runs").iterdir())
    monkeypatch.undo()
    monkeypatch.setattr(FoldWork, "fit_anew", fit_anew)
    again = kc_here(work, "train", "tiny", expect=0)
    assert len(re.findall(r"^fold .* reused$", again.err, re.MULTILINE)) == 2


@pytest.mark.slow
def test_a_budget_that_is_interrupted_before_any_model_says_so(
    kc_here: Callable[..., Done], fetched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = copy_of(fetched, tmp_path / "work")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(automatic, "_work", interrupted)
    done = kc_here(work, "train", "ddarung", "--time", "60s", expect=130)
    assert done.err.splitlines()[-1] == "interrupted; no fold was finished, so nothing is kept"
    assert done.out == ""
    assert not list((work / "runs").glob("ddarung-*"))
