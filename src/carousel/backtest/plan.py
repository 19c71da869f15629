"""Plan of a backtest: where its windows begin, and which of them share a training."""

from __future__ import annotations

from dataclasses import dataclass

from carousel.errors import ConfigError

ONCE, EVERY = "once", "every"


@dataclass(frozen=True)
class Plan:
    """Windows of a backtest.

    windows: how many; the last one ends with the data. step: from the origin of one to that of the
    next. refit: windows that share a training, which is done before the first of them; 0: all.
    horizon: steps of a window.

    >>> plan = Plan(windows=4, step=12, refit=2, horizon=24)
    >>> plan.origins, plan.trainings, plan.judged(plan.trainings[0])
    ((60, 48, 36, 24), (range(0, 2), range(2, 4)), 36)
    """

    windows: int
    step: int
    refit: int
    horizon: int

    @property
    def origins(self) -> tuple[int, ...]:
        """First steps of the windows, counted to the end of the data, the earliest first."""
        last = self.windows - 1
        return tuple(self.horizon + (last - n) * self.step for n in range(self.windows))

    @property
    def trainings(self) -> tuple[range, ...]:
        """Numbers of the windows after each training, counted from 0."""
        each = self.refit or self.windows
        firsts = range(0, self.windows, each)
        return tuple(range(n, min(n + each, self.windows)) for n in firsts)

    def judged(self, windows: range) -> int:
        """Steps from the origin of the first of some windows to the end of the last of them."""
        return self.origins[windows[0]] - self.origins[windows[-1]] + self.horizon


def refit_of(given: str | int) -> int:
    """Windows that share a training, 0 for all, from "once", "every" or a number. Raises
    `ConfigError`.

    >>> refit_of("once"), refit_of("every"), refit_of("3")
    (0, 1, 3)
    """
    if given in (ONCE, EVERY):
        return int(given == EVERY)
    if str(given).isdecimal() and int(given) > 0:
        return int(given)
    raise ConfigError(
        f"refit must be {ONCE}, {EVERY}, or the number of windows that share a training, got "
        f"'{given}'",
        "refit",
    )
