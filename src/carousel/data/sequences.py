"""Rows of a long table as sequences: grouped by id, in order of time, with even steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carousel.config.columns import ColumnsConfig, listed, names_in
from carousel.data.counting import counted
from carousel.data.counting import unit_of as fitting
from carousel.data.features import Features
from carousel.data.files.recordings import fill_missing
from carousel.data.remembered import once
from carousel.data.stamps import unit_of
from carousel.data.steps import as_months
from carousel.data.table import Table
from carousel.errors import ConfigError, DataError

_EVEN = 0.8
"""Share of the steps that must be equal for time to have a step at all."""
_NEAR = 0.05
_LOOKED_AT = 1000
_MOST_FILLED = 10
"""Times the rows of a table that filling gaps may make of them."""
_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
}


@dataclass(frozen=True)
class Rows:
    """A sequence: its name, and which row (T,) of the table each step is, -1 where it was missing.
    start: when it begins, to order sequences by.
    """

    name: str
    rows: NDArray[np.int64]
    start: int = 0


@dataclass(frozen=True)
class Sequences:
    """Sequences of a table in the order of their first rows, and what became of the rows.

    step: in words, "" where there is none; every, unit: the same as a number, 0 where there is
    none, of what `order_key` counts. filled: steps put in. gaps: how many there were. notes: in
    words.
    """

    found: tuple[Rows, ...]
    step: str = ""
    filled: int = 0
    gaps: int = 0
    notes: tuple[str, ...] = ()
    every: int = 0
    unit: str = ""


def order_key(table: Table, time: str) -> tuple[NDArray[np.int64], str, tuple[str, ...]]:
    """Order of rows by a column of times or counts (N,): whole numbers, their unit ("" of mere
    counts), and what was recognised. Raises `DataError` for texts and empty cells."""
    column = table[time]
    if column.missing or column.odd:
        empty = f"such as '{column.example}'" if column.odd else "empty cells"
        lost = column.missing + column.odd
        raise DataError(
            f"{table.source}: the column '{time}' orders the rows, and {lost:,} of them have no "
            f"time there ({empty}): fill them in, or remove those rows"
        )
    try:
        stamps, notes = column.times()
    except DataError:
        if column.kind not in ("whole", "number"):
            raise
        values = column.numbers()
        if column.kind == "number":  # 0.1, 0.2, …
            return np.round(values * 1e6).astype(np.int64), "millionth", ()
        return values.astype(np.int64), "", ()
    some = np.unique(stamps[:_LOOKED_AT])  # to sort a million takes long, and few come by the month
    months = as_months(np.unique(stamps)) if len(some) > 2 and as_months(some) is not None else None
    if months is not None and unit_of(stamps) not in ("Y", "M"):
        stamps = stamps.astype("datetime64[M]")
    return stamps.astype(np.int64), unit_of(stamps), notes


def sequences_of(table: Table, columns: ColumnsConfig) -> Sequences:
    """The sequences of a table by `columns.id`, `time`, `step` and `gap`. Raises `DataError`."""
    roles = (columns.id, columns.time, columns.step, columns.gap)
    return once("sequences", (_Same(table), roles), lambda: _sequences(table, columns))


class _Same:
    """A table that equals itself alone: to compare two would read both."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._table is self._table

    __hash__ = None  # type: ignore[assignment]


def _sequences(table: Table, columns: ColumnsConfig) -> Sequences:
    codes, names = ids_of(table, names_in(columns.id))
    if not columns.time:
        order = np.argsort(codes, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
        starts = [int(part[0]) for part in parts]
        return Sequences(tuple(map(Rows, names, parts, starts)))
    key, unit, notes = order_key(table, columns.time)
    same = np.diff(codes)
    moved = int((np.diff(key)[same == 0] < 0).sum())
    # Most long tables are in order, and to sort ten million rows takes seconds.
    sorted_ = not moved and bool((same >= 0).all())
    order = np.arange(len(codes)) if sorted_ else np.lexsort((key, codes))
    said = list(notes)
    if moved > 0:
        said.append(counted(moved, "rows stood before an earlier one: put in order of time"))
    ends = np.flatnonzero(np.diff(codes[order])) + 1
    parts = np.split(order, ends)
    step = _step(key[order], np.diff(codes[order]) == 0, columns.step, unit)
    if not step:
        starts = [int(key[part[0]]) for part in parts]
        return Sequences(tuple(map(Rows, names, parts, starts)), notes=tuple(said), unit=unit)
    return _even(parts, names, key, step, unit, columns, table, said)


def ids_of(table: Table, columns: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """The number of each row's sequence (N,), and the names of the sequences."""
    import polars as pl

    if not columns:
        return np.zeros(len(table), np.int64), ["all rows"]
    parts = [table[name].cells() for name in columns]
    glued = parts[0].rename("id")
    for part in parts[1:]:
        glued = glued + "/" + part
    names = glued.unique(maintain_order=True)
    codes = glued.replace_strict(names, range(len(names)), return_dtype=pl.Int64)
    return codes.to_numpy(), names.to_list()


def behind_the_end(
    table: Table, codes: NDArray[np.int64], time: str, target: str
) -> NDArray[np.int64]:
    """Rows that come after the last one with a target in their sequence, codes (N,): its number."""
    order = np.lexsort((order_key(table, time)[0], codes))
    measured = ~np.isnan(table[target].numbers())[order]
    rows = np.arange(len(order))
    last = np.full(int(codes.max()) + 1, len(order))  # of a sequence without a number: none
    last[np.unique(codes[order][measured])] = -1
    np.maximum.at(last, codes[order][measured], rows[measured])
    found: NDArray[np.int64] = np.sort(order[rows > last[codes[order]]])
    return found


def _step(key: NDArray[np.int64], same: NDArray[np.bool_], asked: str, unit: str) -> int:
    """The step in units of the key: the one asked for, or the most frequent if most are; else 0."""
    if asked:
        return _asked(asked, unit)
    steps = np.diff(key)[same]
    steps = steps[steps > 0]
    if not len(steps):
        return 0
    values, counts = np.unique(steps, return_counts=True)
    best = int(counts.argmax())
    alike = np.abs(values - values[best]) <= _NEAR * values[best]  # clocks are a second off
    return int(values[best]) if counts[alike].sum() >= _EVEN * len(steps) else 0


def _asked(text: str, unit: str) -> int:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    lengths = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "m": 60, "h": 3600, "D": 86_400}
    if match is not None and not match[2] and unit in ("", "M", "Y"):
        return int(float(match[1]))
    if match is None or match[2].lower() not in _UNITS or unit not in lengths:
        raise ConfigError(
            f"columns.step must be a number and a unit, such as '15 minutes' or '1 day', or of "
            f"counts a number alone; got '{text}'"
        )
    seconds = float(match[1]) * _UNITS[match[2].lower()]
    return max(1, round(seconds / lengths[unit]))


def step_words(step: int, unit: str) -> str:
    """A step in words.

    >>> step_words(900, "s"), step_words(1, ""), step_words(2, "M"), step_words(60, "m")
    ('15 minutes', '1', '2 months', '1 hour')
    """
    if unit == "":
        return str(step)
    if unit == "millionth":
        return f"{step / 1e6:g}"
    if unit in ("M", "Y"):
        name = {"M": "month", "Y": "year"}[unit]
        return f"{step} {name}{'s' * (step != 1)}"
    scale = {
        "ns": 1e-9,
        "us": 1e-6,
        "ms": 1e-3,
        "s": 1,
        "m": 60,
        "h": 3600,
        "D": 86_400,
        "W": 604_800,
    }
    seconds = step * scale[unit]
    for name, length in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= length and seconds % length == 0:
            count = seconds / length
            return f"{count:g} {name}{'s' * (count != 1)}"
    return f"{seconds:g} seconds"


def _with_holes(
    parts: Sequence[NDArray[np.int64]], key: NDArray[np.int64], step: int
) -> list[bool]:
    """True for each sequence in which a step is missing, found of all at once: most have none."""
    apart = np.diff(key[np.concatenate(parts)])
    ends = np.cumsum([len(rows) for rows in parts])
    apart[ends[:-1] - 1] = 0  # from one sequence to the next
    found = np.zeros(len(parts), bool)
    found[np.searchsorted(ends, np.flatnonzero(apart >= 1.5 * step), side="right")] = True
    return found.tolist()


def _even(
    parts: Sequence[NDArray[np.int64]],
    names: Sequence[str],
    key: NDArray[np.int64],
    step: int,
    unit: str,
    columns: ColumnsConfig,
    table: Table,
    said: list[str],
) -> Sequences:
    """Sequences whose gaps are filled, cut or refused."""
    found: list[Rows] = []
    filled = gaps = 0
    words = step_words(step, unit)
    holed = _with_holes(parts, key, step)
    starts = key[[rows[0] for rows in parts]].tolist()
    for name, rows, start, cut in zip(names, parts, starts, holed, strict=True):
        if not cut:
            found.append(Rows(name, rows, start))
            continue
        apart = np.diff(key[rows])
        holes = np.flatnonzero(apart >= 1.5 * step)
        gaps += len(holes)
        if columns.gap == "error":
            raise DataError(
                f"{table.source}: '{name}' has a gap of {step_words(int(apart[holes[0]]), unit)} "
                f"before row {rows[holes[0] + 1] + 2}, and columns.gap = 'error': fill or cut it"
            )
        if columns.gap == "cut":
            pieces = np.split(rows, holes + 1)
            found += [
                Rows(f"{name}#{n}", piece, int(key[piece[0]])) for n, piece in enumerate(pieces, 1)
            ]
        else:
            missing = np.round(apart / step).astype(np.int64) - 1
            missing[apart < 1.5 * step] = 0
            filled += int(missing.sum())
            if filled > _MOST_FILLED * len(table):
                raise DataError(
                    f"{table.source}: to fill the gaps between steps of {words} would put in more "
                    f"than {_MOST_FILLED} times the rows there are: set columns.gap = 'cut', which "
                    f"makes sequences of what lies between, or another columns.step"
                )
            places = np.arange(len(rows)) + np.concatenate(([0], missing.cumsum()))
            full = np.full(int(places[-1]) + 1, -1)
            full[places] = rows
            found.append(Rows(name, full, int(key[rows[0]])))
    if gaps:
        what = {
            "fill": f"filled with {filled:,} {fitting(filled, 'steps')} like the one before",
            "cut": f"cut: {len(names):,} sequences became {len(found):,}",
        }[columns.gap]
        many = "gaps of more than {} are" if gaps > 1 else "gap of more than {} is"
        said.append(f"{gaps:,} {many.format(words)} {what}")
    return Sequences(tuple(found), words, filled, gaps, tuple(said), step, unit)


def values_of(rows: Rows, features: Features) -> tuple[NDArray[np.float64], int]:
    """The values (T, F) of a sequence without NaN, and how many cells of its rows were missing;
    steps that were put in are counted as such, not here."""
    values = features.values[np.maximum(rows.rows, 0)]
    missing = int(np.isnan(values[rows.rows >= 0]).sum())
    values[rows.rows < 0] = np.nan
    return fill_missing(values)[0], missing


def constant_in(rows: Sequence[Rows], cells: Sequence[str], column: str, source: str) -> list[str]:
    """The one value of each sequence in a column. Raises `DataError` where there are several."""
    found = []
    for one in rows:
        values = {cells[row] for row in one.rows.tolist() if row >= 0} - {""}
        if len(values) > 1:
            raise DataError(
                f"{source}: the column '{column}' must keep one value through a sequence; "
                f"'{one.name}' has {len(values)}: {', '.join(sorted(values)[:4])}"
            )
        found.append(next(iter(values), ""))
    return found


def features_columns(table: Table, columns: ColumnsConfig, split_column: str) -> list[str]:
    """The columns that are read: all without another role, in the table's order."""
    other = {columns.time, split_column}
    for role in (columns.id, columns.target, columns.text, columns.file, columns.ignore):
        other.update(names_in(role))
    other.update(names_in(columns.weight))
    for role, setting in vars(columns).items():
        if role not in ("step", "gap", "embed", "separator", "ordinal"):
            for name in names_in(setting):
                if name not in table:
                    table[name]  # raises, and says what there is
    found = [name for name in table.names if name not in other]
    if not found:
        raise DataError(
            f"{table.source} has no column left to read: its columns are "
            f"{listed(list(table.names))}, and all have a role"
        )
    return found
