"""The process: an address, the services, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from carousel.errors import ConfigError, require_extra
from carousel.serve import logs
from carousel.serve.app import Server
from carousel.serve.reload import reload_all
from carousel.serve.service import Service, Settings
from carousel.serve.shared import Shared, SharedStore
from carousel.serve.snapshots import Snapshots
from carousel.serve.store import SQLiteStore
from carousel.web import address
from carousel.web.address import Address
from carousel.web.guard import Guard

if TYPE_CHECKING:
    from carousel.serve.redis_store import RedisStore

PORT = 8866


def listen(host: str = "127.0.0.1", port: int | None = None, several: bool = False) -> Address:
    """Take an address for the server; see `carousel.web.address.listen`."""
    return address.listen("the server", PORT, host, port, several)


def prepare(
    models: dict[str, Path], settings: Settings, state: Path | str | None, every: float = 1.0
) -> Server:
    """A server of these models, with the streams that `state` kept. Raises `CarouselError` for a
    model that cannot be served, a file that cannot be opened, and a Redis (its address, as in
    redis://localhost) that does not answer."""
    services = models_of(models, settings)
    if state is None:
        return Server(services)
    if (store := redis_of(state, settings.idle)) is not None:
        return sharing(services, store, every)
    snapshots = Snapshots(services, SQLiteStore(Path(state)), every)
    snapshots.restore()
    return Server(services, snapshots)


def models_of(models: dict[str, Path], settings: Settings) -> list[Service]:
    """Services of these models. Raises `CarouselError` for one that cannot be served."""
    if not models:
        raise ConfigError("name a run or a saved model to serve")
    if settings.calibration is not None and len(models) > 1:
        raise ConfigError("the steps to calibrate by are those of one model: serve one alone")
    return [Service(name, folder, settings) for name, folder in models.items()]


def sharing(services: list[Service], store: SharedStore, every: float) -> Server:
    """A server that shares its streams with others, through a store."""
    snapshots = Snapshots(services, store, every)
    return Server(services, snapshots, Shared(services, store, snapshots))


def redis_of(state: Path | str | None, idle: float) -> RedisStore | None:
    """Redis, if that is where states are kept. Raises `CarouselError` if it does not answer."""
    if state is None or not is_redis(state):
        return None
    require_extra("a store of states in Redis", "redis", "redis")
    from carousel.serve.redis_store import RedisStore

    return RedisStore(str(state), idle)


def is_redis(state: Path | str) -> bool:
    """Say if states are kept at an address of Redis."""
    return str(state).startswith(("redis://", "rediss://", "unix://"))


def run(
    server: Server,
    at: Address,
    body: int,
    ready: Callable[[], None],
    certificate: Path | None = None,
    key: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. ready: called once it answers. What was taken in is answered
    first, then all streams are kept; that ends within ten seconds."""
    # The engine comes back from its kernels to a busy event loop, which hands the interpreter over
    # after this time: the default is as long as five batches.
    sys.setswitchinterval(0.0005)
    if lines := any(service.settings.lines for service in server.services.values()):
        logs.begin()
    config = uvicorn.Config(
        Guard(server.app(), at.token, "serve"),
        log_level="warning",
        access_log=False,
        log_config=None if lines else uvicorn.config.LOGGING_CONFIG,
        server_header=False,
        timeout_graceful_shutdown=4,
        timeout_keep_alive=75,  # a stream that pauses finds its line again
        ws_max_size=body,
        ws_per_message_deflate=False,
        ssl_certfile=None if certificate is None else str(certificate),
        ssl_keyfile=None if key is None else str(key),
    )
    _Process(config, server, ready).run(sockets=[at.listener])


class _Process(uvicorn.Server):
    """Ends after what was taken in is answered."""

    def __init__(self, config: uvicorn.Config, server: Server, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._served, self._is_ready = server, ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[int] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        if hasattr(signal, "SIGHUP"):
            self._loop.add_signal_handler(signal.SIGHUP, self._reload)
        await super().startup(sockets)
        self._is_ready()

    def _reload(self) -> None:
        if self._reading is None or self._reading.done():
            services = list(self._served.services.values())
            self._reading = asyncio.get_running_loop().create_task(
                reload_all(services, self._served.snapshots)
            )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Without a note of the signal, which would be raised again when all is done.
        if self._loop is None or self._served.draining:
            self.should_exit = True
            self.force_exit = self._served.draining and sig == signal.SIGINT
        else:
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end())

    async def _end(self) -> None:
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._served.drain(), 4)
            await asyncio.sleep(0.05)  # the answers are on their way
        finally:
            self.should_exit = True
