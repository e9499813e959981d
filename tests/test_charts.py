"""Charts: well-formed XML whatever the numbers and names, with the marks that were given."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipeline.charts import (
    Bar,
    Interval,
    Line,
    aligned,
    bars,
    heatmap,
    intervals,
    lines,
    round_ticks,
    scatter,
    short,
    style,
    tick_labels,
)
from pipeline.charts.lettering import fitted, text_width
from pipeline.charts.scales import Scale

SVG = "{http://www.w3.org/2000/svg}"
WILD = st.text(max_size=30)
NUMBER = st.floats(allow_nan=False, allow_infinity=False, width=32)
ANY = st.floats()
QUICK = settings(  # a failure is shown as it was found: to make it smaller takes minutes
    deadline=None, max_examples=40, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)


def parsed(svg: str) -> ET.Element:
    """Return a chart's root, after checking what holds for every chart."""
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert (root.get("role"), root.get("tabindex")) == ("img", "0")
    assert root.get("aria-label")
    for one in root.iter():
        for name, value in one.attrib.items():
            assert "nan" not in value or name in ("aria-label", "data-label"), (
                one.tag,
                name,
                value,
            )
            if name in ("width", "height", "r"):
                assert float(value) >= 0, (one.tag, name, value)
    return root


def marks(root: ET.Element, tag: str, class_: str = "") -> list[ET.Element]:
    return [
        one
        for one in root.iter(f"{SVG}{tag}")
        if class_ in (one.get("class") or "").split() or not class_
    ]


def texts(root: ET.Element) -> list[str]:
    return ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]


def test_ticks_are_round_numbers_between_the_ends():
    assert round_ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert round_ticks(3, 97, 4) == pytest.approx([20, 40, 60, 80])
    assert round_ticks(-0.35, 0.35, 4) == pytest.approx([-0.2, 0, 0.2])
    with pytest.raises(ValueError, match="the first below, found 1 and 1"):
        round_ticks(1, 1)


@QUICK
@given(low=NUMBER, width=st.floats(1e-6, 1e12))
def test_ticks_lie_within_and_are_few_whatever_the_ends(low, width):
    high = low + width
    if not low < high:
        return
    found = round_ticks(low, high)
    slack = 1e-6 * (abs(low) + width)
    assert 1 <= len(found) <= 6
    assert all(low - slack <= one <= high + slack for one in found)
    assert len(set(tick_labels(found))) == len(found) or width < 1e-9 * abs(low)


def test_numbers_are_written_as_people_write_them():
    assert tick_labels([0, 50_000, 100_000]) == ["0", "50k", "100k"]
    assert tick_labels([0.0, 0.5, 1.0]) == ["0.0", "0.5", "1.0"]
    assert tick_labels([1_000_000, 1_500_000]) == ["1,000k", "1,500k"]
    assert [short(one) for one in (0, 1234567, 0.000123456, 39.26669, math.nan)] == [
        "0", "1,234,567", "0.0001235", "39.27", "-",
    ]  # fmt: skip
    assert aligned([13.64, 9.921, -0.3, 0.01]) == ["13.6", "9.9", "\u22120.3", "0.0"]


def test_a_korean_letter_is_as_wide_as_high_and_long_names_are_cut():
    assert text_width("기온", 11) == 22
    assert text_width("ab", 11) < 22
    assert fitted("temperature", 200, 11) == "temperature"
    cut = fitted("a_name_that_is_far_too_long", 60, 11)
    assert cut.endswith("…")
    assert text_width(cut, 11) <= 66


def test_a_scatter_draws_each_finite_pair_and_the_diagonal():
    root = parsed(
        scatter(
            np.array([1.0, 2.0, np.nan, 4.0]),
            np.array([1.0, np.inf, 3.0, 5.0]),
            label="a",
            x_label="true",
            y_label="said",
            diagonal=True,
        )
    )
    assert len(marks(root, "circle")) == 2
    assert len(marks(root, "line", "reference")) == 1
    assert {"true", "said"} <= set(texts(root))


def test_a_points_value_can_be_found_back_from_its_pixel():
    root = parsed(scatter(np.array([0.0, 9.0, 99.0]), np.array([0.0, 9.0, 99.0]), label="a",
                          x_label="x", y_label="y", diagonal=True, kind="log1p"))  # fmt: skip
    low, high, start, end, kind = root.get("data-x").split()
    scale = Scale(float(low), float(high), float(start), float(end), kind)
    assert [float(one.get("cx")) for one in marks(root, "circle")] == pytest.approx(
        [scale(0), scale(9), scale(99)], abs=0.06
    )


def test_lines_of_one_label_share_a_colour_and_the_legend_names_each_once():
    given_lines = [
        Line("train", [1, 2, 3], [3.0, 2.0, 1.0]),
        Line("held out", [1, 2, 3], [3.0, 2.5, 2.7], {1: "best epoch 2"}),
        Line("train", [1, 2], [3.1, 2.0]),
    ]
    svg = lines(
        given_lines, label="a", x_label="epoch", y_label="loss", shaded_from=2.0, shaded="no"
    )
    root = parsed(svg)
    assert len(marks(root, "polyline")) == 3
    assert [one.text for one in root.iter(f"{SVG}title")] == ["best epoch 2"]
    assert [one for one in texts(root) if one in ("train", "held out")] == ["train", "held out"]
    assert len(marks(root, "rect", "shade")) == 1


def test_a_line_of_thousands_of_epochs_keeps_its_ends_and_few_corners():
    x = np.arange(1, 5001)
    root = parsed(lines([Line("a", x, np.log(x))], label="a", x_label="x", y_label="y"))
    corners = marks(root, "polyline")[0].get("points").split()
    assert len(corners) == 240
    low, high = (float(corners[at].split(",")[0]) for at in (0, -1))
    assert high - low > 300


def test_bars_are_as_long_as_their_numbers_on_both_sides_of_zero():
    root = parsed(bars([Bar("a", 10.0, 1.0), Bar("b", -5.0), Bar("c", 0.0)], label="l"))
    wide = [float(one.get("width")) for one in marks(root, "rect")]
    assert wide[0] / wide[1] == pytest.approx(2, rel=0.01)
    assert wide[2] == 0.8
    assert len(marks(root, "line", "whisker")) == 1
    assert "a: 10.0 ± 1" in [one.text for one in root.iter(f"{SVG}title")]


def test_an_interval_spans_its_ends_and_shows_its_other_numbers():
    given_intervals = [
        Interval("folds", None, others=[1.0, 2.0, math.nan]),
        Interval("all", 1.5, 1.0, 2.0),
    ]
    root = parsed(intervals(given_intervals, label="l", x_label="rmse"))
    assert len(marks(root, "circle")) == 3
    (box,) = marks(root, "rect")
    small = [float(one.get("cx")) for one in marks(root, "circle", "small")]
    assert float(box.get("width")) == pytest.approx(small[1] - small[0], abs=0.2)


def test_a_heat_map_numbers_names_that_do_not_fit_above_their_columns():
    names = ["a", "a model of a very long name", "c", "d", "e", "f"]
    values = np.arange(36.0).reshape(6, 6)
    root = parsed(
        heatmap(names, values, label="l", write=lambda v: f"{v:.0f}", strength=lambda v: v / 36)
    )
    assert len(marks(root, "rect")) == 36
    assert {"1", "2", "6"} <= set(texts(root))
    assert "1  a" in texts(root)
    assert "c, d: 15" in [one.text for one in root.iter(f"{SVG}title")]


@QUICK
@given(
    names=st.lists(WILD, min_size=1, max_size=6),
    values=st.lists(st.tuples(ANY, ANY), min_size=6, max_size=6),
)
def test_any_name_and_any_number_makes_well_formed_charts(names, values):
    x, y = (np.array(one) for one in zip(*values, strict=True))
    label = names[0] or "empty"
    parsed(scatter(x, y, label=label, x_label=names[0], y_label=names[-1], diagonal=True))
    parsed(scatter(x, y, label=label, x_label=names[0], y_label=names[-1], kind="log1p"))
    parsed(lines([Line(one, x, y) for one in names], label=label, x_label=names[0], y_label="y"))
    finite = [float(one) for one in np.nan_to_num(x, posinf=1e30, neginf=-1e30)]
    given_bars = [
        Bar(name, value, abs(e)) for name, value, e in zip(names, finite, y, strict=False)
    ]
    parsed(bars(given_bars, label=label))
    ranges = [
        Interval(name, value, value - 1, value + 1)
        for name, value in zip(names, finite, strict=False)
    ]
    parsed(intervals(ranges, label=label, x_label=names[0]))
    square = np.resize(x, (len(names), len(names)))
    parsed(heatmap(names, square, label=label, write=str, strength=lambda v: v, columns=names[0]))


def test_every_class_that_colours_a_chart_is_in_the_style_sheet_light_and_dark():
    css = style()
    assert css.count("--c1:") == css.count("--c6:") == 3  # light, dark, and on paper
    assert "prefers-color-scheme: dark" in css
    used = {
        "grid",
        "axis",
        "tick",
        "reference",
        "dots",
        "line",
        "bar",
        "cell",
        "mark",
        "range",
        "stop",
    }
    assert used <= set(re.findall(r"\.([a-z]+)", css))
