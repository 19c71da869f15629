"""Routes for those who look on: how the server stands, its streams, their answers as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from carousel.serve import openapi
from carousel.serve.events import events
from carousel.serve.given import named, numbered
from carousel.serve.sessions import Refused
from carousel.serve.status import status, streams
from carousel.serve.wire import response

if TYPE_CHECKING:
    from carousel.serve.app import Server

_MOST = 10_000  # streams in a list


def routes(server: Server) -> list[BaseRoute]:
    """Routes of a server; they come before those whose stream's name may hold anything."""

    async def stands(request: Request) -> Response:
        return response(status(server))

    async def described(request: Request) -> Response:
        return response(openapi.described([*server.services]))

    async def listed(request: Request) -> Response:
        wanted = request.query_params.get("most", "100")
        most = numbered(wanted, "most is how many streams are listed")
        return response(streams(server.service(request), max(1, min(most, _MOST))))

    async def listened(request: Request) -> Response:
        service, name = server.service(request), named(request.path_params["stream"])
        if service.listeners.full:
            raise Refused("too_many_listeners", 429, "too many listen to this model: come again "
                          "later", retry_after=10)  # fmt: skip
        content = events(service.listeners, name, service.answers.told)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(content, 200, headers, "text/event-stream")

    model = "/v1/models/{model}"
    return [
        Route("/v1/status", server.route("status", stands)),
        Route("/openapi.json", server.route("openapi", described)),
        Route(f"{model}/streams", server.route("streams", listed)),
        Route(model + "/streams/{stream:path}/events", server.route("events", listened)),
    ]
