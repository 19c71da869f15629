"""Forecasts of a history without a parameter: the last value, a season ago, a straight line.

Histories (..., T) hold numbers only; forecasts are (..., K).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def last_value(history: Array, horizon: int, season: int = 1) -> Array:
    """The last value, again and again: f_k = y_T.

    >>> last_value(np.array([1.0, 2.0, 4.0]), 2)
    array([4., 4.])
    """
    return np.repeat(history[..., -1:], horizon, axis=-1)


def seasonal_naive(history: Array, horizon: int, season: int) -> Array:
    """The value one season before each step, the last season being repeated: f_k = y_(T + k - m n)
    with the least n for which that is known. Raises `ValueError` for less than a season.

    >>> seasonal_naive(np.array([9.0, 1.0, 2.0, 4.0]), 4, season=3)
    array([1., 2., 4., 1.])
    """
    if history.shape[-1] < season:
        raise ValueError(f"a season of {season} steps, and a history of {history.shape[-1]}")
    last: Array = history[..., history.shape[-1] - season :]
    return last[..., np.arange(horizon) % season]


def drift(history: Array, horizon: int, season: int = 1) -> Array:
    """The line through the first value and the last: f_k = y_T + k (y_T - y_1) / (T - 1); the last
    value of a history of one step.

    >>> drift(np.array([1.0, 5.0, 4.0, 7.0]), 2)
    array([ 9., 11.])
    """
    slope = (history[..., -1:] - history[..., :1]) / max(1, history.shape[-1] - 1)
    found: Array = history[..., -1:] + slope * np.arange(1, horizon + 1)
    return found
