"""Last table that was read, and its sequences, kept for as long as a command needs them twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
_KEPT: ContextVar[dict[str, tuple[Any, Any]] | None] = ContextVar("kept", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Keep what `once` makes, the last one of each kind, until the end of the block."""
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def once(kind: str, key: Any, make: Callable[[], T]) -> T:
    """Result of `make`; within `remembering`, that of an equal key just before.

    >>> with remembering():
    ...     first = once("list", 1, lambda: [1])
    ...     once("list", 1, lambda: [1]) is first
    True
    """
    kept = _KEPT.get()
    if kept is None:
        return make()
    before = kept.get(kind)
    if before is not None and before[0] == key:
        found: T = before[1]
        return found
    kept.pop(kind, None)  # of two large ones only one is in memory
    made = make()
    kept[kind] = key, made
    return made
