"""The process that keeps the streams of several workers: who owns each, and its last snapshot."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgpack

from carousel.serve.link import SIZE, message
from carousel.serve.store import Kept, NotKept, StateStore
from carousel.terminal import logger

_PATIENCE = 2.0  # seconds in which an owner lets go
_SWEEP = 60.0  # seconds between looks for streams that nobody has


class Streams:
    """Streams of one model with its weights, by name. owners: workers that step them."""

    def __init__(self, kept: dict[str, Kept]) -> None:
        self.kept = kept
        self.owners: dict[str, int] = {}
        self.freed: dict[str, asyncio.Event] = {}

    def may_write(self, worker: int, name: str) -> bool:
        """Say if a worker owns a stream, or made one anew that it had forgotten."""
        owner = self.owners.get(name)
        return owner == worker or (owner is None and name not in self.kept)

    def free(self, name: str) -> None:
        """Nobody owns a stream any more."""
        self.owners.pop(name, None)
        if (event := self.freed.pop(name, None)) is not None:
            event.set()


class Keeper:
    """Answers workers, each over a line of its own. store: over restarts, None for none. idle:
    seconds after which a stream without steps is forgotten."""

    def __init__(self, store: StateStore | None, idle: float) -> None:
        self._store, self._idle = store, idle
        self._models: dict[tuple[str, str], Streams] = {}
        self._lines: dict[int, asyncio.StreamWriter] = {}
        self._writer = ThreadPoolExecutor(1, "carousel-states")
        self._loading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.figures: dict[int, str] = {}
        self.ready: set[int] = set()

    async def serve(self, worker: int, line: socket.socket) -> None:
        """Answer a worker until its line ends; then it owns nothing."""
        reader, writer = await asyncio.open_connection(sock=line)
        self._lines[worker] = writer
        try:
            while True:
                (size,) = SIZE.unpack(await reader.readexactly(SIZE.size))
                number, what, *given = msgpack.unpackb(await reader.readexactly(size))
                task = asyncio.create_task(self._answer(worker, writer, number, what, given))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self._leave(worker)
            writer.close()

    async def sweep(self) -> None:
        """Forget streams that nobody has had for too long, again and again."""
        while True:
            await asyncio.sleep(_SWEEP)
            for (model, print), streams in [*self._models.items()]:  # others come meanwhile
                end = time.time() - self._idle
                old = [name for name, one in streams.kept.items()
                       if name not in streams.owners and one.seen < end]  # fmt: skip
                for name in old:
                    del streams.kept[name]
                try:
                    await self._stored("write", model, print, [], old)
                except NotKept as error:
                    logger.error("%s", error)

    async def end(self) -> None:
        """Answer what was asked, and let go of the store."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._writer.shutdown()
        if self._store is not None:
            self._store.close()

    def _leave(self, worker: int) -> None:
        del self._lines[worker]
        self.figures.pop(worker, None)
        self.ready.discard(worker)
        for streams in self._models.values():
            for name in [name for name, owner in streams.owners.items() if owner == worker]:
                streams.free(name)

    async def _answer(
        self, worker: int, writer: asyncio.StreamWriter, number: int, what: str, given: list[Any]
    ) -> None:
        answer, problem = None, None
        try:
            answer = await getattr(self, f"_do_{what}")(worker, *given)
        except NotKept as error:
            problem = str(error)
        except Exception:
            logger.exception("a worker was not answered")
            problem = "the process that keeps the states failed: its log says why"
        if not writer.is_closing():
            writer.write(message(number, answer, problem))

    async def _streams(self, model: str, print: str) -> Streams:
        async with self._loading:
            if (model, print) not in self._models:
                kept = await self._stored("read", model, print)
                self._models[model, print] = Streams({one.name: one for one in kept or ()})
        return self._models[model, print]

    async def _stored(self, what: str, *given: Any) -> Any:
        if self._store is None:
            return None
        call = getattr(self._store, what)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, call, *given)

    # ---- what workers ask

    async def _do_ready(self, worker: int) -> None:
        self.ready.add(worker)

    async def _do_figures(self, worker: int, text: str) -> dict[int, str]:
        self.figures[worker] = text
        return self.figures

    async def _do_strangers(self, worker: int, model: str, print: str) -> int:
        return int(await self._stored("strangers", model, print) or 0)

    async def _do_write(
        self, worker: int, model: str, print: str, kept: Sequence[Any], gone: list[str]
    ) -> list[str]:
        streams = await self._streams(model, print)
        mine = [Kept(*one) for one in kept if streams.may_write(worker, one[0])]
        dropped = [name for name in gone if streams.owners.get(name) == worker]
        await self._stored("write", model, print, mine, dropped)
        for name in dropped:
            streams.kept.pop(name, None)
            streams.free(name)
        for one in mine:
            if streams.may_write(worker, one.name):
                streams.kept[one.name], streams.owners[one.name] = one, worker
        return [one[0] for one in kept if streams.owners.get(one[0]) != worker]

    async def _do_give(
        self, worker: int, model: str, print: str, kept: Sequence[Any], names: list[str]
    ) -> None:
        await self._do_write(worker, model, print, kept, [])
        streams = await self._streams(model, print)
        for name in names:
            if streams.owners.get(name) == worker:
                streams.free(name)

    async def _do_take(
        self, worker: int, model: str, print: str, names: list[str], make: bool
    ) -> list[Kept | None]:
        streams = await self._streams(model, print)
        end = time.monotonic() + _PATIENCE
        others = [name for name in names if streams.owners.get(name, worker) != worker]
        for name in names:  # before others are waited for: what nobody has is nobody else's then
            if name not in streams.owners and (make or name in streams.kept):
                streams.owners[name] = worker
        await asyncio.gather(*(self._freed(streams, worker, [model, print, [name]], end)
                               for name in others))  # fmt: skip
        for name in others:
            if not make and name not in streams.kept and streams.owners.get(name) == worker:
                streams.free(name)  # it was closed, or has taken no step
        return [streams.kept.get(name) for name in names]

    async def _freed(self, streams: Streams, worker: int, wanted: list[Any], end: float) -> None:
        """Wait until a stream is this worker's; an owner that does not let go is overruled."""
        name, asked = wanted[2][0], worker
        while (owner := streams.owners.get(name, worker)) != worker:
            if owner != asked:
                if (line := self._lines.get(owner)) is None:
                    break  # it ended while it waited for the stream
                line.write(message(0, *wanted))
                asked = owner
            event = streams.freed.setdefault(name, asyncio.Event())
            try:
                await asyncio.wait_for(event.wait(), max(0.001, end - time.monotonic()))
            except TimeoutError:  # it finds out when it writes
                logger.warning("worker %d did not let go of a stream", owner)
                break
        streams.owners[name] = worker
