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

    Steps of a stream keep their order: a group stands aside while earlier ones have one of its
    streams, so that those in the queues have no stream in common. Every batch takes from both
    queues, so neither long blocks nor new steps have to wait for the other kind to end.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._fresh: deque[Group] = deque()
        self._begun: deque[Group] = deque()
        self._aside: dict[int, deque[Group]] = {}  # by stream, in the order in which they came
        self._lacking: dict[Group, int] = {}  # of groups aside: streams that others have
        self._has = np.zeros(64, np.int32)  # groups that are not through, of each stream
        self._count = self.rows = 0  # groups that wait; streams of those in the queues

    def __len__(self) -> int:
        """Groups that wait."""
        return self._count

    def add(self, group: Group) -> None:
        """Queue a group behind those that came before it."""
        most = int(group.slots.max())
        if most >= len(self._has):
            more = max(most + 1, 2 * len(self._has)) - len(self._has)
            self._has = np.concatenate((self._has, np.zeros(more, np.int32)))
        busy = group.slots[self._has[group.slots] > 0].tolist()
        self._has[group.slots] += 1
        self._count += 1
        if not busy:
            self._ready(group)
            return
        self._lacking[group] = len(busy)
        for slot in busy:
            self._aside.setdefault(slot, deque()).append(group)

    def due(self) -> float:
        """Time at which the next batch is to be taken; infinite if nothing waits."""
        if self._begun or self.rows >= self.limits.rows:
            return -math.inf
        return self._fresh[0].arrived + self.limits.max_wait if self._fresh else math.inf

    def take(self) -> list[Piece]:
        """The next batch, each stream at most once; `put_back` says that it was run."""
        batch: list[Piece] = []
        most = self.limits.rows
        rows = self._from(self._begun, batch, 0, most // 2 if self._fresh else most)
        rows = self._from(self._fresh, batch, rows, most)
        self._from(self._begun, batch, rows, most)
        return batch

    def put_back(self, batch: list[Piece]) -> list[Group]:
        """Groups of a batch that is run which have no steps left; the others wait again."""
        ended = []
        for group, first, steps in batch:
            group.taken = first + steps
            if group.taken < group.steps and group.error is None:
                self._count += 1
                self.rows += len(group.slots)
                self._begun.append(group)
            else:
                self._has[group.slots] -= 1
                self._let_in(group)
                ended.append(group)
        return ended

    def _ready(self, group: Group) -> None:
        self._fresh.append(group)
        self.rows += len(group.slots)

    def _let_in(self, ended: Group) -> None:
        """Queue groups that stood aside for this one alone."""
        if not self._aside:
            return
        for slot in ended.slots.tolist():
            queue = self._aside.get(slot)
            if queue is None:
                continue
            group = queue.popleft()
            if not queue:
                del self._aside[slot]
            self._lacking[group] -= 1
            if not self._lacking[group]:
                del self._lacking[group]
                self._ready(group)

    def _from(self, queue: deque[Group], batch: list[Piece], rows: int, most: int) -> int:
        while queue and rows < most:
            rows += self._take(batch, queue.popleft())
        return rows

    def _take(self, batch: list[Piece], group: Group) -> int:
        steps = min(group.steps - group.taken, self.limits.steps)
        batch.append(Piece(group, group.taken, steps))
        self._count -= 1
        self.rows -= len(group.slots)
        return len(group.slots)
