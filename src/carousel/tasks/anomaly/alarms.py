"""Alarms from scores: a threshold with a promise, and windows."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carousel.config import AnomalyConfig
from carousel.errors import ConfigError
from carousel.tasks.shared.answers import AnomalyAnswer, AnomalyWindow

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
        rank = _rank(false_alarms, count)
        if rank > count:
            return cls(float(known[-1]), count, false_alarms if follows else 1000 / (count + 1))
        return cls(float(known[rank - 1]), count, false_alarms)


def limits(scores: Mapping[str, Array], config: AnomalyConfig) -> dict[str, Limit]:
    """Thresholds by the name of the series; "" is that of the whole set, which also holds for
    series that are new. scores: of the validation steps of each."""
    rate, follows = config.false_alarms, config.follow > 0
    found = {"": Limit.of(np.concatenate(list(scores.values())), rate, follows=follows)}
    if config.calibration == "series":
        found |= {name: Limit.of(s, rate, follows=follows) for name, s in scores.items()}
    return found


def check_promise(counts: Mapping[str, int], config: AnomalyConfig) -> None:
    """Raise `ConfigError` if so many validation steps, by the name of the series, cannot promise
    `anomaly.false_alarms`: of the set, or of any of its series. A threshold that follows can."""
    each, false_alarms = config.calibration == "series", config.false_alarms
    if config.follow:
        return
    most = max(counts.values()) if each else sum(counts.values())
    if _rank(false_alarms, most) > most:
        where = "no series has more than" if each and len(counts) > 1 else "there are"
        least = math.ceil(100_000 / (most + 1)) / 100
        raise ConfigError(
            f"anomaly.false_alarms = {false_alarms:g} in 1,000 steps cannot be promised: that "
            f"takes {math.ceil(round(1000 / false_alarms, 9)) - 1:,} validation steps with a "
            f"score, {where} {most:,}; set it to {least:g} or more, give the validation part more "
            f"steps, or let the threshold follow (anomaly.follow = 0.2)"
        )


def promise(config: AnomalyConfig) -> str:
    """Promise of false alarms in words, with what it rests on."""
    rate = f"at most {config.false_alarms:g} alarms in 1,000"
    if config.follow:
        return f"{rate} steps in the long run, as the threshold follows"
    return f"{rate} normal steps, as far as they stay like those"


def _rank(false_alarms: float, count: int) -> int:
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


def alarms_of(raw: Array, limit: Limit, config: AnomalyConfig) -> tuple[Array, NDArray[np.bool_]]:
    """Scores and alarms (T,) of a whole series as `Alarms` has them. raw (T,)."""
    alarms = Alarms(limit, config.smooth, config.follow)
    steps = [alarms.step(score) for score in raw.tolist()]
    return np.array([score for score, _ in steps]), np.array([alarm for _, alarm in steps], bool)


def smoothed(raw: Array, config: AnomalyConfig) -> Array:
    """The scores (T,) that a threshold is to be found for."""
    return alarms_of(raw, Limit(1.0, 0, 0.0), config)[0]


def merged(alarms: NDArray[np.bool_], most: int) -> list[tuple[int, int]]:
    """(first, last) of windows of alarms, those with at most `most` quiet steps between them in
    one.

    >>> merged(np.array([True, False, False, True, False, False, False, True]), 2)
    [(0, 3), (7, 7)]
    """
    found: list[tuple[int, int]] = []
    for step in alarms.nonzero()[0].tolist():
        if found and step - found[-1][1] - 1 <= most:
            found[-1] = (found[-1][0], step)
        else:
            found.append((step, step))
    return found


def answer_of(
    scores: Array,
    alarms: NDArray[np.bool_],
    shares: Array,
    times: tuple[str, ...],
    columns: tuple[str, ...],
    merge: int,
) -> AnomalyAnswer:
    """Answer for a series. scores, alarms (T,): as `Alarms` has them; shares (T, F): of the columns
    in the error."""
    windows = []
    for first, last in merged(alarms, merge):
        inside = alarms[first : last + 1]
        share = shares[first : last + 1][inside].mean(0)
        order = np.argsort(-share, kind="stable")
        ranked = {columns[i]: round(float(share[i]), 6) for i in order}
        peak = float(scores[first : last + 1][inside].max())
        windows.append(AnomalyWindow(first, last, times[first], times[last], peak, ranked))
    unscored = int(np.isnan(scores).sum())
    found = (tuple(scores.tolist()), tuple(alarms.tolist()), times)
    return AnomalyAnswer(tuple(windows), len(scores), unscored, *found)
