"""Limits of one client, by its address: steps a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from carousel.serve.sessions import Refused

_MANY = 10_000  # clients after which those that have all their allowance are forgotten


class Clients:
    """Allowances: each client has `rate` steps a second, and saves up to a second of them.

    >>> now = [0.0]
    >>> clients = Clients(10, lambda: now[0])
    >>> clients.take("a", 10)
    >>> try: clients.take("a", 5)
    ... except Refused as error: print(error.facts)
    {'retry_after': 1}
    >>> now[0] = 0.5
    >>> clients.take("a", 5)
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._left: dict[str, tuple[float, float]] = {}  # steps, and when

    def take(self, client: str, steps: int) -> None:
        """Count steps of a client. Raises `Refused` for more than it has left; a block that is
        larger than a second's is taken where all is left, and paid for afterwards."""
        now, most = self._clock(), self._rate
        left, when = self._left.get(client, (most, now))
        left = min(most, left + (now - when) * self._rate)
        if left < min(steps, most):
            wait = (min(steps, most) - left) / self._rate
            raise Refused(
                "too_fast", 429,
                f"a client takes {self._rate:g} steps a second at most: send again in {wait:.2g} s",
                retry_after=math.ceil(wait),
            )  # fmt: skip
        self._left[client] = (left - steps, now)
        if len(self._left) > _MANY:
            self._left = {
                name: (left, when)
                for name, (left, when) in self._left.items()
                if left + (now - when) * self._rate < most
            }
