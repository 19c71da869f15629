"""Wide tables that were imported, which may be larger than memory: their values stay on the disk.

The table is read once from its beginning to its end, some rows at a time, and each row written to
its place in its part; so nothing is read at random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from carousel.config import Config
from carousel.config.columns import names_in
from carousel.data.coded import as_trained
from carousel.data.dealing import PARTS
from carousel.data.features import MOST_LEVELS, Features, features_of
from carousel.data.files.mapped_steps import OnDisk
from carousel.data.files.recordings import fill_missing
from carousel.data.files.table_steps import Read
from carousel.data.mapped import MappedRagged, room_for
from carousel.data.sequences import Rows, Sequences, features_columns
from carousel.data.store.opened import MappedTable
from carousel.data.table import Table
from carousel.data.wide import blocks_of, free_name, names_of, said_of

_BYTES = 64 << 20
"""Bytes of values that are looked at together."""
_AT_ONCE = 1 << 20  # rows of which the length is looked for


@dataclass(frozen=True)
class WideRead(Read):
    """The rows of a wide table as sequences, each of one row. cells: the columns (N,) of each step
    and feature, T lists of F. lengths (N,): steps of each row. places (N,): of each row among the
    rows of `features`, which has what keeps one value through a sequence."""

    cells: tuple[tuple[NDArray[np.float64], ...], ...]
    lengths: NDArray[np.int64]
    places: NDArray[np.int64]

    @property
    def on_disk(self) -> bool:
        return True

    def disk(self, rows: Mapping[str, Sequence[Rows]]) -> OnDisk:
        return _WideOnDisk(self, rows)

    def values(self, first: int, last: int) -> NDArray[np.float64]:
        """Values (n, T, F) of the rows from first on."""
        made = np.empty((last - first, len(self.cells), len(self.cells[0])))
        for step, some in enumerate(self.cells):
            for feature, column in enumerate(some):
                made[:, step, feature] = column[first:last]
        return made


def read_wide(table: MappedTable, config: Config) -> tuple[WideRead, Config] | None:
    """A wide table by the roles of the configuration, and the configuration that reads its rows.
    None where memory is needed: where the most frequent levels of a category are counted by steps.
    Raises `DataError`."""
    columns = config.columns
    blocks = blocks_of(columns.wide, table)
    cells = tuple(
        tuple(_numbers(table, name) for name in names)
        for names in zip(*(block.columns for block in blocks), strict=True)
    )
    names, more = names_of(table, names_in(columns.id))
    lengths = _lengths(cells, len(table))
    notes = said_of(lengths, blocks, table, columns.wide)
    kept = np.flatnonzero(lengths)
    roles = replace(columns, wide="", time="")
    steps = {name for block in blocks for name in block.columns}
    others = [n for n in features_columns(table, roles, config.split.column) if n not in steps]
    categories = [name for name in names_in(columns.category) if name in others]
    few = (table[name].cells().n_unique() <= MOST_LEVELS for name in categories)
    if not columns.embed and not all(few):
        return None
    known = Table(table.source, tuple(table[name] for name in others))
    if others and len(kept) < len(table):
        known = known.take(kept)
    made = Features(np.empty((len(kept), 0)), ())
    if others:
        made = features_of(known, others, categories, embed=columns.embed, on_disk=True)
    named = tuple(free_name(block.name, table) for block in blocks)
    found = tuple(Rows(names[row], np.array([row]), row) for row in kept.tolist())
    read = WideRead(
        table,
        Sequences(found, notes=(*notes, *more)),
        replace(made, names=(*named, *made.names)),
        cells,
        lengths,
        np.cumsum(lengths > 0) - 1,
    )
    return read, replace(config, columns=roles)


def _numbers(table: Table, name: str) -> NDArray[np.float64]:
    column = table[name]
    if column.kind == "empty":
        return np.broadcast_to(np.nan, len(table))
    return column.numbers()


def _rows_at_once(cells: Sequence[Sequence[NDArray[np.float64]]]) -> int:
    return max(1, _BYTES // (8 * len(cells) * len(cells[0])))


def _lengths(cells: tuple[tuple[NDArray[np.float64], ...], ...], count: int) -> NDArray[np.int64]:
    """Steps of each row, by columns from the last step on, until every row has one."""
    lengths = np.zeros(count, np.int64)
    for first in range(0, count, _AT_ONCE):
        inside = slice(first, first + _AT_ONCE)
        some = lengths[inside]
        for step in range(len(cells), 0, -1):
            values = np.stack([column[inside] for column in cells[step - 1]], 1)
            some[(some == 0) & (~np.isnan(values)).any(1)] = step
            if some.all():
                break
    return lengths


class _WideOnDisk(OnDisk):
    """The rows of each part with their values on the disk."""

    def __init__(self, read: WideRead, rows: Mapping[str, Sequence[Rows]]) -> None:
        assert isinstance(read.table, MappedTable)
        self.rows, self.filled = rows, dict.fromkeys(PARTS, 0)
        count, width = len(read.table), len(read.features.names)
        part_of, starts = np.full(count, -1, np.int8), np.zeros(count, np.int64)
        rooms: dict[str, NDArray[np.float64]] = {}
        self.values = {}
        for number, part in enumerate(PARTS):
            places = np.array([one.rows[0] for one in rows[part]], np.int64)
            offsets = np.concatenate(([0], read.lengths[places].cumsum()))
            part_of[places], starts[places] = number, offsets[:-1]
            rooms[part] = room_for(int(offsets[-1]), width, read.table.folder)
            self.values[part] = MappedRagged(
                rooms[part], torch.from_numpy(offsets), read.table.folder
            )
        self._write(read, part_of, starts, rooms)
        train, *rest = (self.values[part].values for part in PARTS)
        self.columns = as_trained(read.features.names, [train], rest)

    def _write(
        self,
        read: WideRead,
        part_of: NDArray[np.int8],
        starts: NDArray[np.int64],
        rooms: Mapping[str, NDArray[np.float64]],
    ) -> None:
        """Write each row to its place, with what is missing filled."""
        count, own = len(part_of), len(read.cells[0])
        at_once = _rows_at_once(read.cells)
        for first in range(0, count, at_once):
            last = min(count, first + at_once)
            values = read.values(first, last)
            for row in (np.flatnonzero(part_of[first:last] >= 0) + first).tolist():
                part, start, length = PARTS[part_of[row]], int(starts[row]), int(read.lengths[row])
                made = rooms[part][start : start + length]
                made[:, :own] = values[row - first, :length]
                if made.shape[1] > own:
                    made[:, own:] = read.features.values[read.places[row : row + 1]]
                filled, missing = fill_missing(made)
                if missing:
                    made[:] = filled
                    self.filled[part] += missing
