"""Tables that are read as another was: the kinds of its columns, where a file alone is not enough
to tell them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from carousel.data.kinds import Read, boolean_of, kind_of
from carousel.data.table import Column, Table

if TYPE_CHECKING:
    import polars as pl


_DATE = r"^(\d{1,2})[/-](\d{1,2})[/-](\d{4})"
_ORDERS = {"day, month, year": "${3}/${2}/${1}", "month, day, year": "${3}/${1}/${2}"}


def as_training(table: Table, training: Table) -> Table:
    """A table whose columns are read like those of the same names of the training table.

    Decimal commas there are decimal commas here, though a number such as 1,500 alone may be one of
    thousands; a column of yes and no is one, though it may hold only one of them; and dates such as
    03/04/2024 begin with the day or the month as they do there, though they alone do not tell.
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
            elif other.kind == "time" and column.kind == "text":
                read = _dates(column.raw, other.note)
        columns.append(column if read is None else _column(column, read))
    return replace(table, columns=tuple(columns))


def _dates(cells: pl.Series, note: str) -> Read | None:
    """Dates in the order of a note; None if it names none, or they are no dates in it."""
    order = next((order for order in _ORDERS if order in note), None)
    if order is None:
        return None
    plain = cells.str.strip_chars()
    read = kind_of(plain.str.replace(_DATE, _ORDERS[order]))
    if read.kind != "time":
        return None
    said = f"dates are read as {order}, as in the training data"
    return read._replace(values=plain, note="; ".join(filter(None, (said, read.note))))


def _words(column: Column) -> set[str]:
    raw: pl.Series = column.raw.cast(str)
    return set(raw.drop_nulls().str.strip_chars().str.to_lowercase().unique().to_list())


def _column(column: Column, read: Read) -> Column:
    return Column(
        column.name, read.kind, read.values, column.raw, read.missing, read.odd, read.example,
        read.note, read.stamps, read.style,
    )  # fmt: skip
