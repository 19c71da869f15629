"""Several processes that share a port of this machine, and one that keeps their streams."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from carousel.errors import RunError
from carousel.serve import logs
from carousel.serve.app import Server
from carousel.serve.keeper import Keeper
from carousel.serve.link import Link
from carousel.serve.server import is_redis, models_of, redis_of, run, sharing
from carousel.serve.service import Settings
from carousel.serve.store import SQLiteStore
from carousel.terminal import logger
from carousel.web.address import Address

_END = 9.0  # seconds in which workers end
_SOON = 1.0  # seconds after which a worker that died is one that ran


@dataclass(frozen=True)
class Plan:
    """Content of every worker; see `carousel.serve.server`."""

    models: dict[str, Path]
    settings: Settings
    state: Path | str | None
    every: float
    host: str
    token: str | None
    certificate: Path | None
    key: Path | None


def work(plan: Plan, listener: socket.socket, line: socket.socket) -> None:
    """Serve as a worker, until it is told to end or the keeper is gone."""
    os.setsid()  # Ctrl-C is for the keeper, which ends its workers
    link = Link(line, partial(os.kill, os.getpid(), signal.SIGTERM))
    services = models_of(plan.models, plan.settings)
    store = redis_of(plan.state, plan.settings.idle) or link
    server: Server = sharing(services, store, plan.every)
    server.figures_of_all = partial(link.ask, "figures")
    at = Address(listener, plan.host, plan.token)
    ready = partial(link.ask, "ready")
    run(server, at, plan.settings.body, ready, plan.certificate, plan.key)


class Workers:
    """Workers by number: begun, begun anew where one dies, and ended together."""

    def __init__(self, plan: Plan, listeners: list[socket.socket], keeper: Keeper) -> None:
        self._plan, self._listeners, self._keeper = plan, listeners, keeper
        self._processes: dict[int, multiprocessing.process.BaseProcess] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = asyncio.Event()
        self.died = 0

    async def run(self, ready: Callable[[], None]) -> None:
        """Run all until SIGTERM or SIGINT. Raises `RunError` where one does not begin."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._ending.set)
        if hasattr(signal, "SIGHUP"):
            loop.add_signal_handler(signal.SIGHUP, self._tell, signal.SIGHUP)
        sweep = asyncio.create_task(self._keeper.sweep())
        self._tasks = [asyncio.create_task(self._tend(n)) for n in range(len(self._listeners))]
        try:
            while len(self._keeper.ready) < len(self._listeners):
                if self.died or self._ending.is_set():
                    break
                await asyncio.sleep(0.01)
            if self.died:
                raise RunError("a worker ended before it served: its message says why")
            if not self._ending.is_set():
                ready()
            await self._ending.wait()
        finally:
            await self._end()
            sweep.cancel()
            await self._keeper.end()

    def _tell(self, sign: signal.Signals) -> None:
        """Send a signal to every worker."""
        for process in self._processes.values():
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, sign)

    async def _tend(self, number: int) -> None:
        """Keep a worker running."""
        loop = asyncio.get_running_loop()
        while not self._ending.is_set():
            begin = time.monotonic()
            ours, theirs = socket.socketpair()
            process = multiprocessing.get_context("spawn").Process(
                target=work, args=(self._plan, self._listeners[number], theirs), daemon=True
            )
            process.start()
            theirs.close()
            self._processes[number] = process
            ours.setblocking(False)
            answering = asyncio.create_task(self._keeper.serve(number, ours))
            ended = asyncio.Event()
            loop.add_reader(process.sentinel, ended.set)
            await ended.wait()
            loop.remove_reader(process.sentinel)
            await answering
            process.join()
            if not self._ending.is_set():
                self.died += 1
                logger.error("worker %d ended (%s): it is begun anew", number, process.exitcode)
                if time.monotonic() - begin < _SOON:
                    await asyncio.sleep(_SOON)

    async def _end(self) -> None:
        self._ending.set()
        self._tell(signal.SIGTERM)
        _, left = await asyncio.wait(self._tasks, timeout=_END)
        for process in self._processes.values():
            if left and process.is_alive():
                process.kill()


def run_workers(plan: Plan, listeners: list[socket.socket], ready: Callable[[], None]) -> None:
    """Serve with a worker for each of these sockets.

    Raises `CarouselError` for a model that cannot be served, and a file that cannot be opened."""
    if plan.settings.lines:
        logs.begin()
    models_of(plan.models, plan.settings)  # what is wrong with them is said once

    async def whole() -> None:
        file = None if plan.state is None or is_redis(plan.state) else Path(plan.state)
        keeper = Keeper(None if file is None else SQLiteStore(file), plan.settings.idle)
        await Workers(plan, listeners, keeper).run(ready)

    sys.stdout.flush()
    asyncio.run(whole())
