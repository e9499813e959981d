"""Numbers as people read them on an axis: round ones, and written short."""

import itertools
import math
from collections.abc import Sequence

_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return at most so many round numbers (1, 2 or 5 times a power of ten) from low to high.

    Raises ValueError unless both are finite and low is below high.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"ticks: expected finite numbers, the first below, found {low} and {high}")
    power = 10.0 ** (math.floor(math.log10(high - low)) - 2)
    steps = (digit * power * 10**exponent for exponent in range(5) for digit in (1, 2, 5))
    for step in steps:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if 0 < last - first + 1 <= most:
            return [number * step for number in range(first, last + 1)]
    return [low, high]  # so near to each other that no round number lies between them


def tick_labels(ticks: list[float]) -> list[str]:
    """Return equally spaced ticks as short texts, all to the same digit and in the same unit."""
    largest = max(map(abs, ticks), default=0.0)
    step = min((abs(b - a) for a, b in itertools.pairwise(ticks)), default=largest)
    if step == 0 or not 1e-3 <= largest < 1e15:
        written = ([f"{tick:.{digits}g}" for tick in ticks] for digits in range(3, 18))
        return next(
            (one for one in written if len(set(one)) == len(ticks)), [str(t) for t in ticks]
        )
    size, unit = next((one for one in _UNITS if largest >= 10 * one[0]), (1.0, ""))
    digits = max(0, -math.floor(math.log10(step / size) + 1e-9))
    return [_signed(f"{tick / size:,.{min(digits, 8)}f}{unit if tick else ''}") for tick in ticks]


def aligned(values: Sequence[float], digits: int = 3) -> list[str]:
    """Return numbers to the same decimals: so many significant digits of the largest one."""
    finite = [abs(value) for value in values if math.isfinite(value)]
    largest = max(finite, default=0.0)
    if largest == 0 or not 1e-5 <= largest < 1e15:
        return [short(value, digits) for value in values]
    decimals = max(0, digits - 1 - math.floor(math.log10(largest)))
    return [_signed(f"{value:,.{decimals}f}") if math.isfinite(value) else "-" for value in values]


def _signed(written: str) -> str:
    """Return a number with a minus as wide as a plus, and none before a zero."""
    digits = written.removeprefix("-")
    is_zero = not digits.strip("0.,")
    return digits if is_zero or digits == written else f"\N{MINUS SIGN}{digits}"


def short(value: float, digits: int = 4) -> str:
    """Return a number to so many significant digits, without a power of ten where one can do."""
    if not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if not -5 <= exponent < 15:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - exponent)
    shown = f"{value:,.{decimals}f}"
    return _signed(shown.rstrip("0").rstrip(".") if "." in shown else shown)
