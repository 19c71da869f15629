"""Sequences end to end on the disk: batches are gathered from a memory map.

The files have no name and go with the process, however that ends. What was looked at stays in the
page cache as long as the machine has room for it: there is no other cache.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carousel.data.order import Pools
from carousel.data.ragged import Ragged
from carousel.data.store.opened import memory
from carousel.errors import DataError

BLOCK = 64 << 20
"""Bytes that are read together where sequences are not shuffled at once."""
_ROWS = 1 << 18
"""Steps that are made at once."""


def on_disk(arrays: Iterable[NDArray[Any]], width: int, folder: Path) -> NDArray[Any]:
    """Arrays (n, width) of one dtype end to end, (N, width), as a map of a file in a folder.

    Raises `DataError` where the folder cannot be written to, or has no room.
    """
    dtype: np.dtype[Any] = np.dtype(np.float64)
    rows = 0
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for array in arrays:
                dtype, rows = array.dtype, rows + len(array)
                file.write(np.ascontiguousarray(array).data)
            file.flush()
            if not rows * width:
                return np.empty((rows, width), dtype)
            return np.memmap(file, dtype, "r+", shape=(rows, width))
    except OSError as error:
        raise _no_room(folder, rows * width * dtype.itemsize, error) from None


def room_for(rows: int, width: int, folder: Path) -> NDArray[np.float64]:
    """Room for numbers (rows, width), as a map of a file in a folder, which there is: whoever
    writes into it meets no full disk. Raises `DataError`."""
    size = rows * width * 8
    if not size:
        return np.empty((rows, width))
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.write(bytes(size))
                file.flush()
            return np.memmap(file, np.float64, "r+", shape=(rows, width))
    except OSError as error:
        raise _no_room(folder, size, error) from None


def _no_room(folder: Path, size: int, error: OSError) -> DataError:
    return DataError(
        f"{folder} must take what training reads, {size / 1e6:,.0f} MB so far: "
        f"{error.strerror or error}; move the imported table to where there is room"
    )


class MappedRagged(Ragged):
    """Sequences whose values are a map of a file; folder: where there is room for others.

    It counts as the same data as a `Ragged` of the same values.
    """

    folder: Path

    def __init__(self, values: NDArray[Any], offsets: Tensor, folder: Path) -> None:
        super().__init__(torch.from_numpy(values), offsets)
        self.__dict__.update(folder=folder, _map=getattr(values, "_mmap", None))

    def blocks(self) -> Iterator[Ragged]:
        """Whole sequences, some at a time."""
        ends = self.offsets
        first = 0
        while first < len(self):
            last = int(torch.searchsorted(ends, ends[first] + _ROWS, right=True)) - 1
            last = min(max(last, first + 1), len(self))
            start, stop = int(ends[first]), int(ends[last])
            yield Ragged(self.values[start:stop], ends[first : last + 1] - start)
            first = last

    def expect(self, first: int, last: int) -> None:
        """Ask the operating system to read sequences, all in one go."""
        found: mmap.mmap | None = self.__dict__["_map"]
        if found is not None and hasattr(mmap, "MADV_WILLNEED"):
            row = self.values[0].nbytes
            start = int(self.offsets[first]) * row // mmap.PAGESIZE * mmap.PAGESIZE
            stop = int(self.offsets[last]) * row
            found.madvise(mmap.MADV_WILLNEED, start, stop - start)

    def changed(self, function: Callable[[Ragged], Tensor]) -> MappedRagged:
        """The sequences with what a function of some of them (n, …) makes of their values."""
        made = (function(block).numpy() for block in self.blocks())
        first = next(made, None)
        if first is None:
            return self

        def every() -> Iterator[NDArray[Any]]:
            yield first
            yield from made

        return MappedRagged(
            on_disk(every(), first.shape[1], self.folder), self.offsets, self.folder
        )


def regrouped(values: Ragged, offsets: Tensor) -> Ragged:
    """Cut the values into other sequences; those on the disk stay there. offsets (n + 1,)."""
    if not isinstance(values, MappedRagged):
        return Ragged(values.values, offsets)
    made = MappedRagged(values.values.numpy(), offsets, values.folder)
    made.__dict__["_map"] = values.__dict__["_map"]
    return made


def is_in_blocks(values: Ragged, shuffle: str) -> bool:
    """True if the order of sequences is drawn block by block: where that is asked for, or, by
    "auto", where their values are on the disk and larger than half of the memory."""
    if shuffle != "auto":
        return shuffle == "blocks"
    return isinstance(values, MappedRagged) and 2 * values.values.nbytes > memory()


def pools_of(values: Ragged, rows: int, known: Tensor | None = None) -> Pools:
    """Pools of about 1 GiB of sequences, in blocks of 64 MiB that are whole batches of `rows`. The
    operating system is asked to read a block before it is needed. known: numbers of the sequences
    that are read, in their order; all if None."""
    each = max(1, values.values.nbytes // max(1, len(values)))
    size = max(1, BLOCK // (each * rows)) * rows

    def expect(first: int, last: int) -> None:
        if known is not None:
            first, last = int(known[first]), int(known[last - 1]) + 1
        if isinstance(values, MappedRagged):
            values.expect(first, last)

    return Pools(len(values) if known is None else len(known), size, expect=expect)


def changed(values: Ragged, function: Callable[[Ragged], Tensor]) -> Ragged:
    """Sequences with the values that a function makes of them; those on the disk stay there."""
    if isinstance(values, MappedRagged):
        return values.changed(function)
    return Ragged(function(values), values.offsets)


def pieces(values: Ragged) -> Iterator[Ragged]:
    """Sequences, some at a time where they are on the disk, else all."""
    if isinstance(values, MappedRagged):
        yield from values.blocks()
    else:
        yield values
