"""Tables with lists of words and of labels in a row, as JSON lines have them."""

from __future__ import annotations

from dataclasses import replace

from carousel.config import Config
from carousel.config.columns import names_in
from carousel.data.counting import counted
from carousel.data.table import Column, Table, typed
from carousel.errors import DataError

ROW = "sentence"


def holds_lists(column: Column) -> bool:
    """True if every cell of a column that has one is a list of texts or numbers."""
    import polars as pl

    if column.kind != "nested" or not isinstance(column.values.dtype, pl.List):
        return False
    inner = column.values.dtype.inner
    return inner == pl.String or (isinstance(inner, type | pl.DataType) and inner.is_integer())


def in_words(table: Table, config: Config) -> tuple[Table, Config]:
    """A table with lists as one with a word a row, and the configuration that reads it so; other
    tables are as they are. Raises `DataError` where lists of a row are of unequal length."""
    import polars as pl

    columns = config.columns
    names = [n for n in (*names_in(columns.text), *names_in(columns.target)) if n in table]
    if not any(holds_lists(table[name]) for name in names):
        return table, config
    if not all(holds_lists(table[name]) for name in names):
        raise DataError(f"{table.source}: the columns {', '.join(names)} must both hold lists")
    lengths = [table[name].values.list.len().fill_null(0) for name in names]
    for name, some in zip(names[1:], lengths[1:], strict=True):
        if (wrong := (some != lengths[0]).arg_true()).len():
            row = int(wrong[0])
            raise DataError(
                f"{table.source} row {row + 1} has {lengths[0][row]} {names[0]} and {some[row]} "
                f"{name}: each word must have one label"
            )
    rest = [c for c in table.columns if c.name not in names and c.name != ROW]
    frame = pl.DataFrame(
        [
            pl.Series(ROW, [str(number) for number in range(1, len(table) + 1)]),
            *(table[name].values.alias(name) for name in names),
            *(c.raw.alias(c.name) for c in rest if c.kind != "nested"),
        ]
    )
    empty = int((lengths[0] == 0).sum())
    notes = (counted(empty, "rows have an empty list: left out"),) if empty else ()
    frame = frame.filter(lengths[0] > 0).explode(*names)
    frame = frame.with_columns(pl.col(name).cast(pl.String) for name in names)
    roles = replace(columns, id=ROW)
    return typed(frame, (*table.notes, *notes), table.source, 1), replace(config, columns=roles)
