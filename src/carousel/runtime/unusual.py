"""One number from the errors of a step, which says how unusual it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from carousel.config import AnomalyConfig

Array = NDArray[np.float64]


def warm_up(config: AnomalyConfig) -> int:
    """Steps at the beginning of a series that have no score: until the first window is whole; of a
    forecast, until K forecasts of a step are there that were made when the network had read a
    quarter of a window, as before it knows too little of the series."""
    if config.error == "forecast":
        return config.horizon + config.window // 4
    return config.window - 1


def judge(errors: Array, mean: Array, std: Array, precision: Array | None) -> tuple[Array, Array]:
    """Score of each step (T,), NaN where nothing was measured, and the share of each column in its
    error (T, F).

    errors (T, K, F). mean, std (D,): of usual errors, D = K F. mahalanobis, with `precision`
    (D, D): sqrt(z' P z / D) of the standardised errors z; worst, without: the largest root mean
    square of a column's. About 1 is usual. A missing error counts as none.

    >>> score, share = judge(np.array([[[3.0, 4.0]]]), np.zeros(2), np.ones(2), np.eye(2))
    >>> float(score[0]), share.tolist()
    (3.5355339059327378, [[0.36, 0.64]])
    """
    steps, horizon, features = errors.shape
    z = (errors.reshape(steps, -1) - mean) / std
    measured = ~np.isnan(z)
    z[~measured] = 0.0
    squares = (z**2).reshape(steps, horizon, features).sum(1)
    if precision is None:
        score = np.sqrt(squares / horizon).max(1)
    else:
        score = np.sqrt(np.maximum(((z @ precision) * z).sum(1), 0.0) / z.shape[1])
    score[~measured.any(1)] = np.nan
    total = squares.sum(1, keepdims=True)
    share = np.divide(squares, total, out=np.zeros_like(squares), where=total > 0)
    return score, share
