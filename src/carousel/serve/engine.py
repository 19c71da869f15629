"""The engine: whatever streams have steps are stepped together, in batches of any size.

It knows neither torch nor sockets nor threads: somebody calls `turn` when `due` has come. What a
stream is told are the same bits in any batch, so that batching changes nothing but the speed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from carousel.serve.scheduler import Group, Limits, Piece, Scheduler, Slots


class Steppable(Protocol):
    """States in slots, as `carousel.runtime.Streams` has them."""

    def step(self, slots: Slots, x: NDArray[Any], lengths: Slots | None = None) -> NDArray[Any]:
        """Answers after each step, stream after stream (sum of lengths, C)."""

    def grow(self, capacity: int) -> None:
        """Slots up to this number."""


@dataclass
class Counts:
    """Figures since the start. steps: of streams. rows: streams in batches. seconds: of computing.
    waited: seconds of groups in the queue. batch_rows: batches by the power of two that their
    rows reach."""

    batches: int = 0
    steps: int = 0
    rows: int = 0
    groups: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    batch_rows: dict[int, int] = field(default_factory=dict)


class Engine:
    """Steps of many streams in batches.

    >>> class Sums:
    ...     totals = np.zeros(4)
    ...     def step(self, slots, x, lengths=None):
    ...         self.totals[slots] += x[:, 0, 0]
    ...         return self.totals[slots][:, None]
    >>> engine, told = Engine(Sums()), []
    >>> for slots in ([0, 3], [3]):
    ...     x = np.ones((len(slots), 1, 1))
    ...     engine.submit(np.array(slots), x, lambda group: told.append(group.answers.ravel()))
    >>> engine.turn(), engine.turn(), [answers.tolist() for answers in told]
    (2, 1, [[1.0, 1.0], [2.0]])
    """

    def __init__(
        self,
        streams: Steppable,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.streams, self.scheduler, self.counts = streams, Scheduler(limits), Counts()
        self.clock = clock
        self._computing = threading.Lock()

    def submit(self, slots: Slots, x: NDArray[Any], done: Callable[[Group], None]) -> None:
        """Queue steps x (n, k, ...) of streams (n,), each once; `done` is told when they are
        answered, in the order in which the steps of a stream came."""
        self.scheduler.add(Group(slots, x, done, self.clock()))

    def due(self) -> float:
        """Time at which `turn` is to be called next, by the clock; infinite if nothing waits."""
        return self.scheduler.due()

    def turn(self) -> int:
        """Run the next batch. Returns how many steps of streams it had."""
        batch = self.take()
        self.compute(batch)
        self.deliver(batch)
        return sum(len(piece.group.slots) * piece.steps for piece in batch)

    def take(self) -> list[Piece]:
        """The next batch: `compute` and then `deliver` it before the next is taken."""
        batch, now = self.scheduler.take(), self.clock()
        for group, first, _ in batch:
            if first == 0:
                self.counts.groups += 1
                self.counts.waited += now - group.arrived
        return batch

    def compute(self, batch: list[Piece]) -> None:
        """Step a batch; from any thread. What goes wrong becomes the error of its groups."""
        begin = self.clock()
        with self._computing:
            try:
                self._compute(batch)
            except Exception as error:
                for group, _, _ in batch:
                    group.error = error
        rows = sum(len(group.slots) for group, _, _ in batch)
        self.counts.batches += 1
        self.counts.rows += rows
        self.counts.steps += sum(len(group.slots) * steps for group, _, steps in batch)
        self.counts.seconds += self.clock() - begin
        size = 1 << max(0, rows - 1).bit_length()
        self.counts.batch_rows[size] = self.counts.batch_rows.get(size, 0) + 1

    def deliver(self, batch: list[Piece]) -> None:
        """Tell groups that are through; those with steps left wait for the next batch."""
        for group in self.scheduler.put_back(batch):
            group.done(group)

    def grow(self, capacity: int) -> None:
        """Make room for more streams, when no batch is being computed."""
        with self._computing:
            self.streams.grow(capacity)

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Nothing is computed meanwhile."""
        with self._computing:
            yield

    def _compute(self, batch: list[Piece]) -> None:
        slots, x, lengths = _together(batch)
        told = self.streams.step(slots, x, lengths)
        at = 0
        for group, _, steps in batch:
            count = len(group.slots) * steps
            part = told[at : at + count]
            group.parts.append(part.reshape(len(group.slots), steps, -1))
            at += count


def _together(batch: list[Piece]) -> tuple[Slots, NDArray[Any], Slots | None]:
    """Slots (B,), steps (B, T, ...) and how many each has, None if all have T."""
    parts = [group.x[:, first : first + steps] for group, first, steps in batch]
    if len(batch) == 1:
        return batch[0].group.slots, parts[0], None
    slots = np.concatenate([group.slots for group, _, _ in batch])
    longest = max(steps for _, _, steps in batch)
    if all(steps == longest for _, _, steps in batch):
        return slots, np.concatenate(parts), None
    x = np.zeros((len(slots), longest, *parts[0].shape[2:]), parts[0].dtype)
    lengths, at = np.empty(len(slots), np.int64), 0
    for part in parts:
        x[at : at + len(part), : part.shape[1]] = part
        lengths[at : at + len(part)] = part.shape[1]
        at += len(part)
    return slots, x, lengths
