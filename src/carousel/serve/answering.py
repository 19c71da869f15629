"""Handlers of requests whose refusals are answers, counted and, where asked for, logged."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from carousel.serve.logs import note
from carousel.serve.sessions import Refused
from carousel.serve.wire import JSON, kind_of, refusal
from carousel.terminal import logger

if TYPE_CHECKING:
    from carousel.serve.app import Server

Handler = Callable[[Request], Awaitable[Response]]


def count(server: Server, name: str, status: int) -> None:
    """Count a request that is answered."""
    server.requests[name, status] = server.requests.get((name, status), 0) + 1


def answering(server: Server, name: str, handler: Handler) -> Handler:
    """A handler that raises nothing. name: under which its requests are counted."""

    async def answered(request: Request) -> Response:
        begin = time.monotonic()
        found, code = await _answer(handler, request)
        count(server, name, found.status_code)
        if server.lines:
            took = round(1000 * (time.monotonic() - begin), 3)
            note("request", route=name, method=request.method, status=found.status_code,
                 code=code, ms=took, **request.path_params)  # fmt: skip
        return found

    return answered


def refused(error: Exception) -> Refused:
    """Refusal that an exception is answered with; of a defect of ours, the log has the trace."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, ClientDisconnect):  # before its request was whole: nobody reads this
        return Refused("damaged", 400, "the request ended in the middle")
    logger.error("a request failed", exc_info=error)
    return Refused("defect", 500, "the server failed: its log says why")


async def _answer(handler: Handler, request: Request) -> tuple[Response, str | None]:
    """The answer, and the code of a refusal."""
    try:
        return await handler(request), None
    except Exception as error:  # whatever goes wrong is answered in the client's form, and counted
        why = refused(error)
    return refusal(why, kind_of(request) or JSON), why.code
