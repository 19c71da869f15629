"""Intervals as wide as the validation part asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def stretch(truth: Array, interval: tuple[Array, Array, Array], share: float) -> Array:
    """Factor by which intervals must widen to hold `share` of the truth, by step and column (K, C).

    truth (N, K, C), NaN where nothing was measured; interval: low, middle, high of the same shape.
    Of the distances from the middle, each over the width of the interval on its side, the
    ceil(share (N + 1))-th smallest of those measured (split conformal prediction: Romano et al.
    2019, arXiv:1905.03222, with scaled scores); 1 where none was.

    >>> y = np.arange(-4.0, 5.0).reshape(9, 1, 1)  # -4 ... 4
    >>> stretch(y, (np.full_like(y, -1), np.zeros_like(y), np.full_like(y, 2)), 0.5)
    array([[1.5]])
    """
    low, middle, high = interval
    width = np.where(truth < middle, middle - low, high - middle)
    scores = np.sort(np.abs(truth - middle) / width, axis=0)  # NaN comes last
    count = (~np.isnan(truth)).sum(0)
    place = np.minimum(count, np.ceil(share * (count + 1)).astype(int)) - 1
    chosen = np.take_along_axis(scores, np.maximum(place, 0)[None], axis=0)[0]
    found: Array = np.where(count > 0, chosen, 1.0)
    return found
