"""Metrics of forecasts: over all windows, and of each window, step ahead and series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from carousel.backtest.windows import NETWORK, Forecast
from carousel.scores import HIGHER_IS_BETTER
from carousel.tasks.forecast.scores import Yardstick, measures
from carousel.tasks.shared.origins import Array, Found, Scale

Scores = dict[str, float]
_LEVELS = (0.1, 0.5, 0.9)
MOST_SERIES = 100
"""Series whose metrics are listed one by one."""
_SPREAD = {"least": 0, "lower_quartile": 25, "median": 50, "upper_quartile": 75, "most": 100}


def scores_of(truth: Array, found: Found, scale: Scale) -> Scores:
    """Metrics of windows (W, K, S), as a forecast's task has them, and the pinball loss; none
    where nothing was measured.

    pinball = mean over q in (0.1, 0.5, 0.9) of max(q e, (q - 1) e), e = y - quantile, of forecasts
    that have an interval (Koenker and Bassett 1978); in the series' own units.

    >>> y = np.array([[[1.0], [3.0]]])
    >>> found = Found(y + 1, y - 1, y + 1)
    >>> scores = scores_of(y, found, Scale(np.array([2.0]), np.array([4.0])))
    >>> scores["mae"], scores["mase"], scores["coverage"], round(scores["pinball"], 4)
    (1.0, 0.25, 1.0, 0.2333)
    """
    inside = ~np.isnan(truth)
    if not inside.any():
        return {}
    interval = None if found.low is None or found.high is None else (found.low, found.high)
    scores = measures(truth, found.forecast, Yardstick(scale.std, scale.naive), interval)
    if interval is not None:
        quantiles = np.stack((interval[0], found.forecast, interval[1]))[:, inside]
        error = truth[inside] - quantiles
        levels = np.array(_LEVELS)[:, None]
        scores["pinball"] = float(np.maximum(levels * error, (levels - 1) * error).mean())
    return scores


def summary(windows: Forecast, series: Sequence[str]) -> dict[str, Any]:
    """Every metric of network and baselines over all windows, with its spread over them, of each
    window, step ahead and series; the metric that ranks them, and in how many windows the network
    is better than each."""
    each = {name: _by_window(windows, name) for name in windows.found}
    metric = "mase" if all("mase" in one for one in each[NETWORK] if one) else "mae"
    return {
        "metric": metric,
        "metric_higher_is_better": HIGHER_IS_BETTER[metric],
        "overall": {name: _slice(windows, name) for name in windows.found},
        "spread": {name: spread(some) for name, some in each.items()},
        "beats": {
            name: sum(
                ours[metric] < theirs[metric]
                for ours, theirs in zip(each[NETWORK], some, strict=True)
                if ours
            )
            for name, some in each.items()
            if name != NETWORK
        },
        "per_window": each,
        "per_step": {
            name: [_slice(windows, name, step=k) for k in range(windows.truth.values.shape[1])]
            for name in windows.found
        },
        "per_series": _by_series(windows, series),
    }


def spread(scores: Sequence[Scores]) -> dict[str, dict[str, float]]:
    """Least, quartiles and most of each metric over windows; those without truth are left out.

    >>> spread([{"mae": 1.0}, {"mae": 3.0}, {}])["mae"]["median"]
    2.0
    """
    known = [one for one in scores if one]
    names = [name for name in (known[0] if known else ()) if all(name in one for one in known)]
    return {
        name: {
            word: float(np.percentile([one[name] for one in known], share))
            for word, share in _SPREAD.items()
        }
        for name in names
    }


def _by_series(windows: Forecast, series: Sequence[str]) -> dict[str, dict[str, Scores]]:
    """Metrics of each series, of many those of the network's largest errors, these first."""
    places: list[int] = [*range(len(series))]
    if len(series) > MOST_SERIES:
        error = np.abs(windows.found[NETWORK].forecast - windows.truth.values)
        inside = ~np.isnan(error)
        mean = np.where(inside, error, 0.0).sum((0, 1)) / np.maximum(inside.sum((0, 1)), 1)
        naive = windows.scale.naive
        scaled = np.divide(mean, naive, out=np.full_like(mean, -1.0), where=naive > 0)
        places = np.argsort(-scaled, kind="stable")[:MOST_SERIES].tolist()
    return {
        name: {series[s]: _slice(windows, name, series=s) for s in places} for name in windows.found
    }


def _by_window(windows: Forecast, name: str) -> list[Scores]:
    return [_slice(windows, name, window=n) for n in range(len(windows.truth.values))]


def _slice(
    windows: Forecast,
    name: str,
    window: int | None = None,
    step: int | None = None,
    series: int | None = None,
) -> Scores:
    """Metrics of one forecaster in a window, at a step, of a series; of all where none is named."""
    wanted = (window, step, series)
    place = tuple(slice(None) if n is None else slice(n, n + 1) for n in wanted)
    found = windows.found[name]
    some = {
        end: None if values is None else values[place]
        for end, values in (("low", found.low), ("high", found.high))
    }
    scale = Scale(windows.scale.std[place[2]], windows.scale.naive[place[2]])
    return scores_of(windows.truth.values[place], Found(found.forecast[place], **some), scale)
