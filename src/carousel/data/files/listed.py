"""Files that a new table names, for a model that was trained on such a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from carousel.config import Config
from carousel.data.table import is_table, read_table
from carousel.errors import DataError


def files_listed(path: Path, config: Config) -> Sequence[Path]:
    """The files that a new table names in the column of training; none if it is no such table."""
    if not config.columns.file or not path.is_file() or not is_table(path):
        return ()
    try:
        table = read_table(path, fewest=1)
    except DataError:  # a recording of its own, whose reader says what is wrong
        return ()
    if config.columns.file not in table:
        return ()
    return [path.parent / name for name in table[config.columns.file].texts()]
