"""Pace of a training that has a time: its length is revised so that it ends with the time."""

from __future__ import annotations

import math
from typing import Any

from carousel.config.durations import seconds_of
from carousel.data.counting import unit_of
from carousel.errors import ConfigError
from carousel.run.events import Planned, Revised
from carousel.run.writing import EventStore
from carousel.training import clock
from carousel.training.pace import Pace
from carousel.training.team import Team

SETTING = "training.budget"
_LOOKS = 20
_CLOSE = 0.05  # of the steps that are left
_STATE = ("_step", "_end", "_ends", "_next")


def fitting(left: float, step: float, end: float, batch: int, per_epoch: int) -> int:
    """Steps that fit into the seconds left, if a step and the end of an epoch take so many.

    batch: steps of the epoch that are done. The last step ends an epoch, too.

    >>> fitting(25.0, 1.0, 5.0, 0, 10)
    15
    >>> fitting(14.0, 1.0, 5.0, 4, 10), fitting(8.0, 1.0, 5.0, 0, 10)
    (6, 3)
    """
    if step <= 0:
        raise ConfigError(f"a step takes no time by this clock: no {SETTING} can be kept")
    steps = 0
    first = per_epoch - batch
    if first * step + end <= left:
        left -= first * step + end
        whole = int(left / (per_epoch * step + end))
        left -= whole * (per_epoch * step + end)
        steps = first + whole * per_epoch
    return steps + max(0, int((left - end) / step))


class TimedPace(Pace):
    """Pace of a training under a budget: its length is revised so that it ends with the time."""

    def __init__(self, plan: Planned, batches: int) -> None:
        """batches: of an epoch."""
        super().__init__(plan.steps, batches)
        self.plan = plan
        self.seconds = seconds_of(plan.budget, SETTING)
        self._step, self._end = plan.step_seconds, plan.validation_seconds
        self._spent, self._since = plan.seconds, clock.now()
        self._ends, self._ended_at = 0, 0.0
        self._looked, self._looked_at = 0, 0.0
        self._next = self._next_look(0)

    @property
    def spent(self) -> float:
        """Seconds so far, with those before a resumption."""
        return self._spent + clock.now() - self._since

    def begin(self, step: int) -> None:
        self._since = clock.now()
        self._looked, self._looked_at = step, self._since

    def keep(self, step: int, batch: int, team: Team, store: EventStore) -> None:
        if not self._next <= step < self.total:
            return
        fits, left = team.led(lambda: self._fits(step, batch)), self.total - step
        if abs(fits - left) > _CLOSE * left:
            self.revisions.append((step, step + fits))
            store.event(step, Revised(step + fits, self.spent))
        self._next = self._next_look(step)

    def _fits(self, step: int, batch: int) -> int:
        self._measure(step)
        left = self.seconds - self.spent
        return fitting(left, self._step, self._end, batch % self.batches, self.batches)

    def end_epoch(self, step: int) -> None:
        self._measure(step)
        self._ended_at = clock.now()

    def validated(self, step: int) -> None:
        if not self._ends:  # what was measured beforehand was of an untrained network
            self._end = clock.now() - self._ended_at
        self._next = step

    def begin_epoch(self, step: int) -> None:
        now = clock.now()
        self._end = (self._end + now - self._ended_at) / 2 if self._ends else now - self._ended_at
        self._ends += 1
        self._looked, self._looked_at = step, now

    def end(self) -> None:
        self._spent = self.spent
        self._since = math.inf

    def _measure(self, step: int) -> None:
        """Take in the time of the steps since the last look."""
        now = clock.now()
        if done := step - self._looked:
            self._step = (self._step + (now - self._looked_at) / done) / 2
        self._looked, self._looked_at = step, now

    def _next_look(self, step: int) -> int:
        return step + max(1, (self.total - step) // _LOOKS)

    def notices(self) -> list[str]:
        plan = self.plan
        return [
            f"{SETTING} = '{plan.budget}' in place of training.epochs: {plan.epochs} "
            f"{unit_of(plan.epochs, 'epochs')}, {plan.steps:,} {unit_of(plan.steps, 'steps')} fit "
            f"(a step takes {1000 * plan.step_seconds:.3g} ms, a validation "
            f"{plan.validation_seconds:.3g} s); the length is revised where that changes"
        ]

    def said(self, epochs: int, steps: int) -> str:
        return (
            f"used the {self.plan.budget} there were: {epochs} {unit_of(epochs, 'epochs')}, "
            f"{steps} {unit_of(steps, 'steps')}"
        )

    def account(self) -> dict[str, Any]:
        revised = " ".join(f"{at}:{total}" for at, total in self.revisions)
        again = [f"training.revised='{revised}'"] if revised else []
        return {
            "asked": self.plan.budget,
            "seconds": round(self._spent, 3),
            "planned_epochs": self.plan.epochs,
            "planned_steps": self.plan.steps,
            "all_steps": self.total,
            "repeat": ["training.budget=''", *self.plan.settings, *again],
        }

    def state_dict(self) -> dict[str, Any]:
        values = {name.removeprefix("_"): getattr(self, name) for name in _STATE}
        return {**values, "spent": self.spent, "revisions": [list(one) for one in self.revisions]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in _STATE:
            setattr(self, name, state[name.removeprefix("_")])
        self._spent, self._since = state["spent"], clock.now()
        self.revisions = [(at, total) for at, total in state["revisions"]]
