"""Bodies of requests and answers: JSON, lines of JSON, or MessagePack."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import orjson
from starlette.requests import Request
from starlette.responses import Response

from carousel.serve.sessions import Refused

JSON = "application/json"
LINES = "application/x-ndjson"
PACKED = "application/msgpack"
_KINDS = {JSON: JSON, LINES: LINES, "application/ndjson": LINES, "application/jsonl": LINES,
          PACKED: PACKED, "application/x-msgpack": PACKED,
          "application/vnd.msgpack": PACKED}  # fmt: skip


def kind_of(request: Request) -> str | None:
    """The form of a request's content; None for one that is not known."""
    return _KINDS.get(_media_type(request))


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", JSON).partition(";")[0].strip().lower()


async def body_of(request: Request, most: int) -> tuple[Any, str]:
    """Content of a request, and its kind. Raises `Refused` for one that is too long, of a kind
    that is not known, or damaged."""
    kind = kind_of(request)
    if kind is None:
        raise Refused("media_type", 415, f"content-type is one of {JSON}, {LINES}, {PACKED}; "
                      f"got {_media_type(request)[:80]!r}")  # fmt: skip
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > most:
            raise Refused("too_long", 413, f"a body has at most {most:,} bytes")
    return unpacked(bytes(content), kind), kind


def unpacked(content: bytes | str, kind: str) -> Any:
    """Content of a message; of lines, a list. Raises `Refused` for one that is damaged."""
    try:
        if kind == PACKED:
            assert isinstance(content, bytes)
            return msgpack.unpackb(content, raw=False, strict_map_key=False)
        if kind == LINES:
            return [_read(line) for line in content.splitlines() if line.strip()]
        return _read(content)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        # TypeError: a list as the key of a map
        why = str(error) or type(error).__name__
        raise Refused("damaged", 400, f"the body is no {kind.partition('/')[2]}: {why}") from None


def packed(content: Any, kind: str) -> bytes:
    """A message; of lines, an object in each of a list."""
    if kind == PACKED:
        return bytes(msgpack.packb(content))
    if kind == LINES:
        return b"".join(_said(line) + b"\n" for line in content)
    return _said(content)


def _read(content: bytes | str) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:  # NaN and the like, which are refused by the name of their column
        return json.loads(content)


def _said(content: Any) -> bytes:
    try:
        return orjson.dumps(content)
    except TypeError:  # a text that UTF-8 cannot say
        return json.dumps(content).encode()


def response(content: Any, kind: str = JSON, status: int = 200, **headers: str) -> Response:
    """An answer of one of the kinds."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(packed(content, kind), status, named, kind)


def refusal(error: Refused, kind: str = JSON) -> Response:
    """An answer that says what is wrong."""
    after = error.facts.get("retry_after")
    headers = {} if after is None else {"retry_after": str(after)}
    content = problem(error)
    return response([content] if kind == LINES else content, kind, error.status, **headers)


def problem(error: Refused) -> dict[str, Any]:
    """Object that says what is wrong: "error" with its "code", its "message" and facts."""
    return {"error": {"code": error.code, "message": str(error), **error.facts}}
