"""The average of the best forecasts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def best_of(errors: Mapping[str, float], most: int = 3) -> list[str]:
    """The names with the least errors, the best first; errors that are no numbers are left out.

    >>> best_of({"a": 3.0, "b": 1.0, "c": float("nan"), "d": 2.0}, 2)
    ['b', 'd']
    """
    known = [name for name, error in errors.items() if np.isfinite(error)]
    return sorted(known, key=lambda name: errors[name])[:most]


def average(forecasts: Mapping[str, Array], names: list[str]) -> Array:
    """The mean of the forecasts of these names."""
    found: Array = np.mean([forecasts[name] for name in names], axis=0)
    return found
