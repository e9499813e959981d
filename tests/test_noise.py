"""Random numbers by counter: alike alone and together, and random enough."""

import numpy as np

from pipeline.models.noise import bits, derive, replica_keys, shuffled


def test_a_replica_draws_alone_what_it_draws_among_others() -> None:
    together = bits(derive(replica_keys([1, 2, 3]), 5), 100).numpy()
    alone = bits(derive(replica_keys([2]), 5), 100).numpy()
    assert np.array_equal(together[1], alone[0])


def test_numbers_are_spread_evenly_and_do_not_follow_each_other() -> None:
    drawn = bits(replica_keys([0, 1]), 20_000).numpy() / 2**32
    assert np.abs(np.histogram(drawn[0], 20, (0, 1))[0] - 1000).max() < 150
    for one, other in ((drawn[0], drawn[1]), (drawn[0][1:], drawn[0][:-1])):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.03


def test_each_counter_gives_other_keys() -> None:
    keys = replica_keys([7, 8])
    made = [derive(keys, 0), derive(keys, 1), derive(keys, 0, 1), derive(keys, np.array([3, 4]))]
    assert len({int(key) for some in made for key in some.numpy()}) == 8


def test_positions_are_shuffled_below_each_length_and_padded_behind_it() -> None:
    order = shuffled(replica_keys([1, 2]), np.array([3, 5]), 5).numpy()
    assert sorted(order[0][:3]) == [0, 1, 2]
    assert order[0][3:].tolist() == [3, 4]
    assert sorted(order[1]) == [0, 1, 2, 3, 4]


def test_the_length_of_the_padding_does_not_change_the_order() -> None:
    keys = replica_keys([4])
    short, long = (shuffled(keys, np.array([50]), n).numpy()[0, :50] for n in (50, 80))
    assert np.array_equal(short, long)
    assert not np.array_equal(short, np.arange(50))
    assert not np.array_equal(short, shuffled(derive(keys, 1), np.array([50]), 50).numpy()[0])
