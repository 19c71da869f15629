"""Snapshots of streams, written behind the answers, and streams put back from them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from carousel.serve.scheduler import Slots
from carousel.serve.service import Service
from carousel.serve.states import bytes_of, put_bytes
from carousel.serve.store import Kept, NotKept, StateStore
from carousel.terminal import logger, notice

Result = TypeVar("Result")


class Snapshots:
    """Keeps what changed of some services, every so often and at the end.

    A stream with steps under way is kept after them, so what is kept is a state between two
    requests. every: seconds.
    """

    def __init__(self, services: list[Service], store: StateStore, every: float = 1.0) -> None:
        self._services, self._store, self.every = services, store, every
        self._writer = ThreadPoolExecutor(1, "carousel-states")
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._leaving: dict[str, list[str]] = {}  # streams that the store is being told to forget
        self.lag = 0.0  # seconds that the last snapshot took
        self.failed = 0

    def restore(self) -> int:
        """Put the streams of every service back. Returns how many."""
        count = 0
        for service in self._services:
            kept = [*self._store.read(service.name, service.print)]
            if strangers := self._store.strangers(service.name, service.print):
                notice(
                    f"{strangers:,} streams of {service.name} were kept for other weights: they "
                    "begin anew"
                )
            count += len(put_back(service, kept))
        return count

    def begin(self) -> None:
        """Write from now on, on the event loop of the caller."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def end(self) -> None:
        """Write all that is left, and let go of the store. Raises what the store raises."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])  # it notes what it was writing as not written
        failed: list[NotKept] = []
        try:
            for service in self._services:
                try:
                    await self._write(service)
                except NotKept as error:  # those of other models may be
                    failed.append(error)
        finally:
            self._writer.shutdown()
            self._store.close()
        if failed:
            raise failed[0]

    async def now(self, service: Service) -> None:
        """Keep what changed of a service; what goes wrong is counted and logged."""
        try:
            await self._write(service)
        except NotKept as error:  # a full disk: what is there stays
            self.failed += 1
            logger.error("%s", error)
        except Exception:  # a defect of ours ends no snapshots
            self.failed += 1
            logger.exception("states of %s were not kept", service.name)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self.every)
            begin = time.monotonic()
            await self._look()
            for service in self._services:
                await self.now(service)
            self.lag = time.monotonic() - begin

    async def _look(self) -> None:
        """Write all again of a store that began anew."""
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(self._writer, self._store.forgot):
            logger.warning("the store of states began anew: all of them are written again")
            for service in self._services:
                slots = service.sessions.slots_of(list(service.sessions.slots))
                service.sessions.changed[slots] = True

    def dropped(self, service: Service) -> set[str]:
        """Streams that were closed here, which the store may still have."""
        return {*service.sessions.gone, *self._leaving.get(service.name, ())}

    async def write_beside(self, write: Callable[..., Result], *given: Any) -> Result:
        """Call the store in its turn, beside the event loop."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._writer, write, *given))

    async def _write(self, service: Service) -> None:
        async with self._writing:
            await self._write_changed(service)

    async def _write_changed(self, service: Service) -> None:
        sessions = service.sessions
        slots, gone = sessions.settled(), sessions.gone
        if not len(slots) and not gone:
            return
        kept, names = kept_of(service, slots), sessions.names
        sessions.changed[slots] = False
        sessions.gone = []
        generations = sessions.generation[slots]
        self._leaving[service.name] = gone
        try:
            lost = await self.write_beside(
                self._store.write, service.name, service.print, kept, gone
            )
        except BaseException:  # also where the end comes first, and writes it again
            here = slots[sessions.generation[slots] == generations]
            sessions.changed[here] = True
            sessions.gone = gone + sessions.gone
            raise
        finally:
            self._leaving[service.name] = []
        here = sessions.generation[slots] == generations
        if lost:  # another server has them, and went on without the steps since the last snapshot
            own = {names[slot] for slot in slots[here].tolist()}
            for name in own.intersection(lost):
                assert name is not None
                sessions.remove(name, forever=False)
            here = sessions.generation[slots] == generations
        sessions.saved[slots[here]] = np.array([one.steps for one in kept], np.int64)[here]


def kept_of(service: Service, slots: Slots) -> list[Kept]:
    """Streams of a service, to be kept."""
    sessions, content = service.sessions, bytes_of(service.streams, slots)
    ago = service.engine.clock() - sessions.seen[slots]
    seen, found = (time.time() - ago).tolist(), []
    for row, slot in enumerate(slots.tolist()):
        answers = shape = None
        reply, at = sessions.reply_of(slot)
        if reply is not None and reply.answers is not None:
            told = reply.answers[at]
            answers, shape = told.tobytes(), json.dumps([str(told.dtype), *told.shape])
        name = sessions.names[slot]
        assert name is not None
        steps = int(sessions.accepted[slot])
        found.append(Kept(name, steps, seen[row], content[row].tobytes(), answers, shape))
    return found


def put_back(service: Service, kept: list[Kept]) -> Slots:
    """Slots of streams that were kept, which go on where they were."""
    if not kept:
        return np.zeros(0, np.int64)
    sessions, streams = service.sessions, service.streams
    now = service.engine.clock()
    seen = now - np.maximum(0, time.time() - np.array([one.seen for one in kept]))
    slots = sessions.put_back([one.name for one in kept], np.array([one.steps for one in kept]),
                              seen)  # fmt: skip
    sessions.changed[slots] = False
    sessions.saved[slots] = sessions.accepted[slots]
    content = np.frombuffer(b"".join(one.state for one in kept), np.uint8).reshape(len(kept), -1)
    put_bytes(streams, slots, content)
    for one, slot in zip(kept, slots.tolist(), strict=True):
        if one.answers is not None and one.shape is not None:
            kind, *shape = json.loads(one.shape)
            sessions.keep_reply(slot, np.frombuffer(one.answers, kind).reshape(shape))
    return slots
