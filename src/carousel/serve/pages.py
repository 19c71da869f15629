"""Pages of the server for people: what it does now, and its addresses; nothing from other hosts."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

_STATIC = Path(__file__).parent / "static"
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_FILES = {
    "/": "console.html",
    "/docs": "docs.html",
    "/static/console.js": "console.js",
    "/static/docs.js": "docs.js",
    "/static/pages.css": "pages.css",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def routes() -> list[BaseRoute]:
    """Routes of the pages and of what they load, each a file that is read once."""
    return [_route(path, _STATIC / name) for path, name in _FILES.items()]


def _route(path: str, file: Path) -> Route:
    content, kind = file.read_bytes(), _KINDS[file.suffix]
    headers = {"content-security-policy": _POLICY, "cache-control": "no-cache"}

    async def page(request: Request) -> Response:
        return Response(content, 200, headers, f"{kind}; charset=utf-8")

    return Route(path, page)
