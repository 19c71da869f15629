"""The shortest way to the steps of one stream in JSON: without routes, requests and responses.

What it does not know goes to the application that has them all, with the same answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from carousel.serve.answering import count, refused
from carousel.serve.given import named
from carousel.serve.sessions import Refused
from carousel.serve.wire import JSON, packed, refusal, unpacked

if TYPE_CHECKING:
    from carousel.serve.app import Server

_BEFORE, _BETWEEN, _BEHIND = "/v1/models/", "/streams/", "/steps"
_NAME = "stream_steps"  # of its route


class Hot:
    """Answers `POST /v1/models/MODEL/streams/STREAM/steps` of JSON; `app` answers the rest."""

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app, self._server = app, server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = None if self._server.lines else _place(scope)  # where requests are logged
        if place is None:
            await self._app(scope, receive, send)
            return
        try:
            content = await self._answer(scope, receive, *place)
        except Exception as error:  # as `answering` does
            why = refused(error)
            count(self._server, _NAME, why.status)
            await refusal(why)(scope, receive, send)
            return
        count(self._server, _NAME, 200)
        length = str(len(content)).encode()
        headers = [(b"content-length", length), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Scope, receive: Receive, model: str, stream: str) -> bytes:
        service, name = self._server.find(model), named(stream)
        most = service.settings.body
        message = await receive()
        content = message.get("body", b"")
        while message["type"] != "http.disconnect" and message.get("more_body"):
            message = await receive()
            content += message.get("body", b"")
            if len(content) > most:
                break
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if len(content) > most:
            raise Refused("too_long", 413, f"a body has at most {most:,} bytes")
        client = scope.get("client")
        told = await self._server.step(
            service, name, unpacked(content, JSON), "" if client is None else client[0]
        )
        return packed(told, JSON)


def _place(scope: Scope) -> tuple[str, str] | None:
    """Model and stream of a request that is answered here."""
    if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
        return None
    path: Any = scope["path"]
    if not path.startswith(_BEFORE) or not path.endswith(_BEHIND):
        return None
    model, sign, rest = path[len(_BEFORE) :].partition(_BETWEEN)
    stream = rest[: -len(_BEHIND)]
    if not sign or not stream or "/" in model:
        return None
    for name, value in scope["headers"]:
        if name == b"content-type" and value != b"application/json":
            return None
    return model, stream
