"""Alarms from scores: a threshold with a promise, which may follow; one step at a time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_TINY = 1e-9


@dataclass(frozen=True)
class Limit:
    """Threshold of a score. steps: how many validation steps it comes from. promised: how many
    normal steps of 1,000 are alarms at most."""

    value: float
    steps: int
    promised: float

    @classmethod
    def of(cls, scores: Array, false_alarms: float, *, follows: bool = False) -> Limit:
        """Threshold that normal steps exceed at most `false_alarms` times in 1,000.

        scores (n,): of the validation steps, NaN where there is none. With a = false_alarms / 1000
        it is the ceil((1 - a)(n + 1))-th smallest of them. A new step whose score is exchangeable
        with those (it is normal, and comes from what they came from) lies above it with a
        probability of at most a, whatever their distribution: split conformal prediction (Vovk et
        al. 2005, Algorithmic Learning in a Random World). Where n is below 1 / a - 1, no score is
        high enough: then it is the largest, which promises 1,000 / (n + 1). follows: the threshold
        moves until the rate is what was asked for (`Alarms`), and only begins here. Without a score
        it is infinite.

        >>> Limit.of(np.arange(1.0, 100.0), 100)
        Limit(value=90.0, steps=99, promised=100)
        >>> Limit.of(np.array([1.0, 3.0, 2.0]), 100)
        Limit(value=3.0, steps=3, promised=250.0)
        """
        known = np.sort(scores[~np.isnan(scores)])
        count = len(known)
        if not count:
            return cls(math.inf, 0, 0.0)
        rank = rank_of(false_alarms, count)
        if rank > count:
            return cls(float(known[-1]), count, false_alarms if follows else 1000 / (count + 1))
        return cls(float(known[rank - 1]), count, false_alarms)


def rank_of(false_alarms: float, count: int) -> int:
    """Rank among `count` scores, from 1, of the threshold that promises so few alarms."""
    # Rounded first: (1 - 0.001) * 1000 is not quite 999.
    return max(1, math.ceil(round((1 - false_alarms / 1000) * (count + 1), 9)))


class Alarms:
    """Scores in thresholds, and alarms, as raw scores come (`anomaly.smooth`, `anomaly.follow`).

    Of a whole series and of a stream they are the same, bit for bit: each is computed step by step.
    A score is the geometric mean of the last `smooth` raw ones, divided by the threshold; it is an
    alarm above q, which starts at 1. With `follow` = g, an alarm multiplies q by e^(g (1 - a)) and
    every other step by e^(-g a), never to below 1, a being the rate that was promised: so T steps,
    whatever they are, hold at most a T + 1 + ln(highest score) / g alarms (adaptive conformal
    inference, Gibbs and Candès 2021, arXiv:2106.00170, on the logarithm of the threshold).

    >>> alarms = Alarms(Limit(2.0, 99, 10.0), smooth=1, follow=0.5)
    >>> [alarms.step(raw) for raw in (1.0, 3.0, 3.0)]
    [(0.5, False), (1.5, True), (1.5, False)]
    """

    def __init__(self, limit: Limit, smooth: int, follow: float) -> None:
        self._unit, self._rate = max(limit.value, _TINY), limit.promised / 1000
        self._recent: deque[float] = deque(maxlen=smooth)
        self._follow, self._line = follow, 0.0  # the logarithm of q

    def step(self, raw: float) -> tuple[float, bool]:
        """Score and alarm; a NaN stays one, is no alarm, and is not remembered."""
        if math.isnan(raw):
            return raw, False
        score = raw
        if self._recent.maxlen != 1:
            self._recent.append(math.log(max(raw, _TINY)))
            score = math.exp(sum(self._recent) / len(self._recent))
        score /= self._unit
        alarm = score > math.exp(self._line)
        if self._follow:
            self._line = max(0.0, self._line + self._follow * (alarm - self._rate))
        return score, alarm

    @property
    def state(self) -> tuple[list[float], float]:
        """Scores that are remembered, and the logarithm of the threshold: the next step depends on
        them. Set it to go on from there."""
        return [*self._recent], self._line

    @state.setter
    def state(self, state: tuple[Sequence[float], float]) -> None:
        recent, self._line = state
        self._recent.clear()
        self._recent.extend(recent)
