"""Errors of forecasts, and the baselines that a network has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.tasks.shared import bootstrap

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Yardstick:
    """Scale by which errors of each column (C,) are measured, from the training part alone.

    std: standard deviation; naive: mean absolute error of the seasonal naive forecast in it, 0
    where that forecast is without error, or never compared.
    """

    std: Array
    naive: Array

    @classmethod
    def fit(cls, train: Array, season: int) -> Yardstick:
        """train (T, C): the rows of the training part, NaN where nothing was measured. The
        deviation of a constant column counts as 1."""
        inside = ~np.isnan(train)
        mean = _mean(train, inside, 0)
        std = np.sqrt(_mean((train - mean) ** 2, inside, 0))
        change = np.abs(train[season:] - train[:-season])
        naive = _mean(change, ~np.isnan(change), 0)
        size = np.abs(train).max(0, where=inside, initial=0.0)
        # Beside the size of the values, rounding is no error.
        return cls(np.where(std > 0, std, 1.0), np.where(naive > 1e-12 * size, naive, 0.0))

    def without_mase(self, columns: Sequence[str]) -> list[str]:
        """The names of the columns for which MASE is undefined."""
        return [name for name, naive in zip(columns, self.naive, strict=True) if not naive > 0]


def _mean(values: Array, inside: NDArray[np.bool_], axis: int | tuple[int, ...]) -> Array:
    """The mean of those inside, 0 where there is none."""
    count = inside.sum(axis)
    found: Array = np.where(inside, values, 0.0).sum(axis) / np.maximum(count, 1)
    return found


def measures(
    truth: Array,
    guess: Array,
    yardstick: Yardstick,
    interval: tuple[Array, Array] | None = None,
) -> dict[str, float]:
    """Metrics over all windows, steps and columns of truth and guess (N, K, C).

    Where truth is NaN nothing was measured, and nothing counts; some of it must be a number.
    mae and rmse are in the series' own units; mase is the mean over columns of MAE / naive
    (Hyndman and Koehler 2006), those left out for which it is undefined, and missing where it is
    for all; smape = mean 2|e| / (|y| + |f|), 0 where both are 0; mse_standardised and
    mae_standardised are of e / std. coverage: the share of truth within the interval (lower,
    upper).

    >>> stick = Yardstick(np.array([2.0]), np.array([4.0]))
    >>> scores = measures(np.array([[[1.0], [3.0]]]), np.array([[[3.0], [3.0]]]), stick)
    >>> scores["mae"], scores["mase"], scores["smape"], scores["mse_standardised"]
    (1.0, 0.25, 0.5, 0.5)
    """
    inside = ~np.isnan(truth)
    columns = _mean(np.abs(guess - truth), inside, (0, 1))
    std = np.broadcast_to(yardstick.std, truth.shape)[inside]
    y, f = truth[inside], guess[inside]
    error, size = np.abs(f - y), np.abs(y) + np.abs(f)
    relative = np.divide(2 * error, size, out=np.zeros_like(error), where=size > 0)
    defined = (yardstick.naive > 0) & inside.any((0, 1))
    values = {"mae": error.mean(), "rmse": np.sqrt((error**2).mean())}
    if defined.any():
        values["mase"] = (columns[defined] / yardstick.naive[defined]).mean()
    values |= {
        "smape": relative.mean(),
        "mse_standardised": ((error / std) ** 2).mean(),
        "mae_standardised": (error / std).mean(),
    }
    if interval is not None:
        low, high = (end[inside] for end in interval)
        values["coverage"] = ((y >= low) & (y <= high)).mean()
    return {name: float(value) for name, value in values.items()}


def intervals(truth: Array, guess: Array, std: Array) -> dict[str, Any]:
    """Intervals of MAE, RMSE and MSE standardised over stretches of the series drawn anew.

    Windows (N, K, C) that overlap share steps: those that begin within K rows of each other are one
    stretch, drawn together (a block bootstrap: Künsch 1989).
    """
    inside = ~np.isnan(truth)
    error = np.where(inside, np.abs(guess - truth), 0.0)
    parts = (error, error**2, (error / std) ** 2, inside.astype(float))
    each = np.stack([part.sum((1, 2)) for part in parts], 1)
    sums = np.add.reduceat(each, np.arange(0, len(each), truth.shape[1]))
    return bootstrap.known(
        {
            "mae": bootstrap.interval(sums, lambda rows: rows[:, 0] / rows[:, 3]),
            "rmse": bootstrap.interval(sums, lambda rows: (rows[:, 1] / rows[:, 3]) ** 0.5),
            "mse_standardised": bootstrap.interval(sums, lambda rows: rows[:, 2] / rows[:, 3]),
        }
    )


def detail(truth: Array, guess: Array, columns: tuple[str, ...]) -> dict[str, Any]:
    """MAE of each column, and of each step ahead; None where nothing was measured."""
    inside = ~np.isnan(truth)
    error = np.abs(guess - truth)

    def means(axes: tuple[int, int]) -> list[float | None]:
        known, found = inside.sum(axes).tolist(), _mean(error, inside, axes).tolist()
        return [e if k else None for e, k in zip(found, known, strict=True)]

    return {
        "mae_per_column": dict(zip(columns, means((0, 1)), strict=True)),
        "mae_per_step": means((0, 2)),
    }


def naive_forecasts(contexts: Array, horizon: int, season: int) -> dict[str, Array]:
    """Baselines: the last value, and, with a season, the value one season before each step.

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
    """The models of the training windows: contexts (M, T, C) and what came (M, K, C), NaN where
    nothing was measured. A step that was never measured repeats the last value."""
    from threadpoolctl import threadpool_limits

    from carousel.tasks.shared.ridge import Ridge  # takes a second to import

    weights, offsets = [], []
    with threadpool_limits(1):
        for c in range(before.shape[2]):
            level = before[:, -1:, c]
            x, y = before[:, :-1, c] - level, after[:, :, c] - level  # the last is its own level
            inside = ~np.isnan(y)
            coefficients = np.zeros((before.shape[1], y.shape[1]))
            constants = np.zeros(y.shape[1])
            whole = [slice(0, y.shape[1])] if inside.all() else []
            for steps in whole or [slice(k, k + 1) for k in range(y.shape[1])]:
                rows = inside[:, steps].all(1)
                if rows.any() and x.shape[1]:
                    model = Ridge.fit(x[rows], y[rows, steps])
                    coefficients[:-1, steps], constants[steps] = model.weights, model.offsets
                elif rows.any():  # a context of one step: nothing to go by but the mean
                    constants[steps] = y[rows, steps].mean(0)
            weights.append(coefficients)
            offsets.append(constants)
    return Linear(np.stack(weights), np.stack(offsets))


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
