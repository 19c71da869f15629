"""Intervals of forecasts that follow what comes (adaptive conformal inference)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def followed(
    truth: Array, told: Array, starts: NDArray[np.int64], rate: float, share: float
) -> Array:
    """(low, middle, high), (3, N, K, C), whose widths follow how much of the truth they held.

        ln f_kc ← ln f_kc + rate (missed - (1 - share))

    for each step to come k and column c, from f = 1, as soon as its truth has come: missed is 1
    where it lay outside the interval that was told, 0 inside, and where nothing was measured
    nothing changes. A window's intervals are f times as wide as `told`, with the f of its first
    row: truth that stands in that row or later has not come. So in the long run `share` of the
    truth lies inside, whatever the series does: the share of misses among n is off by |ln f| /
    (rate n). Source: Gibbs and Candès 2021, "Adaptive Conformal Inference Under Distribution Shift"
    (arXiv:2106.00170), who move the level of a quantile so; the width itself, as in Angelopoulos et
    al. 2023 (arXiv:2307.16895), needs no scores to be kept.

    truth (N, K, C), NaN where nothing was measured; told: low, middle, high, (3, N, K, C);
    starts (N,): of windows in order of time, the rows of their first steps to come; share: that an
    interval is to hold.

    >>> y = np.array([9.0, 0.0, 0.0]).reshape(3, 1, 1)  # far outside, then inside
    >>> one = np.ones_like(y)
    >>> _, _, high = followed(y, np.stack((-one, 0 * one, one)), np.arange(3), 0.5, 0.8)
    >>> high.ravel().round(3).tolist()  # exp(0.5 · 0.8), then exp(0.5 · 0.8 - 0.5 · 0.2)
    [1.0, 1.492, 1.35]
    """
    low, middle, high = told
    found = told.copy()
    count, steps = truth.shape[:2]
    factor = np.zeros(truth.shape[1:])  # logarithms
    ahead, next_one = np.arange(steps), np.zeros(steps, int)
    for number, start in enumerate(starts.tolist()):
        while True:  # windows before this one, of whose step k the truth has come
            candidate = np.minimum(next_one, count - 1)
            come = np.flatnonzero((next_one < number) & (starts[candidate] + ahead < start))
            if not len(come):
                break
            where = next_one[come], come
            y = truth[where]
            missed = (y < found[0][where]) | (y > found[2][where])
            factor[come] += np.where(np.isnan(y), 0.0, rate * (missed - (1 - share)))
            next_one[come] += 1
        wide = np.exp(factor)
        found[0, number] = middle[number] - wide * (middle[number] - low[number])
        found[2, number] = middle[number] + wide * (high[number] - middle[number])
    return found
