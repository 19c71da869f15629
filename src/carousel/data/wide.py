"""Wide tables: a row for each sequence, its steps in columns such as t1 … t100."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from carousel.config import Config
from carousel.config.columns import listed, names_in
from carousel.data.counting import unit_of
from carousel.data.sequences import ids_of
from carousel.data.stamps import is_stamp
from carousel.data.table import Table, typed
from carousel.errors import ConfigError, DataError

_NUMBERED = re.compile(r"(.*?)(\d+)")
_TELLING = ("", "t", "time", "step", "tick", "frame", "day", "hour", "week", "month", "x", "v")
_FEWEST, _MANY, _MOST_OF = 8, 30, 0.6
_SMOOTH = 0.5
_LOOKED_AT = 300


@dataclass(frozen=True)
class Block:
    """Columns of a wide table that are the steps of one feature, in their order. asked: how many
    there were in training, where that is known."""

    name: str
    columns: tuple[str, ...]
    asked: int = 0

    @property
    def setting(self) -> str:
        """Setting that means these columns: the first and the last one.

        >>> Block("x", ("x_1", "x_2", "x_3")).setting
        'x_1..x_3'
        """
        return f"{self.columns[0]}..{self.columns[-1]}"


def numbered(names: Sequence[str]) -> list[Block]:
    """The columns whose names differ in a number at their end alone, by what stands before it.

    >>> [(b.name, len(b.columns)) for b in numbered(["id", "x_2", "y_1", "x_1", "y_2", "7", "8"])]
    [('x', 2), ('y', 2), ('value', 2)]
    """
    found: dict[str, dict[int, str]] = {}
    for name in names:
        if (match := _NUMBERED.fullmatch(name)) is not None:
            found.setdefault(match[1], {})[int(match[2])] = name
    return [
        Block(_plain(start), tuple(places[n] for n in sorted(places)))
        for start, places in found.items()
        if len(places) > 1
    ]


def _plain(start: str) -> str:
    return start.strip(" _-.:[(") or "value"


def found_in(table: Table, names: Sequence[str]) -> tuple[Block, ...]:
    """The blocks of a table that looks wide, none if it does not: most of its columns are numbers
    in blocks of one length, whose names, number, or smooth change from column to column say that
    they are steps. names: the columns that may be steps."""
    usable = [n for n in names if table[n].is_number or table[n].kind == "empty"]
    stamps = [n for n in usable if is_stamp(n)]
    if len(stamps) >= _FEWEST and len(stamps) >= _MOST_OF * len(names):
        return (Block("value", tuple(stamps)),)
    blocks = [b for b in numbered(usable) if len(b.columns) >= _FEWEST]
    if len({len(b.columns) for b in blocks}) != 1:
        return ()
    if sum(len(b.columns) for b in blocks) < _MOST_OF * len(names):
        return ()
    starts = {_start(b.columns[0]).casefold() for b in blocks}
    telling = starts <= {*_TELLING} or len(blocks[0].columns) >= _MANY or len(blocks) > 1
    if telling or all(_is_smooth(table, b) for b in blocks):
        return tuple(blocks)
    return ()


def _start(name: str) -> str:
    match = _NUMBERED.fullmatch(name)
    return (match[1] if match else name).strip(" _-.:")


def _is_smooth(table: Table, block: Block) -> bool:
    """True if columns are more like the next one than a row is like the next one."""
    values = _values(table, block)[:_LOOKED_AT]
    spread = np.nanstd(values, 0)
    if len(values) < 3 or not (spread > 0).all() or np.isnan(values).any():
        return False
    scaled = (values - values.mean(0)) / spread
    across = float((scaled[:, 1:] * scaled[:, :-1]).mean())
    down = float((scaled[1:] * scaled[:-1]).mean())
    alike = float(spread.max() / spread.min()) < 10
    return alike and across >= _SMOOTH and across > down


def _values(table: Table, block: Block) -> NDArray[np.float64]:
    """Numbers (N, T) of a block. Raises `DataError`."""
    return np.stack([table[name].numbers() for name in block.columns], 1)


def blocks_of(setting: str, table: Table) -> list[Block]:
    """The blocks that `columns.wide` names, each as FIRST..LAST; those of a table that has fewer
    steps are shorter. Raises `ConfigError` and `DataError`."""
    blocks = []
    for named in names_in(setting):
        first, dots, last = named.partition("..")
        if not dots or not first.strip() or not last.strip():
            raise ConfigError(
                f"columns.wide must name the first and the last column of each block, such as "
                f"'t1..t100' or 'x_1..x_24, y_1..y_24'; got '{named}'"
            )
        blocks.append(_between(first.strip(), last.strip(), table))
    if len({len(block.columns) for block in blocks}) > 1:
        told = ", ".join(f"{len(b.columns):,} of '{b.name}'" for b in blocks)
        raise DataError(f"{table.source}: the blocks of columns.wide have unequal columns: {told}")
    return blocks


def _between(first: str, last: str, table: Table) -> Block:
    one, other = _NUMBERED.fullmatch(first), _NUMBERED.fullmatch(last)
    if one is not None and other is not None and one[1] == other[1] and not is_stamp(first):
        low, high = sorted((int(one[2]), int(other[2])))
        places = {}
        for name in table.names:
            match = _NUMBERED.fullmatch(name)
            if match is not None and match[1] == one[1] and low <= int(match[2]) <= high:
                places[int(match[2])] = name
        if not places:
            table[first]  # raises, and says what there is
        return Block(_plain(one[1]), tuple(places[n] for n in sorted(places)), high - low + 1)
    table[first], table[last]
    start, end = sorted((table.names.index(first), table.names.index(last)))
    return Block("value", table.names[start : end + 1])


def in_rows(table: Table, config: Config) -> tuple[Table, Config]:
    """A wide table as a long one, a row for each step, and the configuration that reads it so.

    A sequence ends with its last value: empty cells behind it are no steps. Those between are
    missing values. A row without any value has no steps, and is left out. Both are counted in the
    notes. Raises `DataError`.
    """
    import polars as pl

    columns = config.columns
    blocks = blocks_of(columns.wide, table)
    values = np.stack([_values(table, block) for block in blocks], 2)
    lengths = lengths_of(values)
    notes = said_of(lengths, blocks, table, columns.wide)
    rows = np.repeat(np.arange(len(table)), lengths)
    inside = np.arange(values.shape[1]) < lengths[:, None]
    names, more = names_of(table, names_in(columns.id))
    id = free_name("row", table)
    long = {id: pl.Series(names).gather(rows)}
    for number, block in enumerate(blocks):
        name = free_name(block.name, table)
        long[name] = pl.Series(values[..., number][inside]).fill_nan(None)
    steps = {name for block in blocks for name in block.columns}
    for column in table.columns:
        if column.name not in steps:
            long[column.name] = column.raw.gather(rows)
    frame = pl.DataFrame([series.alias(name) for name, series in long.items()])
    made = typed(frame, (*table.notes, *notes, *more), table.source, 1)
    ignored = [*names_in(columns.ignore), *names_in(columns.id)]
    roles = replace(columns, wide="", id=id, time="", ignore=listed(ignored))
    return made, replace(config, columns=roles)


def lengths_of(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Steps of each sequence of values (N, T, F), up to its last one."""
    known = np.asarray((~np.isnan(values)).any(axis=2))
    steps = known.shape[1]
    lengths = np.where(known.any(1), steps - known[:, ::-1].argmax(1), 0)
    return lengths.astype(np.int64)


def said_of(
    lengths: NDArray[np.int64], blocks: Sequence[Block], table: Table, setting: str
) -> list[str]:
    """Notes on sequences of these lengths. Raises `DataError` if none has a step."""
    if not lengths.any():
        raise DataError(f"{table.source} has no value in the columns {setting}")
    steps, notes = len(blocks[0].columns), []
    if shorter := int(((lengths < steps) & (lengths > 0)).sum()):
        least = int(lengths[lengths > 0].min())
        notes.append(
            f"{shorter:,} {unit_of(shorter, 'rows')} with empty cells at the end: sequences of "
            f"{least:,} to {steps:,} steps"
        )
    if empty := int((lengths == 0).sum()):
        notes.append(f"{empty:,} {unit_of(empty, 'rows')} without any value: left out")
    return notes + [
        f"{block.asked - len(block.columns):,} of the {block.asked:,} columns of '{block.name}' "
        f"are not there: sequences are shorter"
        for block in blocks
        if len(block.columns) < block.asked
    ]


def names_of(table: Table, ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """A name for each row, by its id or its number from 1, and what is to be said."""
    present = [name for name in ids if name in table]
    if not present:
        return [str(number) for number in range(1, len(table) + 1)], []
    codes, names = ids_of(table, present)
    if len(names) == len(table):
        return names, []
    twice = len(table) - len(names)
    note = f"{twice:,} {unit_of(twice, 'rows')} with an id that stands before: numbered apart"
    return [f"{names[code]}#{row}" for row, code in enumerate(codes.tolist(), 1)], [note]


def free_name(name: str, table: Table) -> str:
    """A name that no column has."""
    while name in table:
        name += "_"
    return name
