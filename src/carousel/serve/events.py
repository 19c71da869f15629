"""Answers of a stream as server-sent events, to whoever listens (text/event-stream)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from carousel.serve.scheduler import Slots

_BEHIND = 256  # groups that a listener may not have read; then it is cut off
_SILENCE = 15.0  # seconds after which a comment keeps the line open
_MOST = 1000  # listeners of a model

Rows = Any


class Listeners:
    """Queues of listeners by the name of their stream; each gets the steps that are answered from
    then on."""

    def __init__(self) -> None:
        self._queues: dict[str, set[asyncio.Queue[tuple[int, Rows] | str]]] = {}
        self.count = 0

    def __bool__(self) -> bool:
        return self.count > 0

    @property
    def full(self) -> bool:
        """True if there are as many as may be."""
        return self.count >= _MOST

    def tell(self, names: list[str | None], firsts: Slots, answers: Rows) -> None:
        """Hand answers (n, k, C) of streams (n,) to who listens; firsts (n,): numbers of their
        first steps."""
        for name, first, rows in zip(names, firsts.tolist(), answers, strict=True):
            for queue in self._queues.get(name or "", ()):
                if queue.qsize() < _BEHIND:
                    queue.put_nowait((first, rows))
                elif queue.qsize() == _BEHIND:
                    queue.put_nowait("behind")  # and no more

    def end(self) -> None:
        """Send everybody home, after what was told."""
        for queues in self._queues.values():
            for queue in queues:
                queue.put_nowait("draining")

    async def listen(self, name: str) -> AsyncIterator[tuple[int, Rows] | str]:
        """Number of the first step and answers (k, C) of each group; "" after a silence. The last
        one says why no more come: "behind", who does not keep up; "draining", the server ends."""
        queue: asyncio.Queue[tuple[int, Rows] | str] = asyncio.Queue()
        self._queues.setdefault(name, set()).add(queue)
        self.count += 1
        try:
            while True:
                try:
                    found = await asyncio.wait_for(queue.get(), _SILENCE)
                except TimeoutError:
                    found = ""
                yield found
                if found and isinstance(found, str):
                    return
        finally:
            self.count -= 1
            self._queues[name].discard(queue)
            if not self._queues[name]:
                del self._queues[name]


async def events(
    listeners: Listeners, name: str, told: Callable[[Rows], list[dict[str, Any]]]
) -> AsyncIterator[str]:
    """Text of events: "id" is the number of a step, "data" its answer as JSON."""
    yield ": listening\n\n"
    async for found in listeners.listen(name):
        if isinstance(found, str):
            yield f'event: end\ndata: {{"why": "{found}"}}\n\n' if found else ": silence\n\n"
            continue
        first, rows = found
        for number, answer in enumerate(told(rows), first):
            yield f"id: {number}\ndata: {json.dumps(answer)}\n\n"
