"""Columns of a table as numbers for a network: categories as columns of their own, or as codes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from carousel.config.columns import FEW_LEVELS, listed
from carousel.data.coded import ABSENT, OTHER, Coded
from carousel.data.store.gathered import Gathered
from carousel.data.table import Column, Table
from carousel.errors import DataError

MOST_LEVELS = 50


@dataclass(frozen=True)
class Features:
    """values (N, F), float64, NaN where a number is missing, in memory or gathered when they are
    asked for; and the names of their columns.

    A category of few levels is a column `name=level` for each, and one of more a column of codes,
    whose name is a `Coded`. notes: what became of columns, in words. unseen: cells of categories
    whose level training did not have, by column.
    """

    values: NDArray[np.float64] | Gathered
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    unseen: dict[str, int] = field(default_factory=dict)


def features_of(
    table: Table,
    columns: Sequence[str],
    categories: Collection[str],
    wanted: Sequence[str] | None = None,
    embed: bool = True,
    on_disk: bool = False,
) -> Features:
    """The numbers of some columns of a table, in their order.

    wanted: names of features as `names` had them in training: levels are those, and what is not
    among them is counted. embed: categories of many levels become codes. on_disk: of an imported
    table, numbers stay on the disk. Raises `DataError` for a text that is no category.
    """
    coded = {str(name): name for name in wanted or () if isinstance(name, Coded)}
    values: list[NDArray[np.float64]] = []
    names: list[str] = []
    notes: list[str] = []
    unseen: dict[str, int] = {}
    for name in columns:
        column = table[name]
        if name in categories:
            if name in coded or (wanted is None and embed and _has_many(column)):
                made, full, lost = _codes(column, coded.get(name))
                values.append(made)
                names.append(full)
                if lost:
                    unseen[name] = lost
                continue
            known = None
            if wanted is not None:
                known = [n[len(name) + 1 :] for n in wanted if n.startswith(f"{name}=")]
            made, levels, lost = _one_hot(column, known)
            values.append(made)
            names += [f"{name}={level}" for level in levels]
            if lost:
                unseen[name] = lost
            if OTHER in levels and known is None:
                notes.append(f"of '{name}', all but the {MOST_LEVELS} most frequent values are one")
        elif column.is_number or (column.kind == "empty" and wanted is not None):
            values.append(column.numbers()[:, None])
            names.append(name)
            if column.odd:
                notes.append(
                    f"'{name}': {column.odd:,} cells that are no numbers ('{column.example}') "
                    f"count as missing"
                )
            if column.note:
                notes.append(f"'{name}': {column.note}")
        else:
            _refuse(column, table)
    if not values:
        raise DataError(f"{table.source} has no column to read: all have another role")
    every = Gathered(values) if on_disk else np.concatenate(values, 1)
    return Features(every, tuple(names), tuple(notes), unseen)


def _refuse(column: Column, table: Table) -> None:
    what = {"text": "texts", "time": "times", "nested": "lists", "empty": "no value at all"}
    hint = (
        f"columns.category = '{listed([column.name])}' if its values are names, or columns.ignore"
        if column.kind == "text"
        else f"columns.ignore = '{listed([column.name])}'"
    )
    cell = next((text for text in column.texts() if text), "")
    shown = f" ('{cell[:30]}')" if cell and column.kind == "text" else ""
    raise DataError(
        f"{table.source}: the column '{column.name}' holds {what[column.kind]}{shown}, and what is "
        f"read must be numbers: name it in {hint}"
    )


def _has_many(column: Column) -> bool:
    return column.cells().n_unique() > FEW_LEVELS


def _codes(column: Column, known: Coded | None) -> tuple[NDArray[np.float64], Coded, int]:
    """The codes of a column (N, 1), its name with the levels, and how many cells are none that is
    known: those have the code 0."""
    import polars as pl

    cells = column.cells().replace("", ABSENT)
    levels = cells.unique().sort().to_list() if known is None else [*known.levels]
    codes = cells.replace_strict(
        levels, range(1, len(levels) + 1), default=0, return_dtype=pl.Int64
    ).to_numpy()
    name = Coded(column.name, levels) if known is None else known
    return codes[:, None].astype(np.float64), name, int((codes == 0).sum())


def _one_hot(
    column: Column, known: Sequence[str] | None
) -> tuple[NDArray[np.float64], list[str], int]:
    """A column for each level, the levels, and how many cells are none that is known."""
    import polars as pl

    cells = column.cells().replace("", ABSENT)
    if known is None:
        counted = cells.value_counts().sort(["count", cells.name], descending=[True, False])
        found = counted[cells.name].to_list()
        levels = sorted(found[:MOST_LEVELS]) + ([OTHER] if len(found) > MOST_LEVELS else [])
    else:
        levels = list(known)
    place = {level: number for number, level in enumerate(levels)}
    other = place.get(OTHER, -1)
    codes = cells.replace_strict(
        levels, range(len(levels)), default=-1, return_dtype=pl.Int64
    ).to_numpy()
    lost = int((codes < 0).sum()) if known is not None else 0
    codes = np.where(codes < 0, other, codes)
    made = np.zeros((len(codes), len(levels)))
    rows = np.flatnonzero(codes >= 0)
    made[rows, codes[rows]] = 1.0
    return made, levels, lost
