"""Step of time of many series, and times that are counted in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MILLION = 1e6
_LARGER = {
    **{"ns": ("us", 1000), "us": ("ms", 1000), "ms": ("s", 1000)},
    **{"s": ("m", 60), "m": ("h", 60), "h": ("D", 24)},
}
"""Unit of time that is the next larger one, and how many it holds."""


@dataclass(frozen=True, eq=False)
class Pace:
    """Step of time that all series have: `every` units, which are those of NumPy, "" of mere
    counts, or "millionth".

    >>> Pace(1, "h").text(np.int64(473352)), Pace(1, "").text(np.int64(701))
    ('2024-01-01T00', '701')
    """

    every: int = 1
    unit: str = ""

    def coarsest(self, starts: NDArray[np.int64]) -> tuple[Pace, NDArray[np.int64]]:
        """Equal step and times in the largest unit that holds them, so that a step does not
        depend on how a file writes its times.

        >>> Pace(86_400, "s").coarsest(np.array([0, 172_800]))
        (Pace(every=1, unit='D'), array([0, 2]))
        """
        every, unit = self.every, self.unit
        while unit in _LARGER:
            larger, count = _LARGER[unit]
            if every % count or (starts % count).any():
                break
            every, unit, starts = every // count, larger, starts // count
        return Pace(every, unit), starts

    def __eq__(self, other: object) -> bool:
        """True for a step of the same length, in whatever unit."""
        return isinstance(other, Pace) and self._length == other._length

    def __hash__(self) -> int:
        return hash(self._length)

    @property
    def _length(self) -> tuple[int, str]:
        """Length in the smallest unit of its kind."""
        every, unit = self.every, self.unit
        for smaller, (larger, count) in reversed(_LARGER.items()):
            if unit == larger:
                every, unit = every * count, smaller
        return every, unit

    @property
    def dated(self) -> bool:
        """True if its counts are times, and not mere counts."""
        return self.unit not in ("", "millionth")

    def text(self, count: np.int64) -> str:
        """A count as a person reads it."""
        if self.unit == "millionth":
            return f"{count / _MILLION:g}"
        return self.texts(count, 1)[0] if self.dated else str(int(count))

    def texts(self, first: np.int64, steps: int) -> tuple[str, ...]:
        """Times of so many steps from a count on."""
        counts = int(first) + self.every * np.arange(steps)
        if self.dated:
            return tuple(counts.astype(f"datetime64[{self.unit}]").astype(str).tolist())
        return tuple(self.text(count) for count in counts)
