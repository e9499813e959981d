"""The share of the training rows that stops a fit early, where the caller chose none."""

import numpy as np


def even_share(y: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return sorted random positions of a share of the rows, even over the sorted targets.

    So classes keep their shares, and numbers their distribution. y: (n_samples,).
    """
    order = np.argsort(y, kind="stable")
    n_held_out = max(1, round(fraction * len(y)))
    rng = np.random.default_rng(seed)
    return np.sort([rng.choice(stretch) for stretch in np.array_split(order, n_held_out)])
