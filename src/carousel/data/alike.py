"""Tables that are read as another was: the kinds of its columns, where a file alone is not enough
to tell them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from carousel.data.kinds import Read, boolean_of, kind_of
from carousel.data.table import Column, Table

if TYPE_CHECKING:
    import polars as pl


def as_training(table: Table, training: Table) -> Table:
    """A table whose columns are read like those of the same names of the training table.

    Decimal commas there are decimal commas here, though a number such as 1,500 alone may be one of
    thousands; and a column of yes and no is one, though it may hold only one of them.
    """
    import polars as pl

    commas = any(column.style == "german" for column in training.columns)
    known = {column.name: column for column in training.columns}
    columns = []
    for column in table.columns:
        other = known.get(column.name)
        read: Read | None = None
        if other is not None and column.raw.dtype == pl.String:
            if other.kind == "boolean" and column.kind == "text":
                read = boolean_of(column.raw, _words(other))
            elif commas and column.is_number and other.is_number and column.kind != "boolean":
                read = kind_of(column.raw, commas=True)
        columns.append(column if read is None else _column(column, read))
    return replace(table, columns=tuple(columns))


def _words(column: Column) -> set[str]:
    raw: pl.Series = column.raw.cast(str)
    return set(raw.drop_nulls().str.strip_chars().str.to_lowercase().unique().to_list())


def _column(column: Column, read: Read) -> Column:
    return Column(
        column.name, read.kind, read.values, column.raw, read.missing, read.odd, read.example,
        read.note, read.stamps, read.style,
    )  # fmt: skip
