"""Gradient boosting on lags: trees on the recent past, the season and the calendar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Array = NDArray[np.float64]
Places = NDArray[np.int64]

_ROWS, _HELD = 60_000, 15_000  # that are fitted at most, and that tell when to stop
_RECENT, _SEASONS = 24, 3  # lags, and values at the same place of a season
_LEAST = 0.05  # of a column's deviation, that a window's counts as
_MOST = 3_000_000  # rows that are forecast, at most


@dataclass(frozen=True)
class Past:
    """Windows of all columns, and what is known of the steps to come.

    contexts (N, T, C); known (N, K, F): numbers known beforehand, such as the calendar, NaN where
    they are not; others (N, M): the last values of columns that are read only.
    """

    contexts: Array
    known: Array
    others: Array

    def __len__(self) -> int:
        return len(self.contexts)


def rows_of(past: Past) -> int:
    """Number of rows that forecasts of these windows take: one for each window, column, step."""
    count: int = past.contexts.shape[2] * past.known.shape[1]
    return len(past) * count


def too_large(*parts: Past) -> bool:
    """True if these are more than three million rows: their forecasts would take minutes."""
    return sum(map(rows_of, parts)) > _MOST


class Boosting:
    """One model for all columns and steps; a step, its column and what was before it are a row.

    (y_(T + k) - y_T) / d, d the deviation of the window (at least a twentieth of the column's), is
    forecast from k, the column, the last 24 values and the three at the same place of earlier
    seasons, the mean, least and greatest value of the window, each less y_T and over d; from y_T
    and d themselves, the columns that are read only, and what is known of step T + k. Trees by
    histograms (Ke et al. 2017) for the absolute error; of the validation rows the error must fall
    in ten rounds, or no more trees are grown.
    """

    def __init__(self, season: int, std: Array) -> None:
        """std (C,): deviations of the columns."""
        self._season, self._std = season, std
        self._model: Any = None
        # Features of which training has a number.
        self._kept: NDArray[np.bool_] = np.zeros(0, dtype=bool)

    def fit(
        self, train: Past, after: Array, held: Past, held_after: Array, seed: int = 0
    ) -> Boosting:
        """Fit on 60,000 rows of the training windows, or as many as there are, drawn at random;
        15,000 of the validation windows tell when to stop. after (N, K, C), NaN where nothing was
        measured: not drawn."""
        # Here, because scikit-learn takes a second to import and predicting does not need it.
        from sklearn.ensemble import HistGradientBoostingRegressor

        chance = np.random.default_rng(seed)
        x, y = self._drawn(train, after, _ROWS, chance)
        held_x, held_y = self._drawn(held, held_after, _HELD, chance)
        self._kept = np.asarray(~np.isnan(x).all(0))
        model = HistGradientBoostingRegressor(
            loss="absolute_error", max_iter=200, early_stopping=True, random_state=0
        )
        with threadpool_limits(1):  # threads stall each other on a busy machine
            x, held_x = x[:, self._kept], held_x[:, self._kept]
            self._model = model.fit(x, y, X_val=held_x, y_val=held_y)
        return self

    def forecasts(self, past: Past) -> Array:
        """Forecasts (N, K, C) of windows."""
        windows = np.arange(len(past))
        columns, steps = past.contexts.shape[2], past.known.shape[1]
        found = np.empty((len(past), steps, columns))
        for column in range(columns):
            c = np.full(len(past), column)
            scale = level, size = self._scale(past, windows, c)
            common = self._common(past, windows, c, scale)
            for k in range(steps):
                own = self._own(past, windows, c, np.full(len(past), k), scale)
                x = np.concatenate((common, own), 1)
                with threadpool_limits(1):
                    guess = self._model.predict(x[:, self._kept])
                found[:, k, column] = level + guess * size
        return found

    def _drawn(
        self, past: Past, after: Array, most: int, chance: np.random.Generator
    ) -> tuple[Array, Array]:
        n, k, c = np.nonzero(~np.isnan(after))
        if len(n) > most:
            some = np.sort(chance.choice(len(n), most, replace=False))
            n, k, c = n[some], k[some], c[some]
        scale = level, size = self._scale(past, n, c)
        x = (self._common(past, n, c, scale), self._own(past, n, c, k, scale))
        return np.concatenate(x, 1), (after[n, k, c] - level) / size

    def _scale(self, past: Past, n: Places, c: Places) -> tuple[Array, Array]:
        """The last value of windows and columns, and their deviation."""
        window = past.contexts[n, :, c]
        return window[:, -1], np.maximum(window.std(1), _LEAST * self._std[c])

    def _common(self, past: Past, n: Places, c: Places, scale: tuple[Array, Array]) -> Array:
        """Features of windows and columns that are the same for every step."""
        level, size = scale
        window = (past.contexts[n, :, c] - level[:, None]) / size[:, None]
        parts = [level / self._std[c], size / self._std[c]]
        parts += [window.mean(1), window.min(1), window.max(1)]
        lags = window[:, -1 - _RECENT : -1]
        return np.concatenate((c[:, None], lags, np.stack(parts, 1), past.others[n]), 1)

    def _own(
        self, past: Past, n: Places, c: Places, k: Places, scale: tuple[Array, Array]
    ) -> Array:
        """Features that a step has of its own."""
        steps, (level, size) = past.contexts.shape[1], scale
        places = steps + k  # of the step, counted from the window's first
        parts = [k[:, None], past.known[n, k]]
        first = places - self._season * (k // self._season + 1)
        for back in range(_SEASONS if self._season > 1 else 0):
            place = first - back * self._season
            value = past.contexts[n, np.maximum(place, 0), c]
            value = np.where(place >= 0, (value - level) / size, np.nan)
            parts.append(value[:, None])
        return np.concatenate(parts, 1)
