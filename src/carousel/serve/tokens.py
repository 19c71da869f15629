"""States that clients carry: signed, so that servers with one key need share nothing else.

A token is base64 of: version (1 byte), steps taken and time (8 each), digests of the model with its
weights and of the stream's name (16 each), the state, and their HMAC-SHA256 (32).
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import itertools
import struct
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import numpy as np

from carousel.serve.columns import bad
from carousel.serve.service import Numbers, Service
from carousel.serve.sessions import Refused
from carousel.serve.states import bytes_of, put_bytes
from carousel.serve.wire import problem

_HEAD = struct.Struct(">BQd16s16s")
_MAC = 32
_VERSION = 1
_names = (f"\0{number}" for number in itertools.count())  # which no client can give


def wanted(given: Any) -> bool:
    """Say whether a request carries its state, or asks for it. Raises `Refused` for what says
    neither."""
    if not isinstance(given, dict) or not given.keys() & {"state", "return_state"}:
        return False
    asked, state = given.get("return_state", True), given.get("state")
    if not isinstance(asked, bool) or not isinstance(state, str | None):
        raise bad('"return_state" is true, and "state" what the last answer had as its "state"')
    return asked or state is not None


async def carried(
    service: Service, stream: str, x: Numbers, number: int | None, token: str | None
) -> dict[str, Any]:
    """Answers to steps x (T, ...) of a stream that stands where `token` says, or begins; how many
    steps it has taken then, and the token of that. The server keeps nothing.

    Raises `Refused` for a token that was changed or signed by others, is of another model, other
    weights or another stream, or is too old; and for steps that are not numbered from there on.
    """
    steps, state = (0, None) if token is None else _read(service, stream, token)
    if number is not None and number != steps:
        raise Refused("stale", 409, f"the state is that of stream {stream!r} before step {steps}, "
                      f"got step {number}", stream=stream, expected=steps)  # fmt: skip
    name = next(_names)
    slots = service.sessions.find([name], service.engine.clock(), passing=True)
    try:
        if state is not None:
            row = np.frombuffer(state, np.uint8)[None]
            put_bytes(service.streams, slots, row)
        told = (await service.steps_of(slots, x[None]))[0]
        after = bytes_of(service.streams, slots)[0].tobytes()
    finally:
        service.sessions.remove(name)
    steps += len(x)
    token = _signed(service, stream, steps, after)
    return {"answers": service.answers.told(told), "steps": steps, "state": token}


async def put(
    into: dict[str, Any],
    service: Service,
    stream: str,
    x: Numbers,
    number: int | None,
    token: str | None,
) -> None:
    """Put what `carried` gives, or why it cannot, into the answer to one of many streams."""
    into["stream"] = stream
    try:
        into |= await carried(service, stream, x, number, token)
    except Refused as error:
        into |= problem(error)


def _signed(service: Service, stream: str, steps: int, state: bytes) -> str:
    content = _HEAD.pack(_VERSION, steps, time.time(), _model(service), _digest(stream)) + state
    return urlsafe_b64encode(content + _mac(service, content)).decode()


def _read(service: Service, stream: str, token: str) -> tuple[int, bytes]:
    try:
        content = urlsafe_b64decode(token.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        content = b""
    content, mac = content[:-_MAC], content[-_MAC:]
    if len(content) < _HEAD.size or not hmac.compare_digest(mac, _mac(service, content)):
        raise Refused(
            "bad_state", 400,
            "the state was changed, or signed with another key: send one as it was given; servers "
            "that share none have keys of their own",
        )  # fmt: skip
    version, steps, when, model, name = _HEAD.unpack_from(content)
    state = content[_HEAD.size :]
    if version != _VERSION or model != _model(service) or len(state) != service.streams.state_bytes:
        raise Refused("other_model", 409, f"the state is of another model than {service.name!r} "
                      "with its weights of today: begin the stream anew, without one")  # fmt: skip
    if name != _digest(stream):
        raise Refused("other_stream", 409, f"the state is of another stream than {stream!r}")
    if (age := time.time() - when) > service.settings.idle:
        raise Refused("stale", 410, f"the state is {age:.0f} s old, and {service.settings.idle:g} "
                      "s is the most: begin the stream anew, without one")  # fmt: skip
    return steps, state


def _mac(service: Service, content: bytes) -> bytes:
    return hmac.digest(service.settings.key, content, "sha256")


def _model(service: Service) -> bytes:
    return _digest(f"{service.name}\0{service.print}")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]
