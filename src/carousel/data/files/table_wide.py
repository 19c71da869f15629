"""Tables as recordings with a class or a number each, long or wide (`columns.wide`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from carousel.config import Config
from carousel.data.files.table_steps import read_classes, read_numbers, table_of
from carousel.data.store.opened import refuse_large
from carousel.data.table import Table
from carousel.data.wide import in_rows

P = TypeVar("P")


def _of_wide(read: Callable[[Config, Table | None], P]) -> Callable[..., P]:
    """A reader that reads wide tables, too, as long ones."""

    def read_any(config: Config, table: Table | None = None) -> P:
        if config.columns.wide:
            table = table_of(config, table)
            refuse_large(table, "a wide table", ("long ones",))
            table, config = in_rows(table, config)
        return read(config, table)

    return read_any


READERS = {
    "classify_recordings": {"table": _of_wide(read_classes)},
    "regress": {"table": _of_wide(read_numbers)},
}
