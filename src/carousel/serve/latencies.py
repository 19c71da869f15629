"""Times from the arrival of steps to their answers, of the last few thousand groups."""

from __future__ import annotations

import numpy as np

_KEPT = 4096


class Latencies:
    """Seconds that groups of steps took, the last of them, and when.

    >>> latencies = Latencies()
    >>> for at in range(100):
    ...     latencies.add(float(at), at / 1000)
    >>> latencies.percentiles(since=0.0)
    (0.05, 0.099)
    """

    def __init__(self) -> None:
        self._took, self._when = np.zeros(_KEPT), np.full(_KEPT, -np.inf)
        self._next = 0

    def add(self, now: float, seconds: float) -> None:
        """Note a group that was answered now."""
        self._took[self._next], self._when[self._next] = seconds, now
        self._next = (self._next + 1) % _KEPT

    def percentiles(self, since: float) -> tuple[float, float] | None:
        """The median and the 99th percentile of what came since a time; None if nothing did."""
        known = np.sort(self._took[self._when >= since])
        if not len(known):
            return None
        places = [min(len(known) - 1, int(share * len(known))) for share in (0.5, 0.99)]
        return float(known[places[0]]), float(known[places[1]])
