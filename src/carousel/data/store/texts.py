"""Texts on the disk, each read when it is asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 4096
_BYTES_AT_ONCE = 8 << 20


class MappedTexts(Sequence[str]):
    """Texts that are not in memory. It equals no list, but counts as the same data."""

    @abstractmethod
    def some(self, rows: NDArray[np.int64]) -> list[str]:
        """The texts of these numbers, in memory."""

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        places = range(len(self))[index]
        if isinstance(places, range):
            return self.some(np.array(places, np.int64))
        return self.some(np.array([places]))[0]

    def __iter__(self) -> Iterator[str]:
        for some in self.blocks():
            yield from some

    def blocks(self) -> Iterator[list[str]]:
        """All texts in their order, some at a time."""
        for first in range(0, len(self), _AT_ONCE):
            yield self.some(np.arange(first, min(len(self), first + _AT_ONCE)))


class WordTexts(MappedTexts):
    """Texts by the number of each, (N,) on the disk, among words that are in memory; -1: the last
    of them."""

    def __init__(self, words: Sequence[str], codes: NDArray[Any]) -> None:
        self._words, self._codes = np.array(words, object), codes

    def __len__(self) -> int:
        return len(self._codes)

    def some(self, rows: NDArray[np.int64]) -> list[str]:
        found: list[str] = self._words[np.asarray(self._codes[rows])].tolist()
        return found


class LongTexts(MappedTexts):
    """Texts end to end: letters (n,), bytes of UTF-8, and where each text ends (N,)."""

    def __init__(self, letters: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._letters, self._ends = letters, ends

    def __len__(self) -> int:
        return len(self._ends)

    def some(self, rows: NDArray[np.int64]) -> list[str]:
        stops = np.asarray(self._ends[rows])
        starts = np.where(rows > 0, np.asarray(self._ends[np.maximum(rows - 1, 0)]), 0)
        if not len(rows):
            return []
        first, last = int(starts.min()), int(stops.max())
        letters, spans = self._letters, zip(starts.tolist(), stops.tolist(), strict=True)
        if last - first > _BYTES_AT_ONCE:  # they stand far apart
            return [letters[a:b].tobytes().decode() for a, b in spans]
        block = letters[first:last].tobytes()
        return [block[a - first : b - first].decode() for a, b in spans]
