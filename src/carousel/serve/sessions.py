"""Streams by name: made on first use, numbered, forgotten after a time; no torch, no sockets."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.errors import CarouselError
from carousel.serve.scheduler import Slots

_SPARE = 1024  # ends of streams that are gone, before they are looked for


class Refused(CarouselError):  # noqa: N818  # it names what happened
    """A request that cannot be served: `code` for programs, `status` of HTTP, the message for
    people; `facts` go with it."""

    def __init__(self, code: str, status: int, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.code, self.status, self.facts = code, status, facts


@dataclass(eq=False, slots=True)
class Reply:
    """Answers to numbered steps, kept for who asks again. waiting: who asked before they came."""

    answers: NDArray[Any] | None = None
    error: BaseException | None = None
    waiting: list[Callable[[Reply], None]] = field(default_factory=list)


@dataclass
class Figures:
    """Counts since the start."""

    opened: int = 0
    expired: int = 0
    refused: int = 0
    repeated: int = 0


class Sessions:
    """Slots of streams by name, and for each how many steps it has taken.

    make_room: called with a number of slots when there are too few. most: streams at a time. idle:
    seconds after which a stream without steps is forgotten. each: streams that a client may have
    made and not closed. forget: called with names and slots
    that are free again, before they are used anew.
    """

    def __init__(
        self,
        make_room: Callable[[int], None],
        forget: Callable[[list[str], Slots], None],
        *,
        most: int = 100_000,
        idle: float = 3600.0,
        each: int | None = None,
    ) -> None:
        self.each = each
        self._client_of: dict[int, str] = {}  # by slot, of streams that count
        self._held: Counter[str] = Counter()
        self._make_room, self._forget, self.most, self.idle = make_room, forget, most, idle
        self.slots: dict[str, int] = {}
        self.names: list[str | None] = []
        self.accepted = np.zeros(0, np.int64)  # steps that were taken in, answered or not
        self.saved = np.zeros(0, np.int64)  # steps that a snapshot has
        self.flights = np.zeros(0, np.int32)  # groups under way
        self.seen = np.zeros(0)
        self.changed = np.zeros(0, bool)  # since the last snapshot
        self.passing = np.zeros(0, bool)  # whose state the client carries: no snapshot has them
        self.generation = np.zeros(0, np.int64)  # of who has the slot
        self._replies: NDArray[Any] = np.zeros(0, object)
        self._row_of_reply = np.zeros(0, np.int64)
        self._first_of_reply = np.zeros(0, np.int64)  # number of the first step that it answers
        self.gone: list[str] = []  # streams removed since somebody last emptied this
        self._free: list[int] = []
        self._leaving: set[int] = set()
        self._ends: list[tuple[float, int, int]] = []  # a heap: when, slot, generation
        self.figures = Figures()

    def __len__(self) -> int:
        return len(self.slots)

    def find(
        self, names: Sequence[str], now: float, passing: bool = False, client: str | None = None
    ) -> Slots:
        """Slots of these streams, made where they are new. passing: for one request, and never
        kept. client: who makes them. Raises `Refused` if there would be too many, before any is
        made."""
        known = self.slots
        found = [known.get(name, -1) for name in names]
        if -1 in found:
            fresh = list(dict.fromkeys(name for name in names if name not in known))
            self.check_room(len(fresh), now)
            if self.each is not None and client is not None:
                self._check_client(client, len(fresh))
            self._make(fresh, now)
            found = [known[name] for name in names]
            self.passing[found] = passing
            if self.each is not None and client is not None:
                self._client_of |= dict.fromkeys((known[name] for name in fresh), client)
                self._held[client] += len(fresh)
        slots = np.array(found, np.int64)
        self.seen[slots] = now
        return slots

    def slots_of(self, names: Sequence[str]) -> Slots:
        """Slots of streams that are open."""
        return np.array([self.slots[name] for name in names], np.int64)

    def check_room(self, more: int, now: float) -> None:
        """Raises `Refused` if so many more streams would be too many."""
        if len(self.slots) + more > self.most:
            self.figures.refused += 1
            raise Refused(
                "too_many_streams", 429,
                f"{len(self.slots):,} streams are open and {self.most:,} is the most: close some, "
                "or come again later", retry_after=self._next_end(now),
            )  # fmt: skip

    def _check_client(self, client: str, more: int) -> None:
        held = self._held[client]
        if held + more > (self.each or 0):
            self.figures.refused += 1
            raise Refused(
                "too_many_streams", 429,
                f"{held:,} streams of this client are open and {self.each:,} is the most: close "
                "some, or come again later", retry_after=1,
            )  # fmt: skip

    def number(
        self, slots: Slots, steps: int, numbers: NDArray[np.int64] | None
    ) -> NDArray[np.bool_]:
        """Choose which of these streams (n,) take `steps` new steps, the others being asked again.

        numbers (n,): of the first step of each, from 0; None takes all as new. Raises `Refused`,
        naming the stream and the number it expects, for a gap, and for steps that were taken
        before and whose answers are not kept.
        """
        if numbers is None:
            return np.ones(len(slots), bool)
        before = self.accepted[slots]
        fresh: NDArray[np.bool_] = numbers == before
        if fresh.all():
            return fresh
        again = (numbers == self._first_of_reply[slots]) & (numbers + steps == before)
        again &= self._replies[slots] != None  # noqa: E711
        if not (fresh | again).all():
            self._refuse(slots, steps, numbers, int(np.flatnonzero(~(fresh | again))[0]))
        self.figures.repeated += int((~fresh).sum())
        return fresh

    def take_in(self, slots: Slots, steps: int, reply: Reply | None) -> None:
        """Count steps of these streams as under way. reply: kept for who asks again."""
        self._first_of_reply[slots] = self.accepted[slots]
        self.accepted[slots] += steps
        self.flights[slots] += 1
        self._replies[slots] = reply
        if reply is not None:
            self._row_of_reply[slots] = np.arange(len(slots))

    def reply_of(self, slot: int) -> tuple[Reply | None, int]:
        """Answers to the last numbered steps of a stream, None if there were none, and its row of
        them."""
        return self._replies[slot], int(self._row_of_reply[slot])

    def landed(self, slots: Slots) -> None:
        """Count steps of these streams as answered."""
        self.flights[slots] -= 1
        self.changed[slots] = True
        if self._leaving:
            self._release([s for s in slots.tolist() if s in self._leaving and not self.flights[s]])

    def remove(self, name: str, forever: bool = True) -> bool:
        """Forget a stream; false if there is none. Steps under way are answered. forever: not only
        here, but in a store, too."""
        slot = self.slots.pop(name, None)
        if slot is None:
            return False
        self.generation[slot] += 1
        if (client := self._client_of.pop(slot, None)) is not None:
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client]
        if forever and not self.passing[slot]:
            self.gone.append(name)
        self._leaving.add(slot)
        if not self.flights[slot]:
            self._release([slot])
        return True

    def expire(self, now: float) -> int:
        """Forget streams that were idle for too long. Returns how many."""
        count = 0
        while self._ends and self._ends[0][0] <= now:
            _, slot, generation = heapq.heappop(self._ends)
            name = self.names[slot]
            if name is None or generation != self.generation[slot]:
                continue
            end = self.seen[slot] + self.idle
            if end > now or self.flights[slot]:
                heapq.heappush(self._ends, (max(end, now + 1), slot, generation))
            else:
                count += self.remove(name)
        self.figures.expired += count
        return count

    def settled(self) -> Slots:
        """Streams that changed since the last snapshot and have no steps under way."""
        return np.flatnonzero(self.changed & ~self.passing & (self.flights == 0))

    def put_back(
        self, names: Sequence[str], accepted: NDArray[np.int64], seen: NDArray[np.float64]
    ) -> Slots:
        """Slots for streams of a snapshot, with their numbers of steps, and when each was seen."""
        self._make(list(names), float(seen.min()))
        slots = self.slots_of(names)
        self.accepted[slots], self.seen[slots] = accepted, seen
        return slots

    def keep_reply(self, slot: int, answers: NDArray[Any]) -> None:
        """Put back the answers to the last numbered steps of a stream."""
        self._replies[slot], self._row_of_reply[slot] = Reply(answers[None]), 0
        self._first_of_reply[slot] = self.accepted[slot] - len(answers)

    def _make(self, names: list[str], now: float) -> None:
        lacking = len(names) - len(self._free)
        if lacking > 0:
            wanted = min(self.most, max(64, 2 * len(self.names)))
            self._grow(max(wanted, len(self.names) + lacking))
        slots = [self._free.pop() for _ in names]
        for name, slot in zip(names, slots, strict=True):
            self.slots[name], self.names[slot] = slot, name
            heapq.heappush(self._ends, (now + self.idle, slot, int(self.generation[slot])))
        if len(self._ends) > 2 * len(self.slots) + _SPARE:
            self._forget_ends()
        here = np.array(slots, np.int64)
        self.accepted[here], self.saved[here], self.seen[here] = 0, 0, now
        self.changed[here] = True
        self._replies[here] = None
        self.figures.opened += len(names)

    def _forget_ends(self) -> None:
        """Drop the ends of streams that are gone: else many short ones would pile up here."""
        self._ends = [
            (end, slot, generation)
            for end, slot, generation in self._ends
            if self.generation[slot] == generation and self.names[slot] is not None
        ]
        heapq.heapify(self._ends)

    def _grow(self, size: int) -> None:
        before = len(self.names)
        self._make_room(size)
        for name in ("accepted", "saved", "flights", "seen", "changed", "passing", "generation",
                     "_replies", "_row_of_reply", "_first_of_reply"):  # fmt: skip
            old = getattr(self, name)
            setattr(self, name, np.concatenate((old, np.zeros(size - before, old.dtype))))
        self._replies[before:] = None
        self.names += [None] * (size - before)
        self._free += range(size - 1, before - 1, -1)

    def _release(self, slots: list[int]) -> None:
        names = [name for slot in slots if (name := self.names[slot]) is not None]
        self._forget(names, np.array(slots, np.int64))
        self.accepted[slots] = self.saved[slots] = 0
        for slot in slots:
            self._leaving.discard(slot)
            self.changed[slot] = self.passing[slot] = False
            self.names[slot] = None
            self._replies[slot] = None
        self._free += slots

    def _refuse(self, slots: Slots, steps: int, numbers: NDArray[np.int64], at: int) -> None:
        slot, got = int(slots[at]), int(numbers[at])
        expected = int(self.accepted[slot])
        name = self.names[slot]
        if got > expected:
            code, why = "gap", f"steps {expected} to {got - 1} have not come"
        else:
            code = "already_taken"
            why = "those were taken before, and only the answers of the last request are kept"
        self.figures.refused += 1
        raise Refused(
            code, 409,
            f"stream {name!r} expects step {expected} next, got {steps} from {got} on: {why}",
            stream=name, expected=expected,
        )  # fmt: skip

    def _next_end(self, now: float) -> int:
        first = self._ends[0][0] - now if self._ends else 1.0
        return max(1, min(60, math.ceil(first)))
