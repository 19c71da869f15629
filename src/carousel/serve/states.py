"""States of streams as bytes: what a store keeps of a stream, and what a client may carry."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from carousel.runtime.pool import StatePool
from carousel.serve.scheduler import Slots


def bytes_of(streams: StatePool, slots: Slots) -> NDArray[np.uint8]:
    """States of slots (B,) as rows of bytes (B, n)."""
    rows = []
    for part in streams.states(slots).values():
        size = math.prod(part.shape[1:])
        rows.append(np.ascontiguousarray(part).reshape(len(part), size).view(np.uint8))
    return np.concatenate(rows, 1)


def put_bytes(streams: StatePool, slots: Slots, content: NDArray[np.uint8]) -> None:
    """Put slots (B,) where others were, of the same model, as `bytes_of` gave them (B, n)."""
    states, at = {}, 0
    for name, part in streams.states(slots).items():
        size = part[0].nbytes
        raw = np.ascontiguousarray(content[:, at : at + size])
        states[name] = raw.view(part.dtype).reshape(part.shape)
        at += size
    streams.restore(slots, states)
