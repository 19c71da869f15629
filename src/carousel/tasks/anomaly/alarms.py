"""Alarms from scores: a threshold with a promise, and windows."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from carousel.config import AnomalyConfig
from carousel.errors import ConfigError
from carousel.runtime.alarms import Alarms, Limit, rank_of
from carousel.tasks.shared.answers import AnomalyAnswer, AnomalyWindow

Array = NDArray[np.float64]


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
    if rank_of(false_alarms, most) > most:
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
