"""Random numbers by counter: what a replica draws follows from its own seed, never its neighbours'.

A number is a hash of (key, position), so all replicas draw at once in one compiled kernel, and one
replica alone draws the same. The hash is the 32-bit finaliser "lowbias32" of Chris Wellons, whose
avalanche bias is far below what shuffles and dropout masks can notice.
"""

from typing import Any

import numpy as np

GOLDEN = 0x9E3779B9  # the odd constant that spreads consecutive counters over all bits


def replica_keys(seeds: list[int]) -> np.ndarray:
    """Return one uint32 key a seed (n_seeds,)."""
    drawn = [np.random.SeedSequence(seed).generate_state(1, "uint32")[0] for seed in seeds]
    return np.array(drawn, dtype="uint32")


def derive(keys: Any, *counters: Any) -> Any:
    """Return keys (n,) for one use of them, told apart by whole numbers or tensors of such (n,)."""
    import tensorflow as tf

    for counter in counters:
        spread = tf.cast(counter, tf.uint32) * tf.constant(GOLDEN, tf.uint32)
        keys = _mixed(tf.bitwise.bitwise_xor(_mixed(keys), spread))
    return keys


def bits(keys: Any, n: int) -> Any:
    """Return n random uint32 a key (n_keys, n)."""
    import tensorflow as tf

    # A constant where n is one: XLA would count the positions anew each time.
    count = np.arange(n, dtype="uint32") if isinstance(n, int) else tf.cast(tf.range(n), tf.uint32)
    positions = count * tf.constant(GOLDEN, tf.uint32)
    return _mixed(tf.bitwise.bitwise_xor(positions[None], keys[:, None]))


def shuffled(keys: Any, n: Any, n_rows: Any) -> Any:
    """Return for each key the positions below its n (n_keys,) in random order.

    Of shape (n_keys, n_rows), int32; the positions from n on follow those below it.
    """
    import tensorflow as tf

    # Of 31 bits, so that what is padded, -1, comes last in descending order.
    drawn = tf.cast(tf.bitwise.right_shift(bits(keys, n_rows), tf.constant(1, tf.uint32)), tf.int32)
    padded = tf.range(n_rows)[None] >= n[:, None]
    return tf.argsort(tf.where(padded, -1, drawn), direction="DESCENDING", stable=True)


def _mixed(h: Any) -> Any:
    import tensorflow as tf

    def folded(h: Any, by: int) -> Any:
        return tf.bitwise.bitwise_xor(h, tf.bitwise.right_shift(h, tf.constant(by, tf.uint32)))

    h = folded(h, 16) * tf.constant(0x7FEB352D, tf.uint32)
    h = folded(h, 15) * tf.constant(0x846CA68B, tf.uint32)
    return folded(h, 16)
