"""Loss of quantiles that were forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def quantile_loss(truth: Array, found: Array, levels: Sequence[float]) -> Array:
    """Twice the mean pinball loss over quantiles, of each value; NaN where the truth is.

    truth (...); found (Q, ...): quantiles f_q at the levels q of (Q,).

    loss = 2/Q Σ_q max(q (y - f_q), (q - 1) (y - f_q))

    (Koenker and Bassett 1978). With ever more levels that is the CRPS, the continuous ranked
    probability score (Gneiting and Raftery 2007), in the unit of the values; where all quantiles
    are the same number, and the levels lie around 0.5, it is the absolute error.

    >>> float(quantile_loss(np.array(3.0), np.array([1.0, 2.0, 5.0]), (0.1, 0.5, 0.9)).round(6))
    0.6
    >>> float(quantile_loss(np.array(3.0), np.array([1.0, 1.0, 1.0]), (0.1, 0.5, 0.9)).round(6))
    2.0
    """
    q = np.asarray(levels).reshape(-1, *(1,) * np.ndim(truth))
    error = truth - found
    loss: Array = 2 * np.maximum(q * error, (q - 1) * error).mean(0)
    return loss
