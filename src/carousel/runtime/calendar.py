"""Times as numbers that a network reads, and steps of time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NONE = np.iinfo(np.int64).min
"""Count of a stamp that is not known."""


def waves(stamps: NDArray[np.datetime64], turns: int) -> NDArray[np.float32]:
    """sin and cos of the month, the day of the week and the hour of stamps (...,): (..., 2 turns),
    the sines first. Stamps are as in training: in UTC, where those had a zone. Raises `ValueError`
    for a stamp that is not known.

    >>> waves(np.array(["2024-04-01"], "datetime64[D]"), 1).round(3).tolist()
    [[1.0, 0.0]]
    """
    if np.isnat(stamps).any():
        raise ValueError("the calendar is read of every stamp, got NaT: put its time there")
    months = stamps.astype("datetime64[M]").astype(int) % 12
    days = stamps.astype("datetime64[D]")
    parts = (months / 12, days.astype(int) % 7 / 7, (stamps - days) / np.timedelta64(1, "D"))
    angles = 2 * np.pi * np.stack(parts[:turns], -1)
    return np.concatenate((np.sin(angles), np.cos(angles)), -1).astype(np.float32)


class Clock:
    """Even steps of time, counted in microseconds since 1970, or in months.

    >>> clock = Clock(3600 * 10**9, "ns")
    >>> clock.count(np.array([0.0, 7200.0])).tolist(), clock.step
    ([0, 7200000000], 3600000000)
    >>> clock.text(7200000000)
    '1970-01-01T02:00:00'
    """

    def __init__(self, step: int, unit: str) -> None:
        """unit: "M", months, or "ns". Raises `ValueError` for a step below a microsecond."""
        self.months = unit == "M"
        if not self.months and step % 1000:
            raise ValueError(f"a step of {step} ns is no whole number of microseconds")
        self.step = step if self.months else step // 1000
        self._unit = "M" if self.months else "us"
        day, second = 86_400_000_000, 1_000_000
        self._shown = "M" if self.months else "D" if self.step % day == 0 else "s"
        self._exact = self._shown != "s" or self.step % second == 0

    def count(self, seconds: Any) -> NDArray[np.int64]:
        """Counts of times in seconds since 1970; of NaN, `NONE`."""
        given = np.asarray(seconds, np.float64)
        known = ~np.isnan(given)
        micros = np.round(np.where(known, given, 0) * 1e6).astype(np.int64)
        if self.months:
            micros = micros.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
        return np.where(known, micros, NONE)

    def stamps(self, counts: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """Counts as times."""
        return counts.astype(f"datetime64[{self._unit}]")

    def seconds(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Counts in seconds since 1970; of `NONE`, NaN."""
        micros = self.stamps(counts).astype("datetime64[us]").astype(np.int64)
        return np.where(counts == NONE, np.nan, micros / 1e6)

    def text(self, count: int) -> str:
        """A count in ISO 8601, no finer than the step asks for."""
        stamp = self.stamps(np.array([count]))
        for unit in (self._shown, "s"):
            rough = stamp.astype(f"datetime64[{unit}]")
            if self._exact and rough == stamp:
                return str(rough[0])
        return str(stamp[0])
