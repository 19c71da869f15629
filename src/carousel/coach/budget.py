"""A share of the training time for measuring, kept by measuring what the measuring takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_ADVANCE = 0.15


class Budget:
    """Lets a measurement happen when its last cost fits into what is left.

    share: of the seconds that training has taken; at the start 0.15 seconds in advance, so that
    short runs are looked at as well. Each kind of measurement is asked about by
    name; the one that has waited longest goes first, one a step.
    """

    def __init__(self, share: float, kinds: tuple[str, ...], spacing: int = 1) -> None:
        """spacing: steps between two measurements of a kind, at the least."""
        self.share, self.spacing = share, spacing
        self.spent = 0.0
        self._cost = dict.fromkeys(kinds, 0.0)
        self._last = dict.fromkeys(kinds, -spacing)
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since the start, without what was spent here."""
        return time.perf_counter() - self._started - self.spent

    @property
    def taken(self) -> float:
        """The share that measuring has taken so far."""
        return self.spent / max(self.seconds, 1e-9)

    def choose(self, step: int) -> str | None:
        """The kind of measurement for this step, or None."""
        left = max(self.share * self.seconds, _ADVANCE) - self.spent
        ready = [
            kind
            for kind, cost in self._cost.items()
            if cost <= left and left > 0 and step - self._last[kind] >= self.spacing
        ]
        if not ready:
            return None
        kind = min(ready, key=lambda kind: self._last[kind])
        self._last[kind] = step
        return kind

    def expect(self, kind: str, seconds: float) -> None:
        """What a kind that never ran is thought to take."""
        self._cost[kind] = seconds

    def give_up(self, kind: str) -> None:
        """Never choose this kind again."""
        self._cost.pop(kind, None)

    @contextmanager
    def spending(self, kind: str = "") -> Iterator[None]:
        """Time in the block is of the budget."""
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - started
            self.spent += seconds
            if kind in self._cost:
                self._cost[kind] = seconds
