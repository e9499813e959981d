"""The share of rows that stops a fit early."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.holdout import even_share


def test_each_class_gives_its_share():
    codes = np.repeat([0, 1, 2], [80, 15, 5])
    held_out = even_share(codes, 0.2, seed=7)
    assert np.bincount(codes[held_out]).tolist() == [16, 3, 1]
    assert even_share(codes, 0.2, seed=8).tolist() != held_out.tolist()


@settings(max_examples=50, deadline=None)
@given(
    y=st.lists(st.integers(-3, 3), min_size=1, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 99),
)
def test_a_share_is_a_set_of_rows_of_its_size(y, fraction, seed):
    held_out = even_share(np.array(y, dtype=float), fraction, seed)
    assert len(held_out) == len(set(held_out)) == max(1, round(fraction * len(y)))
    assert (np.diff(held_out) > 0).all()
    assert set(held_out) <= set(range(len(y)))
