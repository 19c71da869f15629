"""Length of a training in steps, which may be revised, and its schedule stretched over it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from carousel.config import TrainingConfig
from carousel.config.durations import revisions_of
from carousel.data.counting import unit_of
from carousel.optim.optimizers import Schedule
from carousel.run.writing import EventStore
from carousel.training.team import Team


class Pace:
    """Steps of a training in all, and how far its schedule is after each.

    A revision (s, N) says that from step s on the training is N steps long. With T the steps that
    were planned, (s_k, N_k) the revisions so far and p_k what of the schedule was done at s_k,

        p(s) = p_k + (T - p_k) (s - s_k) / (N_k - s_k)

    so that the schedule ends with the training. Without revisions p(s) = s.

    >>> pace = Pace(8, revisions=[(4, 6)])
    >>> [pace.position(step) for step in range(7)], pace.total
    ([0, 1, 2, 3, 4, 6, 8], 6)
    """

    def __init__(
        self, planned: int, batches: int = 1, revisions: Iterable[tuple[int, int]] = ()
    ) -> None:
        """batches: of an epoch."""
        self.planned, self.batches, self.revisions = planned, batches, list(revisions)

    @classmethod
    def of(cls, training: TrainingConfig, batches: int) -> Pace:
        """The pace that settings ask for. batches: of an epoch."""
        steps = training.epochs * batches
        planned = min(steps, training.max_steps) if training.max_steps else steps
        return cls(planned, batches, revisions_of(training.revised, "training.revised"))

    @property
    def total(self) -> int:
        """Steps in all, as far as is known now."""
        return self.revisions[-1][1] if self.revisions else self.planned

    def position(self, step: int) -> int:
        """Steps of the schedule that are done after so many of the training."""
        at, done, total = 0, 0.0, self.planned
        for begin, length in self.revisions:
            if begin >= step:
                break
            done += (self.planned - done) * (begin - at) / (total - at)
            at, total = begin, length
        if step >= total:
            return self.planned
        return int(done + (self.planned - done) * (step - at) / (total - at))

    @property
    def epochs(self) -> int:
        """Epochs in all, the last of which may be cut short."""
        return max(1, math.ceil(self.total / self.batches))

    def advance(self, schedule: Schedule, step: int) -> None:
        """Let the schedule, which stands where it is after `step`, go on to the next."""
        for _ in range(self.position(step + 1) - self.position(step)):
            schedule.step()

    # ---- what a training under a budget does besides

    def begin(self, step: int) -> None:
        """Training begins, or goes on after `step`."""

    def keep(self, step: int, batch: int, team: Team, store: EventStore) -> None:
        """Look whether the training ends with its time, if it has one, and revise its length if
        not. batch: those of this epoch that are done, not the last."""

    def end_epoch(self, step: int) -> None:
        """The steps of an epoch are done, and its validation begins."""

    def validated(self, step: int) -> None:
        """The validation is done; the length may be looked at."""

    def begin_epoch(self, step: int) -> None:
        """All that ends an epoch is done."""

    def end(self) -> None:
        """Training has ended."""

    def notices(self) -> list[str]:
        """Lines for the person at the keyboard, before the first step."""
        return []

    def said(self, epochs: int, steps: int) -> str:
        """Sentence on the length, where it is no number of epochs; else empty."""
        return f"ran the {steps} {unit_of(steps, 'steps')} asked for" if self.revisions else ""

    def account(self) -> dict[str, Any]:
        """Account for result.json of the time, and of settings that repeat the run; or empty."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned, of a run that is resumed."""
