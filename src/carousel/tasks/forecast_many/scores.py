"""Errors of forecasts of many series: of each series by itself, then their mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.data.many_series import ManySeriesParts
from carousel.tasks.shared import bootstrap
from carousel.tasks.shared.distributions import QUANTILES
from carousel.tasks.shared.quantiles import quantile_loss

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
_ROUNDING = 1e-12
WEIGHTED = ("mase", "smape", "mae", "coverage", "scaled_quantile_loss")
"""Metrics that are also told by the weights of series."""


def naive_errors(parts: ManySeriesParts, season: int, part: str) -> Array:
    """Mean absolute error (S,) of the seasonal naive forecast of each series over all that stands
    before a part; 0 where that forecast is without error, or never compared (Hyndman and Koehler
    2006). part: "train" is measured by itself."""
    series = parts.series
    before = {"train": "train", "validation": "train", "test": "validation"}[part]
    truth, first, stop = series.truth, series.firsts[:-1], parts.rows[before][1]
    change = np.full(len(truth), np.nan)
    change[season:] = np.abs(truth[season:] - truth[:-season])
    rows = np.arange(len(truth))
    of = np.repeat(np.arange(len(series)), np.diff(series.firsts))
    inside = (rows >= first[of] + season) & (rows < stop[of]) & ~np.isnan(change)
    total = np.bincount(of[inside], change[inside], len(series))
    count = np.bincount(of[inside], minlength=len(series))
    known = np.where(rows < stop[of], np.nan_to_num(np.abs(truth)), 0.0)
    size = np.maximum.reduceat(known, first)  # beside it, rounding is no error
    found = total / np.maximum(count, 1)
    kept: Array = np.where(found > _ROUNDING * size, found, 0.0)
    return kept


def by_series(
    truth: Array, guess: Array, of: Rows, naive: Array, interval: tuple[Array, Array] | None = None
) -> dict[str, Array]:
    """Metrics of each series (S,) over its windows, NaN where there is none: truth and guess
    (n, K), of (n,): the number of each window's series; naive (S,).

    mase = MAE / naive; smape = mean 2|e| / (|y| + |f|), 0 where both are 0; mae; coverage: the
    share of truth within the interval (low, high); crps: the `quantile_loss` of its ends and the
    guess, and scaled_quantile_loss the same over naive. Where truth is NaN nothing counts.
    """
    inside = ~np.isnan(truth)
    error = np.where(inside, np.abs(guess - truth), 0.0)
    size = np.where(inside, np.abs(truth) + np.abs(guess), 0.0)
    relative = np.divide(2 * error, size, out=np.zeros_like(error), where=size > 0)
    count = np.bincount(of, inside.sum(1), len(naive))

    def mean(values: Array) -> Array:
        total = np.bincount(of, values.sum(1), len(naive))
        found: Array = np.divide(total, count, out=np.full(len(naive), np.nan), where=count > 0)
        return found

    mae = mean(error)
    mase = np.divide(mae, naive, out=np.full(len(naive), np.nan), where=naive > 0)
    each = {"mase": mase, "smape": mean(relative), "mae": mae}
    if interval is not None:
        low, high = interval
        each["coverage"] = mean(((truth >= low) & (truth <= high) & inside).astype(float))
        loss = quantile_loss(truth, np.stack((low, guess, high)), QUANTILES)
        each["crps"] = mean(np.where(inside, loss, 0.0))
        each["scaled_quantile_loss"] = np.divide(
            each["crps"], naive, out=np.full(len(naive), np.nan), where=naive > 0
        )
    return each


def means(found: dict[str, Array], weights: Array | None = None) -> dict[str, float]:
    """Mean of each metric over the series for which it is defined; left out where that is none.
    With weights (S,) of the series, those of `WEIGHTED` are there a second time: Σ w m / Σ w.

    >>> found = {"mase": np.array([1.0, np.nan, 3.0]), "crps": np.array([np.nan] * 3)}
    >>> means(found, np.array([2.0, 1.0, 0.0]))
    {'mase': 2.0, 'mase_weighted': 1.0}
    """
    known = {name: values[~np.isnan(values)] for name, values in found.items()}
    means = {name: float(values.mean()) for name, values in known.items() if len(values)}
    if weights is None:
        return means
    for name in WEIGHTED:
        if name in means:
            counted = weights[~np.isnan(found[name])]
            if counted.sum() > 0:
                means[f"{name}_weighted"] = float((known[name] * counted).sum() / counted.sum())
    return means


def intervals(found: dict[str, Array]) -> dict[str, Any]:
    """Intervals of the means, over series that are drawn anew."""
    made = {}
    for name in ("mase", "smape"):
        values = found[name][~np.isnan(found[name])]
        units = np.stack((values, np.ones_like(values)), 1)
        made[name] = bootstrap.interval(units, lambda rows: rows[:, 0] / rows[:, 1])
    return bootstrap.known(made)
