"""Targets of a table that are several labels: a column of 0 and 1 for each, or names in a cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from carousel.config import Config
from carousel.config.columns import names_in
from carousel.data.table import Column, Table
from carousel.errors import DataError

_SEPARATORS = (";", "|")
_MOST, _SHARE = 100, 0.02

LabelSet = tuple[str, ...]


def is_several(config: Config) -> bool:
    """True if the target is several labels: it names several columns, or has a separator."""
    return bool(config.columns.separator) or len(names_in(config.columns.target)) > 1


def label_sets(
    table: Table, config: Config, rows: Sequence[int]
) -> tuple[LabelSet, list[LabelSet | None], list[str]]:
    """All labels, those of each row, None where they are not known, and what there is to say.

    rows: numbers of the rows of the table that are asked for. Raises `DataError`.
    """
    names = names_in(config.columns.target)
    if config.columns.separator:
        return _of_cells(table, names, config.columns.separator, rows)
    columns = np.stack([_flags(table[name], table.source)[[*rows]] for name in names], 1)
    found = [
        None if np.isnan(row).any() else tuple(names[i] for i in row.nonzero()[0].tolist())
        for row in columns
    ]
    return names, found, []


def _flags(column: Column, source: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    numbers = column.numbers()
    odd = ~(np.isnan(numbers) | np.isin(numbers, (0.0, 1.0)))
    if odd.any():
        row = int(odd.nonzero()[0][0])
        raise DataError(
            f"{source}: several columns in columns.target are labels, each 0 or 1 (yes or no); "
            f"'{column.name}' has {numbers[row]:g} in row {row + 2}"
        )
    return numbers


def _of_cells(
    table: Table, names: Sequence[str], separator: str, rows: Sequence[int]
) -> tuple[LabelSet, list[LabelSet | None], list[str]]:
    if len(names) != 1:
        raise DataError(
            f"columns.separator = '{separator}' is of one column of labels; columns.target names "
            f"{len(names)}"
        )
    cells = table[names[0]].texts()
    found: list[LabelSet | None] = [split_cell(cells[row], separator) for row in rows]
    labels = tuple(sorted({label for some in found for label in some or ()}))
    if not labels:
        raise DataError(f"{table.source} has no label in the column '{names[0]}'")
    empty = sum(not some for some in found)
    said = [f"{empty:,} cells of '{names[0]}' are empty: they have none of the labels"]
    return labels, found, said if empty else []


def split_cell(cell: str, separator: str) -> LabelSet:
    """The labels in a cell, each once.

    >>> split_cell("drama; war;drama", ";")
    ('drama', 'war')
    """
    return tuple(dict.fromkeys(filter(None, (piece.strip() for piece in cell.split(separator)))))


def separator_of(column: Column) -> str:
    """Mark between several labels in the cells of a column; "" if they are no such.

    Some cells must have several, and the labels must be few, no more than different cells, and
    each stand in several cells.

    >>> from carousel.data.table import of_frame
    >>> import polars as pl
    >>> cells = ["a;b", "a", "b", "", "c;a", "c"] * 3
    >>> separator_of(of_frame(pl.DataFrame({"tags": cells, "y": cells}))["tags"])
    ';'
    """
    if column.kind != "text":
        return ""
    cells = [cell for cell in column.texts() if cell]
    for mark in _SEPARATORS:
        several = [cell for cell in cells if mark in cell]
        if len(several) < max(2, _SHARE * len(cells)):
            continue
        counts: dict[str, int] = {}
        for cell in cells:
            for label in split_cell(cell, mark):
                counts[label] = counts.get(label, 0) + 1
        if 2 <= len(counts) <= min(_MOST, len({*cells})) and min(counts.values()) >= 2:
            return mark
    return ""
