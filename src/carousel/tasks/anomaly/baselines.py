"""Detectors that are not recurrent; their thresholds are set by the same rule as the network's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from carousel.config import AnomalyConfig
from carousel.data.scaling import FeatureScaler
from carousel.data.watched import Watched
from carousel.tasks.anomaly.alarms import alarms_of, limits, smoothed
from carousel.tasks.anomaly.scores import Watch, measures

Array = NDArray[np.float64]
_LEAST = 1e-3  # deviations below it are rounding (as in `errors`)
_LAGS = 8
_TREES = 100


def rolling_z(values: Array, length: int) -> Array:
    """Distance (T,) of each step from the mean of the `length` steps before it, in their
    deviations; of the worst column. NaN in the first `length` steps.

    values (T, F), scaled. A deviation is at least 0.001.
    """
    found = np.full(len(values), np.nan)
    if len(values) <= length:
        return found
    windows = np.lib.stride_tricks.sliding_window_view(values, length, axis=0)[:-1]
    off = np.abs(values[length:] - windows.mean(2)) / np.maximum(windows.std(2), _LEAST)
    found[length:] = off.max(1)
    return found


def seasonal(values: Array, season: int, train: slice) -> Array:
    """Change (T,) from one season before, in the root mean squares that it has in the training
    part; of the worst column. NaN in the first season."""
    found = np.full(len(values), np.nan)
    if len(values) <= season:
        return found
    change = values[season:] - values[:-season]
    usual = change[train.start : max(train.stop - season, 1)]
    scale = np.maximum(np.sqrt((usual**2).mean(0)), _LEAST)
    found[season:] = (np.abs(change) / scale).max(1)
    return found


def isolation(values: Sequence[Array], trains: Sequence[slice]) -> list[Array]:
    """Scores (T,) of an isolation forest on the last 8 steps, fitted on the training part of the
    series together; NaN in the first 7 steps. Source: Liu et al. 2008, as in scikit-learn."""
    from sklearn.ensemble import IsolationForest

    lagged = [_lags(each) for each in values]
    rows = [
        some[: max(train.stop - _LAGS + 1, 0)] for some, train in zip(lagged, trains, strict=True)
    ]
    found = [np.full(len(each), np.nan) for each in values]
    fitted = np.concatenate(rows)
    if not len(fitted):
        return found
    forest = IsolationForest(n_estimators=_TREES, random_state=0).fit(fitted)
    for scores, some in zip(found, lagged, strict=True):
        if len(some):
            scores[_LAGS - 1 :] = -forest.score_samples(some)
    return found


def _lags(values: Array) -> Array:
    if len(values) < _LAGS:
        return np.empty((0, _LAGS * values.shape[1]))
    windows = np.lib.stride_tricks.sliding_window_view(values, _LAGS, axis=0)
    return windows.reshape(len(windows), -1)


def judged(
    series: Sequence[Watched], scalers: Callable[[str], FeatureScaler], config: AnomalyConfig
) -> dict[str, dict[str, float]]:
    """Test metrics of each baseline; scalers: of a series by its name."""
    import torch

    values = [scalers(one.name)(torch.from_numpy(one.values)).double().numpy() for one in series]
    trains = [one.rows("train") for one in series]
    each = config.scaling == "series"
    forests = (
        [isolation([v], [t])[0] for v, t in zip(values, trains, strict=True)]
        if each
        else isolation(values, trains)
    )
    found = {
        "rolling_z": [rolling_z(v, config.window) for v in values],
        "seasonal_naive": [
            seasonal(v, config.season, t) for v, t in zip(values, trains, strict=True)
        ],
        "isolation_forest": forests,
    }
    return {name: _measured(series, scores, config) for name, scores in found.items()}


def _measured(
    series: Sequence[Watched], scores: Sequence[Array], config: AnomalyConfig
) -> dict[str, float]:
    for one, some in zip(series, scores, strict=True):
        some[~one.measured.any(1)] = np.nan  # nothing was measured: as for the network
    held = {
        one.name: smoothed(some, config)[one.rows("validation")]
        for one, some in zip(series, scores, strict=True)
    }
    found = limits(held, config)
    watches = []
    for one, some in zip(series, scores, strict=True):
        rows = one.rows("test")
        labels = None if one.labels is None else one.labels[rows]
        told, alarms = alarms_of(some, found.get(one.name) or found[""], config)
        watches.append(Watch(one.name, told[rows], alarms[rows], labels))
    return measures(watches, config.merge)
