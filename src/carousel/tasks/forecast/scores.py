"""Errors of forecasts, and the baselines that a network has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.tasks.shared import bootstrap
from carousel.tasks.shared.distributions import QUANTILES
from carousel.tasks.shared.quantiles import quantile_loss

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
    mae_standardised are of e / std. Of an interval (lower, upper): coverage, the share of truth
    within it; crps, the mean of the `quantile_loss` of its ends, which are to be exceeded by 90 and
    10 %, and of the guess, by 50 %; scaled_quantile_loss, that loss in the place of MAE in mase.

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
        loss = quantile_loss(truth, np.stack((interval[0], guess, interval[1])), QUANTILES)
        values["crps"] = loss[inside].mean()
        if defined.any():
            scaled = _mean(loss, inside, (0, 1))[defined] / yardstick.naive[defined]
            values["scaled_quantile_loss"] = scaled.mean()
    return {name: float(value) for name, value in values.items()}


def intervals(truth: Array, guess: Array, yardstick: Yardstick) -> dict[str, Any]:
    """Intervals of MAE, RMSE, MSE standardised and MASE over stretches of the series drawn anew.

    Windows (N, K, C) that overlap share steps: those that begin within K rows of each other are one
    stretch, drawn together (a block bootstrap: Künsch 1989).
    """
    inside = ~np.isnan(truth)
    error = np.where(inside, np.abs(guess - truth), 0.0)
    parts = (error, error**2, (error / yardstick.std) ** 2, inside.astype(float))
    columns = yardstick.naive > 0
    each = np.concatenate(
        [part.sum((1, 2))[:, None] for part in parts]
        + [part.sum(1)[:, columns] for part in (error, inside)],
        1,
    )
    sums = np.add.reduceat(each, np.arange(0, len(each), truth.shape[1]))
    return bootstrap.known(
        {
            "mase": bootstrap.interval(sums, partial(_mase, yardstick.naive[columns])),
            "mae": bootstrap.interval(sums, lambda rows: rows[:, 0] / rows[:, 3]),
            "rmse": bootstrap.interval(sums, lambda rows: (rows[:, 1] / rows[:, 3]) ** 0.5),
            "mse_standardised": bootstrap.interval(sums, lambda rows: rows[:, 2] / rows[:, 3]),
        }
    )


def _mase(naive: Array, rows: Array) -> Array:
    """MASE of sums (…, 4 + 2 C) of which the last are errors and counts of columns."""
    count = len(naive)
    if not count:
        return np.full(len(rows), np.nan)
    errors, counts = rows[:, 4 : 4 + count], rows[:, 4 + count :]
    known = counts > 0
    scaled = np.divide(errors, counts * naive, out=np.zeros_like(errors), where=known)
    found: Array = scaled.sum(1) / np.maximum(known.sum(1), 1)
    return found


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
