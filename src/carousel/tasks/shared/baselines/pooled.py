"""Linear forecasts by one map for all columns, as networks without a recurrence have them.

In closed form: the least squares with a penalty, which is chosen by the validation windows. Windows
are (N, T, C), what came (N, K, C), NaN where nothing was measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Features = Callable[[Array], tuple[Array, Array]]

_PENALTIES = (1e-7, 1e-5, 1e-3, 1e-2, 1e-1)  # of the mean square of the features
_AVERAGE = 25  # steps of the moving average


def nlinear(window: Array) -> tuple[Array, Array]:
    """Features (N, T) and level (N, 1) of windows (N, T) as in NLinear (Zeng et al. 2023,
    arXiv:2205.13504): what the values are above the last one."""
    level = window[:, -1:]
    return window - level, level


def dlinear(window: Array) -> tuple[Array, Array]:
    """Features (N, 2 T) of windows (N, T) as in DLinear (Zeng et al. 2023): a moving average of 25
    steps, the first and the last value repeated beyond the ends, and what it leaves; the level is
    0.

    >>> dlinear(np.full((1, 2), 3.0))[0].tolist()
    [[3.0, 3.0, 0.0, 0.0]]
    """
    half = _AVERAGE // 2
    padded = np.pad(window, ((0, 0), (half, half)), mode="edge")
    average = np.lib.stride_tricks.sliding_window_view(padded, _AVERAGE, axis=1).mean(-1)
    return np.concatenate((average, window - average), 1), np.zeros((len(window), 1))


@dataclass(frozen=True)
class Pooled:
    """A linear map of the features of a standardised window, the same for every column.

    weights (F, K), offsets (K,); mean, std (C,) of the training windows. penalty: the one chosen.
    """

    features: Features
    weights: Array
    offsets: Array
    mean: Array
    std: Array
    penalty: float

    def forecasts(self, contexts: Array) -> Array:
        """contexts (N, T, C); returns (N, K, C)."""
        found = [
            self._of_column(contexts[:, :, c], self.mean[c], self.std[c])
            for c in range(contexts.shape[2])
        ]
        return np.stack(found, 2)

    def _of_column(self, window: Array, mean: float, std: float) -> Array:
        x, level = self.features((window - mean) / std)
        found: Array = (x @ self.weights + self.offsets + level) * std + mean
        return found


def fit_pooled(
    features: Features, train: tuple[Array, Array], validation: tuple[Array, Array]
) -> Pooled | None:
    """Fit on training windows, contexts and what came; the penalty has the least absolute error,
    each column's over its deviation, on the validation windows. A window counts for a column where
    all of what came was measured; None if there is none."""
    before, after = train
    mean = before.mean((0, 1))
    std = before.std((0, 1))
    std = np.where(std > 1e-12 * np.abs(mean), std, 1.0)
    sums = _Sums.of(features, (before - mean) / std, (after - mean) / std)
    if not sums.count:
        return None
    held, truth = validation
    best: tuple[float, Pooled] | None = None
    for penalty in _PENALTIES:
        model = Pooled(features, *sums.solve(penalty), mean, std, penalty)
        error = float(np.nanmean(np.abs(model.forecasts(held) - truth) / std))
        if best is None or error < best[0]:
            best = error, model
    assert best is not None
    return best[1]


class _Sums:
    """Sums over windows from which the map of every penalty follows."""

    def __init__(self, count: int, x: Array, y: Array, xx: Array, xy: Array) -> None:
        self.count = count
        if not count:
            return
        self._x, self._y = x / count, y / count
        centred = xx - count * np.outer(self._x, self._x)
        self._xy = xy - count * np.outer(self._x, self._y)
        self._values, self._vectors = np.linalg.eigh(centred)
        self._mean = max(float(np.trace(centred)) / len(centred), 1e-300)

    @classmethod
    def of(cls, features: Features, before: Array, after: Array) -> _Sums:
        """Sums over windows that are standardised."""
        total: list[Array] = []
        count = 0
        for c in range(before.shape[2]):
            rows = ~np.isnan(after[:, :, c]).any(1)
            if not rows.any():
                continue
            x, level = features(before[rows, :, c])
            y = after[rows, :, c] - level
            parts = [x.sum(0), y.sum(0), x.T @ x, x.T @ y]
            total = [a + b for a, b in zip(total, parts, strict=True)] if total else parts
            count += int(rows.sum())
        empty = np.zeros(0)
        return cls(count, *(total or [empty, empty, empty, empty]))

    def solve(self, penalty: float) -> tuple[Array, Array]:
        """Weights and offsets."""
        scale = np.maximum(self._values, 0.0) + penalty * self._mean
        weights = self._vectors @ ((self._vectors.T @ self._xy) / scale[:, None])
        return weights, self._y - self._x @ weights
