"""Tables that name pictures and the class of each (`columns.file`, `columns.target`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from carousel.config import Config
from carousel.config.columns import names_in
from carousel.data.counting import unit_of
from carousel.data.dealing import deal
from carousel.data.files.image_classes import Entry, parts_of
from carousel.data.files.table_labels import target_of
from carousel.data.files.table_steps import table_of
from carousel.data.labelled_images import ImageParts
from carousel.data.sequences import Rows
from carousel.data.table import Table
from carousel.errors import ConfigError


def entries_of(table: Table, config: Config) -> tuple[list[Entry], list[int], list[str]]:
    """The images that a table names, the number of the row of each, and what is to be said. Names
    are those of files beside the table."""
    names = names_in(config.columns.file)
    if len(names) != 1:
        raise ConfigError(
            f"columns.file must name the column with the names of pictures; got "
            f"'{config.columns.file}'"
        )
    target = target_of(config)
    files, labels = table[names[0]].texts(), table[target].texts()
    folder = Path(table.source).parent
    rows = [i for i, (file, label) in enumerate(zip(files, labels, strict=True)) if file and label]
    found = [Entry(files[i], labels[i], file=folder / files[i]) for i in rows]
    words = [*table.notes]
    if lost := len(files) - len(rows):
        words.append(f"{lost:,} {unit_of(lost, 'rows')} without a file or a class: left out")
    return found, rows, words


def read_manifest(config: Config, table: Table | None = None) -> ImageParts:
    """The parts of the images that a table names. Raises `ConfigError` or `DataError`."""
    table = table_of(config, table)
    found, places, words = entries_of(table, config)
    rows = [Rows(one.name, np.array([i])) for one, i in zip(found, places, strict=True)]
    classes = [one.label for one in found] if config.split.by == "sequence" else None
    parts = deal(rows, config, table, classes, False)
    return parts_of(found, parts, config, table.source, words)


READERS = {"classify": {"table": read_manifest}}
