"""Numbers for the terminal, with the digits in which they differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OF_SPREAD, _ALONE = 3, 4  # digits of what numbers spread over, and of a number alone


def digits(numbers: Iterable[float]) -> str:
    """The format of numbers that are looked at together: three digits of what they spread over.

    The spread is their standard deviation; where they are all the same, four digits of them.
    Numbers that are not finite do not count.

    >>> [format(x, digits([100000001.25, 100000002.5])) for x in (100000001.25, 100000002.5)]
    ['100000001.250', '100000002.500']
    >>> format(0.123456, digits([0.123456])), format(1234567.8, digits([0, 1234567.8]))
    ('0.1235', '1234568')
    """
    values = np.array([float(x) for x in numbers], np.float64)
    values = values[np.isfinite(values)]
    size = float(np.abs(values).max(initial=0.0))
    if not size:
        return ".4g"
    spread = float((values / size).std()) * size  # the squares of large numbers overflow
    # Beside rounding, a spread says nothing.
    unit, wanted = (spread, _OF_SPREAD) if spread > 1e-14 * size else (size, _ALONE)
    decimals = wanted - 1 - math.floor(math.log10(unit))
    if size >= 1e15 or decimals > 9:
        significant = min(17, max(_ALONE, decimals + 1 + math.floor(math.log10(size))))
        return f".{significant}g"
    return f".{max(0, decimals)}f"


def few_digits(numbers: Sequence[float] | NDArray[Any]) -> str:
    """A pattern of four digits, where that is enough to tell the numbers apart; else of those that
    differ."""
    size, spread = float(np.abs(numbers).max()), float(np.std(numbers))
    return ".4g" if size < 1e4 and spread > 0.01 * size else digits(numbers)
