"""Pictures: which one is drawn, what is in it, and what is refused."""

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import TRAIN, Done, write
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import PlotOptions, Workspace, plot
from pipeline.plotting import canvas, curves, overview, pairs
from pipeline.plotting.columns import by_numbers, levels_of, some_rows, sort_of
from pipeline.progress import Note, listening

PNG, SVG = b"\x89PNG", b"<?xml"


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What is told while a test runs."""
    heard: list[str] = []
    with listening(lambda event: heard.append(event.text) if isinstance(event, Note) else None):
        yield heard


def frame(n: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "number": rng.normal(size=n),
            "whole": rng.integers(0, 100, n),
            "few": rng.integers(0, 3, n),
            "text": pd.Series(rng.choice(["b 10", "b 9", "a"], n), dtype="str"),
            "day": pd.date_range("2026-01-01", periods=n).as_unit("us"),
        }
    )


def labels(figure: Any) -> list[str]:
    axes = figure.axes[0]
    return [axes.get_xlabel(), axes.get_ylabel()]


def names_in_legend(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


# --- columns ---


def test_columns_are_numbers_times_or_levels() -> None:
    sorts = {name: sort_of(column) for name, column in frame().items()}
    assert sorts == {
        "number": "number", "whole": "number", "few": "number", "text": "category", "day": "time",
    }  # fmt: skip
    assert sort_of(pd.Series([True, False])) == "category"


def test_levels_stand_in_the_order_of_their_numbers_others_and_missing_last() -> None:
    column = pd.Series(["h 10", "h 9", None, "h 9", "z", "h 10"], dtype="str")
    assert list(levels_of(column, 8).cat.categories) == ["h 9", "h 10", "z", "missing"]
    few = levels_of(pd.Series(["h 9", "h 9", "h 10", "z", None], dtype="str"), 2)
    assert few.tolist() == ["h 9", "h 9", "others", "others", "missing"]
    assert list(few.cat.categories) == ["h 9", "others", "missing"]
    assert sorted(["b 10", "b 9", "a"], key=by_numbers) == ["a", "b 9", "b 10"]


def test_a_number_of_many_values_is_cut_at_its_quartiles() -> None:
    cut = levels_of(pd.Series(np.arange(100.0)), 8)
    assert cut.value_counts().tolist() == [25, 25, 25, 25]


def test_many_rows_are_sampled_and_that_is_said(told: list[str]) -> None:
    big = pd.DataFrame({"x": range(7000)})
    some = some_rows(big)
    assert len(some) == 5000
    assert some.index.is_monotonic_increasing
    assert told == ["5,000 of 7,000 rows are drawn, chosen by chance"]
    assert some_rows(big.head(10)) is not None
    assert len(told) == 1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.none() | st.text(max_size=4) | st.just("0" * 400), min_size=1, max_size=30).filter(
        lambda values: any(values)
    ),
    st.integers(2, 5),
)
def test_every_row_has_one_of_at_most_so_many_levels(values: list[str | None], most: int) -> None:
    column = pd.Series(values, dtype="str")
    levels = levels_of(column, most)
    assert not levels.isna().any()
    assert len(levels.cat.categories) <= most + 1, "missing comes besides"
    assert (levels[column.isna()] == "missing").all()


# --- pictures of columns ---


def drawn(make: Callable[[], Any], suffix: str = ".png") -> tuple[Any, bytes]:
    with canvas.drawing([], Path(f"a{suffix}")):
        figure = make()
        return figure, canvas.picture(figure, suffix)


@pytest.mark.parametrize(
    ("make", "x", "y", "by"),
    [
        (pairs.scatter, "number", "whole", "text"),
        (pairs.scatter, "number", "whole", "number"),
        (pairs.line, "day", "number", "few"),
        (pairs.box, "text", "number", None),
        (pairs.box, "number", "text", "few"),
    ],
)
def test_a_pair_of_columns_is_drawn_with_their_names(
    make: Callable[..., Any], x: str, y: str, by: str | None
) -> None:
    figure, content = drawn(lambda: make(frame(), x, y, by))
    assert labels(figure) == [x, y]
    assert content.startswith(PNG)


def test_levels_have_colours_and_names() -> None:
    figure, _ = drawn(lambda: pairs.scatter(frame(), "number", "whole", "text"))
    assert names_in_legend(figure) == ["a", "b 9", "b 10"]
    figure, _ = drawn(lambda: pairs.histogram(frame(), "text", "few"))
    assert names_in_legend(figure) == ["0", "1", "2"]
    heights = [bar.get_height() for bar in figure.axes[0].containers[0]]
    assert sum(heights) == pytest.approx(1), "levels are compared by shares"


def test_a_histogram_counts_every_row_and_its_bins_hold_equally_many_whole_numbers() -> None:
    figure, _ = drawn(lambda: pairs.histogram(frame(), "whole", None))
    bars = figure.axes[0].patches
    assert sum(bar.get_height() for bar in bars) == 60
    assert {round(bar.get_width(), 6) for bar in bars} == {3.0}


def test_a_line_breaks_off_where_time_has_a_gap() -> None:
    gap = frame().drop(index=range(20, 40))
    figure, _ = drawn(lambda: pairs.line(gap, "day", "number", None))
    values = figure.axes[0].lines[0].get_ydata()
    assert len(values) == 41
    assert np.isnan(values[20])


def test_the_missing_map_has_the_columns_of_either_file() -> None:
    train, test = frame(), frame(seed=1)
    train.loc[:29, "number"] = np.nan
    test.loc[:5, "text"] = None
    figure, _ = drawn(lambda: overview.missing_map(train, test))
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["number", "text"]
    shares = [bar.get_width() for bar in figure.axes[1].patches]
    assert shares == pytest.approx([50, 0, 0, 10])


def test_correlation_puts_the_target_first_and_the_nearest_beside_it() -> None:
    data = frame()
    data["target"] = -data["whole"] + data["number"] / 100
    figure, _ = drawn(lambda: overview.correlation(data, "target"))
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names[:2] == ["target", "whole"]
    assert len(names) == 4
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[0] == "1.00"
    assert float(texts[1]) < -0.99


@pytest.mark.parametrize("target", ["number", "text"])
def test_the_target_is_drawn_against_columns_of_any_kind(target: str) -> None:
    columns = [name for name in frame() if name != target]
    figure, _ = drawn(lambda: overview.target_panels(frame(), target, columns))
    assert [axes.get_xlabel() for axes in figure.axes] == columns


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_data_give_the_same_bytes(suffix: str) -> None:
    def make() -> Any:
        return pairs.scatter(frame(), "number", "whole", "text")

    first, second = drawn(make, suffix)[1], drawn(make, suffix)[1]
    assert first == second
    assert first.startswith(PNG if suffix == ".png" else SVG)
    assert b"Matplotlib" not in first.replace(b"http://matplotlib.org/", b"")[:2000]


def test_a_matplotlibrc_of_one_s_own_changes_nothing() -> None:
    import matplotlib as mpl

    plain = drawn(lambda: pairs.histogram(frame(), "whole", None))[1]
    with mpl.rc_context({"figure.facecolor": "black", "font.size": 30}):
        assert drawn(lambda: pairs.histogram(frame(), "whole", None))[1] == plain
        assert mpl.rcParams["font.size"] == 30


# --- letters ---


def test_korean_is_drawn_by_a_font_that_has_it_or_a_note_says_so(
    monkeypatch: pytest.MonkeyPatch, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    korean = frame().rename(columns={"number": "기온"})
    monkeypatch.setattr(canvas, "korean_family", lambda: None)
    for name in ("a.png", "b.svg"):
        with canvas.drawing(["기온"], Path(name)):
            figure = pairs.scatter(korean, "기온", "whole", None)
            content = canvas.picture(figure, Path(name).suffix)
    assert "기온".encode() in content, "a browser finds a font for the text of an SVG"
    assert len(told) == 1
    assert told[0].startswith("no font with Korean letters is installed")
    assert caplog.records == []


def test_an_installed_korean_family_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl
    from matplotlib import font_manager

    (other,) = [
        font for font in font_manager.fontManager.ttflist if font.fname.endswith("/DejaVuSans.ttf")
    ][:1]
    entry = font_manager.FontEntry(fname=other.fname, name="NanumGothic")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [other, entry])
    with canvas.drawing(["온도"], Path("a.png")):
        assert mpl.rcParams["font.family"] == ["NanumGothic", "DejaVu Sans"]
    with canvas.drawing(["temp"], Path("a.png")):
        assert mpl.rcParams["font.family"] == ["sans-serif"]


# --- learning curves ---


def history(own: list[float], held_out: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"epoch": range(1, len(own) + 1), "loss": own, "val_loss": held_out})


def test_over_fit_is_a_held_out_loss_that_rises_while_the_own_one_falls() -> None:
    over = curves.read_curve(0, history([4, 3, 2, 1], [4, 2, 3, 4]), None)
    fine = curves.read_curve(1, history([4, 3, 2, 1], [4, 3, 2, 1]), None)
    stuck = curves.read_curve(2, history([4, 3, 3, 3], [4, 2, 3, 4]), None)
    assert [one.best for one in (over, fine, stuck)] == [2, 4, 2]
    assert [one.is_overfit for one in (over, fine, stuck)] == [True, False, False]
    assert curves.read_curve(0, over.losses, 3).best == 3, "what was kept is known better"
    assert curves.overfit_line([over]) == (
        "over-fit in 1 of 1 folds: after the best epoch, 2 (median), the training loss falls by "
        "67 % and the held-out loss rises by 100 %"
    )
    assert curves.overfit_line([fine]).startswith("no over-fit: the best epoch is 4 (median)")


def test_curves_mark_the_best_epochs_and_have_a_panel_for_the_metric() -> None:
    losses = [
        history([4, 3, 2, 1], [4, 2, 3, 4]).assign(val_accuracy=[-0.1, -0.6, -0.5, -0.4]),
        history([4, 3, 2], [4, 3, 2]).assign(val_accuracy=[-0.2, -0.4, -0.9]),
    ]
    found = [curves.read_curve(fold, one, None) for fold, one in enumerate(losses)]
    figure, _ = drawn(lambda: curves.learning_curves(found, "dnn"))
    loss, accuracy = figure.axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    marks = [line for line in accuracy.lines if line.get_marker() == "o"]
    assert [line.get_xydata().tolist() for line in marks] == [[[2, 0.6], [3, 0.9]]]
    texts = [text.get_text() for text in loss.get_legend().get_texts()]
    assert texts == ["training rows", "held-out rows", "best epoch, which is kept", "over-fit"]


# --- the command ---


def test_plot_chooses_the_picture_and_says_where_it_is(
    kc_here: Callable[..., Done], fetched: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "a.svg"
    done = kc_here(
        fetched, "plot", "bike", "--x", "temp", "--y", "count", "--by", "season", "--out", out,
        expect=0,
    )  # fmt: skip
    assert done.out == f"{out}\n"
    text = out.read_text(encoding="utf-8")
    assert all(f">{word}<" in text for word in ("temp", "count", "season", "1", "4"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--x", "temperature", "--y", "count"], "--x 'temperature': no column of train.csv nor"),
        (["--x", "tempp"], "did you mean 'temp'?"),
        (["--kind", "histogramm"], "--kind 'histogramm'; did you mean 'histogram'?"),
        (["--x", "season", "--y", "weather"], "season and weather are both text; give a number"),
        (["--y", "count"], "expected --x, the column along the horizontal axis"),
        (["--kind", "scatter", "--x", "temp"], "--kind scatter: expected --x and --y"),
        (["--kind", "scatter", "--x", "season", "--y", "count"], "season is text; use --kind box"),
        (["--kind", "missing", "--x", "temp"], "--kind missing: is of all columns"),
        (["--kind", "histogram", "--x", "temp", "--y", "count"], "is of one column"),
        (["--kind", "curves"], "no run of bike has learning curves yet; run kc train bike"),
        (["--kind", "curves", "--run", "x"], "no run of 'bike' yet"),
        (["--kind", "box", "--run", "x"], "--run: only --kind curves is of a run, not box"),
        (["--x", "temp", "--out", "a.pdf"], "--out a.pdf: expected a name that ends in .png"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_drawn_is_one_line(
    kc_here: Callable[..., Done], fetched: Path, arguments: list[str], said: str
) -> None:
    assert said in kc_here(fetched, "plot", "bike", *arguments).error()
    assert not (fetched / "plots").exists()


def test_a_column_without_values_and_a_table_without_gaps_are_refused(
    kc_here: Callable[..., Done], tiny: Callable[..., Path]
) -> None:
    empty = "\n".join(f"{row},{'gone' if i == 0 else ''}" for i, row in enumerate(TRAIN.split()))
    work = tiny(empty + "\n")
    assert "--x 'gone': the column has no value at all" in (
        kc_here(work, "plot", "tiny", "--x", "gone").error()
    )
    work = tiny(TRAIN)
    kc_here(work, "fetch", "tiny", "--from", work.parent / "downloaded", expect=0)
    assert "--kind missing: no cell of train and test is missing" in (
        kc_here(work, "plot", "tiny", "--kind", "missing").error()
    )


def test_a_picture_is_one_line_of_python(trained_tiny: Path, tmp_path: Path) -> None:
    workspace = Workspace(trained_tiny)
    by_columns = plot(workspace, "tiny", PlotOptions(x="size", y="price", out=tmp_path / "a.png"))
    assert by_columns == tmp_path / "a.png"
    assert by_columns.read_bytes().startswith(PNG)


def test_without_a_name_a_picture_lies_in_plots(
    kc_here: Callable[..., Done], tiny: Callable[..., Path]
) -> None:
    work = tiny()
    done = kc_here(work, "plot", "tiny", expect=0)
    assert done.out == f"{work / 'plots' / 'tiny-target.png'}\n"
    named = kc_here(work, "plot", "tiny", "--x", "colour", "--y", "price", expect=0)
    assert named.out.endswith("tiny-colour-price.png\n")


def test_learning_curves_are_those_of_a_run(
    kc_here: Callable[..., Done], trained_tiny: Path, tmp_path: Path
) -> None:
    import json
    import shutil

    work = Path(shutil.copytree(trained_tiny, tmp_path / "work"))
    (run,) = (work / "runs").glob("tiny-*")
    assert "keeps no learning curves; those of a network do: kc train tiny --model dnn" in (
        kc_here(work, "plot", "tiny", "--kind", "curves", "--run", run.name).error()
    )
    losses = history([4, 3, 2, 1], [4, 2, 3, 4])
    for fold in (0, 1):
        write(run / f"fold-{fold}" / "history.csv", losses.to_csv(index=False))
    record = json.loads((run / "run.json").read_text())
    assert [fold["number"] for fold in record["folds"]][:2] == [0, 1]
    done = kc_here(work, "plot", "tiny", "--kind", "curves", "-o", tmp_path / "c.svg", expect=0)
    assert "over-fit in 2 of 2 folds: after the best epoch, 2 (median)" in done.err
    assert re.search(">epoch<", (tmp_path / "c.svg").read_text())
