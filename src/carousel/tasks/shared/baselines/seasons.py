"""Seasons of histories: whether there is one, and what it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_Z95 = 1.645  # of the normal distribution: 90 % lie within it on both sides
_SMALL = 1e-9  # share of a sum that a difference of such sums still has half of its digits at


def is_seasonal(history: Array, season: int) -> NDArray[np.bool_]:
    """Mask (...) of the histories (..., T) that have a season of m steps, by a test at 90 %.

    |r_m| > 1.645 sqrt((1 + 2 Σ_(i<m) r_i²) / T), with the autocorrelations r_i: the test of the
    benchmarks of the M4 competition (Makridakis, Spiliotis and Assimakopoulos 2020). No season is
    found in fewer than three of them.

    >>> wave = np.tile([1.0, 2.0, 6.0], 9)
    >>> bool(is_seasonal(wave, 3)), bool(is_seasonal(wave, 4))
    (True, False)
    """
    steps = history.shape[-1]
    if season < 2 or steps < 3 * season:
        return np.zeros(history.shape[:-1], dtype=bool)
    centred = history - history.mean(-1, keepdims=True)
    power = np.square(centred).sum(-1)
    some = power > 0
    total = np.where(some, power, 1.0)
    before = np.ones_like(total)
    for lag in range(1, season):
        before += 2 * (_products(centred, lag) / total) ** 2
    at_season = np.abs(_products(centred, season)) / total
    found: NDArray[np.bool_] = some & (at_season > _Z95 * np.sqrt(before / steps))
    return found


def _products(centred: Array, lag: int) -> Array:
    found: Array = np.einsum("...t,...t->...", centred[..., :-lag], centred[..., lag:])
    return found


def shape_of(history: Array, season: int, ratio: bool) -> Array:
    """Values (..., m) of the season at the steps 1 to m of histories (..., T), T at least 2 m.

    Classical decomposition: the trend is the average over a season around each step (for an even m
    with half of its two ends); what a value is to it, as a ratio or a difference, is averaged over
    the seasons, and those averages are made to have the mean 1, or 0.

    >>> shape_of(np.array([1.0, 3.0, 1.0, 3.0, 1.0, 3.0]), 2, ratio=True)
    array([0.5, 1.5])
    """
    half = season // 2
    means = _means(history, season, exact=ratio)
    trend = means if season % 2 else (means[..., 1:] + means[..., :-1]) / 2
    inner = history[..., half : half + trend.shape[-1]]
    relative = inner / trend if ratio else inner - trend
    places = (half + np.arange(trend.shape[-1])) % season
    shape = np.stack([relative[..., places == place].mean(-1) for place in range(season)], -1)
    mean = shape.mean(-1, keepdims=True)
    found: Array = shape / mean if ratio else shape - mean
    return found


def _means(history: Array, season: int, exact: bool) -> Array:
    """Mean (..., T - m + 1) of each m steps that follow each other. exact: also where it is small
    beside what is before it, as something is to be divided by it."""
    sums = np.cumsum(history, -1)
    sums = np.concatenate((np.zeros_like(sums[..., :1]), sums), -1)
    means: Array = (sums[..., season:] - sums[..., :-season]) / season
    if not exact:
        return means
    # Where a sum is small beside those before it, rounding has taken its digits, or all of it.
    size = np.abs(sums).max(-1, keepdims=True)
    if (lost := (np.abs(means) * season < _SMALL * size).any(-1)).any():
        windows = np.lib.stride_tricks.sliding_window_view(history[lost], season, axis=-1)
        means[lost] = windows.mean(-1)
    return means


def repeated(shape: Array, first: int, count: int) -> Array:
    """The season (..., m) at `count` steps, the first of which is step number `first` from 0."""
    found: Array = shape[..., (first + np.arange(count)) % shape.shape[-1]]
    return found
