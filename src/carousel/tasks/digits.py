"""Numbers for the terminal, with the digits in which they differ."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

_SIGNIFICANT = 4  # of the spread of numbers, or of a number alone


def digits(numbers: Iterable[float]) -> str:
    """The format of numbers that are looked at together: four digits of what they spread over.

    The spread is their standard deviation; where they are all the same, their size. Numbers that
    are not finite do not count.

    >>> [format(x, digits([100000001.25, 100000002.5])) for x in (100000001.25, 100000002.5)]
    ['100000001.2500', '100000002.5000']
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
    unit = spread if spread > 1e-14 * size else size
    decimals = _SIGNIFICANT - 1 - math.floor(math.log10(unit))
    if size >= 1e15 or decimals > 9:
        significant = min(17, max(_SIGNIFICANT, decimals + 1 + math.floor(math.log10(size))))
        return f".{significant}g"
    return f".{max(0, decimals)}f"
