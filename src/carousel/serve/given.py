"""Things that requests name: streams, steps, numbers of steps; over HTTP and WebSocket alike."""

from __future__ import annotations

from typing import Any

from carousel.serve.columns import bad
from carousel.serve.service import Service
from carousel.serve.sessions import Refused

_LONGEST_NAME = 200


def standing(service: Service, name: str) -> dict[str, int]:
    """Numbers of steps that a stream has taken, and that a snapshot has of it."""
    slot = service.sessions.slots.get(name)
    if slot is None:
        return {}
    sessions = service.sessions
    return {"steps": int(sessions.accepted[slot]), "saved": int(sessions.saved[slot])}


def steps_in(given: Any) -> tuple[Any, int | None]:
    """The steps of an item and the number of the first. Raises `Refused` for what is neither."""
    if not isinstance(given, dict) or ("steps" not in given and "step" not in given):
        raise bad('steps come as {"steps": [step, …]}, or one as {"step": step}')
    steps = given["steps"] if "steps" in given else [given["step"]]
    number = given.get("number")
    return steps, None if number is None else numbered(number)


def numbered(given: Any, what: str = "number is that of the first step, from 0") -> int:
    """A number from 0, such as that of a step. Raises `Refused`, saying what is expected."""
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 19:
        given = int(given)
    if type(given) is not int or not 0 <= given < 2**62:
        raise bad(f"{what}; got {str(given)[:40]!r}")
    return given


def named(given: Any) -> str:
    """The name of a stream. Raises `Refused` for what is none."""
    if not isinstance(given, str) or not 0 < len(given) <= _LONGEST_NAME or not given.isprintable():
        raise bad(f"the name of a stream is a text of 1 to {_LONGEST_NAME} printable characters")
    return given


def unknown(name: str) -> Refused:
    """A refusal of a stream that is not there."""
    why = "it was closed, was idle for too long, or never came"
    return Refused("no_stream", 404, f"there is no stream {name!r}: {why}")
