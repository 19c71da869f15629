"""How far forecasts are off, and the forecasts that a network has to beat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Yardstick:
    """What errors of each column (C,) are measured by, from the training part alone.

    std: standard deviation; naive: mean absolute error of the seasonal naive forecast in it.
    """

    std: Array
    naive: Array

    @classmethod
    def fit(cls, train: Array, season: int) -> Yardstick:
        """train (T, C): the rows of the training part. A constant column counts as 1."""
        std = train.std(0)
        change = np.abs(train[season:] - train[:-season]).mean(0)
        return cls(np.where(std > 0, std, 1.0), np.where(change > 0, change, 1.0))


def measures(
    truth: Array,
    guess: Array,
    yardstick: Yardstick,
    interval: tuple[Array, Array] | None = None,
) -> dict[str, float]:
    """Metrics over all windows, steps and columns of truth and guess (N, K, C).

    mae and rmse are in the series' own units; mase is the mean over columns of MAE / naive
    (Hyndman and Koehler 2006); smape = mean 2|e| / (|y| + |f|), 0 where both are 0;
    mse_standardised and mae_standardised are of e / std. coverage: the share of truth within the
    interval (lower, upper).

    >>> stick = Yardstick(np.array([2.0]), np.array([4.0]))
    >>> scores = measures(np.array([[[1.0], [3.0]]]), np.array([[[3.0], [3.0]]]), stick)
    >>> scores["mae"], scores["mase"], scores["smape"], scores["mse_standardised"]
    (1.0, 0.25, 0.5, 0.5)
    """
    error = np.abs(guess - truth)
    size = np.abs(truth) + np.abs(guess)
    relative = np.divide(2 * error, size, out=np.zeros_like(error), where=size > 0)
    values = {
        "mae": error.mean(),
        "rmse": np.sqrt((error**2).mean()),
        "mase": (error.mean((0, 1)) / yardstick.naive).mean(),
        "smape": relative.mean(),
        "mse_standardised": ((error / yardstick.std) ** 2).mean(),
        "mae_standardised": (error / yardstick.std).mean(),
    }
    if interval is not None:
        values["coverage"] = ((truth >= interval[0]) & (truth <= interval[1])).mean()
    return {name: float(value) for name, value in values.items()}


def detail(truth: Array, guess: Array, columns: tuple[str, ...]) -> dict[str, Any]:
    """MAE of each column, and of each step ahead."""
    error = np.abs(guess - truth)
    return {
        "mae_per_column": dict(zip(columns, error.mean((0, 1)).tolist(), strict=True)),
        "mae_per_step": error.mean((0, 2)).tolist(),
    }


def naive_forecasts(contexts: Array, horizon: int, season: int) -> dict[str, Array]:
    """What the last value says, and, with a season, the value one season before each step.

    contexts (N, T, C), T at least the season; returns (N, horizon, C) each.
    """
    found = {"last_value": np.repeat(contexts[:, -1:], horizon, axis=1)}
    if season > 1:
        last = contexts[:, -season:]
        found["seasonal_naive"] = last[:, np.arange(horizon) % season]
    return found


@dataclass(frozen=True)
class Linear:
    """Ridge regression of each column from its own context, both taken from its last value.

    One model per column: of all linear ones the hardest to beat on such windows (Zeng et al. 2023,
    arXiv:2205.13504). weights (C, T, K), offsets (C, K).
    """

    weights: Array
    offsets: Array

    def forecasts(self, contexts: Array) -> Array:
        """contexts (N, T, C); returns (N, K, C)."""
        level = contexts[:, -1:]
        change: Array = np.einsum("ntc,ctk->nkc", contexts - level, self.weights)
        return change + self.offsets.T + level


def fit_linear(before: Array, after: Array) -> Linear:
    """The models of the training windows: contexts (M, T, C) and what came (M, K, C)."""
    from sklearn.linear_model import Ridge  # takes a second to import
    from threadpoolctl import threadpool_limits

    weights, offsets = [], []
    with threadpool_limits(1):
        for c in range(before.shape[2]):
            level = before[:, -1:, c]
            model = Ridge(alpha=1.0).fit(before[:, :, c] - level, after[:, :, c] - level)
            weights.append(model.coef_.reshape(after.shape[1], -1).T)
            offsets.append(np.broadcast_to(model.intercept_, after.shape[1]))
    return Linear(np.stack(weights), np.stack(offsets))


def stretch(truth: Array, interval: tuple[Array, Array, Array], share: float) -> Array:
    """How much wider intervals must be to hold `share` of the truth, by step and column (K, C).

    truth (N, K, C); interval: low, middle, high of the same shape. Of the distances from the
    middle, each over the width of the interval on its side, the ceil(share (N + 1))-th smallest
    (split conformal prediction: Romano et al. 2019, arXiv:1905.03222, with scaled scores).

    >>> y = np.arange(-4.0, 5.0).reshape(9, 1, 1)  # -4 ... 4
    >>> stretch(y, (np.full_like(y, -1), np.zeros_like(y), np.full_like(y, 2)), 0.5)
    array([[1.5]])
    """
    low, middle, high = interval
    width = np.where(truth < middle, middle - low, high - middle)
    scores = np.sort(np.abs(truth - middle) / width, axis=0)
    found: Array = scores[min(len(scores), math.ceil(share * (len(scores) + 1))) - 1]
    return found
