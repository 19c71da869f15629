"""Access control of the board and the server: an ASGI layer before everything, sockets too.

On this machine alone, requests must name this machine, so that no page of the web can reach it
through a name of its own that leads here (DNS rebinding). On any other address they must bring the
token. Requests that a browser makes for a page are taken from pages of this address only.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "carousel_token"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_READ = frozenset({b"host", b"origin", b"authorization", b"cookie"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)


class Guard:
    """Lets requests through to `app`, or answers 403.

    token: asked for on every request, as "Authorization: Bearer ..." or first as ?token=..., which
    is then kept in a cookie; None on the loopback address. name: of the verb that is guarded.
    """

    def __init__(self, app: App, token: str | None, name: str = "board") -> None:
        self.app, self.token, self.name = app, token, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in _READ  # in small letters, as ASGI has them
        }
        if not self._from_here(headers):
            await _refuse(scope, send, f"this {self.name} answers to its own address only")
        elif self.token is None or self._known(headers):
            await self._serve(scope, receive, send)
        elif scope["type"] == "http" and self._introduced(scope):
            await self._welcome(scope, send)
        else:
            await _refuse(scope, send, f"come with the token that carousel {self.name} printed")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = False

        async def receiving() -> MutableMapping[str, Any]:
            nonlocal gone
            message = await receive()
            gone = gone or message["type"] == "http.disconnect"
            return message

        try:
            await self.app(scope, receiving, _hardened(send))
        except RuntimeError:
            # So Starlette's middleware puts it that a browser left before it had its answer.
            if not gone:
                raise

    def _from_here(self, headers: dict[str, str]) -> bool:
        host = headers.get("host", "")
        if self.token is None and _name(host) not in LOOPBACK:
            return False
        origin = headers.get("origin")
        return origin is None or _parts(origin).netloc == host

    def _known(self, headers: dict[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(token.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self._is_token(cookie.value)

    def _introduced(self, scope: Scope) -> bool:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        return self._is_token(query.get("token", ""))

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), (self.token or "").encode())

    async def _welcome(self, scope: Scope, send: Send) -> None:
        """Keep the token in a cookie, and go on without it in the address."""
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        path = "/" + scope["path"].lstrip("/")  # never to another host
        location = urlsplit(path)._replace(query=rest).geturl()
        cookie = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000"
        headers = [
            (b"location", location.encode("latin-1", "replace")),
            (b"set-cookie", cookie.encode()),
        ]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    return (_parts(f"//{host}").hostname or "") if host else ""


def _parts(url: str) -> SplitResult:
    """Parts of an address; none of one that is damaged."""
    try:
        return urlsplit(url)
    except ValueError:  # "[" without its "]"
        return urlsplit("")


def _hardened(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return sending


async def _refuse(scope: Scope, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": f"403: {why}\n".encode()})
