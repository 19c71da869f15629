"""The Theta method: half a straight line, half an exponential smoothing.

It won the M3 competition, and few networks beat it on short series by themselves.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from carousel.tasks.shared.baselines.naive import last_value
from carousel.tasks.shared.baselines.seasons import is_seasonal, repeated, shape_of

Array = NDArray[np.float64]

_RATES = (1e-4, 0.9999)  # between which the smoothing is searched
_GRID = 24  # smoothings at a time; three times, ever closer
_Plain = Callable[[Array, int], Array]
_AT_ONCE = 1 << 19  # numbers that are smoothed together, to stay in the cache


def theta(history: Array, horizon: int, season: int = 1) -> Array:
    """Theta forecasts (..., K) of histories (..., T), each by itself.

    Of a history without its season y_t, with its least squares line a + b t:

    f_k = (a + b (T + k)) / 2 + l_T / 2,   l the simple exponential smoothing of 2 y_t - (a + b t)

    (Assimakopoulos and Nikolopoulos 2000), its rate and its first level those of least squares.
    Where `is_seasonal` finds a season it is divided out before and multiplied in after, as in the
    benchmark of the M4 competition, or taken away and added where a value is not positive. Of
    histories without a negative value no forecast is negative.

    >>> theta(np.array([2.0, 4.0, 6.0, 8.0]), 3).round(3)
    array([ 9., 10., 11.])
    """
    return _without_season(history, horizon, season, _theta)


def naive2(history: Array, horizon: int, season: int = 1) -> Array:
    """The last value without its season, with that of each step: what the M4 competition measured
    others by (its Naive2); seasons as for `theta`."""
    return _without_season(history, horizon, season, last_value)


def _without_season(history: Array, horizon: int, season: int, plain: _Plain) -> Array:
    flat = np.asarray(history, dtype=float).reshape(-1, history.shape[-1])
    found = np.empty((len(flat), horizon))
    seasonal = is_seasonal(flat, season)
    positive = (flat > 0).all(1)
    found[~seasonal] = plain(flat[~seasonal], horizon)
    for ratio in (True, False):
        some = seasonal & (positive if ratio else ~positive)
        if not some.any():
            continue
        chosen = flat[some]
        shape = shape_of(chosen, season, ratio)
        steps = chosen.shape[1]
        inside, after = repeated(shape, 0, steps), repeated(shape, steps, horizon)
        if ratio:
            found[some] = plain(chosen / inside, horizon) * after
        else:
            found[some] = plain(chosen - inside, horizon) + after
    bounded = (flat >= 0).all(1)
    found[bounded] = np.maximum(found[bounded], 0.0)
    return found.reshape(*history.shape[:-1], horizon)


def _theta(flat: Array, horizon: int) -> Array:
    """Histories (N, T) without a season."""
    steps = flat.shape[1]
    time = np.arange(1.0, steps + 1)
    centred = time - time.mean()
    slope = flat @ centred / max(np.square(centred).sum(), 1.0)
    middle = flat.mean(1)
    line = middle[:, None] + slope[:, None] * centred
    level = smoothed(2 * flat - line)
    ahead = steps + np.arange(1, horizon + 1) - time.mean()
    found: Array = (middle[:, None] + slope[:, None] * ahead + level[:, None]) / 2
    return found


def smoothed(flat: Array) -> Array:
    """The level (N,) after histories (N, T) by simple exponential smoothing,

    l_t = l_(t-1) + α (y_t - l_(t-1)),

    whose α and l_0 make the sum of the squares of y_t - l_(t-1) least. l_0 follows from α in closed
    form; α is searched between 0.0001 and 0.9999 on three grids, each within the one before.
    """
    found = np.empty(len(flat))
    for first in range(0, len(flat), rows := max(1, _AT_ONCE // _GRID // 8)):
        found[first : first + rows] = _smoothed(flat[first : first + rows])
    return found


def _smoothed(flat: Array) -> Array:
    low, high = np.full(len(flat), _RATES[0]), np.full(len(flat), _RATES[1])
    everyone = np.arange(len(flat))
    for _ in range(3):
        rates = low + (high - low) * np.linspace(0, 1, _GRID)[:, None]  # (A, N)
        squares, levels = _errors(flat, rates)
        best = squares.argmin(0)
        low = rates[np.maximum(best - 1, 0), everyone]
        high = rates[np.minimum(best + 1, _GRID - 1), everyone]
    found: Array = levels[best, everyone]
    return found


def _errors(flat: Array, rates: Array) -> tuple[Array, Array]:
    """Sums of squared errors (A, N) at rates (A, N), with the best first level, and the last
    levels."""
    start = flat[:, 0]
    level = np.zeros_like(rates)  # of y - y_1, begun at 0
    share = np.ones_like(rates)  # of what is added to the first level, in the level
    squares, with_share, shares = (np.zeros_like(rates) for _ in range(3))
    keep = 1 - rates
    for value in (flat - start[:, None]).T:
        error = value - level
        squares += error * error
        with_share += error * share
        shares += share * share
        level += rates * error
        share *= keep
    added = with_share / shares
    return squares - added * with_share, level + added * share + start
