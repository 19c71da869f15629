"""Arrays with a row for each stream: what the next step of every stream depends on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carousel.errors import DataError

Numbers = NDArray[Any]
Slots = NDArray[np.int64]


class StatePool:
    """States of streams, a slot each: a row of every array.

    kinds: a row of each array, as it is before the first step. capacity: how many slots there are.
    """

    def __init__(self, kinds: Mapping[str, Any], capacity: int) -> None:
        self._kinds: dict[str, Numbers] = {name: np.asarray(kind) for name, kind in kinds.items()}
        self._pool = {
            name: np.empty((0, *kind.shape), kind.dtype) for name, kind in self._kinds.items()
        }
        self._capacity = 0
        self.grow(capacity)

    filled = 0
    """Values that were not measured, and were read as those before."""

    @property
    def saturated(self) -> int:
        """Inputs so far beyond the range of calibration; 0 of streams in float32."""
        return 0

    @property
    def capacity(self) -> int:
        """Number of slots."""
        return self._capacity

    @property
    def state_bytes(self) -> int:
        """Memory of the state of one stream."""
        return sum(kind.nbytes for kind in self._kinds.values())

    def grow(self, capacity: int) -> None:
        """Slots up to this number; those that are there stay as they are."""
        more = capacity - self._capacity
        if more <= 0:
            return
        for name, kind in self._kinds.items():
            fresh = np.broadcast_to(kind, (more, *kind.shape))
            self._pool[name] = np.concatenate((self._pool[name], fresh))
        self._capacity = capacity

    def clear(self, slots: Slots) -> None:
        """Put these slots before their first step."""
        for name, kind in self._kinds.items():
            self._pool[name][slots] = kind

    def states(self, slots: Slots) -> dict[str, Numbers]:
        """A copy of all that the next steps of these slots depend on: arrays of a row each."""
        return {name: part[slots] for name, part in self._pool.items()}

    def restore(self, slots: Slots, states: Mapping[str, Numbers]) -> None:
        """Put these slots where others were, as `states` gave them. Raises `DataError` for states
        of another model."""
        wanted = {name: part.shape[1:] for name, part in self._pool.items()}
        got = {name: np.shape(part)[1:] for name, part in states.items()}
        if wanted != got:
            raise DataError(f"the state of this model is {wanted}, got {got}")
        for name, part in states.items():
            self._pool[name][slots] = part
