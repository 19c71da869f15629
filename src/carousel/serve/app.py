"""The server's HTTP: streams, whole sequences, health and figures (docs/serve.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from carousel.errors import ConfigError, DataError
from carousel.serve import pages, tokens, watching
from carousel.serve.answering import Handler, answering
from carousel.serve.clients import Clients
from carousel.serve.columns import bad
from carousel.serve.given import named, standing, steps_in, unknown
from carousel.serve.hot import Hot
from carousel.serve.metrics import figures, together
from carousel.serve.service import Numbers, Service
from carousel.serve.sessions import Refused
from carousel.serve.shared import Shared
from carousel.serve.snapshots import Snapshots
from carousel.serve.sockets import Socket
from carousel.serve.store import NotKept
from carousel.serve.wire import LINES, body_of, problem, refusal, response


class Server:
    """Services by name behind HTTP and WebSocket, and whether they still take steps."""

    def __init__(
        self,
        services: list[Service],
        snapshots: Snapshots | None = None,
        shared: Shared | None = None,
    ) -> None:
        self.services = {service.name: service for service in services}
        self.snapshots, self.shared, self.draining = snapshots, shared, False
        rates = [one.settings.rate for one in services if one.settings.rate is not None]
        self.clients = Clients(min(rates)) if rates else None
        self.lines = any(service.settings.lines for service in services)
        self.requests: dict[tuple[str, int], int] = {}
        # Of one of several workers: tells its figures, and is told those of all.
        self.figures_of_all: Callable[[str], dict[int, str]] | None = None
        self._sweep: asyncio.Task[None] | None = None

    def app(self) -> Starlette:
        """The application, for any server of ASGI."""
        model = "/v1/models/{model}"
        routes = [
            Route("/healthz", self._health),
            Route("/readyz", self._ready),
            Route("/metrics", self._metrics),
            Route("/v1/models", self.route("models", self._models)),
            Route(model, self.route("model", self._model)),
            Route(f"{model}/predict", self.route("predict", self._predict), methods=["POST"]),
            Route(f"{model}/steps", self.route("steps", self._many), methods=["POST"]),
            Route(
                model + "/streams/{stream:path}/steps", self.route("stream_steps", self._steps),
                methods=["POST"],
            ),
            *watching.routes(self),
            Route(
                model + "/streams/{stream:path}", self.route("stream", self._stream),
                methods=["GET", "DELETE"],
            ),
            WebSocketRoute(f"{model}/socket", Socket(self)),
            *pages.routes(),
        ]  # fmt: skip
        return Starlette(
            routes=routes, lifespan=self._life, middleware=[Middleware(Hot, server=self)],
            exception_handlers={HTTPException: _unknown_path},
        )  # fmt: skip

    def find(self, name: str) -> Service:
        """The service of a name. Raises `Refused` if there is none, and while draining."""
        if self.draining:
            raise Refused("draining", 503, "the server is ending: try another, or again later",
                          retry_after=5)  # fmt: skip
        if name not in self.services:
            known = ", ".join(self.services)
            raise Refused("no_model", 404, f"there is no model {name[:80]!r}: there are {known}")
        return self.services[name]

    def allow(self, client: str, steps: int) -> None:
        """Count steps of a client. Raises `Refused` for one that sends too many a second."""
        if self.clients is not None:
            self.clients.take(client, steps)

    async def present(self, service: Service, names: Sequence[str], make: bool = True) -> None:
        """Have streams here that another server may have; see `Shared.fetch`."""
        if self.shared is not None:
            await self.shared.fetch(service, names, make)

    async def taken(
        self,
        service: Service,
        names: list[str],
        x: Numbers,
        numbers: list[int] | int | None,
        client: str | None = None,
    ) -> Numbers:
        """Answers to steps of streams that are named; see `Service.steps`."""
        given = None if numbers is None else np.atleast_1d(np.array(numbers, np.int64))
        await self.present(service, names)
        try:
            return await service.steps(names, x, given, client)
        except Refused as error:
            if error.code not in ("gap", "already_taken") or self.shared is None:
                raise
            if not await self.shared.overruled(service, names):
                raise
        await self.present(service, names)
        return await service.steps(names, x, given, client)

    async def drain(self) -> None:
        """Take no more steps, and answer those that were taken."""
        self.draining = True
        for service in self.services.values():
            await service.settle()
            service.listeners.end()

    # ---- life

    @asynccontextmanager
    async def _life(self, app: Starlette) -> Any:
        if self.snapshots is not None:
            self.snapshots.begin()
        if self.shared is not None:
            self.shared.begin()
        self._sweep = asyncio.create_task(self._expire())
        try:
            yield
        finally:
            self._sweep.cancel()
            with suppress(TimeoutError):  # what is not answered by now ends with the process
                await asyncio.wait_for(self.drain(), 1)
            if self.snapshots is not None:
                await self.snapshots.end()
            if self.shared is not None:
                self.shared.end()

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(1)
            if self.figures_of_all is not None:
                with suppress(NotKept):
                    await asyncio.to_thread(self.figures_of_all, figures(self))
            for service in self.services.values():
                service.sessions.expire(service.engine.clock())
                if self.snapshots is None:
                    service.sessions.gone.clear()  # which nobody else reads

    # ---- requests

    def route(self, name: str, handler: Handler) -> Handler:
        """A handler whose refusals are answers, counted under a name."""
        return answering(self, name, handler)

    async def _health(self, request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _ready(self, request: Request) -> Response:
        if self.draining:
            return PlainTextResponse("draining\n", 503)
        return PlainTextResponse("ready\n")

    async def _metrics(self, request: Request) -> Response:
        text = figures(self)
        if self.figures_of_all is not None:
            text = together(await asyncio.to_thread(self.figures_of_all, text))
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def _models(self, request: Request) -> Response:
        return response({"models": [service.facts() for service in self.services.values()]})

    async def _model(self, request: Request) -> Response:
        return response(self.service(request).facts())

    def service(self, request: Request) -> Service:
        """The service of the model in a request's path. Raises `Refused`."""
        return self.find(request.path_params["model"])

    async def _steps(self, request: Request) -> Response:
        service, name = self.service(request), named(request.path_params["stream"])
        given: Any
        given, kind = await body_of(request, service.settings.body)
        if kind != LINES:
            return response(await self.step(service, name, given, _client(request)), kind)
        given = {"steps": given}
        if "number" in request.query_params:
            given["number"] = request.query_params["number"]
        told = await self.step(service, name, given, _client(request))
        return response(told["answers"], kind)

    async def step(self, service: Service, name: str, given: Any, client: str) -> dict[str, Any]:
        """Answer to steps of one stream, as a client sent them."""
        steps, number = steps_in(given)
        x = service.columns.read(steps, name)
        self.allow(client, len(x))
        if tokens.wanted(given):
            return await tokens.carried(service, name, x, number, given.get("state"))
        told = await self.taken(service, [name], x[None], number, client)
        return {"answers": service.answers.told(told[0]), **standing(service, name)}

    async def _many(self, request: Request) -> Response:
        service = self.service(request)
        given, kind = await body_of(request, service.settings.body)
        items = given.get("items") if isinstance(given, dict) else given
        if not isinstance(items, list) or not items:
            raise bad('the body is {"items": [{"stream": …, "steps": […]}, …]}, or a line for each')
        found: list[dict[str, Any]] = [{} for _ in items]
        brought: list[tuple[int, str, Numbers, int | None, str | None]] = []  # with their states
        total = 0
        groups: dict[tuple[int, bool], list[tuple[int, str, Numbers, int | None]]] = {}
        seen: set[str] = set()
        for at, item in enumerate(items):
            try:
                steps, number = steps_in(item)
                name = named(item.get("stream"))
                if name in seen:
                    raise bad(f"stream {name!r} comes twice: put its steps into one item")
                seen.add(name)
                x = service.columns.read(steps, name)
            except Refused as error:
                raise Refused(error.code, error.status, f"item {at}: {error}") from None
            total += len(x)
            if tokens.wanted(item):
                brought.append((at, name, x, number, item.get("state")))
                continue
            key = (len(x), number is None)
            groups.setdefault(key, []).append((at, name, x, number))
        client = _client(request)
        self.allow(client, total)
        calls = [
            tokens.put(found[at], service, name, x, number, state)
            for at, name, x, number, state in brought
        ]
        calls += [self._group(service, group, found, client) for group in groups.values()]
        await asyncio.gather(*calls)
        if kind == LINES:
            return response(found, kind)
        return response({"items": found}, kind)

    async def _group(
        self,
        service: Service,
        group: list[tuple[int, str, Numbers, int | None]],
        found: list[dict[str, Any]],
        client: str,
    ) -> None:
        """Answers of items that have as many steps each, put where they belong."""
        names = [name for _, name, _, _ in group]
        x = np.stack([steps for _, _, steps, _ in group])
        numbers = [number for _, _, _, number in group if number is not None]
        try:
            told = await self.taken(service, names, x, numbers or None, client)
        except Refused as error:
            if len(group) == 1:
                found[group[0][0]] = {"stream": names[0], **problem(error)}
                return
            alone = [self._group(service, [one], found, client) for one in group]
            await asyncio.gather(*alone)  # whoever can be served is
            return
        for (at, name, _, _), rows in zip(group, told, strict=True):
            found[at] = {"stream": name, "answers": service.answers.told(rows),
                         **standing(service, name)}  # fmt: skip

    async def _predict(self, request: Request) -> Response:
        service = self.service(request)
        given, kind = await body_of(request, service.settings.body)
        several = given.get("sequences") if isinstance(given, dict) else None
        if not isinstance(several, list) or not several:
            raise bad('the body is {"sequences": [[step, …], …]}')
        parts = [service.columns.read(steps) for steps in several]
        lengths = np.array([len(part) for part in parts], np.int64)
        size, most = len(parts) * int(lengths.max()), service.settings.queue
        if size > most:
            raise Refused(
                "too_long", 413,
                f"{len(parts)} sequences of up to {lengths.max()} steps are {size:,} steps, and "
                f"{most:,} is the most: send those of one length together, or fewer",
            )  # fmt: skip
        self.allow(_client(request), int(lengths.sum()))
        x = np.zeros((len(parts), lengths.max(), *parts[0].shape[1:]), parts[0].dtype)
        for into, part in zip(x, parts, strict=True):
            into[: len(part)] = part
        try:
            told = await asyncio.to_thread(service.predict, x, lengths)
        except (DataError, ConfigError) as error:
            raise bad(str(error)) from None
        if told.ndim == 2:  # one answer to a whole sequence
            rows: Any = service.answers.told(told)
        else:
            rows = [service.answers.told(row[:n]) for row, n in zip(told, lengths, strict=True)]
        return response(rows if kind == LINES else {"answers": rows}, kind)

    async def _stream(self, request: Request) -> Response:
        service, name = self.service(request), named(request.path_params["stream"])
        await self.present(service, [name], make=False)
        if request.method == "DELETE":
            if not service.sessions.remove(name):
                raise unknown(name)
            return Response(status_code=204)
        if name not in service.sessions.slots:
            raise unknown(name)
        return response({"stream": name, **standing(service, name)})


def _client(request: Request) -> str:
    return "" if request.client is None else request.client.host


async def _unknown_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {404: "there is no such address", 405: "this address has no such method"}
    message = said.get(error.status_code, str(error.detail))
    return refusal(Refused("no_address", error.status_code, f"{message}: see docs/serve.md"))
