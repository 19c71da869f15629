"""Sequences of an imported table, which may be larger than memory: their values stay on the disk.

Parts are drawn as those of any table. The sequences of each part are written end to end, in the
order of the part, with what is missing filled; so batches are gathered from one file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from carousel.data.coded import as_trained
from carousel.data.dealing import PARTS
from carousel.data.files.recordings import fill_missing
from carousel.data.mapped import MappedRagged, on_disk
from carousel.data.sequences import Rows
from carousel.data.store.opened import MappedTable

if TYPE_CHECKING:
    from carousel.data.files.table_steps import Read
    from carousel.data.labelled_recordings import Example, Labelled, LabelledRecordings
    from carousel.data.measured import Measured
    from carousel.data.recordings import Recordings
    from carousel.data.whole_targets import WholeTargets

_ROWS = 1 << 18


class OnDisk:
    """The sequences of each part with their values on the disk.

    rows: of each part; values: of each part; columns: with the levels of the training part;
    filled: missing values that were taken from the step before, in each part.
    """

    def __init__(self, read: Read, rows: Mapping[str, Sequence[Rows]]) -> None:
        assert isinstance(read.table, MappedTable)
        self.rows, self.filled = rows, dict.fromkeys(PARTS, 0)
        folder = read.table.folder
        self.values = {part: self._values(part, read, folder) for part in PARTS}
        train, *rest = (self.values[part].values for part in PARTS)
        self.columns = as_trained(read.features.names, [train], rest)

    def _values(self, part: str, read: Read, folder: Any) -> MappedRagged:
        rows = self.rows[part]
        lengths = torch.tensor([0, *(len(one.rows) for one in rows)])
        width = len(read.features.names)
        made = on_disk(self._blocks(part, read), width, folder)
        return MappedRagged(made, lengths.cumsum(0), folder)

    def _blocks(self, part: str, read: Read) -> Iterator[NDArray[np.float64]]:
        """Values of some sequences at a time, without NaN."""
        for some in _together(self.rows[part]):
            rows = np.concatenate([one.rows for one in some])
            values = read.features.values[np.maximum(rows, 0)]
            self.filled[part] += int(np.isnan(values[rows >= 0]).sum())
            values[rows < 0] = np.nan
            if np.isnan(values).any():
                ends = np.cumsum([len(one.rows) for one in some])[:-1]
                values = np.concatenate([fill_missing(one)[0] for one in np.split(values, ends)])
            yield values

    def names(self, part: str) -> tuple[str, ...]:
        """The names of the sequences of a part."""
        return tuple(one.name for one in self.rows[part])

    def at_each_step(self, part: str, cells: NDArray[Any], absent: Any) -> torch.Tensor:
        """The cells (N,) of a column at each step of a part, `absent` at those put in."""
        found = [np.where(one.rows >= 0, cells[one.rows], absent) for one in self.rows[part]]
        return torch.from_numpy(np.concatenate([np.empty(0, cells.dtype), *found]))


def _together(rows: Sequence[Rows]) -> Iterator[list[Rows]]:
    some: list[Rows] = []
    count = 0
    for one in rows:
        some.append(one)
        count += len(one.rows)
        if count >= _ROWS:
            yield some
            some, count = [], 0
    if some:
        yield some


def whole(
    disk: OnDisk,
    parts: Mapping[str, Sequence[Example]],
    classes: Sequence[str],
    notes: Mapping[str, int],
) -> LabelledRecordings:
    """Sequences with a class each; examples have everything but their values."""
    from carousel.data.class_targets import targets_of
    from carousel.data.labelled_recordings import Labelled, LabelledRecordings

    def part(name: str) -> Labelled:
        some = parts[name]
        labels = targets_of([e.label for e in some], classes)
        return Labelled(disk.names(name), disk.values[name], labels, tuple(e.group for e in some))

    def open_test() -> Labelled:
        made.filled += disk.filled["test"]
        return part("test")

    made = LabelledRecordings(
        part("train"),
        part("validation"),
        open_test,
        classes,
        disk.columns,
        filled=disk.filled["train"] + disk.filled["validation"],
        notes=notes,
    )
    return made


def labelled(disk: OnDisk, cells: Sequence[str], classes: Sequence[str]) -> list[Recordings]:
    """Sequences of each part with a class at each step."""
    from carousel.data.recordings import UNLABELLED, Recordings

    number = {label: i for i, label in enumerate(classes)} | {"": UNLABELLED}
    codes = np.fromiter((number[cell] for cell in cells), np.int64, len(cells))
    return [
        Recordings(disk.names(part), disk.values[part], disk.at_each_step(part, codes, UNLABELLED))
        for part in PARTS
    ]


def measured(disk: OnDisk, numbers: NDArray[np.float64]) -> list[Measured]:
    """Sequences of each part with a number at each step."""
    from carousel.data.measured import Measured

    return [
        Measured(disk.names(part), disk.values[part], disk.at_each_step(part, numbers, np.nan))
        for part in PARTS
    ]


def of_whole(disk: OnDisk, part: str, numbers: torch.Tensor) -> WholeTargets:
    """Sequences of a part with their numbers (n, K)."""
    from carousel.data.whole_targets import WholeTargets

    return WholeTargets(disk.names(part), disk.values[part], numbers)
