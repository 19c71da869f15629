"""Tables as recordings with a class or a number each, long or wide (`columns.wide`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from carousel.config import Config
from carousel.data.files.table_steps import read_classes, read_numbers, read_whole, table_of
from carousel.data.store.opened import MappedTable, refuse_large
from carousel.data.table import Table
from carousel.data.wide import in_rows

if TYPE_CHECKING:
    from carousel.data.labelled_recordings import LabelledRecordings
    from carousel.data.whole_targets import WholeRecordings

P = TypeVar("P")


def _of_wide(
    read: Callable[[Config, Table | None], P], mapped: Callable[[Config, MappedTable], P | None]
) -> Callable[..., P]:
    """A reader that reads wide tables, too, as long ones; mapped: reads an imported one, where it
    can."""

    def read_any(config: Config, table: Table | None = None) -> P:
        if config.columns.wide:
            table = table_of(config, table)
            if isinstance(table, MappedTable) and (found := mapped(config, table)) is not None:
                return found
            refuse_large(table, "such a wide table", ("long ones",))
            table, config = in_rows(table, config)
        return read(config, table)

    return read_any


def _mapped_classes(config: Config, table: MappedTable) -> LabelledRecordings | None:
    from carousel.data.files.mapped_wide import read_wide

    found = None if config.columns.file else read_wide(table, config)
    return None if found is None else read_classes(found[1], read=found[0])


def _mapped_numbers(config: Config, table: MappedTable) -> WholeRecordings | None:
    from carousel.data.files.mapped_wide import read_wide

    found = None if config.regress.per == "step" else read_wide(table, config)
    return None if found is None else read_whole(*found)


READERS = {
    "classify_recordings": {"table": _of_wide(read_classes, _mapped_classes)},
    "regress": {"table": _of_wide(read_numbers, _mapped_numbers)},
}
