"""Statistics of partitions that merge to those of all rows, and what is fitted from them."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from pipeline.competition import Cleaning, Preprocessing
from pipeline.errors import DataError
from pipeline.metrics import METRICS
from pipeline.partitions import statistics
from pipeline.partitions.dealing import Dealing, keys_of
from pipeline.partitions.learning import _filled
from pipeline.partitions.ranks import SHIFTS, Counts, Wanted, ranks_at, value_between, value_of
from pipeline.partitions.rows import Prepared
from pipeline.partitions.scores import Tally
from pipeline.partitions.statistics import Levels, Moments, Statistics, merge
from pipeline.partitions.steps import QUARTILES, fills, fit_encoder, fit_imputer, fit_scaler
from pipeline.preprocessing import make_encoder, make_imputer, make_scaler

NUMBERS = st.one_of(
    st.none(),
    st.floats(-1e9, 1e9, allow_subnormal=False),
    st.sampled_from([0.0, -0.0, 1.0, 7.0, 1e30, -1e-30]),
)
WORDS = st.sampled_from(["red", "blue", "green", "missing", "", "빨강", None])


@st.composite
def split_frames(draw):
    """Return rows, and the same rows as partitions in some order."""
    n = draw(st.integers(3, 40))
    frame = pd.DataFrame(
        {
            "a": pd.Series(draw(st.lists(NUMBERS, min_size=n, max_size=n)), dtype=float),
            "k": pd.Series(draw(st.lists(WORDS, min_size=n, max_size=n)), dtype="str"),
            "b": pd.Series(draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n)), dtype=float),
            "c": pd.Series(draw(st.lists(WORDS, min_size=n, max_size=n)), dtype="str"),
        }
    )
    part_of = np.array(draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)))
    order = draw(st.permutations(range(5)))
    return frame, [frame[part_of == part] for part in order if (part_of == part).any()]


def ranked(known, parts, shares):
    """Return what is known with order statistics, found in passes over partitions."""
    found = {}
    for column, name in enumerate(known.numbers):
        found[name] = {}
        for share in shares if known.numbers[name].n else ():
            low, high, along = ranks_at(share, known.numbers[name].n)
            wanted = [Wanted(column, low), Wanted(column, high)]
            for step in range(len(SHIFTS)):
                each = (Counts.of(p[list(known.numbers)].to_numpy(), wanted, step) for p in parts)
                wanted = merge(each).narrowed(wanted, step)
            found[name][share] = value_between(*map(value_of, wanted), along)
    return replace(known, ranked=found)


@settings(max_examples=40, deadline=None)
@given(split_frames(), st.sampled_from([None, "median", "mean", "most_frequent", "zero"]))
def test_fills_of_partitions_are_those_of_all_rows(frames, imputer):
    frame, parts = frames
    choices, cleaning = Preprocessing(imputer=imputer), Cleaning(columns={"c": "most_frequent"})
    if frame["c"].isna().all():
        cleaning = Cleaning()
    counted = ("a", "b") if imputer == "most_frequent" else ()
    known = merge(Statistics.of(part, counted) for part in parts).finish()
    known = ranked(known, parts, (0.5,))
    keeps = imputer is None
    expected = make_imputer(choices, cleaning, keeps_missing=keeps).fit(frame)
    found = make_imputer(choices, cleaning, keeps_missing=keeps)
    found = fit_imputer(found, known, fills(known, choices, cleaning))
    both = expected.transform(frame), found.transform(frame)
    if imputer == "mean":
        assert_frame_equal(*both, rtol=1e-9)
    else:
        assert_frame_equal(*both, check_exact=True)


@settings(max_examples=40, deadline=None)
@given(split_frames(), st.sampled_from(["standard", "minmax", "maxabs", "robust", "none"]))
def test_scales_of_partitions_are_those_of_all_rows(frames, name):
    frame, parts = frames
    frame, parts = (
        frame[["a", "b"]].clip(-1e12, 1e12),
        [p[["a", "b"]].clip(-1e12, 1e12) for p in parts],
    )
    frame["c"], parts = "x", [part.assign(c="x") for part in parts]
    known = merge(Statistics.of(part) for part in parts).finish()
    known = ranked(known, parts, QUARTILES) if name == "robust" else known
    if not all(one.n for one in known.numbers.values()):
        return  # scikit-learn warns of columns without a value
    expected = make_scaler(name).fit(frame).transform(frame)
    found = fit_scaler(make_scaler(name), known, name).transform(frame)
    assert_frame_equal(expected, found, check_exact=name not in ("standard",), rtol=1e-6, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(split_frames(), st.sampled_from(["ordinal", "onehot"]), st.integers(2, 4))
def test_codes_of_partitions_are_those_of_all_rows(frames, name, most):
    frame, parts = frames
    text, parts = frame[["k", "b"]], [part[["k", "b"]] for part in parts]
    cleaning = Cleaning()
    imputer = make_imputer(Preprocessing(), cleaning, keeps_missing=True)
    filled = imputer.fit(text).transform(text)
    known = merge(Statistics.of(part) for part in parts).finish()
    ways = fills(known, Preprocessing(), cleaning)
    done = Prepared([("impute", imputer)], None, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.preprocessing.MAX_LEVELS", most)
        patch.setattr("pipeline.partitions.steps.MAX_LEVELS", most)
        expected = make_encoder(name).fit(filled).transform(filled)
        found = fit_encoder(make_encoder(name), _filled(known, done, ways)).transform(filled)
    assert_frame_equal(expected, found, check_exact=True)


def test_moments_are_those_of_numpy_and_do_not_lose_digits_far_from_zero():
    values = 1e9 + np.random.default_rng(0).normal(size=(1000, 2))
    values[::7, 1] = np.nan
    found = merge(Moments.of(part) for part in np.array_split(values, 13))
    assert found.n.tolist() == [1000, 857]
    assert found.missing.tolist() == [0, 143]
    assert np.allclose(found.variance, np.nanvar(values, axis=0), rtol=1e-6)
    assert (found.least == np.nanmin(values, axis=0)).all()
    assert (found.most == np.nanmax(values, axis=0)).all()


def test_levels_count_and_too_many_are_refused(monkeypatch):
    one = Levels.of(pd.Series(["b", "a", None], name="k"))
    both = one.merged(Levels.of(pd.Series(["a", "c"], name="k")))
    assert both.counts.to_dict() == {"a": 2, "b": 1, "c": 1}
    assert (both.missing, both.mode) == (1, "a")
    monkeypatch.setattr(statistics, "MOST_LEVELS", 2)
    with pytest.raises(DataError, match="column 'k' has over 2 levels, such as 'a'"):
        one.merged(Levels.of(pd.Series(["a", "c"], name="k")))


def test_features_that_differ_from_row_to_row_are_refused():
    one = Statistics.of(pd.DataFrame({"a": [1.0]}))
    with pytest.raises(
        DataError, match=r"expected \['a'\] with the numbers \['a'\], found \['b'\]"
    ):
        one.merged(Statistics.of(pd.DataFrame({"b": [1.0]})))


def test_rows_are_dealt_by_their_keys_alone_evenly_and_by_each_seed_anew():
    dealing = Dealing(5, 42, held=0.1, binned=0.5, kept=0.01)
    keys = keys_of(pd.Series(np.arange(100_000)))
    dealt = dealing.deal(keys)
    shuffled = np.random.default_rng(0).permutation(100_000)
    assert (dealing.deal(keys[shuffled]).fold == dealt.fold[shuffled]).all()
    assert np.bincount(dealt.fold).min() > 19_500
    assert 0.095 < dealt.is_held.mean() < 0.105
    assert 0.095 < dealt.is_held[dealt.fold == 0].mean() < 0.105
    assert 0.49 < dealt.is_binned[dealt.is_held].mean() < 0.51
    assert 0.15 < (replace(dealing, seed=43).deal(keys).fold == dealt.fold).mean() < 0.25


def test_keys_of_text_are_the_same_on_every_machine():
    assert keys_of(pd.Series(["a", "빨강", ""])).tolist() == [
        13950350942979735504,
        *keys_of(pd.Series(["빨강", ""])).tolist(),
    ]
    assert keys_of(pd.Series([7, 7])).tolist() == [7, 7]


@pytest.mark.parametrize("name", ["rmse", "rmsle", "mae", "mape", "r2"])
def test_scores_of_blocks_are_those_of_all_rows(name):
    rng = np.random.default_rng(0)
    y = rng.gamma(2, size=999)
    said = (y + rng.normal(size=999) * 0.3).clip(0)[:, None]
    parts = np.array_split(np.arange(999), 7)
    found = merge(Tally.of(name, y[part], said[part], None) for part in parts)
    assert found.score() == pytest.approx(METRICS[name](y, said[:, 0]))
    assert found.uncertainty() == 0


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "log_loss", "roc_auc"])
def test_scores_of_classes_in_blocks_are_those_of_all_rows(name, n_classes):
    rng = np.random.default_rng(1)
    labels = np.array(["a", "b", "c"][:n_classes], dtype=object)
    codes = rng.integers(n_classes, size=2000)
    odds = rng.normal(size=(2000, n_classes)) + np.eye(n_classes)[codes]
    said = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    parts = np.array_split(np.arange(2000), 7)
    found = merge(Tally.of(name, labels[codes[p]], said[p], labels) for p in parts)
    tolerance = max(found.uncertainty(), 1e-12)
    assert found.uncertainty() < 1e-4
    assert found.score() == pytest.approx(METRICS[name](labels[codes], said, labels), abs=tolerance)


def test_what_workers_are_sent_can_be_pickled():
    step = make_encoder("onehot").fit(pd.DataFrame({"k": ["a", "b"], "x": [1.0, 2.0]}))
    sent = pickle.loads(pickle.dumps(Prepared([("encode", step)], None, None)))
    assert sent.numbers(pd.DataFrame({"k": ["b"], "x": [3.0]})).tolist() == [[0.0, 1.0, 3.0]]
