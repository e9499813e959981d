"""Whether the columns are the pixels of images, as in files of digits: numbered, 0 to 255."""

import math
import re
from collections.abc import Mapping

import numpy as np
import pyarrow.compute as pc

from pipeline.competition import Images
from pipeline.inference.answers import Question
from pipeline.inference.evidence import Cells

MOST = 255  # that a pixel is
BRIGHT = 200  # some pixel is as bright
FEWEST = 64  # 8 x 8; fewer numbered columns may be anything
NUMBERED = re.compile(r"(.*?)(\d+(?:x\d+)*)")  # pixel0, or 1x1


def find_images(
    train: Mapping[str, Cells], test: Mapping[str, Cells], question: Question
) -> Images | None:
    """Return the size of the images that all features are, or None if they are something else.

    The columns are called alike but for their numbers, and are as many as a square has cells, once
    for grey and three times for colours. An image of other sides is for a person to declare.
    """
    names = [name for name in train if name not in (*question.target, question.id)]
    sides = {(c, math.isqrt(len(names) // c)) for c in (1, 3)}
    fitting = [(c, side) for c, side in sides if c * side * side == len(names)]
    if len(names) < FEWEST or not fitting or not all(name in test for name in names):
        return None
    numbered = [NUMBERED.fullmatch(name) for name in names]
    if len({match and match[1] for match in numbered}) > 1 or numbered[0] is None:
        return None
    if not all(_are_pixels(one[name]) for one in (train, test) for name in names):
        return None
    if max(float(pc.max(train[name].numbers).as_py()) for name in names) < BRIGHT:
        return None
    ((channels, side),) = fitting
    return Images(height=side, width=side, channels=channels)


def _are_pixels(cells: Cells) -> bool:
    """Tell whether all cells are whole numbers from 0 to 255, written as such."""
    if cells.numbers is None or cells.n_missing or not len(cells):
        return False
    values = np.asarray(cells.numbers)
    return values.dtype.kind == "i" and bool(values.min() >= 0 and values.max() <= MOST)
