"""Streams that several servers share: each has one owner at a time, who steps it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from carousel.serve.service import Service
from carousel.serve.sessions import Refused
from carousel.serve.snapshots import Snapshots, kept_of, put_back
from carousel.serve.store import Kept, NotKept, StateStore
from carousel.terminal import logger

_PATIENCE = 1.0  # seconds in which steps under way of a stream that is asked for may end

Wanted = Callable[[str, str, list[str]], None]


class SharedStore(StateStore, Protocol):
    """Store of several servers, which says who owns a stream; from several threads."""

    def take(self, model: str, print: str, names: Sequence[str], make: bool) -> list[Kept | None]:
        """Own these streams: what is kept of each, None of one that is new. make: own those, too.
        Another owner is asked to let go first, and overruled where it does not. Raises
        `NotKept`."""

    def give(self, model: str, print: str, kept: Sequence[Kept], names: Sequence[str]) -> None:
        """Keep these, and own neither them nor those named. Raises `NotKept`."""

    def listen(self, wanted: Wanted) -> None:
        """Call `wanted` with model, print and names, from a thread, for streams that another
        server asks for."""


class Shared:
    """Takes streams when they are first asked for, and lets them go when another server asks."""

    def __init__(self, services: list[Service], store: SharedStore, snapshots: Snapshots) -> None:
        self._services = {service.name: service for service in services}
        self._store, self._snapshots = store, snapshots
        self._pool = ThreadPoolExecutor(4, "carousel-shared")
        self._moving: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.taken = self.given = 0

    def begin(self) -> None:
        """Hear other servers from now on, on the event loop of the caller."""
        loop = asyncio.get_running_loop()

        def wanted(model: str, print: str, names: list[str]) -> None:
            loop.call_soon_threadsafe(self._wanted, model, print, names)

        self._store.listen(wanted)

    def end(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False)

    async def fetch(self, service: Service, names: Sequence[str], make: bool = True) -> None:
        """Have these streams here, if there are such; the caller may count on that until it next
        waits. make: own those that are new. Raises `Refused` where the store does not answer."""
        slots, new = service.sessions.slots, set[str]()
        while absent := [name for name in names if name not in slots and name not in new]:
            moving = [self._moving.get((service.name, name)) for name in absent]
            if busy := [one for one in moving if one is not None]:
                await asyncio.wait(busy)
                new = set()  # which others may have asked for meanwhile
                continue
            dropped = self._snapshots.dropped(service)
            if lacking := [name for name in absent if name not in dropped]:
                await self._fetch(service, lacking, make)
                # Meanwhile others may have been let go: all but these are looked at once more.
                new = set(lacking)
            else:
                new |= dropped  # those are ours

    async def _fetch(self, service: Service, names: list[str], make: bool) -> None:
        sessions, loop = service.sessions, asyncio.get_running_loop()
        if make:
            sessions.check_room(len(names), service.engine.clock())
        future = loop.create_future()
        keys = [(service.name, name) for name in names]
        self._moving |= dict.fromkeys(keys, future)
        try:
            found = await asyncio.shield(loop.run_in_executor(
                self._pool, self._store.take, service.name, service.print, names, make
            ))  # fmt: skip
            put_back(service, [one for one in found if one is not None])
            self.taken += len(found) - found.count(None)
        except NotKept as error:
            raise _away(error, "streams that are not here cannot be served") from None
        finally:
            for key in keys:
                del self._moving[key]
            future.set_result(None)

    async def overruled(self, service: Service, names: Sequence[str]) -> bool:
        """Say if another server took some of these streams unheard: what is here is older then,
        and is forgotten. A server finds out by writing. Raises `Refused` where the store does not
        answer."""
        sessions = service.sessions
        here = [name for name in names if name in sessions.slots]
        slots = sessions.slots_of(here)
        if sessions.flights[slots].any():
            return False
        kept, generations = kept_of(service, slots), sessions.generation[slots]
        try:
            lost = await self._snapshots.write_beside(
                self._store.write, service.name, service.print, kept, []
            )
        except NotKept as error:  # a client that went back to an older copy might not come on again
            why = "what is here may be older, and steps out of their order cannot be judged"
            raise _away(error, why) from None
        same = dict(zip(here, sessions.generation[slots] == generations, strict=True))
        for name in lost:
            if same[name]:
                sessions.remove(name, forever=False)
        return bool(lost)

    # ---- streams that others ask for

    def _wanted(self, model: str, print: str, names: list[str]) -> None:
        service = self._services.get(model)
        if service is not None and service.print == print:
            task = asyncio.get_running_loop().create_task(self._let_go(service, names))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _let_go(self, service: Service, names: list[str]) -> None:
        """Give these streams, each as soon as it has no steps under way."""
        loop = asyncio.get_running_loop()
        end, left = loop.time() + _PATIENCE, names
        while left and loop.time() < end:
            busy = [name for name in left if self._is_busy(service, name)]
            if ready := [name for name in left if name not in set(busy)]:
                await self._give(service, ready)
            if left := busy:
                await asyncio.sleep(0.001)
        if left:
            logger.warning("%d streams of %s were asked for and have steps under way: who asks "
                           "overrules", len(left), service.name)  # fmt: skip

    def _is_busy(self, service: Service, name: str) -> bool:
        slot = service.sessions.slots.get(name)
        moves = (service.name, name) in self._moving
        return moves or (slot is not None and service.sessions.flights[slot] > 0)

    async def _give(self, service: Service, names: list[str]) -> None:
        sessions, loop = service.sessions, asyncio.get_running_loop()
        here = [name for name in names if name in sessions.slots]
        kept = kept_of(service, sessions.slots_of(here))
        for name in here:
            sessions.remove(name, forever=False)
        future = loop.create_future()
        keys = [(service.name, name) for name in names]
        self._moving |= dict.fromkeys(keys, future)
        try:
            await self._snapshots.write_beside(
                self._store.give, service.name, service.print, kept, names
            )
            self.given += len(here)
        except NotKept as error:  # whoever asks has the same trouble
            logger.error("%s", error)
            slots = put_back(service, kept)
            sessions.changed[slots] = True
        finally:
            for key in keys:
                del self._moving[key]
            future.set_result(None)


def _away(error: NotKept, why: str) -> Refused:
    return Refused("no_store", 503, f"{error}: {why} until it answers", retry_after=1)
