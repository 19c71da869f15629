"""ETS: exponential smoothing whose parts and rates are chosen for each history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from carousel.tasks.shared.baselines.smoothing import Way, smooth

Array = NDArray[np.float64]

_LEVELS = (0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 0.999)
_TRENDS = ((0.01, 1.0), (0.1, 1.0), (0.3, 1.0), (0.05, 0.9), (0.3, 0.9), (0.05, 0.98), (0.2, 0.98))
_SEASONS = (0.01, 0.1, 0.3)
_LONG = 60  # steps of a season, with more of which only the last of the trends is tried
_AT_ONCE = 1 << 21  # numbers of histories that are smoothed together


def ways(season: int) -> list[Way]:
    """All ways of smoothing that are tried: 72 without a season, 216 more with one, and of
    logarithms those whose slope is damped or that have none. With a season of more than 60 steps
    one damped trend is tried.

    Slope and season are rates of what the level leaves of them: β = α β*, γ = (1 - α) γ*.

    >>> len(ways(1)), len(ways(12))
    (117, 468)
    """
    found = []
    trends = (None, *_TRENDS) if season <= _LONG else (None, _TRENDS[-1])
    shares = (None, *_SEASONS) if season > 1 else (None,)
    for alpha, trend, share, log in product(_LEVELS, trends, shares, (False, True)):
        if log and trend is not None and trend[1] == 1.0:
            continue  # would grow without end
        beta, phi = (None, 1.0) if trend is None else (alpha * trend[0], trend[1])
        gamma = None if share is None else (1 - alpha) * share
        found.append(Way(alpha, beta, phi, gamma, log))
    return found


def ets(history: Array, horizon: int, season: int = 1, among: Sequence[Way] | None = None) -> Array:
    """ETS forecasts (..., K) of histories (..., T), each by the smoothing that suits it best.

    Level alone, with a trend, with a damped one, each without or with a season (`smooth` has the
    equations), of the values or, where all are positive, of their logarithms, which makes trend and
    season multiply. Of those on a grid of rates, the one with the least

    AICc = T ln(Σ e² / T) + 2 p + 2 p (p + 1) / (T - p - 1)   (+ 2 Σ ln y for logarithms)

    is taken (Hyndman and Khandakar 2008); p: numbers that are fitted. Ways with as many numbers as
    steps are none. Two steps or fewer: the last value. among: ways to choose from, in place of all.

    >>> y = np.exp(0.01 * np.arange(48)) * np.tile([1.0, 2.0, 3.0, 2.0], 12)
    >>> (ets(y, 2, 4) / np.exp([0.48, 0.49])).round(1)
    array([1., 2.])
    """
    flat = np.asarray(history, dtype=float).reshape(-1, history.shape[-1])
    found = np.empty((len(flat), horizon))
    rows = max(1, _AT_ONCE // 2 // flat.shape[1])
    for first in range(0, len(flat), rows):
        some = slice(first, first + rows)
        found[some] = _Search(flat[some], season, horizon, among).forecasts
    return found.reshape(*history.shape[:-1], horizon)


def chosen(history: Array, season: int) -> list[Way]:
    """The ways that suit one of the histories (N, T) best, each once."""
    found = _Search(history, season, 0, None)
    return [found.ways[number] for number in np.unique(found.best)]


class _Search:
    """The best way for each of histories (N, T)."""

    def __init__(self, flat: Array, season: int, horizon: int, among: Sequence[Way] | None) -> None:
        count, steps = flat.shape
        self.ways = [
            way
            for way in (ways(season) if among is None else among)
            if way.parameters(season) < steps - 1
        ]
        self.least, self.best = np.full(count, np.inf), np.zeros(count, dtype=int)
        self.forecasts = np.repeat(flat[:, -1:], horizon, axis=1)
        self._flat, self._season = flat, season
        # Beside the size of its values the errors of a history are never nothing.
        self._rounding = steps * (1e-9 * np.abs(flat).max(1, initial=0.0)) ** 2 + 1e-300
        positive = np.flatnonzero((flat > 0).all(1))
        logs = np.log(flat[positive])
        for numbers in self._alike():
            log = self.ways[numbers[0]].logarithm
            rows, values = (positive, logs) if log else (np.arange(count), flat)
            if len(rows):
                self._try(numbers, rows, values)

    def _alike(self) -> Iterator[list[int]]:
        """Numbers of ways that can be smoothed together."""
        count, steps = self._flat.shape
        groups: dict[tuple[bool, bool, bool], list[int]] = {}
        for number, way in enumerate(self.ways):
            groups.setdefault(way.parts, []).append(number)
        for group in groups.values():
            columns = count + self.ways[group[0]].states(self._season)
            most = max(1, _AT_ONCE // (steps * columns))
            for first in range(0, len(group), most):
                yield group[first : first + most]

    def _try(self, numbers: list[int], rows: NDArray[np.int64], values: Array) -> None:
        fit = smooth(values, self._season, [self.ways[number] for number in numbers])
        horizon = self.forecasts.shape[1]
        for place, number in enumerate(numbers):
            value = self._aicc(self.ways[number], fit.squares[place], rows, values)
            better = np.flatnonzero(value < self.least[rows])
            self.least[rows[better]], self.best[rows[better]] = value[better], number
            if horizon and len(better):
                guess = fit.forecast(place, better, horizon)
                log = self.ways[number].logarithm
                self.forecasts[rows[better]] = np.exp(guess) if log else guess

    def _aicc(self, way: Way, squares: Array, rows: NDArray[np.int64], values: Array) -> Array:
        steps = values.shape[1]
        p = way.parameters(self._season)
        rounding = steps * 1e-18 if way.logarithm else self._rounding[rows]
        found = steps * np.log(np.maximum(squares, rounding) / steps)
        found += 2 * p + 2 * p * (p + 1) / (steps - p - 1)
        if way.logarithm:
            found += 2 * values.sum(1)
        result: Array = found
        return result
