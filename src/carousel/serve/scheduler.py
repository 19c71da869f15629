"""Choice of the steps that go into the next batch: two queues, no threads, no clock of its own."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Slots = NDArray[np.int64]


@dataclass(slots=True, eq=False)
class Group:
    """Steps of streams that came together, and are answered together.

    slots (n,): the streams, each once. x (n, k, ...): k steps of each. done: called once, with the
    group, when `answers` (n, k, C) or `error` is there. arrived: when it came.
    """

    slots: Slots
    x: NDArray[Any]
    done: Callable[[Group], None]
    arrived: float = 0.0
    taken: int = 0
    parts: list[NDArray[Any]] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def steps(self) -> int:
        """Steps of each stream."""
        return int(self.x.shape[1])

    @property
    def answers(self) -> NDArray[Any]:
        """Answers after each step (n, k, C)."""
        return self.parts[0] if len(self.parts) == 1 else np.concatenate(self.parts, 1)


class Piece(NamedTuple):
    """Steps first, …, first + steps - 1 of a group, in one batch."""

    group: Group
    first: int
    steps: int


@dataclass(frozen=True)
class Limits:
    """Limits of a batch, and of the time that steps wait for others.

    rows: streams in a batch, but for a group that is larger. steps: of a stream in a batch, so that
    who sends a long block does not hold up who sends a step. max_wait: seconds that a group waits
    for others to come.
    """

    rows: int = 1024
    steps: int = 16
    max_wait: float = 0.001


class Scheduler:
    """Batches out of two queues: of groups that nobody has begun, and of those with steps left.

    Steps of a stream keep their order: a group waits while an earlier one has one of its streams.
    Every batch takes from both queues, so neither long blocks nor new steps have to wait for the
    other kind to end.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._fresh: deque[Group] = deque()
        self._begun: deque[Group] = deque()
        self._held = np.zeros(64, np.int64)  # the number of the batch that each slot was held by
        self._number = 0
        self.rows = 0  # of groups that wait

    def __len__(self) -> int:
        """Groups that wait."""
        return len(self._fresh) + len(self._begun)

    def add(self, group: Group) -> None:
        """Queue a group behind those that came before it."""
        most = int(group.slots.max())
        if most >= len(self._held):
            more = np.zeros(max(most + 1, 2 * len(self._held)) - len(self._held), np.int64)
            self._held = np.concatenate((self._held, more))
        self._fresh.append(group)
        self.rows += len(group.slots)

    def due(self) -> float:
        """Time at which the next batch is to be taken; infinite if nothing waits."""
        if self._begun or self.rows >= self.limits.rows:
            return -math.inf
        return self._fresh[0].arrived + self.limits.max_wait if self._fresh else math.inf

    def take(self) -> list[Piece]:
        """The next batch, each stream at most once; `put_back` says that it was run."""
        self._number += 1
        batch: list[Piece] = []
        for group in self._begun:
            self._held[group.slots] = self._number
        most = self.limits.rows
        rows = self._from_begun(batch, 0, most // 2 if self._fresh else most)
        rows = self._from_fresh(batch, rows, most)
        self._from_begun(batch, rows, most)
        return batch

    def put_back(self, batch: list[Piece]) -> list[Group]:
        """Groups of a batch that is run which have no steps left; the others wait again."""
        ended = []
        for group, first, steps in batch:
            group.taken = first + steps
            if group.taken < group.steps and group.error is None:
                self._begun.append(group)
                self.rows += len(group.slots)
            else:
                ended.append(group)
        return ended

    def _from_begun(self, batch: list[Piece], rows: int, most: int) -> int:
        while self._begun and rows < most:
            rows += self._take(batch, self._begun.popleft())
        return rows

    def _from_fresh(self, batch: list[Piece], rows: int, most: int) -> int:
        waiting: list[Group] = []
        while self._fresh and rows < most:
            group = self._fresh.popleft()
            busy = bool((self._held[group.slots] == self._number).any())
            self._held[group.slots] = self._number  # later ones of its streams wait as well
            if busy:
                waiting.append(group)
            else:
                rows += self._take(batch, group)
        self._fresh.extendleft(reversed(waiting))
        return rows

    def _take(self, batch: list[Piece], group: Group) -> int:
        steps = min(group.steps - group.taken, self.limits.steps)
        batch.append(Piece(group, group.taken, steps))
        self.rows -= len(group.slots)
        return len(group.slots)
