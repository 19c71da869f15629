"""A share of the training time for measuring, kept by measuring what the measuring takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_ADVANCE = 0.15


class Budget:
    """Lets a measurement happen when its last cost fits into what is left.

    share: of the seconds that training has taken; at the start 0.15 seconds in advance, so that
    short runs are looked at as well. Each kind of measurement is asked about by name, one a step.
    The one that has waited longest goes first. Until it fits, others that cost less may take up to
    half of the share, so that curves are dense where that is cheap and nothing is put off for ever.
    """

    def __init__(self, share: float, kinds: tuple[str, ...], spacing: int = 1) -> None:
        """spacing: steps between two measurements of a kind, at the least."""
        self.share, self.spacing = share, spacing
        self.spent = self._spent_between = 0.0
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
        between = self.share * self.seconds / 2 - self._spent_between
        due = [kind for kind in self._cost if step - self._last[kind] >= self.spacing]
        for place, kind in enumerate(sorted(due, key=self._last.__getitem__)):
            cost = self._cost[kind]
            if left > 0 and cost <= (left if place == 0 else min(left, between)):
                self._last[kind] = step
                self._spent_between += cost if place else 0.0
                return kind
        return None

    def expect(self, kind: str, seconds: float) -> None:
        """Set the expected cost of a measurement that has not run yet."""
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
