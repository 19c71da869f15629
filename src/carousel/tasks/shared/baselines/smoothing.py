"""Exponential smoothing of many histories at once, by ways of smoothing that are given.

y_t = l_(t-1) + φ b_(t-1) + s_(t-m) + e_t
l_t = l_(t-1) + φ b_(t-1) + α e_t,   b_t = φ b_(t-1) + β e_t,   s_t = s_(t-m) + γ e_t

with a level l, where there is a trend its slope b, where there is a season of m steps its values s
(Hyndman, Koehler, Ord and Snyder 2008, the models with additive errors). For given α, β, γ, φ the
errors are a linear map of the history and of the states before it, so that the states whose sum of
squared errors is least are those of a regression, the same for all histories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Way:
    """A way of smoothing: its rates, and which parts there are.

    alpha, beta, gamma: of level, slope and season; None where there is no slope or season. phi:
    damping of the slope. logarithm: smooth the logarithms of the values.
    """

    alpha: float
    beta: float | None = None
    phi: float = 1.0
    gamma: float | None = None
    logarithm: bool = False

    @property
    def parts(self) -> tuple[bool, bool, bool]:
        """True of what it has: a slope, a season, logarithms."""
        return self.beta is not None, self.gamma is not None, self.logarithm

    def states(self, season: int) -> int:
        """Number of states before the first step that are free: of a season's values one follows
        from the level."""
        return 1 + (self.beta is not None) + (season - 1 if self.gamma is not None else 0)

    def parameters(self, season: int) -> int:
        """Numbers that are fitted: rates, damping, states, and the deviation of the errors."""
        rates = (self.beta is not None) + (self.gamma is not None) + (self.phi != 1.0)
        return 2 + rates + self.states(season)


@dataclass(frozen=True)
class Fit:
    """Histories (N, T) smoothed by W ways that have the same parts.

    squares (W, N): sums of squared errors, with the states before the history that make them least.
    level, slope (W, N + F) and season (m, W, N + F), its next value first: states at the end, of
    the histories without such states, then the effect of each of these, which are those that
    triangle (W, F, F) makes of share (W, F, N).
    """

    ways: Sequence[Way]
    squares: Array
    level: Array
    slope: Array
    season: Array
    triangle: Array
    share: Array

    def forecast(self, number: int, rows: NDArray[Any], horizon: int) -> Array:
        """Forecasts (n, K) of some histories by one of the ways:

        f_k = l_T + (φ + … + φ^k) b_T + s_(T + k - m n)
        """
        free = self.triangle.shape[1]
        begun = np.linalg.pinv(self.triangle[number]) @ self.share[number][:, rows]

        def end(state: Array) -> Array:
            found: Array = state[..., rows] + state[..., -free:] @ begun
            return found

        damped = np.cumsum(self.ways[number].phi ** np.arange(1, horizon + 1))
        found = end(self.level[number])[:, None] + end(self.slope[number])[:, None] * damped
        season = end(self.season[:, number])
        result: Array = found + season[np.arange(horizon) % len(season)].T
        return result


def smooth(history: Array, season: int, ways: Sequence[Way]) -> Fit:
    """Smooth histories (N, T) by ways that have the same parts: a slope all or none, a season
    all or none.

    season: its steps m; looked at only where the ways have one. The histories are taken as they
    are: logarithms are taken by who calls. Raises `ValueError` for more free states than steps.

    >>> fit = smooth(np.array([[1.0, 5.0, 2.0, 6.0, 3.0, 7.0]]), 2, [Way(0.5, 0.1, gamma=0.1)])
    >>> fit.forecast(0, np.array([0]), 3).round(6)
    array([[4., 8., 5.]])
    """
    (count, steps), first = history.shape, ways[0]
    length = season if first.gamma is not None else 1
    free = first.states(season)
    if free > steps:
        raise ValueError(f"{free} states cannot be told from {steps} steps")
    # Each free state by itself runs beside the histories, to see what it does.
    given = np.concatenate((history.T, np.zeros((steps, free))), 1)
    values = np.repeat(given[:, None], len(ways), axis=1)
    level, slope = np.zeros(values.shape[1:]), np.zeros(values.shape[1:])
    seasons = np.zeros((length, *values.shape[1:]))
    level[:, :count], level[:, count] = history[:, 0], 1.0  # numbers stay small
    if first.beta is not None:
        slope[:, count + 1] = 1.0
    if first.gamma is not None:
        places = np.arange(season - 1)
        seasons[places, :, count + free - (season - 1) + places] = 1.0
    rates = _Rates.of(ways)
    for t in range(steps):
        rates.step(values[t], level, slope, seasons[t % length])
    errors = values.transpose(1, 0, 2)
    q, triangle = np.linalg.qr(-errors[:, :, count:])
    share = q.transpose(0, 2, 1) @ errors[:, :, :count]
    squares = np.square(errors[:, :, :count]).sum(1) - np.square(share).sum(1)
    seasons = np.roll(seasons, -(steps % length), axis=0)
    return Fit(ways, np.maximum(squares, 0.0), level, slope, seasons, triangle, share)


@dataclass(frozen=True)
class _Rates:
    """Rates (W, 1) of ways that have the same parts; None of parts that they lack."""

    alpha: Array
    beta: Array | None
    phi: Array
    gamma: Array | None

    @classmethod
    def of(cls, ways: Sequence[Way]) -> _Rates:
        def column(rates: list[float | None]) -> Array | None:
            return None if rates[0] is None else np.array(rates, dtype=float)[:, None]

        alpha = np.array([way.alpha for way in ways])[:, None]
        phi = np.array([way.phi for way in ways])[:, None]
        return cls(alpha, column([w.beta for w in ways]), phi, column([w.gamma for w in ways]))

    def step(self, values: Array, level: Array, slope: Array, season: Array) -> None:
        """One step, in place: values become errors."""
        if self.beta is not None:
            slope *= self.phi
            level += slope
        values -= level
        if self.gamma is not None:
            values -= season
            season += self.gamma * values
        if self.beta is not None:
            slope += self.beta * values
        level += self.alpha * values
